//! Whether a server is worth asking: closed, open after failures, half-open with one probe at a time. Time and chance are
//! arguments.

use std::time::{Duration, Instant};

/// Failures in a row after which nobody is sent there any more.
const FAILURES_MAX: u32 = 5;
/// The same after so long without a success, however few tried.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Between two probes: at least, and at most after many. A node is not ready until one succeeds, and a node is worth nothing
/// without its engine: it is back within five seconds of it. Nodes are tens, so that their probes are no load.
const PROBE_MIN: Duration = Duration::from_secs(1);
const PROBE_MAX: Duration = Duration::from_secs(3);
/// Where a node can do without for a while, its probes need not come as often.
const SELDOM_PROBE_MAX: Duration = Duration::from_secs(30);

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
    /// Nobody may have asked for long: silence begins with a failure then, and not with the last success.
    seldom: bool,
}

#[derive(Debug)]
struct Open {
    probes: u32,
    next: Instant,
    probing: bool,
}

impl Circuit {
    pub fn closed(now: Instant) -> Circuit {
        Circuit { failures: 0, since: now, open: None, seldom: false }
    }

    /// Of a server that is asked when there is something to ask, and that its node can do without for a while.
    pub fn closed_and_seldom_asked(now: Instant) -> Circuit {
        Circuit { seldom: true, ..Circuit::closed(now) }
    }

    pub fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub fn succeeded(&mut self, now: Instant) {
        *self = Circuit { seldom: self.seldom, ..Circuit::closed(now) };
    }

    /// `chance` is evenly spread over all it can be: probes of many nodes must not come together.
    pub fn failed(&mut self, now: Instant, chance: u64) {
        if self.seldom && self.failures == 0 {
            self.since = now;
        }
        self.failures += 1;
        let most = if self.seldom { SELDOM_PROBE_MAX } else { PROBE_MAX };
        match &mut self.open {
            Some(open) if open.probing => {
                open.probes += 1;
                open.probing = false;
                open.next = now + pause(open.probes, most, chance);
            }
            Some(_) => {}
            None if self.failures >= FAILURES_MAX || now - self.since >= SILENCE_MAX => {
                self.open = Some(Open { probes: 0, next: now + pause(0, most, chance), probing: false });
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
fn pause(probes: u32, most: Duration, chance: u64) -> Duration {
    let most = PROBE_MIN.saturating_mul(2_u32.saturating_pow(probes.min(16))).min(most);
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
        let mut circuit = Circuit::closed(start);
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
        let mut circuit = Circuit::closed(start);
        circuit.failed(start + SECOND * 10, 0);
        assert!(circuit.is_open());
    }

    #[test]
    fn a_server_that_is_asked_seldom_is_not_judged_by_how_long_nobody_asked() {
        let start = Instant::now();
        let mut circuit = Circuit::closed_and_seldom_asked(start);
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
        for (probes, chance, expected) in [
            (0, 0, SECOND),
            (0, u64::MAX, SECOND),
            (2, 0, SECOND),
            (3, u64::MAX / 2, SECOND * 3 / 2),
            (40, u64::MAX, SECOND * 3),
        ] {
            let got = pause(probes, PROBE_MAX, chance);
            assert!(got.abs_diff(expected) < SECOND / 1000, "{probes} {chance}: {got:?}");
        }
        assert_eq!(pause(40, SELDOM_PROBE_MAX, u64::MAX / 2).as_secs(), 15);
        let mut circuit = Circuit::closed(start);
        (0..5).for_each(|_| circuit.failed(start, 0));
        circuit.ask(start + SECOND);
        circuit.failed(start + SECOND, u64::MAX);
        assert!(matches!(circuit.ask(start + SECOND * 2), Waits::Until(at) if at > start + SECOND * 2));
    }
}
