//! The team's own back end is asked who may connect, join and publish: the real process, and a small HTTP server that
//! answers it.

#[path = "authorizer/back_end.rs"]
mod back_end;
#[path = "authorizer/example.rs"]
mod example;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::time::Instant;

use back_end::{BackEnd, SECRET, Says};
use serde_json::{Value, json};
use support::{Client, Heard, PATIENCE, Server};
use websocket::frame;
use websocket::handshake::Key;
use websocket::handshake::client::Ask;

const YES: Says = Says::Json(r#"{"allow":true}"#);

/// Many users without tokens.
const TRUSTED: &str = "[[mounts]]\npath = \"/ws/{user}\"\nauth = \"trust-path\"\n";

fn by_path(server: &Server, user: &str) -> Client {
    Client::open(server, &format!("/ws/{user}")).expect("let in")
}

/// The whole answer to an upgrade that is refused.
fn turned_away(server: &Server, target: &str) -> String {
    let key = Key::from_nonce([7; 16]);
    let ask = Ask { host: &server.address, target, key, protocols: &[], fields: &[] };
    let mut stream = TcpStream::connect(&server.address).expect("listening");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream.write_all(&ask.request()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer, and the end");
    answer
}

fn metric(server: &Server, name: &str) -> u64 {
    let operator = server.operator.as_deref().expect("there is one");
    let request = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (status, page) = server.http_at(operator, &request);
    assert_eq!(status, 200);
    let name = format!("kulkul_authorizer_{name} ");
    let line = page.lines().find_map(|line| line.strip_prefix(&name));
    line.unwrap_or_else(|| panic!("no {name}")).parse().expect("a number")
}

fn send(client: &mut Client, room: &str, id: usize) {
    client.say(&format!(
        r#"{{"type":"send_message","room":"{room}","id":"{id}","payload":{{"content":"{id}"}}}}"#
    ));
}

fn join(client: &mut Client, room: &str) -> Value {
    client.say(&format!(r#"{{"type":"join_room","payload":{{"room_id":"{room}"}}}}"#));
    client.next_of(&["room_info", "error"])
}

/// An old client of matches names its own once, and goes on before it has an answer.
#[test]
fn what_is_said_behind_a_join_that_is_asked_about_is_for_that_match() {
    let back = BackEnd::start(|question| match question["user"]["id"].as_str() {
        Some("vi") => Says::Json(r#"{"allow":false,"reason":"not your match"}"#),
        _ => YES,
    });
    let server = Server::configured(&format!("{}asks = [\"join\"]\n", back.config()));
    let said = [
        r#"{"type":"join","matchId":"m-1"}"#,
        r#"{"raidType":"empty","raiderId":"p1"}"#,
        r#"{"type":"join","matchId":"m-2"}"#,
    ];
    let frames: Vec<u8> = said
        .iter()
        .flat_map(|text| frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes()))
        .collect();
    for (user, told) in [("sam", ["requestInit", "Match not initialized"]), ("vi", ["not your match"; 2])] {
        let token = server.token_with(&["--user", user, "--role", "scorer"]);
        let mut client = Client::open(&server, &format!("/ws/scorer?token={token}")).expect("let in");
        client.send(&frames);
        let mut next = || match client.hear() {
            Heard::Text(text) => serde_json::from_str::<Value>(&text).expect("JSON"),
            other => panic!("{other:?}"),
        };
        assert_eq!(next()["code"], "TOO_MANY_ROOMS", "before anybody was asked");
        for told in told {
            let frame = next();
            assert!(frame["type"] == told || frame["error"] == told, "{frame} is not {told}");
        }
    }
}

#[test]
fn who_connects_is_asked_about_once_and_who_is_refused_learns_why() {
    let back = BackEnd::start(|question| match question["user"]["id"].as_str() {
        Some("8") => Says::Json(r#"{"allow":false,"reason":"no \"friend\" of ours"}"#),
        _ => YES,
    });
    let server = Server::configured(&format!("{}asks = [\"connect\"]\n", back.config()));
    for _ in 0..3 {
        let mut client = server.client("7");
        assert_eq!(join(&mut client, "general")["type"], "room_info");
    }
    let asked = back.asked();
    assert_eq!(asked.len(), 1, "the others were known: {asked:?}");
    let mut question = asked[0].clone();
    question.as_object_mut().expect("an object").remove("at").expect("checked already");
    let user = json!({"id": "7", "name": "7", "role": null});
    assert_eq!(question, json!({"ask": "connect", "user": user, "address": "127.0.0.1"}));
    let answer = turned_away(&server, &format!("/ws?token={}", server.token("8", "8")));
    assert!(answer.starts_with("HTTP/1.1 403 "), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a body");
    assert_eq!(serde_json::from_str::<Value>(body).expect("JSON"), json!({"error": "no \"friend\" of ours"}));
    assert_eq!(Client::open(&server, "/ws?token=x").err(), Some(401), "nobody is asked about who is nobody");
    assert_eq!(
        ["asked_total", "cached_total", "allowed_total", "refused_total"].map(|it| metric(&server, it)),
        [2, 2, 1, 1]
    );
    assert_eq!(back.asked().len(), 2);
}

#[test]
fn joins_and_sends_are_asked_about_and_a_send_of_each_kind_once() {
    let back = BackEnd::start(|question| match (question["ask"].as_str(), question["room"].as_str()) {
        (Some("join"), Some("chat:secret")) => Says::Json(r#"{"allow":false,"reason":"members only"}"#),
        (Some("publish"), Some("chat:quiet")) => Says::Json(r#"{"allow":false}"#),
        _ => YES,
    });
    let server = Server::configured(&format!("{}[limits]\nburst = 1000\n", back.config()));
    let mut ana = server.client("7");
    let refused = join(&mut ana, "secret");
    assert_eq!((&refused["payload"]["code"], &refused["room"]), (&"FORBIDDEN".into(), &"secret".into()));
    assert!(refused.to_string().contains("members only"), "{refused}");
    ana.say(r#"{"type":"get_history","payload":{"room_id":"secret"}}"#);
    let refused = ana.next_of(&["history", "error"]);
    assert!(refused.to_string().contains("members only"), "known, and without a question: {refused}");
    for room in ["general", "quiet"] {
        assert_eq!(join(&mut ana, room)["type"], "room_info");
    }
    for number in 0..20 {
        send(&mut ana, "general", number);
    }
    for number in 0..20 {
        assert_eq!(ana.next_of(&["ack", "error"])["id"], number.to_string(), "in their order");
    }
    send(&mut ana, "quiet", 20);
    let refused = ana.next_of(&["ack", "error"]);
    assert_eq!((&refused["id"], &refused["payload"]["code"]), (&"20".into(), &"FORBIDDEN".into()));
    let asked = back.asked();
    let asks: Vec<_> = asked.iter().map(|it| (it["ask"].as_str(), it["room"].as_str())).collect();
    assert_eq!(
        asks,
        [
            (Some("connect"), None),
            (Some("join"), Some("chat:secret")),
            (Some("join"), Some("chat:general")),
            (Some("join"), Some("chat:quiet")),
            (Some("publish"), Some("chat:general")),
            (Some("publish"), Some("chat:quiet")),
        ]
    );
    assert_eq!((&asked[4]["kind"], &asked[4]["id"]), (&"send_message".into(), &"0".into()));
}

#[test]
fn an_answer_says_itself_how_long_it_is_good() {
    let back = BackEnd::start(|_| Says::Json(r#"{"allow":true,"cache_seconds":0}"#));
    let server = Server::configured(&format!("{}asks = [\"join\"]\n", back.config()));
    let mut ana = server.client("7");
    for count in 1..4 {
        assert_eq!(join(&mut ana, "general")["type"], "room_info");
        assert_eq!(back.asked().len(), count);
    }
}

/// R13: what hangs holds up those who asked it, and nobody else.
#[test]
fn a_back_end_that_hangs_holds_up_nobody_else_and_then_counts_as_none() {
    let back = BackEnd::start(|question| match question["user"]["id"].as_str() {
        Some("slow") => Says::Nothing,
        _ => YES,
    });
    let config = format!("{}timeout = \"1s\"\n{TRUSTED}", back.config());
    let server = Server::configured(&config);
    let mut slow = std::thread::scope(|scope| {
        let waits = scope.spawn(|| turned_away(&server, "/ws/slow"));
        back.until_asked(1);
        // Both shards and the door go on meanwhile.
        for user in 0..10 {
            let mut client = by_path(&server, &user.to_string());
            assert_eq!(join(&mut client, "general")["type"], "room_info");
        }
        assert!(!waits.is_finished(), "it is still being asked about");
        waits.join().expect("no panic")
    });
    slow.make_ascii_lowercase();
    assert!(slow.starts_with("http/1.1 503 ") && slow.contains("retry-after: 1\r\n"), "{slow}");
    assert_eq!(metric(&server, "failed_total"), 1);
}

#[test]
fn a_join_without_an_answer_is_busy_and_says_when_to_come_again() {
    let back = BackEnd::start(|question| match question["ask"].as_str() {
        Some("join") => Says::Nothing,
        _ => YES,
    });
    let server = Server::configured(&format!("{}timeout = \"200ms\"\n", back.config()));
    let mut ana = server.client("7");
    let refused = join(&mut ana, "general");
    assert_eq!(
        (&refused["payload"]["code"], &refused["payload"]["retry_after_ms"]),
        (&"BUSY".into(), &1000.into())
    );
}

#[test]
fn whatever_is_no_answer_counts_as_none() {
    let back = BackEnd::start(|question| match question["room"].as_str() {
        Some("chat:a") => Says::Status(500, r#"{"allow":true}"#),
        Some("chat:b") => Says::Status(302, r#"{"allow":true}"#),
        Some("chat:c") => Says::Json("yes"),
        Some("chat:d") => Says::Json(r#"{"reason":"of course"}"#),
        _ => YES,
    });
    let server = Server::configured(&format!("{}asks = [\"join\"]\n", back.config()));
    let mut ana = server.client("7");
    for (room, code) in [("a", "BUSY"), ("b", "BUSY"), ("c", "BUSY"), ("d", "BUSY")] {
        assert_eq!(join(&mut ana, room)["payload"]["code"], code, "{room}");
    }
    assert_eq!(join(&mut ana, "e")["type"], "room_info", "four failures open no circuit");
    assert_eq!((metric(&server, "failed_total"), metric(&server, "circuit_open")), (4, 0));
}

#[test]
fn a_back_end_that_is_away_is_not_asked_and_found_again() {
    let place = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = place.local_addr().expect("bound");
    drop(place);
    let authorizer = format!("[authorizer]\nurl = \"http://{address}/may\"\nsecret = \"{SECRET}\"\n");
    let server = Server::configured(&format!("{authorizer}{TRUSTED}"));
    for user in 0..8 {
        let answer = turned_away(&server, &format!("/ws/{user}"));
        assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("Retry-After: "), "{answer}");
    }
    assert_eq!((metric(&server, "failed_total"), metric(&server, "circuit_open")), (5, 1));
    assert_eq!(metric(&server, "unasked_total"), 3, "five failures are enough");
    let operator = server.operator.clone().expect("there is one");
    let request = format!("GET /stats HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let stats: Value = serde_json::from_str(&server.http_at(&operator, &request).1).expect("JSON");
    assert_eq!(stats["authorizer"], "away");
    assert_eq!(server.get("/ready").0, 200, "who is in talks on");
    let back = BackEnd::at(TcpListener::bind(address).expect("free"), |_| YES);
    let from = Instant::now();
    while Client::open(&server, "/ws/9").is_err() {
        assert!(from.elapsed() < PATIENCE, "it is not found again");
        std::thread::yield_now();
    }
    assert_eq!(metric(&server, "circuit_open"), 0);
    assert_eq!(back.asked().len(), 1, "one found out");
}

#[test]
fn where_the_operator_says_so_everything_is_allowed_while_nobody_can_be_asked() {
    let place = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = place.local_addr().expect("bound");
    drop(place);
    let authorizer = format!("[authorizer]\nurl = \"http://{address}/may\"\nsecret = \"{SECRET}\"\n");
    let server = Server::configured(&format!("{authorizer}on_failure = \"allow\"\n"));
    let mut ana = server.client("7");
    for number in 0..10 {
        let room = format!("r{number}");
        assert_eq!(join(&mut ana, &room)["type"], "room_info");
        send(&mut ana, &room, number);
        assert_eq!(ana.next_of(&["ack", "error"])["type"], "ack");
    }
    assert_eq!((metric(&server, "failed_total"), metric(&server, "circuit_open")), (5, 1));
}

#[test]
fn a_hundred_rooms_of_one_client_are_asked_about_a_few_at_a_time() {
    let back = BackEnd::start(|_| YES);
    let config = format!(
        "{}asks = [\"join\"]\n[websocket]\nmax_message_size = 65536\n[limits]\nburst = 1000\nrooms_per_connection = 100\n",
        back.config()
    );
    let server = Server::configured(&config);
    let rooms: Vec<Value> = (0..100).map(|number| json!({"room_id": format!("r{number}")})).collect();
    let resume = json!({"type": "resume", "id": "r", "payload": {"rooms": rooms}}).to_string();
    for _ in 0..2 {
        let mut ana = server.client("7");
        ana.say(&resume);
        for _ in 0..100 {
            assert_eq!(ana.next_of(&["room_info", "error"])["type"], "room_info");
        }
    }
    assert_eq!(back.asked().len(), 100, "the second time all is known");
    assert!((1..=8).contains(&back.most()), "{} at once", back.most());
}

#[test]
fn a_hundred_users_at_once_wait_for_a_few_questions_at_a_time() {
    let back = BackEnd::start(|_| YES);
    let server = Server::configured(&format!("{}asks = [\"join\"]\nat_once = 4\n{TRUSTED}", back.config()));
    let mut users: Vec<Client> = (0..100).map(|user| by_path(&server, &user.to_string())).collect();
    for user in &mut users {
        user.say(r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    for user in &mut users {
        assert_eq!(user.next_of(&["room_info", "error"])["type"], "room_info");
    }
    assert_eq!(back.asked().len(), 100);
    assert!(back.most() <= 4, "{} at once", back.most());
    assert_eq!(metric(&server, "seconds_count"), 100);
}

#[test]
fn the_same_question_is_asked_once_however_many_wait_for_its_answer() {
    let (open, gate) = std::sync::mpsc::sync_channel::<()>(1);
    let gate = std::sync::Mutex::new(gate);
    let back = BackEnd::start(move |question| {
        if question["ask"] == "join" {
            gate.lock().expect("whole").recv().ok();
        }
        YES
    });
    let server = Server::configured(&format!("{}timeout = \"9s\"\n{TRUSTED}", back.config()));
    let mut devices: Vec<Client> = (0..10).map(|_| by_path(&server, "7")).collect();
    for device in &mut devices {
        device.say(r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    let from = Instant::now();
    while metric(&server, "waiting") < 10 {
        assert!(from.elapsed() < PATIENCE, "{} wait", metric(&server, "waiting"));
    }
    open.send(()).expect("somebody asks");
    for device in &mut devices {
        assert_eq!(device.next_of(&["room_info", "error"])["type"], "room_info");
    }
    assert_eq!(back.asked().len(), 2, "one connect, one join");
}

#[test]
fn a_stranger_is_asked_about_when_it_says_who_it_is() {
    let back = BackEnd::start(|question| match question["user"]["id"].as_str() {
        Some("8") => Says::Json(r#"{"allow":false,"reason":"not today"}"#),
        _ => YES,
    });
    let mount = "[[mounts]]\npath = \"/ws\"\n[[mounts]]\npath = \"/in\"\nauth = \"in-band\"\n";
    let server = Server::configured(&format!("{}asks = [\"connect\"]\n{mount}", back.config()));
    let come = |user: &str| {
        let mut client = Client::open(&server, "/in").expect("let in without a token");
        let token = server.token(user, user);
        client.say(&json!({"type": "authenticate", "id": "a", "payload": {"token": token}}).to_string());
        client
    };
    assert_eq!(back.asked().len(), 0);
    let mut ana = come("7");
    assert_eq!(ana.next("authenticated")["id"], "a");
    assert_eq!(join(&mut ana, "general")["type"], "room_info");
    let mut bo = come("8");
    let error = bo.next("error");
    assert!(error["payload"]["code"] == "FORBIDDEN" && error.to_string().contains("not today"), "{error}");
    assert_eq!(bo.closed().0, 4503);
    assert_eq!(back.asked().len(), 2);
}

#[test]
fn a_guest_is_the_one_that_was_asked_about() {
    let back = BackEnd::start(|_| YES);
    let mount = "[[mounts]]\npath = \"/open\"\nauth = \"public\"\n";
    let server = Server::configured(&format!("{}{mount}", back.config()));
    let mut guest = Client::open(&server, "/open").expect("let in");
    assert_eq!(join(&mut guest, "general")["type"], "room_info");
    let asked = back.asked();
    assert_eq!(asked.len(), 2);
    assert_eq!(asked[0]["user"], asked[1]["user"]);
    assert_eq!(asked[0]["user"]["role"], "guest");
}

#[test]
fn whose_tokens_are_revoked_is_asked_about_anew() {
    let back = BackEnd::start(|_| YES);
    let server = Server::configured(&format!("{}asks = [\"connect\"]\n{TRUSTED}", back.config()));
    for count in [1, 1] {
        by_path(&server, "7");
        assert_eq!(back.asked().len(), count);
    }
    let operator = server.operator.clone().expect("there is one");
    let body = r#"{"user":"7"}"#;
    let request = format!(
        "POST /revoke HTTP/1.1\r\nHost: {operator}\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    assert_eq!(server.http_at(&operator, &request).0 / 100, 2);
    by_path(&server, "7");
    assert_eq!(back.asked().len(), 2);
}
