//! A shard's sockets by slot. A slot that is used again has a new generation, so an event of the old socket means
//! nothing to the new one.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use mio::event::{Event, Source};
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use shard::Framing;
use vocabulary::{ConnectionId, ShardId, User};

use crate::census::Place;
use crate::greeting::Greeting;
use crate::lookout::SocketSeen;
use crate::secrecy::{Secrecy, Unsealed};

pub(crate) enum State {
    Greeting(Box<Greeting>),
    /// Somebody who was let in.
    Open {
        /// Once that is known.
        user: Option<Arc<User>>,
        framing: Framing,
        mount: u8,
    },
}

/// What the bytes travel in.
enum Wire {
    Plain(TcpStream),
    Secret(Box<(TcpStream, Secrecy)>),
}

pub(crate) struct Socket {
    wire: Wire,
    pub address: SocketAddr,
    pub state: State,
    pub place: Place,
    /// The peer will say nothing more. It was seen once and has no event of its own, so it is kept until the read that
    /// meets the end, however late that comes.
    peer_closed: bool,
    /// The last write was not taken whole: the next readiness is news.
    blocked: bool,
    /// Nothing more is to be written but what waits sealed.
    finishing: bool,
}

/// What a read brought.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Heard {
    /// So many bytes. `more`: another read would bring something at once, be it the end.
    Bytes {
        count: usize,
        more: bool,
    },
    NotNow,
    End,
}

struct Slot {
    generation: u32,
    /// By itself, because the list of slots grows by doubling.
    socket: Option<Box<Socket>>,
}

pub(crate) struct Sockets {
    shard: ShardId,
    slots: Vec<Slot>,
    free: Vec<u32>,
}

impl Sockets {
    pub(crate) fn new(shard: ShardId) -> Sockets {
        Sockets { shard, slots: Vec::new(), free: Vec::new() }
    }

    pub(crate) fn insert(
        &mut self,
        registry: &Registry,
        mut stream: TcpStream,
        secrecy: Option<Secrecy>,
        (address, place): (SocketAddr, Place),
        state: State,
    ) -> io::Result<ConnectionId> {
        let slot = match self.free.pop() {
            Some(slot) => slot,
            None => {
                self.slots.push(Slot { generation: 0, socket: None });
                self.slots.len() as u32 - 1
            }
        };
        // Both at once: edges come with what happens anyway, and nothing has to be registered again later.
        let registered =
            stream.register(registry, Token(slot as usize), Interest::READABLE | Interest::WRITABLE);
        if let Err(error) = registered {
            self.free.push(slot);
            return Err(error);
        }
        let slot_of = &mut self.slots[slot as usize];
        slot_of.generation = slot_of.generation.wrapping_add(1);
        let wire = match secrecy {
            None => Wire::Plain(stream),
            Some(secrecy) => Wire::Secret(Box::new((stream, secrecy))),
        };
        let (peer_closed, blocked, finishing) = (false, false, false);
        slot_of.socket =
            Some(Box::new(Socket { wire, address, state, place, peer_closed, blocked, finishing }));
        Ok(ConnectionId { shard: self.shard, slot, generation: slot_of.generation })
    }

    pub(crate) fn id(&self, token: Token) -> Option<ConnectionId> {
        let slot = self.slots.get(token.0)?;
        slot.socket.as_ref()?;
        Some(ConnectionId { shard: self.shard, slot: token.0 as u32, generation: slot.generation })
    }

    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.socket.as_deref_mut() } else { None }
    }

    /// Ends the shard's hold on the socket; dropped, it closes.
    pub(crate) fn remove(&mut self, registry: &Registry, id: ConnectionId) -> Option<Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let mut socket = *slot.socket.take()?;
        self.free.push(id.slot);
        // A socket that cannot be deregistered is closed in the next moment, which does the same.
        socket.stream().deregister(registry).ok();
        Some(socket)
    }

    pub(crate) fn len(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    pub(crate) fn ids(&self) -> Vec<ConnectionId> {
        (0..self.slots.len()).filter_map(|slot| self.id(Token(slot))).collect()
    }
}

impl Socket {
    pub(crate) fn note(&mut self, event: &Event) {
        self.peer_closed |= event.is_read_closed();
    }

    /// Whether it takes bytes again after it did not. A socket that has something to read is called writable too.
    pub(crate) fn unblocks(&mut self, event: &Event) -> bool {
        if !event.is_writable() || !self.blocked {
            return false;
        }
        // What was taken from the outbox as a secret goes first. A failure shows again at the next write.
        let sealed = match &mut self.wire {
            Wire::Plain(_) => true,
            Wire::Secret(wire) => wire.1.flush(&mut wire.0).unwrap_or(true),
        };
        self.blocked = !sealed;
        if sealed && self.finishing {
            self.shut();
        }
        sealed
    }

    fn stream(&mut self) -> &mut TcpStream {
        match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Secret(wire) => &mut wire.0,
        }
    }

    /// One read, so that no socket keeps the others waiting.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Heard> {
        let stream = match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Secret(wire) => {
                let unsealed = wire.1.read(&mut wire.0, scratch)?;
                // What the handshake could not write yet goes out with the next readiness.
                self.blocked |= wire.1.has_more();
                return Ok(match unsealed {
                    Unsealed { bytes: 0, ended: true, .. } => Heard::End,
                    // There is more that nothing will tell of: the kernel has it, or its end came with what was read.
                    Unsealed { bytes: 0, more, .. } if more || self.peer_closed => {
                        Heard::Bytes { count: 0, more: true }
                    }
                    Unsealed { bytes: 0, .. } => Heard::NotNow,
                    Unsealed { bytes, more, ended } => {
                        Heard::Bytes { count: bytes, more: more || ended || self.peer_closed }
                    }
                });
            }
        };
        loop {
            match stream.read(scratch) {
                Ok(0) => return Ok(Heard::End),
                Ok(count) => {
                    let more = count == scratch.len() || self.peer_closed;
                    return Ok(Heard::Bytes { count, more });
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Heard::NotNow),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let stream = match &mut self.wire {
            Wire::Plain(stream) => stream,
            Wire::Secret(wire) => {
                let taken = wire.1.write(&mut wire.0, bytes)?;
                self.blocked = wire.1.has_more();
                return Ok(taken);
            }
        };
        loop {
            match stream.write(bytes) {
                Ok(taken) => {
                    self.blocked = taken < bytes.len();
                    return Ok(taken);
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    self.blocked = true;
                    return Ok(0);
                }
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Something that was to be written before is not.
    pub(crate) fn is_blocked(&self) -> bool {
        self.blocked
    }

    /// Who takes nothing for so long is gone, and their end comes as one of a socket.
    pub(crate) fn gives_up_after(&mut self, span: Duration) {
        let stream = socket2::SockRef::from(&*self.stream());
        // Without it, it takes as long as the kernel likes.
        if let Err(error) = stream.set_tcp_user_timeout(Some(span)) {
            tracing::debug!(%error, "a socket's time to give up cannot be set");
        }
    }

    /// Says that nothing more will be written, so that what was written arrives before the close does.
    pub(crate) fn finish(&mut self) {
        if let Wire::Secret(wire) = &mut self.wire {
            wire.1.finish(&mut wire.0);
            // What was taken from the outbox goes first, as it would from the kernel's buffer.
            if wire.1.has_more() {
                self.finishing = true;
                self.blocked = true;
                return;
            }
        }
        self.shut();
    }

    fn shut(&mut self) {
        // A peer that is gone already needs no goodbye.
        self.stream().shutdown(std::net::Shutdown::Write).ok();
    }

    pub(crate) fn seen(&self) -> SocketSeen {
        SocketSeen { address: self.address, tls: matches!(self.wire, Wire::Secret(_)) }
    }

    pub(crate) fn into_parts(self) -> (TcpStream, Option<Secrecy>, Place) {
        match self.wire {
            Wire::Plain(stream) => (stream, None, self.place),
            Wire::Secret(wire) => (wire.0, Some(wire.1), self.place),
        }
    }
}

#[cfg(test)]
mod tests {
    use mio::{Events, Poll};

    use super::*;

    /// A socket of a shard that has no time for it yet, and its peer.
    fn accepted(poll: &Poll) -> (Sockets, ConnectionId, std::net::TcpStream) {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let peer = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("listening");
        let (stream, address) = listener.accept().expect("connected");
        stream.set_nonblocking(true).expect("it is a socket");
        let mut sockets = Sockets::new(ShardId(0));
        let (stream, state) = (TcpStream::from_std(stream), State::Greeting(Box::new(Greeting::new(false))));
        let place = Place::nowhere(Default::default());
        let id = sockets.insert(poll.registry(), stream, None, (address, place), state).expect("watched");
        (sockets, id, peer)
    }

    /// Events are noted, and nothing is read.
    fn note_until_closed(poll: &mut Poll, sockets: &mut Sockets, id: ConnectionId) {
        let mut events = Events::with_capacity(8);
        while !sockets.get(id).expect("open").peer_closed {
            poll.poll(&mut events, None).expect("events come");
            for event in &events {
                sockets.get(id).expect("open").note(event);
            }
        }
    }

    #[test]
    fn an_end_that_was_seen_while_nothing_could_be_read_is_met_behind_the_bytes() {
        let mut poll = Poll::new().expect("a poll");
        let (mut sockets, id, mut peer) = accepted(&poll);
        peer.write_all(b"last words").expect("taken");
        peer.shutdown(std::net::Shutdown::Write).expect("open until now");
        note_until_closed(&mut poll, &mut sockets, id);
        let socket = sockets.get(id).expect("open");
        let mut scratch = [0; 64];
        let heard = socket.read(&mut scratch).expect("a read");
        assert_eq!(heard, Heard::Bytes { count: 10, more: true }, "no event will tell of the end again");
        assert_eq!(socket.read(&mut scratch).expect("a read"), Heard::End);
    }

    #[test]
    fn a_peer_that_may_go_on_is_read_again_only_when_there_was_more_than_one_read_takes() {
        let mut poll = Poll::new().expect("a poll");
        let (mut sockets, id, mut peer) = accepted(&poll);
        peer.write_all(b"four").expect("taken");
        let mut events = Events::with_capacity(8);
        while !events.iter().any(Event::is_readable) {
            poll.poll(&mut events, None).expect("events come");
        }
        let socket = sockets.get(id).expect("open");
        let mut scratch = [0; 2];
        assert_eq!(socket.read(&mut scratch).expect("a read"), Heard::Bytes { count: 2, more: true });
        let mut scratch = [0; 64];
        assert_eq!(socket.read(&mut scratch).expect("a read"), Heard::Bytes { count: 2, more: false });
        assert_eq!(socket.read(&mut scratch).expect("a read"), Heard::NotNow);
    }
}
