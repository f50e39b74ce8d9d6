//! The subjects of seed 004's fleet, and what is said in rooms of rides as its services write it there. Names of subjects, streams,
//! consumers and fields are that fleet's, and verbatim; what the fleet has no subject for has one of ours.

use std::time::Duration;

use crossing::{Poison, id, poison, room, text};
use serde_json::{Map, Value, json};
use vocabulary::{Outward, lower_uuid};

use crate::said::{Meant, Said};
use crate::tables::{Durable, PENDING_MAX, Retention, Stream};

/// The app that these rooms are of.
pub(crate) const APP: &str = "rides";

const HOUR: Duration = Duration::from_secs(3600);
const DAY: Duration = Duration::from_secs(24 * 3600);
const MEGABYTE: u64 = 1 << 20;

/// Who matches and bills, as `rides.authority` says.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    Kulkul,
    Fleet,
}

/// One subject that is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Event {
    Beacon,
    Finder,
    MatchFound,
    MatchAccepted,
    MatchRejected,
    RidePickup,
    RideStarted,
    RideArrived,
    RideCompleted,
    /// Of a driver, for whoever measures.
    Location,
    /// The same, for whoever looks on.
    Moved,
    Aggregate,
}

/// A subject, its stream, the consumer of it that is ours to read, where that begins, how often a message is given out.
type Row = (Event, &'static str, &'static str, &'static str, bool, u32);

/// Of the services whose work is done here.
const OURS: [Row; 3] = [
    (Event::Beacon, "user.beacon", "USER_STREAM", "user_beacon_match", true, 3),
    (Event::Finder, "user.finder", "USER_STREAM", "user_finder_match", true, 3),
    (Event::Location, "location.update", "LOCATION_STREAM", "location_update_location", false, 2),
];

/// Of the service that has the sockets. The last three the fleet has no consumer for there; they are named as the others are.
const THEIRS: [Row; 9] = [
    (Event::MatchFound, "match.found", "MATCH_STREAM", "match_found_users", true, 5),
    (Event::MatchAccepted, "match.accepted", "MATCH_STREAM", "match_accepted_users", true, 5),
    (Event::MatchRejected, "match.rejected", "MATCH_STREAM", "match_rejected_users", true, 3),
    (Event::RidePickup, "ride.pickup", "RIDE_STREAM", "ride_pickup_users", false, 5),
    (Event::RideStarted, "ride.started", "RIDE_STREAM", "ride_started_users", false, 5),
    (Event::RideCompleted, "ride.completed", "RIDE_STREAM", "ride_completed_users", false, 3),
    (Event::RideArrived, "ride.arrived", "RIDE_STREAM", "ride_arrived_users", false, 5),
    (Event::Moved, "location.update", "LOCATION_STREAM", "location_update_users", false, 2),
    (Event::Aggregate, "location.aggregate", "LOCATION_STREAM", "location_aggregate_users", false, 3),
];

/// Subjects that the fleet has none for.
const MORE: [&str; 10] = [
    "match.confirm",
    "match.cancel",
    "ride.at_pickup",
    "ride.start",
    "ride.arrive",
    "ride.cancel",
    "ride.cancelled",
    "ride.pay",
    "ride.payment",
    "location.passenger",
];

pub(crate) fn streams() -> Vec<Stream> {
    let stream = |name: &str, subjects: &[&str], retention, in_memory, age, megabytes, messages_max| Stream {
        name: name.to_owned(),
        subjects: subjects.iter().map(|subject| (*subject).to_owned()).collect(),
        retention,
        in_memory,
        age,
        bytes_max: megabytes * MEGABYTE,
        messages_max,
    };
    let rides = ["ride.pickup", "ride.started", "ride.arrived", "ride.completed"];
    let matches = ["match.found", "match.rejected", "match.accepted"];
    let (interest, limits) = (Retention::Interest, Retention::Limits);
    vec![
        stream("USER_STREAM", &["user.beacon", "user.finder"], interest, false, DAY, 100, Some(1_000_000)),
        stream("MATCH_STREAM", &matches, interest, false, HOUR, 50, None),
        stream("RIDE_STREAM", &rides, limits, false, 7 * DAY, 200, None),
        stream(
            "LOCATION_STREAM",
            &["location.update", "location.aggregate"],
            interest,
            true,
            2 * HOUR,
            100,
            None,
        ),
        stream("KULKUL_RIDES_STREAM", &MORE, limits, false, DAY, 100, None),
    ]
}

fn durable((event, subject, stream, name, all, deliver_max): &Row) -> (Event, &'static str, Durable) {
    let (name, subject) = ((*name).to_owned(), (*subject).to_owned());
    (
        *event,
        stream,
        Durable { name, subject, all: *all, deliver_max: *deliver_max, pending_max: PENDING_MAX },
    )
}

impl Authority {
    /// What is read, by stream and consumer.
    pub(crate) fn reads(self) -> Vec<(Event, &'static str, Durable)> {
        match self {
            Authority::Kulkul => OURS.iter().map(durable).collect(),
            Authority::Fleet => THEIRS.iter().map(durable).collect(),
        }
    }

    /// Consumers of services that what is produced here is for. A stream keeps what somebody wants: without them, and before those
    /// services begin, it would keep nothing.
    pub(crate) fn others(self) -> Vec<(&'static str, Durable)> {
        match self {
            Authority::Kulkul => Vec::new(),
            Authority::Fleet => {
                OURS.iter().map(durable).map(|(_, stream, durable)| (stream, durable)).collect()
            }
        }
    }

    /// What happened here, or what a client asks for, as the fleet has it. None: it is nothing for others.
    pub(crate) fn row(self, outward: &Outward) -> Option<(&'static str, Value)> {
        let shown: Value = serde_json::from_slice(&outward.shown.payload).ok()?;
        match self {
            Authority::Kulkul => happened(outward, shown),
            Authority::Fleet => asked(outward, &shown),
        }
    }
}

fn happened(outward: &Outward, mut shown: Value) -> Option<(&'static str, Value)> {
    let subject = match outward.shown.kind {
        "match_proposal" => "match.found",
        "match_confirm" if shown["match_status"] == "ACCEPTED" => "match.accepted",
        "match_rejected" => "match.rejected",
        "ride_pickup" => "ride.pickup",
        "ride_started" => "ride.started",
        "ride_arrived" => "ride.arrived",
        "ride_completed" => "ride.completed",
        "ride_cancelled" => "ride.cancelled",
        "payment_processed" => "ride.payment",
        _ => return None,
    };
    if subject == "ride.pickup" {
        // The fleet's rides begin with this status, and know none before it.
        shown["status"] = "PICKUP".into();
    }
    Some((subject, shown))
}

/// Who asks is who the room says, whatever the payload says.
fn asked(outward: &Outward, shown: &Value) -> Option<(&'static str, Value)> {
    let (kind, name) = outward.room.name().split_once(':')?;
    let (data, user, role) = (&shown["data"], shown["user_id"].as_str()?, shown["role"].as_str());
    let at = outward.at.to_string();
    let ride_id = || if kind == "ride" { name.into() } else { data["ride_id"].clone() };
    let (subject, mut value) = match outward.shown.kind {
        "beacon_update" => {
            ("user.beacon", json!({ "is_active": data["is_active"], "location": location(data, &at) }))
        }
        "finder_update" => {
            let target = &data["target_location"];
            let target = if target.is_null() { Value::Null } else { location(target, &at) };
            let value = json!({ "is_active": data["is_active"], "location": location(data, &at), "target_location": target });
            ("user.finder", value)
        }
        "location_update" => {
            let (subject, who) = match role {
                Some("passenger") => ("location.passenger", "passenger_id"),
                _ => ("location.update", "driver_id"),
            };
            let value =
                json!({ "ride_id": ride_id(), who: user, "location": location(data, &at), "created_at": at });
            return Some((subject, value));
        }
        word => {
            let subject = match word {
                "match_confirm" => "match.confirm",
                "match_cancel" => "match.cancel",
                "pickup_arrived" => "ride.at_pickup",
                "ride_start" | "ride_started" => "ride.start",
                "ride_arrived" => "ride.arrive",
                "ride_cancel" => "ride.cancel",
                "payment_process" | "payment_processed" => "ride.pay",
                _ => return None,
            };
            let mut value = Value::Object(data.as_object().cloned().unwrap_or_default());
            if let ("match_confirm", Some(accepted)) = (word, data["accepted"].as_bool()) {
                value["status"] = if accepted { "ACCEPTED" } else { "REJECTED" }.into();
            }
            if word.starts_with("ride") || word.starts_with("pay") || word.starts_with("pick") {
                value["ride_id"] = ride_id();
            }
            value["role"] = json!(role);
            (subject, value)
        }
    };
    value["user_id"] = user.into();
    value["timestamp"] = at.into();
    Some((subject, value))
}

/// A point, which clients write beside other fields or within one; null where they say none.
fn location(data: &Value, at: &str) -> Value {
    let point = if data["location"].is_object() { &data["location"] } else { data };
    if point["latitude"].is_null() {
        return Value::Null;
    }
    let time = [&point["timestamp"], &data["timestamp"]].into_iter().find(|time| !time.is_null());
    let time = time.cloned().unwrap_or_else(|| at.into());
    json!({ "latitude": point["latitude"], "longitude": point["longitude"], "timestamp": time })
}

impl Event {
    /// `id`: what the message is known again by.
    pub(crate) fn meant(self, named: Option<String>, value: &Value) -> Result<Meant, Poison> {
        let needed = |value: &Value, name: &str| {
            text(value.get(name)).ok_or_else(|| Poison(format!("`{name}` must be a text that is not empty")))
        };
        let ride_of = |value: &Value| {
            let written = needed(value, "ride_id")?;
            lower_uuid(&written)
                .map_or_else(|| poison(format!("`ride_id` is {written:?}, and must be a UUID")), Ok)
        };
        // Ids are texts, and a ride's is in lower case, as rooms and clients know them.
        let of_two = |value: &Value| -> Result<(Vec<String>, Value), Poison> {
            let (driver, passenger) = (needed(value, "driver_id")?, needed(value, "passenger_id")?);
            let rooms = vec![format!("driver:{driver}"), format!("passenger:{passenger}")];
            let mut told = value.clone();
            (told["driver_id"], told["passenger_id"]) = (driver.into(), passenger.into());
            Ok((rooms, told))
        };
        let of_ride = |value: &Value| -> Result<(Vec<String>, Value), Poison> {
            let ride = ride_of(value)?;
            let (mut rooms, mut told) = of_two(value)?;
            rooms.push(format!("ride:{ride}"));
            told["ride_id"] = ride.into();
            Ok((rooms, told))
        };
        let matched = |kind| of_two(value).map(|(rooms, told)| (kind, rooms, told, false));
        let ridden = |kind| of_ride(value).map(|(rooms, told)| (kind, rooms, told, false));
        let (kind, rooms, payload, soft) = match self {
            Event::Beacon => {
                let payload = pick(value, &["is_active", "location"]);
                ("beacon_update", vec![format!("driver:{}", needed(value, "user_id")?)], payload, false)
            }
            Event::Finder => {
                let payload = pick(value, &["is_active", "location", "target_location"]);
                ("finder_update", vec![format!("passenger:{}", needed(value, "user_id")?)], payload, false)
            }
            Event::MatchFound => matched("match_proposal")?,
            Event::MatchAccepted => matched("match_confirm")?,
            Event::MatchRejected => matched("match_rejected")?,
            Event::RidePickup => ridden("ride_pickup")?,
            Event::RideStarted => ridden("ride_started")?,
            Event::RideArrived => ridden("ride_arrived")?,
            Event::RideCompleted => {
                if !value["ride"].is_object() {
                    return poison("`ride` must be an object");
                }
                let (rooms, ride) = of_ride(&value["ride"])?;
                let mut told = value.clone();
                told["ride"] = ride;
                ("ride_completed", rooms, told, false)
            }
            Event::Location => (
                "location_update",
                vec![format!("driver:{}", needed(value, "driver_id")?)],
                point(value)?,
                false,
            ),
            // The fleet's drivers say where they are without a ride, too.
            Event::Moved if text(value.get("ride_id")).is_none() => return Ok(Meant::NotForUs),
            Event::Moved => {
                let ride = ride_of(value)?;
                let mut moved = point(value)?;
                moved["ride_id"] = ride.as_str().into();
                ("driver_location", vec![format!("ride:{ride}")], moved, true)
            }
            Event::Aggregate => {
                let ride = ride_of(value)?;
                let mut told = value.clone();
                told["ride_id"] = ride.as_str().into();
                ("driver_location", vec![format!("ride:{ride}")], told, true)
            }
        };
        meant(kind, &rooms, &payload, named, soft)
    }
}

/// With the time of the whole where it has none of its own.
fn point(value: &Value) -> Result<Value, Poison> {
    let Some(Value::Object(point)) = value.get("location") else {
        return poison("`location` must be an object");
    };
    let mut point = point.clone();
    if point.get("timestamp").is_none_or(Value::is_null) {
        point.remove("timestamp");
        point.extend(value.get("created_at").map(|at| ("timestamp".to_owned(), at.clone())));
    }
    Ok(Value::Object(point))
}

fn meant(
    kind: &str,
    rooms: &[String],
    payload: &Value,
    named: Option<String>,
    soft: bool,
) -> Result<Meant, Poison> {
    let named = named.map(id).transpose()?;
    let payload = vocabulary::Payload::from(payload.to_string());
    let said = |name: &String| {
        let (room, payload, kind, id) =
            (room(&format!("{APP}:{name}"))?, payload.clone(), kind.to_owned(), named.clone());
        Ok(Said { room, author: None, kind, payload, id, soft })
    };
    let mut all = rooms.iter().map(said).collect::<Result<Vec<_>, _>>()?;
    // Whoever is told of a ride goes there to hear more, and is let in by what it has been told itself.
    let ride = all.pop_if(|last| last.room.name().starts_with("ride:"));
    Ok(match ride {
        Some(ride) => Meant::After(ride, all),
        None => Meant::Said(all),
    })
}

/// Those that are there and not null.
fn pick(value: &Value, names: &[&str]) -> Value {
    let there =
        |name: &&str| value.get(*name).filter(|it| !it.is_null()).map(|it| ((*name).to_owned(), it.clone()));
    Value::Object(names.iter().filter_map(there).collect::<Map<_, _>>())
}

#[cfg(test)]
#[path = "rides/tests.rs"]
mod tests;
