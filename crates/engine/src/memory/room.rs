//! One room in memory: its log, its snapshot, who follows it, and what is soft.

use std::collections::btree_map::{BTreeMap, Entry};
use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Check, Epoch, Incarnation, Key, Now, Person, Position, Seen, Tick, UserId, Wall};

use super::MemoryLimits;
use crate::contract::{
    Appended, Batch, Followed, Loaded, Placement, Present, Read, Snapshot, SoftEntry, Stored,
};

struct Kept {
    stored: Stored,
    check: Check,
}

struct SoftKept {
    entry: SoftEntry,
    ends: Tick,
}

/// A record besides its data, and a key in its two places: the sizes of their parts, rounded up for the allocator. A bound of
/// memory needs no more.
const RECORD_BYTES: usize = 160;
const KEY_BYTES: usize = 200;

pub(super) struct RoomLog {
    epoch: Epoch,
    /// What stands before the first kept record.
    base: Seen,
    records: VecDeque<Kept>,
    bytes: usize,
    snapshot: Option<Snapshot>,
    keys: BTreeMap<Key, Position>,
    key_order: VecDeque<(Wall, Key)>,
    followers: BTreeSet<Incarnation>,
    present: BTreeMap<(UserId, Incarnation), Present>,
    soft: BTreeMap<Arc<str>, SoftKept>,
    pub(super) due: Option<Wall>,
    /// The engine's index of sweeps agrees with this.
    pub(super) swept: Option<Tick>,
}

impl RoomLog {
    pub(super) fn new(epoch: Epoch) -> RoomLog {
        RoomLog {
            epoch,
            base: Seen { position: Position { epoch, offset: 0 }, check: Check::default() },
            records: VecDeque::new(),
            bytes: 0,
            snapshot: None,
            keys: BTreeMap::new(),
            key_order: VecDeque::new(),
            followers: BTreeSet::new(),
            present: BTreeMap::new(),
            soft: BTreeMap::new(),
            due: None,
            swept: None,
        }
    }

    /// What it holds, about: records and keys with what it takes to keep them.
    pub(super) fn weight(&self) -> usize {
        let snapshot = self.snapshot.as_ref().map_or(0, |snapshot| snapshot.data.len());
        self.bytes + self.records.len() * RECORD_BYTES + self.key_order.len() * KEY_BYTES + snapshot
    }

    /// Holds nothing that was stored: no record, and no snapshot that stands for some.
    pub(super) fn is_untouched(&self) -> bool {
        self.base.position.offset == 0 && self.records.is_empty() && self.snapshot.is_none()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.is_untouched() && self.followers.is_empty() && self.present.is_empty() && self.soft.is_empty()
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

    pub(super) fn follow(&mut self, by: Incarnation) {
        self.followers.insert(by);
    }

    pub(super) fn unfollow(&mut self, by: Incarnation) {
        self.followers.remove(&by);
    }

    pub(super) fn others(&self, than: Incarnation) -> Vec<Incarnation> {
        self.followers.iter().filter(|follower| **follower != than).copied().collect()
    }

    pub(super) fn end(&mut self, gone: Incarnation) -> Vec<Incarnation> {
        self.followers.remove(&gone);
        self.present.retain(|(_, by), _| *by != gone);
        self.followers.iter().copied().collect()
    }

    fn after(&self, offset: u64, limit: usize) -> Vec<Stored> {
        let skip = offset.saturating_sub(self.base.position.offset) as usize;
        self.records.iter().skip(skip).take(limit).map(|kept| kept.stored.clone()).collect()
    }

    fn soft_entries(&mut self, now: Now) -> Vec<SoftEntry> {
        self.sweep(now.tick);
        let left =
            |kept: &SoftKept| SoftEntry { time_to_live: kept.ends.since(now.tick), ..kept.entry.clone() };
        self.soft.values().filter(|kept| kept.entry.value.is_some()).map(left).collect()
    }

    pub(super) fn sweep(&mut self, now: Tick) {
        self.soft.retain(|_, kept| kept.ends > now);
    }

    /// When the last of the soft values will have ended.
    pub(super) fn soft_ends(&self) -> Option<Tick> {
        self.soft.values().map(|kept| kept.ends).max()
    }

    pub(super) fn load(&mut self, now: Now, limit: usize) -> Loaded {
        let from = self.snapshot.as_ref().map_or(self.base.position.offset, |s| s.seen.position.offset);
        Loaded {
            snapshot: self.snapshot.clone(),
            base: self.base.position.offset,
            records: self.after(from, limit),
            head: self.head(),
            present: self.present.values().cloned().collect(),
            soft: self.soft_entries(now),
        }
    }

    pub(super) fn go_on(&mut self, now: Now, seen: Seen, limit: usize) -> Followed {
        match self.past(seen) {
            Past::Mine => Followed::Continues {
                records: self.after(seen.position.offset, limit),
                head: self.head(),
                present: self.present.values().cloned().collect(),
                soft: self.soft_entries(now),
            },
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
        now: Now,
        batch: Batch,
        limits: &MemoryLimits,
        has_place: bool,
    ) -> (Appended, Vec<Stored>) {
        match self.past(batch.seen) {
            Past::Behind => return (Appended::Behind, Vec::new()),
            Past::Lost => return (Appended::Lost, Vec::new()),
            Past::Mine => {}
        }
        self.forget_keys(now.wall, limits);
        // Keys before the guard: a batch that is asked again finds itself, not a conflict with itself.
        let known = || batch.parcels.iter().all(|parcel| self.keys.contains_key(&parcel.key));
        if batch.guarded && batch.seen.position != self.head() && !known() {
            return (Appended::Conflict { head: self.head() }, Vec::new());
        }
        if !has_place && !known() {
            return (Appended::Refused, Vec::new());
        }
        let mut added = Vec::new();
        let mut placements = Vec::with_capacity(batch.parcels.len());
        for parcel in batch.parcels {
            let first = Position { epoch: self.epoch, offset: self.head().offset + 1 };
            match self.keys.entry(parcel.key.clone()) {
                Entry::Occupied(known) => {
                    placements.push(Placement::Duplicate(*known.get()));
                    continue;
                }
                Entry::Vacant(place) => place.insert(first),
            };
            placements.push(Placement::At(first.offset));
            self.key_order.push_back((now.wall, parcel.key.clone()));
            self.forget_keys(now.wall, limits);
            for data in parcel.records {
                let stored = Stored { offset: self.head().offset + 1, key: parcel.key.clone(), data };
                added.push(stored.clone());
                self.push(stored);
            }
        }
        self.trim(limits);
        (Appended::Stored { placements, head: self.head() }, added)
    }

    fn push(&mut self, stored: Stored) {
        let before = self.records.back().map_or(self.base.check, |kept| kept.check);
        let check = before.roll(Check::hash(&stored.data));
        self.bytes += stored.data.len();
        self.records.push_back(Kept { stored, check });
    }

    fn forget_keys(&mut self, at: Wall, limits: &MemoryLimits) {
        while let Some((since, _)) = self.key_order.front() {
            let too_old = *since + limits.key_age_max < at;
            if self.key_order.len() <= limits.keys_max && !too_old {
                break;
            }
            if let Some((_, oldest)) = self.key_order.pop_front() {
                self.keys.remove(&oldest);
            }
        }
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

    pub(super) fn snapshot_at(&self) -> Option<Position> {
        self.snapshot.as_ref().map(|snapshot| snapshot.seen.position)
    }

    pub(super) fn begin_epoch(&mut self, old: Seen, base: Snapshot) -> bool {
        let new = base.seen.position.epoch;
        let is_end = old.position == self.head() && self.check_at(old.position.offset) == Some(old.check);
        if !is_end || new <= self.epoch {
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
            self.keys.remove(&kept.stored.key);
            self.key_order.retain(|(_, key)| *key != kept.stored.key);
            parcel = Some(kept.stored.key);
        }
    }

    pub(super) fn present(&mut self, by: Incarnation, person: Person, count: u32) -> Present {
        let at = (person.id.clone(), by);
        let present = Present { by, person, count };
        if count == 0 {
            self.present.remove(&at);
        } else {
            self.present.insert(at, present.clone());
        }
        present
    }

    /// Whether the entry is news: the newest stamp wins, and of two that are equal the end. An end is `remembered` for a
    /// while, so that an older value which comes after it is not taken for a new one.
    pub(super) fn soft(&mut self, now: Tick, entry: SoftEntry, remembered: Duration) -> bool {
        self.sweep(now);
        let stamp = |entry: &SoftEntry| (entry.at, entry.value.is_none());
        if self.soft.get(&entry.key).is_some_and(|kept| stamp(&kept.entry) > stamp(&entry)) {
            return false;
        }
        let lives = match entry.value {
            Some(_) => entry.time_to_live,
            None => entry.time_to_live.max(remembered),
        };
        self.soft.insert(entry.key.clone(), SoftKept { entry, ends: now + lives });
        true
    }
}

enum Past {
    Mine,
    Behind,
    Lost,
}
