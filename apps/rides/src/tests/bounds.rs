//! Snapshots: what was saved reads back, whatever the state; what is bounded stays so.

use app::App;
use serde_json::json;
use vocabulary::{Payload, RoomId};

use super::world::{World, at, user};
use crate::{Kind, THEIRS};

pub(super) fn check_saved(world: &World) {
    for (room, place) in &world.places {
        let saved = world.app.save(&place.state);
        let loaded = world.app.load(&RoomId::new("rides", room), &saved);
        assert_eq!(loaded.as_ref(), Ok(&place.state), "{room}");
        assert!(saved.len() < 256 << 10, "{room}: {} bytes", saved.len());
    }
}

#[test]
fn whatever_state_a_room_is_in_is_saved_and_read_back() {
    let mut world = World::new();
    world.beacon("d1", 300.0);
    world.beacon("d2", 400.0);
    world.find("p1");
    check_saved(&world);
    let id = world.offers("driver:d1")["p1"].clone();
    world.does(
        "driver:d1",
        &user("d1"),
        "match_confirm",
        &format!(r#"{{"match_id":"{id}","accepted":true}}"#),
    );
    check_saved(&world);
    world.settle();
    world.does(
        "passenger:p1",
        &user("p1"),
        "match_confirm",
        &format!(r#"{{"match_id":"{id}","accepted":true}}"#),
    );
    check_saved(&world);
    world.settle();
    let ride = format!("ride:{id}");
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.does("driver:d1", &user("d1"), "location_update", &format!("{{{}}}", at(5.0)));
    check_saved(&world);
    world.wait(30_000);
    world.moves(&ride, "d1", 500.0);
    world.does(&ride, &user("d1"), "ride_arrived", r#"{"adjustment_factor":0.5}"#);
    check_saved(&world);
    world.settle();
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":750,"status":"REJECTED"}"#);
    check_saved(&world);
    let unknown =
        world.app.load(&RoomId::new("rides", "driver:d1"), &Payload::from_static(br#"{"version":2}"#));
    assert_eq!(unknown.map_err(|error| error.0), Err("rides snapshot of version 2".into()));
}

#[test]
fn points_that_nobody_takes_wait_up_to_a_number_and_the_first_are_kept() {
    let mut world = World::new();
    let ride = world.riding();
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    for step in 1..=400 {
        world.wait(2_000);
        world.does(
            "driver:d1",
            &user("d1"),
            "location_update",
            &format!("{{{}}}", at(10.0 * f64::from(step))),
        );
        world.does(
            "driver:d1",
            &user("d1"),
            "location_update",
            &format!("{{{}}}", at(10.0 * f64::from(step))),
        );
    }
    check_saved(&world);
    world.settle();
    let points = world.places[&ride].log.iter().filter(|record| record.kind == "point").count();
    assert_eq!(points, 256, "each once, as many as wait at most");
}

#[test]
fn a_payment_that_is_refused_for_ever_waits_for_those_who_are_to_hear_of_it() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    let refused = r#"{"total_cost":3000,"status":"REJECTED"}"#;
    let busy = (0..100)
        .filter(|_| world.told(&ride, &user("p1"), "payment_process", refused).starts_with("! Busy"))
        .count();
    assert!(busy > 80, "{busy}");
    check_saved(&world);
    world.settle();
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
}

#[test]
fn a_driver_is_asked_by_so_many_and_a_passenger_asks_so_many_and_all_of_it_is_small() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    for number in 0..30 {
        world.find(&format!("p{number}"));
    }
    assert_eq!(world.offers("driver:d1").len(), 20);
    for number in 2..40 {
        world.beacon(&format!("d{number}"), 200.0 + f64::from(number));
    }
    world.live(200);
    check_saved(&world);
}

#[test]
fn names_of_rooms_that_mean_nothing_are_refused_with_those_that_there_are() {
    let mut world = World::new();
    for room in [
        "driver",
        "driver:",
        "passenger:ü",
        "ride:1",
        "ride:00000000-0000-4000-8000-00000000000A",
        "area:x",
        "x:y",
    ] {
        let told = world.told(room, &user("d1"), "get_state", "{}");
        assert!(
            told.starts_with("! NOT_FOUND no such room: there are rides:driver:{user}"),
            "{room}: {told}"
        );
        assert!(matches!(world.places[room].state.kind, Kind::Nowhere));
    }
    for (room, who) in [("area:4189.14238", "d1"), ("area:4189.14238", "p1")] {
        assert_eq!(world.enters(room, &user(who)), Err("! Unauthorized Authentication required".into()));
        assert_eq!(world.told(room, &user(who), "get_state", "{}"), "! Unauthorized Authentication required");
    }
}

#[test]
fn records_of_a_newer_build_are_skipped() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    let mut state = world.places["driver:d1"].state.clone();
    let mut record = world.places["driver:d1"].log[0].clone();
    for (kind, body) in
        [("tipped", json!({"amount": 1})), ("beacon", json!({"how": "new"})), ("ride", json!({}))]
    {
        (record.kind, record.body) = (kind.into(), body.to_string().into());
        assert_eq!(world.app.apply(&mut state, &record), app::Applied::Unknown, "{kind}");
    }
    assert_eq!(state, world.places["driver:d1"].state);
    let mut world = World::new();
    let ride = world.riding();
    let mut state = world.places[&ride].state.clone();
    let before = world.app.view(&state, THEIRS);
    let mut record = world.places[&ride].log[0].clone();
    record.position.offset += 100;
    record.at.0 += 1_000;
    for kind in ["tipped", "arrived"] {
        record.kind = kind.into();
        assert_eq!(world.app.apply(&mut state, &record), app::Applied::Unknown, "{kind}");
        assert_eq!(world.app.view(&state, THEIRS), before, "{kind}");
        assert_eq!(world.app.show(&state, &record, THEIRS), None, "{kind}");
    }
}

/// As fast as somebody can press: drivers' phones flash once, and the search that stays is heard by them in the end.
#[test]
fn a_finder_that_is_switched_on_and_off_asks_drivers_once_in_a_while() {
    let mut world = World::new();
    for id in ["d1", "d2", "d3"] {
        world.beacon(id, 100.0);
    }
    for _ in 0..10 {
        world.find("p1");
        world.says("passenger:p1", "finder_update", r#"{"is_active":false}"#);
        world.wait(100);
    }
    world.find("p1");
    let asked = |world: &World| world.heard("driver:d1").matches("match_proposal").count();
    assert_eq!(asked(&world), 1, "{}", world.heard("driver:d1"));
    assert!(world.offers("passenger:p1").is_empty());
    world.live(8);
    assert_eq!(asked(&world), 2, "{}", world.heard("driver:d1"));
    assert_eq!(world.offers("passenger:p1").len(), 3);
}
