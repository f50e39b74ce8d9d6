//! The native protocol: `{type, room, id, payload, sender, timestamp, position}`. docs/protocol.md is its page.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{
    Asked, Code, HistoryFrom, PageEntry, Payload, Position, Refusal, Request, RoomId, Shown, Tag, Unproven,
    User, Verb, Wall, Word,
};

use crate::json::{self, Object};
use crate::reading::{self, Text, clip};
use crate::{Item, Misheard, Names, Protocol};

const HISTORY_DEFAULT: u32 = 50;
/// Rooms of one `resume`: as many as one connection may be in.
const RESUME_MAX: usize = 100;
const INVALID_FORMAT: &str = "invalid message format";
#[derive(Clone, Copy, Debug, Default)]
pub struct RoomsProtocol;

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    room: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct RoomPayload<'a> {
    #[serde(borrow, default)]
    room_id: Option<Text<'a>>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(borrow, default)]
    after: Option<&'a RawValue>,
    #[serde(borrow, default)]
    limit: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct ResumePayload<'a> {
    #[serde(borrow, default)]
    rooms: Vec<&'a RawValue>,
}

#[derive(Deserialize)]
struct TokenPayload<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// One frame being understood: what an answer needs is known before what is asked.
struct Hearing<'a> {
    names: &'a Names<'a>,
    frame: Frame<'a>,
    id: Option<Arc<str>>,
}

impl Protocol for RoomsProtocol {
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard> {
        let Some(frame) = reading::object::<Frame<'_>>(text) else {
            let refusal = Refusal::new(Code::InvalidFormat, INVALID_FORMAT);
            return Err(Misheard { tag: Tag::default(), room: None, refusal });
        };
        let id = reading::own_id(frame.id.as_deref());
        let hearing = Hearing { names, frame, id: id.clone().unwrap_or_default() };
        id.map_err(|text| hearing.invalid(text))?;
        if !hearing.frame.payload.is_none_or(|payload| reading::is_readable(payload.get())) {
            return Err(hearing.misheard(Code::InvalidFormat, INVALID_FORMAT));
        }
        if matches!(hearing.kind(), "authenticate" | "refresh") {
            return hearing.identify();
        }
        if hearing.kind() == "resume" {
            return hearing.resume();
        }
        let asked = match hearing.kind() {
            "join_room" => hearing.join(),
            "leave_room" => {
                let room = hearing.payload_room()?;
                Ok(hearing.asked(room, Verb::Leave))
            }
            "send_message" => {
                let room = hearing.room("room is required for sending messages")?;
                Ok(hearing.act(room, Word::of_members("send_message"), hearing.passed_on()))
            }
            kind @ ("typing" | "stop_typing") => {
                let room = hearing.either_room("room is required for typing")?;
                let name = if kind == "typing" { "typing" } else { "stop_typing" };
                Ok(hearing.act(room, Word::of_members(name), Payload::new()))
            }
            "online_users" => {
                let room = hearing.either_room("room is required for online users")?;
                Ok(hearing.asked(room, Verb::Members))
            }
            "get_history" => hearing.history(),
            _ => hearing.word(),
        };
        asked.map(Request::Room)
    }

    fn encode(&self, _reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        // Who is there is told by room, a leave is answered where it has an id, and pings are WebSocket's.
        if let Item::Opened { .. } | Item::Pong { .. } | Item::Online { .. } | Item::Offline { .. } = item {
            return false;
        }
        if let Item::Left { id: None, .. } = item {
            return false;
        }
        let mut object = Object::begin(out);
        write_item(&mut object, item);
        object.end();
        true
    }
}

/// Which of several rooms was not understood.
fn at(index: usize, mut misheard: Misheard) -> Misheard {
    let text = misheard.refusal.text.replacen("invalid room payload", "invalid resume payload", 1);
    misheard.refusal.text = format!("{text} (rooms[{index}])").into();
    misheard
}

impl<'a> Hearing<'a> {
    fn kind(&self) -> &str {
        self.frame.kind.as_deref().unwrap_or("")
    }

    fn misheard(&self, code: Code, text: impl Into<Cow<'static, str>>) -> Misheard {
        let tag = Tag { id: self.id.clone(), full_name: false };
        let room =
            self.frame.room.as_deref().filter(|room| !room.is_empty()).map(|room| clip(room).into_owned());
        Misheard { tag, room, refusal: Refusal::new(code, text) }
    }

    fn asked(&self, (room, full_name): (RoomId, bool), verb: Verb) -> Asked {
        Asked { tag: Tag { id: self.id.clone(), full_name }, room, verb }
    }

    fn act(&self, room: (RoomId, bool), word: Word, payload: Payload) -> Asked {
        self.asked(room, Verb::Act { kind: word.name.into(), payload, standing: word.standing })
    }

    /// A request of the app's own. What its payload says is the app's to read, but for a room that is named nowhere else.
    fn word(&self) -> Result<Asked, Misheard> {
        let kind = self.kind();
        let unknown = || self.misheard(Code::UnknownType, format!("unknown message type: {}", clip(kind)));
        let outer = self.frame.room.as_deref().filter(|room| !room.is_empty());
        let room = match outer {
            Some(written) => self.named("room", written),
            None => self.either_room("room is required for this request"),
        };
        // What is said of a room means nothing where nobody knows the request.
        let unless_known =
            |misheard| (self.names.word)(self.names.app, kind).map_or_else(unknown, |_| misheard);
        let room = room.map_err(unless_known)?;
        let word = (self.names.word)(room.0.app(), kind).ok_or_else(unknown)?;
        Ok(self.act(room, word, self.passed_on()))
    }

    /// The payload as the app gets it.
    fn passed_on(&self) -> Payload {
        reading::one_line(self.frame.payload.map_or("null", RawValue::get))
    }

    fn payload(&self) -> Result<RoomPayload<'a>, Misheard> {
        let raw = self.frame.payload.map_or("", RawValue::get);
        reading::object(raw).ok_or_else(|| self.invalid("invalid room payload"))
    }

    fn invalid(&self, text: impl Into<Cow<'static, str>>) -> Misheard {
        self.misheard(Code::InvalidPayload, text)
    }

    fn named(&self, field: &str, written: &str) -> Result<(RoomId, bool), Misheard> {
        let invalid =
            |error| self.invalid(format!("invalid room payload: {field} {error}, got {:?}", clip(written)));
        self.names.room(written).map_err(invalid)
    }

    fn of_payload(&self, payload: &RoomPayload<'_>) -> Result<(RoomId, bool), Misheard> {
        match payload.room_id.as_deref() {
            Some(written) => self.named("room_id", written),
            None => Err(self.invalid("invalid room payload: room_id is required")),
        }
    }

    fn payload_room(&self) -> Result<(RoomId, bool), Misheard> {
        self.of_payload(&self.payload()?)
    }

    fn room(&self, missing: &'static str) -> Result<(RoomId, bool), Misheard> {
        match self.frame.room.as_deref() {
            None | Some("") => Err(self.misheard(Code::MissingRoom, missing)),
            Some(written) => self.named("room", written),
        }
    }

    /// From the frame or from its payload; a client that says both must mean one.
    fn either_room(&self, missing: &'static str) -> Result<(RoomId, bool), Misheard> {
        let inner = match self.frame.payload {
            None => None,
            Some(raw) if raw.get() == "null" => None,
            Some(_) => self.payload()?.room_id,
        };
        let outer = self.frame.room.as_deref().filter(|room| !room.is_empty());
        match (outer, inner.as_deref()) {
            (None, None) => Err(self.misheard(Code::MissingRoom, missing)),
            (Some(written), None) => self.named("room", written),
            (None, Some(written)) => self.named("room_id", written),
            (Some(outer), Some(inner)) if outer == inner => self.named("room", outer),
            (Some(_), Some(_)) => Err(self.invalid("invalid room payload: room and room_id differ")),
        }
    }

    fn position(&self, field: &str, written: &RawValue) -> Result<Position, Misheard> {
        reading::position(written)
            .map_err(|error| self.invalid(format!("invalid room payload: {field}{error}")))
    }

    /// A token says who the client is, the first time and later; the two words are one request.
    fn identify(&self) -> Result<Request, Misheard> {
        let raw = self.frame.payload.map_or("", RawValue::get);
        let tag = Tag { id: self.id.clone(), full_name: false };
        match reading::object::<TokenPayload<'_>>(raw) {
            Some(TokenPayload { token }) if !token.is_empty() => {
                Ok(Request::Identify(tag, Unproven((&*token).into())))
            }
            Some(_) | None => Err(self.invalid("invalid token payload: token is required")),
        }
    }

    fn join(&self) -> Result<Asked, Misheard> {
        let payload = self.payload()?;
        let room = self.of_payload(&payload)?;
        let since = payload.since.map(|since| self.position("since", since)).transpose()?;
        Ok(self.asked(room, Verb::Join { since, payload: self.passed_on() }))
    }

    fn resume(&self) -> Result<Request, Misheard> {
        let invalid = |text: String| self.invalid(text);
        let wanted =
            || invalid("invalid resume payload: rooms must be a list of joins, each with room_id".to_owned());
        let raw = self.frame.payload.map_or("", RawValue::get);
        let payload = reading::object::<ResumePayload<'_>>(raw).ok_or_else(wanted)?;
        if !(1..=RESUME_MAX).contains(&payload.rooms.len()) {
            let count = payload.rooms.len();
            return Err(invalid(format!("invalid resume payload: {count} rooms, send 1 to {RESUME_MAX}")));
        }
        let join = |(index, raw): (usize, &&RawValue)| {
            let one = reading::object::<RoomPayload<'_>>(raw.get()).ok_or_else(wanted)?;
            let (room, full_name) = self.of_payload(&one).map_err(|misheard| at(index, misheard))?;
            let since = one.since.map(|since| self.position("since", since)).transpose();
            let since = since.map_err(|misheard| at(index, misheard))?;
            let verb = Verb::Join { since, payload: reading::one_line(raw.get()) };
            Ok(self.asked((room, full_name), verb))
        };
        payload.rooms.iter().enumerate().map(join).collect::<Result<_, _>>().map(Request::Resume)
    }

    fn history(&self) -> Result<Asked, Misheard> {
        let payload = self.payload()?;
        let room = self.of_payload(&payload)?;
        let from = match (payload.before, payload.after) {
            (None, None) => HistoryFrom::Latest,
            (Some(before), None) => HistoryFrom::Before(self.position("before", before)?),
            (None, Some(after)) => HistoryFrom::After(self.position("after", after)?),
            (Some(_), Some(_)) => {
                return Err(self.invalid("invalid room payload: give before or after, not both"));
            }
        };
        let limit = match payload.limit.map(RawValue::get) {
            None | Some("null") => HISTORY_DEFAULT,
            Some(written) => match written.parse::<u64>() {
                // What is beyond the room's own maximum is cut to it there.
                Ok(limit @ 1..) => u32::try_from(limit).unwrap_or(u32::MAX),
                Ok(0) => return Err(self.invalid("invalid room payload: limit must be at least 1")),
                Err(_) => {
                    let text = "invalid room payload: limit must be a whole number, at least 1";
                    return Err(self.invalid(text));
                }
            },
        };
        Ok(self.asked(room, Verb::History { limit, from }))
    }
}

fn write_item(object: &mut Object<'_>, item: &Item<'_>) {
    match *item {
        Item::Record { room, shown, position, at } => {
            object.text("type", shown.kind);
            object.text("room", room);
            write_record(object, shown, position, at);
        }
        Item::Announced { payload, position, at } => {
            object.text("type", "announcement");
            object.raw("payload", payload);
            object.time("timestamp", at);
            object.message_id("id", position);
        }
        Item::Soft { room, shown, at } => {
            object.text("type", shown.kind);
            object.text("room", room);
            with_room(object.key("payload"), room, &shown.payload);
            if let Some(sender) = &shown.sender {
                object.person("sender", sender);
            }
            object.time("timestamp", at);
        }
        Item::Ack { room, id, position, at, reply, .. } => {
            object.text("type", "ack");
            object.text_if("id", id);
            object.text("room", room);
            match reply {
                Some(reply) => object.raw("payload", reply),
                None => {
                    let mut payload = Object::begin(object.key("payload"));
                    payload.message_id("message_id", position);
                    payload.end();
                }
            }
            object.position("position", position);
            object.time("timestamp", at);
        }
        Item::Done { room, id, at, reply } => {
            object.text("type", "ack");
            object.text_if("id", id);
            object.text("room", room);
            if let Some(reply) = reply {
                object.raw("payload", reply);
            }
            object.time("timestamp", at);
        }
        Item::Left { room, id, at } => write_item(object, &Item::Done { room, id, at, reply: None }),
        Item::Opened { .. } | Item::Pong { .. } | Item::Online { .. } | Item::Offline { .. } => {}
        Item::Refused { room, id, refusal, at } => {
            object.text("type", "error");
            object.text_if("id", id);
            object.text_if("room", room);
            let mut payload = Object::begin(object.key("payload"));
            payload.text("code", code(refusal.code));
            payload.text("message", &refusal.text);
            if let Some(millis) = refusal.retry_after_ms {
                payload.number("retry_after_ms", u64::from(millis));
            }
            if let Some(reference) = &refusal.reference {
                payload.text("ref", &reference.to_string());
            }
            payload.end();
            object.time("timestamp", at);
        }
        Item::Joined { room, id, users, count, about, position, at, .. } => {
            write_users(object, "room_info", (room, id, at), (users, count), about);
            if let Some(position) = position {
                object.position("position", position);
            }
        }
        Item::Members { room, id, users, count, at, .. } => {
            write_users(object, "online_users", (room, id, at), (users, count), None);
        }
        Item::Resumed { room, upto, at } => write_verdict(object, "resumed", room, None, upto, at),
        Item::Gap { room, view, upto, at } => write_verdict(object, "gap", room, Some(view), upto, at),
        Item::Reset { room, view, upto, at } => write_verdict(object, "reset", room, Some(view), upto, at),
        Item::Came { room, person, at, .. } => write_person(object, "user_joined", room, person, at),
        Item::Went { room, person, at, .. } => write_person(object, "user_left", room, person, at),
        Item::History { room, id, entries, upto, next, at } => {
            object.text("type", "history");
            object.text_if("id", id);
            object.text("room", room);
            let mut payload = Object::begin(object.key("payload"));
            payload.text("room_id", room);
            json::list(payload.key("messages"), entries, |out, entry| write_entry(out, room, entry));
            payload.position("upto", upto);
            payload.truth("more", next.is_some());
            if let Some(next) = next {
                payload.position("next", next);
            }
            payload.end();
            object.time("timestamp", at);
        }
        Item::Known { id, person, expires, at } => {
            object.text("type", "authenticated");
            object.text_if("id", id);
            let mut payload = Object::begin(object.key("payload"));
            payload.person("user", person);
            payload.time("expires", expires);
            payload.end();
            object.time("timestamp", at);
        }
        Item::Expiring { expires, at } => {
            object.text("type", "token_expiring");
            let mut payload = Object::begin(object.key("payload"));
            payload.time("expires", expires);
            payload.end();
            object.time("timestamp", at);
        }
    }
}

fn write_record(object: &mut Object<'_>, shown: &Shown, position: Position, at: Wall) {
    object.raw("payload", &shown.payload);
    if let Some(sender) = &shown.sender {
        object.person("sender", sender);
    }
    object.time("timestamp", at);
    object.message_id("id", position);
    object.position("position", position);
}

fn write_entry(out: &mut Vec<u8>, room: &str, entry: &PageEntry) {
    let mut object = Object::begin(out);
    if let Some(shown) = &entry.shown {
        object.text("type", shown.kind);
        object.text("room", room);
        write_record(&mut object, shown, entry.position, entry.at);
    }
    object.end();
}

/// The payload of a soft value, with the room in it, where clients look for it.
fn with_room(out: &mut Vec<u8>, room: &str, payload: &Payload) {
    let mut object = Object::begin(out);
    object.text("room_id", room);
    object.splice(payload);
    object.end();
}

type Head<'a> = (&'a str, Option<&'a str>, Wall);

fn write_users(
    object: &mut Object<'_>,
    kind: &str,
    (room, id, at): Head<'_>,
    (users, count): (&[vocabulary::Person], u32),
    about: Option<&Payload>,
) {
    object.text("type", kind);
    object.text_if("id", id);
    object.text("room", room);
    let mut payload = Object::begin(object.key("payload"));
    payload.text("room_id", room);
    payload.people("users", users);
    payload.number("count", u64::from(count));
    if let Some(about) = about {
        payload.raw("about", about);
    }
    payload.end();
    object.time("timestamp", at);
}

fn write_verdict(
    object: &mut Object<'_>,
    kind: &str,
    room: &str,
    view: Option<&Payload>,
    upto: Position,
    at: Wall,
) {
    object.text("type", kind);
    object.text("room", room);
    let mut payload = Object::begin(object.key("payload"));
    payload.text("room_id", room);
    if let Some(view) = view {
        payload.raw("view", view);
    }
    payload.position("upto", upto);
    payload.end();
    object.time("timestamp", at);
}

fn write_person(object: &mut Object<'_>, kind: &str, room: &str, person: &vocabulary::Person, at: Wall) {
    object.text("type", kind);
    object.text("room", room);
    object.person("payload", person);
    object.person("sender", person);
    object.time("timestamp", at);
}

pub(crate) fn code(code: Code) -> &'static str {
    match code {
        Code::InvalidFormat => "INVALID_FORMAT",
        Code::UnknownType => "UNKNOWN_TYPE",
        Code::MissingRoom => "MISSING_ROOM",
        Code::NotInRoom => "NOT_IN_ROOM",
        Code::InvalidPayload => "INVALID_PAYLOAD",
        Code::TooManyRooms => "TOO_MANY_ROOMS",
        Code::RateLimit => "RATE_LIMIT",
        Code::Busy => "BUSY",
        Code::Unconfirmed => "UNCONFIRMED",
        Code::Forbidden => "FORBIDDEN",
        Code::Unauthorized => "UNAUTHORIZED",
        Code::Internal => "INTERNAL_ERROR",
        Code::App(code) => code,
    }
}
