//! What is heard by nodes that do not have the lease: kept for as long as the one that has it may be gone without a word, and
//! taken in by whoever gets it next. It understands no message.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::ear::Heard;

/// Some seconds of a busy fleet; beyond it the oldest goes.
const MESSAGES_MAX: usize = 16_384;
const BYTES_MAX: usize = 32 << 20;

/// Whether a message would be taken for the first time, by all that this node knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Turn {
    First,
    /// The last holder may have taken it.
    Perhaps,
}

#[derive(Default)]
pub(crate) struct Shelf {
    heard: VecDeque<(Heard, Turn)>,
    bytes: usize,
}

impl Shelf {
    pub(crate) fn put(&mut self, heard: Heard, turn: Turn, keep: Duration) {
        let now = heard.at;
        self.bytes += heard.message.len();
        self.heard.push_back((heard, turn));
        self.forget(now, keep);
        while self.heard.len() > MESSAGES_MAX || self.bytes > BYTES_MAX {
            self.drop_oldest();
        }
    }

    pub(crate) fn forget(&mut self, now: Instant, keep: Duration) {
        while self.heard.front().is_some_and(|(oldest, _)| now.saturating_duration_since(oldest.at) > keep) {
            self.drop_oldest();
        }
    }

    fn drop_oldest(&mut self) {
        if let Some((oldest, _)) = self.heard.pop_front() {
            self.bytes -= oldest.message.len();
        }
    }

    /// Somebody may have taken what is here by now.
    pub(crate) fn doubt(&mut self) {
        self.heard.iter_mut().for_each(|(_, turn)| *turn = Turn::Perhaps);
    }

    pub(crate) fn len(&self) -> usize {
        self.heard.len()
    }

    /// All of it, oldest first.
    pub(crate) fn empty(&mut self) -> VecDeque<(Heard, Turn)> {
        self.bytes = 0;
        std::mem::take(&mut self.heard)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(at: Instant, bytes: usize) -> Heard {
        Heard { at, channel: "c".into(), message: vec![0; bytes].into() }
    }

    #[test]
    fn what_is_too_old_or_too_much_goes_the_oldest_first() {
        let (start, second) = (Instant::now(), Duration::from_secs(1));
        let mut shelf = Shelf::default();
        for number in 0..20 {
            shelf.put(heard(start + second * number, 1), Turn::First, second * 4);
        }
        assert_eq!(shelf.len(), 5);
        shelf.forget(start + second * 22, second * 4);
        assert_eq!(shelf.len(), 2);
        for _ in 0..3 {
            shelf.put(heard(start + second * 22, BYTES_MAX / 2), Turn::First, second * 4);
        }
        assert_eq!((shelf.len(), shelf.bytes), (2, BYTES_MAX));
        assert_eq!(shelf.empty().len(), 2);
        (0..MESSAGES_MAX + 7).for_each(|_| shelf.put(heard(start, 1), Turn::First, second));
        assert_eq!((shelf.len(), shelf.bytes), (MESSAGES_MAX, MESSAGES_MAX));
    }

    #[test]
    fn doubt_is_about_what_is_there_and_throws_nothing_away() {
        let (start, keep) = (Instant::now(), Duration::from_secs(1));
        let mut shelf = Shelf::default();
        shelf.put(heard(start, 1), Turn::First, keep);
        shelf.doubt();
        shelf.put(heard(start, 1), Turn::First, keep);
        let turns: Vec<Turn> = shelf.empty().into_iter().map(|(_, turn)| turn).collect();
        assert_eq!(turns, [Turn::Perhaps, Turn::First]);
    }
}
