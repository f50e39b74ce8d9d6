//! What clients are told, as golden files write it, and the frames that tell it.

use protocol::Item;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary as v;

use super::{Tongue, codes};

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Position {
    epoch: String,
    offset: u64,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Person {
    id: String,
    name: String,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Shown {
    kind: String,
    payload: Box<RawValue>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    sender: Option<Person>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Entry {
    position: Position,
    at: i64,
    shown: Shown,
}

/// `protocol::Item`, owned and readable.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(super) enum Told {
    Record {
        room: String,
        shown: Shown,
        position: Position,
        at: i64,
    },
    Soft {
        room: String,
        shown: Shown,
        at: i64,
    },
    Announced {
        payload: Box<RawValue>,
        position: Position,
        at: i64,
    },
    Ack {
        room: String,
        id: Option<String>,
        position: Position,
        at: i64,
        reply: Option<Box<RawValue>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        shown: Option<Shown>,
    },
    Left {
        room: String,
        id: Option<String>,
        at: i64,
    },
    Opened {
        shard: u16,
        slot: u32,
        generation: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        room: Option<String>,
        at: i64,
    },
    Pong {
        id: Option<String>,
        at: i64,
    },
    Online {
        person: Person,
        at: i64,
    },
    Offline {
        person: Person,
        at: i64,
    },
    Done {
        room: String,
        id: Option<String>,
        at: i64,
        reply: Option<Box<RawValue>>,
    },
    Refused {
        room: Option<String>,
        id: Option<String>,
        refusal: Refusal,
        at: i64,
    },
    Joined {
        room: String,
        id: Option<String>,
        users: Vec<Person>,
        count: u32,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        about: Option<Box<RawValue>>,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        present: Option<Box<RawValue>>,
        position: Option<Position>,
        at: i64,
    },
    Resumed {
        room: String,
        upto: Position,
        at: i64,
    },
    Gap {
        room: String,
        view: Box<RawValue>,
        upto: Position,
        at: i64,
    },
    Reset {
        room: String,
        view: Box<RawValue>,
        upto: Position,
        at: i64,
    },
    Came {
        room: String,
        person: Person,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        present: Option<Box<RawValue>>,
        at: i64,
    },
    Went {
        room: String,
        person: Person,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        present: Option<Box<RawValue>>,
        at: i64,
    },
    Members {
        room: String,
        id: Option<String>,
        users: Vec<Person>,
        count: u32,
        /// The reader asked for it.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        asked: bool,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        present: Option<Box<RawValue>>,
        at: i64,
    },
    History {
        room: String,
        id: Option<String>,
        entries: Vec<Entry>,
        upto: Position,
        #[serde(default, skip_serializing_if = "Option::is_none")]
        next: Option<Position>,
        at: i64,
    },
    Known {
        id: Option<String>,
        person: Person,
        expires: i64,
        at: i64,
    },
    Expiring {
        expires: i64,
        at: i64,
    },
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Refusal {
    code: String,
    message: Option<String>,
    retry_after_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    reference: Option<Reference>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Reference {
    node: u64,
    shard: u16,
    number: u64,
}

pub(super) fn code(word: &str) -> v::Code {
    let known = codes().into_iter().find(|(known, _)| *known == word);
    known.map_or_else(|| v::Code::App(leaked(word)), |(_, code)| code)
}

/// Kinds and codes are static in the code; those of a test live as long as the test.
pub(super) fn leaked(text: &str) -> &'static str {
    Box::leak(text.to_owned().into_boxed_str())
}

pub(super) fn payload(raw: &RawValue) -> v::Payload {
    v::Payload::copy_from_slice(raw.get().as_bytes())
}

pub(super) fn raw(payload: &v::Payload) -> Box<RawValue> {
    serde_json::from_slice(payload).expect("a payload is JSON")
}

impl Position {
    pub(super) fn read(&self) -> v::Position {
        v::Position { epoch: self.epoch.parse().expect("an epoch of ours"), offset: self.offset }
    }

    pub(super) fn of(position: v::Position) -> Position {
        Position { epoch: position.epoch.to_string(), offset: position.offset }
    }
}

impl Person {
    pub(super) fn read(&self) -> v::Person {
        v::Person { id: v::UserId::new(&self.id), name: self.name.as_str().into() }
    }
}

impl Shown {
    pub(super) fn read(&self) -> v::Shown {
        v::Shown {
            kind: leaked(&self.kind),
            payload: payload(&self.payload),
            sender: self.sender.as_ref().map(Person::read),
            class: v::Class::Record,
            lasting: true,
        }
    }
}

impl Refusal {
    pub(super) fn read(&self) -> v::Refusal {
        let mut refusal = match (self.code.as_str(), &self.message, self.retry_after_ms) {
            ("UNAUTHORIZED", None, _) => v::Refusal::unauthorized(),
            ("NOT_IN_ROOM", None, _) => v::Refusal::not_in_room(),
            ("UNCONFIRMED", None, _) => v::Refusal::unconfirmed(),
            ("BUSY", None, Some(millis)) => v::Refusal::busy(millis),
            ("RATE_LIMIT", None, Some(millis)) => v::Refusal::rate_limit(millis),
            (_, Some(message), _) => v::Refusal::new(code(&self.code), message.clone()),
            (code, None, _) => panic!("{code} needs a message"),
        };
        refusal.retry_after_ms = self.retry_after_ms;
        refusal.reference = self.reference.as_ref().map(|it| {
            let (node, shard, number) = (it.node, v::ShardId(it.shard), it.number);
            Box::new(v::Reference { node, shard, number })
        });
        refusal
    }
}

pub(super) fn people(people: &[Person]) -> Vec<v::Person> {
    people.iter().map(Person::read).collect()
}

/// Whoever reads it. `role:id`, or an id alone.
fn user(written: &str) -> v::User {
    let (role, id) = written.split_once(':').map_or((None, written), |(role, id)| (Some(role), id));
    let person = v::Person { id: v::UserId::new(id), name: id.into() };
    v::User { person, role: role.map(Into::into), rooms: None, groups: None }
}

/// The frame that tells it.
pub(super) fn encoded(tongue: Tongue, reader: Option<&str>, told: &Told) -> String {
    let reader = reader.map(user);
    let write = |item: Item<'_>| {
        let mut out = Vec::new();
        let said = tongue.protocol().encode(reader.as_ref(), &item, &mut out);
        assert_eq!(said, !out.is_empty(), "a protocol that has a word writes it");
        String::from_utf8(out).expect("text")
    };
    match told {
        Told::Record { room, shown, position, at } => {
            write(Item::Record { room, shown: &shown.read(), position: position.read(), at: v::Wall(*at) })
        }
        Told::Soft { room, shown, at } => write(Item::Soft { room, shown: &shown.read(), at: v::Wall(*at) }),
        Told::Announced { payload: said, position, at } => {
            let (payload, position, at) = (&payload(said), position.read(), v::Wall(*at));
            write(Item::Announced { payload, position, at })
        }
        Told::Ack { room, id, position, at, reply, shown } => {
            let (reply, shown) = (reply.as_deref().map(payload), shown.as_ref().map(Shown::read));
            let (id, position, at) = (id.as_deref(), position.read(), v::Wall(*at));
            write(Item::Ack { room, id, position, at, reply: reply.as_ref(), shown: shown.as_ref() })
        }
        Told::Left { room, id, at } => write(Item::Left { room, id: id.as_deref(), at: v::Wall(*at) }),
        Told::Opened { shard, slot, generation, room, at } => {
            let (shard, slot, generation) = (v::ShardId(*shard), *slot, *generation);
            let client = v::ConnectionId { shard, slot, generation };
            let user = &reader.clone().unwrap_or_else(|| user("7"));
            write(Item::Opened { client, user, room: room.as_deref(), at: v::Wall(*at) })
        }
        Told::Pong { id, at } => write(Item::Pong { id: id.as_deref(), at: v::Wall(*at) }),
        Told::Online { person, at } => write(Item::Online { person: &person.read(), at: v::Wall(*at) }),
        Told::Offline { person, at } => write(Item::Offline { person: &person.read(), at: v::Wall(*at) }),
        Told::Done { room, id, at, reply } => {
            let reply = reply.as_deref().map(payload);
            write(Item::Done { room, id: id.as_deref(), at: v::Wall(*at), reply: reply.as_ref() })
        }
        Told::Refused { room, id, refusal, at } => {
            let (room, id) = (room.as_deref(), id.as_deref());
            write(Item::Refused { room, id, refusal: &refusal.read(), at: v::Wall(*at) })
        }
        Told::Joined { room, id, users, count, about, present, position, at } => {
            let (id, users, at) = (id.as_deref(), &people(users), v::Wall(*at));
            write(Item::Joined {
                room,
                id,
                users,
                count: *count,
                about: about.as_deref().map(payload).as_ref(),
                present: present.as_deref().map(payload).as_ref(),
                position: position.as_ref().map(Position::read),
                at,
            })
        }
        Told::Resumed { room, upto, at } => {
            write(Item::Resumed { room, upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Gap { room, view, upto, at } => {
            write(Item::Gap { room, view: &payload(view), upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Reset { room, view, upto, at } => {
            write(Item::Reset { room, view: &payload(view), upto: upto.read(), at: v::Wall(*at) })
        }
        Told::Came { room, person, present, at } => {
            let present = present.as_deref().map(payload);
            write(Item::Came { room, person: &person.read(), present: present.as_ref(), at: v::Wall(*at) })
        }
        Told::Went { room, person, present, at } => {
            let present = present.as_deref().map(payload);
            write(Item::Went { room, person: &person.read(), present: present.as_ref(), at: v::Wall(*at) })
        }
        Told::Members { room, id, users, count, asked, present, at } => {
            let (id, users, at) = (id.as_deref(), &people(users), v::Wall(*at));
            let (asked, present) = (reader.as_ref().filter(|_| *asked), present.as_deref().map(payload));
            write(Item::Members { room, id, asked, users, count: *count, present: present.as_ref(), at })
        }
        Told::History { room, id, entries, upto, next, at } => {
            let entry = |entry: &Entry| v::PageEntry {
                position: entry.position.read(),
                at: v::Wall(entry.at),
                shown: Some(entry.shown.read()),
            };
            let entries: Vec<_> = entries.iter().map(entry).collect();
            let (id, upto, at) = (id.as_deref(), upto.read(), v::Wall(*at));
            let next = next.as_ref().map(Position::read);
            write(Item::History { room, id, entries: &entries, upto, next, at })
        }
        Told::Known { id, person, expires, at } => {
            let (id, person) = (id.as_deref(), &person.read());
            write(Item::Known { id, person, expires: v::Wall(*expires), at: v::Wall(*at) })
        }
        Told::Expiring { expires, at } => {
            write(Item::Expiring { expires: v::Wall(*expires), at: v::Wall(*at) })
        }
    }
}
