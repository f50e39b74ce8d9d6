//! On librdkafka's own mock of a cluster, which can be told to fail: what needs no broker on the machine.

use std::collections::BTreeMap;
use std::time::Duration;

use rdkafka::mocking::MockCluster;
use rdkafka::producer::DefaultProducerContext;
use rdkafka::types::{RDKafkaApiKey, RDKafkaRespErr};

use crate::kafka::Kafka;
use crate::{Place, assert_complete, bridge, figure, message, until};

type Mock = MockCluster<'static, DefaultProducerContext>;

fn cluster(topics: &[(&str, i32)]) -> (Mock, Kafka) {
    let mock = MockCluster::new(2).expect("a cluster");
    for (topic, partitions) in topics {
        mock.create_topic(topic, *partitions, 1).expect("a topic");
    }
    let kafka = Kafka::at(mock.bootstrap_servers().split(',').next().expect("a broker"));
    (mock, kafka)
}

fn put(kafka: &Kafka, rooms: &mut BTreeMap<String, usize>, count: usize) {
    for number in 0..count {
        let room = format!("room-{}", number % 20);
        let nth: &mut usize = rooms.entry(room.clone()).or_default();
        kafka.put("mocked", Some(&room), &message(&room, &nth.to_string()));
        *nth += 1;
    }
    kafka.flush();
}

#[test]
fn records_become_messages_and_poison_becomes_letters() {
    let (_mock, kafka) = cluster(&[("mocked", 2), ("mocked.dead-letters", 1)]);
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    let node = place.reading(2);
    let mut rooms = BTreeMap::new();
    put(&kafka, &mut rooms, 500);
    kafka.put("mocked", None, "{");
    put(&kafka, &mut rooms, 500);
    until("all is taken", || figure(&node, "taken_in_total") == 1000);
    assert_complete(&node, &rooms);
    until("a letter", || figure(&node, "dead_letters_total") == 1);
    assert_eq!(kafka.all("mocked.dead-letters", 1)[0].value, "{");
}

/// Commits that fail, fetches that fail, a coordinator that moves: once each all the same.
#[test]
fn a_cluster_that_refuses_now_and_then_costs_nothing_but_time() {
    let (mock, kafka) = cluster(&[("mocked", 2)]);
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    let node = place.reading(2);
    let mut rooms = BTreeMap::new();
    put(&kafka, &mut rooms, 200);
    let transport = [RDKafkaRespErr::RD_KAFKA_RESP_ERR__TRANSPORT; 3];
    mock.request_errors(RDKafkaApiKey::Fetch, &transport);
    put(&kafka, &mut rooms, 200);
    mock.request_errors(
        RDKafkaApiKey::OffsetCommit,
        &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_COORDINATOR_LOAD_IN_PROGRESS; 4],
    );
    put(&kafka, &mut rooms, 200);
    mock.request_errors(RDKafkaApiKey::Heartbeat, &[RDKafkaRespErr::RD_KAFKA_RESP_ERR_REBALANCE_IN_PROGRESS]);
    put(&kafka, &mut rooms, 200);
    until("all is in its room", || {
        rooms.iter().all(|(room, count)| crate::contents(&node, room).len() >= *count)
    });
    assert_complete(&node, &rooms);
    // Killed now and begun again, it knows how far it came, or its rooms do.
    node.signal(nix::sys::signal::Signal::SIGKILL);
    node.wait();
    put(&kafka, &mut rooms, 200);
    let node = place.reading(2);
    until("all is in its room", || {
        rooms.iter().all(|(room, count)| crate::contents(&node, room).len() >= *count)
    });
    assert_complete(&node, &rooms);
    assert_eq!(figure(&node, "dead_letters_total"), 0);
}

/// Brokers that refuse the producer its number, which is what it tells repetitions by, stop it for good.
#[test]
fn a_producer_that_was_stopped_for_good_is_made_anew_and_the_letter_arrives() {
    let (mock, kafka) = cluster(&[("mocked", 1), ("mocked.dead-letters", 1)]);
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    // Ours has its number by then, and the refusal is for the node's.
    kafka.put("mocked", None, "before anybody reads");
    kafka.flush();
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_CLUSTER_AUTHORIZATION_FAILED;
    mock.request_errors(RDKafkaApiKey::InitProducerId, &[refused]);
    let node = place.reading(1);
    until("it is made anew", || figure(&node, "producers_renewed_total") == 1);
    kafka.put("mocked", None, "{");
    kafka.flush();
    until("a letter", || figure(&node, "dead_letters_total") == 1);
    assert_eq!(kafka.all("mocked.dead-letters", 1)[0].value, "{");
    assert_eq!(figure(&node, "dead_letters_unkept_total"), 0);
}

/// Brokers that are old enough do not say which cluster they are. What is produced meanwhile is not passed over.
#[test]
fn brokers_without_a_name_are_read_all_the_same() {
    let (mock, kafka) = cluster(&[("mocked", 1)]);
    mock.apiversion(RDKafkaApiKey::Metadata, Some(0), Some(1)).expect("an older one");
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    let node = place.reading(1);
    let mut rooms = BTreeMap::new();
    put(&kafka, &mut rooms, 40);
    until("all is taken", || figure(&node, "taken_in_total") == 40);
    assert_complete(&node, &rooms);
    assert!(node.log().contains("do not say which cluster they are"), "{}", node.log());
}

/// Each question by itself would take longer than a group waits for its members.
#[test]
fn many_partitions_of_slow_brokers_are_begun_within_one_deadline() {
    let (mock, kafka) = cluster(&[("mocked", 100)]);
    for broker in [1, 2] {
        mock.broker_round_trip_time(broker, Duration::from_millis(1500)).expect("slow");
    }
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    let node = place.reading(100);
    assert_eq!(figure(&node, "started_at_end_total"), 100);
}

#[test]
fn a_group_that_we_may_not_be_of_is_said_once_and_shown_until_we_are() {
    let (mock, kafka) = cluster(&[("mocked", 1)]);
    let refused = RDKafkaRespErr::RD_KAFKA_RESP_ERR_GROUP_AUTHORIZATION_FAILED;
    mock.request_errors(RDKafkaApiKey::FindCoordinator, &[refused; 40]);
    let place = Place::new(&bridge(&kafka.brokers, "mocked", false));
    let node = place.node();
    until("it is shown", || node.get("/ready").1.contains("group of mocked"));
    assert_eq!(figure(&node, "circuit_open"), 0);
    mock.clear_request_errors(RDKafkaApiKey::FindCoordinator);
    until("it reads", || figure(&node, "partitions") == 1);
    until("nothing is amiss", || !node.get("/ready").1.contains("group of mocked"));
    assert_eq!(node.log().matches("group of mocked").count(), 1, "{}", node.log());
}
