//! The checkers have teeth: each mistake made on purpose is found, by the property that stands for it.

use sim::{Mutant, Scenario, run_scenario};

fn is_found(mutant: Mutant, properties: &[&str], seeds: u64) {
    let mut others = Vec::new();
    for seed in 1..=seeds {
        let scenario = Scenario { mutant: Some(mutant), ..Scenario::from_seed(seed) };
        match run_scenario(scenario, false).violation {
            Some(found) if properties.contains(&found.property) => return,
            Some(other) => others.push(format!("seed {seed}: {other}")),
            None => {}
        }
    }
    panic!("{mutant:?} is not found as {properties:?} in {seeds} seeds, but as\n{}", others.join("\n"));
}

#[test]
fn an_ack_before_the_append_is_found() {
    is_found(Mutant::AckBeforeAppend, &["nothing acknowledged is lost", "one order per room"], 10);
}

#[test]
fn a_forgotten_key_is_found() {
    is_found(Mutant::NoKey, &["an id is stored once"], 30);
}

#[test]
fn two_stewards_are_found() {
    is_found(Mutant::TwoStewards, &["once means once"], 40);
}

#[test]
fn a_missing_linger_is_found() {
    is_found(Mutant::NoLinger, &["presence is the union of connections"], 40);
}

#[test]
fn a_lost_live_record_is_found() {
    is_found(Mutant::HeldRecordDropped, &["a contiguous slice of the log"], 30);
}

#[test]
fn an_ack_out_of_its_place_is_found() {
    is_found(Mutant::AckBeforeItsPlace, &["a contiguous slice of the log"], 10);
}
