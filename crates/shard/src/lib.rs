//! One core's world as a single state machine: bytes in, bytes out, and everything between them. No runtime, socket,
//! lock, clock or randomness; the same in production and under the simulator.
//!
//! The turn law, in `turn`: inputs; then outputs, so that engine and siblings work while we send; then flush, a bounded
//! number of sockets; then sleep until the deadline.
//!
//! A shard cannot leave its thread, and with it no connection can:
//!
//! ```compile_fail,E0277
//! fn another_thread<T: Send>() {}
//! another_thread::<shard::Shard>();
//! ```

mod announce;
mod connection;
mod deliver;
mod framing;
mod hear;
mod identify;
mod leads;
mod limits;
mod lives;
mod members;
mod outbox;
mod permission;
mod pressure;
mod speech;
mod streams;
mod survey;
mod trace;
mod turn;
mod wheel;
mod writes;

use std::collections::{BTreeSet, VecDeque};
use std::sync::Arc;

use engine::{Answer, Asked};
use rooms::{Apps, Effect, Rooms};
use session::Authenticated;
use vocabulary::{
    Asks, Call, CallId, Class, CloseReason, Command, ConnectionId, Envelope, Failure, Findings, Incarnation,
    Now, Outward, Petition, Refusal, Revocation, RoomId, Ruling, Said, ShardId, Survey, Tag, Tick, Told,
    Traced, Unproven,
};

pub use announce::Announcement;
use announce::Announcements;
use connection::Connections;
pub use connection::{Own, Peer};
pub use framing::{Framing, Greeted, Opening};
use leads::Leads;
pub use limits::Limits;
use members::Locals;
use outbox::{Frame, Gathered, Pushed};
pub use pressure::Pressure;
pub use rooms::Counts as RoomCounts;
use speech::Pen;
pub use speech::{MESSAGES, Mount, OfRoom, Pace, Speaks};
use survey::Surveys;
pub use turn::{Full, Post, Turn, World, exchange, turn};
use websocket::Inflater;
use wheel::Wheel;
use writes::Writes;

/// All that can happen to a shard.
pub enum Input<'a> {
    /// The upgrade is done and the peer is known.
    Opened(ConnectionId, Peer),
    /// Bytes in the shell's scratch buffer; they are unmasked in place.
    Received(ConnectionId, &'a mut [u8]),
    /// The socket takes bytes again.
    Writable(ConnectionId),
    /// The socket ended, however.
    Ended(ConnectionId),
    Arrived(Envelope),
    /// A sibling had no room for this command.
    Returned(Box<Command>),
    Answered(Answer),
    /// A back end asks for something of a room that is at home here.
    Called(Call),
    /// An operator asks.
    Surveyed(Survey),
    /// What became of a token that a client sent.
    Proven(ConnectionId, Tag, Result<Authenticated, Refusal>),
    /// What the back end said to the question of this number.
    Authorized(ConnectionId, u32, Ruling),
    Revoked(Arc<Revocation>),
    /// To be told to everybody who is connected.
    Announced(Announcement),
    /// How full the process's memory is.
    Pressed(Pressure),
    /// From now on.
    Limited(Box<Limits>),
    DeadlineReached,
    /// Say goodbye to everybody within this time.
    Drain(std::time::Duration),
}

/// All that a shard wants of others.
#[derive(Debug)]
pub enum Output {
    Post(ShardId, Envelope),
    Ask(Asked),
    /// Whether this token is good, and whose. At most one question per connection is open.
    Prove(ConnectionId, Tag, Unproven),
    /// Whether the team's back end allows it. Of a connection a few at most are open, each with a number of its own.
    Authorize(ConnectionId, u32, Box<Petition>),
    /// The connection is forgotten; the shell closes its socket.
    Close(ConnectionId, CloseReason),
    /// Nothing more will be written to the socket, but the connection is there until its peer has seen that.
    Finish(ConnectionId),
    /// The answer to a call.
    Told(CallId, Told),
    /// What the room that every node follows says to this one.
    Said(Said),
    /// For brokers.
    Outward(Box<Outward>),
    /// For the bridge whose sink this room's words leave by: it has not got all of them.
    Owes(RoomId),
    /// The answer to the operator's question of this number.
    Found(u64, Findings),
    /// For whoever asks later.
    Traced(Box<Traced>),
    /// For the log.
    Failed(Failure),
    /// For a log that wants every word: a room's records went to so many connections of this shard.
    Broadcast(RoomId, usize),
}

/// Why a shard wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineReason {
    Sockets,
    Rooms,
    Drain,
    Announcements,
    Leads,
}

/// Bytes for one socket.
pub struct Flush<'a> {
    pub connection: ConnectionId,
    pub bytes: &'a [u8],
}

vocabulary::counts! {
    /// What happened, for metrics and tests. Only grows.
    pub struct Counts {
        opened,
        closed,
        messages_heard,
        pings_heard,
        /// Frames put into outboxes, a broadcast once per member.
        frames_sent,
        /// Records of a room, together, to its members here.
        broadcasts,
        /// Frames encoded: once per delivery, audience and format.
        frames_encoded,
        frames_compressed,
        envelopes,
        writes,
        bytes_written,
        signals_dropped,
        announcements_dropped,
        /// Given up because memory was short.
        shed,
        fell_behind,
        refused,
        too_slow,
        /// Of too many messages that have begun, one that was ended.
        begun_ended,
        stale_removed,
        violations,
    }
}

/// How much of everything there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub connections: usize,
    /// Of those, streams of events.
    pub streams: usize,
    /// Users with an open socket whose home is this shard; the node's sum has each once.
    pub users: usize,
    pub rooms_here: usize,
    pub rooms_at_home: usize,
    /// Connections that were pinged and have not answered, or do not take what is written to them.
    pub stale: usize,
    /// Bytes that wait for sockets. Frames of a room are shared: they cost less than this.
    pub outbox_bytes: usize,
    /// Bytes of messages that are not whole yet.
    pub begun_bytes: usize,
}

pub struct Config {
    pub id: ShardId,
    pub limits: Limits,
    pub mounts: Vec<Mount>,
    pub apps: Apps,
    pub rooms: rooms::Config,
    /// What is not done before somebody was asked.
    pub asks: Asks,
}

pub struct Shard {
    id: ShardId,
    shards: u16,
    limits: Limits,
    mounts: Vec<Mount>,
    apps: Apps,
    asks: Asks,
    connections: Connections,
    locals: Locals,
    rooms: Rooms,
    wheel: Wheel,
    writes: Writes,
    /// Members to ask pages for, once this turn's outputs have left.
    wants_pages: BTreeSet<(RoomId, u32)>,
    leads: Leads,
    goodbyes: VecDeque<(Tick, ConnectionId)>,
    announcements: Announcements,
    surveys: Surveys,
    /// Connections that the wheel found waiting for their peer.
    overdue: BTreeSet<ConnectionId>,
    outputs: VecDeque<Output>,
    gathered: Gathered,
    pen: Pen,
    /// Bytes of messages that are not whole yet.
    begun_bytes: usize,
    /// Lent to the decoder of whoever is heard: between two messages it belongs to nobody.
    inflater: Inflater,
    counts: Counts,
}

impl Shard {
    pub fn new(now: Now, config: Config) -> Shard {
        let Config { id, limits, mounts, apps, rooms, asks } = config;
        Shard {
            id,
            shards: rooms.shards,
            limits,
            mounts,
            apps: apps.clone(),
            asks,
            connections: Connections::default(),
            locals: Locals::default(),
            rooms: Rooms::new(apps, rooms),
            wheel: Wheel::new(now.tick),
            writes: Writes::new(&limits),
            wants_pages: BTreeSet::new(),
            leads: Leads::default(),
            goodbyes: VecDeque::new(),
            announcements: Announcements::default(),
            surveys: Surveys::default(),
            overdue: BTreeSet::new(),
            outputs: VecDeque::new(),
            gathered: Gathered::default(),
            pen: Pen::default(),
            begun_bytes: 0,
            inflater: Inflater::default(),
            counts: Counts::default(),
        }
    }

    pub fn handle(&mut self, now: Now, input: Input<'_>) {
        match input {
            Input::Opened(id, peer) => self.opened(now, id, peer),
            Input::Received(id, bytes) => self.received(now, id, bytes),
            Input::Writable(id) => self.writable(id),
            Input::Ended(id) => {
                if let Some(connection) = self.connections.remove(id) {
                    self.forget(now, id, *connection);
                }
            }
            Input::Arrived(Envelope::Command(command)) => self.rooms.command(now, *command),
            Input::Arrived(Envelope::Delivery(delivery)) => self.deliver(now, &delivery),
            Input::Returned(command) => self.returned(now, *command),
            Input::Answered(answer) => self.rooms.answered(now, answer),
            Input::Called(call) => self.called(now, call),
            Input::Surveyed(survey) => self.surveyed(now, survey),
            Input::Proven(id, tag, proven) => self.proven(now, id, tag, proven),
            Input::Authorized(id, number, ruling) => self.authorized(now, id, number, ruling),
            Input::Announced(announcement) => self.announced(now, announcement),
            Input::Pressed(pressure) => self.writes.pressure = pressure,
            Input::Limited(limits) => {
                self.limits = *limits;
                self.writes.limits = *limits;
            }
            Input::Revoked(revocation) => self.revoke(now, &revocation),
            Input::DeadlineReached => self.tick(now),
            Input::Drain(window) => self.drain(now, window),
        }
        self.follow_rooms(now);
        // Whoever had no room even for what may not be lost.
        while let Some(id) = self.writes.next_too_slow() {
            self.end_too_slow(now, id);
            self.follow_rooms(now);
        }
    }

    /// What others must do. To be drained before anything is flushed.
    pub fn next_output(&mut self) -> Option<Output> {
        self.outputs.pop_front()
    }

    /// Pages for members whose socket has drained, the rooms that others are led into, and a step of what an operator asks. Asked for at the end of a turn, never by a
    /// delivery.
    pub fn ask_pages(&mut self, now: Now) {
        while let Some((room, slot)) = self.wants_pages.pop_first() {
            self.ask_page(now, &room, slot);
        }
        self.follow_leads(now);
        self.go_on_looking(now);
        self.follow_rooms(now);
    }

    /// Bytes for the next socket that has some. The caller says what the socket took by `wrote`.
    pub fn next_flush(&mut self) -> Option<Flush<'_>> {
        let id = loop {
            let id = self.writes.next()?;
            if let Some(connection) = self.connections.get(id) {
                connection.outbox.dirty = false;
                if !connection.outbox.is_empty() && connection.outbox.blocked_since.is_none() {
                    break id;
                }
            }
        };
        let bytes_max = self.limits.flush_bytes_max;
        let Shard { connections, gathered, .. } = self;
        let connection = connections.get(id)?;
        Some(Flush { connection: id, bytes: connection.outbox.gather(gathered, bytes_max) })
    }

    /// The socket took `taken` of the `offered` bytes.
    pub fn wrote(&mut self, now: Now, id: ConnectionId, offered: usize, taken: usize) {
        self.counts.writes += 1;
        self.counts.bytes_written += taken as u64;
        let Some(connection) = self.connections.get(id) else { return };
        connection.outbox.wrote(&mut self.writes.spare, taken);
        if taken > 0 && std::mem::take(&mut connection.stale) {
            self.overdue.remove(&id);
        }
        if taken < offered {
            if taken > 0 || connection.outbox.blocked_since.is_none() {
                connection.outbox.blocked_since = Some(now.tick);
            }
            self.arm(now, id);
        } else if !connection.outbox.is_empty() {
            self.writes.again(id, connection);
        } else {
            self.drained(now, id);
        }
    }

    /// When to come back, and why.
    pub fn next_deadline(&self) -> Option<(Tick, DeadlineReason)> {
        let sockets = self.wheel.next_deadline().map(|at| (at, DeadlineReason::Sockets));
        let rooms = self.rooms.next_deadline().map(|at| (at, DeadlineReason::Rooms));
        let drain = self.goodbyes.front().map(|(at, _)| (*at, DeadlineReason::Drain));
        let announcing = self.announcements.next_deadline().map(|at| (at, DeadlineReason::Announcements));
        let leads = self.leads.next_look().map(|at| (at, DeadlineReason::Leads));
        [sockets, rooms, drain, announcing, leads].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub fn counts(&self) -> (Counts, RoomCounts) {
        let mut counts = self.counts;
        self.writes.add_to(&mut counts);
        counts.frames_compressed += self.pen.compressed;
        (counts, self.rooms.counts())
    }

    pub fn sizes(&self) -> Sizes {
        let (rooms_at_home, users) = self.rooms.sizes();
        Sizes {
            connections: self.connections.len(),
            streams: self.connections.streams(),
            users,
            rooms_here: self.locals.len(),
            rooms_at_home,
            stale: self.overdue.len(),
            outbox_bytes: self.writes.spare.waiting_bytes(),
            begun_bytes: self.begun_bytes,
        }
    }

    /// Each of the node's users at one shard.
    pub fn users(&self) -> impl Iterator<Item = &vocabulary::UserId> {
        self.rooms.users()
    }

    pub fn id(&self) -> ShardId {
        self.id
    }

    /// The name under which this shard now asks the engine.
    pub fn incarnation(&self) -> Incarnation {
        self.rooms.me()
    }

    fn asks_more(&self) -> bool {
        !self.wants_pages.is_empty() || self.leads.any() || self.surveys.any()
    }

    fn has_flush(&self) -> bool {
        self.writes.has_next()
    }

    /// The turn's last flush is done.
    fn end_flush(&mut self) {
        self.gathered.clear();
    }

    fn writable(&mut self, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if connection.outbox.blocked_since.take().is_some() {
            self.writes.again(id, connection);
        }
    }

    /// Puts a frame where the socket's writes come from. What a full outbox means is for the caller to say.
    fn push(&mut self, id: ConnectionId, frame: Frame, class: Class) -> Pushed {
        let Some(connection) = self.connections.get(id) else { return Pushed::Dropped };
        self.writes.queue(id, connection, frame, class)
    }

    fn dispatch(&mut self, now: Now, command: Command) {
        let home = command.room().slice().home(self.shards);
        if home == self.id {
            self.rooms.command(now, command);
        } else {
            self.counts.envelopes += 1;
            self.outputs.push_back(Output::Post(home, Envelope::Command(Box::new(command))));
        }
    }

    /// Carries out what the rooms decided.
    fn follow_rooms(&mut self, now: Now) {
        while let Some(effect) = self.rooms.next_effect() {
            match effect {
                Effect::Deliver(shard, delivery) if shard == self.id => self.deliver(now, &delivery),
                Effect::Deliver(shard, delivery) => {
                    self.counts.envelopes += 1;
                    self.outputs.push_back(Output::Post(shard, Envelope::Delivery(delivery.into())));
                }
                Effect::Said(said) => self.outputs.push_back(Output::Said(said)),
                Effect::Owes(room) => self.outputs.push_back(Output::Owes(room)),
                Effect::Outward(outward) => self.outputs.push_back(Output::Outward(outward)),
                Effect::Failed(failure) => self.outputs.push_back(Output::Failed(failure)),
                Effect::Ask(question) => self.outputs.push_back(Output::Ask(self.rooms.signed(question))),
                Effect::Command(shard, command) if shard == self.id => self.rooms.command(now, command),
                Effect::Command(shard, command) => {
                    self.counts.envelopes += 1;
                    self.outputs.push_back(Output::Post(shard, Envelope::Command(Box::new(command))));
                }
            }
        }
    }

    /// The books agree with each other. The simulator asks after every step.
    #[cfg(any(test, debug_assertions))]
    pub fn check_invariants(&self) {
        for (room, local) in self.locals.iter() {
            assert!(!local.members.is_empty(), "{room}: a room without members here is not kept");
            for (slot, member) in &local.members {
                let found =
                    self.connections.iter().find(|(at, _)| at == slot).map(|(_, connection)| connection);
                let connection = found.unwrap_or_else(|| panic!("{room}: member {slot} has no connection"));
                assert_eq!(
                    connection.generation, member.generation,
                    "{room}: member {slot} is an older connection"
                );
                assert!(
                    connection.subscriptions.iter().any(|s| s.room == *room),
                    "{room}: {slot} is not subscribed"
                );
            }
        }
        let (frames_max, bytes_max) = (
            self.limits.outbox_frames_max + self.limits.reserve_frames_max,
            self.limits.outbox_bytes_max + self.limits.reserve_bytes_max,
        );
        for (slot, connection) in self.connections.iter() {
            assert!(connection.outbox.messages() <= frames_max + 64, "{slot}: outbox bounded in frames");
            assert!(connection.outbox.bytes() <= bytes_max + (1 << 20), "{slot}: outbox bounded in bytes");
        }
    }
}
