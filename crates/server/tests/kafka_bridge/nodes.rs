//! Several nodes of one group.

use std::collections::BTreeMap;
use std::time::Duration;

use nix::sys::signal::Signal;
use rdkafka::consumer::{BaseConsumer, Consumer};

use crate::fleet::Fleet;
use crate::kafka::{Kafka, broker_with};
use crate::support::Server;
use crate::{Place, assert_complete, bridge, contents, figure, message, until};

pub(crate) fn fleet(bridge: &str) -> Fleet {
    let fleet = Fleet::on_redis();
    let config = std::fs::read_to_string(fleet.config()).expect("written");
    let config = config.replace(r#"["publish", "everybody"]"#, r#"["publish", "everybody", "history"]"#);
    std::fs::write(fleet.config(), format!("{config}{bridge}")).expect("written");
    fleet
}

fn share(nodes: &[&Server]) -> Vec<u64> {
    nodes.iter().map(|node| figure(node, "partitions")).collect()
}

/// Seed 000, defect 4: a group gives each record to one node, and its clients were the only ones to hear it.
#[test]
fn a_record_that_one_node_reads_is_heard_by_the_clients_of_all() {
    let kafka = Kafka::shared();
    kafka.create("heard", 2);
    let fleet = fleet(&bridge(&kafka.brokers, "heard", false));
    let (one, two) = (fleet.node(), fleet.node());
    until("both have a partition", || share(&[&one, &two]) == [1, 1]);
    let (mut ana, mut bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    for client in [&mut ana, &mut bo] {
        for room in 0..8 {
            client.join(&format!("room-{room}"));
        }
    }
    for room in 0..8 {
        let room = format!("room-{room}");
        kafka.put("heard", Some(&room), &message(&room, "hello"));
    }
    kafka.flush();
    for client in [&mut ana, &mut bo] {
        let mut rooms: Vec<String> =
            (0..8).map(|_| client.next("new_message")["room"].as_str().expect("a room").to_owned()).collect();
        rooms.sort();
        assert_eq!(rooms, (0..8).map(|room| format!("room-{room}")).collect::<Vec<_>>());
    }
    assert!(figure(&one, "taken_in_total") > 0 && figure(&two, "taken_in_total") > 0);
}

/// librdkafka keeps in mind that a partition is paused, whoever has it meanwhile.
#[test]
fn partitions_that_were_paused_when_they_were_given_out_anew_are_read_on() {
    let broker = broker_with("\nauto.create.topics.enable=false\n", &[]);
    let kafka = Kafka::at(&broker.address.to_string());
    kafka.create("parked", 2);
    let place = Place::new(&bridge(&kafka.brokers, "parked", false));
    let node = place.reading(2);
    // Their letters have no topic, and each is tried for minutes: what stands behind them waits.
    (0..12_000).for_each(|number| kafka.put("parked", Some(&number.to_string()), "{"));
    kafka.flush();
    until("too much waits", || figure(&node, "partitions_paused") == 2);
    let mut config = crate::kafka::config(&kafka.brokers);
    config.set("group.id", "group of parked").set("enable.auto.commit", "false");
    let another: BaseConsumer = config.create().expect("a consumer");
    another.subscribe(&["parked"]).expect("a topic");
    until("another one has its share", || {
        // Callbacks are served; what it reads it neither does nor commits.
        drop(another.poll(Duration::from_millis(10)));
        figure(&node, "partitions") == 1
    });
    drop(another);
    kafka.create("parked.dead-letters", 1);
    until("all are letters", || figure(&node, "dead_letters_total") >= 12_000);
    until("no lag is left", || figure(&node, "lag") == 0 && figure(&node, "waiting") == 0);
    assert_eq!((figure(&node, "partitions"), figure(&node, "partitions_paused")), (2, 0));
}

#[test]
fn three_nodes_then_two_then_three_lose_nothing_and_take_nothing_twice() {
    let kafka = Kafka::shared();
    kafka.create("rebalanced", 6);
    let fleet = fleet(&bridge(&kafka.brokers, "rebalanced", false));
    let (one, two, three) = (fleet.node(), fleet.node(), fleet.node());
    until("each has two partitions", || share(&[&one, &two, &three]) == [2, 2, 2]);
    let mut rooms = BTreeMap::new();
    let mut put = |count: usize| {
        for number in 0..count {
            let room = format!("room-{}", number % 30);
            let nth: &mut usize = rooms.entry(room.clone()).or_default();
            kafka.put("rebalanced", Some(&room), &message(&room, &nth.to_string()));
            *nth += 1;
        }
    };
    put(1500);
    until("all are at work", || [&one, &two, &three].iter().all(|node| figure(node, "taken_in_total") > 20));
    // One is killed, and the others take its partitions when its session ends.
    three.signal(Signal::SIGKILL);
    three.wait();
    put(1500);
    until("two have them all", || share(&[&one, &two]).iter().sum::<u64>() == 6);
    put(1500);
    let three = fleet.node();
    until("three share them again", || share(&[&one, &two, &three]) == [2, 2, 2]);
    put(1500);
    // And one leaves in peace.
    two.signal(Signal::SIGTERM);
    assert!(two.wait().success());
    put(1500);
    kafka.flush();
    until("all is in its room", || rooms.iter().all(|(room, count)| contents(&one, room).len() >= *count));
    assert_complete(&one, &rooms);
    for node in [&one, &three] {
        assert_eq!((figure(node, "dead_letters_total"), figure(node, "partitions")), (0, 3));
    }
}
