//! What several runs say together: their median, how far it can be trusted, and whether it meets a bar. Pure numbers.

/// Confidence that is asked for.
const CONFIDENCE: f64 = 0.95;
/// How far the interval's worse end may lie beyond the bar.
const SLACK: f64 = 0.10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Better {
    Lower,
    Higher,
}

/// The median and two of the sorted values that enclose it; no distribution is assumed.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Interval {
    pub median: f64,
    pub low: f64,
    pub high: f64,
    /// How sure the interval encloses the true median; below 0.95 where there are fewer than 6 values.
    pub confidence: f64,
}

impl Interval {
    pub(crate) fn of(values: &[f64]) -> Option<Self> {
        let mut sorted = values.to_vec();
        sorted.sort_by(f64::total_cmp);
        let count = sorted.len();
        let (first, last) = (sorted.first()?, sorted.last()?);
        let median = (sorted[(count - 1) / 2] + sorted[count / 2]) / 2.0;
        // The narrowest pair k-th from below, k-th from above that is sure enough; else the whole range.
        let narrowest = (1..=count.div_ceil(2)).rev().map(|k| (k, enclosing(count, k)));
        match narrowest.into_iter().find(|(_, confidence)| *confidence >= CONFIDENCE) {
            Some((k, confidence)) => {
                Some(Self { median, low: sorted[k - 1], high: sorted[count - k], confidence })
            }
            None => Some(Self { median, low: *first, high: *last, confidence: enclosing(count, 1) }),
        }
    }

    /// The median meets the bar, and the worse end is within 10 % of it.
    pub(crate) fn meets(&self, bar: f64, better: Better) -> bool {
        match better {
            Better::Lower => self.median <= bar && self.high <= bar * (1.0 + SLACK),
            Better::Higher => self.median >= bar && self.low >= bar * (1.0 - SLACK),
        }
    }
}

/// Probability that the median lies between the k-th smallest and the k-th greatest of `count` values.
fn enclosing(count: usize, k: usize) -> f64 {
    let mut ways = 1.0;
    let mut outside = 0.0;
    for below in 0..k {
        outside += ways;
        ways = ways * (count - below) as f64 / (below + 1) as f64;
    }
    (1.0 - 2.0 * outside / 2f64.powi(count as i32)).max(0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn intervals() {
        let rows: [(&[f64], f64, f64, f64, f64); 5] = [
            (&[2.0], 2.0, 2.0, 2.0, 0.0),
            (&[3.0, 1.0, 2.0], 2.0, 1.0, 3.0, 0.75),
            (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 3.5, 1.0, 6.0, 0.96875),
            (&[7.0, 1.0, 2.0, 3.0, 4.0, 5.0, 6.0], 4.0, 1.0, 7.0, 0.984_375),
            (&[1.0, 2.0, 3.0, 4.0, 5.0, 6.0, 7.0, 8.0, 9.0], 5.0, 2.0, 8.0, 0.960_937_5),
        ];
        for (values, median, low, high, confidence) in rows {
            assert_eq!(Interval::of(values), Some(Interval { median, low, high, confidence }), "{values:?}");
        }
        assert_eq!(Interval::of(&[]), None);
    }

    #[test]
    fn a_bar_is_met_by_the_median_with_a_worse_end_near_it() {
        let rows = [
            (1.00, 0.90, 1.10, 1.05, Better::Lower, true),
            (1.06, 0.90, 1.10, 1.05, Better::Lower, false),
            (1.00, 0.90, 1.20, 1.05, Better::Lower, false),
            (1.20, 1.00, 1.30, 1.10, Better::Higher, true),
            (1.05, 1.00, 1.30, 1.10, Better::Higher, false),
            (1.20, 0.90, 1.30, 1.10, Better::Higher, false),
        ];
        for (median, low, high, bar, better, expected) in rows {
            let interval = Interval { median, low, high, confidence: 0.98 };
            assert_eq!(interval.meets(bar, better), expected, "{interval:?} against {bar}");
        }
    }
}
