//! What may happen with every message, and is said once a second with how often it happened.

use std::cell::Cell;
use std::time::{Duration, Instant};

const SAID_EVERY: Duration = Duration::from_secs(1);

#[derive(Default)]
pub(crate) struct Seldom {
    said: Cell<Option<Instant>>,
    unsaid: Cell<u64>,
}

impl Seldom {
    /// It happened. How often since it was last said, if it is to be said now.
    pub(crate) fn happened(&self) -> Option<u64> {
        self.unsaid.set(self.unsaid.get() + 1);
        if self.said.get().is_some_and(|said| said.elapsed() < SAID_EVERY) {
            return None;
        }
        self.said.set(Some(Instant::now()));
        Some(self.unsaid.take())
    }
}
