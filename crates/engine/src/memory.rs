//! The memory engine: one process's rings, as a pure machine. It holds the contract for any number of followers, so
//! the simulator can put many nodes on it; it forgets everything when its process ends.

mod leases;
mod room;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Epoch, Incarnation, Now, RoomId, Seen, Slice, Tick, Wall};

use crate::contract::{Answer, Asked, Followed, Guarantees, News, Nodes, Question, Read};
use leases::Leases;
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
    /// Keys remembered a room: the resend promise.
    pub keys_max: usize,
    pub key_age_max: Duration,
    pub lease: Duration,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        MemoryLimits {
            room_records_max: 10_000,
            room_bytes_max: 8 << 20,
            rooms_max: 1_000_000,
            bytes_max: 1 << 30,
            keys_max: 10_000,
            key_age_max: Duration::from_secs(24 * 3600),
            lease: Duration::from_secs(10),
        }
    }
}

struct ClaimHeld {
    by: Incarnation,
    token: u64,
}

/// Each shard can have one of its own, because all of a room's questions come from the shard that is its home; or one
/// serves many nodes.
pub struct MemoryEngine {
    limits: MemoryLimits,
    start_tag: u32,
    rooms: BTreeMap<RoomId, RoomLog>,
    /// Rooms that are not merely followed: what `rooms_max` bounds.
    begun: usize,
    /// What all rooms hold; each change of a log is weighed.
    bytes: usize,
    /// Where the last look for something to give up ended.
    given_up_upto: Option<RoomId>,
    leases: Leases,
    agenda: BTreeSet<(Wall, RoomId)>,
    /// When a room with soft values is looked through for those that have ended.
    sweeps: BTreeSet<(Tick, RoomId)>,
    claims: BTreeMap<Arc<str>, ClaimHeld>,
    tokens: u64,
    answers: VecDeque<(Incarnation, Answer)>,
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
            rooms: BTreeMap::new(),
            begun: 0,
            bytes: 0,
            given_up_upto: None,
            leases: Leases::new(limits.lease),
            agenda: BTreeSet::new(),
            sweeps: BTreeSet::new(),
            claims: BTreeMap::new(),
            tokens: 0,
            answers: VecDeque::new(),
        }
    }

    pub fn guarantees(nodes: Nodes) -> Guarantees {
        Guarantees { nodes, durable: false, news: News::Reliable }
    }

    pub fn handle(&mut self, now: Now, asked: Asked) {
        self.tick(now);
        let Asked { by, question } = asked;
        // What comes from a shard whose lease has ended, late or before it attends, ends like all else: a lease's time
        // later, unless the shard attends.
        self.leases.begin(by);
        match question {
            Question::Attend { shards } => self.attend(now, by, shards),
            Question::Follow { room, seen } => self.follow(now, by, room, seen),
            Question::Unfollow { room } => self.unfollow(by, &room),
            Question::Append { room, batch } => self.append(now, by, room, batch),
            Question::Read { room, epoch, after, limit, ticket } => {
                let limit = (limit as usize).min(ANSWER_RECORDS_MAX);
                let outcome = match self.rooms.get(&room) {
                    Some(log) => log.read(epoch, after, limit),
                    None => Read::Lost,
                };
                self.answer(by, Answer::Read { room, ticket, outcome });
            }
            Question::Store { room, snapshot, forget_upto } => {
                let kept = self.change(&room, |log| {
                    log.store(snapshot, forget_upto);
                    log.snapshot_at()
                });
                self.forget_if_empty(&room);
                self.answer(by, Answer::Stored { room, kept });
            }
            Question::BeginEpoch { room, old, base } => self.begin_epoch(by, room, old, base),
            Question::Settle { room, at, due } => {
                if let Some(log) = self.rooms.get_mut(&room)
                    && log.head() == at
                {
                    reschedule(&mut self.agenda, &room, &mut log.due, due);
                }
            }
            Question::Present { room, person, count } => {
                let log = self
                    .rooms
                    .entry(room.clone())
                    .or_insert_with(|| RoomLog::new(Self::first(self.start_tag)));
                let present = log.present(by, person, count);
                let tell = log.others(by);
                self.tell(tell, &Answer::Present { room: room.clone(), present });
                self.forget_if_empty(&room);
            }
            Question::Soft { room, entry } => {
                let log = self
                    .rooms
                    .entry(room.clone())
                    .or_insert_with(|| RoomLog::new(Self::first(self.start_tag)));
                let remembered = self.limits.lease;
                if log.soft(now.tick, entry.clone(), remembered) {
                    let tell = log.others(by);
                    self.tell(tell, &Answer::Soft { room: room.clone(), entry });
                }
                self.sweep_later(&room);
            }
            Question::Claim { name, ticket } => self.claim(by, name, ticket),
            Question::Release { name, token } => {
                if self.claims.get(&name).is_some_and(|held| held.token == token) {
                    self.claims.remove(&name);
                }
            }
        }
    }

    /// Ends what has lived its time: leases, and soft values that alone keep a room. To be called when `next_deadline`
    /// is reached, so that the time until then counts; `handle` does so too.
    pub fn tick(&mut self, now: Now) {
        for gone in self.leases.look(now.tick) {
            self.end(gone);
        }
        while self.sweeps.first().is_some_and(|(at, _)| *at <= now.tick) {
            let Some((_, room)) = self.sweeps.pop_first() else { break };
            let Some(log) = self.rooms.get_mut(&room) else { continue };
            log.swept = None;
            log.sweep(now.tick);
            self.forget_if_empty(&room);
            self.sweep_later(&room);
        }
    }

    pub fn next_deadline(&self) -> Option<Tick> {
        let sweep = self.sweeps.first().map(|(at, _)| *at);
        self.leases.next_look().into_iter().chain(sweep).min()
    }

    /// Rooms that take a place in memory, whatever for.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    pub fn next_answer(&mut self) -> Option<(Incarnation, Answer)> {
        self.answers.pop_front()
    }

    /// Drops the newest `count` records of every room, as a store does that promotes a stale replica.
    /// Nothing in production calls this: it is how the simulator proves what happens then.
    pub fn lose_tail(&mut self, count: usize) {
        for (room, log) in &mut self.rooms {
            self.bytes -= log.weight();
            log.lose_tail(count);
            self.bytes += log.weight();
            if log.is_untouched() {
                reschedule(&mut self.agenda, room, &mut log.due, None);
            }
        }
        self.begun = self.rooms.values().filter(|log| !log.is_untouched()).count();
    }

    fn first(start_tag: u32) -> Epoch {
        Epoch::new(Epoch::FIRST_COUNTER, start_tag)
    }

    fn answer(&mut self, to: Incarnation, answer: Answer) {
        self.answers.push_back((to, answer));
    }

    fn tell(&mut self, to: Vec<Incarnation>, answer: &Answer) {
        self.answers.extend(to.into_iter().map(|follower| (follower, answer.clone())));
    }

    fn attend(&mut self, now: Now, by: Incarnation, shards: u16) {
        for older in self.leases.attend(by, shards) {
            self.end(older);
        }
        let slices = self.leases.slices_of(by);
        let horizon = now.wall + self.limits.lease;
        let held: BTreeSet<Slice> = slices.iter().copied().collect();
        let due = self.agenda.iter().take_while(|(at, _)| *at <= horizon);
        let due =
            due.filter(|(_, room)| held.contains(&room.slice())).map(|(_, room)| room.clone()).collect();
        self.answer(by, Answer::Attending { slices, due });
    }

    fn end(&mut self, gone: Incarnation) {
        self.claims.retain(|_, held| held.by != gone);
        // The one that ended too: if it is alive after all it must say everything again under a new name.
        let mut tell = BTreeSet::from([gone]);
        for log in self.rooms.values_mut() {
            tell.extend(log.end(gone));
        }
        tell.extend(self.leases.alive());
        self.rooms.retain(|room, log| {
            let keep = !log.is_empty();
            if !keep {
                self.bytes -= log.weight();
                forget_times(&mut self.agenda, &mut self.sweeps, room, log);
            }
            keep
        });
        self.tell(tell.into_iter().collect(), &Answer::Ended { incarnation: gone });
    }

    fn follow(&mut self, now: Now, by: Incarnation, room: RoomId, seen: Option<Seen>) {
        let first = Self::first(self.start_tag);
        let log = self.rooms.entry(room.clone()).or_insert_with(|| RoomLog::new(first));
        log.follow(by);
        let outcome = match seen {
            None => Followed::Loaded(log.load(now, ANSWER_RECORDS_MAX)),
            Some(seen) => log.go_on(now, seen, ANSWER_RECORDS_MAX),
        };
        self.answer(by, Answer::Followed { room, outcome });
    }

    fn unfollow(&mut self, by: Incarnation, room: &RoomId) {
        if let Some(log) = self.rooms.get_mut(room) {
            log.unfollow(by);
        }
        self.forget_if_empty(room);
    }

    fn forget_if_empty(&mut self, room: &RoomId) {
        if self.rooms.get(room).is_some_and(RoomLog::is_empty)
            && let Some(mut log) = self.rooms.remove(room)
        {
            self.bytes -= log.weight();
            forget_times(&mut self.agenda, &mut self.sweeps, room, &mut log);
        }
    }

    /// One sweep a room is enough: it comes when the last of its values has ended, or finds newer ones and comes again.
    fn sweep_later(&mut self, room: &RoomId) {
        let Some(log) = self.rooms.get_mut(room) else { return };
        if log.swept.is_none()
            && let Some(at) = log.soft_ends()
        {
            log.swept = Some(at);
            self.sweeps.insert((at, room.clone()));
        }
    }

    /// A change of what a room holds, by which the two counts stay right.
    fn change<T>(&mut self, room: &RoomId, change: impl FnOnce(&mut RoomLog) -> T) -> T {
        let first = Self::first(self.start_tag);
        let log = self.rooms.entry(room.clone()).or_insert_with(|| RoomLog::new(first));
        let (untouched, before) = (log.is_untouched(), log.weight());
        let told = change(log);
        self.begun += usize::from(untouched && !log.is_untouched());
        self.bytes = self.bytes - before + log.weight();
        told
    }

    fn append(&mut self, now: Now, by: Incarnation, room: RoomId, batch: crate::Batch) {
        if self.bytes >= self.limits.bytes_max {
            self.give_up_what_is_covered();
        }
        let has_place = self.bytes < self.limits.bytes_max;
        let full = self.begun >= self.limits.rooms_max;
        let (number, due) = (batch.number, batch.due);
        if full && self.rooms.get(&room).is_none_or(RoomLog::is_untouched) {
            return self.answer(by, Answer::Appended { room, number, outcome: crate::Appended::Refused });
        }
        let limits = self.limits;
        let (outcome, records, epoch, others) = self.change(&room, |log| {
            let (outcome, records) = log.append(now, batch, &limits, has_place);
            let others = if records.is_empty() { Vec::new() } else { log.others(by) };
            (outcome, records, log.head().epoch, others)
        });
        if !records.is_empty() {
            if let Some(due) = due
                && let Some(log) = self.rooms.get_mut(&room)
            {
                reschedule(&mut self.agenda, &room, &mut log.due, Some(due));
                if let Some(steward) = self.leases.steward(room.slice()) {
                    self.answers.push_back((steward, Answer::Due { room: room.clone() }));
                }
            }
            self.tell(others, &Answer::Grown { room: room.clone(), epoch, records });
        }
        self.forget_if_empty(&room);
        self.answer(by, Answer::Appended { room, number, outcome });
    }

    /// A few rooms after those that were looked at last, and round.
    fn give_up_what_is_covered(&mut self) {
        let mut looks = LOOKS_MAX;
        let last = self.given_up_upto.take();
        let after = last.clone().map_or(Bound::Unbounded, Bound::Excluded);
        let upto = last.map_or(Bound::Unbounded, Bound::Included);
        for range in [(after, Bound::Unbounded), (Bound::Unbounded, upto)] {
            for (room, log) in self.rooms.range_mut(range).take(looks) {
                self.bytes -= log.weight();
                log.give_up_what_is_covered();
                self.bytes += log.weight();
                self.given_up_upto = Some(room.clone());
                looks -= 1;
            }
        }
    }

    fn begin_epoch(&mut self, by: Incarnation, room: RoomId, old: Seen, base: crate::Snapshot) {
        let (began, epoch, others) = self.change(&room, |log| {
            let began = log.begin_epoch(old, base);
            (began, log.head().epoch, log.others(by))
        });
        if began {
            self.tell(others, &Answer::EpochBegan { room: room.clone(), epoch });
        }
        self.forget_if_empty(&room);
        self.answer(by, Answer::EpochBegan { room, epoch });
    }

    fn claim(&mut self, by: Incarnation, name: Arc<str>, ticket: u64) {
        self.tokens += 1;
        let token = self.tokens;
        if let Some(old) = self.claims.insert(name.clone(), ClaimHeld { by, token }) {
            self.answer(old.by, Answer::ClaimLost { name: name.clone(), token: old.token });
        }
        self.answer(by, Answer::Claimed { name, ticket, token });
    }
}

/// Nothing wakes anybody for a room that is no more.
fn forget_times(
    agenda: &mut BTreeSet<(Wall, RoomId)>,
    sweeps: &mut BTreeSet<(Tick, RoomId)>,
    room: &RoomId,
    log: &mut RoomLog,
) {
    reschedule(agenda, room, &mut log.due, None);
    if let Some(at) = log.swept.take() {
        sweeps.remove(&(at, room.clone()));
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
