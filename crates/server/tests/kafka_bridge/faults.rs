//! Nodes that are killed and brokers that are away: what was produced is in its room once.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;

use crate::kafka::{Kafka, broker};
use crate::{Place, assert_complete, bridge, contents, figure, message, until};

#[test]
fn killed_between_append_and_commit_it_has_every_message_once() {
    let kafka = Kafka::shared();
    kafka.create("killed", 2);
    let place = Place::new(&bridge(&kafka.brokers, "killed", false));
    let (mut rooms, mut asked) = (BTreeMap::new(), 0);
    let mut node = place.reading(2);
    for life in 0..4 {
        for number in 0..2000 {
            let room = format!("room-{}", number % 40);
            let nth: &mut usize = rooms.entry(room.clone()).or_default();
            kafka.put("killed", Some(&room), &message(&room, &nth.to_string()));
            *nth += 1;
        }
        if life == 3 {
            break;
        }
        // In the middle of what it was given: much is stored, and not all of that is committed.
        until("it is at work", || figure(&node, "taken_in_total") > 200);
        asked += figure(&node, "taken_in_total");
        node.signal(Signal::SIGKILL);
        node.wait();
        // Its partitions are its own until its session ends; the next life waits for that.
        node = place.reading(2);
    }
    kafka.flush();
    until("no lag is left", || {
        rooms.iter().all(|(room, count)| contents(&node, room).len() >= *count)
            && figure(&node, "waiting") == 0
    });
    asked += figure(&node, "taken_in_total");
    assert_complete(&node, &rooms);
    assert!(asked > 8000, "{asked} askings: no life was killed between an append and its commit");
    assert_eq!(figure(&node, "dead_letters_total"), 0);
}

#[test]
fn a_broker_that_is_away_opens_the_circuit_and_nothing_is_lost_when_it_is_back() {
    let mut broker = broker();
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("away", 2);
    let place = Place::new(&bridge(&kafka.brokers, "away", false));
    let node = place.reading(2);
    let put = |numbers: std::ops::Range<usize>| {
        numbers
            .for_each(|number| kafka.put("away", Some("general"), &message("general", &number.to_string())));
    };
    put(0..500);
    kafka.flush();
    until("some are taken", || figure(&node, "taken_in_total") > 100);
    broker.kill();
    until("the circuit is open", || figure(&node, "circuit_open") == 1);
    let (status, ready) = node.get("/ready");
    assert!(status == 200 && ready.contains("bridge kafka is away"), "{ready}");
    // Rooms are not touched by it.
    let mut ana = place.client(&node, "ana");
    ana.join("other");
    ana.say(r#"{"type":"send_message","room":"other","id":"1","payload":{"content":"here"}}"#);
    ana.next("ack");
    broker.begin();
    until("the circuit is closed", || figure(&node, "circuit_open") == 0);
    put(500..1000);
    kafka.flush();
    until("all is in the room", || contents(&node, "general").len() >= 1000);
    let complete = BTreeMap::from([("general".to_owned(), 1000)]);
    assert_complete(&node, &complete);
    until("no lag is left", || figure(&node, "lag") == 0);
}

/// Nobody serves what it reads, and nothing of it is lost or dead: Kafka keeps it.
#[test]
fn a_node_that_starts_without_its_broker_reads_when_that_is_there() {
    let mut broker = broker();
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("late", 1);
    let place = Place::new(&bridge(&kafka.brokers, "late", false));
    let node = place.reading(1);
    node.signal(Signal::SIGTERM);
    assert!(node.wait().success());
    kafka.put("late", None, &message("general", "0"));
    kafka.flush();
    broker.kill();
    let node = place.node();
    assert_eq!(node.get("/ready").0, 200);
    until("it is seen that nobody answers", || figure(&node, "failures_total") > 0);
    broker.begin();
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    assert_eq!(contents(&node, "general"), ["0"]);
    let since = std::time::Instant::now();
    node.signal(Signal::SIGTERM);
    assert!(node.wait().success() && since.elapsed() < Duration::from_secs(20));
}
