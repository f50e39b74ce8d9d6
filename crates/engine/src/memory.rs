//! The memory engine: one process's rings, as a pure machine. It holds the contract for any number of followers, so
//! the simulator can put many nodes on it; it forgets everything when its process ends.

mod room;

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;
use std::time::Duration;

use vocabulary::{Durability, Epoch, Incarnation, Now, RoomId, Seen, Slice, Tick, Wall};

use crate::contract::{Answer, Appended, Asked, Batch, Format, Guarantees, News, Nodes, Question, Snapshot};
use crate::volatile::Volatile;
use room::RoomLog;

#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Records kept a room, of those that a snapshot covers: a ring in memory is not an archive.
    pub room_records_max: usize,
    pub room_bytes_max: usize,
    /// Rooms that hold records. Beyond them a new room's first record is refused, and nobody else's.
    pub rooms_max: usize,
    /// All rooms together. Beyond it rooms give up what a snapshot covers, and where that is not enough nothing is appended:
    /// what was accepted is not given up for what was not.
    pub bytes_max: usize,
    pub lease: Duration,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
            room_records_max: 10_000,
            room_bytes_max: 8 << 20,
            rooms_max: 1_000_000,
            bytes_max: 1 << 30,
            lease: Duration::from_secs(10),
        }
    }
}

/// Each shard can have one of its own, because all of a room's questions come from the shard that is its home; or one
/// serves many nodes.
pub struct MemoryEngine {
    limits: MemoryLimits,
    start_tag: u32,
    volatile: Volatile,
    /// Those that hold records, or a snapshot that stands for some.
    logs: BTreeMap<RoomId, RoomLog>,
    /// What all logs hold; each change of one is weighed.
    bytes: usize,
    /// Where the last look for something to give up ended.
    given_up_upto: Option<RoomId>,
    agenda: BTreeSet<(Wall, RoomId)>,
}

/// Rooms that are looked at for something to give up, in one append that finds no place: the next ones look on.
const LOOKS_MAX: usize = 16;
/// Followers get at most this many records in one answer; the rest is read on. A page of a busy room's ordinary records
/// is some 100 KB.
const ANSWER_RECORDS_MAX: usize = 500;

impl MemoryEngine {
    /// `start_tag` tells the lives of the engine apart: a room's first epoch carries it.
    pub fn new(limits: MemoryLimits, start_tag: u32) -> MemoryEngine {
        MemoryEngine {
            limits,
            start_tag,
            volatile: Volatile::new(limits.lease),
            logs: BTreeMap::new(),
            bytes: 0,
            given_up_upto: None,
            agenda: BTreeSet::new(),
        }
    }

    pub fn guarantees(nodes: Nodes) -> Guarantees {
        Guarantees { format: Format::NEWEST, nodes, durability: Durability::None, news: News::Reliable }
    }

    pub fn handle(&mut self, now: Now, asked: Asked) {
        self.tick(now);
        let Asked { by, question } = asked;
        self.volatile.begin(by);
        match question {
            Question::Attend { shards } => {
                let slices = self.volatile.attend(by, shards);
                let due = self.due(now, &slices);
                self.volatile.answer(by, Answer::Attending { slices, due });
            }
            Question::Follow { room, seen, ticket } => self.follow(now, by, room, seen, ticket),
            Question::Unfollow { room } => self.volatile.unfollow(by, &room),
            Question::Append { room, batch } => self.append(by, room, batch),
            Question::Read { room, epoch, after, limit, ticket } => {
                let limit = (limit as usize).min(ANSWER_RECORDS_MAX);
                let outcome = match self.logs.get(&room) {
                    Some(log) => log.read(epoch, after, limit),
                    None => self.untouched().read(epoch, after, limit),
                };
                self.volatile.answer(by, Answer::Read { room, ticket, outcome });
            }
            Question::Store { room, snapshot, forget_upto } => {
                let kept = self.change(&room, |log| {
                    log.store(snapshot, forget_upto);
                    log.snapshot_at()
                });
                self.volatile.answer(by, Answer::Stored { room, kept });
            }
            Question::Erase { room, seen, offsets, ticket } => {
                let outcome = self.change(&room, |log| log.erase(seen, &offsets));
                self.volatile.answer(by, Answer::Erased { room, ticket, outcome });
            }
            Question::BeginEpoch { room, old, base } => self.begin_epoch(by, room, old, base),
            Question::Settle { room, at, due } => {
                if let Some(log) = self.logs.get_mut(&room)
                    && log.head() == at
                {
                    reschedule(&mut self.agenda, &room, &mut log.due, due);
                }
            }
            Question::Present { room, person, count } => self.volatile.present(by, room, person, count),
            Question::Soft { room, entry } => self.volatile.soft(now, by, room, entry),
            Question::Claim { name, ticket } => self.volatile.claim(by, name, ticket),
            Question::Release { name, token } => self.volatile.release(&name, token),
        }
    }

    /// To be called when `next_deadline` is reached, so that the time until then counts; `handle` does so too.
    pub fn tick(&mut self, now: Now) {
        self.volatile.tick(now);
    }

    pub fn next_deadline(&self) -> Option<Tick> {
        self.volatile.next_deadline()
    }

    pub fn next_answer(&mut self) -> Option<(Incarnation, Answer)> {
        self.volatile.next_answer()
    }

    /// Rooms that take a place in memory beside their logs.
    pub fn rooms(&self) -> usize {
        self.volatile.rooms()
    }

    /// Drops the newest `count` records of every room, as a store does that promotes a stale replica.
    /// Nothing in production calls this: it is how the simulator proves what happens then.
    pub fn lose_tail(&mut self, count: usize) {
        let rooms: Vec<RoomId> = self.logs.keys().cloned().collect();
        for room in rooms {
            self.change(&room, |log| log.lose_tail(count));
        }
    }

    /// Forgets what it holds for the living and keeps its logs, as a server does whose memory went with a restart.
    /// Nothing in production calls this either.
    pub fn forget_the_living(&mut self) {
        self.volatile.forget();
    }

    fn untouched(&self) -> RoomLog {
        RoomLog::new(Epoch::new(Epoch::FIRST_COUNTER, self.start_tag))
    }

    /// Rooms of these slices that are due within the lease.
    fn due(&self, now: Now, slices: &[Slice]) -> Vec<RoomId> {
        let horizon = now.wall + self.limits.lease;
        let held: BTreeSet<Slice> = slices.iter().copied().collect();
        let due = self.agenda.iter().take_while(|(at, _)| *at <= horizon);
        due.filter(|(_, room)| held.contains(&room.slice())).map(|(_, room)| room.clone()).collect()
    }

    fn follow(&mut self, now: Now, by: Incarnation, room: RoomId, seen: Option<Seen>, ticket: u64) {
        self.volatile.follow(by, &room);
        let around = self.volatile.gathered(now, &room);
        let fresh;
        let log = match self.logs.get(&room) {
            Some(log) => log,
            None => {
                fresh = self.untouched();
                &fresh
            }
        };
        let outcome = match seen {
            None => log.load(ANSWER_RECORDS_MAX, around),
            Some(seen) => log.go_on(seen, ANSWER_RECORDS_MAX, around),
        };
        self.volatile.answer(by, Answer::Followed { room, ticket, outcome });
    }

    /// A change of what a room holds, by which the count of bytes stays right. A log that holds nothing is not kept.
    fn change<T>(&mut self, room: &RoomId, change: impl FnOnce(&mut RoomLog) -> T) -> T {
        let first = Epoch::new(Epoch::FIRST_COUNTER, self.start_tag);
        let log = self.logs.entry(room.clone()).or_insert_with(|| RoomLog::new(first));
        let before = log.weight();
        let told = change(log);
        self.bytes = self.bytes - before + log.weight();
        if log.is_untouched() {
            reschedule(&mut self.agenda, room, &mut log.due, None);
            self.logs.remove(room);
        }
        told
    }

    fn append(&mut self, by: Incarnation, room: RoomId, batch: Batch) {
        if self.bytes >= self.limits.bytes_max {
            self.give_up_what_is_covered();
        }
        let has_place = self.bytes < self.limits.bytes_max;
        let full = self.logs.len() >= self.limits.rooms_max;
        let (number, due) = (batch.number, batch.due);
        if full && !self.logs.contains_key(&room) {
            return self.volatile.answer(by, Answer::Appended { room, number, outcome: Appended::Refused });
        }
        let limits = self.limits;
        let (outcome, records, epoch) = self.change(&room, |log| {
            let (outcome, records) = log.append(batch, &limits, has_place);
            (outcome, records, log.head().epoch)
        });
        if !records.is_empty() {
            if let Some(due) = due
                && let Some(log) = self.logs.get_mut(&room)
            {
                reschedule(&mut self.agenda, &room, &mut log.due, Some(due));
                self.volatile.tell_steward(&room, Answer::Due { room: room.clone() });
            }
            self.volatile.tell_others(&room, by, &Answer::Grown { room: room.clone(), epoch, records });
        }
        self.volatile.answer(by, Answer::Appended { room, number, outcome });
    }

    /// A few rooms after those that were looked at last, and round.
    fn give_up_what_is_covered(&mut self) {
        let mut looks = LOOKS_MAX;
        let last = self.given_up_upto.take();
        let after = last.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let upto = last.map_or(Bound::Unbounded, Bound::Included);
        for range in [(after, Bound::Unbounded), (Bound::Unbounded, upto)] {
            for (room, log) in self.logs.range_mut(range).take(looks) {
                self.bytes -= log.weight();
                log.give_up_what_is_covered();
                self.bytes += log.weight();
                self.given_up_upto = Some(room.clone());
                looks -= 1;
            }
        }
    }

    fn begin_epoch(&mut self, by: Incarnation, room: RoomId, old: Seen, base: Snapshot) {
        let (began, epoch) = self.change(&room, |log| (log.begin_epoch(old, base), log.head().epoch));
        if began {
            self.volatile.tell_others(&room, by, &Answer::EpochBegan { room: room.clone(), epoch });
        }
        self.volatile.answer(by, Answer::EpochBegan { room, epoch });
    }
}

fn reschedule(
    agenda: &mut BTreeSet<(Wall, RoomId)>,
    room: &RoomId,
    held: &mut Option<Wall>,
    due: Option<Wall>,
) {
    if let Some(old) = held.take() {
        agenda.remove(&(old, room.clone()));
    }
    if let Some(due) = due {
        agenda.insert((due, room.clone()));
        *held = Some(due);
    }
}
