//! One seed, run to its end or to the first thing that must not be; a panic of the product counts as one.

use std::cell::RefCell;
use std::panic::{AssertUnwindSafe, catch_unwind};

use crate::checkers::Violation;
use crate::play;
use crate::scenario::Scenario;
use crate::tally::Tally;

#[derive(Clone, Debug)]
pub struct Outcome {
    pub scenario: Scenario,
    pub tally: Tally,
    pub violation: Option<Violation>,
}

thread_local! {
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub fn run_seed(seed: u64, tracing: bool) -> Outcome {
    run_scenario(Scenario::from_seed(seed), tracing)
}

pub fn run_scenario(scenario: Scenario, tracing: bool) -> Outcome {
    std::panic::set_hook(Box::new(|info| {
        PANIC.with(|last| *last.borrow_mut() = Some(info.to_string()));
    }));
    let chosen = scenario.clone();
    let ran = catch_unwind(AssertUnwindSafe(|| play::run(chosen, tracing)));
    match ran {
        Ok((tally, outcome)) => Outcome { scenario, tally, violation: outcome.err() },
        Err(_) => {
            let facts = PANIC.with(|last| last.borrow_mut().take()).unwrap_or_default();
            let violation = Violation { property: "no panic", facts };
            Outcome { scenario, tally: Tally::default(), violation: Some(violation) }
        }
    }
}
