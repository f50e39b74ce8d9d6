//! The door of a shard's thread: sockets come in, say what they want, and are let in, passed on or turned away.

use std::io;
use std::net::SocketAddr;
use std::sync::atomic::Ordering;
use std::time::Duration;

use mio::Registry;
use mio::net::TcpStream;
use shard::{Input, Peer};
use vocabulary::{ConnectionId, Now, ShardId};
use websocket::handshake::{Head, Reader, Upgrade};

use crate::greeting::{Admitted, Turned, turned};
use crate::http::Page;
use crate::mail::Control;
use crate::run::Thread;
use crate::sockets::{Greeting, State};

/// Sockets accepted in one turn: those who are here already wait their turn too.
const ACCEPTS_MAX: usize = 64;
/// Descriptors are used up: look again then, and do not spin meanwhile.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

impl Thread {
    pub(crate) fn accept(&mut self, now: Now, registry: &Registry) {
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
                return self.seat.mailboxes.tell(ShardId(other), Control::Socket(stream.into()));
            }
        }
        self.greet(now, registry, stream, address);
    }

    pub(crate) fn greet(&mut self, now: Now, registry: &Registry, stream: TcpStream, address: SocketAddr) {
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

    pub(crate) fn hear_greeting(&mut self, now: Now, registry: &Registry, id: ConnectionId, bytes: &[u8]) {
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

    fn admit(&self, upgrade: &Upgrade<'_>) -> Result<Admitted, Turned> {
        if self.draining {
            return Err(turned(503, "draining", "draining"));
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
        let Admitted { mount, who, compression, response } = admitted;
        // A fresh socket takes a head's worth of bytes, or is no socket any more.
        if socket.write(&response).ok() != Some(response.len()) {
            return self.end(now, registry, id, "write failed");
        }
        socket.state = State::Open(who.user.clone());
        let (user, address) = (&who.user.person.id, socket.address);
        tracing::info!(%user, %address, agent, connection = id.slot, "client connected");
        self.seat.facts.shards[usize::from(self.seat.id.0)].came(&who.user);
        self.shard.handle(now, Input::Opened(id, Peer { who, mount, compression }));
        if !rest.is_empty() {
            self.shard.handle(now, Input::Received(id, &mut rest));
        }
    }

    pub(crate) fn turn_away(
        &mut self,
        registry: &Registry,
        id: ConnectionId,
        response: &[u8],
        status: u16,
        why: &str,
    ) {
        let Some(mut socket) = self.sockets.remove(registry, id) else { return };
        tracing::warn!(address = %socket.address, status, why, "upgrade refused");
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
                self.turn_away(registry, id, response, 408, "the request head took too long");
            }
        }
    }
}

/// EMFILE and ENFILE: no descriptors left, for this process or for the machine.
fn is_exhausted(error: &io::Error) -> bool {
    matches!(error.raw_os_error(), Some(23 | 24))
}
