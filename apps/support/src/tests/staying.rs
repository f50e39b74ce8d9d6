//! Who goes and who comes back: agents who are lost, customers who are silent or gone.

use super::world::{BEGIN, DESK, ONE, TWO, World, key, user};
use crate::{CUSTOMER, STAFF};

const MINUTE: i64 = 60_000;

fn served() -> World {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world
}

#[test]
fn an_agent_who_owes_an_answer_and_goes_loses_the_session_to_the_head_of_the_queue() {
    let mut world = served();
    world.says(ONE, &user("c1"), "hello?");
    world.starts(TWO, "c2");
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"busy"}"#);
    let urgent = r#"{"customer_id":"c3","priority":"urgent"}"#;
    world.does("00000000-0000-4000-8000-000000000003", &key(), "start", urgent);
    world.settle();
    world.goes(DESK, "a1");
    world.wait(59_999);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    world.wait(1);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    assert!(
        world.newest_message(ONE).contains("Your agent has left. You are back at the head of the queue.")
    );
    assert_eq!(world.department(DESK).queue()[0].0, ONE, "in front of the urgent");
    world.on_duty("a2");
    assert_eq!(world.stands(ONE), "active a2");
    assert_eq!(world.session(TWO).status(), "active");
}

#[test]
fn an_agent_who_owes_nothing_may_come_back() {
    let mut world = served();
    world.says(ONE, &user("a1"), "what is the number?");
    world.goes(DESK, "a1");
    world.wait(MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    assert_eq!(world.about(ONE, &user("s"))["agent_away"], true);
    assert!(world.about(ONE, &user("c1")).get("agent_away").is_none());
    world.wait(40 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "nobody is silent to somebody who is not there");
    world.comes(DESK, "a1");
    world.does(DESK, &user("a1"), "heartbeat", "{}");
    world.settle();
    assert!(world.about(ONE, &user("s")).get("agent_away").is_none());
    assert_eq!(world.department(DESK).agents["a1"].status.name(), "online", "as before");
}

#[test]
fn the_next_word_of_the_customer_finds_another_agent() {
    let mut world = served();
    world.says(ONE, &user("a1"), "what is the number?");
    world.goes(DESK, "a1");
    world.wait(MINUTE);
    world.settle();
    world.on_duty("a2");
    assert_eq!(world.stands(ONE), "active a1");
    world.says(ONE, &user("c1"), "17");
    assert_eq!(world.stands(ONE), "active a2");
    assert_eq!(world.department(DESK).load("a1"), 0);
}

#[test]
fn a_reload_is_no_loss_and_going_off_duty_is_one_at_once() {
    let mut world = served();
    world.says(ONE, &user("c1"), "hello?");
    world.goes(DESK, "a1");
    world.wait(30_000);
    world.settle();
    world.comes(DESK, "a1");
    world.wait(10 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"offline"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    world.does(DESK, &user("a1"), "heartbeat", "{}");
    world.settle();
    assert_eq!(world.stands(ONE), "waiting", "who went off duty is not back by being heard of");
}

#[test]
fn who_works_without_a_desk_is_heard_of_or_lost() {
    let mut world = World::new();
    let visitor = || match user("a1") {
        vocabulary::Caller::Connection { user, .. } => vocabulary::Caller::Visitor { user },
        other => other,
    };
    world.does(DESK, &visitor(), "heartbeat", r#"{"status":"online"}"#);
    world.starts(ONE, "c1");
    assert_eq!(world.stands(ONE), "active a1", "without a socket");
    world.says(ONE, &user("c1"), "hello?");
    let written = |world: &World| world.places[DESK].log.len();
    let before = written(&world);
    world.wait(59_999);
    world.does(DESK, &visitor(), "heartbeat", "{}");
    assert_eq!(written(&world), before, "at most once a minute");
    world.wait(1);
    world.does(DESK, &visitor(), "heartbeat", "{}");
    assert_eq!(written(&world), before + 1);
    world.wait(5 * MINUTE - 1);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    world.wait(1);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    world.does(DESK, &key(), "set_status", r#"{"agent_id":"a7","agent_name":"Ada","status":"online"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "active a7", "a back end says who is on duty");
}

#[test]
fn silence_is_warned_of_and_then_ends_the_session() {
    let mut world = served();
    world.wait(2 * 60 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "it is the staff's turn");
    world.says(ONE, &user("a1"), "what is the number?");
    world.wait(25 * MINUTE - 1);
    world.settle();
    assert_eq!(world.session(ONE).closes_at, None);
    world.wait(1);
    world.settle();
    assert!(world.newest_message(ONE).contains("This chat ends soon if nothing is said."));
    let closes_at = world.about(ONE, &user("c1"))["closes_at"].clone();
    assert_eq!(closes_at, "2026-01-01T12:30:00.000Z");
    world.wait(5 * MINUTE - 1);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    world.wait(1);
    world.settle();
    assert_eq!(world.stands(ONE), "closed a1");
    let closed =
        world.places[ONE].log.iter().find(|record| record.kind == "closed").cloned().expect("it ended");
    let frame = world.frame(ONE, &closed, CUSTOMER);
    assert!(frame.contains("customer_silent") && frame.contains(r#""by":"system""#), "{frame}");
    assert_eq!(world.department(DESK).load("a1"), 0);
    assert_eq!(world.now.wall.0, BEGIN + 150 * MINUTE);
}

#[test]
fn a_word_of_the_customer_ends_the_warning() {
    for word in ["send_message", "still_here"] {
        let mut world = served();
        world.says(ONE, &user("a1"), "what is the number?");
        world.wait(25 * MINUTE);
        world.settle();
        for caller in ["a1", "a2"] {
            assert_eq!(world.told(ONE, &user(caller), "still_here", "{}"), "! Forbidden");
        }
        world.does(ONE, &user("c1"), "typing", "{}");
        assert!(world.session(ONE).closes_at.is_some(), "typing is no word");
        world.does(ONE, &user("c1"), word, r#"{"message":"a moment"}"#);
        world.settle();
        assert!(world.about(ONE, &user("c1")).get("closes_at").is_none(), "{word}");
        world.wait(6 * MINUTE);
        world.settle();
        assert_eq!(world.stands(ONE), "active a1", "{word}");
    }
}

#[test]
fn after_still_here_the_silence_is_reckoned_anew() {
    let mut world = served();
    world.says(ONE, &user("a1"), "what is the number?");
    world.wait(25 * MINUTE);
    world.settle();
    world.does(ONE, &user("c1"), "still_here", "{}");
    assert!(!world.newest(ONE, CUSTOMER).contains("closes_at"));
    world.wait(25 * MINUTE - 1);
    world.settle();
    assert_eq!(world.session(ONE).closes_at, None);
    world.wait(1);
    world.settle();
    assert!(world.session(ONE).closes_at.is_some());
    assert_eq!(world.told(ONE, &user("c1"), "still_here", "{}").split(' ').next(), Some("session_update"));
    assert_eq!(world.told(ONE, &user("c1"), "still_here", "{}"), "-", "nothing ends");
}

#[test]
fn who_waits_and_is_gone_for_a_day_has_given_up() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    world.wait(48 * 60 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting", "the customer is here");
    world.goes(ONE, "c1");
    world.wait(24 * 60 * MINUTE - 1);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    world.wait(1);
    world.settle();
    assert_eq!(world.stands(ONE), "closed");
    let closed =
        world.places[ONE].log.iter().find(|record| record.kind == "closed").cloned().expect("it ended");
    assert!(world.frame(ONE, &closed, STAFF).contains("abandoned"));
    assert!(world.department(DESK).sessions.is_empty());
}

#[test]
fn a_session_that_lost_its_end_is_told_again_whose_it_is() {
    let mut world = served();
    let given = world.places[ONE].log.iter().position(|record| record.kind == "assigned").expect("given");
    let lost = world.places[ONE].log.len() - given;
    world.loses(ONE, lost);
    assert_eq!(world.stands(ONE), "waiting");
    world.wait(10 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    assert_eq!(world.department(DESK).load("a1"), 1);
}

#[test]
fn who_worked_by_http_and_is_here_has_a_minute_as_everybody() {
    let mut world = World::new();
    world.does(DESK, &key(), "heartbeat", r#"{"agent_id":"a1","status":"online"}"#);
    world.comes(DESK, "a1");
    world.starts(ONE, "c1");
    assert_eq!(world.stands(ONE), "active a1");
    world.wait(60 * MINUTE);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "they are here");
    world.goes(DESK, "a1");
    world.wait(MINUTE - 1);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    world.wait(1);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
}

#[test]
fn a_desk_is_one_also_while_its_agent_speaks_by_http() {
    let mut world = World::new();
    world.on_duty("a1");
    world.does(DESK, &key(), "heartbeat", r#"{"agent_id":"a1","agent_name":"A1"}"#);
    assert!(world.department(DESK).agents["a1"].desk);
}

#[test]
fn a_department_that_lost_its_past_is_told_again() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    world.places.remove(DESK);
    world.place(DESK);
    world.settle();
    assert!(world.department(DESK).sessions.is_empty());
    world.wait(10 * MINUTE);
    world.settle();
    assert_eq!(world.department(DESK).queue().len(), 1);
}

/// A node that follows a session a moment behind is asked by the department before it knows of the waiting.
#[test]
fn an_assignment_that_comes_before_its_waiting_is_known_is_no_refusal() {
    let mut world = served();
    let newest = world.session(ONE).newest;
    let later = vocabulary::Position { offset: newest.offset + 1, ..newest };
    let saga = vocabulary::RoomId::new("support", DESK);
    let caller = vocabulary::Caller::Step(vocabulary::StepId { saga, position: later, number: 0 });
    let asks =
        format!(r#"{{"from":"{later}","given":"{later}","agent_id":"a1","agent_name":"A1","how":"auto"}}"#);
    assert!(!world.refusal(ONE, &caller, "assign", &asks).code.is_clients_fault(), "it is asked again");
    let before = vocabulary::Position { offset: 1, ..newest };
    let asks =
        format!(r#"{{"from":"{before}","given":"{later}","agent_id":"a1","agent_name":"A1","how":"auto"}}"#);
    world.does(ONE, &user("c1"), "close", "{}");
    assert_eq!(world.told(ONE, &caller, "assign", &asks), "! TOO_LATE");
}

#[test]
fn a_customer_is_told_that_the_agent_is_away_and_that_they_are_back() {
    let mut world = served();
    world.says(ONE, &user("a1"), "what is the number?");
    let told = |world: &World, kind: &str, audience| {
        let record = world.places[ONE].log.iter().rfind(|record| record.kind == kind).cloned();
        world.frame(ONE, &record.expect("it happened"), audience)
    };
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"offline"}"#);
    world.settle();
    assert_eq!(
        told(&world, "agent_left", CUSTOMER),
        r#"agent_status {"agent_id":"a1","name":"A1","status":"away"}"#
    );
    assert!(told(&world, "agent_left", STAFF).contains(r#""agent_away":true"#));
    assert_eq!(told(&world, "agent_left", crate::OUTWARD), "hidden", "no broker's affair");
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"online"}"#);
    world.settle();
    assert_eq!(
        told(&world, "agent_back", CUSTOMER),
        r#"agent_status {"agent_id":"a1","name":"A1","status":"online"}"#
    );
    assert_eq!(told(&world, "agent_left", CUSTOMER), "hidden", "who was away needs no more");
}
