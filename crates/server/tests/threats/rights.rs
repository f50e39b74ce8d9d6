//! What may be tried by somebody who was let in: other people's rooms, other times' positions, the same again.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicU32, Ordering};

use serde_json::{Value, json};

use crate::canary::{Canary, SECRET, UNHURRIED, holds_no_more_than, open};
use crate::support::{Client, Heard, Server};

/// Under an id that was never used: the same again would be the same message.
fn asks(client: &mut Client, kind: &str, room: &str, payload: &Value) -> Value {
    static LAST: AtomicU32 = AtomicU32::new(0);
    let id = LAST.fetch_add(1, Ordering::Relaxed).to_string();
    asks_as(client, &id, kind, room, payload)
}

fn asks_as(client: &mut Client, id: &str, kind: &str, room: &str, payload: &Value) -> Value {
    let room_id = matches!(kind, "join_room" | "get_history" | "leave_room").then_some(room);
    let mut payload = payload.clone();
    if let Some(room) = room_id {
        payload["room_id"] = room.into();
    }
    client.say(&json!({"type": kind, "id": id, "room": room, "payload": payload}).to_string());
    loop {
        let told = client.next_of(&["ack", "error", "room_info", "history", "resumed", "gap", "reset"]);
        if told["id"] == id {
            return told;
        }
    }
}

/// Everything that is told up to the answer to a question that is asked now.
fn until_answered(client: &mut Client) -> Vec<Value> {
    client.say(r#"{"type":"online_users","id":"end","room":"elsewhere"}"#);
    let mut told = Vec::new();
    loop {
        let Heard::Text(text) = client.hear() else { panic!("it ends without an answer, behind {told:?}") };
        let frame: Value = serde_json::from_str(&text).expect("JSON");
        if frame["id"] == "end" {
            return told;
        }
        told.push(frame);
    }
}

fn is_allowed(client: &mut Client, kind: &str, room: &str, payload: &Value) -> bool {
    let answer = asks(client, kind, room, payload);
    let code = answer["payload"]["code"].as_str().unwrap_or_default();
    // To read somebody's past one has to be let in; to speak, to be in. Nothing else may come of what is not allowed.
    assert!(
        answer["type"] != "error" || matches!(code, "FORBIDDEN" | "NOT_IN_ROOM" | "BANNED"),
        "{kind} in {room}: {answer}"
    );
    answer["type"] != "error"
}

/// T08: each action of each rank in each kind of room, as the rules of chat have it; what is in no cell is not allowed.
#[test]
fn every_action_asks_what_the_rules_say_and_all_else_is_denied() {
    let server = Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}"));
    let mut people: Vec<(&str, Client)> = ["owner", "moderator", "member", "banned", "stranger"]
        .into_iter()
        .map(|name| (name, open(&server, name)))
        .collect();
    let owner = &mut people[0].1;
    for (room, access) in [("open", "open"), ("private", "private")] {
        let members = json!([{"id": "moderator"}, {"id": "member"}, {"id": "banned"}]);
        let made = asks(owner, "create_room", room, &json!({"access": access, "members": members}));
        assert_eq!(made["type"], "ack", "{made}");
        for (kind, payload) in [
            ("set_role", json!({"user_id": "moderator", "role": "moderator"})),
            ("ban_member", json!({"user_id": "banned"})),
        ] {
            let done = asks(owner, kind, room, &payload);
            assert_eq!(done["type"], "ack", "{done}");
        }
    }
    let message = json!({"content": "x"});
    let none = json!({});
    // Who may, of those above; whoever joins stays for the actions that follow.
    let all = ["owner", "moderator", "member", "stranger"];
    let ours = &all[..3];
    let cells: [(&str, &str, &Value, &[&str]); 17] = [
        ("open", "join_room", &none, &all),
        ("open", "send_message", &message, &all),
        ("open", "get_history", &none, &all),
        ("open", "get_members", &none, &all),
        ("open", "change_room", &json!({"topic": "x"}), &ours[..2]),
        ("open", "ban_member", &json!({"user_id": "nobody"}), &ours[..2]),
        ("open", "set_role", &json!({"user_id": "member", "role": "member"}), &ours[..1]),
        ("private", "join_room", &none, ours),
        ("private", "send_message", &message, ours),
        ("private", "get_history", &none, ours),
        ("private", "get_members", &none, ours),
        ("private", "change_room", &json!({"topic": "x"}), &ours[..2]),
        ("private", "ban_member", &json!({"user_id": "nobody"}), &ours[..2]),
        ("private", "add_member", &json!({"user_id": "member"}), &ours[..1]),
        ("direct:member:owner", "join_room", &none, &["owner", "member"]),
        ("direct:member:owner", "send_message", &message, &["owner", "member"]),
        ("direct:member:owner", "get_history", &none, &["owner", "member"]),
    ];
    for (room, kind, payload, may) in cells {
        for (name, client) in &mut people {
            let allowed = is_allowed(client, kind, room, payload);
            assert_eq!(allowed, may.contains(name), "{name}: {kind} in {room}");
        }
    }
    // Rooms of others than chat's, by everybody: an inbox, a session, a ride, a square, the server's own.
    for room in [
        "user:somebody",
        "support:6f1c2c1e-7a68-4b0e-9d4f-0a8a63f7a001",
        "rides:ride:1",
        "rides:driver:9",
        "rides:area:1",
    ] {
        for (name, client) in &mut people {
            for kind in ["join_room", "get_history"] {
                let answer = asks(client, kind, room, &none);
                assert_eq!(answer["type"], "error", "{name}: {kind} in {room}: {answer}");
            }
        }
    }
    // Who is put out hears nothing more, and says nothing more.
    let (member, owner) = (2, 0);
    let removed = asks(&mut people[owner].1, "remove_member", "private", &json!({"user_id": "member"}));
    assert_eq!(removed["type"], "ack", "{removed}");
    let out = people[member].1.next("error");
    assert_eq!((&out["room"], &out["payload"]["code"]), (&json!("private"), &json!("FORBIDDEN")));
    for _ in 0..20 {
        asks(&mut people[owner].1, "send_message", "private", &json!({"content": "among us"}));
    }
    let answer = asks(&mut people[member].1, "send_message", "private", &message);
    assert_eq!(answer["payload"]["code"], "NOT_IN_ROOM");
    // It was answered behind all of these, and heard none of them.
    let told = until_answered(&mut people[member].1);
    assert!(told.iter().all(|it| it["room"] != "private"), "{told:?}");
}

/// T20: what is not there and what is not ours are answered alike, to the byte.
#[test]
fn who_asks_for_rooms_by_the_thousand_learns_of_none() {
    let server = Server::configured(&format!("{SECRET}[limits]\nrefusals_per_second = 100000\n{UNHURRIED}"));
    let mut there = open(&server, "somebody");
    there.join("user:somebody");
    asks(&mut there, "send_message", "direct:other:somebody", &json!({"content": "x"}));
    let mut eve = open(&server, "eve");
    let mut answers = BTreeSet::new();
    for number in 0..500 {
        for (room, is) in [("user:somebody".to_owned(), "user:N"), (format!("user:nobody{number}"), "user:N")]
        {
            let kind = if number % 2 == 0 { "join_room" } else { "get_history" };
            let mut answer = asks(&mut eve, kind, &room, &json!({}));
            (answer["timestamp"], answer["id"]) = (Value::Null, Value::Null);
            answers.insert(answer.to_string().replace(&room, is));
        }
        for room in ["direct:other:somebody".to_owned(), format!("direct:a{number}:b{number}")] {
            let mut answer = asks(&mut eve, "join_room", &room, &json!({}));
            (answer["timestamp"], answer["id"]) = (Value::Null, Value::Null);
            answers.insert(answer.to_string().replace(&room, "direct:N"));
        }
    }
    assert!(answers.len() <= 3, "one for each kind of room and question: {answers:?}");
    assert!(answers.iter().all(|it| it.contains("FORBIDDEN")), "{answers:?}");
}

/// T21: as many rooms as a connection may be in, and those that are empty are let go.
#[test]
fn rooms_are_bounded_for_each_and_empty_ones_cost_nothing() {
    let server = Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}"));
    let canary = Canary::sing(&server);
    let mut eve = open(&server, "eve");
    for number in 0..100 {
        eve.join(&format!("r{number}"));
    }
    let answer = asks(&mut eve, "join_room", "r100", &json!({}));
    assert_eq!(answer["payload"]["code"], "TOO_MANY_ROOMS");
    drop(eve);
    let mut round = 0;
    // Twice as many rooms as the first time would cost twice as much, were they kept.
    holds_no_more_than(&server, 24 << 10, || {
        let mut eve = open(&server, "eve");
        round += 1;
        for number in 0..3000 {
            let room = format!("fresh-{round}-{number}");
            eve.join(&room);
            eve.say(&json!({"type": "leave_room", "payload": {"room_id": room}}).to_string());
        }
        until_answered(&mut eve);
    });
    canary.lives();
}

/// T25: what was stored once is stored once, however often it is said, and one's ids are one's own.
#[test]
fn the_same_frame_ten_thousand_times_is_one_record() {
    let server = Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}"));
    let (mut ana, mut eve) = (open(&server, "ana"), open(&server, "eve"));
    ana.join("general");
    eve.join("general");
    let said = json!({"content": "once"});
    let first = asks_as(&mut ana, "same", "send_message", "general", &said)["position"].clone();
    for _ in 0..10_000 {
        let again = asks_as(&mut ana, "same", "send_message", "general", &said);
        assert_eq!((&again["type"], &again["position"]), (&json!("ack"), &first));
    }
    let page = asks(&mut ana, "get_history", "general", &json!({"limit": 100}));
    assert_eq!(page["payload"]["messages"].as_array().map(Vec::len), Some(1), "{page}");
    // The same id of another's is another message, and not an answer to what ana said.
    let theirs = asks_as(&mut eve, "same", "send_message", "general", &json!({"content": "eve's own"}));
    assert_ne!(theirs["position"], first);
    let page = asks(&mut ana, "get_history", "general", &json!({"limit": 100}));
    assert_eq!(page["payload"]["messages"].as_array().map(Vec::len), Some(2), "{page}");
}

/// T26: a position opens nothing; one that never was is a reset for who names it and for nobody else.
#[test]
fn a_position_is_no_key_and_a_false_one_resets_its_owner_alone() {
    let server = Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}"));
    let (mut ana, mut bo, mut eve) = (open(&server, "ana"), open(&server, "bo"), open(&server, "eve"));
    let made =
        asks(&mut ana, "create_room", "team", &json!({"access": "private", "members": [{"id": "bo"}]}));
    let position = made["position"].clone();
    ana.join("team");
    bo.join("team");
    asks(&mut ana, "send_message", "team", &json!({"content": "ours"}));
    bo.next("new_message");
    let beyond = json!({"epoch": position["epoch"], "offset": 1_000_000});
    let elsewhere = json!({"epoch": "ffffffff", "offset": 1});
    for since in [&position, &beyond, &elsewhere] {
        let answer = asks(&mut eve, "join_room", "team", &json!({"since": since}));
        assert_eq!(answer["payload"]["code"], "FORBIDDEN", "{answer}");
    }
    for since in [&beyond, &elsewhere] {
        let mut again = open(&server, "ana");
        again.say(&json!({"type": "join_room", "payload": {"room_id": "team", "since": since}}).to_string());
        again.next("reset");
    }
    // Bo has heard of nothing but what is said, and eve of nothing at all.
    asks(&mut ana, "send_message", "team", &json!({"content": "still ours"}));
    let told = bo.next_of(&["new_message", "reset", "gap"]);
    assert_eq!(told["payload"]["content"], "still ours", "{told}");
    let told = until_answered(&mut eve);
    assert!(told.is_empty(), "{told:?}");
}

/// T27: two doors and no third; at the clients' nothing of the operators', and at neither what helps to look inside.
#[test]
fn there_are_two_doors_and_no_debug_route_behind_either() {
    let server = Server::configured(&format!("{SECRET}[limits]\n{UNHURRIED}"));
    let operator = server.operator.clone().expect("it has one");
    let port = |address: &str| address.rsplit(':').next().and_then(|it| it.parse::<u16>().ok());
    let doors: BTreeSet<u16> = [&server.address, &operator].into_iter().filter_map(|it| port(it)).collect();
    assert_eq!(listening(&server), doors);
    for path in [
        "/debug",
        "/debug/pprof/",
        "/debug/pprof/heap",
        "/debug/vars",
        "/echo",
        "/env",
        "/actuator",
        "/heap",
        "/heapdump",
        "/threads",
        "/server-status",
        "/.env",
        "/.git/config",
        "/console.map",
        "/phpinfo.php",
        "/admin",
        "/api/admin",
        "/swagger",
        "/graphql",
        "/config.json",
        "/dump",
    ] {
        let ask = |address: &str| {
            let head = format!("GET {path} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
            server.http_at(address, &head).0
        };
        assert_eq!((ask(&server.address), ask(&operator)), (404, 404), "{path}");
    }
    for path in [
        "/metrics",
        "/trace",
        "/config",
        "/rooms",
        "/connections",
        "/publish",
        "/revoke",
        "/drain",
        "/openapi.json",
    ] {
        assert_eq!(server.get(path).0, 404, "{path} at the clients' door");
    }
    assert!(
        Client::open(&server, "/echo").is_err_and(|status| status == 404),
        "the mount of the conformance suite"
    );
}

/// Ports at which the process listens, by what the kernel says of its descriptors.
fn listening(server: &Server) -> BTreeSet<u16> {
    let folder = format!("/proc/{}", server.pid());
    let links = std::fs::read_dir(format!("{folder}/fd")).expect("it lives").flatten();
    let sockets: BTreeSet<String> = links
        .filter_map(|entry| std::fs::read_link(entry.path()).ok())
        .filter_map(|link| Some(link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect();
    let mut ports = BTreeSet::new();
    for table in ["tcp", "tcp6", "udp", "udp6"] {
        let text = std::fs::read_to_string(format!("{folder}/net/{table}")).unwrap_or_default();
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // A TCP socket that listens, or a UDP socket that is bound.
            let listens = if table.starts_with("tcp") { fields[3] == "0A" } else { true };
            if listens && sockets.contains(fields[9]) {
                let port = fields[1].rsplit(':').next().and_then(|it| u16::from_str_radix(it, 16).ok());
                ports.insert(port.expect("a port"));
            }
        }
    }
    ports
}

/// T19: a peer that is gone without a word is gone for everybody when the time of its pong is over.
#[test]
fn a_peer_that_answers_no_ping_is_gone_for_the_others_too() {
    let pings = "[websocket]\nping_period = \"300ms\"\nread_timeout = \"900ms\"\n";
    let server = Server::configured(&format!("{SECRET}{pings}[limits]\n{UNHURRIED}"));
    let mut bo = open(&server, "bo");
    bo.join("general");
    let mut gone = open(&server, "gone");
    gone.join("general");
    assert_eq!(bo.next("user_joined")["payload"]["id"], "gone");
    // It keeps its socket and says nothing; bo has to say something, because no client of these tests answers pings.
    let left = loop {
        let told = until_answered(&mut bo);
        if let Some(left) = told.into_iter().find(|it| it["type"] == "user_left") {
            break left;
        }
    };
    assert_eq!(left["payload"]["id"], "gone");
    drop(gone);
}
