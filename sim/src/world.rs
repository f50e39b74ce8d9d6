//! The world of one run: virtual time, nodes, sockets, the engine, and one queue of everything that is going to happen.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use session::{Authenticated, Who};
use shard::Announcement;
use shard::Peer;
use vocabulary::{
    Call, CallId, CloseReason, ConnectionId, Failure, Now, Person, Revocation, RoomId, ShardId, Tick, User,
    UserId, Wall, Wish,
};
use websocket::{Compression, Decoder, Event as Frame, Inflater, Role, Window, frame};

use crate::engine::{Engine, LinkId};
use crate::network::Pipe;
use crate::node::{AtSocket, Node, name};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SocketId(pub usize);

#[derive(Debug)]
pub(crate) enum Event {
    Turn {
        node: usize,
        boot: u32,
        index: usize,
    },
    Question(LinkId),
    Answer(LinkId),
    EngineTick,
    ToServer(SocketId),
    ToClient(SocketId),
    /// A client whose socket was cut without a word notices.
    Notices(SocketId),
    /// The caller asked to be told.
    Reminder(u64),
}

/// What the caller of `step` is told.
#[derive(Debug, PartialEq, Eq)]
pub enum Happened {
    Heard(SocketId, String),
    /// The client's side is over, with the close code it was told, if any.
    Closed(SocketId, Option<u16>),
    Reminder(u64),
}

pub(crate) struct Socket {
    pub node: usize,
    pub connection: ConnectionId,
    up: Pipe,
    down: Pipe,
    decoder: Decoder,
    pub server_open: bool,
    pub client_open: bool,
    /// The line is dead and neither side was told.
    dead: bool,
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

pub struct World {
    pub now: Now,
    pub scenario: Scenario,
    pub tally: Tally,
    /// What nodes put down in their logs.
    pub failures: Vec<Failure>,
    pub(crate) random: Random,
    pub(crate) engine: Engine,
    pub(crate) nodes: Vec<Node>,
    pub(crate) sockets: Vec<Socket>,
    /// All clients', in turn.
    inflater: Inflater,
    pub(crate) spins: u32,
    queue: BTreeMap<(Tick, u64), Event>,
    serial: u64,
    next_node: u64,
    tracing: bool,
    happened: Vec<Happened>,
}

pub(crate) const START: Wall = Wall(1_767_261_600_000);
const ENGINE_LOOKS: Duration = Duration::from_millis(200);
const TRICKLE: Duration = Duration::from_millis(20);

impl World {
    pub fn new(scenario: Scenario, tracing: bool) -> World {
        let now = Now { tick: Tick(1_000_000_000), wall: START };
        let mut world = World {
            now,
            tally: Tally::default(),
            failures: Vec::new(),
            random: Random::new(scenario.seed),
            engine: Engine::new(&scenario),
            nodes: Vec::new(),
            sockets: Vec::new(),
            inflater: Inflater::default(),
            spins: 0,
            queue: BTreeMap::new(),
            serial: 0,
            next_node: 1,
            tracing,
            happened: Vec::new(),
            scenario,
        };
        for _ in 0..world.scenario.nodes {
            let node = world.start_node(1);
            world.nodes.push(node);
        }
        for node in 0..world.nodes.len() {
            world.wake_all(node);
        }
        world.at(now.tick, Event::EngineTick);
        world
    }

    pub fn trace(&self, line: impl FnOnce() -> String) {
        if self.tracing {
            println!("{:>12.6}  {}", (self.now.tick.0 - 1_000_000_000) as f64 / 1e9, line());
        }
    }

    pub(crate) fn at(&mut self, at: Tick, event: Event) {
        self.serial += 1;
        self.queue.insert((at.max(self.now.tick), self.serial), event);
    }

    pub fn remind(&mut self, at: Tick, token: u64) {
        self.at(at, Event::Reminder(token));
    }

    pub(crate) fn now_at(&self, node: usize) -> Now {
        let skew = self.nodes[node].skew_millis;
        Now { tick: self.now.tick, wall: Wall(self.now.wall.0 + skew) }
    }

    pub(crate) fn wake(&mut self, node: usize, index: usize, at: Tick) {
        let state = &mut self.nodes[node];
        if !state.up {
            return;
        }
        let at = at.max(self.now.tick).max(state.paused_until);
        let cell = &mut state.cells[index];
        if cell.turn_at.is_none_or(|planned| at < planned) {
            cell.turn_at = Some(at);
            let boot = state.boot;
            self.at(at, Event::Turn { node, boot, index });
        }
    }

    fn wake_all(&mut self, node: usize) {
        for index in 0..self.nodes[node].cells.len() {
            self.wake(node, index, self.now.tick);
        }
    }

    fn start_node(&mut self, boot: u32) -> Node {
        let number = self.next_node;
        self.next_node += 1;
        for index in 0..self.scenario.shards {
            self.engine.connect((number, ShardId(index)));
        }
        Node::start(self.now, &self.scenario, number, boot)
    }

    /// Takes the next step; nothing is left to happen only in a world without nodes.
    pub fn step(&mut self) -> Vec<Happened> {
        let Some(((at, _), event)) = self.queue.pop_first() else { return Vec::new() };
        let passed = at.since(self.now.tick);
        self.tally.virtual_time += passed;
        self.now = Now { tick: at, wall: Wall(START.0 + ((at.0 - 1_000_000_000) / 1_000_000) as i64) };
        self.tally.steps += 1;
        match event {
            Event::Turn { node, boot, index } => self.turn_event(at, node, boot, index),
            Event::Question(link) => {
                let World { engine, scenario, random, tally, now, .. } = self;
                let (_, woken) = engine.arrive(*now, link, scenario, random, tally);
                self.answers(woken);
            }
            Event::Answer(link) => {
                let found = self.nodes.iter().position(|node| node.number == link.0);
                if let Some(node) = found {
                    self.wake(node, usize::from(link.1.0), at);
                }
            }
            Event::EngineTick => {
                let World { engine, scenario, random, tally, now, .. } = self;
                let woken = engine.tick(*now, scenario, random, tally);
                self.answers(woken);
                self.at(at + ENGINE_LOOKS, Event::EngineTick);
            }
            Event::ToServer(socket) => self.server_reads(socket),
            Event::ToClient(socket) => self.client_reads(socket),
            Event::Notices(socket) => self.client_ends(socket),
            Event::Reminder(token) => self.happened.push(Happened::Reminder(token)),
        }
        std::mem::take(&mut self.happened)
    }

    fn turn_event(&mut self, at: Tick, node: usize, boot: u32, index: usize) {
        let state = &self.nodes[node];
        if !state.up || state.boot != boot || state.cells[index].turn_at != Some(at) {
            return;
        }
        if state.paused_until > at {
            let until = state.paused_until;
            self.nodes[node].cells[index].turn_at = None;
            return self.wake(node, index, until);
        }
        self.run_turn(node, index);
    }

    pub(crate) fn answers(&mut self, woken: Vec<(LinkId, Tick)>) {
        for (link, at) in woken {
            self.at(at, Event::Answer(link));
        }
    }

    /// Every node hears of it.
    pub(crate) fn revoke(&mut self, revocation: Revocation) {
        let revocation = Arc::new(revocation);
        for node in 0..self.nodes.len() {
            for cell in &mut self.nodes[node].cells {
                cell.sockets.push_back(AtSocket::Revoked(revocation.clone()));
            }
            self.wake_all(node);
        }
    }

    /// A back end asks at the first node, and waits for no answer.
    pub(crate) fn call(&mut self, room: RoomId, wish: Wish) {
        let shard = room.slice().home(self.scenario.shards);
        let call = Call { id: CallId { shard, number: 0 }, key: "orders".into(), room, wish };
        self.nodes[0].cells[usize::from(shard.0)].sockets.push_back(AtSocket::Called(call));
        self.wake_all(0);
    }

    /// One node's shards hear what the system's room has announced there.
    pub(crate) fn announced(&mut self, node: usize, announcement: &Announcement) {
        for cell in &mut self.nodes[node].cells {
            cell.sockets.push_back(AtSocket::Announced(announcement.clone()));
        }
        self.wake_all(node);
    }

    // Sockets, as clients see them.

    /// With a token that never ends.
    pub fn connect(&mut self, node: usize, user: &Arc<User>) -> Option<SocketId> {
        self.connect_as(node, Who::Known(known(user.clone(), Wall(i64::MAX))))
    }

    /// The upgrade is done and the client's first byte may go. Nothing if the node is not there.
    pub(crate) fn connect_as(&mut self, node: usize, who: Who) -> Option<SocketId> {
        if !self.nodes[node].up {
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
        cell.sockets.push_back(AtSocket::Opened(connection, Peer { who, mount: 0, compression }));
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

    fn network_delay(&mut self) -> Duration {
        let most = self.scenario.network_delay;
        self.random.between(most / 2, most * 3 / 2)
    }

    fn server_reads(&mut self, id: SocketId) {
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

    fn client_reads(&mut self, id: SocketId) {
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

    fn client_ends(&mut self, id: SocketId) {
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

    // Nodes.

    pub fn kill(&mut self, node: usize) {
        self.trace(|| format!("n{node} is killed"));
        let state = &mut self.nodes[node];
        state.up = false;
        let number = state.number;
        for index in 0..self.scenario.shards {
            self.engine.disconnect((number, ShardId(index)));
        }
        let gone: Vec<SocketId> = (0..self.sockets.len())
            .map(SocketId)
            .filter(|id| self.sockets[id.0].node == node && self.sockets[id.0].server_open)
            .collect();
        for id in gone {
            self.sockets[id.0].server_open = false;
            // Most learn of it by a reset, some by silence.
            let after =
                if self.random.per_mille(800) { self.network_delay() } else { self.random.millis(500, 4000) };
            self.sockets[id.0].dead = true;
            self.at(self.now.tick + after, Event::Notices(id));
        }
    }

    /// The killed node comes back as a new process.
    pub fn restart(&mut self, node: usize) {
        let boot = self.nodes[node].boot + 1;
        let skew_millis = self.nodes[node].skew_millis;
        self.nodes[node] = Node { skew_millis, ..self.start_node(boot) };
        self.trace(|| format!("n{node} is back"));
        self.wake_all(node);
    }

    pub fn pause(&mut self, node: usize, until: Tick) {
        self.trace(|| format!("n{node} pauses until {:.3}", (until.0 - 1_000_000_000) as f64 / 1e9));
        self.nodes[node].paused_until = until;
    }

    pub fn skew(&mut self, node: usize, millis: i64) {
        self.trace(|| format!("n{node}'s wall clock jumps to {millis} ms beside the true one"));
        self.nodes[node].skew_millis = millis;
    }

    pub(crate) fn partition(&mut self, node: usize, until: Tick) {
        self.trace(|| {
            format!("n{node} does not reach the engine until {:.3}", (until.0 - 1_000_000_000) as f64 / 1e9)
        });
        let number = self.nodes[node].number;
        for index in 0..self.scenario.shards {
            self.engine.partition((number, ShardId(index)), until);
        }
    }
}

/// A user as a verified token names one.
pub fn user(id: &str, name: &str, rooms: Option<Vec<&str>>) -> Arc<User> {
    user_as(id, name, None, rooms)
}

fn user_as(id: &str, name: &str, role: Option<&str>, rooms: Option<Vec<&str>>) -> Arc<User> {
    let person = Person { id: UserId::new(id), name: name.into() };
    let rooms = rooms.map(|rooms| rooms.into_iter().map(Arc::from).collect());
    Arc::new(User { person, role: role.map(Arc::from), rooms })
}

pub(crate) fn known(user: Arc<User>, expires: Wall) -> Authenticated {
    Authenticated { user, expires, issued: Wall(0), token: None }
}

/// Tokens of this world are plain words: `ana for 90 s`, and behind it what else it says, each at its place:
/// `ana for 90 s named Anita as staff allowed team-* general`.
pub(crate) fn prove(now: Wall, token: &str) -> Option<Authenticated> {
    let (id, rest) = token.split_once(" for ")?;
    let (rest, rooms) = both(rest, " allowed ");
    let (rest, role) = both(rest, " as ");
    let (span, name) = both(rest, " named ");
    let seconds = span.strip_suffix(" s")?.parse().ok()?;
    let usual = format!("{}{}", id.get(..1)?.to_uppercase(), &id[1..]);
    let rooms = rooms.map(|rooms| rooms.split(' ').collect());
    let user = user_as(id, name.unwrap_or(&usual), role, rooms);
    Some(known(user, now + Duration::from_secs(seconds)))
}

fn both<'a>(text: &'a str, between: &str) -> (&'a str, Option<&'a str>) {
    text.split_once(between).map_or((text, None), |(before, behind)| (before, Some(behind)))
}

impl World {
    pub(crate) fn unpause(&mut self, node: usize) {
        self.nodes[node].paused_until = Tick::default();
        for index in 0..self.nodes[node].cells.len() {
            self.nodes[node].cells[index].turn_at = None;
        }
        self.wake_all(node);
    }
}

impl World {
    pub fn node_of(&self, socket: SocketId) -> usize {
        self.sockets[socket.0].node
    }

    /// Whether the faults stopped that long ago.
    pub fn has_been_calm_for(&self, span: Duration) -> bool {
        self.now.tick.0 >= 1_000_000_000 + (self.scenario.chaos + span).as_nanos() as u64
    }
}
