//! The world of one run: virtual time, nodes, sockets, the engine, and one queue of everything that is going to happen.

mod sockets;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use shard::Announcement;
use vocabulary::{By, Call, CallId, Failure, Now, Revocation, RoomId, ShardId, Tick, Told, Wall, Wish};
use websocket::Inflater;

use crate::engine::{Cut, Engine, LinkId, Way};
use crate::mutant::Mutant;
use crate::node::{AtSocket, Disturbed, Node};
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;
use sockets::Socket;
pub use tokens::user;
pub(crate) use tokens::{prove, user_as};

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
    HangsUp(SocketId),
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
    /// A call was answered.
    Told(u64, Told),
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
    pub(crate) happened: Vec<Happened>,
}

/// When a run begins, by the clock that never jumps and by the one on the wall.
pub(crate) const BEGIN: Tick = Tick(1_000_000_000);
pub(crate) const START: Wall = Wall(1_767_261_600_000);
const ENGINE_LOOKS: Duration = Duration::from_millis(200);

impl World {
    pub fn new(scenario: Scenario, tracing: bool) -> World {
        let now = Now { tick: BEGIN, wall: START };
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
                let now = self.now;
                let (engine, way) = self.way();
                let (_, woken) = engine.arrive(now, link, way);
                self.answers(woken);
            }
            Event::Answer(link) => {
                let found = self.nodes.iter().position(|node| node.number == link.0);
                if let Some(node) = found {
                    self.wake(node, usize::from(link.1.0), at);
                }
            }
            Event::EngineTick => {
                let now = self.now;
                let (engine, way) = self.way();
                let woken = engine.tick(now, way);
                self.answers(woken);
                self.at(at + ENGINE_LOOKS, Event::EngineTick);
            }
            Event::ToServer(socket) => self.server_reads(socket),
            Event::ToClient(socket) => self.client_reads(socket),
            Event::Notices(socket) => self.client_ends(socket),
            Event::HangsUp(socket) => self.hang_up(socket, false),
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

    /// A back end asks, and is told under this number. Whether the node is there.
    pub(crate) fn call(&mut self, node: usize, number: u64, key: &str, room: RoomId, wish: Wish) -> bool {
        if !self.nodes[node].up {
            return false;
        }
        let shard = room.slice().home(self.scenario.shards);
        let call = Call { id: CallId { shard, number }, by: By::Key(key.into()), room, wish };
        self.nodes[node].cells[usize::from(shard.0)].sockets.push_back(AtSocket::Called(call));
        self.wake_all(node);
        true
    }

    /// One node's shards hear what the system's room has announced there.
    pub(crate) fn announced(&mut self, node: usize, announcement: &Announcement) {
        for cell in &mut self.nodes[node].cells {
            cell.sockets.push_back(AtSocket::Announced(announcement.clone()));
        }
        self.wake_all(node);
    }

    pub fn kill(&mut self, node: usize) {
        if !self.nodes[node].up {
            return;
        }
        self.trace(|| format!("n{node} is killed"));
        let state = &mut self.nodes[node];
        state.up = false;
        state.disturbed.add(self.now.tick, Tick(u64::MAX));
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
            let after = if self.random.per_mille(800) {
                self.network_delay()
            } else {
                self.random.between(self.scenario.notices / 8, self.scenario.notices)
            };
            self.sockets[id.0].dead = true;
            self.at(self.now.tick + after, Event::Notices(id));
        }
    }

    /// The killed node comes back as a new process.
    pub fn restart(&mut self, node: usize) {
        let boot = self.nodes[node].boot + 1;
        let skew_millis = self.nodes[node].skew_millis;
        let disturbed = Disturbed { until: self.now.tick, ..self.nodes[node].disturbed };
        self.nodes[node] = Node { skew_millis, disturbed, ..self.start_node(boot) };
        self.trace(|| format!("n{node} is back"));
        self.wake_all(node);
    }

    pub fn pause(&mut self, node: usize, until: Tick) {
        self.trace(|| format!("n{node} pauses until {:.3}", (until.0 - 1_000_000_000) as f64 / 1e9));
        let state = &mut self.nodes[node];
        state.paused_until = until;
        state.slept_until = until;
        state.disturbed.add(self.now.tick, until);
    }

    pub fn skew(&mut self, node: usize, millis: i64) {
        self.trace(|| format!("n{node}'s wall clock jumps to {millis} ms beside the true one"));
        self.nodes[node].skew_millis = millis;
    }

    /// A node and the engine hear less of each other, or nothing.
    pub(crate) fn cut_off(&mut self, node: usize, cut: Cut, until: Tick) {
        self.trace(|| {
            let until = (until.0 - 1_000_000_000) as f64 / 1e9;
            format!("between n{node} and the engine {cut:?} get lost until {until:.3}")
        });
        let number = self.nodes[node].number;
        for index in 0..self.scenario.shards {
            self.engine.cut((number, ShardId(index)), cut, until);
        }
        let disturbed = &mut self.nodes[node].disturbed;
        disturbed.add(self.now.tick, until);
        if cut != Cut::Answers {
            disturbed.held_until = until.max(disturbed.held_until);
        }
        if self.scenario.mutant == Some(Mutant::CutTakesSockets) {
            let here = (0..self.sockets.len()).map(SocketId).filter(|id| self.sockets[id.0].node == node);
            here.collect::<Vec<_>>().into_iter().for_each(|id| self.cut(id));
        }
    }

    /// The engine is away from everybody.
    pub(crate) fn leave(&mut self, span: Duration, restarts: bool) {
        let what = if restarts { "restarts" } else { "is away" };
        self.trace(|| format!("the engine {what} for {:.3} s", span.as_secs_f64()));
        self.engine.leave_until(self.now.tick + span, restarts);
    }

    /// The engine, and what its links draw on.
    pub(crate) fn way(&mut self) -> (&mut Engine, Way<'_>) {
        let World { engine, scenario, random, tally, .. } = self;
        (engine, Way { scenario, random, tally, faultless: false })
    }

    /// Says goodbye to everybody within the window, and takes nobody in; the caller ends the process.
    pub(crate) fn drain(&mut self, node: usize, window: Duration) {
        self.trace(|| format!("n{node} drains"));
        self.nodes[node].draining = true;
        let window = if self.scenario.mutant == Some(Mutant::DrainInHaste) { window / 10 } else { window };
        for cell in &mut self.nodes[node].cells {
            cell.sockets.push_back(AtSocket::Drain(window));
        }
        self.wake_all(node);
    }

    pub(crate) fn unpause(&mut self, node: usize) {
        let now = self.now.tick;
        let state = &mut self.nodes[node];
        (state.paused_until, state.slept_until) = (Tick::default(), state.slept_until.min(now));
        for index in 0..self.nodes[node].cells.len() {
            self.nodes[node].cells[index].turn_at = None;
        }
        self.wake_all(node);
    }

    pub fn node_of(&self, socket: SocketId) -> usize {
        self.sockets[socket.0].node
    }

    /// Whether the faults stopped that long ago.
    pub fn has_been_calm_for(&self, span: Duration) -> bool {
        self.now.tick.0 >= 1_000_000_000 + (self.scenario.chaos + span).as_nanos() as u64
    }
}
