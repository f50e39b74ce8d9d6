//! A room on a table: decide, apply and show in a row, with nothing around them.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{Action, App, Decision, Presence, Roll, Room, Soft};
use serde_json::Value;
use vocabulary::{
    Audience, Caller, ConnectionId, Epoch, Now, Payload, Person, Position, Record, Refusal, RoomId, ShardId,
    Shown, StepId, Tick, User, UserId, Wall,
};

use crate::{Chat, Rules, State};

struct Nobody;

impl Roll for Nobody {
    fn count(&self) -> u32 {
        0
    }
    fn users(&self) -> Vec<UserId> {
        Vec::new()
    }
    fn is_here(&self, _user: &UserId) -> bool {
        false
    }
    fn gone_since(&self, _user: &UserId) -> Option<Tick> {
        None
    }
}

pub(super) struct Table {
    pub chat: Chat,
    pub room: RoomId,
    pub state: State,
    pub log: BTreeMap<Position, Record>,
    pub now: Now,
    pub next: Position,
    pub last: Decision,
}

/// Users of one letter, and what their tokens say: `w` is a warden, `e` an editor.
pub(super) fn user(id: &str) -> Caller {
    let role = match id {
        "w" => Some("warden".into()),
        "e" => Some("editor".into()),
        _ => None,
    };
    let person = Person { id: UserId::new(id), name: id.to_uppercase().into() };
    let id = ConnectionId { shard: ShardId(0), slot: 0, generation: 0 };
    Caller::Connection { id, user: Arc::new(User { person, role, rooms: None, groups: None }) }
}

pub(super) fn key() -> Caller {
    Caller::Api { key: "backend".into() }
}

pub(super) fn rules() -> Rules {
    Rules { wardens: vec!["warden".into()], ..Rules::default() }
}

impl Table {
    pub(super) fn new(room: &str) -> Table {
        Table::with(room, rules())
    }

    pub(super) fn with(room: &str, rules: Rules) -> Table {
        let (chat, room) = (Chat::new(rules), RoomId::new("chat", room));
        let state = chat.start(&room);
        let now = Now { tick: Tick(0), wall: Wall(1_767_261_600_000) };
        let next = Position { epoch: Epoch::new(1, 7), offset: 1 };
        Table { chat, room, state, log: BTreeMap::new(), now, next, last: Decision::default() }
    }

    pub(super) fn wait(&mut self, millis: i64) {
        self.now.wall = Wall(self.now.wall.0 + millis);
    }

    fn decide(&self, caller: &Caller, kind: &str, payload: &Payload) -> Result<Decision, Refusal> {
        let action = Action { kind, payload };
        let subject = self.chat.subject(action).and_then(|position| self.log.get(&position));
        let soft = BTreeMap::new();
        let (presence, soft) = (Presence::new(&Nobody), Soft::new(&soft));
        let room = Room { id: &self.room, state: &self.state, presence, soft, subject };
        self.chat.decide(self.now, room, caller, action)
    }

    pub(super) fn ask(&mut self, caller: &Caller, kind: &str, payload: &str) -> Result<Vec<Record>, Refusal> {
        let decision = self.decide(caller, kind, &Payload::copy_from_slice(payload.as_bytes()))?;
        self.last = decision.clone();
        let records = decision.records.into_iter().map(|draft| {
            let record = Record {
                position: self.next,
                at: self.now.wall,
                kind: draft.kind.into(),
                author: caller.author().cloned(),
                touches: draft.touches,
                body: draft.body,
            };
            self.next.offset += 1;
            record
        });
        let records: Vec<Record> = records.collect();
        for record in &records {
            let _ = self.chat.apply(&mut self.state, record);
            self.log.insert(record.position, record.clone());
        }
        Ok(records)
    }

    /// As a client sees it: the frame's type and payload, or the code.
    pub(super) fn told(&mut self, caller: &Caller, kind: &str, payload: &str) -> String {
        match self.ask(caller, kind, payload) {
            Err(refusal) => format!("! {:?}", refusal.code).replace("App(\"", "").replace("\")", ""),
            Ok(records) => match (records.first(), &self.last.reply) {
                (Some(record), _) => self.frame(record),
                (None, Some(reply)) => String::from_utf8_lossy(reply).into_owned(),
                (None, None) => "-".into(),
            },
        }
    }

    /// What a client is told that does this right, in place of the type of its record.
    pub(super) fn refusal(&mut self, caller: &Caller, kind: &str, payload: &str) -> Refusal {
        self.ask(caller, kind, payload).expect_err("it is refused")
    }

    pub(super) fn shown(&self, record: &Record) -> Option<Shown> {
        self.chat.show(&self.state, record, Audience::default())
    }

    pub(super) fn frame(&self, record: &Record) -> String {
        let text = |shown: Shown| format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload));
        self.shown(record).map_or_else(|| "hidden".into(), text)
    }

    /// The messages as a history has them now.
    pub(super) fn history(&self) -> Vec<String> {
        let shown = self.log.values().filter_map(|record| self.shown(record));
        shown
            .filter(|shown| shown.lasting)
            .map(|shown| String::from_utf8_lossy(&shown.payload).into())
            .collect()
    }

    /// Says it and answers the message's id.
    pub(super) fn say(&mut self, caller: &Caller, content: &str) -> String {
        let records = self.ask(caller, "send_message", &format!(r#"{{"content":"{content}"}}"#));
        records.expect("it may be said")[0].position.to_string()
    }

    /// Done without a word.
    pub(super) fn does(&mut self, caller: &Caller, kind: &str, payload: &str) {
        if let Err(refusal) = self.ask(caller, kind, payload) {
            panic!("{kind} {payload}: {refusal:?}");
        }
    }

    pub(super) fn enters(&self, caller: &Caller) -> Result<(), String> {
        let admitted = self.chat.admit(self.now, &self.state, caller, &Payload::new());
        admitted.map(|_| ()).map_err(|refusal| format!("{:?}", refusal.code))
    }

    pub(super) fn about(&self, caller: &Caller, join: &str) -> Value {
        let join = Payload::copy_from_slice(join.as_bytes());
        let about = self.chat.about(self.now, &self.state, caller, &join).unwrap_or_default();
        serde_json::from_slice(&about).unwrap_or_default()
    }

    /// The inboxes answer all that is open, and how many there were.
    pub(super) fn settle(&mut self) -> Vec<String> {
        let mut told = Vec::new();
        loop {
            let steps = self.chat.steps(&self.state);
            if steps.is_empty() {
                return told;
            }
            for step in steps {
                told.push(format!("{} {} {}", step.room, step.kind, String::from_utf8_lossy(&step.payload)));
                let id = StepId { saga: self.room.clone(), position: step.position, number: step.number };
                let outcome = Caller::Outcome { step: id, result: Ok(Payload::new()) };
                self.does(&outcome, "outcome", "");
            }
        }
    }
}
