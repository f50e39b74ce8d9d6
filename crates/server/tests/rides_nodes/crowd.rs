//! Some tens of drivers and passengers on two nodes who say yes, no and never mind, while one of the nodes dies or says goodbye. Then
//! everybody ends what they are in, and what their rooms hold is read: counts and order are held, and no time.

use std::collections::BTreeMap;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::person::{Person, Role, at};
use crate::support::{Client, PATIENCE, Server};

const DRIVERS: usize = 12;
const PASSENGERS: usize = 24;
/// Matches that are made before the one node goes, and altogether.
const BEFORE: usize = 8;
const MATCHES: usize = 24;

/// splitmix64: what people feel like.
struct Mood(u64);

impl Mood {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }
}

struct Crowd<'a> {
    nodes: [Option<Server>; 2],
    people: Vec<Person>,
    tokens: Vec<String>,
    mood: Mood,
    fleet: &'a Fleet,
}

impl<'a> Crowd<'a> {
    fn gather(fleet: &'a Fleet) -> Crowd<'a> {
        let drivers = (0..DRIVERS).map(|number| Person::driver(&format!("d{number}")));
        let passengers = (0..PASSENGERS).map(|number| Person::passenger(&format!("p{number}")));
        let mut people: Vec<Person> = drivers.chain(passengers).collect();
        let tokens = people.iter().map(|person| fleet.token_with(&person.says())).collect();
        people.iter_mut().enumerate().for_each(|(number, person)| person.node = number % 2);
        let nodes = [Some(fleet.node()), Some(fleet.node())];
        Crowd { nodes, people, tokens, mood: Mood(28), fleet }
    }

    /// Whoever is nowhere comes in, at their node or at the other one. Where a node is going, it takes nobody.
    fn comes(&mut self, who: usize) {
        let own = self.people[who].node;
        let places = [own, 1 - own];
        for node in places.iter().filter_map(|place| Some((*place, self.nodes[*place].as_ref()?))) {
            let target = format!("/ws?token={}", self.tokens[who]);
            if let Ok(client) = Client::open(node.1, &target) {
                self.people[who].node = node.0;
                self.people[who].comes(client);
                return;
            }
        }
    }

    fn acts(&mut self, who: usize) {
        let (mood, person) = (self.mood.below(100), &mut self.people[who]);
        person.say_own("get_state", &json!({}));
        let ride = person.ride.clone().map(|(id, status)| (format!("rides:ride:{id}"), id, status));
        match (&ride, person.role) {
            (Some((_, id, _)), _) if mood < 8 => drop(person.say_own("ride_cancel", &json!({"ride_id": id}))),
            (Some((room, _, status)), Role::Driver) if mood < 80 => {
                let (room, is_on) = (room.clone(), status == "ONGOING");
                if is_on {
                    person.say("ride_arrived", &room, &json!({"adjustment_factor": 0.0}));
                } else {
                    person.say("location_update", &room, &at(0.0));
                    person.say("ride_start", &room, &json!({}));
                }
            }
            (Some(_), _) => {}
            (None, _) if !person.offers.is_empty() => {
                let offer = person.offers[mood % person.offers.len()].clone();
                person.say_own("match_confirm", &json!({"match_id": offer, "accepted": mood < 85}));
            }
            (None, Role::Driver) => {
                let mut beacon = at(mood as f64);
                beacon["is_active"] = (mood < 95).into();
                person.say_own("beacon_update", &beacon);
            }
            (None, Role::Passenger) => {
                let here = at(0.0);
                person.say_own("finder_update", &json!({"is_active": mood < 97, "location": here}));
            }
        }
    }

    /// Everybody listens; who can speaks now and then.
    fn goes_round(&mut self, speaks: impl Fn(&mut Crowd, usize)) {
        for who in 0..self.people.len() {
            if !self.people[who].listens() {
                self.comes(who);
            } else if self.mood.below(4) == 0 {
                speaks(self, who);
            }
        }
    }

    fn until(&mut self, what: &str, mut holds: impl FnMut(&mut Crowd) -> bool) {
        let since = Instant::now();
        while !holds(self) {
            assert!(since.elapsed() < PATIENCE * 3, "{what} does not come true");
        }
    }

    fn made(&self) -> usize {
        let drivers = self.people.iter().filter(|person| person.role == Role::Driver);
        drivers.map(|driver| driver.told_of("ride_pickup")).sum()
    }

    /// Whatever somebody is in, they can end it.
    fn ends(&mut self) {
        let is_free = |person: &Person, state: &Value| {
            let name = if person.role == Role::Driver { "beacon" } else { "finder" };
            state["ride"].is_null()
                && state["offers"].as_array().is_some_and(Vec::is_empty)
                && state[name]["is_active"] == false
        };
        for who in 0..self.people.len() {
            self.until("a free person", |crowd| {
                crowd.goes_round(|_, _| {});
                let person = &mut crowd.people[who];
                if !person.listens() {
                    return false;
                }
                let state = person.state();
                match (state["ride"]["ride_id"].as_str(), person.role) {
                    (Some(id), _) => person.say_own("ride_cancel", &json!({"ride_id": id})),
                    (None, Role::Driver) => person.say_own("beacon_update", &json!({"is_active": false})),
                    (None, Role::Passenger) => person.say_own("finder_update", &json!({"is_active": false})),
                };
                is_free(person, &state)
            });
        }
    }

    /// Of each ride, who was in it by each one's own log; and nobody in two at once.
    fn judges(&mut self) {
        let mut rides: BTreeMap<String, Vec<(Role, String, String)>> = BTreeMap::new();
        for person in &mut self.people {
            assert!(person.listens(), "{} is gone", person.room);
            let (mut has, mut yes): (Option<String>, Vec<String>) = (None, Vec::new());
            for told in person.was_told_all() {
                let (kind, payload) = (told["type"].as_str().unwrap_or_default(), &told["payload"]);
                let id = payload["match_id"].as_str().or(payload["ride_id"].as_str());
                let id = id.unwrap_or_default().to_owned();
                let own =
                    if person.role == Role::Driver { "DRIVER_CONFIRMED" } else { "PASSENGER_CONFIRMED" };
                if payload["match_status"] == own {
                    assert_eq!(told["sender"]["id"], person.id.as_str(), "somebody else said yes: {told}");
                    yes.push(id.clone());
                }
                if payload["match_status"] == "ACCEPTED" {
                    assert!(yes.contains(&id), "{} never said yes to {told}", person.room);
                    assert_eq!(has.replace(id.clone()), None, "{} is given another: {told}", person.room);
                    let of = |name: &str| payload[name].as_str().unwrap_or_default().to_owned();
                    let pair = (person.role, of("driver_id"), of("passenger_id"));
                    rides.entry(id.clone()).or_default().push(pair);
                }
                if ["ride_arrived", "ride_cancelled", "match_rejected"].contains(&kind) {
                    has.take_if(|has| *has == id);
                }
            }
            assert_eq!(has, None, "{} is in it yet", person.room);
        }
        let mut both = 0;
        for (ride, told) in rides {
            let [(_, driver, passenger), others @ ..] = &told[..] else { continue };
            both += usize::from(others.len() == 1);
            assert!(told.len() <= 2, "{ride} is told {told:?}");
            let is_same =
                |(role, d, p): &(Role, String, String)| (d, p) == (driver, passenger) && *role != told[0].0;
            assert!(others.iter().all(is_same), "{ride} is told {told:?}");
        }
        assert!(both >= MATCHES / 2, "{both} matches were told to both");
    }
}

fn meets_while(fleet: &Fleet, goes: impl Fn(Server)) {
    let mut crowd = Crowd::gather(fleet);
    crowd.until("some matches", |crowd| {
        crowd.goes_round(|crowd, who| crowd.acts(who));
        crowd.made() >= BEFORE
    });
    let gone = crowd.nodes[0].take().expect("it is there");
    goes(gone);
    crowd.until("more matches", |crowd| {
        crowd.goes_round(|crowd, who| crowd.acts(who));
        crowd.made() >= MATCHES
    });
    // Another in its place: who was moved stays where they are.
    crowd.nodes[0] = Some(crowd.fleet.node());
    crowd.ends();
    crowd.judges();
}

pub(crate) fn meets_while_a_node_is_killed(fleet: &Fleet) {
    meets_while(fleet, |node| {
        node.signal(Signal::SIGKILL);
        node.wait();
    });
}

pub(crate) fn meets_while_a_node_drains(fleet: &Fleet) {
    meets_while(fleet, |node| {
        node.signal(Signal::SIGTERM);
        let ended = node.wait();
        assert!(ended.success(), "{ended}");
    });
}
