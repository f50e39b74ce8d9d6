//! Reading a room: from nothing, anew after the engine and this node disagree, or again after its app panicked.

use std::collections::VecDeque;

use engine::{Followed, Loaded as LoadedRoom, Question, Read, Snapshot, Stored};
use vocabulary::{Command, Delivery, Epoch, Incarnation, Position, Refusal, Seen, Tick, is_tombstone};

use super::arrive::Arrived;
use super::looks::Waiting;
use super::{Home, LoadStep, Loading, Phase};
use crate::cx::Cx;
use crate::limits::Limits;
use crate::log::{Log, Unfolded, Unopened};

/// What one read for loading asks for; the engine may give less.
const LOAD_RECORDS: u32 = 500;

/// A snapshot from behind what is erased is kept before anything is, so that one more reading finds it. Where the engine lost it
/// no reading does: then a room without what was erased is better than none.
const ERASED_MAX: u32 = 8;

impl Loading {
    pub(crate) fn new(now: Tick, lost: Option<Seen>) -> Loading {
        Loading {
            queue: VecDeque::new(),
            queue_bytes: 0,
            asked: now,
            step: LoadStep::Following,
            heard: None,
            lost,
            damaged: None,
            erased: 0,
        }
    }

    /// What was believed lost is there.
    fn found(&mut self, log: &Log) {
        self.lost = self.lost.filter(|lost| *lost != log.seen());
    }

    /// What comes next of what was read.
    fn fold(&mut self, log: &mut Log, records: Vec<Stored>, limits: &Limits) -> Result<(), Unfolded> {
        self.found(log);
        for stored in records {
            if stored.offset == log.head().offset + 1 {
                if is_tombstone(&stored.data) && self.erased < ERASED_MAX {
                    self.erased += 1;
                    return Err(Unfolded::Erased);
                }
                log.grow(stored, None, limits).map_err(Unfolded::Panicked)?;
            }
            self.found(log);
        }
        Ok(())
    }
}

impl Home {
    pub(super) fn follow(&mut self, cx: &mut Cx<'_>) {
        let ticket = cx.number();
        self.looks.asked(cx.now.tick, ticket);
        cx.ask(Question::Follow { room: self.id.clone(), seen: None, ticket });
    }

    /// Gives up what is folded and reads the room again. Commands wait; members stay where they are and catch up.
    pub(super) fn reload(&mut self, cx: &mut Cx<'_>, lost: Option<Seen>) {
        if let Phase::Loading(loading) = &mut self.phase {
            loading.step = LoadStep::Following;
            loading.asked = cx.now.tick;
            loading.lost = lost.or(loading.lost);
        } else {
            self.phase = Phase::Loading(Loading::new(cx.now.tick, lost));
        }
        self.arrived.clear();
        self.known_end = 0;
        self.fetching = None;
        self.give_up_readers(cx);
        self.follow(cx);
    }

    /// The same incarnation looks again, or a new one follows for the first time.
    pub(crate) fn look_again(&mut self, cx: &mut Cx<'_>) {
        let ticket = cx.number();
        self.looks.asked(cx.now.tick, ticket);
        let seen = self.log().map(Log::seen);
        cx.ask(Question::Follow { room: self.id.clone(), seen, ticket });
    }

    /// This shard goes by a new name.
    pub(crate) fn renamed(&mut self, cx: &mut Cx<'_>) {
        self.looks.renamed(cx.now.tick + cx.limits.lease);
        self.look_again(cx);
        self.republish(cx);
    }

    fn republish(&mut self, cx: &mut Cx<'_>) {
        for (person, count) in self.presence.published() {
            cx.publish_presence(&self.id, person, count);
        }
    }

    pub(crate) fn followed(&mut self, cx: &mut Cx<'_>, ticket: u64, outcome: Followed) {
        let waiting = self.looks.answered(ticket);
        match outcome {
            Followed::Loaded(mut loaded) => {
                let (present, soft) = (std::mem::take(&mut loaded.present), std::mem::take(&mut loaded.soft));
                self.hear_others(cx, present, soft, waiting);
                self.loaded(cx, loaded);
            }
            Followed::Continues { records, head, present, soft } => {
                self.hear_others(cx, present, soft, waiting);
                self.arrive(cx, head, Arrived::all(records));
            }
            Followed::Behind => self.reload(cx, None),
            Followed::Damaged => self.is_damaged(cx),
            Followed::Lost => {
                let seen = self.log().map(Log::seen);
                self.reload(cx, seen);
            }
        }
        self.look_if_missed(cx);
    }

    /// Nothing of the room can be folded. Whoever waits for it is told; it is asked for again with the next asking.
    fn is_damaged(&mut self, cx: &mut Cx<'_>) {
        if !matches!(self.phase, Phase::Loading(_)) {
            self.reload(cx, None);
        }
        let Phase::Loading(loading) = &mut self.phase else { return };
        loading.step = LoadStep::Following;
        loading.asked = cx.now.tick;
        let reference = *loading.damaged.get_or_insert_with(|| cx.damaged(&self.id));
        let queue = std::mem::take(&mut loading.queue);
        let (stays, refused): (VecDeque<_>, VecDeque<_>) =
            queue.into_iter().partition(|(_, command)| command.must_arrive());
        loading.queue = stays;
        loading.queue_bytes = 0;
        for (_, command) in refused {
            self.refuse(cx, command, Refusal::internal(reference));
        }
    }

    /// Records that are not in memory any more are damaged: what is folded is still true, and is shown; nothing is added.
    pub(super) fn past_is_damaged(&mut self, cx: &mut Cx<'_>) {
        self.kept_from = u64::MAX;
        let reference = cx.damaged(&self.id);
        if let Phase::Live(_) = &self.phase {
            let live = std::mem::replace(&mut self.phase, Phase::Loading(Loading::new(cx.now.tick, None)));
            let Phase::Live(log) = live else { return };
            self.phase = Phase::Quarantined(log, reference);
            self.settle_flight(cx);
            self.refuse_waiting(cx);
        }
    }

    /// News may have been missed.
    pub(crate) fn missed(&mut self, cx: &mut Cx<'_>) {
        self.looks.missed();
        self.look_if_missed(cx);
    }

    /// An answer that is on its way, to a look or to a reading, may be from before they were missed.
    fn look_if_missed(&mut self, cx: &mut Cx<'_>) {
        if !matches!(self.phase, Phase::Loading(_)) && self.looks.owes() {
            self.look_again(cx);
        }
    }

    fn hear_others(
        &mut self,
        cx: &mut Cx<'_>,
        mut present: Vec<engine::Present>,
        soft: Vec<engine::SoftEntry>,
        waiting: Option<Waiting>,
    ) {
        // What the engine holds of this very shard is what it was told, unless that was lost on the way.
        for (person, count) in self.presence.unlike(cx.me, &present) {
            cx.publish_presence(&self.id, person, count);
        }
        if let Some(waiting) = waiting {
            let is_me = |by: Incarnation| by.node == cx.me.node && by.shard == cx.me.shard;
            present.retain(|present| !is_me(present.by) && !waiting.has_left(present));
            self.presence.hear_all(cx.now.tick, waiting.since, present, cx.limits.linger);
        }
        for entry in soft {
            self.hear_soft(cx, entry);
        }
    }

    fn loaded(&mut self, cx: &mut Cx<'_>, loaded: LoadedRoom) {
        let sink = self.sink();
        let Phase::Loading(loading) = &mut self.phase else { return };
        if !matches!(loading.step, LoadStep::Following) {
            return;
        }
        // An empty one stands for none: a log that was brought from elsewhere begins its epoch with it.
        let snapshot = loaded.snapshot.as_ref().filter(|snapshot| !snapshot.data.is_empty());
        let opened = Log::open(&*self.host, &self.id, snapshot, loaded.head.epoch, self.retention_age, sink);
        let mut log = match opened {
            Ok(log) => log,
            Err(Unopened::Panicked(panicked)) => {
                loading.asked = cx.now.tick;
                cx.panicked(&self.id, panicked);
                return;
            }
            Err(Unopened::Unreadable) => {
                // A snapshot that this build cannot read: refuse to serve the room rather than forget its past.
                cx.counts.snapshots_refused += 1;
                loading.asked = cx.now.tick;
                return;
            }
        };
        self.known_end = loaded.head.offset;
        match loading.heard.take() {
            Some(heard) if heard.epoch == loaded.head.epoch => {
                self.known_end = heard.offset.max(self.known_end)
            }
            // The log was read before that.
            Some(heard) if heard.epoch > loaded.head.epoch => self.looks.missed(),
            _ => {}
        }
        self.kept_from = loaded.base;
        self.stewarded.forgets = 0;
        let folded = loading.fold(&mut log, loaded.records, cx.limits);
        self.read_or_again(cx, log, folded);
    }

    /// What was read is folded, or cannot be.
    fn read_or_again(&mut self, cx: &mut Cx<'_>, log: Log, folded: Result<(), Unfolded>) {
        let Phase::Loading(loading) = &mut self.phase else { return };
        loading.asked = cx.now.tick;
        match folded {
            Ok(()) => {
                loading.step = LoadStep::Reading(log);
                self.go_on_loading(cx);
            }
            // The snapshot was read before it, and what was behind that after it.
            Err(Unfolded::Erased) => self.reload(cx, None),
            Err(Unfolded::Panicked(panicked)) => self.quarantine(cx, log, panicked),
        }
    }

    /// With a log in hand: read on, propose a new epoch, or go live.
    fn go_on_loading(&mut self, cx: &mut Cx<'_>) {
        let Phase::Loading(loading) = &mut self.phase else { return };
        loading.asked = cx.now.tick;
        match std::mem::replace(&mut loading.step, LoadStep::Following) {
            LoadStep::Following => self.follow(cx),
            LoadStep::Reading(log) if log.head().offset < self.known_end => {
                let head = log.head();
                loading.step = LoadStep::Reading(log);
                self.read_on(cx, head);
            }
            LoadStep::Reading(log) => {
                let head = log.head();
                if loading.lost.is_some_and(|lost| lost.position.epoch == head.epoch) {
                    let new = head.epoch.next(cx.start_tag);
                    let (old, base) = (log.seen(), log.base_of(cx.format, new));
                    loading.step = LoadStep::Rebasing(log, new);
                    self.propose(cx, old, base);
                } else {
                    self.go_live(cx, Phase::Live(log));
                }
            }
            LoadStep::Rebasing(log, new) => {
                let (old, base) = (log.seen(), log.base_of(cx.format, new));
                loading.step = LoadStep::Rebasing(log, new);
                self.propose(cx, old, base);
            }
        }
    }

    fn read_on(&mut self, cx: &mut Cx<'_>, head: Position) {
        let (room, ticket) = (self.id.clone(), FETCH);
        cx.ask(Question::Read { room, epoch: head.epoch, after: head.offset, limit: LOAD_RECORDS, ticket });
    }

    /// An app that cannot be saved keeps its room waiting, and is tried again with the next asking.
    fn propose(&mut self, cx: &mut Cx<'_>, old: Seen, base: Result<Snapshot, app::Panicked>) {
        let Some(base) = cx.unless_panicked(&self.id, base) else { return };
        cx.ask(Question::BeginEpoch { room: self.id.clone(), old, base });
    }

    pub(crate) fn epoch_began(&mut self, cx: &mut Cx<'_>, epoch: Epoch) {
        if let Phase::Loading(loading) = &mut self.phase
            && let LoadStep::Rebasing(..) = loading.step
        {
            let LoadStep::Rebasing(_, new) = std::mem::replace(&mut loading.step, LoadStep::Following) else {
                return;
            };
            cx.counts.epochs_begun += u64::from(epoch == new);
            // Two nodes propose the same epoch from what each had read, and the answer does not say whose it is; or the
            // old one stands, because it has gone on since it was read. What counts is what the engine has.
            return self.reload(cx, None);
        }
        if let Phase::Loading(loading @ Loading { step: LoadStep::Following, .. }) = &mut self.phase {
            loading.heard = loading.heard.max(Some(Position { epoch, offset: 0 }));
        } else if self.log().is_some_and(|log| log.head().epoch != epoch) {
            self.reload(cx, None);
        }
    }

    /// An answer to a read that was to bring the log forward.
    pub(super) fn fetched(&mut self, cx: &mut Cx<'_>, outcome: Read) {
        self.fetching = None;
        if let Phase::Loading(loading) = &mut self.phase {
            let mut log = match std::mem::replace(&mut loading.step, LoadStep::Following) {
                LoadStep::Reading(log) => log,
                step => return loading.step = step,
            };
            match outcome {
                Read::Records { records, head } if head.epoch == log.head().epoch => {
                    self.known_end =
                        if records.is_empty() { head.offset } else { self.known_end.max(head.offset) };
                    let folded = loading.fold(&mut log, records, cx.limits);
                    self.read_or_again(cx, log, folded);
                }
                Read::Damaged => self.is_damaged(cx),
                _ => self.reload(cx, None),
            }
            return;
        }
        self.bring_forward(cx, outcome);
    }

    /// What came after the log's end, for a room that is live.
    pub(super) fn bring_forward(&mut self, cx: &mut Cx<'_>, outcome: Read) {
        match outcome {
            Read::Records { records, head } => {
                // Nothing more is there, whatever was said before: asking again would not bring it.
                if records.is_empty() && self.log().is_some_and(|log| log.head().epoch == head.epoch) {
                    self.known_end = head.offset;
                }
                self.arrive(cx, head, Arrived::all(records));
            }
            Read::Behind(_) | Read::Damaged => self.reload(cx, None),
            Read::Lost => {
                let seen = self.log().map(Log::seen);
                self.reload(cx, seen);
            }
        }
    }

    fn quarantine(&mut self, cx: &mut Cx<'_>, log: Log, panicked: app::Panicked) {
        cx.counts.rooms_quarantined += 1;
        let reference = cx.panicked(&self.id, panicked);
        self.go_live(cx, Phase::Quarantined(log, reference));
    }

    pub(super) fn go_live(&mut self, cx: &mut Cx<'_>, phase: Phase) {
        let old = std::mem::replace(&mut self.phase, phase);
        let Phase::Loading(loading) = old else { return };
        self.stewarded.state_changed();
        // Any record may have come meanwhile.
        self.admit_again(cx, |_, _| true);
        for shard in self.seats.shards() {
            cx.deliver(shard, Delivery::Reread { room: self.id.clone() });
        }
        self.say_view(cx);
        self.settle_flight(cx);
        if let Phase::Quarantined(..) = &self.phase {
            self.refuse_waiting(cx);
        }
        self.look_if_missed(cx);
        for (since, command) in loading.queue {
            if since + cx.limits.answer_within <= cx.now.tick && !command.must_arrive() {
                self.refuse(cx, command, Refusal::busy(1000));
            } else if let Command::Act(act) = command {
                self.act(cx, act, since);
            } else {
                self.command(cx, command);
            }
        }
        self.pump(cx);
    }

    pub(super) fn tick_loading(&mut self, cx: &mut Cx<'_>) {
        let Phase::Loading(loading) = &mut self.phase else { return };
        let patience = cx.limits.answer_within;
        let mut late = Vec::new();
        while let Some((since, command)) = loading.queue.pop_front() {
            if since + patience > cx.now.tick {
                loading.queue.push_front((since, command));
                break;
            }
            loading.queue_bytes -= command.bytes();
            late.push(command);
        }
        if loading.asked + cx.limits.ask_again <= cx.now.tick {
            self.go_on_loading(cx);
        }
        for command in late {
            self.refuse(cx, command, Refusal::busy(1000));
        }
    }
}

/// The ticket of reads that bring the log forward; the others are numbered from 1.
pub(super) const FETCH: u64 = 0;
