//! What can be sent once one is let in.

use std::net::TcpStream;

use websocket::frame::{Opcode, masked, masked_compressed};
use websocket::{Deflater, Window};

use crate::canary::{Canary, SECRET, UNHURRIED, figure, holds_no_more_than, open, token};
use crate::support::{Client, Heard, Server};

const MASK: [u8; 4] = [1, 2, 3, 4];

fn server() -> Server {
    Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}connections_per_user = 100\n"))
}

fn deflating(server: &Server, user: &str) -> Client {
    let fields = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    Client::open_with(server, &format!("/ws?token={}", token(server, user)), &[], &fields).expect("let in")
}

/// Sends as much as is taken: the server may hang up in the midst of it.
fn pour(client: &mut Client, piece: &[u8], times: usize) {
    let pieces = piece.repeat(1000);
    for _ in 0..times / 1000 {
        if client.try_send(&pieces).is_err() {
            return;
        }
    }
}

fn closed(client: &mut Client) -> u16 {
    loop {
        match client.hear() {
            Heard::Close(code, _) => return code,
            Heard::End => return 0,
            Heard::Text(_) | Heard::Binary(_) => {}
        }
    }
}

/// A head that begins a fragment of a text, or goes on with one, and never ends it.
fn fragment(first: bool, payload: &[u8]) -> Vec<u8> {
    let mut frame = masked(Opcode::Text, MASK, payload);
    frame[0] = if first { 0x01 } else { 0x00 };
    frame
}

/// T12: nothing is held for what was only announced.
#[test]
fn message_bombs_end_at_the_limit_and_announced_lengths_cost_nothing() {
    let server = server();
    let canary = Canary::sing(&server);
    holds_no_more_than(&server, 1024, || {
        for length in [u64::MAX >> 1, u64::MAX, 1 << 40] {
            let mut client = open(&server, "attacker");
            let head = [&[0x81, 0xFF][..], &length.to_be_bytes(), &MASK].concat();
            client.send(&head);
            assert!(matches!(closed(&mut client), 1009 | 1002));
        }
    });
    let exactly = |bytes: usize| {
        let rest = r#"{"type":"online_users","id":"x","room":""}"#.len();
        format!(r#"{{"type":"online_users","id":"x","room":"{}"}}"#, "r".repeat(bytes - rest))
    };
    let mut client = open(&server, "attacker");
    client.say(&exactly(4096));
    assert_eq!(client.next("error")["payload"]["code"], "INVALID_PAYLOAD", "it was read");
    client.say(&exactly(4097));
    assert_eq!(closed(&mut client), 1009);
    canary.lives();
}

/// T13: what is inflated is counted while it is.
#[test]
fn deflate_bombs_are_put_out_while_they_inflate() {
    let server = server();
    let canary = Canary::sing(&server);
    let (mut small, mut large) = (Vec::new(), Vec::new());
    let mut deflater = Deflater::default();
    assert!(deflater.deflate(Window::MAX, &vec![b'0'; 4 << 20], &mut small));
    assert!(deflater.deflate(Window::MAX, &vec![0; 256 << 20], &mut large));
    let small = masked_compressed(Opcode::Text, MASK, &small[..4000.min(small.len())]);
    let large = masked_compressed(Opcode::Binary, MASK, &large);
    holds_no_more_than(&server, 1024, || {
        for bomb in [&small, &large] {
            let mut client = deflating(&server, "attacker");
            // Of the large one no more is read than is needed to know.
            client.try_send(bomb).ok();
            assert!(matches!(closed(&mut client), 1009 | 1007 | 0));
        }
    });
    canary.lives();
}

/// T15: a fragment costs work even if it carries nothing.
#[test]
fn fragment_floods_end_at_the_limit_of_fragments() {
    let server = server();
    let canary = Canary::sing(&server);
    holds_no_more_than(&server, 1024, || {
        for payload in [&b"x"[..], b""] {
            let mut client = open(&server, "attacker");
            client.send(&fragment(true, b"x"));
            pour(&mut client, &fragment(false, payload), 300_000);
            assert!(matches!(closed(&mut client), 1009 | 0));
        }
    });
    canary.lives();
}

/// T15: whoever begins a message ends it.
#[test]
fn a_message_that_never_ends_ends_its_connection() {
    let server = Server::configured(&format!("{SECRET}[limits]\nmessage_seconds = 1\n"));
    let mut client = open(&server, "attacker");
    client.send(&fragment(true, b"x"));
    assert_eq!(closed(&mut client), 1008);
}

/// T16: pongs are not piled up for who does not read them.
#[test]
fn ping_and_pong_floods_end_their_connection_and_pile_up_nothing() {
    let server = server();
    let canary = Canary::sing(&server);
    holds_no_more_than(&server, 1024, || {
        for opcode in [Opcode::Ping, Opcode::Pong] {
            let mut client = open(&server, "attacker");
            pour(&mut client, &masked(opcode, MASK, b"are you there"), 300_000);
            assert!(matches!(closed(&mut client), 1008 | 0));
        }
    });
    canary.lives();
}

/// T16: behind a close nothing is heard.
#[test]
fn what_stands_behind_a_close_is_not_heard() {
    let server = server();
    let (mut client, mut other) = (open(&server, "attacker"), open(&server, "other"));
    client.join("general");
    other.join("general");
    let close = masked(Opcode::Close, MASK, &1000u16.to_be_bytes());
    let late = masked(
        Opcode::Text,
        MASK,
        br#"{"type":"send_message","room":"general","payload":{"content":"late"}}"#,
    );
    client.send(&[close, late].concat());
    assert_eq!(client.closed().0, 1000);
    assert_eq!(client.hear(), Heard::End);
    other.say(r#"{"type":"get_history","id":"h","payload":{"room_id":"general"}}"#);
    assert_eq!(other.next("history")["payload"]["messages"], serde_json::json!([]));
}

/// T17: the bucket admits what it holds, and whoever does not listen goes.
#[test]
fn message_floods_are_admitted_by_the_bucket_and_then_closed() {
    let server = Server::configured(&format!("{SECRET}[limits]\nmessages_per_second = 1\nburst = 40\n"));
    let mut client = open(&server, "attacker");
    client.join("general");
    let ask = masked(Opcode::Text, MASK, br#"{"type":"typing","id":"t","room":"general"}"#);
    client.send(&ask.repeat(60));
    let mut done = 0;
    for _ in 0..60 {
        match client.hear() {
            Heard::Text(text) if text.contains(r#""type":"ack""#) => done += 1,
            Heard::Text(text) => {
                assert!(text.contains("RATE_LIMIT") && text.contains("retry_after_ms"), "{text}")
            }
            other => panic!("{other:?}"),
        }
    }
    // The join took one of the burst; a slow machine may have earned a few more meanwhile.
    assert!((39..60).contains(&done), "{done} were done");
    client.try_send(&ask.repeat(10_000)).ok();
    let (code, words) = client.closed();
    assert!(code == 4429 && words.contains("retry after"), "{code} {words}");
}

/// T18: readers that never read cost their outbox and no more.
#[test]
fn readers_that_never_read_are_bounded_and_sent_away() {
    let server = Server::configured(&format!(
        "{SECRET}[websocket]\nwrite_timeout = \"2s\"\n[limits]\n{UNHURRIED}outbox_bytes = 65536\nconnections_per_user = 100\n"
    ));
    let canary = Canary::sing(&server);
    let stalled: Vec<TcpStream> = (0..30)
        .map(|number| {
            Client::say_all_with(
                &server,
                &token(&server, &format!("stalled-{number}")),
                &[r#"{"type":"join_room","payload":{"room_id":"flood"}}"#],
            )
        })
        .collect();
    let mut author = open(&server, "author");
    author.join("flood");
    let content = "x".repeat(3000);
    for id in 0..1500 {
        author.say(&format!(
            r#"{{"type":"send_message","room":"flood","id":"{id}","payload":{{"content":"{content}"}}}}"#
        ));
        assert_eq!(author.next("ack")["id"], id.to_string());
    }
    server.until("/ws/online", r#"{"online":3}"#);
    // Frames are shared, so memory tells nothing of outboxes: their own count does.
    assert!(figure(&server, "fell_behind_total") >= 30, "each outbox was full");
    assert_eq!(figure(&server, "stale_removed_total"), 30, "and each reader was sent away for it");
    drop(stalled);
    canary.lives();
}

/// T22, T23: what cannot be meant is refused by name, and the connection goes on.
#[test]
fn hostile_names_and_hostile_json_are_refused_and_the_connection_lives() {
    let server = server();
    let mut client = open(&server, "attacker");
    for name in ["a*", "a>", "a#", "a b", "a\\r\\nb", "a\\u0000", "\\u202eabc", "é", &"r".repeat(129)] {
        client.say(&format!(r#"{{"type":"join_room","id":"j","payload":{{"room_id":"{name}"}}}}"#));
        assert_eq!(client.next("error")["payload"]["code"], "INVALID_PAYLOAD", "{name}");
    }
    let deep = format!(r#"{{"type":"join_room","payload":{}{}}}"#, "[".repeat(1500), "]".repeat(1500));
    for text in [
        deep.as_str(),
        r#"{"type":"join_room","type":"leave_room","payload":{"room_id":"r"}}"#,
        r#"{"type":"send_message","room":"r","payload":{"content":1e999}}"#,
        r#"{"type":"join_room","payload":{"room_id":"r"}} {}"#,
        r#"{"type":"send_message","room":"r","payload":{"content":"\ud800"}}"#,
        "[]",
        "null",
        "",
    ] {
        client.say(text);
        assert_eq!(client.next("error")["payload"]["code"], "INVALID_FORMAT", "{text}");
    }
    client.join("general");
    client.send(&masked(Opcode::Text, MASK, b"\xFF\xFE"));
    assert_eq!(closed(&mut client), 1007);
}

/// T09: who says it is in the token, and when it was the server knows.
#[test]
fn identity_in_the_body_is_ignored() {
    let server = server();
    let (mut client, mut other) = (open(&server, "7"), open(&server, "8"));
    client.join("general");
    other.join("general");
    client.say(
        r#"{"type":"send_message","room":"general","sender":{"id":"8","name":"Bo"},"user_id":"8","role":"admin","timestamp":"1999-01-01T00:00:00.000Z","position":{"epoch":"1","offset":9},"payload":{"content":"x"}}"#,
    );
    let heard = other.next("new_message");
    assert_eq!(heard["sender"]["id"], "7");
    assert_eq!(heard["position"]["offset"], 1);
    assert!(heard["timestamp"].as_str().is_some_and(|at| !at.starts_with("1999")));
}
