//! This thread's clocks.

use std::time::{Instant, SystemTime, UNIX_EPOCH};

use vocabulary::{Now, Tick, Wall};

pub(crate) struct Clock(Instant);

impl Clock {
    pub(crate) fn begin() -> Clock {
        Clock(Instant::now())
    }

    pub(crate) fn now(&self) -> Now {
        let wall = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_millis();
        let tick = u64::try_from(self.0.elapsed().as_nanos()).unwrap_or(u64::MAX);
        Now { tick: Tick(tick), wall: Wall(i64::try_from(wall).unwrap_or(i64::MAX)) }
    }
}
