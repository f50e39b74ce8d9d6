//! A file of rooms: frames, each with a sum over what it says and where it stands, behind a magic and in front of an end that counts
//! them. What is cut off, flipped, missing or swapped is found, and its place is told. It is written under a draft's name, and
//! has its own when it is whole on the disk.

mod coded;
mod reader;
mod writer;

pub use reader::{Kept, Reader, verify};
pub use writer::Writer;

use link::Deployment;

pub(crate) const MAGIC: &[u8; 8] = b"KULKULBK";
/// Of the layout; a reader takes its own alone.
pub(crate) const VERSION: u16 = 1;
pub(crate) const PRELUDE_BYTES: usize = MAGIC.len() + 2;
/// Kind, length and sum.
pub(crate) const FRAME_BYTES: usize = 9;
/// A snapshot is the largest thing in it: an app's part is 1 MiB at most, and keys and names come to a few more.
pub(crate) const FRAME_BYTES_MAX: usize = 256 << 20;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Head = 1,
    File = 2,
    Room = 3,
    Records = 4,
    RoomEnds = 5,
    Void = 6,
    End = 7,
}

impl Kind {
    pub(crate) fn of(byte: u8) -> Option<Kind> {
        use Kind::{End, File, Head, Records, Room, RoomEnds, Void};
        [Head, File, Room, Records, RoomEnds, Void, End].into_iter().find(|kind| *kind as u8 == byte)
    }
}

/// What a file says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Head {
    pub deployment: Deployment,
    /// Milliseconds since 1970.
    pub made_at: i64,
    /// Drawn: no two files have the same.
    pub id: u64,
    /// Of which engine it was made.
    pub engine: String,
}

/// What is in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    pub rooms: u64,
    pub records: u64,
}

/// The sum of a frame is over its place among all too: one that is missing, or stands elsewhere, does not match.
pub(crate) fn sum_of(number: u64, kind: u8, payload: &[u8]) -> u32 {
    let mut sum = crc32fast::Hasher::new();
    sum.update(&number.to_le_bytes());
    sum.update(&[kind]);
    sum.update(&(payload.len() as u64).to_le_bytes());
    sum.update(payload);
    sum.finalize()
}
