//! Hub clients against the real process: how they are let in, what they say and hear, beside clients of the native protocol; and
//! what they ask by HTTP.

#[path = "channels/calls.rs"]
mod calls;
#[path = "channels/past.rs"]
mod past;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;
#[path = "channels/talk.rs"]
mod talk;
#[path = "channels/upgrade.rs"]
mod upgrade;

use serde_json::{Value, json};
use support::{Client, Server, kulkul};

const CONFIG: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
"#;

fn server() -> Server {
    Server::configured(CONFIG)
}

fn token_of(server: &Server, args: &[&str]) -> String {
    let told = kulkul(&[&["token", "--config", server.config_path()], args].concat());
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
}

fn token(server: &Server, user: &str, name: &str) -> String {
    token_of(server, &["--user", user, "--name", name])
}

/// A hub client that was greeted.
fn hub(server: &Server, user: &str, name: &str) -> Client {
    let token = token(server, user, name);
    let target = format!("/api/v1/ws?userId={user}&token={token}");
    let mut client = Client::open(server, &target).expect("let in");
    let greeting = client.next("connection.connect");
    assert_eq!((&greeting["data"]["status"], &greeting["user_id"]), (&"connected".into(), &user.into()));
    client
}

fn native(server: &Server, user: &str, name: &str) -> Client {
    Client::open(server, &format!("/ws?token={}", token(server, user, name))).expect("let in")
}

fn say(client: &mut Client, kind: &str, id: &str, data: &Value) {
    let frame = json!({ "id": id, "type": kind, "data": data, "timestamp": 1, "user_id": "999" });
    client.say(&frame.to_string());
}

fn join(client: &mut Client, channel: &str) -> Value {
    say(client, "channel.join", "j-1", &json!({ "channel_id": channel }));
    let joined = client.next("channel.join");
    assert_eq!(joined["data"]["status"], "joined", "{joined}");
    joined
}

fn send(client: &mut Client, channel: &str, id: &str, text: &str) {
    say(client, "channel.message", id, &json!({ "channel_id": channel, "text": text }));
}

/// What a back end publishes, by its key.
fn publish(server: &Server, body: &Value) -> Value {
    let operator = server.operator.clone().expect("it has one");
    let body = body.to_string();
    let (status, told) = server.http_at(
        &operator,
        &format!(
            "POST /api/publish HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\
             Authorization: Bearer orders-orders-orders-orders-orders\r\nContent-Type: application/json\r\n\
             Content-Length: {}\r\n\r\n{body}",
            body.len()
        ),
    );
    assert_eq!(status, 200, "{told}");
    serde_json::from_str(&told).expect("JSON")
}
