//! What an engine holds for the living and may forget with its process: leases, followers, presence, soft values, claims. A
//! pure machine of its own, for engines that keep it in their own process; it never holds a record.

mod around;
mod leases;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Incarnation, Now, Person, RoomId, Slice, Tick};

use crate::contract::{Answer, Present, SoftEntry};
use around::Around;
use leases::Leases;
pub use leases::steward;

struct ClaimHeld {
    by: Incarnation,
    token: u64,
}

pub struct Volatile {
    lease: Duration,
    leases: Leases,
    rooms: BTreeMap<RoomId, Around>,
    /// When a room with soft values is looked through for those that have ended.
    sweeps: BTreeSet<(Tick, RoomId)>,
    claims: BTreeMap<Arc<str>, ClaimHeld>,
    tokens: u64,
    answers: VecDeque<(Incarnation, Answer)>,
}

impl Volatile {
    pub fn new(lease: Duration) -> Volatile {
        Volatile {
            lease,
            leases: Leases::new(lease),
            rooms: BTreeMap::new(),
            sweeps: BTreeSet::new(),
            claims: BTreeMap::new(),
            tokens: 0,
            answers: VecDeque::new(),
        }
    }

    /// As if its process had ended and begun again. Tokens go on from where they were, so that none is given twice.
    pub fn forget(&mut self) {
        *self = Volatile { tokens: self.tokens, ..Volatile::new(self.lease) };
    }

    /// Ends what has lived its time: leases, and soft values that alone keep a room. To be called when `next_deadline`
    /// is reached, so that the time until then counts, and before every question.
    pub fn tick(&mut self, now: Now) {
        for gone in self.leases.look(now.tick) {
            self.end(gone);
        }
        while self.sweeps.first().is_some_and(|(at, _)| *at <= now.tick) {
            let Some((_, room)) = self.sweeps.pop_first() else { break };
            let Some(around) = self.rooms.get_mut(&room) else { continue };
            around.swept = None;
            around.sweep(now.tick);
            self.forget_if_empty(&room);
            self.sweep_later(&room);
        }
    }

    pub fn next_deadline(&self) -> Option<Tick> {
        let sweep = self.sweeps.first().map(|(at, _)| *at);
        self.leases.next_look().into_iter().chain(sweep).min()
    }

    pub fn next_answer(&mut self) -> Option<(Incarnation, Answer)> {
        self.answers.pop_front()
    }

    pub fn answer(&mut self, to: Incarnation, answer: Answer) {
        self.answers.push_back((to, answer));
    }

    /// Rooms that somebody follows or is present in, or that hold soft values.
    pub fn rooms(&self) -> usize {
        self.rooms.len()
    }

    /// What comes from a shard whose lease has ended, late or before it attends, ends like all else: a lease's time later,
    /// unless the shard attends.
    pub fn begin(&mut self, by: Incarnation) {
        self.leases.begin(by);
    }

    /// The slices that the asker is steward of.
    pub fn attend(&mut self, by: Incarnation, shards: u16) -> Vec<Slice> {
        for older in self.leases.attend(by, shards) {
            self.end(older);
        }
        self.leases.slices_of(by)
    }

    pub fn follow(&mut self, by: Incarnation, room: &RoomId) {
        self.around(room).followers.insert(by);
    }

    pub fn unfollow(&mut self, by: Incarnation, room: &RoomId) {
        if let Some(around) = self.rooms.get_mut(room) {
            around.followers.remove(&by);
        }
        self.forget_if_empty(room);
    }

    pub fn is_followed(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|around| !around.followers.is_empty())
    }

    /// For who begins to follow.
    pub fn gathered(&mut self, now: Now, room: &RoomId) -> (Vec<Present>, Vec<SoftEntry>) {
        match self.rooms.get_mut(room) {
            Some(around) => (around.all_present(), around.all_soft(now)),
            None => (Vec::new(), Vec::new()),
        }
    }

    /// Every follower but one.
    pub fn tell_others(&mut self, room: &RoomId, than: Incarnation, news: &Answer) {
        let Some(around) = self.rooms.get(room) else { return };
        let others = around.followers.iter().filter(|follower| **follower != than);
        self.answers.extend(others.map(|follower| (*follower, news.clone())));
    }

    pub fn tell_steward(&mut self, room: &RoomId, news: Answer) {
        if let Some(steward) = self.leases.steward(room.slice()) {
            self.answers.push_back((steward, news));
        }
    }

    pub fn present(&mut self, by: Incarnation, room: RoomId, person: Person, count: u32) {
        let present = self.around(&room).present(by, person, count);
        self.tell_others(&room, by, &Answer::Present { room: room.clone(), present });
        self.forget_if_empty(&room);
    }

    pub fn soft(&mut self, now: Now, by: Incarnation, room: RoomId, entry: SoftEntry) {
        let remembered = self.lease;
        if self.around(&room).soft(now.tick, entry.clone(), remembered) {
            self.tell_others(&room, by, &Answer::Soft { room: room.clone(), entry });
        }
        self.sweep_later(&room);
    }

    pub fn claim(&mut self, by: Incarnation, name: Arc<str>, ticket: u64) {
        self.tokens += 1;
        let token = self.tokens;
        if let Some(old) = self.claims.insert(name.clone(), ClaimHeld { by, token }) {
            self.answer(old.by, Answer::ClaimLost { name: name.clone(), token: old.token });
        }
        self.answer(by, Answer::Claimed { name, ticket, token });
    }

    pub fn release(&mut self, name: &str, token: u64) {
        if self.claims.get(name).is_some_and(|held| held.token == token) {
            self.claims.remove(name);
        }
    }

    fn around(&mut self, room: &RoomId) -> &mut Around {
        self.rooms.entry(room.clone()).or_default()
    }

    fn end(&mut self, gone: Incarnation) {
        self.claims.retain(|_, held| held.by != gone);
        for around in self.rooms.values_mut() {
            around.end(gone);
        }
        let sweeps = &mut self.sweeps;
        self.rooms.retain(|room, around| keeps(sweeps, room, around));
        // The one that ended too: if it is alive after all it must say everything again under a new name.
        let tell: BTreeSet<_> = self.leases.alive().chain([gone]).collect();
        let news = Answer::Ended { incarnation: gone };
        self.answers.extend(tell.into_iter().map(|to| (to, news.clone())));
    }

    fn forget_if_empty(&mut self, room: &RoomId) {
        if let Some(around) = self.rooms.get_mut(room)
            && !keeps(&mut self.sweeps, room, around)
        {
            self.rooms.remove(room);
        }
    }

    /// One sweep a room is enough: it comes when the last of its values has ended, or finds newer ones and comes again.
    fn sweep_later(&mut self, room: &RoomId) {
        let Some(around) = self.rooms.get_mut(room) else { return };
        if around.swept.is_none()
            && let Some(at) = around.soft_ends()
        {
            around.swept = Some(at);
            self.sweeps.insert((at, room.clone()));
        }
    }
}

/// Whether the room is kept; nothing wakes anybody for one that is not.
fn keeps(sweeps: &mut BTreeSet<(Tick, RoomId)>, room: &RoomId, around: &mut Around) -> bool {
    if !around.is_empty() {
        return true;
    }
    if let Some(at) = around.swept.take() {
        sweeps.remove(&(at, room.clone()));
    }
    false
}
