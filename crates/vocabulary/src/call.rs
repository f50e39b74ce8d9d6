//! What a back end asks, which is no connection: one question, one answer, nothing kept in between.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{
    Caller, HistoryFrom, Key, Payload, Person, Position, Reply, Retell, RoomId, ShardId, User, Wall,
};

/// Somebody who waits for one answer at a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallId {
    pub shard: ShardId,
    /// Given once by the node that waits.
    pub number: u64,
}

/// Given to the home of its room.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub id: CallId,
    pub by: By,
    pub room: RoomId,
    pub wish: Wish,
}

/// Who asks, as the node has proven it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum By {
    /// A back end: the name of its key.
    Key(Arc<str>),
    /// A user, by a token.
    User(Arc<User>),
    /// A broker's message, and whom it names as its author.
    Source { name: Arc<str>, author: Option<Person> },
}

impl By {
    pub fn caller(&self) -> Caller {
        match self.clone() {
            By::Key(key) => Caller::Api { key },
            By::User(user) => Caller::Visitor { user },
            By::Source { name, author } => Caller::Source { name, author },
        }
    }

    /// What makes a command that is sent twice the same.
    pub fn key(&self, id: &str) -> Key {
        match self {
            By::Key(key) => Key::api(key, id),
            By::User(user) => Key::client(&user.person.id, id),
            By::Source { name, .. } => Key::event(name, id),
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The same `id` of the same asker is stored once.
    Publish {
        kind: Cow<'static, str>,
        payload: Payload,
        id: Option<Arc<str>>,
    },
    /// The same of what stands at a place in somebody's log: what stands there or before it is stored once.
    Take {
        kind: Cow<'static, str>,
        payload: Payload,
        log: Arc<str>,
        lane: u64,
        number: u64,
    },
    History {
        limit: u32,
        from: HistoryFrom,
    },
    Members,
    Retell(Retell),
    Sink(SinkAsks),
}

/// What a bridge asks of a room whose records leave for its broker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SinkAsks {
    /// What comes next: after what it named last, or after what the room knows that it has.
    Next { after: Option<Position> },
    /// It has all up to there. `some`: there was something for it among it.
    Sunk { upto: Position, some: bool },
    /// The room is none of those that leave.
    Never,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Stored { position: Position, at: Wall, reply: Option<Payload> },
    Reply { reply: Reply, at: Wall },
}
