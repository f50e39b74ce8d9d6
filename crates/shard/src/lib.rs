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

mod connection;
mod deliver;
mod hear;
mod limits;
mod members;
mod outbox;
mod speech;
mod turn;
mod wheel;
mod writes;

use std::collections::{BTreeSet, VecDeque};

use engine::{Answer, Asked};
use rooms::{Apps, Effect, Rooms};
use vocabulary::{
    Class, CloseReason, Command, ConnectionId, Envelope, Failure, Incarnation, Now, RoomId, ShardId, Tick,
};

pub use connection::Peer;
use connection::{Connection, Connections, Ending, Overdue};
pub use limits::Limits;
use members::Locals;
use outbox::{Frame, Gathered, Pushed};
pub use rooms::Counts as RoomCounts;
pub use speech::{MESSAGES, Mount, Speaks};
pub use turn::{Full, Post, Turn, World, exchange, turn};
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
    DeadlineReached,
    /// Say goodbye to everybody within this time.
    Drain(std::time::Duration),
}

/// All that a shard wants of others.
#[derive(Debug)]
pub enum Output {
    Post(ShardId, Envelope),
    Ask(Asked),
    /// The connection is forgotten; the shell closes its socket.
    Close(ConnectionId, CloseReason),
    /// For the log.
    Failed(Failure),
}

/// Why a shard wants to be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DeadlineReason {
    Sockets,
    Rooms,
    Drain,
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
        /// Frames put into outboxes, a broadcast once per member.
        frames_sent,
        /// Frames encoded: once per delivery, audience and format.
        frames_encoded,
        envelopes,
        writes,
        bytes_written,
        signals_dropped,
        fell_behind,
        refused,
        too_slow,
        stale_removed,
        violations,
    }
}

/// How much of everything there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sizes {
    pub connections: usize,
    /// Users with an open socket whose home is this shard; the node's sum has each once.
    pub users: usize,
    pub rooms_here: usize,
    pub rooms_at_home: usize,
    /// Connections that were pinged and have not answered, or do not take what is written to them.
    pub stale: usize,
}

pub struct Config {
    pub id: ShardId,
    pub limits: Limits,
    pub mounts: Vec<Mount>,
    pub apps: Apps,
    pub rooms: rooms::Config,
}

/// Every connection is looked at within this time, which is less than a round of the wheel.
const LOOK_MAX: std::time::Duration = std::time::Duration::from_secs(60);

pub struct Shard {
    id: ShardId,
    shards: u16,
    limits: Limits,
    mounts: Vec<Mount>,
    apps: Apps,
    connections: Connections,
    locals: Locals,
    rooms: Rooms,
    wheel: Wheel,
    writes: Writes,
    /// Members to ask pages for, once this turn's outputs have left.
    wants_pages: BTreeSet<(RoomId, u32)>,
    goodbyes: VecDeque<(Tick, ConnectionId)>,
    /// Connections that the wheel found waiting for their peer.
    overdue: BTreeSet<ConnectionId>,
    outputs: VecDeque<Output>,
    gathered: Gathered,
    scratch: Vec<u8>,
    counts: Counts,
}

impl Shard {
    pub fn new(now: Now, config: Config) -> Shard {
        let Config { id, limits, mounts, apps, rooms } = config;
        Shard {
            id,
            shards: rooms.shards,
            limits,
            mounts,
            apps: apps.clone(),
            connections: Connections::default(),
            locals: Locals::default(),
            rooms: Rooms::new(apps, rooms),
            wheel: Wheel::new(now.tick),
            writes: Writes::new(&limits),
            wants_pages: BTreeSet::new(),
            goodbyes: VecDeque::new(),
            overdue: BTreeSet::new(),
            outputs: VecDeque::new(),
            gathered: Gathered::default(),
            scratch: Vec::new(),
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

    /// Pages for members whose socket has drained. Asked for at the end of a turn, never by a delivery.
    pub fn ask_pages(&mut self, now: Now) {
        while let Some((room, slot)) = self.wants_pages.pop_first() {
            self.ask_page(now, &room, slot);
        }
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
        [sockets, rooms, drain].into_iter().flatten().min_by_key(|(at, _)| *at)
    }

    pub fn counts(&self) -> (Counts, RoomCounts) {
        let mut counts = self.counts;
        self.writes.add_to(&mut counts);
        (counts, self.rooms.counts())
    }

    pub fn sizes(&self) -> Sizes {
        let (rooms_at_home, users) = self.rooms.sizes();
        Sizes {
            connections: self.connections.len(),
            users,
            rooms_here: self.locals.len(),
            rooms_at_home,
            stale: self.overdue.len(),
        }
    }

    pub fn id(&self) -> ShardId {
        self.id
    }

    /// The name under which this shard now asks the engine.
    pub fn incarnation(&self) -> Incarnation {
        self.rooms.me()
    }

    fn wants_pages(&self) -> bool {
        !self.wants_pages.is_empty()
    }

    fn has_flush(&self) -> bool {
        self.writes.has_next()
    }

    /// The turn's last flush is done.
    fn end_flush(&mut self) {
        self.gathered.clear();
    }

    fn opened(&mut self, now: Now, id: ConnectionId, peer: Peer) {
        self.counts.opened += 1;
        let user = peer.who.user.clone();
        let decoder = self.mounts[usize::from(peer.mount)].decoder();
        let connection = Connection::new(now, id.generation, peer, decoder);
        self.connections.insert(id, connection);
        self.arm(now, id);
        self.dispatch(now, Command::Roster { user, connection: id, here: true });
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

    /// All that waited has been written.
    fn drained(&mut self, now: Now, id: ConnectionId) {
        let Some(connection) = self.connections.get(id) else { return };
        if let Ending::Closing { answered: true, .. } = connection.ending {
            let reason = connection.session.ended().unwrap_or(CloseReason::GoingAway);
            return self.cut(now, id, reason);
        }
        if !std::mem::take(&mut connection.behind) {
            return;
        }
        for subscription in &connection.subscriptions {
            let member = self.locals.get(&subscription.room).and_then(|local| local.members.get(&id.slot));
            if member.is_some_and(|member| matches!(member.standing, members::Standing::CatchingUp(_))) {
                connection.behind = true;
                self.wants_pages.insert((subscription.room.clone(), id.slot));
            }
        }
    }

    /// Ends the conversation: what is queued goes out, then the close frame, and the peer has a moment to answer.
    fn end(&mut self, now: Now, id: ConnectionId, reason: CloseReason) {
        let Some(connection) = self.connections.get(id) else { return };
        if !connection.session.is_open() {
            return;
        }
        connection.session.end(reason);
        let answered = matches!(reason, CloseReason::Echo(_));
        connection.ending = Ending::Closing { cut_at: now.tick + self.limits.close, answered };
        let words = match reason.retry_after_ms() {
            Some(ms) => format!("{}, retry after {ms} ms", reason.words()),
            None => reason.words().to_owned(),
        };
        let frame = match reason {
            CloseReason::Echo(0) => websocket::frame::close_without_code(),
            _ => websocket::frame::close(reason.code(), &words),
        };
        self.leave_all(now, id);
        let _ = self.push(id, frame.into(), Class::Control);
        self.arm(now, id);
    }

    /// Ends the conversation with a peer that does not read. What waits for it is forgotten, because it resumes from
    /// the log; should its socket take bytes once more before a write's time and a close's are over, it learns why.
    fn end_too_slow(&mut self, now: Now, id: ConnectionId) {
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
    fn cut(&mut self, now: Now, id: ConnectionId, reason: CloseReason) {
        if let Some(connection) = self.connections.remove(id) {
            self.outputs.push_back(Output::Close(id, reason));
            self.forget(now, id, *connection);
        }
    }

    fn forget(&mut self, now: Now, id: ConnectionId, mut connection: Connection) {
        connection.outbox.clear(&mut self.writes.spare);
        self.overdue.remove(&id);
        if connection.session.is_open() {
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
            drop(self.locals.remove(&room, id.slot));
            self.dispatch(now, Command::Leave { room, connection: id, asked: false });
        }
        let user = connection.user.clone();
        self.dispatch(now, Command::Roster { user, connection: id, here: false });
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

    /// Sees to it that the wheel looks at the connection when it wants to be looked at. One entry counts, the earliest.
    fn arm(&mut self, now: Now, id: ConnectionId) {
        let limits = self.limits;
        if let Some(connection) = self.connections.get(id) {
            let at = connection.next_look(now, &limits).min(now.tick + LOOK_MAX);
            if connection.armed.is_none_or(|armed| at < armed) {
                connection.armed = Some(at);
                self.wheel.arm(id, at);
            }
        }
    }

    fn tick(&mut self, now: Now) {
        self.rooms.tick(now);
        for id in self.wheel.turn(now.tick) {
            self.look(now, id);
        }
        while self.goodbyes.front().is_some_and(|(at, _)| *at <= now.tick) {
            if let Some((_, id)) = self.goodbyes.pop_front() {
                // Spread once more, so that a slot's clients do not come back in one moment.
                let spread = id.slot.wrapping_mul(2_654_435_761) % 1000;
                self.end(now, id, CloseReason::Draining(spread));
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
        match connection.overdue(now, &limits) {
            Overdue::Nothing => {}
            Overdue::Ping => {
                connection.pinged = now.tick;
                let _ = self.push(id, websocket::frame::ping(&[]).into(), Class::Control);
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

    fn drain(&mut self, now: Now, window: std::time::Duration) {
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
