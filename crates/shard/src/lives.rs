//! The lives of connections: how they begin, what the wheel finds when it looks at them, and the several ways in which
//! they end. Every end passes through here, so that the rooms and the roster learn of each exactly once.

use protocol::Item;
use session::Who;
use vocabulary::{
    Asked, Asker, Caller, Class, CloseReason, Command, ConnectionId, Happening, Now, Payload, Refusal,
    ReplyTo, RoomId, Tag, Verb, Why,
};

use crate::connection::{Connection, Ending, Overdue, Own, Peer};
use crate::framing::{Greeted, Stream, WebSocket, Wire, last_word};
use crate::{Output, Shard, members};

/// Every connection is looked at within this time, which is less than a round of the wheel.
const LOOK_MAX: std::time::Duration = std::time::Duration::from_secs(60);

impl Shard {
    pub(crate) fn opened(&mut self, now: Now, id: ConnectionId, peer: Peer) {
        self.counts.opened += 1;
        let Peer { who, mount: by, greeted, room } = peer;
        let mount = &self.mounts[usize::from(by)];
        let wire = match greeted {
            Greeted::WebSocket(compression) => {
                Wire::WebSocket(WebSocket::new(now, compression, mount.decoder(compression)))
            }
            Greeted::Events(opening) => Wire::Events(Stream::new(opening)),
        };
        let user = match &who {
            Who::Known(who) => Some(&who.user),
            Who::Stranger => None,
        };
        let of_user = mount.own_room.zip(user).map(|(name, user)| Own {
            name: name(user).into(),
            since: None,
            join: Payload::from_static(b"{}"),
        });
        let own = room.or(of_user).map(|own| Box::new((RoomId::new(&mount.app, &own.name), own)));
        let connection = Connection::new(now, id.generation, (who, by), wire, own, &self.limits);
        self.connections.insert(id, connection);
        self.arm(now, id);
        self.enrol(now, id);
        self.greet(now, id);
    }

    /// Whose it is, is known: protocols that say so now do, the room that its path names is joined, and the user's inbox where
    /// the mount does that.
    pub(crate) fn greet(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let Some(user) = connection.user.clone() else { return };
        let joins_inbox = self.mounts[usize::from(connection.mount)].joins_inbox;
        let own = connection.own.clone();
        let is_stream = connection.wire.is_stream();
        // A stream begins when its room has answered, and is of that room alone.
        if !is_stream {
            let named = own.as_ref().map(|own| own.0.name());
            self.send(id, &Item::Opened { client: id, user: &user, room: named, at: now.wall });
        }
        if let Some((room, own)) = own.map(|own| *own) {
            let verb = Verb::Join { since: own.since, payload: own.join };
            self.ask(now, id, Asked { tag: Tag::default(), room, verb });
        }
        if is_stream {
            return;
        }
        let room = user.person.id.inbox();
        // A token that allows other rooms alone is obeyed without a word: nobody asked.
        if joins_inbox && user.may_enter(&room) {
            let verb = Verb::Join { since: None, payload: Payload::from_static(b"{}") };
            self.ask(now, id, Asked { tag: Tag { id: None, full_name: true }, room, verb });
        }
    }

    /// Whose it is, is known.
    pub(crate) fn enrol(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        let Some(user) = connection.user.clone() else { return };
        let claims = self.mounts[usize::from(connection.mount)].claims(&user);
        self.dispatch(now, Command::Roster { user, connection: id, here: true, claims });
    }

    /// A connection that is for one room alone may not be there: it has no other to be in, unless it may ask again.
    pub(crate) fn end_if_own(&mut self, now: Now, id: ConnectionId, room: &RoomId, refusal: &Refusal) {
        let Some(connection) = self.connections.get(id) else { return };
        let asks_again = self.mounts[usize::from(connection.mount)].one_room;
        if !asks_again && connection.own.as_ref().is_some_and(|own| own.0 == *room) {
            let will_pass = !refusal.code.is_clients_fault();
            self.end(now, id, if will_pass { CloseReason::InternalError } else { CloseReason::Forbidden });
        }
    }

    /// All that waited has been written.
    pub(crate) fn drained(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if let Ending::Closing { answered: true, .. } = connection.ending {
            let reason = connection.session.ended().unwrap_or(CloseReason::GoingAway);
            return self.cut(now, id, reason);
        }
        // Who broke a rule of the protocol is not understood any more, not even if it answers.
        if matches!(&connection.wire, Wire::WebSocket(socket) if socket.decoder.is_ended()) {
            self.outputs.push_back(Output::Finish(id));
            return;
        }
        if !std::mem::take(&mut connection.behind) {
            return;
        }
        let mut lists_owed = Vec::new();
        for subscription in &connection.subscriptions {
            let local = self.locals.get(&subscription.room);
            let Some(member) = local.and_then(|local| local.members.get_mut(&id.slot)) else { continue };
            if matches!(member.standing, members::Standing::CatchingUp(_)) {
                connection.behind = true;
                self.wants_pages.insert((subscription.room.clone(), id.slot));
            }
            if std::mem::take(&mut member.list_owed) {
                lists_owed.push((subscription.room.clone(), subscription.full_name));
            }
        }
        let Some(user) = connection.user.clone() else { return };
        for (room, full_name) in lists_owed {
            let reply =
                ReplyTo { asker: Asker::Connection(id), tag: Tag { id: None, full_name }, frees: false };
            let caller = Caller::Connection { id, user: user.clone() };
            self.dispatch(now, Command::Members { room, caller, reply });
        }
    }

    /// Ends the conversation: what is queued goes out, then the close frame, and the peer has a moment to answer. A stream has no
    /// such frame, and nobody to answer.
    pub(crate) fn end(&mut self, now: Now, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.session.ended().is_some() {
            return;
        }
        let (is_stream, is_open) = (connection.wire.is_stream(), !connection.wire.is_opening());
        if is_stream {
            self.tell_end(now, id, reason);
        }
        let Some(connection) = self.connections.get(id) else { return };
        connection.session.end(reason);
        connection.parked = None;
        let closed = Happening::Closed { code: reason.code(), words: reason.words().into() };
        self.trace(now, id, closed);
        let Some(connection) = self.connections.get(id) else { return };
        let answered = is_stream || matches!(reason, CloseReason::Echo(_));
        connection.ending = Ending::Closing { cut_at: now.tick + self.limits.close, answered };
        let frame = match reason {
            _ if is_stream => last_word(reason).filter(|_| is_open),
            CloseReason::Echo(0) => Some(websocket::frame::close_without_code().into()),
            _ => Some(websocket::frame::close(reason.code(), &reason.told()).into()),
        };
        self.leave_all(now, id);
        if let Some(frame) = frame {
            let _ = self.push(id, frame, Class::Control);
        }
        self.arm(now, id);
        if self.connections.get(id).is_some_and(|connection| connection.outbox.is_empty()) {
            self.drained(now, id);
        }
    }

    /// Ends the conversation with a peer that does not read. What waits for it is forgotten, because it resumes from
    /// the log; should its socket take bytes once more before a write's time and a close's are over, it learns why.
    pub(crate) fn end_too_slow(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        match connection.session.ended() {
            None => {}
            // Several answers of one input found no place.
            Some(CloseReason::TooSlow) => return,
            // Not even a close did.
            Some(reason) => return self.cut(now, id, reason),
        }
        connection.outbox.forget_unbegun(&mut self.writes.spare);
        self.end(now, id, CloseReason::TooSlow);
        let Some(connection) = self.connections.get(id) else { return };
        if let (Ending::Closing { cut_at, .. }, Some(since)) =
            (&mut connection.ending, connection.outbox.blocked_since)
        {
            *cut_at = (*cut_at).max(since + self.limits.write);
        }
    }

    /// Ends the socket without a word: it would not be read.
    pub(crate) fn cut(&mut self, now: Now, id: ConnectionId, reason: CloseReason) {
        if let Some(connection) = self.connections.remove(id) {
            self.outputs.push_back(Output::Close(id, reason));
            self.forget(now, id, *connection);
        }
    }

    pub(crate) fn forget(&mut self, now: Now, id: ConnectionId, mut connection: Connection) {
        connection.outbox.clear(&mut self.writes.spare);
        self.begun_bytes -= connection.wire.begun_bytes();
        self.overdue.remove(&id);
        if connection.session.ended().is_none() {
            self.trace_of(now, id, &connection, Happening::Ended);
            self.leave_rooms(now, id, &connection);
        }
        self.counts.closed += 1;
    }

    fn leave_all(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.remove(id) else { return };
        self.leave_rooms(now, id, &connection);
        let mut connection = *connection;
        connection.subscriptions = Vec::new();
        self.connections.insert(id, connection);
    }

    fn leave_rooms(&mut self, now: Now, id: ConnectionId, connection: &Connection) {
        for subscription in &connection.subscriptions {
            let room = subscription.room.clone();
            let (cursor, why) = (self.cursor(&room, id), Why::ConnectionEnded);
            self.trace_of(now, id, connection, Happening::Left { room: room.clone(), cursor, why });
            drop(self.locals.remove(&room, id.slot));
            self.dispatch(now, Command::Leave { room, connection: id, asked: false });
        }
        if let Some(user) = connection.user.clone() {
            let claims = self.mounts[usize::from(connection.mount)].claims(&user);
            self.dispatch(now, Command::Roster { user, connection: id, here: false, claims });
        }
    }

    /// Sees to it that the wheel looks at the connection when it wants to be looked at. One entry counts, the earliest.
    pub(crate) fn arm(&mut self, now: Now, id: ConnectionId) {
        let limits = self.limits;
        if let Some(connection) = self.connections.get(id) {
            let at = connection.next_look(now, &limits).min(now.tick + LOOK_MAX);
            if connection.armed.is_none_or(|armed| at < armed) {
                connection.armed = Some(at);
                self.wheel.arm(id, at);
            }
        }
    }

    pub(crate) fn tick(&mut self, now: Now) {
        self.rooms.tick(now);
        for id in self.wheel.turn(now.tick) {
            self.look(now, id);
        }
        self.announce(now);
        self.look_after_leads(now);
        while self.goodbyes.front().is_some_and(|(at, _)| *at <= now.tick) {
            if let Some((_, id)) = self.goodbyes.pop_front() {
                self.end(now, id, CloseReason::draining(id));
            }
        }
    }

    fn look(&mut self, now: Now, id: ConnectionId) {
        let limits = self.limits;
        let Some(connection) = self.connections.get(id) else { return };
        // An entry that an earlier one has overtaken.
        if connection.armed.is_none_or(|armed| armed > now.tick) {
            return;
        }
        connection.armed = None;
        if !connection.stale && connection.is_overdue(now, &limits) {
            connection.stale = true;
            self.overdue.insert(id);
        }
        if let Some(expires) = connection.session.warning(now) {
            self.send(id, &Item::Expiring { expires, at: now.wall });
        }
        let Some(connection) = self.connections.get(id) else { return };
        match connection.overdue(now, &limits) {
            Overdue::Nothing => {}
            Overdue::Ping => {
                connection.pinged = now.tick;
                // A stream's head says as much.
                if connection.wire.is_opening() {
                    self.open_stream(id);
                } else {
                    let frame = connection.wire.sign_of_life();
                    let _ = self.push(id, frame, Class::Control);
                }
            }
            Overdue::Silent => {
                self.counts.stale_removed += 1;
                return self.cut(now, id, CloseReason::GoingAway);
            }
            Overdue::TooSlow => {
                self.counts.stale_removed += 1;
                return self.end_too_slow(now, id);
            }
            Overdue::Unanswered(reason) => return self.cut(now, id, reason),
            Overdue::End(reason) => return self.end(now, id, reason),
        }
        self.arm(now, id);
    }

    pub(crate) fn drain(&mut self, now: Now, window: std::time::Duration) {
        let all: Vec<ConnectionId> = self
            .connections
            .iter()
            .map(|(slot, connection)| ConnectionId {
                shard: self.id,
                slot,
                generation: connection.generation,
            })
            .collect();
        // A second drain replaces what is left of the first.
        self.goodbyes.clear();
        let count = all.len().max(1) as u32;
        for (index, id) in all.into_iter().enumerate() {
            self.goodbyes.push_back((now.tick + window * index as u32 / count, id));
        }
    }
}
