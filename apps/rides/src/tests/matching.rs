//! How two people come together: who is asked, in which order, for how long, and that both must want it.

use super::world::{World, at, user};
use crate::consent::Half;
use crate::{OUTWARD, THEIRS};

#[test]
fn the_nearest_are_asked_first_five_at_a_time_and_then_the_next() {
    let mut world = World::new();
    for (id, metres) in [
        ("d1", 700.0),
        ("d2", 100.0),
        ("d3", 300.0),
        ("d4", 200.0),
        ("d5", 900.0),
        ("d6", 500.0),
        ("d7", 1_100.0),
    ] {
        world.beacon(id, metres);
    }
    world.find("p1");
    let asked = |world: &World| world.offers("passenger:p1").into_keys().collect::<Vec<_>>();
    assert_eq!(asked(&world), ["d1", "d2", "d3", "d4", "d6"]);
    assert!(world.offers("driver:d5").is_empty(), "the sixth waits");
    assert!(world.heard("driver:d2").ends_with("match_proposal PENDING"));
    let id = world.offers("driver:d3")["p1"].clone();
    world.says("driver:d3", "match_confirm", &format!(r#"{{"match_id":"{id}","accepted":false}}"#));
    assert_eq!(asked(&world), ["d1", "d2", "d4", "d5", "d6"], "the next is asked at once, and d3 not again");
    assert!(world.heard("passenger:p1").contains("match_rejected REJECTED driver_rejected"));
    world.live(31);
    assert!(world.heard("driver:d1").ends_with("match_rejected REJECTED timeout"));
    world.live(61);
    assert_eq!(asked(&world), ["d1", "d2", "d4", "d5", "d6"], "who missed it is asked again after a minute");
}

#[test]
fn who_was_not_asked_yet_comes_before_who_let_it_pass() {
    let mut world = World::new();
    for number in 1..=18 {
        world.beacon(&format!("d{number}"), 10.0 * f64::from(number));
    }
    world.find("p1");
    // Nobody answers. When the fourth five are asked the first five may be asked again.
    world.live(31 * 3 + 1);
    for number in 1..=18 {
        let heard = world.heard(&format!("driver:d{number}"));
        assert!(heard.contains("match_proposal"), "{number}: {heard}");
    }
}

#[test]
fn behind_those_nearest_who_want_nobody_the_others_of_a_full_square_are_found() {
    let mut world = World::new();
    for number in 1..=40 {
        world.beacon(&format!("d{number}"), 10.0 * f64::from(number));
    }
    world.find("p1");
    for asked in 0..40 {
        let (driver, id) =
            world.offers("passenger:p1").pop_first().unwrap_or_else(|| panic!("{asked} were asked"));
        let no = format!(r#"{{"match_id":"{id}","accepted":false}}"#);
        world.says(&format!("driver:{driver}"), "match_confirm", &no);
    }
    assert!(world.offers("passenger:p1").is_empty(), "and nobody twice");
}

#[test]
fn only_within_the_radius_and_across_the_borders_of_squares() {
    let mut world = World::new();
    // 0.9949 km and 1.0059 km to the east: the vectors of the seed.
    for (id, longitude) in [("d1", 106.8546), ("d2", 106.8547), ("d3", 106.8367)] {
        let room = format!("driver:{id}");
        world.comes(&room, id);
        let on = format!(r#"{{"is_active":true,"latitude":-6.2088,"longitude":{longitude}}}"#);
        world.says(&room, "beacon_update", &on);
    }
    world.find("p1");
    assert_eq!(world.offers("passenger:p1").into_keys().collect::<Vec<_>>(), ["d1", "d3"]);
    let squares: Vec<&String> = world.places.keys().filter(|room| room.starts_with("area:")).collect();
    assert!(squares.len() > 1, "{squares:?}");
}

#[test]
fn a_driver_who_comes_or_comes_nearer_is_offered_to_who_waits() {
    let mut world = World::new();
    world.find("p1");
    assert!(world.offers("passenger:p1").is_empty());
    world.live(20);
    world.beacon("d1", 100.0);
    world.live(1);
    assert!(world.offers("passenger:p1").contains_key("d1"));
    world.beacon("d2", 3_000.0);
    world.live(1);
    assert!(!world.offers("passenger:p1").contains_key("d2"));
    world.says("driver:d2", "location_update", &format!("{{{}}}", at(800.0)));
    world.live(1);
    assert!(world.offers("passenger:p1").contains_key("d2"));
}

#[test]
fn a_driver_without_a_position_is_on_and_asked_by_nobody_until_there_is_one() {
    let mut world = World::new();
    world.comes("driver:d1", "d1");
    world.says("driver:d1", "beacon_update", r#"{"is_active":true}"#);
    assert_eq!(world.state("driver:d1")["beacon"].to_string(), r#"{"available":false,"is_active":true}"#);
    world.find("p1");
    assert!(world.offers("passenger:p1").is_empty());
    world.says("driver:d1", "location_update", &format!("{{{}}}", at(100.0)));
    world.live(1);
    assert_eq!(world.offers("driver:d1").len(), 1);
    world.says("driver:d1", "beacon_update", r#"{"is_active":false}"#);
    assert!(world.heard("passenger:p1").ends_with("match_rejected REJECTED driver_offline"));
    world.says("driver:d1", "beacon_update", r#"{"is_active":true}"#);
    world.live(16);
    assert_eq!(world.offers("driver:d1").len(), 1, "the last known place holds");
}

#[test]
fn both_must_confirm_whoever_is_first() {
    for first in ["driver:d1", "passenger:p1"] {
        let mut world = World::new();
        world.beacon("d1", 100.0);
        world.find("p1");
        let id = world.offers("driver:d1")["p1"].clone();
        world.confirm(first, &id);
        world.confirm(first, &id);
        world.live(2);
        assert!(world.state("driver:d1")["ride"].is_null() && world.state("passenger:p1")["ride"].is_null());
        let other = if first == "driver:d1" { "passenger:p1" } else { "driver:d1" };
        world.says(other, "match_confirm", &format!(r#"{{"match_id":"{id}","status":"ACCEPTED"}}"#));
        for room in ["driver:d1", "passenger:p1"] {
            let state = world.state(room);
            assert_eq!(
                (&state["ride"]["ride_id"], &state["ride"]["status"]),
                (&id.as_str().into(), &"ARRIVING".into())
            );
            let heard = world.heard(room);
            let (one, two) = match first {
                "driver:d1" => ("DRIVER", "PASSENGER"),
                _ => ("PASSENGER", "DRIVER"),
            };
            let told = format!(
                "match_proposal PENDING, match_confirm {one}_CONFIRMED, match_confirm {two}_CONFIRMED, match_confirm ACCEPTED, ride_pickup ARRIVING"
            );
            // Who was last, and whose word made it, may be told of the whole at once.
            let short = told.replace(&format!("match_confirm {two}_CONFIRMED, "), "");
            assert!(heard.ends_with(&told) || heard.ends_with(&short), "{room}: {heard}");
        }
    }
}

#[test]
fn one_match_has_a_driver_and_all_others_are_withdrawn_on_both_sides() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.beacon("d2", 200.0);
    world.find("p1");
    world.find("p2");
    for passenger in ["p1", "p2"] {
        let id = world.offers("driver:d1")[passenger].clone();
        world.confirm("driver:d1", &id);
    }
    let id = world.offers("passenger:p2")["d1"].clone();
    world.confirm("passenger:p2", &id);
    assert_eq!(world.state("driver:d1")["ride"]["passenger_id"], "p2");
    assert!(world.offers("driver:d1").is_empty());
    assert!(world.heard("driver:d1").contains("match_rejected REJECTED driver_taken"));
    assert!(world.heard("passenger:p1").ends_with("match_rejected REJECTED driver_taken"));
    assert!(world.heard("passenger:p2").contains("match_rejected REJECTED passenger_taken"));
    assert!(world.heard("driver:d2").ends_with("match_rejected REJECTED passenger_taken"));
    assert_eq!(world.offers("passenger:p1").into_keys().collect::<Vec<_>>(), ["d2"], "the other goes on");
    let over = world.told(
        "passenger:p1",
        &user("p1"),
        "match_confirm",
        &format!(r#"{{"match_id":"{id}","accepted":true}}"#),
    );
    assert_eq!(over, "! Unauthorized Authentication required");
}

#[test]
fn of_two_passengers_who_confirm_at_once_one_has_the_driver() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    world.find("p2");
    let ids = world.offers("driver:d1");
    ids.values().for_each(|id| world.confirm("driver:d1", id));
    for (passenger, id) in &ids {
        // Both are on their way before either is heard.
        let accepted = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
        world.does(&format!("passenger:{passenger}"), &user(passenger), "match_confirm", &accepted);
    }
    world.settle();
    let rides: Vec<bool> = ["p1", "p2"].map(|id| world.passenger(id).trip().is_some()).to_vec();
    assert_eq!(rides.iter().filter(|has| **has).count(), 1, "{rides:?}");
    let loser = if rides[0] { "passenger:p2" } else { "passenger:p1" };
    assert!(world.heard(loser).contains("match_rejected REJECTED driver_taken"), "{}", world.heard(loser));
}

#[test]
fn nobody_found_in_five_minutes_is_said_and_the_next_search_begins_anew() {
    let mut world = World::new();
    world.find("p1");
    world.live(299);
    assert!(!world.heard("passenger:p1").contains("no_driver_found"));
    world.live(2);
    assert!(world.heard("passenger:p1").ends_with("no_driver_found"));
    assert_eq!(world.state("passenger:p1")["finder"]["is_active"], false);
    world.beacon("d1", 100.0);
    world.find("p1");
    assert_eq!(world.offers("passenger:p1").len(), 1);
    world.says("passenger:p1", "finder_update", r#"{"is_active":false}"#);
    assert!(world.heard("driver:d1").ends_with("match_rejected REJECTED passenger_cancelled"));
    assert!(world.offers("passenger:p1").is_empty());
}

#[test]
fn an_expired_match_cannot_be_confirmed_and_is_told_to_both() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    world.wait(30_001);
    let accepted = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
    assert_eq!(
        world.told("passenger:p1", &user("p1"), "match_confirm", &accepted),
        "! VALIDATION_FAILED match_id is of a match that has expired"
    );
    world.settle();
    for room in ["driver:d1", "passenger:p1"] {
        assert!(world.heard(room).ends_with("match_rejected REJECTED timeout"), "{}", world.heard(room));
    }
    assert_eq!(
        world.told("driver:d1", &user("d1"), "match_confirm", &accepted),
        "! VALIDATION_FAILED match_id is of a match that is over"
    );
}

#[test]
fn a_driver_who_is_gone_leaves_the_pool_and_returns_to_it_and_never_leaves_a_ride() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    world.goes("driver:d1", "d1");
    world.live(29);
    assert_eq!(world.state("driver:d1")["beacon"]["available"], true);
    world.live(2);
    assert_eq!(world.state("driver:d1")["beacon"]["available"], false);
    assert!(world.offers("passenger:p1").is_empty());
    world.comes("driver:d1", "d1");
    world.live(16);
    assert_eq!(world.state("driver:d1")["beacon"]["available"], true);
    let ride = world.matched("p1", "d1");
    world.goes("driver:d1", "d1");
    world.live(120);
    assert_eq!(world.state("driver:d1")["ride"]["status"], "ARRIVING");
    assert_eq!(world.status(&ride), "ARRIVING");
    world.says("passenger:p1", "ride_cancel", &format!(r#"{{"ride_id":"{}"}}"#, &ride[5..]));
    assert_eq!(
        world.state("driver:d1")["beacon"]["available"],
        false,
        "and who is still gone is offered nobody"
    );
}

#[test]
fn a_search_that_is_ended_while_a_driver_is_claimed_holds_nobody() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    world.does(
        "passenger:p1",
        &user("p1"),
        "match_confirm",
        &format!(r#"{{"match_id":"{id}","accepted":true}}"#),
    );
    // The driver's room has given the driver, and its answer is on its way.
    let (claim, name) =
        world.steps().into_iter().find(|(step, _)| step.kind == "claim").expect("it is claimed");
    let answer = world.deliver(&claim, &name);
    assert!(world.driver("d1").trip().is_some());
    world.does("passenger:p1", &user("p1"), "finder_update", r#"{"is_active":false}"#);
    world.answer(&name, answer);
    world.settle();
    assert!(world.driver("d1").is_free() && world.passenger("p1").trip().is_none());
    assert_eq!(world.deliver(&claim, &name), Ok(Vec::new().into()), "a repetition does nothing");
    assert!(world.driver("d1").is_free());
}

#[test]
fn a_driver_who_ends_a_match_before_its_ride_has_begun_leaves_nobody_waiting() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    let yes = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
    world.does("passenger:p1", &user("p1"), "match_confirm", &yes);
    let one = |world: &World, kind: &str| {
        world.steps().into_iter().find(|(step, _)| step.kind == kind).unwrap_or_else(|| panic!("no {kind}"))
    };
    let (claim, name) = one(&world, "claim");
    world.deliver(&claim, &name).expect("the driver is given");
    // The passenger's room does not know it yet, and the driver's wish is at the ride before the ride begins.
    world.does("driver:d1", &user("d1"), "match_cancel", &format!(r#"{{"match_id":"{id}"}}"#));
    let (cancel, wish) = one(&world, "cancel");
    let answer = world.deliver(&cancel, &wish);
    world.answer(&wish, answer);
    world.settle();
    for room in ["passenger:p1", "driver:d1"] {
        assert!(world.state(room)["ride"].is_null(), "{}", world.state(room));
        assert!(world.heard(room).ends_with("ride_cancelled CANCELLED lost"), "{}", world.heard(room));
    }
    assert!(world.steps().iter().all(|(step, _)| step.kind == "here"), "{:?}", world.steps());
}

/// The driver ends the match before its ride has begun; the passenger's room has it begun, and the passenger ends it too.
#[test]
fn that_there_is_no_ride_is_said_once() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    let yes = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
    world.does("passenger:p1", &user("p1"), "match_confirm", &yes);
    let step_of = |world: &World, saga: &str, kind: &str| {
        let mut steps = world.steps().into_iter();
        steps.find(|(step, id)| *step.kind == *kind && id.saga.name() == saga).expect("there is such a step")
    };
    let (claim, name) = step_of(&world, "passenger:p1", "claim");
    let given = world.deliver(&claim, &name);
    world.answer(&name, given);
    let ride = format!(r#"{{"ride_id":"{id}"}}"#);
    world.does("driver:d1", &user("d1"), "ride_cancel", &ride);
    let (cancel, name) = step_of(&world, "driver:d1", "cancel");
    world.deliver(&cancel, &name).expect("there is no ride");
    let (begin, name) = step_of(&world, "passenger:p1", "begin");
    world.does("passenger:p1", &user("p1"), "ride_cancel", &ride);
    let (cancel, cancels) = step_of(&world, "passenger:p1", "cancel");
    world.deliver(&begin, &name).expect("there is no ride");
    let void =
        world.steps().into_iter().find(|(step, _)| step.kind == "ride" && step.room.name() == "passenger:p1");
    let (void, name) = void.expect("the passenger is to be told");
    world.deliver(&void, &name).expect("the passenger is told");
    world.deliver(&cancel, &cancels).expect("there is no ride");
    world.settle();
    for room in ["passenger:p1", "driver:d1"] {
        let heard = world.heard(room);
        assert_eq!(heard.matches("lost").count(), 1, "{room}: {heard}");
        assert!(world.state(room)["ride"].is_null());
    }
}

#[test]
fn rooms_that_forget_hold_nobody() {
    // The passenger's room loses the match after the driver's was claimed.
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.find("p1");
    let id = world.offers("driver:d1")["p1"].clone();
    world.confirm("driver:d1", &id);
    world.does(
        "passenger:p1",
        &user("p1"),
        "match_confirm",
        &format!(r#"{{"match_id":"{id}","accepted":true}}"#),
    );
    let (claim, name) =
        world.steps().into_iter().find(|(step, _)| step.kind == "claim").expect("it is claimed");
    world.deliver(&claim, &name).expect("the driver is given");
    let all = world.places["passenger:p1"].log.len();
    world.loses("passenger:p1", all);
    world.live(59);
    assert!(!world.driver("d1").is_free(), "a node may be behind, and not for long");
    world.live(2);
    assert!(world.driver("d1").is_free(), "{:?}", world.driver("d1"));
    // A ride's room loses the ride.
    let mut world = World::new();
    let ride = world.riding();
    let all = world.places[&ride].log.len();
    world.loses(&ride, all);
    for room in ["passenger:p1", "driver:d1"] {
        world.says(room, "ride_cancel", &format!(r#"{{"ride_id":"{}"}}"#, &ride[5..]));
        assert!(world.state(room)["ride"].is_null(), "{}", world.state(room));
        assert!(world.heard(room).ends_with("ride_cancelled CANCELLED lost"), "{}", world.heard(room));
    }
    // Both people's rooms lose what they were told of its end.
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
    world.settle();
    for room in ["passenger:p1", "driver:d1"] {
        let log = &world.places[room].log;
        let is_end =
            |record: &vocabulary::Record| world.frame(room, record, THEIRS).starts_with("ride_arrived");
        let lost = log.len() - log.iter().position(is_end).expect("it has arrived");
        world.loses(room, lost);
        world.settle();
        assert_eq!(world.state(room)["ride"]["status"], "ONGOING");
        world.says(room, "ride_cancel", &format!(r#"{{"ride_id":"{}"}}"#, &ride[5..]));
        assert!(world.state(room)["ride"].is_null(), "{}", world.state(room));
        assert!(world.heard(room).ends_with("ride_completed"), "{}", world.heard(room));
    }
}

/// Brokers are told of each match by the passenger's room alone: that it is offered, made, or over, and no half of a yes.
#[test]
fn what_becomes_of_a_match_leaves_once() {
    let mut world = World::new();
    for id in ["d1", "d2"] {
        world.beacon(id, 100.0);
    }
    world.find("p1");
    let id = world.offers("passenger:p1")["d1"].clone();
    let yes = format!(r#"{{"match_id":"{id}","accepted":true}}"#);
    world.says("driver:d1", "match_confirm", &yes);
    world.says("passenger:p1", "match_confirm", &yes);
    world.live(1);
    let left = |room: &str| -> Vec<String> {
        let frames = world.places[room].log.iter().map(|record| world.frame(room, record, OUTWARD));
        let told = frames.filter(|frame| frame != "hidden").map(|frame| {
            let (kind, payload) = frame.split_once(' ').expect("a kind and a payload");
            let payload: serde_json::Value = serde_json::from_str(payload).expect("JSON");
            let of = |name: &str| payload[name].as_str().expect("a text").to_owned();
            format!("{kind} {} {}", of("driver_id"), of("match_status"))
        });
        told.collect()
    };
    let mut told = left("passenger:p1");
    told.sort();
    let expected = [
        "match_confirm d1 ACCEPTED",
        "match_proposal d1 PENDING",
        "match_proposal d2 PENDING",
        "match_rejected d2 REJECTED",
    ];
    assert_eq!(told, expected);
    assert!(left("driver:d1").is_empty() && left("driver:d2").is_empty());
}
