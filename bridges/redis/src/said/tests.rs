//! Messages of every channel, and what becomes of them.

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
    assert_eq!((author, payload, id), (ana(), json!({ "content": "Hello" }), Some("1:7/row 4".to_owned())));
}

#[test]
fn members_come_and_go_by_events_and_without_a_time_finer_than_a_second_none_is_like_another() {
    let event =
        |kind: &str, time: Value| json!({ "type": kind, "user_id": 7, "channel_id": 12, "timestamp": time });
    let join = shown(&said("channel:12:events", &event("channel.member.join", json!(1_700_000_000))));
    assert_eq!((join.1.as_str(), join.3, join.4), ("add_member", json!({ "user_id": "7" }), None));
    let leave = said("channel:12:events", &event("channel.member.leave", json!("2026-01-01T10:00:00.5Z")));
    assert_eq!(leave.kind, "remove_member");
    assert!(leave.id.is_some_and(|id| id.starts_with("sha256-")));
}

#[test]
fn a_notification_goes_on_as_it_was_written() {
    let message = br#"{"id":"n-1","type":"user.notification","data":{"b":1.50,"a":"x"}}"#;
    let Ok(Meant::Said(said)) = reading().meant("user:7:notifications", message) else { panic!("said") };
    assert_eq!((said.room.as_str(), said.kind), ("user:7", "notification"));
    assert_eq!((&said.payload[..], said.id.as_deref()), (&br#"{"b":1.50,"a":"x"}"#[..], Some("-/id n-1")));
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
fn a_sender_that_is_there_and_names_no_user_is_not_nobody() {
    let long = "x".repeat(129);
    let relayed =
        |sender: &Value| json!({ "type": "new_message", "room": "a", "payload": {}, "sender": sender });
    let framed = |user: &Value| json!({ "data": { "text": "x", "sender_id": "8" }, "user_id": user });
    let of_row = |user: &Value| json!({ "text": "x", "senderId": user, "sender": { "id": "8" } });
    let of_sender = |sender: &Value| json!({ "text": "x", "sender": sender });
    let refused = |channel: &str, message: &Value, field: &str| match reading()
        .meant(channel, message.to_string().as_bytes())
    {
        Err(Poison(words)) => assert!(words.contains(field), "{message}: {words}"),
        Ok(meant) => panic!("{message} means {meant:?}"),
    };
    for id in [json!(""), json!(1.5), json!([7]), json!(true), json!("a\nb"), json!(long)] {
        for sender in [&json!({ "id": id, "name": "Ana" }), &json!([id])] {
            refused("ws:broadcast", &relayed(sender), "`sender.id`");
            refused("chat:channel:12", &of_sender(sender), "`sender.id`");
        }
        refused("chat:channel:12", &framed(&id), "`user_id`");
        refused("chat:channel:12", &of_row(&id), "`senderId`");
    }
    for sender in [json!("7"), json!(7), json!({}), json!({ "id": null })] {
        refused("ws:broadcast", &relayed(&sender), "`sender.id`");
        refused("chat:channel:12", &of_sender(&sender), "`sender.id`");
    }
    assert_eq!(said("ws:broadcast", &relayed(&Value::Null)).author, None);
    assert_eq!(
        said("chat:channel:12", &json!({ "text": "x", "sender": null, "user_id": null })).author,
        None
    );
    for message in [framed(&Value::Null), of_row(&Value::Null)] {
        let author = said("chat:channel:12", &message).author.expect("the next that is there");
        assert_eq!(author.id.as_str(), "8");
    }
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
        ("ws:broadcast", r#"{"type":"new_message","room":"direct:7:8","payload":{}}"#, "rooms of two"),
        ("ws:broadcast", r#"{"type":"new_message","room":"chat:direct:7:8","payload":{}}"#, "rooms of two"),
        ("chat:channel:direct:7:8", r#"{"text":"x","user_id":"7"}"#, "rooms of two"),
        ("channel:direct:7:8:events", r#"{"type":"channel.member.join","user_id":9}"#, "rooms of two"),
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
