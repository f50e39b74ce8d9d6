//! The three topics of seed 000's fleet, and what is said in support's rooms as its back end writes it there. Names of topics and
//! fields are that fleet's, and verbatim.

use crossing::{Poison, id, person, poison, text};
use serde_json::{Value, json};
use vocabulary::{Outward, Payload, RoomId, lower_uuid};

use crate::said::{Meant, Said};

pub(crate) const MESSAGES: &str = "chat-messages";
/// What clients ask of a fleet whose back end decides by itself: it stores the message, and says it in the topic above.
pub(crate) const REQUESTS: &str = "chat-message-requests";
pub(crate) const TYPING: &str = "typing-indicators";
pub(crate) const CONNECTIONS: &str = "connection-status";

/// The app that these rooms are of.
pub(crate) const APP: &str = "support";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Livechat {
    Messages,
    Typing,
    /// Who is connected this fleet's servers tell each other; here presence says it.
    Connections,
}

impl Livechat {
    pub(crate) const ALL: [(&'static str, Livechat); 3] =
        [(MESSAGES, Livechat::Messages), (TYPING, Livechat::Typing), (CONNECTIONS, Livechat::Connections)];

    pub(crate) fn meant(self, bytes: &[u8], value: &Value) -> Result<Meant, Poison> {
        let of = |name: &str| text(value.get(name));
        // What a room is asked with has the names as they are understood here: back ends write ids as numbers, and UUIDs as they like.
        let mut named = value.clone();
        let needed = |name: &str| match of(name) {
            Some(text) => Ok(text),
            None => poison(format!("`{name}` must be a text that is not empty")),
        };
        if self == Livechat::Connections {
            return Ok(Meant::NotForUs);
        }
        let session = needed("session_id")?;
        let Some(session) = lower_uuid(&session) else {
            return poison(format!("`session_id` is {session:?}, and must be a UUID"));
        };
        let room = RoomId::new(APP, &session);
        named["session_id"] = session.into();
        for name in ["id", "sender_id", "sender_name", "user_id"] {
            if let Some(text) = of(name) {
                named[name] = text.into();
            }
        }
        let payload = match named == *value {
            true => Payload::copy_from_slice(bytes),
            false => named.to_string().into(),
        };
        let said = if self == Livechat::Messages {
            if value.get("message").is_none_or(|message| !message.is_string()) {
                return poison("`message` must be a text");
            }
            needed("sender_type")?;
            let sender = match value.get("sender_id") {
                None | Some(Value::Null) => None,
                Some(_) => Some(person(&needed("sender_id")?, of("sender_name"))?),
            };
            let id = Some(id(needed("id")?)?);
            Said { room, author: sender, kind: "message".to_owned(), payload, id, soft: false }
        } else {
            if value.get("is_typing").is_none_or(|typing| !typing.is_boolean()) {
                return poison("`is_typing` must be true or false");
            }
            let author = Some(person(&needed("user_id")?, None)?);
            Said { room, author, kind: "typing".to_owned(), payload, id: None, soft: true }
        };
        Ok(Meant::Said(said))
    }
}

/// A message that was said here, or is asked for, as `chat-messages` has it, and the topic that it is for. None: it is none.
pub(crate) fn row(outward: &Outward) -> Option<(&'static str, Value)> {
    let topic = match outward.shown.kind {
        "new_message" => MESSAGES,
        "message_requested" => REQUESTS,
        _ => return None,
    };
    if outward.room.app() != APP {
        return None;
    }
    let shown: Value = serde_json::from_slice(&outward.shown.payload).ok()?;
    let of = |name: &str| shown.get(name).cloned().unwrap_or(Value::Null);
    let sender = outward.shown.sender.as_ref().map(|sender| sender.id.as_str());
    let sender_id = match of("sender_id") {
        Value::Null => sender.map_or(Value::Null, Value::from),
        said => said,
    };
    let at = outward.at.to_string();
    let value = json!({
        "id": outward.position.to_string(),
        "session_id": outward.room.name(),
        "sender_id": sender_id,
        "sender_type": of("sender_type"),
        "message": of("message"),
        "message_type": text(shown.get("message_type")).unwrap_or_else(|| "text".to_owned()),
        "attachments": attachments(&of("attachments")),
        "read_at": null,
        "created_at": at,
        "updated_at": at,
    });
    Some((topic, value))
}

/// Texts, as that fleet has them: where each is, or what it is called where that is all that is known.
fn attachments(shown: &Value) -> Value {
    let Value::Array(shown) = shown else { return Value::Null };
    shown.iter().filter_map(|it| it.get("url").or(it.get("name"))).cloned().collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Class, Epoch, Key, Position, Shown, UserId, Wall};

    const SESSION: &str = "660e8400-e29b-41d4-a716-446655440000";

    fn meant(topic: Livechat, value: &Value) -> Result<Meant, Poison> {
        topic.meant(value.to_string().as_bytes(), value)
    }

    fn message() -> Value {
        json!({ "id": "m-1", "session_id": SESSION, "sender_id": null, "sender_type": "customer", "message": "Halo",
            "message_type": "text", "attachments": null, "read_at": null, "created_at": "2025-01-24T10:30:00Z",
            "updated_at": "2025-01-24T10:30:00Z" })
    }

    #[test]
    fn a_message_is_a_record_of_its_session_by_its_own_id() {
        let Ok(Meant::Said(said)) = meant(Livechat::Messages, &message()) else { panic!("it is said") };
        assert_eq!((said.room.as_str(), said.kind.as_str()), (&*format!("support:{SESSION}"), "message"));
        assert_eq!((said.id.as_deref(), &said.author, said.soft), (Some("m-1"), &None, false));
        assert_eq!(serde_json::from_slice::<Value>(&said.payload).ok(), Some(message()));
        let mut agents = message();
        agents["sender_id"] = "a-7".into();
        let Ok(Meant::Said(said)) = meant(Livechat::Messages, &agents) else { panic!("it is said") };
        assert_eq!(said.author.map(|it| it.id.as_str().to_owned()).as_deref(), Some("a-7"));
    }

    #[test]
    fn names_are_handed_on_as_they_are_understood() {
        let mut written = message();
        written["session_id"] = SESSION.to_uppercase().into();
        written["id"] = 77.into();
        written["sender_id"] = 7.into();
        let Ok(Meant::Said(said)) = meant(Livechat::Messages, &written) else { panic!("it is said") };
        assert_eq!((said.room.name(), said.id.as_deref()), (SESSION, Some("77")));
        let handed: Value = serde_json::from_slice(&said.payload).expect("JSON");
        let mut expected = message();
        expected["id"] = "77".into();
        expected["sender_id"] = "7".into();
        assert_eq!(handed, expected);
    }

    #[test]
    fn typing_is_soft_and_connections_are_not_for_us() {
        let typing = json!({ "type": "typing_indicator", "session_id": SESSION, "user_id": "c-1",
            "user_type": "customer", "is_typing": true, "timestamp": "2025-01-24T10:30:00Z" });
        let Ok(Meant::Said(said)) = meant(Livechat::Typing, &typing) else { panic!("it is said") };
        assert_eq!((said.kind.as_str(), said.id, said.soft), ("typing", None, true));
        let status = json!({ "type": "connection_status", "session_id": SESSION });
        assert_eq!(meant(Livechat::Connections, &status), Ok(Meant::NotForUs));
    }

    #[test]
    fn what_a_message_lacks_is_said() {
        for (field, wrong) in [
            ("id", Value::Null),
            ("session_id", "12".into()),
            ("session_id", "660e8400e29b41d4a716446655440000".into()),
            ("message", 7.into()),
            ("sender_type", Value::Null),
            ("sender_id", "\u{7}".into()),
        ] {
            let mut value = message();
            value[field] = wrong;
            assert!(meant(Livechat::Messages, &value).is_err(), "{value}");
        }
        assert!(meant(Livechat::Typing, &json!({ "session_id": SESSION, "user_id": "1" })).is_err());
    }

    #[test]
    fn what_was_said_here_has_the_fields_of_the_topic() {
        let payload = json!({ "sender_type": "agent", "message": "Hi", "message_type": "text", "attachments": [
                { "url": "https://files.example/a.png", "name": "a.png", "type": "image/png", "size": 7 },
                { "name": "http://files/b.png" },
            ] });
        let shown = Shown {
            kind: "new_message",
            payload: payload.to_string().into(),
            sender: Some(person("a-7", None).expect("a person")),
            class: Class::Record,
            lasting: true,
        };
        let position = Position { epoch: Epoch(1), offset: 4 };
        let key = Key::client(&UserId::new("a-7"), "1");
        let room = RoomId::new(APP, SESSION);
        let outward = Outward { room, key, position, at: Wall(0), shown, open: true };
        let (topic, row) = row(&outward).expect("a row");
        assert_eq!(topic, MESSAGES);
        let names: Vec<&str> = row.as_object().expect("an object").keys().map(String::as_str).collect();
        assert_eq!(
            names,
            [
                "attachments",
                "created_at",
                "id",
                "message",
                "message_type",
                "read_at",
                "sender_id",
                "sender_type",
                "session_id",
                "updated_at"
            ]
        );
        assert_eq!((&row["id"], &row["sender_id"]), (&position.to_string().into(), &"a-7".into()));
        assert_eq!(row["attachments"], json!(["https://files.example/a.png", "http://files/b.png"]));
        let asked = Shown { kind: "message_requested", ..outward.shown.clone() };
        let asked = super::row(&Outward { shown: asked, ..outward.clone() });
        assert_eq!(asked.map(|(topic, _)| topic), Some(REQUESTS), "of a fleet that decides by itself");
        let other = Outward { room: RoomId::new("chat", "a"), ..outward };
        assert_eq!(super::row(&other), None);
    }
}
