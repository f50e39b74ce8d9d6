//! A ride from the match to its end: where it may begin, what is measured, how it is cancelled.

use serde_json::Value;

use super::world::{World, at, key, user};

#[test]
fn the_whole_of_a_ride_in_the_order_in_which_both_are_told() {
    let mut world = World::new();
    let ride = world.ridden(3_200.0, r#"{"adjustment_factor":0.9}"#);
    let request = world.places["passenger:p1"].log.iter().rev().find_map(|record| {
        let frame = world.frame("passenger:p1", record, crate::THEIRS);
        frame.starts_with("payment_request").then_some(frame)
    });
    assert_eq!(
        request.expect("the passenger is asked"),
        format!(
            r#"payment_request {{"passenger_id":"p1","qr_code_url":null,"ride_id":"{}","total_cost":8640}}"#,
            &ride[5..]
        )
    );
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":8640,"status":"ACCEPTED"}"#);
    world.settle();
    let expected = "ride_pickup ARRIVING, ride_pickup PICKUP, ride_started ONGOING, ride_arrived ARRIVED, payment_processed PROCESSED, ride_completed";
    assert!(world.heard("driver:d1").ends_with(expected), "{}", world.heard("driver:d1"));
    let asked = expected.replace("payment_processed", "payment_request, payment_processed");
    assert!(world.heard("passenger:p1").ends_with(&asked), "{}", world.heard("passenger:p1"));
    let state = world.state(&ride);
    let payment = &state["payment"];
    assert_eq!(
        (&state["status"], state["distance_m"].as_f64().map(f64::round)),
        (&"COMPLETED".into(), Some(3_200.0)),
        "{state}"
    );
    for (name, amount) in
        [("fare", 9600), ("adjusted_cost", 8640), ("admin_fee", 432), ("driver_payout", 8208)]
    {
        assert_eq!(payment[name], amount, "{name}: {state}");
    }
    for room in ["driver:d1", "passenger:p1"] {
        assert!(world.state(room)["ride"].is_null() && world.state(room)["payment"].is_null());
    }
    assert_eq!(world.state("driver:d1")["beacon"]["available"], true, "and is offered the next");
}

#[test]
fn it_begins_where_the_two_are_within_the_gate_by_what_both_phones_said() {
    for (driver, passenger, told) in [
        // 100.08 m: latitude -0.0009 degrees.
        (
            Some(100.08),
            None,
            "! VALIDATION_FAILED the driver is 100 m from the passenger, and must be within 100 m",
        ),
        (Some(99.9), None, "ONGOING"),
        (Some(240.0), Some(150.0), "ONGOING"),
        (Some(0.0), Some(150.0), "! VALIDATION_FAILED the driver is 150 m from the passenger"),
        // By the driver's beacon, 300 m from the pick-up.
        (None, Some(0.0), "! VALIDATION_FAILED the driver is 300 m from the passenger"),
        (None, Some(210.0), "ONGOING"),
    ] {
        let mut world = World::new();
        let ride = world.riding();
        for (who, metres) in [("d1", driver), ("p1", passenger)] {
            if let Some(metres) = metres {
                world.moves(&ride, who, metres);
            }
        }
        let here = r#"{"driver_location":{"latitude":0,"longitude":0},"passenger_location":{"latitude":0,"longitude":0}}"#;
        let answer = world.told(&ride, &user("d1"), "ride_start", here);
        assert!(answer.contains(told) || told == world.status(&ride), "{driver:?} {passenger:?}: {answer}");
    }
}

#[test]
fn what_was_known_two_minutes_ago_is_not_known() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 200.0);
    world.moves(&ride, "p1", 190.0);
    world.live(119);
    world.moves(&ride, "d1", 200.0);
    world.live(2);
    // The passenger's is too old: the pick-up counts, and that is 200 m away.
    let answer = world.told(&ride, &user("d1"), "ride_start", "{}");
    assert!(answer.contains("the driver is 200 m from the passenger"), "{answer}");
    world.live(120);
    let answer = world.told(&ride, &user("d1"), "ride_start", "{}");
    assert!(answer.contains("no position of the driver is known from the last 120 s"), "{answer}");
    // What the beacon said is no news for longer either.
    for (seconds, status) in [(119, "ONGOING"), (121, "ARRIVING")] {
        let mut world = World::new();
        world.beacon("d1", 50.0);
        world.live(60);
        world.find("p1");
        let ride = world.matched("p1", "d1");
        world.live(seconds - 60);
        world.told(&ride, &user("d1"), "ride_start", "{}");
        assert_eq!(world.status(&ride), status, "{seconds} s");
    }
}

#[test]
fn the_driver_has_come_when_their_phone_is_at_the_pick_up_or_they_say_so_there() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 250.0);
    let answer = world.told(&ride, &user("d1"), "pickup_arrived", "{}");
    assert!(
        answer.contains("the driver is 250 m from the pick-up, and must be within 100 m: come closer"),
        "{answer}"
    );
    world.moves(&ride, "d1", 80.0);
    assert_eq!(world.status(&ride), "PICKUP");
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "p1", 300.0);
    world.moves(&ride, "d1", 310.0);
    assert_eq!(world.status(&ride), "ARRIVING");
    world.does(&ride, &user("d1"), "pickup_arrived", "{}");
    assert_eq!(world.status(&ride), "PICKUP", "where the passenger is");
}

#[test]
fn whose_turn_it_is_not_is_told_what_comes_first() {
    let mut world = World::new();
    let ride = world.riding();
    for (who, word, payload, told) in [
        (
            "d1",
            "ride_arrived",
            "{}",
            "VALIDATION_FAILED ride_id is of a ride that has not started: ride_start comes first",
        ),
        (
            "p1",
            "payment_process",
            r#"{"total_cost":0,"status":"ACCEPTED"}"#,
            "VALIDATION_FAILED ride_id is of a ride for which nothing is to be paid",
        ),
        ("p1", "ride_start", "{}", "Unauthorized Authentication required"),
        ("p1", "pickup_arrived", "{}", "Unauthorized Authentication required"),
        ("p1", "ride_arrived", "{}", "Unauthorized Authentication required"),
        ("d1", "payment_process", "{}", "Unauthorized Authentication required"),
        ("d2", "location_update", "{}", "Unauthorized Authentication required"),
        ("p2", "ride_cancel", "{}", "Unauthorized Authentication required"),
        ("p2", "get_state", "{}", "Unauthorized Authentication required"),
        ("d1", "location_update", r#"{"longitude":1}"#, "VALIDATION_FAILED latitude is required"),
        ("d1", "location_update", "{}", "VALIDATION_FAILED latitude is required"),
        (
            "d1",
            "location_update",
            r#"{"latitude":91,"longitude":1}"#,
            "VALIDATION_FAILED latitude must be a number of degrees from -90 to 90, got 91",
        ),
        (
            "d1",
            "location_update",
            r#"{"latitude":1,"longitude":-180.5}"#,
            "VALIDATION_FAILED longitude must be a number of degrees from -180 to 180, got -180.5",
        ),
        (
            "d1",
            "location_update",
            r#"{"latitude":"1","longitude":1}"#,
            "VALIDATION_FAILED latitude must be a number",
        ),
        (
            "d1",
            "location_update",
            r#"{"latitude":1,"longitude":1,"timestamp":"noon"}"#,
            "VALIDATION_FAILED timestamp must be a time such as",
        ),
        (
            "d1",
            "ride_start",
            r#"{"ride_id":"x"}"#,
            "VALIDATION_FAILED ride_id must be the ride of this room, got x",
        ),
        ("d1", "beacon_update", "{}", "UnknownType unknown message type: beacon_update"),
    ] {
        let answer = world.told(&ride, &user(who), word, payload);
        assert!(answer.starts_with(&format!("! {told}")), "{who} {word}: {answer}");
    }
    let nobody = "ride:00000000-0000-4000-8000-000000000001";
    assert!(world.told(nobody, &user("d1"), "ride_start", "{}").starts_with("! NOT_FOUND no such ride"));
    assert_eq!(world.enters(&ride, &user("d1")), Ok(1));
    assert_eq!(world.enters(&ride, &user("p2")), Err("! Unauthorized Authentication required".into()));
    assert_eq!(world.enters(&ride, &key()), Ok(1));
}

#[test]
fn a_repeated_word_is_answered_with_what_stands() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    let records = world.places[&ride].log.len();
    let answer: Value =
        serde_json::from_str(&world.told(&ride, &user("d1"), "ride_arrived", r#"{"adjustment_factor":0.1}"#))
            .expect("it is answered");
    assert_eq!(answer["payment"]["adjusted_cost"], 3000, "{answer}");
    assert_eq!(world.places[&ride].log.len(), records);
}

#[test]
fn cancelling_costs_only_a_passenger_whom_the_driver_has_come_for() {
    for (come, by, fee) in [(false, "p1", 0), (false, "d1", 0), (true, "p1", 2000), (true, "d1", 0)] {
        let mut world = World::new();
        let ride = world.riding();
        world.moves(&ride, "d1", if come { 20.0 } else { 250.0 });
        world.does(&ride, &user(by), "ride_cancel", r#"{"reason":"too late"}"#);
        world.settle();
        let state = world.state(&ride);
        assert_eq!(state["status"], "CANCELLED");
        assert_eq!(state["cancellation_fee"], fee, "{come} {by}");
        assert_eq!(state["ended_by"], if by == "p1" { "passenger" } else { "driver" });
        for room in ["driver:d1", "passenger:p1"] {
            assert!(world.heard(room).contains("ride_cancelled CANCELLED too late"), "{}", world.heard(room));
            assert!(world.state(room)["ride"].is_null(), "nobody is held");
        }
        let payment = world.state("passenger:p1")["payment"].clone();
        if fee == 0 {
            assert!(payment.is_null());
        } else {
            assert_eq!((&payment["admin_fee"], &payment["driver_payout"]), (&100.into(), &1900.into()));
            world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":2000,"status":"ACCEPTED"}"#);
            world.settle();
            assert!(world.state("passenger:p1")["payment"].is_null());
            assert_eq!(world.status(&ride), "CANCELLED");
        }
        world.find("p1");
        world.live(1);
        assert!(!world.offers("driver:d1").is_empty(), "both may be matched again");
    }
}

#[test]
fn a_passenger_who_gets_off_on_the_way_pays_for_the_way() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.wait(60_000);
    world.moves(&ride, "d1", 500.0);
    world.says("passenger:p1", "ride_cancel", &format!(r#"{{"ride_id":"{}","reason":"lost"}}"#, &ride[5..]));
    let state = world.state(&ride);
    assert_eq!(
        (&state["status"], &state["ended_by"], &state["total_cost"]),
        (&"ARRIVED".into(), &"passenger".into(), &1500.into())
    );
    assert!(world.driver("d1").is_free());
}

#[test]
fn the_passenger_sees_the_driver_come_and_go() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 250.0);
    let seen = world.glimpse(&ride, "driver").expect("it is shown");
    assert!(seen.starts_with("driver_location {\"distance_to_pickup_m\":250.0"), "{seen}");
    world.moves(&ride, "p1", 0.0);
    assert_eq!(world.glimpse(&ride, "passenger"), None);
    world.moves(&ride, "d1", 20.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.wait(30_000);
    let told = world.told(&ride, &user("d1"), "location_update", &format!("{{{}}}", at(270.0)));
    assert!(told.starts_with("driver_location {\"distance_m\":250.0"), "{told}");
    world.wait(1_000);
    assert_eq!(
        world.told(&ride, &user("d1"), "location_update", &format!("{{{}}}", at(5_000.0))),
        "hidden",
        "a jump"
    );
    assert_eq!(world.told(&ride, &user("p1"), "location_update", &format!("{{{}}}", at(270.0))), "-");
}

#[test]
fn a_point_that_is_said_before_the_ride_has_spoken_is_the_rides_too() {
    let mut world = World::new();
    world.beacon("d1", 300.0);
    world.find("p1");
    let id = world.offers("passenger:p1")["d1"].clone();
    world.confirm("driver:d1", &id);
    let yes = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
    world.does("passenger:p1", &user("p1"), "match_confirm", &yes);
    let (claim, name) =
        world.steps().into_iter().find(|(step, _)| step.kind == "claim").expect("it is claimed");
    let answer = world.deliver(&claim, &name);
    world.does("driver:d1", &user("d1"), "location_update", &format!("{{{}}}", at(250.0)));
    // The driver's room tells what it has to tell before the ride begins.
    for (step, of) in world.steps().into_iter().filter(|(_, of)| of.saga.name() == "driver:d1") {
        let result = world.deliver(&step, &of);
        world.answer(&of, result);
    }
    world.answer(&name, answer);
    world.settle();
    let seen = world.glimpse(&format!("ride:{id}"), "driver").expect("it was carried");
    assert!(seen.contains(r#""distance_to_pickup_m":250.0"#), "{seen}");
}

#[test]
fn a_point_that_was_long_on_its_way_says_of_nobody_where_they_are() {
    let mut world = World::new();
    let ride = world.riding();
    world.wait(200_000);
    world.does("driver:d1", &user("d1"), "location_update", &format!("{{{}}}", at(10.0)));
    world.wait(120_001);
    world.settle();
    assert_eq!(world.status(&ride), "ARRIVING");
    let answer = world.told(&ride, &user("d1"), "ride_start", "{}");
    assert!(answer.contains("no position of the driver"), "{answer}");
    // Nor does a word that goes by it make it younger.
    world.moves(&ride, "d1", 310.0);
    world.wait(119_000);
    world.moves(&ride, "p1", 300.0);
    world.does(&ride, &user("d1"), "pickup_arrived", "{}");
    world.wait(2_000);
    let answer = world.told(&ride, &user("d1"), "ride_start", "{}");
    assert!(answer.contains("no position of the driver"), "{answer}");
}

#[test]
fn of_what_is_said_in_ones_own_room_a_point_a_second_is_carried_and_a_passengers_until_the_ride_begins() {
    let mut world = World::new();
    let ride = world.riding();
    let carried = |world: &World, room: &str| {
        world.places[room].log.iter().filter(|record| record.kind == "fix").count()
    };
    for (room, by) in [("driver:d1", 10.0), ("passenger:p1", 0.0)] {
        for _ in 0..10 {
            world.says(room, "location_update", &format!("{{{}}}", at(by)));
            world.wait(300);
        }
        // At 0, 1.2 and 2.4 s.
        assert_eq!(carried(&world, room), 3, "{room}");
    }
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    world.wait(5_000);
    for (room, fixes) in [("driver:d1", 4), ("passenger:p1", 3)] {
        world.says(room, "location_update", &format!("{{{}}}", at(20.0)));
        assert_eq!(carried(&world, room), fixes, "{room}");
    }
}

#[test]
fn points_said_in_ones_own_room_belong_to_the_ride() {
    let mut world = World::new();
    let ride = world.riding();
    world.says("driver:d1", "location_update", &format!("{{{}}}", at(10.0)));
    assert_eq!(world.status(&ride), "PICKUP");
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    for step in 1..=20 {
        world.wait(10_000);
        let here = format!("{{{}}}", at(10.0 + 100.0 * f64::from(step)));
        world.does("driver:d1", &user("d1"), "location_update", &here);
        if step % 7 == 0 {
            world.settle();
        }
    }
    world.settle();
    let state = world.state(&ride);
    assert_eq!(state["distance_m"].as_f64().map(f64::round), Some(2_000.0), "{state}");
    assert!(state["dropped_points"].is_null(), "{state}");
}
