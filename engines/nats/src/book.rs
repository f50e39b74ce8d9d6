//! What a node knows of a room that it follows, so that an append is one call: where the log ends, and what came last. It may
//! be old; the server decides.

use std::collections::{BTreeSet, VecDeque};

use vocabulary::{Check, Epoch, Incarnation, Key, Seen};

use crate::message::{Body, Due, Message};

/// Records whose keys are kept: more than come in the time of one append, and few beside what a followed room takes.
const RECENT_RECORDS_MAX: usize = 64;
/// The same news come twice while a subscription takes another's place.
const TWICE_MAX: usize = 16;
/// Places in a room's past at which somebody reads on: some dozens of readers, and a kilobyte or two.
const MARKS_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct End {
    /// Of the room's last message; 0: there is none.
    pub(crate) sequence: u64,
    pub(crate) seen: Seen,
    /// Of the message that began the epoch; 0 in the first one.
    pub(crate) epoch_sequence: u64,
    pub(crate) due: Option<Due>,
}

impl End {
    pub(crate) fn of(sequence: u64, message: &Message) -> End {
        let epoch_sequence = match message.body {
            Body::Epoch(_) => sequence,
            Body::Batch(_) => message.epoch_sequence,
        };
        End { sequence, seen: message.after, epoch_sequence, due: message.due }
    }
}

#[derive(Clone, Debug)]
pub(crate) struct Noted {
    pub(crate) sequence: u64,
    pub(crate) before: Seen,
    pub(crate) records: Vec<(Key, Check)>,
}

/// A place up to which somebody has read, and a sequence at or before the message that holds what comes after it.
#[derive(Clone, Copy, Debug)]
struct Mark {
    epoch: Epoch,
    offset: u64,
    sequence: u64,
}

#[derive(Default)]
pub(crate) struct Book {
    pub(crate) followers: BTreeSet<Incarnation>,
    pub(crate) end: Option<End>,
    /// Without a hole up to `end`.
    recent: VecDeque<Noted>,
    records: usize,
    heard: VecDeque<u64>,
    /// The newest last. They are of the past, which appends do not change, so they outlive `recent`. A stream that was put
    /// back to what it was earlier, and went on otherwise, makes them wrong.
    marks: VecDeque<Mark>,
}

impl Book {
    /// The message that now is the room's last.
    pub(crate) fn note(&mut self, sequence: u64, message: &Message) {
        if self.end.is_some_and(|end| sequence == end.sequence) {
            return;
        }
        let follows = self.end.is_some_and(|end| sequence > end.sequence && message.before == end.seen);
        let begins = matches!(message.body, Body::Epoch(_));
        if self.end.is_some_and(|end| sequence < end.sequence) {
            // Late, or of a stream that began anew: read it.
            return self.forget();
        }
        if !follows || begins {
            self.forget();
        }
        self.end = Some(End::of(sequence, message));
        let records: Vec<_> = message.records().map(|(stored, check)| (stored.key, check)).collect();
        self.records += records.len();
        self.recent.push_back(Noted { sequence, before: message.before, records });
        while self.records > RECENT_RECORDS_MAX
            && let Some(oldest) = self.recent.pop_front()
        {
            self.records -= oldest.records.len();
        }
    }

    pub(crate) fn forget(&mut self) {
        self.end = None;
        self.recent.clear();
        self.records = 0;
    }

    /// What is known to come after a position, if all of it is and the position is of this past.
    pub(crate) fn since(&self, seen: Seen) -> Option<(End, Vec<(Key, u64)>)> {
        let end = self.end?;
        if seen == end.seen {
            return Some((end, Vec::new()));
        }
        if seen.position.epoch != end.seen.position.epoch {
            return None;
        }
        let from = self.recent.iter().position(|noted| {
            let first = noted.before.position.offset;
            first <= seen.position.offset && seen.position.offset < first + noted.records.len() as u64
        })?;
        let mut since = Vec::new();
        let mut check = None;
        for noted in self.recent.iter().skip(from) {
            if noted.before.position.offset == seen.position.offset {
                check = Some(noted.before.check);
            }
            for (offset, (key, its)) in (noted.before.position.offset + 1..).zip(&noted.records) {
                if offset == seen.position.offset {
                    check = Some(*its);
                } else if offset > seen.position.offset {
                    since.push((key.clone(), offset));
                }
            }
        }
        (check == Some(seen.check)).then_some((end, since))
    }

    /// The last place at or before an offset of which a sequence is known: at or before the message that comes next there.
    pub(crate) fn sequence_before(&self, epoch: Epoch, offset: u64) -> Option<(u64, u64)> {
        let recent = self.recent.iter().map(|noted| (noted.before.position.offset, noted.sequence));
        let marks = self.marks.iter().filter(|mark| mark.epoch == epoch);
        let known = recent.chain(marks.map(|mark| (mark.offset, mark.sequence)));
        known.filter(|(at, _)| *at <= offset).max()
    }

    pub(crate) fn mark(&mut self, epoch: Epoch, offset: u64, sequence: u64) {
        self.marks.retain(|mark| (mark.epoch, mark.offset) != (epoch, offset));
        self.marks.push_back(Mark { epoch, offset, sequence });
        if self.marks.len() > MARKS_MAX {
            self.marks.pop_front();
        }
    }

    /// Whether there were any.
    pub(crate) fn forget_marks(&mut self) -> bool {
        !std::mem::take(&mut self.marks).is_empty()
    }

    pub(crate) fn is_heard_first(&mut self, sequence: u64) -> bool {
        if self.heard.contains(&sequence) {
            return false;
        }
        self.heard.push_back(sequence);
        if self.heard.len() > TWICE_MAX {
            self.heard.pop_front();
        }
        true
    }
}
