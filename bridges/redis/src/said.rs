//! What a published message means for a room: a table of channels and shapes, and nothing else. It asks nobody and keeps nothing;
//! what it cannot understand it says so about, field by field.

use serde::Deserialize;
use serde_json::Value;
use serde_json::value::RawValue;
use sha2::{Digest, Sha256};
use vocabulary::{Payload, Person, RoomId, UserId, check_name, check_user, is_built_in};

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

    /// What two say to each other alone, no third one says for them.
    fn room(&self, name: &str, what: &str) -> Result<RoomId, Poison> {
        if check_name(name).is_err() {
            return poison(format!("{what} {name:?} is no room's name: 1 to 128 of A-Z a-z 0-9 _ . : -"));
        }
        let room = RoomId::new(&self.app, name);
        if room.is_named_direct() {
            return poison(format!("{what} is {name:?}: rooms of two are not written to from here"));
        }
        Ok(room)
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
        if let Some((app, _)) = short.split_once(':').filter(|(app, _)| is_built_in(app)) {
            return poison(format!("`room` is {name:?}: rooms of {app} are not written to from here"));
        }
        let room = self.room(short, "`room`")?;
        let Some(payload) = envelope.payload.filter(|payload| payload.get().starts_with('{')) else {
            return poison("`payload` must be an object");
        };
        let named = |sender: &Value| person("sender.id", sender.get("id"), text(sender.get("name")));
        let author = envelope.sender.as_ref().map(named).transpose()?;
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

/// What is said to be somebody's and names no user is not the room's own word: only where nothing stands it is nobody's.
pub(crate) fn person(field: &str, id: Option<&Value>, name: Option<String>) -> Result<Person, Poison> {
    let Some(id) = text(id).filter(|id| check_user(id).is_ok()) else {
        return poison(format!(
            "`{field}` must be a whole number or a text of 1 to 128 bytes without control characters"
        ));
    };
    let name = name.filter(|name| check_user(name).is_ok());
    Ok(Person { name: name.as_deref().unwrap_or(&id).into(), id: UserId::new(&id) })
}

#[cfg(test)]
mod tests;
