//! Operators: what they see of rooms, connections and users over HTTP and by the command line, what they do about them, and what they
//! are refused.

#[path = "operate/commands.rs"]
mod commands;
#[path = "operate/document.rs"]
mod document;
#[path = "operate/door.rs"]
mod door;
#[path = "operate/lists.rs"]
mod lists;
#[path = "operate/past.rs"]
mod past;
#[path = "operate/refusals.rs"]
mod refusals;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::time::Instant;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Client, PATIENCE, Server, kulkul};

const ROOT: &str = "root-root-root-root-root-root-root-root";
const TEAM: &str = "team-team-team-team-team-team-team-team";
const ORDERS: &str = "orders-orders-orders-orders-orders";

const CONFIG: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
shards = 2
[limits]
outbox_bytes = "1MiB"
[[api.keys]]
name = "root"
secret = "root-root-root-root-root-root-root-root"
scopes = ["publish", "history", "presence", "everybody", "inspect", "operate"]
[[api.keys]]
name = "team"
secret = "team-team-team-team-team-team-team-team"
scopes = ["inspect"]
rooms = ["chat:team-*"]
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
"#;

fn server() -> Server {
    Server::configured(CONFIG)
}

/// `METHOD /path` by a key; a body is JSON.
fn ask(server: &Server, key: &str, request: &str, body: Option<&Value>) -> (u16, Value) {
    let operator = server.operator.clone().expect("it has one");
    let body = body.map(Value::to_string).unwrap_or_default();
    let kind = if body.is_empty() { "" } else { "Content-Type: application/json\r\n" };
    let head =
        format!("{request} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\nX-API-Key: {key}\r\n{kind}");
    let request = format!("{head}Content-Length: {}\r\n\r\n{body}", body.len());
    let (status, answer) = server.http_at(&operator, &request);
    (status, serde_json::from_str(&answer).unwrap_or(Value::String(answer)))
}

fn look(server: &Server, path: &str) -> Value {
    let (status, told) = ask(server, ROOT, &format!("GET {path}"), None);
    assert_eq!(status, 200, "{path}: {told}");
    told
}

fn open(server: &Server, user: &str) -> Client {
    let told = kulkul(&["token", "--config", server.config_path(), "--user", user]);
    let token = String::from_utf8(told.stdout).expect("UTF-8");
    Client::open(server, &format!("/ws?token={}", token.trim())).expect("let in")
}

fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let since = Instant::now();
    loop {
        if let Some(seen) = look() {
            return seen;
        }
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

#[test]
fn a_room_a_user_and_a_connection_are_seen_as_they_are() {
    let server = server();
    let (mut ana, mut bo) = (open(&server, "ana"), open(&server, "bo"));
    ana.join("general");
    bo.join("general");
    ana.say(r#"{"type":"send_message","room":"general","id":"1","payload":{"content":"hello"}}"#);
    bo.next("new_message");
    let room = look(&server, "/rooms/chat:general");
    assert_eq!((&room["room"]["state"], &room["room"]["members"]), (&json!("live"), &json!(2)), "{room}");
    assert_eq!((&room["room"]["users"], &room["room"]["steward"]), (&json!(2), &json!(true)), "{room}");
    assert_eq!(room["room"]["last"]["offset"], 1, "{room}");
    assert_eq!(room["kept"]["from"], room["kept"]["to"], "one record: {room}");
    let mut present: Vec<&str> =
        room["present"].as_array().expect("a list").iter().filter_map(|it| it["id"].as_str()).collect();
    present.sort_unstable();
    assert_eq!(present, ["ana", "bo"]);
    let user = look(&server, "/users/ana");
    assert_eq!(
        (&user["online"], user["connections"].as_array().map(Vec::len)),
        (&json!("here"), Some(1)),
        "{user}"
    );
    let id = user["connections"][0]["id"].as_str().expect("an id");
    assert!(
        room["members"].as_array().expect("a list").iter().any(|it| it["connection"] == id),
        "{room} {id}"
    );
    assert!(id.starts_with(room["node"].as_str().expect("a name")), "{id}");
    let connection = look(&server, &format!("/connections/{id}"));
    assert_eq!((&connection["mount"], &connection["tls"]), (&json!("/ws"), &json!(false)), "{connection}");
    assert!(connection["address"].as_str().is_some_and(|it| it.starts_with("127.0.0.1:")), "{connection}");
    for time in ["since", "heard", "token_ends"] {
        assert!(
            connection[time].as_str().is_some_and(|it| it.starts_with("20") && it.ends_with('Z')),
            "{connection}"
        );
    }
    assert!(
        connection["rooms"].as_array().is_some_and(|it| it.contains(&json!("chat:general"))),
        "{connection}"
    );
    assert_eq!(look(&server, "/users/nobody")["online"], "no");
    let cold = look(&server, "/rooms/chat:elsewhere");
    assert_eq!(cold["room"]["state"], "not_loaded", "{cold}");
    assert!(cold["says"].as_str().is_some_and(|says| says.contains("GET /api/history")), "{cold}");
}

#[test]
fn a_client_sees_that_it_was_put_out_and_may_come_back() {
    let server = server();
    let (mut ana, mut bo) = (open(&server, "ana"), open(&server, "bo"));
    ana.join("general");
    bo.join("general");
    let who = json!({ "user": "bo", "why": "shouting" });
    let (status, told) = ask(&server, ROOT, "POST /rooms/chat:general/kick", Some(&who));
    assert_eq!((status, &told["here"]), (200, &json!(1)), "{told}");
    assert!(told["says"].as_str().is_some_and(|says| says.contains("the app's own ban")), "{told}");
    let error = bo.next("error");
    assert_eq!(error["payload"]["code"], "FORBIDDEN", "{error}");
    assert!(error.to_string().contains("an operator has put you out of this room"), "{error}");
    assert_eq!(ana.next("user_left")["payload"]["id"], "bo");
    until("bo is out", || (look(&server, "/rooms/chat:general")["room"]["members"] == 1).then_some(()));
    bo.join("general");
}

#[test]
fn a_disconnected_client_hears_the_code_that_was_asked_for() {
    let server = server();
    for (body, code, reason, comes_back) in [
        (json!({ "user": "ana" }), 4412, "draining, retry after", "yes"),
        (json!({ "user": "ana", "code": 4503 }), 4503, "forbidden", "no"),
        (json!({ "user": "ana", "code": 4401 }), 4401, "token expired", "with_new_token"),
    ] {
        let (mut one, mut two) = (open(&server, "ana"), open(&server, "ana"));
        until("both are here", || {
            (look(&server, "/connections?user=ana")["connections"].as_array()?.len() == 2).then_some(())
        });
        let (status, told) = ask(&server, ROOT, "POST /disconnect", Some(&body));
        assert_eq!(
            (status, &told["here"], &told["comes_back"]),
            (200, &json!(2), &json!(comes_back)),
            "{told}"
        );
        for client in [&mut one, &mut two] {
            let (closed, says) = client.closed();
            assert!(closed == code && says.starts_with(reason), "{closed} {says}");
        }
    }
    let mut bo = open(&server, "bo");
    let id = look(&server, "/users/bo")["connections"][0]["id"].as_str().expect("an id").to_owned();
    let (status, told) = ask(&server, ROOT, &format!("DELETE /connections/{id}?code=4503"), None);
    assert_eq!((status, &told["connection"], &told["here"]), (200, &json!(id), &json!(1)), "{told}");
    assert_eq!(bo.closed().0, 4503);
    until("it is gone", || {
        (ask(&server, ROOT, &format!("GET /connections/{id}"), None).0 == 404).then_some(())
    });
}

#[test]
fn the_settings_are_shown_without_secrets_and_follow_the_file() {
    let server = server();
    let told = look(&server, "/config");
    let text = told.to_string();
    for secret in ["0123456789abcdef", ROOT, TEAM, ORDERS] {
        assert!(!text.contains(secret), "{secret}");
    }
    let value = |told: &Value, key: &str| {
        let settings = told["settings"].as_array().expect("a list");
        let setting = settings.iter().find(|it| it["key"] == key).unwrap_or_else(|| panic!("no {key}"));
        (
            setting["value"].as_str().expect("a text").to_owned(),
            setting["from"].as_str().expect("a text").to_owned(),
        )
    };
    assert_eq!(value(&told, "secret").0, "(hidden)");
    assert!(value(&told, "shards").1.contains("line"), "{told}");
    let before = value(&told, "limits.burst").0;
    server.configure(&CONFIG.replace("shards = 2", "shards = 1").replace("[limits]", "[limits]\nburst = 77"));
    let told = until("the file is read", || {
        let told = look(&server, "/config");
        (value(&told, "limits.burst").0 == "77").then_some(told)
    });
    assert_ne!(before, "77");
    assert_eq!(value(&told, "shards").0, "2", "it holds until a restart");
    let waits = told["needs_restart"].as_array().expect("a list");
    assert!(waits.iter().any(|it| it.as_str().is_some_and(|it| it.starts_with("shards = 1"))), "{waits:?}");
}

#[test]
fn a_drain_that_is_asked_for_sends_everybody_elsewhere_and_ends_well() {
    let server = server();
    let mut ana = open(&server, "ana");
    let (status, told) = ask(&server, ROOT, "POST /drain", None);
    assert_eq!((status, &told["draining"]), (202, &json!(true)), "{told}");
    assert_eq!(ana.closed().0, 4412);
    assert!(server.wait().success());
}

#[test]
fn in_demo_mode_operators_ask_at_the_one_listener_by_the_demo_key() {
    let server = Server::start();
    let mut ana = server.client("ana");
    ana.join("general");
    let key = std::fs::read_to_string(server.folder.path().join("api-key")).expect("it is made");
    let ask = |request: &str, key: &str| {
        let head = format!("{request} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n", server.address);
        server.http(&format!("{head}X-API-Key: {}\r\n\r\n", key.trim()))
    };
    for path in ["/rooms", "/connections", "/users/ana", "/config", "/rooms/chat:general"] {
        assert_eq!(ask(&format!("GET {path}"), &key).0, 200, "{path}");
        assert_eq!(ask(&format!("GET {path}"), "no key").0, 401, "{path}");
    }
    assert_eq!(ask("GET /openapi.json", "").0, 200);
    assert_eq!(ask("POST /users/ana", &key).0, 501, "accounts are elsewhere");
    server.signal(Signal::SIGTERM);
}
