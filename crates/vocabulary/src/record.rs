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
    /// Users whose membership this record may have changed; `admit` is asked again for them.
    pub touches: Vec<UserId>,
    pub body: Payload,
}
