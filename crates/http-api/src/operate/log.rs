//! A stretch of a room's log as it is stored, for operators: whatever the app makes of it. It shows no more than is kept.

use axum::extract::State;
use axum::{Extension, Json};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary::{Fate, RecordLine, Retell, Retold};

use super::Operate;
use super::past::{is_of, place};
use super::read::{self, Asked, Limit, Named};
use super::told::Somebody;
use crate::answers::{Fault, Place};
use crate::keys::{Known, Scope};
use crate::openapi::shape::{shape, words};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct LogAsked {
    before: Option<String>,
    limit: Option<Limit>,
}

shape!(LogAsked as "LogAsked": "Which stretch of a log." {
    before: Option<String> => "In front of this offset or `message_id`; the newest if nothing is said.",
    limit: Option<Limit> => "How many at most; no more than 100 are told.",
});

words! {
    pub(crate) enum Stands { Kept = "kept", Erased = "erased", Foreign = "foreign" }
}

#[derive(Serialize)]
pub(crate) struct LogLine {
    at: Place,
    state: Stands,
    stored: Option<String>,
    kind: Option<String>,
    author: Option<Somebody>,
    bytes: u64,
    json: Option<Box<RawValue>>,
}

shape!(LogLine as "LogRecord": "A record, as it is stored." {
    at: Place => "Its place.",
    state: Stands => "kept. erased: nothing but its place is. foreign: of a newer version than this node.",
    stored: Option<String> => "When.",
    kind: Option<String> => "What it is, in the app's words.",
    author: Option<Somebody> => "Who wrote it; null: the room itself.",
    bytes: u64 => "How large its content is.",
    json: Option<Box<RawValue>> => "Its content; null where it is not JSON, or has more than 16 KiB.",
});

#[derive(Serialize)]
pub(crate) struct LogPage {
    node: String,
    room: String,
    head: Place,
    trimmed: u64,
    records: Vec<LogLine>,
}

shape!(LogPage as "LogPage": "A stretch of a room's log." {
    node: String => "The node that answers.",
    room: String => "The room.",
    head: Place => "Where the log ends.",
    trimmed: u64 => "Records up to here are kept no more.",
    records: Vec<LogLine> => "Oldest first.",
});

pub(super) async fn log(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
    asked: Asked<LogAsked>,
) -> Result<Json<LogPage>, Fault> {
    known.may(Scope::Inspect)?;
    // It tells what was said.
    known.may(Scope::History)?;
    let room = operate.served(named)?;
    known.reaches(&room)?;
    let LogAsked { before, limit } = read::query(asked)?;
    let (epoch, before) = match before.as_deref().map(|text| place("before", text)).transpose()? {
        Some((epoch, offset)) => (epoch, offset),
        None => (None, u64::MAX),
    };
    let limit = u32::try_from(Limit::of(limit)).unwrap_or(u32::MAX);
    let told = operate.retold(&known, &room, Retell::Records { before, limit }).await?;
    let Retold::Records(seen) = told else { return Err(Fault::unexpected()) };
    is_of("before", epoch, seen.head)?;
    let records = seen.records.iter().map(line).collect();
    let (node, room) = (operate.node(), room.as_str().to_owned());
    Ok(Json(LogPage { node, room, head: seen.head.into(), trimmed: seen.trimmed, records }))
}

fn line(seen: &RecordLine) -> LogLine {
    let told = |state| LogLine {
        at: seen.position.into(),
        state,
        stored: None,
        kind: None,
        author: None,
        bytes: 0,
        json: None,
    };
    match &seen.fate {
        Fate::Kept { at, kind, author, bytes, .. } => LogLine {
            stored: Some(at.to_string()),
            kind: Some(kind.clone()),
            author: author.as_ref().map(Somebody::from),
            bytes: *bytes as u64,
            json: seen.body.as_ref().and_then(|body| serde_json::from_slice(body).ok()),
            ..told(Stands::Kept)
        },
        Fate::Erased => told(Stands::Erased),
        Fate::Foreign | Fate::Trimmed | Fate::Ahead | Fate::Damaged => told(Stands::Foreign),
    }
}
