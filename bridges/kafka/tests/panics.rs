//! An app that panics on some records: each of them is a dead letter, and the others are taken. A node and librdkafka's mock of a
//! cluster, both in this process.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use bridge_kafka::{Bridge, Config, Ground, Source, Template, Wire};
use identity::{KeyRing, Secret, TokenRules};
use node::{Crowd, Furnish, Gate, Node};
use rdkafka::ClientConfig;
use rdkafka::consumer::{BaseConsumer, Consumer};
use rdkafka::message::{Headers, Message};
use rdkafka::mocking::MockCluster;
use rdkafka::producer::{BaseProducer, BaseRecord, Producer};
use rdkafka::{Offset, TopicPartitionList};
use vocabulary::{Audience, Caller, Durability, Now, Payload, Record, Refusal, RoomId, Shown};

const PATIENCE: Duration = Duration::from_secs(60);

static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Knows no way with a bomb.
struct Nervous;

impl App for Nervous {
    type State = ();

    fn start(&self, _: &RoomId) {}
    fn admit(&self, _: Now, _: &(), _: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }
    fn decide(&self, _: Now, _: Room<'_, ()>, _: &Caller, said: Action<'_>) -> Result<Decision, Refusal> {
        assert!(!said.payload.windows(4).any(|some| some == b"bomb"), "a bomb");
        Ok(Decision::record("said", said.payload.clone()))
    }
    fn apply(&self, _: &mut (), _: &Record) -> Applied {
        TAKEN.fetch_add(1, Ordering::SeqCst);
        Applied::Done
    }
    fn show(&self, _: &(), _: &Record, _: Audience) -> Option<Shown> {
        None
    }
    fn view(&self, _: &(), _: Audience) -> Payload {
        Payload::from_static(b"{}")
    }
    fn save(&self, _: &()) -> Payload {
        Payload::new()
    }
    fn load(&self, _: &RoomId, _: &Payload) -> Result<(), UnknownFormat> {
        Ok(())
    }
}

struct Furniture;

impl Furnish for Furniture {
    fn apps(&self) -> rooms::Apps {
        rooms::Apps::default().with("nervous", app::host(Nervous), rooms::Rules::default())
    }

    fn mounts(&self) -> Vec<shard::Mount> {
        Vec::new()
    }
}

fn node() -> Node {
    let secret = Secret::new(b"a secret of thirty-two bytes or more").expect("long enough");
    let keys = KeyRing::new(vec![secret.proving()], 0, TokenRules::default());
    let config = node::Config {
        listen: node::Listen::At(([127, 0, 0, 1], 0).into()),
        shards: 2,
        gate: Gate { keys, mounts: Vec::new(), crowd: Crowd::default(), trusted: Vec::new() },
        authorizer: None,
        key_sources: Vec::new(),
        tls: None,
        limits: shard::Limits::default(),
        room_limits: rooms::Limits::default(),
        engine: node::Engine::Memory(engine::MemoryLimits::default()),
        outlet: None,
        owed: Vec::new(),
        durability: Durability::None,
        node_tag: 0x9f3c,
        start_tag: 7,
        handshake: Duration::from_secs(10),
    };
    Node::start(config, Arc::new(Furniture)).expect("a port is free")
}

fn bridge(brokers: &str, node: &Node) -> Bridge {
    let template = |written: &str| Template::read(written).expect(written);
    let source = Source {
        topic: "nervous".to_owned(),
        room: template("nervous:{room}"),
        kind: template("say"),
        payload: None,
        id: None,
        author: None,
        author_name: None,
        soft: false,
    };
    let config = Config {
        wire: Wire { brokers: vec![brokers.to_owned()], tls: None, sasl: None },
        group: "group".to_owned(),
        session: Duration::from_secs(6),
        name: "kafka".to_owned(),
        origin: "kulkul".to_owned(),
        dead_letters: "{topic}.dead-letters".to_owned(),
        livechat: false,
        sources: vec![source],
        sinks: Vec::new(),
    };
    bridge_kafka::start(config, Ground { desk: node.desk(), owed: None }).expect("it starts")
}

fn figure(bridge: &Bridge, name: &str) -> u64 {
    let figures = node::Bridge::figures(bridge);
    figures.iter().find(|figure| figure.name == name).expect("a figure").value
}

fn until(what: &str, holds: impl Fn() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

#[test]
fn a_record_on_which_its_app_panics_is_a_dead_letter_and_the_next_is_taken() {
    let cluster = MockCluster::new(1).expect("a cluster");
    for topic in ["nervous", "nervous.dead-letters"] {
        cluster.create_topic(topic, 1, 1).expect("a topic");
    }
    let node = node();
    let bridge = bridge(&cluster.bootstrap_servers(), &node);
    until("it reads", || figure(&bridge, "partitions") == 1);
    let mut client = ClientConfig::new();
    client.set("bootstrap.servers", cluster.bootstrap_servers()).set("group.id", "reads letters");
    let producer: BaseProducer = client.create().expect("a producer");
    for number in 0..1000 {
        // All in a few rooms, so that what panics stands before others of its room.
        let what = if number % 100 == 50 { "bomb" } else { "word" };
        let value = format!(r#"{{"room":"r-{}","what":"{what}","number":{number}}}"#, number % 3);
        let record = BaseRecord::to("nervous").key("k").payload(&value);
        producer.send(record).unwrap_or_else(|(error, _)| panic!("{error}"));
    }
    producer.flush(PATIENCE).expect("all is produced");
    until("each came to its end", || {
        figure(&bridge, "taken_in_total") + figure(&bridge, "dead_letters_total") == 1000
    });
    assert_eq!((figure(&bridge, "dead_letters_total"), TAKEN.load(Ordering::SeqCst)), (10, 990));
    let consumer: BaseConsumer = client.create().expect("a consumer");
    let mut list = TopicPartitionList::new();
    list.add_partition_offset("nervous.dead-letters", 0, Offset::Beginning).expect("a partition");
    consumer.assign(&list).expect("assigned");
    for _ in 0..10 {
        let letter = consumer.poll(PATIENCE).expect("a letter").expect("a record");
        assert!(String::from_utf8_lossy(letter.payload().expect("a value")).contains("bomb"));
        let headers = letter.headers().expect("headers");
        let reason = headers.iter().find(|header| header.key == "reason").and_then(|header| header.value);
        let reason = String::from_utf8_lossy(reason.expect("a reason")).into_owned();
        assert!(reason.starts_with("Internal: Internal server error"), "{reason}");
    }
    assert!(consumer.poll(Duration::from_millis(300)).is_none(), "each once");
    assert_eq!(node::Bridge::condition(&bridge), link::Condition::Serving);
    bridge.end();
}
