//! One shard's thread: wait, give the shard its inputs, let the turn law do the rest. The only loop that touches its
//! sockets.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use engine::{MemoryEngine, MemoryLimits, Nodes};
use mio::event::Event;
use mio::net::TcpStream;
use mio::{Events, Interest, Registry, Token};
use shard::{Config, Input, Peer, Post, Shard, Turn, exchange, turn};
use vocabulary::{ConnectionId, Envelope, Incarnation, Now, ShardId, Tick};
use websocket::handshake::{Head, Reader};

use crate::clock::Clock;
use crate::facts::Facts;
use crate::greeting::{Admitted, Gate, turned};
use crate::http::Page;
use crate::mail::{Control, Incoming, Mailboxes, WAKE};
use crate::sockets::{Greeting, Sockets, State};
use crate::world::Outside;
use crate::{Furnish, http};

/// What a shard's thread starts with.
pub(crate) struct Seat {
    pub id: ShardId,
    pub shards: u16,
    pub me: Incarnation,
    pub listener: TcpListener,
    pub gate: Arc<Gate>,
    pub limits: shard::Limits,
    pub room_limits: rooms::Limits,
    pub memory: MemoryLimits,
    pub start_tag: u32,
    pub handshake: Duration,
    pub clock: Clock,
    pub facts: Arc<Facts>,
    pub mailboxes: Arc<Mailboxes>,
    pub pages: http::ToPages,
}

const LISTEN: Token = Token(usize::MAX - 1);
/// One read takes at most this; it is the thread's one buffer for all its sockets.
const SCRATCH_BYTES: usize = 64 << 10;
const EVENTS_MAX: usize = 1024;
/// Sockets accepted, letters opened in one turn: others wait their turn too.
const ACCEPTS_MAX: usize = 64;
const LETTERS_MAX: usize = 1024;
/// Descriptors are used up: look again then, and do not spin meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// Boxes are full: look again then.
const CONGESTED_PAUSE: Duration = Duration::from_millis(1);

struct Thread {
    seat: Seat,
    mail: Incoming,
    listener: Option<mio::net::TcpListener>,
    shard: Shard,
    post: Post,
    engine: MemoryEngine,
    sockets: Sockets,
    scratch: Vec<u8>,
    /// Sockets that had more to read than one scratch buffer.
    unread: Vec<ConnectionId>,
    broken: Vec<ConnectionId>,
    /// Heads that are not complete, oldest first; all have the same time to be.
    greetings: std::collections::VecDeque<(Tick, ConnectionId)>,
    /// More sockets wait to be accepted, from then on.
    accept_from: Option<Tick>,
    draining: bool,
}

/// The thread's whole life. A shard that broke its own books takes the process with it: what it holds cannot be trusted,
/// and its clients come back to another node.
pub(crate) fn shard(seat: Seat, mail: Incoming, furnish: &dyn Furnish) {
    let id = seat.id;
    let lived =
        std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| Thread::new(seat, mail, furnish).run()));
    match lived {
        Ok(Ok(())) => {}
        Ok(Err(error)) => {
            tracing::error!(shard = id.0, %error, "a shard's thread cannot go on");
            std::process::exit(1);
        }
        Err(_) => {
            tracing::error!(shard = id.0, "Recovered from panic in a shard only to end the process");
            std::process::exit(1);
        }
    }
}

impl Thread {
    fn new(seat: Seat, mail: Incoming, furnish: &dyn Furnish) -> Thread {
        let now = seat.clock.now();
        let rooms = rooms::Config {
            me: seat.me,
            shards: seat.shards,
            limits: seat.room_limits,
            guarantees: MemoryEngine::guarantees(Nodes::One),
            start_tag: seat.start_tag,
        };
        let config = Config {
            id: seat.id,
            limits: seat.limits,
            mounts: furnish.mounts(),
            apps: furnish.apps(),
            rooms,
        };
        Thread {
            shard: Shard::new(now, config),
            post: Post::default(),
            engine: MemoryEngine::new(seat.memory, seat.start_tag),
            sockets: Sockets::new(seat.id),
            scratch: vec![0; SCRATCH_BYTES],
            unread: Vec::new(),
            broken: Vec::new(),
            greetings: std::collections::VecDeque::new(),
            listener: None,
            accept_from: None,
            draining: false,
            mail,
            seat,
        }
    }

    fn run(mut self) -> io::Result<()> {
        let registry = self.mail.poll.registry().try_clone()?;
        let mut listener = mio::net::TcpListener::from_std(self.seat.listener.try_clone()?);
        registry.register(&mut listener, LISTEN, Interest::READABLE)?;
        self.listener = Some(listener);
        let mut events = Events::with_capacity(EVENTS_MAX);
        let mut state = Turn::More;
        while !(self.draining && self.sockets.len() == 0) {
            let timeout = self.timeout(state);
            match self.mail.poll.poll(&mut events, timeout) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                other => other?,
            }
            let now = self.seat.clock.now();
            self.inputs(now, &registry, &events);
            state = self.rest_of_turn(now, &registry);
            self.seat.facts.shards[usize::from(self.seat.id.0)].publish(&self.shard);
        }
        Ok(())
    }

    fn timeout(&self, state: Turn) -> Option<Duration> {
        if self.post.is_congested() {
            return Some(CONGESTED_PAUSE);
        }
        if state == Turn::More || !self.unread.is_empty() {
            return Some(Duration::ZERO);
        }
        let now = self.seat.clock.now().tick;
        let shard = self.shard.next_deadline().map(|(at, _)| at);
        let greeting = self.greetings.front().map(|(since, _)| *since + self.seat.handshake);
        let engine = self.engine.next_deadline();
        let next = [shard, greeting, engine, self.accept_from].into_iter().flatten().min()?;
        // Rounded up to a millisecond, as the kernel's wait is: waking early would only mean waiting again.
        Some(next.since(now) + Duration::from_micros(999))
    }

    fn inputs(&mut self, now: Now, registry: &Registry, events: &Events) {
        let congested = self.post.is_congested();
        for event in events {
            match event.token() {
                WAKE => {}
                LISTEN => self.accept_from = Some(now.tick),
                token => self.socket_event(now, registry, token, event, congested),
            }
        }
        self.read_mail(now, registry, congested);
        // A congested shard takes nothing that could make more deliveries.
        if congested {
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
        self.engine.tick(now);
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
        let Thread { shard, post, engine, sockets, seat, broken, .. } = self;
        let facts = &seat.facts.shards[usize::from(seat.id.0)];
        let mailboxes = &seat.mailboxes;
        (shard, post, Outside { now, registry, sockets, engine, mailboxes, facts, broken })
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

    fn read_mail(&mut self, now: Now, registry: &Registry, congested: bool) {
        self.mail.looks();
        for _ in 0..LETTERS_MAX {
            let Ok(envelope) = self.mail.deliveries.try_recv() else { break };
            self.shard.handle(now, Input::Arrived(envelope));
        }
        if congested {
            return;
        }
        for _ in 0..LETTERS_MAX {
            let Ok(envelope @ Envelope::Command(_)) = self.mail.commands.try_recv() else { break };
            self.shard.handle(now, Input::Arrived(envelope));
        }
        while let Ok(control) = self.mail.control.try_recv() {
            match control {
                Control::Socket(stream) => match stream.peer_addr() {
                    Ok(address) => self.greet(now, registry, TcpStream::from_std(stream), address),
                    Err(error) => tracing::debug!(%error, "a socket ended before it was greeted"),
                },
                Control::Drain(window) => self.drain(now, registry, window),
            }
        }
    }

    fn socket_event(&mut self, now: Now, registry: &Registry, token: Token, event: &Event, congested: bool) {
        let Some(id) = self.sockets.id(token) else { return };
        if event.is_writable() {
            self.shard.handle(now, Input::Writable(id));
        }
        if event.is_readable() || event.is_read_closed() || event.is_error() {
            if congested {
                self.unread.push(id);
            } else {
                self.read(now, registry, id);
                self.exchange(now, registry);
            }
        }
    }

    fn read(&mut self, now: Now, registry: &Registry, id: ConnectionId) {
        let Some(socket) = self.sockets.get(id) else { return };
        let mut scratch = std::mem::take(&mut self.scratch);
        match socket.read(&mut scratch) {
            Ok(Some(0)) => self.end(now, registry, id, "peer closed"),
            Ok(Some(bytes)) => {
                let more = bytes == scratch.len();
                match &socket.state {
                    State::Open(_) => self.shard.handle(now, Input::Received(id, &mut scratch[..bytes])),
                    State::Greeting(_) => self.hear_greeting(now, registry, id, &scratch[..bytes]),
                }
                if more {
                    self.unread.push(id);
                }
            }
            Ok(None) => {}
            Err(error) => {
                tracing::debug!(connection = id.slot, %error, "a read failed");
                self.end(now, registry, id, "read failed");
            }
        }
        self.scratch = scratch;
    }

    /// The socket is over; its shard, if it knew it, forgets it.
    fn end(&mut self, now: Now, registry: &Registry, id: ConnectionId, why: &'static str) {
        let Some(socket) = self.sockets.remove(registry, id) else { return };
        if let State::Open(user) = &socket.state {
            self.seat.facts.shards[usize::from(self.seat.id.0)].went(user);
            let (user, address) = (&user.person.id, socket.address);
            tracing::info!(%user, %address, connection = id.slot, reason = why, "Removed connection");
            self.shard.handle(now, Input::Ended(id));
        }
    }

    fn accept(&mut self, now: Now, registry: &Registry) {
        self.accept_from = Some(now.tick);
        for _ in 0..ACCEPTS_MAX {
            let Some(listener) = &self.listener else {
                self.accept_from = None;
                return;
            };
            match listener.accept() {
                Ok((stream, address)) => self.accepted(now, registry, stream, address),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_from = None;
                    return;
                }
                Err(error) if is_exhausted(&error) => {
                    tracing::warn!(%error, "Failed to accept: out of descriptors, trying again");
                    self.accept_from = Some(now.tick + ACCEPT_PAUSE);
                    return;
                }
                // The peer went before we came; the next one waits.
                Err(error) => tracing::debug!(%error, "Failed to accept"),
            }
        }
    }

    /// To the less loaded of two shards, before its first byte; from then on it stays there.
    fn accepted(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        let shards = self.seat.shards;
        if shards > 1 {
            let load = |shard: u16| {
                let facts = &self.seat.facts.shards[usize::from(shard)];
                facts.connections.load(std::sync::atomic::Ordering::Relaxed)
            };
            // The port is as good as a die, and costs nothing.
            let other = (self.seat.id.0 + 1 + address.port() % (shards - 1)) % shards;
            if load(other) < load(self.seat.id.0) {
                return self.seat.mailboxes.tell(ShardId(other), Control::Socket(stream.into()));
            }
        }
        self.greet(now, registry, stream, address);
    }

    fn greet(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        let greeting = Greeting { reader: Reader::default(), head: Vec::new() };
        match self.sockets.insert(registry, stream, address, State::Greeting(Box::new(greeting))) {
            Ok(id) => {
                self.greetings.push_back((now.tick, id));
                // The head is usually there already.
                self.read(now, registry, id);
            }
            Err(error) => tracing::warn!(%error, %address, "a socket could not be watched"),
        }
    }

    fn hear_greeting(&mut self, now: Now, registry: &Registry, id: ConnectionId, bytes: &[u8]) {
        let Some(socket) = self.sockets.get(id) else { return };
        let State::Greeting(greeting) = &mut socket.state else { return };
        greeting.head.extend_from_slice(bytes);
        let Greeting { mut reader, head } =
            std::mem::replace(&mut **greeting, Greeting { reader: Reader::default(), head: Vec::new() });
        match reader.read(&head) {
            Head::Incomplete => {
                greeting.reader = reader;
                greeting.head = head;
            }
            Head::NotAnUpgrade(_) => {
                let address = socket.address;
                let Some(socket) = self.sockets.remove(registry, id) else { return };
                let stream = std::net::TcpStream::from(socket.into_stream());
                self.seat.pages.send(Page { stream, head, address });
            }
            Head::Refused(refusal) => {
                let (status, words) = (refusal.status(), refusal.words());
                self.turn_away(registry, id, &refusal.response(), status, words);
            }
            Head::Upgrade(upgrade) => match self.admit(&upgrade) {
                Ok(admitted) => {
                    let agent = upgrade.request.values("user-agent").next().map(String::from_utf8_lossy);
                    let agent = agent.unwrap_or_default().chars().take(200).collect::<String>();
                    let rest = head[upgrade.request.head_bytes..].to_vec();
                    self.open(now, registry, id, admitted, &agent, rest);
                }
                Err(refused) => self.turn_away(registry, id, &refused.response, refused.status, &refused.why),
            },
        }
    }

    fn admit(
        &self,
        upgrade: &websocket::handshake::Upgrade<'_>,
    ) -> Result<Admitted, crate::greeting::Turned> {
        if self.draining {
            return Err(turned(503, r#"{"error":"draining"}"#, "draining"));
        }
        self.seat.gate.admit(upgrade)
    }

    fn open(
        &mut self,
        now: Now,
        registry: &Registry,
        id: ConnectionId,
        admitted: Admitted,
        agent: &str,
        mut rest: Vec<u8>,
    ) {
        let Some(socket) = self.sockets.get(id) else { return };
        let Admitted { mount, who, response } = admitted;
        // A fresh socket takes a head's worth of bytes, or is no socket any more.
        if socket.write(&response).ok() != Some(response.len()) {
            return self.end(now, registry, id, "write failed");
        }
        socket.state = State::Open(who.user.clone());
        let (user, address) = (&who.user.person.id, socket.address);
        tracing::info!(%user, %address, agent, connection = id.slot, "client connected");
        self.seat.facts.shards[usize::from(self.seat.id.0)].came(&who.user);
        self.shard.handle(now, Input::Opened(id, Peer { who, mount }));
        if !rest.is_empty() {
            self.shard.handle(now, Input::Received(id, &mut rest));
        }
    }

    fn turn_away(&mut self, registry: &Registry, id: ConnectionId, response: &[u8], status: u16, why: &str) {
        let Some(mut socket) = self.sockets.remove(registry, id) else { return };
        tracing::warn!(address = %socket.address, status, why, "upgrade refused");
        // The answer is all there was to say; whether the peer reads it is its own affair.
        socket.write(response).ok();
        socket.finish();
    }

    /// Heads that took too long.
    fn end_greetings(&mut self, now: Now, registry: &Registry) {
        while let Some((since, id)) = self.greetings.front().copied()
            && since + self.seat.handshake <= now.tick
        {
            self.greetings.pop_front();
            let late = self.sockets.get(id).is_some_and(|socket| matches!(socket.state, State::Greeting(_)));
            if late {
                let response =
                    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                self.turn_away(registry, id, response, 408, "the request head took too long");
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
                let refused = turned(503, r#"{"error":"draining"}"#, "draining");
                self.turn_away(registry, id, &refused.response, refused.status, &refused.why);
            }
        }
        self.shard.handle(now, Input::Drain(window));
    }
}

/// EMFILE and ENFILE: no descriptors left, for this process or for the machine.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
