//! What became of questions to the team's back end, for metrics. It only counts.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

#[derive(Default)]
pub(crate) struct Tally {
    /// Sent to the back end; each is allowed, refused or failed in the end.
    pub asked: AtomicU64,
    /// Answered without a question, because the answer was known.
    pub cached: AtomicU64,
    /// Joined a question that was open already.
    pub shared: AtomicU64,
    pub allowed: AtomicU64,
    pub refused: AtomicU64,
    /// Asked, and no answer came that could be read.
    pub failed: AtomicU64,
    /// Not asked: the circuit was open, or too many waited.
    pub unasked: AtomicU64,
    /// By how long an answer took, each in its own bucket; the last has no end.
    took: [AtomicU64; BUCKETS.len() + 1],
    took_micros: AtomicU64,
}

/// In milliseconds, and as Prometheus writes them.
pub(crate) const BUCKETS: [(u64, &str); 9] = [
    (5, "0.005"),
    (10, "0.01"),
    (25, "0.025"),
    (50, "0.05"),
    (100, "0.1"),
    (250, "0.25"),
    (500, "0.5"),
    (1000, "1"),
    (2500, "2.5"),
];

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Tally {
    pub(crate) fn took(&self, span: Duration) {
        let within = |(millis, _): &(u64, &str)| span <= Duration::from_millis(*millis);
        count(&self.took[BUCKETS.iter().position(within).unwrap_or(BUCKETS.len())]);
        self.took_micros.fetch_add(span.as_micros() as u64, Ordering::Relaxed);
    }

    pub(crate) fn rows(&self) -> [(&'static str, &'static str, u64); 7] {
        let of = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        [
            ("asked", "questions sent to the authorizer", of(&self.asked)),
            ("cached", "questions whose answer was known", of(&self.cached)),
            ("shared", "questions that were open already", of(&self.shared)),
            ("allowed", "answers that allow", of(&self.allowed)),
            ("refused", "answers that refuse", of(&self.refused)),
            ("failed", "questions without an answer that could be read", of(&self.failed)),
            (
                "unasked",
                "questions that were not sent: the circuit was open, or too many waited",
                of(&self.unasked),
            ),
        ]
    }

    /// Up to each bucket's end and in all, and the sum of seconds.
    pub(crate) fn histogram(&self) -> (Vec<(&'static str, u64)>, f64) {
        let ends = BUCKETS.iter().map(|(_, end)| *end).chain(["+Inf"]);
        let sums = self.took.iter().scan(0, |sum, bucket| {
            *sum += bucket.load(Ordering::Relaxed);
            Some(*sum)
        });
        (ends.zip(sums).collect(), self.took_micros.load(Ordering::Relaxed) as f64 / 1e6)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bucket_holds_all_that_took_no_longer() {
        let tally = Tally::default();
        for millis in [1, 5, 6, 2500, 9000] {
            tally.took(Duration::from_millis(millis));
        }
        let (buckets, seconds) = tally.histogram();
        let counts: Vec<u64> = buckets.iter().map(|(_, count)| *count).collect();
        assert_eq!(counts, [2, 3, 3, 3, 3, 3, 3, 3, 4, 5]);
        assert!((seconds - 11.512).abs() < 1e-9, "{seconds}");
    }
}
