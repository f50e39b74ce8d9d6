//! What goes out: all that was said, at least once and in order, and none of it back in.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::nats::{Found, Nats, broker};
use crate::support::Client;
use crate::{Place, SOURCE, bridge, contents, figure, message, numbers, until, url};

fn sink(subject: &str) -> String {
    format!("[[nats_bridge.sinks]]\nrooms = \"chat:*\"\nsubject = \"{subject}\"\n")
}

fn say(client: &mut Client, content: &str) -> Value {
    let frame =
        json!({ "type": "send_message", "room": "a", "id": content, "payload": { "content": content } });
    client.say(&frame.to_string());
    client.next("ack")
}

/// As a reader does that reads at least once: by the room and the position that it has seen.
fn each_once(found: &[Found]) -> Vec<String> {
    let mut seen = BTreeSet::new();
    let place = |it: &Found| (it.header("kulkul-room").to_owned(), it.header("kulkul-position").to_owned());
    let content = |it: &Found| it.json()["payload"]["content"].as_str().expect("a text").to_owned();
    found.iter().filter(|it| seen.insert(place(it))).map(content).collect()
}

#[test]
fn what_is_said_leaves_under_its_own_id_and_does_not_come_back() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let place = Place::new(&(bridge(&broker) + &sink("said.{name}")));
    let node = place.reading(1);
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    nats.put("said.a", &message("theirs"));
    until("theirs is taken", || figure(&node, "taken_in_total") == 1);
    let acks: Vec<Value> = (0..20).map(|number| say(&mut ana, &number.to_string())).collect();
    until("ours came back and were skipped", || figure(&node, "own_skipped_total") == 20);
    let found = nats.all("SAID");
    assert_eq!(found.len(), 21, "what came from NATS does not go back there");
    for (found, ack) in found[1..].iter().zip(&acks) {
        let value = found.json();
        assert_eq!((&value["type"], &value["room"]), (&"new_message".into(), &"chat:a".into()));
        assert_eq!((&value["id"], &value["sender"]["id"]), (&ack["payload"]["message_id"], &"ana".into()));
        let position = value["id"].as_str().expect("an id");
        assert_eq!(found.header("kulkul-position"), position);
        assert_eq!((found.header("kulkul-origin"), found.header("kulkul-room")), ("kulkul", "chat:a"));
        assert_eq!(found.header("Nats-Msg-Id"), format!("kulkul chat:a {position}"));
    }
    assert_eq!(contents(&node, "a").len(), 21);
}

/// Nothing names it, and no stream has it.
#[test]
fn what_was_heard_by_a_plain_subject_does_not_leave_either() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("OUT", &["out.*"], &json!({}));
    let plain = SOURCE.replace("durable = \"chat\"\nfrom = \"all\"", "plain = true");
    let place =
        Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{plain}{}", url(&broker), sink("out.{name}")));
    let node = place.reading(1);
    until("it is heard", || {
        nats.say("said.a", &message("theirs"));
        figure(&node, "taken_in_total") > 0
    });
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    say(&mut ana, "ours");
    // Behind theirs in the room, and so behind it here.
    until("ours has left", || !nats.all("OUT").is_empty());
    assert_eq!(each_once(&nats.all("OUT")), ["ours"]);
}

#[test]
fn what_was_said_while_nats_was_away_and_before_a_kill_leaves_afterwards_in_order() {
    let mut broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("OUT", &["out.>"], &json!({}));
    let place =
        Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{}", url(&broker), sink("out.{name}.{kind}")));
    let node = place.node();
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    (0..10).for_each(|number| drop(say(&mut ana, &number.to_string())));
    until("ten have left", || figure(&node, "produced_total") == 10);
    broker.kill();
    (10..30).for_each(|number| drop(say(&mut ana, &number.to_string())));
    until("it is seen", || figure(&node, "circuit_open") == 1);
    node.signal(Signal::SIGKILL);
    node.wait();
    broker.begin();
    let nats = Nats::at(&broker);
    let node = place.node();
    // Nobody is in the room, and nobody joins it.
    until("all have left", || nats.all("OUT").len() >= 30);
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    (30..40).for_each(|number| drop(say(&mut ana, &number.to_string())));
    until("the rest has left", || nats.all("OUT").len() >= 40);
    let found = nats.all("OUT");
    assert_eq!(each_once(&found), numbers(0..40));
    assert_eq!(found.len(), 40, "what is stored twice within five minutes the server knows by its id");
    assert!(found.iter().all(|it| it.subject == "out.a.new_message"));
}

#[test]
fn a_subject_that_no_stream_has_is_said_and_its_rooms_wait_until_it_has_one() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let place = Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{}", url(&broker), sink("out.{name}")));
    let node = place.node();
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    (0..5).for_each(|number| drop(say(&mut ana, &number.to_string())));
    until("it is shown", || node.get("/ready").1.contains("no stream takes it"));
    assert_eq!((node.get("/ready").0, figure(&node, "circuit_open")), (200, 0));
    nats.stream("OUT", &["out.*"], &json!({}));
    until("all have left", || nats.all("OUT").len() == 5);
    assert_eq!(each_once(&nats.all("OUT")), numbers(0..5));
    until("nothing is amiss", || figure(&node, "refused") == 0);
}

/// The server forgets ids, and what waits may wait for longer.
#[test]
fn what_has_left_leaves_no_second_time_while_what_is_behind_it_waits() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("FREE", &["free.*"], &json!({ "duplicate_window": 100_000_000 }));
    let place = Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{}", url(&broker), sink("{topic}.{name}")));
    let node = place.node();
    let mut ana = place.client(&node, &["ana"]);
    ana.join("a");
    for (number, topic) in ["free", "free", "shut", "free"].into_iter().enumerate() {
        let payload = json!({ "content": number.to_string(), "topic": topic });
        ana.say(
            &json!({ "type": "send_message", "room": "a", "id": number.to_string(), "payload": payload })
                .to_string(),
        );
        ana.next("ack");
    }
    until("two have left", || figure(&node, "produced_total") == 2);
    until("the third waits", || node.get("/ready").1.contains("shut.a: no stream takes it"));
    nats.stream("SHUT", &["shut.*"], &json!({}));
    until("all have left", || figure(&node, "produced_total") == 4);
    assert_eq!(
        (each_once(&nats.all("FREE")), nats.all("FREE").len()),
        (vec!["0".into(), "1".into(), "3".into()], 3)
    );
    assert_eq!(each_once(&nats.all("SHUT")), ["2"]);
}
