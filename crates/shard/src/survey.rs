//! What an operator asks of this shard: who is here, which rooms, and that something of it ends. Whatever is to be looked for is looked
//! for in steps, one a turn, so that a look at everybody keeps nobody waiting; and of what is found no more is kept than a page.

use std::collections::{BTreeMap, VecDeque};

use vocabulary::{
    CloseReason, ConnectionId, ConnectionSeen, ConnectionsWanted, Findings, Inquiry, Now, Rank, RoomId,
    RoomSeen, RoomsWanted, Survey, Tick, UserId, Wall, Whom,
};

use crate::connection::Connection;
use crate::framing::Wire;
use crate::{Output, Shard};

/// Places for connections that one step passes: each costs a miss or two of the cache, which a record costs in a room of as many
/// members, too.
const CONNECTIONS_A_STEP: u32 = 2048;
/// Rooms that one step looks at, of which each costs a few misses.
const ROOMS_A_STEP: usize = 512;
/// Connections of one user that a step ends: each leaves its rooms.
const ENDS_A_STEP: usize = 64;
/// Questions that wait for their turn: one operator asks one at a time, and a console some.
const WAITING_MAX: usize = 32;

#[derive(Default)]
pub(crate) struct Surveys(VecDeque<Look>);

/// A look that is not done yet.
struct Look {
    number: u64,
    what: What,
}

enum What {
    Rooms { wanted: RoomsWanted, from: Option<RoomId>, page: BTreeMap<String, RoomSeen> },
    Connections { wanted: ConnectionsWanted, from: u32, page: BTreeMap<Rank, ConnectionSeen> },
    Ends { user: UserId, reason: CloseReason, from: u32, ended: u32 },
}

impl Surveys {
    pub(crate) fn any(&self) -> bool {
        !self.0.is_empty()
    }

    fn is_full(&self) -> bool {
        self.0.len() >= WAITING_MAX
    }
}

impl Shard {
    pub(crate) fn surveyed(&mut self, now: Now, survey: Survey) {
        let Survey { number, asks } = survey;
        let what = match asks {
            Inquiry::Rooms(wanted) => What::Rooms { wanted, from: None, page: BTreeMap::new() },
            Inquiry::Connections(wanted) => {
                let from = wanted.only.map_or(0, |id| id.slot);
                What::Connections { wanted, from, page: BTreeMap::new() }
            }
            Inquiry::End(Whom::User(user), reason) if self.surveys.is_full() => {
                // What is to be done is done, if at once: nobody asks for it a second time.
                let (mut from, mut ended) = (Some(0), 0);
                while let Some(at) = from {
                    let (more, next) = self.end_some(now, &user, reason, at);
                    (from, ended) = (next, ended + more);
                }
                return self.found(number, Findings::Done(ended));
            }
            Inquiry::End(Whom::User(user), reason) => What::Ends { user, reason, from: 0, ended: 0 },
            Inquiry::End(Whom::Connection(id), reason) => {
                let open = self.connections.get(id).is_some_and(|it| it.session.ended().is_none());
                self.end(now, id, reason_for(reason, id));
                return self.found(number, Findings::Done(u32::from(open)));
            }
            Inquiry::Room(room) => {
                let inside = self.rooms.inside(&room).map(Box::new);
                return self.found(number, Findings::Room(inside));
            }
            Inquiry::Kick(room, user) => {
                let left = self.rooms.kick(now, &room, &user);
                return self.found(number, left.map_or(Findings::Not(None), Findings::Done));
            }
            Inquiry::Release(room) => {
                let released = self.rooms.release(now, &room);
                return self.found(number, released.map_or_else(Findings::Not, |()| Findings::Done(1)));
            }
        };
        if self.surveys.is_full() {
            return self.found(number, Findings::Busy);
        }
        self.surveys.0.push_back(Look { number, what });
    }

    fn found(&mut self, number: u64, findings: Findings) {
        self.outputs.push_back(Output::Found(number, findings));
    }

    /// The oldest look goes a step further.
    pub(crate) fn go_on_looking(&mut self, now: Now) {
        let Some(Look { number, what }) = self.surveys.0.pop_front() else { return };
        let what = match what {
            What::Rooms { wanted, from, mut page } => {
                match self.rooms.look_at(&wanted, &mut page, from, ROOMS_A_STEP) {
                    Some(last) => What::Rooms { wanted, from: Some(last), page },
                    None => return self.found(number, Findings::Rooms(page.into_values().collect())),
                }
            }
            What::Connections { wanted, from, mut page } => {
                match self.look_at_connections(now, &wanted, &mut page, from) {
                    Some(from) => What::Connections { wanted, from, page },
                    None => return self.found(number, Findings::Connections(page.into_values().collect())),
                }
            }
            What::Ends { user, reason, from, ended } => {
                let (more, from) = self.end_some(now, &user, reason, from);
                match from {
                    Some(from) => What::Ends { user, reason, from, ended: ended + more },
                    None => return self.found(number, Findings::Done(ended + more)),
                }
            }
        };
        self.surveys.0.push_front(Look { number, what });
    }

    /// Where to go on, unless that was all.
    fn look_at_connections(
        &self,
        now: Now,
        wanted: &ConnectionsWanted,
        page: &mut BTreeMap<Rank, ConnectionSeen>,
        from: u32,
    ) -> Option<u32> {
        // One that is named stands in its place, or nowhere.
        let upto = if wanted.only.is_some() { from + 1 } else { from + CONNECTIONS_A_STEP };
        for (slot, connection) in self.connections.between(from, upto) {
            let id = ConnectionId { shard: self.id, slot, generation: connection.generation };
            let rank = Rank::of(wanted.order, connection.outbox.bytes() as u64, id);
            if !has(wanted, id, connection) || wanted.after.is_some_and(|after| rank <= after) {
                continue;
            }
            let full = page.len() >= wanted.limit;
            if full && page.last_key_value().is_none_or(|(last, _)| rank > *last) {
                continue;
            }
            let mut seen = seen(now, id, connection);
            // Of everybody it would be a look-up for each room of each.
            if wanted.only.is_some() || wanted.user.is_some() || wanted.room.is_some() {
                seen.places = seen.rooms.iter().map(|room| self.locals.place(room, id)).collect();
            }
            page.insert(rank, seen);
            if full {
                page.pop_last();
            }
        }
        (wanted.only.is_none() && (upto as usize) < self.connections.places()).then_some(upto)
    }

    fn end_some(&mut self, now: Now, user: &UserId, reason: CloseReason, from: u32) -> (u32, Option<u32>) {
        let upto = from + CONNECTIONS_A_STEP;
        let is_theirs = |connection: &Connection| {
            connection.session.ended().is_none()
                && connection.user.as_ref().is_some_and(|known| known.person.id == *user)
        };
        let theirs = self.connections.between(from, upto).filter(|(_, connection)| is_theirs(connection));
        let theirs: Vec<ConnectionId> = theirs
            .map(|(slot, it)| ConnectionId { shard: self.id, slot, generation: it.generation })
            .take(ENDS_A_STEP)
            .collect();
        for id in &theirs {
            self.end(now, *id, reason_for(reason, *id));
        }
        let next = if theirs.len() == ENDS_A_STEP { theirs.last().map_or(upto, |id| id.slot) } else { upto };
        let more = (next as usize) < self.connections.places();
        (theirs.len() as u32, more.then_some(next))
    }
}

/// Who is told to come back does so in a moment of their own.
fn reason_for(reason: CloseReason, id: ConnectionId) -> CloseReason {
    match reason {
        CloseReason::Draining(_) => CloseReason::draining(id),
        other => other,
    }
}

fn has(wanted: &ConnectionsWanted, id: ConnectionId, connection: &Connection) -> bool {
    let ConnectionsWanted { user, room, mounts, only, .. } = wanted;
    only.is_none_or(|only| only == id)
        && mounts.as_ref().is_none_or(|mounts| mounts.contains(&connection.mount))
        && user.as_ref().is_none_or(|user| connection.user.as_ref().is_some_and(|it| it.person.id == *user))
        && room.as_ref().is_none_or(|room| connection.subscriptions.iter().any(|it| it.room == *room))
}

fn seen(now: Now, id: ConnectionId, connection: &Connection) -> ConnectionSeen {
    let wall = |at: Tick| Wall(now.wall.0 - now.tick.since(at).as_millis() as i64);
    let heard = match &connection.wire {
        Wire::WebSocket(socket) => Some(wall(socket.heard)),
        Wire::Events(_) => None,
    };
    ConnectionSeen {
        id,
        user: connection.user.as_ref().map(|user| user.person.clone()),
        mount: connection.mount,
        since: wall(connection.since),
        rooms: connection.subscriptions.iter().map(|it| it.room.clone()).collect(),
        places: Vec::new(),
        waiting_bytes: connection.outbox.bytes() as u64,
        waiting_messages: connection.outbox.messages() as u64,
        sheds: connection.sheds,
        stale: connection.stale,
        behind: connection.behind,
        heard,
        token_ends: connection.session.who().map(|who| who.expires),
    }
}
