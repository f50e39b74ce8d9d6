//! Logs that lose their end, whichever and wherever: nobody is held by what the others have forgotten, or by what they have not.

use proptest::prelude::*;

use super::storms::{DRIVERS, PASSENGERS, act, carry};
use super::world::World;

/// Whoever is in a ride ends it, and switches off. A first wish may be one that was heard before the loss.
fn end_all(world: &mut World) {
    for id in DRIVERS.into_iter().chain(PASSENGERS) {
        let (room, word) = match id.starts_with('d') {
            true => (format!("driver:{id}"), "beacon_update"),
            false => (format!("passenger:{id}"), "finder_update"),
        };
        world.comes(&room, id);
        for _ in 0..2 {
            if let Some(ride) = world.state(&room)["ride"]["ride_id"].as_str() {
                world.says(&room, "ride_cancel", &format!(r#"{{"ride_id":"{ride}"}}"#));
            }
        }
        world.says(&room, word, r#"{"is_active":false}"#);
        assert!(world.state(&room)["ride"].is_null(), "{}", world.state(&room));
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]
    #[test]
    fn a_log_that_loses_its_end_holds_nobody(
        acts in proptest::collection::vec((0u8..30, 0usize..50, 0usize..50, 0usize..50, 0u8..10), 0..20),
        rides in proptest::collection::vec((17u8..25, 0usize..2, 0usize..2, 0usize..50, 0u8..10), 5..30),
        losses in proptest::collection::vec((0usize..50, 1usize..15), 1..4),
    ) {
        let mut world = World::new();
        for id in PASSENGERS {
            world.comes(&format!("passenger:{id}"), id);
        }
        for (number, id) in (1..).zip(DRIVERS) {
            world.beacon(id, 80.0 * f64::from(number));
        }
        // Two rides, so that there is something to lose.
        for (passenger, driver) in PASSENGERS.into_iter().zip(DRIVERS).take(2) {
            world.find(passenger);
            world.matched(passenger, driver);
        }
        for (what, driver, passenger, number, fate) in acts.into_iter().chain(rides) {
            act(&mut world, what, driver, passenger, number);
            carry(&mut world, fate, number);
        }
        let logs = world.places.iter().filter(|(_, place)| !place.log.is_empty());
        let mut rooms: Vec<(String, usize)> =
            logs.map(|(room, place)| (room.clone(), place.log.len())).collect();
        for (which, records) in losses {
            let (room, all) = rooms.remove(which % rooms.len());
            world.loses(&room, records.min(all));
        }
        world.live(100);
        end_all(&mut world);
        world.live(60);
        world.beacon("d1", 100.0);
        world.find("p1");
        let ride = world.matched("p1", "d1");
        prop_assert_eq!(world.status(&ride), "ARRIVING");
    }
}
