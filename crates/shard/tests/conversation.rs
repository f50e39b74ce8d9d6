//! Two clients and one shard, from bytes to bytes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use engine::{Answer, Asked, MemoryEngine, MemoryLimits, Nodes};
use shard::{Config, Full, Input, Limits, Mount, Peer, Post, Shard, Speaks, World, turn};
use vocabulary::{
    CloseReason, ConnectionId, Envelope, Incarnation, Now, Person, ShardId, Tick, User, UserId, Wall,
};
use websocket::frame;

struct Table {
    engine: MemoryEngine,
    now: Now,
    written: BTreeMap<u32, Vec<u8>>,
    closed: Vec<(u32, CloseReason)>,
    mail: VecDeque<(ShardId, Envelope)>,
}

impl World for Table {
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
}

struct Stage {
    shard: Shard,
    post: Post,
    table: Table,
}

fn connection(slot: u32) -> ConnectionId {
    ConnectionId { shard: ShardId(0), slot, generation: 1 }
}

impl Stage {
    fn new() -> Stage {
        let now = Now { tick: Tick(1_000_000_000), wall: Wall(1_767_261_600_000) };
        let guarantees = MemoryEngine::guarantees(Nodes::One);
        let apps = rooms::Apps::default().with("chat", app::host(chat::Chat), rooms::Rules::default());
        let me = Incarnation { node: 1, shard: ShardId(0), life: 1 };
        let rooms =
            rooms::Config { me, shards: 1, limits: rooms::Limits::default(), guarantees, start_tag: 7 };
        let speaks = Speaks::Protocol(Box::new(protocol::RoomsProtocol));
        let mounts = vec![Mount { speaks, app: "chat".into(), messages: shard::MESSAGES }];
        let shard =
            Shard::new(now, Config { id: ShardId(0), limits: Limits::default(), mounts, apps, rooms });
        let engine = MemoryEngine::new(MemoryLimits::default(), 7);
        let (written, closed, mail) = (BTreeMap::new(), Vec::new(), VecDeque::new());
        Stage { shard, post: Post::default(), table: Table { engine, now, written, closed, mail } }
    }

    fn turn(&mut self) {
        let now = self.table.now;
        turn(&mut self.shard, &mut self.post, now, &mut self.table);
        self.shard.check_invariants();
    }

    fn connect(&mut self, slot: u32, name: &str) {
        let person = Person { id: UserId::new(&slot.to_string()), name: name.into() };
        let user = Arc::new(User { person, role: None, rooms: None });
        let who = session::Authenticated { user, expires: Wall(i64::MAX) };
        let peer = Peer { who, mount: 0 };
        self.shard.handle(self.table.now, Input::Opened(connection(slot), peer));
        self.turn();
    }

    fn say(&mut self, slot: u32, text: &str) {
        let mut bytes = frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes());
        self.shard.handle(self.table.now, Input::Received(connection(slot), &mut bytes));
        self.turn();
    }

    fn heard(&mut self, slot: u32) -> Vec<serde_json::Value> {
        let mut bytes = self.table.written.remove(&slot).unwrap_or_default();
        let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
        let mut decoder =
            websocket::Decoder::new(websocket::Role::Client, limits, websocket::Compression::Off);
        let text = |event| match event {
            Ok(websocket::Event::Text(text)) => Some(serde_json::from_str(&text).expect("JSON")),
            _ => None,
        };
        decoder.feed(&mut bytes).filter_map(text).collect()
    }
}

#[test]
fn a_message_reaches_the_other_member_and_its_author_gets_the_ack() {
    let mut stage = Stage::new();
    stage.connect(1, "Ana");
    stage.connect(2, "Bo");
    stage.say(1, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    stage.say(2, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    stage.heard(1);
    let info = stage.heard(2);
    assert_eq!(info[0]["type"], "room_info");
    assert_eq!(info[0]["payload"]["count"], 2);
    stage.say(1, r#"{"type":"send_message","room":"general","id":"c-17","payload":{"content":"Hello!"}}"#);
    let ack = stage.heard(1);
    assert_eq!((&ack[0]["type"], &ack[0]["id"]), (&"ack".into(), &"c-17".into()));
    let message = stage.heard(2);
    assert_eq!(message[0]["type"], "new_message");
    assert_eq!(message[0]["payload"]["content"], "Hello!");
    assert_eq!(message[0]["sender"]["name"], "Ana");
    assert_eq!(message[0]["id"], ack[0]["payload"]["message_id"]);
}
