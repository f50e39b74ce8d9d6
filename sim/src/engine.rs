//! The memory engine behind links that are slow, lossy or cut, one a shard; and the ledger of what it truly holds. A
//! fault is only made where the contract allows it: what is asked without an answer is lost only where news may drop.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use engine::{
    Answer, Appended, Asked, Followed, Guarantees, MemoryEngine, MemoryLimits, News, Nodes, Placement,
    Question, Read,
};
use vocabulary::{Incarnation, Key, Now, Position, RoomId, SLICES, ShardId, Slice, Tick};

use crate::ledger::Ledger;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;

/// A shard's way to the engine: the node's own number, and the shard.
pub(crate) type LinkId = (u64, ShardId);

#[derive(Default)]
struct Link {
    questions: VecDeque<(Tick, Asked)>,
    answers: VecDeque<(Tick, Answer)>,
    question_last: Tick,
    answer_last: Tick,
    down_until: Tick,
}

pub(crate) struct Engine {
    memory: MemoryEngine,
    links: BTreeMap<LinkId, Link>,
    pub ledger: Ledger,
    refuses_until: Tick,
    faultless: bool,
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
            refuses_until: Tick::default(),
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
        let news = if scenario.news_may_drop { News::MayDrop } else { News::Reliable };
        Guarantees { news, ..MemoryEngine::guarantees(Nodes::Many) }
    }

    pub(crate) fn connect(&mut self, link: LinkId) {
        self.links.insert(link, Link::default());
    }

    /// A node died: what it asked may still arrive, what it would have been told does not.
    pub(crate) fn disconnect(&mut self, link: LinkId) {
        if let Some(link) = self.links.get_mut(&link) {
            link.answers.clear();
            link.down_until = Tick(u64::MAX);
        }
    }

    pub(crate) fn partition(&mut self, link: LinkId, until: Tick) {
        if let Some(link) = self.links.get_mut(&link) {
            link.down_until = link.down_until.max(until);
        }
    }

    pub(crate) fn refuse_until(&mut self, until: Tick) {
        self.refuses_until = until;
    }

    /// From now on nothing goes wrong any more; what is late comes soon.
    pub(crate) fn heal(&mut self, now: Tick) {
        self.faultless = true;
        self.refuses_until = now;
        for link in self.links.values_mut() {
            if link.down_until != Tick(u64::MAX) {
                link.down_until = now;
            }
        }
    }

    /// A shard asks. When the question arrives; nothing if it never does.
    pub(crate) fn ask(
        &mut self,
        now: Tick,
        asked: Asked,
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Option<(LinkId, Tick)> {
        let id = (asked.by.node, asked.by.shard);
        let link = self.links.get_mut(&id)?;
        let may_be_lost = scenario.news_may_drop || has_answer(&asked.question);
        let is_down = link.down_until > now;
        if !self.faultless && may_be_lost && (is_down || random.per_mille(scenario.question_lost)) {
            tally.fault("question lost");
            return None;
        }
        let from = now.max(if link.down_until == Tick(u64::MAX) { now } else { link.down_until });
        let at = (from + delay(scenario, random)).max(link.question_last);
        link.question_last = at;
        link.questions.push_back((at, asked));
        Some((id, at))
    }

    /// The next question of a link arrives. The links that will hear something, and when.
    pub(crate) fn arrive(
        &mut self,
        now: Now,
        id: LinkId,
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> (Option<Asked>, Vec<(LinkId, Tick)>) {
        let Some(link) = self.links.get_mut(&id) else { return (None, Vec::new()) };
        let Some((_, asked)) = link.questions.pop_front_if(|(at, _)| *at <= now.tick) else {
            return (None, Vec::new());
        };
        let woken = self.answer(now, asked.clone(), scenario, random, tally);
        (Some(asked), woken)
    }

    fn answer(
        &mut self,
        now: Now,
        mut asked: Asked,
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Vec<(LinkId, Tick)> {
        if let Question::Append { room, batch } = &asked.question
            && !self.faultless
            && self.refuses_until > now.tick
        {
            tally.fault("append refused");
            let (room, number) = (room.clone(), batch.number);
            let refused = Answer::Appended { room, number, outcome: Appended::Refused };
            return self.send(now.tick, asked.by, refused, scenario, random, tally).into_iter().collect();
        }
        if let Some(woken) = self.mutate(now, &mut asked, scenario, random, tally) {
            return woken;
        }
        let by = asked.by;
        let question = asked.question.clone();
        self.memory.handle(now, asked);
        let mut woken = Vec::new();
        while let Some((to, answer)) = self.memory.next_answer() {
            if to == by && self.watched {
                self.note(&question, &answer);
            }
            woken.extend(self.send(now.tick, to, answer, scenario, random, tally));
        }
        woken
    }

    pub(crate) fn tick(
        &mut self,
        now: Now,
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Vec<(LinkId, Tick)> {
        self.memory.tick(now);
        let mut woken = Vec::new();
        while let Some((to, answer)) = self.memory.next_answer() {
            woken.extend(self.send(now.tick, to, answer, scenario, random, tally));
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
        self.memory.handle(now, ask(Question::Follow { room: room.clone(), seen: None }));
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
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Option<(LinkId, Tick)> {
        let id = (to.node, to.shard);
        let link = self.links.get_mut(&id)?;
        if link.down_until == Tick(u64::MAX) {
            return None;
        }
        shorten(&mut answer, scenario.answer_records);
        if self.mutant == Some(Mutant::TwoStewards)
            && let Answer::Attending { slices, .. } = &mut answer
        {
            *slices = (0..SLICES).map(Slice).collect();
        }
        let news = is_news(&answer);
        let chance = if self.faultless { None } else { Some(&mut *random) };
        let mut at = now.max(link.down_until) + Duration::from_micros(100);
        let mut repeated = false;
        let mut reordered = false;
        if let Some(random) = chance {
            let lost = if news { scenario.news_lost } else { scenario.answer_lost };
            let may_be_lost = !news || scenario.news_may_drop;
            if may_be_lost && (link.down_until > now || random.per_mille(lost)) {
                tally.fault(if news { "news lost" } else { "answer lost" });
                return None;
            }
            at = at + delay(scenario, random);
            if random.per_mille(scenario.answer_late) {
                tally.fault("answer late");
                at = at + random.millis(300, 4000);
            }
            repeated = news && random.per_mille(scenario.news_repeated);
            reordered = news && random.per_mille(scenario.news_reordered);
        }
        at = at.max(link.answer_last);
        link.answer_last = at;
        if repeated {
            tally.fault("news repeated");
            link.answers.push_back((at, answer.clone()));
        }
        link.answers.push_back((at, answer));
        if reordered && link.answers.len() > 1 {
            tally.fault("news reordered");
            let other = random.index(link.answers.len() - 1);
            let last = link.answers.len() - 1;
            let (a, b) = (link.answers[other].1.clone(), link.answers[last].1.clone());
            link.answers[other].1 = b;
            link.answers[last].1 = a;
        }
        Some((id, at))
    }

    /// What has come to a shard.
    pub(crate) fn take(&mut self, now: Tick, id: LinkId) -> Option<Answer> {
        let link = self.links.get_mut(&id)?;
        link.answers.pop_front_if(|(at, _)| *at <= now).map(|(_, answer)| answer)
    }

    fn mutate(
        &mut self,
        now: Now,
        asked: &mut Asked,
        scenario: &Scenario,
        random: &mut Random,
        tally: &mut Tally,
    ) -> Option<Vec<(LinkId, Tick)>> {
        let Question::Append { room, batch } = &mut asked.question else { return None };
        match self.mutant? {
            Mutant::AckBeforeAppend if random.per_mille(100) => {
                let room = room.clone();
                let (number, count) = (batch.number, batch.parcels.len() as u64);
                let head = batch.seen.position;
                let placements = (1..=count).map(|n| Placement::At(head.offset + n)).collect();
                let head = Position { offset: head.offset + count, ..head };
                let outcome = Appended::Stored { placements, head };
                let answer = Answer::Appended { room, number, outcome };
                return Some(
                    self.send(now.tick, asked.by, answer, scenario, random, tally).into_iter().collect(),
                );
            }
            Mutant::NoKey => {
                for parcel in &mut batch.parcels {
                    self.invented += 1;
                    parcel.key = Key::once(0, self.invented);
                }
            }
            Mutant::TwoStewards => {
                batch.guarded = false;
                for parcel in &mut batch.parcels {
                    if parcel.key.is_duty() {
                        self.invented += 1;
                        parcel.key = Key::once(0, self.invented);
                    }
                }
            }
            _ => {}
        }
        None
    }
}

fn delay(scenario: &Scenario, random: &mut Random) -> Duration {
    random.between(scenario.engine_delay / 2, scenario.engine_delay * 3 / 2)
}

fn has_answer(question: &Question) -> bool {
    matches!(
        question,
        Question::Attend { .. }
            | Question::Follow { .. }
            | Question::Append { .. }
            | Question::Read { .. }
            | Question::BeginEpoch { .. }
    )
}

fn is_news(answer: &Answer) -> bool {
    matches!(
        answer,
        Answer::Grown { .. }
            | Answer::Present { .. }
            | Answer::Ended { .. }
            | Answer::Soft { .. }
            | Answer::Due { .. }
            | Answer::EpochBegan { .. }
            | Answer::ClaimLost { .. }
    )
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
