//! One socket as its shard sees it. It is not `Send`: its frames are shared without locks, so it cannot leave its
//! shard's thread, and nothing outside can name its socket.

use std::sync::Arc;
use std::time::Duration;

use session::{Rate, Session, Who};
use vocabulary::{CloseReason, ConnectionId, Now, Payload, Position, Refusal, RoomId, Tick, User};

use crate::framing::{Greeted, Wire};
use crate::limits::Limits;
use crate::outbox::Outbox;
use crate::permission::Parked;
use crate::speech::OfRoom;

/// Who is at the other end, as far as the shell found out before the upgrade.
#[derive(Clone, Debug)]
pub struct Peer {
    pub who: Who,
    /// Index of the mount it came by.
    pub mount: u8,
    /// What the request asked for.
    pub greeted: Greeted,
    /// The room that its path names.
    pub room: Option<Own>,
}

/// The one room that a connection is for, by its path, of the mount's app.
#[derive(Clone, Debug)]
pub struct Own {
    pub name: Box<str>,
    /// Where it was left.
    pub since: Option<Position>,
    /// What its join says besides.
    pub join: Payload,
}

/// A room the client joined, or asked to join.
pub(crate) struct Subscription {
    pub room: RoomId,
    /// Of the newest join.
    pub ticket: u32,
    pub full_name: bool,
    /// What was done in it of late, where its mount counts that.
    pub pace: Rate,
}

pub(crate) enum Ending {
    No,
    /// The last word stands in the outbox; the socket ends when the peer answers, or then.
    Closing {
        cut_at: Tick,
        /// Or has no answer to give.
        answered: bool,
    },
}

/// In this order in memory: what a delivery touches stands together, in front of what only a request or the wheel does.
#[repr(C)]
pub(crate) struct Connection {
    pub generation: u32,
    pub mount: u8,
    /// In some room it is catching up: when its outbox has drained there are pages to ask for.
    pub behind: bool,
    /// It owes us a pong, or does not take what we write, for longer than a healthy one would.
    pub stale: bool,
    pub outbox: Outbox,
    pub ending: Ending,
    /// What found no place in the outbox and was left out, or made it catch up.
    pub sheds: u32,
    /// The last sign of life that we gave when there was nothing to say.
    pub pinged: Tick,
    /// The wheel looks at it then; an entry for another time is an old one.
    pub armed: Option<Tick>,
    pub session: Session,
    /// None as long as it is a stranger, which is in no room.
    pub user: Option<Arc<User>>,
    /// The one room that it is for, and how it is joined. Boxed, because most paths name none.
    pub own: Option<Box<(RoomId, Own)>>,
    pub wire: Wire,
    /// A token of its is being looked at.
    pub proving: bool,
    pub subscriptions: Vec<Subscription>,
    pub tickets: u32,
    pub since: Tick,
    /// Requests that somebody is asked about. Boxed, because most have none.
    pub parked: Option<Box<Parked>>,
}

impl Subscription {
    /// One more command in this room, or how long to wait for that.
    pub(crate) fn count(&mut self, now: Now, pace: OfRoom) -> Result<(), Refusal> {
        let spacing = Duration::from_secs(1) / pace.per_second.max(1);
        let taken = self.pace.take(now.tick, spacing, pace.burst);
        taken.map_err(|wait| Refusal::rate_limit(u32::try_from(wait.as_millis()).unwrap_or(u32::MAX).max(1)))
    }
}

/// What the wheel found when it looked.
pub(crate) enum Overdue {
    Nothing,
    Ping,
    /// Nothing was heard for too long.
    Silent,
    /// Nothing was taken for too long.
    TooSlow,
    /// Our close was not answered.
    Unanswered(CloseReason),
    End(CloseReason),
}

impl Connection {
    /// Whose frames these are, where they are for nobody else.
    pub(crate) fn reader(&self) -> Option<&User> {
        self.user.as_deref()
    }

    pub(crate) fn new(
        now: Now,
        generation: u32,
        (who, mount): (Who, u8),
        wire: Wire,
        own: Option<Box<(RoomId, Own)>>,
        limits: &Limits,
    ) -> Connection {
        let user = match &who {
            Who::Known(who) => Some(who.user.clone()),
            Who::Stranger => None,
        };
        Connection {
            generation,
            mount,
            wire,
            user,
            own,
            proving: false,
            session: Session::begin(now, who, &limits.session),
            outbox: Outbox::default(),
            subscriptions: Vec::new(),
            tickets: 0,
            since: now.tick,
            sheds: 0,
            parked: None,
            behind: false,
            pinged: now.tick,
            ending: Ending::No,
            stale: false,
            armed: None,
        }
    }

    pub(crate) fn subscription(&mut self, room: &RoomId) -> Option<&mut Subscription> {
        self.subscriptions.iter_mut().find(|subscription| subscription.room == *room)
    }

    /// The room that whatever names none is for: its path's; or, where a connection is in one at a time, the one that it is in or
    /// waits to be let into.
    pub(crate) fn meant(&self, one_room: bool) -> Option<&RoomId> {
        if let Some(own) = &self.own {
            return Some(&own.0);
        }
        let joined = || self.subscriptions.last().map(|subscription| &subscription.room);
        one_room.then(|| joined().or_else(|| self.parked.as_deref()?.joining())).flatten()
    }

    pub(crate) fn unsubscribe(&mut self, room: &RoomId) -> bool {
        let before = self.subscriptions.len();
        self.subscriptions.retain(|subscription| subscription.room != *room);
        if self.subscriptions.is_empty() {
            self.subscriptions = Vec::new();
        }
        self.subscriptions.len() < before
    }

    pub(crate) fn overdue(&self, now: Now, limits: &Limits) -> Overdue {
        if let Ending::Closing { cut_at, .. } = self.ending {
            let reason = self.session.ended().unwrap_or(CloseReason::GoingAway);
            return if cut_at <= now.tick { Overdue::Unanswered(reason) } else { Overdue::Nothing };
        }
        if self.outbox.blocked_since.is_some_and(|since| since + limits.write <= now.tick) {
            return Overdue::TooSlow;
        }
        if let Some(reason) = self.session.overdue(now) {
            return Overdue::End(reason);
        }
        let mut alive = self.pinged;
        if let Wire::WebSocket(socket) = &self.wire {
            if socket.begun.as_deref().is_some_and(|begun| *begun + limits.message <= now.tick) {
                return Overdue::End(CloseReason::Policy);
            }
            if socket.heard + limits.pong <= now.tick && self.pinged > socket.heard {
                return Overdue::Silent;
            }
            alive = alive.max(socket.heard);
        }
        if alive + limits.ping <= now.tick { Overdue::Ping } else { Overdue::Nothing }
    }

    pub(crate) fn is_overdue(&self, now: Now, limits: &Limits) -> bool {
        let pong = self.owes_pong().is_some() && self.pinged + limits.stale <= now.tick;
        pong || self.outbox.blocked_since.is_some_and(|since| since + limits.stale <= now.tick)
    }

    /// Since when nothing was heard of a peer that was pinged. A stream's has no answer to give: that it is gone, its socket says.
    fn owes_pong(&self) -> Option<Tick> {
        match &self.wire {
            Wire::WebSocket(socket) => (self.pinged > socket.heard).then_some(socket.heard),
            Wire::Events(_) => None,
        }
    }

    /// When it wants to be looked at next.
    pub(crate) fn next_look(&self, now: Now, limits: &Limits) -> Tick {
        if let Ending::Closing { cut_at, .. } = self.ending {
            return cut_at;
        }
        // First to call it stale, then to end it.
        let owed = |since: Tick, end: Tick| if self.stale { end } else { end.min(since + limits.stale) };
        let pinged = self.owes_pong().map(|heard| owed(self.pinged, heard + limits.pong));
        let (heard, begun) = match &self.wire {
            Wire::WebSocket(socket) => (socket.heard, socket.begun.as_deref()),
            Wire::Events(_) => (self.pinged, None),
        };
        let ping = self.pinged.max(heard) + limits.ping;
        let blocked = self.outbox.blocked_since.map(|since| owed(since, since + limits.write));
        let begun = begun.map(|begun| *begun + limits.message);
        [pinged, blocked, begun, self.session.next_look(now)].into_iter().flatten().fold(ping, Tick::min)
    }
}

/// Slots and the generation that each is in. The shell numbers connections; the shard only remembers.
#[derive(Default)]
pub(crate) struct Connections {
    slots: Vec<Option<Box<Connection>>>,
    count: usize,
    /// Of those, streams of events.
    streams: usize,
}

impl Connections {
    pub(crate) fn insert(&mut self, id: ConnectionId, connection: Connection) {
        let slot = id.slot as usize;
        if self.slots.len() <= slot {
            self.slots.resize_with(slot + 1, || None);
        }
        self.streams += usize::from(connection.wire.is_stream());
        match self.slots[slot].replace(Box::new(connection)) {
            Some(older) => self.streams -= usize::from(older.wire.is_stream()),
            None => self.count += 1,
        }
    }

    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Connection> {
        self.at(id.slot).filter(|connection| connection.generation == id.generation)
    }

    pub(crate) fn at(&mut self, slot: u32) -> Option<&mut Connection> {
        self.slots.get_mut(slot as usize)?.as_deref_mut()
    }

    pub(crate) fn remove(&mut self, id: ConnectionId) -> Option<Box<Connection>> {
        let place = self.slots.get_mut(id.slot as usize)?;
        if place.as_ref()?.generation != id.generation {
            return None;
        }
        let connection = place.take()?;
        self.count -= 1;
        self.streams -= usize::from(connection.wire.is_stream());
        Some(connection)
    }

    pub(crate) fn len(&self) -> usize {
        self.count
    }

    pub(crate) fn streams(&self) -> usize {
        self.streams
    }

    /// From that slot on.
    pub(crate) fn iter_from(&mut self, from: u32) -> impl Iterator<Item = (u32, &mut Connection)> {
        let slots = self.slots.iter_mut().enumerate().skip(from as usize);
        slots.filter_map(|(slot, place)| Some((slot as u32, place.as_deref_mut()?)))
    }

    /// Those in the places from the one up to the other.
    pub(crate) fn between(&self, from: u32, upto: u32) -> impl Iterator<Item = (u32, &Connection)> {
        let places = self.slots.iter().enumerate().take(upto as usize).skip(from as usize);
        places.filter_map(|(slot, place)| Some((slot as u32, place.as_deref()?)))
    }

    pub(crate) fn places(&self) -> usize {
        self.slots.len()
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = (u32, &Connection)> {
        self.slots.iter().enumerate().filter_map(|(slot, place)| Some((slot as u32, place.as_deref()?)))
    }
}
