//! What an operator asks of one shard, how things stand there or that something end, and what it says to that. It decides nothing:
//! who may ask, and what many shards' answers come to, is for whoever asks.

use std::sync::Arc;

use crate::{CloseReason, ConnectionId, Person, Position, Reference, RoomId, UserId, Wall};

/// One question, under a number by which its answer is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Survey {
    pub number: u64,
    pub asks: Inquiry,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Inquiry {
    Rooms(RoomsWanted),
    /// One room that is at home here.
    Room(RoomId),
    Connections(ConnectionsWanted),
    /// That these connections end.
    End(Whom, CloseReason),
    /// That a user's connections here leave a room that is at home here.
    Kick(RoomId, UserId),
    /// That a quarantined room is tried again.
    Release(RoomId),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whom {
    Connection(ConnectionId),
    User(UserId),
}

/// A page of rooms, by their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RoomsWanted {
    /// Patterns of full names, of which one must hold; a `*` at the end stands for any rest.
    pub allowed: Vec<Arc<str>>,
    pub prefix: Option<Arc<str>>,
    pub app: Option<Arc<str>>,
    /// With members here, or without.
    pub members: Option<bool>,
    /// Behind this name.
    pub after: Option<Arc<str>>,
    pub limit: usize,
}

impl RoomsWanted {
    pub fn has(&self, room: &RoomId) -> bool {
        let name = room.as_str();
        self.after.as_deref().is_none_or(|after| name > after)
            && self.prefix.as_deref().is_none_or(|prefix| name.starts_with(prefix))
            && self.app.as_deref().is_none_or(|app| room.app() == app)
            && self.allowed.iter().any(|pattern| room.is_like(pattern))
    }
}

/// A page of connections.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionsWanted {
    pub user: Option<UserId>,
    pub room: Option<RoomId>,
    /// Indexes of mounts, of which one must be theirs.
    pub mounts: Option<Vec<u8>>,
    pub only: Option<ConnectionId>,
    pub order: InOrder,
    pub after: Option<Rank>,
    pub limit: usize,
}

impl ConnectionsWanted {
    pub fn all(order: InOrder) -> ConnectionsWanted {
        let (user, room, mounts, only, after) = (None, None, None, None, None);
        ConnectionsWanted { user, room, mounts, only, order, after, limit: 0 }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InOrder {
    /// Those with the most bytes that wait come first.
    Slow,
    /// As they are numbered, which does not change while they live.
    Number,
}

/// Where a connection stands in a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rank {
    /// The most first.
    pub waiting: std::cmp::Reverse<u64>,
    pub id: ConnectionId,
}

impl Rank {
    pub fn of(order: InOrder, waiting_bytes: u64, id: ConnectionId) -> Rank {
        let waiting = if order == InOrder::Slow { waiting_bytes } else { 0 };
        Rank { waiting: std::cmp::Reverse(waiting), id }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Findings {
    Rooms(Vec<RoomSeen>),
    /// None: no room of that name is open here.
    Room(Option<Box<RoomInside>>),
    Connections(Vec<ConnectionSeen>),
    /// It was done, to so many.
    Done(u32),
    /// It was not, because the room is none that waits to be tried again.
    Not(Option<RoomState>),
    /// Too much is asked here already.
    Busy,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoomState {
    Loading,
    Live,
    /// Its app panicked on what is stored: it is read, and nothing is added.
    Quarantined(Reference),
    /// What is stored cannot be trusted: it is asked for again and again.
    Damaged(Reference),
}

/// A room as its home on this node sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomSeen {
    pub room: RoomId,
    /// Connections of this node.
    pub members: u32,
    /// Users of all nodes.
    pub users: u32,
    /// The last record that is folded.
    pub last: Option<Position>,
    pub steward: bool,
    pub state: RoomState,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RoomInside {
    pub seen: RoomSeen,
    /// The first of them.
    pub members: Vec<(ConnectionId, Person)>,
    pub present: Vec<Person>,
    /// The oldest offset that may still be kept.
    pub kept_from: Option<u64>,
}

/// A connection as its shard sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConnectionSeen {
    pub id: ConnectionId,
    pub user: Option<Person>,
    pub mount: u8,
    pub since: Wall,
    pub rooms: Vec<RoomId>,
    /// How far it got in each of them, where few connections are asked about: of one user, in one room.
    pub places: Vec<Option<RoomPlace>>,
    pub waiting_bytes: u64,
    pub waiting_messages: u64,
    /// What found no place and was left out, or made it catch up.
    pub sheds: u32,
    /// It takes less than it is given, or owes an answer to a ping.
    pub stale: bool,
    /// In some room it is catching up.
    pub behind: bool,
    /// A stream of events is never heard.
    pub heard: Option<Wall>,
    pub token_ends: Option<Wall>,
}

/// A connection's place in a room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RoomPlace {
    /// Everything up to there was put into its outbox, but for what is not for it.
    pub cursor: Position,
    /// It is told what comes; else it is catching up from the log.
    pub live: bool,
}
