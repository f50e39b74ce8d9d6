//! Whatever is asked, in whatever order, however late rooms hear of each other: the invariants hold.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::world::{Flying, World, at, user};
use crate::trip::Told;
use crate::wire::read;
use crate::{Kind, State};

pub(super) const DRIVERS: [&str; 3] = ["d1", "d2", "d3"];
pub(super) const PASSENGERS: [&str; 4] = ["p1", "p2", "p3", "p4"];

/// What holds after every decision.
pub(super) fn check(state: &State) {
    state.mirror.check_bounds();
    match &state.kind {
        Kind::Driver(driver) => driver.check_bounds(),
        Kind::Passenger(passenger) => passenger.check_bounds(),
        Kind::Ride(ride) => ride.course.iter().for_each(|course| course.check_bounds()),
        Kind::Area | Kind::Nowhere => {}
    }
}

/// Read off the logs alone: who had whom from when to when, and that both had said yes before.
fn check_logs(world: &World) {
    let of = |record: &vocabulary::Record| -> (String, String, String) {
        let body: serde_json::Value = serde_json::from_slice(&record.body).expect("records are JSON");
        let text = |value: &serde_json::Value| value.as_str().unwrap_or_default().to_owned();
        let proposal = &body["proposal"];
        (text(&proposal["match_id"]), text(&proposal["driver"]["id"]), text(&proposal["passenger"]["id"]))
    };
    let mut yes: BTreeSet<(String, String)> = BTreeSet::new();
    let mut withdrawn: BTreeSet<String> = BTreeSet::new();
    let mut taken: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (room, place) in &world.places {
        if !room.starts_with("driver:") && !room.starts_with("passenger:") {
            continue;
        }
        let mut holds: Option<String> = None;
        for record in &place.log {
            let (id, _, _) = of(record);
            match &*record.kind {
                "confirmed" => drop(yes.insert((room.clone(), id))),
                "claimed" | "accepted" => {
                    assert_eq!(holds, None, "{room} is given to {id} too");
                    taken.entry(id.clone()).or_default().insert(room.clone());
                    holds = Some(id);
                }
                "withdrawn" if holds.as_ref() == Some(&id) => {
                    withdrawn.insert(id);
                    holds = None;
                }
                "ride" => {
                    let told: Told = read(&record.body).expect("it is a ride's word");
                    if told.stands.status.is_over() && holds.as_ref() == Some(&told.stands.ride_id) {
                        holds = None;
                    }
                }
                _ => {}
            }
        }
    }
    for (room, place) in &world.places {
        let Some(began) = place.log.first().filter(|_| room.starts_with("ride:")) else { continue };
        let (id, driver, passenger) = of(began);
        if began.kind == "void" {
            continue;
        }
        assert!(!withdrawn.contains(&id), "{room} began, and somebody let go of it");
        for person in [format!("driver:{driver}"), format!("passenger:{passenger}")] {
            assert!(yes.contains(&(person.clone(), id.clone())), "{person} never confirmed {id}");
            assert!(taken[&id].contains(&person), "{person} is on no ride {id}");
        }
    }
}

/// In the end: both sides say the same of a ride, and nobody is held by one that is over or that there is not.
fn check_settled(world: &World) {
    let riding = |room: &str| {
        let ride = world.state(room)["ride"].clone();
        ride["ride_id"].as_str().map(|id| (id.to_owned(), ride["status"].clone()))
    };
    let rooms =
        |side: &str| -> Vec<&String> { world.places.keys().filter(|room| room.starts_with(side)).collect() };
    for room in rooms("driver:").into_iter().chain(rooms("passenger:")) {
        let Some((id, status)) = riding(room) else { continue };
        let ride = world.ride(&format!("ride:{id}"));
        let course = ride.course.as_ref().expect("it has begun");
        assert_eq!(status, course.status.name(), "{room} on {id}");
        assert!(!course.status.is_over(), "{room} is held by {id}");
    }
    for room in rooms("ride:") {
        let Some(course) = &world.ride(room).course else { continue };
        if !course.status.is_over() {
            for person in [
                format!("driver:{}", course.proposal.driver.id),
                format!("passenger:{}", course.proposal.passenger.id),
            ] {
                assert_eq!(riding(&person).map(|(id, _)| id).as_deref(), Some(&room[5..]), "{person}");
            }
        }
    }
}

/// Everybody can end what they are in, and be matched again.
fn end_all(world: &mut World) {
    for id in DRIVERS.into_iter().chain(PASSENGERS) {
        let room = if id.starts_with('d') { format!("driver:{id}") } else { format!("passenger:{id}") };
        world.comes(&room, id);
        let ride = world.state(&room)["ride"]["ride_id"].clone();
        if let Some(ride) = ride.as_str() {
            world.says(&room, "ride_cancel", &format!(r#"{{"ride_id":"{ride}"}}"#));
        }
        let off = if id.starts_with('d') { "beacon_update" } else { "finder_update" };
        world.says(&room, off, r#"{"is_active":false}"#);
        assert!(world.state(&room)["ride"].is_null(), "{}", world.state(&room));
    }
    world.live(120);
    check_settled(world);
    world.beacon("d1", 100.0);
    world.find("p1");
    let ride = world.matched("p1", "d1");
    assert_eq!(world.status(&ride), "ARRIVING");
}

/// By anybody, also by those whose it is not: a refusal is as good an answer as any.
pub(super) fn act(world: &mut World, what: u8, driver: usize, passenger: usize, number: usize) {
    let (driver, passenger) = (DRIVERS[driver % DRIVERS.len()], PASSENGERS[passenger % PASSENGERS.len()]);
    let (d, p) = (format!("driver:{driver}"), format!("passenger:{passenger}"));
    let known = |room: &str, what: &str, name: &str| -> Option<String> {
        let state = world.places.get(room).map(|_| world.state(room))?;
        let found = match what {
            "offers" => state["offers"].as_array()?.get(number % 3)?[name].clone(),
            _ => state["ride"][name].clone(),
        };
        found.as_str().map(str::to_owned)
    };
    let here = format!("{{{}}}", at((number % 13) as f64 * 50.0));
    let on = format!(r#"{{"is_active":true,{}}}"#, at((number % 13) as f64 * 50.0));
    let said =
        |id: Option<String>, rest: &str| format!(r#"{{"match_id":"{}",{rest}}}"#, id.unwrap_or_default());
    let yes = r#""accepted":true"#;
    let ride_of = |room: &str| known(room, "ride", "ride_id").map(|id| format!("ride:{id}"));
    let (room, who, kind, payload) = match what {
        0 => (d.clone(), driver, "beacon_update", on),
        1 => (d.clone(), driver, "beacon_update", r#"{"is_active":false}"#.into()),
        2 | 3 => (p.clone(), passenger, "finder_update", on),
        4 => (p.clone(), passenger, "finder_update", r#"{"is_active":false}"#.into()),
        5..=8 => (d.clone(), driver, "match_confirm", said(known(&d, "offers", "match_id"), yes)),
        9..=12 => (p.clone(), passenger, "match_confirm", said(known(&p, "offers", "match_id"), yes)),
        13 => {
            (d.clone(), driver, "match_confirm", said(known(&d, "offers", "match_id"), r#""accepted":false"#))
        }
        14 => {
            (p.clone(), passenger, "match_cancel", said(known(&p, "offers", "match_id"), r#""reason":"x""#))
        }
        15 => (d.clone(), driver, "location_update", here),
        16 => (p.clone(), passenger, "location_update", here),
        17 => {
            let id = known(&p, "ride", "ride_id").unwrap_or_default();
            (p.clone(), passenger, "ride_cancel", format!(r#"{{"ride_id":"{id}"}}"#))
        }
        18..=24 => {
            let Some(ride) = ride_of(&d) else { return };
            let (who, kind, payload) = match what {
                18 | 19 => (driver, "location_update", here),
                20 => (driver, "ride_start", "{}".into()),
                21 => (driver, "ride_arrived", r#"{"adjustment_factor":0.7}"#.into()),
                22 => (passenger, "location_update", here),
                23 => (driver, "ride_cancel", "{}".into()),
                _ => (
                    passenger,
                    "payment_process",
                    format!(r#"{{"total_cost":{},"status":"ACCEPTED"}}"#, number % 3),
                ),
            };
            (ride, who, kind, payload)
        }
        25 => return world.goes(&d, driver),
        26 => return world.comes(&d, driver),
        27 => {
            let id = known(&d, "ride", "match_id").unwrap_or_default();
            (d.clone(), driver, "match_cancel", format!(r#"{{"match_id":"{id}"}}"#))
        }
        _ => return world.wait([300, 2_000, 16_000, 31_000, 61_000][number % 5]),
    };
    let _ = world.ask(&room, &user(who), kind, &payload);
}

/// Steps and outcomes fly late, twice, in another order, or are lost.
pub(super) fn carry(world: &mut World, fate: u8, which: usize) {
    match fate {
        0 | 1 => {
            let steps = world.steps();
            if let Some((step, id)) = steps.get(which % steps.len().max(1)) {
                world.flying.push_back(Flying::Step(step.clone(), id.clone()));
            }
        }
        2 | 3 => {
            if !world.flying.is_empty() {
                let at = which % world.flying.len();
                if let Some(flying) = world.flying.remove(at) {
                    if fate == 3 {
                        world.flying.push_back(flying.clone());
                    }
                    world.fly(flying);
                }
            }
        }
        4 => drop(world.flying.pop_front()),
        // At a node that is behind.
        6 => {
            world.behind = 1 + which % 5;
            if let Some(flying) = world.flying.pop_front() {
                world.fly(flying);
            }
            for (step, id) in world.steps() {
                let result = world.deliver(&step, &id);
                world.answer(&id, result);
            }
            world.behind = 0;
        }
        5 => {
            for room in world.places.keys().cloned().collect::<Vec<_>>() {
                world.do_due(&room);
            }
        }
        // Most of the time it goes well, or nothing would ever come to anything.
        _ => world.settle(),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]
    #[test]
    fn nobody_is_anybodys_twice_and_nobody_is_locked_out(
        acts in proptest::collection::vec((0u8..30, 0usize..50, 0usize..50, 0usize..50, 0u8..10), 20..160),
    ) {
        let mut world = World::new();
        for id in DRIVERS {
            world.comes(&format!("driver:{id}"), id);
        }
        for id in PASSENGERS {
            world.comes(&format!("passenger:{id}"), id);
        }
        for (what, driver, passenger, number, fate) in acts {
            act(&mut world, what, driver, passenger, number);
            carry(&mut world, fate, number);
        }
        check_logs(&world);
        super::bounds::check_saved(&world);
        world.live(1);
        check_settled(&world);
        end_all(&mut world);
        check_logs(&world);
    }
}
