//! Points that were said in a person's own room, on their way to the ride: in order, a batch at a time, so that none overtakes another. It
//! judges none.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};
use vocabulary::{Position, Record, Wall};

use crate::meter::{Seen, Spot};
use crate::wire::place;

/// Points that the ride's room has not taken yet: minutes of an ordinary phone.
const WAITING_MAX: usize = 256;
const AT_A_TIME: usize = 32;
/// What one phone sends more often says no more.
const APART_MS: i64 = 1_000;

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Fixes {
    waiting: VecDeque<Seen>,
    /// When the newest was that was taken, by the phone's clock, and when that was, by ours.
    #[serde(default)]
    taken: Option<(i64, i64)>,
    sending: Option<Sending>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Sending {
    #[serde(with = "place")]
    position: Position,
    count: usize,
    #[serde(with = "place")]
    as_of: Position,
}

/// What the ride's room is told. One that does not know yet how the ride stands would not know what points are worth.
#[derive(Serialize, Deserialize)]
pub(crate) struct Passes {
    #[serde(with = "place")]
    pub as_of: Position,
    pub points: Vec<Seen>,
}

impl Fixes {
    /// By both clocks: a phone at rest may give the time of its last fix again and again, and one that was out of reach gives much at once.
    pub(crate) fn wants(&self, now: Wall, spot: Spot) -> bool {
        let is_soon = |(at, heard): (i64, i64)| {
            (spot.at - at).abs() < APART_MS && now.0.saturating_sub(heard) < APART_MS
        };
        !self.taken.is_some_and(is_soon) && self.waiting.len() < WAITING_MAX
    }

    pub(crate) fn take(&mut self, record: &Record, spot: Spot) {
        let heard = record.at.0;
        self.waiting.push_back(Seen { spot, heard });
        self.taken = Some((spot.at, heard));
    }

    /// `as_of`: the ride's word that this room knows. None: there may be no ride yet that could take them.
    pub(crate) fn send(&mut self, position: Position, as_of: Option<Position>) {
        let Some(as_of) = as_of.filter(|_| self.sending.is_none() && !self.waiting.is_empty()) else {
            return;
        };
        let count = self.waiting.len().min(AT_A_TIME);
        self.sending = Some(Sending { position, count, as_of });
    }

    /// The step that is open.
    pub(crate) fn step(&self) -> Option<(Position, Passes)> {
        let sending = self.sending?;
        let points = self.waiting.iter().take(sending.count).copied().collect();
        Some((sending.position, Passes { as_of: sending.as_of, points }))
    }

    pub(crate) fn is_sending(&self, position: Position) -> bool {
        self.sending.is_some_and(|sending| sending.position == position)
    }

    /// The ride's room has answered: what waits may go.
    pub(crate) fn sent(&mut self) {
        let Some(sending) = self.sending.take() else { return };
        self.waiting.drain(..sending.count.min(self.waiting.len()));
    }
}
