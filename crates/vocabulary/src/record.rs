//! What a log keeps.

use std::borrow::Cow;

use crate::{Payload, Person, Position, UserId, Wall};

/// One entry of a room's log, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub position: Position,
    /// Never earlier than the record before.
    pub at: Wall,
    pub kind: Cow<'static, str>,
    /// Absent: the room itself wrote it, by a duty or a step.
    pub author: Option<Person>,
    /// Whose membership this record may have changed; `admit` is asked again for them.
    pub touches: Touched,
    pub body: Payload,
}

/// Those who may be in a room from now on, or no more, or as somebody else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Touched {
    Users(Vec<UserId>),
    Everybody,
}

impl Touched {
    pub const NOBODY: Touched = Touched::Users(Vec::new());

    pub fn is_nobody(&self) -> bool {
        *self == Touched::NOBODY
    }

    pub fn has(&self, user: &UserId) -> bool {
        match self {
            Touched::Users(users) => users.contains(user),
            Touched::Everybody => true,
        }
    }
}

impl Default for Touched {
    fn default() -> Touched {
        Touched::NOBODY
    }
}
