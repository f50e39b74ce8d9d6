//! The nouns that several crates share, one meaning each. Types and their own arithmetic only: nothing here decides,
//! stores, reads a clock or knows a wire format.

mod call;
mod close;
mod command;
mod counts;
mod delivery;
mod durability;
mod failure;
mod hash;
mod ids;
mod key;
mod petition;
mod position;
mod record;
mod refusal;
mod retell;
mod revocation;
mod survey;
mod time;
mod tombstone;
mod trace;

pub use call::{By, Call, CallId, SinkAsks, Told, Wish};
pub use close::{CloseReason, Comeback};
pub use command::{
    Act, Asked, Asker, Caller, Command, HistoryFrom, Join, ReplyTo, Request, Standing, StepId, Tag, Unproven,
    Verb, Word,
};
pub use delivery::{
    Ack, Audience, Class, Delivery, Envelope, Joined, Notice, Outward, Page, PageEntry, Parting,
    PresenceNews, Recipients, RecordNews, Reply, Said, Shown, Sight, Verdict,
};
pub use durability::Durability;
pub use failure::{Failed, Failure, Hook, Reference};
pub use ids::{
    CUSTOMER, ConnectionId, EVENT_ID_BYTES_MAX, Incarnation, NameError, Person, RoomId, SLICES, STAFF,
    ShardId, Slice, User, UserId, check_name, check_user, is_built_in, is_event_id, lower_uuid,
};
pub use key::{Key, Place};
pub use petition::{Asks, Deed, Petition, Ruling};
pub use position::{Check, Epoch, NoPosition, Position, Seen};
pub use record::{Record, Touched};
pub use refusal::{Code, Refusal};
pub use retell::{Beholder, Fate, FoldEnds, FoldSeen, RecordLine, RecordSeen, RecordsSeen, Retell, Retold};
pub use revocation::Revocation;
pub use survey::{
    ConnectionSeen, ConnectionsWanted, Findings, InOrder, Inquiry, Rank, RoomInside, RoomPlace, RoomSeen,
    RoomState, RoomsWanted, Survey, Whom,
};
pub use time::{Now, Tick, Wall};
pub use tombstone::{TOMBSTONE_BYTES, is_tombstone, tombstone};
pub use trace::{Happening, Traced, Why};

/// Bytes that nobody but the app opens; cloning shares them.
pub type Payload = bytes::Bytes;
