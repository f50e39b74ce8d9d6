//! The bridge to Redis against a real one: another fleet's servers are plain clients of it.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[path = "support/redis.rs"]
mod redis;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "redis_bridge/handover.rs"]
mod handover;
#[path = "redis_bridge/members.rs"]
mod members;
#[path = "redis_bridge/presence.rs"]
mod presence;
#[path = "redis_bridge/relay.rs"]
mod relay;

use std::time::Instant;

use fleet::Fleet;
use redis::Redis;
use serde_json::{Value, json};
use support::{Client, PATIENCE, Server};

/// A node of the fleet with a bridge to the fleet's own Redis, and these settings of it besides.
fn node(fleet: &Fleet, settings: &[(&str, &str)]) -> Server {
    let url = format!("redis://{}", fleet.broker.address);
    let always = [("KULKUL_REDIS_BRIDGE__URL", url.as_str()), ("KULKUL_REDIS_BRIDGE__RELAY", "ws:broadcast")];
    let settings = [&always, settings].concat();
    Server::spawn(&settings, &["--config", &fleet.config(), "--engine", &url])
}

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

fn figure(node: &Server, name: &str) -> u64 {
    let (_, page) = node.ask_operator("GET /metrics", "");
    let name = format!("kulkul_bridge_redis_{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("no {name}in {page}")).parse().expect("a number")
}

fn reads(node: &Server) -> bool {
    figure(node, "listening") == 1 && figure(node, "holds_lease") == 1
}

/// One node with a bridge that reads, and a plain client of its Redis.
fn one() -> (Fleet, Server, Redis) {
    let fleet = Fleet::on_redis();
    let node = node(&fleet, &[]);
    until("the node reads", || reads(&node));
    let redis = Redis::connect(fleet.broker.address);
    (fleet, node, redis)
}

/// As seed 001's servers publish it.
fn channel_message(redis: &mut Redis, channel: &str, id: &str, text: &str) {
    let row = json!({ "channel_id": channel, "text": text, "senderName": "Cy" });
    let frame = json!({ "id": id, "type": "channel.message", "data": row, "timestamp": 1_767_225_600, "user_id": "9" });
    redis.publish(&format!("chat:channel:{channel}"), &frame.to_string());
}

fn heard(client: &mut Client) -> Value {
    let message = client.next("new_message");
    json!([message["payload"]["content"], message["sender"]["id"], message["sender"]["name"]])
}

#[test]
fn a_channels_messages_are_said_in_its_room_once_each_by_their_users() {
    let (fleet, node, mut redis) = one();
    let mut ana = fleet.client(&node, "ana");
    ana.join("12");
    for id in ["m-1", "m-1", "m-2"] {
        channel_message(&mut redis, "12", id, id);
    }
    assert_eq!(heard(&mut ana), json!(["m-1", "9", "Cy"]));
    assert_eq!(heard(&mut ana), json!(["m-2", "9", "Cy"]), "the same id is the same message");
}

#[test]
fn member_events_change_the_members_of_the_room() {
    let (fleet, node, mut redis) = one();
    let mut ana = fleet.client(&node, "ana");
    ana.join("12");
    let mut event = |kind: &str| {
        let event = json!({ "type": kind, "user_id": 9, "channel_id": 12, "timestamp": 1_767_225_600 });
        redis.publish("channel:12:events", &event.to_string());
    };
    event("channel.member.join");
    assert_eq!(ana.next("member_added")["payload"]["user_id"], "9");
    event("channel.member.leave");
    assert_eq!(ana.next("member_removed")["payload"]["user_id"], "9");
    // Within one second, by a clock that knows no finer time.
    event("channel.member.join");
    assert_eq!(ana.next("member_added")["payload"]["user_id"], "9");
}

#[test]
fn a_notification_is_a_record_of_its_users_inbox() {
    let (fleet, node, mut redis) = one();
    let data = json!({ "type": "mention", "title": "Ana", "message": "said your name" });
    let frame =
        json!({ "id": "n-1", "type": "user.notification", "data": data, "timestamp": 1, "user_id": "7" });
    let other = json!({ "title": "Bo" });
    for message in [&frame, &frame, &other] {
        redis.publish("user:7:notifications", &message.to_string());
    }
    until("both are kept", || figure(&node, "taken_in_total") == 3);
    let mut user = fleet.client(&node, "7");
    user.say(r#"{"type":"get_history","id":"h","payload":{"room_id":"user:7","limit":10}}"#);
    user.join("user:7");
    user.say(r#"{"type":"get_history","id":"h","payload":{"room_id":"user:7","limit":10}}"#);
    let history = user.next("history");
    let told = history["payload"]["messages"].as_array().expect("messages").iter();
    let told: Vec<&Value> = told.map(|message| &message["payload"]).collect();
    assert_eq!(told, [&data, &other], "{history}");
}

/// Poison is put aside and said, and what comes behind it is not kept waiting.
#[test]
fn what_cannot_be_taken_is_a_dead_letter_and_blocks_nothing() {
    let (fleet, node, mut redis) = one();
    let mut ana = fleet.client(&node, "ana");
    ana.join("12");
    redis.publish("chat:channel:12", "{");
    redis.publish("chat:channel:12", r#"{"text":7}"#);
    channel_message(&mut redis, "12", "long", &"x".repeat(4001));
    redis.publish("ws:broadcast", r#"{"type":"new_message","payload":{"content":"x"}}"#);
    redis.publish("ws:broadcast", &"x".repeat(65_537));
    channel_message(&mut redis, "12", "good", "good");
    assert_eq!(heard(&mut ana)[0], "good");
    let mut letters = Vec::new();
    until("five letters", || {
        letters = redis.texts(&["LRANGE", "kulkul:bridge:dead-letters", "0", "-1"]);
        letters.len() == 5
    });
    assert_eq!(figure(&node, "dead_letters_total"), 5);
    let letters: Vec<Value> = letters.iter().map(|it| serde_json::from_str(it).expect("JSON")).collect();
    let of = |reason: &str| {
        let found = letters.iter().find(|it| it["reason"].as_str().is_some_and(|it| it.contains(reason)));
        found.unwrap_or_else(|| panic!("no {reason} among {letters:?}"))
    };
    let (refused, unread) = (of("InvalidPayload"), of("no JSON"));
    assert_eq!((&refused["origin"], &refused["attempt"]), (&"chat:channel:12".into(), &1.into()));
    assert_eq!((&unread["message"], &unread["attempt"]), (&"{".into(), &0.into()));
    of("`data.text`");
    of("`room` is missing");
    of("has 65537 bytes");
    node.until_log("a message of Redis is not taken");
}

#[test]
fn every_room_gets_its_messages_in_the_order_in_which_they_were_published() {
    let (fleet, node, mut redis) = one();
    let rooms = ["a", "b", "c", "d"];
    let mut client = fleet.client(&node, "ana");
    rooms.iter().for_each(|room| drop(client.join(room)));
    for number in 0..100 {
        for room in rooms {
            channel_message(&mut redis, room, &number.to_string(), &number.to_string());
        }
    }
    let mut next = [0; 4];
    for _ in 0..400 {
        let message = client.next("new_message");
        let room = rooms.iter().position(|room| message["room"] == **room).expect("one of them");
        assert_eq!(message["payload"]["content"], next[room].to_string(), "in {message}");
        next[room] += 1;
    }
}

/// Clients are served without it, and everybody who looks is told.
#[test]
fn a_redis_that_is_away_opens_the_circuit_and_closes_it_when_it_is_back() {
    let mut fleet = Fleet::on_redis();
    let url = format!("redis://{}", fleet.broker.address);
    let settings = [("KULKUL_REDIS_BRIDGE__URL", url.as_str()), ("KULKUL_REDIS_BRIDGE__LEASE", "1s")];
    let node = Server::spawn(&settings, &["--config", &fleet.config(), "--engine", "disk"]);
    until("the node reads", || reads(&node));
    let mut ana = fleet.client(&node, "ana");
    ana.join("12");
    fleet.broker.kill();
    until("the circuit is open", || figure(&node, "circuit_open") == 1);
    let (status, says) = node.get("/ready");
    assert_eq!((status, says.starts_with("ready\nbridge redis is away: ")), (200, true), "{says}");
    let (_, stats) = node.ask_operator("GET /stats", "");
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    assert_eq!(stats["bridges"]["redis"]["circuit_open"], 1, "{stats}");
    assert!(stats["bridges"]["redis"]["away"].is_string(), "{stats}");
    ana.say(r#"{"type":"send_message","room":"12","id":"c","payload":{"content":"meanwhile"}}"#);
    ana.next("ack");
    fleet.broker.begin();
    until("the node reads again", || figure(&node, "circuit_open") == 0 && reads(&node));
    assert_eq!(node.get("/ready").1, "ready\n");
    let mut redis = Redis::connect(fleet.broker.address);
    channel_message(&mut redis, "12", "m-1", "after");
    assert_eq!(heard(&mut ana)[0], "after");
}
