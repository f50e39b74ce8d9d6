//! What a record means for a room: its topic's row of the configuration, applied. It asks nobody and keeps nothing; what it cannot
//! understand it says so about, field by field.

use std::collections::BTreeMap;

use crossing::{Fields, Poison, Template, field, id, object, path, person, poison, room};
use serde_json::Value;
use vocabulary::{Payload, Person, RoomId};

use crate::livechat::Livechat;

/// Written in a template for the record's key, which is no field of its value.
const KEY: &str = "@key";

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

impl Reading {
    pub(crate) fn meant(
        &self,
        topic: &str,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
    ) -> Result<Meant, Poison> {
        let Some(way) = self.0.get(topic) else { return poison("nothing is said of this topic") };
        let Some(bytes) = value else { return poison("it has no value") };
        let value = object(bytes)?;
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
            Some(name) => match field(value, &path(name)) {
                Some(payload @ Value::Object(_)) => payload.to_string().into(),
                _ => return poison(format!("`{name}` must be an object")),
            },
        };
        let around = |name: &str| {
            let key = key.filter(|key| !key.is_empty()).map(str::to_owned);
            (name == KEY).then(|| key.ok_or_else(|| "wants a key, and the record has none".to_owned()))
        };
        let fields = Fields { value, around: &around };
        let filled = |template: &Option<Template>| match template {
            Some(template) => template.fill_if_there(&fields),
            None => Ok(None),
        };
        let id = match &self.id {
            Some(template) => Some(id(template.fill(&fields)?)?),
            None => None,
        };
        Ok(Said {
            room: room(&self.room.fill(&fields)?)?,
            author: filled(&self.author)?.map(|id| person(&id, filled(&self.author_name)?)).transpose()?,
            kind: self.kind.fill(&fields)?,
            payload,
            id,
            soft: self.soft,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crossing::MESSAGE_BYTES_MAX;

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
    }
}
