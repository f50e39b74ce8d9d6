//! One room's log in memory, and its snapshot.

use std::collections::{BTreeMap, VecDeque};

use vocabulary::{Check, Epoch, Position, Seen, Wall, tombstone};

use super::MemoryLimits;
use crate::contract::{
    Appended, Batch, ERASE_MAX, Erased, Followed, Loaded, Parcel, Placement, Present, Read, Snapshot,
    SoftEntry, Stored,
};

struct Kept {
    stored: Stored,
    check: Check,
}

/// Who is present, and what is soft.
pub(super) type Gathered = (Vec<Present>, Vec<SoftEntry>);

/// A record besides its data, with its key: the sizes of their parts, rounded up for the allocator. A bound of memory needs
/// no more.
const RECORD_BYTES: usize = 240;

pub(super) struct RoomLog {
    epoch: Epoch,
    /// What stands before the first kept record.
    base: Seen,
    records: VecDeque<Kept>,
    bytes: usize,
    snapshot: Option<Snapshot>,
    /// The engine's agenda agrees with this.
    pub(super) due: Option<Wall>,
}

impl RoomLog {
    pub(super) fn new(epoch: Epoch) -> RoomLog {
        RoomLog {
            epoch,
            base: Seen { position: Position { epoch, offset: 0 }, check: Check::default() },
            records: VecDeque::new(),
            bytes: 0,
            snapshot: None,
            due: None,
        }
    }

    /// What it holds, about: records with what it takes to keep them.
    pub(super) fn weight(&self) -> usize {
        let snapshot = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len());
        self.bytes + self.records.len() * RECORD_BYTES + snapshot
    }

    /// Holds nothing that was stored: no record, and no snapshot that stands for some.
    pub(super) fn is_untouched(&self) -> bool {
        self.base.position.offset == 0 && self.records.is_empty() && self.snapshot.is_none()
    }

    pub(super) fn head(&self) -> Position {
        let offset = self.records.back().map_or(self.base.position.offset, |kept| kept.stored.offset);
        Position { epoch: self.epoch, offset }
    }

    fn check_at(&self, offset: u64) -> Option<Check> {
        let base = self.base.position.offset;
        match offset.checked_sub(base)? {
            0 => Some(self.base.check),
            after => self.records.get(usize::try_from(after).ok()? - 1).map(|kept| kept.check),
        }
    }

    fn after(&self, offset: u64, limit: usize) -> Vec<Stored> {
        let skip = offset.saturating_sub(self.base.position.offset) as usize;
        self.records.iter().skip(skip).take(limit).map(|kept| kept.stored.clone()).collect()
    }

    pub(super) fn load(&self, limit: usize, around: Gathered) -> Followed {
        let from = self.snapshot.as_ref().map_or(self.base.position.offset, |s| s.seen.position.offset);
        let (present, soft) = around;
        Followed::Loaded(Loaded {
            snapshot: self.snapshot.clone(),
            base: self.base.position.offset,
            records: self.after(from, limit),
            head: self.head(),
            present,
            soft,
        })
    }

    pub(super) fn go_on(&self, seen: Seen, limit: usize, around: Gathered) -> Followed {
        let (present, soft) = around;
        match self.past(seen) {
            Past::Mine => {
                let records = self.after(seen.position.offset, limit);
                Followed::Continues { records, head: self.head(), present, soft }
            }
            Past::Behind => Followed::Behind,
            Past::Lost => Followed::Lost,
        }
    }

    pub(super) fn read(&self, epoch: Epoch, after: u64, limit: usize) -> Read {
        if epoch != self.epoch || after > self.head().offset {
            Read::Lost
        } else if after < self.base.position.offset {
            Read::Behind(self.base.position.offset)
        } else {
            Read::Records { records: self.after(after, limit), head: self.head() }
        }
    }

    fn past(&self, seen: Seen) -> Past {
        let Position { epoch, offset } = seen.position;
        if epoch != self.epoch || offset > self.head().offset {
            Past::Lost
        } else if offset < self.base.position.offset {
            Past::Behind
        } else if self.check_at(offset) == Some(seen.check) {
            Past::Mine
        } else {
            Past::Lost
        }
    }

    pub(super) fn append(
        &mut self,
        batch: Batch,
        limits: &MemoryLimits,
        has_place: bool,
    ) -> (Appended, Vec<Stored>) {
        match self.past(batch.seen) {
            Past::Behind => return (Appended::Behind, Vec::new()),
            Past::Lost => return (Appended::Lost, Vec::new()),
            Past::Mine => {}
        }
        let known = self.known(batch.seen, &batch.parcels);
        // Keys before the guard: a batch that is asked again finds itself, not a conflict with itself.
        let all_known = known.len() == batch.parcels.len();
        if batch.guarded && batch.seen.position != self.head() && !all_known {
            return (Appended::Conflict { head: self.head() }, Vec::new());
        }
        if !has_place && !all_known {
            return (Appended::Refused, Vec::new());
        }
        let mut added = Vec::new();
        let mut placements = Vec::with_capacity(batch.parcels.len());
        for (number, parcel) in batch.parcels.into_iter().enumerate() {
            if let Some(position) = known.get(&number) {
                placements.push(Placement::Duplicate(*position));
                continue;
            }
            placements.push(Placement::At(self.head().offset + 1));
            for data in parcel.records {
                let stored = Stored { offset: self.head().offset + 1, key: parcel.key.clone(), data };
                added.push(stored.clone());
                self.push(stored);
            }
        }
        self.trim(limits);
        (Appended::Stored { placements, head: self.head() }, added)
    }

    /// Which of the parcels are among what came after `seen`, and where. Nearly always nothing came.
    fn known(&self, seen: Seen, parcels: &[Parcel]) -> BTreeMap<usize, Position> {
        let passed = (seen.position.offset - self.base.position.offset) as usize;
        let mut known = BTreeMap::new();
        for kept in self.records.iter().skip(passed) {
            let position = Position { epoch: self.epoch, offset: kept.stored.offset };
            for (number, _) in parcels.iter().enumerate().filter(|(_, parcel)| parcel.key == kept.stored.key)
            {
                known.entry(number).or_insert(position);
            }
        }
        known
    }

    fn push(&mut self, stored: Stored) {
        let before = self.records.back().map_or(self.base.check, |kept| kept.check);
        let check = before.roll(Check::hash(&stored.data));
        self.bytes += stored.data.len();
        self.records.push_back(Kept { stored, check });
    }

    /// The ring's own bound; like every trimming it takes only what a stored snapshot covers.
    fn trim(&mut self, limits: &MemoryLimits) {
        while self.records.len() > limits.room_records_max || self.bytes > limits.room_bytes_max {
            let covered = self.snapshot.as_ref().map_or(0, |s| s.seen.position.offset);
            let oldest = self.records.front().map_or(0, |kept| kept.stored.offset);
            if oldest > covered {
                break;
            }
            self.forget_front();
        }
    }

    /// All that the stored snapshot stands for.
    pub(super) fn give_up_what_is_covered(&mut self) {
        let covered = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.seen.position.offset);
        while self.records.front().is_some_and(|kept| kept.stored.offset <= covered) {
            self.forget_front();
        }
    }

    fn forget_front(&mut self) {
        if let Some(kept) = self.records.pop_front() {
            self.bytes -= kept.stored.data.len();
            self.base = Seen {
                position: Position { epoch: self.epoch, offset: kept.stored.offset },
                check: kept.check,
            };
        }
    }

    pub(super) fn store(&mut self, snapshot: Snapshot, forget_upto: u64) {
        let Position { epoch, offset } = snapshot.seen.position;
        let newer = self.snapshot.as_ref().is_none_or(|old| old.seen.position.offset < offset);
        if epoch != self.epoch || self.check_at(offset) != Some(snapshot.seen.check) || !newer {
            return;
        }
        self.snapshot = Some(snapshot);
        while self.records.front().is_some_and(|kept| kept.stored.offset <= forget_upto.min(offset)) {
            self.forget_front();
        }
    }

    /// Tombstones in the place of these.
    pub(super) fn erase(&mut self, seen: Seen, offsets: &[u64]) -> Erased {
        match self.past(seen) {
            Past::Behind => return Erased::Behind,
            Past::Lost => return Erased::Lost,
            Past::Mine => {}
        }
        if offsets.len() > ERASE_MAX {
            return Erased::Refused;
        }
        if offsets.iter().any(|offset| *offset > seen.position.offset) {
            return Erased::Lost;
        }
        for offset in offsets {
            let kept = offset.checked_sub(self.base.position.offset + 1);
            let kept = kept.and_then(|at| self.records.get_mut(usize::try_from(at).ok()?));
            let Some(Kept { stored, .. }) = kept else { continue };
            let left = tombstone(&stored.data);
            self.bytes = self.bytes - stored.data.len() + left.len();
            stored.data = left;
        }
        Erased::Gone
    }

    pub(super) fn snapshot_at(&self) -> Option<Position> {
        self.snapshot.as_ref().map(|snapshot| snapshot.seen.position)
    }

    pub(super) fn begin_epoch(&mut self, old: Seen, base: Snapshot) -> bool {
        let new = base.seen.position.epoch;
        let is_end = old.position == self.head() && self.check_at(old.position.offset) == Some(old.check);
        let in_its_own = new == self.epoch && self.is_untouched();
        if !is_end || (new <= self.epoch && !in_its_own) {
            return false;
        }
        self.epoch = new;
        self.base = base.seen;
        self.snapshot = Some(base);
        self.records.clear();
        self.bytes = 0;
        true
    }

    /// Whole parcels: what was stored together is lost together.
    pub(super) fn lose_tail(&mut self, count: usize) {
        let floor = self.snapshot.as_ref().map_or(self.base.position.offset, |s| s.seen.position.offset);
        let mut lost = 0;
        let mut parcel = None;
        while let Some(back) = self.records.back() {
            if back.stored.offset <= floor || (lost >= count && parcel.as_ref() != Some(&back.stored.key)) {
                break;
            }
            let Some(kept) = self.records.pop_back() else { break };
            lost += 1;
            self.bytes -= kept.stored.data.len();
            parcel = Some(kept.stored.key);
        }
    }
}

enum Past {
    Mine,
    Behind,
    Lost,
}
