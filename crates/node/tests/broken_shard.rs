//! A shard that breaks its own books, met over real sockets: whoever is connected to it is told to come back, and the node says that it
//! must end.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use identity::{KeyRing, Secret, TokenRules};
use node::{Auth, Config, Crowd, Facts, Furnish, Gate, MountPoint, Node, Offers, Origins, Path, Words};
use serde_json::json;
use vocabulary::{Audience, Caller, Durability, Now, Payload, Record, Refusal, RoomId, Shown, Word};
use websocket::frame;
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};

/// From then on a shard that asks the app for its words finds none: no call into a room, which would be caught there.
static IS_BROKEN: AtomicBool = AtomicBool::new(false);

struct Wordless;

impl App for Wordless {
    type State = ();

    fn words(&self) -> &'static [Word] {
        assert!(!IS_BROKEN.load(Ordering::SeqCst), "what a shard builds on is not there");
        &[]
    }
    fn start(&self, _room: &RoomId) {}
    fn admit(&self, _: Now, _: &(), _: &Caller, _: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }
    fn decide(&self, _: Now, _: Room<'_, ()>, _: &Caller, said: Action<'_>) -> Result<Decision, Refusal> {
        Ok(Decision::record("said", said.payload.clone()))
    }
    fn apply(&self, _: &mut (), _: &Record) -> Applied {
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
        rooms::Apps::default().with("wordless", app::host(Wordless), rooms::Rules::default())
    }

    fn mounts(&self) -> Vec<shard::Mount> {
        vec![shard::Mount {
            speaks: shard::Speaks::Protocol(Box::new(protocol::RoomsProtocol)),
            app: "wordless".into(),
            messages: shard::MESSAGES,
            compress_from_bytes: 256,
            pace: shard::Pace::default(),
            one_per_user: None,
            joins_inbox: false,
            one_room: false,
            own_room: None,
        }]
    }
}

fn node(secret: &Secret) -> Node {
    let (path, auth, origins) = (Path::new("/ws"), Auth::Token, Origins::All);
    let mount = MountPoint {
        path,
        auth,
        origins,
        token_in_query: true,
        user_in_query: false,
        words: Words::default(),
        offers: Offers::WebSocket { compression: false },
    };
    let keys = KeyRing::new(vec![secret.proving()], 0, TokenRules::default());
    let config = Config {
        listen: node::Listen::At(([127, 0, 0, 1], 0).into()),
        shards: 2,
        gate: Gate { keys, mounts: vec![mount], crowd: Crowd::default(), trusted: Vec::new() },
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

fn connect(host: &str, token: &str) -> TcpStream {
    let mut stream = TcpStream::connect(host).expect("listening");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    let target = format!("/ws?token={token}");
    let ask = Ask { host, target: &target, key: Key::from_nonce([7; 16]), protocols: &[], fields: &[] };
    stream.write_all(&ask.request()).expect("taken");
    let (mut received, mut byte) = (Vec::new(), [0; 1]);
    while !matches!(ask.check(&received), Answer::Accepted { .. }) {
        stream.read_exact(&mut byte).expect("the node answers");
        received.push(byte[0]);
    }
    stream
}

/// The code of the close frame that is the last thing to come.
fn closed_with(stream: &mut TcpStream) -> Option<u16> {
    let mut all = Vec::new();
    stream.read_to_end(&mut all).expect("it ends");
    let at = all.windows(4).rposition(|bytes| bytes[0] == 0x88 && bytes[1] as usize >= 2)?;
    Some(u16::from_be_bytes([all[at + 2], all[at + 3]]))
}

#[test]
fn a_shard_that_panics_tells_its_clients_to_come_back_and_the_node_says_that_it_must_end() {
    let secret = Secret::new(b"a secret of thirty-two bytes or more").expect("long enough");
    let now = Facts::now().0 / 1000;
    let claims = json!({ "sub": "7", "name": "Ana", "iat": now, "exp": now + 3600 });
    let token = secret.sign(&claims).expect("signed");
    let node = node(&secret);
    let (facts, host) = (node.facts(), node.address().to_string());
    let mut clients: Vec<TcpStream> = (0..8).map(|_| connect(&host, &token)).collect();
    assert_eq!(facts.broken(), None);
    IS_BROKEN.store(true, Ordering::SeqCst);
    let text = r#"{"type":"unheard_of","room":"a","id":"1"}"#;
    let frame = frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes());
    clients[0].write_all(&frame).expect("taken");
    assert_eq!(closed_with(&mut clients[0]), Some(4412), "come back");
    let since = Instant::now();
    while facts.broken().is_none() {
        assert!(since.elapsed() < Duration::from_secs(10), "it is said");
        std::thread::yield_now();
    }
    let why = facts.broken().expect("it was");
    assert!(why.contains("panicked") && !facts.health().ready, "{why}");
    // What the server does then.
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let hasten = node.hastener();
    let ended = runtime.block_on(async {
        let (drained, ()) =
            tokio::join!(tokio::time::timeout(Duration::from_secs(20), node.drain()), async {
                tokio::task::yield_now().await;
                Node::hasten(&hasten);
            });
        drained
    });
    assert!(ended.is_ok_and(|drained| drained.in_time), "the other shard comes to its end");
    for client in &mut clients[1..] {
        assert_eq!(closed_with(client), Some(4412));
    }
}
