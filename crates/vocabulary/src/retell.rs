//! What an operator asks of a room's past, and what its home says to that: one record, as it stands and as somebody would see it, or the
//! room as it was at a place in its log. It decides nothing.

use crate::{Payload, Person, Position, UserId, Wall};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retell {
    /// What stands there, and whether this user would be shown it.
    Record { offset: u64, user: Option<UserId> },
    /// The log folded up to there.
    Fold { upto: u64 },
    /// The records in front of there, the newest so many.
    Records { before: u64, limit: u32 },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Retold {
    Record(RecordSeen),
    Fold(FoldSeen),
    Records(RecordsSeen),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordSeen {
    /// Where the log ends.
    pub head: Position,
    /// Offsets up to here are kept no more.
    pub trimmed: u64,
    pub fate: Fate,
    pub beholder: Option<Beholder>,
}

/// What became of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    Kept {
        at: Wall,
        kind: String,
        author: Option<Person>,
        bytes: usize,
        /// Everybody's membership was looked at again, or that of some.
        touches: bool,
    },
    /// Nothing is kept of it but its place.
    Erased,
    /// Of a newer version: kept, and shown to nobody here.
    Foreign,
    Trimmed,
    /// The log does not go that far.
    Ahead,
    /// What is stored there is not what was.
    Damaged,
}

/// A stretch of a log, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordsSeen {
    pub head: Position,
    pub trimmed: u64,
    pub records: Vec<RecordLine>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordLine {
    pub position: Position,
    pub fate: Fate,
    /// As it is stored; none: nothing is kept of it, or it is too large for a look.
    pub body: Option<Payload>,
}

/// A user in front of a record.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beholder {
    /// Of this node's connections, so many are in the room.
    pub seats: u32,
    /// Other nodes that say that the user is in the room.
    pub nodes: Vec<u64>,
    /// Whether the app lets them in as things stand: by their token where they are in the room, and else as a user without a role.
    pub may: Result<(), String>,
    /// Whether the app shows them the record; none: it is not there to be shown, or they may not be here.
    pub shown: Option<bool>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FoldSeen {
    pub head: Position,
    /// The last record that is folded, and when it was stored.
    pub upto: u64,
    pub at: Wall,
    /// The first one that was read; behind 1 what came before is not known.
    pub from: u64,
    pub records: u64,
    /// Those of which nothing is kept, and those that this version does not know.
    pub erased: u64,
    pub unknown: u64,
    /// The last record, as it was written down.
    pub last: Option<(String, Option<Person>)>,
    /// What a joiner is told by the app, and what a member is told after a gap, each as a back end sees it.
    pub about: Option<Payload>,
    pub view: Option<Payload>,
    /// Those whom records of membership name, the first of them, and whether the app lets them in there.
    pub touched: Vec<(UserId, bool)>,
    pub touched_more: bool,
    /// Those who wrote something, the first of them, each with how much.
    pub authors: Vec<(Person, u32)>,
    pub authors_more: bool,
    /// Why it goes no further.
    pub ends: Option<FoldEnds>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FoldEnds {
    /// More records than are folded for one question.
    TooMany(u64),
    /// The app panicked on the record behind it.
    Panicked(String),
    /// What is stored behind it is damaged, or was cut off meanwhile.
    Unread,
}
