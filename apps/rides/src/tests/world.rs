//! Rooms on a table, and what they carry to each other: decide, apply and show in a row, steps and their outcomes by hand or all at
//! once, duties when they are due. Nothing is around them: no shard, no engine.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::time::Duration;

use app::{Action, App, Applied, Decision, Presence, Room, Soft, SoftChange, SoftValue, Step};
use serde_json::Value;
use vocabulary::{
    Audience, Caller, Class, Code, Epoch, Now, Payload, Position, Record, Refusal, RoomId, StepId, Tick,
    UserId, Wall,
};

use super::people::Crowd;
pub(super) use super::people::{as_role, broker, key, user};
use crate::driver::Driver;
use crate::passenger::Passenger;
use crate::ride::Ride;
use crate::{Kind, OPERATORS, Rides, Rules, State, THEIRS};

/// The same every time, so that tests may name it.
pub(super) const BEGIN: i64 = 1_767_261_600_000;

const PAST_MAX: usize = 6;

pub(super) struct Place {
    pub state: State,
    /// As nodes have it that are behind, the newest last.
    past: VecDeque<State>,
    pub log: Vec<Record>,
    next: Position,
    soft: BTreeMap<Arc<str>, SoftValue>,
    /// Keys of what was recorded: the same again is done already.
    keys: BTreeSet<String>,
    pub crowd: Crowd,
}

pub(super) struct World {
    pub app: Rides,
    pub places: BTreeMap<String, Place>,
    pub now: Now,
    pub last: Decision,
    /// So many records are not known where the next commands are decided.
    pub behind: usize,
    /// Steps on their way, and outcomes on theirs.
    pub flying: VecDeque<Flying>,
}

#[derive(Clone)]
pub(super) enum Flying {
    Step(Step, StepId),
    Outcome(StepId, Result<Payload, Refusal>),
}

pub(super) fn words(refusal: &Refusal) -> String {
    match refusal.code {
        Code::App(code) => format!("! {code} {}", refusal.text),
        code => format!("! {code:?} {}", refusal.text),
    }
}

/// So many metres north of the pick-up of all these tests.
pub(super) fn at(metres: f64) -> String {
    let latitude = -6.2088 + metres / 111_194.927;
    format!(r#""latitude":{latitude},"longitude":106.8456"#)
}

impl World {
    pub(super) fn new() -> World {
        World::with(Rules::default())
    }

    pub(super) fn with(rules: Rules) -> World {
        World {
            app: Rides::new(rules),
            places: BTreeMap::new(),
            now: Now { tick: Tick(0), wall: Wall(BEGIN) },
            last: Decision::default(),
            behind: 0,
            flying: VecDeque::new(),
        }
    }

    pub(super) fn place(&mut self, room: &str) -> &mut Place {
        let app = &self.app;
        self.places.entry(room.to_owned()).or_insert_with(|| Place {
            state: app.start(&RoomId::new("rides", room)),
            past: VecDeque::new(),
            log: Vec::new(),
            next: Position { epoch: Epoch::new(1, 7), offset: 1 },
            soft: BTreeMap::new(),
            keys: BTreeSet::new(),
            crowd: Crowd::default(),
        })
    }

    pub(super) fn driver(&self, id: &str) -> &Driver {
        match &self.places[&format!("driver:{id}")].state.kind {
            Kind::Driver(driver) => driver,
            other => panic!("{id} is no driver: {other:?}"),
        }
    }

    pub(super) fn passenger(&self, id: &str) -> &Passenger {
        match &self.places[&format!("passenger:{id}")].state.kind {
            Kind::Passenger(passenger) => passenger,
            other => panic!("{id} is no passenger: {other:?}"),
        }
    }

    pub(super) fn ride(&self, room: &str) -> &Ride {
        match &self.places[room].state.kind {
            Kind::Ride(ride) => ride,
            other => panic!("{room} is no ride: {other:?}"),
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

    /// As time goes by: rooms speak to each other every few seconds.
    pub(super) fn live(&mut self, seconds: i64) {
        for _ in 0..seconds {
            self.wait(1_000);
            self.settle();
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
        let id = RoomId::new("rides", room);
        let (presence, soft) = (Presence::new(&place.crowd), Soft::new(&place.soft));
        let older = place.past.len().checked_sub(self.behind).and_then(|at| place.past.get(at));
        let state = older.unwrap_or(&place.state);
        let room = Room { id: &id, state, presence, soft, subject: None };
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
        let mut decision = self.decide(room, caller, kind, &payload);
        if decision.as_ref().is_ok_and(|decision| !decision.records.is_empty()) {
            // Guarded: what a node decides that is behind is decided once more. Only what comes to nothing stays as it is.
            let behind = std::mem::take(&mut self.behind);
            decision = self.decide(room, caller, kind, &payload);
            self.behind = behind;
        }
        let decision = decision?;
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
            let place = self.places.get_mut(room).expect("it was made above");
            place.past.push_back(place.state.clone());
            if place.past.len() > PAST_MAX {
                place.past.pop_front();
            }
            assert_eq!(self.app.apply(&mut place.state, &record), Applied::Done, "{}", record.kind);
            place.log.push(record.clone());
            records.push(record);
        }
        super::storms::check(&self.places[room].state);
        Ok(records)
    }

    /// As whose room it is is told: each frame's type and payload, the reply, or the refusal.
    pub(super) fn told(&mut self, room: &str, caller: &Caller, kind: &str, payload: &str) -> String {
        match self.ask(room, caller, kind, payload) {
            Err(refusal) => words(&refusal),
            Ok(records) => match (records.first(), &self.last.reply) {
                (_, Some(reply)) => String::from_utf8_lossy(reply).into_owned(),
                (Some(_), None) => {
                    let frames = records.iter().map(|record| self.frame(room, record, THEIRS));
                    frames.collect::<Vec<_>>().join(" + ")
                }
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

    /// The types of all frames that the room's own people were ever sent.
    pub(super) fn heard(&self, room: &str) -> String {
        let all = self.places[room].log.iter().filter_map(|record| {
            let shown = self.app.show(&self.places[room].state, record, THEIRS)?;
            let payload: Value = serde_json::from_slice(&shown.payload).unwrap_or_default();
            let how =
                ["match_status", "status", "reason"].into_iter().filter_map(|name| payload[name].as_str());
            Some(std::iter::once(shown.kind).chain(how).collect::<Vec<_>>().join(" "))
        });
        all.collect::<Vec<_>>().join(", ")
    }

    pub(super) fn does(&mut self, room: &str, caller: &Caller, kind: &str, payload: &str) {
        if let Err(refusal) = self.ask(room, caller, kind, payload) {
            panic!("{room} {kind} {payload}: {refusal:?}");
        }
    }

    /// By whose room it is, and all that follows.
    pub(super) fn says(&mut self, room: &str, kind: &str, payload: &str) {
        let id = room.split_once(':').expect("a person's room").1.to_owned();
        self.does(room, &user(&id), kind, payload);
        self.settle();
    }

    pub(super) fn enters(&mut self, room: &str, caller: &Caller) -> Result<u8, String> {
        self.place(room);
        let admitted = self.app.admit(self.now, &self.places[room].state, caller, &Payload::new());
        admitted.map(|audience| audience.0).map_err(|refusal| words(&refusal))
    }

    /// `state`, as who joins is told.
    pub(super) fn state(&self, room: &str) -> Value {
        serde_json::from_slice(&self.app.view(&self.places[room].state, THEIRS)).expect("it is JSON")
    }

    pub(super) fn glimpse(&self, room: &str, key: &str) -> Option<String> {
        let place = &self.places[room];
        let soft = place.soft.get(key)?;
        let change = SoftChange { key, value: Some(&soft.value), before: None, class: soft.class };
        let shown = self.app.glimpse(&place.state, &change, THEIRS)?;
        Some(format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload)))
    }

    pub(super) fn soft(&self, room: &str, key: &str) -> Option<Payload> {
        self.places[room].soft.get(key).map(|soft| soft.value.clone())
    }

    /// What those who look after all are told of a value as it is now, if it was `before`.
    pub(super) fn news(&self, room: &str, key: &str, before: Option<&Payload>) -> Option<String> {
        let (value, class) = (self.soft(room, key), Class::Signal);
        let change = SoftChange { key, value: value.as_ref(), before, class };
        let shown = self.app.glimpse(&self.places[room].state, &change, OPERATORS)?;
        Some(format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload)))
    }

    pub(super) fn due(&self, room: &str) -> Option<(i64, String)> {
        let place = &self.places[room];
        let id = RoomId::new("rides", room);
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
            let saga = RoomId::new("rides", room);
            let mut names = BTreeSet::new();
            let step = |step: Step| {
                let id = StepId { saga: saga.clone(), position: step.position, number: step.number };
                assert!(names.insert(id.clone()), "two steps of one name: {step:?}");
                (step, id)
            };
            self.app.steps(&place.state).into_iter().map(step).collect::<Vec<_>>()
        };
        self.places.iter().flat_map(of_place).collect()
    }

    /// The other room hears it, and answers.
    pub(super) fn deliver(&mut self, step: &Step, id: &StepId) -> Result<Payload, Refusal> {
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

    /// As rooms do: what was busy is sent again and the app hears nothing of it, and an answer that was recorded is recorded once.
    pub(super) fn answer(&mut self, id: &StepId, result: Result<Payload, Refusal>) {
        if result.as_ref().is_err_and(|refusal| refusal.code == Code::Busy) {
            return;
        }
        let room = id.saga.name().to_owned();
        let key = format!("outcome {:?}", id.key());
        let is_open = self
            .app
            .steps(&self.places[&room].state)
            .into_iter()
            .any(|step| (step.position, step.number) == (id.position, id.number));
        if !is_open || self.place(&room).keys.contains(&key) {
            return;
        }
        let caller = Caller::Outcome { step: id.clone(), result };
        let records = self.ask(&room, &caller, "outcome", "").expect("outcomes are not refused");
        if !records.is_empty() {
            self.place(&room).keys.insert(key);
        }
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

    fn records(&self) -> usize {
        self.places.values().map(|place| place.log.len()).sum()
    }

    /// Until nothing is due, on its way, or comes to anything: some steps are said for ever.
    pub(super) fn settle(&mut self) {
        for _ in 0..10_000 {
            let before = self.records();
            while let Some(flying) = self.flying.pop_front() {
                self.fly(flying);
            }
            for room in self.places.keys().cloned().collect::<Vec<_>>() {
                self.do_due(&room);
            }
            for (step, id) in self.steps() {
                let result = self.deliver(&step, &id);
                self.answer(&id, result);
            }
            if self.records() == before {
                return;
            }
        }
        panic!("rooms that never come to rest");
    }

    /// Another replica goes on, which has not got the last of its records.
    pub(super) fn loses(&mut self, room: &str, records: usize) {
        let mut state = self.app.start(&RoomId::new("rides", room));
        let place = self.place(room);
        place.log.truncate(place.log.len() - records);
        place.next = Position { epoch: Epoch::new(2, 7), offset: 1 };
        place.keys.clear();
        let log = place.log.clone();
        for record in &log {
            assert_eq!(self.app.apply(&mut state, record), Applied::Done);
        }
        let place = self.place(room);
        (place.state, place.past) = (state, VecDeque::new());
    }
}
