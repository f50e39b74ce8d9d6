//! Time as an argument: nothing in the pure set reads a clock, it is told.

use std::ops::{Add, Sub};
use std::time::Duration;

/// Monotonic nanoseconds since the process began. Only differences mean anything.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Tick(pub u64);

/// Milliseconds since 1970, UTC. May jump; never used to measure a wait.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Wall(pub i64);

/// Both clocks, read once by the shell for a whole turn.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    pub tick: Tick,
    pub wall: Wall,
}

impl Tick {
    pub fn since(self, earlier: Tick) -> Duration {
        Duration::from_nanos(self.0.saturating_sub(earlier.0))
    }
}

impl Add<Duration> for Tick {
    type Output = Tick;
    fn add(self, span: Duration) -> Tick {
        Tick(self.0.saturating_add(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Sub<Duration> for Tick {
    type Output = Tick;
    fn sub(self, span: Duration) -> Tick {
        Tick(self.0.saturating_sub(u64::try_from(span.as_nanos()).unwrap_or(u64::MAX)))
    }
}

impl Add<Duration> for Wall {
    type Output = Wall;
    fn add(self, span: Duration) -> Wall {
        Wall(self.0.saturating_add(i64::try_from(span.as_millis()).unwrap_or(i64::MAX)))
    }
}

impl Now {
    /// The tick at which the wall clock will read `wall`, if it does not jump. A time that has passed is now.
    pub fn tick_at(self, wall: Wall) -> Tick {
        let millis = u64::try_from(wall.0.saturating_sub(self.wall.0)).unwrap_or(0);
        self.tick + Duration::from_millis(millis)
    }
}
