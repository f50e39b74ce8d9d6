//! A room's past, for operators: why somebody did or did not get a record, and the room as it was at a place in its log.

use axum::extract::{Path, State};
use axum::{Extension, Json};
use node::{Found, Uncalled};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;
use vocabulary::{
    ConnectionsWanted, Epoch, Findings, FoldEnds, FoldSeen, InOrder, Inquiry, Payload, Position, Reply,
    Retell, Retold, RoomId, Told, Wish,
};

use super::explain::{Finding, Here, Situation, Verdict, explain};
use super::read::{self, Asked, PAGE_MAX};
use super::told::Somebody;
use super::{Operate, sorted};
use crate::answers::{Fault, Place};
use crate::keys::{Known, Scope};
use crate::openapi::shape::{self as bounds, shape};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ExplainAsked {
    room: String,
    offset: String,
    user: String,
}

shape!(ExplainAsked as "ExplainAsked": "Which record, and whose." {
    room: String => "Its full name." & bounds::room,
    offset: String => "Its offset, or its `message_id`.",
    user: String => "Their id." & bounds::user,
});

#[derive(Serialize)]
pub(crate) struct Explained {
    node: String,
    room: String,
    offset: u64,
    user: String,
    verdict: Verdict,
    says: String,
    findings: Vec<Finding>,
    remembers_since: String,
    silent_shards: Vec<u16>,
}

shape!(Explained as "Explained": "Why somebody did or did not get a record." {
    node: String => "The node that answers: it remembers its own connections, for an hour at most.",
    room: String => "The room.",
    offset: u64 => "The record's place.",
    user: String => "Whose it is about.",
    verdict: Verdict => "got: it was sent to them. waits: it will be, when their connection takes it. did_not. unknown: what is known does not tell.",
    says: String => "The same in a sentence.",
    findings: Vec<Finding> => "What is known, in order: of the record, of the user, of each of their connections.",
    remembers_since: String => "Since when all that happened to connections is remembered here.",
    silent_shards: Vec<u16> => "Shards that have not answered in time: connections of theirs are missing here.",
});

pub(super) async fn why(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    asked: Asked<ExplainAsked>,
) -> Result<Json<Explained>, Fault> {
    known.may(Scope::Inspect)?;
    let ExplainAsked { room, offset, user } = read::query(asked)?;
    let room = operate.served_by_name(&room)?;
    known.reaches(&room)?;
    let user = read::user(&user)?;
    let (epoch, offset) = place("offset", &offset)?;
    let asks = Retell::Record { offset, user: Some(user.clone()) };
    let Retold::Record(record) = operate.retold(&known, &room, asks).await? else {
        return Err(Fault::unexpected());
    };
    let wanted = ConnectionsWanted {
        user: Some(user.clone()),
        room: Some(room.clone()),
        limit: usize::from(PAGE_MAX),
        ..ConnectionsWanted::all(InOrder::Number)
    };
    let heard = operate.lookout.ask_all(Inquiry::Connections(wanted)).await;
    let (found, silent_shards) = sorted(heard, |Found { findings, .. }| match findings {
        Findings::Connections(page) => Some(page),
        _ => None,
    })?;
    let here = found.into_iter().flatten().map(|seen| {
        let at = seen.rooms.iter().position(|it| *it == room);
        let place = at.and_then(|at| seen.places.get(at).copied().flatten());
        Here { id: seen.id, since: seen.since, place, waiting_bytes: seen.waiting_bytes, heard: seen.heard }
    });
    let (happened, since) = operate.lookout.facts().happened(&user, &room);
    let situation = Situation {
        offset,
        epoch,
        user: user.as_str().to_owned(),
        record,
        happened,
        since,
        here: here.collect(),
        may_be_elsewhere: operate.lookout.is_nowhere_else(&user) != Some(true),
        node: operate.node(),
    };
    let (verdict, says, findings) = explain(&situation);
    Ok(Json(Explained {
        node: situation.node,
        room: room.as_str().to_owned(),
        offset,
        user: situation.user,
        verdict,
        says,
        findings,
        remembers_since: since.to_string(),
        silent_shards,
    }))
}

#[derive(Serialize)]
pub(crate) struct Touched {
    user: String,
    may: bool,
}

shape!(Touched as "Touched": "Somebody whom a record of membership names." {
    user: String => "Their id.",
    may: bool => "Whether the app lets them in at that place, as a user without a role.",
});

#[derive(Serialize)]
pub(crate) struct Wrote {
    user: Somebody,
    records: u32,
}

shape!(Wrote as "Wrote": "Somebody who wrote records." {
    user: Somebody => "Who.",
    records: u32 => "How many up to there.",
});

#[derive(Serialize)]
pub(crate) struct AtPlace {
    node: String,
    room: String,
    at: u64,
    stored: Option<String>,
    head: Place,
    from: u64,
    whole: bool,
    records: u64,
    erased: u64,
    unknown: u64,
    kind: Option<String>,
    author: Option<Somebody>,
    about: Option<Box<RawValue>>,
    view: Option<Box<RawValue>>,
    members: Vec<Touched>,
    members_more: bool,
    authors: Vec<Wrote>,
    authors_more: bool,
    says: String,
}

shape!(AtPlace as "RoomAt": "A room as it was at a place in its log: the log folded once more up to there." {
    node: String => "The node that answers.",
    room: String => "The room.",
    at: u64 => "The last record that is folded; less than was asked for where the log ends, or something is in the way.",
    stored: Option<String> => "When that was stored.",
    head: Place => "Where the log ends.",
    from: u64 => "The first record that is kept.",
    whole: bool => "Whether nothing is missing: no record was trimmed or erased before that place.",
    records: u64 => "How many were read.",
    erased: u64 => "Of those, erased ones: what they did is missing.",
    unknown: u64 => "Of those, ones that this version does not know.",
    kind: Option<String> => "What the last one is.",
    author: Option<Somebody> => "Who wrote it; null: the room itself.",
    about: Option<Box<RawValue>> => "What the app tells a joiner of the room, asked as a back end that joins there.",
    view: Option<Box<RawValue>> => "What the app tells a member after a gap.",
    members: Vec<Touched> => "Those whom records of membership name, the first 200.",
    members_more: bool => "Whether there are more.",
    authors: Vec<Wrote> => "Those who wrote records, the first 200.",
    authors_more: bool => "Whether there are more.",
    says: String => "What there is to know besides.",
});

pub(super) async fn at(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    path: Result<Path<(String, String)>, axum::extract::rejection::PathRejection>,
) -> Result<Json<AtPlace>, Fault> {
    known.may(Scope::Inspect)?;
    // It tells what was said.
    known.may(Scope::History)?;
    let Path((room, upto)) = path.map_err(|error| Fault::field("room", error.body_text()))?;
    let room = operate.served_by_name(&room)?;
    known.reaches(&room)?;
    let (epoch, upto) = match upto.as_str() {
        "0" => (None, 0),
        text => place("offset", text)?,
    };
    let told = operate.retold(&known, &room, Retell::Fold { upto }).await?;
    let Retold::Fold(seen) = told else { return Err(Fault::unexpected()) };
    is_of("offset", epoch, seen.head)?;
    Ok(Json(shown(operate.node(), &room, upto, seen)))
}

fn shown(node: String, room: &RoomId, asked: u64, seen: FoldSeen) -> AtPlace {
    let raw = |payload: Option<Payload>| payload.and_then(|it| serde_json::from_slice(&it).ok());
    let whole = seen.from == 1 && seen.erased == 0;
    let says = words(asked, &seen);
    let (kind, author) = seen.last.unzip();
    AtPlace {
        node,
        room: room.as_str().to_owned(),
        at: seen.upto,
        stored: (seen.at.0 > 0).then(|| seen.at.to_string()),
        head: seen.head.into(),
        from: seen.from,
        whole,
        records: seen.records,
        erased: seen.erased,
        unknown: seen.unknown,
        kind,
        author: author.flatten().as_ref().map(Somebody::from),
        about: raw(seen.about),
        view: raw(seen.view),
        members: seen
            .touched
            .into_iter()
            .map(|(user, may)| Touched { user: user.as_str().to_owned(), may })
            .collect(),
        members_more: seen.touched_more,
        authors: seen
            .authors
            .iter()
            .map(|(who, records)| Wrote { user: who.into(), records: *records })
            .collect(),
        authors_more: seen.authors_more,
        says,
    }
}

fn words(asked: u64, seen: &FoldSeen) -> String {
    let mut says = vec!["Presence is in no log: who was only connected is not shown.".to_owned()];
    if seen.from > 1 {
        says.push(format!("The log was trimmed: what came before {} is not known, and the room is folded as if it began there.", seen.from));
    }
    if seen.erased > 0 {
        says.push(format!("{} records were erased: what they did is missing.", seen.erased));
    }
    match &seen.ends {
        Some(FoldEnds::TooMany(records)) => says.push(format!(
            "{records} records lie before this place, and one question folds 20000 at most, so that a room is not kept waiting: nothing was folded."
        )),
        Some(FoldEnds::Panicked(why)) => {
            says.push(format!("The app panicked on the record behind {}: {why}.", seen.upto));
        }
        Some(FoldEnds::Unread) => says.push(format!("What is stored behind {} cannot be read just now.", seen.upto)),
        None if asked > seen.head.offset => says.push(format!("The log ends at {}.", seen.head.offset)),
        None => {}
    }
    says.join(" ")
}

/// An offset, or a position as a message's id says it.
pub(super) fn place(field: &'static str, text: &str) -> Result<(Option<Epoch>, u64), Fault> {
    let parsed = || {
        let (epoch, offset) = match text.split_once('-') {
            Some((epoch, offset)) => (Some(epoch.parse().ok()?), offset),
            None => (None, text),
        };
        let offset: u64 = offset.parse().ok().filter(|offset| *offset > 0)?;
        Some((epoch, offset))
    };
    parsed().ok_or_else(|| {
        let says = format!(
            "{:?} is no place in a log; say an offset, from 1 on, or the id of a message",
            read::short(text)
        );
        Fault::field(field, says)
    })
}

/// An id of a log that has begun anew since then names nothing of this one.
pub(super) fn is_of(field: &'static str, epoch: Option<Epoch>, head: Position) -> Result<(), Fault> {
    match epoch.filter(|epoch| *epoch != head.epoch) {
        None => Ok(()),
        Some(epoch) => {
            let says = format!(
                "the log began anew since then: {epoch} is of another one, and this one is at {head}"
            );
            Err(Fault::field(field, says))
        }
    }
}

impl Operate {
    fn served_by_name(&self, name: &str) -> Result<RoomId, Fault> {
        self.served(Ok(Path(name.to_owned())))
    }

    /// The room's home says, and opens it for that if nobody has it open.
    pub(super) async fn retold(&self, known: &Known, room: &RoomId, asks: Retell) -> Result<Retold, Fault> {
        match self.desk.call(known.name(), room.clone(), Wish::Retell(asks)).await {
            Ok(Told::Reply { reply: Reply::Retold(retold), .. }) => Ok(*retold),
            Ok(Told::Reply { reply: Reply::Refused(refusal), .. }) => Err(Fault::from(&refusal)),
            Ok(_) => Err(Fault::unexpected()),
            // Nothing was to happen: asking again does no harm.
            Err(Uncalled::Busy | Uncalled::Unanswered) => Err(Fault::from(Uncalled::Busy)),
        }
    }
}

/// Of the path: an offset or an id.
pub(crate) fn of_path() -> Value {
    serde_json::json!({ "pattern": "^([0-9a-f]{1,15}-)?[0-9]{1,18}$" })
}
