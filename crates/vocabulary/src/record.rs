//! What a log keeps.

use std::sync::Arc;

use crate::{Payload, Person, Position, RoomId, UserId, Wall};

/// What makes a resent command the same command. A room remembers the last 10,000 keys for at most 24 hours, and that
/// is exactly the resend promise.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Key {
    Client(UserId, Arc<str>),
    Api(Arc<str>, Arc<str>),
    /// The room, the position the duty was decided on, and its name.
    Duty(Position, Arc<str>),
    /// The saga's room, the offset of the record that opened the step, the step's number.
    Step(RoomId, u64, u32),
    Event(Arc<str>, Arc<str>),
    /// A command whose sender gave no id: unique by construction, so that the engine may be asked twice, and useless
    /// to the sender.
    Once {
        node: u64,
        number: u64,
    },
}

/// One entry of a room's log, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    pub position: Position,
    /// Never earlier than the record before.
    pub at: Wall,
    pub kind: Arc<str>,
    /// Absent: the room itself wrote it, by a duty or a step.
    pub author: Option<Person>,
    /// Users whose membership this record may have changed; `admit` is asked again for them.
    pub touches: Vec<UserId>,
    pub body: Payload,
}
