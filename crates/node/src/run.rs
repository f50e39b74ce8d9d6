//! One shard's thread: wait, give the shard its inputs, let the turn law do the rest. The only loop that touches its
//! sockets.

use std::collections::{BTreeSet, VecDeque};
use std::io;
use std::net::TcpListener;
use std::sync::mpsc::{SyncSender, TrySendError};
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use session::Rate;
use shard::{Config, Framing, Input, Post, Pressure, Shard, Turn, exchange, turn};
use vocabulary::{CloseReason, ConnectionId, Envelope, Incarnation, Now, Said, ShardId, Tick};

use crate::authorizer::Authorizer;
use crate::calls::Calls;
use crate::census::Census;
use crate::clock::Clock;
use crate::door::ACCEPTS_MAX;
use crate::doorway::Doorway;
use crate::facts::Facts;
use crate::gate::Gate;
use crate::keeper::Keeper;
use crate::logs::{Logs, Opened};
use crate::lookout::Surveys;
use crate::mail::{Control, Incoming, Mailboxes, WAKE};
use crate::online::Sketch;
use crate::outlet::Outlet;
use crate::owed::Owed;
use crate::sockets::{Heard, Sockets, State};
use crate::sparing::Sparing;
use crate::tls::Tls;
use crate::turned::turned;
use crate::world::Outside;
use crate::{Furnish, http};

/// What a shard's thread starts with.
pub(crate) struct Seat {
    pub id: ShardId,
    pub shards: u16,
    pub me: Incarnation,
    /// Taken by the thread: one that was kept here would hold the port for as long as the thread lives.
    pub listener: Option<TcpListener>,
    pub doorway: DoorwayParts,
    pub tls: Option<Tls>,
    pub limits: shard::Limits,
    pub room_limits: rooms::Limits,
    pub engine: Opened,
    pub start_tag: u32,
    pub handshake: Duration,
    pub clock: Clock,
    pub facts: Arc<Facts>,
    pub mailboxes: Arc<Mailboxes>,
    pub calls: Arc<Calls>,
    pub surveys: Arc<Surveys>,
    pub outlet: Option<Outlet>,
    pub owed: Vec<(String, Arc<Owed>)>,
    pub said: SyncSender<Said>,
    pub pages: http::ToPages,
}

/// The gate, who is counted, who fetches keys, and who asks the team's back end.
pub(crate) type DoorwayParts = (Arc<Gate>, Arc<Census>, Arc<Keeper>, Option<Arc<Authorizer>>);

const LISTEN: Token = Token(usize::MAX - 1);
/// One read takes at most this; it is the thread's one buffer for all its sockets.
const SCRATCH_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 1024;
/// Letters opened in one turn: sockets wait their turn too.
const LETTERS_MAX: usize = 1024;
/// A shard that has anything to do looks who is here this often; one that has not, has the same users as before.
const SKETCH_EVERY: Duration = Duration::from_secs(2);
/// How often a draining thread looks whether the others are empty too.
const DRAIN_LOOK: Duration = Duration::from_millis(20);
/// Of what a socket has sent to a shard that is no more, this often a few kilobytes.
const LAST_READS_MAX: usize = 16;
/// Boxes are full: look again then.
const BOXES_PAUSE: Duration = Duration::from_millis(1);

pub(crate) struct Thread {
    pub seat: Seat,
    mail: Incoming,
    pub listener: Option<mio::net::TcpListener>,
    pub shard: Shard,
    post: Post,
    logs: Logs,
    pub sockets: Sockets,
    scratch: Vec<u8>,
    /// Sockets that had more to read than one scratch buffer, or whose peer has closed behind what was read.
    unread: BTreeSet<ConnectionId>,
    /// Letters stay in the boxes; nobody wakes the thread for them again.
    unopened: bool,
    broken: Vec<ConnectionId>,
    failures: Sparing,
    stale: Sparing,
    /// Descriptors were used up.
    pub exhausted: Sparing,
    /// Heads that are not complete, oldest first; all have the same time to be.
    pub greetings: VecDeque<(Tick, ConnectionId)>,
    pub doorway: Doorway,
    /// Sockets that have not been let in or turned away.
    pub strangers: usize,
    /// Sockets that were closed without an answer.
    pub unheard: Sparing,
    /// Upgrades that were refused: anybody can be, as often as they like.
    pub refusals: Sparing,
    pub accepting: Rate,
    pressure: Pressure,
    /// More sockets wait to be accepted, from then on.
    pub accept_from: Option<Tick>,
    pub draining: bool,
    /// Said by the system's room, and not yet taken: as much as comes in a turn.
    unsaid: VecDeque<Said>,
    sketch_at: Tick,
}

/// The thread's whole life. A shard that broke its own books takes the process with it: what it holds cannot be trusted,
/// and its clients come back to another node. They are told so here, and those of the other shards by whoever ends the process.
pub(crate) fn shard(seat: Seat, mail: Incoming, furnish: &dyn Furnish) {
    use std::panic::{AssertUnwindSafe, catch_unwind};
    let (id, facts) = (seat.id, seat.facts.clone());
    let made = catch_unwind(AssertUnwindSafe(|| Thread::new(seat, mail, furnish)));
    let mut made = made.ok();
    let lived = made.as_mut().map(|thread| catch_unwind(AssertUnwindSafe(|| thread.run())));
    let why = match lived {
        Some(Ok(Ok(()))) => return,
        Some(Ok(Err(error))) => {
            tracing::error!(shard = id.0, %error, "a shard's thread cannot go on");
            format!("the thread of shard {} cannot go on: {error}", id.0)
        }
        Some(Err(_)) | None => {
            tracing::error!(shard = id.0, "Recovered from panic in a shard only to end the process");
            format!("shard {} panicked", id.0)
        }
    };
    if let Some(mut thread) = made {
        // What it says it says by itself, and by nothing that the panic may have left half done.
        catch_unwind(AssertUnwindSafe(|| thread.says_goodbye())).ok();
    }
    facts.is_broken(id, why);
}

impl Thread {
    fn new(seat: Seat, mail: Incoming, furnish: &dyn Furnish) -> Thread {
        let now = seat.clock.now();
        let rooms = rooms::Config {
            me: seat.me,
            shards: seat.shards,
            limits: seat.room_limits,
            guarantees: seat.engine.guarantees(),
            start_tag: seat.start_tag,
        };
        let (gate, census, keeper, authorizer) = seat.doorway.clone();
        let config = Config {
            id: seat.id,
            limits: seat.limits,
            mounts: furnish.mounts(),
            apps: furnish.apps(),
            rooms,
            asks: authorizer.as_deref().map(|it| it.asks().clone()).unwrap_or_default(),
        };
        let doorway = Doorway::new(gate, census, keeper, authorizer);
        Thread {
            shard: Shard::new(now, config),
            post: Post::default(),
            logs: Logs::new(&seat.engine, seat.start_tag),
            sockets: Sockets::new(seat.id),
            scratch: vec![0; SCRATCH_BYTES],
            unread: BTreeSet::new(),
            unopened: false,
            broken: Vec::new(),
            failures: Sparing::default(),
            stale: Sparing::default(),
            exhausted: Sparing::default(),
            greetings: VecDeque::new(),
            listener: None,
            doorway,
            strangers: 0,
            unheard: Sparing::default(),
            refusals: Sparing::default(),
            accepting: Rate::default(),
            pressure: Pressure::None,
            accept_from: None,
            draining: false,
            unsaid: VecDeque::new(),
            sketch_at: Tick::default(),
            mail,
            seat,
        }
    }

    fn run(&mut self) -> io::Result<()> {
        let registry = self.mail.poll.registry().try_clone()?;
        if let Some(listener) = self.seat.listener.take() {
            let mut listener = mio::net::TcpListener::from_std(listener);
            registry.register(&mut listener, LISTEN, Interest::READABLE)?;
            self.listener = Some(listener);
        }
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut state = Turn::More;
        // A drained shard may still be home to rooms of members elsewhere: it goes when the node is empty.
        // And so it may be to those that a back end waits for.
        while !(self.draining
            && self.sockets.len() == 0
            && self.seat.facts.health().total == 0
            && self.seat.calls.are_over())
        {
            let timeout = self.timeout(state);
            match self.mail.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = self.seat.clock.now();
            self.inputs(now, &registry, &events);
            state = self.rest_of_turn(now, &registry);
            if self.sketch_at <= now.tick {
                self.sketch_at = now.tick + SKETCH_EVERY;
                self.sketch();
            }
            let stale = self.seat.facts.shards[usize::from(self.seat.id.0)].publish(&self.shard);
            if let Some(stale) = stale
                && let Some(times) = self.stale.happened(now.tick)
            {
                tracing::warn!(stale, times, "Stale WebSocket connection detected");
            }
        }
        Ok(())
    }

    /// Without the shard: everybody whose socket takes it now is told to come back, and what they sent is read away, so that the
    /// end of the socket does not overtake the word.
    fn says_goodbye(&mut self) {
        let mut unread = [0; 4096];
        for id in self.sockets.ids() {
            let reason = CloseReason::draining(id);
            let Some(socket) = self.sockets.get(id) else { continue };
            match &socket.state {
                State::Greeting(_) => continue,
                _ if socket.is_blocked() => continue,
                // Who is gone already needs no word.
                State::Open { framing: Framing::WebSocket(_), .. } => {
                    socket.write(&websocket::frame::close(reason.code(), &reason.told())).ok();
                }
                // It was told when to come back, when it came.
                State::Open { framing: Framing::Events, .. } => {}
            }
            socket.finish();
            for _ in 0..LAST_READS_MAX {
                match socket.read(&mut unread) {
                    Ok(Heard::Bytes { count, more: true }) if count > 0 => {}
                    _ => break,
                }
            }
        }
    }

    /// For bridges that tell of them, and for the other nodes, where there may be some.
    fn sketch(&self) {
        if self.seat.facts.wants_users() {
            self.seat.facts.shards[usize::from(self.seat.id.0)].keep_users(self.shard.users());
        }
        if !self.seat.facts.has_siblings() {
            return;
        }
        let mut sketch = Sketch::default();
        self.shard.users().for_each(|user| sketch.add(user));
        let place = &self.seat.facts.shards[usize::from(self.seat.id.0)].sketch;
        *place.lock().unwrap_or_else(PoisonError::into_inner) = sketch;
    }

    fn timeout(&self, state: Turn) -> Option<Duration> {
        if !self.post.is_empty() || self.logs.is_full() || !self.unsaid.is_empty() {
            return Some(BOXES_PAUSE);
        }
        if state == Turn::More || !self.unread.is_empty() || self.unopened {
            return Some(Duration::ZERO);
        }
        let now = self.seat.clock.now().tick;
        let shard = self.shard.next_deadline().map(|(at, _)| at);
        let greeting = self.greetings.front().map(|(since, _)| *since + self.seat.handshake);
        let engine = self.logs.next_deadline();
        let drained = self.draining.then(|| now + DRAIN_LOOK);
        let next = [shard, greeting, engine, self.accept_from, drained].into_iter().flatten().min()?;
        if next <= now {
            return Some(Duration::ZERO);
        }
        // Rounded up to a millisecond, as the kernel's wait is: waking early would only mean waiting again.
        Some(next.since(now) + Duration::from_micros(999))
    }

    fn inputs(&mut self, now: Now, registry: &Registry, events: &Events) {
        self.logs.retry();
        self.pass_on_said();
        let congested = self.post.is_congested();
        // Full, too, it takes nothing that would ask for more, but what was answered.
        let stopped = congested || self.logs.is_full();
        for event in events {
            match event.token() {
                WAKE => {}
                // A pause that was begun is not cut short by one more who comes.
                LISTEN => _ = self.accept_from.get_or_insert(now.tick),
                token => self.socket_event(now, registry, token, event, stopped),
            }
        }
        self.read_mail(now, registry, congested, stopped);
        let pressure = self.seat.facts.pressure();
        if std::mem::replace(&mut self.pressure, pressure) != pressure {
            self.shard.handle(now, Input::Pressed(pressure));
        }
        // A congested shard takes nothing that could make more deliveries.
        if stopped {
            return;
        }
        for id in std::mem::take(&mut self.unread) {
            self.read(now, registry, id);
        }
        if self.accept_from.is_some_and(|from| from <= now.tick) {
            self.accept(now, registry);
        }
        self.end_greetings(now, registry);
        if self.shard.next_deadline().is_some_and(|(at, _)| at <= now.tick) {
            self.shard.handle(now, Input::DeadlineReached);
        }
        self.logs.tick(now);
    }

    fn pass_on_said(&mut self) {
        while let Some(said) = self.unsaid.pop_front() {
            if let Err(TrySendError::Full(said)) = self.seat.said.try_send(said) {
                return self.unsaid.push_front(said);
            }
        }
    }

    fn exchange(&mut self, now: Now, registry: &Registry) {
        let (shard, post, mut outside) = self.outside(now, registry);
        exchange(shard, post, now, &mut outside);
    }

    fn outside<'a>(
        &'a mut self,
        now: Now,
        registry: &'a Registry,
    ) -> (&'a mut Shard, &'a mut Post, Outside<'a>) {
        let Thread { shard, post, logs, sockets, seat, broken, failures, doorway, unsaid, .. } = self;
        let facts = &seat.facts.shards[usize::from(seat.id.0)];
        let (mailboxes, calls, outlet) = (&*seat.mailboxes, &*seat.calls, seat.outlet.as_ref());
        let (shard_id, surveys) = (seat.id, &*seat.surveys);
        let owed = &*seat.owed;
        (
            shard,
            post,
            Outside {
                now,
                registry,
                sockets,
                logs,
                unsaid,
                mailboxes,
                calls,
                shard: shard_id,
                surveys,
                outlet,
                owed,
                facts,
                broken,
                failures,
                door: doorway,
            },
        )
    }

    fn rest_of_turn(&mut self, now: Now, registry: &Registry) -> Turn {
        let (shard, post, mut outside) = self.outside(now, registry);
        let state = turn(shard, post, now, &mut outside);
        if self.broken.is_empty() {
            return state;
        }
        for id in std::mem::take(&mut self.broken) {
            self.end(now, registry, id, "write failed");
        }
        Turn::More
    }

    fn read_mail(&mut self, now: Now, registry: &Registry, congested: bool, stopped: bool) {
        self.mail.looks();
        self.unopened = stopped;
        let mut opened = 0;
        for _ in 0..LETTERS_MAX {
            let Ok(envelope) = self.mail.deliveries.try_recv() else { break };
            opened += 1;
            self.shard.handle(now, Input::Arrived(envelope));
        }
        self.unopened |= opened == LETTERS_MAX;
        if congested {
            return;
        }
        let mut opened = 0;
        for _ in 0..LETTERS_MAX {
            let Ok(answer) = self.mail.answers.try_recv() else { break };
            opened += 1;
            self.shard.handle(now, Input::Answered(answer));
        }
        self.unopened |= opened == LETTERS_MAX;
        if stopped {
            return;
        }
        let mut opened = 0;
        for _ in 0..LETTERS_MAX {
            let Some(judged) = self.mail.judged() else { break };
            opened += 1;
            self.judged(now, registry, judged);
        }
        self.unopened |= opened == LETTERS_MAX;
        let mut opened = 0;
        for _ in 0..LETTERS_MAX {
            let Ok(envelope @ Envelope::Command(_)) = self.mail.commands.try_recv() else { break };
            opened += 1;
            self.shard.handle(now, Input::Arrived(envelope));
        }
        self.unopened |= opened == LETTERS_MAX;
        let mut opened = 0;
        for _ in 0..LETTERS_MAX {
            let Ok(call) = self.mail.calls.try_recv() else { break };
            opened += 1;
            self.shard.handle(now, Input::Called(call));
        }
        self.unopened |= opened == LETTERS_MAX;
        self.obey(now, registry);
        let mut opened = 0;
        for _ in 0..ACCEPTS_MAX {
            let Ok(stream) = self.mail.sockets.try_recv() else { break };
            opened += 1;
            match stream.peer_addr() {
                Ok(address) => self.greet(now, registry, TcpStream::from_std(stream), address),
                Err(error) => tracing::debug!(%error, "a socket ended before it was greeted"),
            }
        }
        self.unopened |= opened == ACCEPTS_MAX;
    }

    /// The gate comes first, so that nobody comes in behind a revocation.
    pub(crate) fn obey(&mut self, now: Now, registry: &Registry) {
        let Control { gate, limits, drain, revocations, announcements, surveys } = self.mail.control();
        if let Some((gate, rounds)) = gate {
            self.gate_changes(now, registry, gate, &rounds);
        }
        if let Some(limits) = limits {
            self.shard.handle(now, Input::Limited(Box::new(limits)));
        }
        for revocation in revocations {
            self.shard.handle(now, Input::Revoked(revocation));
        }
        for announcement in announcements {
            self.shard.handle(now, Input::Announced((*announcement).clone()));
        }
        for survey in surveys {
            self.shard.handle(now, Input::Surveyed(survey));
        }
        if let Some(window) = drain {
            self.drain(now, registry, window);
        }
    }

    fn socket_event(&mut self, now: Now, registry: &Registry, token: Token, event: &Event, congested: bool) {
        let Some(id) = self.sockets.id(token) else { return };
        let Some(socket) = self.sockets.get(id) else { return };
        socket.note(event);
        if socket.unblocks(event) {
            self.shard.handle(now, Input::Writable(id));
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            if congested {
                self.unread.insert(id);
            } else {
                self.read(now, registry, id);
                self.exchange(now, registry);
            }
        }
    }

    pub(crate) fn read(&mut self, now: Now, registry: &Registry, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        match socket.read(&mut scratch) {
            Ok(Heard::End) => self.end(now, registry, id, "peer closed"),
            Ok(Heard::Bytes { count, more }) => {
                match &socket.state {
                    _ if count == 0 => {}
                    State::Open { .. } => self.shard.handle(now, Input::Received(id, &mut scratch[..count])),
                    State::Greeting(_) => self.hear_greeting(now, registry, id, &scratch[..count]),
                }
                if more {
                    self.unread.insert(id);
                }
            }
            Ok(Heard::NotNow) => {}
            Err(error) => {
                tracing::debug!(connection = id.slot, %error, "a read failed");
                self.end(now, registry, id, "read failed");
            }
        }
        self.scratch = scratch;
    }

    /// The socket is over; its shard, if it knew it, forgets it.
    pub(crate) fn end(&mut self, now: Now, registry: &Registry, id: ConnectionId, why: &'static str) {
        let Some(socket) = self.sockets.remove(registry, id) else { return };
        match &socket.state {
            State::Greeting(_) => self.strangers -= 1,
            State::Open { .. } => {
                let facts = &self.seat.facts.shards[usize::from(self.seat.id.0)];
                self.doorway.goes(now, (id, &socket), (None, why), facts);
                self.shard.handle(now, Input::Ended(id));
            }
        }
    }

    fn drain(&mut self, now: Now, registry: &Registry, window: Duration) {
        self.draining = true;
        self.accept_from = None;
        if let Some(mut listener) = self.listener.take() {
            registry.deregister(&mut listener).ok();
        }
        for id in self.sockets.ids() {
            let strange =
                self.sockets.get(id).is_some_and(|socket| matches!(socket.state, State::Greeting(_)));
            if strange {
                self.turn_away(now, registry, id, turned(503, "draining", "draining"));
            }
        }
        self.shard.handle(now, Input::Drain(window));
    }
}
