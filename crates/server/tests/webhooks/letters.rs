//! What a receiver does not take: kept for people, sent again when they say so, and no reason for others to wait.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde_json::Value;

use crate::receiver::{Receiver, Says};
use crate::support::kulkul;
use crate::{Place, figure, hook, say, say_all, until};

fn letters(place: &Place, url: &str, what: &str) -> String {
    let args = ["letters", what, "--config", &place.config(), "--webhook", "orders", "--json", "--url", url];
    let output = kulkul(&args);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("UTF-8")
}

#[test]
fn what_is_refused_is_a_letter_and_alone_and_is_sent_again_when_somebody_says_so() {
    let is_mended = Arc::new(AtomicBool::new(false));
    let mended = is_mended.clone();
    let receiver = Receiver::start(move |call| {
        let is_bad = |event: &Value| event["payload"]["content"] == "7";
        let events = call["events"].as_array().expect("events");
        match events.iter().any(is_bad) && !mended.load(Ordering::SeqCst) {
            true => Says::Status(400),
            false => Says::Status(200),
        }
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let node = place.node();
    let url = format!("http://{}", node.operator.as_ref().expect("a listener"));
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say_all(&mut ana, &["a"], 0..20);
    until("the others are told", || receiver.contents("a").len() == 19);
    let others: Vec<String> = (0..20).filter(|it| *it != 7).map(|it| it.to_string()).collect();
    assert_eq!(receiver.contents("a"), others);
    until("it is counted", || figure(&node, "dead_letters_total") == 1);
    let listed = letters(&place, &url, "list");
    let letter: Value = serde_json::from_str(listed.trim()).expect("one letter");
    let event = &letter["payload"]["event"];
    assert_eq!(
        (&event["payload"]["content"], &letter["payload"]["reason"]),
        (&"7".into(), &"answered 400".into())
    );
    is_mended.store(true, Ordering::SeqCst);
    assert_eq!(letters(&place, &url, "replay").trim(), r#"{"left":0,"sent":1}"#);
    until("it is told", || receiver.events().iter().any(|it| it == event));
    assert_eq!(letters(&place, &url, "list"), "");
    assert_eq!(letters(&place, &url, "replay").trim(), r#"{"left":0,"sent":0}"#);
    // Behind it in the same room, and so told behind all there is to tell of it.
    say(&mut ana, "a", "last");
    until("the last is told", || receiver.contents("a").contains(&"last".to_owned()));
    let times = receiver.events().iter().filter(|it| it["id"] == event["id"]).count();
    assert_eq!(times, 1);
}

#[test]
fn what_fails_for_too_long_is_a_letter_too_and_its_room_goes_on() {
    let receiver = Receiver::start(|call| {
        let is_bad = |event: &Value| event["payload"]["content"] == "bad";
        let events = call["events"].as_array().expect("events");
        if events.iter().any(is_bad) { Says::Status(500) } else { Says::Status(200) }
    });
    let place = Place::new(&hook("orders", &receiver, "chat:*", "give_up = \"10s\""));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.join("a");
    say(&mut ana, "a", "bad");
    say(&mut ana, "a", "good");
    until("it is given up", || figure(&node, "dead_letters_total") == 1);
    until("its room goes on", || receiver.contents("a") == ["good"]);
    assert!(receiver.called() > 3, "it was tried again and again");
}

/// Clients have no business there, whatever their token allows.
#[test]
fn no_client_comes_to_the_room_of_letters() {
    let receiver = Receiver::start(|_| Says::Status(400));
    let place = Place::new(&hook("orders", &receiver, "chat:*", ""));
    let node = place.node();
    let mut ana = place.client(&node, "ana");
    ana.say(r#"{"type":"join_room","payload":{"room_id":"webhooks:orders"}}"#);
    let refused = ana.next("error");
    assert!(refused.to_string().contains("FORBIDDEN"), "{refused}");
}
