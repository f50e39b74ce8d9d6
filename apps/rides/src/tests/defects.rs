//! What the system that this one follows got wrong, one by one.

use crate::consent::Half;

use super::world::{World, as_role, at, key, user};

const STRANGER: &str = "! Unauthorized Authentication required";

#[test]
fn nobody_but_the_two_can_make_a_match_of_theirs() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.beacon("d2", 200.0);
    world.find("p1");
    world.find("p2");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    let before = world.places["passenger:p1"].log.len();
    for word in [r#""accepted":true"#, r#""accepted":false"#, r#""status":"ACCEPTED""#] {
        let payload = format!(r#"{{"match_id":"{id}",{word}}}"#);
        // In their own rooms it is none of theirs; the others' rooms are closed to them.
        for (room, who) in [
            ("passenger:p2", user("p2")),
            ("driver:d2", user("d2")),
            ("passenger:p1", user("p2")),
            ("passenger:p1", user("d1")),
            ("passenger:p1", as_role("p1", Some("driver"))),
            ("driver:d1", user("p1")),
            ("driver:d1", as_role("d1", None)),
            ("driver:d1", as_role("d1", Some("admin"))),
        ] {
            assert_eq!(world.told(room, &who, "match_confirm", &payload), STRANGER, "{room} {word}");
        }
    }
    // A repeat of who has confirmed is no consent of the other one.
    world.confirm("driver:d1", &id);
    world.live(2);
    assert_eq!(world.places["passenger:p1"].log.len(), before);
    assert!(world.passenger("p1").trip().is_none() && world.driver("d1").trip().is_none());
    world.confirm("passenger:p1", &id);
    assert!(world.driver("d1").trip().is_some());
}

#[test]
fn no_room_takes_another_rooms_word_for_a_third() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    world.find("p2");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    let proposal = &world.passenger("p1").offer(&id).expect("it is offered").proposal;
    let payload = serde_json::json!({"proposal": proposal, "match_id": id}).to_string();
    for (room, kind, of) in [
        ("driver:d1", "claim", "passenger:p2"),
        ("driver:d1", "withdraw", "passenger:p2"),
        ("driver:d1", "claim", "driver:d1"),
        ("driver:d2", "claim", "passenger:p1"),
        ("passenger:p1", "driver_confirmed", "driver:d2"),
        ("passenger:p1", "is_matched", "driver:d2"),
    ] {
        let saga = vocabulary::RoomId::new("rides", of);
        let step = vocabulary::StepId { saga, position: Default::default(), number: 0 };
        let told = world.told(room, &vocabulary::Caller::Step(step), kind, &payload);
        assert!(told.starts_with("! "), "{room} took {kind} of {of}: {told}");
    }
    assert!(world.driver("d1").trip().is_none());
}

#[test]
fn a_drivers_room_gives_its_driver_to_nobody_without_the_drivers_own_word() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    let proposal = &world.passenger("p1").offer(&id).expect("it is offered").proposal;
    let payload = serde_json::json!({"proposal": proposal}).to_string();
    let saga = vocabulary::RoomId::new("rides", "passenger:p1");
    let step = vocabulary::StepId { saga, position: Default::default(), number: 0 };
    let claim = vocabulary::Caller::Step(step);
    assert!(world.told("driver:d1", &claim, "claim", &payload).starts_with("! TOO_LATE"));
    world.confirm("driver:d1", &id);
    world.does("driver:d1", &claim, "claim", &payload);
    assert!(world.driver("d1").trip().is_some());
}

#[test]
fn a_ride_of_short_steps_is_billed_and_ends() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    // 30 km/h, a point every 15 s: each step is an eighth of a kilometre.
    for step in 1..=40 {
        world.wait(15_000);
        world.moves(&ride, "d1", 125.0 * f64::from(step));
    }
    world.does(&ride, &user("d1"), "ride_arrived", "{}");
    assert_eq!(world.state(&ride)["payment"]["adjusted_cost"], 15_000);
    assert_eq!(world.status(&ride), "ARRIVED");
}

#[test]
fn a_ride_without_one_point_ends() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.does(&ride, &user("d1"), "ride_arrived", "{}");
    world.settle();
    assert_eq!((world.status(&ride).as_str(), &world.state(&ride)["total_cost"]), ("COMPLETED", &0.into()));
}

/// T36: a phone that says it is where it cannot be.
#[test]
fn repeated_late_and_impossible_points_are_counted_and_cost_nothing() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.wait(60_000);
    let said = |metres: f64, second: u32| {
        format!(r#"{{{},"timestamp":"2026-01-01T10:00:{second:02}.000Z"}}"#, at(metres))
    };
    for (metres, second) in [(200.0, 20), (200.0, 20), (100.0, 10), (202.0, 30), (9_000.0, 31), (400.0, 40)] {
        world.does(&ride, &user("d1"), "location_update", &said(metres, second));
    }
    let state = world.state(&ride);
    assert_eq!(state["distance_m"].as_f64().map(f64::round), Some(400.0));
    assert_eq!(
        state["dropped_points"].to_string(),
        r#"{"duplicate":1,"jitter":1,"jump":1,"out_of_order":1}"#
    );
    let points = world.places[&ride].log.iter().filter(|record| record.kind == "point").count();
    assert_eq!(points, 6, "all of them are records");
}

#[test]
fn a_phone_whose_clock_was_wrong_where_the_ride_began_makes_no_jump_true() {
    let mut world = World::new();
    let ride = world.riding();
    let old = format!(r#"{{{},"timestamp":"1970-01-01T00:00:00.000Z"}}"#, at(0.0));
    world.does(&ride, &user("d1"), "location_update", &old);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.wait(10_000);
    world.moves(&ride, "d1", 50_000.0);
    let state = world.state(&ride);
    assert_eq!((&state["distance_m"], &state["dropped_points"]["jump"]), (&0.0.into(), &1.into()), "{state}");
}

#[test]
fn a_driver_whose_phone_lives_in_another_year_is_paid_for_no_more_than_the_way() {
    let mut world = World::new();
    let ride = world.riding();
    let then = |minute: u32, metres: f64| {
        format!(
            r#"{{{},"timestamp":"1970-01-01T{:02}:{:02}:00.000Z"}}"#,
            at(metres),
            minute / 60,
            minute % 60
        )
    };
    world.does(&ride, &user("d1"), "location_update", &then(0, 0.0));
    world.does(&ride, &user("d1"), "ride_start", "{}");
    for step in 1..=40 {
        world.wait(1_000);
        world.does(&ride, &user("d1"), "location_update", &then(step * 10, 4_000.0 * f64::from(step)));
    }
    let state = world.state(&ride);
    let metres = state["distance_m"].as_f64().expect("metres");
    assert!(metres <= 150_000.0 / 3_600.0 * 160.0, "{metres} m in 40 seconds, 2 minutes at most before them");
}

#[test]
fn a_step_that_comes_twice_is_billed_once() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    world.wait(30_000);
    world.does("driver:d1", &user("d1"), "location_update", &format!("{{{}}}", at(300.0)));
    let (step, name) =
        world.steps().into_iter().find(|(step, _)| step.kind == "fixes").expect("it is sent on");
    for _ in 0..3 {
        world.deliver(&step, &name).expect("it is taken");
    }
    world.settle();
    assert_eq!(world.state(&ride)["distance_m"].as_f64().map(f64::round), Some(300.0));
}

#[test]
fn a_node_that_does_not_know_of_the_start_takes_no_point_for_an_older_one() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    world.wait(30_000);
    world.does("driver:d1", &user("d1"), "location_update", &format!("{{{}}}", at(300.0)));
    let (step, name) =
        world.steps().into_iter().find(|(step, _)| step.kind == "fixes").expect("it is sent on");
    world.behind = 3;
    let refused = world.deliver(&step, &name).expect_err("it is behind");
    assert_eq!(refused.code, vocabulary::Code::Busy);
    world.behind = 0;
    world.settle();
    assert_eq!(world.state(&ride)["distance_m"].as_f64().map(f64::round), Some(300.0));
}

#[test]
fn two_rides_never_share_a_point() {
    let mut world = World::new();
    let one = world.riding();
    world.beacon("d2", 100.0);
    world.find("p2");
    let two = world.matched("p2", "d2");
    for (ride, driver) in [(&one, "d1"), (&two, "d2")] {
        world.moves(ride, driver, 0.0);
        world.does(ride, &user(driver), "ride_start", "{}");
    }
    world.settle();
    for step in 1..=10 {
        world.wait(10_000);
        // One says nothing of the ride that they are on, as an older client.
        world.says(
            "driver:d1",
            "location_update",
            &format!(r#"{{"ride_id":"",{}}}"#, at(100.0 * f64::from(step))),
        );
        world.moves(&two, "d2", -50.0 * f64::from(step));
    }
    let metres = |world: &World, ride: &str| world.state(ride)["distance_m"].as_f64().map(f64::round);
    assert_eq!((metres(&world, &one), metres(&world, &two)), (Some(1_000.0), Some(500.0)));
}

#[test]
fn a_driver_who_moves_is_found_where_they_are() {
    let mut world = World::new();
    world.beacon("d1", 5_000.0);
    for metres in [4_000.0, 3_000.0, 2_000.0, 900.0] {
        world.wait(60_000);
        world.says("driver:d1", "location_update", &format!("{{{}}}", at(metres)));
    }
    world.find("p1");
    assert_eq!(world.offers("passenger:p1").len(), 1);
}

#[test]
fn nobody_switches_anybody_else_on_or_off() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    let off = r#"{"msisdn":"628123456789","is_active":false}"#;
    for who in [user("d2"), user("p1"), as_role("d1", None)] {
        assert_eq!(world.told("driver:d1", &who, "beacon_update", off), STRANGER);
    }
    assert_eq!(world.told("passenger:p1", &user("p2"), "finder_update", off), STRANGER);
    // A number in the body is nobody's word: it is their own beacon.
    world.says("driver:d1", "beacon_update", off);
    assert!(!world.driver("d1").on);
    // A passenger has no beacon, and a driver's token finds nobody.
    assert_eq!(world.told("driver:p1", &user("p1"), "beacon_update", r#"{"is_active":true}"#), STRANGER);
    let find = format!(r#"{{"is_active":true,{}}}"#, at(0.0));
    assert_eq!(world.told("passenger:d1", &user("d1"), "finder_update", &find), STRANGER);
}

#[test]
fn a_rejected_payment_locks_nobody_and_can_be_tried_again() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    for _ in 0..3 {
        world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"REJECTED"}"#);
        world.settle();
        assert_eq!(world.status(&ride), "ARRIVED");
        assert_eq!(world.state("passenger:p1")["payment"]["status"], "REJECTED");
    }
    assert!(world.heard("driver:d1").ends_with("payment_processed REJECTED"));
    // Both go on meanwhile.
    world.says("driver:d1", "location_update", &format!("{{{}}}", at(50.0)));
    world.find("p1");
    world.live(1);
    let other = world.matched("p1", "d1");
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
    world.settle();
    assert_eq!(world.status(&ride), "COMPLETED");
    assert_eq!(world.state("passenger:p1")["ride"]["ride_id"], other[5..]);
}

#[test]
fn who_comes_back_in_the_middle_of_it_is_told_all_of_it() {
    let mut world = World::new();
    world.beacon("d1", 300.0);
    world.find("p1");
    let offer = &world.state("driver:d1")["offers"][0];
    assert_eq!((&offer["passenger_id"], &offer["match_status"]), (&"p1".into(), &"PENDING".into()));
    let ride = world.matched("p1", "d1");
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    for room in ["driver:d1", "passenger:p1"] {
        let state = world.state(room);
        assert_eq!(
            (&state["ride"]["ride_id"], &state["ride"]["status"]),
            (&ride[5..].into(), &"ONGOING".into())
        );
    }
}

#[test]
fn a_back_end_that_repeats_itself_does_nothing_twice() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    for _ in 0..3 {
        world.does(&ride, &key(), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
        world.does(&ride, &key(), "ride_arrived", "{}");
        world.settle();
    }
    let paid = world.places[&ride].log.iter().filter(|record| record.kind == "payment").count();
    assert_eq!(paid, 1);
    assert!(
        world
            .told(&ride, &key(), "ride_cancel", "{}")
            .starts_with("! VALIDATION_FAILED ride_id is of a ride that is over")
    );
}

#[test]
fn a_match_needs_its_name() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    for payload in ["{}", r#"{"match_id":"","accepted":true}"#, r#"{"match_id":null}"#] {
        let told = world.told("driver:d1", &user("d1"), "match_confirm", payload);
        assert_eq!(told, "! VALIDATION_FAILED match_id is required");
    }
    let told = world.told("driver:d1", &user("d1"), "match_confirm", r#"{"match_id":7}"#);
    assert_eq!(told, "! VALIDATION_FAILED match_id must be a text, got 7");
}

#[test]
fn of_two_words_that_differ_neither_counts() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    for (accepted, status) in [(true, "REJECTED"), (false, "ACCEPTED")] {
        let both = format!(r#"{{"match_id":"{id}","accepted":{accepted},"status":"{status}"}}"#);
        for (room, who) in [("driver:d1", "d1"), ("passenger:p1", "p1")] {
            let told = world.told(room, &user(who), "match_confirm", &both);
            let says = format!("status must be left out, or what accepted says, {accepted}, got {status}");
            assert_eq!(told, format!("! VALIDATION_FAILED {says}"));
        }
    }
    assert_eq!(world.offers("driver:d1").len(), 1, "neither a yes nor a no");
    let two = format!(r#"{{"is_active":true,{},"location":{{{}}}}}"#, at(0.0), at(500.0));
    for (room, who, word) in [
        ("driver:d1", "d1", "beacon_update"),
        ("driver:d1", "d1", "location_update"),
        ("passenger:p2", "p2", "finder_update"),
    ] {
        let told = world.told(room, &user(who), word, &two);
        assert!(
            told.starts_with("! VALIDATION_FAILED location must be where latitude and longitude"),
            "{told}"
        );
    }
    // The same twice is one.
    let both = format!(r#"{{"match_id":"{id}","accepted":true,"status":"ACCEPTED"}}"#);
    world.says("driver:d1", "match_confirm", &both);
    let place = format!(r#"{{{},"location":{{{}}}}}"#, at(400.0), at(400.0));
    world.says("driver:d1", "location_update", &place);
}

#[test]
fn who_has_too_long_an_id_for_a_room_has_none() {
    let mut world = World::new();
    for (side, longest) in [("driver", 121), ("passenger", 118)] {
        for (bytes, is_room) in [(longest, true), (longest + 1, false), (128, false)] {
            let id = "x".repeat(bytes);
            let who = as_role(&id, (side == "driver").then_some("driver"));
            let entered = world.enters(&format!("{side}:{id}"), &who);
            assert_eq!(entered.is_ok(), is_room, "{side} {bytes}: {entered:?}");
        }
    }
}
