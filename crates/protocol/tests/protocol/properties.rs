//! Whatever comes is answered, and whatever is told can be read.

use proptest::prelude::*;
use protocol::{HubProtocol, Item, Protocol, RoomsProtocol};
use serde_json::{Value, json};
use vocabulary::{
    Class, Code, Epoch, PageEntry, Payload, Person, Position, Refusal, Request, Shown, User, UserId, Verb,
    Wall,
};

use crate::golden::{Tongue, names};

pub(crate) fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        (-4096..4096).prop_map(|quarters| Value::from(f64::from(quarters) / 4.0)),
        ".{0,12}".prop_map(Value::from),
        any::<char>().prop_map(|letter| Value::from(letter.to_string())),
    ];
    leaf.prop_recursive(4, 24, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            prop::collection::btree_map(".{0,4}", inner, 0..4)
                .prop_map(|map| map.into_iter().collect::<serde_json::Map<_, _>>().into()),
        ]
    })
}

/// Nearly a frame: the right keys with any values, or the right values.
fn frame() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just("join_room"),
        Just("leave_room"),
        Just("send_message"),
        Just("typing"),
        Just("stop_typing"),
        Just("online_users"),
        Just("get_history"),
        Just("dance"),
    ];
    let kind = prop_oneof![6 => kind.prop_map(Value::from), 1 => value()];
    let name = || prop_oneof!["[a-z:]{0,8}", ".{0,140}", "chat:[a-z]{0,4}"].prop_map(Value::from);
    let position = prop_oneof![
        ("[0-9a-f+]{0,20}", any::<u64>())
            .prop_map(|(epoch, offset)| json!({"epoch": epoch, "offset": offset})),
        value(),
    ];
    let payload = (name(), position, any::<Option<u32>>()).prop_map(|(room, position, limit)| {
        json!({"room_id": room, "since": position, "before": position, "limit": limit, "content": "hi"})
    });
    let payload = prop_oneof![3 => payload, 1 => value()];
    let name = prop_oneof![4 => name(), 1 => value()];
    let id = prop_oneof![3 => ".{0,140}".prop_map(Value::from), 1 => value()];
    (kind, name, id, payload).prop_map(
        |(kind, room, id, payload)| json!({"type": kind, "room": room, "id": id, "payload": payload}),
    )
}

/// The same of a hub client.
fn hub_frame() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just("connection.ping"),
        Just("connection.refresh"),
        Just("channel.join"),
        Just("channel.leave"),
        Just("channel.message"),
        Just("channel.typing"),
        Just("channel.stop_typing"),
    ];
    let kind = prop_oneof![6 => kind.prop_map(Value::from), 1 => value()];
    let channel = prop_oneof![
        2 => any::<u64>().prop_map(Value::from),
        3 => "[a-z:]{0,8}".prop_map(Value::from),
        1 => value(),
    ];
    let position = prop_oneof![
        ("[0-9a-f+]{0,20}", any::<u64>())
            .prop_map(|(epoch, offset)| json!({"epoch": epoch, "offset": offset})),
        Just(Value::Null),
        value(),
    ];
    let text = || prop_oneof![4 => ".{0,20}".prop_map(Value::from), 1 => Just(Value::Null), 1 => value()];
    let data = (channel, position, text(), text(), text(), any::<Option<bool>>()).prop_map(
        |(channel, since, text, url, reply, typing)| {
            json!({"channel_id": channel, "since": since, "text": text, "url": url, "reply_to_id": reply,
                   "is_typing": typing, "token": "a.b.c"})
        },
    );
    let data = prop_oneof![4 => data, 1 => value()];
    let id = prop_oneof![3 => ".{0,140}".prop_map(Value::from), 1 => value()];
    (kind, id, data).prop_map(|(kind, id, data)| json!({"type": kind, "id": id, "data": data}))
}

fn hub_told(item: Item<'_>) -> Value {
    let mut out = Vec::new();
    let person = Person { id: UserId::new("7"), name: "7".into() };
    let reader = User { person, role: None, rooms: None, groups: None };
    assert!(HubProtocol.encode(Some(&reader), &item, &mut out));
    let text = std::str::from_utf8(&out).expect("text");
    assert!(!text.contains(['\n', '\r']), "one line: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// What is understood can be passed on; what is not has words for its sender.
fn check_decoded(text: &str) {
    Tongue::ALL.into_iter().for_each(|tongue| check_decoded_by(tongue, text));
}

pub(crate) fn check_decoded_by(tongue: Tongue, text: &str) {
    match tongue.protocol().decode(&names(tongue), text) {
        Ok(Request::Identify(tag, token)) => {
            assert!(tag.id.is_none_or(|id| !id.is_empty() && id.len() <= 128));
            assert!(!token.0.is_empty());
        }
        Ok(Request::Ping(tag)) => {
            assert!(tag.id.is_none_or(|id| !id.is_empty() && id.len() <= 128));
        }
        Ok(Request::Resume(joins)) => {
            assert!((1..=100).contains(&joins.len()));
            for join in joins {
                assert!(matches!(join.verb, Verb::Join { .. }));
                assert!(join.room.name().len() <= 128 && !join.room.name().is_empty());
            }
        }
        Ok(Request::Room(asked)) => {
            assert!(asked.room.name().len() <= 128 && !asked.room.name().is_empty());
            assert!(asked.tag.id.is_none_or(|id| !id.is_empty() && id.len() <= 128));
            match asked.verb {
                Verb::Act { payload, .. } if payload.is_empty() => {}
                Verb::Act { payload, .. } | Verb::Join { payload, .. } => {
                    serde_json::from_slice::<Value>(&payload).expect("every client can read what one sent");
                    assert!(!payload.contains(&b'\n'), "a frame is one line");
                }
                Verb::Leave | Verb::History { .. } | Verb::Members => {}
            }
        }
        Err(misheard) => {
            assert!(!misheard.refusal.text.is_empty() && misheard.refusal.text.len() < 1024);
            assert!(misheard.room.is_none_or(|room| room.chars().count() <= 65));
        }
    }
}

fn person() -> impl Strategy<Value = Person> {
    (".{1,12}", ".{0,12}").prop_map(|(id, name)| Person { id: UserId::new(&id), name: name.as_str().into() })
}

pub(crate) fn position() -> impl Strategy<Value = Position> {
    (any::<u64>(), 0..(1u64 << 53)).prop_map(|(epoch, offset)| Position { epoch: Epoch(epoch), offset })
}

/// From 1970 to the end of the year 9999: what the format has room for.
pub(crate) fn wall() -> impl Strategy<Value = Wall> {
    (0..253_402_300_800_000_i64).prop_map(Wall)
}

fn told(item: Item<'_>) -> Value {
    let mut out = b"before".to_vec();
    assert!(RoomsProtocol.encode(None, &item, &mut out));
    let text = std::str::from_utf8(&out).expect("text");
    let text = text.strip_prefix("before").expect("what stood there stays");
    assert!(!text.contains(['\n', '\r']), "one line: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

fn wire(position: Position) -> Value {
    json!({"epoch": position.epoch.to_string(), "offset": position.offset})
}

fn people(people: &[Person]) -> Value {
    people.iter().map(|person| json!({"id": person.id.as_str(), "name": &*person.name})).collect()
}

proptest! {
    #[test]
    fn any_text_is_decoded_without_a_panic(text in ".{0,200}") {
        check_decoded(&text);
    }

    #[test]
    fn any_bytes_that_are_text_are_decoded_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
        check_decoded(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn any_json_is_decoded_without_a_panic(value in value()) {
        check_decoded(&value.to_string());
    }

    #[test]
    fn anything_like_a_frame_is_decoded_without_a_panic(frame in frame(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&frame) } else { serde_json::to_string(&frame) };
        check_decoded(&text.expect("JSON"));
    }

    #[test]
    fn a_frame_that_lost_or_gained_a_byte_is_decoded_without_a_panic(
        frame in frame(),
        at in any::<prop::sample::Index>(),
        byte in any::<u8>(),
    ) {
        let mut bytes = frame.to_string().into_bytes();
        let at = at.index(bytes.len());
        bytes[at] = byte;
        check_decoded(&String::from_utf8_lossy(&bytes));
        bytes.truncate(at);
        check_decoded(&String::from_utf8_lossy(&bytes));
    }

    #[test]
    fn anything_like_a_hub_frame_is_decoded_without_a_panic(frame in hub_frame(), pretty in any::<bool>()) {
        let text = if pretty { serde_json::to_string_pretty(&frame) } else { serde_json::to_string(&frame) };
        check_decoded(&text.expect("JSON"));
    }

    #[test]
    fn a_hub_client_reads_whatever_stands_in_a_log(
        room in "[A-Za-z0-9_.:-]{1,128}",
        payload in value(),
        content in proptest::option::of(".{0,20}"),
        sender in proptest::option::of(person()),
        position in position(),
        at in wall(),
    ) {
        let mut payload = payload;
        if let (Value::Object(fields), Some(content)) = (&mut payload, &content) {
            fields.insert("content".into(), content.as_str().into());
        }
        let bytes = Payload::from(payload.to_string());
        let shown =
            Shown { kind: "new_message", payload: bytes, sender, class: Class::Record, lasting: true };
        let frame = hub_told(Item::Record { room: &room, shown: &shown, position, at });
        let said = payload.get("content").and_then(Value::as_str).unwrap_or_default();
        let unsaid = payload.get("text").and_then(Value::as_str) == Some("");
        prop_assert_eq!(&frame["data"]["text"], &Value::from(if unsaid { "" } else { said }));
        prop_assert_eq!(&frame["data"]["id"], &frame["id"]);
        prop_assert_eq!(&frame["data"]["channel_id"], &Value::from(room.as_str()));
        prop_assert_eq!(&frame["timestamp"], &Value::from(at.0 / 1000));
        prop_assert_eq!(&frame["position"], &wire(position));
        let own = hub_told(Item::Ack {
            room: &room, id: Some("m-1"), position, at, reply: None, shown: Some(&shown),
        });
        prop_assert_eq!(&own["data"], &frame["data"], "the author's copy has another id and the same row");
        prop_assert_eq!(&own["id"], &Value::from("m-1"));
    }

    #[test]
    fn what_a_hub_client_says_it_is_told_again(
        text in ".{1,40}",
        url in proptest::option::of(".{1,40}"),
        position in position(),
        at in wall(),
    ) {
        let said = json!({"type": "channel.message", "data": {"channel_id": "12", "text": text, "url": url}});
        let Ok(Request::Room(asked)) = HubProtocol.decode(&names(Tongue::Hub), &said.to_string()) else {
            panic!("{said} is understood");
        };
        let Verb::Act { payload, .. } = asked.verb else { panic!("a message is an act") };
        let shown = Shown { kind: "new_message", payload, sender: None, class: Class::Record, lasting: true };
        let frame = hub_told(Item::Record { room: "12", shown: &shown, position, at });
        prop_assert_eq!(&frame["data"]["text"], &Value::from(text));
        prop_assert_eq!(frame["data"].get("url").cloned(), url.map(Value::from));
    }

    #[test]
    fn a_record_is_read_as_it_was_told(
        room in "[A-Za-z0-9_.:-]{1,128}",
        payload in value(),
        sender in proptest::option::of(person()),
        position in position(),
        at in wall(),
    ) {
        let bytes = Payload::from(payload.to_string());
        let shown =
            Shown { kind: "new_message", payload: bytes, sender: sender.clone(), class: Class::Record, lasting: true };
        let frame = told(Item::Record { room: &room, shown: &shown, position, at });
        prop_assert_eq!(&frame["payload"], &payload);
        prop_assert_eq!(&frame["room"], &Value::from(room.as_str()));
        prop_assert_eq!(&frame["position"], &wire(position));
        prop_assert_eq!(&frame["id"], &Value::from(position.to_string()));
        prop_assert_eq!(&frame["timestamp"], &Value::from(at.to_string()));
        let expected = sender.map_or(Value::Null, |sender| people(&[sender])[0].clone());
        prop_assert_eq!(frame.get("sender").unwrap_or(&Value::Null), &expected);

        let entry = PageEntry { position, at, shown: Some(shown) };
        let page = told(Item::History { room: &room, id: None, entries: &[entry], upto: position, next: None, at });
        prop_assert_eq!(&page["payload"]["messages"][0], &frame, "in a page it reads the same");
        prop_assert_eq!(&page["payload"]["upto"], &wire(position));
    }

    #[test]
    fn a_soft_value_is_read_as_it_was_told_with_its_room(
        payload in prop::collection::btree_map("[a-z]{1,4}", value(), 0..4),
        white in "[ ]{0,2}",
        at in wall(),
    ) {
        prop_assume!(!payload.contains_key("room_id"));
        let mut expected: Value = payload.into_iter().collect::<serde_json::Map<_, _>>().into();
        let bytes = Payload::from(expected.to_string().replacen('{', &format!("{{{white}"), 1));
        let shown = Shown { kind: "user_typing", payload: bytes, sender: None, class: Class::Signal, lasting: false };
        let frame = told(Item::Soft { room: "general", shown: &shown, at });
        expected["room_id"] = "general".into();
        prop_assert_eq!(&frame["payload"], &expected);
    }

    #[test]
    fn people_are_read_as_they_were_told(users in prop::collection::vec(person(), 0..4), at in wall()) {
        let count = users.len() as u32;
        for frame in [
            told(Item::Joined { room: "general", id: None, users: &users, count, about: None, present: None, position: None, at }),
            told(Item::Members { room: "general", id: None, asked: None, users: &users, count, present: None, at }),
        ] {
            prop_assert_eq!(&frame["payload"]["users"], &people(&users));
            prop_assert_eq!(&frame["payload"]["count"], &Value::from(count));
        }
        for person in &users {
            for frame in [
                told(Item::Came { room: "general", person, present: None, at }),
                told(Item::Went { room: "general", person, present: None, at }),
            ] {
                prop_assert_eq!(&frame["payload"], &people(&users[..])[users.iter().position(|p| p == person).unwrap_or(0)]);
                prop_assert_eq!(&frame["payload"], &frame["sender"]);
            }
        }
    }

    #[test]
    fn an_answer_carries_its_id_and_its_words(id in ".{1,40}", text in ".{1,80}", position in position(), at in wall()) {
        let refusal = Refusal::new(Code::InvalidPayload, text.clone());
        let frame = told(Item::Refused { room: None, id: Some(&id), refusal: &refusal, at });
        prop_assert_eq!(&frame["id"], &Value::from(id.as_str()));
        prop_assert_eq!(&frame["payload"]["message"], &Value::from(text));
        let frame = told(Item::Ack { room: "general", id: Some(&id), position, at, reply: None, shown: None });
        prop_assert_eq!(&frame["id"], &Value::from(id.as_str()));
        prop_assert_eq!(&frame["payload"]["message_id"], &Value::from(position.to_string()));
        let view = Payload::from_static(b"{\"messages\":[]}");
        for frame in [
            told(Item::Resumed { room: "general", upto: position, at }),
            told(Item::Gap { room: "general", view: &view, upto: position, at }),
            told(Item::Reset { room: "general", view: &view, upto: position, at }),
        ] {
            prop_assert_eq!(&frame["payload"]["upto"], &wire(position));
        }
    }
}
