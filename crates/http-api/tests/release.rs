//! A room whose app panics on what is stored, as an operator meets it: it is shown with its reference, tried again while the app is as it
//! was, and served once that is mended.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use app::{Action, App, Applied, Decision, Room, UnknownFormat};
use http_api::{Key, Keys, Scope};
use identity::{KeyRing, Secret, TokenRules};
use node::{Auth, Config, Crowd, Furnish, Gate, MountPoint, Node, Offers, Origins, Path, Words};
use serde_json::{Value, json};
use vocabulary::{Audience, Caller, Durability, Now, Payload, Record, Refusal, RoomId, Shown};

/// Whether the app cannot fold what it stored.
static BROKEN: AtomicBool = AtomicBool::new(true);
const PATIENCE: Duration = Duration::from_secs(30);
const KEY: &str = "a key of thirty-two bytes or more";

struct Fragile;

impl App for Fragile {
    type State = ();

    fn start(&self, _room: &RoomId) {}

    fn admit(&self, _now: Now, _state: &(), _caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }

    fn decide(&self, _: Now, _: Room<'_, ()>, _: &Caller, action: Action<'_>) -> Result<Decision, Refusal> {
        Ok(Decision::record("said", action.payload.clone()))
    }

    fn apply(&self, _state: &mut (), _record: &Record) -> Applied {
        assert!(!BROKEN.load(Ordering::SeqCst), "this record is too much");
        Applied::Done
    }

    fn show(&self, _state: &(), _record: &Record, _audience: Audience) -> Option<Shown> {
        None
    }

    fn view(&self, _state: &(), _audience: Audience) -> Payload {
        Payload::from_static(b"{}")
    }

    fn save(&self, _state: &()) -> Payload {
        Payload::new()
    }

    fn load(&self, _room: &RoomId, _saved: &Payload) -> Result<(), UnknownFormat> {
        Ok(())
    }
}

struct Furniture;

impl Furnish for Furniture {
    fn apps(&self) -> rooms::Apps {
        rooms::Apps::default().with("fragile", app::host(Fragile), rooms::Rules::default())
    }

    fn mounts(&self) -> Vec<shard::Mount> {
        vec![shard::Mount {
            speaks: shard::Speaks::Protocol(Box::new(protocol::RoomsProtocol)),
            app: "fragile".into(),
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

fn node() -> Node {
    let secret = Secret::new(b"a secret of thirty-two bytes or more").expect("long enough");
    let mount = MountPoint {
        path: Path::new("/ws"),
        auth: Auth::Token,
        origins: Origins::All,
        token_in_query: true,
        user_in_query: false,
        words: Words::default(),
        offers: Offers::WebSocket { compression: true },
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
        durability: Durability::default(),
        node_tag: 0x9f3c,
        start_tag: 7,
        handshake: Duration::from_secs(10),
    };
    Node::start(config, Arc::new(Furniture)).expect("a port is free")
}

fn ask(node: SocketAddr, request: &str, body: &str) -> (u16, Value) {
    let mut stream = TcpStream::connect(node).expect("listening");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let length = body.len();
    let head = format!("{request} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-API-Key: {KEY}\r\n");
    let kind = format!("Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(format!("{head}{kind}{body}").as_bytes()).expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer in text");
    let status = answer.split(' ').nth(1).and_then(|code| code.parse().ok()).expect("a status");
    let body = answer.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    (status, serde_json::from_str(body).unwrap_or_default())
}

fn until_state(node: SocketAddr, state: &str) -> Value {
    let since = Instant::now();
    loop {
        let (status, told) = ask(node, "GET /rooms/fragile:a", "");
        assert_eq!(status, 200, "{told}");
        if told["room"]["state"] == state {
            return told;
        }
        assert!(since.elapsed() < PATIENCE, "never {state}: {told}");
    }
}

#[test]
fn a_quarantined_room_is_shown_and_served_again_when_it_is_released() {
    let mut node = node();
    let address = node.address();
    let key = Key::new("root", KEY.as_bytes(), Scope::ALL.to_vec(), vec!["*".to_owned()]);
    let keys = Arc::new(Keys::new(vec![key]));
    let operators = http_api::operate::router(http_api::operate::Config {
        desk: node.desk(),
        lookout: node.lookout(),
        keys: keys.clone(),
        at_once_max: 8,
        apps: vec!["fragile".to_owned()],
        furnished: http_api::operate::Furnished { engine: "memory".to_owned(), mounts: Vec::new() },
        settings: Arc::new(|| json!({})),
        drain: Arc::new(|| {}),
    });
    let router = operators.merge(http_api::router(node.desk(), keys, 8));
    // It serves until the test ends.
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        runtime.block_on(async move {
            node.serve_http(router);
            std::future::pending::<()>().await;
        });
    });
    let said = r#"{"room":"fragile:a","payload":{}}"#;
    let (status, told) = ask(address, "POST /api/publish", said);
    assert_eq!(status, 200, "it is stored, whatever the app makes of it: {told}");
    let seen = until_state(address, "quarantined");
    let reference = seen["room"]["ref"].as_str().expect("it has one").to_owned();
    assert!(reference.starts_with("9f3c-"), "{seen}");
    let (status, told) = ask(address, "POST /api/publish", said);
    assert_eq!((status, &told["ref"]), (500, &json!(reference)), "nothing is added: {told}");
    let (_, list) = ask(address, "GET /rooms?prefix=fragile:", "");
    assert_eq!(list["rooms"][0]["ref"], reference, "{list}");
    let (status, told) = ask(address, "POST /rooms/fragile:a/release", "");
    assert_eq!((status, &told["state"]), (200, &json!("loading")), "{told}");
    let again = until_state(address, "quarantined");
    assert_ne!(again["room"]["ref"], reference, "it was tried: {again}");
    BROKEN.store(false, Ordering::SeqCst);
    assert_eq!(ask(address, "POST /rooms/fragile:a/release", "").0, 200);
    assert_eq!(until_state(address, "live")["room"]["ref"], Value::Null);
    let (status, told) = ask(address, "POST /api/publish", said);
    assert_eq!(status, 200, "{told}");
    let (status, told) = ask(address, "POST /rooms/fragile:a/release", "");
    assert!(status == 409 && told["error"].as_str().is_some_and(|it| it.contains("it is live")), "{told}");
}
