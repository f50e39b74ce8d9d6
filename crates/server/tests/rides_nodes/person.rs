//! A driver or a passenger: the connection, wherever it is, what was heard by it, and what the person's own room holds.

use std::collections::BTreeMap;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use serde_json::{Value, json};
use websocket::frame;

use crate::support::{Client, Heard};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Role {
    Driver,
    Passenger,
}

impl Role {
    fn name(self) -> &'static str {
        match self {
            Role::Driver => "driver",
            Role::Passenger => "passenger",
        }
    }
}

/// Where somebody waits, and places that many metres north of it.
const PICKUP: (f64, f64) = (-6.2088, 106.8456);

pub(crate) fn at(metres: f64) -> Value {
    json!({"latitude": PICKUP.0 + metres / 111_194.927, "longitude": PICKUP.1})
}

/// The same, so many seconds ago.
pub(crate) fn was_at(metres: f64, seconds_ago: u64) -> Value {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).expect("after 1970").as_secs();
    let (mut said, then) = (at(metres), now - seconds_ago);
    let (days, rest) = ((then / 86_400) as i64, then % 86_400);
    // Years that begin in March, from the one of day 0.
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1_460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, year) = if month < 10 { (month + 3, year) } else { (month - 9, year + 1) };
    let time = format!("{:02}:{:02}:{:02}", rest / 3_600, rest % 3_600 / 60, rest % 60);
    said["timestamp"] = format!("{:04}-{month:02}-{date:02}T{time}Z", year + era * 400).into();
    said
}

pub(crate) struct Person {
    pub role: Role,
    pub id: String,
    pub room: String,
    pub client: Option<Client>,
    pub node: usize,
    /// What was told of one's own room, by place: one's own records as acks.
    told: BTreeMap<u64, Value>,
    epoch: Value,
    /// Where the room stood when it was joined first.
    since: Option<u64>,
    /// How far the test has asked for what was told, by place: what came while it waited for something else is still to be asked for.
    asked: u64,
    serial: u32,
    pub offers: Vec<String>,
    /// The ride one is on, and how it stands.
    pub ride: Option<(String, String)>,
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

impl Person {
    pub(crate) fn new(role: Role, id: &str) -> Person {
        Person {
            role,
            id: id.to_owned(),
            room: format!("rides:{}:{id}", role.name()),
            client: None,
            node: 0,
            told: BTreeMap::new(),
            epoch: Value::Null,
            since: None,
            asked: 0,
            serial: 0,
            offers: Vec::new(),
            ride: None,
        }
    }

    pub(crate) fn driver(id: &str) -> Person {
        Person::new(Role::Driver, id)
    }

    pub(crate) fn passenger(id: &str) -> Person {
        Person::new(Role::Passenger, id)
    }

    /// As `kulkul token` is told.
    pub(crate) fn says(&self) -> Vec<&str> {
        let role: &[&str] = if self.role == Role::Driver { &["--role", "driver"] } else { &[] };
        [&["--user", &self.id], role].concat()
    }

    /// Comes by this connection, to go on where the last one ended.
    pub(crate) fn comes(&mut self, client: Client) {
        self.client = Some(client);
        let mut payload = json!({"room_id": self.room});
        if let Some(offset) = self.told.keys().last().copied().max(self.since) {
            payload["since"] = json!({"epoch": self.epoch, "offset": offset});
        }
        self.send(&json!({"type": "join_room", "id": "join", "payload": payload}));
    }

    /// Comes with nothing remembered; the first frame.
    pub(crate) fn comes_anew(&mut self, client: Client) -> Value {
        self.client = Some(client);
        self.send(&json!({"type": "join_room", "id": "join", "payload": {"room_id": self.room}}));
        let Heard::Text(first) = self.client().hear() else { panic!("{} is not let in", self.room) };
        let first: Value = serde_json::from_str(&first).expect("JSON");
        assert_eq!(first["type"], "room_info", "{first}");
        self.takes(&first);
        first["payload"]["about"].clone()
    }

    pub(crate) fn client(&mut self) -> &mut Client {
        self.client.as_mut().expect("is there")
    }

    pub(crate) fn send(&mut self, said: &Value) {
        // Who has just lost the connection learns of it when listening.
        let frame = frame::masked(frame::Opcode::Text, [1, 2, 3, 4], said.to_string().as_bytes());
        self.client().try_send(&frame).ok();
    }

    /// Under an id of its own, which is answered.
    pub(crate) fn say(&mut self, kind: &str, room: &str, payload: &Value) -> String {
        self.serial += 1;
        let id = format!("{kind} {}", self.serial);
        self.send(&json!({"type": kind, "room": room, "id": id, "payload": payload}));
        id
    }

    pub(crate) fn say_own(&mut self, kind: &str, payload: &Value) -> String {
        let room = self.room.clone();
        self.say(kind, &room, payload)
    }

    /// The answer to what was said; other frames may come before it.
    pub(crate) fn answer(&mut self, id: &str) -> Value {
        self.until(|frame| frame["id"] == id)
    }

    pub(crate) fn done(&mut self, id: &str) -> Value {
        let answer = self.answer(id);
        assert_eq!(answer["type"], "ack", "{answer}");
        answer["payload"].clone()
    }

    pub(crate) fn until(&mut self, wanted: impl Fn(&Value) -> bool) -> Value {
        loop {
            match self.client().hear() {
                Heard::Text(frame) => {
                    let frame: Value = serde_json::from_str(&frame).expect("JSON");
                    self.takes(&frame);
                    if wanted(&frame) {
                        self.has_asked(&frame);
                        return frame;
                    }
                }
                other => panic!("{} waits, and heard {other:?}", self.room),
            }
        }
    }

    fn has_asked(&mut self, frame: &Value) {
        let is_told =
            text(&frame["room"]) == self.room && !matches!(text(&frame["type"]), "ack" | "room_info");
        if let Some(offset) = frame["position"]["offset"].as_u64().filter(|_| is_told) {
            self.asked = self.asked.max(offset);
        }
    }

    /// The next of one's own room that is called so, whether it has come already or not.
    pub(crate) fn next(&mut self, kind: &str) -> Value {
        let has_come = self.told.range(self.asked + 1..).find(|(_, told)| told["type"] == kind);
        if let Some((&offset, told)) = has_come {
            self.asked = offset;
            return told["payload"].clone();
        }
        let room = self.room.clone();
        self.until(|frame| frame["type"] == kind && frame["room"] == room)["payload"].clone()
    }

    /// All that has come. False: the connection has ended.
    pub(crate) fn listens(&mut self) -> bool {
        while let Some(client) = &mut self.client {
            match client.hear_within(Duration::from_millis(1)) {
                None => return true,
                Some(Heard::Text(frame)) => self.takes(&serde_json::from_str(&frame).expect("JSON")),
                Some(_) => self.client = None,
            }
        }
        false
    }

    fn takes(&mut self, frame: &Value) {
        let (kind, payload) = (text(&frame["type"]), &frame["payload"]);
        assert_ne!(kind, "reset", "{frame}");
        if text(&frame["room"]) != self.room {
            return;
        }
        if let Some(offset) = frame["position"]["offset"].as_u64().filter(|_| kind != "room_info") {
            self.epoch = frame["position"]["epoch"].clone();
            let before = self.told.insert(offset, frame.clone());
            // Of one decision's records the last is the ack's; a frame is never told twice.
            let is_again = before.is_some_and(|before| before["type"] != "ack" && kind != "ack");
            assert!(!is_again, "{} was told of {offset} twice: {frame}", self.room);
        }
        if kind == "room_info" && self.since.is_none() {
            self.since = frame["position"]["offset"].as_u64();
            self.epoch = frame["position"]["epoch"].clone();
        }
        let state = if kind == "room_info" { &payload["about"] } else { payload };
        if kind == "room_info" || (kind == "ack" && state["role"].is_string()) {
            let offers = state["offers"].as_array().into_iter().flatten();
            self.offers = offers.map(|offer| text(&offer["match_id"]).to_owned()).collect();
            let (id, status) = (text(&state["ride"]["ride_id"]), text(&state["ride"]["status"]));
            self.ride = state["ride"].is_object().then(|| (id.to_owned(), status.to_owned()));
        }
    }

    /// How often this was told.
    pub(crate) fn told_of(&self, kind: &str) -> usize {
        self.told.values().filter(|frame| frame["type"] == kind).count()
    }

    /// What the room says now.
    pub(crate) fn state(&mut self) -> Value {
        let id = self.say_own("get_state", &json!({}));
        self.done(&id)
    }

    /// All that lasts of the person's own room, in order.
    pub(crate) fn history(&mut self) -> Vec<Value> {
        let (room, mut pages, mut before) = (self.room.clone(), Vec::new(), Value::Null);
        loop {
            let mut payload = json!({"room_id": room, "limit": 100});
            if before.is_object() {
                payload["before"] = before;
            }
            self.send(&json!({"type": "get_history", "id": "history", "payload": payload}));
            let page = self.until(|frame| frame["type"] == "history" && frame["id"] == "history");
            pages.push(page["payload"]["messages"].as_array().expect("messages").clone());
            if page["payload"]["more"] != true {
                return pages.into_iter().rev().flatten().collect();
            }
            before = page["payload"]["next"].clone();
        }
    }

    /// Everything that the room holds was told to its person, once, and nothing else. Returns it.
    pub(crate) fn was_told_all(&mut self) -> Vec<Value> {
        let history = self.history();
        for held in &history {
            let offset = held["position"]["offset"].as_u64().expect("a place");
            let told = self.told.get(&offset).unwrap_or_else(|| panic!("{} was not told: {held}", self.room));
            let is_own = told["type"] == "ack";
            let is_it = (&told["type"], &told["payload"]) == (&held["type"], &held["payload"]);
            assert!(is_own || is_it, "{} was told {told}, and holds {held}", self.room);
        }
        history
    }
}
