//! What happened to a connection and its places in rooms, for whoever asks later why a client did or did not get something.

use std::borrow::Cow;

use crate::{Code, ConnectionId, Position, RoomId, UserId, Wall};

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traced {
    pub at: Wall,
    pub connection: ConnectionId,
    /// Absent before it has said who it is.
    pub user: Option<UserId>,
    pub what: Happening,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Happening {
    /// It became a member, and stands there: everything after that place is for it.
    Joined {
        room: RoomId,
        how: &'static str,
        cursor: Position,
    },
    /// Its outbox was full: what comes after this place comes from the log.
    Behind {
        room: RoomId,
        cursor: Position,
    },
    /// It has caught up.
    Live {
        room: RoomId,
        cursor: Position,
    },
    /// It is a member no more. It was told everything up to there, or it was on its way to its socket.
    Left {
        room: RoomId,
        cursor: Option<Position>,
        why: Why,
    },
    Closed {
        code: u16,
        words: Cow<'static, str>,
    },
    /// The socket ended, and nobody here had said so.
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Why {
    Asked,
    ConnectionEnded,
    Refused(Code),
}
