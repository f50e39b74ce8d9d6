//! Any text as a message of the native protocol: understood or refused as docs/protocol.md says, within the limits that it
//! names, and answered in one line of JSON. The same text as a message of a hub client, of a livechat client, of either
//! side of a match and of a driver, within the same limits.
#![no_main]

use std::fmt;

use libfuzzer_sys::fuzz_target;
use protocol::{
    HubProtocol, Item, LivechatProtocol, MatchProtocol, Names, Protocol, RideProtocol, RoomsProtocol,
};
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use vocabulary::{Asked, Code, HistoryFrom, Request, RoomId, Verb, Wall, Word};

const NAME_BYTES_MAX: usize = 128;
const ID_BYTES_MAX: usize = 128;
const RESUMED_MAX: usize = 100;
const DEPTH_MAX: usize = 64;
const OFFSET_MAX: u64 = 1 << 53;

/// A name to which the reader that we compare with gives a meaning of its own.
const OF_THE_OTHER_READER: &str = "$serde_json::private";

/// Of those that are said to a ride, to a person's own room, and to either.
const OF_RIDES: [&str; 4] = ["beacon_update", "location_update", "match_confirm", "ride_start"];

fn word(app: &str, name: &str) -> Option<Word> {
    if app == "rides" {
        return OF_RIDES.into_iter().find(|known| *known == name).map(Word::of_anyone);
    }
    (app == "chat" && name == "edit_message").then(|| Word::of_members("edit_message"))
}

fuzz_target!(|text: &str| {
    if text.contains(OF_THE_OTHER_READER) {
        return;
    }
    let is_app = |app: &str| app == "chat" || app == "board";
    let names = Names { app: "chat", is_app: &is_app, own: None, word: &word };
    of_another_client(&HubProtocol, &names, text);
    let session = RoomId::new("board", "1");
    let of_session = Names { app: "board", is_app: &is_app, own: Some(&session), word: &word };
    of_another_client(&LivechatProtocol, &of_session, text);
    of_another_client(&MatchProtocol::Scorers, &of_session, text);
    of_another_client(&MatchProtocol::Viewers, &names, text);
    let driver = RoomId::new("rides", "driver:1");
    let of_driver = Names { app: "rides", is_app: &is_app, own: Some(&driver), word: &word };
    of_another_client(&RideProtocol, &of_driver, text);
    let decoded = RoomsProtocol.decode(&names, text);
    let page = Page::of(text);
    match &decoded {
        Ok(request) => {
            assert!(page.is_readable, "understood against the page");
            match request {
                Request::Room(asked) => within_limits(asked),
                Request::Resume(rooms) => {
                    assert!((1..=RESUMED_MAX).contains(&rooms.len()));
                    rooms.iter().for_each(within_limits);
                    assert!(rooms.iter().all(|asked| matches!(asked.verb, Verb::Join { .. })));
                }
                Request::Identify(tag, token) => {
                    assert!(tag.id.as_ref().is_none_or(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
                    assert!(!token.0.is_empty(), "no token proves nobody");
                }
                Request::Ping(_) => panic!("the native protocol has no word for it"),
            }
        }
        Err(misheard) => {
            let refusal = &misheard.refusal;
            if !page.id_is_too_long {
                assert_eq!(refusal.code == Code::InvalidFormat, !page.is_readable, "{refusal:?}");
            }
            assert!(!refusal.text.is_empty() && refusal.text.len() < 1024);
            let (room, id) = (misheard.room.as_deref(), misheard.tag.id.as_deref());
            let mut out = Vec::new();
            assert!(RoomsProtocol.encode(None, &Item::Refused { room, id, refusal, at: Wall(0) }, &mut out));
            assert!(!out.contains(&b'\n') && out.len() < 4096);
            serde_json::from_slice::<Value>(&out).expect("a client can read its refusal");
        }
    }
});

fn of_another_client(protocol: &dyn Protocol, names: &Names<'_>, text: &str) {
    match protocol.decode(names, text) {
        Ok(Request::Room(asked)) => within_limits(&asked),
        Ok(Request::Resume(_)) => panic!("neither has a word for it"),
        Ok(Request::Identify(tag, _) | Request::Ping(tag)) => {
            assert!(tag.id.is_none_or(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
        }
        Err(misheard) => {
            let (refusal, id) = (&misheard.refusal, misheard.tag.id.as_deref());
            assert!(!refusal.text.is_empty() && refusal.text.len() < 1024);
            let mut out = Vec::new();
            assert!(protocol.encode(None, &Item::Refused { room: None, id, refusal, at: Wall(0) }, &mut out));
            assert!(!out.contains(&b'\n') && out.len() < 4096);
            serde_json::from_slice::<Value>(&out).expect("a client can read its refusal");
        }
    }
}

fn within_limits(asked: &Asked) {
    assert!((1..=NAME_BYTES_MAX).contains(&asked.room.name().len()));
    assert!(asked.tag.id.as_ref().is_none_or(|id| (1..=ID_BYTES_MAX).contains(&id.len())));
    match &asked.verb {
        Verb::Join { since, payload } => {
            assert!(since.is_none_or(|since| since.offset < OFFSET_MAX));
            passed_on(payload);
        }
        Verb::Act { payload, .. } if payload.is_empty() => {}
        Verb::Act { payload, .. } => passed_on(payload),
        Verb::History { limit, from } => {
            assert!(*limit >= 1);
            match from {
                HistoryFrom::Latest => {}
                HistoryFrom::Before(at) | HistoryFrom::After(at) => assert!(at.offset < OFFSET_MAX),
            }
        }
        Verb::Leave | Verb::Members => {}
    }
}

/// Others get it, so they must be able to read it.
fn passed_on(payload: &[u8]) {
    let value = serde_json::from_slice::<Value>(payload).expect("strict readers can read it");
    assert!(depth(&value) <= DEPTH_MAX);
    assert!(!payload.contains(&b'\n') && !payload.contains(&b'\r'), "a frame is one line");
}

fn depth(value: &Value) -> usize {
    match value {
        Value::Array(list) => 1 + list.iter().map(depth).max().unwrap_or(0),
        Value::Object(map) => 1 + map.values().map(depth).max().unwrap_or(0),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => 0,
    }
}

/// What the page says of a text, read in another way than ours.
struct Page {
    is_readable: bool,
    id_is_too_long: bool,
}

impl Page {
    fn of(text: &str) -> Page {
        let unreadable = Page { is_readable: false, id_is_too_long: false };
        let Ok(Fields(fields)) = Fields::read(text) else { return unreadable };
        let of = |name: &str| -> Vec<&RawValue> {
            fields.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_ref()).collect()
        };
        if ["type", "room", "id", "payload"].iter().any(|name| of(name).len() > 1) {
            return unreadable;
        }
        let words = |name: &str| {
            of(name).first().map_or(Ok(None), |raw| serde_json::from_str::<Option<String>>(raw.get()))
        };
        let (Ok(_), Ok(_), Ok(id)) = (words("type"), words("room"), words("id")) else { return unreadable };
        let payload = of("payload").first().is_none_or(|raw| {
            serde_json::from_str::<Value>(raw.get()).is_ok_and(|value| depth(&value) <= DEPTH_MAX)
        });
        Page { is_readable: payload, id_is_too_long: id.is_some_and(|id| id.len() > ID_BYTES_MAX) }
    }
}

/// An object's fields in their order, with those that stand twice.
struct Fields(Vec<(String, Box<RawValue>)>);

impl Fields {
    fn read(text: &str) -> serde_json::Result<Fields> {
        let mut reader = serde_json::Deserializer::from_str(text);
        let fields = reader.deserialize_map(ToFields)?;
        reader.end()?;
        Ok(fields)
    }
}

struct ToFields;

impl<'de> Visitor<'de> for ToFields {
    type Value = Fields;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Fields, A::Error> {
        let mut fields = Vec::new();
        while let Some(field) = map.next_entry()? {
            fields.push(field);
        }
        Ok(Fields(fields))
    }
}
