//! A shard's sockets by slot. A slot that is used again has a new generation, so an event of the old socket means
//! nothing to the new one.

use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::sync::Arc;

use mio::event::Source;
use mio::net::TcpStream;
use mio::{Interest, Registry, Token};
use vocabulary::{ConnectionId, ShardId, User};
use websocket::handshake::Reader;

/// What has come of a request head.
pub(crate) struct Greeting {
    pub reader: Reader,
    pub head: Vec<u8>,
}

pub(crate) enum State {
    Greeting(Box<Greeting>),
    Open(Arc<User>),
}

pub(crate) struct Socket {
    stream: TcpStream,
    pub address: SocketAddr,
    pub state: State,
}

struct Slot {
    generation: u32,
    socket: Option<Socket>,
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
        address: SocketAddr,
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
        let place = &mut self.slots[slot as usize];
        place.generation = place.generation.wrapping_add(1);
        place.socket = Some(Socket { stream, address, state });
        Ok(ConnectionId { shard: self.shard, slot, generation: place.generation })
    }

    pub(crate) fn id(&self, token: Token) -> Option<ConnectionId> {
        let slot = self.slots.get(token.0)?;
        slot.socket.as_ref()?;
        Some(ConnectionId { shard: self.shard, slot: token.0 as u32, generation: slot.generation })
    }

    pub(crate) fn get(&mut self, id: ConnectionId) -> Option<&mut Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation == id.generation { slot.socket.as_mut() } else { None }
    }

    /// Ends the shard's hold on the socket; dropped, it closes.
    pub(crate) fn remove(&mut self, registry: &Registry, id: ConnectionId) -> Option<Socket> {
        let slot = self.slots.get_mut(id.slot as usize)?;
        if slot.generation != id.generation {
            return None;
        }
        let mut socket = slot.socket.take()?;
        self.free.push(id.slot);
        // A socket that cannot be deregistered is closed in the next moment, which does the same.
        socket.stream.deregister(registry).ok();
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
    /// Bytes read, none for "not now", or the end.
    pub(crate) fn read(&mut self, scratch: &mut [u8]) -> io::Result<Option<usize>> {
        loop {
            match self.stream.read(scratch) {
                Ok(bytes) => return Ok(Some(bytes)),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    pub(crate) fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        loop {
            match self.stream.write(bytes) {
                Ok(taken) => return Ok(taken),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(0),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
    }

    /// Says that nothing more will be written, so that what was written arrives before the close does.
    pub(crate) fn finish(&self) {
        // A peer that is gone already needs no goodbye.
        self.stream.shutdown(std::net::Shutdown::Write).ok();
    }

    pub(crate) fn into_stream(self) -> TcpStream {
        self.stream
    }
}
