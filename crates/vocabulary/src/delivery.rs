//! What a room's home tells the shards that have its members. A delivery asks nothing of anybody; what follows when it
//! ends a connection (leaves) or closes a saga's step goes through the same boxes as any command.

use std::sync::Arc;

use crate::{
    CloseReason, Command, ConnectionId, Key, Payload, Person, Position, Refusal, ReplyTo, Retold, RoomId,
    StepId, Tag, UserId, Wall,
};

/// The tag that decides what of a record a member sees; given by `admit`, meaningful to the app alone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Audience(pub u8);

/// What happens to a frame when the outbox is full.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Never lost: the member goes on catching up from the log.
    Record,
    /// Only the newest of a key matters.
    Latest(u64),
    /// Dropped and counted.
    Signal,
    /// Goes into a small reserve of its own.
    Control,
}

/// A record or a soft value as one audience sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Shown {
    pub kind: &'static str,
    pub payload: Payload,
    pub sender: Option<Person>,
    pub class: Class,
    /// It stands in a history. What only tells of a change, which what it changed shows by itself, does not.
    pub lasting: bool,
}

/// What one audience sees; `None` is "hidden from it".
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sight {
    pub audience: Audience,
    pub shown: Option<Shown>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Recipients {
    Everybody,
    EverybodyBut(ConnectionId),
    Users(Vec<UserId>),
}

/// The author's copy of a delivery. A duplicate's ack repeats the old position.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ack {
    pub to: ReplyTo,
    pub reply: Option<Payload>,
}

/// A record, as its room's members are told of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordNews {
    pub position: Position,
    pub at: Wall,
    pub sights: Vec<Sight>,
    /// For its author, in place of the record itself.
    pub acks: Vec<Ack>,
}

/// How a join or a page continues the client's past: exactly one of these.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// The client named no position.
    Fresh,
    /// All that was missed follows.
    Resumed,
    /// Beyond retention: here is the room as it stands.
    Gap(Payload),
    /// Another epoch, or a position that never was: here is the room as it stands.
    Reset(Payload),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Joined {
    pub room: RoomId,
    pub connection: ConnectionId,
    pub ticket: u32,
    pub tag: Tag,
    pub audience: Audience,
    pub verdict: Verdict,
    /// The head when the join was answered.
    pub upto: Position,
    /// Where the member stands: at `upto` it is live, before it the pages bring it there.
    pub cursor: Position,
    pub users: Vec<Person>,
    pub count: u32,
    /// What the app tells a joiner of the room.
    pub about: Option<Payload>,
    /// Who is here, in the app's words.
    pub present: Option<Payload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    pub room: RoomId,
    pub connection: ConnectionId,
    pub ticket: u32,
    /// `Resumed` for an ordinary page; else the member continues from the view, at `upto`.
    pub verdict: Verdict,
    pub entries: Vec<PageEntry>,
    pub upto: Position,
    /// The page reaches the head: what follows it on this path are live deliveries.
    pub live: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PageEntry {
    pub position: Position,
    pub at: Wall,
    pub shown: Option<Shown>,
}

/// Presence as told to members: at most one per room and 250 ms.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PresenceNews {
    pub joined: Vec<Person>,
    pub left: Vec<Person>,
    pub count: u32,
    /// The list itself, where the room is small enough for it to be sent along.
    pub users: Option<Vec<Person>>,
    /// Who is here, in the app's words.
    pub present: Option<Payload>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Notice {
    Soft { sights: Vec<Sight>, at: Wall },
    Presence { news: PresenceNews, at: Wall },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Reply {
    Refused(Refusal),
    /// Done, and nothing was recorded.
    Done(Option<Payload>),
    Members {
        users: Vec<Person>,
        count: u32,
        /// Who is here, in the app's words.
        present: Option<Payload>,
    },
    History {
        entries: Vec<PageEntry>,
        upto: Position,
        /// There may be more: where to go on from.
        next: Option<Position>,
    },
    /// What a sink is to have, in order.
    Outward {
        entries: Vec<Outward>,
        /// Up to there nothing else is for it.
        upto: Position,
        more: bool,
        /// What was gone, of what was asked for.
        missed: u64,
    },
    /// Of the past, for an operator.
    Retold(Box<Retold>),
}

/// Why a member is none any more, without having asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parting {
    pub room: RoomId,
    pub connection: ConnectionId,
    /// The join that was refused, or that is ended.
    pub ticket: u32,
    /// The join's own tag, if this answers it.
    pub answers: Option<Tag>,
    pub refusal: Refusal,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Delivery {
    /// Records that came back from the log together, in order.
    Records {
        room: RoomId,
        records: Vec<RecordNews>,
    },
    /// An ack that does not travel with its record: a duplicate's.
    Acked {
        room: RoomId,
        position: Position,
        at: Wall,
        ack: Ack,
    },
    Joined(Joined),
    Page(Page),
    /// The room was read anew: every member goes on catching up from where it stands.
    Reread {
        room: RoomId,
    },
    Parted(Parting),
    /// `admit` was asked again and gave the member another tag.
    Retagged {
        room: RoomId,
        connection: ConnectionId,
        audience: Audience,
    },
    Notice {
        room: RoomId,
        recipients: Recipients,
        notice: Notice,
    },
    Reply {
        room: RoomId,
        to: ReplyTo,
        reply: Reply,
        at: Wall,
    },
    /// What another room answered to a saga's step, for the saga's home.
    Outcome {
        step: StepId,
        result: Result<Payload, Refusal>,
    },
    /// A connection is over for a reason that its home knows.
    Ended {
        connection: ConnectionId,
        reason: CloseReason,
    },
}

/// What the room that every node follows says to the node itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Said {
    /// All that holds now: once the room is read, and whenever it was read again.
    View(Payload),
    Record {
        kind: &'static str,
        payload: Payload,
        position: Position,
        at: Wall,
    },
    /// A soft value, or its end.
    Soft {
        key: Arc<str>,
        value: Option<Payload>,
    },
}

/// A message that was stored here, for brokers that are to hear of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outward {
    pub room: RoomId,
    /// Of the command that it came of.
    pub key: Key,
    pub position: Position,
    pub at: Wall,
    pub shown: Shown,
    /// Anybody may know what is said there; else only that the room has changed.
    pub open: bool,
}

/// What leaves a shard for a sibling.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Envelope {
    Command(Box<Command>),
    Delivery(Arc<Delivery>),
}
