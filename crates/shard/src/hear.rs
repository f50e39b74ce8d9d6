//! From bytes to commands: what a client sends, up to where a room's home takes over.

use protocol::{Item, Misheard};
use session::{Heard, Rate};
use vocabulary::{
    Act, Asked, Asker, Call, Caller, Class, CloseReason, Code, Command, ConnectionId, Delivery, Join, Key,
    Now, Refusal, Reply, ReplyTo, Request, RoomId, Standing, Tag, Verb, Why, Wish,
};
use websocket::frame::Opcode;
use websocket::{Event, Violation};

use crate::Shard;
use crate::connection::{Ending, Subscription};
use crate::framing::Wire;
use crate::speech::{Raw, Speaks, spelled};

/// Pongs that wait for one socket: a newer one takes the place of the oldest, so that a flood of pings costs no more.
const PONGS_MAX: u64 = 16;

/// Answers to pings are not shed when memory is short: without them a healthy client would take us for gone.
pub(crate) fn is_pong(class: Class) -> bool {
    matches!(class, Class::Latest(key) if key > u64::MAX - PONGS_MAX)
}

impl Shard {
    pub(crate) fn received(&mut self, now: Now, id: ConnectionId, bytes: &mut [u8]) {
        let Some(connection) = self.connections.get(id) else { return };
        let socket = match &mut connection.wire {
            Wire::WebSocket(socket) => socket,
            Wire::Events(stream) => {
                if !stream.passes_over(bytes.len()) {
                    self.end(now, id, CloseReason::Policy);
                }
                return;
            }
        };
        socket.heard = now.tick;
        if std::mem::take(&mut connection.stale) {
            self.overdue.remove(&id);
        }
        // The decoder is lent to the loop, because what it yields changes the connection it belongs to.
        let lent = self.mounts[usize::from(connection.mount)].decoder(socket.compression);
        let mut decoder = std::mem::replace(&mut socket.decoder, lent);
        self.begun_bytes -= decoder.unfinished().unwrap_or(0);
        let mut inflater = std::mem::take(&mut self.inflater);
        let mut began = socket.begun.take();
        for event in decoder.feed(&mut inflater, bytes) {
            match event {
                Ok(event) => {
                    if matches!(event, Event::Text(_) | Event::Binary(_)) {
                        began = None;
                    }
                    self.event(now, id, event);
                }
                Err(violation) => self.violation(now, id, violation),
            }
        }
        self.inflater = inflater;
        let Some(connection) = self.connections.get(id) else { return };
        let Wire::WebSocket(socket) = &mut connection.wire else { return };
        let unfinished = decoder.unfinished();
        socket.decoder = decoder;
        let is_new = began.is_none();
        socket.begun = unfinished.map(|_| began.unwrap_or_else(|| Box::new(now.tick)));
        let Some(unfinished) = unfinished else { return };
        self.begun_bytes += unfinished;
        if unfinished > 0 && self.begun_bytes > self.limits.begun_bytes_max {
            self.begun_bytes -= unfinished;
            socket.decoder.end();
            socket.begun = None;
            self.counts.begun_ended += 1;
            self.end(now, id, CloseReason::TooSlow);
        } else if is_new {
            self.arm(now, id);
        }
    }

    fn event(&mut self, now: Now, id: ConnectionId, event: Event<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.session.ended().is_some() {
            if let (Event::Close(_), Ending::Closing { answered, .. }) = (&event, &mut connection.ending) {
                *answered = true;
                if connection.outbox.is_empty() {
                    self.drained(now, id);
                }
            }
            return;
        }
        let limits = self.limits;
        let mut counts_control = || match &mut connection.wire {
            Wire::WebSocket(socket) => socket.counts_control(now, &limits),
            Wire::Events(_) => false,
        };
        let echoes = matches!(self.mounts[usize::from(connection.mount)].speaks, Speaks::Echo);
        match event {
            Event::Text(text) if echoes => self.echo(id, (Opcode::Text, text.as_bytes())),
            Event::Binary(bytes) if echoes => self.echo(id, (Opcode::Binary, &bytes)),
            Event::Text(text) => self.message(now, id, &text),
            Event::Binary(_) => {
                self.counts.messages_heard += 1;
                let refusal =
                    Refusal::new(Code::InvalidFormat, "invalid message format: a message is a text frame");
                self.refuse(now, id, Tag::default(), None, &refusal);
            }
            Event::Ping(_) | Event::Pong(_) if !counts_control() => {
                self.end(now, id, CloseReason::Policy);
            }
            Event::Ping(payload) => {
                // By turns, so that the pings of one read each get their own.
                let place = Class::Latest(u64::MAX - self.counts.pings_heard % PONGS_MAX);
                self.counts.pings_heard += 1;
                let _ = self.push(id, websocket::frame::pong(&payload).into(), place);
            }
            Event::Pong(_) => {}
            Event::Close(close) => self.end(now, id, CloseReason::Echo(close.map_or(0, |close| close.code))),
        }
    }

    fn echo(&mut self, id: ConnectionId, raw: Raw<'_>) {
        self.counts.messages_heard += 1;
        let Some(connection) = self.connections.get(id) else { return };
        let mount = &self.mounts[usize::from(connection.mount)];
        let Wire::WebSocket(socket) = &connection.wire else { return };
        let frame = mount.frame_of(&mut self.pen, socket.compression, raw);
        let _ = self.push(id, frame, Class::Control);
    }

    fn violation(&mut self, now: Now, id: ConnectionId, violation: Violation) {
        self.counts.violations += 1;
        let reason = match violation.close_code() {
            1007 => CloseReason::InvalidData,
            1009 => CloseReason::TooBig,
            1008 => CloseReason::Policy,
            _ => CloseReason::Protocol,
        };
        self.end(now, id, reason);
    }

    fn message(&mut self, now: Now, id: ConnectionId, text: &str) {
        self.counts.messages_heard += 1;
        let Some(connection) = self.connections.get(id) else { return };
        let mount = &self.mounts[usize::from(connection.mount)];
        let limits = mount.limits(&self.limits.session);
        let counted = connection.session.count(now, &limits);
        let request = match mount.decode(&self.apps, connection.meant(mount.one_room), text) {
            Some(Ok(request)) => request,
            Some(Err(Misheard { tag, room, refusal })) => {
                let refusal = counted.err().unwrap_or(refusal);
                return self.refuse(now, id, tag, room.as_deref(), &refusal);
            }
            None => return,
        };
        let asked = match request {
            Request::Room(asked) => asked,
            Request::Resume(joins) => return self.resume(now, id, joins, counted),
            Request::Identify(tag, token) => return self.identify(now, id, tag, token, counted),
            Request::Ping(tag) => return self.pinged(now, id, tag, counted),
        };
        if let Err(refusal) = counted {
            let room = spelled(&asked.room, asked.tag.full_name).to_owned();
            return self.refuse(now, id, asked.tag, Some(&room), &refusal);
        }
        self.ask(now, id, asked);
    }

    /// As many joins as it names, for the price of a page of so many entries.
    fn resume(&mut self, now: Now, id: ConnectionId, joins: Vec<Asked>, counted: Result<(), Refusal>) {
        let Some(connection) = self.connections.get(id) else { return };
        let limits = self.mounts[usize::from(connection.mount)].limits(&self.limits.session);
        let count = u32::try_from(joins.len()).unwrap_or(u32::MAX);
        let counted = counted.and_then(|()| connection.session.charge(now, count, &limits));
        if let Err(refusal) = counted {
            let tag = joins.into_iter().next().map(|join| join.tag).unwrap_or_default();
            return self.refuse(now, id, tag, None, &refusal);
        }
        for join in joins {
            self.ask(now, id, join);
        }
    }

    fn pinged(&mut self, now: Now, id: ConnectionId, tag: Tag, counted: Result<(), Refusal>) {
        match counted {
            Ok(()) => self.send(id, &Item::Pong { id: tag.id.as_deref(), at: now.wall }),
            Err(refusal) => self.refuse(now, id, tag, None, &refusal),
        }
    }

    pub(crate) fn ask(&mut self, now: Now, id: ConnectionId, asked: Asked) {
        let Some(connection) = self.connections.get(id) else { return };
        let mount = &self.mounts[usize::from(connection.mount)];
        let limits = mount.limits(&self.limits.session);
        if let Verb::Act { .. } = asked.verb
            && let Some(pace) = mount.pace.of_room
            && let Some(subscription) = connection.subscription(&asked.room)
            && let Err(refusal) = subscription.count(now, pace)
        {
            let room = spelled(&asked.room, asked.tag.full_name).to_owned();
            return self.refuse(now, id, asked.tag, Some(&room), &refusal);
        }
        // A room it is in already is not one more.
        let again = matches!(asked.verb, Verb::Join { .. }) && connection.subscription(&asked.room).is_some();
        let rooms = connection.subscriptions.len() - usize::from(again) + connection.joins_parked(&asked);
        match connection.session.allow(now, asked, rooms, &limits) {
            Heard::Allowed(asked) => self.permit(now, id, asked),
            Heard::Refused(asked, refusal) => self.refuse_asked(now, id, asked, &refusal),
            Heard::Ignored => {}
        }
    }

    /// Before its room was asked.
    pub(crate) fn refuse_asked(&mut self, now: Now, id: ConnectionId, asked: Asked, refusal: &Refusal) {
        let Asked { tag, room, verb } = asked;
        let name = spelled(&room, tag.full_name).to_owned();
        self.refuse(now, id, tag, Some(&name), refusal);
        if matches!(verb, Verb::Join { .. }) {
            self.end_if_own(now, id, &room, refusal);
        }
    }

    pub(crate) fn allowed(&mut self, now: Now, id: ConnectionId, asked: Asked) {
        let Some(connection) = self.connections.get(id) else { return };
        let Some(user) = connection.user.clone() else { return };
        let Asked { tag, room, verb } = asked;
        let command = match verb {
            Verb::Join { since, payload } => {
                connection.tickets += 1;
                let (ticket, full_name) = (connection.tickets, tag.full_name);
                match connection.subscription(&room) {
                    Some(subscription) => {
                        subscription.ticket = ticket;
                        subscription.full_name = full_name;
                    }
                    None => {
                        // Most clients are in one room: the place for it alone, and not for the next three.
                        if connection.subscriptions.is_empty() {
                            connection.subscriptions.reserve_exact(1);
                        }
                        let (room, pace) = (room.clone(), Rate::default());
                        connection.subscriptions.push(Subscription { room, ticket, full_name, pace });
                    }
                }
                Command::Join(Join { room, connection: id, user, tag, ticket, since, payload })
            }
            Verb::Leave => return self.left(now, id, room, tag),
            Verb::Act { kind, payload, standing } => {
                let key = tag.id.as_deref().map(|id| Key::client(&user.person.id, id));
                let reply = Some(ReplyTo { asker: Asker::Connection(id), tag, frees: true });
                let caller = Caller::Connection { id, user };
                Command::Act(Act { room, caller, standing, kind, payload, key, reply })
            }
            Verb::History { limit, from } => {
                let reply = ReplyTo { asker: Asker::Connection(id), tag, frees: false };
                Command::History { room, caller: Caller::Connection { id, user }, reply, limit, from }
            }
            Verb::Members => {
                let reply = ReplyTo { asker: Asker::Connection(id), tag, frees: false };
                Command::Members { room, caller: Caller::Connection { id, user }, reply }
            }
        };
        self.dispatch(now, command);
    }

    /// Takes effect here and now: nothing of the room is delivered after this. Leaving where one is not is told to nobody else.
    pub(crate) fn left(&mut self, now: Now, id: ConnectionId, room: RoomId, tag: Tag) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.unsubscribe(&room) {
            self.trace_left(now, id, &room, Why::Asked);
            let member = self.locals.remove(&room, id.slot);
            self.release(now, &room, member);
            self.dispatch(now, Command::Leave { room: room.clone(), connection: id, asked: true });
        }
        let name = spelled(&room, tag.full_name);
        self.send(id, &Item::Left { room: name, id: tag.id.as_deref(), at: now.wall });
    }

    /// A back end asks; this is the home of its room.
    pub(crate) fn called(&mut self, now: Now, call: Call) {
        let Call { id, by, room, wish } = call;
        let caller = by.caller();
        let reply = ReplyTo { asker: Asker::Call(id), tag: Tag::default(), frees: false };
        let act = |kind, payload, key, reply| {
            let (standing, reply, room) = (Standing::Anyone, Some(reply), room.clone());
            Command::Act(Act { room, caller: caller.clone(), standing, kind, payload, key, reply })
        };
        let command = match wish {
            Wish::Publish { kind, payload, id } => act(kind, payload, id.map(|id| by.key(&id)), reply),
            Wish::Take { kind, payload, log, lane, number } => {
                act(kind, payload, Some(Key::place(&log, lane, number)), reply)
            }
            Wish::History { limit, from } => Command::History { room, caller, reply, limit, from },
            Wish::Members => Command::Members { room, caller, reply },
            Wish::Retell(asks) => Command::Retell { room, reply, asks },
            Wish::Sink(asks) => Command::Sink { room, reply, asks },
        };
        self.dispatch(now, command);
    }

    /// A sibling had no room for a command: its sender learns that nothing happened.
    pub(crate) fn returned(&mut self, now: Now, command: Command) {
        let busy = Refusal::busy(500);
        match command {
            Command::Join(join) => {
                if !self.is_led(join.connection, &join.room) {
                    let name = spelled(&join.room, join.tag.full_name).to_owned();
                    self.refuse(now, join.connection, join.tag, Some(&name), &busy);
                }
                self.unjoin(join.connection, &join.room, join.ticket);
            }
            Command::Act(Act { reply: Some(to), room, .. })
            | Command::History { reply: to, room, .. }
            | Command::Members { reply: to, room, .. }
            | Command::Retell { reply: to, room, .. }
            | Command::Sink { reply: to, room, .. } => {
                let delivery = Delivery::Reply { room, to, reply: Reply::Refused(busy), at: now.wall };
                self.deliver(now, &delivery);
            }
            Command::Act(Act { caller: Caller::Step(step), .. }) => self.rooms.step_returned(now, &step),
            // The others must arrive and are not returned.
            Command::Act(_)
            | Command::Leave { .. }
            | Command::Page { .. }
            | Command::Renew { .. }
            | Command::Roster { .. } => {}
        }
    }

    /// A join that did not happen. An older one may still stand.
    pub(crate) fn unjoin(&mut self, id: ConnectionId, room: &RoomId, ticket: u32) {
        let standing = self.locals.get(room).and_then(|local| local.members.get(&id.slot)).map(|m| m.ticket);
        let Some(connection) = self.connections.get(id) else { return };
        let Some(subscription) = connection.subscription(room) else { return };
        if subscription.ticket != ticket {
            return;
        }
        match standing {
            Some(older) => subscription.ticket = older,
            None => {
                connection.unsubscribe(room);
            }
        }
    }

    pub(crate) fn freed(&mut self, to: &ReplyTo) {
        if to.frees
            && let Some(id) = to.asker.connection()
            && let Some(connection) = self.connections.get(id)
        {
            connection.session.answered();
        }
    }

    pub(crate) fn refuse(
        &mut self,
        now: Now,
        id: ConnectionId,
        tag: Tag,
        room: Option<&str>,
        refusal: &Refusal,
    ) {
        self.counts.refused += 1;
        if self.connections.get(id).is_some_and(|connection| connection.wire.is_stream()) {
            return self.refuse_stream(now, id, refusal);
        }
        let item = Item::Refused { room, id: tag.id.as_deref(), refusal, at: now.wall };
        self.send(id, &item);
        let limits = self.limits.session;
        // An app's own refusal is an answer to somebody who is understood: how many of those there are, the pace of messages bounds.
        if refusal.code.is_clients_fault()
            && !matches!(refusal.code, Code::App(_))
            && let Some(connection) = self.connections.get(id)
            && let Some(reason) = connection.session.refused(now, &limits)
        {
            self.end(now, id, reason);
        }
    }

    /// One message for one connection, out of its reserve if need be.
    pub(crate) fn send(&mut self, id: ConnectionId, item: &Item<'_>) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.session.ended().is_some() {
            return;
        }
        if connection.wire.is_opening() {
            self.open_stream(id);
        }
        let Some(connection) = self.connections.get(id) else { return };
        let mount = &self.mounts[usize::from(connection.mount)];
        let framing = connection.wire.framing();
        if let Some(frame) = mount.frame_for(connection.reader(), &mut self.pen, framing, item) {
            self.counts.frames_encoded += 1;
            let _ = self.push(id, frame, Class::Control);
        }
    }
}
