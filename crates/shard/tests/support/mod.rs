//! A node without sockets or threads: some shards, each with the memory engine of its own rooms, and clients that are
//! byte strings.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::{Answer, Asked, MemoryEngine, MemoryLimits, Nodes};
use serde_json::Value;
use shard::{Config, Full, Input, Limits, Mount, Peer, Post, Shard, Speaks, World, turn};
use vocabulary::{
    CloseReason, ConnectionId, Envelope, Failure, Incarnation, Now, Person, ShardId, Tick, User, UserId, Wall,
};
use websocket::frame;

struct Outside {
    engine: MemoryEngine,
    now: Now,
    written: BTreeMap<u32, Vec<u8>>,
    closed: Vec<(u32, CloseReason)>,
    failures: Vec<Failure>,
    mail: VecDeque<(ShardId, Envelope)>,
}

impl World for Outside {
    fn post(&mut self, to: ShardId, envelope: Envelope) -> Result<(), Full> {
        self.mail.push_back((to, envelope));
        Ok(())
    }
    fn ask(&mut self, asked: Asked) {
        self.engine.handle(self.now, asked);
    }
    fn answer(&mut self) -> Option<Answer> {
        self.engine.next_answer().map(|(_, answer)| answer)
    }
    fn write(&mut self, connection: ConnectionId, bytes: &[u8]) -> usize {
        self.written.entry(connection.slot).or_default().extend_from_slice(bytes);
        bytes.len()
    }
    fn close(&mut self, connection: ConnectionId, reason: CloseReason) {
        self.closed.push((connection.slot, reason));
    }
    fn failed(&mut self, failure: Failure) {
        self.failures.push(failure);
    }
}

pub(crate) struct Node {
    shards: Vec<(Shard, Post, Outside)>,
    now: Now,
    /// Envelopes that went from one shard to another, by what they were.
    pub(crate) deliveries: usize,
    pub(crate) commands: usize,
}

/// A client, by its shard and slot.
#[derive(Clone, Copy)]
pub(crate) struct Client(pub(crate) u16, pub(crate) u32);

impl Client {
    fn id(self) -> ConnectionId {
        ConnectionId { shard: ShardId(self.0), slot: self.1, generation: 1 }
    }
}

impl Node {
    pub(crate) fn new(shards: u16) -> Node {
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_767_261_600_000) };
        let shards = (0..shards).map(|index| {
            let id = ShardId(index);
            let guarantees = MemoryEngine::guarantees(Nodes::One);
            let apps = rooms::Apps::default().with("chat", app::host(chat::Chat), rooms::Rules::default());
            let me = Incarnation { node: 1, shard: id, life: 1 };
            let rooms =
                rooms::Config { me, shards, limits: rooms::Limits::default(), guarantees, start_tag: 7 };
            let speaks = Speaks::Protocol(Box::new(protocol::RoomsProtocol));
            let mounts = vec![Mount { speaks, app: "chat".into(), messages: shard::MESSAGES }];
            let shard = Shard::new(now, Config { id, limits: Limits::default(), mounts, apps, rooms });
            let engine = MemoryEngine::new(MemoryLimits::default(), 7);
            let (written, closed, failures, mail) =
                (BTreeMap::new(), Vec::new(), Vec::new(), VecDeque::new());
            (shard, Post::default(), Outside { engine, now, written, closed, failures, mail })
        });
        Node { shards: shards.collect(), now, deliveries: 0, commands: 0 }
    }

    /// Turns of every shard until nothing is on its way any more.
    fn settle(&mut self) {
        loop {
            let mut mail = VecDeque::new();
            for (shard, post, outside) in &mut self.shards {
                turn(shard, post, self.now, outside);
                shard.check_invariants();
                mail.append(&mut outside.mail);
            }
            if mail.is_empty() {
                return;
            }
            for (to, envelope) in mail {
                match envelope {
                    Envelope::Command(_) => self.commands += 1,
                    Envelope::Delivery(_) => self.deliveries += 1,
                }
                self.shards[usize::from(to.0)].0.handle(self.now, Input::Arrived(envelope));
            }
        }
    }

    fn handle(&mut self, client: Client, input: Input<'_>) {
        self.shards[usize::from(client.0)].0.handle(self.now, input);
        self.settle();
    }

    pub(crate) fn connect(&mut self, shard: u16, slot: u32) -> Client {
        let client = Client(shard, slot);
        let id = format!("{shard}.{slot}");
        let person = Person { id: UserId::new(&id), name: id.as_str().into() };
        let user = Arc::new(User { person, role: None, rooms: None });
        let who = session::Authenticated { user, expires: Wall(i64::MAX) };
        self.handle(client, Input::Opened(client.id(), Peer { who, mount: 0 }));
        client
    }

    pub(crate) fn say(&mut self, client: Client, text: &str) {
        self.receive(client, frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes()));
    }

    /// Bytes that arrive in one read.
    pub(crate) fn receive(&mut self, client: Client, mut bytes: Vec<u8>) {
        self.handle(client, Input::Received(client.id(), &mut bytes));
    }

    pub(crate) fn drain(&mut self, window: std::time::Duration) {
        for (shard, ..) in &mut self.shards {
            shard.handle(self.now, Input::Drain(window));
            shard.handle(self.now, Input::DeadlineReached);
        }
        self.settle();
    }

    /// The code of the close frame that the client was sent, if it was.
    pub(crate) fn closed(&mut self, client: Client) -> Option<u16> {
        let outside = &mut self.shards[usize::from(client.0)].2;
        let mut bytes = outside.written.remove(&client.1).unwrap_or_default();
        let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        let mut decoder =
            websocket::Decoder::new(websocket::Role::Client, limits, websocket::Compression::Off);
        let code = |event| match event {
            Ok(websocket::Event::Close(close)) => close.map(|close| close.code),
            _ => None,
        };
        decoder.feed(&mut bytes).find_map(code)
    }

    /// All that the client was told since it was last asked.
    pub(crate) fn heard(&mut self, client: Client) -> Vec<Value> {
        let outside = &mut self.shards[usize::from(client.0)].2;
        let mut bytes = outside.written.remove(&client.1).unwrap_or_default();
        let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        let mut decoder =
            websocket::Decoder::new(websocket::Role::Client, limits, websocket::Compression::Off);
        let text = |event| match event {
            Ok(websocket::Event::Text(text)) => Some(serde_json::from_str(&text).expect("JSON")),
            _ => None,
        };
        decoder.feed(&mut bytes).filter_map(text).collect()
    }

    pub(crate) fn counts(&self) -> shard::Counts {
        let mut sum = shard::Counts::default();
        for (shard, ..) in &self.shards {
            sum += shard.counts().0;
        }
        sum
    }
}
