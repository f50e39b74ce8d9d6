//! Messages to requests, and replies and notices to messages: one file per client protocol. It knows words; whether a
//! request is allowed, who receives an answer and when, others know.

mod hub;
mod json;
mod livechat;
mod matches;
mod names;
mod reading;
mod rides;
mod rooms;

use vocabulary::{
    ConnectionId, PageEntry, Payload, Person, Position, Refusal, Request, Shown, Tag, User, Wall,
};

pub use hub::HubProtocol;
pub use livechat::LivechatProtocol;
pub use matches::MatchProtocol;
pub use names::Names;
pub use reading::{is_readable, one_line};
pub use rides::RideProtocol;
pub use rooms::RoomsProtocol;

/// What a client said that could not be understood, with what of it the answer can still name.
#[derive(Debug, PartialEq, Eq)]
pub struct Misheard {
    pub tag: Tag,
    /// The room as the client wrote it.
    pub room: Option<String>,
    pub refusal: Refusal,
}

/// What a client is told. Rooms are named as that client names them.
#[derive(Clone, Copy, Debug)]
pub enum Item<'a> {
    Record {
        room: &'a str,
        shown: &'a Shown,
        position: Position,
        at: Wall,
    },
    Soft {
        room: &'a str,
        shown: &'a Shown,
        at: Wall,
    },
    Ack {
        room: &'a str,
        id: Option<&'a str>,
        position: Position,
        at: Wall,
        reply: Option<&'a Payload>,
        /// The record itself, as its author sees it, where it is at hand.
        shown: Option<&'a Shown>,
    },
    /// For everybody, whatever room they are in.
    Announced {
        payload: &'a Payload,
        position: Position,
        at: Wall,
    },
    /// Done, and nothing was recorded.
    Done {
        room: &'a str,
        id: Option<&'a str>,
        at: Wall,
        reply: Option<&'a Payload>,
    },
    /// A client's own leave, also of a room that it was not in.
    Left {
        room: &'a str,
        id: Option<&'a str>,
        at: Wall,
    },
    Refused {
        room: Option<&'a str>,
        id: Option<&'a str>,
        refusal: &'a Refusal,
        at: Wall,
    },
    Joined {
        room: &'a str,
        id: Option<&'a str>,
        users: &'a [Person],
        count: u32,
        /// What the app tells of the room.
        about: Option<&'a Payload>,
        /// Who is here, in the app's words.
        present: Option<&'a Payload>,
        position: Option<Position>,
        at: Wall,
    },
    Resumed {
        room: &'a str,
        upto: Position,
        at: Wall,
    },
    Gap {
        room: &'a str,
        view: &'a Payload,
        upto: Position,
        at: Wall,
    },
    Reset {
        room: &'a str,
        view: &'a Payload,
        upto: Position,
        at: Wall,
    },
    Came {
        room: &'a str,
        person: &'a Person,
        present: Option<&'a Payload>,
        at: Wall,
    },
    Went {
        room: &'a str,
        person: &'a Person,
        present: Option<&'a Payload>,
        at: Wall,
    },
    /// A user who shares a room with the client came into it, and left it: the user's part of `Came` and `Went`.
    Online {
        person: &'a Person,
        at: Wall,
    },
    Offline {
        person: &'a Person,
        at: Wall,
    },
    Members {
        room: &'a str,
        id: Option<&'a str>,
        /// Who asked for it, where somebody did.
        asked: Option<&'a User>,
        users: &'a [Person],
        count: u32,
        present: Option<&'a Payload>,
        at: Wall,
    },
    History {
        room: &'a str,
        id: Option<&'a str>,
        entries: &'a [PageEntry],
        upto: Position,
        /// There may be more: where to go on from.
        next: Option<Position>,
        at: Wall,
    },
    /// The connection is open, and whose it is is known.
    Opened {
        client: ConnectionId,
        user: &'a User,
        /// The room that its path names.
        room: Option<&'a str>,
        at: Wall,
    },
    Pong {
        id: Option<&'a str>,
        at: Wall,
    },
    /// Who the client is now known as, and until when.
    Known {
        id: Option<&'a str>,
        person: &'a Person,
        expires: Wall,
        at: Wall,
    },
    /// The token's time is nearly over.
    Expiring {
        expires: Wall,
        at: Wall,
    },
}

impl Item<'_> {
    /// Where in its room a client stands that has heard this. Nothing where more is to come before it stands there, and where the
    /// position is another room's.
    pub fn leads_to(&self) -> Option<Position> {
        match *self {
            Item::Record { position, .. } | Item::Ack { position, .. } => Some(position),
            Item::Joined { position, .. } => position,
            Item::Gap { upto, .. } | Item::Reset { upto, .. } => Some(upto),
            Item::Soft { .. }
            | Item::Announced { .. }
            | Item::Done { .. }
            | Item::Left { .. }
            | Item::Refused { .. }
            | Item::Resumed { .. }
            | Item::Came { .. }
            | Item::Went { .. }
            | Item::Online { .. }
            | Item::Offline { .. }
            | Item::Members { .. }
            | Item::History { .. }
            | Item::Opened { .. }
            | Item::Pong { .. }
            | Item::Known { .. }
            | Item::Expiring { .. } => None,
        }
    }
}

/// Where a client is led by what it is told, on a mount whose connections have a room of their own: they know of no other, and hear
/// what is told in one more. Names are short.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Lead {
    /// Into this one, and out of whatever other it was led into.
    Into(String),
    OutOf(String),
    OutOfAll,
}

/// One client protocol. Stateless: what a client said before is the session's business.
pub trait Protocol {
    /// One text message.
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard>;

    /// One message, appended to `out`. False: the protocol has no word for it, and nothing was written. `reader`: whose connection
    /// it is for, where it is for one alone.
    fn encode(&self, reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool;

    /// Where a client goes that is told this.
    fn leads(&self, _reader: &User, _item: &Item<'_>) -> Option<Lead> {
        None
    }
}
