//! The memory engine behind the links of all shards, with what real engines do to them: it is away, it restarts, it refuses,
//! it finds a room damaged; and the ledger of what it truly holds.

mod held;
mod links;
mod mutants;

use std::collections::{BTreeMap, BTreeSet};

use engine::{
    Answer, Appended, Asked, Erased, Followed, Guarantees, MemoryEngine, MemoryLimits, Nodes, Question, Read,
};
use vocabulary::{Incarnation, Now, Position, RoomId, ShardId, Tick};

use crate::ledger::Ledger;
use crate::mutant::Mutant;
use crate::scenario::{News, Scenario};
use held::Held;
pub use links::Cut;
use links::Link;
pub(crate) use links::Way;

/// A shard's way to the engine: the node's own number, and the shard.
pub(crate) type LinkId = (u64, ShardId);

/// What an engine says to an append of a room that it found damaged: each of the real ones says something else.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    /// It does not look, and stores.
    Unnoticed,
    Refused,
    /// It finds nothing of what the asker has seen.
    Lost,
}

pub(crate) struct Engine {
    memory: MemoryEngine,
    links: BTreeMap<LinkId, Link>,
    pub ledger: Ledger,
    /// Nobody reaches it until then.
    away_until: Tick,
    /// When it is back, what it held for the living is gone.
    forgets: bool,
    refuses_until: Tick,
    damaged: BTreeMap<RoomId, Damage>,
    /// Rooms that ever were.
    was_damaged: BTreeSet<RoomId>,
    /// Rooms of which some shard was told.
    pub told_damaged: BTreeSet<RoomId>,
    /// What it holds of the probes' rooms in the end.
    pub held: BTreeMap<RoomId, Held>,
    pub faultless: bool,
    mutant: Option<Mutant>,
    invented: u64,
    /// Records are those of rooms, and the ledger reads them.
    pub watched: bool,
}

/// Nobody's name: under it the ledger looks at the engine's own end.
const OBSERVER: Incarnation = Incarnation { node: u64::MAX, shard: ShardId(0), life: 0 };
const START_TAG: u32 = 7;

impl Engine {
    pub(crate) fn new(scenario: &Scenario) -> Engine {
        let limits = MemoryLimits { room_records_max: 2_000, ..MemoryLimits::default() };
        Engine {
            memory: MemoryEngine::new(limits, START_TAG),
            links: BTreeMap::new(),
            ledger: Ledger::default(),
            away_until: Tick::default(),
            forgets: false,
            refuses_until: Tick::default(),
            damaged: BTreeMap::new(),
            was_damaged: BTreeSet::new(),
            told_damaged: BTreeSet::new(),
            held: BTreeMap::new(),
            faultless: false,
            mutant: scenario.mutant,
            invented: 0,
            watched: true,
        }
    }

    pub(crate) fn start_tag() -> u32 {
        START_TAG
    }

    pub(crate) fn guarantees(scenario: &Scenario) -> Guarantees {
        let news = match scenario.news {
            News::Reliable | News::Noticed => engine::News::Reliable,
            News::MayDrop => engine::News::MayDrop,
        };
        Guarantees { news, ..MemoryEngine::guarantees(Nodes::Many) }
    }

    pub(crate) fn connect(&mut self, id: LinkId) {
        let mut link = Link::default();
        if self.away_until > Tick::default() {
            link.cut(Cut::Both, self.away_until);
        }
        self.links.insert(id, link);
    }

    /// A node died: what it asked may still arrive, what it would have been told does not.
    pub(crate) fn disconnect(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.die();
        }
    }

    pub(crate) fn cut(&mut self, link: LinkId, cut: Cut, until: Tick) {
        if let Some(link) = self.links.get_mut(&link) {
            link.cut(cut, until);
        }
    }

    /// Nobody reaches it until then. With a restart all that was on its way is gone, and in the end it has forgotten
    /// everything but its logs.
    pub(crate) fn leave_until(&mut self, until: Tick, restarts: bool) {
        self.away_until = self.away_until.max(until);
        self.forgets |= restarts;
        for link in self.links.values_mut() {
            link.cut(Cut::Both, until);
            if restarts {
                link.lose_all();
            }
        }
    }

    pub(crate) fn is_away(&self, now: Tick) -> bool {
        self.away_until > now
    }

    pub(crate) fn refuse_until(&mut self, until: Tick) {
        self.refuses_until = until;
    }

    pub(crate) fn damage(&mut self, room: RoomId, damage: Damage) {
        self.was_damaged.insert(room.clone());
        self.damaged.insert(room, damage);
    }

    pub(crate) fn was_damaged(&self, room: &RoomId) -> bool {
        self.was_damaged.contains(room)
    }

    pub(crate) fn damaged_any(&self) -> bool {
        !self.was_damaged.is_empty()
    }

    /// Somebody restored what was damaged.
    pub(crate) fn mend(&mut self, room: &RoomId) {
        self.damaged.remove(room);
    }

    /// From now on nothing goes wrong any more; what is late comes soon.
    pub(crate) fn heal(&mut self, now: Tick) {
        self.faultless = true;
        self.refuses_until = now;
        self.away_until = self.away_until.min(now);
        self.damaged.clear();
        self.links.values_mut().for_each(|link| link.mend(now));
    }

    pub(crate) fn is_full(&self, id: LinkId, scenario: &Scenario) -> bool {
        self.links.get(&id).is_some_and(|link| link.is_full(scenario))
    }

    /// A shard asks. When the question arrives; nothing if it never does.
    pub(crate) fn ask(&mut self, now: Tick, asked: Asked, mut way: Way<'_>) -> Option<(LinkId, Tick)> {
        let id = (asked.by.node, asked.by.shard);
        way.faultless = self.faultless;
        let at = self.links.get_mut(&id)?.ask(now, asked, &mut way)?;
        Some((id, at))
    }

    /// The next question of a link arrives. The links that will hear something, and when.
    pub(crate) fn arrive(
        &mut self,
        now: Now,
        id: LinkId,
        mut way: Way<'_>,
    ) -> (Option<Asked>, Vec<(LinkId, Tick)>) {
        way.faultless = self.faultless;
        let Some(asked) = self.links.get_mut(&id).and_then(|link| link.arrived(now.tick)) else {
            return (None, Vec::new());
        };
        let woken = self.answer(now, asked.clone(), &mut way);
        (Some(asked), woken)
    }

    fn answer(&mut self, now: Now, mut asked: Asked, way: &mut Way<'_>) -> Vec<(LinkId, Tick)> {
        self.come_back(now);
        if let Some(refused) = self.refused(now.tick, &asked, way) {
            return self.send(now.tick, asked.by, refused, way).into_iter().collect();
        }
        if let Some(answer) = self.mutate(&mut asked, way) {
            return self.send(now.tick, asked.by, answer, way).into_iter().collect();
        }
        let by = asked.by;
        let upto = leave_some(&mut asked.question, way.scenario.answer_records);
        let question = asked.question.clone();
        self.memory.handle(now, asked);
        let mut woken = Vec::new();
        while let Some((to, mut answer)) = self.memory.next_answer() {
            if let (Some(upto), Answer::Erased { outcome: outcome @ Erased::Gone, .. }) = (upto, &mut answer)
            {
                *outcome = Erased::Upto(upto);
            }
            if to == by && self.watched {
                self.note(&question, &answer);
            }
            woken.extend(self.send(now.tick, to, answer, way));
        }
        woken
    }

    /// An append that is not stored, because there is no place, or because the room is damaged and this engine looks.
    fn refused(&self, now: Tick, asked: &Asked, way: &mut Way<'_>) -> Option<Answer> {
        let Question::Append { room, batch } = &asked.question else { return None };
        let outcome = match self.damaged.get(room) {
            Some(Damage::Lost) => Appended::Lost,
            Some(Damage::Refused) => Appended::Refused,
            Some(Damage::Unnoticed) | None if self.refuses_until <= now => return None,
            Some(Damage::Unnoticed) | None => Appended::Refused,
        };
        way.tally.fault("append refused");
        Some(Answer::Appended { room: room.clone(), number: batch.number, outcome })
    }

    /// The first thing it does after a restart is to find that it remembers nobody.
    fn come_back(&mut self, now: Now) {
        if self.forgets && !self.is_away(now.tick) {
            self.forgets = false;
            self.memory.forget_the_living();
        }
    }

    pub(crate) fn tick(&mut self, now: Now, mut way: Way<'_>) -> Vec<(LinkId, Tick)> {
        way.faultless = self.faultless;
        let mut woken = Vec::new();
        if self.is_away(now.tick) {
            return woken;
        }
        self.come_back(now);
        let again: Vec<LinkId> = self
            .links
            .iter_mut()
            .filter_map(|(id, link)| link.owes_missed(now.tick).then_some(*id))
            .collect();
        for (node, shard) in again {
            // Whatever its life: a link is a shard's.
            let to = Incarnation { node, shard, life: 0 };
            woken.extend(self.send(now.tick, to, Answer::Missed, &mut way));
        }
        self.memory.tick(now);
        while let Some((to, answer)) = self.memory.next_answer() {
            woken.extend(self.send(now.tick, to, answer, &mut way));
        }
        woken
    }

    /// Every room's newest records are gone, as after the promotion of a stale replica.
    pub(crate) fn lose_tail(&mut self, now: Now, count: usize) -> usize {
        self.memory.lose_tail(count);
        let rooms: Vec<RoomId> = self.ledger.rooms.keys().cloned().collect();
        rooms
            .into_iter()
            .map(|room| {
                self.head(now, &room).map_or(0, |head| self.ledger.cut(&room, head.epoch, head.offset))
            })
            .sum()
    }

    /// The engine's own word on where a room ends.
    fn head(&mut self, now: Now, room: &RoomId) -> Option<Position> {
        let ask = |question| Asked { by: OBSERVER, question };
        self.memory.handle(now, ask(Question::Follow { room: room.clone(), seen: None, ticket: 0 }));
        self.memory.handle(now, ask(Question::Unfollow { room: room.clone() }));
        let mut head = None;
        while let Some((_, answer)) = self.memory.next_answer() {
            if let Answer::Followed { outcome: Followed::Loaded(loaded), .. } = answer {
                head = Some(loaded.head);
            }
        }
        head
    }

    fn note(&mut self, question: &Question, answer: &Answer) {
        match (question, answer) {
            (
                Question::Append { room, batch },
                Answer::Appended { outcome: Appended::Stored { placements, head }, .. },
            ) => self.ledger.stored(room, head.epoch, batch, placements),
            (Question::BeginEpoch { .. }, Answer::EpochBegan { room, epoch }) => {
                self.ledger.began(room, *epoch);
            }
            _ => {}
        }
    }

    fn send(
        &mut self,
        now: Tick,
        to: Incarnation,
        mut answer: Answer,
        way: &mut Way<'_>,
    ) -> Option<(LinkId, Tick)> {
        let id = (to.node, to.shard);
        shorten(&mut answer, way.scenario.answer_records);
        self.look_for_damage(&mut answer);
        if !self.spoil(to, &mut answer, way) {
            return None;
        }
        let at = self.links.get_mut(&id)?.tell(now, answer, way)?;
        Some((id, at))
    }

    /// Whoever reads a damaged room is told so, and nothing of what is in it.
    fn look_for_damage(&self, answer: &mut Answer) {
        let (Answer::Followed { room, .. } | Answer::Read { room, .. }) = &*answer else { return };
        if self.mutant == Some(Mutant::DamageServed) && self.damaged.contains_key(room) {
            return Engine::serve_damaged(answer);
        }
        match answer {
            Answer::Followed { room, outcome, .. } if self.damaged.contains_key(room) => {
                *outcome = Followed::Damaged;
            }
            Answer::Read { room, outcome, .. } if self.damaged.contains_key(room) => {
                *outcome = Read::Damaged;
            }
            _ => {}
        }
    }

    /// What has come to a shard.
    pub(crate) fn take(&mut self, now: Tick, id: LinkId) -> Option<Answer> {
        let answer = self.links.get_mut(&id)?.take(now)?;
        if let Answer::Followed { room, outcome: Followed::Damaged, .. } = &answer {
            self.told_damaged.insert(room.clone());
        }
        Some(answer)
    }
}

/// An engine erases as many records for one question as it likes, and says up to where; the rest is to be asked for again.
fn leave_some(question: &mut Question, most: usize) -> Option<u64> {
    let Question::Erase { offsets, .. } = question else { return None };
    let is_part = offsets.len() > most;
    offsets.truncate(most);
    offsets.last().copied().filter(|_| is_part)
}

/// An engine gives as many records in one answer as it likes; the rest is to be read.
fn shorten(answer: &mut Answer, most: usize) {
    match answer {
        Answer::Followed { outcome: Followed::Loaded(loaded), .. } => loaded.records.truncate(most),
        Answer::Followed { outcome: Followed::Continues { records, .. }, .. }
        | Answer::Read { outcome: Read::Records { records, .. }, .. } => records.truncate(most),
        _ => {}
    }
}
