//! What drivers and passengers say to what they hear. Everybody is polite and quick: a driver says yes to every passenger, a passenger to
//! the first driver who did. Whatever must not be ends the run.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use serde_json::Value;

use super::map::{Course, Place};

/// What somebody says next, in which room.
pub(super) struct Says {
    pub kind: &'static str,
    pub room: String,
    pub payload: String,
}

impl Says {
    pub(super) fn new(kind: &'static str, room: String, payload: String) -> Says {
        Says { kind, room, payload }
    }
}

pub(super) struct Driver {
    pub name: String,
    pub course: Course,
    /// The match that has the driver.
    pub has: Option<String>,
    pub ride: Option<Ride>,
    /// Positions that were said and not acknowledged.
    pub unacked: u64,
    /// Where the pool must believe the driver to be in the end; none if a match came between.
    pub pooled: Option<Place>,
}

/// A ride that goes on until the end, as its driver has driven it.
pub(super) struct Ride {
    pub room: String,
    pub passenger: usize,
    pub started: bool,
    pub metres: f64,
    pub said_at: Option<Instant>,
    pub ended: bool,
}

#[derive(Default)]
pub(super) struct Passenger {
    pub name: String,
    pub search: Option<Search>,
    /// Stays in the ride; others cancel as soon as they have one.
    pub stays: bool,
    pub driver: Option<usize>,
    /// The newest place of the driver that was heard of.
    pub saw: Option<Place>,
    /// How far the ride went, as its end was told.
    pub told_metres: Option<f64>,
}

pub(super) struct Search {
    pub began: Instant,
    proposed: bool,
    /// Drivers' yeses.
    wanted: VecDeque<String>,
    chosen: Option<String>,
    agreed: Instant,
    matched: bool,
}

/// What came of a frame besides words.
pub(super) enum Came {
    Proposed(Duration),
    Matched(Duration),
    /// The search and what came of it are over.
    Free,
    /// The ride goes on: of the driver, with its name.
    Started,
}

fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or_default()
}

fn yes(id: &str) -> String {
    format!(r#"{{"match_id":"{id}","accepted":true}}"#)
}

impl Driver {
    pub(super) fn room(&self) -> String {
        format!("rides:driver:{}", self.name)
    }

    /// A frame of the driver's own room.
    pub(super) fn hears(&mut self, frame: &Value, says: &mut Vec<Says>) -> Result<Option<Came>> {
        let payload = &frame["payload"];
        match text(frame, "type") {
            "match_proposal" => {
                says.push(Says::new("match_confirm", self.room(), yes(text(payload, "match_id"))))
            }
            "match_confirm" if payload["match_status"] == "ACCEPTED" => {
                let id = text(payload, "match_id");
                if let Some(other) = self.has.replace(id.to_owned()).filter(|other| other != id) {
                    bail!("driver {} has {other} and is given {id}", self.name);
                }
                self.pooled = None;
            }
            "match_rejected" if self.has.as_deref() == Some(text(payload, "match_id")) => self.has = None,
            "ride_started" => {
                let ride = self.ride.as_mut().context("a ride of nobody began")?;
                ride.started = true;
                return Ok(Some(Came::Started));
            }
            "ride_cancelled" | "ride_arrived" => {
                ensure!(
                    self.has.take().as_deref() == Some(text(payload, "ride_id")),
                    "driver {} is told of the end of another ride: {payload}",
                    self.name
                );
                if let Some(ride) = &mut self.ride {
                    ride.ended = true;
                }
            }
            _ => {}
        }
        Ok(None)
    }

    /// Drives to the passenger, and on with them.
    pub(super) fn picks_up(&mut self, passenger: usize, ride: &Value, says: &mut Vec<Says>) -> Result<()> {
        let degrees = |name: &str| ride["location"][name].as_f64().context("a ride has a place");
        self.course.place = Place { latitude: degrees("latitude")?, longitude: degrees("longitude")? };
        let room = format!("rides:ride:{}", text(ride, "ride_id"));
        says.push(Says::new("location_update", room.clone(), format!("{{{}}}", self.course.place.words())));
        says.push(Says::new("ride_start", room.clone(), "{}".to_owned()));
        self.unacked += 1;
        self.ride = Some(Ride { room, passenger, started: false, metres: 0.0, said_at: None, ended: false });
        Ok(())
    }
}

impl Passenger {
    pub(super) fn room(&self) -> String {
        format!("rides:passenger:{}", self.name)
    }

    pub(super) fn looks(&mut self, place: Place, now: Instant) -> Says {
        let (wanted, chosen) = (VecDeque::new(), None);
        self.search =
            Some(Search { began: now, proposed: false, wanted, chosen, agreed: now, matched: false });
        let payload = format!(r#"{{"is_active":true,"location":{{{}}}}}"#, place.words());
        Says::new("finder_update", self.room(), payload)
    }

    fn chooses(&mut self, says: &mut Vec<Says>) {
        let room = self.room();
        let Some(search) = self.search.as_mut().filter(|search| search.chosen.is_none()) else { return };
        let Some(id) = search.wanted.pop_front() else { return };
        says.push(Says::new("match_confirm", room, yes(&id)));
        (search.chosen, search.agreed) = (Some(id), Instant::now());
    }

    /// A frame of the passenger's own room.
    pub(super) fn hears(&mut self, frame: &Value, says: &mut Vec<Says>) -> Result<Option<Came>> {
        let (kind, payload) = (text(frame, "type"), &frame["payload"]);
        let id = text(payload, "match_id").to_owned();
        match (kind, &mut self.search) {
            ("match_proposal", Some(search)) if !search.proposed => {
                search.proposed = true;
                return Ok(Some(Came::Proposed(search.began.elapsed())));
            }
            ("match_confirm", Some(search)) if payload["match_status"] == "DRIVER_CONFIRMED" => {
                search.wanted.push_back(id);
                self.chooses(says);
            }
            ("match_rejected", Some(search)) if !search.matched => {
                search.wanted.retain(|wanted| *wanted != id);
                search.chosen.take_if(|chosen| *chosen == id);
                self.chooses(says);
            }
            ("ride_pickup", Some(search)) if payload["status"] == "ARRIVING" => {
                ensure!(!std::mem::replace(&mut search.matched, true), "{} is matched twice", self.name);
                let took = search.agreed.elapsed();
                if !self.stays {
                    let ride = format!(r#"{{"ride_id":"{id}"}}"#);
                    says.push(Says::new("ride_cancel", self.room(), ride));
                }
                return Ok(Some(Came::Matched(took)));
            }
            ("ride_cancelled", _) => {
                ensure!(!self.stays, "the ride of {} was cancelled: {payload}", self.name);
                self.search = None;
                return Ok(Some(Came::Free));
            }
            ("ride_arrived", _) => self.told_metres = payload["distance_m"].as_f64(),
            ("no_driver_found", _) => bail!("{} found no driver", self.name),
            _ => {}
        }
        Ok(None)
    }
}
