//! The engine on a table: who asks, when, and what each asker has heard.

use std::collections::BTreeMap;
use std::time::Duration;

use conformance::words::{A, C, batch, general, go_on, plain, snapshot};
use engine::{
    Answer, Appended, Asked, Batch, Followed, Loaded, MemoryEngine, MemoryLimits, Placement, Question, Read,
};
use vocabulary::{Check, Epoch, Incarnation, Now, Position, RoomId, Seen, Tick, Wall};

pub(crate) const TAG: u32 = 7;
pub(crate) const TERM: Duration = Duration::from_secs(10);
pub(crate) fn first_epoch() -> Epoch {
    Epoch::new(Epoch::FIRST_COUNTER, TAG)
}

pub(crate) fn at(offset: u64) -> Position {
    Position { epoch: first_epoch(), offset }
}

/// One who has read these records of an untouched room.
pub(crate) fn seen(records: &[&str]) -> Seen {
    go_on(Seen { position: at(0), check: Check::default() }, records)
}

pub(crate) fn stored(placements: &[Placement], head: u64) -> Appended {
    Appended::Stored { placements: placements.to_vec(), head: at(head) }
}

pub(crate) struct Table {
    pub(crate) engine: MemoryEngine,
    pub(crate) now: Now,
    heard: BTreeMap<Incarnation, Vec<Answer>>,
}

impl Table {
    pub(crate) fn new() -> Table {
        Table::with(MemoryLimits { lease: TERM, ..MemoryLimits::default() })
    }

    pub(crate) fn with(limits: MemoryLimits) -> Table {
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_700_000_000_000) };
        let mut table = Table { engine: MemoryEngine::new(limits, TAG), now, heard: BTreeMap::new() };
        table.engine.tick(now);
        table
    }

    /// Time goes by; the engine sleeps until it is asked.
    pub(crate) fn later(&mut self, by: Duration) {
        self.now = Now { tick: self.now.tick + by, wall: self.now.wall + by };
    }

    /// Time goes by and the engine is awake: it looks at its clock whenever it wants to, and at the end.
    pub(crate) fn wait(&mut self, by: Duration) {
        let until = self.now.tick + by;
        while let Some(look) = self.engine.next_deadline().filter(|look| *look < until) {
            self.later(look.since(self.now.tick));
            self.look();
        }
        self.later(until.since(self.now.tick));
        self.look();
    }

    fn look(&mut self) {
        self.engine.tick(self.now);
        self.listen();
    }

    pub(crate) fn tell(&mut self, by: Incarnation, question: Question) {
        self.engine.handle(self.now, Asked { by, question });
        self.listen();
    }

    /// The answer; news that came before it stay to be heard.
    pub(crate) fn ask(&mut self, by: Incarnation, question: Question) -> Answer {
        self.tell(by, question);
        self.heard.get_mut(&by).and_then(Vec::pop).expect("the engine answers")
    }

    /// What came to one that it has not been asked about.
    pub(crate) fn news(&mut self, to: Incarnation) -> Vec<Answer> {
        self.heard.remove(&to).unwrap_or_default()
    }

    fn listen(&mut self) {
        while let Some((to, answer)) = self.engine.next_answer() {
            self.heard.entry(to).or_default().push(answer);
        }
    }

    pub(crate) fn append_to(&mut self, by: Incarnation, room: &RoomId, batch: Batch) -> Appended {
        let number = batch.number;
        match self.ask(by, Question::Append { room: room.clone(), batch }) {
            Answer::Appended { room: of, number: again, outcome } if of == *room && again == number => {
                outcome
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn append(&mut self, by: Incarnation, batch: Batch) -> Appended {
        self.append_to(by, &general(), batch)
    }

    /// Each record in a parcel of its own.
    pub(crate) fn fill(&mut self, by: Incarnation, from: Seen, records: &[&str]) -> Seen {
        let parcels: Vec<&[&str]> = records.iter().map(std::slice::from_ref).collect();
        let outcome = self.append(by, batch(from, &parcels));
        assert!(matches!(outcome, Appended::Stored { .. }), "{outcome:?}");
        go_on(from, records)
    }

    pub(crate) fn follow(&mut self, by: Incarnation, seen: Option<Seen>) -> Followed {
        match self.ask(by, Question::Follow { room: general(), seen, ticket: 0 }) {
            Answer::Followed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn load(&mut self, by: Incarnation) -> Loaded {
        match self.follow(by, None) {
            Followed::Loaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn read(&mut self, epoch: Epoch, after: u64, limit: u32) -> Read {
        match self.ask(C, Question::Read { room: general(), epoch, after, limit, ticket: 5 }) {
            Answer::Read { ticket: 5, outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// All that is kept after an offset of the first epoch.
    pub(crate) fn log_after(&mut self, offset: u64) -> Vec<(u64, String)> {
        match self.read(first_epoch(), offset, 500) {
            Read::Records { records, .. } => {
                plain(&records).into_iter().map(|(offset, text)| (offset, text.to_owned())).collect()
            }
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn log(&mut self) -> Vec<String> {
        let (offsets, texts): (Vec<u64>, Vec<String>) = self.log_after(0).into_iter().unzip();
        assert!(offsets.iter().copied().eq(1..=texts.len() as u64), "not dense from 1: {offsets:?}");
        texts
    }

    /// Where the snapshot stands that is kept then.
    pub(crate) fn store(&mut self, seen: Seen, forget_upto: u64) -> Option<Position> {
        let question = Question::Store { room: general(), snapshot: snapshot(seen), forget_upto };
        match self.ask(A, question) {
            Answer::Stored { kept, .. } => kept,
            other => panic!("{other:?}"),
        }
    }
}
