//! An app that panics on some messages, and one that takes nothing for a while. A node in this process, and a real server.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
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
static IS_BUSY: AtomicBool = AtomicBool::new(true);
/// What was said of later, in the order in which rooms have it.
static LATER: Mutex<Vec<Payload>> = Mutex::new(Vec::new());

/// Knows no way with a bomb, and puts off what is for later.
struct Nervous;

impl App for Nervous {
    type State = ();

    fn start(&self, _: &RoomId) {}
    fn admit(&self, _: Now, _: &(), _: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }
    fn decide(&self, _: Now, _: Room<'_, ()>, _: &Caller, said: Action<'_>) -> Result<Decision, Refusal> {
        let says = |word: &[u8]| said.payload.windows(word.len()).any(|some| some == word);
        assert!(!says(b"bomb"), "a bomb");
        if says(b"never") || says(b"later") && IS_BUSY.load(Ordering::SeqCst) {
            return Err(Refusal::busy(20));
        }
        Ok(Decision::record("said", said.payload.clone()))
    }
    fn apply(&self, _: &mut (), record: &Record) -> Applied {
        if record.body.windows(5).any(|some| some == b"later") {
            LATER.lock().expect("nobody panicked").push(record.body.clone());
        } else {
            TAKEN.fetch_add(1, Ordering::SeqCst);
        }
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
        hold: Duration::from_millis(500),
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

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

/// A server with the stream, and a client of it.
struct World {
    server: conformance::Server,
    runtime: tokio::runtime::Runtime,
    client: async_nats::Client,
}

impl World {
    fn new() -> World {
        let server = conformance::Server::start("nats-server", |port, folder| {
            let port = port.to_string();
            let folder = folder.to_str().expect("UTF-8");
            ["-a", "127.0.0.1", "-p", &port, "-js", "-sd", folder].iter().map(Into::into).collect()
        });
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let client = runtime.block_on(async_nats::connect(format!("nats://{}", server.address)));
        let world = World { server, runtime, client: client.expect("let in") };
        let stream = json!({ "name": "NERVOUS", "subjects": ["nervous.*"], "storage": "memory" });
        assert!(world.ask("$JS.API.STREAM.CREATE.NERVOUS", &stream)["error"].is_null());
        world
    }

    fn ask(&self, subject: &str, body: &Value) -> Value {
        let asked = self.client.request(subject.to_owned(), body.to_string().into());
        let answer = self.runtime.block_on(asked).expect("an answer");
        serde_json::from_slice(&answer.payload).expect("JSON")
    }
}

#[test]
fn messages_on_which_an_app_panics_are_letters_and_the_others_are_taken() {
    let world = World::new();
    let node = node();
    let bridge = bridge(&world.server, &node);
    let mut letters = world.runtime.block_on(world.client.subscribe("dead-letters.>")).expect("let in");
    for number in 0..40 {
        let say = if number % 10 == 3 { "bomb" } else { "peace" };
        let ack = world.ask(&format!("nervous.r{}", number % 4), &json!({ "say": say }));
        assert!(ack["seq"].is_u64(), "{ack}");
    }
    until("all have come to their end", || {
        (figure(&bridge, "taken_in_total"), figure(&bridge, "dead_letters_total")) == (36, 4)
    });
    assert_eq!(TAKEN.load(Ordering::SeqCst), 36);
    for _ in 0..4 {
        let letter = world.runtime.block_on(letters.next()).expect("a letter");
        assert_eq!(&letter.payload[..], br#"{"say":"bomb"}"#);
        let reason = letter.headers.as_ref().and_then(|headers| headers.get("reason")).expect("a reason");
        assert!(reason.as_str().starts_with("Internal: "), "{reason}");
    }
    world.runtime.block_on(bridge.stop_reading());
    bridge.end();
}

/// What a room does not take for longer than it is held goes back, all of it and in its order, and comes again.
#[test]
fn what_a_busy_room_does_not_take_is_given_back_and_taken_in_order_when_it_comes_again() {
    let world = World::new();
    let node = node();
    let bridge = bridge(&world.server, &node);
    for number in 0..20 {
        world.ask("nervous.busy", &json!({ "later": number }));
    }
    until("all of it is given back", || figure(&bridge, "returned_total") >= 20);
    world.ask("nervous.busy", &json!({ "later": 20 }));
    IS_BUSY.store(false, Ordering::SeqCst);
    until("all are taken", || figure(&bridge, "taken_in_total") == 21);
    let taken = LATER.lock().expect("nobody panicked").clone();
    let expected: Vec<Payload> =
        (0..21).map(|number| Payload::from(json!({ "later": number }).to_string())).collect();
    assert_eq!(taken, expected, "the one that came meanwhile waited behind them");
    assert!(figure(&bridge, "retried_total") > 0);
    assert_eq!(figure(&bridge, "dead_letters_total"), 0);
    bridge.end();
}

/// It was given out as often as it may be, and its room takes nothing; so was what waited behind it.
#[test]
fn what_a_busy_room_does_not_take_the_last_time_is_a_letter() {
    let world = World::new();
    let config = json!({ "durable_name": "nervous", "ack_policy": "explicit", "filter_subject": "nervous.*", "max_deliver": 2 });
    let create = json!({ "stream_name": "NERVOUS", "config": config });
    let made = world.ask("$JS.API.CONSUMER.DURABLE.CREATE.NERVOUS.nervous", &create);
    assert!(made["error"].is_null(), "{made}");
    let mut letters = world.runtime.block_on(world.client.subscribe("dead-letters.>")).expect("let in");
    let node = node();
    let bridge = bridge(&world.server, &node);
    for number in 0..2 {
        world.ask("nervous.busy", &json!({ "never": number }));
    }
    for number in 0..2 {
        let letter = world.runtime.block_on(letters.next()).expect("a letter");
        assert_eq!(letter.payload, json!({ "never": number }).to_string());
        let reason = letter.headers.as_ref().and_then(|headers| headers.get("reason")).expect("a reason");
        assert_eq!(reason.as_str(), "its room took nothing, and it was given out 2 times");
    }
    until("they are done", || figure(&bridge, "dead_letters_total") == 2);
    assert_eq!(figure(&bridge, "returned_total"), 2, "each once");
    bridge.end();
}
