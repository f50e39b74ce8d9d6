//! The engine on a table, and what each of those who sit around it has heard.

use std::collections::BTreeMap;
use std::time::Duration;

use engine::{Answer, Appended, Asked, Batch, Erased, Followed, Loaded, Question, Read, SoftEntry};
use vocabulary::{Check, Epoch, Incarnation, Now, Position, RoomId, Seen};

use crate::words::{C, batch, general, go_on, node, plain, room, snapshot};

/// An engine under test, with a way of its own for each node that asks.
pub trait Subject {
    fn ask(&mut self, asked: Asked);
    /// What comes next to anybody, waited for as long as an answer may take. None: nothing came.
    fn next(&mut self) -> Option<(Incarnation, Answer)>;
    fn now(&self) -> Now;
    /// Time goes by, with the engine awake.
    fn pass(&mut self, span: Duration);
    fn lease(&self) -> Duration;
    /// It ends as by a kill, and begins again on what it keeps.
    fn restart(&mut self) {
        panic!("an engine that says it is durable can be restarted");
    }
}

pub struct Table {
    subject: Box<dyn Subject>,
    heard: BTreeMap<Incarnation, Vec<Answer>>,
    first: Option<Epoch>,
    fences: u64,
}

/// Whoever puts up fences; see [`Table::news`].
const FENCER: Incarnation = node(9);

impl Table {
    pub fn new(subject: Box<dyn Subject>) -> Table {
        Table { subject, heard: BTreeMap::new(), first: None, fences: 0 }
    }

    pub fn now(&self) -> Now {
        self.subject.now()
    }

    pub fn lease(&self) -> Duration {
        self.subject.lease()
    }

    pub fn pass(&mut self, span: Duration) {
        self.subject.pass(span);
    }

    pub fn restart(&mut self) {
        self.subject.restart();
        self.heard.clear();
    }

    pub fn tell(&mut self, by: Incarnation, question: Question) {
        self.subject.ask(Asked { by, question });
    }

    /// The answer; news that came before it stay to be heard.
    pub fn ask(&mut self, by: Incarnation, question: Question) -> Answer {
        self.tell(by, question.clone());
        self.hear(by, |answer| answers(&question, answer))
    }

    /// The next of what comes to one that is looked for; the rest stays to be heard.
    pub fn hear(&mut self, to: Incarnation, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let heard = self.heard.entry(to).or_default();
        if let Some(at) = heard.iter().position(&is_it) {
            return heard.remove(at);
        }
        while let Some((of, answer)) = self.subject.next() {
            if of == to && is_it(&answer) {
                return answer;
            }
            self.heard.entry(of).or_default().push(answer);
        }
        panic!("{to:?} waits in vain; so far it heard {:?}", self.heard.get(&to));
    }

    /// What came to one that it has not asked about. All that was said until now has come when a fence that is put up
    /// behind it is seen.
    pub fn news(&mut self, to: Incarnation) -> Vec<Answer> {
        let fence = room("fence");
        self.ask(to, Question::Follow { room: fence.clone(), seen: None, ticket: 0 });
        self.fences += 1;
        let mark = format!("fence {}", self.fences);
        let seen = match self.ask(FENCER, Question::Follow { room: fence.clone(), seen: None, ticket: 0 }) {
            Answer::Followed { outcome: Followed::Loaded(loaded), .. } => {
                let records: Vec<&str> = plain(&loaded.records).into_iter().map(|(_, text)| text).collect();
                go_on(self.start(), &records)
            }
            other => panic!("{other:?}"),
        };
        self.append_to(FENCER, &fence, batch(seen, &[&[&mark]]));
        let seen_it = |answer: &Answer| matches!(answer, Answer::Grown { room, .. } if *room == fence);
        self.hear(to, seen_it);
        let news = self.heard.remove(&to).unwrap_or_default();
        news.into_iter().filter(|answer| !matches!(answer, Answer::Missed)).collect()
    }

    /// The epoch that an untouched room is in; the engine chooses it.
    pub fn first_epoch(&mut self) -> Epoch {
        if let Some(first) = self.first {
            return first;
        }
        let untouched = room("untouched");
        let question = Question::Follow { room: untouched.clone(), seen: None, ticket: 0 };
        let Answer::Followed { outcome: Followed::Loaded(loaded), .. } = self.ask(FENCER, question) else {
            panic!("an untouched room is loaded");
        };
        self.tell(FENCER, Question::Unfollow { room: untouched });
        *self.first.insert(loaded.head.epoch)
    }

    pub fn at(&mut self, offset: u64) -> Position {
        Position { epoch: self.first_epoch(), offset }
    }

    pub fn start(&mut self) -> Seen {
        Seen { position: self.at(0), check: Check::default() }
    }

    /// One who has read these records of an untouched room.
    pub fn seen(&mut self, records: &[&str]) -> Seen {
        go_on(self.start(), records)
    }

    pub fn append_to(&mut self, by: Incarnation, room: &RoomId, batch: Batch) -> Appended {
        match self.ask(by, Question::Append { room: room.clone(), batch }) {
            Answer::Appended { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn append(&mut self, by: Incarnation, batch: Batch) -> Appended {
        self.append_to(by, &general(), batch)
    }

    /// Each record in a parcel of its own.
    pub fn fill(&mut self, by: Incarnation, from: Seen, records: &[&str]) -> Seen {
        let parcels: Vec<&[&str]> = records.iter().map(std::slice::from_ref).collect();
        let outcome = self.append(by, batch(from, &parcels));
        assert!(matches!(outcome, Appended::Stored { .. }), "{outcome:?}");
        go_on(from, records)
    }

    pub fn follow(&mut self, by: Incarnation, seen: Option<Seen>) -> Followed {
        match self.ask(by, Question::Follow { room: general(), seen, ticket: 0 }) {
            Answer::Followed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub fn load(&mut self, by: Incarnation) -> Loaded {
        match self.follow(by, None) {
            Followed::Loaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    pub fn read(&mut self, epoch: Epoch, after: u64, limit: u32) -> Read {
        match self.ask(C, Question::Read { room: general(), epoch, after, limit, ticket: 5 }) {
            Answer::Read { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// All that is kept after an offset of the first epoch.
    pub fn log_after(&mut self, offset: u64) -> Vec<(u64, String)> {
        let (epoch, mut all) = (self.first_epoch(), Vec::new());
        loop {
            let after = all.last().map_or(offset, |(offset, _): &(u64, String)| *offset);
            match self.read(epoch, after, 500) {
                Read::Records { records, .. } if records.is_empty() => return all,
                Read::Records { records, .. } => {
                    all.extend(plain(&records).into_iter().map(|(offset, text)| (offset, text.to_owned())));
                }
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn log(&mut self) -> Vec<String> {
        let (offsets, texts): (Vec<u64>, Vec<String>) = self.log_after(0).into_iter().unzip();
        assert!(offsets.iter().copied().eq(1..=texts.len() as u64), "not dense from 1: {offsets:?}");
        texts
    }

    /// Where the snapshot stands that is kept then.
    pub fn store(&mut self, by: Incarnation, seen: Seen, forget_upto: u64) -> Option<Position> {
        let question = Question::Store { room: general(), snapshot: snapshot(seen), forget_upto };
        match self.ask(by, question) {
            Answer::Stored { kept, .. } => kept,
            other => panic!("{other:?}"),
        }
    }

    /// In as many goes as the engine likes.
    pub fn erase(&mut self, by: Incarnation, seen: Seen, offsets: &[u64]) -> Erased {
        let mut left = offsets.to_vec();
        loop {
            let question = Question::Erase { room: general(), seen, offsets: left.clone(), ticket: 8 };
            match self.ask(by, question) {
                Answer::Erased { outcome: Erased::Upto(upto), .. } => {
                    let before = left.len();
                    left.retain(|offset| *offset > upto);
                    assert!((1..before).contains(&left.len()), "a part of it: {upto} of {offsets:?}");
                }
                Answer::Erased { outcome, .. } => return outcome,
                other => panic!("{other:?}"),
            }
        }
    }

    pub fn publish(&mut self, by: Incarnation, entry: SoftEntry) {
        self.tell(by, Question::Soft { room: general(), entry });
    }
}

/// Whether this is what was asked for; everything else that comes is news.
fn answers(question: &Question, answer: &Answer) -> bool {
    match (question, answer) {
        (Question::Attend { .. }, Answer::Attending { .. }) => true,
        (Question::Follow { room, .. }, Answer::Followed { room: of, .. })
        | (Question::Store { room, .. }, Answer::Stored { room: of, .. })
        | (Question::BeginEpoch { room, .. }, Answer::EpochBegan { room: of, .. }) => room == of,
        (Question::Append { room, batch }, Answer::Appended { room: of, number, .. }) => {
            room == of && *number == batch.number
        }
        (Question::Read { room, ticket, .. }, Answer::Read { room: of, ticket: its, .. }) => {
            room == of && ticket == its
        }
        (Question::Erase { room, ticket, .. }, Answer::Erased { room: of, ticket: its, .. }) => {
            room == of && ticket == its
        }
        (Question::Claim { name, ticket }, Answer::Claimed { name: of, ticket: its, .. }) => {
            name == of && ticket == its
        }
        _ => false,
    }
}
