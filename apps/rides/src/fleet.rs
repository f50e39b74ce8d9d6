//! Where the fleet's own back end matches and bills: clients' words are records that leave by a broker, and what the broker says is
//! shown and kept as it was said. It decides nothing.

use std::collections::BTreeMap;

use app::{Action, Applied, Decision, Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vocabulary::{Audience, Caller, Class, Code, Payload, Record, Refusal, Shown, Touched, UserId, Word};

use crate::content::invalid;
use crate::standing::{Side, Who};
use crate::trip::EVENTS;
use crate::wire::{read, written};
use crate::{OUTWARD, WORDS};

/// A client's word on its way to the back end. Shown to nobody here, and to brokers.
const REQUESTED: &str = "fleet_requested";
/// What the back end says.
const TOLD: &str = "fleet_told";

/// What it may say, besides the events of rides.
const MATCHES: [&str; 5] =
    ["match_proposal", "match_confirm", "match_rejected", "no_driver_found", "driver_location"];

/// Of the events of rides those whose payload is how the ride stands.
const STANDS: [&str; 3] = ["ride_pickup", "ride_started", "ride_arrived"];

/// A word that is larger is none of these.
const BYTES_MAX: usize = 8 << 10;
/// What is read back has 128 levels at most, and records and snapshots have some of their own around it.
const DEPTH_MAX: usize = 100;
/// Of one person.
const MATCHES_MAX: usize = 20;

/// How things are, as the back end said it last.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mirror {
    matches: BTreeMap<String, Value>,
    ride: Value,
    payment: Value,
}

#[derive(Serialize, Deserialize)]
struct Said {
    name: String,
    payload: Value,
    /// Of a client, in which of the two roles: in the room of a ride its name does not say so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    role: Option<String>,
}

fn id<'a>(payload: &'a Value, name: &str) -> &'a str {
    payload[name].as_str().unwrap_or_default()
}

impl Mirror {
    /// Whether the back end has said that it is theirs.
    pub(crate) fn is_of(&self, side: Side, person: &str) -> bool {
        id(&self.ride, &format!("{}_id", side.name())) == person
    }

    /// Who is named no more by how the ride stands then: its room is closed to them.
    fn left_by(&self, event: &str, payload: &Value) -> Vec<UserId> {
        if !STANDS.contains(&event) {
            return Vec::new();
        }
        let sides = Side::BOTH.map(|side| format!("{}_id", side.name()));
        let was = |name: &String| {
            Some(id(&self.ride, name)).filter(|was| !was.is_empty() && *was != id(payload, name))
        };
        sides.iter().filter_map(was).map(UserId::new).collect()
    }

    pub(crate) fn told(&self) -> Payload {
        let matches: Vec<&Value> = self.matches.values().collect();
        written(&json!({"offers": matches, "ride": self.ride, "payment": self.payment}))
    }

    /// `None`: it is none of these records.
    pub(crate) fn apply(&mut self, record: &Record) -> Option<Applied> {
        match &*record.kind {
            REQUESTED => return Some(Applied::Done),
            TOLD => {}
            _ => return None,
        }
        let Some(Said { name, payload, .. }) = read(&record.body) else { return Some(Applied::Unknown) };
        match name.as_str() {
            "match_proposal" | "match_confirm" => {
                self.matches.insert(id(&payload, "match_id").to_owned(), payload);
                while self.matches.len() > MATCHES_MAX {
                    self.matches.pop_first();
                }
            }
            "match_rejected" => drop(self.matches.remove(id(&payload, "match_id"))),
            "no_driver_found" => self.matches.clear(),
            stands if STANDS.contains(&stands) => (self.ride, self.matches) = (payload, BTreeMap::new()),
            "payment_request" | "payment_processed" => self.payment = payload,
            "ride_completed" | "ride_cancelled" => *self = Mirror::default(),
            _ => {}
        }
        Some(Applied::Done)
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert!(self.matches.len() <= MATCHES_MAX);
    }
}

pub(crate) fn own() -> Refusal {
    let text = "the fleet's own back end decides this (rides.authority = \"fleet\")";
    Refusal::new(Code::Forbidden, text)
}

/// Whose words these are was looked at before: their own, or the back end's.
pub(crate) fn decide(mirror: &Mirror, caller: &Caller, action: Action<'_>) -> Result<Decision, Refusal> {
    match caller {
        Caller::Duty { .. } | Caller::Outcome { .. } => return Ok(Decision::nothing()),
        Caller::Step(_) => return Err(own()),
        _ => {}
    }
    if action.kind == "get_state" {
        return Ok(Decision::reply(mirror.told()));
    }
    if action.payload.len() > BYTES_MAX {
        return Err(invalid(format!(
            "payload must be at most {BYTES_MAX} bytes, got {}",
            action.payload.len()
        )));
    }
    // No payload at all is one without fields.
    let is_empty = Fields::of(action.payload)?.iter().next().is_none();
    let payload = if is_empty { Some(Value::Object(Map::new())) } else { read(action.payload) };
    let payload = payload.filter(|payload| is_within(payload, DEPTH_MAX)).ok_or_else(|| {
        invalid(format!("payload must be JSON with values in range, at most {DEPTH_MAX} levels deep"))
    })?;
    let left = mirror.left_by(action.kind, &payload);
    let said = |kind, side: Option<Side>| {
        let role = side.map(|side| side.name().to_owned());
        let said = Said { name: action.kind.to_owned(), payload, role };
        Ok(Decision::record(kind, written(&said)))
    };
    match Who::of(caller) {
        Who::Backend if spoken(action.kind).is_some() => {
            said(TOLD, None).map(|decision| decision.touching(Touched::Users(left)))
        }
        Who::Backend => Err(own()),
        who @ (Who::Driver(_) | Who::Passenger(_)) => {
            let taken = said(REQUESTED, who.side())?;
            // Clients wait to see their switch back.
            match action.kind {
                "beacon_update" | "finder_update" => Ok(taken.with_reply(action.payload.clone())),
                _ => Ok(taken),
            }
        }
    }
}

fn is_within(value: &Value, levels: usize) -> bool {
    let is_within = |inner: &Value| levels > 0 && is_within(inner, levels - 1);
    match value {
        Value::Array(items) => items.iter().all(is_within),
        Value::Object(fields) => fields.values().all(is_within),
        _ => true,
    }
}

fn spoken(kind: &str) -> Option<&'static str> {
    MATCHES.into_iter().chain(EVENTS).find(|event| *event == kind)
}

pub(crate) fn shown(record: &Record, audience: Audience) -> Option<Shown> {
    if !matches!(&*record.kind, REQUESTED | TOLD) {
        return None;
    }
    let Said { name, payload, role } = read(&record.body)?;
    let (kind, payload) = match (&*record.kind, audience) {
        (TOLD, audience) if audience != OUTWARD => (spoken(&name)?, payload),
        (REQUESTED, OUTWARD) => {
            let word: &Word = WORDS.iter().find(|word| word.name == name)?;
            let user_id = record.author.as_ref().map(|author| author.id.as_str());
            (word.name, json!({"user_id": user_id, "role": role, "data": payload}))
        }
        _ => return None,
    };
    let class = if kind == "driver_location" { Class::Latest(1) } else { Class::Record };
    let lasting = class == Class::Record;
    Some(Shown { kind, payload: payload.to_string().into(), sender: record.author.clone(), class, lasting })
}
