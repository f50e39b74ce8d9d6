//! What scorers and organizers say: a match is made, its squads, line-ups and officials are named, actions are said, and its end. The rules
//! are the app's.

use std::sync::Arc;

use axum::Json;
use axum::extract::rejection::PathRejection;
use axum::extract::{Path, State};
use axum::http::header::LOCATION;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse;
use serde_json::json;
use vocabulary::{Payload, RoomId, User};

use super::{Answer, Matches, Shared, conflict, read, unnamed};
use crate::answers::Fault;
use crate::asked::Id;
use crate::body::{self, Body};
use crate::door::Said;

type OfTeam = Result<Path<(String, String)>, PathRejection>;

/// A name that nobody has to think of.
fn new_name() -> Result<String, Fault> {
    let mut bytes = [0; 8];
    getrandom::fill(&mut bytes).map_err(|_| Fault::unexpected())?;
    Ok(format!("m-{:016x}", u64::from_be_bytes(bytes)))
}

pub(super) async fn create(State(matches): Shared, headers: HeaderMap, body: Body) -> Answer {
    let user = matches.user(&headers)?;
    let fields = body::read(body)?;
    let name = match fields.text("matchId")? {
        Some(name) => name,
        None => new_name()?,
    };
    let room = matches.room_of(&name, &user)?;
    let said = matches.say(&user, &room, "create".to_owned(), fields.all_but(&["matchId"], &[])).await?;
    let Some((position, at)) = said.stored else {
        return is_there(&name, &said);
    };
    let told = json!({ "matchId": name, "created": true, "position": position.to_string(), "timestamp": at.to_string() });
    Ok((StatusCode::CREATED, [(LOCATION, format!("/api/matches/{name}"))], Json(told)).into_response())
}

/// Nothing was recorded: there is one of this name, and it has said how it stands.
fn is_there(name: &str, said: &Said) -> Answer {
    let data = said.reply.as_ref().map(read).transpose()?.unwrap_or_default();
    let error = format!("there is a match {name} already: name another, or none");
    Ok(conflict(&error, json!({ "field": "matchId", "matchId": name, "data": data })))
}

impl Matches {
    /// What came of a word: what its ack by a socket would say.
    async fn act(&self, user: &Arc<User>, room: &RoomId, kind: String, payload: Payload) -> Answer {
        let (undoes, begins) = (kind == "undo", kind == "initial_state");
        let said = self.say(user, room, kind, payload).await?;
        if begins && said.stored.is_none() {
            return is_there(room.name(), &said);
        }
        let mut told = said.reply.as_ref().map(read).transpose()?.unwrap_or_else(unnamed);
        if told.get("error").is_some() {
            let number = told["raidNumber"].clone();
            let error = match undoes {
                true => "more has been said than actions: name the number of what is to be undone".to_owned(),
                false => format!("raid {number} is next: what was meant for another is not recorded"),
            };
            return Ok(conflict(&error, told));
        }
        told["matchId"] = room.name().into();
        if let Some((position, at)) = said.stored {
            told["position"] = position.to_string().into();
            told["timestamp"] = at.to_string().into();
        }
        Ok(Json(told).into_response())
    }

    async fn of_team(&self, headers: &HeaderMap, of: OfTeam, body: Body, kind: &str) -> Answer {
        let user = self.user(headers)?;
        let Path((id, team)) = of.map_err(|error| Fault::field("team", error.body_text()))?;
        if !matches!(&*team, "A" | "B") {
            return Err(Fault::field("team", format!("team must be A or B, got {team:?}")));
        }
        let room = self.room_of(&id, &user)?;
        let payload = body::read(body)?.all_but(&["team"], &[("team", &team)]);
        self.act(&user, &room, kind.to_owned(), payload).await
    }
}

pub(super) async fn squad(State(matches): Shared, of: OfTeam, headers: HeaderMap, body: Body) -> Answer {
    matches.of_team(&headers, of, body, "set_squad").await
}

pub(super) async fn line_up(State(matches): Shared, of: OfTeam, headers: HeaderMap, body: Body) -> Answer {
    matches.of_team(&headers, of, body, "line_up").await
}

pub(super) async fn roles(State(matches): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = matches.user(&headers)?;
    let room = matches.room(id, &user)?;
    let payload = body::read(body)?.all_but(&[], &[]);
    matches.act(&user, &room, "set_roles".to_owned(), payload).await
}

/// No word is as long.
const KIND_BYTES_MAX: usize = 64;

/// Whatever by a socket is a word, in the same words. What is only asked has calls of its own.
pub(super) async fn act(State(matches): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = matches.user(&headers)?;
    let room = matches.room(id, &user)?;
    let fields = body::read(body)?;
    let kind = fields.required("type")?;
    if kind.len() > KIND_BYTES_MAX {
        let says =
            format!("type must be an action, which has at most {KIND_BYTES_MAX} bytes, got {}", kind.len());
        return Err(Fault::field("type", says));
    }
    if kind.starts_with("get_") || kind == "create" {
        let says = format!("type must be an action, and {kind} is a call of its own");
        return Err(Fault::field("type", says));
    }
    matches.act(&user, &room, kind, fields.all_but(&["type"], &[])).await
}

pub(super) async fn end(State(matches): Shared, id: Id, headers: HeaderMap, body: Body) -> Answer {
    let user = matches.user(&headers)?;
    let room = matches.room(id, &user)?;
    let payload = body::read_if_any(body)?.all_but(&[], &[]);
    matches.act(&user, &room, "end_match".to_owned(), payload).await
}
