//! What operators are told, each with its schema.

use node::SocketSeen;
use serde::Serialize;
use serde_json::Value;
use vocabulary::{
    Comeback, ConnectionId, ConnectionSeen, Person, RoomInside, RoomPlace, RoomSeen, RoomState, Wall,
};

use crate::answers::Place;
use crate::openapi::shape::{shape, words};

words! {
    pub(crate) enum State { Loading = "loading", Live = "live", Quarantined = "quarantined", Damaged = "damaged", NotLoaded = "not_loaded" }
}

words! {
    pub(crate) enum Online { Here = "here", Elsewhere = "elsewhere", No = "no", Unknown = "unknown" }
}

words! {
    pub(crate) enum ComesBack { Yes = "yes", WithNewToken = "with_new_token", No = "no" }
}

impl From<Comeback> for ComesBack {
    fn from(comeback: Comeback) -> ComesBack {
        match comeback {
            Comeback::Yes => ComesBack::Yes,
            Comeback::WithNewToken => ComesBack::WithNewToken,
            Comeback::No => ComesBack::No,
        }
    }
}

/// `node-shard-slot-generation`, as logs name nodes.
pub(super) fn id_of(node: &str, id: ConnectionId) -> String {
    format!("{node}-{}-{}-{}", id.shard.0, id.slot, id.generation)
}

#[derive(Serialize)]
pub(crate) struct RoomLine {
    room: String,
    app: String,
    state: State,
    #[serde(rename = "ref")]
    reference: Option<String>,
    members: u32,
    users: u32,
    last: Option<Place>,
    steward: bool,
}

shape!(RoomLine as "Room": "A room that is open on the node that was asked." {
    room: String => "Its full name.",
    app: String => "The app that it belongs to.",
    state: State => "loading: it is read. live. quarantined: its app panicked on what is stored, so it is read and nothing is added. \
                     damaged: what is stored cannot be trusted, and is asked for again and again. not_loaded: nobody of this node is in it.",
    reference as "ref": Option<String> => "Of a quarantined or damaged room: what the log's line says, too.",
    members: u32 => "Connections of this node that are in it.",
    users: u32 => "Users of all nodes that are in it.",
    last: Option<Place> => "The last record that is known here; null while it is read.",
    steward: bool => "Whether this node does what must be done once; for some seconds after a node came or went two may say so.",
});

impl From<&RoomSeen> for RoomLine {
    fn from(seen: &RoomSeen) -> RoomLine {
        let (state, reference) = match seen.state {
            RoomState::Loading => (State::Loading, None),
            RoomState::Live => (State::Live, None),
            RoomState::Quarantined(reference) => (State::Quarantined, Some(reference)),
            RoomState::Damaged(reference) => (State::Damaged, Some(reference)),
        };
        RoomLine {
            room: seen.room.as_str().to_owned(),
            app: seen.room.app().to_owned(),
            state,
            reference: reference.map(|it| it.to_string()),
            members: seen.members,
            users: seen.users,
            last: seen.last.map(Place::from),
            steward: seen.steward,
        }
    }
}

impl RoomLine {
    pub(super) fn not_loaded(room: &vocabulary::RoomId) -> RoomLine {
        RoomLine {
            room: room.as_str().to_owned(),
            app: room.app().to_owned(),
            state: State::NotLoaded,
            reference: None,
            members: 0,
            users: 0,
            last: None,
            steward: false,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct RoomPage {
    pub(super) node: String,
    pub(super) rooms: Vec<RoomLine>,
    pub(super) next: Option<String>,
    pub(super) silent_shards: Vec<u16>,
}

shape!(RoomPage as "RoomPage": "Rooms by their names." {
    node: String => "The node that answers: it tells of its own rooms alone.",
    rooms: Vec<RoomLine> => "Each once; a room that is open all the while is in exactly one page.",
    next: Option<String> => "What to say as `after` for the next page; null: this was the last.",
    silent_shards: Vec<u16> => "Shards that have not answered in time: their rooms are missing here.",
});

#[derive(Serialize)]
pub(crate) struct Somebody {
    id: String,
    name: String,
}

shape!(Somebody as "Person": "A user as others see them." {
    id: String => "Whom tokens name.",
    name: String => "What they are called.",
});

impl From<&Person> for Somebody {
    fn from(person: &Person) -> Somebody {
        Somebody { id: person.id.as_str().to_owned(), name: person.name.to_string() }
    }
}

#[derive(Serialize)]
pub(crate) struct Seated {
    connection: String,
    user: Somebody,
}

shape!(Seated as "Member": "A connection that is in a room." {
    connection: String => "Its id, for /connections/{id}.",
    user: Somebody => "Whose it is.",
});

#[derive(Serialize)]
pub(crate) struct Kept {
    from: Place,
    to: Place,
}

shape!(Kept as "Kept": "What of a room's log is kept." {
    from: Place => "The oldest record that may still be there.",
    to: Place => "The newest.",
});

#[derive(Serialize)]
pub(crate) struct RoomWhole {
    pub(super) node: String,
    pub(super) room: RoomLine,
    pub(super) members: Vec<Seated>,
    pub(super) present: Vec<Somebody>,
    pub(super) kept: Option<Kept>,
    pub(super) says: Option<String>,
}

shape!(RoomWhole as "RoomWhole": "A room, and who is in it." {
    node: String => "The node that answers.",
    room: RoomLine => "How it stands.",
    members: Vec<Seated> => "Connections of this node, the first 200; `room.members` counts all.",
    present: Vec<Somebody> => "Users of all nodes, the first 200; `room.users` counts all.",
    kept: Option<Kept> => "Null where there is nothing yet, while the room is not read, and where its past is damaged.",
    says: Option<String> => "What there is to know besides.",
});

impl RoomWhole {
    pub(super) fn of(node: String, inside: &RoomInside) -> RoomWhole {
        let seated = |(id, person): &(ConnectionId, Person)| Seated {
            connection: id_of(&node, *id),
            user: person.into(),
        };
        let some = inside.kept_from.zip(inside.seen.last).filter(|(from, last)| *from <= last.offset);
        let kept = some.map(|(offset, last)| Kept {
            from: vocabulary::Position { offset, ..last }.into(),
            to: last.into(),
        });
        RoomWhole {
            room: RoomLine::from(&inside.seen),
            members: inside.members.iter().map(seated).collect(),
            present: inside.present.iter().map(Somebody::from).collect(),
            kept,
            says: None,
            node,
        }
    }
}

#[derive(Serialize)]
pub(crate) struct GotTo {
    at: Place,
    live: bool,
}

shape!(GotTo as "GotTo": "How far a connection got in a room." {
    at: Place => "Everything up to there was put into its outbox.",
    live: bool => "It is told what comes; else it is catching up.",
});

impl From<RoomPlace> for GotTo {
    fn from(place: RoomPlace) -> GotTo {
        GotTo { at: place.cursor.into(), live: place.live }
    }
}

#[derive(Serialize)]
pub(crate) struct ConnectionLine {
    pub(super) id: String,
    pub(super) node: String,
    pub(super) user: Option<Somebody>,
    mount: String,
    address: Option<String>,
    tls: Option<bool>,
    since: String,
    heard: Option<String>,
    token_ends: Option<String>,
    pub(super) rooms: Vec<String>,
    places: Vec<Option<GotTo>>,
    waiting_bytes: u64,
    waiting_messages: u64,
    sheds: u32,
    stale: bool,
    behind: bool,
}

shape!(ConnectionLine as "Connection": "One socket." {
    id: String => "Its id, as long as it lives; it begins with its node.",
    node: String => "The node that it is connected to.",
    user: Option<Somebody> => "Whose it is; null until that is proven.",
    mount: String => "The path that it came by.",
    address: Option<String> => "The client's, or that of a proxy that is not believed about it.",
    tls: Option<bool> => "Whether it came to the server itself by TLS.",
    since: String => "When it opened.",
    heard: Option<String> => "When it was heard last; null for a stream of events, which says nothing.",
    token_ends: Option<String> => "When its token does; null until that is proven.",
    rooms: Vec<String> => "Full names of the rooms that it is in, or waits to be let into.",
    places: Vec<Option<GotTo>> => "How far it got in each of them, of one connection, of a user's, or in a room; empty where all are listed. Null: not in yet.",
    waiting_bytes: u64 => "Bytes in its outbox, which its socket has not taken.",
    waiting_messages: u64 => "As many messages.",
    sheds: u32 => "How often something found no place there: a signal was dropped, or it went on from the log.",
    stale: bool => "It takes nothing, or owes an answer to a ping, for longer than a healthy one would.",
    behind: bool => "In some room it is catching up from the log.",
});

impl ConnectionLine {
    pub(super) fn of(
        node: &str,
        mount: &str,
        seen: &ConnectionSeen,
        socket: Option<SocketSeen>,
    ) -> ConnectionLine {
        let written = |at: Wall| at.to_string();
        ConnectionLine {
            id: id_of(node, seen.id),
            node: node.to_owned(),
            user: seen.user.as_ref().map(Somebody::from),
            mount: mount.to_owned(),
            address: socket.map(|it| it.address.to_string()),
            tls: socket.map(|it| it.tls),
            since: written(seen.since),
            heard: seen.heard.map(written),
            // A public mount's never does.
            token_ends: seen.token_ends.filter(|it| it.0 < ENDLESS_MS).map(written),
            rooms: seen.rooms.iter().map(|room| room.as_str().to_owned()).collect(),
            places: seen.places.iter().map(|place| place.map(GotTo::from)).collect(),
            waiting_bytes: seen.waiting_bytes,
            waiting_messages: seen.waiting_messages,
            sheds: seen.sheds,
            stale: seen.stale,
            behind: seen.behind,
        }
    }
}

/// The year 9999: nobody makes tokens for as long.
const ENDLESS_MS: i64 = 253_370_764_800_000;

#[derive(Serialize)]
pub(crate) struct ConnectionPage {
    pub(super) node: String,
    pub(super) connections: Vec<ConnectionLine>,
    pub(super) next: Option<String>,
    pub(super) silent_shards: Vec<u16>,
}

shape!(ConnectionPage as "ConnectionPage": "Connections, those that take the least first." {
    node: String => "The node that answers: it tells of its own connections alone.",
    connections: Vec<ConnectionLine> => "By the bytes that wait for them, the most first, or by number. By number, one that is there all the \
                                         while is in exactly one page; what waits for it may change between two.",
    next: Option<String> => "What to say as `after` for the next page; null: this was the last.",
    silent_shards: Vec<u16> => "Shards that have not answered in time: their connections are missing here.",
});

#[derive(Serialize)]
pub(crate) struct RoomOf {
    pub(super) room: String,
    pub(super) connections: u32,
}

shape!(RoomOf as "RoomOfUser": "A room that somebody is in." {
    room: String => "Its full name.",
    connections: u32 => "With so many of the connections that are listed.",
});

#[derive(Serialize)]
pub(crate) struct UserWhole {
    pub(super) node: String,
    pub(super) user: String,
    pub(super) online: Online,
    pub(super) connections: Vec<ConnectionLine>,
    pub(super) more: bool,
    pub(super) rooms: Vec<RoomOf>,
    pub(super) silent_shards: Vec<u16>,
    pub(super) says: String,
}

shape!(UserWhole as "User": "A user, and how they are connected." {
    node: String => "The node that answers.",
    user: String => "Their id.",
    online: Online => "here: connected to this node. elsewhere: another node has them in their inbox. no: to none. unknown: to none here, and \
                       what the others say does not tell.",
    connections: Vec<ConnectionLine> => "Those of this node, the first 200.",
    more: bool => "Whether there are more of them: GET /connections?user=… has all.",
    rooms: Vec<RoomOf> => "The rooms that those are in.",
    silent_shards: Vec<u16> => "Shards that have not answered in time: their connections are missing here.",
    says: String => "How that is known.",
});

#[derive(Serialize)]
pub(crate) struct Ended {
    pub(super) node: String,
    pub(super) user: Option<String>,
    pub(super) connection: Option<String>,
    pub(super) here: u32,
    pub(super) code: u16,
    pub(super) reason: String,
    pub(super) comes_back: ComesBack,
    pub(super) says: String,
}

shape!(Ended as "Disconnected": "Whose connections end, and how." {
    node: String => "The node that answers.",
    user: Option<String> => "Whose connections end, on every node.",
    connection: Option<String> => "Or the one that does.",
    here: u32 => "Connections of this node that are concerned; 200 at most are counted.",
    code: u16 => "The close code.",
    reason: String => "The words that stand behind it.",
    comes_back: ComesBack => "What clients do then.",
    says: String => "What keeps them out, if that is wanted.",
});

#[derive(Serialize)]
pub(crate) struct Kicked {
    pub(super) node: String,
    pub(super) room: String,
    pub(super) user: String,
    pub(super) here: u32,
    pub(super) says: String,
}

shape!(Kicked as "Kicked": "Who leaves which room." {
    node: String => "The node that answers.",
    room: String => "The room.",
    user: String => "Who leaves it, with all connections on every node.",
    here: u32 => "Connections of this node that were in it.",
    says: String => "What keeps them out, if that is wanted.",
});

#[derive(Serialize)]
pub(crate) struct Released {
    pub(super) node: String,
    pub(super) room: String,
    pub(super) state: State,
}

shape!(Released as "Released": "A room that is tried again." {
    node: String => "The node that answers: a room is quarantined on each node by itself.",
    room: String => "The room.",
    state: State => "It is read; GET /rooms/{room} tells what came of it.",
});

#[derive(Serialize)]
pub(crate) struct DrainBegun {
    pub(super) node: String,
    pub(super) draining: bool,
    pub(super) connections: u32,
}

shape!(DrainBegun as "Drain": "The node takes nobody in any more, sends everybody elsewhere, and ends." {
    node: String => "The node that answers.",
    draining: bool => "Always true.",
    connections: u32 => "Who is still here.",
});

pub(super) fn settings(node: &str, mut told: Value) -> Value {
    told["node"] = node.into();
    told
}
