//! The relay channel in a mixed fleet: a plain client of Redis plays the part of seed 002's servers.

use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::redis::Redis;
use crate::support::Client;
use crate::{channel_message, figure, heard, node, one, reads, until};

fn envelope(content: &str, more: Value) -> String {
    let mut envelope = json!({ "type": "new_message", "room": "general", "payload": { "content": content },
        "sender": { "id": "9", "name": "Cy" }, "timestamp": "2026-01-01T10:00:00.123456789Z" });
    for (name, value) in more.as_object().expect("an object") {
        envelope[name] = value.clone();
    }
    envelope.to_string()
}

fn say(client: &mut Client, text: &str) -> Value {
    let frame = json!({ "type": "send_message", "room": "general", "id": text, "payload": { "content": text, "free": [1] } });
    client.say(&frame.to_string());
    client.next("ack")
}

#[test]
fn what_other_servers_relay_is_said_in_the_room_once_and_is_not_sent_back() {
    let (fleet, node, mut redis) = one();
    let mut ear = Redis::on(fleet.broker.address, "ws:broadcast");
    let mut ana = fleet.client(&node, "ana");
    ana.join("general");
    // Without an id it is told by all its bytes; by its id it is the same whatever else it says.
    redis.publish("ws:broadcast", &envelope("plain", json!({})));
    redis.publish("ws:broadcast", &envelope("plain", json!({})));
    redis.publish("ws:broadcast", &envelope("typing", json!({ "type": "user_typing" })));
    redis.publish("ws:broadcast", &envelope("named", json!({ "type": "send_message", "id": "c-17" })));
    redis.publish("ws:broadcast", &envelope("again", json!({ "id": "c-17" })));
    redis.publish("ws:broadcast", &envelope("last", json!({ "kulkul-origin": "another deployment" })));
    for content in ["plain", "named", "last"] {
        assert_eq!(heard(&mut ana), json!([content, "9", "Cy"]));
    }
    say(&mut ana, "ours");
    let told: Vec<Value> = (0..7).map(|_| ear.message()["payload"]["content"].clone()).collect();
    assert_eq!(told, ["plain", "plain", "typing", "named", "again", "last", "ours"], "nothing comes back");
}

#[test]
fn a_message_of_ours_is_published_as_an_envelope_and_never_heard_as_an_echo() {
    let (fleet, node, _) = one();
    let mut ear = Redis::on(fleet.broker.address, "ws:broadcast");
    let (mut ana, mut bo) = (fleet.client(&node, "ana"), fleet.client(&node, "bo"));
    ana.join("general");
    bo.join("general");
    let ack = say(&mut ana, "hello");
    let envelope = ear.message();
    let keys: Vec<&str> = envelope.as_object().expect("an object").keys().map(String::as_str).collect();
    assert_eq!(keys, ["id", "kulkul-origin", "payload", "room", "sender", "timestamp", "type"]);
    assert_eq!(envelope["type"], "new_message");
    assert_eq!((&envelope["room"], &envelope["kulkul-origin"]), (&"general".into(), &"kulkul".into()));
    assert_eq!(envelope["payload"], json!({ "content": "hello", "free": [1] }));
    assert_eq!(envelope["sender"]["id"], "ana");
    assert_eq!(envelope["id"], ack["payload"]["message_id"]);
    until("the echo came and was skipped", || figure(&node, "own_skipped_total") == 1);
    // A reaction is news of a message, and none itself.
    let reaction = json!({ "type": "add_reaction", "room": "general", "id": "r", "payload": { "message_id": ack["payload"]["message_id"], "reaction": "+" } });
    ana.say(&reaction.to_string());
    ana.next("ack");
    say(&mut ana, "second");
    assert_eq!(ear.message()["payload"]["content"], "second");
    assert_eq!(bo.next("new_message")["payload"]["content"], "hello");
    assert_eq!(bo.next("new_message")["payload"]["content"], "second");
}

/// Whoever listens in Redis is neither of the two, and a member of nothing.
#[test]
fn rooms_of_two_and_private_rooms_are_not_told_and_rooms_of_two_are_not_spoken_into() {
    let (fleet, node, mut redis) = one();
    let mut ear = Redis::on(fleet.broker.address, "ws:broadcast");
    let mut ana = fleet.client(&node, "ana");
    let ask = |client: &mut Client, kind: &str, room: &str, payload: Value| {
        let id = format!("{room} {payload}");
        client.say(&json!({ "type": kind, "room": room, "id": id, "payload": payload }).to_string());
        client.next("ack");
    };
    ask(&mut ana, "create_room", "secret", json!({ "title": "Secret", "access": "private" }));
    ask(&mut ana, "create_room", "plans", json!({ "title": "Plans" }));
    for room in ["secret", "plans", "direct:ana:bo", "general"] {
        ana.join(room);
    }
    ask(&mut ana, "send_message", "secret", json!({ "content": "private" }));
    ask(&mut ana, "send_message", "direct:ana:bo", json!({ "content": "for two" }));
    ask(&mut ana, "send_message", "plans", json!({ "content": "open" }));
    assert_eq!(ear.message()["payload"]["content"], "open");
    ask(&mut ana, "change_room", "plans", json!({ "access": "private" }));
    ask(&mut ana, "send_message", "plans", json!({ "content": "private by now" }));
    ask(&mut ana, "send_message", "general", json!({ "content": "last" }));
    assert_eq!(ear.message()["payload"]["content"], "last");
    redis.publish("ws:broadcast", &envelope("from a third", json!({ "room": "direct:ana:bo" })));
    channel_message(&mut redis, "direct:ana:bo", "m-1", "from a third");
    until("both are dead letters", || figure(&node, "dead_letters_total") == 2);
    assert_eq!(figure(&node, "taken_in_total"), 0);
}

#[test]
fn two_nodes_publish_each_message_once_and_one_of_them_reads() {
    let fleet = Fleet::on_redis();
    let (one, two) = (node(&fleet, &[]), node(&fleet, &[]));
    until("one of them reads, and both hear", || {
        figure(&one, "listening") + figure(&two, "listening") == 2
            && figure(&one, "holds_lease") + figure(&two, "holds_lease") == 1
    });
    assert!(reads(&one) != reads(&two));
    let mut ear = Redis::on(fleet.broker.address, "ws:broadcast");
    let mut redis = Redis::connect(fleet.broker.address);
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    let (mut near, mut far) = (fleet.client(&one, "near"), fleet.client(&two, "far"));
    for client in [&mut ana, &mut bo, &mut near, &mut far] {
        client.join("general");
    }
    for number in 0..20 {
        say(&mut ana, &format!("ana {number}"));
        say(&mut bo, &format!("bo {number}"));
        redis.publish("ws:broadcast", &envelope(&format!("cy {number}"), json!({ "id": number })));
    }
    let mut told: Vec<String> =
        (0..60).map(|_| ear.message()["payload"]["content"].as_str().expect("text").to_owned()).collect();
    let by = |name: &str| told.iter().filter(|it| it.starts_with(name)).cloned().collect::<Vec<_>>();
    for name in ["ana", "bo", "cy"] {
        assert_eq!(by(name), (0..20).map(|number| format!("{name} {number}")).collect::<Vec<_>>());
    }
    redis.publish("ws:broadcast", &envelope("end", json!({ "id": "end" })));
    told = vec![ear.message()["payload"]["content"].as_str().expect("text").to_owned()];
    assert_eq!(told, ["end"], "nothing was published twice");
    for client in [&mut near, &mut far] {
        let mut heard: Vec<String> = Vec::new();
        while heard.last().is_none_or(|last| last != "end") {
            let content = client.next("new_message")["payload"]["content"].clone();
            heard.push(content.as_str().expect("text").to_owned());
        }
        for name in ["ana", "bo", "cy"] {
            let by: Vec<&String> = heard.iter().filter(|it| it.starts_with(name)).collect();
            assert_eq!(by.len(), 20, "each once: {heard:?}");
        }
        assert_eq!(heard.len(), 61, "and nothing else: {heard:?}");
    }
}
