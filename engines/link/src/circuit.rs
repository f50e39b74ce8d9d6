//! Whether a server is worth asking: closed, open after failures, half-open with one probe at a time. Time and chance are
//! arguments.

use std::time::{Duration, Instant};

/// Failures in a row after which nobody is sent there any more.
const FAILURES_MAX: u32 = 5;
/// The same after so long without a success, however few tried.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Between two probes at least.
const PROBE_MIN: Duration = Duration::from_secs(1);

/// How far apart probes come to be after many, and from when on a server counts as silent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spacing {
    /// Three seconds. A node is not ready until one succeeds, and a node is worth nothing without its engine: it is back within
    /// five seconds of it. Nodes are tens, so that their probes are no load.
    Engine,
    /// Thirty seconds, for what a node can do without.
    Bridge,
    /// The same of a server that is asked when there is something to ask: it is silent from the first failure on, not since the
    /// last success.
    Seldom,
}

impl Spacing {
    fn most(self) -> Duration {
        match self {
            Spacing::Engine => Duration::from_secs(3),
            Spacing::Bridge | Spacing::Seldom => Duration::from_secs(30),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waits {
    /// Go and ask.
    No,
    /// One may go, and tells how it went.
    Probe,
    /// Nobody goes until then.
    Until(Instant),
}

#[derive(Debug)]
pub struct Circuit {
    failures: u32,
    /// When silence began.
    since: Instant,
    open: Option<Open>,
    spacing: Spacing,
}

#[derive(Debug)]
struct Open {
    probes: u32,
    next: Instant,
    probing: bool,
}

impl Circuit {
    pub fn closed(now: Instant, spacing: Spacing) -> Circuit {
        Circuit { failures: 0, since: now, open: None, spacing }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn succeeded(&mut self, now: Instant) {
        *self = Circuit::closed(now, self.spacing);
    }

    /// `chance` is evenly spread over all it can be: probes of many nodes must not come together.
    pub fn failed(&mut self, now: Instant, chance: u64) {
        if self.spacing == Spacing::Seldom && self.failures == 0 {
            self.since = now;
        }
        self.failures += 1;
        let spacing = self.spacing;
        match &mut self.open {
            Some(open) if open.probing => {
                open.probes += 1;
                open.probing = false;
                open.next = now + pause(open.probes, spacing, chance);
            }
            Some(_) => {}
            None if self.failures >= FAILURES_MAX || now - self.since >= SILENCE_MAX => {
                self.open = Some(Open { probes: 0, next: now + pause(0, spacing, chance), probing: false });
            }
            None => {}
        }
    }

    pub fn ask(&mut self, now: Instant) -> Waits {
        match &mut self.open {
            None => Waits::No,
            Some(open) if open.probing || now < open.next => {
                Waits::Until(open.next.max(now + PROBE_MIN / 10))
            }
            Some(open) => {
                open.probing = true;
                Waits::Probe
            }
        }
    }
}

/// Full jitter over a range that doubles from a second on.
fn pause(probes: u32, spacing: Spacing, chance: u64) -> Duration {
    let most = PROBE_MIN.saturating_mul(2_u32.saturating_pow(probes.min(16))).min(spacing.most());
    let share = (chance >> 11) as f64 / (1_u64 << 53) as f64;
    PROBE_MIN.max(most.mul_f64(share))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    #[test]
    fn five_failures_in_a_row_open_it_and_one_probe_closes_it() {
        let start = Instant::now();
        let mut circuit = Circuit::closed(start, Spacing::Engine);
        for _ in 0..4 {
            circuit.failed(start, 0);
        }
        assert_eq!(circuit.ask(start), Waits::No);
        circuit.failed(start, 0);
        assert_eq!(circuit.ask(start), Waits::Until(start + SECOND));
        assert_eq!(circuit.ask(start + SECOND), Waits::Probe);
        assert!(matches!(circuit.ask(start + SECOND), Waits::Until(_)), "one probe at a time");
        circuit.succeeded(start + SECOND);
        assert_eq!(circuit.ask(start + SECOND), Waits::No);
    }

    #[test]
    fn ten_seconds_without_a_success_open_it_whatever_the_count() {
        let start = Instant::now();
        let mut circuit = Circuit::closed(start, Spacing::Engine);
        circuit.failed(start + SECOND * 10, 0);
        assert!(circuit.is_open());
    }

    #[test]
    fn a_server_that_is_asked_seldom_is_not_judged_by_how_long_nobody_asked() {
        let start = Instant::now();
        let mut circuit = Circuit::closed(start, Spacing::Seldom);
        circuit.failed(start + SECOND * 100, 0);
        assert!(!circuit.is_open());
        circuit.succeeded(start + SECOND * 101);
        for (after, open) in [(300, false), (309, false), (310, true)] {
            circuit.failed(start + SECOND * after, 0);
            assert_eq!(circuit.is_open(), open, "{after}");
        }
    }

    #[test]
    fn probes_grow_apart_by_chance_and_never_beyond_the_most() {
        let start = Instant::now();
        for (probes, spacing, chance, expected) in [
            (0, Spacing::Engine, 0, SECOND),
            (0, Spacing::Engine, u64::MAX, SECOND),
            (2, Spacing::Engine, 0, SECOND),
            (3, Spacing::Engine, u64::MAX / 2, SECOND * 3 / 2),
            (40, Spacing::Engine, u64::MAX, SECOND * 3),
            (3, Spacing::Bridge, u64::MAX, SECOND * 8),
            (40, Spacing::Bridge, u64::MAX, SECOND * 30),
            (40, Spacing::Seldom, u64::MAX / 2, SECOND * 15),
        ] {
            let got = pause(probes, spacing, chance);
            assert!(got.abs_diff(expected) < SECOND / 1000, "{probes} {chance}: {got:?}");
        }
        let mut circuit = Circuit::closed(start, Spacing::Engine);
        (0..5).for_each(|_| circuit.failed(start, 0));
        circuit.ask(start + SECOND);
        circuit.failed(start + SECOND, u64::MAX);
        assert!(matches!(circuit.ask(start + SECOND * 2), Waits::Until(at) if at > start + SECOND * 2));
    }
}
