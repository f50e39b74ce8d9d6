//! Chat's payloads: what a client may send, what a view holds, what a snapshot keeps. The only place where chat opens
//! bytes.

use std::borrow::Cow;

use app::UnknownFormat;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary::{Code, Epoch, Payload, Person, Position, Record, Refusal, UserId, Wall};

/// `content` is required text; whatever else the client says with it is stored and delivered unchanged.
#[derive(Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    content: Option<Text<'a>>,
}

/// Read where it stands, unless it has escapes; an optional `Cow` would be copied each time.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

pub(crate) fn check_content(payload: &Payload) -> Result<(), Refusal> {
    let invalid = |text| Refusal::new(Code::InvalidPayload, text);
    // A list would do for the parser, field by field, and is no message.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        return Err(invalid("payload must be an object with a text in content"));
    }
    let content: Content<'_> = serde_json::from_slice(payload)
        .map_err(|_| invalid("payload must be an object with a text in content"))?;
    match content.content.as_ref().map(|text| &*text.0) {
        None => Err(invalid("content is required: the text of the message")),
        Some("") => Err(invalid("content must not be empty")),
        Some(_) => Ok(()),
    }
}

/// A message as the state keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Kept {
    pub position: Position,
    pub at: Wall,
    pub author: Option<Person>,
    pub payload: Payload,
}

impl Kept {
    pub(crate) fn from_record(record: &Record) -> Kept {
        let (author, payload) = (record.author.clone(), record.body.clone());
        Kept { position: record.position, at: record.at, author, payload }
    }
}

#[derive(Serialize, Deserialize)]
struct WirePerson<'a> {
    #[serde(borrow)]
    id: Cow<'a, str>,
    #[serde(borrow)]
    name: Cow<'a, str>,
}

impl<'a> WirePerson<'a> {
    fn of(person: &'a Person) -> WirePerson<'a> {
        WirePerson { id: person.id.as_str().into(), name: (&*person.name).into() }
    }
}

#[derive(Serialize)]
struct WirePosition {
    epoch: String,
    offset: u64,
}

/// A message in a view: the same fields as in `new_message`.
#[derive(Serialize)]
struct Viewed<'a> {
    id: String,
    payload: &'a RawValue,
    sender: Option<WirePerson<'a>>,
    timestamp: String,
    position: WirePosition,
}

#[derive(Serialize)]
struct View<'a> {
    messages: Vec<Viewed<'a>>,
}

pub(crate) fn view<'a>(recent: impl Iterator<Item = &'a Kept>) -> Payload {
    let messages = recent.filter_map(|kept| {
        Some(Viewed {
            id: kept.position.to_string(),
            payload: serde_json::from_slice(&kept.payload).ok()?,
            sender: kept.author.as_ref().map(WirePerson::of),
            timestamp: kept.at.to_string(),
            position: WirePosition { epoch: kept.position.epoch.to_string(), offset: kept.position.offset },
        })
    });
    written(&View { messages: messages.collect() })
}

/// The snapshot: JSON, with its version, because a person may have to read it one day.
#[derive(Serialize, Deserialize)]
pub(crate) struct Saved<'a> {
    version: u32,
    #[serde(borrow)]
    messages: Vec<SavedMessage<'a>>,
}

#[derive(Serialize, Deserialize)]
struct SavedMessage<'a> {
    epoch: u64,
    offset: u64,
    at: i64,
    #[serde(borrow)]
    author: Option<WirePerson<'a>>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

const VERSION: u32 = 1;

impl Saved<'_> {
    pub(crate) fn write<'a>(recent: impl Iterator<Item = &'a Kept>) -> Payload {
        let messages = recent.filter_map(|kept| {
            Some(SavedMessage {
                epoch: kept.position.epoch.0,
                offset: kept.position.offset,
                at: kept.at.0,
                author: kept.author.as_ref().map(WirePerson::of),
                payload: serde_json::from_slice(&kept.payload).ok()?,
            })
        });
        written(&Saved { version: VERSION, messages: messages.collect() })
    }

    pub(crate) fn read(bytes: &Payload) -> Result<Vec<Kept>, UnknownFormat> {
        let saved: Saved<'_> = serde_json::from_slice(bytes)
            .map_err(|error| UnknownFormat(format!("chat snapshot: {error}")))?;
        if saved.version != VERSION {
            return Err(UnknownFormat(format!("chat snapshot of version {}", saved.version)));
        }
        let kept = |message: SavedMessage<'_>| Kept {
            position: Position { epoch: Epoch(message.epoch), offset: message.offset },
            at: Wall(message.at),
            author: message.author.map(|who| Person { id: UserId::new(&who.id), name: (&*who.name).into() }),
            payload: Payload::copy_from_slice(message.payload.get().as_bytes()),
        };
        Ok(saved.messages.into_iter().map(kept).collect())
    }
}

fn written<T: Serialize>(value: &T) -> Payload {
    // Strings, numbers and JSON that was parsed before: there is nothing in it that could fail to be written.
    serde_json::to_vec(value).map(Payload::from).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kept(offset: u64, content: &str) -> Kept {
        Kept {
            position: Position { epoch: Epoch::new(1, 7), offset },
            at: Wall(0),
            author: Some(Person { id: UserId::new("7"), name: "Ana \"A\"".into() }),
            payload: Payload::from(format!("{{\"content\":{content}}}")),
        }
    }

    #[test]
    fn a_snapshot_reads_back_as_written() {
        let messages = [kept(1, "\"hi\""), kept(2, "\"a \\\"quoted\\\" ✓\"")];
        assert_eq!(Saved::read(&Saved::write(messages.iter())), Ok(messages.to_vec()));
    }

    #[test]
    fn a_snapshot_of_another_version_is_refused_by_name() {
        let newer = Payload::from_static(b"{\"version\":9,\"messages\":[]}");
        assert_eq!(Saved::read(&newer), Err(UnknownFormat("chat snapshot of version 9".into())));
    }

    #[test]
    fn content_is_required_text_and_the_rest_is_free() {
        for (payload, ok) in [
            (r#"{"content":"hi"}"#, true),
            (r#"{"content":"hi","reply_to":"x","mood":{"a":[1]}}"#, true),
            (r#"{"content":""}"#, false),
            (r#"{"content":7}"#, false),
            (r#"{"text":"hi"}"#, false),
            ("null", false),
            (r#"["hi"]"#, false),
            (r#""hi""#, false),
        ] {
            assert_eq!(check_content(&Payload::from_static(payload.as_bytes())).is_ok(), ok, "{payload}");
        }
    }
}
