//! Where the fleet's own back end decides: words are handed on, and what the broker says is what is.

use super::world::{DESK, ONE, World, broker, guest, key, rules, user, user_in};
use crate::{Authority, CUSTOMER, OUTWARD, Rules, STAFF};
use vocabulary::Touched;

const REFUSED: &str = "the fleet's own back end decides this (support.authority = \"fleet\")";

fn fleet() -> World {
    World::with(Rules { authority: Authority::Fleet, ..rules() })
}

#[test]
fn what_clients_say_is_handed_on_and_seen_when_the_broker_says_it() {
    let mut world = fleet();
    assert_eq!(world.enters(ONE, &guest("c1", ONE)), Ok(CUSTOMER.0), "before anything was said");
    assert_eq!(world.enters(ONE, &user("c2")), Err("! Forbidden".into()));
    assert_eq!(world.enters(ONE, &user_in("a1", None)), Ok(STAFF.0));
    assert_eq!(world.told(ONE, &guest("c1", ONE), "send_message", r#"{"message":"hello"}"#), "hidden");
    assert_eq!(world.newest(ONE, STAFF), "hidden");
    assert_eq!(
        world.newest(ONE, OUTWARD),
        r#"message_requested {"attachments":[],"message":"hello","message_type":"text","sender_id":"c1","sender_type":"customer"}"#
    );
    assert_eq!(world.session(ONE).said.count, 0);
    world.does(
        ONE,
        &broker(),
        "message",
        r#"{"id":"m-1","sender_id":"c1","sender_type":"customer","message":"hello"}"#,
    );
    assert!(world.newest(ONE, CUSTOMER).starts_with("new_message"));
    world.settle();
    assert!(world.steps().is_empty() && world.due(ONE).is_none());
}

#[test]
fn the_back_end_says_what_a_session_is() {
    let mut world = fleet();
    let update = r#"{"status":"active","agent_id":"a7","agent_name":"Ada","customer_id":"c1","department":"sales","priority":"high"}"#;
    let told = world.told(ONE, &broker(), "session_update", update);
    assert_eq!(
        told,
        format!(
            r#"session_update {{"agent":{{"id":"a7","name":"Ada"}},"department":"sales","priority":"high","session_id":"{ONE}","status":"active"}}"#
        )
    );
    world.settle();
    assert_eq!(world.enters(ONE, &user("c1")), Ok(CUSTOMER.0));
    assert_eq!(world.enters(ONE, &user_in("a7", None)), Ok(STAFF.0), "its agent");
    assert!(world.inboxes[&("a7".to_owned(), ONE.to_owned())].1.contains(r#""role":"agent""#));
    world.does(ONE, &broker(), "session_update", r#"{"status":"closed"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "closed a7");
    world.does(ONE, &broker(), "message", r#"{"sender_type":"system","message":"bye"}"#);
    for bad in [r#"{"status":"open"}"#, r#"{"priority":"most"}"#, r#"{"department":"a b"}"#] {
        assert_eq!(world.told(ONE, &broker(), "session_update", bad), "! InvalidPayload", "{bad}");
    }
}

#[test]
fn whoever_is_here_is_asked_again_when_it_is_another_department_or_customer() {
    let mut world = fleet();
    assert_eq!(world.enters(ONE, &user_in("a1", Some(&["sales"]))), Ok(STAFF.0), "nobody knows whose it is");
    let update = r#"{"department":"licences","customer_id":"c9"}"#;
    let records = world.ask(ONE, &broker(), "session_update", update).expect("the back end decides");
    assert_eq!(records[0].touches, Touched::Everybody);
    assert_eq!(world.enters(ONE, &user_in("a1", Some(&["sales"]))), Err("! Forbidden".into()));
}

#[test]
fn a_session_that_others_have_not_heard_of_for_long_is_not_moved_on() {
    let mut world = fleet();
    let mut refused = 0;
    for number in 0..60 {
        let update = format!(r#"{{"customer_id":"c{number}"}}"#);
        refused += usize::from(world.ask(ONE, &broker(), "session_update", &update).is_err());
    }
    assert!(refused > 20, "{refused}");
    world.settle();
    world.does(ONE, &broker(), "session_update", r#"{"customer_id":"c1"}"#);
}

#[test]
fn nothing_is_decided_here() {
    let mut world = fleet();
    for word in super::super::session::COURSE.iter().chain(&["start"]) {
        assert_eq!(world.refusal(ONE, &key(), word, r#"{"customer_id":"c1"}"#).text, REFUSED, "{word}");
    }
    for word in ["set_status", "heartbeat", "pick", "assign", "get_queue", "get_department"] {
        assert_eq!(world.refusal(DESK, &user("m"), word, "{}").text, REFUSED, "{word}");
    }
    assert_eq!(world.enters(DESK, &user("m")), Err("! Forbidden".into()));
    world.does(ONE, &user("m"), "add_note", r#"{"note":"x"}"#);
}
