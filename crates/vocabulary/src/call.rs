//! What a back end asks, which is no connection: one question, one answer, nothing kept in between.

use std::borrow::Cow;
use std::sync::Arc;

use crate::{HistoryFrom, Payload, Position, Reply, RoomId, ShardId, Wall};

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
    /// The name of the key that proved who asks.
    pub key: Arc<str>,
    pub room: RoomId,
    pub wish: Wish,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// The same `id` under the same key is stored once.
    Publish {
        kind: Cow<'static, str>,
        payload: Payload,
        id: Option<Arc<str>>,
    },
    History {
        limit: u32,
        from: HistoryFrom,
    },
    Members,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Told {
    Stored { position: Position, at: Wall, reply: Option<Payload> },
    Reply { reply: Reply, at: Wall },
}
