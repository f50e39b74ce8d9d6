//! Some seeds on every run of the tests; `kulkul-sim` runs many.

use sim::run_seed;

const SEEDS: u64 = 30;

#[test]
fn nothing_that_must_hold_is_violated() {
    let failed: Vec<String> = (1..=SEEDS)
        .filter_map(|seed| run_seed(seed, false).violation.map(|violation| (seed, violation)))
        .map(|(seed, violation)| format!("seed {seed}: {violation}\n  cargo xtask sim --seed {seed} --trace"))
        .collect();
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn a_seed_is_a_whole_run() {
    for seed in [3, 11] {
        assert_eq!(
            run_seed(seed, false).tally,
            run_seed(seed, false).tally,
            "seed {seed} runs the same twice"
        );
    }
}
