//! The members of rooms on this shard: where each stands in its room's log. Deliveries come in the log's order, so a
//! live member needs no cursor: it stands where its shard stands.

use std::collections::BTreeMap;

use vocabulary::{Ack, Audience, ConnectionId, Position, RecordNews, RoomId, RoomPlace};

use crate::framing::Framing;

/// How a member's frames are written: members of the same format share them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Format {
    /// Index of the protocol.
    pub speech: u8,
    pub full_name: bool,
    pub framing: Framing,
}

/// ```text
/// CatchingUp ──page reaches the head──▶ Live
///     ▲                                  │
///     └──outbox full, room read anew─────┘
/// ```
pub(crate) enum Standing {
    Live,
    CatchingUp(Box<CatchingUp>),
}

pub(crate) struct CatchingUp {
    pub cursor: Position,
    /// A page was asked for and is not here yet.
    pub asked: bool,
    /// Acks of this member's own sends, for the place in the pages where they belong. At most the session's unacked.
    pub owed: BTreeMap<Position, Vec<Ack>>,
}

impl CatchingUp {
    pub(crate) fn at(cursor: Position) -> CatchingUp {
        CatchingUp { cursor, asked: false, owed: BTreeMap::new() }
    }

    /// The acks among these that are this member's own: their place is in the pages.
    pub(crate) fn owe(&mut self, id: ConnectionId, records: &[RecordNews]) {
        for news in records {
            let own = news.acks.iter().filter(|ack| ack.to.asker.connection() == Some(id));
            for ack in own {
                self.owed.entry(news.position).or_default().push(ack.clone());
            }
        }
    }
}

pub(crate) struct Member {
    pub generation: u32,
    pub ticket: u32,
    pub audience: Audience,
    pub format: Format,
    pub standing: Standing,
    /// Words of who came and went found no place: once there is one, it is told who is there.
    pub list_owed: bool,
}

impl Member {
    /// From now on the log's pages bring it forward.
    pub(crate) fn fall_behind(&mut self, cursor: Position) -> Option<&mut CatchingUp> {
        if let Standing::Live = self.standing {
            self.standing = Standing::CatchingUp(Box::new(CatchingUp::at(cursor)));
        }
        match &mut self.standing {
            Standing::CatchingUp(behind) => Some(behind),
            Standing::Live => None,
        }
    }
}

/// A room on this shard: its members here by slot, and the last position that was delivered.
pub(crate) struct LocalRoom {
    pub head: Position,
    pub members: BTreeMap<u32, Member>,
}

#[derive(Default)]
pub(crate) struct Locals(BTreeMap<RoomId, LocalRoom>);

impl Locals {
    pub(crate) fn get(&mut self, room: &RoomId) -> Option<&mut LocalRoom> {
        self.0.get_mut(room)
    }

    /// How far that connection got in the room; none: it is not in it, or not yet.
    pub(crate) fn place(&self, room: &RoomId, id: ConnectionId) -> Option<RoomPlace> {
        let local = self.0.get(room)?;
        let member = local.members.get(&id.slot).filter(|member| member.generation == id.generation)?;
        Some(match &member.standing {
            Standing::Live => RoomPlace { cursor: local.head, live: true },
            Standing::CatchingUp(behind) => RoomPlace { cursor: behind.cursor, live: false },
        })
    }

    pub(crate) fn get_or_open(&mut self, room: &RoomId, head: Position) -> &mut LocalRoom {
        self.0.entry(room.clone()).or_insert_with(|| LocalRoom { head, members: BTreeMap::new() })
    }

    pub(crate) fn remove(&mut self, room: &RoomId, slot: u32) -> Option<Member> {
        let local = self.0.get_mut(room)?;
        let member = local.members.remove(&slot);
        if local.members.is_empty() {
            self.0.remove(room);
        }
        member
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    #[cfg(any(test, debug_assertions))]
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&RoomId, &LocalRoom)> {
        self.0.iter()
    }
}
