//! The HTTP calls of ride hailing: what drivers and passengers may say without a socket, and, for back ends, the calls that services of a
//! fleet ask of each other. Each is a word said to a person's or a ride's room; what is answered is how things stand then. What somebody
//! may, and what comes of it, the rides app decides. Accounts are elsewhere.

mod internal;
mod own;

use std::sync::Arc;

use axum::Json;
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use node::Desk;
use serde_json::{Value, json};
use vocabulary::{By, Code, Payload, Refusal, RoomId, Wish, check_name, lower_uuid};

use crate::answers::Fault;
use crate::body::Fields;
use crate::door::{Said, Unsaid, say};

pub use internal::{Config as InternalConfig, Question, Squares, router as internal};
pub use own::{Config, router};

const APP: &str = "rides";
/// What a match's room and a ride's take, by the last part of a path.
const MATCH_WORDS: [(&str, &str); 2] = [("confirm", "match_confirm"), ("cancel", "match_cancel")];
const RIDE_WORDS: [(&str, &str); 6] = [
    ("pickup", "pickup_arrived"),
    ("start", "ride_start"),
    ("arrive", "ride_arrived"),
    ("payment", "payment_process"),
    ("cancel", "ride_cancel"),
    ("location", "location_update"),
];
/// Random bytes, however they are written.
const KEY_BYTES_MAX: usize = 64;

const ROOTS: [&str; 5] = ["/api/rides", "/internal", "/drivers", "/users", "/auth/otp"];

/// Whether the routers answer at this path.
pub fn has(path: &str) -> bool {
    let below =
        |root: &str| path.strip_prefix(root).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    ROOTS.into_iter().any(below)
}

type Answer = Result<Response, Failed>;

/// What did not go well, as `{success, error, code}`.
pub(crate) struct Failed(Fault);

impl From<Fault> for Failed {
    fn from(fault: Fault) -> Failed {
        Failed(fault)
    }
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        self.0.in_words()
    }
}

fn done(status: StatusCode, message: &str, data: Value) -> Answer {
    Ok((status, Json(json!({ "success": true, "message": message, "data": data }))).into_response())
}

fn ok(message: &str, data: Value) -> Answer {
    done(StatusCode::OK, message, data)
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    Driver,
    Passenger,
}

impl Side {
    fn name(self) -> &'static str {
        match self {
            Side::Driver => "driver",
            Side::Passenger => "passenger",
        }
    }

    /// What of the state of their room says whether they are in the pool, or look for a driver.
    fn switch(self) -> &'static str {
        match self {
            Side::Driver => "beacon",
            Side::Passenger => "finder",
        }
    }

    fn room(self, id: &str) -> Result<RoomId, Fault> {
        let name = format!("{}:{id}", self.name());
        match check_name(&name) {
            Ok(()) => Ok(RoomId::new(APP, &name)),
            Err(error) => {
                let says = format!(
                    "user_id must make the name of a room, {name:?}, which {error}: it consists of A-Z a-z 0-9 _ . : -"
                );
                Err(Fault::field("user_id", says))
            }
        }
    }
}

/// As matches and rides are named.
fn uuid(field: &str, id: &str) -> Result<String, Fault> {
    let shown: String = id.chars().take(60).collect();
    lower_uuid(id).ok_or_else(|| Fault::field(field, format!("{field} must be a UUID, got {shown:?}")))
}

fn ride_room(id: &str) -> Result<RoomId, Fault> {
    Ok(RoomId::new(APP, &format!("ride:{}", uuid("ride_id", id)?)))
}

/// What the last part of a path means.
fn word(words: &[(&str, &'static str)], said: &str) -> Result<&'static str, Fault> {
    words.iter().find(|(path, _)| *path == said).map(|(_, kind)| *kind).ok_or_else(no_such_call)
}

pub(crate) fn no_such_call() -> Fault {
    Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", "there is no such call; paths end without a slash")
}

/// A body that names what its path names, if it names it at all.
fn agrees(fields: &Fields, name: &str, id: &str) -> Result<(), Fault> {
    match fields.text(name)? {
        Some(said) if !said.eq_ignore_ascii_case(id) => {
            let shown: String = said.chars().take(60).collect();
            Err(Fault::field(name, format!("{name} must be that of the path, {id}, got {shown}")))
        }
        _ => Ok(()),
    }
}

/// What makes a call that is sent again the same. By the word, too: a key that is used for two is two.
fn once(headers: &HeaderMap, kind: &str) -> Result<Option<Arc<str>>, Fault> {
    const NAME: &str = "Idempotency-Key";
    let mut said = headers.get_all(NAME).iter();
    let Some(key) = said.next() else { return Ok(None) };
    let key = key.as_bytes();
    let is_sound = (1..=KEY_BYTES_MAX).contains(&key.len())
        && key.iter().all(u8::is_ascii_graphic)
        && said.next().is_none();
    if !is_sound {
        let says = format!(
            "{NAME} must be 1 to {KEY_BYTES_MAX} printable characters without spaces, said once, got {} bytes",
            key.len()
        );
        return Err(Fault::field(NAME, says));
    }
    Ok(Some(format!("http {kind} {}", String::from_utf8_lossy(key)).into()))
}

/// How a refusal reads. That something is none of a user's is theirs to know; to a back end, which may speak for all, it is not there.
fn of_refusal(by: &By, refusal: &Refusal) -> Fault {
    let fault = Fault::from(refusal);
    match refusal.code {
        Code::Unauthorized if matches!(by, By::Key(_)) => {
            let says = "there is no such match or ride of theirs";
            Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says)
        }
        Code::Unauthorized => fault.with_status(StatusCode::FORBIDDEN),
        Code::App("NOT_FOUND") => fault.with_status(StatusCode::NOT_FOUND),
        Code::App("VALIDATION_FAILED") | Code::InvalidPayload => match field_of(refusal) {
            Some((field, true)) => fault.about(field).with_status(StatusCode::BAD_REQUEST),
            // Nothing is wrong with what was said, but for how things stand.
            Some((field, false)) => conflict(refusal).about(field),
            None => conflict(refusal),
        },
        _ => fault,
    }
}

fn conflict(refusal: &Refusal) -> Fault {
    Fault::new(StatusCode::CONFLICT, "CONFLICT", refusal.text.clone())
}

/// Apps say it first: `latitude must be …`; and whether that alone is wrong, or how things stand.
fn field_of(refusal: &Refusal) -> Option<(&str, bool)> {
    let (first, rest) = refusal.text.split_once(' ')?;
    let name = first.trim_end_matches(':');
    let is_name = name.bytes().all(|byte| matches!(byte, b'a'..=b'z' | b'_' | b'.')) && name.contains('_')
        || ["latitude", "longitude", "timestamp", "accepted", "status", "location", "reason"].contains(&name);
    let is_wrong = ["must be ", "is required"].iter().any(|says| rest.starts_with(says));
    is_name.then_some((name, is_wrong))
}

/// The rooms of rides, for whoever was proven.
struct Rooms {
    desk: Desk,
    /// The fleet's own back end decides: what is said is handed to it.
    is_fleet: bool,
}

impl Rooms {
    async fn try_say(
        &self,
        by: &By,
        room: &RoomId,
        kind: &'static str,
        payload: Payload,
        id: Option<Arc<str>>,
    ) -> Result<Said, Unsaid> {
        say(&self.desk, by.clone(), room, Wish::Publish { kind: kind.into(), payload, id }).await
    }

    async fn say(
        &self,
        by: &By,
        room: &RoomId,
        kind: &'static str,
        payload: Payload,
        id: Option<Arc<str>>,
    ) -> Result<Said, Fault> {
        self.try_say(by, room, kind, payload, id).await.map_err(|why| unsaid(by, why))
    }

    /// How things are in a room.
    async fn state(&self, by: &By, room: &RoomId) -> Result<Value, Fault> {
        let said = self.say(by, room, "get_state", Payload::from_static(b"{}"), None).await?;
        read(said.reply.as_ref().ok_or_else(Fault::unexpected)?)
    }

    /// A ride with its payment, which are its receipt when it is over.
    async fn ride(&self, by: &By, room: &RoomId) -> Result<Value, Fault> {
        let state = self.state(by, room).await?;
        Ok(self.told_ride(state))
    }

    fn told_ride(&self, state: Value) -> Value {
        if self.is_fleet {
            return json!({ "ride": state["ride"], "payment": state["payment"] });
        }
        let payment = state["payment"].clone();
        json!({ "ride": state, "payment": payment })
    }

    /// What came of switching oneself on or off: what the room replied, or, where that was said before, how it stands.
    async fn switched(&self, by: &By, room: &RoomId, side: Side, said: Said) -> Result<Value, Fault> {
        match &said.reply {
            Some(reply) => read(reply),
            None => Ok(self.state(by, room).await?[side.switch()].take()),
        }
    }

    /// The same of a word about a match.
    async fn told(&self, by: &By, room: &RoomId, said: Said, id: &str) -> Result<Value, Fault> {
        if let Some(reply) = &said.reply {
            return read(reply);
        }
        let state = self.state(by, room).await?;
        let offers = state["offers"].as_array().into_iter().flatten();
        let found = offers.chain([&state["ride"]]).find(|known| known["match_id"] == id);
        Ok(found.cloned().unwrap_or_else(|| json!({ "match_id": id })))
    }

    /// Taken, or done.
    fn answer(&self, said_to_back_end: bool, message: &str, data: Value) -> Answer {
        match self.is_fleet && said_to_back_end {
            true => done(StatusCode::ACCEPTED, "Handed to the fleet's own back end", data),
            false => ok(message, data),
        }
    }
}

fn unsaid(by: &By, why: Unsaid) -> Fault {
    match why {
        Unsaid::Refused(refusal) => of_refusal(by, &refusal),
        Unsaid::Other(fault) => fault,
    }
}

fn read(reply: &Payload) -> Result<Value, Fault> {
    serde_json::from_slice(reply).map_err(|_| Fault::unexpected())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use vocabulary::{Person, Reference, ShardId, User, UserId};

    use super::*;

    fn user() -> By {
        let person = Person { id: UserId::new("7"), name: "Ana".into() };
        By::User(Arc::new(User { person, role: None, rooms: None, groups: None }))
    }

    fn told(by: &By, refusal: &Refusal) -> (u16, Value) {
        let response = Failed::from(of_refusal(by, refusal)).into_response();
        let status = response.status().as_u16();
        let mut body = Box::pin(axum::body::to_bytes(response.into_body(), 1 << 16));
        let body = futures_util::FutureExt::now_or_never(body.as_mut()).expect("it is there").expect("whole");
        (status, serde_json::from_slice(&body).expect("JSON"))
    }

    #[test]
    fn a_refusal_has_the_status_of_whose_fault_it_is() {
        let key = By::Key("fleet".into());
        let invalid = |text: &'static str| Refusal::new(Code::App("VALIDATION_FAILED"), text);
        for (by, refusal, status, code, field) in [
            (user(), invalid("latitude must be a number, got x"), 400, "VALIDATION_FAILED", Some("latitude")),
            (user(), invalid("match_id is required"), 400, "VALIDATION_FAILED", Some("match_id")),
            (
                key.clone(),
                invalid("total_cost must be 9600, got 1"),
                400,
                "VALIDATION_FAILED",
                Some("total_cost"),
            ),
            (user(), invalid("ride_id is of a ride that is over"), 409, "CONFLICT", Some("ride_id")),
            (user(), invalid("location: another search is on"), 409, "CONFLICT", Some("location")),
            (key.clone(), invalid("the driver is 300 m from the passenger"), 409, "CONFLICT", None),
            (key.clone(), invalid("no position of the driver is known"), 409, "CONFLICT", None),
            (user(), Refusal::unauthorized(), 403, "UNAUTHORIZED", None),
            (key.clone(), Refusal::unauthorized(), 404, "NOT_FOUND", None),
            (user(), Refusal::new(Code::App("NOT_FOUND"), "no such ride"), 404, "NOT_FOUND", None),
            (key, Refusal::busy(5_000), 503, "BUSY", None),
        ] {
            let (got, body) = told(&by, &refusal);
            assert_eq!(
                (got, &body["success"], &body["code"], body["field"].as_str()),
                (status, &json!(false), &json!(code), field),
                "{body}"
            );
        }
        let (status, body) =
            told(&user(), &Refusal::internal(Reference { node: 7, shard: ShardId(0), number: 1 }));
        assert_eq!(
            (status, &body["error"], &body["ref"]),
            (500, &json!("Internal server error"), &json!("7-0-1"))
        );
    }

    #[test]
    fn a_key_that_is_said_is_sound_or_named() {
        let of = |keys: &[&'static str]| {
            let mut headers = HeaderMap::new();
            for key in keys {
                headers.append("idempotency-key", key.parse().expect("a value"));
            }
            once(&headers, "ride_start").map(|id| id.map(|id| id.to_string()))
        };
        assert_eq!(of(&[]).expect("none"), None);
        assert_eq!(of(&["a-1"]).expect("sound").as_deref(), Some("http ride_start a-1"));
        let long: &'static str = Box::leak("x".repeat(KEY_BYTES_MAX + 1).into_boxed_str());
        for wrong in [&[""][..], &["a b"], &["a", "a"], &[long]] {
            assert!(of(wrong).is_err(), "{wrong:?}");
        }
    }
}
