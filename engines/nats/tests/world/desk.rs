//! One node at a desk: questions by hand, asked again each second as a room does, and everything that was heard.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use engine::{Answer, Appended, Asked, Batch, Erased, Followed, Loaded, Question};
use engine_nats::{Config, Nats};
use link::{Answers, Link};
use vocabulary::{Incarnation, RoomId, Seen};

/// Longer than anything takes on a machine that does other things too.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);
/// Who has no answer asks again then.
const AGAIN: Duration = Duration::from_secs(1);

pub(crate) struct Boxes(SyncSender<(Incarnation, Answer)>);

impl Answers for Boxes {
    fn put(&self, to: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send((to, answer)).map_err(|refused| match refused {
            TrySendError::Full((_, answer)) | TrySendError::Disconnected((_, answer)) => Box::new(answer),
        })
    }
}

pub(crate) struct Desk {
    pub(crate) node: Nats,
    pub(crate) by: Incarnation,
    pub(crate) heard: Receiver<(Incarnation, Answer)>,
    pub(crate) kept: Vec<Answer>,
}

impl Desk {
    pub(crate) fn new(config: &Config, by: Incarnation) -> Desk {
        Desk::with_box(config, by, 4096)
    }

    pub(crate) fn with_box(config: &Config, by: Incarnation, places: usize) -> Desk {
        let (send, heard) = sync_channel(places);
        let node = super::open(config, Arc::new(Boxes(send))).unwrap_or_else(|error| panic!("{error}"));
        Desk { node, by, heard, kept: Vec::new() }
    }

    pub(crate) fn tell(&self, question: Question) {
        let (mut asked, since) = (Asked { by: self.by, question }, Instant::now());
        while let Err(back) = self.node.ask(asked) {
            assert!(since.elapsed() < PATIENCE, "no place");
            asked = *back;
            std::thread::yield_now();
        }
    }

    pub(crate) fn hear_within(
        &mut self,
        within: Duration,
        is_it: impl Fn(&Answer) -> bool,
    ) -> Option<Answer> {
        if let Some(at) = self.kept.iter().position(&is_it) {
            return Some(self.kept.remove(at));
        }
        let until = Instant::now() + within;
        while let Ok((_, answer)) = self.heard.recv_timeout(until.saturating_duration_since(Instant::now())) {
            if is_it(&answer) {
                return Some(answer);
            }
            self.kept.push(answer);
        }
        None
    }

    pub(crate) fn hear(&mut self, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let heard = self.hear_within(PATIENCE, is_it);
        heard.unwrap_or_else(|| panic!("waits in vain; heard {:?}", self.kept))
    }

    pub(crate) fn ask(&mut self, question: &Question, is_it: impl Fn(&Answer) -> bool) -> Answer {
        let since = Instant::now();
        loop {
            self.tell(question.clone());
            if let Some(answer) = self.hear_within(AGAIN, &is_it) {
                return answer;
            }
            assert!(since.elapsed() < PATIENCE, "{question:?} is not answered: {:?}", self.node.condition());
        }
    }

    pub(crate) fn append(&mut self, room: &RoomId, batch: Batch) -> Appended {
        let number = batch.number;
        let is_it = |answer: &Answer| matches!(answer, Answer::Appended { number: of, .. } if *of == number);
        match self.ask(&Question::Append { room: room.clone(), batch }, is_it) {
            Answer::Appended { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn follow(&mut self, room: &RoomId, seen: Option<Seen>) -> Followed {
        let is_it = |answer: &Answer| matches!(answer, Answer::Followed { room: of, .. } if of == room);
        match self.ask(&Question::Follow { room: room.clone(), seen, ticket: 0 }, is_it) {
            Answer::Followed { outcome, .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    pub(crate) fn load(&mut self, room: &RoomId) -> Loaded {
        match self.follow(room, None) {
            Followed::Loaded(loaded) => loaded,
            other => panic!("{other:?}"),
        }
    }

    /// Of them all, or of the first ones.
    pub(crate) fn erase(&mut self, room: &RoomId, seen: Seen, offsets: &[u64], ticket: u64) -> Erased {
        let question = Question::Erase { room: room.clone(), seen, offsets: offsets.to_vec(), ticket };
        let is_it = |answer: &Answer| matches!(answer, Answer::Erased { ticket: its, .. } if *its == ticket);
        match self.ask(&question, is_it) {
            Answer::Erased { outcome: outcome @ (Erased::Gone | Erased::Upto(_)), .. } => outcome,
            other => panic!("{other:?}"),
        }
    }

    /// What an untouched room is seen as.
    pub(crate) fn start(&mut self) -> Seen {
        let room = conformance::words::room("untouched");
        let position = self.load(&room).head;
        self.tell(Question::Unfollow { room });
        Seen { position, ..Seen::default() }
    }

    /// A room's whole log, page by page.
    pub(crate) fn log(&mut self, room: &RoomId) -> Vec<String> {
        let loaded = self.load(room);
        let (mut all, epoch, mut after) = (Vec::new(), loaded.head.epoch, loaded.base);
        let mut ticket = 1000;
        while after < loaded.head.offset {
            ticket += 1;
            let question = Question::Read { room: room.clone(), epoch, after, limit: 500, ticket };
            let is_it =
                |answer: &Answer| matches!(answer, Answer::Read { ticket: its, .. } if *its == ticket);
            let answer = self.ask(&question, is_it);
            let Answer::Read { outcome: engine::Read::Records { records, .. }, .. } = answer else {
                panic!("{answer:?}")
            };
            for stored in records {
                assert_eq!(stored.offset, after + 1, "a hole");
                after += 1;
                all.push(String::from_utf8(stored.data.to_vec()).expect("text"));
            }
        }
        all
    }

    pub(crate) fn figure(&self, name: &str) -> u64 {
        let figures = self.node.figures();
        figures.iter().find(|figure| figure.name == name).map(|figure| figure.value).expect("a figure")
    }
}

/// JetStream's own questions, as an operator asks them.
pub(crate) fn operate(url: &str, verb: &str, question: serde_json::Value) -> serde_json::Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(url).await.expect("connected");
        let answer = client.request(format!("$JS.API.{verb}"), question.to_string().into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    })
}
