//! Why rooms do not come through, in words: what is wrong, where, and what to do.

use std::fmt;

use vocabulary::RoomId;

#[derive(Debug)]
pub enum Fault {
    /// Reading or writing failed: the path or the engine, and why.
    Io { what: String, error: std::io::Error },
    /// A file is not what was written.
    File { path: String, at: u64, what: String },
    /// Stored records are not what was stored.
    Damaged { room: RoomId },
    /// The engine does not answer, or refuses.
    Engine { what: String, why: String },
    /// There is something else in the room that was to be taken.
    Occupied { room: RoomId },
    /// What was taken reads back as something else.
    Differs { room: RoomId },
}

impl Fault {
    pub fn io(what: impl Into<String>, error: std::io::Error) -> Fault {
        Fault::Io { what: what.into(), error }
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Fault::Io { what, error } => write!(f, "{what}: {error}"),
            Fault::File { path, at, what } => {
                write!(f, "{path}: at byte {at}: {what}; take another backup file, this one is not whole")
            }
            Fault::Damaged { room } => write!(
                f,
                "the room {room} is damaged: its rows are not what was stored. Leave such rooms out with --skip-damaged, and they are named"
            ),
            Fault::Engine { what, why } => write!(f, "{what}: {why}"),
            Fault::Occupied { room } => write!(
                f,
                "the room {room} is there already and holds something else: rooms are brought into an empty store only. Empty it, or choose another"
            ),
            Fault::Differs { room } => write!(
                f,
                "the room {room} reads back as something else than was written: empty the store that was written to, and try again"
            ),
        }
    }
}

impl std::error::Error for Fault {}
