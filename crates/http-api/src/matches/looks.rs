//! What anybody may ask who may look: the list, how a match stands, and for officials who said what. Whoever asks again and again is told
//! that nothing has changed, which costs no state.

use axum::Extension;
use axum::extract::State;
use axum::http::header::{CACHE_CONTROL, CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use axum::http::{HeaderMap, Method, StatusCode};
use axum::response::IntoResponse;
use node::PeerAddress;
use serde_json::{Value, json};
use vocabulary::{Payload, Position};

use super::{Answer, Shared};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};

/// It may be kept, and is asked about before it is used.
const ASKED_ABOUT: &str = "no-cache";
const JSON: &str = "application/json";

/// Weak: what is told may be newer than its name.
fn tag(head: Position) -> String {
    format!("W/\"{head}\"")
}

fn is_known(headers: &HeaderMap, tag: &str) -> bool {
    let strong = tag.trim_start_matches("W/");
    let known = headers.get_all(IF_NONE_MATCH).iter().filter_map(|value| value.to_str().ok());
    let mut known = known.flat_map(|value| value.split(',')).map(str::trim);
    known.any(|known| known == "*" || known.trim_start_matches("W/") == strong)
}

fn unchanged(tag: &str) -> Answer {
    Ok((StatusCode::NOT_MODIFIED, [(ETAG, tag), (CACHE_CONTROL, ASKED_ABOUT)]).into_response())
}

fn told(tag: &str, body: Payload) -> Answer {
    Ok(([(ETAG, tag), (CACHE_CONTROL, ASKED_ABOUT), (CONTENT_TYPE, JSON)], body).into_response())
}

pub(super) async fn list(
    State(matches): Shared,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    asked: Asked,
) -> Answer {
    let user = matches.viewer(&headers, address)?;
    let pairs = asked::pairs(asked)?;
    let event = asked::one(&pairs, "event")?.filter(|event| !event.is_empty());
    let from = from(&pairs)?;
    let room = matches.list(&user)?;
    let tag = tag(matches.head(&user, &room).await?);
    if is_known(&headers, &tag) {
        return unchanged(&tag);
    }
    told(&tag, matches.ask(&user, &room, "get_matches", &json!({ "event": event, "from": from })).await?)
}

pub(super) async fn state(
    State(matches): Shared,
    id: Id,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
) -> Answer {
    let user = matches.viewer(&headers, address)?;
    let room = matches.room(id, &user)?;
    let head = matches.head(&user, &room).await?;
    let tag = tag(head);
    // Of a match that there is not, an official is told that.
    if head.offset > 0 && is_known(&headers, &tag) {
        return unchanged(&tag);
    }
    told(&tag, matches.ask(&user, &room, "get_match", &json!({})).await?)
}

/// A GET of it is no call where it is mounted; what it would be answered with is.
pub(super) async fn events(
    State(matches): Shared,
    id: Id,
    Extension(PeerAddress(address)): Extension<PeerAddress>,
    headers: HeaderMap,
    method: Method,
) -> Answer {
    if method != Method::HEAD {
        return Err(Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "no stream of events is mounted here"));
    }
    let user = matches.viewer(&headers, address)?;
    let room = matches.room(id, &user)?;
    matches.head(&user, &room).await?;
    Ok([(CONTENT_TYPE, "text/event-stream"), (CACHE_CONTROL, "no-store")].into_response())
}

pub(super) async fn audit(State(matches): Shared, id: Id, headers: HeaderMap, asked: Asked) -> Answer {
    let user = matches.user(&headers)?;
    let room = matches.room(id, &user)?;
    let asked = json!({ "from": from(&asked::pairs(asked)?)? });
    let audit = matches.ask(&user, &room, "get_audit", &asked).await?;
    Ok(([(CACHE_CONTROL, "no-store"), (CONTENT_TYPE, JSON)], audit).into_response())
}

/// The number of the entry to begin with.
pub(super) fn from(pairs: &[(String, String)]) -> Result<Value, Fault> {
    let Some(from) = asked::one(pairs, "from")?.filter(|from| !from.is_empty()) else {
        return Ok(Value::Null);
    };
    let number = from.parse::<u32>().ok().filter(|number| *number > 0);
    let number = number.ok_or_else(|| {
        Fault::field("from", format!("from must be the number of an entry, from 1 on, got {from:?}"))
    })?;
    Ok(number.into())
}
