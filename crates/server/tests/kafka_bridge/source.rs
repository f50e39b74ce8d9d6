//! What comes in: complete, in order, once, and what cannot be taken put aside.

use std::collections::BTreeMap;

use rdkafka::message::{Header, OwnedHeaders};
use serde_json::{Value, json};

use crate::kafka::Kafka;
use crate::{Place, assert_complete, bridge, contents, figure, message, until};

#[test]
fn a_burst_of_fifty_thousand_messages_for_five_hundred_sessions_is_complete_in_order_and_once() {
    let kafka = Kafka::shared();
    kafka.create("burst", 4);
    let place = Place::new(&bridge(&kafka.brokers, "burst", false));
    let node = place.reading(4);
    for number in 0..100 {
        for session in 0..500 {
            let room = format!("s-{session}");
            kafka.put("burst", Some(&room), &message(&room, &number.to_string()));
        }
    }
    kafka.flush();
    until("all is in its room", || figure(&node, "taken_in_total") == 50_000);
    assert_eq!(figure(&node, "dead_letters_total"), 0);
    let rooms: BTreeMap<String, usize> = (0..500).map(|session| (format!("s-{session}"), 100)).collect();
    assert_complete(&node, &rooms);
    until("no lag is left", || figure(&node, "lag") == 0);
    let (_, page) = node.ask_operator("GET /metrics", "");
    assert!(page.contains("kulkul_bridge_kafka_partition_lag{topic=\"burst\",partition=\"3\"} 0"), "{page}");
}

#[test]
fn a_message_with_an_id_is_one_message_wherever_it_stands() {
    let kafka = Kafka::shared();
    kafka.create("ids", 2);
    let place = Place::new(&bridge(&kafka.brokers, "ids", true));
    let node = place.reading(2);
    let put = |key: &str, id: &str, content: &str| {
        let value = json!({ "room": "general", "content": content, "user": "9", "id": id });
        kafka.put("ids", Some(key), &value.to_string());
        kafka.flush();
    };
    put("a", "m-1", "one");
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    // Keys that are in different partitions.
    for key in ["a", "b", "c", "d"] {
        put(key, "m-1", "one again");
    }
    put("a", "m-2", "two");
    until("all are taken", || figure(&node, "taken_in_total") == 6);
    assert_eq!(contents(&node, "general"), ["one", "two"]);
}

/// Seed 000, defect 7: what is produced while nobody reads is read by whoever comes back.
#[test]
fn what_is_produced_while_the_node_is_down_is_in_the_room_when_it_is_back() {
    let kafka = Kafka::shared();
    kafka.create("down", 2);
    let put = |content: &str| {
        kafka.put("down", Some("general"), &message("general", content));
        kafka.flush();
    };
    put("before anybody read");
    let place = Place::new(&bridge(&kafka.brokers, "down", false));
    let node = place.reading(2);
    assert_eq!(figure(&node, "started_at_end_total"), 2);
    assert!(node.log().contains("read from its end"), "{}", node.log());
    node.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(node.wait().success());
    put("while it was down");
    let node = place.reading(2);
    put("behind");
    until("both are taken", || figure(&node, "taken_in_total") == 2);
    assert_eq!(contents(&node, "general"), ["while it was down", "behind"]);
    assert_eq!(figure(&node, "started_at_end_total"), 0);
}

/// R12, T31: what a broker brings is a stranger's, and one bad record in a thousand costs the others nothing.
#[test]
fn poison_one_in_a_thousand_is_a_letter_each_once_and_holds_up_nothing() {
    let kafka = Kafka::shared();
    kafka.create("poisoned", 3);
    kafka.create("poisoned.dead-letters", 1);
    let place = Place::new(&bridge(&kafka.brokers, "poisoned", false));
    let node = place.reading(3);
    let large = "x".repeat(10 << 20);
    let long = json!({ "room": "room-0", "content": "y".repeat(4001), "user": "9" }).to_string();
    let poison: [(&[u8], &str); 10] = [
        (b"{", "no JSON"),
        (b"\xff\xfe\x00", "no JSON"),
        (b"[1,2]", "must be an object"),
        (br#"{"content":"no room"}"#, "`room`"),
        (br#"{"room":"a room","content":"x"}"#, "no room's name"),
        (br#"{"room":"room-1"}"#, "content"),
        (br#"{"room":"room-2","content":7}"#, "content"),
        (br#"{"room":"direct:1:2","content":"x","version":99}"#, "rooms of two"),
        (long.as_bytes(), "content"),
        (large.as_bytes(), "10485760 bytes"),
    ];
    let trace = OwnedHeaders::new().insert(Header { key: "trace", value: Some("t") });
    let mut rooms = BTreeMap::new();
    for number in 0..10_000_usize {
        let room = format!("room-{}", number % 50);
        let nth: &mut usize = rooms.entry(room.clone()).or_default();
        kafka.put("poisoned", Some(&room), &message(&room, &nth.to_string()));
        *nth += 1;
        if number % 1000 == 500 {
            let (bytes, _) = poison[number / 1000];
            kafka.put_with("poisoned", Some(&room), bytes, trace.clone());
        }
    }
    kafka.flush();
    until("all is taken", || figure(&node, "taken_in_total") == 10_000);
    assert_complete(&node, &rooms);
    let letters = kafka.all("poisoned.dead-letters", poison.len());
    assert_eq!((letters.len(), figure(&node, "dead_letters_total")), (10, 10), "each once");
    for (bytes, reason) in poison {
        let kept = String::from_utf8_lossy(&bytes[..bytes.len().min(512 << 10)]);
        let letter = letters.iter().find(|letter| letter.value == kept);
        let letter = letter.unwrap_or_else(|| panic!("no letter for {reason}"));
        assert!(letter.header("reason").contains(reason), "{letter:?}");
        assert!(letter.header("origin").starts_with("poisoned["), "{:?}", letter.headers);
        assert_eq!((letter.header("bytes"), letter.header("trace")), (&*bytes.len().to_string(), "t"));
        let attempts: u32 = letter.header("attempt").parse().expect("a number");
        assert!(attempts <= 1 && letter.key.as_ref().is_some_and(|key| key.starts_with("room-")));
    }
    until("no lag is left", || figure(&node, "lag") == 0);
    assert_eq!(figure(&node, "dead_letters_unkept_total"), 0);
}

/// A letter that somebody mended and produced again is read like any record, though it has our header.
#[test]
fn a_dead_letter_that_is_produced_again_is_taken() {
    let kafka = Kafka::shared();
    kafka.create("mended", 1);
    kafka.create("mended.dead-letters", 1);
    let place = Place::new(&bridge(&kafka.brokers, "mended", false));
    let node = place.reading(1);
    kafka.put("mended", None, "{");
    kafka.flush();
    let letter = kafka.all("mended.dead-letters", 1).remove(0);
    let headers = letter
        .headers
        .iter()
        .fold(OwnedHeaders::new(), |all, (key, value)| all.insert(Header { key, value: Some(value) }));
    kafka.put_with("mended", None, message("general", "mended").as_bytes(), headers);
    kafka.flush();
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    assert_eq!(contents(&node, "general"), ["mended"]);
}

/// What was refused because the deployment was not ready for it is tried again when it is, once each.
#[test]
fn the_tool_produces_dead_letters_again_once_each_with_what_their_records_had() {
    let kafka = Kafka::shared();
    kafka.create("replayed", 2);
    kafka.create("replayed.dead-letters", 2);
    let place = Place::new(&bridge(&kafka.brokers, "replayed", false));
    let letters = |words: &[&str]| {
        let config = place.config();
        let told = crate::kulkul(&[&["letters"], words, &["--json", "--config", &config]].concat());
        assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
        let told = String::from_utf8(told.stdout).expect("UTF-8");
        told.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect::<Vec<Value>>()
    };
    let node = place.reading(2);
    assert_eq!(letters(&["list"]), Vec::<Value>::new());
    let trace = OwnedHeaders::new().insert(Header { key: "trace", value: Some("t") });
    let refused = json!({ "room": "general", "content": "", "user": "9" }).to_string();
    for number in 0..150 {
        kafka.put_with("replayed", Some(&number.to_string()), refused.as_bytes(), trace.clone());
    }
    let large = "x".repeat(600 << 10);
    kafka.put("replayed", Some("large"), &large);
    kafka.flush();
    until("all are letters", || figure(&node, "dead_letters_total") == 151);
    let listed = letters(&["list"]);
    assert_eq!(listed.len(), 151);
    let first = listed.iter().find(|letter| letter["key"] == "0").expect("a letter");
    assert!(first["origin"].as_str().is_some_and(|it| it.starts_with("replayed[")), "{first}");
    assert!(first["reason"].as_str().is_some_and(|it| it.contains("content")), "{first}");
    assert_eq!((&first["attempt"], letters(&["list", "--limit", "7"]).len()), (&json!(1), 7));
    node.signal(nix::sys::signal::Signal::SIGTERM);
    assert!(node.wait().success());
    // The brokers hold the records twice now, as they were.
    let told = letters(&["replay", "--topic", "replayed", "--limit", "100"]);
    let rest = letters(&["replay"]);
    let sum = |name: &str| told[0][name].as_u64().zip(rest[0][name].as_u64()).map(|(one, two)| one + two);
    assert_eq!((sum("produced"), sum("left")), (Some(150), Some(1)), "what is cut is left");
    let found = kafka.all("replayed", 301);
    assert_eq!(found.len(), 301);
    let mut values: Vec<_> = found.iter().map(|it| (&it.key, &it.value, &it.headers)).collect();
    values.sort();
    values.dedup();
    assert_eq!(values.len(), 151, "key, value and headers are the record's");
    assert_eq!(letters(&["replay"]), [json!({ "produced": 0, "left": 0 })], "once each");
    // They are refused for the same reason again, and are letters anew.
    let node = place.reading(2);
    until("they are read", || figure(&node, "dead_letters_total") == 150);
    assert_eq!((letters(&["list"]).len(), letters(&["list", "--all"]).len()), (150, 301));
    let unknown = crate::kulkul(&["letters", "list", "--config", &place.config(), "--topic", "nowhere"]);
    assert!(!unknown.status.success() && String::from_utf8_lossy(&unknown.stderr).contains("nowhere"));
}

/// Typing is worth saying now or never: a room that does not take it is asked once, and nobody is to look at it later.
#[test]
fn what_is_soft_is_asked_once_and_is_never_a_letter_unless_it_is_not_understood() {
    let kafka = Kafka::shared();
    kafka.create("soft", 1);
    kafka.create("soft.dead-letters", 1);
    let config = bridge(&kafka.brokers, "soft", false)
        .replace("kind = \"send_message\"", "kind = \"{kind}\"\nsoft = true");
    let place = Place::new(&config);
    let node = place.reading(1);
    // A room of chat does not take it from a broker that somebody types.
    for kind in ["typing", "send_message"] {
        kafka.put(
            "soft",
            None,
            &json!({ "room": "general", "user": "9", "kind": kind, "content": "x" }).to_string(),
        );
    }
    kafka.put("soft", None, &json!({ "room": "general" }).to_string());
    kafka.flush();
    until("each came to its end", || {
        (figure(&node, "stale_total"), figure(&node, "taken_in_total"), figure(&node, "dead_letters_total"))
            == (1, 1, 1)
    });
    assert!(kafka.all("soft.dead-letters", 1)[0].header("reason").contains("`kind`"));
}

/// The seed's health page names no broker; ours says it is ready, and figures have the rest.
#[test]
fn a_node_with_a_bridge_is_ready_and_shows_its_figures() {
    let kafka = Kafka::shared();
    kafka.create("figures", 1);
    let place = Place::new(&bridge(&kafka.brokers, "figures", false));
    let node = place.reading(1);
    assert_eq!(node.get("/ready").0, 200);
    let (_, stats) = node.ask_operator("GET /stats", "");
    let stats: Value = serde_json::from_str(&stats).expect("JSON");
    assert_eq!(
        (&stats["bridges"]["kafka"]["partitions"], &stats["bridges"]["kafka"]["circuit_open"]),
        (&1.into(), &0.into())
    );
}

#[test]
fn a_topic_of_a_source_that_is_not_there_is_said_and_shown_until_it_is() {
    // It makes what a producer asks for, and nobody here is one.
    let kafka = Kafka::shared();
    let place = Place::new(&bridge(&kafka.brokers, "forgotten", false));
    let node = place.node();
    until("it is shown", || {
        let (status, ready) = node.get("/ready");
        assert_eq!(status, 200);
        ready.contains("forgotten")
    });
    assert_eq!(figure(&node, "circuit_open"), 0);
    kafka.create("forgotten", 1);
    until("it reads", || figure(&node, "partitions") == 1);
    until("nothing is amiss", || !node.get("/ready").1.contains("forgotten"));
    assert_eq!(node.log().matches("the topic forgotten").count(), 1, "{}", node.log());
}
