//! One person with a phone: what they know of themselves, and what they say next. They know what their own room told them, and
//! nothing else.

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};
use vocabulary::{Tick, User, Wall};

use crate::random::Random;
use crate::world::{SocketId, user_as};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Driver,
    Passenger,
}

/// What somebody is about to say.
pub(super) struct Said {
    kind: &'static str,
    room: String,
    payload: Value,
    /// As it went out before, its id and all.
    verbatim: Option<String>,
}

impl Said {
    pub(super) fn new(kind: &'static str, room: &str, payload: Value) -> Said {
        Said { kind, room: room.to_owned(), payload, verbatim: None }
    }

    pub(super) fn join(room: &str) -> Said {
        Said::new("join_room", room, json!({"room_id": room}))
    }
}

pub(super) struct Party {
    pub user: Arc<User>,
    pub role: Role,
    pub room: String,
    pub socket: Option<SocketId>,
    pub away_until: Tick,
    /// In the end: how things are.
    pub answer: Option<Value>,
    /// Rooms whose `room_info` was heard on this socket.
    joined: BTreeSet<String>,
    asked: u64,
    state: Value,
    /// In thousandths of a degree from the middle of the world.
    place: (f64, f64),
    before: VecDeque<String>,
    /// Where this phone was of late, with the time: it says some of it again.
    been: VecDeque<Value>,
}

/// Frames that may be said once more.
const BEFORE_MAX: usize = 8;
const MIDDLE: (f64, f64) = (-6.2088, 106.8456);

impl Party {
    pub(super) fn new(role: Role, number: usize) -> Party {
        let (name, id, token) = match role {
            Role::Driver => ("driver", format!("d{number}"), Some("driver")),
            Role::Passenger => ("passenger", format!("p{number}"), None),
        };
        Party {
            user: user_as(&id, &id.to_uppercase(), token, None, None),
            role,
            room: format!("rides:{name}:{id}"),
            socket: None,
            away_until: Tick::default(),
            answer: None,
            joined: BTreeSet::new(),
            asked: 0,
            state: Value::Null,
            place: (0.0, 0.0),
            before: VecDeque::new(),
            been: VecDeque::new(),
        }
    }

    pub(super) fn is_in_own_room(&self) -> bool {
        self.joined.contains(&self.room)
    }

    pub(super) fn hung_up(&mut self, socket: SocketId) {
        if self.socket == Some(socket) {
            self.socket = None;
            self.joined.clear();
        }
    }

    /// `asks`: what is told now is how things are in the end.
    pub(super) fn hears(&mut self, value: &Value, asks: bool) {
        let text = |name: &str| value[name].as_str().unwrap_or_default();
        let (kind, room, id) = (text("type"), text("room"), text("id"));
        let told = match kind {
            "room_info" => {
                self.joined.insert(room.to_owned());
                &value["payload"]["about"]
            }
            "ack" if id.starts_with("get_state ") => &value["payload"],
            _ => return,
        };
        if room != self.room || !told["role"].is_string() {
            return;
        }
        self.state = told.clone();
        if asks {
            self.answer = Some(told.clone());
        }
    }

    pub(super) fn frame(&mut self, said: &Said) -> String {
        if let Some(verbatim) = &said.verbatim {
            return verbatim.clone();
        }
        self.asked += 1;
        let id = format!("{} {}", said.kind, self.asked);
        let frame = match said.kind {
            "join_room" => json!({"type": said.kind, "id": id, "payload": said.payload}),
            _ => json!({"type": said.kind, "room": said.room, "id": id, "payload": said.payload}),
        };
        let frame = frame.to_string();
        if !matches!(said.kind, "join_room" | "get_state") {
            self.before.push_back(frame.clone());
        }
        while self.before.len() > BEFORE_MAX {
            self.before.pop_front();
        }
        frame
    }

    /// What was said before, once more: by a phone that did not hear the answer, however late.
    pub(super) fn again(&self, random: &mut Random) -> Option<Said> {
        let frame = self.before.get(random.index(self.before.len().max(1)))?;
        Some(Said { verbatim: Some(frame.clone()), ..Said::new("again", &self.room, Value::Null) })
    }

    fn own(&self, kind: &'static str, payload: Value) -> Option<Said> {
        Some(Said::new(kind, &self.room, payload))
    }

    fn ride(&self) -> Option<(String, &str)> {
        let ride = &self.state["ride"];
        Some((ride["ride_id"].as_str()?.to_owned(), ride["status"].as_str()?))
    }

    fn point(place: (f64, f64)) -> Value {
        json!({"latitude": MIDDLE.0 + place.0 / 1000.0, "longitude": MIDDLE.1 + place.1 / 1000.0})
    }

    fn anywhere(random: &mut Random, spread: u64) -> (f64, f64) {
        let mut coordinate = || random.below(2000 * spread) as f64 / 1000.0 - spread as f64;
        (coordinate(), coordinate())
    }

    /// Where this phone is, as a phone says it: mostly once, in order; now and then again, late, or a city away.
    fn here(&mut self, random: &mut Random, wall: Wall) -> Value {
        match random.index(100) {
            0..15 if !self.been.is_empty() => return self.been[random.index(self.been.len())].clone(),
            15..18 => {
                let (north, east) = self.place;
                let mut far = Party::point((north + 90.0, east));
                far["timestamp"] = wall.to_string().into();
                return far;
            }
            _ => {}
        }
        let mut here = Party::point(self.place);
        here["timestamp"] = wall.to_string().into();
        self.been.push_back(here.clone());
        while self.been.len() > BEFORE_MAX {
            self.been.pop_front();
        }
        here
    }

    /// Some tens of metres.
    fn stroll(&mut self, random: &mut Random) {
        let mut step = || random.below(1000) as f64 / 1000.0 - 0.5;
        self.place = (self.place.0 + step(), self.place.1 + step());
    }

    /// Where the other one waits, as nearly as phones know.
    fn go_to_pickup(&mut self, random: &mut Random) {
        let pickup = &self.state["ride"]["location"];
        let degrees = |name: &str| pickup[name].as_f64();
        if let (Some(latitude), Some(longitude)) = (degrees("latitude"), degrees("longitude")) {
            self.place = ((latitude - MIDDLE.0) * 1000.0, (longitude - MIDDLE.1) * 1000.0);
            self.stroll(random);
        }
    }

    pub(super) fn acts(&mut self, random: &mut Random, wall: Wall, spread: u64) -> Option<Said> {
        match self.role {
            Role::Driver => self.drives(random, wall, spread),
            Role::Passenger => self.travels(random, spread),
        }
    }

    fn confirms(&self, random: &mut Random) -> Option<Said> {
        let offers = self.state["offers"].as_array()?;
        let id = offers.get(random.index(offers.len().max(1)))?["match_id"].clone();
        self.own("match_confirm", json!({"match_id": id, "accepted": random.per_mille(850)}))
    }

    /// Yes to whoever asks, in one go: then several want the same one at once.
    pub(super) fn confirms_all(&self) -> Vec<Said> {
        let offers = self.state["offers"].as_array().into_iter().flatten();
        let yes = |offer: &Value| json!({"match_id": offer["match_id"], "accepted": true});
        offers.filter_map(|offer| self.own("match_confirm", yes(offer))).collect()
    }

    fn drives(&mut self, random: &mut Random, wall: Wall, spread: u64) -> Option<Said> {
        let what = random.index(100);
        if let Some((id, status)) = self.ride() {
            let room = format!("rides:ride:{id}");
            let on_the_way = status == "ONGOING";
            return match what {
                0..45 => {
                    if on_the_way {
                        self.stroll(random)
                    } else {
                        self.go_to_pickup(random)
                    }
                    let mut here = self.here(random, wall);
                    here["ride_id"] = id.into();
                    Some(Said::new("location_update", &room, here))
                }
                45..60 => {
                    self.stroll(random);
                    let here = self.here(random, wall);
                    self.own("location_update", here)
                }
                60..85 if on_the_way => {
                    let factor = random.pick(&[1.0, 0.9, 0.57, 0.0, 1.5]);
                    Some(Said::new("ride_arrived", &room, json!({"adjustment_factor": factor})))
                }
                60..85 => Some(Said::new("ride_start", &room, json!({}))),
                85..90 => Some(Said::new("pickup_arrived", &room, json!({}))),
                90..93 => Some(Said::new("ride_cancel", &room, json!({"reason": "a flat tyre"}))),
                93..96 => self.own("match_cancel", json!({"match_id": id})),
                _ => None,
            };
        }
        let is_on = self.state["beacon"]["is_active"] == true;
        match what {
            0..60 if !is_on => {
                self.place = Party::anywhere(random, spread);
                let mut on = Party::point(self.place);
                on["is_active"] = true.into();
                self.own("beacon_update", on)
            }
            0..60 => self.confirms(random),
            60..80 => {
                self.stroll(random);
                self.own("location_update", Party::point(self.place))
            }
            80..83 => self.own("beacon_update", json!({"is_active": false})),
            _ => None,
        }
    }

    fn travels(&mut self, random: &mut Random, spread: u64) -> Option<Said> {
        let what = random.index(100);
        let payment = &self.state["payment"];
        if let Some(ride) = payment["ride_id"].as_str().filter(|_| what < 50) {
            let due = payment["adjusted_cost"].as_i64().unwrap_or_default();
            let total = if random.per_mille(800) { due } else { due + 1 };
            let status = if random.per_mille(700) { "ACCEPTED" } else { "REJECTED" };
            let room = format!("rides:ride:{ride}");
            return Some(Said::new("payment_process", &room, json!({"total_cost": total, "status": status})));
        }
        if let Some((id, _)) = self.ride() {
            let room = format!("rides:ride:{id}");
            return match what {
                50..60 => {
                    self.go_to_pickup(random);
                    Some(Said::new("location_update", &room, Party::point(self.place)))
                }
                60..65 => self.own("location_update", Party::point(self.place)),
                65..70 if !self.joined.contains(&room) => Some(Said::join(&room)),
                70..72 => Some(Said::new("ride_cancel", &room, json!({}))),
                72..74 => self.own("ride_cancel", json!({"ride_id": id, "reason": "too late"})),
                _ => None,
            };
        }
        let is_on = self.state["finder"]["is_active"] == true;
        match what {
            0..60 if !is_on => {
                self.place = Party::anywhere(random, spread);
                self.own("finder_update", json!({"is_active": true, "location": Party::point(self.place)}))
            }
            0..70 => self.confirms(random),
            70..73 => self.own("finder_update", json!({"is_active": false})),
            _ => None,
        }
    }

    /// Whatever it is, it can be ended by whoever is in it.
    pub(super) fn ends(&self) -> Option<Said> {
        if let Some((id, _)) = self.ride() {
            return self.own("ride_cancel", json!({"ride_id": id}));
        }
        match self.role {
            Role::Driver => self.own("beacon_update", json!({"is_active": false})),
            Role::Passenger => self.own("finder_update", json!({"is_active": false})),
        }
    }

    /// Where nobody can be found, so that it stays a beginning.
    pub(super) fn begins_anew(&self) -> Option<Said> {
        let here = |latitude: f64| json!({"is_active": true, "latitude": latitude, "longitude": 0.0});
        match self.role {
            Role::Driver => self.own("beacon_update", here(0.0)),
            Role::Passenger => self.own("finder_update", here(1.0)),
        }
    }
}
