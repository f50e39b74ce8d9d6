//! A world of support: customers, agents and a supervisor at two departments, on nodes that die and an engine that stalls. What
//! they do is drawn from the seed. Judged are what the engine truly holds, record by record, by a model that knows none of the
//! app's code, and what clients are told in the end. It never looks into a node.

mod model;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};
use vocabulary::{RoomId, Tick, User};

use crate::faults::{self, Fault};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::world::{Happened, SocketId, World, user, user_as};
use model::Model;

const DESKS: [&str; 2] = ["support:dept:general", "support:dept:licences"];
const AGENTS: usize = 3;
const CUSTOMERS: usize = 5;
/// Of each customer.
const SESSIONS: usize = 2;
/// As the simulated nodes are configured.
pub(crate) const SESSIONS_MAX: usize = 2;

/// Long enough for agents to count as lost, and for who was lost to be back.
const CHAOS: Duration = Duration::from_secs(150);
const CALM: Duration = Duration::from_secs(120);
/// In the end the supervisor asks how things are.
const QUESTIONS: Duration = Duration::from_secs(20);

const FAULTS: u64 = 1 << 32;
const HEAL: u64 = u64::MAX;
const OVER: u64 = u64::MAX - 1;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    Agent,
    Customer(usize),
    Supervisor,
}

struct Party {
    user: Arc<User>,
    role: Role,
    socket: Option<SocketId>,
    /// Rooms whose `room_info` was heard on this socket.
    joined: BTreeSet<String>,
    away_until: Tick,
    asked: u64,
}

/// What one run did, for whoever wants to know that something happened at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Served {
    pub tally: Tally,
    pub given: usize,
    pub requeued: usize,
    pub closed: usize,
}

struct Desks {
    world: World,
    random: Random,
    parties: Vec<Party>,
    owners: BTreeMap<SocketId, usize>,
    faults: Vec<Fault>,
    calm: bool,
    ends: Tick,
    /// What the supervisor was told, by room.
    answers: BTreeMap<String, Value>,
}

/// One seed to its end, or to what must not be.
pub fn run_desks(seed: u64, tracing: bool) -> Result<Served, String> {
    let mut desks = Desks::new(seed, tracing);
    desks.run()?;
    desks.judge()
}

/// A world whose engine loses nothing that it acknowledged: what one room knows of another is to be right in the end.
fn scenario(seed: u64) -> Scenario {
    Scenario {
        lost_tails: 0,
        damages: 0,
        wall_jumps: 0,
        garbage: 0,
        resends: 0,
        asks: false,
        probes: 0,
        chaos: CHAOS,
        calm: CALM,
        ..Scenario::from_seed(seed)
    }
}

fn session(number: usize) -> String {
    format!("support:00000000-0000-4000-8000-{number:012}")
}

impl Desks {
    fn new(seed: u64, tracing: bool) -> Desks {
        let scenario = scenario(seed);
        let mut random = Random::new(seed ^ 0xde5c);
        let agent = |number: usize| {
            user_as(&format!("a{number}"), &format!("Agent {number}"), Some("agent"), Some(vec!["*"]), None)
        };
        let agents = (0..AGENTS).map(|number| (agent(number), Role::Agent));
        let customers = (0..CUSTOMERS).map(|number| {
            (user(&format!("c{number}"), &format!("Customer {number}"), None), Role::Customer(number))
        });
        let supervisor = (user_as("s", "S", Some("supervisor"), None, None), Role::Supervisor);
        let party = |(user, role)| Party {
            user,
            role,
            socket: None,
            joined: BTreeSet::new(),
            away_until: Tick::default(),
            asked: 0,
        };
        let parties: Vec<Party> = agents.chain(customers).chain([supervisor]).map(party).collect();
        let faults = faults::plan(&scenario, &mut random);
        let mut world = World::new(scenario, tracing);
        let start = world.now.tick;
        for index in 0..parties.len() {
            world.remind(start + random.millis(0, 2000), index as u64);
        }
        for (index, fault) in faults.iter().enumerate() {
            world.remind(start + fault.after, FAULTS + index as u64);
        }
        world.remind(start + CHAOS, HEAL);
        let ends = start + CHAOS + CALM;
        world.remind(ends, OVER);
        let (owners, answers) = (BTreeMap::new(), BTreeMap::new());
        Desks { world, random, parties, owners, faults, calm: false, ends, answers }
    }

    fn run(&mut self) -> Result<(), String> {
        loop {
            let happened = self.world.step();
            if let Some(failure) = self.world.failures.first() {
                return Err(format!("a fault of the server's own: {failure:?}"));
            }
            for happened in happened {
                match happened {
                    Happened::Heard(socket, text) => self.heard(socket, &text),
                    Happened::Closed(socket, _) => self.closed(socket),
                    Happened::Reminder(OVER) => return Ok(()),
                    Happened::Reminder(HEAL) => {
                        self.calm = true;
                        self.world.trace(|| "---- the faults stop".to_owned());
                        faults::heal(&mut self.world);
                    }
                    Happened::Reminder(token) if token >= FAULTS => {
                        let kind = self.faults[(token - FAULTS) as usize].kind.clone();
                        if !self.calm {
                            faults::strike(&mut self.world, &mut self.random, &[], &kind);
                        }
                    }
                    Happened::Reminder(token) => self.act(token as usize),
                    Happened::Told(..) => {}
                }
            }
        }
    }

    fn closed(&mut self, socket: SocketId) {
        if let Some(party) = self.owners.get(&socket).copied()
            && self.parties[party].socket == Some(socket)
        {
            self.parties[party].socket = None;
            self.parties[party].joined.clear();
        }
    }

    fn heard(&mut self, socket: SocketId, text: &str) {
        let Some(party) = self.owners.get(&socket).copied() else { return };
        if self.parties[party].socket != Some(socket) {
            return;
        }
        self.world.tally.heard += 1;
        let value: Value = serde_json::from_str(text).unwrap_or_default();
        match value["type"].as_str() {
            Some("room_info") => {
                let room = value["room"].as_str().unwrap_or_default().to_owned();
                self.parties[party].joined.insert(room);
            }
            Some(kind @ ("ack" | "error")) => {
                let id = value["id"].as_str().unwrap_or_default();
                // A session that was never begun is not there; whatever else is refused is asked again.
                let is_answer = kind == "ack" || value["payload"]["code"] == "NOT_FOUND";
                if let Some(question) = id.strip_prefix("how ").filter(|_| is_answer) {
                    let room = question.split(' ').next().unwrap_or_default().to_owned();
                    self.answers.insert(room, value["payload"].clone());
                }
            }
            _ => {}
        }
    }

    fn act(&mut self, party: usize) {
        let asks =
            self.parties[party].role == Role::Supervisor && self.world.now.tick + QUESTIONS >= self.ends;
        let pace = Duration::from_millis(if asks { 500 } else { 1500 });
        let next = self.world.now.tick + self.random.between(pace / 2, pace * 2);
        self.world.remind(next, party as u64);
        if self.parties[party].socket.is_none() {
            self.connect(party);
            return;
        }
        self.stand_by(party);
        if !self.calm {
            self.do_something(party);
        } else if asks {
            self.ask(party);
        }
    }

    fn connect(&mut self, party: usize) {
        if !self.calm && self.parties[party].away_until > self.world.now.tick {
            return;
        }
        let node = self.random.index(self.world.scenario.nodes);
        let user = self.parties[party].user.clone();
        if let Some(socket) = self.world.connect(node, &user) {
            self.owners.insert(socket, party);
            self.parties[party].socket = Some(socket);
        }
    }

    fn say(&mut self, party: usize, kind: &str, room: &str, payload: Value) {
        let Some(socket) = self.parties[party].socket else { return };
        self.parties[party].asked += 1;
        let id = match kind {
            "get_session" | "get_department" => format!("how {room} {}", self.parties[party].asked),
            _ => format!("{} {}", self.parties[party].user.person.id, self.parties[party].asked),
        };
        let frame = match kind {
            "join_room" => json!({"type": kind, "id": id, "payload": {"room_id": room}}),
            _ => json!({"type": kind, "room": room, "id": id, "payload": payload}),
        };
        self.world.say(socket, &frame.to_string());
    }

    /// What anybody's page does by itself: it is in the rooms that it shows.
    fn stand_by(&mut self, party: usize) {
        let rooms: Vec<String> = match self.parties[party].role {
            Role::Agent | Role::Supervisor => DESKS.map(String::from).to_vec(),
            Role::Customer(number) => (0..SESSIONS).map(|which| session(number * SESSIONS + which)).collect(),
        };
        for room in rooms {
            if !self.parties[party].joined.contains(&room) {
                self.say(party, "join_room", &room, Value::Null);
            } else if self.calm && self.parties[party].role == Role::Agent {
                self.say(party, "set_status", &room, json!({"status": "online"}));
            }
        }
    }

    fn do_something(&mut self, party: usize) {
        let now = self.world.now.tick;
        let room = session(self.random.index(CUSTOMERS * SESSIONS));
        let name = room.strip_prefix("support:").unwrap_or_default().to_owned();
        let desk = self.random.pick(&DESKS);
        let department = desk.strip_prefix("support:dept:").unwrap_or_default();
        let agent = format!("a{}", self.random.index(AGENTS));
        let (what, text) = (self.random.index(100), json!({"message": format!("{}", now.0)}));
        let (kind, room, payload) = match (self.parties[party].role, what) {
            (Role::Agent, 0..30) => {
                let status =
                    self.random.pick(&["online", "online", "online", "online", "busy", "away", "offline"]);
                ("set_status", desk.to_owned(), json!({"status": status}))
            }
            (Role::Agent, 30..45) => ("pick", desk.to_owned(), json!({"session_id": name})),
            (Role::Agent, 45..60) if !self.parties[party].joined.contains(&room) => {
                ("join_room", room, Value::Null)
            }
            (Role::Agent, 45..75) => ("send_message", room, text),
            (Role::Agent, 75..85) => ("close", room, json!({})),
            (Role::Agent, 85..90) => ("transfer", room, json!({"agent_id": agent})),
            (Role::Agent, 90..93) => ("transfer", room, json!({"department": department})),
            (Role::Supervisor, 0..25) => {
                ("assign", desk.to_owned(), json!({"session_id": name, "agent_id": agent}))
            }
            (Role::Supervisor, 25..40) => {
                ("transfer", room, json!({"agent_id": agent, "department": department}))
            }
            (Role::Supervisor, 40..50) => ("set_priority", room, json!({"priority": "urgent"})),
            (Role::Customer(number), 0..90) => {
                let room = session(number * SESSIONS + self.random.index(SESSIONS));
                match what {
                    0..40 => ("start", room, json!({"department": department})),
                    40..70 => ("send_message", room, text),
                    70..80 => ("close", room, json!({"rating": 5})),
                    _ => ("reopen", room, json!({})),
                }
            }
            (_, 93..) => {
                // Some are back at once, some are gone for so long that they are missed.
                let Some(socket) = self.parties[party].socket else { return };
                let away = self.random.pick(&[200, 5_000, 80_000].map(Duration::from_millis));
                self.parties[party].away_until = now + away;
                match self.random.index(2) {
                    0 => self.world.cut(socket),
                    _ => self.world.hang_up(socket, true),
                }
                self.closed(socket);
                return;
            }
            _ => return,
        };
        self.say(party, kind, &room, payload);
    }

    /// Two at a time of what was not answered yet: some worlds have places for no more.
    fn ask(&mut self, party: usize) {
        let rooms = DESKS.map(String::from).into_iter().chain((0..CUSTOMERS * SESSIONS).map(session));
        let open: Vec<String> = rooms.filter(|room| !self.answers.contains_key(room)).collect();
        for room in open.into_iter().take(2) {
            let kind = if DESKS.contains(&&*room) { "get_department" } else { "get_session" };
            self.say(party, kind, &room, json!({}));
        }
    }

    /// What the logs hold, and whether clients were told the same.
    fn judge(&mut self) -> Result<Served, String> {
        self.world.engine.hold_still(self.world.now);
        let ledger = &self.world.engine.ledger;
        let mut served = Served { tally: self.world.tally.clone(), ..Served::default() };
        let mut wanted: BTreeMap<String, String> = BTreeMap::new();
        for desk in DESKS {
            let room = RoomId::from_full(desk).ok_or("a desk has a full name")?;
            let Some(log) = ledger.rooms.get(&room) else { continue };
            let mut model = Model::default();
            for entry in log.epochs.values().flatten() {
                model.record(entry).map_err(|error| format!("{desk}: {error}"))?;
                served.given += usize::from(entry.kind == "given");
            }
            model.nobody_waits_in_vain().map_err(|error| format!("{desk}: {error}"))?;
            let told = self.answers.get(desk).ok_or_else(|| format!("nobody said how {desk} is"))?;
            let (waiting, active) = model.counts();
            if (told["waiting_count"].as_u64(), told["active_count"].as_u64())
                != (Some(waiting), Some(active))
            {
                return Err(format!("{desk} has {waiting} waiting and {active} served, and said {told}"));
            }
            for (session, agent) in model.sessions() {
                let status = agent.map_or("waiting".to_owned(), |agent| format!("active {agent}"));
                if let Some(other) = wanted.insert(format!("support:{session}"), status) {
                    return Err(format!("{session} is in both departments, there {other}"));
                }
            }
        }
        for number in 0..CUSTOMERS * SESSIONS {
            let room = session(number);
            let id = RoomId::from_full(&room).ok_or("a session has a full name")?;
            let Some(log) = ledger.rooms.get(&id) else { continue };
            served.requeued += log.epochs.values().flatten().filter(|entry| entry.kind == "requeued").count();
            served.closed += log.epochs.values().flatten().filter(|entry| entry.kind == "closed").count();
            if log.epochs.values().flatten().next().is_none() {
                continue;
            }
            let told = self.answers.get(&room).ok_or_else(|| format!("nobody said how {room} is"))?;
            let status = match (told["status"].as_str().unwrap_or_default(), told["agent"]["id"].as_str()) {
                ("active", Some(agent)) => format!("active {agent}"),
                (status, _) => status.to_owned(),
            };
            let wanted = wanted.get(&room).map_or("closed", String::as_str);
            if status != wanted {
                return Err(format!("{room} says that it is {status}, its department that it is {wanted}"));
            }
        }
        Ok(served)
    }
}
