//! What the logs of rides come to, by a model that is too simple to be wrong: who said yes, who had whom, what was measured and what
//! was paid.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::Ridden;
use super::meter::Meter;
use crate::ledger::{Entry, Ledger};

/// What the simulated nodes go by.
const RATE_PER_KM: i64 = 3_000;
const CANCELLATION_FEE: i64 = 2_000;

#[derive(Debug, Default)]
struct Ride {
    /// Its driver's room and its passenger's.
    people: [String; 2],
    status: &'static str,
    meter: Meter,
    due: Option<i64>,
    paid: bool,
}

#[derive(Debug, Default)]
pub(super) struct Model {
    /// Whose own room holds a yes to which match.
    yes: BTreeSet<(String, String)>,
    /// Who was ever in which match.
    had: BTreeMap<String, BTreeSet<String>>,
    /// Matches that somebody was in and that came to nothing before there was a ride.
    let_go: BTreeSet<String>,
    /// By room: the match that has the person now.
    has: BTreeMap<String, String>,
    rides: BTreeMap<String, Ride>,
    proposed: usize,
    cancelled: usize,
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn number(value: &Value) -> i64 {
    value.as_i64().unwrap_or(i64::MIN)
}

impl Model {
    pub(super) fn of(ledger: &Ledger) -> Result<Model, String> {
        let mut model = Model::default();
        let logs = || {
            let rooms = ledger.rooms.iter().filter(|(room, _)| room.app() == "rides");
            rooms.flat_map(|(room, log)| log.epochs.values().flatten().map(move |entry| (room.name(), entry)))
        };
        // Of a ride it is asked what both people's logs say, so these come first.
        for (room, entry) in logs().filter(|(room, _)| !room.starts_with("ride:")) {
            model.person(room, entry).map_err(|error| format!("{room}: {error}"))?;
        }
        for (room, entry) in logs() {
            if let Some(id) = room.strip_prefix("ride:") {
                model.ride(id, entry).map_err(|error| format!("{room}: {error}"))?;
            }
        }
        Ok(model)
    }

    fn person(&mut self, room: &str, entry: &Entry) -> Result<(), String> {
        let body: Value = serde_json::from_str(&entry.body).map_err(|error| error.to_string())?;
        let id = text(&body["proposal"]["match_id"]);
        match &*entry.kind {
            "proposed" => self.proposed += 1,
            "confirmed" => {
                let own = room.split_once(':').map(|(_, own)| own);
                if entry.author.as_deref() != own {
                    return Err(format!("{id} was confirmed by {:?}", entry.author));
                }
                self.yes.insert((room.to_owned(), id));
            }
            "claimed" | "accepted" => {
                if let Some(other) = self.has.insert(room.to_owned(), id.clone()) {
                    return Err(format!("has {other} and is given {id}"));
                }
                if !self.yes.contains(&(room.to_owned(), id.clone())) {
                    return Err(format!("never said yes to {id}"));
                }
                self.had.entry(id).or_default().insert(room.to_owned());
            }
            "withdrawn" => {
                if self.has.get(room) == Some(&id) {
                    self.let_go.insert(id.clone());
                }
                self.release(room, &id);
            }
            "ride" => {
                let stands = &body["stands"];
                if matches!(stands["status"].as_str(), Some("ARRIVED" | "COMPLETED" | "CANCELLED")) {
                    self.release(room, &text(&stands["ride_id"]));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn release(&mut self, room: &str, id: &str) {
        if self.has.get(room).is_some_and(|has| has == id) {
            self.has.remove(room);
        }
    }

    fn ride(&mut self, id: &str, entry: &Entry) -> Result<(), String> {
        let body: Value = serde_json::from_str(&entry.body).map_err(|error| error.to_string())?;
        if entry.kind == "began" {
            let of = |side: &str| format!("{side}:{}", text(&body["proposal"][side]["id"]));
            let people = [of("driver"), of("passenger")];
            for person in &people {
                if !self.yes.contains(&(person.clone(), id.to_owned())) {
                    return Err(format!("began, and {person} never said yes"));
                }
                if !self.had.get(id).is_some_and(|had| had.contains(person)) {
                    return Err(format!("began, and {person} was never in it"));
                }
            }
            if self.let_go.contains(id) {
                return Err("began, and one of the two was let go".to_owned());
            }
            let ride = Ride { people, status: "arriving", ..Ride::default() };
            let before = self.rides.insert(id.to_owned(), ride);
            return before.map_or(Ok(()), |_| Err("began twice".to_owned()));
        }
        if entry.kind == "void" || entry.kind == "told" {
            return Ok(());
        }
        let ride = self.rides.get_mut(id).ok_or_else(|| format!("{} before it began", entry.kind))?;
        self.cancelled += usize::from(entry.kind == "cancelled");
        ride.goes_on(entry, &body)
    }

    pub(super) fn everything_has_ended(&self) -> Result<(), String> {
        if let Some((room, id)) = self.has.first_key_value() {
            return Err(format!("{room} is still in {id}"));
        }
        for (id, ride) in &self.rides {
            if !matches!(ride.status, "arrived" | "completed" | "cancelled") {
                return Err(format!("ride {id} of {:?} never ended: {ride:?}", ride.people));
            }
        }
        Ok(())
    }

    /// Rides that money went for, and the rooms of their people.
    pub(super) fn paid(&self) -> impl Iterator<Item = (&str, &[String; 2])> {
        let paid = self.rides.iter().filter(|(_, ride)| ride.paid);
        paid.map(|(id, ride)| (id.as_str(), &ride.people))
    }

    pub(super) fn costs(&self, ride: &str) -> Option<i64> {
        self.rides.get(ride)?.due
    }

    pub(super) fn ridden(&self) -> Ridden {
        let count = |is: &dyn Fn(&Ride) -> bool| self.rides.values().filter(|ride| is(ride)).count();
        Ridden {
            proposed: self.proposed,
            matched: self.rides.len(),
            arrived: count(&|ride| matches!(ride.status, "arrived" | "completed")),
            paid: count(&|ride| ride.paid && ride.due > Some(0)),
            cancelled: self.cancelled,
            repeated: self.rides.values().map(|ride| ride.meter.repeated).sum(),
            ..Ridden::default()
        }
    }
}

impl Ride {
    fn goes_on(&mut self, entry: &Entry, body: &Value) -> Result<(), String> {
        match (&*entry.kind, self.status) {
            ("pickup", "arriving") => self.status = "pickup",
            ("started", "arriving" | "pickup") => {
                if number(&body["apart_mm"]) > 100_000 {
                    return Err(format!("began {} mm apart", body["apart_mm"]));
                }
                self.meter = Meter::from(&body["driver"])?;
                self.status = "ongoing";
            }
            ("point", "ongoing") => self.meter.takes(&body["spot"], &body["verdict"])?,
            ("arrived", "ongoing") => {
                let fare = (self.meter.millimetres * RATE_PER_KM + 500_000) / 1_000_000;
                self.owes(&body["due"]["bill"], fare)?;
                let is_paid = self.due == Some(0);
                (self.status, self.paid) = if is_paid { ("completed", true) } else { ("arrived", false) };
            }
            ("cancelled", status @ ("arriving" | "pickup" | "ongoing")) => {
                let has_fee = status == "pickup" && body["by"] == "passenger";
                if has_fee != body["due"].is_object() {
                    return Err(format!("{status}, and cancelled with {body}"));
                }
                if has_fee {
                    self.owes(&body["due"]["bill"], CANCELLATION_FEE)?;
                }
                self.status = "cancelled";
            }
            ("payment", "arrived" | "cancelled") => {
                if self.due.is_none() || self.paid {
                    return Err(format!("was paid, and {:?} was due, paid {}", self.due, self.paid));
                }
                self.paid = body["accepted"] == true;
                if self.paid && self.status == "arrived" {
                    self.status = "completed";
                }
            }
            _ => return Err(format!("{} while it is {}", entry.kind, self.status)),
        }
        Ok(())
    }

    /// Reckoned here once more.
    fn owes(&mut self, bill: &Value, fare: i64) -> Result<(), String> {
        let adjusted = fare * number(&bill["factor"]) / 10_000;
        let fee = adjusted * 5 / 100;
        let reckoned = [("fare", fare), ("adjusted", adjusted), ("fee", fee), ("payout", adjusted - fee)];
        for (name, amount) in reckoned {
            if number(&bill[name]) != amount {
                return Err(format!(
                    "{name} is {amount} after {} mm, and the bill is {bill}",
                    self.meter.millimetres
                ));
            }
        }
        self.due = Some(adjusted);
        Ok(())
    }
}
