//! Latencies in fixed memory: 128 steps for each doubling, so a figure is at most 0.8 % off. Knows no units.

const STEP_BITS: u32 = 7;
const STEPS: usize = 1 << STEP_BITS;
/// Values above 2^40 (12 days in microseconds) count as that.
const VALUE_MAX: u64 = (1 << 40) - 1;
const BUCKETS: usize = (40 - STEP_BITS as usize + 1) * STEPS;

#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    counts: Vec<u64>,
    count: u64,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { counts: vec![0; BUCKETS], count: 0, max: 0 }
    }
}

impl Histogram {
    #[inline]
    pub(crate) fn record(&mut self, value: u64) {
        self.counts[bucket(value.min(VALUE_MAX))] += 1;
        self.count += 1;
        self.max = self.max.max(value);
    }

    pub(crate) fn clear(&mut self) {
        self.counts.fill(0);
        self.count = 0;
        self.max = 0;
    }

    pub(crate) fn max(&self) -> u64 {
        self.max
    }

    /// The value that `share` (0 to 1) of all values do not exceed; 0 of an empty histogram.
    pub(crate) fn quantile(&self, share: f64) -> u64 {
        let rank = ((self.count as f64 * share).ceil() as u64).clamp(1, self.count.max(1));
        let mut seen = 0;
        for (index, count) in self.counts.iter().enumerate() {
            seen += count;
            if seen >= rank {
                return highest(index).min(self.max);
            }
        }
        0
    }
}

/// Values below [`STEPS`] have their own bucket; above, the leading bits choose.
#[inline]
fn bucket(value: u64) -> usize {
    let doublings = (64 - value.leading_zeros()).saturating_sub(STEP_BITS + 1);
    ((doublings as usize) << STEP_BITS) + (value >> doublings) as usize
}

fn highest(bucket: usize) -> u64 {
    let doublings = (bucket >> STEP_BITS).saturating_sub(1);
    let step = bucket - (doublings << STEP_BITS);
    ((step as u64 + 1) << doublings) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_its_bucket_and_buckets_touch() {
        for value in
            (0..100_000).chain((17..40).flat_map(|bits| [(1 << bits) - 1, 1 << bits, (1 << bits) + 1]))
        {
            let index = bucket(value);
            assert!(index < BUCKETS);
            assert!(value <= highest(index), "{value}");
            assert!(index == 0 || value > highest(index - 1), "{value}");
            assert!(highest(index) - value <= value / STEPS as u64, "{value} is shown as {}", highest(index));
        }
    }

    #[test]
    fn quantiles() {
        let rows: [(&str, Vec<u64>, f64, u64); 6] = [
            ("nothing", vec![], 0.5, 0),
            ("one value", vec![7], 0.999, 7),
            ("median of an odd count", vec![1, 2, 3, 4, 5], 0.5, 3),
            ("p99 of a hundred", (1..=100).collect(), 0.99, 99),
            ("p0 is the least", vec![3, 9], 0.0, 3),
            ("no more than the greatest", vec![1_000_003], 0.5, 1_000_003),
        ];
        for (name, values, share, expected) in rows {
            let mut histogram = Histogram::default();
            values.into_iter().for_each(|value| histogram.record(value));
            assert_eq!(histogram.quantile(share), expected, "{name}");
        }
    }
}
