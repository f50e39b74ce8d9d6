//! Commands become records: decided when their turn comes, stored in batches, told when they come back.

use app::{Action, Deciding, Decision, Duties, Presence, Soft};
use engine::{Appended, Batch, Parcel, Placement, Question, Stored};
use vocabulary::{Caller, Key, Position, Refusal, Reply, Wall};

use super::arrive::Arrived;
use super::{Home, Phase, waiter};
use crate::cx::Cx;
use crate::format::{self, Written};
use crate::pipeline::{Flight, Pending, Waiter};
use crate::sunk;

/// Due by anybody's clock: the writer's own may be an hour ahead of the steward's.
pub(super) const AT_ONCE: Wall = Wall(0);

/// What became of one command when its turn came.
enum Turn {
    /// Answered, nothing to store.
    Done,
    Parcel(Parcel, Vec<Written>),
    /// The same, and what follows is decided when it is folded.
    Last(Parcel, Vec<Written>),
}

impl Home {
    /// Lets what waits leave, as far as it may: one append in flight, a guarded command alone and on the newest state.
    pub(super) fn pump(&mut self, cx: &mut Cx<'_>) {
        while self.pipeline.flight.is_none() {
            let Phase::Live(log) = &self.phase else { return };
            let newest = log.head().offset >= self.known_end;
            let Some(front) = self.pipeline.waiting.front() else { return };
            if front.guarded {
                if !newest {
                    return self.fetch(cx);
                }
                let Some(pending) = self.pipeline.pop() else { return };
                self.send_guarded(cx, pending);
            } else {
                self.send_batch(cx, None);
            }
        }
    }

    fn send_guarded(&mut self, cx: &mut Cx<'_>, pending: Pending) {
        // A duty was read off one state and is for no other: off this one it is read again.
        if let (Caller::Duty { name, .. }, Some(log)) = (&pending.act.caller, self.log())
            && pending.key != Key::duty(log.head(), name)
        {
            return self.stewarded.duty_lost();
        }
        // A rival node may have stored this very command meanwhile.
        if self.answer_known(cx, &pending) {
            return;
        }
        if let Turn::Parcel(parcel, written) | Turn::Last(parcel, written) = self.decide(cx, &pending) {
            self.fly(cx, vec![parcel], written, Some(pending));
        }
    }

    /// What waits unguarded, and before it a command that need not wait.
    pub(super) fn send_batch(&mut self, cx: &mut Cx<'_>, mut first: Option<Pending>) {
        // For the common batch of one: a list that grows begins with more.
        let (mut parcels, mut written, mut bytes) = (Vec::with_capacity(1), Vec::new(), 0);
        while written.len() < cx.limits.batch_records_max && bytes < cx.limits.batch_bytes_max {
            // A record is about as long as its command; one that is larger than a batch goes alone.
            let left = if parcels.is_empty() { usize::MAX } else { cx.limits.batch_bytes_max - bytes };
            let next = first.take().or_else(|| self.pipeline.pop_unguarded(left));
            let Some(pending) = next else { break };
            if self.answer_known(cx, &pending) {
                continue;
            }
            let turn = self.decide(cx, &pending);
            let is_last = matches!(turn, Turn::Last(..));
            if let Turn::Parcel(parcel, mut records) | Turn::Last(parcel, mut records) = turn {
                bytes += parcel.records.iter().map(|record| record.len()).sum::<usize>();
                parcels.push(parcel);
                if written.is_empty() {
                    written = records;
                } else {
                    written.append(&mut records);
                }
            }
            if is_last {
                break;
            }
        }
        if !parcels.is_empty() {
            self.fly(cx, parcels, written, None);
        }
    }

    fn answer_known(&mut self, cx: &mut Cx<'_>, pending: &Pending) -> bool {
        let Some(place) = self.log().and_then(|log| log.keys().get(&pending.key)) else { return false };
        let mut waiters = self.pipeline.take(&pending.key);
        waiters.extend(waiter(&pending.act.caller, pending.act.reply.clone(), None));
        self.tell_waiters(cx, place, waiters);
        true
    }

    /// The app decides, on the state as it is now.
    fn decide(&mut self, cx: &mut Cx<'_>, pending: &Pending) -> Turn {
        let Phase::Live(log) = &self.phase else { return Turn::Done };
        let act = &pending.act;
        let (presence, soft) = (Presence::new(&self.presence), Soft::new(self.soft.values()));
        let action = Action { kind: &act.kind, payload: &act.payload };
        // How far a sink has come is no app's.
        let decided = if sunk::is_cursor(&pending.key) {
            Ok(Ok(sunk::decision()))
        } else {
            log.fold.decide(Deciding {
                now: cx.now,
                room: &self.id,
                presence,
                soft,
                subject: pending.subject.as_deref(),
                caller: &act.caller,
                action,
            })
        };
        let decision = cx.answered(&self.id, decided);
        let at = cx.now.wall.max(log.at());
        let Decision { records, soft, reply, alone, wakes } = match decision {
            Ok(decision) => decision,
            Err(refusal) => {
                self.refuse_with_waiters(cx, pending, refusal);
                return Turn::Done;
            }
        };
        self.stewarded.woken |= wakes;
        let author = act.caller.author();
        let (mut written, mut bytes) = (Vec::with_capacity(records.len()), Vec::with_capacity(records.len()));
        for draft in records {
            let (data, meant) = format::write_record(cx.format, at, author, draft);
            bytes.push(data);
            written.push(meant);
        }
        let connection = match act.caller {
            Caller::Connection { id, .. } => Some(id),
            _ => None,
        };
        for draft in soft {
            let (window, softs_max) = (cx.limits.soft_window, cx.limits.softs_max);
            if let Some((entry, change)) = self.soft.propose(cx.now, draft, connection, window, softs_max) {
                cx.publish_soft(&self.id, entry);
                self.tell_soft(cx, &change);
            }
        }
        if bytes.is_empty() {
            match (&act.caller, &act.reply) {
                (Caller::Step(step), _) => cx.outcome(step, Ok(reply.clone().unwrap_or_default())),
                (_, Some(to)) => cx.reply(&self.id, to.clone(), Reply::Done(reply.clone())),
                (Caller::Duty { .. }, None) => self.stewarded.duty_was_nothing(cx.now.tick),
                (_, None) => {}
            }
            self.answer_repeats(cx, &pending.key, reply.as_ref());
            return Turn::Done;
        }
        if let Some(waiter) = waiter(&act.caller, act.reply.clone(), reply) {
            self.pipeline.wait(pending.key.clone(), pending.since, waiter);
        }
        let parcel = Parcel { key: pending.key.clone(), records: bytes };
        if alone { Turn::Last(parcel, written) } else { Turn::Parcel(parcel, written) }
    }

    /// Whoever sent the same id again while the first waited, and nothing was recorded.
    fn answer_repeats(&mut self, cx: &mut Cx<'_>, key: &Key, reply: Option<&vocabulary::Payload>) {
        for waiter in self.pipeline.take(key) {
            match waiter {
                Waiter::Ack(ack) => cx.reply(&self.id, ack.to, Reply::Done(reply.cloned())),
                Waiter::Saga(step, _) => cx.outcome(&step, Ok(reply.cloned().unwrap_or_default())),
            }
        }
    }

    /// Nothing is appended any more.
    pub(super) fn refuse_waiting(&mut self, cx: &mut Cx<'_>) {
        while let Some(pending) = self.pipeline.pop() {
            let refusal = self.appends_nothing();
            self.refuse_with_waiters(cx, &pending, refusal);
        }
    }

    /// The command's own sender, and whoever sent the same id again meanwhile.
    fn refuse_with_waiters(&mut self, cx: &mut Cx<'_>, pending: &Pending, refusal: Refusal) {
        if matches!(pending.act.caller, Caller::Duty { .. }) {
            self.stewarded.duty_was_nothing(cx.now.tick);
        }
        self.refuse_key(cx, &pending.key, &refusal);
        self.refuse_act(cx, &pending.act, refusal);
    }

    fn fly(
        &mut self,
        cx: &mut Cx<'_>,
        parcels: Vec<Parcel>,
        written: Vec<Written>,
        guarded: Option<Pending>,
    ) {
        let Phase::Live(log) = &self.phase else { return };
        // The steward works out the true time after it has folded the batch; until then the room is due now, so that
        // no duty can be lost with the node that stored its cause.
        let marks = match self.host.needs().duties {
            Duties::Never => false,
            Duties::Sometimes => self.stewarded.woken,
            Duties::Always => true,
        };
        let is_owed = |sink| parcels.iter().any(|parcel| sunk::is_owed(sink, &parcel.key));
        let marks = marks || self.sink().is_some_and(is_owed);
        let due = marks.then_some(AT_ONCE);
        let batch = Batch { number: cx.number(), seen: log.seen(), guarded: guarded.is_some(), parcels, due };
        cx.ask(Question::Append { room: self.id.clone(), batch: batch.clone() });
        let now = cx.now.tick;
        self.pipeline.flight = Some(Flight { batch, written, guarded, since: now, asked: now });
    }

    pub(crate) fn appended(&mut self, cx: &mut Cx<'_>, number: u64, outcome: Appended) {
        if self.pipeline.flight.as_ref().is_none_or(|flight| flight.batch.number != number) {
            // An asking of a batch that is over. What it stored is no news to anybody but the followers, and not to
            // the asker.
            if let Appended::Stored { head, .. } = outcome {
                self.hear_end(cx, head);
            }
            return;
        }
        // While the room is read anew the flight waits: what is read says what became of it.
        let reading = matches!(self.phase, Phase::Loading(_));
        match outcome {
            Appended::Stored { .. } | Appended::Conflict { .. } | Appended::Refused if reading => {}
            Appended::Stored { placements, head } => self.stored(cx, placements, head),
            Appended::Conflict { head } => {
                cx.counts.conflicts += 1;
                self.known_end = self.known_end.max(head.offset);
                let Some(flight) = self.pipeline.flight.take() else { return };
                self.lose_round(cx, flight);
                self.pump(cx);
            }
            // The flight stays: what it carries goes again, with the same keys, when the room is read.
            Appended::Behind => self.reload(cx, None),
            Appended::Lost => {
                let seen = self.log().map(crate::log::Log::seen);
                self.reload(cx, seen);
            }
            Appended::Refused => {
                let Some(flight) = self.pipeline.flight.take() else { return };
                if flight.guarded.is_some_and(|pending| matches!(pending.act.caller, Caller::Duty { .. })) {
                    self.stewarded.duty_was_nothing(cx.now.tick);
                }
                if flight.asked == flight.since {
                    for parcel in flight.batch.parcels {
                        self.refuse_key(cx, &parcel.key, &Refusal::busy(1000));
                    }
                } else {
                    // Another asking may have been stored or yet be. Whoever waits learns what is found.
                    self.look_again(cx);
                }
                self.pump(cx);
            }
        }
    }

    /// A guarded command lost to a rival: it is decided again on the newest state, a bounded number of times.
    fn lose_round(&mut self, cx: &mut Cx<'_>, flight: Flight) {
        let Some(mut pending) = flight.guarded else { return };
        pending.rounds += 1;
        // The waiter returns with the next decision.
        if !self.pipeline.take_back(&pending.key, &pending.act) {
            // Its sender has had an answer; whoever sent the same id again since then waits for one.
            pending.act.reply = None;
        }
        let duty = matches!(pending.act.caller, Caller::Duty { .. });
        if duty {
            // Read off the newer state again, if it still stands.
            self.stewarded.duty_lost();
        } else if pending.rounds >= cx.limits.rounds_max {
            self.refuse_with_waiters(cx, &pending, Refusal::busy(500));
        } else {
            self.pipeline.push_front(pending);
        }
    }

    fn refuse_key(&mut self, cx: &mut Cx<'_>, key: &Key, refusal: &Refusal) {
        let waiters = self.pipeline.take(key);
        self.refuse_waiters(cx, waiters, refusal);
    }

    fn refuse_waiters(&self, cx: &mut Cx<'_>, waiters: Vec<Waiter>, refusal: &Refusal) {
        for waiter in waiters {
            match waiter {
                Waiter::Ack(ack) => cx.reply(&self.id, ack.to, Reply::Refused(refusal.clone())),
                Waiter::Saga(step, _) => cx.outcome(&step, Err(refusal.clone())),
            }
        }
    }

    fn stored(&mut self, cx: &mut Cx<'_>, placements: Vec<Placement>, head: Position) {
        let Some(flight) = self.pipeline.flight.take() else { return };
        let mut written = flight.written.into_iter();
        let mut arrived = Vec::with_capacity(written.len());
        for (parcel, placement) in flight.batch.parcels.into_iter().zip(placements) {
            match placement {
                Placement::At(first) => {
                    for (offset, data) in (first..).zip(parcel.records) {
                        let (key, written) = (parcel.key.clone(), written.next());
                        // It came as news before it came as an answer, and is not told again.
                        if let Some(head) =
                            self.log().map(crate::log::Log::head).filter(|head| offset <= head.offset)
                            && let Some(written) = &written
                        {
                            let position = Position { offset, ..head };
                            self.tell_outward(cx, key.clone(), &written.clone().at_place(position));
                        }
                        arrived.push(Arrived { stored: Stored { offset, key, data }, written });
                    }
                }
                Placement::Duplicate(position) => {
                    written.by_ref().take(parcel.records.len()).for_each(drop);
                    let passed = self.log().is_none_or(|log| {
                        let head = log.head();
                        position.epoch != head.epoch || position.offset <= head.offset
                    });
                    let waiters = if passed { self.pipeline.take(&parcel.key) } else { Vec::new() };
                    if !waiters.is_empty() {
                        let known = self.log().and_then(|log| log.keys().get(&parcel.key));
                        let at = known.map_or(cx.now.wall, |(_, at)| at);
                        self.tell_waiters(cx, (position, at), waiters);
                    }
                }
            }
        }
        self.told.reserve_exact(arrived.len());
        self.arrive(cx, head, arrived);
        self.pump(cx);
    }

    /// The room was read anew: what was in flight is answered if it survived, and goes again if it did not.
    pub(super) fn settle_flight(&mut self, cx: &mut Cx<'_>) {
        let Some(log) = super::Home::log(self) else { return };
        let known: Vec<(Key, (Position, Wall))> = self
            .pipeline
            .waited()
            .filter_map(|key| log.keys().get(key).map(|place| (key.clone(), place)))
            .collect();
        let (seen, live) = (log.seen(), matches!(self.phase, Phase::Live(_)));
        for (key, place) in known {
            let waiters = self.pipeline.take(&key);
            self.tell_waiters(cx, place, waiters);
        }
        self.refuse_orphans(cx);
        let Some(mut flight) = self.pipeline.flight.take() else { return };
        if !live {
            for parcel in &flight.batch.parcels {
                self.refuse_key(cx, &parcel.key, &self.appends_nothing());
            }
        } else if flight.guarded.is_some() {
            let survived = flight.batch.parcels.iter().all(|parcel| {
                super::Home::log(self).is_some_and(|log| log.keys().get(&parcel.key).is_some())
            });
            if survived {
                // Its sender was told above; a duty is read off the new state.
                self.stewarded.state_changed();
            } else {
                self.lose_round(cx, flight);
            }
        } else {
            let log = super::Home::log(self);
            flight
                .batch
                .parcels
                .retain(|parcel| log.is_some_and(|log| log.keys().get(&parcel.key).is_none()));
            if !flight.batch.parcels.is_empty() {
                // Some of it survived: what is left is read back from its bytes.
                flight.written = Vec::new();
                flight.batch.number = cx.number();
                flight.batch.seen = seen;
                flight.asked = cx.now.tick;
                cx.ask(Question::Append { room: self.id.clone(), batch: flight.batch.clone() });
                self.pipeline.flight = Some(flight);
            }
        }
    }

    /// Whoever waits for a record that is neither stored nor on its way any more: the engine had it, and lost it.
    pub(super) fn refuse_orphans(&mut self, cx: &mut Cx<'_>) {
        for key in self.pipeline.orphans() {
            self.refuse_key(cx, &key, &Refusal::unconfirmed());
        }
    }

    pub(super) fn tick_pipeline(&mut self, cx: &mut Cx<'_>) {
        // In the order in which they were said: what is in flight was said before what waits behind it.
        let impatient = self.pipeline.impatient(cx.now.tick, cx.limits);
        cx.counts.unconfirmed += u64::from(!impatient.is_empty());
        self.refuse_waiters(cx, impatient, &Refusal::unconfirmed());
        for pending in self.pipeline.expired(cx.now.tick, cx.limits) {
            self.refuse_with_waiters(cx, &pending, Refusal::busy(1000));
        }
        let loading = matches!(self.phase, Phase::Loading(_));
        if let Some(flight) = &mut self.pipeline.flight
            && !loading
            && flight.asked + cx.limits.ask_again <= cx.now.tick
        {
            flight.asked = cx.now.tick;
            cx.effects.push_back(crate::Effect::Ask(Question::Append {
                room: self.id.clone(),
                batch: flight.batch.clone(),
            }));
        }
        if self.fetching.is_some_and(|since| since + cx.limits.ask_again <= cx.now.tick) {
            self.fetching = None;
            self.fetch(cx);
        }
        self.pump(cx);
    }
}
