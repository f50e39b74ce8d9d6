//! The one place where clocks are read.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vocabulary::{Now, Tick, Wall};

#[derive(Clone, Copy)]
pub(crate) struct Clock {
    started: Instant,
}

impl Clock {
    pub(crate) fn since(started: Instant) -> Clock {
        Clock { started }
    }

    pub(crate) fn now(&self) -> Now {
        // Ticks begin at one second, so that no tick is confused with "never".
        let nanos = u64::try_from(self.started.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { tick: Tick(nanos.saturating_add(1_000_000_000)), wall: wall() }
    }
}

pub(crate) fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
