//! Clients and shards, from bytes to bytes.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::time::Duration;

use shard::{Limits, Pressure};
use support::{Client, Node};
use vocabulary::CloseReason;
use websocket::{Compression, Window, frame};

#[test]
fn a_message_reaches_the_other_member_and_its_author_gets_the_ack() {
    let mut node = Node::new(1);
    let (ana, bo) = (node.connect(0, 1), node.connect(0, 2));
    node.say(ana, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    node.say(bo, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    node.heard(ana);
    let info = node.heard(bo);
    assert_eq!(info[0]["type"], "room_info");
    assert_eq!(info[0]["payload"]["count"], 2);
    node.say(ana, r#"{"type":"send_message","room":"general","id":"c-17","payload":{"content":"Hello!"}}"#);
    let ack = node.heard(ana);
    assert_eq!((&ack[0]["type"], &ack[0]["id"]), (&"ack".into(), &"c-17".into()));
    let message = node.heard(bo);
    assert_eq!(message[0]["type"], "new_message");
    assert_eq!(message[0]["payload"]["content"], "Hello!");
    assert_eq!(message[0]["sender"]["id"], "0.1");
    assert_eq!(message[0]["id"], ack[0]["payload"]["message_id"]);
}

#[test]
fn a_client_that_returns_is_back_in_all_its_rooms_by_one_message() {
    let mut node = Node::new(3);
    let (ana, bo) = (node.connect(0, 1), node.connect(1, 2));
    for room in ["a", "b"] {
        for client in [ana, bo] {
            node.say(client, &format!(r#"{{"type":"join_room","payload":{{"room_id":"{room}"}}}}"#));
        }
        node.say(
            ana,
            &format!(
                r#"{{"type":"send_message","room":"{room}","id":"{room}-1","payload":{{"content":"1"}}}}"#
            ),
        );
    }
    let places: Vec<_> = node
        .heard(bo)
        .into_iter()
        .filter(|it| it["type"] == "new_message")
        .map(|it| it["position"].clone())
        .collect();
    for room in ["a", "b"] {
        node.say(
            ana,
            &format!(
                r#"{{"type":"send_message","room":"{room}","id":"{room}-2","payload":{{"content":"2"}}}}"#
            ),
        );
    }
    let again = node.connect(2, 2);
    let frame = serde_json::json!({"type": "resume", "id": "r-1", "payload": {"rooms": [
        {"room_id": "a", "since": places[0]}, {"room_id": "b", "since": places[1]}, {"room_id": "user:somebody"}
    ]}});
    node.say(again, &frame.to_string());
    let heard = node.heard(again);
    for room in ["a", "b"] {
        let of_room: Vec<_> = heard.iter().filter(|it| it["room"] == room).collect();
        let types: Vec<_> = of_room.iter().filter_map(|it| it["type"].as_str()).collect();
        assert_eq!(types, ["room_info", "resumed", "new_message"], "{room}");
        assert_eq!((&of_room[0]["id"], &of_room[2]["payload"]["content"]), (&"r-1".into(), &"2".into()));
    }
    let refused = heard.iter().find(|it| it["type"] == "error").expect("no app serves that one here");
    assert_eq!((&refused["id"], &refused["room"]), (&"r-1".into(), &"user:somebody".into()));
}

/// The user's two connections and the home of its name are on three shards, in every way that they can be.
#[test]
fn where_a_user_has_one_connection_the_newest_replaces_the_one_before_it() {
    for (older, newer) in (0..3).flat_map(|older| (0..3).map(move |newer| (older, newer))) {
        let mut node = Node::new(3);
        let other = node.connect_alone(older, 3, "bo");
        let before = node.connect_alone(older, 1, "ana");
        let after = node.connect_alone(newer, 2, "ana");
        assert_eq!(node.close_code(before), Some(4509), "{older} {newer}");
        // The end of the old one touches nothing of the new one.
        node.receive(before, frame::masked(frame::Opcode::Close, [1, 2, 3, 4], &4509_u16.to_be_bytes()));
        node.pass(Duration::from_secs(30));
        assert_eq!((node.close_code(after), node.close_code(other)), (None, None), "{older} {newer}");
        node.say(after, r#"{"type":"join_room","id":"j","payload":{"room_id":"general"}}"#);
        assert_eq!(node.heard(after)[0]["id"], "j");
    }
}

/// Three shards with a hundred members each: what a message costs is counted, not timed.
#[test]
fn a_message_crosses_to_each_shard_once_and_is_encoded_there_once() {
    let mut node = Node::new(3);
    let members: Vec<_> = (0..3).flat_map(|shard| (0..100).map(move |slot| (shard, slot))).collect();
    let members: Vec<_> = members.into_iter().map(|(shard, slot)| node.connect(shard, slot)).collect();
    for member in &members {
        node.say(*member, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    let (deliveries, commands, before) = (node.deliveries, node.commands, node.counts());
    node.say(members[0], r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"x"}}"#);
    let after = node.counts();
    assert_eq!(node.deliveries - deliveries, 2, "the home has two siblings");
    assert!(node.commands - commands <= 1, "the author's shard is the home, or asks it once");
    assert_eq!(after.frames_encoded - before.frames_encoded, 3 + 1, "once a shard, and the ack");
    assert_eq!(after.frames_sent - before.frames_sent, 300);
    assert_eq!(after.writes - before.writes, 300, "one write a member");
}

/// The longer of two messages is worth it; those who agreed on the same window get the very same bytes.
#[test]
fn a_message_is_compressed_once_for_each_window_and_from_a_length_on() {
    let mut node = Node::new(1);
    let small = Compression::Deflate(Window::from_bits(9).expect("a window"));
    let agreed = [Compression::Off, Compression::Deflate(Window::MAX), small];
    let members: Vec<Client> =
        (0..12).map(|slot| node.connect_with(0, slot, agreed[slot as usize % 3])).collect();
    for member in &members {
        node.say(*member, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    for (content, expected) in [("x".to_owned(), 0), ("lorem ipsum ".repeat(30), 2)] {
        members.iter().for_each(|member| drop(node.heard(*member)));
        let before = node.counts();
        let payload = format!(r#"{{"content":"{content}"}}"#);
        node.say(members[0], &format!(r#"{{"type":"send_message","room":"general","payload":{payload}}}"#));
        let after = node.counts();
        assert_eq!(after.frames_compressed - before.frames_compressed, expected, "{content}");
        for member in &members[1..] {
            assert_eq!(node.heard(*member)[0]["payload"]["content"], content);
        }
    }
}

#[test]
fn what_a_turn_brings_for_one_socket_leaves_in_one_write() {
    let mut node = Node::new(1);
    let (ana, bo) = (node.connect(0, 1), node.connect(0, 2));
    for client in [ana, bo] {
        node.say(client, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    let before = node.counts();
    let message = |id: u32| {
        let text =
            format!(r#"{{"type":"send_message","room":"general","id":"{id}","payload":{{"content":"x"}}}}"#);
        websocket::frame::masked(websocket::frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes())
    };
    node.receive(ana, (0..16).flat_map(message).collect());
    let after = node.counts();
    assert_eq!(after.frames_sent - before.frames_sent, 32);
    assert_eq!(after.writes - before.writes, 2, "sixteen acks in one, sixteen messages in the other");
    assert_eq!(node.heard(bo).iter().filter(|message| message["type"] == "new_message").count(), 16);
}

#[test]
fn a_second_drain_does_not_wait_for_the_first() {
    let mut node = Node::new(1);
    let clients: Vec<_> = (0..10).map(|slot| node.connect(0, slot)).collect();
    node.drain(std::time::Duration::from_secs(10));
    let gone = |node: &mut Node| clients.iter().filter(|client| node.closed(**client) == Some(4412)).count();
    assert_eq!(gone(&mut node), 1, "the first of ten slots in ten seconds");
    node.drain(std::time::Duration::ZERO);
    assert_eq!(gone(&mut node), 9);
}

/// Ana's socket takes nothing, and more is to be told her than can wait.
fn overfull() -> (Node, Client) {
    let limits = Limits { outbox_frames_max: 4, reserve_frames_max: 4, ..Limits::default() };
    let mut node = Node::with(1, limits);
    let ana = node.connect(0, 1);
    node.stall(ana);
    let question = |id: u32| {
        let text = format!(r#"{{"type":"online_users","room":"general","id":"{id}"}}"#);
        websocket::frame::masked(websocket::frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes())
    };
    // One write is tried, and then there is none until the socket says that it takes more.
    node.receive(ana, question(0));
    node.receive(ana, (1..16).flat_map(question).collect());
    (node, ana)
}

#[test]
fn a_socket_that_takes_bytes_again_in_time_is_told_that_it_was_too_slow() {
    let (mut node, ana) = overfull();
    node.pass(Duration::from_millis(9_900));
    assert_eq!(node.let_go(ana), None);
    node.wake(ana);
    assert_eq!(node.closed(ana), Some(4410));
    let close = websocket::frame::close_payload(4410, "");
    node.receive(ana, websocket::frame::masked(websocket::frame::Opcode::Close, [1, 2, 3, 4], &close));
    assert_eq!(node.let_go(ana), Some(CloseReason::TooSlow), "it answered: nothing is waited for");
}

#[test]
fn a_socket_that_takes_nothing_is_let_go_when_a_write_has_had_its_time() {
    let (mut node, ana) = overfull();
    node.pass(Duration::from_millis(9_900));
    assert_eq!(node.let_go(ana), None);
    node.pass(Duration::from_secs(1));
    assert_eq!(node.let_go(ana), Some(CloseReason::TooSlow));
    assert_eq!(node.closed(ana), None, "nothing could be said");
}

/// The pings of one read each get their pong; those of a flood get no more than their share.
#[test]
fn pings_are_answered_up_to_a_number() {
    let mut node = Node::with(1, Limits { control_frames_per_second: 1000, ..Limits::default() });
    let ana = node.connect(0, 1);
    let pings = |count: usize| -> Vec<u8> {
        let ping = |n: usize| frame::masked(frame::Opcode::Ping, [1, 2, 3, 4], n.to_string().as_bytes());
        (0..count).flat_map(ping).collect()
    };
    node.receive(ana, pings(10));
    assert_eq!(node.pongs(ana), (0..10).map(|n| n.to_string()).collect::<Vec<_>>());
    node.receive(ana, pings(200));
    let pongs = node.pongs(ana);
    assert_eq!(pongs.len(), 16);
    assert!(pongs.contains(&"199".to_owned()), "the newest ping is answered: {pongs:?}");
    assert_eq!(node.let_go(ana), None);
}

/// Many begin a message and nobody ends one: what all of them may hold is bounded, and those who say whole ones are not among them.
#[test]
fn messages_that_are_begun_and_not_ended_hold_so_much_together() {
    let mut node = Node::with(1, Limits { begun_bytes_max: 3000, ..Limits::default() });
    let whole = node.connect(0, 9);
    let begins = |bytes: usize| {
        let mut frame = websocket::frame::masked(websocket::frame::Opcode::Text, [1, 2, 3, 4], &[b'a'; 2000]);
        frame.truncate(frame.len() - 2000 + bytes);
        frame
    };
    let clients: Vec<Client> = (0..4).map(|slot| node.connect(0, slot)).collect();
    for client in &clients {
        node.receive(*client, begins(1000));
    }
    assert_eq!(clients.iter().map(|it| node.closed(*it)).collect::<Vec<_>>(), [None, None, None, Some(4410)]);
    node.say(whole, r#"{"type":"online_users","id":"1"}"#);
    assert_eq!(node.heard(whole).last().expect("an answer")["id"], "1");
    // What one gives back, another may have.
    node.receive(clients[0], vec![b'a' ^ 1; 1000]);
    assert_eq!(node.closed(clients[0]), None);
    node.vanish(clients[1]);
    for slot in 4..6 {
        let client = node.connect(0, slot);
        node.receive(client, begins(1000));
        assert_eq!(node.closed(client), None, "there are places again");
    }
}

/// What may be lost goes first, and what may not be lost never.
#[test]
fn when_memory_is_short_signals_go_first_then_states_and_never_messages_or_answers() {
    let steps = [
        (Pressure::None, &["user_typing", "user_left", "new_message"][..]),
        (Pressure::NoNewcomers, &["user_typing", "user_left", "new_message"]),
        (Pressure::NoSignals, &["user_left", "new_message"]),
        (Pressure::NoLatest, &["new_message"]),
        (Pressure::Tight, &["new_message"]),
    ];
    for (pressure, told) in steps {
        let mut node = Node::new(1);
        let (ana, bo, eve) = (node.connect(0, 1), node.connect(0, 2), node.connect(0, 3));
        for client in [ana, bo, eve] {
            node.say(client, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
        }
        node.pass(Duration::from_secs(2));
        node.heard(bo);
        node.press(pressure);
        node.say(ana, r#"{"type":"typing","room":"general"}"#);
        node.say(eve, r#"{"type":"leave_room","payload":{"room_id":"general"}}"#);
        node.say(ana, r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"x"}}"#);
        node.pass(Duration::from_secs(2));
        let heard: Vec<String> = node.heard(bo).iter().map(|it| it["type"].to_string()).collect();
        for kind in ["user_typing", "user_left", "new_message"] {
            let is_told = heard.iter().any(|heard| heard.trim_matches('"') == kind);
            assert_eq!(is_told, told.contains(&kind), "{kind} under {pressure:?}: {heard:?}");
        }
        assert_eq!(node.heard(ana).last().expect("an answer")["type"], "ack", "under {pressure:?}");
    }
}

#[test]
fn who_pings_more_often_than_anybody_needs_to_is_closed() {
    let mut node = Node::new(1);
    let ana = node.connect(0, 1);
    let ping = || frame::masked(frame::Opcode::Ping, [1, 2, 3, 4], b"");
    node.receive(ana, (0..20).flat_map(|_| ping()).collect());
    assert_eq!(node.closed(ana), None, "a second's worth");
    node.receive(ana, ping());
    assert_eq!(node.closed(ana), Some(1008));
}

/// Its close frame could not be read any more, so nobody waits for it; what it sends is still taken, or the reset that answers
/// unread bytes would destroy our own close frame on its way.
#[test]
fn who_breaks_the_protocol_sees_the_end_at_once() {
    let mut node = Node::new(1);
    let (ana, bo) = (node.connect(0, 1), node.connect(0, 2));
    node.receive(ana, vec![0x81, 0x01, b'x']);
    assert_eq!((node.closed(ana), node.has_finished(ana), node.let_go(ana)), (Some(1002), true, None));
    node.receive(ana, vec![0; 100]);
    node.pass(Duration::from_secs(60));
    assert_eq!(node.let_go(ana), Some(CloseReason::Protocol));
    assert!(!node.has_finished(bo));
}

/// More people come than an outbox has places for words about each: nobody is closed for what others do.
#[test]
fn a_slow_reader_of_a_busy_room_is_told_who_is_there_once_it_reads() {
    let mut node = Node::new(1);
    let ana = node.connect(0, 0);
    node.say(ana, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    node.heard(ana);
    node.stall(ana);
    for slot in 1..=150 {
        let guest = node.connect(0, slot);
        node.say(guest, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
        node.say(guest, r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"hello"}}"#);
    }
    node.pass(Duration::from_millis(300));
    for slot in 151..=198 {
        let guest = node.connect(0, slot);
        node.say(guest, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    node.pass(Duration::from_millis(300));
    assert_eq!(node.let_go(ana), None, "it is still there");
    node.wake(ana);
    node.pass(Duration::from_millis(300));
    let heard = node.heard(ana);
    let messages = heard.iter().filter(|it| it["type"] == "new_message").count();
    assert_eq!(messages, 150, "every message");
    let list = heard.iter().rfind(|it| it["type"] == "online_users").expect("the list instead of each word");
    assert_eq!(list["payload"]["count"], 199);
}
