//! Sockets as clients see them: pipes that delay, split, cut, die and stall, with a decoder at the client's end.

use std::sync::Arc;
use std::time::Duration;

use session::Who;
use shard::{Greeted, Peer};
use vocabulary::{CloseReason, ConnectionId, ShardId, Tick, User, Wall};
use websocket::{Compression, Decoder, Event as Frame, Role, Window, frame};

use super::tokens::known;
use super::{Event, Happened, SocketId, World};
use crate::network::Pipe;
use crate::node::{AtSocket, name};

pub(crate) struct Socket {
    pub node: usize,
    pub connection: ConnectionId,
    up: Pipe,
    down: Pipe,
    decoder: Decoder,
    pub server_open: bool,
    pub client_open: bool,
    /// The line is dead and neither side was told.
    pub(super) dead: bool,
    /// Does not read until then.
    stalled_until: Tick,
    /// Reads so many bytes every 20 ms; zero: all at once.
    trickle: usize,
    wants_writable: bool,
    close_code: Option<u16>,
    client_sent_close: bool,
    /// Why the shard closed it, if it did.
    closed_by_node: Option<CloseReason>,
}

const TRICKLE: Duration = Duration::from_millis(20);

impl World {
    /// With a token that never ends.
    pub fn connect(&mut self, node: usize, user: &Arc<User>) -> Option<SocketId> {
        self.connect_by(node, user, 0)
    }

    pub(crate) fn connect_by(&mut self, node: usize, user: &Arc<User>, mount: u8) -> Option<SocketId> {
        self.connect_as(node, Who::Known(known(user.clone(), Wall(i64::MAX))), mount)
    }

    /// By that mount. The upgrade is done and the client's first byte may go. Nothing if the node is not there.
    pub(crate) fn connect_as(&mut self, node: usize, who: Who, mount: u8) -> Option<SocketId> {
        if !self.nodes[node].up || self.nodes[node].draining {
            return None;
        }
        let id = SocketId(self.sockets.len());
        let index = self.random.index(self.nodes[node].cells.len());
        let cell = &mut self.nodes[node].cells[index];
        let slot = cell.slots.iter().position(|(held, _)| held.is_none()).unwrap_or(cell.slots.len());
        if slot == cell.slots.len() {
            cell.slots.push((None, 0));
        }
        let (held, generation) = &mut cell.slots[slot];
        *held = Some(id);
        *generation += 1;
        let connection =
            ConnectionId { shard: ShardId(index as u16), slot: slot as u32, generation: *generation };
        let compression = match self.random.index(3) {
            0 => Compression::Off,
            1 => Compression::Deflate(Window::MAX),
            _ => Window::from_bits(9).map_or(Compression::Off, Compression::Deflate),
        };
        let greeted = Greeted::WebSocket(compression);
        cell.sockets.push_back(AtSocket::Opened(connection, Peer { who, mount, greeted, room: None }));
        let limits = websocket::Limits { message_bytes_max: 4 << 20, fragments_max: 128 };
        let trickle = match self.random.per_mille(self.scenario.slow_readers) {
            true => self.random.pick(&[20, 100, 400]),
            false => 0,
        };
        if trickle > 0 {
            self.tally.fault("slow reader");
        }
        self.sockets.push(Socket {
            node,
            connection,
            up: Pipe::new(64 << 10),
            down: Pipe::new(self.scenario.socket_bytes),
            decoder: Decoder::new(Role::Client, limits, compression),
            server_open: true,
            client_open: true,
            dead: false,
            stalled_until: Tick::default(),
            trickle,
            wants_writable: false,
            close_code: None,
            client_sent_close: false,
            closed_by_node: None,
        });
        self.trace(|| format!("somebody connects to {} as {connection:?}", name(node, index)));
        self.wake(node, index, self.now.tick);
        Some(id)
    }

    pub fn is_open(&self, socket: SocketId) -> bool {
        self.sockets[socket.0].client_open
    }

    pub fn say(&mut self, socket: SocketId, text: &str) {
        self.client_writes(socket, frame::Opcode::Text, text.as_bytes());
    }

    pub(crate) fn client_writes(&mut self, id: SocketId, opcode: frame::Opcode, payload: &[u8]) {
        let mask = (self.random.draw() as u32).to_le_bytes();
        self.client_sends(id, &frame::masked(opcode, mask, payload));
    }

    pub(crate) fn client_sends(&mut self, id: SocketId, bytes: &[u8]) {
        let arrives = self.now.tick + self.network_delay();
        let socket = &mut self.sockets[id.0];
        if !socket.client_open || socket.dead {
            return;
        }
        let (_, at) = socket.up.write(bytes, arrives);
        self.at(at, Event::ToServer(id));
    }

    pub(super) fn network_delay(&mut self) -> Duration {
        let most = self.scenario.network_delay;
        self.random.between(most / 2, most * 3 / 2)
    }

    pub(super) fn server_reads(&mut self, id: SocketId) {
        let now = self.now.tick;
        let split = self.random.per_mille(self.scenario.split);
        let most = if split { 1 + self.random.index(40) } else { usize::MAX };
        let socket = &mut self.sockets[id.0];
        if !socket.server_open || socket.dead {
            return;
        }
        let (node, connection) = (socket.node, socket.connection);
        let bytes = socket.up.read(now, most);
        let ended = socket.up.is_empty() && socket.up.ended;
        let left = socket.up.next();
        let index = usize::from(connection.shard.0);
        let cell = &mut self.nodes[node].cells[index];
        if !bytes.is_empty() {
            cell.sockets.push_back(AtSocket::Received(connection, bytes));
        }
        if ended {
            self.sockets[id.0].server_open = false;
            cell.slots[connection.slot as usize].0 = None;
            cell.sockets.push_back(AtSocket::Ended(connection));
        } else if let Some(left) = left {
            let again = left.max(now + Duration::from_millis(1));
            self.at(again, Event::ToServer(id));
        }
        self.wake(node, index, now);
    }

    pub(crate) fn server_writes(&mut self, id: SocketId, bytes: &[u8]) -> usize {
        let arrives = self.now.tick + self.network_delay();
        let socket = &mut self.sockets[id.0];
        let (taken, at) = socket.down.write(bytes, arrives);
        if taken < bytes.len() {
            socket.wants_writable = true;
        }
        if taken > 0 {
            self.at(at, Event::ToClient(id));
        }
        taken
    }

    pub(crate) fn closed_by_node(&self, socket: SocketId) -> Option<CloseReason> {
        self.sockets[socket.0].closed_by_node
    }

    pub(crate) fn server_closes(
        &mut self,
        node: usize,
        index: usize,
        connection: ConnectionId,
        reason: CloseReason,
    ) {
        let slot = &mut self.nodes[node].cells[index].slots[connection.slot as usize];
        if slot.1 != connection.generation {
            return;
        }
        let Some(id) = slot.0.take() else { return };
        let arrives = self.now.tick + self.network_delay();
        let socket = &mut self.sockets[id.0];
        socket.server_open = false;
        socket.closed_by_node = Some(reason);
        let (_, at) = socket.down.write(&[], arrives);
        socket.down.ended = true;
        self.at(at, Event::ToClient(id));
    }

    pub(super) fn client_reads(&mut self, id: SocketId) {
        let now = self.now.tick;
        let split = self.random.per_mille(self.scenario.split);
        let most = if split { 1 + self.random.index(60) } else { usize::MAX };
        let socket = &mut self.sockets[id.0];
        if !socket.client_open || socket.dead {
            return;
        }
        if socket.stalled_until > now {
            let until = socket.stalled_until;
            return self.at(until, Event::ToClient(id));
        }
        let most = if socket.trickle > 0 { most.min(socket.trickle) } else { most };
        let mut bytes = socket.down.read(now, most);
        if socket.wants_writable && socket.server_open && socket.down.room() > 0 {
            socket.wants_writable = false;
            let (node, connection) = (socket.node, socket.connection);
            let index = usize::from(connection.shard.0);
            self.nodes[node].cells[index].sockets.push_back(AtSocket::Writable(connection));
            self.wake(node, index, now);
        }
        self.client_hears(id, &mut bytes);
        let socket = &mut self.sockets[id.0];
        if let Some(next) = socket.down.next() {
            let wait = if socket.trickle > 0 { TRICKLE } else { Duration::from_millis(1) };
            let again = next.max(now + wait);
            self.at(again, Event::ToClient(id));
        } else if socket.down.ended {
            self.client_ends(id);
        }
    }

    fn client_hears(&mut self, id: SocketId, bytes: &mut [u8]) {
        let socket = &mut self.sockets[id.0];
        let mut pongs = Vec::new();
        let mut close = None;
        for event in socket.decoder.feed(&mut self.inflater, bytes) {
            match event.expect("a server's frames are in order") {
                Frame::Text(text) => self.happened.push(Happened::Heard(id, text.into_owned())),
                Frame::Binary(_) => panic!("a binary frame from a server of text"),
                Frame::Ping(payload) => pongs.push(payload.into_owned()),
                Frame::Pong(_) => {}
                Frame::Close(said) => close = Some(said.map(|said| said.code)),
            }
        }
        for payload in pongs {
            self.client_writes(id, frame::Opcode::Pong, &payload);
        }
        if let Some(code) = close {
            let socket = &mut self.sockets[id.0];
            socket.close_code = code;
            if !std::mem::replace(&mut socket.client_sent_close, true) {
                let payload = code.map(|code| frame::close_payload(code, "")).unwrap_or_default();
                self.client_writes(id, frame::Opcode::Close, &payload);
            }
        }
    }

    pub(super) fn client_ends(&mut self, id: SocketId) {
        let socket = &mut self.sockets[id.0];
        if std::mem::replace(&mut socket.client_open, false) {
            let code = socket.close_code;
            self.happened.push(Happened::Closed(id, code));
        }
    }

    /// The client goes: with a close frame, or by ending the stream.
    pub fn hang_up(&mut self, id: SocketId, politely: bool) {
        if politely {
            self.client_writes(id, frame::Opcode::Close, &frame::close_payload(1000, ""));
        }
        let arrives = self.now.tick + self.network_delay();
        let socket = &mut self.sockets[id.0];
        let (_, at) = socket.up.write(&[], arrives);
        socket.up.ended = true;
        self.at(at, Event::ToServer(id));
        self.client_ends(id);
    }

    /// The client closes it in a while, and listens no more.
    pub(crate) fn hang_up_later(&mut self, id: SocketId, after: Duration) {
        self.at(self.now.tick + after, Event::HangsUp(id));
    }

    /// The line is cut: what is under way is lost, and both sides learn of it soon.
    pub fn cut(&mut self, id: SocketId) {
        let arrives = self.now.tick + self.network_delay();
        let socket = &mut self.sockets[id.0];
        socket.up.drop_all();
        socket.down.drop_all();
        socket.up.ended = true;
        socket.down.ended = true;
        self.at(arrives, Event::ToServer(id));
        self.client_ends(id);
    }

    /// The line is dead and nobody is told: the client notices after a while, the server by its own timers.
    pub fn deaden(&mut self, id: SocketId, client_notices: Duration) {
        let socket = &mut self.sockets[id.0];
        socket.up.drop_all();
        socket.down.drop_all();
        socket.dead = true;
        self.at(self.now.tick + client_notices, Event::Notices(id));
    }

    pub fn stall(&mut self, id: SocketId, span: Duration) {
        self.sockets[id.0].stalled_until = self.now.tick + span;
    }

    /// Everybody reads as fast as bytes come.
    pub fn quicken(&mut self) {
        for index in 0..self.sockets.len() {
            let socket = &mut self.sockets[index];
            socket.trickle = 0;
            socket.stalled_until = Tick::default();
            if socket.client_open && !socket.dead {
                self.at(self.now.tick, Event::ToClient(SocketId(index)));
            }
        }
    }
}
