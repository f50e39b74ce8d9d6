//! A shard's rooms at a desk: what they ask of the engine waits until the test carries it there, or does not.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use engine::{Answer, Asked, MemoryEngine, MemoryLimits, Nodes, Question};
use rooms::{Apps, Config, Effect, Limits, Rooms, Rules};
use vocabulary::{
    Act, Asker, Audience, Caller, Class, Code, Command, ConnectionId, Delivery, Failure, HistoryFrom,
    Incarnation, Join, Key, Now, Outward, Payload, Person, Position, Record, Refusal, Reply, ReplyTo, RoomId,
    ShardId, Shown, Standing, Tag, Tick, Touched, User, UserId, Wall,
};

/// Whatever is said is recorded. What begins with `~` does not last, `about` a record repeats what that says, and who comes
/// `if open` is let in while `open` was said and not `close`. Nothing is decided on the state that `!` was decided on.
pub(crate) struct Scribe;

impl App for Scribe {
    /// Whether it is open.
    type State = bool;

    fn start(&self, _: &RoomId) -> bool {
        false
    }
    fn admit(&self, _: Now, open: &bool, _: &Caller, join: &Payload) -> Result<Audience, Refusal> {
        if **join == *b"if open" && !open {
            return Err(Refusal::new(Code::Forbidden, "it is closed"));
        }
        Ok(Audience::default())
    }
    fn subject(&self, said: Action<'_>) -> Option<Position> {
        std::str::from_utf8(said.payload).ok()?.strip_prefix("about ")?.parse().ok()
    }
    fn decide(
        &self,
        _: Now,
        room: Room<'_, bool>,
        _: &Caller,
        said: Action<'_>,
    ) -> Result<Decision, Refusal> {
        let repeated = match (self.subject(said), room.subject) {
            (None, _) => said.payload.clone(),
            (Some(_), Some(record)) => Payload::from([b"found ", &record.body[..]].concat()),
            (Some(_), None) => Payload::from_static(b"found nothing"),
        };
        let alone = repeated.starts_with(b"!");
        let decision = Decision { alone, ..Decision::record("said", repeated) };
        Ok(if **said.payload == *b"close" { decision.touching(Touched::Everybody) } else { decision })
    }
    fn apply(&self, open: &mut bool, record: &Record) -> Applied {
        *open = (*open || *record.body == *b"open") && *record.body != *b"close";
        Applied::Done
    }
    fn show(&self, _: &bool, record: &Record, _: Audience) -> Option<Shown> {
        let (payload, sender) = (record.body.clone(), record.author.clone());
        let lasting = !payload.starts_with(b"~");
        Some(Shown { kind: "said", payload, sender, class: Class::Record, lasting })
    }
    fn view(&self, _: &bool, _: Audience) -> Payload {
        Payload::new()
    }
    fn save(&self, _: &bool) -> Payload {
        Payload::new()
    }
    fn load(&self, _: &RoomId, _: &Payload) -> Result<bool, UnknownFormat> {
        Ok(false)
    }
}

pub(crate) const ME: Incarnation = Incarnation { node: 1, shard: ShardId(0), life: 1 };
pub(crate) const OTHER: Incarnation = Incarnation { node: 2, ..ME };
pub(crate) const ANA: ConnectionId = ConnectionId { shard: ShardId(0), slot: 1, generation: 1 };

pub(crate) fn room() -> RoomId {
    RoomId::new("scribe", "r")
}

pub(crate) fn ana() -> Arc<User> {
    let person = Person { id: UserId::new("ana"), name: "Ana".into() };
    Arc::new(User { person, role: None, rooms: None, groups: None })
}

/// A room with Ana in it. Questions wait on the desk until the test carries them to the engine, or does not.
pub(crate) struct Desk {
    pub(crate) rooms: Rooms,
    pub(crate) engine: MemoryEngine,
    pub(crate) now: Now,
    pub(crate) asked: VecDeque<Question>,
    pub(crate) told: Vec<Delivery>,
    /// For brokers.
    pub(crate) outward: Vec<Outward>,
    /// Rooms that owe their sink something.
    pub(crate) owed: Vec<RoomId>,
    /// For the log.
    pub(crate) failed: Vec<Failure>,
}

impl Desk {
    pub(crate) fn new() -> Desk {
        Desk::with(Nodes::One, Limits::default())
    }

    pub(crate) fn with(nodes: Nodes, limits: Limits) -> Desk {
        Desk::of(nodes, limits, Rules::default())
    }

    pub(crate) fn of(nodes: Nodes, limits: Limits, rules: Rules) -> Desk {
        let mut desk = Desk::empty_of(nodes, limits, rules);
        desk.join();
        desk.carry_all();
        desk.told.clear();
        desk
    }

    /// Nobody is in the room yet, and it is not open.
    pub(crate) fn empty(nodes: Nodes, limits: Limits) -> Desk {
        Desk::empty_of(nodes, limits, Rules::default())
    }

    pub(crate) fn empty_of(nodes: Nodes, limits: Limits, rules: Rules) -> Desk {
        Desk::serving(app::host(Scribe), nodes, limits, rules)
    }

    /// Another app in the scribe's place.
    pub(crate) fn serving(host: Box<dyn app::Host>, nodes: Nodes, limits: Limits, rules: Rules) -> Desk {
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_767_261_600_000) };
        let apps = Apps::default().with("scribe", host, rules);
        let guarantees = MemoryEngine::guarantees(nodes);
        let config = Config { me: ME, shards: 1, limits, guarantees, start_tag: 7 };
        let engine = MemoryEngine::new(MemoryLimits::default(), 7);
        let (asked, told, outward, failed) = (VecDeque::new(), Vec::new(), Vec::new(), Vec::new());
        let owed = Vec::new();
        Desk { rooms: Rooms::new(apps, config), engine, now, asked, told, outward, owed, failed }
    }

    pub(crate) fn join(&mut self) {
        let (connection, tag) = (ANA, Tag::default());
        let (ticket, since, payload) = (1, None, Payload::new());
        let join = Join { room: room(), connection, user: ana(), tag, ticket, since, payload };
        self.command(Command::Join(join));
    }

    pub(crate) fn command(&mut self, command: Command) {
        self.rooms.command(self.now, command);
        self.collect();
    }

    pub(crate) fn say(&mut self, id: &str) {
        self.say_at_length(id, id.len());
    }

    /// The id, repeated to that length.
    pub(crate) fn say_at_length(&mut self, id: &str, bytes: usize) {
        let user = ana();
        let key = Some(Key::client(&user.person.id, id));
        let tag = Tag { id: Some(id.into()), full_name: false };
        self.command(Command::Act(Act {
            room: room(),
            caller: Caller::Connection { id: ANA, user },
            standing: Standing::Member,
            kind: "say".into(),
            payload: id.bytes().cycle().take(bytes).collect(),
            key,
            reply: Some(ReplyTo { asker: Asker::Connection(ANA), tag, frees: true }),
        }));
    }

    /// Ana asks for the newest records.
    pub(crate) fn look_back(&mut self, id: &str) {
        let tag = Tag { id: Some(id.into()), full_name: false };
        self.command(Command::History {
            room: room(),
            caller: Caller::Connection { id: ANA, user: ana() },
            reply: ReplyTo { asker: Asker::Connection(ANA), tag, frees: false },
            limit: 3,
            from: HistoryFrom::Latest,
        });
    }

    pub(crate) fn wait(&mut self, span: Duration) {
        self.now = Now { tick: self.now.tick + span, wall: self.now.wall + span };
        self.rooms.tick(self.now);
        self.collect();
    }

    pub(crate) fn collect(&mut self) {
        while let Some(effect) = self.rooms.next_effect() {
            match effect {
                Effect::Ask(Question::Attend { .. }) => {}
                Effect::Ask(question) => self.asked.push_back(question),
                Effect::Deliver(_, delivery) => self.told.push(delivery),
                Effect::Outward(outward) => self.outward.push(*outward),
                Effect::Owes(room) => self.owed.push(room),
                Effect::Failed(failure) => self.failed.push(failure),
                other => panic!("{other:?}"),
            }
        }
    }

    /// A question that waits on the desk.
    pub(crate) fn take(&mut self, which: impl Fn(&Question) -> bool) -> Option<Question> {
        let at = self.asked.iter().position(which)?;
        self.asked.remove(at)
    }

    /// What the engine answers, without the room hearing of it yet.
    pub(crate) fn engine_says(&mut self, question: Question) -> Vec<Answer> {
        self.engine_says_to(ME, question)
    }

    pub(crate) fn engine_says_to(&mut self, by: Incarnation, question: Question) -> Vec<Answer> {
        self.engine_tells(by, by, question)
    }

    /// What the engine has to tell one of them when another asks.
    pub(crate) fn engine_tells(
        &mut self,
        whom: Incarnation,
        by: Incarnation,
        question: Question,
    ) -> Vec<Answer> {
        self.engine.handle(self.now, Asked { by, question });
        let answers = std::iter::from_fn(|| self.engine.next_answer());
        answers.filter(|(to, _)| *to == whom).map(|(_, answer)| answer).collect()
    }

    pub(crate) fn hear(&mut self, answers: Vec<Answer>) {
        for answer in answers {
            self.rooms.answered(self.now, answer);
        }
        self.collect();
    }

    pub(crate) fn carry_all(&mut self) {
        while let Some(question) = self.asked.pop_front() {
            let answers = self.engine_says(question);
            self.hear(answers);
        }
    }

    /// The append that waits on the desk.
    pub(crate) fn append(&mut self) -> Question {
        self.take(|question| matches!(question, Question::Append { .. })).expect("an append was asked")
    }

    /// Ids that were acknowledged with their record, and ids that were refused, with what was said.
    pub(crate) fn answered(&mut self) -> (Vec<String>, Vec<(String, Code)>) {
        let (mut acked, mut refused) = (Vec::new(), Vec::new());
        let id = |to: &ReplyTo| to.tag.id.as_deref().unwrap_or_default().to_owned();
        for delivery in self.told.drain(..) {
            match delivery {
                Delivery::Records { records, .. } => {
                    acked.extend(records.iter().flat_map(|news| &news.acks).map(|ack| id(&ack.to)));
                }
                Delivery::Reply { to, reply: Reply::Refused(refusal), .. } => {
                    refused.push((id(&to), refusal.code));
                }
                _ => {}
            }
        }
        (acked, refused)
    }
}
