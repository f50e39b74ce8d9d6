//! What hub clients say and hear.

use std::time::{Duration, Instant};

use serde_json::{Value, json};

use super::support::{Client, Heard, PATIENCE, Server};
use super::{hub, join, native, publish, say, send, server};

/// All that is heard up to a frame of this type with this id.
fn until(client: &mut Client, kind: &str, id: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let Heard::Text(text) = client.hear() else { panic!("open") };
        let frame: Value = serde_json::from_str(&text).expect("one JSON text a frame");
        let found = frame["type"] == kind && frame["id"] == id;
        heard.push(frame);
        if found {
            return heard;
        }
    }
}

fn of_type<'a>(heard: &'a [Value], kind: &str) -> Vec<&'a Value> {
    heard.iter().filter(|frame| frame["type"] == kind).collect()
}

#[test]
fn a_message_is_acknowledged_by_its_id_and_told_to_clients_of_both_protocols() {
    let server = server();
    let (mut ana, mut bo) = (hub(&server, "7", "Ana"), hub(&server, "8", "Bo"));
    let mut cy = native(&server, "9", "Cy");
    let joined = join(&mut ana, "12");
    assert!(joined["position"]["epoch"].is_string(), "{joined}");
    join(&mut bo, "12");
    cy.join("12");
    send(&mut ana, "12", "msg-456", "Hello");
    let ack = ana.next("channel.message");
    assert_eq!((&ack["id"], &ack["user_id"]), (&"msg-456".into(), &"7".into()), "{ack}");
    let heard = bo.next("channel.message");
    assert_eq!(heard["data"], ack["data"], "the same row");
    assert_eq!((&heard["id"], &heard["user_id"]), (&ack["data"]["id"], &"7".into()), "{heard}");
    let row = &heard["data"];
    assert_eq!(
        (&row["text"], &row["channel_id"], &row["sender_id"]),
        (&"Hello".into(), &"12".into(), &"7".into())
    );
    assert_eq!(row["sender"], json!({ "id": "7", "username": "Ana" }));
    assert_eq!(row["created_at"], heard["timestamp"]);
    let native = cy.next("new_message");
    assert_eq!(native["payload"], json!({ "content": "Hello" }));
    assert_eq!((&native["id"], &native["position"]), (&row["id"], &heard["position"]));
    // And the other way.
    cy.say(r#"{"type":"send_message","room":"12","id":"c-1","payload":{"content":"Hi","mood":"fine"}}"#);
    for client in [&mut ana, &mut bo] {
        let row = &client.next("channel.message")["data"];
        assert_eq!((&row["text"], &row["sender_id"]), (&"Hi".into(), &"9".into()));
    }
    // Sent again, it is not stored again.
    send(&mut ana, "12", "msg-456", "Hello");
    assert_eq!(ana.next("channel.message")["data"]["id"], ack["data"]["id"]);
    send(&mut ana, "12", "msg-457", "Bye");
    assert_eq!(bo.next("channel.message")["data"]["text"], "Bye", "nothing in between");
}

#[test]
fn typing_comings_and_goings_are_told_with_their_data_across_protocols() {
    let server = server();
    let (mut ana, mut bo) = (hub(&server, "7", "Ana"), native(&server, "8", "Bo"));
    join(&mut ana, "12");
    bo.join("12");
    let came = ana.next("channel.member.join");
    assert_eq!(came["data"], json!({ "channel_id": "12", "user_id": "8", "username": "Bo" }));
    let status = ana.next("user.status");
    assert_eq!((&status["data"]["status"], &status["user_id"]), (&"online".into(), &"8".into()), "{status}");
    assert!(status["data"]["last_seen"].as_u64() > Some(1_700_000_000), "Unix seconds: {status}");
    bo.say(r#"{"type":"typing","room":"12"}"#);
    let typing = ana.next("channel.typing");
    assert_eq!(
        typing["data"],
        json!({ "channel_id": "12", "is_typing": true, "user_id": "8", "username": "Bo" })
    );
    say(&mut ana, "channel.typing", "t-1", &json!({ "channel_id": "12", "is_typing": true }));
    let told = bo.next("user_typing");
    assert_eq!((&told["sender"]["id"], &told["payload"]["typing"]), (&"7".into(), &true.into()));
    say(&mut ana, "channel.stop_typing", "t-2", &json!({ "channel_id": "12", "is_typing": false }));
    assert_eq!(bo.next("user_typing")["payload"]["typing"], false);
    bo.say(r#"{"type":"leave_room","payload":{"room_id":"12"}}"#);
    assert_eq!(ana.next("channel.member.leave")["data"]["user_id"], "8");
    assert_eq!(ana.next("user.status")["data"]["status"], "offline");
    say(&mut ana, "channel.leave", "l-1", &json!({ "channel_id": "12" }));
    let left = ana.next("channel.leave");
    assert_eq!((&left["id"], &left["data"]["status"]), (&"l-1".into(), &"left".into()));
    send(&mut ana, "12", "m-1", "too late");
    let refused = ana.next("error");
    assert_eq!(refused["data"]["code"], "NOT_IN_CHANNEL");
    assert_eq!(refused["data"]["message"], "You are not in this channel");
}

#[test]
fn every_mistake_has_its_code_and_closes_nothing() {
    let server = server();
    let mut ana = hub(&server, "7", "Ana");
    join(&mut ana, "12");
    for (frame, id, code) in [
        ("hello".to_owned(), None, "INVALID_MESSAGE"),
        (json!({ "id": "a", "type": "channel.dance" }).to_string(), Some("a"), "UNKNOWN_MESSAGE_TYPE"),
        (
            json!({ "id": "b", "type": "channel.join", "data": {} }).to_string(),
            Some("b"),
            "INVALID_CHANNEL_ID",
        ),
        (
            json!({ "id": "c", "type": "channel.message", "data": { "channel_id": "12" } }).to_string(),
            Some("c"),
            "INVALID_DATA",
        ),
        (
            json!({ "id": "d", "type": "channel.typing", "data": { "channel_id": "13" } }).to_string(),
            Some("d"),
            "NOT_IN_CHANNEL",
        ),
        (
            json!({ "id": "e", "type": "channel.join", "data": { "channel_id": "user:8" } }).to_string(),
            Some("e"),
            "PERMISSION_DENIED",
        ),
    ] {
        ana.say(&frame);
        let refused = ana.next("error");
        assert_eq!(refused["data"]["code"], code, "{frame}");
        assert!(id.is_none_or(|id| refused["id"] == id), "{refused}");
    }
    say(&mut ana, "connection.ping", "ping-1", &json!({ "timestamp": 1 }));
    let pong = ana.next("connection.pong");
    assert_eq!((&pong["data"]["ping_id"], &pong["id"]), (&"ping-1".into(), &"ping-1".into()));
}

#[test]
fn a_message_of_more_than_512_bytes_is_an_ordinary_one() {
    let server = server();
    let mut ana = hub(&server, "7", "Ana");
    join(&mut ana, "12");
    let text = "long ".repeat(600);
    send(&mut ana, "12", "m-1", &text);
    assert_eq!(ana.next("channel.message")["data"]["text"], text);
    send(&mut ana, "12", "m-2", &"x".repeat(5000));
    assert_eq!(ana.closed().0, 1009, "4096 bytes are the most");
}

#[test]
fn who_sends_too_fast_in_a_channel_is_told_how_long_to_wait_and_may_speak_in_another() {
    let server = server();
    let mut ana = hub(&server, "7", "Ana");
    join(&mut ana, "12");
    join(&mut ana, "13");
    for number in 0..30 {
        send(&mut ana, "12", &format!("m-{number}"), "Hello");
    }
    let refused = ana.next("error");
    assert_eq!(refused["data"]["code"], "RATE_LIMITED", "{refused}");
    let wait = refused["data"]["details"]["retry_after_ms"].as_u64().expect("the wait is told");
    assert!((1..=100).contains(&wait), "one of ten a second: {wait}");
    send(&mut ana, "13", "other", "Hello");
    let heard = until(&mut ana, "channel.message", "other");
    let stored = of_type(&heard, "channel.message").len();
    assert!(stored < 31, "some were refused");
}

#[test]
fn connecting_joining_and_dropping_holds_up_nobody() {
    let server = server();
    let mut ana = hub(&server, "7", "Ana");
    join(&mut ana, "12");
    for round in 0..5 {
        let mut gone: Vec<Client> = (0..8).map(|_| hub(&server, "8", "Bo")).collect();
        for client in &mut gone {
            join(client, "12");
            send(client, "12", &format!("m-{round}"), "here");
        }
        drop(gone);
        // A hub that froze at the first end of a member's socket would answer nothing any more.
        say(&mut ana, "connection.ping", "p", &json!({}));
        assert_eq!(ana.next("connection.pong")["id"], "p");
        let mut bo = hub(&server, "8", "Bo");
        join(&mut bo, "12");
        send(&mut bo, "12", &format!("after-{round}"), "still here");
        until(&mut bo, "channel.message", &format!("after-{round}"));
    }
    send(&mut ana, "12", "end", "all well");
    until(&mut ana, "channel.message", "end");
}

/// Bo is there in two tabs.
fn two_tabs(server: &Server) -> (Client, Client, Client) {
    let mut ana = hub(server, "7", "Ana");
    join(&mut ana, "12");
    let (mut first, mut second) = (hub(server, "8", "Bo"), hub(server, "8", "Bo"));
    join(&mut first, "12");
    assert_eq!(ana.next("user.status")["data"]["status"], "online");
    join(&mut second, "12");
    (ana, first, second)
}

#[test]
fn a_reload_within_100_ms_neither_leaves_nor_comes() {
    let server = server();
    let (mut ana, first, second) = two_tabs(&server);
    drop((first, second));
    let reloaded = Instant::now();
    let mut bo = hub(&server, "8", "Bo");
    join(&mut bo, "12");
    send(&mut bo, "12", "back", "back again");
    let heard = until_text(&mut ana, "back again");
    assert!(reloaded.elapsed() < Duration::from_secs(3), "it was a reload, and no longer absence");
    for kind in ["user.status", "channel.member.join", "channel.member.leave"] {
        assert!(of_type(&heard, kind).is_empty(), "{heard:?}");
    }
}

/// All up to the message with this text.
fn until_text(client: &mut Client, text: &str) -> Vec<Value> {
    let mut heard = Vec::new();
    loop {
        let Heard::Text(frame) = client.hear() else { panic!("open") };
        let frame: Value = serde_json::from_str(&frame).expect("one JSON text a frame");
        if frame["data"]["text"] == text {
            return heard;
        }
        heard.push(frame);
    }
}

#[test]
fn a_user_goes_offline_once_and_only_with_the_last_tab() {
    let server = server();
    let (mut ana, first, mut second) = two_tabs(&server);
    drop(first);
    send(&mut second, "12", "m-1", "one tab less");
    let heard = until_text(&mut ana, "one tab less");
    assert!(of_type(&heard, "user.status").is_empty(), "{heard:?}");
    drop(second);
    let status = ana.next("user.status");
    assert_eq!((&status["data"]["status"], &status["user_id"]), (&"offline".into(), &"8".into()));
    send(&mut ana, "12", "m-2", "alone");
    let heard = until_text(&mut ana, "alone");
    assert!(of_type(&heard, "user.status").is_empty(), "once: {heard:?}");
}

#[test]
fn a_notification_of_a_back_end_reaches_every_tab_without_a_join() {
    let server = server();
    let (mut one, mut other) = (hub(&server, "7", "Ana"), hub(&server, "7", "Ana"));
    let mut bo = hub(&server, "8", "Bo");
    let told = json!({ "type": "mention", "title": "Bo", "message": "mentioned you", "url": "/channels/12" });
    // The inboxes are joined behind the greeting: an answer from there says that they are.
    for client in [&mut one, &mut other] {
        say(client, "channel.join", "inbox", &json!({ "channel_id": "user:7" }));
        until(client, "channel.join", "inbox");
    }
    publish(&server, &json!({ "user": "7", "payload": told }));
    for client in [&mut one, &mut other] {
        assert_eq!(client.next("user.notification")["data"], told);
    }
    publish(&server, &json!({ "user": "8", "payload": { "type": "end" } }));
    let from = Instant::now();
    let heard = loop {
        if let Some(Heard::Text(text)) = bo.hear_within(Duration::from_millis(50)) {
            break serde_json::from_str::<Value>(&text).expect("JSON");
        }
        assert!(from.elapsed() < PATIENCE);
        publish(&server, &json!({ "user": "8", "payload": { "type": "end" } }));
    };
    assert_eq!(
        (&heard["type"], &heard["data"]["type"]),
        (&"user.notification".into(), &"end".into()),
        "only its own"
    );
}

#[test]
fn who_returns_with_a_position_gets_what_was_missed_and_nothing_twice() {
    let server = server();
    let (mut ana, mut bo) = (hub(&server, "7", "Ana"), hub(&server, "8", "Bo"));
    join(&mut ana, "12");
    join(&mut bo, "12");
    send(&mut ana, "12", "m-1", "one");
    let seen = bo.next("channel.message")["position"].clone();
    drop(bo);
    for number in ["two", "three"] {
        send(&mut ana, "12", number, number);
        until(&mut ana, "channel.message", number);
    }
    let mut bo = hub(&server, "8", "Bo");
    say(&mut bo, "channel.join", "again", &json!({ "channel_id": "12", "since": seen }));
    let echo = bo.next("channel.join");
    assert_eq!((&echo["id"], &echo["data"]["status"]), (&"again".into(), &"joined".into()));
    assert!(bo.next("channel.resumed")["position"]["offset"].as_u64() > seen["offset"].as_u64());
    for text in ["two", "three"] {
        assert_eq!(bo.next("channel.message")["data"]["text"], text);
    }
    say(
        &mut bo,
        "channel.join",
        "lost",
        &json!({ "channel_id": "12", "since": { "epoch": "77", "offset": 3 } }),
    );
    let reset = bo.next("channel.reset");
    let texts: Vec<&Value> = reset["data"]["view"]["messages"]
        .as_array()
        .expect("the channel as it stands")
        .iter()
        .map(|message| &message["payload"]["content"])
        .collect();
    assert_eq!(texts, ["one", "two", "three"]);
}

#[test]
fn edits_deletions_and_reactions_of_others_are_told_in_types_of_their_own() {
    let server = server();
    let (mut ana, mut bo) = (hub(&server, "7", "Ana"), native(&server, "8", "Bo"));
    join(&mut ana, "12");
    bo.join("12");
    bo.say(r#"{"type":"send_message","room":"12","id":"c-1","payload":{"content":"Helo"}}"#);
    let id = ana.next("channel.message")["data"]["id"].clone();
    let mut change = |kind: &str, payload: Value| {
        bo.say(&json!({ "type": kind, "room": "12", "id": kind, "payload": payload }).to_string());
    };
    change("edit_message", json!({ "message_id": id, "content": "Hello" }));
    let edited = ana.next("channel.message.edited");
    assert_eq!((&edited["data"]["message_id"], &edited["data"]["text"]), (&id, &"Hello".into()), "{edited}");
    assert!(edited["data"]["changes"]["edited_at"].is_string(), "{edited}");
    change("add_reaction", json!({ "message_id": id, "reaction": "👍" }));
    let added = ana.next("channel.reaction.added");
    assert_eq!((&added["data"]["payload"]["reaction"], &added["user_id"]), (&"👍".into(), &"8".into()));
    change("delete_message", json!({ "message_id": id }));
    assert_eq!(ana.next("channel.message.deleted")["data"]["payload"]["message_id"], id);
}

#[test]
fn a_file_without_a_word_is_read_by_clients_of_both_protocols() {
    let server = server();
    let (mut ana, mut bo) = (hub(&server, "7", "Ana"), native(&server, "8", "Bo"));
    join(&mut ana, "12");
    bo.join("12");
    let file = json!({ "channel_id": 12, "url": "https://files.example/1", "fileName": "plan.pdf" });
    say(&mut ana, "channel.message", "f-1", &file);
    let row = ana.next("channel.message")["data"].clone();
    assert_eq!((&row["text"], &row["url"], &row["fileName"]), (&"".into(), &file["url"], &"plan.pdf".into()));
    assert_eq!(bo.next("new_message")["payload"]["content"], "plan.pdf");
    let answer = json!({ "channel_id": "12", "text": "Thanks", "reply_to_id": row["id"] });
    say(&mut ana, "channel.message", "f-2", &answer);
    assert_eq!(ana.next("channel.message")["data"]["reply_to_id"], row["id"]);
}

#[test]
fn a_newer_token_keeps_the_connection() {
    let server = server();
    let mut ana = hub(&server, "7", "Ana");
    let newer = super::token(&server, "7", "Ana Maria");
    say(&mut ana, "connection.refresh", "r-1", &json!({ "token": newer }));
    let refreshed = ana.next("connection.refreshed");
    assert_eq!(
        (&refreshed["id"], &refreshed["data"]["user"]["username"]),
        (&"r-1".into(), &"Ana Maria".into())
    );
}
