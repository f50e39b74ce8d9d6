//! Rooms that move: a backup of a server that serves, a restore, a copy to an engine for several nodes; and what clients that come
//! back are told.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/redis.rs"]
mod redis;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::process::{Command, Stdio};

use fleet::Fleet;
use nix::sys::signal::Signal;
use redis::Redis;
use serde_json::{Value, json};
use support::{Client, Folder, Server, kulkul};

/// Says so many things, and where the last one stands.
fn says(client: &mut Client, room: &str, from: u64, count: u64) -> Value {
    client.join(room);
    let mut at = Value::Null;
    for number in from..from + count {
        let payload = json!({ "content": format!("{room} {number}") });
        let said =
            json!({ "type": "send_message", "room": room, "id": number.to_string(), "payload": payload });
        client.say(&said.to_string());
        at = client.next("ack")["position"].clone();
    }
    at
}

fn comes_back(client: &mut Client, room: &str, since: &Value) -> Value {
    let join = json!({ "type": "join_room", "payload": { "room_id": room, "since": since } });
    client.say(&join.to_string());
    client.next_of(&["reset", "resumed", "gap"])
}

fn done(arguments: &[&str]) -> String {
    let output = kulkul(arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

fn refused(arguments: &[&str]) -> String {
    let output = kulkul(arguments);
    assert!(!output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("UTF-8")
}

/// What somebody who comes to the room is told of it.
fn told(client: &mut Client, room: &str) -> Value {
    client.join(room);
    let ask = json!({ "type": "get_history", "id": "h", "payload": { "room_id": room, "limit": 50 } });
    client.say(&ask.to_string());
    let mut told = client.next("history")["payload"]["messages"].clone();
    for message in told.as_array_mut().into_iter().flatten() {
        // An epoch that began anew has other names for the same records.
        let message = message.as_object_mut().expect("a message");
        message.remove("id");
        message.remove("position");
    }
    told
}

fn ended(server: Server) {
    server.signal(Signal::SIGTERM);
    assert!(server.wait().success());
}

fn user(server: &Server, data: &Folder, name: &str) -> Client {
    let token = done(&["token", "--data", data.text(), "--user", name]);
    Client::open(server, &format!("/ws?token={}", token.trim())).expect("let in")
}

#[test]
fn who_comes_back_after_a_restore_is_told_that_something_is_lost_and_nobody_is_rewound_in_silence() {
    let (data, empty) = (Folder::new(), Folder::new());
    let file = empty.path().join("monday.kulkul");
    let file = file.to_str().expect("UTF-8");
    let server = Server::on(&data, &[]);
    let mut ana = user(&server, &data, "1");
    let early = says(&mut ana, "general", 1, 3);
    let said: Value =
        serde_json::from_str(&done(&["backup", "--data", data.text(), "--with-secrets", "--json", file]))
            .expect("JSON");
    assert_eq!((&said["rooms"], &said["records"]), (&json!(1), &json!(3)), "{said}");
    let before = told(&mut ana, "general");
    let late = says(&mut ana, "general", 4, 2);
    assert!(refused(&["backup", "--data", data.text(), file]).contains("with --force"));
    done(&["backup", "--data", data.text(), "--with-secrets", "--force", file]);
    let refusal = refused(&["restore", "--data", data.text(), file]);
    assert!(refusal.contains("another process serves"), "{refusal}");
    drop(server);

    let restored = Folder::new();
    done(&["restore", "--data", restored.text(), file]);
    assert!(refused(&["restore", "--data", restored.text(), file]).contains("holds rooms already"));
    let server = Server::on(&restored, &[]);
    // By the folder's secret, which came with it.
    for since in [&early, &late] {
        let mut back = user(&server, &data, "1");
        assert_eq!(comes_back(&mut back, "general", since)["type"], "reset");
    }
    let mut bo = user(&server, &restored, "2");
    let now = told(&mut bo, "general");
    let count = before.as_array().expect("messages").len();
    assert_eq!(now.as_array().map(Vec::len), Some(5));
    assert!(
        count == 3
            && before
                .as_array()
                .expect("messages")
                .iter()
                .all(|it| now.as_array().expect("messages").contains(it))
    );
}

#[test]
fn who_comes_back_after_a_copy_to_redis_goes_on_without_a_gap() {
    goes_on_in(&Fleet::on_redis(), "redis");
}

#[test]
fn who_comes_back_after_a_copy_to_nats_goes_on_without_a_gap() {
    goes_on_in(&Fleet::on_nats(), "nats");
}

fn goes_on_in(fleet: &Fleet, scheme: &str) {
    let data = Folder::new();
    let server = Server::on(&data, &[]);
    let mut ana = user(&server, &data, "1");
    let early = says(&mut ana, "general", 1, 5);
    let late = says(&mut user(&server, &data, "2"), "general", 6, 3);
    says(&mut ana, "second", 1, 2);
    let before = (told(&mut ana, "general"), told(&mut ana, "second"));
    let engine = format!("{scheme}://{}", fleet.broker.address);
    let config = fleet.config();
    let copy = ["copy", "--config", &config, "--data", data.text(), "--from", "disk", "--to", &engine];
    assert!(refused(&copy).contains("another process serves"), "somebody lives at --from");
    ended(server);
    assert!(done(&copy).contains("read back and are the same"));
    assert!(refused(&copy).contains("holds something else already"), "it is there");

    let node = fleet.node();
    let lives =
        refused(&["copy", "--config", &config, "--data", data.text(), "--from", &engine, "--to", "disk"]);
    assert!(lives.contains("nodes serve from this"), "{lives}");
    let mut back = fleet.client(&node, "1");
    let resumed = comes_back(&mut back, "general", &early);
    assert_eq!(resumed["type"], "resumed", "{resumed}");
    let missed: Vec<Value> = (6..9).map(|_| back.next("new_message")["payload"]["content"].clone()).collect();
    assert_eq!(missed, ["general 6", "general 7", "general 8"]);
    let mut up_to_date = fleet.client(&node, "2");
    assert_eq!(comes_back(&mut up_to_date, "general", &late)["type"], "resumed");
    // What was stored before is known: the same id is stored once, wherever the room is.
    let again = says(&mut up_to_date, "general", 8, 1);
    assert_eq!(again, late);
    assert_eq!((told(&mut back, "general"), told(&mut back, "second")), before);

    // A backup of what is served there, restored to a folder.
    let file = data.path().join("of-it");
    let file = file.to_str().expect("UTF-8");
    done(&["backup", "--config", &config, "--engine", &engine, file]);
    let restored = Folder::new();
    done(&["restore", "--data", restored.text(), file]);
    let server = Server::on(&restored, &[]);
    assert_eq!(told(&mut user(&server, &restored, "3"), "general"), before.0);

    // And into the same engine, as another deployment.
    let restore = ["restore", "--config", &config, "--engine", &engine, file];
    assert!(refused(&restore).contains("nodes serve from this"));
    let mut other = Command::new(env!("CARGO_BIN_EXE_kulkul"));
    let other = other.args(restore).env("KULKUL_ENGINE_PREFIX", "other").output().expect("the binary runs");
    assert!(other.status.success(), "{}", String::from_utf8_lossy(&other.stderr));
    let node = fleet.node_of("other");
    assert_eq!(comes_back(&mut fleet.client(&node, "1"), "general", &late)["type"], "reset");
    assert_eq!(told(&mut fleet.client(&node, "3"), "general"), before.0);
}

#[test]
fn a_copy_that_was_killed_in_its_midst_is_served_by_nobody_and_comes_to_its_end_the_next_time() {
    let data = Folder::new();
    let server = Server::on(&data, &["--profile", "bench"]);
    let mut ana = user(&server, &data, "1");
    for number in 0..60 {
        ana.join(&format!("room-{number}"));
        ana.say(
            &json!({ "type": "send_message", "room": format!("room-{number}"), "id": "a",
            "payload": { "content": "Hello" } })
            .to_string(),
        );
        ana.next("ack");
        let leave = json!({ "type": "leave_room", "payload": { "room_id": format!("room-{number}") } });
        ana.say(&leave.to_string());
    }
    ended(server);
    let fleet = Fleet::on_redis();
    let (redis, config) = (format!("redis://{}", fleet.broker.address), fleet.config());
    let copy = ["copy", "--config", &config, "--data", data.text(), "--from", "disk", "--to", &redis];
    let mut asks = Redis::connect(fleet.broker.address);
    let running = Command::new(env!("CARGO_BIN_EXE_kulkul")).args(copy).stdout(Stdio::null()).spawn();
    let mut running = running.expect("the binary runs");
    // The firsts of 1,024 slices, the record and its mark; and the first rooms.
    while asks.number(&["DBSIZE"]) < 1024 + 2 + 10 {}
    asks.ask(&["CLIENT", "PAUSE", "600000", "WRITE"]);
    running.kill().expect("it is ours");
    running.wait().expect("it is ours");
    asks.ask(&["CLIENT", "UNPAUSE"]);
    let record = asks.text(&["GET", "kulkul:{deployment}:record"]).expect("it was made");
    assert!(record.contains("format=254"), "it was killed after its end: {record}");
    let refusal = refused(&["serve", "--config", &config, "--listen", "127.0.0.1:0", "--engine", &redis]);
    assert!(refusal.contains("did not come to its end"), "{refusal}");
    let told: Value = serde_json::from_str(&done(&[&copy[..], &["--json"]].concat())).expect("JSON");
    assert_eq!(told["records"], 60, "{told}");
    let node = fleet.node();
    let mut back = fleet.client(&node, "1");
    for number in [0, 30, 59] {
        assert_eq!(back.join(&format!("room-{number}"))["position"]["offset"], 1);
    }
}
