//! A line of the log that could come as often as anybody likes, once a second and with how many times it happened. It writes nothing itself.

use std::time::Duration;

use vocabulary::Tick;

/// What a person who reads along still reads, and a disk does not mind.
const SPACING: Duration = Duration::from_secs(1);

#[derive(Debug, Default)]
pub(crate) struct Sparing {
    said: Option<Tick>,
    unsaid: u64,
}

impl Sparing {
    /// It happened once more. If it is time to say so, how often it has since that was last said.
    pub(crate) fn happened(&mut self, now: Tick) -> Option<u64> {
        self.unsaid += 1;
        if self.said.is_some_and(|said| now < said + SPACING) {
            return None;
        }
        self.said = Some(now);
        Some(std::mem::take(&mut self.unsaid))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_said_at_once_and_the_rest_once_a_second_with_their_count() {
        let mut sparing = Sparing::default();
        for (millis, said) in
            [(0, Some(1)), (1, None), (999, None), (1000, Some(3)), (1500, None), (60_000, Some(2))]
        {
            assert_eq!(sparing.happened(Tick(5_000_000_000 + millis * 1_000_000)), said, "after {millis} ms");
        }
    }
}
