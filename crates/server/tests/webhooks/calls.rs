//! What a call says, and how those of several rooms and receivers go beside each other.

use serde_json::json;

use crate::receiver::{Receiver, SECRET, Says};
use crate::{Place, figure, hook, numbers, say, say_all, until};

#[test]
fn what_is_said_is_told_in_order_with_all_that_a_receiver_needs() {
    let receiver = Receiver::start(|_| Says::Status(200));
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    let ack = say(&mut ana, "a", "0");
    say_all(&mut ana, &["a"], 1..50);
    until("all are told", || receiver.contents("a").len() == 50);
    assert_eq!(receiver.contents("a"), numbers(50));
    assert_eq!(receiver.twice(), None, "a room has one call at a time");
    let event = &receiver.events()[0];
    let position = &ack["payload"]["message_id"];
    assert_eq!(event["id"], format!("chat:a {}", position.as_str().expect("a position")));
    for (field, is) in [
        ("event", json!("record")),
        ("app", json!("chat")),
        ("room", json!("chat:a")),
        ("type", json!("new_message")),
        ("sender", json!({ "id": "ana", "name": "ana" })),
    ] {
        assert_eq!(event[field], is, "{event}");
    }
    assert_eq!(*position, format!("{}-{}", event["epoch"].as_str().expect("an epoch"), event["offset"]));
    until("it is counted", || figure(&node, "delivered_total") == 50);
    assert_eq!((figure(&node, "dead_letters_total"), figure(&node, "circuit_open")), (0, 0));
}

#[test]
fn only_rooms_and_types_that_were_named_are_told_and_the_first_webhook_that_fits_is_theirs() {
    let (vip, rest) = (Receiver::start(|_| Says::Status(200)), Receiver::start(|_| Says::Status(200)));
    let place = Place::new(&format!(
        "{}{}",
        hook("vip", &vip, "chat:vip", "types = [\"message_edited\"]"),
        hook("rest", &rest, "chat:*", "")
    ));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("vip");
    ana.join("a");
    let ack = say(&mut ana, "vip", "0");
    let edit = json!({ "type": "edit_message", "room": "vip", "id": "e",
        "payload": { "message_id": ack["payload"]["message_id"], "content": "1" } });
    ana.say(&edit.to_string());
    say(&mut ana, "a", "0");
    until("both are told", || !vip.events().is_empty() && !rest.events().is_empty());
    let types: Vec<_> = vip.events().iter().map(|event| event["type"].clone()).collect();
    assert_eq!(types, ["message_edited"]);
    assert_eq!(rest.contents("a"), ["0"]);
    assert!(rest.contents("vip").is_empty());
}

#[test]
fn rooms_of_one_receiver_go_beside_each_other_up_to_a_maximum() {
    let receiver = Receiver::start(|call| match call["room"] == "chat:r-0" {
        // It holds one place for as long as a call may take, again and again.
        true => Says::Nothing,
        false => Says::Status(200),
    });
    let place = Place::new(&hook(
        "orders",
        &receiver,
        "chat:*",
        "timeout = \"1s\"\nconnect_timeout = \"1s\"\nat_once = 2",
    ));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    let rooms = ["r-0", "r-1", "r-2", "r-3"];
    rooms.iter().for_each(|room| drop(ana.join(room)));
    say(&mut ana, "r-0", "0");
    until("it hangs", || receiver.called() == 1);
    say_all(&mut ana, &rooms[1..], 0..20);
    until("the others are told", || rooms[1..].iter().all(|room| receiver.contents(room) == numbers(20)));
    assert!(receiver.contents("r-0").is_empty());
    assert!(receiver.most() <= 2, "{} at a time", receiver.most());
}

/// While a receiver goes over from one to the other it knows either, and both sign.
#[test]
fn two_secrets_sign_while_they_change() {
    let receiver = Receiver::start(|_| Says::Status(200));
    let (old, new) = (SECRET, "another secret of the receiver, 32 bytes");
    let both = hook("orders", &receiver, "chat:*", &format!("old_secret = \"{old}\""))
        .replace(&format!("\nsecret = \"{old}\""), &format!("\nsecret = \"{new}\""));
    let place = Place::new(&both);
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say(&mut ana, "a", "0");
    // The receiver believes the old one, and would end its test else.
    until("it is told", || receiver.contents("a") == ["0"]);
    assert_eq!(receiver.signatures()[0].split(',').count(), 2);
}

/// By connections, as the node saw them; each of a user behind the one before it.
#[test]
fn what_happens_to_connections_is_told_where_it_was_asked_for() {
    let receiver = Receiver::start(|_| Says::Status(200));
    let events = "events = [\"joined\", \"left\", \"disconnected\"]\ntypes = [\"nothing\"]";
    let place = Place::new(&hook("orders", &receiver, "chat:a*", events));
    let node = place.node();
    for _ in 0..2 {
        let mut ana = place.client(&node, "ana");
        ana.join("a-1");
        ana.join("b");
        ana.say(r#"{"type":"leave_room","payload":{"room_id":"a-1"}}"#);
        ana.join("a-2");
        drop(ana);
    }
    let told = || {
        let mut seen = std::collections::BTreeSet::new();
        let new = receiver.events().into_iter().filter(|it| seen.insert(it["id"].to_string()));
        new.collect::<Vec<_>>()
    };
    until("all of it is told", || told().len() == 10);
    let told = told();
    assert!(told.iter().all(|event| event["user"] == "ana" && event["node"] == told[0]["node"]), "{told:?}");
    let of = |connection: &serde_json::Value| -> Vec<String> {
        let its = told.iter().filter(|event| event["connection"] == *connection);
        its.map(|it| format!("{} {}", it["event"].as_str().unwrap_or(""), it["room"].as_str().unwrap_or("")))
            .collect()
    };
    let mut first = of(&told[0]["connection"]);
    assert_eq!(first[..3], ["joined chat:a-1", "left chat:a-1", "joined chat:a-2"]);
    first[3..].sort();
    assert_eq!(first[3..], ["disconnected ", "left chat:a-2"]);
    until("it is counted", || figure(&node, "happened_total") == 10);
    assert_eq!(figure(&node, "dropped_total"), 0);
}
