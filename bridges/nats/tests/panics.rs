//! An app that panics on some messages: each of them is a dead letter, and the others are taken. A node in this process, and a real
//! server.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use bridge_nats::{Bridge, Config, Credentials, From, Ground, Source, Template, Tls, To};
use futures_util::StreamExt;
use identity::{KeyRing, Secret, TokenRules};
use node::{Crowd, Furnish, Gate, Node};
use serde_json::{Value, json};
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
        listen: ([127, 0, 0, 1], 0).into(),
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

fn bridge(server: &conformance::Server, node: &Node) -> Bridge {
    let template = |written: &str| Template::read(written).expect(written);
    let source = Source {
        subject: "nervous.*".to_owned(),
        from: From::Stream {
            name: None,
            durable: "nervous".to_owned(),
            all: true,
            deliver_max: 5,
            in_order: false,
        },
        to: To::Room(template("nervous:{2}")),
        kind: template("say"),
        payload: None,
        id: None,
        author: None,
        author_name: None,
        soft: false,
    };
    let config = Config {
        servers: vec![format!("nats://{}", server.address)],
        credentials: Credentials::None,
        tls: Tls::default(),
        domain: None,
        group: "kulkul".to_owned(),
        origin: "kulkul".to_owned(),
        dead_letters: "dead-letters".to_owned(),
        rides: None,
        sources: vec![source],
        sinks: Vec::new(),
    };
    bridge_nats::start(config, Ground { desk: node.desk(), owed: None }).expect("it starts")
}

fn figure(bridge: &Bridge, name: &str) -> u64 {
    let figures = node::Bridge::figures(bridge);
    figures.iter().find(|figure| figure.name == name).expect("a figure").value
}

#[test]
fn messages_on_which_an_app_panics_are_letters_and_the_others_are_taken() {
    let server = conformance::Server::start("nats-server", |port, folder| {
        let port = port.to_string();
        let folder = folder.to_str().expect("UTF-8");
        ["-a", "127.0.0.1", "-p", &port, "-js", "-sd", folder].iter().map(Into::into).collect()
    });
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let client = runtime.block_on(async_nats::connect(format!("nats://{}", server.address))).expect("let in");
    let ask = |subject: &str, body: String| -> Value {
        let answer = runtime.block_on(client.request(subject.to_owned(), body.into())).expect("an answer");
        serde_json::from_slice(&answer.payload).expect("JSON")
    };
    let stream = json!({ "name": "NERVOUS", "subjects": ["nervous.*"], "storage": "memory" });
    assert!(ask("$JS.API.STREAM.CREATE.NERVOUS", stream.to_string())["error"].is_null());
    let node = node();
    let bridge = bridge(&server, &node);
    let since = Instant::now();
    let until = |what: &str, holds: &dyn Fn() -> bool| {
        while !holds() {
            assert!(since.elapsed() < PATIENCE, "{what} does not come true");
            std::thread::yield_now();
        }
    };
    // Its stream is made by the bridge, and heard of as it is made.
    let mut letters = runtime.block_on(client.subscribe("dead-letters.>")).expect("let in");
    for number in 0..40 {
        // A room that an app has panicked in takes no more for a while only if its fold did: a decision is refused alone.
        let say = if number % 10 == 3 { "bomb" } else { "peace" };
        let ack = ask(&format!("nervous.r{}", number % 4), json!({ "say": say }).to_string());
        assert!(ack["seq"].is_u64(), "{ack}");
    }
    until("all have come to their end", &|| {
        (figure(&bridge, "taken_in_total"), figure(&bridge, "dead_letters_total")) == (36, 4)
    });
    assert_eq!(TAKEN.load(Ordering::SeqCst), 36);
    for _ in 0..4 {
        let letter = runtime.block_on(letters.next()).expect("a letter");
        assert_eq!(&letter.payload[..], br#"{"say":"bomb"}"#);
        let reason = letter.headers.as_ref().and_then(|headers| headers.get("reason")).expect("a reason");
        assert!(reason.as_str().contains("Internal"), "{reason}");
    }
    runtime.block_on(bridge.stop_reading());
    bridge.end();
}
