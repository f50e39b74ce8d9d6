//! Where the fleet's own back end decides: words are handed on, and what the broker says is what is.

use app::App;
use vocabulary::{RoomId, Touched, UserId};

use super::world::{World, at, broker, user};
use crate::{Authority, OUTWARD, Rules, THEIRS};

const RIDE: &str = "ride:00000000-0000-4000-8000-000000000001";
const REFUSED: &str = r#"! Forbidden the fleet's own back end decides this (rides.authority = "fleet")"#;

fn fleet() -> World {
    World::with(Rules { authority: Authority::Fleet, ..Rules::default() })
}

#[test]
fn what_clients_say_leaves_and_nothing_comes_of_it_here() {
    let mut world = fleet();
    let find = format!(r#"{{"is_active":true,{}}}"#, at(0.0));
    for (room, who, role, word, payload) in [
        ("driver:d1", "d1", "driver", "beacon_update", find.as_str()),
        ("passenger:p1", "p1", "passenger", "finder_update", find.as_str()),
        ("driver:d1", "d1", "driver", "match_confirm", r#"{"match_id":"m1","accepted":true}"#),
    ] {
        let echo = if word.ends_with("_update") { payload.to_owned() } else { "hidden".to_owned() };
        assert_eq!(world.told(room, &user(who), word, payload), echo);
        let record = world.places[room].log.last().expect("it is kept").clone();
        let left = world.frame(room, &record, OUTWARD);
        assert!(
            left.starts_with(&format!("{word} {{\"data\":{{"))
                && left.ends_with(&format!("}},\"role\":\"{role}\",\"user_id\":\"{who}\"}}")),
            "{left}"
        );
    }
    world.live(400);
    assert!(world.steps().is_empty() && world.places.keys().all(|room| world.due(room).is_none()));
    assert_eq!(world.state("driver:d1")["offers"].to_string(), "[]");
    for (room, who) in [("driver:d1", "p1"), ("driver:d1", "d2"), ("passenger:p1", "d1"), (RIDE, "p1")] {
        assert_eq!(world.told(room, &user(who), "get_state", "{}"), "! Unauthorized Authentication required");
    }
    let room = "driver:d1";
    assert_eq!(
        world.told(room, &user("d1"), "beacon_update", "[]"),
        "! VALIDATION_FAILED payload must be an object whose fields each stand once, got []"
    );
}

#[test]
fn what_the_broker_says_is_shown_and_stands() {
    let mut world = fleet();
    let proposal = r#"{"match_id":"m1","driver_id":"d1","passenger_id":"p1","match_status":"PENDING"}"#;
    for room in ["driver:d1", "passenger:p1"] {
        let told = world.told(room, &broker(), "match_proposal", proposal);
        assert_eq!(
            told,
            r#"match_proposal {"driver_id":"d1","match_id":"m1","match_status":"PENDING","passenger_id":"p1"}"#
        );
        let record = world.places[room].log.last().expect("it is kept").clone();
        assert_eq!(world.frame(room, &record, OUTWARD), "hidden", "it came from there");
        assert_eq!(world.state(room)["offers"][0]["match_id"], "m1");
        world.does(room, &broker(), "ride_pickup", r#"{"ride_id":"r1","status":"PICKUP"}"#);
        assert_eq!(world.state(room)["ride"]["status"], "PICKUP");
        assert_eq!(world.state(room)["offers"].to_string(), "[]");
        world.does(room, &broker(), "payment_request", r#"{"ride_id":"r1","total_cost":8640}"#);
        assert_eq!(world.state(room)["payment"]["total_cost"], 8640);
        world.does(room, &broker(), "ride_completed", r#"{"ride":{},"payment":{}}"#);
        assert!(world.state(room)["ride"].is_null() && world.state(room)["payment"].is_null());
    }
    world.does(RIDE, &broker(), "ride_started", r#"{"driver_id":"d1","passenger_id":"p1"}"#);
    assert_eq!(world.enters(RIDE, &user("d1")), Ok(THEIRS.0));
    assert_eq!(world.enters(RIDE, &user("d2")), Err("! Unauthorized Authentication required".into()));
    assert_eq!(world.told(RIDE, &user("p1"), "payment_process", r#"{"total_cost":1}"#), "hidden");
    for word in ["beacon_update", "payment_process", "begin", "claim"] {
        assert_eq!(world.told(RIDE, &broker(), word, "{}"), REFUSED, "{word}");
    }
}

#[test]
fn a_ride_that_is_given_to_another_driver_is_closed_to_the_first() {
    let mut world = fleet();
    let touched = |world: &mut World, event: &str, driver: &str| {
        let said = format!(r#"{{"driver_id":"{driver}","passenger_id":"p1"}}"#);
        let records = world.ask(RIDE, &broker(), event, &said).expect("it is taken");
        records[0].touches.clone()
    };
    assert!(touched(&mut world, "ride_pickup", "d1").is_nobody());
    assert!(touched(&mut world, "ride_started", "d1").is_nobody());
    assert!(touched(&mut world, "driver_location", "d2").is_nobody());
    assert_eq!(touched(&mut world, "ride_pickup", "d2"), Touched::Users(vec![UserId::new("d1")]));
    assert_eq!(world.enters(RIDE, &user("d1")), Err("! Unauthorized Authentication required".into()));
}

#[test]
fn what_cannot_be_kept_as_it_was_said_is_refused() {
    let mut world = fleet();
    let deep =
        |levels: usize| format!(r#"{{"match_id":"m1","x":{}0{}}}"#, "[".repeat(levels), "]".repeat(levels));
    let (infinite, half) = (r#"{"match_id":"m1","fare":1e999}"#, r#"{"match_id":"\ud800"}"#);
    let wrong = [infinite.to_owned(), half.to_owned(), deep(1_000)];
    for payload in wrong.into_iter().chain((100..=128).map(deep)) {
        let told = world.told("driver:d1", &broker(), "match_proposal", &payload);
        assert!(told.starts_with("! VALIDATION_FAILED payload must be JSON with values in range"), "{told}");
    }
    for payload in [deep(99), String::new()] {
        world.does("driver:d1", &broker(), "match_proposal", &payload);
    }
    let place = &world.places["driver:d1"];
    let loaded = world.app.load(&RoomId::new("rides", "driver:d1"), &world.app.save(&place.state));
    assert_eq!(loaded.as_ref(), Ok(&place.state));
}

#[test]
fn a_back_end_that_never_ends_a_match_fills_nothing() {
    let mut world = fleet();
    for number in 0..200 {
        world.does("driver:d1", &broker(), "match_proposal", &format!(r#"{{"match_id":"m{number}"}}"#));
    }
    assert_eq!(world.state("driver:d1")["offers"].as_array().map(Vec::len), Some(20));
    let large = format!(r#"{{"match_id":"{}"}}"#, "m".repeat(9_000));
    assert!(
        world
            .told("driver:d1", &broker(), "match_proposal", &large)
            .starts_with("! VALIDATION_FAILED payload must be at most 8192 bytes")
    );
}
