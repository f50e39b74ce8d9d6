//! What operators may ask: queries and bodies, each read whole or refused with the field that is wrong. It decides nothing.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use serde::de::{DeserializeOwned, Deserializer, Error as _};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::{CloseReason, ConnectionId, RoomId, ShardId, UserId, check_user};

use super::BODY_BYTES_MAX;
use crate::answers::Fault;
use crate::openapi::shape::{self as bounds, Book, Shape, shape, words};

pub(super) type Named = Result<Path<String>, PathRejection>;
pub(super) type Asked<T> = Result<Query<T>, QueryRejection>;
pub(super) type Body = Result<Bytes, BytesRejection>;

/// Lines of one page: what a person reads, and an answer of some hundred kilobytes at most where each is in many rooms.
pub(super) const PAGE_MAX: u16 = 200;
const PAGE_ORDINARY: u16 = 50;

#[derive(Clone, Copy, Debug)]
pub(crate) struct Limit(u16);

impl Limit {
    pub(super) fn of(limit: Option<Limit>) -> usize {
        usize::from(limit.map_or(PAGE_ORDINARY, |Limit(limit)| limit))
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Limit, D::Error> {
        let says = || format!("limit must be a whole number between 1 and {PAGE_MAX}");
        let limit = u16::deserialize(deserializer).map_err(|_| D::Error::custom(says()))?;
        if (1..=PAGE_MAX).contains(&limit) { Ok(Limit(limit)) } else { Err(D::Error::custom(says())) }
    }
}

impl Shape for Limit {
    fn shape(_book: &mut Book) -> Value {
        json!({ "type": "integer", "minimum": 1, "maximum": PAGE_MAX, "default": PAGE_ORDINARY })
    }
}

words! {
    pub(crate) enum YesNo { Yes = "yes", No = "no" }
}

words! {
    pub(crate) enum Order { Slow = "slow", Number = "number" }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoomsAsked {
    pub(super) prefix: Option<String>,
    pub(super) app: Option<String>,
    pub(super) members: Option<YesNo>,
    pub(super) after: Option<String>,
    pub(super) limit: Option<Limit>,
}

shape!(RoomsAsked as "RoomsAsked": "Which rooms." {
    prefix: Option<String> => "How their full names begin.",
    app: Option<String> => "Of this app alone.",
    members: Option<YesNo> => "With connections of this node in them, or without.",
    after: Option<String> => "Behind this name: `next` of the page before.",
    limit: Option<Limit> => "How many at most.",
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ConnectionsAsked {
    pub(super) user: Option<String>,
    pub(super) room: Option<String>,
    pub(super) mount: Option<String>,
    pub(super) order: Option<Order>,
    pub(super) after: Option<String>,
    pub(super) limit: Option<Limit>,
}

shape!(ConnectionsAsked as "ConnectionsAsked": "Which connections." {
    user: Option<String> => "Of this user alone." & bounds::user,
    room: Option<String> => "In this room alone: its full name." & bounds::room,
    mount: Option<String> => "That came by this path alone.",
    order: Option<Order> => "slow, which holds if nothing is said: those with the most bytes that wait come first. number: in an order that does \
                             not change.",
    after: Option<String> => "Behind this place: `next` of the page before." & place,
    limit: Option<Limit> => "How many at most.",
});

/// As `next` says it.
fn place() -> Value {
    json!({ "pattern": "^[0-9]{1,18}\\.[0-9]{1,4}\\.[0-9]{1,9}\\.[0-9]{1,9}$" })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct EndAsked {
    pub(super) code: Option<Code>,
    pub(super) why: Option<String>,
}

shape!(EndAsked as "EndAsked": "How it ends." {
    code: Option<Code> => "4412, which holds if nothing is said, and 1001: come back. 4401: with a new token. 4503: do not.",
    why: Option<String> => "For this node's log.",
});

/// A close code that operators may use.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Code(pub(super) CloseReason);

impl Code {
    pub(super) fn of(code: Option<Code>) -> CloseReason {
        code.map_or(CloseReason::Draining(0), |Code(reason)| reason)
    }
}

impl<'de> Deserialize<'de> for Code {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Code, D::Error> {
        let says = || {
            let codes: Vec<String> =
                CloseReason::BY_OPERATORS.iter().map(|it| it.code().to_string()).collect();
            D::Error::custom(format!("code must be one of {}", codes.join(", ")))
        };
        let code = u16::deserialize(deserializer).map_err(|_| says())?;
        CloseReason::by_operator(code).map(Code).ok_or_else(says)
    }
}

impl Shape for Code {
    fn shape(_book: &mut Book) -> Value {
        json!({ "type": "integer", "enum": CloseReason::BY_OPERATORS.map(CloseReason::code) })
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Disconnecting {
    pub(super) user: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) code: Option<Code>,
    pub(super) why: Option<String>,
}

shape!(Disconnecting as "Disconnecting": "Exactly one of user and connection." {
    user: Option<String> => "Whose connections end, on every node." & bounds::user,
    connection: Option<String> => "The one that ends; one of this node." & bounds::connection,
    code: Option<Code> => "4412, which holds if nothing is said, and 1001: come back. 4401: with a new token. 4503: do not.",
    why: Option<String> => "For this node's log.",
});

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Kicking {
    pub(super) user: String,
    pub(super) why: Option<String>,
}

shape!(Kicking as "Kicking": "Who leaves the room." {
    user: String => "Their id." & bounds::user,
    why: Option<String> => "For this node's log.",
});

#[derive(Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Draining {
    pub(super) stop: Option<bool>,
}

shape!(Draining as "Draining": "How it drains." {
    stop: Option<bool> => "true, which holds if nothing is said: the process ends behind it. Nothing else is to be had.",
});

pub(super) fn query<T>(asked: Asked<T>) -> Result<T, Fault> {
    asked.map(|Query(asked)| asked).map_err(|error| Fault::query(&error))
}

/// A JSON object; none where nothing has to be said.
pub(super) fn body<T: DeserializeOwned>(headers: &HeaderMap, body: Body) -> Result<T, Fault> {
    let body = body.map_err(|error| Fault::unread(&error, BODY_BYTES_MAX))?;
    let said = headers.get(CONTENT_TYPE).map(|kind| kind.to_str().unwrap_or_default());
    let is_json = |kind: &str| {
        kind.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json")
    };
    let needs_none = body.is_empty() && said.is_none();
    if !needs_none && !said.is_some_and(is_json) {
        return Err(Fault::content_type());
    }
    let body = if body.is_empty() { &b"{}"[..] } else { &body[..] };
    // A list would do for the parser.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::body("the body must be a JSON object"));
    }
    serde_json::from_slice(body).map_err(|error| Fault::body(error.to_string()))
}

/// Of a path: any full name, also one that no client could choose.
pub(super) fn room(named: Named) -> Result<RoomId, Fault> {
    let Path(name) = named.map_err(|error| Fault::field("room", error.body_text()))?;
    room_named(&name)
}

pub(super) fn room_named(name: &str) -> Result<RoomId, Fault> {
    crate::named_room(name)
}

pub(super) fn user(id: &str) -> Result<UserId, Fault> {
    match check_user(id) {
        Ok(()) => Ok(UserId::new(id)),
        Err(error) => Err(Fault::field("user", format!("{:?}: the id {error}", short(id)))),
    }
}

/// A connection of this node.
pub(super) fn connection(node: &str, text: &str) -> Result<ConnectionId, Fault> {
    let parts: Vec<&str> = text.split('-').collect();
    let [of, shard, slot, generation] = parts[..] else { return Err(no_connection(text)) };
    let parsed = || {
        let shard = ShardId(shard.parse().ok()?);
        Some(ConnectionId { shard, slot: slot.parse().ok()?, generation: generation.parse().ok()? })
    };
    let id = parsed().ok_or_else(|| no_connection(text))?;
    if of == node {
        return Ok(id);
    }
    let says =
        format!("{:?} is of the node {:?}, and this is {node:?}: ask that one", short(text), short(of));
    Err(Fault::not_there(says).about("id"))
}

fn no_connection(text: &str) -> Fault {
    let says = format!("{:?} is no id of a connection; GET /connections has them", short(text));
    Fault::field("id", says)
}

/// Of a text that is repeated in a refusal.
pub(super) fn short(text: &str) -> String {
    text.chars().take(60).collect()
}
