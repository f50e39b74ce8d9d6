//! Streams and consumers: made as the tables say, left where they are there, and said where they cannot be used.

use serde_json::{Value, json};

use crate::nats::{Nats, broker};
use crate::{Place, bridge, figure, message, until, url};

const SECOND: u64 = 1_000_000_000;

fn rides(broker: &conformance::Server, authority: &str) -> String {
    format!("[rides]\nauthority = \"{authority}\"\n[nats_bridge]\nurl = \"{}\"\nrides = true\n", url(broker))
}

#[test]
fn streams_and_consumers_of_the_fleet_are_made_as_its_tables_say() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let place = Place::new(&rides(&broker, "fleet"));
    let _node = place.reading(9);
    for (name, subjects, retention, storage, hours, megabytes, messages) in [
        ("USER_STREAM", &["user.beacon", "user.finder"][..], "interest", "file", 24, 100, 1_000_000),
        ("MATCH_STREAM", &["match.found", "match.rejected", "match.accepted"], "interest", "file", 1, 50, -1),
        (
            "RIDE_STREAM",
            &["ride.pickup", "ride.started", "ride.arrived", "ride.completed"],
            "limits",
            "file",
            7 * 24,
            200,
            -1,
        ),
        ("LOCATION_STREAM", &["location.update", "location.aggregate"], "interest", "memory", 2, 100, -1),
    ] {
        let is = &nats.stream_is(name).expect(name)["config"];
        assert_eq!(
            (&is["subjects"], &is["retention"], &is["storage"]),
            (&json!(subjects), &json!(retention), &json!(storage))
        );
        let (age, window) = (hours * 3600 * SECOND, 300 * SECOND);
        assert_eq!(
            (&is["max_age"], &is["duplicate_window"], &is["num_replicas"]),
            (&json!(age), &json!(window), &json!(1))
        );
        assert_eq!(
            (&is["max_bytes"], &is["max_msgs"]),
            (&json!(megabytes << 20), &json!(messages)),
            "{name}"
        );
    }
    let all = |stream: &str, name: &str, subject: &str, deliver: &str, most: u32| {
        let is = &nats.consumer(stream, name)["config"];
        assert_eq!(
            (&is["filter_subject"], &is["deliver_policy"], &is["max_deliver"]),
            (&json!(subject), &json!(deliver), &json!(most)),
            "{name}"
        );
        let rest = (&is["ack_policy"], &is["ack_wait"], &is["max_ack_pending"]);
        assert_eq!(rest, (&json!("explicit"), &json!(30 * SECOND), &json!(1000)), "{name}");
    };
    all("MATCH_STREAM", "match_found_users", "match.found", "all", 5);
    all("MATCH_STREAM", "match_accepted_users", "match.accepted", "all", 5);
    all("MATCH_STREAM", "match_rejected_users", "match.rejected", "all", 3);
    all("RIDE_STREAM", "ride_pickup_users", "ride.pickup", "new", 5);
    all("RIDE_STREAM", "ride_started_users", "ride.started", "new", 5);
    all("RIDE_STREAM", "ride_completed_users", "ride.completed", "new", 3);
    // Those of the services that clients' requests are for: without them the stream would keep none.
    until("the others' are made", || {
        nats.ask("CONSUMER.INFO.LOCATION_STREAM.location_update_location", &Value::Null).is_some()
    });
    all("USER_STREAM", "user_beacon_match", "user.beacon", "all", 3);
    all("USER_STREAM", "user_finder_match", "user.finder", "all", 3);
    all("LOCATION_STREAM", "location_update_location", "location.update", "new", 2);
}

#[test]
fn what_is_there_is_left_and_the_difference_is_said() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream(
        "USER_STREAM",
        &["user.>"],
        &json!({ "max_age": 60 * SECOND, "duplicate_window": 10 * SECOND }),
    );
    nats.durable(
        "USER_STREAM",
        "user_beacon_match",
        &json!({ "filter_subject": "user.beacon", "max_deliver": 9 }),
    );
    let place = Place::new(&rides(&broker, "kulkul"));
    let node = place.reading(3);
    let is = &nats.stream_is("USER_STREAM").expect("it is there")["config"];
    assert_eq!((&is["max_age"], &is["subjects"]), (&json!(60 * SECOND), &json!(["user.>"])));
    assert_eq!(nats.consumer("USER_STREAM", "user_beacon_match")["config"]["max_deliver"], 9);
    for says in [
        "the stream USER_STREAM is left as it is",
        "max_age is 60000000000",
        "the consumer user_beacon_match of USER_STREAM",
        "max_deliver is 9, not 3",
    ] {
        until(says, || node.log().contains(says));
    }
    assert!(node.get("/ready").1.lines().count() == 1, "it serves: {}", node.get("/ready").1);
}

#[test]
fn a_consumer_that_cannot_be_read_and_a_subject_without_a_stream_are_said_until_they_are_mended() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let place = Place::new(&bridge(&broker));
    let node = place.node();
    let says = |words: &str| until(words, || node.get("/ready").1.contains(words));
    says("no stream takes said.*");
    nats.stream("SAID", &["said.*"], &json!({}));
    until("it reads", || figure(&node, "sources") == 1);
    drop(node);
    nats.ask("CONSUMER.DELETE.SAID.chat", &Value::Null).expect("it is removed");
    nats.durable("SAID", "chat", &json!({ "filter_subject": "said.*", "deliver_subject": "somebody" }));
    let node = place.node();
    let says = |words: &str| until(words, || node.get("/ready").1.contains(words));
    says("it is pushed to somebody");
    assert_eq!((node.get("/ready").0, figure(&node, "refused")), (200, 1));
    nats.ask("CONSUMER.DELETE.SAID.chat", &Value::Null).expect("it is removed");
    until("it reads", || figure(&node, "sources") == 1);
    until("nothing is amiss", || figure(&node, "refused") == 0);
    nats.put("said.a", &message("hello"));
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    // Somebody removes it while it is read.
    nats.ask("CONSUMER.DELETE.SAID.chat", &Value::Null).expect("it is removed");
    until("it is made anew", || nats.ask("CONSUMER.INFO.SAID.chat", &Value::Null).is_some());
    nats.put("said.a", &message("again"));
    until("what comes is read, and what was read before is known", || {
        crate::contents(&node, "a") == ["hello", "again"]
    });
}
