//! The door of a shard's thread: sockets come in, say what they want, and are let in, passed on or turned away.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use mio::Registry;
use mio::net::TcpStream;
use session::Who;
use shard::{Input, Peer};
use vocabulary::{ConnectionId, Now, ShardId};
use websocket::handshake::{Head, Upgrade};

use crate::addresses;
use crate::census::{Place, Share};
use crate::doorway::{Hope, Waiting};
use shard::Pressure;

use crate::facts::DoorCounts;
use crate::gate::{Admitted, Gate, Turned, turned};
use crate::http::Page;
use crate::keeper::{Rounds, Sources};
use crate::run::Thread;
use crate::sockets::{Greeting, State};
use crate::tls::Tls;

/// Sockets accepted in one turn: those who are here already wait their turn too.
pub(crate) const ACCEPTS_MAX: usize = 64;
/// A head, and what a client may say before it knows that it is let in.
const WAITING_BYTES_MAX: usize = 16 << 10;
/// When memory is short: enough to tell newcomers so, and for whoever asks how we are.
const GREETINGS_WHEN_SHORT: usize = 64;
/// Descriptors are used up: look again then, and do not spin meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Thread {
    fn count(&self, figure: impl Fn(&DoorCounts) -> &AtomicU64) {
        figure(&self.seat.facts.shards[usize::from(self.seat.id.0)].door).fetch_add(1, Ordering::Relaxed);
    }

    pub(crate) fn accept(&mut self, now: Now, registry: &Registry) {
        self.accept_from = Some(now.tick);
        for _ in 0..ACCEPTS_MAX {
            let per_second = self.doorway.gate.crowd.accepts_per_second;
            if per_second > 0 && self.too_fast(now, per_second) {
                return;
            }
            let Some(listener) = &self.listener else {
                self.accept_from = None;
                return;
            };
            match listener.accept() {
                Ok((stream, address)) => {
                    self.count(|counts| &counts.accepted);
                    self.accepted(now, registry, stream, address);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.accept_from = None;
                    return;
                }
                Err(error) if is_exhausted(&error) => {
                    self.count(|counts| &counts.out_of_descriptors);
                    if let Some(times) = self.exhausted.happened(now.tick) {
                        tracing::warn!(%error, times, "Failed to accept: out of descriptors, trying again");
                    }
                    self.accept_from = Some(now.tick + ACCEPT_PAUSE);
                    return;
                }
                // The peer went before we came; the next one waits.
                Err(error) => tracing::debug!(%error, "Failed to accept"),
            }
        }
    }

    /// This thread's share of the accepts of a second is used up: the others wait in the kernel's queue.
    fn too_fast(&mut self, now: Now, per_second: u32) -> bool {
        let spacing = Duration::from_secs(1) * u32::from(self.seat.shards) / per_second;
        // A tenth of a second's share at once, so that a quiet node answers a few without delay.
        let Err(wait) = self.accepting.take(now.tick, spacing, (per_second / 10).max(1)) else {
            return false;
        };
        self.accept_from = Some(now.tick + wait);
        true
    }

    /// To the less loaded of two shards, before its first byte; from then on it stays there.
    fn accepted(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        let shards = self.seat.shards;
        if shards > 1 {
            let load = |shard: u16| {
                let facts = &self.seat.facts.shards[usize::from(shard)];
                facts.connections.load(Ordering::Relaxed)
            };
            // The port is as good as a die, and costs nothing.
            let other = (self.seat.id.0 + 1 + address.port() % (shards - 1)) % shards;
            if load(other) < load(self.seat.id.0) {
                match self.seat.mailboxes.hand(ShardId(other), stream.into()) {
                    Ok(()) => return,
                    Err(stream) => return self.greet(now, registry, TcpStream::from_std(stream), address),
                }
            }
        }
        self.greet(now, registry, stream, address);
    }

    pub(crate) fn greet(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
        // A flood of strangers costs a descriptor each for a moment, and no memory of ours.
        let short = self.seat.facts.pressure() >= Pressure::NoNewcomers;
        let most = self.doorway.gate.crowd.greetings_max;
        if self.strangers >= if short { most.min(GREETINGS_WHEN_SHORT) } else { most } {
            if let Some(times) = self.crowded.happened(now.tick) {
                tracing::warn!(%address, times, "too many handshakes are under way, a socket was turned away");
            }
            self.count(|counts| &counts.turned_away);
            return;
        }
        let secrecy = match self.seat.tls.as_ref().map(Tls::session).transpose() {
            Ok(secrecy) => secrecy,
            Err(error) => return tracing::error!(%error, "a TLS session could not be made"),
        };
        let place = Place::nowhere(self.doorway.census.clone());
        let state = State::Greeting(Box::default());
        match self.sockets.insert(registry, stream, secrecy, (address, place), state) {
            Ok(id) => {
                self.strangers += 1;
                if self.take_address(id, address.ip()) == Share::Exceeded {
                    return self.turn_away(now, registry, id, &[], 429, "too many of its address");
                }
                self.greetings.push_back((now.tick, id));
                // The head is usually there already.
                self.read(now, registry, id);
            }
            Err(error) => tracing::warn!(%error, %address, "a socket could not be watched"),
        }
    }

    pub(crate) fn hear_greeting(&mut self, now: Now, registry: &Registry, id: ConnectionId, bytes: &[u8]) {
        let Some(socket) = self.sockets.get(id) else { return };
        let State::Greeting(greeting) = &mut socket.state else { return };
        greeting.head.extend_from_slice(bytes);
        // What comes while it waits for keys stands behind the head, and is bounded like one.
        if !greeting.awaits.is_empty() {
            if greeting.head.len() > WAITING_BYTES_MAX {
                self.end(now, registry, id, "said too much before it was let in");
            }
            return;
        }
        self.read_head(now, registry, id, Hope::All);
    }

    pub(crate) fn read_head(&mut self, now: Now, registry: &Registry, id: ConnectionId, hope: Hope) {
        let Some(socket) = self.sockets.get(id) else { return };
        let State::Greeting(greeting) = &mut socket.state else { return };
        let Greeting { mut reader, head, too_many, .. } = std::mem::take(&mut **greeting);
        match reader.read(&head) {
            Head::Incomplete => {
                **greeting = Greeting { reader, head, too_many, awaits: Sources::default() };
            }
            _ if too_many => {
                let refused =
                    turned(429, "too many connections from your address", "too many of its address");
                self.turn_away(now, registry, id, &refused.response, refused.status, &refused.why);
            }
            Head::NotAnUpgrade(_) => {
                let address = socket.address;
                let Some(socket) = self.sockets.remove(registry, id) else { return };
                self.strangers -= 1;
                let (stream, secrecy, place) = socket.into_parts();
                let stream = std::net::TcpStream::from(stream);
                self.seat.pages.send(Page { stream, secrecy, place, head, address });
            }
            Head::Refused(refusal) => {
                let (status, words) = (refusal.status(), refusal.words());
                self.turn_away(now, registry, id, &refusal.response(), status, words);
            }
            Head::Upgrade(upgrade) => match self.admit(now, id, &upgrade) {
                Ok(admitted) => {
                    let agent = upgrade.request.values("user-agent").next().map(String::from_utf8_lossy);
                    let agent = agent.unwrap_or_default().chars().take(200).collect::<String>();
                    let rest = head[upgrade.request.head_bytes..].to_vec();
                    self.open(now, registry, id, admitted, &agent, rest);
                }
                Err(refused) => {
                    let awaits =
                        if refused.unknown_key { self.doorway.asked(hope) } else { Sources::default() };
                    if !awaits.is_empty() {
                        return self.wait_for_keys(id, head, awaits);
                    }
                    self.turn_away(now, registry, id, &refused.response, refused.status, &refused.why)
                }
            },
        }
    }

    fn admit(&mut self, now: Now, id: ConnectionId, upgrade: &Upgrade<'_>) -> Result<Admitted, Turned> {
        if self.draining {
            return Err(turned(503, "draining", "draining"));
        }
        if self.seat.facts.pressure() >= Pressure::NoNewcomers {
            return Err(turned(503, "out of memory for more connections", "overloaded"));
        }
        let peer = self.sockets.get(id).map(|socket| socket.address.ip());
        let client =
            peer.map(|peer| addresses::of_client(peer, &upgrade.request, &self.doorway.gate.trusted));
        if let (true, Some(client)) = (client != peer, client)
            && self.take_address(id, client) != Share::Free
        {
            let words = "too many connections from your address";
            return Err(turned(429, words, "too many of its address"));
        }
        let admitted = self.doorway.gate.admit(now.wall, upgrade)?;
        let most = self.doorway.gate.crowd.connections_per_user;
        if let (Who::Known(who), Some(socket)) = (&admitted.who, self.sockets.get(id))
            && !socket.place.take_user(&who.user.person.id, most)
        {
            return Err(turned(429, "too many connections of this user", "too many of its user"));
        }
        Ok(admitted)
    }

    /// Counts the socket among those of the address.
    fn take_address(&mut self, id: ConnectionId, address: IpAddr) -> Share {
        let gate = &self.doorway.gate;
        let Some(socket) = self.sockets.get(id) else { return Share::Exceeded };
        // A proxy is many clients; whom it speaks for is known with the head.
        let free = gate.crowd.exempt.iter().chain(&gate.trusted).any(|network| network.has(address));
        let share = if free {
            socket.place.leave_address();
            Share::Free
        } else {
            socket.place.take_address(address, gate.crowd.connections_per_address)
        };
        socket.address.set_ip(address);
        if let State::Greeting(greeting) = &mut socket.state {
            greeting.too_many = share != Share::Free;
        }
        share
    }

    fn wait_for_keys(&mut self, id: ConnectionId, head: Vec<u8>, awaits: Sources) {
        if let Some(socket) = self.sockets.get(id)
            && let State::Greeting(greeting) = &mut socket.state
        {
            **greeting = Greeting { head, awaits, ..Greeting::default() };
            self.hopeful.push(id);
        }
    }

    /// Keys, mounts or limits have changed. Whoever waited for news that come with it is looked at once more.
    pub(crate) fn gate_changes(&mut self, now: Now, registry: &Registry, gate: Arc<Gate>, rounds: &Rounds) {
        let news = self.doorway.changes(gate, rounds);
        if news.is_empty() {
            return;
        }
        for Waiting { connection, tag, token, awaits } in self.doorway.waited_for(news) {
            let Some(socket) = self.sockets.get(connection) else { continue };
            let facts = &self.seat.facts.shards[usize::from(self.seat.id.0)];
            let (said, hope) = ((connection, &tag, token), Hope::Left(awaits.without(news)));
            if let Some(proven) = self.doorway.prove(now, socket, said, hope, facts) {
                self.shard.handle(now, Input::Proven(connection, tag, proven));
            }
        }
        for id in std::mem::take(&mut self.hopeful) {
            let Some(socket) = self.sockets.get(id) else { continue };
            let State::Greeting(greeting) = &socket.state else { continue };
            let left = greeting.awaits.without(news);
            if left == greeting.awaits {
                self.hopeful.push(id);
            } else {
                self.read_head(now, registry, id, Hope::Left(left));
            }
        }
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
        let Admitted { mount, who, compression, response } = admitted;
        // A fresh socket takes a head's worth of bytes, or is no socket any more.
        if socket.write(&response).ok() != Some(response.len()) {
            return self.end(now, registry, id, "write failed");
        }
        self.strangers -= 1;
        let known = match &who {
            Who::Known(who) => Some(who.user.clone()),
            Who::Stranger => None,
        };
        let (user, address) = (known.as_ref().map(|user| &user.person.id), socket.address);
        tracing::info!(user = user.map(display), %address, agent, connection = id.slot, "client connected");
        if let Some(user) = &known {
            self.seat.facts.shards[usize::from(self.seat.id.0)].came(user);
        }
        socket.state = State::Open(known);
        self.shard.handle(now, Input::Opened(id, Peer { who, mount, compression }));
        if !rest.is_empty() {
            self.shard.handle(now, Input::Received(id, &mut rest));
        }
    }

    pub(crate) fn turn_away(
        &mut self,
        now: Now,
        registry: &Registry,
        id: ConnectionId,
        response: &[u8],
        status: u16,
        why: &str,
    ) {
        let Some(mut socket) = self.sockets.remove(registry, id) else { return };
        self.strangers -= 1;
        self.count(|counts| &counts.turned_away);
        if let Some(times) = self.refusals.happened(now.tick) {
            tracing::warn!(address = %socket.address, status, why, times, "upgrade refused");
        }
        // The answer is all there was to say; whether the peer reads it is its own affair.
        socket.write(response).ok();
        socket.finish();
    }

    /// Heads that took too long.
    pub(crate) fn end_greetings(&mut self, now: Now, registry: &Registry) {
        while let Some((since, id)) = self.greetings.front().copied()
            && since + self.seat.handshake <= now.tick
        {
            self.greetings.pop_front();
            let late = self.sockets.get(id).is_some_and(|socket| matches!(socket.state, State::Greeting(_)));
            if late {
                let response =
                    b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n";
                self.turn_away(now, registry, id, response, 408, "the request head took too long");
            }
        }
    }
}

/// EMFILE and ENFILE: no descriptors left, for this process or for the machine.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
