//! How much memory the process holds, against what it may: the step of shedding that follows. It frees nothing itself.

use std::sync::Arc;
use std::time::Duration;

use shard::Pressure;

use crate::facts::Facts;

/// Soon enough for what a node can fill in a moment, and a read of one small file.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// In hundredths of the budget: what is given up from there on. A step ends a little below where it began, or it would come
/// and go with every message.
const STEPS: [(u64, Pressure); 4] =
    [(80, Pressure::NoNewcomers), (85, Pressure::NoSignals), (90, Pressure::NoLatest), (95, Pressure::Tight)];
const STEP_BACK: u64 = 3;

/// The step for so much of the budget, coming from another step.
fn step(used: u64, budget: u64, from: Pressure) -> Pressure {
    let reached = |percent: u64| used.saturating_mul(100) >= budget.saturating_mul(percent);
    let holds = |(percent, step): &&(u64, Pressure)| {
        reached(if *step <= from { *percent - STEP_BACK } else { *percent })
    };
    STEPS.iter().rev().find(holds).map_or(Pressure::None, |(_, step)| *step)
}

/// Until the node ends.
pub(crate) async fn watch(facts: Arc<Facts>, budget_bytes: u64) {
    let mut look = tokio::time::interval(LOOK_EVERY);
    let mut now = Pressure::None;
    loop {
        look.tick().await;
        // Without it, as when descriptors are used up, what was known last holds.
        let Some(used) = resident_bytes() else { continue };
        let next = step(used, budget_bytes, now);
        if next != now {
            let (from, to) = (now, next);
            tracing::warn!(used_bytes = used, budget_bytes, ?from, ?to, "memory pressure changes");
            now = next;
            facts.press(now);
        }
    }
}

pub(crate) fn resident_bytes() -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
    Some(line.trim().strip_suffix(" kB")?.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_given_up_follows_the_budget_and_does_not_flutter() {
        let mut at = Pressure::None;
        for (percent, expected) in [
            (50, Pressure::None),
            (80, Pressure::NoNewcomers),
            (78, Pressure::NoNewcomers),
            (76, Pressure::None),
            (86, Pressure::NoSignals),
            (96, Pressure::Tight),
            (93, Pressure::Tight),
            (91, Pressure::NoLatest),
            (83, Pressure::NoSignals),
            (81, Pressure::NoNewcomers),
            (10, Pressure::None),
        ] {
            at = step(percent, 100, at);
            assert_eq!(at, expected, "at {percent} %");
        }
    }

    #[test]
    fn the_process_knows_what_it_holds() {
        assert!(resident_bytes().is_some_and(|bytes| bytes > 100_000));
    }
}
