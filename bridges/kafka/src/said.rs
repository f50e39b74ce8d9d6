//! What a record means for a room: its topic's row of the configuration, applied. It asks nobody and keeps nothing; what it cannot
//! understand it says so about, field by field.

use std::collections::BTreeMap;

use serde_json::Value;
use vocabulary::{
    EVENT_ID_BYTES_MAX, Payload, Person, RoomId, UserId, check_name, check_user, is_built_in, is_event_id,
    lower_uuid,
};

use crate::livechat::{self, Livechat};
use crate::template::{Template, field};

/// What a back end may publish by HTTP, too.
pub(crate) const MESSAGE_BYTES_MAX: usize = 64 << 10;

/// How the records of a topic become commands.
#[derive(Clone, Debug)]
pub struct Source {
    pub topic: String,
    /// `app:` and a name.
    pub room: Template,
    pub kind: Template,
    /// The field that is the command's payload; none: the whole value.
    pub payload: Option<String>,
    /// What a record names itself by. None: it is told by its place in the topic.
    pub id: Option<Template>,
    pub author: Option<Template>,
    pub author_name: Option<Template>,
    /// Worth saying now or never, such as typing: asked once, and neither told apart from others nor kept as a dead letter.
    pub soft: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum Way {
    Mapped(Box<Source>),
    Livechat(Livechat),
}

/// What is read, and how.
#[derive(Clone, Debug, Default)]
pub(crate) struct Reading(pub(crate) BTreeMap<String, Way>);

#[derive(Debug, PartialEq)]
pub(crate) enum Meant {
    Said(Said),
    /// Well formed, and nothing that a room keeps.
    NotForUs,
}

/// A command for a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) room: RoomId,
    pub(crate) author: Option<Person>,
    pub(crate) kind: String,
    pub(crate) payload: Payload,
    /// The record's own id. None: its place is its name.
    pub(crate) id: Option<String>,
    pub(crate) soft: bool,
}

/// Why a record is not understood.
#[derive(Debug, PartialEq)]
pub(crate) struct Poison(pub(crate) String);

pub(crate) fn poison<T>(says: impl Into<String>) -> Result<T, Poison> {
    Err(Poison(says.into()))
}

impl Reading {
    pub(crate) fn meant(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Meant, Poison> {
        let Some(way) = self.0.get(topic) else { return poison("nothing is said of this topic") };
        let Some(bytes) = value else { return poison("it has no value") };
        if bytes.len() > MESSAGE_BYTES_MAX {
            let length = bytes.len();
            return poison(format!("its value has {length} bytes; at most {MESSAGE_BYTES_MAX} are taken"));
        }
        let value: Value = match serde_json::from_slice(bytes) {
            Ok(value @ Value::Object(_)) => value,
            Ok(_) => return poison("its value must be an object in JSON"),
            Err(error) => return poison(format!("its value is no JSON: {error}")),
        };
        match way {
            Way::Livechat(topic) => topic.meant(bytes, &value),
            Way::Mapped(source) => {
                let key = key.map(|key| String::from_utf8_lossy(key).into_owned());
                source.meant(key.as_deref(), bytes, &value).map(Meant::Said)
            }
        }
    }
}

impl Source {
    fn meant(&self, key: Option<&str>, bytes: &[u8], value: &Value) -> Result<Said, Poison> {
        let payload = match &self.payload {
            None => Payload::copy_from_slice(bytes),
            Some(name) => {
                let path: Vec<String> = name.split('.').map(str::to_owned).collect();
                match field(value, &path) {
                    Some(payload @ Value::Object(_)) => payload.to_string().into(),
                    _ => return poison(format!("`{name}` must be an object")),
                }
            }
        };
        let filled = |template: &Option<Template>| match template {
            Some(template) => template.fill_if_there(key, value),
            None => Ok(None),
        };
        let id = match &self.id {
            Some(template) => Some(id(template.fill(key, value)?)?),
            None => None,
        };
        Ok(Said {
            room: room(&self.room.fill(key, value)?)?,
            author: filled(&self.author)?.map(|id| person(&id, filled(&self.author_name)?)).transpose()?,
            kind: self.kind.fill(key, value)?,
            payload,
            id,
            soft: self.soft,
        })
    }
}

/// What two say to each other alone, no third one says for them; of what is built in, inboxes may be written to.
pub(crate) fn room(full: &str) -> Result<RoomId, Poison> {
    let Some((app, name)) = full.split_once(':') else {
        return poison(format!("{full:?} names no room: an app, a colon and a name"));
    };
    let is_name = match app {
        "user" => check_user(name).is_ok(),
        _ => check_name(name).is_ok(),
    };
    if !is_name {
        return poison(format!("{name:?} is no room's name: 1 to 128 of A-Z a-z 0-9 _ . : -"));
    }
    if is_built_in(app) && app != "user" {
        return poison(format!("{full:?}: rooms of {app} are not written to from here"));
    }
    // Sessions are named by UUIDs, which people write as they like.
    let lower = (app == livechat::APP).then(|| lower_uuid(name)).flatten();
    let room = RoomId::new(app, lower.as_deref().unwrap_or(name));
    match room.direct_pair() {
        Some(_) => poison(format!("{full:?}: rooms of two are not written to from here")),
        None => Ok(room),
    }
}

pub(crate) fn id(id: String) -> Result<String, Poison> {
    match id.len() {
        _ if is_event_id(&id) => Ok(id),
        length @ 1..=EVENT_ID_BYTES_MAX => {
            poison(format!("its id has control characters in its {length} bytes; it may have none"))
        }
        length => poison(format!("its id has {length} bytes; 1 to {EVENT_ID_BYTES_MAX} are taken")),
    }
}

pub(crate) fn person(id: &str, name: Option<String>) -> Result<Person, Poison> {
    if check_user(id).is_err() {
        return poison(format!("{id:?} names no user: 1 to 128 bytes without control characters"));
    }
    let name = name.filter(|name| check_user(name).is_ok());
    Ok(Person { name: name.as_deref().unwrap_or(id).into(), id: UserId::new(id) })
}

/// A text that is not empty, or a whole number as text.
pub(crate) fn text(value: Option<&Value>) -> Option<String> {
    match value? {
        Value::String(text) if !text.is_empty() => Some(text.clone()),
        Value::Number(number) if number.is_u64() || number.is_i64() => Some(number.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(written: &str) -> Template {
        Template::read(written).expect(written)
    }

    fn reading() -> Reading {
        let source = Source {
            topic: "orders".to_owned(),
            room: of("chat:{room}"),
            kind: of("send_message"),
            payload: Some("data".to_owned()),
            id: Some(of("{id}")),
            author: Some(of("{user.id}")),
            author_name: Some(of("{user.name}")),
            soft: false,
        };
        let whole = Source {
            topic: "whole".to_owned(),
            room: of("user:{@key}"),
            kind: of("{type}"),
            payload: None,
            id: None,
            author: None,
            author_name: None,
            soft: true,
        };
        let ways = [source, whole].map(|source| (source.topic.clone(), Way::Mapped(source.into())));
        Reading(ways.into())
    }

    #[test]
    fn a_row_says_room_kind_payload_id_and_author_by_fields() {
        let value = br#"{"room":"a","id":7,"data":{"content":"hi"},"user":{"id":"9","name":"Cy"}}"#;
        let Ok(Meant::Said(said)) = reading().meant("orders", None, Some(value)) else {
            panic!("it is said")
        };
        assert_eq!(
            (said.room.as_str(), said.kind.as_str(), &said.payload[..]),
            ("chat:a", "send_message", &br#"{"content":"hi"}"#[..])
        );
        assert_eq!((said.id.as_deref(), said.soft), (Some("7"), false));
        let author = said.author.expect("an author");
        assert_eq!((author.id.as_str(), &*author.name), ("9", "Cy"));
        let value = br#"{ "type" : "note", "x":1 }"#;
        let Ok(Meant::Said(said)) = reading().meant("whole", Some(b"42"), Some(value)) else {
            panic!("it is said")
        };
        assert_eq!(
            (said.room.as_str(), said.kind.as_str(), &said.payload[..]),
            ("user:42", "note", &value[..])
        );
        assert_eq!((said.id, said.author, said.soft), (None, None, true));
    }

    #[test]
    fn a_session_is_one_room_however_its_name_is_written() {
        let written = "support:660E8400-E29B-41D4-A716-446655440000";
        assert_eq!(room(written).map(|room| room.as_str().to_owned()), Ok(written.to_ascii_lowercase()));
        assert_eq!(room("chat:AB").map(|room| room.as_str().to_owned()), Ok("chat:AB".to_owned()));
    }

    #[test]
    fn what_is_not_understood_is_said_with_its_field() {
        let long = format!(r#"{{"room":"a","id":"{}","data":{{}}}}"#, "x".repeat(257));
        let large = vec![b' '; MESSAGE_BYTES_MAX + 1];
        for (topic, value, says) in [
            ("nowhere", &b"{}"[..], "topic"),
            ("orders", b"{", "no JSON"),
            ("orders", b"\xff\xfe", "no JSON"),
            ("orders", b"[]", "an object"),
            ("orders", br#"{"room":"a","id":1}"#, "`data`"),
            ("orders", br#"{"room":"a","data":{}}"#, "`id`"),
            ("orders", br#"{"room":"a b","id":1,"data":{}}"#, "a b"),
            ("orders", br#"{"room":"direct:1:2","id":1,"data":{}}"#, "rooms of two"),
            ("orders", br#"{"room":"a","id":1,"data":{},"user":{"id":"\u0007"}}"#, "names no user"),
            ("orders", br#"{"room":"a","id":1,"data":{},"user":{"id":1.5}}"#, "`user.id`"),
            ("orders", long.as_bytes(), "257 bytes"),
            ("orders", &large, "65537 bytes"),
            ("whole", br#"{"type":"x"}"#, "a key"),
        ] {
            match reading().meant(topic, None, Some(value)) {
                Err(Poison(why)) => assert!(why.contains(says), "{topic}: {why}"),
                meant => panic!("{topic}, {says}: {meant:?}"),
            }
        }
        assert!(reading().meant("orders", None, None).is_err(), "a tombstone says nothing");
        for full in ["system:x", "area:1", "nowhere", "chat:"] {
            assert!(room(full).is_err(), "{full}");
        }
    }
}
