//! What a published message means for a room: a table of channels and shapes, and nothing else. It asks nobody and keeps nothing;
//! what it cannot understand it says so about, field by field.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use vocabulary::{Payload, Person, RoomId, UserId, check_name, check_user};

use crate::channels::{Frame, channel_message, member_event, notification};

/// Under which names what comes in is known in a room's keys. What came by the relay is not sent out by it.
pub(crate) const CHANNELS: &str = "redis";
pub(crate) const RELAY: &str = "redis-relay";

/// The field that says which deployment a message of the relay comes from.
pub(crate) const ORIGIN: &str = "kulkul-origin";

/// What a back end may publish by HTTP, too.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 10;
/// Longer ids are known by their digest.
const ID_BYTES_MAX: usize = 128;

const MESSAGES: &str = "chat:channel:";
const NOTIFICATIONS: (&str, &str) = ("user:", ":notifications");
const EVENTS: (&str, &str) = ("channel:", ":events");

/// As Redis subscribes to them.
pub(crate) const PATTERNS: [&str; 3] = ["chat:channel:*", "channel:*:events", "user:*:notifications"];

/// What is listened to, and who listens.
#[derive(Clone, Debug)]
pub(crate) struct Reading {
    pub(crate) app: String,
    pub(crate) relay: Option<String>,
    pub(crate) origin: String,
}

#[derive(Debug, PartialEq)]
pub(crate) enum Meant {
    Said(Said),
    /// This deployment published it.
    Ours,
    /// Well formed, and nothing that a room keeps: typing, presence, news of other servers.
    NotForUs,
}

/// A command for a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) room: RoomId,
    pub(crate) source: &'static str,
    pub(crate) author: Option<Person>,
    pub(crate) kind: &'static str,
    pub(crate) payload: Payload,
    /// The same whoever hears the message, however often. None: nothing in it tells it from another one that says the same.
    pub(crate) id: Option<String>,
}

/// Why a message is not understood.
#[derive(Debug, PartialEq)]
pub(crate) struct Poison(pub(crate) String);

pub(crate) fn poison<T>(says: impl Into<String>) -> Result<T, Poison> {
    Err(Poison(says.into()))
}

impl Reading {
    pub(crate) fn meant(&self, channel: &str, message: &[u8]) -> Result<Meant, Poison> {
        if message.len() > MESSAGE_BYTES_MAX {
            let bytes = message.len();
            return poison(format!("the message has {bytes} bytes; at most {MESSAGE_BYTES_MAX} are taken"));
        }
        if self.relay.as_deref() == Some(channel) {
            return self.relayed(channel, message);
        }
        let between = |(before, after)| channel.strip_prefix(before)?.strip_suffix(after);
        if let Some(id) = channel.strip_prefix(MESSAGES) {
            let room = self.room(id, "the channel's id")?;
            return channel_message(room, id, &Frame::read(channel, message)?);
        }
        if let Some(id) = between(EVENTS) {
            let room = self.room(id, "the channel's id")?;
            return member_event(room, id, &Frame::read(channel, message)?);
        }
        if let Some(id) = between(NOTIFICATIONS) {
            if check_user(id).is_err() {
                return poison(format!("the user's id {id:?} in the channel's name is none: 1 to 128 bytes"));
            }
            return notification(RoomId::new("user", id), channel, message);
        }
        Ok(Meant::NotForUs)
    }

    fn room(&self, name: &str, what: &str) -> Result<RoomId, Poison> {
        match check_name(name) {
            Ok(()) => Ok(RoomId::new(&self.app, name)),
            Err(_) => poison(format!("{what} {name:?} is no room's name: 1 to 128 of A-Z a-z 0-9 _ . : -")),
        }
    }

    /// A whole envelope of seed 002.
    fn relayed(&self, channel: &str, message: &[u8]) -> Result<Meant, Poison> {
        #[derive(Deserialize)]
        struct Envelope<'a> {
            #[serde(rename = "type")]
            kind: Option<String>,
            room: Option<String>,
            #[serde(borrow)]
            payload: Option<&'a RawValue>,
            sender: Option<Value>,
            timestamp: Option<Value>,
            id: Option<Value>,
            #[serde(rename = "kulkul-origin")]
            origin: Option<String>,
        }
        let envelope: Envelope<'_> = match serde_json::from_slice(message) {
            Ok(envelope) => envelope,
            Err(error) => return poison(format!("it is no envelope in JSON: {error}")),
        };
        if envelope.origin.as_deref() == Some(&self.origin) {
            return Ok(Meant::Ours);
        }
        match envelope.kind.as_deref() {
            None | Some("") => return poison("`type` is missing"),
            Some("new_message" | "send_message") => {}
            Some(_) => return Ok(Meant::NotForUs),
        }
        let Some(name) = envelope.room.as_deref().filter(|name| !name.is_empty()) else {
            return poison("`room` is missing");
        };
        // As on a socket: an app's prefix counts, and a room of another app is not this channel's to write to.
        let short = name.strip_prefix(&format!("{}:", self.app)).unwrap_or(name);
        if let Some(app) = ["user", "area", "system"].into_iter().find(|app| starts(short, app)) {
            return poison(format!("`room` is {name:?}: rooms of {app} are not written to from here"));
        }
        let room = self.room(short, "`room`")?;
        let Some(payload) = envelope.payload.filter(|payload| payload.get().starts_with('{')) else {
            return poison("`payload` must be an object");
        };
        let author = envelope.sender.as_ref().and_then(Value::as_object);
        let author = author.and_then(|sender| person(text(sender.get("id"))?, text(sender.get("name"))));
        let id = text(envelope.id.as_ref()).map(Named::Id);
        let said = Said {
            room,
            source: RELAY,
            id: identity(channel, message, id, envelope.timestamp.as_ref(), author.as_ref()),
            author,
            kind: "send_message",
            payload: Payload::copy_from_slice(payload.get().as_bytes()),
        };
        Ok(Meant::Said(said))
    }
}

/// Whether a room's name begins with this app's.
fn starts(name: &str, app: &str) -> bool {
    name.strip_prefix(app).is_some_and(|rest| rest.starts_with(':'))
}

/// By what a message names itself. An envelope and the row within it are numbered each by themselves.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    Id(String),
    Row(String),
}

/// An id is its author's own: two users may both count from one. The author's length stands before it, because an id may hold
/// whatever separates the two, and nobody has none. Without an id a message is told by all its bytes, if its time is finer than
/// a second; else it may be said twice and mean it.
pub(crate) fn identity(
    channel: &str,
    message: &[u8],
    named: Option<Named>,
    timestamp: Option<&Value>,
    author: Option<&Person>,
) -> Option<String> {
    let by = author.map_or("-".to_owned(), |it| format!("{}:{}", it.id.as_str().len(), it.id));
    let own = named.map(|named| match named {
        Named::Id(id) => format!("{by}/id {id}"),
        Named::Row(id) => format!("{by}/row {id}"),
    });
    let digest = |what: &[u8]| {
        let digest = Sha256::new().chain_update(channel).chain_update([0]).chain_update(what).finalize();
        let digest: String = digest[..16].iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256-{digest}")
    };
    match own {
        Some(own) if own.len() <= ID_BYTES_MAX => Some(own),
        Some(own) => Some(digest(own.as_bytes())),
        None => timestamp.filter(|time| is_fine(time)).map(|_| digest(message)),
    }
}

/// Milliseconds at least.
fn is_fine(time: &Value) -> bool {
    match time {
        Value::String(text) => text.contains('.'),
        Value::Number(number) => number.as_f64().is_some_and(|number| number >= 1e11),
        _ => false,
    }
}

/// A text that is not empty, or a whole number as text.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

pub(crate) fn person(id: String, name: Option<String>) -> Option<Person> {
    check_user(&id).ok()?;
    let name = name.filter(|name| check_user(name).is_ok());
    Some(Person { name: name.as_deref().unwrap_or(&id).into(), id: UserId::new(&id) })
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn reading() -> Reading {
        Reading { app: "chat".into(), relay: Some("ws:broadcast".into()), origin: "kulkul".into() }
    }

    fn said(channel: &str, message: &Value) -> Said {
        match reading().meant(channel, message.to_string().as_bytes()) {
            Ok(Meant::Said(said)) => said,
            other => panic!("{message} on {channel} means {other:?}"),
        }
    }

    fn shown(said: &Said) -> (String, String, Option<(String, String)>, Value, Option<String>) {
        let author = said.author.as_ref().map(|it| (it.id.to_string(), it.name.to_string()));
        let payload = serde_json::from_slice(&said.payload).expect("JSON");
        (said.room.to_string(), said.kind.to_owned(), author, payload, said.id.clone())
    }

    fn ana() -> Option<(String, String)> {
        Some(("7".to_owned(), "Ana".to_owned()))
    }

    #[test]
    fn a_channels_message_is_said_by_its_user_under_its_own_id() {
        let row = json!({ "id": 4, "channel_id": 12, "text": "Hello", "senderName": "Ana", "url": "u" });
        let envelope =
            json!({ "id": "m-1", "type": "channel.message", "data": row, "timestamp": 1, "user_id": "7" });
        let payload = json!({ "content": "Hello", "url": "u" });
        let expected =
            ("chat:12".to_owned(), "send_message".to_owned(), ana(), payload, Some("1:7/id m-1".to_owned()));
        assert_eq!(shown(&said("chat:channel:12", &envelope)), expected);
        let bare = json!({ "id": 4, "senderId": 7, "text": "Hello", "sender": { "name": "Ana" } });
        let (_, _, author, payload, id) = shown(&said("chat:channel:12", &bare));
        assert_eq!(
            (author, payload, id),
            (ana(), json!({ "content": "Hello" }), Some("1:7/row 4".to_owned()))
        );
    }

    #[test]
    fn members_come_and_go_by_events_and_without_a_time_finer_than_a_second_none_is_like_another() {
        let event = |kind: &str, time: Value| json!({ "type": kind, "user_id": 7, "channel_id": 12, "timestamp": time });
        let join = shown(&said("channel:12:events", &event("channel.member.join", json!(1_700_000_000))));
        assert_eq!((join.1.as_str(), join.3, join.4), ("add_member", json!({ "user_id": "7" }), None));
        let leave =
            said("channel:12:events", &event("channel.member.leave", json!("2026-01-01T10:00:00.5Z")));
        assert_eq!(leave.kind, "remove_member");
        assert!(leave.id.is_some_and(|id| id.starts_with("sha256-")));
    }

    #[test]
    fn a_notification_goes_on_as_it_was_written() {
        let message = br#"{"id":"n-1","type":"user.notification","data":{"b":1.50,"a":"x"}}"#;
        let Ok(Meant::Said(said)) = reading().meant("user:7:notifications", message) else { panic!("said") };
        assert_eq!((said.room.as_str(), said.kind), ("user:7", "notification"));
        assert_eq!(
            (&said.payload[..], said.id.as_deref()),
            (&br#"{"b":1.50,"a":"x"}"#[..], Some("-/id n-1"))
        );
        let bare = br#"{ "title": "x" }"#;
        let Ok(Meant::Said(said)) = reading().meant("user:7:notifications", bare) else { panic!("said") };
        assert_eq!((&said.payload[..], said.id), (&bare[..], None));
    }

    #[test]
    fn an_envelope_of_the_relay_is_said_in_its_room_unless_it_is_ours() {
        let envelope = |more: Value| {
            let mut envelope = json!({ "type": "new_message", "room": "general", "payload": { "content": "x" },
                "sender": { "id": 7, "name": "Ana" }, "timestamp": "2026-01-01T10:00:00.123Z" });
            for (name, value) in more.as_object().expect("an object") {
                envelope[name] = value.clone();
            }
            envelope
        };
        let plain = said("ws:broadcast", &envelope(json!({})));
        assert_eq!((plain.room.as_str(), plain.source, plain.kind), ("chat:general", RELAY, "send_message"));
        assert!(plain.id.is_some_and(|id| id.starts_with("sha256-")));
        assert_eq!(
            shown(&said("ws:broadcast", &envelope(json!({ "room": "chat:general", "id": "c-17" })))).4,
            Some("1:7/id c-17".to_owned())
        );
        for (more, meant) in [
            (json!({ "kulkul-origin": "kulkul" }), Meant::Ours),
            (json!({ "type": "user_typing" }), Meant::NotForUs),
        ] {
            assert_eq!(reading().meant("ws:broadcast", envelope(more).to_string().as_bytes()), Ok(meant));
        }
        let other = said("ws:broadcast", &envelope(json!({ "kulkul-origin": "another" })));
        assert_eq!(other.room.as_str(), "chat:general", "another deployment's is news");
    }

    #[test]
    fn no_two_messages_have_one_id_but_those_with_the_same_author_and_the_same_id() {
        let message = |more: &Value| {
            let mut frame = json!({ "data": { "text": "x" } });
            for (name, value) in more.as_object().expect("an object") {
                frame[name] = value.clone();
            }
            said("chat:channel:12", &frame).id.expect("an id")
        };
        let ids = [
            message(&json!({ "user_id": "a/b", "id": "c" })),
            message(&json!({ "user_id": "a", "id": "b/c" })),
            message(&json!({ "id": "a/b/c" })),
            message(&json!({ "id": "1:a/id b/c" })),
            message(&json!({ "id": "row 4" })),
            message(&json!({ "data": { "text": "x", "id": 4 } })),
            message(&json!({ "user_id": "a", "id": "row 4" })),
            message(&json!({ "user_id": "a", "data": { "text": "x", "id": 4 } })),
        ];
        for (at, id) in ids.iter().enumerate() {
            assert!(!ids[..at].contains(id), "{id} twice: {ids:?}");
        }
        assert_eq!(message(&json!({ "user_id": "a", "id": "b/c", "timestamp": 1 })), ids[1]);
        let notification = |message: &Value| said("user:7:notifications", message).id;
        assert_eq!(notification(&json!({ "id": 4, "title": "x" })), Some("-/row 4".to_owned()));
        assert_eq!(notification(&json!({ "id": 4, "data": { "title": "x" } })), Some("-/id 4".to_owned()));
    }

    #[test]
    fn what_is_not_understood_says_what_is_wrong() {
        for (channel, message, says) in [
            ("ws:broadcast", "{", "no envelope in JSON"),
            ("ws:broadcast", r#"{"room":"general"}"#, "`type` is missing"),
            ("ws:broadcast", r#"{"type":"new_message","payload":{}}"#, "`room` is missing"),
            ("ws:broadcast", r#"{"type":"new_message","room":"a b","payload":{}}"#, "is no room's name"),
            ("ws:broadcast", r#"{"type":"new_message","room":"user:7","payload":{}}"#, "rooms of user"),
            ("ws:broadcast", r#"{"type":"new_message","room":"general"}"#, "`payload` must be an object"),
            ("chat:channel:a b", "{}", "is no room's name"),
            ("chat:channel:12", "[]", "must be an object"),
            ("chat:channel:12", "\u{fffd}", "no JSON"),
            ("chat:channel:12", "{}", "`data.text`"),
            ("chat:channel:12", r#"{"text":7}"#, "`data.text`"),
            ("chat:channel:12", r#"{"text":"x","channel_id":13}"#, "published for the channel"),
            ("channel:12:events", r#"{"user_id":7}"#, "`type` is missing"),
            ("channel:12:events", r#"{"type":"channel.member.join"}"#, "`user_id`"),
            ("user::notifications", "{}", "in the channel's name"),
            ("user:7:notifications", "7", "must be an object"),
        ] {
            match reading().meant(channel, message.as_bytes()) {
                Err(Poison(words)) => assert!(words.contains(says), "{channel} {message}: {words}"),
                Ok(meant) => panic!("{channel} {message} means {meant:?}"),
            }
        }
        let long = vec![b' '; MESSAGE_BYTES_MAX + 1];
        assert!(reading().meant("ws:broadcast", &long).is_err());
    }
}
