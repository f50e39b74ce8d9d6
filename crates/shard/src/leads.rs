//! Rooms that connections hear besides their own, on mounts that give them one: a protocol says where what it tells leads
//! ([`Lead`]), and the join is made when the turn's deliveries are done. Its client asked for nothing, and is told neither that it
//! is there nor that it may not be.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use protocol::{Item, Lead};
use vocabulary::{Asked, ConnectionId, Now, Payload, RoomId, Tag, Tick, Verb};

use crate::Shard;
use crate::connection::Connection;
use crate::speech::Mount;

/// Rooms hear of things one after the other: the one that a client is led into may not know yet what led there, or be too busy just
/// then. It is asked again so soon...
const AGAIN_AFTER: Duration = Duration::from_secs(1);
/// ...and so often: what it does not know in five seconds something else has to tell it.
const AGAIN_MAX: u32 = 5;

/// Where connections are led.
#[derive(Default)]
pub(crate) struct Leads {
    /// By what this turn told them: a few of each ride.
    told: Vec<(ConnectionId, Lead)>,
    /// Into which room within the last seconds; one each.
    awaited: BTreeMap<ConnectionId, Awaited>,
    /// When it is looked whether they are there. The wait is the same for all, so that they stand in order; the newest of a connection
    /// counts.
    looks: VecDeque<(Tick, ConnectionId)>,
}

struct Awaited {
    room: RoomId,
    look: Tick,
    tries: u32,
}

impl Leads {
    pub(crate) fn lead(&mut self, id: ConnectionId, leads: impl IntoIterator<Item = Lead>) {
        self.told.extend(leads.into_iter().map(|lead| (id, lead)));
    }

    /// Whether something that was told is still to be followed.
    pub(crate) fn any(&self) -> bool {
        !self.told.is_empty()
    }

    pub(crate) fn next_look(&self) -> Option<Tick> {
        self.looks.front().map(|(at, _)| *at)
    }

    fn expect(&mut self, now: Now, id: ConnectionId, room: RoomId, tries: u32) {
        let look = now.tick + AGAIN_AFTER;
        self.looks.push_back((look, id));
        self.awaited.insert(id, Awaited { room, look, tries });
    }

    /// The next one whose time has come.
    fn due(&mut self, now: Now) -> Option<(ConnectionId, Awaited)> {
        loop {
            let (at, id) = self.looks.pop_front_if(|(at, _)| *at <= now.tick)?;
            if self.awaited.get(&id).is_some_and(|awaited| awaited.look == at) {
                return self.awaited.remove(&id).map(|awaited| (id, awaited));
            }
        }
    }
}

impl Mount {
    /// Where this leads the client of a connection, if anywhere.
    pub(crate) fn leads(&self, connection: &Connection, item: &Item<'_>) -> Option<Lead> {
        self.own_room?;
        self.protocol()?.leads(connection.reader()?, item)
    }
}

impl Shard {
    /// What a connection was told, looked at once more: it may have to be elsewhere. Not now, because this is a delivery.
    pub(crate) fn heed(&mut self, id: ConnectionId, item: &Item<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        let lead = self.mounts[usize::from(connection.mount)].leads(connection, item);
        self.leads.lead(id, lead);
    }

    pub(crate) fn send_and_heed(&mut self, id: ConnectionId, item: &Item<'_>) {
        self.send(id, item);
        self.heed(id, item);
    }

    /// Whether a connection is in this room, or waits for it, only because it was led there.
    pub(crate) fn is_led(&mut self, id: ConnectionId, room: &RoomId) -> bool {
        let Some(connection) = self.connections.get(id) else { return false };
        let has_own = self.mounts[usize::from(connection.mount)].own_room.is_some();
        has_own && connection.own.as_ref().is_some_and(|own| own.0 != *room)
    }

    /// At the end of a turn: as many joins and leaves as deliveries of this turn have led to.
    pub(crate) fn follow_leads(&mut self, now: Now) {
        for (id, lead) in std::mem::take(&mut self.leads.told) {
            let Some(connection) = self.connections.get(id) else { continue };
            if connection.session.ended().is_some() {
                continue;
            }
            let app = &self.mounts[usize::from(connection.mount)].app;
            let (into, out_of) = match lead {
                Lead::Into(name) => (Some(RoomId::new(app, &name)), None),
                Lead::OutOf(name) => (None, Some(RoomId::new(app, &name))),
                Lead::OutOfAll => (None, None),
            };
            let own = connection.own.as_ref().map(|own| &own.0);
            let rooms = connection.subscriptions.iter().map(|subscription| &subscription.room);
            let led: Vec<RoomId> = rooms.filter(|room| Some(*room) != own).cloned().collect();
            let stays = into.as_ref().is_some_and(|room| led.contains(room));
            let may = into
                .as_ref()
                .is_some_and(|room| connection.user.as_ref().is_some_and(|user| user.may_enter(room)));
            for room in led {
                if into.as_ref() != Some(&room) && out_of.as_ref().is_none_or(|out_of| *out_of == room) {
                    self.left(now, id, room, Tag::default());
                }
            }
            let awaited = self.leads.awaited.get(&id).map(|awaited| &awaited.room);
            if awaited.is_some_and(|awaited| out_of.as_ref().is_none_or(|out_of| out_of == awaited)) {
                self.leads.awaited.remove(&id);
            }
            if let Some(room) = into.filter(|_| may) {
                if !stays {
                    self.enter(now, id, room.clone());
                }
                self.leads.expect(now, id, room, 0);
            }
        }
    }

    fn enter(&mut self, now: Now, id: ConnectionId, room: RoomId) {
        let verb = Verb::Join { since: None, payload: Payload::from_static(b"{}") };
        self.allowed(now, id, Asked { tag: Tag::default(), room, verb });
    }

    /// Who was led into a room and is not there goes there again.
    pub(crate) fn look_after_leads(&mut self, now: Now) {
        while let Some((id, Awaited { room, tries, .. })) = self.leads.due(now) {
            let is_there = self.member(&room, id).is_some();
            let Some(connection) = self.connections.get(id) else { continue };
            if is_there || tries == AGAIN_MAX || connection.session.ended().is_some() {
                continue;
            }
            // Else the answer is on its way.
            if connection.subscription(&room).is_none() {
                self.enter(now, id, room.clone());
            }
            self.leads.expect(now, id, room, tries + 1);
        }
    }
}
