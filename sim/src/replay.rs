//! One seed, run to its end or to the first thing that must not be; a panic of the product counts as one.

use std::cell::{Cell, RefCell};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Once;

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
    /// Inside of a run: what it panicked with. Outside there is nothing to keep, and a panic is everybody's.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
    static RUNS: Cell<bool> = const { Cell::new(false) };
}

/// A panic inside of a run is kept for its outcome; any other is said as it was before.
fn keep_panics_of_runs() {
    static KEEPS: Once = Once::new();
    KEEPS.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| match RUNS.get() {
            true => PANIC.with(|last| *last.borrow_mut() = Some(panic.to_string())),
            false => before(panic),
        }));
    });
}

pub fn run_seed(seed: u64, tracing: bool) -> Outcome {
    run_scenario(Scenario::from_seed(seed), tracing)
}

pub fn run_scenario(scenario: Scenario, tracing: bool) -> Outcome {
    keep_panics_of_runs();
    let chosen = scenario.clone();
    RUNS.set(true);
    let ran = catch_unwind(AssertUnwindSafe(|| play::run(chosen, tracing)));
    RUNS.set(false);
    match ran {
        Ok((tally, outcome)) => Outcome { scenario, tally, violation: outcome.err() },
        Err(_) => {
            let facts = PANIC.with(|last| last.borrow_mut().take()).unwrap_or_default();
            let violation = Violation { property: "no panic", facts };
            Outcome { scenario, tally: Tally::default(), violation: Some(violation) }
        }
    }
}
