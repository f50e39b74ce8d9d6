//! Puts down what happens to connections and their places in rooms. Seldom things only: nothing is put down for a message.

use vocabulary::{ConnectionId, Happening, Now, Position, RoomId, Traced, Why};

use crate::connection::Connection;
use crate::{Output, Shard};

impl Shard {
    pub(crate) fn trace(&mut self, now: Now, id: ConnectionId, what: Happening) {
        let user = self.connections.get(id).and_then(|connection| connection.user.as_ref());
        let user = user.map(|user| user.person.id.clone());
        self.outputs.push_back(Output::Traced(Box::new(Traced { at: now.wall, connection: id, user, what })));
    }

    /// The same of a connection that is out of the books.
    pub(crate) fn trace_of(&mut self, now: Now, id: ConnectionId, connection: &Connection, what: Happening) {
        let user = connection.user.as_ref().map(|user| user.person.id.clone());
        self.outputs.push_back(Output::Traced(Box::new(Traced { at: now.wall, connection: id, user, what })));
    }

    /// How far a member has got.
    pub(crate) fn cursor(&self, room: &RoomId, id: ConnectionId) -> Option<Position> {
        self.locals.place(room, id).map(|place| place.cursor)
    }

    pub(crate) fn trace_left(&mut self, now: Now, id: ConnectionId, room: &RoomId, why: Why) {
        let cursor = self.cursor(room, id);
        self.trace(now, id, Happening::Left { room: room.clone(), cursor, why });
    }
}
