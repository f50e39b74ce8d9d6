//! Records that come back: from this room's own append, as news, or read. Whatever order they come in, they are applied in the
//! log's, and told then.

use app::Applied;
use engine::{Question, Read, Stored};
use vocabulary::{Epoch, Position, is_tombstone};

use super::load::FETCH;
use super::{Home, LoadStep, Loading, Phase};
use crate::cx::Cx;
use crate::format::Written;
use crate::log::Grown;

/// Records that came before their turn are kept for a while; beyond this a read brings them again.
const ARRIVED_MAX: usize = 1000;

/// Why no more of what came is applied.
enum Ended {
    /// It is all, or what comes next is missing.
    Here,
    /// It was erased before it came here: what the others folded is in the snapshot that is kept from behind it, and nowhere else.
    Erased,
}

/// A record that waits for those before it.
pub(super) struct Arrived {
    pub(super) stored: Stored,
    /// What its bytes say, where it was this room that wrote them.
    pub(super) written: Option<Written>,
}

impl Arrived {
    pub(super) fn all(records: Vec<Stored>) -> Vec<Arrived> {
        records.into_iter().map(|stored| Arrived { stored, written: None }).collect()
    }
}

impl Home {
    /// News of records, in whatever order; only the next one is ever applied.
    pub(crate) fn grown(&mut self, cx: &mut Cx<'_>, epoch: Epoch, records: Vec<Stored>) {
        let end = Position { epoch, offset: records.last().map_or(0, |stored| stored.offset) };
        match self.log() {
            Some(log) if log.head().epoch == epoch => {
                // The engine lost what this node saw, and others have gone on from before it: what it says to a look decides.
                if !self.looks.is_waiting() && records.iter().any(|stored| log.contradicts(stored)) {
                    self.look_again(cx);
                }
                self.arrive(cx, end, Arrived::all(records));
            }
            Some(log) if log.head().epoch < epoch => self.reload(cx, None),
            Some(_) => {}
            None => self.hear_end(cx, end),
        }
    }

    /// The log goes on to there, by somebody's word that brings no records.
    pub(super) fn hear_end(&mut self, cx: &mut Cx<'_>, end: Position) {
        match &mut self.phase {
            Phase::Loading(Loading { step: LoadStep::Reading(log), .. }) if log.head().epoch == end.epoch => {
                self.known_end = self.known_end.max(end.offset);
            }
            Phase::Loading(loading @ Loading { step: LoadStep::Following, .. }) => {
                loading.heard = loading.heard.max(Some(end));
            }
            _ => {}
        }
        self.arrive(cx, end, Vec::new());
    }

    /// Records in the log's order, with or without holes.
    pub(super) fn arrive(&mut self, cx: &mut Cx<'_>, end: Position, records: Vec<Arrived>) {
        // A quarantined room stays as it is: what it does not apply it must not ask for.
        let Phase::Live(log) = &self.phase else { return };
        let head = log.head();
        if end.epoch != head.epoch {
            if end.epoch > head.epoch {
                self.reload(cx, None);
            }
            return;
        }
        self.known_end = self.known_end.max(end.offset);
        self.apply_arrived(cx, records);
        // While it is read anew nobody can say whose record is not there.
        let Some(log) = self.log() else { return };
        let behind = log.head().offset < self.known_end;
        if !behind && self.pipeline.flight.is_none() {
            self.refuse_orphans(cx);
        }
        if behind {
            self.fetch(cx);
        } else if self.pipeline.waiting.front().is_some_and(|front| front.guarded) {
            self.pump(cx);
        }
    }

    fn apply_arrived(&mut self, cx: &mut Cx<'_>, records: Vec<Arrived>) {
        let ended = self.apply_in_order(cx, records.into_iter());
        self.tell_told(cx);
        match ended {
            Ok(Ended::Here) => {}
            Ok(Ended::Erased) => self.reload(cx, None),
            Err(panicked) => self.refold(cx, panicked),
        }
    }

    fn apply_in_order(
        &mut self,
        cx: &mut Cx<'_>,
        mut records: std::vec::IntoIter<Arrived>,
    ) -> Result<Ended, app::Panicked> {
        loop {
            let Phase::Live(log) = &mut self.phase else { return Ok(Ended::Here) };
            let next = log.head().offset + 1;
            while records.as_slice().first().is_some_and(|first| first.stored.offset < next) {
                records.next();
            }
            let found = match records.as_slice().first() {
                Some(first) if first.stored.offset == next => records.next(),
                _ => self.arrived.remove(&next),
            };
            let Some(Arrived { stored, written }) = found else {
                self.keep_for_later(next, records);
                return Ok(Ended::Here);
            };
            if is_tombstone(&stored.data) {
                return Ok(Ended::Erased);
            }
            let (key, is_ours) = (stored.key.clone(), written.is_some());
            cx.counts.records_applied += 1;
            match log.grow(stored, written, cx.limits)? {
                Grown::Record(record, applied) => {
                    if applied == Applied::Unknown {
                        cx.counts.records_unknown += 1;
                    }
                    let waiters = self.pipeline.take(&key);
                    if is_ours {
                        self.tell_outward(cx, key, &record);
                    }
                    self.tell_record(cx, &record, waiters);
                }
                skipped @ (Grown::Foreign | Grown::Sunk) => {
                    cx.counts.records_unknown += u64::from(matches!(skipped, Grown::Foreign));
                    let place = (log.head(), log.at());
                    let waiters = self.pipeline.take(&key);
                    self.tell_told(cx);
                    self.tell_waiters(cx, place, waiters);
                }
            }
            self.stewarded.state_changed();
        }
    }

    fn keep_for_later(&mut self, next: u64, records: impl Iterator<Item = Arrived>) {
        if !self.arrived.is_empty() {
            self.arrived = self.arrived.split_off(&next);
        }
        let places = ARRIVED_MAX - self.arrived.len().min(ARRIVED_MAX);
        self.arrived.extend(records.take(places).map(|record| (record.stored.offset, record)));
    }

    /// The app panicked on a record: fold once more from the snapshot, and if that panics too, freeze the room.
    fn refold(&mut self, cx: &mut Cx<'_>, panicked: app::Panicked) {
        cx.panicked(&self.id, panicked);
        self.reload(cx, None);
    }

    pub(super) fn fetch(&mut self, cx: &mut Cx<'_>) {
        let Phase::Live(log) = &self.phase else { return };
        if self.fetching.is_some() {
            return;
        }
        let head = log.head();
        self.fetching = Some(cx.now.tick);
        let (room, limit) = (self.id.clone(), cx.limits.ring_records_max as u32);
        cx.ask(Question::Read { room, epoch: head.epoch, after: head.offset, limit, ticket: FETCH });
    }

    pub(crate) fn read(&mut self, cx: &mut Cx<'_>, ticket: u64, outcome: Read) {
        if ticket == FETCH {
            self.fetched(cx, outcome);
        } else {
            self.read_for(cx, ticket, outcome);
        }
    }
}
