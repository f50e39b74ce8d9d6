//! What comes in: complete, in order and once; what cannot be taken; what is gone.

use nix::sys::signal::Signal;
use serde_json::json;

use crate::nats::{Nats, broker};
use crate::{Place, SOURCE, bridge, contents, figure, message, numbers, until, url};

#[test]
fn a_burst_is_complete_in_order_and_once_in_rooms_that_there_were_not() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    let messages = (0..100).flat_map(|number| (0..50).map(move |room| (number, room)));
    let messages = messages.map(|(number, room)| (format!("said.r-{room}"), message(&number.to_string())));
    nats.put_all(messages.collect());
    until("all is in its room", || figure(&node, "taken_in_total") == 5_000);
    for room in 0..50 {
        assert_eq!(contents(&node, &format!("r-{room}")), numbers(0..100));
    }
    until("no lag is left", || {
        (figure(&node, "lag"), figure(&node, "ack_pending"), figure(&node, "waiting")) == (0, 0, 0)
    });
    assert_eq!(figure(&node, "dead_letters_total"), 0);
    assert_eq!(nats.consumer("SAID", "chat")["num_ack_pending"], 0, "all of it was acked");
    let (_, page) = node.ask_operator("GET /metrics", "");
    assert!(page.contains("kulkul_bridge_nats_source_lag{stream=\"SAID\",durable=\"chat\"} 0"), "{page}");
    assert_eq!(node.get("/ready").0, 200);
}

/// By the publisher's name for it, and by the event's own; both are the room's to know, and the server forgets after a while.
#[test]
fn the_same_event_is_one_message_however_often_it_is_published() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({ "duplicate_window": 100_000_000 }));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    let stored = || nats.stream_is("SAID").expect("it is there")["state"]["last_seq"].as_u64();
    let mut last = 0;
    while last < 2 {
        nats.put_with("said.a", &message("by its name"), &[("Nats-Msg-Id", "m-1")]);
        last = stored().expect("a sequence");
    }
    let event = json!({ "content": "by its event", "user": "9", "event_id": "e-1" }).to_string();
    (0..3).for_each(|_| nats.put("said.a", &event));
    nats.put("said.a", &message("nameless"));
    nats.put("said.a", &message("nameless"));
    until("all are taken", || figure(&node, "taken_in_total") == last + 5);
    assert_eq!(contents(&node, "a"), ["by its name", "by its event", "nameless", "nameless"]);
}

#[test]
fn what_was_given_to_somebody_who_died_is_given_to_us_and_taken_once() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.durable(
        "SAID",
        "chat",
        &json!({ "filter_subject": "said.*", "ack_wait": 1_000_000_000, "max_deliver": 5 }),
    );
    (0..3).for_each(|number| nats.put("said.a", &message(&number.to_string())));
    assert_eq!(nats.take("SAID", "chat"), message("0"));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    until("all are taken", || figure(&node, "taken_in_total") == 3);
    let mut found = contents(&node, "a");
    found.sort();
    assert_eq!(found, numbers(0..3));
    assert!(node.log().contains("the consumer chat of SAID is left as it is"), "{}", node.log());
}

#[test]
fn what_was_given_out_too_often_is_a_letter() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.durable(
        "SAID",
        "chat",
        &json!({ "filter_subject": "said.*", "ack_wait": 2_000_000_000, "max_deliver": 1 }),
    );
    let place = Place::new(&bridge(&broker));
    nats.put_with("said.a", &message("lost"), &[("trace", "t-1")]);
    assert_eq!(nats.take("SAID", "chat"), message("lost"));
    let node = place.reading(1);
    until("there is a letter", || figure(&node, "dead_letters_total") == 1);
    let letters = nats.all("DEAD_LETTERS");
    assert_eq!(
        (letters.len(), letters[0].subject.as_str(), &*letters[0].value),
        (1, "dead-letters.said.a", &*message("lost"))
    );
    assert_eq!((letters[0].header("origin"), letters[0].header("trace")), ("SAID@1", "t-1"));
    assert!(letters[0].header("reason").contains("given out 1 times"), "{:?}", letters[0]);
}

/// R12, T31: the same of NATS.
#[test]
fn poison_is_a_letter_each_once_and_holds_up_nothing() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.>"], &json!({}));
    let place = Place::new(&bridge(&broker).replace("said.*", "said.>"));
    let node = place.reading(1);
    let large = json!({ "content": "x".repeat(70_000), "user": "9" }).to_string();
    let poison = [
        ("said.a", "{", "no JSON"),
        ("said.a", "[1]", "must be an object"),
        ("said.a", r#"{"user":"9"}"#, "content"),
        ("said.a", r#"{"content":"x","user":true}"#, "`user`"),
        ("said.direct:1:2", r#"{"content":"x","user":"9"}"#, "rooms of two"),
        ("said.b", &large, "at most 65536"),
    ];
    for (number, (subject, value, _)) in poison.iter().enumerate() {
        nats.put_with(subject, value, &[("Nats-Msg-Id", &format!("p-{number}"))]);
        nats.put("said.a", &message(&number.to_string()));
    }
    until("all have come to their end", || {
        (figure(&node, "taken_in_total"), figure(&node, "dead_letters_total")) == (6, 6)
    });
    assert_eq!(contents(&node, "a"), numbers(0..6));
    let letters = nats.all("DEAD_LETTERS");
    for (number, (subject, value, reason)) in poison.iter().enumerate() {
        let letter =
            letters.iter().find(|letter| letter.headers.get("message-id") == Some(&format!("p-{number}")));
        let letter = letter.unwrap_or_else(|| panic!("no letter for {reason}"));
        assert_eq!(
            (&letter.value, letter.subject.as_str()),
            (&(*value).to_owned(), &*format!("dead-letters.{subject}"))
        );
        assert!(letter.header("reason").contains(reason), "{letter:?}");
    }
    assert_eq!(letters.len(), 6);
    until("none is given out again", || figure(&node, "ack_pending") == 0);
}

/// A letter that somebody mended and published again is read like any message, though it has our header.
#[test]
fn a_dead_letter_that_is_published_again_is_taken() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    nats.put("said.a", "{");
    until("it is a letter", || figure(&node, "dead_letters_total") == 1);
    let letter = nats.all("DEAD_LETTERS").remove(0);
    let headers: Vec<(&str, &str)> = letter.headers.iter().map(|(name, value)| (&**name, &**value)).collect();
    nats.put_with("said.a", &message("mended"), &headers);
    until("it is taken", || figure(&node, "taken_in_total") == 1);
    assert_eq!(contents(&node, "a"), ["mended"]);
}

#[test]
fn what_is_published_while_the_node_is_down_is_in_the_room_when_it_is_back() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({}));
    nats.put("said.a", &message("before anybody read"));
    let place = Place::new(&bridge(&broker).replace("from = \"all\"", "from = \"new\""));
    let node = place.reading(1);
    node.signal(Signal::SIGTERM);
    assert!(node.wait().success());
    nats.put("said.a", &message("while it was down"));
    let node = place.reading(1);
    nats.put("said.a", &message("behind"));
    until("both are taken", || figure(&node, "taken_in_total") == 2);
    assert_eq!(contents(&node, "a"), ["while it was down", "behind"]);
}

#[test]
fn what_a_stream_dropped_before_it_was_given_out_is_said_and_counted() {
    let broker = broker();
    let nats = Nats::at(&broker);
    nats.stream("SAID", &["said.*"], &json!({ "max_msgs": 10 }));
    let place = Place::new(&bridge(&broker));
    let node = place.reading(1);
    nats.put("said.a", &message("0"));
    // Else it is among what is gone, too.
    until("it is done", || nats.consumer("SAID", "chat")["ack_floor"]["stream_seq"] == 1);
    node.signal(Signal::SIGTERM);
    assert!(node.wait().success());
    (1..51).for_each(|number| nats.put("said.a", &message(&number.to_string())));
    let node = place.reading(1);
    until("the last ten are taken", || figure(&node, "taken_in_total") == 10);
    until("the others are missed", || (figure(&node, "gaps_total"), figure(&node, "gone_total")) == (1, 40));
    assert!(node.log().contains("took messages away before they were given out"), "{}", node.log());
    assert_eq!(contents(&node, "a").len(), 11);
}

#[test]
fn plain_subjects_are_heard_at_most_once_and_what_comes_too_fast_is_dropped_and_counted() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let rows = SOURCE.replace("durable = \"chat\"\nfrom = \"all\"", "plain = true");
    let place = Place::new(&format!("[nats_bridge]\nurl = \"{}\"\n{rows}", url(&broker)));
    let node = place.reading(1);
    // It says so when its subscription is on its way.
    until("it is heard", || {
        nats.say("said.a", &message("hello"));
        figure(&node, "taken_in_total") > 0
    });
    let flood = (0..20_000).map(|number| message(&number.to_string())).collect::<Vec<_>>();
    until("some are dropped", || {
        nats.runtime.block_on(async {
            for value in &flood {
                nats.client.publish("said.flood", value.clone().into()).await.expect("taken");
            }
            nats.client.flush().await.expect("sent");
        });
        figure(&node, "slow_total") + figure(&node, "dropped_total") > 0
    });
    until("nothing waits", || figure(&node, "waiting") == 0);
    let before = figure(&node, "taken_in_total");
    until("it hears on", || {
        nats.say("said.a", &message("after"));
        figure(&node, "taken_in_total") > before
    });
    assert_eq!(node.get("/ready").0, 200);
}
