//! What went wrong on our own side: a line for the log, under a reference that whoever asked was told. What is done about
//! it is for others to say; writing the line too.

use std::fmt;

use crate::{RoomId, ShardId};

/// The name of one failure. Whoever counts failures has a name that nobody else has, so no chance is needed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Reference {
    pub node: u64,
    pub shard: ShardId,
    pub number: u64,
}

impl fmt::Display for Reference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}-{}", self.node, self.shard.0, self.number)
    }
}

/// The part of an app's contract that was running.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Hook {
    Start,
    Load,
    Admit,
    About,
    Present,
    Subject,
    Guarded,
    Decide,
    Apply,
    Show,
    Glimpse,
    View,
    Due,
    Steps,
    Sweeps,
    IsErased,
    Save,
}

impl Hook {
    pub fn name(self) -> &'static str {
        match self {
            Hook::Start => "start",
            Hook::Load => "load",
            Hook::Admit => "admit",
            Hook::About => "about",
            Hook::Present => "present",
            Hook::Subject => "subject",
            Hook::Guarded => "guarded",
            Hook::Decide => "decide",
            Hook::Apply => "apply",
            Hook::Show => "show",
            Hook::Glimpse => "glimpse",
            Hook::View => "view",
            Hook::Due => "due",
            Hook::Steps => "steps",
            Hook::Sweeps => "sweeps",
            Hook::IsErased => "is_erased",
            Hook::Save => "save",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failed {
    /// An app panicked; `says` is what it said last.
    Panicked { hook: Hook, says: Box<str> },
    /// An app saves more than a snapshot may hold.
    SnapshotTooLarge { bytes: usize },
    /// What the engine keeps of a room is not what was stored.
    Damaged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    pub reference: Reference,
    pub room: RoomId,
    pub what: Failed,
}

impl Failure {
    /// Whether a peer may have been told the reference, so that it must be found. The others come as often as an app is
    /// asked, and some of them stand for all.
    pub fn is_told(&self) -> bool {
        matches!(
            self.what,
            Failed::Panicked { hook: Hook::Admit | Hook::Decide | Hook::Apply, .. } | Failed::Damaged
        )
    }
}

/// The line of the log; operators search for how it begins.
impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.what {
            Failed::Panicked { hook, says } => {
                write!(f, "Recovered from panic in {} of {}: {says}", hook.name(), self.room.app())
            }
            Failed::SnapshotTooLarge { bytes } => {
                write!(
                    f,
                    "Refused a snapshot of {} with {bytes} bytes: the room goes on without",
                    self.room.app()
                )
            }
            Failed::Damaged => f.write_str(
                "Refused a room whose stored records are damaged: it serves nothing that it cannot prove",
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_reads_as_operators_search_for_it() {
        let reference = Reference { node: 0x9f3c, shard: ShardId(2), number: 17 };
        let room = RoomId::new("chat", "general");
        let panicked = Failed::Panicked { hook: Hook::Decide, says: "index out of bounds".into() };
        for (what, told, line) in [
            (panicked, true, "Recovered from panic in decide of chat: index out of bounds"),
            (
                Failed::SnapshotTooLarge { bytes: 2_000_000 },
                false,
                "Refused a snapshot of chat with 2000000 bytes: the room goes on without",
            ),
            (
                Failed::Damaged,
                true,
                "Refused a room whose stored records are damaged: it serves nothing that it cannot prove",
            ),
        ] {
            let failure = Failure { reference, room: room.clone(), what };
            assert_eq!((failure.to_string().as_str(), failure.is_told()), (line, told));
        }
        assert_eq!(reference.to_string(), "9f3c-2-17");
    }
}
