//! Back ends: what they publish reaches clients, by keys that open what they say and nothing else; and what was stored is
//! there after a kill.

#[path = "backend/commands.rs"]
mod commands;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Client, Folder, PATIENCE, Server, kulkul};

const CONFIG: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
[[api.keys]]
name = "reader"
secret = "reader-reader-reader-reader-reader"
scopes = ["history"]
rooms = ["chat:team-*"]
[[api.keys]]
name = "caller"
secret = "caller-caller-caller-caller-caller"
scopes = ["everybody"]
"#;

fn ask(server: &Server, key: &str, request: &str, body: Option<&Value>) -> (u16, Value) {
    let (status, answer) = ask_in_text(server, key, request, &body.map(Value::to_string).unwrap_or_default());
    (status, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
}

fn ask_in_text(server: &Server, key: &str, request: &str, body: &str) -> (u16, String) {
    let operator = server.operator.clone().expect("it has one");
    server.http_at(
        &operator,
        &format!(
            "{request} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\nAuthorization: Bearer {key}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    )
}

fn publish(server: &Server, body: &Value) -> (u16, Value) {
    ask(server, "orders-orders-orders-orders-orders", "POST /api/publish", Some(body))
}

fn open(server: &Server, user: &str) -> Client {
    let told = kulkul(&["token", "--config", server.config_path(), "--user", user]);
    let token = String::from_utf8(told.stdout).expect("UTF-8");
    Client::open(server, &format!("/ws?token={}", token.trim())).expect("let in")
}

#[test]
fn what_a_back_end_publishes_reaches_the_room_and_the_same_id_is_stored_once() {
    let server = Server::configured(CONFIG);
    let mut ana = open(&server, "1");
    ana.join("general");
    let hello = json!({ "room": "chat:general", "id": "o-1", "payload": { "content": "Hello" } });
    let (status, stored) = publish(&server, &hello);
    assert_eq!(status, 200, "{stored}");
    let heard = ana.next("new_message");
    assert_eq!((&heard["payload"]["content"], &heard["id"]), (&"Hello".into(), &stored["message_id"]));
    assert!(heard["sender"].is_null(), "nobody is its author: {heard}");
    assert_eq!(publish(&server, &hello), (200, stored.clone()), "the same id");
    let (_, history) =
        ask(&server, "orders-orders-orders-orders-orders", "GET /api/history?room=chat:general", None);
    assert_eq!(history["messages"].as_array().map(Vec::len), Some(1), "{history}");
    assert_eq!(history["messages"][0]["payload"], json!({ "content": "Hello" }));
    let here =
        ask(&server, "orders-orders-orders-orders-orders", "GET /api/presence?room=chat:general", None);
    assert_eq!(here.1["users"], json!([{ "id": "1", "name": "1" }]));
}

#[test]
fn an_inbox_is_read_by_its_user_alone_and_written_by_back_ends_alone() {
    let server = Server::configured(CONFIG);
    let (mut ana, mut bo) = (open(&server, "1"), open(&server, "2"));
    ana.join("user:1");
    bo.say(r#"{"type":"join_room","id":"j","payload":{"room_id":"user:1"}}"#);
    assert_eq!(bo.next("error")["payload"]["code"], "FORBIDDEN");
    let (status, told) = publish(&server, &json!({ "users": ["1", "2"], "payload": { "text": "ready" } }));
    assert_eq!((status, told["results"].as_array().map(Vec::len)), (200, Some(2)), "{told}");
    assert_eq!(ana.next("notification")["payload"]["text"], "ready");
    // Bo was not there, and finds it.
    let since = json!({ "epoch": told["results"][1]["position"]["epoch"], "offset": 0 });
    let join = json!({ "type": "join_room", "payload": { "room_id": "user:2", "since": since } });
    bo.say(&join.to_string());
    assert_eq!(bo.next("notification")["payload"]["text"], "ready");
    bo.say(r#"{"type":"send_message","room":"user:2","id":"m","payload":{"content":"to myself"}}"#);
    assert_eq!(bo.next("error")["payload"]["code"], "FORBIDDEN");
}

#[test]
fn everybody_who_is_connected_hears_an_announcement_in_whatever_room() {
    let server = Server::configured(CONFIG);
    let (mut ana, mut bo) = (open(&server, "1"), open(&server, "2"));
    bo.join("general");
    ana.join("team-a");
    let body = json!({ "everybody": true, "payload": { "text": "Back at nine" } });
    let (status, told) = ask(&server, "caller-caller-caller-caller-caller", "POST /api/publish", Some(&body));
    assert_eq!(status, 200, "{told}");
    for client in [&mut ana, &mut bo] {
        assert_eq!(client.next("announcement")["payload"]["text"], "Back at nine");
    }
}

#[test]
fn a_key_opens_what_it_says_and_a_mistake_is_named() {
    let server = Server::configured(CONFIG);
    let (orders, reader) = ("orders-orders-orders-orders-orders", "reader-reader-reader-reader-reader");
    let room = |room: &str| json!({ "room": room, "payload": { "content": "x" } });
    for (key, request, body, status, says) in [
        ("nobody", "POST /api/publish", Some(room("chat:general")), 401, "authentication required"),
        (reader, "POST /api/publish", Some(room("chat:team-a")), 403, "no scope \"publish\""),
        (reader, "GET /api/history?room=chat:general", None, 403, "not for the room"),
        (reader, "GET /api/history?room=chat:team-a", None, 200, ""),
        (orders, "POST /api/publish", Some(room("system:all")), 403, "for no back end"),
        (orders, "POST /api/publish", Some(room("general")), 400, "chat:general"),
        (orders, "POST /api/publish", Some(room("nothing:general")), 400, "no app serves"),
        (orders, "POST /api/publish", Some(room("chat:a b")), 400, "may hold only"),
        (orders, "POST /api/publish", Some(json!({ "room": "chat:a" })), 400, "payload"),
        (
            orders,
            "POST /api/publish",
            Some(json!({ "rom": "chat:a", "payload": {} })),
            400,
            "unknown field `rom`",
        ),
        (orders, "POST /api/publish", Some(json!({ "payload": {} })), 400, "exactly one of"),
        (orders, "POST /api/publish", Some(json!({ "users": [], "payload": {} })), 400, "1 to 1000"),
        (orders, "POST /api/publish", Some(json!({ "everybody": true, "payload": {} })), 403, "everybody"),
        (
            orders,
            "POST /api/publish",
            Some(json!({ "room": "chat:a", "payload": "x".repeat(70_000) })),
            400,
            "at most",
        ),
        (
            orders,
            "POST /api/publish",
            Some(json!({ "room": "chat:a", "payload": {} })),
            400,
            "content is required",
        ),
        (
            orders,
            "POST /api/publish",
            Some(json!({ "room": "chat:a", "payload": (0..70).fold(json!("x"), |inner, _| json!([inner])) })),
            400,
            "nested deeper than 64",
        ),
        (orders, "GET /api/history?room=chat:a&limit=101", None, 400, "between 1 and 100"),
        (orders, "GET /api/history?room=chat:a&before=1-1&after=1-2", None, 400, "exclude each other"),
        (orders, "GET /api/history?room=chat:a&before=x", None, 400, "no position"),
        (orders, "GET /api/presence", None, 400, "room"),
    ] {
        let (got, answer) = ask(&server, key, request, body.as_ref());
        assert_eq!(got, status, "{request} {body:?}: {answer}");
        assert!(answer.to_string().replace("\\\"", "\"").contains(says), "{request}: {answer}");
    }
    let (status, _) = server.get("/api/history?room=chat:a");
    assert_eq!(status, 404, "clients' listener knows nothing of it");
}

#[test]
fn a_refusal_is_json_and_says_what_of_the_request_is_to_blame() {
    let server = Server::configured(CONFIG);
    let publish = "POST /api/publish";
    let long = "x".repeat(100_000);
    for (request, body, status, field, says) in [
        (publish, r#"["chat:a",null,null,false,null,null,{}]"#.to_owned(), 400, "body", "a JSON object"),
        (publish, r#"{"room":"nothing:a","payload":{}}"#.to_owned(), 400, "room", "no app serves"),
        (publish, r#"{"room":"chat:a","type":"dance","payload":{}}"#.to_owned(), 400, "type", "dance"),
        (
            publish,
            format!(r#"{{"room":"chat:a","type":"{long}","payload":{{}}}}"#),
            400,
            "type",
            "100000 bytes; a type has at most 64",
        ),
        (publish, r#"{"room":"chat:a","payload":{"content":5}}"#.to_owned(), 400, "payload", "content"),
        (publish, r#"{"user":"a\u0001","payload":{}}"#.to_owned(), 400, "user", "no control characters"),
        (publish, r#"{"room":"user:a\u0001","payload":{}}"#.to_owned(), 400, "room", "no control characters"),
        (publish, " ".repeat((2 << 20) + 1), 413, "body", "more than 2097152 bytes"),
        ("GET /api/nothing", String::new(), 404, "", "/api/publish"),
        ("DELETE /api/publish", String::new(), 405, "", "DELETE"),
    ] {
        let (got, answer) = ask_in_text(&server, "orders-orders-orders-orders-orders", request, &body);
        let answer: Value = serde_json::from_str(&answer).unwrap_or_else(|_| panic!("{request}: {answer}"));
        assert_eq!((got, answer["field"].as_str().unwrap_or("")), (status, field), "{request}: {answer}");
        let error = answer["error"].as_str().expect("words");
        assert!(error.contains(says) && error.len() < 200, "{request}: {answer}");
        assert!(answer["code"].is_string(), "{answer}");
    }
}

/// No number of ours holds these, and no order of ours is theirs.
const EXACT: &str = r#"{"z":123456789012345678901234567890,"price":1.10,"content":"x","a":[1e2,-0.0]}"#;

#[test]
fn a_payload_is_read_back_as_it_was_written_to_the_last_digit() {
    let server = Server::configured(CONFIG);
    let key = "orders-orders-orders-orders-orders";
    let body = format!(r#"{{"room":"chat:general","payload":{EXACT}}}"#);
    let (status, told) = ask_in_text(&server, key, "POST /api/publish", &body);
    assert_eq!(status, 200, "{told}");
    let (_, history) = ask_in_text(&server, key, "GET /api/history?room=chat:general", "");
    assert!(history.contains(&format!(r#""payload":{EXACT}"#)), "{history}");
}

/// The process ends without a word, and another one serves the same folder.
#[test]
fn what_was_stored_is_there_after_a_kill() {
    let folder = Folder::new();
    let served = || Server::on(&folder, &[]);
    let server = served();
    let mut ana = Client::open(&server, &target(&folder, "1")).expect("let in");
    ana.join("general");
    let said = r#"{"type":"send_message","room":"general","id":"c-1","payload":{"content":"Hello"}}"#;
    ana.say(said);
    let ack = ana.next("ack");
    server.signal(Signal::SIGKILL);
    server.wait();
    let server = served();
    let mut ana = Client::open(&server, &target(&folder, "1")).expect("let in");
    let since = json!({ "epoch": ack["position"]["epoch"], "offset": 0 });
    let join = json!({ "type": "join_room", "payload": { "room_id": "general", "since": since } });
    ana.say(&join.to_string());
    assert_eq!(ana.next("new_message")["position"], ack["position"]);
    ana.say(said);
    assert_eq!(ana.next("ack")["position"], ack["position"], "the same id is the same message");
}

fn target(folder: &Folder, user: &str) -> String {
    let token = kulkul(&["token", "--data", folder.text(), "--user", user]).stdout;
    format!("/ws?token={}", String::from_utf8(token).expect("UTF-8").trim())
}

#[test]
fn a_revocation_holds_after_a_kill() {
    let (data, config) = (Folder::new(), Folder::new());
    let path = config.path().join("kulkul.toml");
    std::fs::write(&path, format!("operator_listen = \"127.0.0.1:0\"\n{CONFIG}")).expect("written");
    let path = path.to_str().expect("UTF-8");
    let served = || Server::on(&data, &["--config", path]);
    let token = kulkul(&["token", "--config", path, "--user", "1"]).stdout;
    let target = format!("/ws?token={}", String::from_utf8(token).expect("UTF-8").trim());
    let server = served();
    let mut ana = Client::open(&server, &target).expect("let in");
    let operator = server.operator.clone().expect("it has one");
    let body = r#"{"user":"1"}"#;
    let head = format!("POST /revoke HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n");
    let request =
        format!("{head}Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    assert_eq!(server.http_at(&operator, &request).0, 204);
    assert_eq!(ana.closed().0, 4401);
    server.signal(Signal::SIGKILL);
    server.wait();
    let server = served();
    // It listens before it has read what holds: whoever slips in meanwhile is sent away again.
    match Client::open(&server, &target) {
        Ok(mut early) => assert_eq!(early.closed().0, 4401),
        Err(status) => assert_eq!(status, 401),
    }
}

#[test]
fn the_commands_publish_and_read_as_a_back_end_does() {
    let folder = Folder::new();
    let server = Server::on(&folder, &[]);
    let url = format!("http://{}", server.address);
    let run = |args: &[&str]| {
        let output = kulkul(&[args, &["--data", folder.text(), "--url", &url]].concat());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    for number in 1..=3 {
        let payload = format!("{{\"content\":\"n {number}\"}}");
        let (status, out, error) = run(&["publish", "--room", "chat:general", &payload]);
        assert!(status == Some(0) && out.starts_with("chat:general: "), "{out}{error}");
    }
    let (_, out, _) = run(&["history", "chat:general", "--limit", "2"]);
    assert_eq!(out.lines().filter(|line| line.ends_with("n 2") || line.ends_with("n 3")).count(), 2, "{out}");
    let (_, out, _) = run(&["history", "chat:general", "--json"]);
    let first: Value = serde_json::from_str(out.lines().next().expect("a line")).expect("JSON");
    assert_eq!(first["payload"]["content"], "n 1");
    run(&["publish", "--room", "chat:exact", EXACT]);
    for args in [["history", "chat:exact", "--limit=9"], ["history", "chat:exact", "--json"]] {
        let (_, out, _) = run(&args);
        assert!(out.contains(EXACT), "{out}");
    }
    let (status, _, error) = run(&["publish", "--room", "general", "{}"]);
    assert!(status == Some(1) && error.contains("chat:general"), "{error}");
    let (status, _, error) = run(&["publish", "--room", "chat:a", "{content}"]);
    assert!(status == Some(1) && error.contains("not JSON"), "{error}");
    let (status, out, error) = run(&["publish", "--all", "{\"text\":\"Back at nine\"}"]);
    assert!(status == Some(0), "{out}{error}");
}

#[test]
fn an_operator_can_ask_what_became_of_a_client() {
    let server = Server::configured(CONFIG);
    let mut ana = open(&server, "1");
    ana.join("general");
    ana.hang_up();
    let operator = server.operator.clone().expect("it has one");
    let trace = || {
        let request = format!(
            "GET /trace?user=1&room=chat:general HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n"
        );
        let (status, body) = server.http_at(&operator, &request);
        assert_eq!(status, 200, "{body}");
        let events: Value = serde_json::from_str(&body).expect("JSON");
        let words = |event: &Value| event["what"].as_str().unwrap_or_default().to_owned();
        events["events"].as_array().expect("a list").iter().map(words).collect::<Vec<_>>()
    };
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while trace() != ["joined", "ended", "left"] {
        assert!(std::time::Instant::now() < deadline, "{:?}", trace());
        std::thread::yield_now();
    }
    let wrong = format!("GET /trace?usr=1 HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    assert_eq!(server.http_at(&operator, &wrong).0, 400);
}

/// As many as the operator's listener has for calls; sixteen more are for everything else.
const CALLS_AT_ONCE: usize = 48;

#[test]
fn calls_that_are_not_answered_yet_leave_places_for_probes_and_are_bounded_by_themselves() {
    let server = Server::configured(&format!("{CONFIG}[websocket]\nhandshake_timeout = \"60s\"\n"));
    let operator = server.operator.clone().expect("it has one");
    let body = json!({ "room": "chat:general", "payload": { "content": "x" } }).to_string();
    let key = "orders-orders-orders-orders-orders";
    let head = format!(
        "POST /api/publish HTTP/1.1\r\nHost: {operator}\r\nAuthorization: Bearer {key}\r\n\
         Content-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    // Each waits for the last byte of its body, as it would wait for an engine that is away.
    let mut waiting: Vec<TcpStream> = Vec::new();
    for _ in 0..CALLS_AT_ONCE {
        let mut call = TcpStream::connect(&operator).expect("listening");
        call.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        call.write_all(format!("{head}{}", &body[..body.len() - 1]).as_bytes()).expect("taken");
        waiting.push(call);
    }
    let since = Instant::now();
    // The last of them may not have been read yet.
    let (status, answer) = loop {
        let whole = format!("{head}{body}");
        let (status, answer) = server.http_whole_at(&operator, &whole);
        if status != 200 || since.elapsed() > PATIENCE {
            break (status, answer);
        }
    };
    assert_eq!(status, 503, "{answer}");
    assert!(answer.to_ascii_lowercase().contains("retry-after: 1"), "{answer}");
    assert!(answer.contains(r#""code":"BUSY""#), "{answer}");
    for path in ["/live", "/ready", "/metrics"] {
        assert_eq!(ask(&server, key, &format!("GET {path}"), None).0, 200, "{path}");
    }
    let mut call = waiting.pop().expect("one of them");
    call.write_all(&body.as_bytes()[body.len() - 1..]).expect("taken");
    let mut told = String::new();
    call.read_to_string(&mut told).expect("an answer in text");
    assert!(told.starts_with("HTTP/1.1 200"), "{told}");
    assert_eq!(
        publish(&server, &serde_json::from_str(&body).expect("JSON")).0,
        200,
        "its place is free again"
    );
}
