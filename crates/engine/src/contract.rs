//! Questions and answers. A question may be asked again when no answer came: keys make the second one harmless. An
//! answer may be late; news may, where the engine says so, be repeated, reordered or missing.

use std::sync::Arc;
use std::time::Duration;

use vocabulary::{
    Class, Durability, Epoch, Incarnation, Key, Payload, Person, Position, RoomId, Seen, Slice, Wall,
};

/// What an engine promises, as data: the configuration is refused where an app needs more.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Guarantees {
    /// What it is given is to be written in this format: the deployment's, in which nodes of an older build read it.
    pub format: Format,
    pub nodes: Nodes,
    pub durability: Durability,
    pub news: News,
}

/// How records and snapshots are written, and what engines keep beside them. A build reads its newest, and all before it down to
/// its oldest.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Format(pub u8);

impl Format {
    /// The first wrote the keys of a snapshot one by one. No release did.
    pub const OLDEST: Format = Format(2);
    /// Rooms are being brought here, and not all of them have come: no build serves it.
    pub const ARRIVING: Format = Format(254);
    /// What stands for the next one is a number that none will have.
    pub const NEWEST: Format = Format(if cfg!(feature = "rehearsal") { u8::MAX } else { 3 });
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Nodes {
    /// Nobody else follows, so presence and soft values need not be published.
    One,
    Many,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum News {
    Reliable,
    /// Followers look again by themselves from time to time.
    MayDrop,
}

/// The records of one command, under the key that makes a second asking harmless: stored together or not at all. An engine
/// looks for the key among the records after what the asker has seen. What came before, the asker has folded: it knows those
/// keys itself, and asks for none of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parcel {
    pub key: Key,
    pub records: Vec<Payload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Recognises the answer; a batch that is asked again keeps its number.
    pub number: u64,
    /// What the asker has seen. The engine refuses a batch from another past.
    pub seen: Seen,
    /// Store only if `seen` is still the end: exactly one of several rivals wins.
    pub guarded: bool,
    pub parcels: Vec<Parcel>,
    /// When the room's steward should look at it next; absent: the app has no duties.
    pub due: Option<Wall>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Stored {
    pub offset: u64,
    pub key: Key,
    pub data: Payload,
}

/// A room folded up to a position. The engine sees only where it stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Snapshot {
    pub seen: Seen,
    pub data: Payload,
}

/// Connections of a user in a room, on one incarnation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Present {
    pub by: Incarnation,
    pub person: Person,
    pub count: u32,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftEntry {
    pub key: Arc<str>,
    /// Absent: ended by its publisher.
    pub value: Option<Payload>,
    pub at: Wall,
    pub time_to_live: Duration,
    pub class: Class,
}

/// A question with its asker, to whom the answer and all news go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub by: Incarnation,
    pub question: Question,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Question {
    /// Renews the asker's lease. `shards`: of its node, so that the slices it can be steward of are known. A lease ends
    /// when it was not renewed for a term in which the engine was awake: its own silence counts against nobody.
    Attend {
        shards: u16,
    },
    /// Tell me of this room from now on. With `seen`: and of what came after it.
    Follow {
        room: RoomId,
        seen: Option<Seen>,
        /// Said again with the answer: of two askings one may have been read long before it is answered.
        ticket: u64,
    },
    Unfollow {
        room: RoomId,
    },
    Append {
        room: RoomId,
        batch: Batch,
    },
    /// At most `limit` records after an offset.
    Read {
        room: RoomId,
        epoch: Epoch,
        after: u64,
        limit: u32,
        ticket: u64,
    },
    /// Keeps the snapshot and, from it on, may forget records up to `forget_upto`. One of another past, or one that is
    /// not newer than what is kept, changes nothing.
    Store {
        room: RoomId,
        snapshot: Snapshot,
        forget_upto: u64,
    },
    /// Of these records nothing is to be kept but place, key and hash: a tombstone takes the place of their data, wherever
    /// it is kept and whoever reads it next. Asked again it changes nothing.
    Erase {
        room: RoomId,
        /// What the asker has seen: the proof that it speaks of this past, and not of what came in the place of a lost one.
        seen: Seen,
        /// At most [`ERASE_MAX`], none beyond what was seen. What is kept no more is erased already.
        offsets: Vec<u64>,
        /// The same for all askings of the same, so that the answer to any of them counts.
        ticket: u64,
    },
    /// By compare-and-set on all that the asker has seen: only while `old` is the room's end, position and check. A
    /// record that was stored meanwhile is not in the base, and would be lost with the old epoch. The base holds what
    /// the new one starts from: at offset 0, or where rooms are brought in, wherever their first kept record follows. A room that
    /// nobody has touched may begin in the epoch that it is in: nobody has seen anything of it. An empty base stands for none.
    BeginEpoch {
        room: RoomId,
        old: Seen,
        base: Snapshot,
    },
    /// When the steward should look at the room next; ignored if the log has gone on since.
    Settle {
        room: RoomId,
        at: Position,
        due: Option<Wall>,
    },
    /// How many connections of a person are in the room at this asker.
    Present {
        room: RoomId,
        person: Person,
        count: u32,
    },
    /// The newest stamp wins, in whatever order they come; of two that are equal, the one that ends the value. An end is
    /// remembered for a lease's term at least, because what it ended may still be on its way.
    Soft {
        room: RoomId,
        entry: SoftEntry,
    },
    /// Mine from now on; the newest claim wins.
    Claim {
        name: Arc<str>,
        ticket: u64,
    },
    /// No longer mine, if the token still is.
    Release {
        name: Arc<str>,
        token: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    Attending {
        /// The slices that the asker is steward of.
        slices: Vec<Slice>,
        /// Rooms of those slices that are due within the lease.
        due: Vec<RoomId>,
    },
    Followed {
        room: RoomId,
        ticket: u64,
        outcome: Followed,
    },
    Appended {
        room: RoomId,
        number: u64,
        outcome: Appended,
    },
    Read {
        room: RoomId,
        ticket: u64,
        outcome: Read,
    },
    /// Where the snapshot stands that is kept now: the one that was given, a newer one, or whatever there was if the one
    /// given is of another past. Absent: none is kept.
    Stored {
        room: RoomId,
        kept: Option<Position>,
    },
    Erased {
        room: RoomId,
        ticket: u64,
        outcome: Erased,
    },
    /// The epoch that now is, whoever began it: the old one still, if the room's end was not what the asker had seen.
    EpochBegan {
        room: RoomId,
        epoch: Epoch,
    },
    Claimed {
        name: Arc<str>,
        ticket: u64,
        token: u64,
    },

    // News: what nobody asked for just now.
    /// Records were stored.
    Grown {
        room: RoomId,
        epoch: Epoch,
        records: Vec<Stored>,
    },
    Present {
        room: RoomId,
        present: Present,
    },
    /// A lease ended, and with it what this incarnation followed, claimed, and published of who is present. Its soft
    /// values go on to the end of their own lives: followers hold them too and could not tell whose they are, and who
    /// returns under a new name does not publish them again.
    Ended {
        incarnation: Incarnation,
    },
    Soft {
        room: RoomId,
        entry: SoftEntry,
    },
    /// News of any room may have been missed: look again.
    Missed,
    /// A room of a slice that the asker is steward of wants to be looked at.
    Due {
        room: RoomId,
    },
    ClaimLost {
        name: Arc<str>,
        token: u64,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Followed {
    /// The room from its snapshot on; the rest, if any, is to be read.
    Loaded(Loaded),
    /// What came after `seen`, as far as one answer holds. Where something was erased a tombstone is among it, as in what is read:
    /// whoever finds one follows anew, from the snapshot behind it.
    Continues { records: Vec<Stored>, head: Position, present: Vec<Present>, soft: Vec<SoftEntry> },
    /// What the asker has seen is older than what is kept: load again.
    Behind,
    /// What the asker has seen is not this room's past.
    Lost,
    /// What is kept is not what was stored. The room is not served: who asks again gets the same answer until somebody
    /// has mended it.
    Damaged,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Loaded {
    pub snapshot: Option<Snapshot>,
    /// Where the oldest kept record starts from.
    pub base: u64,
    pub records: Vec<Stored>,
    pub head: Position,
    pub present: Vec<Present>,
    pub soft: Vec<SoftEntry>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Appended {
    Stored {
        placements: Vec<Placement>,
        head: Position,
    },
    /// A guarded batch lost its race.
    Conflict {
        head: Position,
    },
    Behind,
    Lost,
    /// Nothing was stored, and asking again soon is no use.
    Refused,
}

/// Where one parcel of a batch went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// The offset of its first record.
    At(u64),
    /// Its key was stored before, there.
    Duplicate(Position),
}

/// What an engine is asked to erase at once: some dozens of records are rewritten in a moment. An engine that needs longer,
/// while appends of the room wait, does a part of it and says how far it got.
pub const ERASE_MAX: usize = 64;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Erased {
    /// None of what was there can be read any more.
    Gone,
    /// The same, of the offsets up to there, one of them at least: others have their turn before the rest is asked for.
    Upto(u64),
    /// What the asker has seen is older than what is kept.
    Behind,
    /// What the asker has seen is not this room's past, or it names what it has not seen. Nothing was erased.
    Lost,
    /// What is kept is not what was stored.
    Damaged,
    /// It was too much at once, or there is no place for what is left of it: nothing was erased, or a part.
    Refused,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Read {
    Records {
        records: Vec<Stored>,
        head: Position,
    },
    /// The offset is older than what is kept; what is kept comes after this one.
    Behind(u64),
    /// Another epoch, or beyond the end.
    Lost,
    /// What is kept is not what was stored.
    Damaged,
}
