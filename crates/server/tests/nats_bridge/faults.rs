//! Servers and nodes that die.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::nats::{Nats, broker, broker_with};
use crate::{Place, bridge, contents, figure, message, numbers, until, url};

#[test]
fn a_server_that_is_killed_opens_the_circuit_and_nothing_is_lost_when_it_is_back() {
    let mut broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    nats.put_all((0..300).map(|number| ("said.a".to_owned(), message(&number.to_string()))).collect());
    until("some are taken", || figure(&node, "taken_in_total") > 0);
    broker.kill();
    until("it is shown", || {
        let (status, ready) = node.get("/ready");
        assert_eq!(status, 200, "clients are served");
        ready.contains("bridge nats is away")
    });
    assert_eq!(figure(&node, "circuit_open"), 1);
    broker.begin();
    let nats = Nats::at(&broker);
    until("it is back", || figure(&node, "circuit_open") == 0);
    nats.put_all((300..400).map(|number| ("said.a".to_owned(), message(&number.to_string()))).collect());
    until("all is there", || contents(&node, "a").len() >= 400);
    assert_eq!(contents(&node, "a"), numbers(0..400), "in order and once");
    assert!(figure(&node, "reconnects_total") > 0);
}

#[test]
fn a_node_begins_and_serves_while_the_server_is_away() {
    let mut broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.put("said.a", &message("hello"));
    broker.kill();
    let place = Place::new(&bridge(&broker));
    let node = place.node();
    until("it is shown", || node.get("/ready").1.contains("bridge nats is away"));
    broker.begin();
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    assert_eq!(contents(&node, "a"), ["hello"]);
}

/// Its acks do not arrive, so that whoever is killed is killed between append and ack.
#[test]
fn a_node_that_is_killed_between_append_and_ack_has_taken_each_once() {
    let users = "accounts { A { jetstream: enabled, users: [
        { user: deaf, password: pw, permissions: { publish: { deny: [\"$JS.ACK.>\"] } } }, { user: ana, password: pw } ] } }";
    let broker = broker_with(|folder| {
        let file = folder.join("users.conf");
        std::fs::write(&file, users).expect("written");
        vec!["-c".into(), file.into()]
    });
    let by = |user: &str| format!("nats://{user}:pw@{}", broker.address);
    let ana = async_nats::ConnectOptions::with_user_and_password("ana".to_owned(), "pw".to_owned());
    let nats = Nats::by(&url(&broker), ana);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.durable("SAID", "chat", &json!({ "filter_subject": "said.*", "ack_wait": 3_000_000_000_u64 }));
    let bridge = |user: &str| bridge(&broker).replace(&format!("nats://{}", broker.address), &by(user));
    let place = Place::new(&bridge("deaf"));
    let node = place.reading(1);
    nats.put_all((0..50).map(|number| ("said.a".to_owned(), message(&number.to_string()))).collect());
    until("all are appended", || contents(&node, "a").len() == 50);
    assert_eq!(nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"], 0, "none was acked");
    until("it is shown", || node.get("/ready").1.contains("permissions"));
    node.signal(Signal::SIGKILL);
    node.wait();
    place.says(&bridge("ana"));
    let node = place.reading(1);
    nats.put("said.a", &message("50"));
    until("all were given out again, and are done", || {
        nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"] == 51
    });
    assert_eq!(contents(&node, "a"), numbers(0..51));
}
