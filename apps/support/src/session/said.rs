//! What was said last, as far as a view needs it. What came before is the log's.

use std::collections::VecDeque;

use app::quoted;
use serde::{Deserialize, Serialize};
use vocabulary::{Payload, Position, Record};

use crate::wire::{Party, place, raw};

/// What a joiner after a gap sees of the past; more is had by `get_history`.
const MESSAGES_MAX: usize = 50;
const NOTES_MAX: usize = 20;
/// The view is sent in one frame, so its bytes are bounded too.
const MESSAGES_BYTES_MAX: usize = 64 << 10;
/// Of the longest notes, written in the longest letters, there are fewer than twenty.
const NOTES_BYTES_MAX: usize = 48 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Kept {
    #[serde(with = "place")]
    pub position: Position,
    pub at: i64,
    pub author: Option<Party>,
    #[serde(with = "raw")]
    pub body: Payload,
}

impl Kept {
    fn bytes(&self) -> usize {
        self.body.len() + self.author.as_ref().map_or(0, |author| quoted(&author.id) + quoted(&author.name))
    }
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Said {
    /// The oldest first.
    pub messages: VecDeque<Kept>,
    pub notes: VecDeque<Kept>,
    /// Messages since the session began.
    pub count: u64,
}

impl Said {
    pub(crate) fn keep(&mut self, record: &Record) {
        self.count += 1;
        keep(&mut self.messages, record, MESSAGES_MAX, MESSAGES_BYTES_MAX);
    }

    pub(crate) fn note(&mut self, record: &Record) {
        keep(&mut self.notes, record, NOTES_MAX, NOTES_BYTES_MAX);
    }
}

fn keep(kept: &mut VecDeque<Kept>, record: &Record, count_max: usize, bytes_max: usize) {
    kept.push_back(Kept {
        position: record.position,
        at: record.at.0,
        author: record.author.as_ref().map(Party::of),
        body: record.body.clone(),
    });
    while kept.len() > count_max || kept.iter().map(Kept::bytes).sum::<usize>() > bytes_max {
        kept.pop_front();
    }
}
