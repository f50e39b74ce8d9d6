//! What a scenario came to: figures, and what did not hold.

use std::fmt::Display;
use std::time::Duration;

use serde_json::{Value, json};

use crate::checker::{Violation, judge};
use crate::history::{Event, History};

#[derive(Clone, Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) figures: Vec<(&'static str, String)>,
    /// What must hold and does not.
    pub(crate) broken: Vec<String>,
    /// What is so, and is no failure.
    pub(crate) remarks: Vec<String>,
}

impl Outcome {
    pub(crate) fn figure(&mut self, name: &'static str, value: impl Display) {
        self.figures.push((name, value.to_string()));
    }

    /// Of a scenario whose thread ended by a panic, which said why.
    pub(crate) fn broken_off() -> Outcome {
        Outcome { broken: vec!["it broke off".to_owned()], ..Outcome::default() }
    }

    pub(crate) fn must(&mut self, holds: bool, words: impl FnOnce() -> String) {
        if !holds {
            self.broken.push(words());
        }
    }

    /// The checker's word on a history, and what it was judged by.
    pub(crate) fn judged(&mut self, history: &History) {
        let violations = judge(history);
        self.broken.extend(violations.iter().map(Violation::to_string));
        let stored: usize = history.logs.values().map(|log| log.records.len()).sum();
        self.figure("stored", stored);
        self.figure("acked", history.count(|event| matches!(event, Event::Acked { .. })));
        self.figure("received", history.count(|event| matches!(event, Event::Received { .. })));
        self.figure("refused", history.count(|event| matches!(event, Event::Refused { .. })));
        self.figure("resumed", history.count(|event| matches!(event, Event::Resumed { .. })));
        self.figure("gaps and resets", told(history));
        self.figure("violations", violations.iter().map(|violation| violation.times).sum::<usize>());
    }

    pub(crate) fn json(&self, name: &str, took: Duration, load: f64) -> Value {
        let figures: serde_json::Map<String, Value> =
            self.figures.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({
            "scenario": name, "passed": self.broken.is_empty(), "seconds": took.as_secs_f64(), "load": load,
            "figures": figures, "broken": self.broken, "remarks": self.remarks,
        })
    }
}

/// Gaps and resets: what a client had to be told that it missed.
pub(crate) fn told(history: &History) -> usize {
    history.count(|event| matches!(event, Event::Gap { .. } | Event::Reset { .. }))
}

/// The value below which so many of a hundred are.
pub(crate) fn percentile(values: &mut [u64], percent: usize) -> u64 {
    values.sort_unstable();
    let index = (values.len() * percent).div_ceil(100).max(1) - 1;
    values.get(index).copied().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn percentiles() {
        let mut values: Vec<u64> = (1..=200).rev().collect();
        assert_eq!(
            (percentile(&mut values, 50), percentile(&mut values, 99), percentile(&mut values, 100)),
            (100, 198, 200)
        );
        assert_eq!((percentile(&mut [7], 99), percentile(&mut [], 99)), (7, 0));
    }
}
