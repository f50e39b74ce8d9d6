//! The checkers have teeth: each mistake made on purpose is found, by the property that stands for it.

use std::ops::RangeInclusive;

use sim::{Mutant, News, Scenario, find, run_scenario, run_spoiled_rides};

/// In one of the worlds that seeds choose.
fn is_found(mutant: Mutant, properties: &[&str], seeds: u64) {
    is_found_among(mutant, properties, seeds, Scenario::from_seed);
}

/// In a world that has a name.
fn is_found_in(name: &str, mutant: Mutant, property: &str, seeds: u64) {
    let named = find(name).unwrap_or_else(|| panic!("no scenario is called {name}"));
    is_found_among(mutant, &[property], seeds, named.build);
}

fn is_found_among(mutant: Mutant, properties: &[&str], seeds: u64, build: fn(u64) -> Scenario) {
    let mut others = Vec::new();
    for seed in 1..=seeds {
        let scenario = Scenario { mutant: Some(mutant), ..build(seed) };
        match run_scenario(scenario, false).violation {
            Some(found) if properties.contains(&found.property) => {
                println!("{mutant:?} found by seed {seed}: {found}");
                return;
            }
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
fn what_is_erased_and_stays_is_found() {
    is_found(Mutant::ErasedKept, &["what is erased is gone"], 20);
}

#[test]
fn nodes_whose_states_differ_are_found() {
    is_found(Mutant::FoldsDiffer, &["one log is one state"], 20);
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

#[test]
fn what_a_stale_steward_stores_is_found() {
    is_found_in("R07-pause", Mutant::StaleGuard, "a duty stands on the state it was decided on", 20);
}

#[test]
fn an_ack_that_nobody_could_give_is_found() {
    is_found_in("R06-unanswered", Mutant::AckInTheDark, "the engine's absence is borne", 10);
}

#[test]
fn connections_that_end_with_the_engine_are_found() {
    is_found_in("R06-partition", Mutant::CutTakesSockets, "the engine's absence is borne", 3);
}

#[test]
fn a_node_whose_users_never_end_is_found() {
    is_found_in("R06-partition", Mutant::DeadForEver, "all is well by then", 3);
    is_found_in("R25-presence", Mutant::DeadForEver, "no ghosts", 20);
}

/// A world in which news are dropped, and `Missed` said in their place.
fn noticed(seed: u64) -> Scenario {
    let presence = find("R25-presence").expect("a scenario of that name");
    Scenario { news: News::Noticed, news_lost: 100, ..(presence.build)(seed) }
}

#[test]
fn news_that_are_missed_for_good_are_found() {
    is_found_among(Mutant::MissedSwallowed, &["all is well by then", "no ghosts"], 10, noticed);
}

#[test]
fn a_leave_that_was_none_is_found() {
    is_found_in("R25-presence", Mutant::LivingEnded, "a leave that is told was one", 10);
    is_found_in("R10-reload", Mutant::NoLinger, "a leave that is told was one", 3);
}

#[test]
fn a_leave_that_is_told_twice_is_found() {
    is_found_in("R10-reload", Mutant::LeaveTwice, "a leave that is told was one", 3);
}

#[test]
fn a_late_return_is_found() {
    is_found_in("R11-tabs", Mutant::ComesLate, "who was cut off is back in time", 10);
}

#[test]
fn a_hasty_drain_is_found() {
    is_found_in("R20-drain", Mutant::DrainInHaste, "a drain says goodbye to all, evenly", 3);
}

#[test]
fn a_message_that_overtakes_another_is_found() {
    is_found_in("R23-fan-in", Mutant::Overtaken, "a sender's messages keep their order", 3);
}

#[test]
fn a_call_that_is_stored_twice_is_found() {
    is_found_in("R07-pause", Mutant::CallTwice, "a call is stored once and answered", 10);
}

/// A world whose rooms are damaged twice.
fn damaged(seed: u64) -> Scenario {
    Scenario { damages: 2, ..Scenario::from_seed(seed) }
}

#[test]
fn damage_that_nobody_puts_down_is_found() {
    is_found_among(Mutant::DamageUnsaid, &["a damaged room is refused, loudly"], 20, damaged);
}

#[test]
fn damage_that_is_served_is_found() {
    is_found_among(Mutant::DamageServed, &["one order per room"], 20, damaged);
}

/// In a world of rides, by the words that it is told with.
fn is_found_in_rides(mutant: Mutant, words: &str, seeds: RangeInclusive<u64>) {
    let mut others = Vec::new();
    for seed in seeds {
        match run_spoiled_rides(seed, mutant) {
            Err(error) if error.contains(words) => {
                println!("{mutant:?} found by seed {seed}: {error}");
                return;
            }
            Err(error) => others.push(format!("seed {seed}: {error}")),
            Ok(_) => {}
        }
    }
    panic!("{mutant:?} is not found as {words:?}, but as\n{}", others.join("\n"));
}

#[test]
fn a_yes_that_nobody_said_is_found() {
    is_found_in_rides(Mutant::YesOfNobody, "was confirmed by None", 1..=3);
}

#[test]
fn a_driver_who_is_given_without_being_asked_is_found() {
    is_found_in_rides(Mutant::GivenUnasked, "never said yes to", 1..=3);
}

/// Of two claims that both hold the second lets go the first, which is ridden all the same.
#[test]
fn a_claim_on_a_state_that_is_not_the_newest_is_found() {
    is_found_in_rides(Mutant::ClaimUnguarded, "began, and one of the two was let go", 5..=15);
    is_found_in_rides(Mutant::StaleGuard, "began, and one of the two was let go", 5..=15);
}

#[test]
fn a_point_that_counts_twice_is_found() {
    is_found_in_rides(Mutant::PointCountsTwice, "a point is duplicate, and counts as", 1..=5);
}

#[test]
fn a_fee_that_nobody_pays_is_found() {
    is_found_in_rides(Mutant::FeeOnTop, "are not what is paid", 1..=5);
}

#[test]
fn a_driver_whom_a_ride_never_lets_go_is_found() {
    is_found_in_rides(Mutant::NeverReleased, "is still in", 1..=3);
}

#[test]
fn two_amounts_for_one_ride_are_found() {
    is_found_in_rides(Mutant::ToldOtherwise, " costs [", 1..=5);
}
