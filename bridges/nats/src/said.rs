//! What a message means for rooms: its source's row of the configuration, applied. It asks nobody and keeps nothing; what it cannot
//! understand it says so about, field by field.

use crossing::{Fields, Poison, Template, field, id, object, path, person, poison, room, text};
use serde_json::Value;
use vocabulary::{Payload, Person, RoomId};

use crate::heard::{Heard, MESSAGE_ID};
use crate::rides::Event;

/// Users whom one message may be for: an inbox each.
const USERS_MAX: usize = 100;
/// What fleets name an event by where the message itself has no name.
const EVENT_ID: &str = "event_id";
/// In a template, the whole subject.
const SUBJECT: &str = "@subject";

/// How the messages of a subject become commands.
#[derive(Clone, Debug)]
pub struct Source {
    /// With wildcards.
    pub subject: String,
    pub from: From,
    pub to: To,
    pub kind: Template,
    /// The field that is the command's payload; none: the whole value.
    pub payload: Option<String>,
    /// What a message names itself by. None: by its header, else its `event_id`, else where it stands.
    pub id: Option<Template>,
    pub author: Option<Template>,
    pub author_name: Option<Template>,
    /// Worth saying now or never, such as typing: asked once, and not kept as a dead letter.
    pub soft: bool,
}

/// Where its messages come from.
#[derive(Clone, Debug)]
pub enum From {
    /// A stream: each at least once. Without a name: whichever has the subject.
    Stream {
        name: Option<String>,
        durable: String,
        all: bool,
        deliver_max: u32,
        /// One at a time, whichever node takes it.
        in_order: bool,
    },
    /// As they are published: at most once.
    Plain,
}

/// Whom its messages are for.
#[derive(Clone, Debug)]
pub enum To {
    /// `app:` and a name.
    Room(Template),
    /// The field with a user's id, or a list of them: their inboxes.
    Users(String),
}

#[derive(Clone, Debug)]
pub(crate) enum Way {
    Mapped(Box<Source>),
    Rides(Event),
}

#[derive(Debug, PartialEq)]
pub(crate) enum Meant {
    /// One room each.
    Said(Vec<Said>),
    /// The same, where who hears of it goes to the first, which has to know them by then.
    After(Said, Vec<Said>),
    /// Well formed, and nothing that a room keeps.
    NotForUs,
}

impl Meant {
    /// Worth saying now or never.
    pub(crate) fn is_soft(&self) -> bool {
        match self {
            Meant::Said(said) => said.iter().all(|said| said.soft),
            Meant::After(first, then) => first.soft && then.iter().all(|said| said.soft),
            Meant::NotForUs => false,
        }
    }
}

/// A command for a room.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Said {
    pub(crate) room: RoomId,
    pub(crate) author: Option<Person>,
    pub(crate) kind: String,
    pub(crate) payload: Payload,
    /// None: there is nothing to know it again by.
    pub(crate) id: Option<String>,
    pub(crate) soft: bool,
}

impl Way {
    pub(crate) fn meant(&self, heard: &Heard) -> Result<Meant, Poison> {
        let value = object(&heard.payload)?;
        match self {
            Way::Rides(event) => event.meant(event_id(heard, &value)?, &value),
            Way::Mapped(source) => source.meant(heard, &value).map(Meant::Said),
        }
    }
}

/// By the publisher's name for the message, else the event's own, else where it stands.
fn event_id(heard: &Heard, value: &Value) -> Result<Option<String>, Poison> {
    let named = heard.header(MESSAGE_ID).map(str::to_owned).or_else(|| text(value.get(EVENT_ID)));
    match named {
        Some(named) => id(named).map(Some),
        None => Ok(heard.place_id()),
    }
}

impl Source {
    fn meant(&self, heard: &Heard, value: &Value) -> Result<Vec<Said>, Poison> {
        let payload = match &self.payload {
            None => Payload::copy_from_slice(&heard.payload),
            Some(name) => match field(value, &path(name)) {
                Some(payload @ Value::Object(_)) => payload.to_string().into(),
                _ => return poison(format!("`{name}` must be an object")),
            },
        };
        let around = |name: &str| token(&heard.subject, name);
        let fields = Fields { value, around: &around };
        let filled = |template: &Option<Template>| match template {
            Some(template) => template.fill_if_there(&fields),
            None => Ok(None),
        };
        let id = match &self.id {
            Some(template) => Some(id(template.fill(&fields)?)?),
            None => event_id(heard, value)?,
        };
        let author = filled(&self.author)?.map(|id| person(&id, filled(&self.author_name)?)).transpose()?;
        let kind = self.kind.fill(&fields)?;
        let said = |room| Said {
            room,
            author: author.clone(),
            kind: kind.clone(),
            payload: payload.clone(),
            id: id.clone(),
            soft: self.soft,
        };
        Ok(self.to.rooms(&fields)?.into_iter().map(said).collect())
    }
}

impl To {
    fn rooms(&self, fields: &Fields<'_>) -> Result<Vec<RoomId>, Poison> {
        let name = match self {
            To::Room(template) => return Ok(vec![room(&template.fill(fields)?)?]),
            To::Users(name) => name,
        };
        let must = || Poison(format!("`{name}` must be a user's id, or a list of 1 to {USERS_MAX} of them"));
        let users: Vec<String> = match field(fields.value, &path(name)) {
            Some(Value::Array(users)) if (1..=USERS_MAX).contains(&users.len()) => {
                users.iter().map(|user| text(Some(user)).ok_or_else(must)).collect::<Result<_, _>>()?
            }
            one => vec![text(one).ok_or_else(must)?],
        };
        let mut rooms =
            users.iter().map(|user| room(&format!("user:{user}"))).collect::<Result<Vec<_>, _>>()?;
        rooms.sort_by(|one, other| one.as_str().cmp(other.as_str()));
        rooms.dedup();
        Ok(rooms)
    }
}

/// `{2}` is the subject's second token.
fn token(subject: &str, name: &str) -> Option<Result<String, String>> {
    if name == SUBJECT {
        return Some(Ok(subject.to_owned()));
    }
    let number: usize = name.parse().ok()?;
    let token = number.checked_sub(1).and_then(|number| subject.split('.').nth(number));
    let missing = || format!("wants token {number} of the subject, and {subject:?} has none");
    Some(token.map(str::to_owned).ok_or_else(missing))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::{heard, with};
    use proptest::prelude::*;

    fn of(written: &str) -> Template {
        Template::read(written).expect(written)
    }

    fn source(to: To) -> Source {
        Source {
            subject: "orders.*.*".to_owned(),
            from: From::Plain,
            to,
            kind: of("{kind}"),
            payload: Some("data".to_owned()),
            id: None,
            author: Some(of("{by}")),
            author_name: None,
            soft: false,
        }
    }

    fn meant(source: &Source, heard: &Heard) -> Result<Vec<Said>, String> {
        match Way::Mapped(source.clone().into()).meant(heard) {
            Ok(Meant::Said(said)) => Ok(said),
            Ok(Meant::After(..) | Meant::NotForUs) => panic!("a row is for somebody"),
            Err(Poison(why)) => Err(why),
        }
    }

    #[test]
    fn a_row_says_room_kind_payload_and_author_by_fields_and_tokens() {
        let source = source(To::Room(of("chat:{3}-{room}")));
        let said = meant(&source, &heard(1, r#"{"kind":"note","room":7,"by":"u1","data":{"x":1.5}}"#));
        let said = said.expect("it is said").remove(0);
        assert_eq!(
            (said.room.as_str(), said.kind.as_str(), &said.payload[..]),
            ("chat:eu-7", "note", &br#"{"x":1.5}"#[..])
        );
        assert_eq!(
            (said.author.map(|it| it.id.as_str().to_owned()), said.id.as_deref()),
            (Some("u1".to_owned()), Some("1.7"))
        );
    }

    #[test]
    fn a_message_is_named_by_its_row_its_header_its_event_and_its_place_in_this_order() {
        let plain = source(To::Room(of("chat:a")));
        let value = r#"{"kind":"k","data":{},"event_id":"e-1","n":5}"#;
        let named = |source: &Source, heard: &Heard| meant(source, heard).expect("said").remove(0).id;
        let header = with(heard(9, value), &[(MESSAGE_ID, "m-1")]);
        let row = Source { id: Some(of("n-{n}")), ..plain.clone() };
        assert_eq!(named(&row, &header).as_deref(), Some("n-5"));
        assert_eq!(named(&plain, &header).as_deref(), Some("m-1"));
        assert_eq!(named(&plain, &heard(9, value)).as_deref(), Some("e-1"));
        let nameless = heard(9, r#"{"kind":"k","data":{}}"#);
        assert_eq!(named(&plain, &nameless).as_deref(), Some("9.7"));
        assert_eq!(named(&plain, &Heard { place: None, ..nameless }), None, "of no stream, and nameless");
    }

    #[test]
    fn users_are_inboxes_each_once() {
        let source = source(To::Users("for".to_owned()));
        let rooms = |users: &str| {
            let said = meant(&source, &heard(1, &format!(r#"{{"kind":"k","data":{{}},"for":{users}}}"#)))?;
            Ok::<_, String>(said.iter().map(|said| said.room.as_str().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(rooms(r#"["b","a",7,"b"]"#), Ok(vec!["user:7".into(), "user:a".into(), "user:b".into()]));
        assert_eq!(rooms("7"), Ok(vec!["user:7".to_owned()]));
        let many = serde_json::to_string(&(0..101).map(|n| n.to_string()).collect::<Vec<_>>()).expect("JSON");
        for wrong in ["[]", "null", "[true]", r#"[""]"#, &many] {
            assert!(rooms(wrong).is_err_and(|why| why.contains("`for`")), "{wrong}");
        }
    }

    #[test]
    fn what_is_not_understood_is_said_with_its_field() {
        let source = source(To::Room(of("chat:{4}")));
        let long = format!(r#"{{"kind":"k","data":{{}},"event_id":"{}"}}"#, "x".repeat(257));
        for (value, says) in [
            ("{", "no JSON"),
            ("[]", "an object"),
            (r#"{"kind":"k"}"#, "`data`"),
            (r#"{"data":{}}"#, "`kind`"),
            (r#"{"kind":"k","data":{}}"#, "token 4"),
            (long.as_str(), "257 bytes"),
        ] {
            let why = meant(&source, &heard(1, value)).expect_err(says);
            assert!(why.contains(says), "{why}");
        }
    }

    proptest! {
        /// Every token is where its number says, and beyond the last there is none.
        #[test]
        fn tokens_are_counted_from_one(tokens in proptest::collection::vec("[a-z0-9]{1,4}", 1..6), number in 0_usize..8) {
            let found = token(&tokens.join("."), &number.to_string()).expect("it is a number");
            let expected = number.checked_sub(1).and_then(|number| tokens.get(number)).cloned();
            prop_assert_eq!(found.ok(), expected);
        }
    }
}
