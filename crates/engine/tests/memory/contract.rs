//! What every engine must do.

use std::time::Duration;

use conformance::Subject;
use engine::{Answer, Asked, MemoryEngine, MemoryLimits};
use vocabulary::{Incarnation, Now, Tick, Wall};

use crate::table::{TAG, TERM};

struct Memory {
    engine: MemoryEngine,
    now: Now,
}

impl Memory {
    fn new() -> Memory {
        let limits = MemoryLimits { lease: TERM, ..MemoryLimits::default() };
        let now = Now { tick: Tick(1), wall: Wall(1_700_000_000_000) };
        Memory { engine: MemoryEngine::new(limits, TAG), now }
    }
}

impl Subject for Memory {
    fn ask(&mut self, asked: Asked) {
        self.engine.handle(self.now, asked);
    }

    fn next(&mut self) -> Option<(Incarnation, Answer)> {
        self.engine.next_answer()
    }

    fn now(&self) -> Now {
        self.now
    }

    fn pass(&mut self, span: Duration) {
        let until = self.now.tick + span;
        while self.now.tick < until {
            let look = self
                .engine
                .next_deadline()
                .unwrap_or(until)
                .min(until)
                .max(self.now.tick + Duration::from_nanos(1));
            self.now = Now { tick: look, wall: self.now.wall + look.since(self.now.tick) };
            self.engine.tick(self.now);
        }
    }

    fn lease(&self) -> Duration {
        TERM
    }
}

conformance::tests!(super::Memory::new());
