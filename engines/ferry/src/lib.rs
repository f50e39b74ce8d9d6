//! Rooms on their way from one store to another: a stream of plain values that an engine gives and an engine takes, and a file in
//! between. A backup is what is given to a file, a restore is taken from one, a copy is given and taken at once. It knows no
//! engine, and opens no payload.

mod asker;
mod fault;
mod file;
mod give;
mod linked;
mod take;

use engine::{Snapshot, Stored};
use vocabulary::{Epoch, RoomId, Seen, Wall};

pub use asker::Asker;
pub use fault::Fault;
pub use file::{Counts, Head, Kept, Reader, Writer, verify};
pub use give::{Gave, Give, Listed, Opened, give};
pub use linked::{Linked, Rooms};
pub use take::{Epochs, Taker};

/// What is given, in this order: of each room its beginning, its records, its end.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Item {
    Room(Box<Room>),
    /// What follows on what came before, without a hole.
    Records(Vec<Stored>),
    /// All of the room was given; what was seen then.
    End(Seen),
    /// What was given of the room does not count: it comes again from its beginning, or is left out.
    Void,
}

/// A room before its records.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Room {
    pub name: RoomId,
    pub epoch: Epoch,
    /// What stands before the first record that is kept.
    pub base: Seen,
    pub snapshot: Option<Snapshot>,
    /// When somebody should look at it next.
    pub due: Option<Wall>,
}
