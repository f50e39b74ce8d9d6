//! What members see of a record: messages as they are now, and what is done in the room. The one way out.

use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Map, Value, json};
use vocabulary::{Class, Payload, Person, Record, Shown};

use crate::State;
use crate::changes::{Standing, as_now, with_changes};
use crate::listing;
use crate::records::{self, read, written};
use crate::said::{Kept, VIEW_BYTES_MAX};
use crate::state::ends;

const SEEN: &[&str] = &[
    records::EDITED,
    records::DELETED,
    records::REACTED,
    records::UNREACTED,
    records::CHANGED,
    records::ROOM_DELETED,
    records::MEMBER_ADDED,
    records::MEMBER_REMOVED,
    records::ROLE_CHANGED,
    records::MUTED,
    records::UNMUTED,
    records::KICKED,
    records::BANNED,
    records::UNBANNED,
    records::ERASED,
];

pub(crate) fn shown(state: &State, record: &Record) -> Option<Shown> {
    let kind = &*record.kind;
    // What was said in a room that is no more, or longer ago than is kept, is for nobody.
    if state.deleted && kind != records::ROOM_DELETED || record.position < state.said.from {
        return None;
    }
    if kind == records::MESSAGE {
        return Some(Shown {
            kind: "new_message",
            payload: as_now(standing(state, record.position, record.author.as_ref()), &record.body),
            sender: record.author.clone(),
            class: Class::Record,
            lasting: true,
        });
    }
    let (kind, payload) = match kind {
        records::EDITED => (records::EDITED, edited(state, record)?),
        records::REACTED | records::UNREACTED => {
            let body: records::Reaction = read(&record.body)?;
            let user = record.author.as_ref()?;
            let position = body.message_id.parse().ok()?;
            // Of a message that is gone nothing more is told, and of a user that is erased neither.
            if matches!(state.changes.of(position, None), Standing::Deleted)
                || standing(state, record.position, Some(user)) == Standing::Erased
            {
                return None;
            }
            let kind = if kind == records::REACTED { records::REACTED } else { records::UNREACTED };
            (kind, written(&records::Reaction { author: None, ..body }))
        }
        records::CREATED => (records::CHANGED, written(&read::<records::Created>(&record.body)?.settings)),
        records::MUTED => (records::MUTED, muted(record)?),
        _ => (*SEEN.iter().find(|seen| **seen == kind)?, record.body.clone()),
    };
    Some(Shown { kind, payload, sender: record.author.clone(), class: Class::Record, lasting: false })
}

fn standing<'a>(state: &'a State, position: vocabulary::Position, author: Option<&Person>) -> Standing<'a> {
    state.changes.of(position, author.map(|author| &author.id))
}

/// Only the edit that stands: what came before it is not to be read any more, be it edited anew, deleted or erased.
fn edited(state: &State, record: &Record) -> Option<Payload> {
    let body: records::Edited<'_> = read(&record.body)?;
    let position = body.message_id.parse().ok()?;
    let edit = state.changes.change(position)?.edit.as_ref()?;
    if edit.at != record.at || edit.payload != body.payload.get().as_bytes() {
        return None;
    }
    let mut changes = Map::new();
    changes.insert("edited_at".into(), edit.at.to_string().into());
    let inner = edit.payload.trim_ascii_start();
    let inner = inner.strip_prefix(b"{").unwrap_or(inner);
    let mut named = format!("{{\"message_id\":{},", Value::from(body.message_id)).into_bytes();
    named.extend_from_slice(inner);
    Some(with_changes(&named.into(), &changes))
}

fn muted(record: &Record) -> Option<Payload> {
    let body: records::Member = read(&record.body)?;
    let mut told = json!({"user_id": body.user_id});
    if let Some(seconds) = body.seconds {
        told["until"] = ends(record.at, seconds).to_string().into();
    }
    if let Some(reason) = body.reason {
        told["reason"] = reason.into();
    }
    Some(told.to_string().into())
}

#[derive(Serialize)]
struct WirePerson<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct WirePosition {
    epoch: String,
    offset: u64,
}

/// A message in a view: the same fields as in `new_message`.
#[derive(Serialize)]
struct Viewed<'a> {
    id: String,
    payload: &'a RawValue,
    sender: Option<WirePerson<'a>>,
    timestamp: String,
    position: WirePosition,
}

#[derive(Serialize)]
struct View<'a> {
    messages: Vec<Viewed<'a>>,
    about: Map<String, Value>,
}

pub(crate) fn view(state: &State) -> Payload {
    // Edits may be longer than what they replace, so the newest that fit are told.
    let mut bytes = 0;
    let mut now: Vec<(&Kept, Payload)> = Vec::new();
    for kept in state.said.recent.iter().rev() {
        let payload = as_now(standing(state, kept.position, kept.author.as_ref()), &kept.payload);
        bytes += payload.len();
        if bytes > VIEW_BYTES_MAX {
            break;
        }
        now.push((kept, payload));
    }
    let messages = now.iter().rev().filter_map(|(kept, payload)| {
        Some(Viewed {
            id: kept.position.to_string(),
            payload: serde_json::from_slice(payload).ok()?,
            sender: kept.author.as_ref().map(|who| WirePerson { id: who.id.as_str(), name: &who.name }),
            timestamp: kept.at.to_string(),
            position: WirePosition { epoch: kept.position.epoch.to_string(), offset: kept.position.offset },
        })
    });
    written(&View { messages: messages.collect(), about: listing::of_everybody(state) })
}
