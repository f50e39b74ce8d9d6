//! Rooms on a table, and what they carry to each other: decide, apply and show in a row, steps to the list and back, duties when they
//! are due. After every record the fold is held against what it says of itself.

use std::collections::BTreeMap;
use std::sync::Arc;

use app::{Action, App, Applied, Decision, Presence, Roll, Room, Soft};
use serde_json::Value;
use vocabulary::{
    Audience, Caller, ConnectionId, Epoch, Now, Payload, Person, Position, Record, Refusal, RoomId, StepId,
    Tick, User, UserId, Wall,
};

use crate::contest::Contest;
use crate::{Kind, Scores, State, WHOLE};

pub(super) const BEGIN: i64 = 1_767_261_600_000;
pub(super) const MATCH: &str = "m1";

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

fn user(id: &str, role: Option<&str>, rooms: Option<&[&str]>) -> Caller {
    let person = Person { id: UserId::new(id), name: id.to_uppercase().into() };
    let rooms = rooms.map(|rooms| rooms.iter().map(|room| Arc::from(*room)).collect());
    let user = Arc::new(User { person, role: role.map(Arc::from), rooms, groups: None });
    Caller::Visitor { user }
}

pub(super) fn organizer() -> Caller {
    user("olga", Some("organizer"), None)
}

pub(super) fn scorer(id: &str) -> Caller {
    user(id, Some("scorer"), None)
}

pub(super) fn viewer() -> Caller {
    user("vera", None, None)
}

pub(super) fn guest_of(room: &str) -> Caller {
    user("gus", None, Some(&[room]))
}

pub(super) struct Place {
    pub state: State,
    pub log: Vec<Record>,
}

pub(super) struct World {
    pub app: Scores,
    pub places: BTreeMap<String, Place>,
    pub now: Now,
    pub reply: Value,
}

impl World {
    pub(super) fn new() -> World {
        let now = Now { tick: Tick(0), wall: Wall(BEGIN) };
        World { app: Scores::default(), places: BTreeMap::new(), now, reply: Value::Null }
    }

    /// With a match that is ready: A to raid.
    pub(super) fn ready() -> World {
        World::of("{\"profile\":\"pkl\"}")
    }

    pub(super) fn of(more: &str) -> World {
        let mut world = World::new();
        let mut payload = initial();
        let more: Value = serde_json::from_str(more).expect("it is JSON");
        for (field, value) in more.as_object().expect("an object") {
            payload[field] = value.clone();
        }
        world.does(&scorer("sam"), "initial_state", &payload.to_string());
        world
    }

    pub(super) fn place(&mut self, room: &str) -> &mut Place {
        let app = &self.app;
        let start = || Place { state: app.start(&RoomId::new("scores", room)), log: Vec::new() };
        self.places.entry(room.to_owned()).or_insert_with(start)
    }

    pub(super) fn contest(&self) -> &Contest {
        match &self.places[MATCH].state.0 {
            Kind::Match(contest) => contest,
            other => panic!("it is no match: {other:?}"),
        }
    }

    pub(super) fn wait(&mut self, millis: i64) {
        self.now.wall.0 += millis;
    }

    pub(super) fn decide(
        &mut self,
        room: &str,
        caller: &Caller,
        kind: &str,
        payload: &str,
    ) -> Result<Decision, Refusal> {
        self.place(room);
        let place = &self.places[room];
        let (id, none) = (RoomId::new("scores", room), BTreeMap::new());
        let (presence, soft) = (Presence::new(&Nobody), Soft::new(&none));
        let at = Room { id: &id, state: &place.state, presence, soft, subject: None };
        let payload = Payload::copy_from_slice(payload.as_bytes());
        self.app.decide(self.now, at, caller, Action { kind, payload: &payload })
    }

    /// The records of a decision, stored and folded.
    pub(super) fn store(&mut self, room: &str, caller: &Caller, decision: Decision) -> Vec<Record> {
        self.reply = decision
            .reply
            .map_or(Value::Null, |reply| serde_json::from_slice(&reply).expect("a reply is JSON"));
        let mut records = Vec::new();
        for draft in decision.records {
            let (author, at) = (caller.author().cloned(), self.now.wall);
            let place = self.place(room);
            let offset = place.log.len() as u64 + 1;
            let position = Position { epoch: Epoch::new(1, 7), offset };
            let (kind, touches, body) = (draft.kind.into(), draft.touches, draft.body);
            let record = Record { position, at, kind, author, touches, body };
            let app = &self.app;
            let place = self.places.get_mut(room).expect("it was made above");
            assert_eq!(app.apply(&mut place.state, &record), Applied::Done, "{}", record.kind);
            place.log.push(record.clone());
            records.push(record);
        }
        self.check(room);
        records
    }

    pub(super) fn ask_in(
        &mut self,
        room: &str,
        caller: &Caller,
        kind: &str,
        payload: &str,
    ) -> Result<Vec<Record>, Refusal> {
        let decision = self.decide(room, caller, kind, payload)?;
        Ok(self.store(room, caller, decision))
    }

    pub(super) fn ask(&mut self, caller: &Caller, kind: &str, payload: &str) -> Result<Vec<Record>, Refusal> {
        self.ask_in(MATCH, caller, kind, payload)
    }

    pub(super) fn does(&mut self, caller: &Caller, kind: &str, payload: &str) {
        if let Err(refusal) = self.ask(caller, kind, payload) {
            panic!("{kind} {payload}: {refusal:?}");
        }
    }

    /// The code and the text of a refusal.
    pub(super) fn refused(&mut self, caller: &Caller, kind: &str, payload: &str) -> String {
        let refusal = self.ask(caller, kind, payload).expect_err("it is refused");
        format!("{:?}: {}", refusal.code, refusal.text).replace("App(\"", "").replace("\")", "")
    }

    pub(super) fn enters(&mut self, caller: &Caller, join: &str) -> Result<u8, String> {
        self.place(MATCH);
        let join = Payload::copy_from_slice(join.as_bytes());
        let admitted = self.app.admit(self.now, &self.places[MATCH].state, caller, &join);
        admitted.map(|audience| audience.0).map_err(|refusal| refusal.text.into_owned())
    }

    pub(super) fn frame(&self, record: &Record, audience: Audience) -> Option<(String, Value)> {
        let shown = self.app.show(&self.places[MATCH].state, record, audience)?;
        Some((shown.kind.into(), serde_json::from_slice(&shown.payload).expect("a frame is JSON")))
    }

    pub(super) fn state(&self) -> Value {
        serde_json::from_slice(&self.app.view(&self.places[MATCH].state, WHOLE)).expect("a view is JSON")
    }

    pub(super) fn score(&self) -> (u64, u64) {
        let state = self.state();
        let of = |team: &str| state[team]["score"].as_u64().expect("a number");
        (of("teamA"), of("teamB"))
    }

    pub(super) fn due(&self) -> Option<i64> {
        let (id, none) = (RoomId::new("scores", MATCH), BTreeMap::new());
        let (presence, soft) = (Presence::new(&Nobody), Soft::new(&none));
        let at = Room { id: &id, state: &self.places[MATCH].state, presence, soft, subject: None };
        self.app.due(self.now, at).map(|(at, _)| at.0)
    }

    /// All that is due by now, each at its time or when somebody looks.
    pub(super) fn clock(&mut self) -> usize {
        let mut done = 0;
        while self.due().is_some_and(|at| at <= self.now.wall.0) {
            let duty = Caller::Duty { name: "clock".into(), payload: Payload::new() };
            let records = self.ask(&duty, "clock", "").expect("a duty is never refused");
            assert_eq!(records.len(), 1, "what is due is done");
            done += 1;
            assert!(done < 100, "the clock comes to an end");
        }
        done
    }

    /// Open steps to the list, and its answers back.
    pub(super) fn carry(&mut self) -> usize {
        let mut carried = 0;
        for step in self.app.steps(&self.places[MATCH].state) {
            let saga = RoomId::new("scores", MATCH);
            let id = StepId { saga, position: step.position, number: step.number };
            let payload = String::from_utf8(step.payload.to_vec()).expect("a step is text");
            let caller = Caller::Step(id.clone());
            let done = self.ask_in("list", &caller, &step.kind, &payload);
            let result = done.map(|_| Payload::new());
            self.ask(&Caller::Outcome { step: id, result }, "outcome", "").expect("an outcome is heard");
            carried += 1;
        }
        carried
    }

    fn check(&self, room: &str) {
        let (id, place) = (RoomId::new("scores", room), &self.places[room]);
        let saved = self.app.save(&place.state);
        assert!(saved.len() <= 1 << 20, "a snapshot has {} bytes", saved.len());
        let loaded = self.app.load(&id, &saved).expect("what was saved loads");
        assert!(loaded == place.state, "what was loaded is what was saved");
        let Kind::Match(contest) = &place.state.0 else { return };
        let Some(course) = &contest.course else { return };
        super::seasons::check(course);
        assert!(self.app.view(&place.state, WHOLE).len() <= 64 << 10);
    }
}

/// As a scorer's page begins: seven of each, A to raid.
pub(super) fn initial() -> Value {
    let ids = |letter: char| -> Vec<String> { (1..=10).map(|number| format!("{letter}{number}")).collect() };
    let stats = ids('p').into_iter().chain(ids('q')).map(|id| {
        let begins = id.len() == 2 && id.as_bytes()[1] <= b'7';
        let status = if begins { "in" } else { "out" };
        let name = id.to_uppercase();
        (id.clone(), serde_json::json!({"id": id, "name": name, "status": status, "totalPoints": 0}))
    });
    let stats: serde_json::Map<String, Value> = stats.collect();
    serde_json::json!({
        "teamA": {"name": "A", "score": 0}, "teamB": {"name": "B", "score": 0},
        "teamAPlayerIds": ids('p'), "teamBPlayerIds": ids('q'),
        "teamACaptainId": "p1", "teamAViceCaptainId": "p2", "teamBCaptainId": "q1", "teamBViceCaptainId": "",
        "playerStats": stats, "raidNumber": 1, "emptyRaidCounts": {"teamA": 0, "teamB": 0},
        "tossWinner": "teamA", "tossDecision": "raid", "firstRaidingTeam": "teamA",
    })
}

/// Two devices of one scorer are two connections.
pub(super) fn device(id: &str, slot: u32) -> Caller {
    let Caller::Visitor { user } = scorer(id) else { unreachable!("a scorer is a visitor here") };
    let id = ConnectionId { shard: vocabulary::ShardId(0), slot, generation: 1 };
    Caller::Connection { id, user }
}
