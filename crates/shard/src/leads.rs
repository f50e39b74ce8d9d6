//! Rooms that connections hear besides their own, on mounts that give them one: a protocol says where what it tells leads
//! ([`Lead`]), and the join is made when the turn's deliveries are done. Its client asked for nothing, and is told neither that it
//! is there nor that it may not be.

use protocol::{Item, Lead};
use vocabulary::{Asked, ConnectionId, Now, Payload, RoomId, Tag, Verb};

use crate::Shard;
use crate::connection::Connection;
use crate::speech::Mount;

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
        self.leads.extend(lead.map(|lead| (id, lead)));
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
        for (id, lead) in std::mem::take(&mut self.leads) {
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
            if let Some(room) = into.filter(|_| may && !stays) {
                let verb = Verb::Join { since: None, payload: Payload::from_static(b"{}") };
                self.allowed(now, id, Asked { tag: Tag::default(), room, verb });
            }
        }
    }
}
