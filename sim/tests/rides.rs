//! Some worlds of rides on every run of the tests; `kulkul-sim --rides` runs many.

use sim::{Crowd, Ridden, run_rides};

const SEEDS: u64 = 8;

#[test]
fn nobody_is_anybodys_twice_or_locked_out_whichever_node_dies() {
    let mut all = Ridden::default();
    for seed in 1..=SEEDS {
        let ridden = run_rides(seed, Crowd::Small, false).unwrap_or_else(|error| {
            panic!("seed {seed}: {error}\n  cargo xtask sim --rides --seed {seed} --trace")
        });
        all.proposed += ridden.proposed;
        all.matched += ridden.matched;
        all.arrived += ridden.arrived;
        all.paid += ridden.paid;
        all.cancelled += ridden.cancelled;
        all.repeated += ridden.repeated;
        all.tally.add(&ridden.tally);
    }
    let much = all.matched > 100 && all.arrived > 20 && all.paid > 5 && all.cancelled > 20;
    assert!(much && all.proposed > 500, "little happened: {all:?}");
    assert!(all.repeated > 10, "no phone said anything twice: {all:?}");
    for fault in ["kill", "pause", "partition", "answer late", "question lost"] {
        assert!(all.tally.faults.contains_key(fault), "no {fault}: {:?}", all.tally.faults);
    }
}

#[test]
fn a_seed_is_a_whole_run() {
    assert_eq!(run_rides(3, Crowd::Small, false), run_rides(3, Crowd::Small, false));
}
