//! What a room's home said, as a status and a body.

use std::time::Duration;

use crate::openapi::shape::{Book, Shape, shape};
use axum::Json;
use axum::extract::rejection::{BytesRejection, QueryRejection};
use axum::http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use axum::http::{Method, StatusCode};
use axum::response::{IntoResponse, Response};
use node::Uncalled;
use serde::Serialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};
use vocabulary::{Code, PageEntry, Payload, Person, Position, Refusal, Reply, RoomId, Told, UserId, Wall};

/// Why there is no answer of the kind that was asked for.
#[derive(Debug)]
pub(crate) struct Fault {
    status: StatusCode,
    body: Value,
    retry_after_ms: Option<u32>,
}

impl Fault {
    pub(crate) fn new(status: StatusCode, code: &str, error: impl Into<String>) -> Fault {
        Fault { status, body: json!({ "error": error.into(), "code": code }), retry_after_ms: None }
    }

    pub(crate) fn field(field: &str, says: impl Into<String>) -> Fault {
        let mut fault = Fault::new(StatusCode::BAD_REQUEST, "INVALID_PAYLOAD", says);
        fault.body["field"] = field.into();
        fault
    }

    /// The field that a refusal names.
    pub(crate) fn about(mut self, field: &str) -> Fault {
        self.body["field"] = field.into();
        self
    }

    pub(crate) fn body(says: impl Into<String>) -> Fault {
        Fault::field("body", says)
    }

    pub(crate) fn unread(error: &BytesRejection, bytes_max: usize) -> Fault {
        let says = match error.status() {
            StatusCode::PAYLOAD_TOO_LARGE => format!("the body has more than {bytes_max} bytes"),
            _ => error.body_text(),
        };
        Fault { status: error.status(), ..Fault::body(says) }
    }

    pub(crate) fn late(within: Duration) -> Fault {
        let says = format!("the body took longer than {} s: send it at once", within.as_secs());
        Fault::body(says).with_status(StatusCode::REQUEST_TIMEOUT)
    }

    pub(crate) fn not_found() -> Fault {
        let says = "not found: there are /api/publish, /api/history and /api/presence";
        Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says)
    }

    pub(crate) fn method(method: &Method) -> Fault {
        let says = format!("{method} is not asked here");
        Fault::new(StatusCode::METHOD_NOT_ALLOWED, "METHOD_NOT_ALLOWED", says)
    }

    pub(crate) fn not_there(says: impl Into<String>) -> Fault {
        Fault::new(StatusCode::NOT_FOUND, "NOT_FOUND", says)
    }

    pub(crate) fn conflict(code: &str, says: impl Into<String>) -> Fault {
        Fault::new(StatusCode::CONFLICT, code, says)
    }

    pub(crate) fn content_type() -> Fault {
        let says = "the body must be application/json";
        Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UNSUPPORTED_MEDIA_TYPE", says).about("Content-Type")
    }

    /// In other words.
    pub(crate) fn saying(mut self, says: impl Into<String>) -> Fault {
        self.body["error"] = says.into().into();
        self
    }

    pub(crate) fn query(error: &QueryRejection) -> Fault {
        Fault::field("query", error.body_text())
    }

    pub(crate) fn forbidden(says: impl Into<String>) -> Fault {
        Fault::new(StatusCode::FORBIDDEN, "FORBIDDEN", says)
    }

    pub(crate) fn unproven() -> Fault {
        Fault::new(StatusCode::UNAUTHORIZED, "UNAUTHORIZED", "authentication required")
    }

    /// By that room.
    fn refused(room: &RoomId, refusal: &Refusal) -> Fault {
        let mut fault = Fault::from(refusal);
        if *refusal == Refusal::no_app(room) {
            fault.body["field"] = "room".into();
        }
        fault
    }

    pub(crate) fn with_status(self, status: StatusCode) -> Fault {
        Fault { status, ..self }
    }

    /// For clients that read `{success, message, error}`; what is beside it in the body stands in `data`.
    pub(crate) fn in_envelope(self) -> Response {
        let Fault { status, mut body, retry_after_ms } = self;
        let taken = |body: &mut Value, key| body.as_object_mut().and_then(|body| body.remove(key));
        let (message, error) = (taken(&mut body, "error"), taken(&mut body, "code"));
        let mut whole = json!({ "success": false, "message": message, "error": error });
        if body.as_object().is_some_and(|body| !body.is_empty()) {
            whole["data"] = body;
        }
        Fault { status, body: whole, retry_after_ms }.into_response()
    }

    /// For clients that read `{success, error, code}`, with whatever is beside it.
    pub(crate) fn in_words(mut self) -> Response {
        self.body["success"] = false.into();
        self.into_response()
    }

    pub(crate) fn code(&self) -> &Value {
        &self.body["code"]
    }

    pub(crate) fn says(&self) -> &Value {
        &self.body["error"]
    }

    pub(crate) fn is_conflict(&self) -> bool {
        self.status == StatusCode::CONFLICT
    }

    pub(crate) fn unexpected() -> Fault {
        Fault::new(StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR", "Internal server error")
    }
}

impl From<&Refusal> for Fault {
    fn from(refusal: &Refusal) -> Fault {
        let (status, code) = match refusal.code {
            Code::InvalidFormat => (StatusCode::BAD_REQUEST, "INVALID_FORMAT"),
            Code::UnknownType => (StatusCode::BAD_REQUEST, "UNKNOWN_TYPE"),
            Code::MissingRoom => (StatusCode::BAD_REQUEST, "MISSING_ROOM"),
            Code::InvalidPayload => (StatusCode::BAD_REQUEST, "INVALID_PAYLOAD"),
            Code::NotInRoom => (StatusCode::FORBIDDEN, "NOT_IN_ROOM"),
            Code::TooManyRooms => (StatusCode::FORBIDDEN, "TOO_MANY_ROOMS"),
            Code::Forbidden => (StatusCode::FORBIDDEN, "FORBIDDEN"),
            Code::Unauthorized => (StatusCode::UNAUTHORIZED, "UNAUTHORIZED"),
            Code::RateLimit => (StatusCode::TOO_MANY_REQUESTS, "RATE_LIMIT"),
            Code::Busy => (StatusCode::SERVICE_UNAVAILABLE, "BUSY"),
            Code::Unconfirmed => (StatusCode::GATEWAY_TIMEOUT, "UNCONFIRMED"),
            Code::Internal => (StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR"),
            Code::App(code) => (StatusCode::CONFLICT, code),
        };
        let mut fault = Fault::new(status, code, refusal.text.clone());
        let field = match refusal.code {
            Code::UnknownType => Some("type"),
            Code::MissingRoom => Some("room"),
            Code::InvalidPayload => Some("payload"),
            _ => None,
        };
        if let Some(field) = field {
            fault.body["field"] = field.into();
        }
        fault.retry_after_ms = refusal.retry_after_ms;
        if let Some(millis) = refusal.retry_after_ms {
            fault.body["retry_after_ms"] = millis.into();
        }
        if let Some(reference) = &refusal.reference {
            fault.body["ref"] = reference.to_string().into();
        }
        fault
    }
}

impl From<Uncalled> for Fault {
    fn from(why: Uncalled) -> Fault {
        match why {
            Uncalled::Busy => Fault::from(&Refusal::busy(500)),
            Uncalled::Unanswered => Fault::from(&Refusal::unconfirmed()),
        }
    }
}

impl IntoResponse for Fault {
    fn into_response(self) -> Response {
        let mut response = (self.status, Json(self.body)).into_response();
        if let Some(millis) = self.retry_after_ms {
            response.headers_mut().insert(RETRY_AFTER, millis.div_ceil(1000).into());
        }
        if self.status == StatusCode::UNAUTHORIZED {
            let bearer = axum::http::HeaderValue::from_static("Bearer");
            response.headers_mut().insert(WWW_AUTHENTICATE, bearer);
        }
        response
    }
}

/// What was stored, or done without a record.
#[derive(Serialize)]
pub(crate) struct Published {
    room: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    message_id: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    position: Option<Place>,
    timestamp: String,
    reply: Option<Box<RawValue>>,
}

pub(crate) fn of_publish(room: &RoomId, told: Result<Told, Uncalled>) -> Result<Published, Fault> {
    let published = |stored: Option<Position>, at: Wall, reply: Option<&Payload>| Published {
        room: room.as_str().to_owned(),
        message_id: stored.map(|position| position.to_string()),
        position: stored.map(Place::from),
        timestamp: at.to_string(),
        reply: reply.and_then(raw).map(ToOwned::to_owned),
    };
    match told? {
        Told::Stored { position, at, reply } => Ok(published(Some(position), at, reply.as_ref())),
        Told::Reply { reply: Reply::Done(reply), at } => Ok(published(None, at, reply.as_ref())),
        Told::Reply { reply: Reply::Refused(refusal), .. } => Err(Fault::refused(room, &refusal)),
        Told::Reply { .. } => Err(Fault::unexpected()),
    }
}

shape!(Published as "Published": "What was stored, or done without a record." {
    room: String => "Where.",
    message_id: Option<String> => "Of what was stored; absent where nothing was.",
    position: Option<Place> => "The same, for programs.",
    timestamp: String => "When.",
    reply: Option<Box<RawValue>> => "What the app said to it.",
});

#[derive(Serialize)]
pub(crate) struct Results {
    pub results: Vec<OfUser>,
}

shape!(Results as "PublishedToUsers": "What came of each of many users, in their order." {
    results: Vec<OfUser> => "As for one; or `error` and `code` of that one.",
});

impl Shape for OfUser {
    fn shape(book: &mut Book) -> Value {
        book.named("PublishedToUser", |_| {
            json!({ "type": "object", "required": ["user"], "properties": { "user": { "type": "string" } } })
        })
    }
}

/// What came of one user of many.
#[derive(Serialize)]
pub(crate) struct OfUser {
    user: String,
    #[serde(flatten)]
    result: Outcome,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Outcome {
    Published(Published),
    Refused(Value),
}

impl OfUser {
    pub(crate) fn new(user: &UserId, result: Result<Published, Fault>) -> OfUser {
        let result = match result {
            Ok(published) => Outcome::Published(published),
            Err(fault) => Outcome::Refused(fault.body),
        };
        OfUser { user: user.as_str().to_owned(), result }
    }
}

#[derive(Serialize)]
pub(crate) struct History<'a> {
    room: &'a str,
    messages: Vec<Message<'a>>,
    upto: Place,
    /// There may be more: where to go on from.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<Place>,
}

shape!(History<'_> as "History": "A page of a room's log." {
    room: &'_ str => "The room.",
    messages: Vec<Message<'_>> => "Oldest first.",
    upto: Place => "Where the log ends.",
    next: Option<Place> => "There may be more: where to go on from.",
});

#[derive(Serialize)]
struct Message<'a> {
    #[serde(rename = "type")]
    kind: &'a str,
    id: String,
    position: Place,
    timestamp: String,
    sender: Option<Value>,
    payload: Option<&'a RawValue>,
}

shape!(Message<'_> as "Message": "One of a room's messages, as it shows now." {
    kind as "type": &'_ str => "What it is.",
    id: String => "Its `message_id`.",
    position: Place => "The same, for programs.",
    timestamp: String => "When it was stored.",
    sender: Option<Value> => "Who said it; null: no user did.",
    payload: Option<&'_ RawValue> => "As it was written.",
});

#[derive(Serialize)]
pub(crate) struct Place {
    epoch: String,
    offset: u64,
}

shape!(Place as "Position": "A place in a room's log." {
    epoch: String => "Counts up when a log begins anew.",
    offset: u64 => "Dense within an epoch.",
});

impl From<Position> for Place {
    fn from(position: Position) -> Place {
        Place { epoch: position.epoch.to_string(), offset: position.offset }
    }
}

pub(crate) fn of_history(room: &RoomId, told: Result<Told, Uncalled>) -> Result<Response, Fault> {
    match told? {
        Told::Reply { reply: Reply::History { entries, upto, next }, .. } => {
            let messages = entries.iter().filter_map(message).collect();
            let next = next.map(Place::from);
            Ok(Json(History { room: room.as_str(), messages, upto: upto.into(), next }).into_response())
        }
        Told::Reply { reply: Reply::Refused(refusal), .. } => Err(Fault::refused(room, &refusal)),
        _ => Err(Fault::unexpected()),
    }
}

#[derive(Serialize)]
pub(crate) struct Roll<'a> {
    room: &'a str,
    count: u32,
    users: Vec<Value>,
}

shape!(Roll<'_> as "Presence": "Who is in a room, on whatever node." {
    room: &'_ str => "The room.",
    count: u32 => "How many users.",
    users: Vec<Value> => "The first 200: id and name of each.",
});

pub(crate) fn of_presence(room: &RoomId, told: Result<Told, Uncalled>) -> Result<Response, Fault> {
    match told? {
        Told::Reply { reply: Reply::Members { users, count, .. }, .. } => {
            let users: Vec<Value> = users.iter().map(person).collect();
            Ok(Json(Roll { room: room.as_str(), count, users }).into_response())
        }
        Told::Reply { reply: Reply::Refused(refusal), .. } => Err(Fault::refused(room, &refusal)),
        _ => Err(Fault::unexpected()),
    }
}

fn message(entry: &PageEntry) -> Option<Message<'_>> {
    let shown = entry.shown.as_ref()?;
    Some(Message {
        kind: shown.kind,
        id: entry.position.to_string(),
        position: entry.position.into(),
        timestamp: entry.at.to_string(),
        sender: shown.sender.as_ref().map(person),
        payload: raw(&shown.payload),
    })
}

fn person(person: &Person) -> Value {
    json!({ "id": person.id.as_str(), "name": &*person.name })
}

/// A payload that an app made: JSON, as it is, to the last digit.
fn raw(payload: &Payload) -> Option<&RawValue> {
    serde_json::from_slice(payload).ok()
}
