//! A rate with a burst in one word: the time at which the bucket would be empty again (GCRA).

use std::time::Duration;

use vocabulary::Tick;

#[derive(Clone, Copy, Debug, Default)]
pub struct Rate(Tick);

impl Rate {
    /// Takes one. Refused: how long until one is free; nothing was taken.
    pub fn take(&mut self, now: Tick, spacing: Duration, burst: u32) -> Result<(), Duration> {
        let from = self.0.max(now);
        let after = from + spacing;
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
        let later = now + spacing;
        assert_eq!(rate.take(later, spacing, 40), Ok(()));
        assert_eq!(rate.take(later, spacing, 40), Err(spacing));
    }
}
