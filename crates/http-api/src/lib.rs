//! What back ends and operators ask by HTTP: publish, history, presence; rooms, connections, users. A request becomes a call to a room's home, and what that says
//! becomes a status and a body. It decides who may ask what by the key alone; what is stored, the room's app decides.

mod answers;
mod asked;
mod body;
mod door;
mod guesses;
pub mod hub;
mod keys;
pub mod livechat;
pub mod matches;
pub mod openapi;
pub mod operate;
mod passes;
mod places;
mod printed;
mod publish;
mod rates;
pub mod rides;

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Query, Request, State};
use axum::http::Method;
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Extension, Router, middleware};
use node::{Desk, Uncalled};
use serde::Deserialize;
use serde_json::json;
use tokio::sync::Semaphore;
use vocabulary::{HistoryFrom, Position, RoomId, UserId, Wish};

use answers::Fault;
use keys::Known;
pub use keys::{Key, Keys, Scope};
use openapi::shape::{self as bounds, shape};
pub use passes::{PASS_MAX, pass};

/// Entries of one page of history.
const HISTORY_MAX: u32 = 100;
const HISTORY_ORDINARY: u32 = 50;

#[derive(Clone)]
pub(crate) struct Api {
    desk: Desk,
    keys: Arc<Keys>,
}

/// `at_once_max`: calls that are read, asked and waited for, whatever becomes of them; one more is refused at once.
pub fn router(desk: Desk, keys: Arc<Keys>, at_once_max: usize) -> Router {
    let places = Arc::new(Semaphore::new(at_once_max));
    let api = Api { desk, keys };
    Router::new()
        .route("/api/publish", post(publish::publish).layer(DefaultBodyLimit::max(publish::BODY_BYTES_MAX)))
        .route("/api/history", get(history))
        .route("/api/presence", get(presence))
        .route_layer(middleware::from_fn_with_state(api.clone(), keys::prove))
        .route_layer(middleware::from_fn_with_state(places, find_place))
        .route("/api/{*rest}", any(async || Fault::not_found()))
        .method_not_allowed_fallback(async |method: Method| Fault::method(&method))
        .with_state(api)
}

/// Outermost: who sends a body slowly takes a place of calls too, and none of the others of the operator's listener.
async fn find_place(State(places): State<Arc<Semaphore>>, request: Request, next: Next) -> Response {
    match places.try_acquire() {
        Ok(_place) => next.run(request).await,
        Err(_) => Fault::from(Uncalled::Busy).into_response(),
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Past {
    room: String,
    limit: Option<u32>,
    before: Option<String>,
    after: Option<String>,
}

shape!(Past as "Past": "What of a room's log." {
    room: String => "Its full name." & bounds::room,
    limit: Option<u32> => "How many messages; 50 if nothing is said." & of_page,
    before: Option<String> => "Those in front of this `message_id`." & of_message,
    after: Option<String> => "Those behind it." & of_message,
});

async fn history(
    State(api): State<Api>,
    Extension(known): Extension<Known>,
    asked: Result<Query<Past>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Fault> {
    let Query(Past { room, limit, before, after }) = asked.map_err(|error| Fault::query(&error))?;
    let room = named_room(&room)?;
    known.allows(Scope::History, &room)?;
    let from = match (before, after) {
        (None, None) => HistoryFrom::Latest,
        (Some(before), None) => HistoryFrom::Before(position("before", &before)?),
        (None, Some(after)) => HistoryFrom::After(position("after", &after)?),
        (Some(_), Some(_)) => return Err(Fault::field("after", "`before` and `after` exclude each other")),
    };
    let limit = limit.unwrap_or(HISTORY_ORDINARY);
    if !(1..=HISTORY_MAX).contains(&limit) {
        return Err(Fault::field("limit", format!("{limit} is not between 1 and {HISTORY_MAX}")));
    }
    let told = api.desk.call(known.name(), room.clone(), Wish::History { limit, from }).await;
    answers::of_history(&room, told)
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Here {
    room: String,
}

fn of_page() -> serde_json::Value {
    json!({ "minimum": 1, "maximum": HISTORY_MAX })
}

fn of_message() -> serde_json::Value {
    json!({ "pattern": "^[0-9a-f]{1,15}-[0-9]{1,18}$" })
}

shape!(Here as "Here": "Which room." {
    room: String => "Its full name." & bounds::room,
});

async fn presence(
    State(api): State<Api>,
    Extension(known): Extension<Known>,
    asked: Result<Query<Here>, axum::extract::rejection::QueryRejection>,
) -> Result<Response, Fault> {
    let Query(Here { room }) = asked.map_err(|error| Fault::query(&error))?;
    let room = named_room(&room)?;
    known.allows(Scope::Presence, &room)?;
    let told = api.desk.call(known.name(), room.clone(), Wish::Members).await;
    answers::of_presence(&room, told)
}

/// There is no mount here whose app a short name could mean.
pub(crate) fn named_room(name: &str) -> Result<RoomId, Fault> {
    let room = RoomId::from_full(name);
    let room = room.ok_or_else(|| {
        Fault::field("room", format!("{name:?} names no app; write it in front, as in \"chat:{name}\""))
    })?;
    // An inbox has its user's name, which is any text.
    let is_inbox = UserId::new(room.name()).inbox() == room;
    let check = if is_inbox { vocabulary::check_user } else { vocabulary::check_name };
    match check(room.name()) {
        Ok(()) => Ok(room),
        Err(error) => Err(Fault::field("room", format!("{name:?}: the name {error}"))),
    }
}

/// `epoch-offset`, as the id of a message says it.
fn position(field: &'static str, text: &str) -> Result<Position, Fault> {
    let parse = || {
        let (epoch, offset) = text.split_once('-')?;
        Some(Position { epoch: epoch.parse().ok()?, offset: offset.parse().ok()? })
    };
    parse().ok_or_else(|| {
        Fault::field(field, format!("{text:?} is no position; write it as the id of a message"))
    })
}
