//! Streams of events beside WebSockets: one room, one log, other frames.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::sync::Arc;
use std::time::Duration;

use serde_json::Value;
use session::Authenticated;
use shard::Limits;
use support::{Client, Node};
use vocabulary::{CloseReason, Person, User, UserId, Wall};

/// An answer's head, and what of a stream came behind it.
fn answered(text: &str) -> (&str, &str) {
    text.split_once("\r\n\r\n").expect("a whole head")
}

/// The events of a stream: what they name as their place, and what they say.
fn events(stream: &str) -> Vec<(Option<String>, Value)> {
    let field = |block: &str, name: &str| {
        block.lines().find_map(|line| line.strip_prefix(name)).map(|value| value.trim_start().to_owned())
    };
    let blocks = stream.split_terminator("\n\n");
    let said =
        |block| Some((field(block, "id:"), serde_json::from_str(&field(block, "data:")?).expect("JSON")));
    blocks.filter_map(said).collect()
}

fn says(node: &mut Node, client: Client, room: &str, content: &str) {
    let payload = serde_json::json!({ "content": content });
    let frame = serde_json::json!({"type": "send_message", "room": room, "id": content, "payload": payload});
    node.say(client, &frame.to_string());
}

/// Somebody who is in the room and has said something, so that it exists.
fn author(node: &mut Node, room: &str) -> Client {
    let ana = node.connect(0, 1);
    node.say(ana, &format!(r#"{{"type":"join_room","payload":{{"room_id":"{room}"}}}}"#));
    says(node, ana, room, "first");
    node.heard(ana);
    ana
}

fn contents(events: &[(Option<String>, Value)]) -> Vec<&str> {
    events.iter().filter_map(|(_, event)| event["payload"]["content"].as_str()).collect()
}

#[test]
fn a_stream_begins_with_its_room_and_goes_on_with_what_members_hear() {
    let mut node = Node::new(2);
    let ana = author(&mut node, "general");
    let viewer = node.listen(1, 2, "general", None);
    let text = node.written(viewer);
    let (head, stream) = answered(&text);
    let lines: Vec<&str> = head.split("\r\n").collect();
    assert_eq!(
        lines,
        [
            "HTTP/1.1 200 OK",
            "Content-Type: text/event-stream",
            "Cache-Control: no-store",
            "X-Accel-Buffering: no",
            "Connection: close",
            "Access-Control-Allow-Origin: https://overlay.test",
            "Vary: Origin",
        ]
    );
    let (retry, rest) = stream.split_once("\n\n").expect("when to come back");
    let wait: u32 = retry.strip_prefix("retry: ").expect("a wait").parse().expect("a number");
    assert!((1000..2000).contains(&wait), "{wait}");
    let first = events(rest);
    assert_eq!(first[0].1["type"], "room_info");
    assert!(first[0].0.is_some(), "whoever breaks off now comes back to here");
    says(&mut node, ana, "general", "Hello!");
    let heard = node.heard(ana);
    let ack = heard.iter().find(|it| it["type"] == "ack").expect("it was stored");
    let told = node.written(viewer);
    let told = events(&told);
    assert_eq!(contents(&told), ["Hello!"]);
    assert_eq!(told[0].0.as_deref(), ack["payload"]["message_id"].as_str(), "its place is its id");
}

#[test]
fn a_message_is_encoded_once_for_all_streams_and_once_for_all_sockets() {
    let mut node = Node::new(1);
    let ana = author(&mut node, "general");
    let viewers: Vec<Client> = (10..20).map(|slot| node.listen(0, slot, "general", None)).collect();
    for slot in 20..30 {
        let bo = node.connect(0, slot);
        node.say(bo, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    viewers.iter().for_each(|viewer| drop(node.written(*viewer)));
    let before = node.counts().frames_encoded;
    says(&mut node, ana, "general", "Hello!");
    assert_eq!(node.counts().frames_encoded - before, 3, "for the streams, for the sockets, and the ack");
    let told: Vec<String> = viewers.iter().map(|viewer| node.written(*viewer)).collect();
    assert!(told.iter().all(|it| *it == told[0] && it.contains("Hello!")));
}

#[test]
fn who_comes_back_with_the_last_id_misses_nothing_and_hears_nothing_twice() {
    let mut node = Node::new(2);
    let ana = author(&mut node, "general");
    let viewer = node.listen(1, 2, "general", None);
    says(&mut node, ana, "general", "seen");
    let text = node.written(viewer);
    let last = events(answered(&text).1).last().and_then(|(id, _)| id.clone()).expect("a place");
    node.vanish(viewer);
    for content in ["missed", "missed too"] {
        says(&mut node, ana, "general", content);
    }
    let again = node.listen(0, 3, "general", Some(&last));
    says(&mut node, ana, "general", "live");
    let text = node.written(again);
    let told = events(answered(&text).1);
    let kinds: Vec<&str> = told.iter().filter_map(|(_, event)| event["type"].as_str()).collect();
    assert_eq!(kinds, ["room_info", "resumed", "new_message", "new_message", "new_message"]);
    assert_eq!(contents(&told), ["missed", "missed too", "live"]);
    let places: Vec<bool> = told.iter().map(|(id, _)| id.is_some()).collect();
    assert_eq!(places, [false, false, true, true, true], "what is still to come is not passed over");
    // A place that never was: all of it anew, and a place to come back to.
    let stranger = node.listen(0, 4, "general", Some("0-0"));
    let text = node.written(stranger);
    let told = events(answered(&text).1);
    assert_eq!(told[1].1["type"], "reset");
    assert!(told[1].0.is_some());
}

#[test]
fn a_slow_reader_falls_behind_alone_and_gets_it_all_from_the_log() {
    let limits = Limits { outbox_frames_max: 4, ..Limits::default() };
    let mut node = Node::with(1, limits);
    let ana = author(&mut node, "general");
    let (slow, quick) = (node.listen(0, 2, "general", None), node.listen(0, 3, "general", None));
    drop((node.written(slow), node.written(quick)));
    node.stall(slow);
    let all: Vec<String> = (0..30).map(|number| format!("m{number}")).collect();
    for content in &all {
        says(&mut node, ana, "general", content);
    }
    let told = node.written(quick);
    assert_eq!(contents(&events(&told)), all);
    node.wake(slow);
    // A page at a time, the next one when the socket has taken the one before.
    let mut told = String::new();
    for _ in &all {
        node.pass(Duration::from_millis(1));
        told.push_str(&node.written(slow));
    }
    assert_eq!(contents(&events(&told)), all, "in order, once");
}

#[test]
fn a_reader_that_takes_nothing_is_cut_off() {
    let mut node = Node::new(1);
    let ana = author(&mut node, "general");
    let viewer = node.listen(0, 2, "general", None);
    node.stall(viewer);
    says(&mut node, ana, "general", "Hello!");
    node.pass(Limits::default().write + Duration::from_secs(2));
    assert_eq!(node.let_go(viewer), Some(CloseReason::TooSlow));
}

#[test]
fn a_quiet_stream_says_now_and_then_that_it_lives_and_expects_no_answer() {
    let mut node = Node::new(1);
    author(&mut node, "general");
    let viewer = node.listen(0, 2, "general", None);
    node.written(viewer);
    node.pass(Duration::from_secs(600));
    let told = node.written(viewer);
    let signs = told.split_terminator("\n\n").filter(|block| *block == ":").count();
    assert!((10..=11).contains(&signs), "one in 54 seconds: {told:?}");
    assert_eq!(node.let_go(viewer), None);
}

#[test]
fn what_a_stream_says_behind_its_head_is_not_read_and_much_of_it_ends_it() {
    let mut node = Node::new(1);
    author(&mut node, "general");
    let viewer = node.listen(0, 2, "general", None);
    node.receive(viewer, b"GET / HTTP/1.1\r\n\r\n".to_vec());
    node.written(viewer);
    assert_eq!(node.let_go(viewer), None);
    node.receive(viewer, vec![b'x'; 2000]);
    let told = node.written(viewer);
    assert_eq!(events(&told)[0].1["payload"]["message"], "policy violation", "{told}");
    assert_eq!(node.let_go(viewer), Some(CloseReason::Policy));
}

fn who(rooms: Option<Vec<Arc<str>>>, expires: Wall) -> Authenticated {
    let person = Person { id: UserId::new("vera"), name: "Vera".into() };
    let user = Arc::new(User { person, role: None, rooms, groups: None });
    Authenticated { user, expires, issued: Wall(0), token: None }
}

#[test]
fn whoever_may_not_be_there_gets_an_ordinary_answer_and_no_stream() {
    let mut node = Node::new(1);
    author(&mut node, "general");
    let viewer = node.listen_as(who(Some(vec!["elsewhere".into()]), Wall(i64::MAX)), 2, "general");
    let text = node.written(viewer);
    let (head, body) = answered(&text);
    assert!(head.starts_with("HTTP/1.1 403 Forbidden\r\nConnection: close\r\n"), "{head}");
    let body: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(body["payload"]["message"], "your token does not allow this room", "in the protocol's words");
    assert!(node.let_go(viewer).is_some());
}

#[test]
fn a_token_that_ends_is_told_to_a_stream_and_ends_it() {
    let mut node = Node::new(1);
    author(&mut node, "general");
    let viewer = node.listen_as(who(None, Wall(i64::MAX)), 2, "general");
    node.written(viewer);
    node.revoke("vera");
    let told = node.written(viewer);
    let told = events(&told);
    assert_eq!(
        (&told[0].1["type"], &told[0].1["payload"]["code"]),
        (&"error".into(), &"UNAUTHORIZED".into())
    );
    assert_eq!(told[0].1["payload"]["message"], "token expired");
    assert_eq!(node.let_go(viewer), Some(CloseReason::TokenExpired));
}

#[test]
fn a_drain_tells_streams_when_to_come_back_and_ends_them() {
    let mut node = Node::new(1);
    author(&mut node, "general");
    let viewers: Vec<Client> = (2..12).map(|slot| node.listen(0, slot, "general", None)).collect();
    viewers.iter().for_each(|viewer| drop(node.written(*viewer)));
    node.drain(Duration::ZERO);
    let mut waits: Vec<String> = viewers.iter().map(|viewer| node.written(*viewer)).collect();
    let wait = |told: &String| told.strip_prefix("retry: ")?.strip_suffix("\n\n")?.parse::<u32>().ok();
    assert!(
        waits.iter().all(|told| wait(told).is_some_and(|wait| (1000..2000).contains(&wait))),
        "{waits:?}"
    );
    waits.sort();
    waits.dedup();
    assert_eq!(waits.len(), viewers.len(), "they do not all come back at once");
    assert!(viewers.iter().all(|viewer| matches!(node.let_go(*viewer), Some(CloseReason::Draining(_)))));
}
