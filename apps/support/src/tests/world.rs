//! Rooms on a table, and what they carry to each other: decide, apply and show in a row, steps and their outcomes by hand or all at
//! once, duties when they are due. Nothing is around them: no shard, no engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Presence, Room, Soft, SoftChange, SoftValue, Step};
use serde_json::Value;
use vocabulary::{
    Audience, Caller, Epoch, Now, Payload, Position, Record, Refusal, RoomId, StepId, Tick, UserId, Wall,
};

use super::people::Crowd;
pub(super) use super::people::{broker, guest, key, user, user_in};
use crate::department::Department;
use crate::session::Session;
use crate::{CUSTOMER, Kind, Rules, STAFF, State, Support};

pub(super) const ONE: &str = "00000000-0000-4000-8000-000000000001";
pub(super) const TWO: &str = "00000000-0000-4000-8000-000000000002";
pub(super) const THREE: &str = "00000000-0000-4000-8000-000000000003";
pub(super) const DESK: &str = "dept:general";

/// The same every time, so that tests may name it.
pub(super) const BEGIN: i64 = 1_767_261_600_000;

pub(super) struct Place {
    pub state: State,
    pub log: Vec<Record>,
    next: Position,
    soft: BTreeMap<Arc<str>, SoftValue>,
    /// Keys of what was recorded: the same again is done already.
    keys: BTreeSet<String>,
    pub crowd: Crowd,
}

pub(super) struct World {
    pub app: Support,
    pub places: BTreeMap<String, Place>,
    pub now: Now,
    pub last: Decision,
    /// What inboxes were told, the newest for each room and user.
    pub inboxes: BTreeMap<(String, String), (Position, String)>,
    /// Steps on their way, and outcomes on theirs.
    pub flying: VecDeque<Flying>,
}

#[derive(Clone)]
pub(super) enum Flying {
    Step(Step, StepId),
    Outcome(StepId, Result<Payload, Refusal>),
}

pub(super) fn rules() -> Rules {
    let department = |name: &str, sessions_max| crate::DepartmentRule {
        name: name.into(),
        title: name.into(),
        sessions_max,
        choice: crate::Choice::default(),
    };
    Rules { departments: vec![department("general", 2), department("licences", 1)], ..Rules::default() }
}

pub(super) fn words(refusal: &Refusal) -> String {
    format!("! {:?}", refusal.code).replace("App(\"", "").replace("\")", "")
}

impl World {
    pub(super) fn new() -> World {
        World::with(rules())
    }

    pub(super) fn with(rules: Rules) -> World {
        World {
            app: Support::new(rules),
            places: BTreeMap::new(),
            now: Now { tick: Tick(0), wall: Wall(BEGIN) },
            last: Decision::default(),
            inboxes: BTreeMap::new(),
            flying: VecDeque::new(),
        }
    }

    pub(super) fn place(&mut self, room: &str) -> &mut Place {
        let app = &self.app;
        self.places.entry(room.to_owned()).or_insert_with(|| Place {
            state: app.start(&RoomId::new("support", room)),
            log: Vec::new(),
            next: Position { epoch: Epoch::new(1, 7), offset: 1 },
            soft: BTreeMap::new(),
            keys: BTreeSet::new(),
            crowd: Crowd::default(),
        })
    }

    pub(super) fn session(&self, room: &str) -> &Session {
        match &self.places[room].state.0 {
            Kind::Session(session) => session,
            other => panic!("{room} is no session: {other:?}"),
        }
    }

    pub(super) fn department(&self, room: &str) -> &Department {
        match &self.places[room].state.0 {
            Kind::Department(department) => department,
            other => panic!("{room} is no department: {other:?}"),
        }
    }

    pub(super) fn wait(&mut self, millis: i64) {
        self.now.wall.0 += millis;
        self.now.tick = self.now.tick + Duration::from_millis(millis.unsigned_abs());
        let tick = self.now.tick;
        for place in self.places.values_mut() {
            place.soft.retain(|_, value| value.ends > tick);
        }
    }

    pub(super) fn comes(&mut self, room: &str, id: &str) {
        self.place(room).crowd.users.insert(UserId::new(id), None);
    }

    pub(super) fn goes(&mut self, room: &str, id: &str) {
        let tick = self.now.tick;
        self.place(room).crowd.users.insert(UserId::new(id), Some(tick));
    }

    fn decide(
        &mut self,
        room: &str,
        caller: &Caller,
        kind: &str,
        payload: &Payload,
    ) -> Result<Decision, Refusal> {
        self.place(room);
        let place = &self.places[room];
        let id = RoomId::new("support", room);
        let (presence, soft) = (Presence::new(&place.crowd), Soft::new(&place.soft));
        let room = Room { id: &id, state: &place.state, presence, soft, subject: None };
        self.app.decide(self.now, room, caller, Action { kind, payload })
    }

    pub(super) fn ask(
        &mut self,
        room: &str,
        caller: &Caller,
        kind: &str,
        payload: &str,
    ) -> Result<Vec<Record>, Refusal> {
        let payload = Payload::copy_from_slice(payload.as_bytes());
        let decision = self.decide(room, caller, kind, &payload)?;
        self.last = decision.clone();
        let now = self.now;
        for draft in decision.soft {
            let soft = &mut self.place(room).soft;
            match draft.value {
                Some(value) => {
                    let ends = now.tick + draft.time_to_live;
                    soft.insert(draft.key, SoftValue { value, at: now.wall, class: draft.class, ends });
                }
                None => drop(soft.remove(&draft.key)),
            }
        }
        let mut records = Vec::new();
        for draft in decision.records {
            let place = self.place(room);
            let record = Record {
                position: place.next,
                at: now.wall,
                kind: draft.kind.into(),
                author: caller.author().cloned(),
                touches: draft.touches,
                body: draft.body,
            };
            place.next.offset += 1;
            super::storms::check_order(&place.state, &record);
            let place = self.places.get_mut(room).expect("it was made above");
            assert_eq!(self.app.apply(&mut place.state, &record), Applied::Done, "{}", record.kind);
            place.log.push(record.clone());
            records.push(record);
        }
        super::storms::check(&self.places[room].state, &records, &self.app);
        Ok(records)
    }

    /// As the customer (or the staff of a department) is told: the frame's type and payload, the reply, or the code.
    pub(super) fn told(&mut self, room: &str, caller: &Caller, kind: &str, payload: &str) -> String {
        let audience = if room.starts_with("dept:") { STAFF } else { CUSTOMER };
        match self.ask(room, caller, kind, payload) {
            Err(refusal) => words(&refusal),
            Ok(records) => match (records.first(), &self.last.reply) {
                (Some(_), _) => records
                    .iter()
                    .map(|record| self.frame(room, record, audience))
                    .collect::<Vec<_>>()
                    .join(" + "),
                (None, Some(reply)) => String::from_utf8_lossy(reply).into_owned(),
                (None, None) => "-".into(),
            },
        }
    }

    pub(super) fn frame(&self, room: &str, record: &Record, audience: Audience) -> String {
        let shown = self.app.show(&self.places[room].state, record, audience);
        shown.map_or_else(
            || "hidden".into(),
            |shown| format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload)),
        )
    }

    /// The last record as somebody sees it.
    pub(super) fn newest(&self, room: &str, audience: Audience) -> String {
        self.frame(room, self.places[room].log.last().expect("something was recorded"), audience)
    }

    pub(super) fn does(&mut self, room: &str, caller: &Caller, kind: &str, payload: &str) {
        if let Err(refusal) = self.ask(room, caller, kind, payload) {
            panic!("{room} {kind} {payload}: {refusal:?}");
        }
    }

    pub(super) fn refusal(&mut self, room: &str, caller: &Caller, kind: &str, payload: &str) -> Refusal {
        self.ask(room, caller, kind, payload).expect_err("it is refused")
    }

    pub(super) fn enters(&mut self, room: &str, caller: &Caller) -> Result<u8, String> {
        self.place(room);
        let admitted = self.app.admit(self.now, &self.places[room].state, caller, &Payload::new());
        admitted.map(|audience| audience.0).map_err(|refusal| words(&refusal))
    }

    pub(super) fn about(&mut self, room: &str, caller: &Caller) -> Value {
        let about = self.app.about(self.now, &self.places[room].state, caller, &Payload::new());
        serde_json::from_slice(&about.unwrap_or_default()).unwrap_or_default()
    }

    pub(super) fn glimpse(&self, room: &str, key: &str, audience: Audience) -> Option<String> {
        let place = &self.places[room];
        let soft = place.soft.get(key)?;
        let change = SoftChange { key, value: Some(&soft.value), before: None, class: soft.class };
        let shown = self.app.glimpse(&place.state, &change, audience)?;
        Some(format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload)))
    }

    pub(super) fn due(&self, room: &str) -> Option<(i64, String)> {
        let place = &self.places[room];
        let id = RoomId::new("support", room);
        let (presence, soft) = (Presence::new(&place.crowd), Soft::new(&place.soft));
        let looked = Room { id: &id, state: &place.state, presence, soft, subject: None };
        self.app.due(self.now, looked).map(|(at, duty)| (at.0, duty.name.to_string()))
    }

    /// What is due in the room now, if anything: it must come to something.
    pub(super) fn do_due(&mut self, room: &str) -> bool {
        let Some((_, name)) = self.due(room).filter(|(at, _)| *at <= self.now.wall.0) else { return false };
        let duty = Caller::Duty { name: name.as_str().into(), payload: Payload::new() };
        let records = self.ask(room, &duty, &name, "").expect("duties are not refused");
        assert!(!records.is_empty(), "{room}: {name} was due and came to nothing");
        true
    }

    /// Every open step, each as it would be sent now.
    pub(super) fn steps(&self) -> Vec<(Step, StepId)> {
        let of_place = |(room, place): (&String, &Place)| {
            let saga = RoomId::new("support", room);
            let step = |step: Step| {
                let id = StepId { saga: saga.clone(), position: step.position, number: step.number };
                (step, id)
            };
            self.app.steps(&place.state).into_iter().map(step).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(of_place).collect()
    }

    /// The other room hears it, and answers.
    pub(super) fn deliver(&mut self, step: &Step, id: &StepId) -> Result<Payload, Refusal> {
        if step.room.app() == "user" {
            let inbox = (step.room.name().to_owned(), id.saga.name().to_owned());
            let told = format!("{} {}", step.kind, String::from_utf8_lossy(&step.payload));
            // As an inbox does: what comes behind a newer word changes nothing.
            let known = self.inboxes.entry(inbox).or_default();
            if known.0 <= step.position {
                *known = (step.position, told);
            }
            return Ok(Payload::new());
        }
        let (room, key) = (step.room.name().to_owned(), format!("{:?}", id.key()));
        if self.place(&room).keys.contains(&key) {
            return Ok(Payload::new());
        }
        let payload = String::from_utf8_lossy(&step.payload).into_owned();
        let records = self.ask(&room, &Caller::Step(id.clone()), &step.kind, &payload)?;
        if !records.is_empty() {
            self.place(&room).keys.insert(key);
        }
        Ok(self.last.reply.clone().unwrap_or_default())
    }

    pub(super) fn answer(&mut self, id: &StepId, result: Result<Payload, Refusal>) {
        // As rooms do: what was busy is sent again and the app hears nothing of it.
        if result.as_ref().is_err_and(|refusal| refusal.code == vocabulary::Code::Busy) {
            return;
        }
        let caller = Caller::Outcome { step: id.clone(), result };
        let room = id.saga.name().to_owned();
        self.does(&room, &caller, "outcome", "");
    }

    pub(super) fn fly(&mut self, flying: Flying) {
        match flying {
            Flying::Step(step, id) => {
                let result = self.deliver(&step, &id);
                self.flying.push_back(Flying::Outcome(id, result));
            }
            Flying::Outcome(id, result) => self.answer(&id, result),
        }
    }

    /// Until nothing is due, on its way, or to be said. Steps that are refused for now stay.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let mut busy = false;
            while let Some(flying) = self.flying.pop_front() {
                self.fly(flying);
                busy = true;
            }
            for room in self.places.keys().cloned().collect::<Vec<_>>() {
                busy |= self.do_due(&room);
            }
            let steps = self.steps();
            let mut answered = false;
            for (step, id) in steps {
                let result = self.deliver(&step, &id);
                answered |= result.as_ref().err().is_none_or(|refusal| refusal.code.is_clients_fault())
                    && step.kind != "queue_position";
                self.answer(&id, result);
            }
            if !busy && !answered {
                return;
            }
        }
        panic!("rooms that never come to rest");
    }

    /// Another replica goes on, which has not got the last of its records.
    pub(super) fn loses(&mut self, room: &str, records: usize) {
        let mut state = self.app.start(&RoomId::new("support", room));
        let place = self.place(room);
        place.log.truncate(place.log.len() - records);
        place.next = Position { epoch: Epoch::new(2, 7), offset: 1 };
        let log = place.log.clone();
        for record in &log {
            assert_eq!(self.app.apply(&mut state, record), Applied::Done);
        }
        self.place(room).state = state;
    }

    /// A session as a customer's page begins one.
    pub(super) fn starts(&mut self, room: &str, customer: &str) {
        self.does(room, &user(customer), "start", r#"{"topic":"a licence"}"#);
        self.comes(room, customer);
        self.settle();
    }

    /// An agent who sits down.
    pub(super) fn on_duty(&mut self, agent: &str) {
        self.comes(DESK, agent);
        self.does(DESK, &user(agent), "set_status", r#"{"status":"online"}"#);
        self.settle();
    }

    pub(super) fn says(&mut self, room: &str, caller: &Caller, text: &str) {
        self.does(room, caller, "send_message", &format!(r#"{{"message":"{text}"}}"#));
        self.settle();
    }

    pub(super) fn department_of(&self, room: &str) -> Option<String> {
        self.session(room).department.clone()
    }

    /// The last that was said, as the customer sees it.
    pub(super) fn newest_message(&self, room: &str) -> String {
        let said = self.places[room].log.iter().rfind(|record| record.kind == "message");
        self.frame(room, said.expect("something was said"), CUSTOMER)
    }

    /// The session's status and its agent.
    pub(super) fn stands(&self, room: &str) -> String {
        let session = self.session(room);
        match session.agent() {
            Some(agent) => format!("{} {}", session.status(), agent.id),
            None => session.status().to_owned(),
        }
    }
}
