//! Who is given whom: the queue, the agents, picks, assignments and transfers.

use serde_json::Value;

use super::world::{DESK, ONE, THREE, TWO, World, key, rules, user, user_in};
use crate::{Choice, Rules, STAFF};

const LICENCES: &str = "dept:licences";

fn board(world: &mut World, caller: &str) -> Value {
    serde_json::from_str(&world.told(DESK, &user(caller), "get_department", "{}")).expect("a board is JSON")
}

#[test]
fn a_department_is_open_to_its_staff() {
    let mut world = World::new();
    for (caller, may) in [
        (user("c1"), false),
        (user_in("a1", Some(&["general"])), true),
        (user_in("a1", Some(&["licences"])), false),
        (user_in("a1", None), false),
        (user("s"), true),
        (user("m"), true),
        (key(), true),
    ] {
        assert_eq!(world.enters(DESK, &caller).is_ok(), may, "{caller:?}");
        assert_eq!(world.ask(DESK, &caller, "get_queue", "{}").is_ok(), may, "{caller:?}");
    }
}

#[test]
fn who_waits_is_given_to_who_is_there() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    assert_eq!(world.stands(ONE), "waiting");
    world.on_duty("a1");
    assert_eq!(world.stands(ONE), "active a1");
    let update = world.frame(
        ONE,
        &world.places[ONE]
            .log
            .iter()
            .rfind(|record| record.kind == "assigned")
            .cloned()
            .expect("it was given"),
        STAFF,
    );
    assert!(
        update.contains(r#""agent":{"id":"a1","name":"A1"}"#) && update.contains(r#""how":"auto""#),
        "{update}"
    );
    let told = |id: &str| world.inboxes[&(id.to_owned(), ONE.to_owned())].1.clone();
    assert_eq!(
        told("a1"),
        format!(
            r#"channel_changed {{"access":"active","role":"agent","room_id":"support:{ONE}","title":"a licence"}}"#
        )
    );
    assert!(told("c1").contains(r#""role":"customer""#));
}

#[test]
fn who_is_not_online_or_not_here_or_full_is_given_nobody() {
    for (status, here) in [("busy", true), ("away", true), ("offline", true)] {
        let mut world = World::new();
        world.comes(DESK, "a1");
        world.does(DESK, &user("a1"), "set_status", &format!(r#"{{"status":"{status}"}}"#));
        world.starts(ONE, "c1");
        assert_eq!(world.stands(ONE), "waiting", "{status} {here}");
    }
    let mut world = World::new();
    world.on_duty("a1");
    world.goes(DESK, "a1");
    world.starts(ONE, "c1");
    assert_eq!(world.stands(ONE), "waiting", "the desk is closed");
    world.comes(DESK, "a1");
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "presence alone brings it");
    world.starts(TWO, "c2");
    world.starts(THREE, "c3");
    assert_eq!(
        (world.stands(TWO), world.stands(THREE)),
        ("active a1".into(), "waiting".into()),
        "two at a time"
    );
    world.does(ONE, &user("c1"), "close", "{}");
    world.settle();
    assert_eq!(world.stands(THREE), "active a1", "a place is free");
}

#[test]
fn the_queue_goes_by_priority_then_by_age() {
    let mut world = World::new();
    for (room, customer, priority) in [(ONE, "c1", "low"), (TWO, "c2", "normal"), (THREE, "c3", "normal")] {
        world.does(room, &user(customer), "start", &format!(r#"{{"priority":"{priority}"}}"#));
        world.settle();
        world.wait(1000);
    }
    let queue = |world: &World| {
        let queue = world.department(DESK).queue();
        queue.into_iter().map(|(session, _)| session.to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(queue(&world), [TWO, THREE, ONE]);
    world.does(ONE, &user("a1"), "set_priority", r#"{"priority":"urgent"}"#);
    assert_eq!(world.told(ONE, &user("c1"), "set_priority", r#"{"priority":"low"}"#), "! Forbidden");
    world.settle();
    assert_eq!(queue(&world), [ONE, TWO, THREE]);
    let answer: Value =
        serde_json::from_str(&world.told(DESK, &user("a1"), "get_queue", "{}")).expect("JSON");
    assert_eq!((&answer["waiting"][0]["session_id"], &answer["waiting_count"]), (&ONE.into(), &3.into()));
}

#[test]
fn places_in_the_queue_are_told_at_most_once_in_five_seconds() {
    let mut world = World::new();
    world.wait(10_000);
    for (room, customer) in [(ONE, "c1"), (TWO, "c2"), (THREE, "c3")] {
        world.does(room, &user(customer), "start", "{}");
        world.settle();
    }
    world.wait(5_000);
    world.settle();
    let place = |world: &mut World, room: &str, id: &str| -> Value {
        let told = world.told(room, &user(id), "get_session", "{}");
        serde_json::from_str::<Value>(&told).expect("JSON")["queue_position"].clone()
    };
    assert_eq!(place(&mut world, THREE, "c3"), 3);
    assert!(world.glimpse(TWO, "queue", STAFF).expect("it is told").contains(r#""queue_position":2"#));
    world.does(ONE, &user("c1"), "close", "{}");
    world.settle();
    world.wait(4_999);
    world.settle();
    assert_eq!(place(&mut world, THREE, "c3"), 3);
    world.wait(1);
    world.settle();
    assert_eq!((place(&mut world, TWO, "c2"), place(&mut world, THREE, "c3")), (1.into(), 2.into()));
    let told = |world: &World| world.places[DESK].log.iter().filter(|record| record.kind == "places").count();
    world.wait(5_000);
    world.settle();
    let before = told(&world);
    world.wait(60_000);
    world.settle();
    assert_eq!(told(&world), before, "a queue that stands still says nothing");
    world.wait(30 * 60_000);
    world.settle();
    assert!(told(&world) > before, "but again before it is forgotten");
    world.on_duty("a1");
    assert_eq!(place(&mut world, TWO, "c2"), Value::Null, "who is served has no place");
}

#[test]
fn one_of_those_who_pick_gets_it() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    let pick = format!(r#"{{"session_id":"{ONE}"}}"#);
    assert_eq!(world.told(DESK, &user("a1"), "pick", &pick), "! Forbidden", "not on duty");
    for agent in ["a1", "a2"] {
        world.comes(DESK, agent);
        world.does(DESK, &user(agent), "set_status", r#"{"status":"busy"}"#);
    }
    let given = format!(
        r#"session_given {{"agent":{{"id":"a1","name":"A1"}},"how":"pick","session_id":"{ONE}","waiting":0}}"#
    );
    assert_eq!(world.told(DESK, &user("a1"), "pick", &pick), given);
    assert_eq!(world.refusal(DESK, &user("a2"), "pick", &pick).text, "session was given to A1");
    let unknown = format!(r#"{{"session_id":"{TWO}"}}"#);
    assert_eq!(world.told(DESK, &user("a2"), "pick", &unknown), "! NOT_FOUND");
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    for (room, customer) in [(TWO, "c2"), (THREE, "c3")] {
        world.starts(room, customer);
    }
    world.does(DESK, &user("a1"), "pick", &unknown);
    let third = format!(r#"{{"session_id":"{THREE}"}}"#);
    assert_eq!(world.told(DESK, &user("a1"), "pick", &third), "! AT_CAPACITY");
}

#[test]
fn supervisors_give_sessions_to_others_and_agents_take_their_own() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.comes(DESK, "a2");
    world.does(DESK, &user("a2"), "set_status", r#"{"status":"busy"}"#);
    let to = |agent: &str| format!(r#"{{"session_id":"{ONE}","agent_id":"{agent}"}}"#);
    assert_eq!(world.told(DESK, &user("a2"), "assign", &to("a2")), "! Forbidden");
    assert_eq!(world.told(DESK, &user("s"), "assign", &to("a1")), "! TAKEN");
    assert_eq!(world.told(DESK, &user("s"), "assign", &to("a3")), "! Forbidden", "not on duty");
    assert_eq!(world.told(DESK, &user("s"), "assign", &to("c1")), "! Forbidden", "not on duty");
    world.does(DESK, &user("s"), "assign", &to("a2"));
    world.settle();
    assert_eq!(world.stands(ONE), "active a2");
    assert_eq!(
        world.inboxes[&("a1".to_owned(), ONE.to_owned())].1,
        format!(r#"channel_removed {{"room_id":"support:{ONE}"}}"#)
    );
    assert_eq!((world.department(DESK).load("a1"), world.department(DESK).load("a2")), (0, 1));
    assert_eq!(world.told(ONE, &user("a3"), "assign", r#"{"agent_id":"a1"}"#), "! Forbidden");
    assert_eq!(world.refusal(ONE, &user("a1"), "assign", "{}").text, "session was given to A2");
    world.does(ONE, &user("s"), "assign", r#"{"agent_id":"a1"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "asked of the session itself");
    assert_eq!(world.told(ONE, &user("a1"), "assign", "{}"), "! TAKEN");
}

#[test]
fn of_two_agents_who_ask_the_session_itself_one_has_it() {
    let mut world = World::new();
    for agent in ["a1", "a2"] {
        world.on_duty(agent);
        world.does(DESK, &user(agent), "set_status", r#"{"status":"busy"}"#);
    }
    world.starts(ONE, "c1");
    world.does(ONE, &user("a1"), "assign", "{}");
    assert_eq!(world.refusal(ONE, &user("a2"), "assign", "{}").text, "session was given to a1");
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"online"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1");
    assert_eq!(world.refusal(ONE, &user("a2"), "assign", "{}").text, "session was given to A1");
    // Whoever has left it, and owes nothing, holds nobody up.
    world.says(ONE, &user("a1"), "what is the number?");
    world.does(DESK, &user("a1"), "set_status", r#"{"status":"offline"}"#);
    world.does(DESK, &user("a2"), "set_status", r#"{"status":"online"}"#);
    world.settle();
    world.does(ONE, &user("a2"), "assign", "{}");
    world.settle();
    assert_eq!(world.stands(ONE), "active a2");
}

#[test]
fn one_customer_does_not_fill_the_queue() {
    let mut world = World::new();
    for number in 0..22 {
        world.starts(&super::bounds::name(number), "c1");
    }
    assert_eq!(world.department(DESK).queue().len(), 20);
    world.starts(ONE, "c2");
    assert_eq!(world.department(DESK).queue().len(), 21, "others wait as ever");
    // A place that becomes free is the next one's, when it asks again.
    world.does(&super::bounds::name(3), &user("c1"), "close", "{}");
    world.settle();
    assert_eq!(world.department(DESK).queue().len(), 21);
}

#[test]
fn a_place_in_a_queue_is_that_of_the_waiting_that_goes_on() {
    let mut world = World::new();
    world.starts(ONE, "c1");
    world.starts(TWO, "c2");
    world.wait(10_000);
    while world.do_due(DESK) {}
    world.settle();
    let place = |world: &mut World| {
        let told = world.told(TWO, &user("c2"), "get_session", "{}");
        serde_json::from_str::<Value>(&told).expect("JSON")["queue_position"].clone()
    };
    assert_eq!(place(&mut world), 2);
    world.does(TWO, &user("s"), "transfer", r#"{"department":"licences"}"#);
    assert_eq!(place(&mut world), Value::Null, "it was the other department's");
    assert_eq!(world.glimpse(TWO, "queue", crate::CUSTOMER), None);
}

#[test]
fn a_transfer_goes_to_whom_it_is_for_or_waits_in_front() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.on_duty("a2");
    assert_eq!(world.told(ONE, &user("c1"), "transfer", r#"{"agent_id":"a2"}"#), "! Forbidden");
    assert_eq!(world.told(ONE, &user("a3"), "transfer", r#"{"agent_id":"a3"}"#), "! Forbidden", "not theirs");
    assert_eq!(world.told(ONE, &user("a1"), "transfer", "{}"), "! InvalidPayload");
    assert_eq!(world.told(ONE, &user("a1"), "transfer", r#"{"department":"general"}"#), "! InvalidPayload");
    assert_eq!(world.told(ONE, &user("a1"), "transfer", r#"{"agent_id":"c1"}"#), "! InvalidPayload");
    world.does(ONE, &user("a1"), "transfer", r#"{"agent_id":"a2","reason":"knows more"}"#);
    assert!(world.newest(ONE, STAFF).contains(r#""reason":"knows more""#));
    world.settle();
    assert_eq!(world.stands(ONE), "active a2");
    world.starts(TWO, "c2");
    assert_eq!(world.stands(TWO), "active a1");
    world.does(DESK, &user("a2"), "set_status", r#"{"status":"busy"}"#);
    world.does(TWO, &user("a1"), "transfer", r#"{"agent_id":"a2"}"#);
    world.settle();
    assert_eq!(world.stands(TWO), "waiting", "who is busy is given nobody");
    world.does(DESK, &user("a2"), "set_status", r#"{"status":"online"}"#);
    world.settle();
    assert_eq!(world.stands(TWO), "active a2");
}

#[test]
fn a_session_that_was_handed_on_does_not_come_back_by_itself() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.does(ONE, &user("a1"), "transfer", r#"{"agent_id":"a2"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting", "a2 is not there, and a1 gave it away");
    world.does(TWO, &key(), "start", r#"{"customer_id":"c2","priority":"urgent"}"#);
    world.settle();
    let seen = board(&mut world, "s");
    assert_eq!(
        (&seen["waiting"][0]["head"], &seen["waiting"][0]["wished_agent"]),
        (&true.into(), &"a2".into())
    );
    assert_eq!(world.stands(TWO), "active a1");
    world.on_duty("a3");
    assert_eq!(world.stands(ONE), "active a3", "whoever else comes first");
    world.does(ONE, &user("a3"), "transfer", r#"{"agent_id":"a2"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "active a1", "a1 did not hand it on this time");
}

#[test]
fn a_transfer_to_another_department_leaves_the_first_one() {
    let mut world = World::new();
    world.on_duty("a1");
    world.starts(ONE, "c1");
    world.does(ONE, &user("a1"), "transfer", r#"{"department":"licences"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    assert_eq!(world.department(DESK).sessions.len(), 0);
    assert_eq!(world.department(LICENCES).queue().len(), 1);
    let clerk = user_in("a5", Some(&["licences"]));
    world.comes(LICENCES, "a5");
    world.does(LICENCES, &clerk, "set_status", r#"{"status":"online"}"#);
    world.settle();
    assert_eq!(world.stands(ONE), "active a5");
    assert!(world.enters(ONE, &user_in("a6", Some(&["general"]))).is_err());
}

#[test]
fn who_serves_is_not_given_their_own_question() {
    let mut world = World::new();
    world.on_duty("a1");
    world.does(ONE, &user("a1"), "start", "{}");
    world.settle();
    assert_eq!(world.stands(ONE), "waiting");
    let own = format!(r#"{{"session_id":"{ONE}"}}"#);
    assert_eq!(world.told(DESK, &user("a1"), "pick", &own), "! Forbidden");
    world.on_duty("a2");
    assert_eq!(world.stands(ONE), "active a2");
}

#[test]
fn by_turns_is_by_turns_whatever_each_has() {
    let mut with = rules();
    with.departments[0].choice = Choice::RoundRobin;
    with.departments[0].sessions_max = 9;
    let mut world = World::with(with);
    for agent in ["a1", "a2"] {
        world.on_duty(agent);
    }
    world.starts(ONE, "c1");
    world.starts(TWO, "c2");
    world.does(TWO, &user("c2"), "close", "{}");
    world.settle();
    world.starts(THREE, "c3");
    assert_eq!(world.stands(THREE), "active a1", "a2 has none, and it is a1's turn");
}

#[test]
fn a_department_that_is_full_says_so_and_is_asked_again() {
    let mut world = World::new();
    let full = crate::tests::bounds::filled(&mut world, 2_000, 4);
    assert_eq!(full, 2_000);
    world.starts(ONE, "c1");
    let session = world.session(ONE);
    assert!(!session.untold.is_full() && world.department(DESK).sessions.len() == 2_000);
    let (step, id) = world
        .steps()
        .into_iter()
        .find(|(step, _)| step.kind == "session_waits")
        .expect("it is still to be told");
    let refusal = world.deliver(&step, &id).expect_err("there is no place");
    assert_eq!(refusal.retry_after_ms, Some(30_000));
    assert!(refusal.text.contains("holds as many sessions as it can (2000 or 800 KiB)"), "{}", refusal.text);
    let saga = vocabulary::RoomId::new("support", &crate::tests::bounds::name(0));
    let position =
        vocabulary::Position { offset: id.position.offset + 1, epoch: vocabulary::Epoch::new(9, 9) };
    let over = vocabulary::Caller::Step(vocabulary::StepId { saga, position, number: 0 });
    world.does(DESK, &over, "session_over", r#"{"moved":true}"#);
    assert!(world.deliver(&step, &id).is_ok());
    assert_eq!(world.department(DESK).sessions.len(), 2_000);
    assert!(world.department(DESK).sessions.contains_key(ONE));
}

#[test]
fn a_department_that_is_gone_leaves_its_sessions_to_the_first() {
    let mut world = World::new();
    world.does(ONE, &user("c1"), "start", r#"{"department":"licences"}"#);
    let Rules { mut departments, .. } = rules();
    departments.truncate(1);
    world.app = crate::Support::new(Rules { departments, ..rules() });
    world.settle();
    assert_eq!(world.session(ONE).department.as_deref(), Some("general"));
    assert_eq!(world.department(DESK).queue().len(), 1);
}

#[test]
fn the_board_shows_all_there_is() {
    let mut world = World::new();
    world.on_duty("a1");
    for (room, customer) in [(ONE, "c1"), (TWO, "c2"), (THREE, "c3")] {
        world.starts(room, customer);
    }
    world.wait(7_000);
    world.says(ONE, &user("a1"), "hello");
    world.does(ONE, &user("c1"), "close", r#"{"rating":5}"#);
    world.settle();
    let seen = board(&mut world, "s");
    assert_eq!(
        (&seen["waiting_count"], &seen["active_count"], &seen["agents_count"]),
        (&0.into(), &2.into(), &1.into())
    );
    let Rules { departments, agent_gone_ms, .. } = rules();
    let max = departments.iter().find(|rule| rule.name == seen["department"]).expect("a rule").sessions_max;
    assert_eq!((&seen["sessions_max"], &seen["agent_gone_ms"]), (&max.into(), &agent_gone_ms.into()));
    assert_eq!(seen["active"][0]["agent"]["name"], "A1");
    assert_eq!(seen["agents"][0]["load"], 2);
    assert_eq!(
        (
            &seen["figures"]["closed"],
            &seen["figures"]["first_response_ms"],
            &seen["figures"]["rating_hundredths"]
        ),
        (&1.into(), &7_000.into(), &500.into())
    );
}
