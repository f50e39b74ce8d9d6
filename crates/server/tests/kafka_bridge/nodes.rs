//! Several nodes of one group.

use std::collections::BTreeMap;

use nix::sys::signal::Signal;

use crate::fleet::Fleet;
use crate::kafka::Kafka;
use crate::support::Server;
use crate::{assert_complete, bridge, contents, figure, message, until};

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
