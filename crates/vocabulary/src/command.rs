//! From a client's words to a command on its way to a room's home.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use crate::{
    CallId, ConnectionId, Key, Payload, Person, Position, Refusal, Retell, RoomId, ShardId, SinkAsks, User,
};

/// How a client wrote its request, so that the answer is written the same way.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tag {
    /// The client's own id; a request that has one always gets an answer with it.
    pub id: Option<Arc<str>>,
    /// The client wrote `app:name`, not the mount's short form.
    pub full_name: bool,
}

/// What a client's message is about, as its protocol understood it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    Room(Asked),
    /// Joins of several rooms, each from the place it was left at: a client that returns is back by one message. Not empty.
    Resume(Vec<Asked>),
    /// Who the client is, or that it still is.
    Identify(Tag, Unproven),
    /// Whether the server is there, in the protocol's own words. Of no room, and allowed to a stranger.
    Ping(Tag),
}

/// A token as a client sent it. It proves nothing until the shell has looked at it, and no log may hold it.
#[derive(Clone, PartialEq, Eq)]
pub struct Unproven(pub Box<str>);

impl fmt::Debug for Unproven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Unproven")
    }
}

/// What a client asks of a room. Not yet allowed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    pub tag: Tag,
    pub room: RoomId,
    pub verb: Verb,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verb {
    Join { since: Option<Position>, payload: Payload },
    Leave,
    Act { kind: Cow<'static, str>, payload: Payload, standing: Standing },
    History { limit: u32, from: HistoryFrom },
    Members,
}

/// Whether a command needs its caller to be a member of the room; checked at the home.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Member,
    Anyone,
}

/// A request that an app's rooms know by this name, and what it needs of whoever says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    pub name: &'static str,
    pub standing: Standing,
}

impl Word {
    pub const fn of_members(name: &'static str) -> Word {
        Word { name, standing: Standing::Member }
    }

    /// The app itself decides who may.
    pub const fn of_anyone(name: &'static str) -> Word {
        Word { name, standing: Standing::Anyone }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HistoryFrom {
    Latest,
    Before(Position),
    After(Position),
}

/// Who asks. A command needs a caller and a room, not a membership.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Caller {
    Connection {
        id: ConnectionId,
        user: Arc<User>,
    },
    Api {
        key: Arc<str>,
    },
    /// A user by HTTP: proven like a connection's, and in no room.
    Visitor {
        user: Arc<User>,
    },
    /// A broker's message, said by somebody or by the team's own back end.
    Source {
        name: Arc<str>,
        author: Option<Person>,
    },
    /// The room's steward, doing what `due` named.
    Duty {
        name: Arc<str>,
        payload: Payload,
    },
    /// A saga in another room.
    Step(StepId),
    /// What the other room answered to a step, told to the saga's own room.
    Outcome {
        step: StepId,
        result: Result<Payload, Refusal>,
    },
}

impl Caller {
    pub fn user(&self) -> Option<&Arc<User>> {
        match self {
            Caller::Connection { user, .. } | Caller::Visitor { user } => Some(user),
            _ => None,
        }
    }

    /// Who is named as the author of what comes of it.
    pub fn author(&self) -> Option<&Person> {
        match self {
            Caller::Source { author, .. } => author.as_ref(),
            _ => self.user().map(|user| &user.person),
        }
    }
}

/// One step of a saga: the record that opened it, and which of that record's steps. The whole position names the record:
/// offsets begin at 1 in every epoch, and a state outlives them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct StepId {
    pub saga: RoomId,
    pub position: Position,
    pub number: u32,
}

impl StepId {
    pub fn key(&self) -> Key {
        Key::step(&self.saga, self.position, self.number)
    }
}

/// Where an answer goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReplyTo {
    pub asker: Asker,
    pub tag: Tag,
    /// The answer frees one of the sends that the session may have unanswered.
    pub frees: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Asker {
    Connection(ConnectionId),
    Call(CallId),
}

impl Asker {
    pub fn shard(self) -> ShardId {
        match self {
            Asker::Connection(id) => id.shard,
            Asker::Call(id) => id.shard,
        }
    }

    pub fn connection(self) -> Option<ConnectionId> {
        match self {
            Asker::Connection(id) => Some(id),
            Asker::Call(_) => None,
        }
    }
}

/// An allowed request on its way to the room's home.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Command {
    Join(Join),
    /// `asked`: a client's own leave takes effect at once; the end of a socket waits for the linger.
    Leave {
        room: RoomId,
        connection: ConnectionId,
        asked: bool,
    },
    Act(Act),
    History {
        room: RoomId,
        caller: Caller,
        reply: ReplyTo,
        limit: u32,
        from: HistoryFrom,
    },
    Members {
        room: RoomId,
        caller: Caller,
        reply: ReplyTo,
    },
    /// What an operator asks of the past.
    Retell {
        room: RoomId,
        reply: ReplyTo,
        asks: Retell,
    },
    Sink {
        room: RoomId,
        reply: ReplyTo,
        asks: SinkAsks,
    },
    /// The next page for a member that is catching up.
    Page {
        room: RoomId,
        connection: ConnectionId,
        ticket: u32,
        since: Position,
    },
    /// A newer token says something else of a member: its name, its role.
    Renew {
        room: RoomId,
        connection: ConnectionId,
        user: Arc<User>,
    },
    /// A user's socket opened or ended; told to the home of the user's inbox.
    Roster {
        user: Arc<User>,
        connection: ConnectionId,
        here: bool,
        /// The mount has one connection for each user: under this name the newest is it.
        claims: Option<Arc<str>>,
    },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Join {
    pub room: RoomId,
    pub connection: ConnectionId,
    pub user: Arc<User>,
    pub tag: Tag,
    /// Numbers the joins of one connection: an answer to a join that was taken back is recognised by it.
    pub ticket: u32,
    pub since: Option<Position>,
    pub payload: Payload,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Act {
    pub room: RoomId,
    pub caller: Caller,
    pub standing: Standing,
    pub kind: Cow<'static, str>,
    pub payload: Payload,
    pub key: Option<Key>,
    pub reply: Option<ReplyTo>,
}

impl Command {
    /// The home of a command is the home of this room.
    pub fn room(&self) -> RoomId {
        match self {
            Command::Join(join) => join.room.clone(),
            Command::Act(act) => act.room.clone(),
            Command::Leave { room, .. }
            | Command::History { room, .. }
            | Command::Members { room, .. }
            | Command::Retell { room, .. }
            | Command::Sink { room, .. }
            | Command::Page { room, .. }
            | Command::Renew { room, .. } => room.clone(),
            Command::Roster { user, .. } => user.person.id.inbox(),
        }
    }

    /// Commands that keep two shards' books equal. Nobody waits for their answer, so nobody could be told `busy`: they
    /// must arrive.
    pub fn must_arrive(&self) -> bool {
        match self {
            Command::Leave { .. } | Command::Page { .. } | Command::Renew { .. } | Command::Roster { .. } => {
                true
            }
            Command::Join(_)
            | Command::Act(_)
            | Command::History { .. }
            | Command::Members { .. }
            | Command::Retell { .. }
            | Command::Sink { .. } => false,
        }
    }

    pub fn bytes(&self) -> usize {
        match self {
            Command::Act(act) => act.payload.len(),
            Command::Join(join) => join.payload.len(),
            _ => 0,
        }
    }
}
