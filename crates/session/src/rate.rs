//! A rate with a burst in one word: the time at which the bucket would be empty again (GCRA).

use std::time::Duration;

use vocabulary::Tick;

#[derive(Clone, Copy, Debug, Default)]
pub struct Rate(Tick);

impl Rate {
    /// Takes one. Refused: how long until one is free; nothing was taken.
    pub fn take(&mut self, now: Tick, spacing: Duration, burst: u32) -> Result<(), Duration> {
        self.take_many(1, now, spacing, burst)
    }

    /// Takes so many, or none; more than a burst is a burst, or it would never be free.
    pub fn take_many(&mut self, many: u32, now: Tick, spacing: Duration, burst: u32) -> Result<(), Duration> {
        let from = self.0.max(now);
        let after = from + spacing * many.min(burst.max(1));
        let allowed = now + spacing * burst.max(1);
        if after > allowed {
            return Err(after.since(allowed));
        }
        self.0 = after;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_burst_passes_then_the_rate_holds_and_the_wait_is_told() {
        let mut rate = Rate::default();
        let spacing = Duration::from_millis(50);
        let now = Tick(1_000_000_000);
        for taken in 0..40 {
            assert_eq!(rate.take(now, spacing, 40), Ok(()), "of the burst, number {taken}");
        }
        assert_eq!(rate.take(now, spacing, 40), Err(spacing));
        assert_eq!(
            rate.take_many(100, now + spacing * 40, spacing, 40),
            Ok(()),
            "a burst, and not for ever too much"
        );
        assert_eq!(rate.take_many(2, now + spacing * 41, spacing, 40), Err(spacing));
        let mut rate = Rate::default();
        (0..40).for_each(|_| rate.take(now, spacing, 40).unwrap_or_default());
        let later = now + spacing;
        assert_eq!(rate.take(later, spacing, 40), Ok(()));
        assert_eq!(rate.take(later, spacing, 40), Err(spacing));
    }
}
