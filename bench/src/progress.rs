//! What is going on, for a person who waits: one changing line on a terminal, nothing elsewhere. Always on standard error.

use std::io::{IsTerminal, Write, stderr};
use std::time::{Duration, Instant};

const EVERY: Duration = Duration::from_millis(200);

#[derive(Debug)]
pub(crate) struct Progress {
    terminal: bool,
    label: String,
    shown: Instant,
    dirty: bool,
}

impl Progress {
    pub(crate) fn new() -> Self {
        Self { terminal: stderr().is_terminal(), label: String::new(), shown: Instant::now(), dirty: false }
    }

    /// Names what comes next; the one line that is printed without a terminal too.
    pub(crate) fn begin(&mut self, label: String) {
        self.clear();
        if !self.terminal {
            eprintln!("{label}");
        }
        self.label = label;
    }

    /// Cheap enough to be called from a measuring loop: does nothing most of the time.
    pub(crate) fn show(&mut self, doing: &str, done: u64, total: u64) {
        if !self.terminal || self.shown.elapsed() < EVERY {
            return;
        }
        self.shown = Instant::now();
        self.dirty = true;
        eprint!("\r\x1b[K\x1b[2m{}\x1b[0m  {doing} {done}/{total}", self.label);
        // A line that is not flushed is shown with the next one.
        let _ = stderr().flush();
    }

    pub(crate) fn clear(&mut self) {
        if self.dirty {
            eprint!("\r\x1b[K");
            self.dirty = false;
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.clear();
    }
}
