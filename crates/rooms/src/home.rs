//! One room at its home: it sequences what the room's app decides, and tells the members what came back from the log.
//! It never names a socket; members are ids, and what they get leaves as deliveries.

mod append;
mod arrive;
mod history;
mod joins;
mod load;
mod looks;
mod pages;
mod retold;
mod seen;
mod sink;
mod steward;
mod subject;
mod sweep;
mod tell;

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use app::{Action, Host};
use engine::Question;
use vocabulary::{
    Act, Audience, Caller, Command, ConnectionId, Delivery, Epoch, Join, Key, Parting, Payload, Position,
    Record, RecordNews, Reference, Refusal, Reply, ReplyTo, RoomId, Seen, Standing, Tick, User,
};

use crate::cx::Cx;
use crate::log::Log;
use crate::pipeline::{Pending, Pipeline, Waiter};
use crate::presence::Presence;
use crate::seats::Seats;
use crate::soft::Softs;
use looks::Looks;
use pages::Reader;
use sink::Sinking;
use steward::Stewarded;
use subject::Subject;

/// ```text
/// Cold (no Home) ──▶ Loading ──▶ Live ──▶ Quarantined
///                       ▲          │
///                       └──────────┘ lost, behind, or the app panicked once
///
/// Loading lasts while what is kept is damaged, and refuses.
/// ```
pub(crate) enum Phase {
    Loading(Loading),
    Live(Log),
    /// The app panicked again on the same past, or older records turned out to be damaged: readable, appends refused, with
    /// the reference of that.
    Quarantined(Log, Reference),
}

/// Reading a room, from nothing or anew.
pub(crate) struct Loading {
    /// What came meanwhile, in order.
    pub queue: VecDeque<(Tick, Command)>,
    pub queue_bytes: usize,
    /// The last question that this waits for, to be asked again.
    pub asked: Tick,
    pub step: LoadStep,
    /// How far the log goes by what was heard while it was followed: what is answered may have been read before.
    pub heard: Option<Position>,
    /// What this node saw and the engine did not know. If it is in what is read after all, the engine spoke of an older
    /// state of things; if not, a new epoch must begin.
    pub lost: Option<Seen>,
    /// What is kept of the room is damaged, by this reference; it is asked for again all the same, because it may be mended.
    pub damaged: Option<Reference>,
    /// How often something was erased behind the snapshot that it was read from.
    pub erased: u32,
}

pub(crate) enum LoadStep {
    Following,
    /// The snapshot is folded, the records after it are not all read.
    Reading(Log),
    /// All that survives is folded; the new epoch is proposed.
    Rebasing(Log, Epoch),
}

/// What configuration says of an app's rooms.
#[derive(Clone, Copy, Debug)]
pub struct Rules {
    /// Members are told who comes and goes.
    pub notices: bool,
    pub retention_records: u64,
    /// Records are kept for so long at most; absent: for as long as they are not too many.
    pub retention_age: Option<Duration>,
    /// The node itself follows, members or not, and is told what the room says.
    pub kept: bool,
    /// Messages that are stored from here leave for brokers, too.
    pub outward: bool,
    /// And what only tells of a change.
    pub outward_changes: bool,
    /// What is said leaves for the broker of this name, all of it and at least once.
    pub sink: Option<&'static str>,
    /// And so are records that change something, and stand in no history.
    pub sink_changes: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Rules {
            notices: true,
            retention_records: 1_000_000,
            retention_age: None,
            kept: false,
            outward: false,
            outward_changes: false,
            sink: None,
            sink_changes: false,
        }
    }
}

pub(crate) struct Home {
    id: RoomId,
    host: Rc<dyn Host>,
    notices: bool,
    kept: bool,
    outward: bool,
    outward_changes: bool,
    sinking: Option<Sinking>,
    /// Records kept behind a snapshot.
    retention: u64,
    retention_age: Option<Duration>,
    /// Offsets up to here are known to be kept no more.
    kept_from: u64,
    phase: Phase,
    seats: Seats,
    presence: Presence,
    soft: Softs,
    /// Records applied and not told yet; empty between calls.
    told: Vec<RecordNews>,
    pipeline: Pipeline,
    /// Records that came before their turn, and the end of the log as far as anybody said.
    arrived: BTreeMap<u64, arrive::Arrived>,
    known_end: u64,
    /// A read for what is missing is on its way since then.
    fetching: Option<Tick>,
    readers: BTreeMap<u64, Reader>,
    stewarded: Stewarded,
    idle_since: Option<Tick>,
    looks: Looks,
    /// When this room wants to be woken; the index of `Rooms` agrees with it.
    pub(crate) scheduled: Option<Tick>,
}

impl Home {
    pub(crate) fn open(cx: &mut Cx<'_>, id: RoomId, host: Rc<dyn Host>, rules: Rules) -> Home {
        let mut home = Home {
            id,
            host,
            notices: rules.notices,
            kept: rules.kept,
            outward: rules.outward,
            outward_changes: rules.outward_changes,
            sinking: rules.sink.map(|sink| Sinking::of(sink, rules.sink_changes)),
            retention: rules.retention_records,
            retention_age: rules.retention_age,
            kept_from: 0,
            phase: Phase::Loading(Loading::new(cx.now.tick, None)),
            seats: Seats::default(),
            presence: Presence::since(cx.now.tick),
            soft: Softs::default(),
            told: Vec::new(),
            pipeline: Pipeline::default(),
            arrived: BTreeMap::new(),
            known_end: 0,
            fetching: None,
            readers: BTreeMap::new(),
            stewarded: Stewarded::default(),
            idle_since: None,
            looks: Looks::new(cx.now.tick),
            scheduled: None,
        };
        home.follow(cx);
        home
    }

    pub(crate) fn command(&mut self, cx: &mut Cx<'_>, command: Command) {
        if let Phase::Loading(loading) = &mut self.phase {
            // What keeps the books does not wait: a member that leaves is gone, whatever the room's state.
            match command {
                Command::Leave { connection, asked, .. } => {
                    return self.leave_while_loading(cx, connection, asked);
                }
                Command::Renew { connection, user, .. } => return self.renew(cx, connection, user),
                _ => {}
            }
            if let Some(reference) = loading.damaged
                && !command.must_arrive()
            {
                return self.refuse(cx, command, Refusal::internal(reference));
            }
            let full = loading.queue.len() >= cx.limits.waiting_max
                || loading.queue_bytes + command.bytes() > cx.limits.waiting_bytes_max;
            if full && !command.must_arrive() {
                return self.refuse(cx, command, Refusal::busy(1000));
            }
            loading.queue_bytes += command.bytes();
            loading.queue.push_back((cx.now.tick, command));
            return;
        }
        match command {
            Command::Join(join) => self.join(cx, join),
            Command::Leave { connection, asked, .. } => self.leave(cx, connection, asked),
            Command::Act(act) => self.act(cx, act, cx.now.tick),
            Command::History { caller, reply, limit, from, .. } => {
                self.history(cx, &caller, reply, limit, from)
            }
            Command::Members { caller, reply, .. } => self.members(cx, &caller, reply),
            Command::Retell { reply, asks, .. } => self.retell(cx, reply, asks),
            Command::Sink { reply, asks, .. } => self.sink_asks(cx, reply, asks),
            Command::Page { connection, ticket, since, .. } => self.page(cx, connection, ticket, since),
            Command::Renew { connection, user, .. } => self.renew(cx, connection, user),
            Command::Roster { .. } => {}
        }
    }

    pub(crate) fn log(&self) -> Option<&Log> {
        match &self.phase {
            Phase::Live(log) | Phase::Quarantined(log, _) => Some(log),
            Phase::Loading(_) => None,
        }
    }

    /// What a newer token says of a member holds at once: who it is to the others, and what it may do and see here.
    fn renew(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, user: Arc<User>) {
        if let Phase::Loading(loading) = &mut self.phase {
            for (_, command) in &mut loading.queue {
                if let Command::Join(join) = command
                    && join.connection == connection
                {
                    join.user = user.clone();
                }
            }
        }
        self.renew_joins(connection, &user);
        if !self.seats.renew(connection, &user) {
            return;
        }
        if let Some((person, count)) = self.presence.rename(&user.person) {
            cx.publish_presence(&self.id, person, count);
        }
        // While the room is read nobody is admitted; afterwards everybody is, again.
        self.admit_again(cx, |member, _| member == connection);
    }

    fn leave_while_loading(&mut self, cx: &mut Cx<'_>, connection: ConnectionId, asked: bool) {
        let mut joins = Vec::new();
        if let Phase::Loading(loading) = &mut self.phase {
            let of_leaver = |command: &Command| match command {
                Command::Join(join) => join.connection == connection,
                Command::Page { connection: reader, .. } => *reader == connection,
                _ => false,
            };
            let queue = std::mem::take(&mut loading.queue);
            let (gone, rest): (VecDeque<_>, VecDeque<_>) =
                queue.into_iter().partition(|(_, command)| of_leaver(command));
            loading.queue = rest;
            loading.queue_bytes -= gone.iter().map(|(_, command)| command.bytes()).sum::<usize>();
            joins.extend(gone.into_iter().map(|(_, command)| command));
        }
        if asked {
            let refusal = || Refusal::new(vocabulary::Code::NotInRoom, "you left the room meanwhile");
            for join in joins.iter().filter_map(|command| match command {
                Command::Join(join) if join.tag.id.is_some() => Some(join),
                _ => None,
            }) {
                self.part(cx, join, refusal());
            }
        }
        self.leave(cx, connection, asked);
    }

    /// Refuses a command that is not going to be tried.
    fn refuse(&self, cx: &mut Cx<'_>, command: Command, refusal: Refusal) {
        match command {
            Command::Join(join) => self.part(cx, &join, refusal),
            Command::Act(act) => self.refuse_act(cx, &act, refusal),
            Command::History { reply, .. }
            | Command::Members { reply, .. }
            | Command::Retell { reply, .. }
            | Command::Sink { reply, .. } => {
                cx.reply(&self.id, reply, Reply::Refused(refusal));
            }
            Command::Leave { .. } | Command::Page { .. } | Command::Renew { .. } | Command::Roster { .. } => {
            }
        }
    }

    fn refuse_act(&self, cx: &mut Cx<'_>, act: &Act, refusal: Refusal) {
        if let Caller::Step(step) = &act.caller {
            cx.outcome(step, Err(refusal));
        } else if let Some(reply) = &act.reply {
            cx.reply(&self.id, reply.clone(), Reply::Refused(refusal));
        }
    }

    fn part(&self, cx: &mut Cx<'_>, join: &Join, refusal: Refusal) {
        let parting = Parting {
            room: self.id.clone(),
            connection: join.connection,
            ticket: join.ticket,
            answers: Some(join.tag.clone()),
            refusal,
        };
        cx.deliver(join.connection.shard, Delivery::Parted(parting));
    }

    /// `since`: when the room was asked.
    fn act(&mut self, cx: &mut Cx<'_>, act: Act, since: Tick) {
        let Some((act, key)) = self.not_yet_done(cx, act, since) else { return };
        match self.subject_of(cx, &act) {
            Subject::Here(record) => self.act_on(cx, act, key, record, since),
            Subject::Kept(after) => self.ask_for_subject(cx, since, after, act),
            Subject::Ahead => self.refuse_act(cx, &act, Refusal::busy(500)),
        }
    }

    /// The command and its key, unless it is answered already, or is on its way.
    fn not_yet_done(&mut self, cx: &mut Cx<'_>, act: Act, since: Tick) -> Option<(Act, Key)> {
        let Phase::Live(log) = &self.phase else {
            self.refuse_act(cx, &act, self.appends_nothing());
            return None;
        };
        if let Caller::Connection { id, .. } = &act.caller
            && act.standing == Standing::Member
            && self.seats.get(*id).is_none()
        {
            self.refuse_act(cx, &act, Refusal::not_in_room());
            return None;
        }
        let key = act.key.clone().unwrap_or_else(|| cx.once());
        if let Some((position, at)) = log.keys().get(&key) {
            match (act.caller, act.reply) {
                (Caller::Step(step), _) => cx.outcome(&step, Ok(Payload::new())),
                (_, Some(to)) => cx.acked(&self.id, position, at, to),
                (_, None) => {}
            }
            return None;
        }
        if self.pipeline.has(&key) {
            if let Some(waiter) = waiter(&act.caller, act.reply, None) {
                self.pipeline.wait(key, since, waiter);
            }
            return None;
        }
        Some((act, key))
    }

    /// What the command is about is known.
    fn act_on(&mut self, cx: &mut Cx<'_>, act: Act, key: Key, subject: Option<Box<Record>>, since: Tick) {
        let Phase::Live(log) = &self.phase else {
            return self.refuse_act(cx, &act, self.appends_nothing());
        };
        let guarded = match act.caller {
            Caller::Duty { .. } | Caller::Outcome { .. } => true,
            // Who cannot say is decided with the greater care.
            _ => {
                let guarded = log.fold.guarded(Action { kind: &act.kind, payload: &act.payload });
                cx.unless_panicked(&self.id, guarded).unwrap_or(true)
            }
        };
        let pending = Pending { act, key, guarded, subject, rounds: 0, since };
        // A duty is the room's own word, and there is at most one.
        if self.pipeline.is_full(cx.limits) && !matches!(pending.act.caller, Caller::Duty { .. }) {
            return self.refuse_act(cx, &pending.act, Refusal::busy(500));
        }
        if self.pipeline.is_idle() && !pending.guarded {
            return self.send_batch(cx, Some(pending));
        }
        self.pipeline.push(pending);
        self.pump(cx);
    }

    /// What a command is told that the room cannot append, because it is quarantined or is read anew.
    fn appends_nothing(&self) -> Refusal {
        match &self.phase {
            Phase::Quarantined(_, reference) => Refusal::internal(*reference),
            Phase::Live(_) | Phase::Loading(_) => Refusal::busy(1000),
        }
    }

    fn members(&mut self, cx: &mut Cx<'_>, caller: &Caller, reply: ReplyTo) {
        if let Err(refusal) = self.audience_of(cx, caller) {
            return cx.reply(&self.id, reply, Reply::Refused(refusal));
        }
        let (users, present) = (self.presence.list(cx.limits.presence_list_max), self.present(cx));
        let count = app::Roll::count(&self.presence);
        cx.reply(&self.id, reply, Reply::Members { users, count, present });
    }

    /// What a caller sees of this room: a member by its join, anybody else as if joining now.
    fn audience_of(&self, cx: &mut Cx<'_>, caller: &Caller) -> Result<Audience, Refusal> {
        if let Caller::Connection { id, .. } = caller
            && let Some(seat) = self.seats.get(*id)
        {
            return Ok(seat.audience);
        }
        match self.log() {
            Some(log) => cx.answered(&self.id, log.fold.admit(cx.now, caller, &Payload::new())),
            None => Err(Refusal::busy(1000)),
        }
    }

    /// A saga's other room answered one of this room's steps.
    pub(crate) fn outcome(
        &mut self,
        cx: &mut Cx<'_>,
        step: vocabulary::StepId,
        result: Result<Payload, Refusal>,
    ) {
        if !self.stewarded.is_open(&step) || !cx.steward {
            return;
        }
        // The other room has no place for it, or this one has none for what came of it.
        let busy = match &result {
            Err(refusal) if refusal.code == vocabulary::Code::Busy => refusal.retry_after_ms,
            _ => self.pipeline.is_full(cx.limits).then_some(500),
        };
        if let Some(millis) = busy {
            let wait = std::time::Duration::from_millis(millis.into());
            return self.stewarded.send_again(cx.now.tick + wait, &step);
        }
        let key = step.key();
        let caller = Caller::Outcome { step, result };
        self.command(
            cx,
            Command::Act(Act {
                room: self.id.clone(),
                caller,
                standing: Standing::Anyone,
                kind: "outcome".into(),
                payload: Payload::new(),
                key: Some(key),
                reply: None,
            }),
        );
    }

    pub(crate) fn step_returned(&mut self, now: Tick, step: &vocabulary::StepId) {
        self.stewarded.send_again(now + steward::RETURNED_AGAIN, step);
    }

    /// Nobody is here and nothing is to be done: the room can be let go once this has lasted.
    fn is_idle(&self) -> bool {
        !self.kept
            && self.seats.is_empty()
            && self.presence.is_empty()
            && self.soft.is_empty()
            && self.pipeline.is_idle()
            && self.readers.is_empty()
            && !self.stewarded.is_busy()
            && !self.is_sinking()
            && matches!(&self.phase, Phase::Live(_) | Phase::Quarantined(..))
    }

    pub(crate) fn is_over(&self, now: Tick, limits: &crate::Limits) -> bool {
        self.idle_since.is_some_and(|since| since + limits.unfollow_after <= now)
    }

    pub(crate) fn unfollow(&self, cx: &mut Cx<'_>) {
        cx.ask(Question::Unfollow { room: self.id.clone() });
    }

    /// Called after every command, answer and tick: what follows from the new state, and when to come back.
    pub(crate) fn settle(&mut self, cx: &mut Cx<'_>) -> Option<Tick> {
        self.tell_presence(cx);
        self.steward(cx);
        self.idle_since = if self.is_idle() { self.idle_since.or(Some(cx.now.tick)) } else { None };
        self.next_deadline(cx)
    }

    fn next_deadline(&self, cx: &Cx<'_>) -> Option<Tick> {
        let again = |since: Tick| since + cx.limits.ask_again;
        // While the room is read it asks nothing else: what would be asked again waits, and wakes nobody.
        let (loading, stewarded) = match &self.phase {
            Phase::Loading(loading) => (Some(again(loading.asked)), None),
            Phase::Live(_) => (None, self.stewarded.next_deadline(cx)),
            Phase::Quarantined(..) => (None, None),
        };
        let look = loading.is_none().then(|| self.next_look(cx)).flatten();
        [
            loading,
            self.presence.next_deadline(),
            self.soft.next_deadline(),
            self.pipeline.next_deadline(cx.limits, loading.is_none()),
            self.fetching.map(again),
            look,
            self.readers.values().map(|reader| again(reader.asked)).min(),
            stewarded,
            self.next_sink(cx),
            self.idle_since.map(|since| since + cx.limits.unfollow_after),
        ]
        .into_iter()
        .flatten()
        .min()
    }

    /// A room that is not read just now looks again by itself where news may have been lost, and for those it doubts.
    fn next_look(&self, cx: &Cx<'_>) -> Option<Tick> {
        let doubt = self.presence.doubts_until().filter(|_| !self.looks.is_waiting());
        self.looks.next(cx.news_may_drop, cx.limits).into_iter().chain(doubt).min()
    }

    pub(crate) fn tick(&mut self, cx: &mut Cx<'_>) {
        for (person, count) in self.presence.end_lingering(cx.now.tick) {
            cx.publish_presence(&self.id, person, count);
        }
        let (publish, changes) = self.soft.tick(cx.now, cx.limits.soft_window);
        for entry in publish {
            cx.publish_soft(&self.id, entry);
        }
        for change in changes {
            self.tell_soft(cx, &change);
        }
        self.tick_loading(cx);
        self.tick_pipeline(cx);
        self.tick_readers(cx);
        let is_read = !matches!(self.phase, Phase::Loading(_));
        if is_read && self.next_look(cx).is_some_and(|at| at <= cx.now.tick) {
            self.look_again(cx);
        }
    }

    pub(crate) fn ended(&mut self, cx: &mut Cx<'_>, incarnation: vocabulary::Incarnation) {
        self.looks.ended(incarnation);
        self.presence.end(cx.now.tick, incarnation);
    }

    pub(crate) fn hear_present(&mut self, cx: &mut Cx<'_>, present: engine::Present) {
        // A shard's own earlier life is not somebody else.
        if present.by.node != cx.me.node || present.by.shard != cx.me.shard {
            self.looks.hear(&present);
            self.presence.elsewhere(cx.now.tick, present);
        }
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn check_invariants(&self, limits: &crate::Limits) {
        assert!(self.told.is_empty(), "what is applied is told");
        self.presence.check_invariants();
        self.seats.check_invariants();
        assert!(self.pipeline.waiting.len() <= limits.waiting_max + 2, "the waiting room is bounded");
        if let Some(log) = self.log() {
            assert!(
                self.arrived.keys().all(|offset| *offset > log.head().offset),
                "what is applied is not waiting"
            );
        }
    }
}

pub(crate) fn waiter(caller: &Caller, reply: Option<ReplyTo>, payload: Option<Payload>) -> Option<Waiter> {
    match (caller, reply) {
        (Caller::Step(step), _) => Some(Waiter::Saga(step.clone(), payload)),
        (_, Some(to)) => Some(Waiter::Ack(vocabulary::Ack { to, reply: payload })),
        (_, None) => None,
    }
}
