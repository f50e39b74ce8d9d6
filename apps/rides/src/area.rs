//! A square of the map, `rides:area:{cell}`: who is in it just now. It has no records: drivers', passengers' and rides' rooms say again and
//! again where theirs is, as soft values; passengers' rooms ask who is near, and operators look. What it knows may be old; an offer to a driver
//! who is gone or taken is refused by that driver's own room.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Room, SoftChange, SoftDraft};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::{Caller, Class, Code, Payload, Refusal, RoomId, Shown, StepId, Wall};

use crate::geo::{Cell, Point, RADIUS_MM_MAX};
use crate::standing::{Side, is_operator};
use crate::trip::Status;
use crate::vehicle::Vehicle;
use crate::wire::{Party, read, told_metres, told_point, written};

/// What rooms say of theirs, and how passengers' rooms ask.
pub(crate) const HERE: &str = "here";
pub(crate) const SEARCHING: &str = "searching";
pub(crate) const RIDING: &str = "riding";
pub(crate) const LEFT: &str = "left";
pub(crate) const NEARBY: &str = "nearby";

/// Somebody is in a square as long as that is said: rooms repeat it every five seconds.
const HERE_FOR: Duration = Duration::from_secs(30);
/// Of one square's drivers those who are nearest: as many as may be asked at a time, and for each who was asked already one more...
pub(crate) const NEAREST_MIN: usize = 20;
/// ...up to what an answer of some ten thousand bytes has place for.
pub(crate) const NEAREST_MAX: usize = 100;
/// Of each kind, in an operator's list: what a page can draw, in a frame of some ten thousand bytes. Counts are of all.
const LISTED_MAX: usize = 200;

/// What a driver's room says, and a ride's of its driver.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct IsHere {
    pub name: String,
    #[serde(flatten)]
    pub point: Point,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    /// When the driver said so.
    #[serde(default)]
    pub at: i64,
    /// They can be asked for nobody: the ride that has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ride: Option<String>,
}

/// What a passenger's room says while it looks for a driver.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsSearching {
    pub name: String,
    pub pickup: Point,
    pub target: Option<Point>,
    pub since: i64,
    pub until: i64,
    /// Offers that are open, and drivers who were asked so far.
    pub offers: usize,
    pub asked: u32,
}

/// What a ride's room says until the ride is over.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsRiding {
    pub status: Status,
    pub driver: Party,
    pub passenger: Party,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    pub pickup: Point,
    pub target: Option<Point>,
    /// Where the driver was when that was written down last.
    pub point: Point,
    pub since: i64,
}

/// What a passenger's room asks.
#[derive(Serialize, Deserialize)]
pub(crate) struct WhoIsNear {
    #[serde(flatten)]
    pub point: Point,
    pub radius_mm: i64,
    #[serde(default)]
    pub many: usize,
}

/// A driver in reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Near {
    pub distance_mm: i64,
    pub driver: Party,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    #[serde(flatten)]
    pub point: Point,
    #[serde(default)]
    pub at: i64,
}

/// Whom a back end asks who is near a place, and what: the squares that a circle touches. `None`: no such place, or no such circle.
pub fn around(app: &str, latitude: f64, longitude: f64, radius_m: i64) -> Option<(Vec<RoomId>, Payload)> {
    let point = Point::of_degrees(latitude, longitude)?;
    let radius_mm = radius_m.checked_mul(1_000).filter(|radius| (1..=RADIUS_MM_MAX).contains(radius))?;
    let rooms = point.cells_within(radius_mm).into_iter().map(|cell| room(app, &cell.name())).collect();
    Some((rooms, written(&WhoIsNear { point, radius_mm, many: NEAREST_MIN })))
}

/// What all of them answered, as one: the nearest first, as many as one square would name.
pub fn nearest(answers: &[Payload]) -> Vec<Value> {
    let mut near: BTreeMap<String, Near> = BTreeMap::new();
    for found in answers.iter().filter_map(read::<Vec<Near>>).flatten() {
        // In two squares at once is whoever has just left one of them.
        let known = near.get(&found.driver.id).map_or(i64::MAX, |known| known.distance_mm);
        if found.distance_mm < known {
            near.insert(found.driver.id.clone(), found);
        }
    }
    let mut near: Vec<Near> = near.into_values().collect();
    near.sort_by(|a, b| (a.distance_mm, &a.driver.id).cmp(&(b.distance_mm, &b.driver.id)));
    near.truncate(NEAREST_MIN);
    let told = |near: &Near| {
        let vehicle = near.vehicle.as_ref().map(Vehicle::told);
        json!({"driver_id": near.driver.id, "driver_name": near.driver.name, "vehicle": vehicle,
            "location": told_point(near.point), "distance_m": told_metres(near.distance_mm)})
    };
    near.iter().map(told).collect()
}

pub(crate) fn is_area(name: &str) -> bool {
    Cell::of_name(name).is_some()
}

pub(crate) fn room(app: &str, cell: &str) -> RoomId {
    RoomId::new(app, &format!("area:{cell}"))
}

pub(crate) fn decide<S>(
    room: &Room<'_, S>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    match caller {
        Caller::Step(step) => heard(room, step, action),
        Caller::Duty { .. } | Caller::Outcome { .. } => Ok(Decision::nothing()),
        _ if caller.user().is_some() && !is_operator(caller) => Err(Refusal::unauthorized()),
        _ => match action.kind {
            "get_state" => Ok(Decision::reply(state(room))),
            NEARBY if caller.user().is_none() => near(room, action.payload),
            kind => Err(Refusal::new(
                Code::UnknownType,
                format!("unknown message type: {kind} (a square of the map knows get_state)"),
            )),
        },
    }
}

fn unread() -> Refusal {
    Refusal::new(Code::InvalidPayload, "an area hears drivers, passengers and rides as they speak")
}

fn said(key: String, value: Option<Payload>) -> SoftDraft {
    let class = class_of(&key);
    SoftDraft { key: Arc::from(key), value, time_to_live: HERE_FOR, class }
}

/// Of each driver, search and ride the newest is enough for who reads slowly.
fn class_of(key: &str) -> Class {
    let hash = key.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    Class::Latest(hash >> 1)
}

/// Every room speaks of its own: under its name stands what it says.
fn heard<S>(room: &Room<'_, S>, step: &StepId, action: Action<'_>) -> Result<Decision, Refusal> {
    let saga = step.saga.name();
    let is_of = |prefix: &str| saga.strip_prefix(prefix).ok_or_else(Refusal::unauthorized);
    let holds = |key: &str| room.soft.get(key).and_then(read::<IsHere>);
    match action.kind {
        HERE => {
            is_of("driver:")?;
            let here: IsHere = read(action.payload).ok_or_else(unread)?;
            Ok(Decision::soft(said(saga.to_owned(), Some(written(&here)))))
        }
        SEARCHING => {
            is_of("passenger:")?;
            let searching: IsSearching = read(action.payload).ok_or_else(unread)?;
            Ok(Decision::soft(said(saga.to_owned(), Some(written(&searching)))))
        }
        RIDING => {
            let id = is_of("ride:")?;
            let riding: IsRiding = read(action.payload).ok_or_else(unread)?;
            let name = riding.driver.name.clone();
            let (vehicle, ride) = (riding.vehicle.clone(), Some(id.to_owned()));
            let driver = IsHere { name, point: riding.point, vehicle, at: riding.since, ride };
            let soft = vec![
                said(Side::Driver.room(&riding.driver.id), Some(written(&driver))),
                said(saga.to_owned(), Some(written(&riding))),
            ];
            Ok(Decision { soft, ..Decision::nothing() })
        }
        LEFT => {
            let ridden = room.soft.get(saga).filter(|_| saga.starts_with("ride:")).and_then(read::<IsRiding>);
            let driver = ridden.map(|riding| Side::Driver.room(&riding.driver.id));
            let is_its =
                |key: &String| holds(key).and_then(|here| here.ride).as_deref() == saga.strip_prefix("ride:");
            // A driver whom a ride has is no more in the pool, but here.
            let is_ridden =
                saga.starts_with("driver:") && holds(saga).is_some_and(|here| here.ride.is_some());
            let own = (!is_ridden).then(|| said(saga.to_owned(), None));
            let soft = own.into_iter().chain(driver.filter(is_its).map(|key| said(key, None))).collect();
            Ok(Decision { soft, ..Decision::nothing() })
        }
        NEARBY => near(room, action.payload),
        kind => Err(Refusal::new(Code::UnknownType, format!("an area takes no {kind}"))),
    }
}

fn near<S>(room: &Room<'_, S>, asked: &Payload) -> Result<Decision, Refusal> {
    let asked: WhoIsNear =
        read(asked).filter(|asked: &WhoIsNear| asked.point.is_on_earth()).ok_or_else(unread)?;
    let near = room.soft.iter().filter_map(|(key, value)| {
        let (id, here) = (key.strip_prefix("driver:")?, read::<IsHere>(value)?);
        let distance_mm = asked.point.millimetres_to(here.point);
        let driver = Party { id: id.to_owned(), name: here.name };
        let is_near = here.ride.is_none() && distance_mm <= asked.radius_mm;
        is_near.then_some(Near { distance_mm, driver, vehicle: here.vehicle, point: here.point, at: here.at })
    });
    let mut near: Vec<Near> = near.collect();
    near.sort_by(|a, b| (a.distance_mm, &a.driver.id).cmp(&(b.distance_mm, &b.driver.id)));
    near.truncate(asked.many.clamp(NEAREST_MIN, NEAREST_MAX));
    Ok(Decision::reply(written(&near)))
}

/// The three kinds of things in a square, by the first part of their key: how they are called where they come and where they go, and by what.
#[derive(Clone, Copy)]
struct Thing {
    here: &'static str,
    left: &'static str,
    id: &'static str,
    told: fn(&str, &Payload) -> Option<Value>,
}

fn thing(key: &str) -> Option<(Thing, &str)> {
    let (prefix, id) = key.split_once(':')?;
    let thing = match prefix {
        "driver" => Thing { here: "driver_here", left: "driver_left", id: "driver_id", told: driver },
        "passenger" => Thing { here: "search_here", left: "search_left", id: "passenger_id", told: search },
        "ride" => Thing { here: "ride_here", left: "ride_left", id: "ride_id", told: ride },
        _ => return None,
    };
    Some((thing, id))
}

fn driver(id: &str, value: &Payload) -> Option<Value> {
    let here: IsHere = read(value)?;
    let vehicle = here.vehicle.map(|vehicle| vehicle.told());
    Some(json!({"driver_id": id, "driver_name": here.name, "location": told_point(here.point),
        "vehicle": vehicle, "available": here.ride.is_none(), "ride_id": here.ride}))
}

fn search(id: &str, value: &Payload) -> Option<Value> {
    let search: IsSearching = read(value)?;
    Some(json!({"passenger_id": id, "passenger_name": search.name, "location": told_point(search.pickup),
        "target_location": search.target.map(told_point), "created_at": Wall(search.since).to_string(),
        "expires_at": Wall(search.until).to_string(), "offers": search.offers, "asked": search.asked}))
}

fn ride(id: &str, value: &Payload) -> Option<Value> {
    let ride: IsRiding = read(value)?;
    Some(json!({"ride_id": id, "status": ride.status.name(),
        "driver_id": ride.driver.id, "driver_name": ride.driver.name,
        "passenger_id": ride.passenger.id, "passenger_name": ride.passenger.name,
        "location": told_point(ride.pickup), "target_location": ride.target.map(told_point),
        "driver_location": told_point(ride.point), "created_at": Wall(ride.since).to_string()}))
}

/// All that is here, for operators.
fn state<S>(room: &Room<'_, S>) -> Payload {
    let listed = |prefix: &str| {
        let all = room.soft.iter().filter(|(key, _)| key.starts_with(prefix));
        let told = all.filter_map(|(key, value)| thing(key).and_then(|(thing, id)| (thing.told)(id, value)));
        let mut list: Vec<Value> = told.collect();
        let count = list.len();
        list.truncate(LISTED_MAX);
        (list, count)
    };
    let (drivers, searches, rides) = (listed("driver:"), listed("passenger:"), listed("ride:"));
    let counts = json!({"drivers": drivers.1, "searches": searches.1, "rides": rides.1});
    written(&json!({"drivers": drivers.0, "searches": searches.0, "rides": rides.0, "counts": counts}))
}

/// What was said again as it was is no news.
pub(crate) fn glimpse(change: &SoftChange<'_>) -> Option<Shown> {
    let (thing, id) = thing(change.key)?;
    if change.value == change.before {
        return None;
    }
    let (kind, payload) = match change.value {
        Some(value) => (thing.here, (thing.told)(id, value)?),
        None => (thing.left, json!({ thing.id: id })),
    };
    let (payload, class) = (payload.to_string().into(), class_of(change.key));
    Some(Shown { kind, payload, sender: None, class, lasting: false })
}
