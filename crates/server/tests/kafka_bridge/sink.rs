//! What goes out: all that was said, at least once and in order, and none of it back in.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::kafka::{Found, Kafka, broker, broker_with};
use crate::nodes::fleet;
use crate::support::Client;
use crate::{Place, bridge, contents, figure, message, until};

fn with_sink(brokers: &str, source: &str, sink: &str) -> String {
    let sink = format!("[[kafka_bridge.sinks]]\nrooms = \"chat:*\"\ntopic = \"{sink}\"\n");
    bridge(brokers, source, false) + &sink
}

fn say(client: &mut Client, room: &str, content: &str) -> Value {
    let frame =
        json!({ "type": "send_message", "room": room, "id": content, "payload": { "content": content } });
    client.say(&frame.to_string());
    client.next("ack")
}

fn content(found: &Found) -> String {
    let value: Value = serde_json::from_str(&found.value).expect("JSON");
    value["payload"]["content"].as_str().expect("a text").to_owned()
}

/// As a consumer does that reads at least once: by the room and the position that it has seen.
fn each_once(found: &[Found]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let place = |it: &Found| (it.header("kulkul-room").to_owned(), it.header("kulkul-position").to_owned());
    found.iter().filter(|it| seen.insert(place(it))).map(content).collect()
}

/// Seed 000, defects 5 and 6: its servers heard their own messages again, and without a key in any order.
#[test]
fn what_is_said_leaves_with_its_place_and_a_key_and_does_not_come_back() {
    let kafka = Kafka::shared();
    kafka.create("both-ways", 3);
    let place = Place::new(&with_sink(&kafka.brokers, "both-ways", "both-ways"));
    let node = place.reading(3);
    let mut ana = place.client(&node, "ana");
    ana.join("general");
    kafka.put("both-ways", Some("x"), &message("general", "theirs"));
    kafka.flush();
    until("theirs is taken", || figure(&node, "taken_in_total") == 1);
    let acks: Vec<Value> = (0..20).map(|number| say(&mut ana, "general", &number.to_string())).collect();
    until("ours came back and were skipped", || figure(&node, "own_skipped_total") == 20);
    let found = kafka.all("both-ways", 21);
    let ours: Vec<&Found> = found.iter().filter(|it| it.key.as_deref() == Some("general")).collect();
    assert_eq!(ours.len(), 20, "what came from Kafka does not go back there");
    for (found, ack) in ours.iter().zip(&acks) {
        let value: Value = serde_json::from_str(&found.value).expect("JSON");
        assert_eq!((&value["type"], &value["room"]), (&"new_message".into(), &"chat:general".into()));
        assert_eq!((&value["id"], &value["sender"]["id"]), (&ack["payload"]["message_id"], &"ana".into()));
        assert_eq!(found.header("kulkul-position"), value["id"].as_str().expect("an id"));
        assert_eq!((found.header("kulkul-origin"), found.header("kulkul-room")), ("kulkul", "chat:general"));
    }
    let said = contents(&node, "general");
    assert_eq!(said.len(), 21, "{said:?}");
    assert_eq!(figure(&node, "dead_letters_total"), 0);
}

#[test]
fn what_was_said_while_kafka_was_away_and_before_a_kill_leaves_afterwards() {
    let mut broker = broker();
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("in", 1);
    kafka.create("out", 2);
    let place = Place::new(&with_sink(&kafka.brokers, "in", "out"));
    let node = place.reading(1);
    let mut ana = place.client(&node, "ana");
    ana.join("general");
    (0..10).for_each(|number| drop(say(&mut ana, "general", &number.to_string())));
    until("ten have left", || figure(&node, "produced_total") == 10);
    broker.kill();
    (10..30).for_each(|number| drop(say(&mut ana, "general", &number.to_string())));
    node.signal(Signal::SIGKILL);
    node.wait();
    broker.begin();
    let node = place.reading(1);
    // Nobody is in the room, and nobody joins it.
    until("all have left", || each_once(&kafka.all("out", 10)).len() == 30);
    let mut ana = place.client(&node, "ana");
    ana.join("general");
    (30..40).for_each(|number| drop(say(&mut ana, "general", &number.to_string())));
    until("the rest has left", || each_once(&kafka.all("out", 30)).len() == 40);
    let expected: Vec<String> = (0..40).map(|number| number.to_string()).collect();
    assert_eq!(each_once(&kafka.all("out", 40)), expected, "in order");
}

#[test]
fn of_two_nodes_the_steward_sends_and_the_other_goes_on_when_it_is_killed() {
    let kafka = Kafka::shared();
    kafka.create("fleet-in", 2);
    kafka.create("fleet-out", 1);
    let fleet = fleet(&with_sink(&kafka.brokers, "fleet-in", "fleet-out"));
    let (one, two) = (fleet.node(), fleet.node());
    until("both read", || figure(&one, "partitions") + figure(&two, "partitions") == 2);
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    let rooms: Vec<String> = (0..16).map(|room| format!("room-{room}")).collect();
    for room in &rooms {
        ana.join(room);
        bo.join(room);
        say(&mut ana, room, &format!("{room} from ana"));
        say(&mut bo, room, &format!("{room} from bo"));
    }
    until("all have left", || each_once(&kafka.all("fleet-out", 1)).len() == 32);
    assert!(figure(&one, "produced_total") > 0 && figure(&two, "produced_total") > 0, "each its own rooms");
    for room in &rooms {
        say(&mut bo, room, &format!("{room} at last"));
    }
    one.signal(Signal::SIGKILL);
    one.wait();
    until("the rest has left", || each_once(&kafka.all("fleet-out", 32)).len() == 48);
    let all = each_once(&kafka.all("fleet-out", 48));
    for room in &rooms {
        let of_room: Vec<&String> = all.iter().filter(|it| it.starts_with(&format!("{room} "))).collect();
        assert_eq!(
            of_room,
            [&format!("{room} from ana"), &format!("{room} from bo"), &format!("{room} at last")]
        );
    }
}

/// Of what leaves together with it, nothing else is left out.
#[test]
fn a_message_that_brokers_do_not_take_is_left_out_alone() {
    let kafka = Kafka::shared();
    kafka.create("large-in", 1);
    kafka.create_with("large-out", 1, &[("max.message.bytes", "2000")]);
    let place = Place::new(&with_sink(&kafka.brokers, "large-in", "large-out"));
    let node = place.reading(1);
    let mut ana = place.client(&node, "ana");
    ana.join("general");
    let long = "x".repeat(3000);
    let said = ["0", "1", &long, "2", "3", &long[1..], "4"];
    for (number, content) in said.into_iter().enumerate() {
        let frame = json!({ "type": "send_message", "room": "general", "id": number.to_string(),
            "payload": { "content": content } });
        ana.say(&frame.to_string());
    }
    until("the rest has left", || each_once(&kafka.all("large-out", 0)).len() == 5);
    until("two are left out", || figure(&node, "left_out_total") == 2);
    assert_eq!(each_once(&kafka.all("large-out", 5)), ["0", "1", "2", "3", "4"]);
    node.until_log("a message is left out");
    assert!(node.log().contains("chat:general"), "{}", node.log());
    assert_eq!((figure(&node, "failures_total"), figure(&node, "circuit_open")), (0, 0));
    say(&mut ana, "general", "at last");
    until("it goes on", || each_once(&kafka.all("large-out", 5)).len() == 6);
}

#[test]
fn a_topic_that_is_not_there_stops_its_own_rooms_alone_and_they_leave_when_it_is() {
    // More than are asked at a time.
    const ROOMS: usize = 80;
    let broker = broker_with("\nauto.create.topics.enable=false\n", &[]);
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("some-in", 1);
    kafka.create("some-out", 1);
    let missing = "[[kafka_bridge.sinks]]\nrooms = \"chat:lost-*\"\ntopic = \"missing\"\n";
    let there = "[[kafka_bridge.sinks]]\nrooms = \"chat:*\"\ntopic = \"some-out\"\n";
    let place = Place::new(&(bridge(&kafka.brokers, "some-in", false) + missing + there));
    let node = place.reading(1);
    let publish = |room: &str| {
        let message =
            json!({ "room": format!("chat:{room}"), "type": "send_message", "payload": { "content": room } });
        let (status, told) = node.ask_operator("POST /api/publish", &message.to_string());
        assert_eq!(status, 200, "{told}");
    };
    (0..ROOMS).for_each(|room| publish(&format!("lost-{room}")));
    until("it is said", || node.log().contains("is not there, or not for us"));
    publish("general");
    until("it leaves", || figure(&node, "produced_total") == 1);
    let (status, ready) = node.get("/ready");
    assert!(status == 200 && ready.contains("missing"), "{ready}");
    kafka.create("missing", 1);
    until("what waited leaves", || figure(&node, "produced_total") == ROOMS as u64 + 1);
    until("nothing is amiss", || !node.get("/ready").1.contains("missing"));
    assert!(!node.log().contains("Kafka is away"), "{}", node.log());
}
