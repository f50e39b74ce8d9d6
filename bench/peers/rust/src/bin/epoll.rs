//! The physical floor: a bare epoll loop that sends one shared, already encoded frame to each member.
//!
//! `GATHER=1` collects what one turn of the loop produces for a room and sends it with one write a member.
//! No limits, no close handshake, no pings: nothing that a server needs and this measurement does not.

use std::collections::{BTreeMap, HashMap};
use std::io::{ErrorKind, Read, Result, Write};
use std::net::{TcpListener, TcpStream};

use base64::Engine as _;
use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};
use nix::sys::socket::{Backlog, listen};
use sha1::{Digest, Sha1};

const LISTENER: u64 = u64::MAX;
const NO_ROOM: u32 = u32::MAX;

struct Connection {
    stream: TcpStream,
    room: u32,
    upgraded: bool,
    partial: Vec<u8>,
    backlog: Vec<u8>,
}

/// What one turn has for one room: all frames in a row, and where each author's begin and end.
#[derive(Default)]
struct Gathered {
    frames: Vec<u8>,
    authors: Vec<(u32, usize, usize)>,
}

struct Server {
    epoll: Epoll,
    connections: Vec<Option<Connection>>,
    free: Vec<u32>,
    names: HashMap<Vec<u8>, u32>,
    members: Vec<Vec<u32>>,
    /// `Some` in gathering mode.
    dirty: Option<BTreeMap<u32, Gathered>>,
}

fn main() -> Result<()> {
    let listener = TcpListener::bind(kulkul_peers::address())?;
    listener.set_nonblocking(true)?;
    listen(&listener, Backlog::MAXCONN)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let gather = std::env::var_os("GATHER").is_some();
    let mut server = Server {
        epoll,
        connections: Vec::new(),
        free: Vec::new(),
        names: HashMap::new(),
        members: Vec::new(),
        dirty: gather.then(BTreeMap::new),
    };
    kulkul_peers::say_ready("bare epoll");

    let mut events = vec![EpollEvent::empty(); 1024];
    let mut scratch = vec![0; 256 * 1024];
    loop {
        let ready = match server.epoll.wait(&mut events, EpollTimeout::NONE) {
            Err(nix::Error::EINTR) => continue,
            other => other?,
        };
        for event in &events[..ready] {
            match u32::try_from(event.data()) {
                Err(_) => server.accept(&listener)?,
                Ok(id) => {
                    if event.events().contains(EpollFlags::EPOLLOUT) {
                        server.flush(id);
                    }
                    if event.events().intersects(EpollFlags::EPOLLIN | EpollFlags::EPOLLHUP) {
                        server.read(id, &mut scratch);
                    }
                }
            }
        }
        server.send_gathered();
    }
}

impl Server {
    fn accept(&mut self, listener: &TcpListener) -> Result<()> {
        loop {
            let stream = match listener.accept() {
                Ok((stream, _)) => stream,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(_) => continue,
            };
            stream.set_nonblocking(true)?;
            stream.set_nodelay(true)?;
            let id = self.free.pop().unwrap_or_else(|| {
                self.connections.push(None);
                (self.connections.len() - 1) as u32
            });
            self.epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, id.into()))?;
            let connection = Connection {
                stream,
                room: NO_ROOM,
                upgraded: false,
                partial: Vec::new(),
                backlog: Vec::new(),
            };
            self.connections[id as usize] = Some(connection);
        }
    }

    fn close(&mut self, id: u32) {
        let Some(connection) = self.connections[id as usize].take() else { return };
        if connection.room != NO_ROOM {
            self.members[connection.room as usize].retain(|member| *member != id);
        }
        self.free.push(id);
    }

    fn read(&mut self, id: u32, scratch: &mut [u8]) {
        let Some(connection) = &mut self.connections[id as usize] else { return };
        let held = connection.partial.len();
        scratch[..held].copy_from_slice(&connection.partial);
        connection.partial = Vec::new();
        let filled = match connection.stream.read(&mut scratch[held..]) {
            Ok(0) => return self.close(id),
            Ok(count) => held + count,
            Err(error) if error.kind() == ErrorKind::WouldBlock => held,
            Err(_) => return self.close(id),
        };
        let mut used = 0;
        while let Some(taken) = self.take(id, &mut scratch[used..filled]) {
            used += taken;
        }
        if let Some(connection) = &mut self.connections[id as usize] {
            connection.partial = scratch[used..filled].to_vec();
        }
    }

    /// One request or frame from the front of `bytes`; `None` if it is not complete or the connection is gone.
    fn take(&mut self, id: u32, bytes: &mut [u8]) -> Option<usize> {
        let connection = self.connections[id as usize].as_mut()?;
        if !connection.upgraded {
            let end = bytes.windows(4).position(|four| four == b"\r\n\r\n")? + 4;
            let accept = accept_key(&bytes[..end])?;
            connection.upgraded = true;
            let answer = format!(
                "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                 Sec-WebSocket-Accept: {accept}\r\n\r\n"
            );
            self.send(id, answer.as_bytes());
            return Some(end);
        }
        let (opcode, payload_at, payload_end) = frame_bounds(bytes)?;
        let (head, payload) = bytes[..payload_end].split_at_mut(payload_at);
        let mask = &head[payload_at - 4..];
        for (index, byte) in payload.iter_mut().enumerate() {
            *byte ^= mask[index % 4];
        }
        match opcode {
            8 => {
                self.close(id);
                return None;
            }
            1 | 2 if connection.room == NO_ROOM => self.join(id, payload),
            1 | 2 => self.publish(id, opcode, payload),
            _ => {}
        }
        Some(payload_end)
    }

    fn join(&mut self, id: u32, name: &[u8]) {
        let room = *self.names.entry(name.to_vec()).or_insert_with(|| {
            self.members.push(Vec::new());
            (self.members.len() - 1) as u32
        });
        self.members[room as usize].push(id);
        if let Some(connection) = &mut self.connections[id as usize] {
            connection.room = room;
        }
        self.send(id, &encode(1, b"+"));
    }

    fn publish(&mut self, author: u32, opcode: u8, payload: &[u8]) {
        let Some(room) = self.connections[author as usize].as_ref().map(|connection| connection.room) else {
            return;
        };
        let frame = encode(opcode, payload);
        if let Some(dirty) = &mut self.dirty {
            let gathered = dirty.entry(room).or_default();
            let start = gathered.frames.len();
            gathered.frames.extend_from_slice(&frame);
            gathered.authors.push((author, start, gathered.frames.len()));
            return;
        }
        let members = std::mem::take(&mut self.members[room as usize]);
        for member in &members {
            if *member != author {
                self.send(*member, &frame);
            }
        }
        self.members[room as usize] = members;
    }

    fn send_gathered(&mut self) {
        let Some(dirty) = &mut self.dirty else { return };
        for (room, gathered) in std::mem::take(dirty) {
            let members = std::mem::take(&mut self.members[room as usize]);
            for member in &members {
                if gathered.authors.iter().all(|(author, ..)| author != member) {
                    self.send(*member, &gathered.frames);
                    continue;
                }
                let others = gathered.authors.iter().filter(|(author, ..)| author != member);
                let bytes: Vec<u8> =
                    others.flat_map(|(_, from, to)| &gathered.frames[*from..*to]).copied().collect();
                if !bytes.is_empty() {
                    self.send(*member, &bytes);
                }
            }
            self.members[room as usize] = members;
        }
    }

    fn send(&mut self, id: u32, bytes: &[u8]) {
        let Some(connection) = &mut self.connections[id as usize] else { return };
        if !connection.backlog.is_empty() {
            connection.backlog.extend_from_slice(bytes);
            return;
        }
        // A broken socket is reported by its next read.
        let written = connection.stream.write(bytes).unwrap_or(0);
        if written < bytes.len() {
            connection.backlog.extend_from_slice(&bytes[written..]);
            self.watch(id, EpollFlags::EPOLLIN | EpollFlags::EPOLLOUT);
        }
    }

    fn flush(&mut self, id: u32) {
        let Some(connection) = &mut self.connections[id as usize] else { return };
        let written = connection.stream.write(&connection.backlog).unwrap_or(0);
        connection.backlog.drain(..written);
        if connection.backlog.is_empty() {
            connection.backlog = Vec::new();
            self.watch(id, EpollFlags::EPOLLIN);
        }
    }

    fn watch(&mut self, id: u32, flags: EpollFlags) {
        if let Some(connection) = &self.connections[id as usize] {
            // Fails only for a descriptor that is already gone.
            let _ = self.epoll.modify(&connection.stream, &mut EpollEvent::new(flags, id.into()));
        }
    }
}

fn accept_key(request: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(request).ok()?;
    let key = text.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("sec-websocket-key").then(|| value.trim())
    })?;
    let digest =
        Sha1::new().chain_update(key).chain_update("258EAFA5-E914-47DA-95CA-C5AB0DC85B11").finalize();
    Some(base64::engine::general_purpose::STANDARD.encode(digest))
}

/// Opcode, start and end of the payload of a masked frame.
fn frame_bounds(bytes: &[u8]) -> Option<(u8, usize, usize)> {
    let (first, second) = (*bytes.first()?, *bytes.get(1)?);
    let (length, at) = match second & 0x7f {
        126 => (u16::from_be_bytes(bytes.get(2..4)?.try_into().ok()?).into(), 4),
        127 => (u64::from_be_bytes(bytes.get(2..10)?.try_into().ok()?) as usize, 10),
        short => (short.into(), 2),
    };
    let end = at + 4 + length;
    (bytes.len() >= end).then_some((first & 0x0f, at + 4, end))
}

fn encode(opcode: u8, payload: &[u8]) -> Vec<u8> {
    let mut frame = Vec::with_capacity(payload.len() + 10);
    frame.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => frame.push(short as u8),
        middle @ 126..=0xffff => {
            frame.push(126);
            frame.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            frame.push(127);
            frame.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    frame.extend_from_slice(payload);
    frame
}
