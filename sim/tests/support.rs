//! Some worlds of support on every run of the tests; `kulkul-sim --desks` runs many.

use sim::{Served, run_desks};

const SEEDS: u64 = 10;

#[test]
fn nobody_is_served_twice_or_forgotten_whichever_node_dies() {
    let mut all = Served::default();
    for seed in 1..=SEEDS {
        let served = run_desks(seed, false).unwrap_or_else(|error| {
            panic!("seed {seed}: {error}\n  cargo xtask sim --desks --seed {seed} --trace")
        });
        all.given += served.given;
        all.requeued += served.requeued;
        all.closed += served.closed;
        all.tally.add(&served.tally);
    }
    assert!(all.given > 100 && all.requeued > 5 && all.closed > 50, "little happened: {all:?}");
    assert!(all.tally.faults.contains_key("kill"), "no node died: {:?}", all.tally.faults);
}

#[test]
fn a_seed_is_a_whole_run() {
    assert_eq!(run_desks(3, false), run_desks(3, false));
}
