//! One node as the tests play it: it asks as rooms do, again each second until it is answered.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::time::{Duration, Instant};

use conformance::Server;
use conformance::words::{batch, general, go_on};
use engine::{Answer, Appended, Asked, Batch, Followed, Loaded, Question};
use engine_redis::{Config, Redis};
use link::{Answers, Condition, Link};
use vocabulary::{Check, Incarnation, Position, RoomId, Seen};

use crate::plant::{PATIENCE, config, opened};

struct Inbox(SyncSender<(Incarnation, Answer)>);

impl Answers for Inbox {
    fn put(&self, to: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send((to, answer)).map_err(|refused| match refused {
            std::sync::mpsc::TrySendError::Full((_, answer))
            | std::sync::mpsc::TrySendError::Disconnected((_, answer)) => Box::new(answer),
        })
    }
}

pub(crate) struct Node {
    pub(crate) link: Redis,
    by: Incarnation,
    heard: Receiver<(Incarnation, Answer)>,
    kept: Vec<Answer>,
    numbers: u64,
}

impl Node {
    pub(crate) fn new(by: Incarnation, server: &Server) -> Node {
        Node::with(by, &config(server))
    }

    pub(crate) fn with(by: Incarnation, config: &Config) -> Node {
        let (send, heard) = sync_channel(16_384);
        let answers: Arc<dyn Answers> = Arc::new(Inbox(send));
        let link = opened(config, &answers);
        Node { link, by, heard, kept: Vec::new(), numbers: 100 }
    }

    pub(crate) fn goes_by(&mut self, name: Incarnation) {
        self.by = name;
    }

    pub(crate) fn tell(&self, question: Question) {
        let since = Instant::now();
        let mut asked = Asked { by: self.by, question };
        while let Err(back) = self.link.ask(asked) {
            assert!(since.elapsed() < PATIENCE, "no place for {back:?}");
            asked = *back;
            std::thread::yield_now();
        }
    }

    /// The next that is looked for, within a time; the rest stays to be heard.
    pub(crate) fn hear_within(&mut self, span: Duration, is_it: impl Fn(&Answer) -> bool) -> Option<Answer> {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return Some(self.kept.remove(at));
        }
        let until = Instant::now() + span;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let (_, answer) = self.heard.recv_timeout(left).ok()?;
            if is_it(&answer) {
                return Some(answer);
            }
            self.kept.push(answer);
        }
    }

    pub(crate) fn hear(&mut self, what: &str, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let heard = self.hear_within(PATIENCE, is_it);
        heard.unwrap_or_else(|| panic!("in vain: {what}; {:?}, heard {:?}", self.link.condition(), self.kept))
    }

    pub(crate) fn kept(&self) -> &[Answer] {
        &self.kept
    }

    /// Asked again until it is answered.
    pub(crate) fn ask(&mut self, question: &Question, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let since = Instant::now();
        loop {
            self.tell(question.clone());
            if let Some(answer) = self.hear_within(Duration::from_secs(1), &is_it) {
                return answer;
            }
            assert!(since.elapsed() < PATIENCE, "{question:?} in vain: {:?}", self.link.condition());
        }
    }

    pub(crate) fn follow(&mut self, seen: Option<Seen>) -> Followed {
        let question = Question::Follow { room: general(), seen, ticket: 0 };
        match self.ask(&question, |answer| matches!(answer, Answer::Followed { .. })) {
            Answer::Followed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn load(&mut self) -> Loaded {
        match self.follow(None) {
            Followed::Loaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn start(&mut self) -> Seen {
        let epoch = self.load().head.epoch;
        Seen { position: Position { epoch, offset: 0 }, check: Check::default() }
    }

    pub(crate) fn append_batch(&mut self, room: &RoomId, batch: Batch) -> Appended {
        self.numbers += 1;
        let batch = Batch { number: self.numbers, ..batch };
        let number = self.numbers;
        let question = Question::Append { room: room.clone(), batch };
        let mine = |answer: &Answer| matches!(answer, Answer::Appended { number: of, .. } if *of == number);
        match self.ask(&question, mine) {
            Answer::Appended { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn append(&mut self, seen: Seen, record: &str) -> Appended {
        self.append_batch(&general(), batch(seen, &[&[record]]))
    }

    /// Appends records one by one after another.
    pub(crate) fn fill(&mut self, from: Seen, records: &[&str]) -> Seen {
        records.iter().fold(from, |seen, record| {
            let outcome = self.append(seen, record);
            assert!(matches!(outcome, Appended::Stored { .. }), "{outcome:?}");
            go_on(seen, &[record])
        })
    }

    pub(crate) fn attend(&mut self) {
        let question = Question::Attend { shards: 1 };
        self.ask(&question, |answer| matches!(answer, Answer::Attending { .. }));
    }

    pub(crate) fn figure(&self, name: &str) -> u64 {
        let figures = self.link.figures();
        let found = figures.iter().find(|figure| figure.name == name);
        found.unwrap_or_else(|| panic!("no figure {name}")).value
    }

    pub(crate) fn away(&self) -> Option<String> {
        match self.link.condition() {
            Condition::Serving => None,
            Condition::Away { why } | Condition::Partly { why } => Some(why),
        }
    }
}
