//! One node: its shards with their bounded boxes, driven by the product's own turn law.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use engine::{Answer, Asked};
use session::Authenticated;
use shard::{Announcement, Config, Full, Input, Mount, Peer, Post, Shard, Speaks, World as Around};
use vocabulary::{
    Asks, Call, CallId, CloseReason, ConnectionId, Delivery, Envelope, Failure, Incarnation, Now, Outward,
    Petition, Refusal, Revocation, RoomId, Ruling, Said, ShardId, Tag, Tick, Told, Traced, Unproven,
};

use crate::engine::Engine;
use crate::fragile::Fragile;
use crate::mutant::Mutant;
use crate::probe::Probe;
use crate::scenario::Scenario;
use crate::streets;
use crate::world::{Event, Happened, SocketId, World, prove};

/// What happens at a shard's sockets, in the order in which it happens.
#[derive(Debug)]
pub(crate) enum AtSocket {
    Opened(ConnectionId, Peer),
    Received(ConnectionId, Vec<u8>),
    Writable(ConnectionId),
    Ended(ConnectionId),
    Revoked(Arc<Revocation>),
    Authorized(ConnectionId, u32, Ruling),
    Called(Call),
    Announced(Announcement),
    Drain(Duration),
}

pub(crate) struct Machine {
    pub shard: Shard,
    pub post: Post,
}

/// A shard with everything that waits for it.
pub(crate) struct Cell {
    /// Out while its turn runs.
    pub machine: Option<Box<Machine>>,
    pub commands: VecDeque<Envelope>,
    pub deliveries: VecDeque<Envelope>,
    pub sockets: VecDeque<AtSocket>,
    /// What the link to the engine had no place for, in order.
    pub unasked: VecDeque<Asked>,
    pub turn_at: Option<Tick>,
    /// The socket in each slot, and the slot's generation.
    pub slots: Vec<(Option<SocketId>, u32)>,
    /// A mutant's memory: a page that made a member live has passed.
    went_live: bool,
}

pub(crate) struct Node {
    pub number: u64,
    pub boot: u32,
    pub cells: Vec<Cell>,
    pub up: bool,
    pub paused_until: Tick,
    /// The end of its last pause.
    pub slept_until: Tick,
    /// How far this node's wall clock is off.
    pub skew_millis: i64,
    /// Takes nobody in any more.
    pub draining: bool,
    pub disturbed: Disturbed,
}

/// When something kept a node from hearing or being heard, and nothing between two such times long enough to be over it.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Disturbed {
    pub from: Tick,
    pub until: Tick,
    /// Until then what it asked of the engine was held back, if an engine without loss is what it asked.
    pub held_until: Tick,
}

/// What happened to a node is over and forgotten so long after its end: a lease, and time to say everything again.
const FORGOTTEN: Duration = Duration::from_secs(15);

impl Disturbed {
    pub(crate) fn add(&mut self, now: Tick, until: Tick) {
        if self.is_over(now) {
            self.from = now;
        }
        self.until = self.until.max(until);
    }

    pub(crate) fn is_over(&self, now: Tick) -> bool {
        self.until == Tick::default() || now.since(self.until) > FORGOTTEN
    }
}

/// Inputs of each kind that one turn takes.
const INPUTS_MAX: usize = 32;
/// A shard that wants so many turns in a row without time going on spins.
const SPINS_MAX: u32 = 20_000;

impl Node {
    pub(crate) fn start(now: Now, scenario: &Scenario, number: u64, boot: u32) -> Node {
        let cell = |index| Cell {
            machine: Some(Box::new(Machine {
                shard: shard(now, scenario, number, ShardId(index)),
                post: Post::default(),
            })),
            commands: VecDeque::new(),
            deliveries: VecDeque::new(),
            sockets: VecDeque::new(),
            unasked: VecDeque::new(),
            turn_at: None,
            slots: Vec::new(),
            went_live: false,
        };
        let cells = (0..scenario.shards).map(cell).collect();
        Node {
            number,
            boot,
            cells,
            up: true,
            paused_until: Tick::default(),
            slept_until: Tick::default(),
            skew_millis: 0,
            draining: false,
            disturbed: Disturbed::default(),
        }
    }
}

/// Worlds are busier than people; how fast a user may speak has tests of its own.
fn unhurried() -> chat::Rules {
    let wardens = vec!["warden".into()];
    chat::Rules { messages_per_second: 1_000_000, burst: 1_000_000, wardens, ..chat::Rules::default() }
}

/// Two departments, and so little for each agent that sessions wait.
fn small_departments() -> support::Rules {
    let department = |name: &str| support::DepartmentRule {
        name: name.into(),
        title: name.into(),
        sessions_max: 2,
        ..support::DepartmentRule::default()
    };
    support::Rules {
        departments: vec![department("general"), department("licences")],
        ..support::Rules::default()
    }
}

fn mounts() -> Vec<Mount> {
    // Some of the frames of a run are longer, and some are not.
    let mount = |protocol: Box<dyn protocol::Protocol>, joins_inbox| Mount {
        speaks: Speaks::Protocol(protocol),
        app: "chat".into(),
        messages: shard::MESSAGES,
        compress_from_bytes: 150,
        pace: shard::Pace::default(),
        joins_inbox,
        one_room: false,
        own_room: None,
        one_per_user: None,
    };
    vec![
        mount(Box::new(protocol::RoomsProtocol), false),
        // By which transcripts alone come.
        mount(Box::new(protocol::HubProtocol), true),
        Mount {
            app: "rides".into(),
            own_room: Some(rides::own_room),
            one_per_user: Some("/rides/ws".into()),
            ..mount(Box::new(protocol::RideProtocol), false)
        },
    ]
}

fn shard(now: Now, scenario: &Scenario, number: u64, id: ShardId) -> Shard {
    let rules = rooms::Rules { retention_records: scenario.retention_records, ..rooms::Rules::default() };
    let probe = Probe { deaf: scenario.mutant == Some(Mutant::FoldsDiffer) && number % 2 == 1 };
    let apps = rooms::Apps::default()
        .with("chat", app::host(chat::Chat::new(unhurried())), rules)
        .with("rides", streets::app(scenario), rules)
        .with("scores", app::host(scores::Scores::default()), rules)
        .with("support", app::host(support::Support::new(small_departments())), rules)
        .with("probe", app::host(probe), rules)
        .with("fragile", app::host(Fragile), rules)
        .with("poll", app::host(poll::Poll), rules)
        .with("user", app::host(inbox::Inbox), rooms::Rules { notices: false, ..rules });
    // A room that every node keeps takes a place in each; only who needs it has it.
    let apps = match scenario.system {
        true => apps.with("system", app::host(system::System), rooms::Rules { kept: true, ..rules }),
        false => apps,
    };
    let linger = match scenario.mutant {
        Some(Mutant::NoLinger) => Duration::ZERO,
        _ => rooms::Limits::default().linger,
    };
    let limits = rooms::Limits {
        linger,
        waiting_max: scenario.waiting,
        ring_records_max: scenario.ring_records,
        page_records_max: scenario.page_records,
        snapshot_records: scenario.snapshot_records,
        rooms_max: scenario.rooms_max,
        ..rooms::Limits::default()
    };
    let rooms = rooms::Config {
        me: Incarnation { node: number, shard: id, life: 1 },
        shards: scenario.shards,
        limits,
        guarantees: Engine::guarantees(scenario),
        start_tag: Engine::start_tag(),
    };
    let limits = shard::Limits {
        outbox_frames_max: scenario.outbox_frames,
        outbox_bytes_max: scenario.outbox_bytes,
        // Shorter than in production, so that a run sees dead lines found out.
        ping: Duration::from_secs(8),
        pong: Duration::from_secs(11),
        ..shard::Limits::default()
    };
    let (join, publish) = (scenario.asks, scenario.asks);
    let asks = Asks { connect: false, join, publish, rooms: vec!["*".into()] };
    Shard::new(now, Config { id, limits, mounts: mounts(), apps, rooms, asks })
}

impl World {
    /// One turn of a shard, exactly as a node runs it.
    pub(crate) fn run_turn(&mut self, node: usize, index: usize) {
        let now = self.now_at(node);
        let Some(mut machine) = self.nodes[node].cells[index].machine.take() else { return };
        self.nodes[node].cells[index].turn_at = None;
        self.tally.turns += 1;
        while self.has_place_to_ask_more(node, index) {
            let Some(asked) = self.nodes[node].cells[index].unasked.pop_front() else { break };
            self.ask(node, index, asked);
        }
        let congested = machine.post.is_congested();
        self.tally.congested += u64::from(congested);
        let full = !self.nodes[node].cells[index].unasked.is_empty();
        self.give_inputs(now, node, index, &mut machine, congested, full);
        let Machine { shard, post } = &mut *machine;
        let mut around = Hands { world: self, node, index };
        let left = shard::turn(shard, post, now, &mut around);
        #[cfg(debug_assertions)]
        shard.check_invariants();
        let bound = self.scenario.post_max();
        assert!(post.len() <= bound, "post of {} envelopes waits, more than {bound}", post.len());
        let next = shard.next_deadline().map(|(at, _)| at.max(Tick(now.tick.0 + 1)));
        let congested = post.is_congested();
        let cell = &mut self.nodes[node].cells[index];
        cell.machine = Some(machine);
        let full = !cell.unasked.is_empty();
        let stopped = congested || full;
        let more = left == shard::Turn::More
            || full
            || !cell.sockets.is_empty()
            || !cell.deliveries.is_empty()
            || (!stopped && !cell.commands.is_empty());
        self.count_spin(node, index, next.filter(|_| !stopped));
        if more {
            let soon = self.random.millis(0, 2) + Duration::from_micros(20);
            self.wake(node, index, now.tick + soon);
        }
        // In congestion a deadline is no input, so it wakes nobody.
        if let Some(next) = next.filter(|_| !stopped) {
            self.wake(node, index, next.max(now.tick));
        }
    }

    fn count_spin(&mut self, node: usize, index: usize, next: Option<Tick>) {
        let now = self.now.tick;
        if next.is_some_and(|next| next.0 <= now.0 + 1000) {
            self.spins += 1;
            assert!(
                self.spins < SPINS_MAX,
                "shard {index} of node {node} spins: it always wants to be woken at once"
            );
        } else {
            self.spins = self.spins.saturating_sub(10);
        }
    }

    /// The engine's link takes questions in their order.
    fn has_place_to_ask(&self, node: usize, index: usize) -> bool {
        self.nodes[node].cells[index].unasked.is_empty() && self.has_place_to_ask_more(node, index)
    }

    fn has_place_to_ask_more(&self, node: usize, index: usize) -> bool {
        !self.engine.is_full((self.nodes[node].number, ShardId(index as u16)), &self.scenario)
    }

    fn ask(&mut self, node: usize, index: usize, asked: Asked) {
        let now = self.now.tick;
        let (engine, way) = self.way();
        let sent = engine.ask(now, asked.clone(), way);
        let fate = if sent.is_some() { "" } else { " (lost)" };
        self.trace(|| format!("{} asks {:?}{fate}", name(node, index), asked.question));
        if let Some((link, at)) = sent {
            self.at(at, Event::Question(link));
        }
    }

    /// `full`: the engine takes no more, so nothing is taken that would ask for more, but what was answered.
    fn give_inputs(
        &mut self,
        now: Now,
        node: usize,
        index: usize,
        machine: &mut Machine,
        congested: bool,
        full: bool,
    ) {
        let shard = &mut machine.shard;
        for _ in 0..INPUTS_MAX {
            let Some(envelope) = self.nodes[node].cells[index].deliveries.pop_front() else { break };
            shard.handle(now, Input::Arrived(envelope));
        }
        if congested || full {
            let cell = &mut self.nodes[node].cells[index];
            let (ready, rest): (VecDeque<_>, VecDeque<_>) =
                cell.sockets.drain(..).partition(|at| matches!(at, AtSocket::Writable(_)));
            cell.sockets = rest;
            for at in ready {
                give(shard, now, at);
            }
        }
        if congested {
            return;
        }
        let link = (self.nodes[node].number, ShardId(index as u16));
        for _ in 0..INPUTS_MAX {
            let Some(answer) = self.engine.take(now.tick, link) else { break };
            self.trace(|| format!("{} hears {answer:?}", name(node, index)));
            shard.handle(now, Input::Answered(answer));
        }
        if full {
            return;
        }
        for _ in 0..INPUTS_MAX {
            let Some(envelope) = self.nodes[node].cells[index].commands.pop_front() else { break };
            shard.handle(now, Input::Arrived(envelope));
        }
        for _ in 0..INPUTS_MAX {
            let Some(at) = self.nodes[node].cells[index].sockets.pop_front() else { break };
            give(shard, now, at);
        }
        if shard.next_deadline().is_some_and(|(at, _)| at <= now.tick) {
            shard.handle(now, Input::DeadlineReached);
        }
    }
}

fn give(shard: &mut Shard, now: Now, at: AtSocket) {
    match at {
        AtSocket::Opened(id, peer) => shard.handle(now, Input::Opened(id, peer)),
        AtSocket::Received(id, mut bytes) => shard.handle(now, Input::Received(id, &mut bytes)),
        AtSocket::Writable(id) => shard.handle(now, Input::Writable(id)),
        AtSocket::Called(call) => shard.handle(now, Input::Called(call)),
        AtSocket::Announced(announcement) => shard.handle(now, Input::Announced(announcement)),
        AtSocket::Authorized(id, number, ruling) => shard.handle(now, Input::Authorized(id, number, ruling)),
        AtSocket::Revoked(revocation) => shard.handle(now, Input::Revoked(revocation)),
        AtSocket::Ended(id) => shard.handle(now, Input::Ended(id)),
        AtSocket::Drain(window) => shard.handle(now, Input::Drain(window)),
    }
}

pub(crate) fn name(node: usize, index: usize) -> String {
    format!("n{node}/s{index}")
}

/// What a shard can touch while its turn runs.
struct Hands<'a> {
    world: &'a mut World,
    node: usize,
    index: usize,
}

impl Around for Hands<'_> {
    fn post(&mut self, to: ShardId, envelope: Envelope) -> Result<(), Full> {
        let (node, target) = (self.node, usize::from(to.0));
        let scenario = &self.world.scenario;
        let (command_box, delivery_box, mutant) =
            (scenario.command_box, scenario.delivery_box, scenario.mutant);
        let index = self.index;
        self.world.trace(|| format!("{} posts to s{target} {envelope:?}", name(node, index)));
        let cell = &mut self.world.nodes[node].cells[target];
        match &envelope {
            Envelope::Command(_) if cell.commands.len() >= command_box => {
                self.world.tally.returned += 1;
                return Err(Full(envelope));
            }
            Envelope::Delivery(_) if cell.deliveries.len() >= delivery_box => return Err(Full(envelope)),
            Envelope::Command(_) => cell.commands.push_back(envelope),
            Envelope::Delivery(delivery) => {
                if mutant == Some(Mutant::HeldRecordDropped) && drops(&mut cell.went_live, delivery) {
                    return Ok(());
                }
                cell.deliveries.push_back(envelope);
            }
        }
        let at = self.world.now.tick + self.world.random.millis(0, 1);
        self.world.wake(node, target, at);
        Ok(())
    }

    fn ask(&mut self, asked: Asked) {
        let (node, index) = (self.node, self.index);
        if self.world.has_place_to_ask(node, index) {
            return self.world.ask(node, index, asked);
        }
        let unasked = &mut self.world.nodes[node].cells[index].unasked;
        unasked.push_back(asked);
        let waits = unasked.len();
        self.world.tally.unasked_max = self.world.tally.unasked_max.max(waits as u64);
        let bound = self.world.scenario.unasked_max();
        assert!(waits <= bound, "{waits} questions wait for a place at the engine, more than {bound}");
    }

    fn answer(&mut self) -> Option<Answer> {
        None
    }

    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize {
        let cell = &self.world.nodes[self.node].cells[self.index];
        match cell.slots.get(connection.slot as usize) {
            Some((Some(socket), generation)) if *generation == connection.generation => {
                let socket = *socket;
                self.world.server_writes(socket, bytes)
            }
            // The socket is gone and the shard does not know yet: it learns so from the end that waits for it.
            _ => bytes.len(),
        }
    }

    fn prove(
        &mut self,
        _connection: ConnectionId,
        _tag: &Tag,
        token: Unproven,
    ) -> Option<Result<Authenticated, Refusal>> {
        let now = self.world.now_at(self.node).wall;
        Some(prove(now, &token.0).ok_or_else(Refusal::unauthorized))
    }

    /// All is allowed: by turns at once, as if it were known, and in a later turn.
    fn authorize(&mut self, connection: ConnectionId, number: u32, _: &Petition) -> Option<Ruling> {
        if number.is_multiple_of(2) {
            return Some(Ruling::Allowed);
        }
        let (node, index) = (self.node, self.index);
        let cell = &mut self.world.nodes[node].cells[index];
        cell.sockets.push_back(AtSocket::Authorized(connection, number, Ruling::Allowed));
        let at = self.world.now.tick + self.world.random.millis(1, 300);
        self.world.wake(node, index, at);
        None
    }

    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        let (node, index) = (self.node, self.index);
        self.world.trace(|| format!("{} closes {connection:?}: {reason:?}", name(node, index)));
        self.world.server_closes(node, index, connection, reason);
    }

    /// A device here closes when it is told to, with or without the end of its stream.
    fn finish(&mut self, _: ConnectionId) {}

    fn told(&mut self, call: CallId, told: Told) {
        self.world.happened.push(Happened::Told(call.number, told));
    }

    fn traced(&mut self, _: Traced) {}

    fn said(&mut self, said: Said) {
        if let Said::Record { kind: "announced", payload, position, at } = said {
            self.world.announced(self.node, &Announcement { payload, position, at });
        }
    }

    /// No world has a broker beside its engine.
    fn outward(&mut self, _: Outward) {}

    fn owes(&mut self, _: RoomId) {}

    fn failed(&mut self, failure: Failure) {
        if self.world.scenario.mutant == Some(Mutant::DamageUnsaid) {
            return;
        }
        self.world.failures.push(failure);
    }
}

/// The mutant that loses the first record behind a page that made its member live.
fn drops(went_live: &mut bool, delivery: &Delivery) -> bool {
    match delivery {
        Delivery::Page(page) => {
            *went_live |= page.live;
            false
        }
        Delivery::Records { .. } => std::mem::take(went_live),
        _ => false,
    }
}
