//! The list of matches, `scores:list`: what each public match has said of itself last, by its own step. It is in no match, and
//! knows no points but those that it was told.

use std::collections::BTreeMap;

use app::{Action, Applied, Decision, Fields};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};
use vocabulary::{Audience, Caller, Class, Code, Payload, Position, Record, Refusal, Shown, StepId, Wall};

use crate::standing::forbidden;
use crate::wire::{place, read, written};

const LISTED: &str = "listed";

/// A season of a large federation. The oldest that is over makes way.
const MATCHES_MAX: usize = 1000;
/// A snapshot has 1 MiB.
const BYTES_MAX: usize = 768 << 10;
/// What a match takes beside what it says.
const MATCH_BYTES: usize = 256;
/// One frame.
const VIEW_BYTES_MAX: usize = 64 << 10;
/// What is asked for by itself.
const LIST_BYTES_MAX: usize = 256 << 10;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct List {
    matches: BTreeMap<String, Listed>,
    /// What all of them take.
    #[serde(skip)]
    bytes: usize,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Listed {
    /// The match's own record since which it is so.
    #[serde(with = "place")]
    as_of: Position,
    /// This room's record that says so.
    #[serde(with = "place")]
    changed: Position,
    stands: Map<String, Value>,
    /// What it takes, counted when it was said.
    #[serde(skip)]
    bytes: usize,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Stands {
    match_id: String,
    as_of: String,
    stands: Map<String, Value>,
}

impl Listed {
    fn created_at(&self) -> i64 {
        self.stands.get("createdAt").and_then(Value::as_i64).unwrap_or(0)
    }

    fn is_over(&self) -> bool {
        self.stands.get("over") == Some(&Value::Bool(true))
    }

    fn counted(self, id: &str) -> Listed {
        let bytes = MATCH_BYTES + id.len() + written(&self.stands).len();
        Listed { bytes, ..self }
    }

    fn told(&self, id: &str) -> Value {
        let mut told = self.stands.clone();
        told.insert("matchId".into(), id.into());
        told.insert("createdAt".into(), Wall(self.created_at()).to_string().into());
        told.into()
    }
}

impl List {
    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        let stands: Option<Stands> = (record.kind == LISTED).then(|| read(&record.body)).flatten();
        let as_of = stands.as_ref().and_then(|stands| stands.as_of.parse().ok());
        let (Some(Stands { match_id, stands, .. }), Some(as_of)) = (stands, as_of) else {
            return Applied::Unknown;
        };
        // A step that was held up may come behind a newer one.
        if self.matches.get(&match_id).is_none_or(|known| known.as_of < as_of) {
            let listed = Listed { as_of, changed: record.position, stands, bytes: 0 }.counted(&match_id);
            self.bytes += listed.bytes;
            let before = self.matches.insert(match_id, listed);
            self.bytes -= before.map_or(0, |before| before.bytes);
            self.make_way();
        }
        Applied::Done
    }

    /// After a snapshot was read, which has no counts.
    pub(crate) fn restore(&mut self) {
        let matches = std::mem::take(&mut self.matches).into_iter();
        self.matches = matches.map(|(id, listed)| (id.clone(), listed.counted(&id))).collect();
        self.bytes = self.matches.values().map(|listed| listed.bytes).sum();
    }

    #[cfg(test)]
    pub(crate) fn bytes(&self) -> usize {
        self.bytes
    }

    fn make_way(&mut self) {
        while self.matches.len() > MATCHES_MAX || self.bytes > BYTES_MAX {
            let oldest = self.matches.iter().min_by_key(|(_, it)| (!it.is_over(), it.created_at()));
            let Some(id) = oldest.map(|(id, _)| id.clone()) else { return };
            self.bytes -= self.matches.remove(&id).map_or(0, |listed| listed.bytes);
        }
    }

    fn newest(&self) -> Vec<(&str, &Listed)> {
        let mut all: Vec<(&str, &Listed)> = self.matches.iter().map(|(id, it)| (id.as_str(), it)).collect();
        // Those that are on come first, then by age.
        all.sort_by_key(|(_, listed)| (listed.is_over(), -listed.created_at()));
        all
    }

    /// As many as fit, from the place of one in the order of `newest`, and where to go on.
    fn fitting(&self, bytes_max: usize, event: Option<&str>, from: usize) -> Payload {
        let is_asked = |listed: &Listed| {
            event.is_none_or(|event| listed.stands.get("event").and_then(Value::as_str) == Some(event))
        };
        let asked: Vec<_> = self.newest().into_iter().filter(|(_, listed)| is_asked(listed)).collect();
        let (mut matches, mut bytes, mut next) = (Vec::new(), 64, None);
        for (number, (id, listed)) in (1..).zip(&asked).skip(from - 1) {
            let told = listed.told(id);
            bytes += told.to_string().len() + 1;
            if bytes > bytes_max {
                next = Some(number);
                break;
            }
            matches.push(told);
        }
        json!({"matches": matches, "count": asked.len(), "next": next}).to_string().into()
    }

    pub(crate) fn view(&self) -> Payload {
        self.fitting(VIEW_BYTES_MAX, None, 1)
    }
}

pub(crate) fn decide(list: &List, caller: &Caller, action: Action<'_>) -> Result<Decision, Refusal> {
    match (caller, action.kind) {
        (Caller::Step(step), "match_stands") => told_by_match(list, step, action.payload),
        (Caller::Duty { .. } | Caller::Outcome { .. }, _) => Ok(Decision::nothing()),
        (Caller::Source { .. }, _) => Err(forbidden("the list of matches hears matches, and no broker")),
        (_, "get_matches") => {
            let fields = Fields::of(action.payload)?;
            let event = fields.text("event")?;
            let from = fields.number("from", 1..=u64::from(u32::MAX))?.unwrap_or(1);
            let from = usize::try_from(from).unwrap_or(usize::MAX);
            Ok(Decision::reply(list.fitting(LIST_BYTES_MAX, event.as_deref(), from)))
        }
        (_, kind) => Err(Refusal::new(
            Code::UnknownType,
            format!("unknown message type: {kind} (the list of matches knows get_matches)"),
        )),
    }
}

/// A match speaks of itself alone, whatever its payload names.
fn told_by_match(list: &List, step: &StepId, payload: &Payload) -> Result<Decision, Refusal> {
    let id = step.saga.name();
    if list.matches.get(id).is_some_and(|known| known.as_of >= step.position) {
        return Ok(Decision::nothing());
    }
    let stands: Map<String, Value> = serde_json::from_slice(payload)
        .map_err(|_| Refusal::new(Code::InvalidPayload, "a match says how it stands by an object"))?;
    let body = Stands { match_id: id.to_owned(), as_of: step.position.to_string(), stands };
    Ok(Decision::record(LISTED, written(&body)))
}

/// Of several words of a match the last.
pub(crate) fn shown(list: &List, record: &Record, _audience: Audience) -> Option<Shown> {
    let stands: Stands = (record.kind == LISTED).then(|| read(&record.body)).flatten()?;
    let listed = list.matches.get(&stands.match_id).filter(|listed| listed.changed == record.position)?;
    let payload = listed.told(&stands.match_id).to_string().into();
    Some(Shown { kind: "match_listed", payload, sender: None, class: Class::Record, lasting: false })
}
