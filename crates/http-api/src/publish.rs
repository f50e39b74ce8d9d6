//! Publishing: to a room, to a user, to many users.

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::State;
use axum::extract::rejection::BytesRejection;
use axum::http::HeaderMap;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::{Extension, Json};
use futures_util::StreamExt;
use futures_util::stream;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;
use vocabulary::{RoomId, UserId, Wish, check_user};

use crate::answers::{self, Fault, OfUser, Results};
use crate::keys::Known;
use crate::openapi::shape::{self as bounds, shape};
use crate::{Api, Scope, named_room};

/// One record of it goes into a batch by itself; larger things belong elsewhere, with a reference here.
const PAYLOAD_BYTES_MAX: usize = 64 << 10;
/// Users of one request: their inboxes are as many appends.
const USERS_MAX: usize = 1000;
/// Of them at a time, so that one request does not fill the places for calls.
const AT_ONCE: usize = 32;
const ID_BYTES_MAX: usize = 128;
/// Apps' words are short, and one that none knows is repeated in the refusal.
const KIND_BYTES_MAX: usize = 64;
/// The largest payload and a thousand users of the longest ids, and as much again for however they are written.
pub(crate) const BODY_BYTES_MAX: usize = 2 << 20;
const KIND: &str = "send_message";
const ONE_TARGET: &str = "say exactly one of `room`, `user`, `users` and `everybody`";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Publish<'a> {
    room: Option<String>,
    user: Option<String>,
    users: Option<Vec<String>>,
    #[serde(default)]
    everybody: bool,
    #[serde(rename = "type")]
    kind: Option<String>,
    /// The same id is stored once; without one, sending twice is storing twice.
    id: Option<String>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

fn of_users() -> serde_json::Value {
    json!({ "minItems": 1, "maxItems": USERS_MAX })
}

fn of_kind() -> serde_json::Value {
    json!({ "maxLength": KIND_BYTES_MAX })
}

fn of_id() -> serde_json::Value {
    json!({ "minLength": 1, "maxLength": ID_BYTES_MAX })
}

shape!(Publish<'_> as "Publish": "Exactly one of room, user, users and everybody." {
    room: Option<String> => "The full name of a room." & bounds::room,
    user: Option<String> => "Into this user's inbox." & bounds::user,
    users: Option<Vec<String>> => "Into these inboxes, 1 to 1000." & of_users,
    everybody = false: bool => "To whoever is connected to any node; it is not kept for those who are not.",
    kind as "type": Option<String> => "What the room's app is asked to do; send_message if nothing is said." & of_kind,
    id: Option<String> => "The same id of the same key is stored once." & of_id,
    payload: &RawValue => "What the app makes a message of, 64 KiB at most.",
});

enum To {
    One(RoomId),
    Users(Vec<UserId>),
    Everybody,
}

pub(crate) async fn publish(
    State(api): State<Api>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
    body: Result<Bytes, BytesRejection>,
) -> Result<Response, Fault> {
    let body = body.map_err(|error| Fault::unread(&error, BODY_BYTES_MAX))?;
    let said = headers.get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    if !said.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("application/json") {
        return Err(Fault::content_type());
    }
    // A list would do for the parser, field by field, in an order that nobody wrote down.
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::body("the body must be a JSON object"));
    }
    let publish: Publish<'_> =
        serde_json::from_slice(&body).map_err(|error| Fault::body(error.to_string()))?;
    let Publish { room, user, users, everybody, kind, id, payload } = publish;
    let to = match (room, user, users) {
        (None, None, None) if everybody => To::Everybody,
        _ if everybody => return Err(Fault::field("everybody", ONE_TARGET)),
        (Some(room), None, None) => To::One(named_room(&room)?),
        (None, Some(user), None) => To::One(inbox("user", &user)?.inbox()),
        (None, None, Some(users)) => {
            if !(1..=USERS_MAX).contains(&users.len()) {
                return Err(Fault::field("users", format!("{} users; send 1 to {USERS_MAX}", users.len())));
            }
            To::Users(users.iter().map(|user| inbox("users", user)).collect::<Result<_, _>>()?)
        }
        _ => return Err(Fault::field("room", ONE_TARGET)),
    };
    let payload = payload.get();
    check(id.as_deref(), kind.as_deref(), payload)?;
    let payload = protocol::one_line(payload);
    let id: Option<Arc<str>> = id.map(Into::into);
    let kind = kind.map_or(KIND.into(), std::borrow::Cow::Owned);
    let wish = || Wish::Publish { kind: kind.clone(), payload: payload.clone(), id: id.clone() };
    match to {
        To::One(room) => {
            known.allows(Scope::Publish, &room)?;
            let told = api.desk.call(known.name(), room.clone(), wish()).await;
            Ok(Json(answers::of_publish(&room, told)?).into_response())
        }
        To::Everybody => {
            known.may(Scope::Everybody)?;
            if kind != KIND {
                return Err(Fault::field("type", "an announcement has no type"));
            }
            let wish = Wish::Publish { kind: "announce".into(), payload, id };
            let room = RoomId::system();
            let told = api.desk.call(known.name(), room.clone(), wish).await;
            Ok(Json(answers::of_publish(&room, told)?).into_response())
        }
        To::Users(users) => {
            for user in &users {
                known.allows(Scope::Publish, &user.inbox())?;
            }
            let one = |user: UserId| {
                let (desk, name, wish) = (&api.desk, known.name(), wish());
                async move {
                    let room = user.inbox();
                    let told = desk.call(name, room.clone(), wish).await;
                    OfUser::new(&user, answers::of_publish(&room, told))
                }
            };
            let results = stream::iter(users).map(one).buffered(AT_ONCE).collect().await;
            Ok(Json(Results { results }).into_response())
        }
    }
}

/// What holds whomever it is for.
fn check(id: Option<&str>, kind: Option<&str>, payload: &str) -> Result<(), Fault> {
    if let Some(id) = id
        && !(1..=ID_BYTES_MAX).contains(&id.len())
    {
        return Err(Fault::field("id", format!("{} bytes; an id has 1 to {ID_BYTES_MAX}", id.len())));
    }
    if let Some(kind) = kind
        && kind.len() > KIND_BYTES_MAX
    {
        return Err(Fault::field(
            "type",
            format!("{} bytes; a type has at most {KIND_BYTES_MAX}", kind.len()),
        ));
    }
    if payload.len() > PAYLOAD_BYTES_MAX {
        let says = format!("{} bytes; a payload has at most {PAYLOAD_BYTES_MAX}", payload.len());
        return Err(Fault::field("payload", says));
    }
    if !protocol::is_readable(payload) {
        let says = "not every reader can read it: a number beyond a double, half of a surrogate pair, or nested deeper than 64";
        return Err(Fault::field("payload", says));
    }
    Ok(())
}

fn inbox(field: &'static str, user: &str) -> Result<UserId, Fault> {
    match check_user(user) {
        Ok(()) => Ok(UserId::new(user)),
        Err(error) => Err(Fault::field(field, format!("{user:?}: the id {error}"))),
    }
}
