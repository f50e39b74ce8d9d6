//! An app that panics, met over a real socket: what its caller is told leads to the line in the log.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use app::{Action, App, Applied, Decision, Needs, Room, UnknownFormat};
use identity::{KeyRing, Secret, TokenRules};
use node::{
    Auth, Config, Crowd, Facts, Furnish, Gate, MountPoint, Node, Offers, Origins, Path, StartError, Words,
};
use serde_json::{Value, json};
use vocabulary::{Audience, Caller, Durability, Now, Payload, Record, Refusal, RoomId, Shown};
use websocket::handshake::Key;
use websocket::handshake::client::{Answer, Ask};
use websocket::{Compression, Decoder, Event, Inflater, Role, frame};

/// Decides nothing, ever.
struct Fragile {
    durability: Durability,
}

impl App for Fragile {
    type State = ();

    fn needs(&self) -> Needs {
        Needs { durability: self.durability, ..Needs::default() }
    }

    fn start(&self, _room: &RoomId) {}

    fn admit(&self, _now: Now, _state: &(), _caller: &Caller, _join: &Payload) -> Result<Audience, Refusal> {
        Ok(Audience::default())
    }

    fn decide(
        &self,
        _now: Now,
        _room: Room<'_, ()>,
        _caller: &Caller,
        action: Action<'_>,
    ) -> Result<Decision, Refusal> {
        panic!("no idea what {} means", action.kind)
    }

    fn apply(&self, _state: &mut (), _record: &Record) -> Applied {
        Applied::Unknown
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

struct Furniture {
    needs: Durability,
}

impl Furnish for Furniture {
    fn apps(&self) -> rooms::Apps {
        rooms::Apps::default().with(
            "fragile",
            app::host(Fragile { durability: self.needs }),
            rooms::Rules::default(),
        )
    }

    fn mounts(&self) -> Vec<shard::Mount> {
        let speaks = shard::Speaks::Protocol(Box::new(protocol::RoomsProtocol));
        let (app, messages) = ("fragile".into(), shard::MESSAGES);
        let pace = shard::Pace::default();
        vec![shard::Mount {
            speaks,
            app,
            messages,
            compress_from_bytes: 256,
            pace,
            one_per_user: None,
            joins_inbox: false,
            one_room: false,
            own_room: None,
        }]
    }
}

/// The log, as a file would hold it.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().expect("nobody panicked while writing").extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Log {
    fn text(&self) -> String {
        String::from_utf8(self.0.lock().expect("nobody panicked while writing").clone()).expect("text")
    }
}

fn node(secret: Secret, configured: Durability, needs: Durability) -> Result<Node, StartError> {
    let path = Path::new("/ws");
    let (auth, origins) = (Auth::Token, Origins::All);
    let mount = MountPoint {
        path,
        auth,
        origins,
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
        durability: configured,
        node_tag: 0x9f3c,
        start_tag: 7,
        handshake: Duration::from_secs(10),
    };
    Node::start(config, Arc::new(Furniture { needs }))
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

fn say(stream: &mut TcpStream, text: &str) {
    let frame = frame::masked(frame::Opcode::Text, [1, 2, 3, 4], text.as_bytes());
    stream.write_all(&frame).expect("taken");
}

/// The answer to a request; whatever else is told is passed over.
fn answer(stream: &mut TcpStream, id: &str) -> Value {
    let limits = websocket::Limits { message_bytes_max: 1 << 20, fragments_max: 8 };
    let mut decoder = Decoder::new(Role::Client, limits, Compression::Off);
    let mut scratch = [0; 4096];
    loop {
        let read = stream.read(&mut scratch).expect("the node answers");
        assert_ne!(read, 0, "the connection goes on");
        for event in decoder.feed(&mut Inflater::default(), &mut scratch[..read]) {
            if let Event::Text(text) = event.expect("RFC 6455") {
                let message: Value = serde_json::from_str(&text).expect("JSON");
                if message["id"] == id {
                    return message;
                }
            }
        }
    }
}

/// R13: a panic costs the command that met it, and nobody's connection.
#[test]
fn the_reference_of_an_internal_error_is_found_in_the_log() {
    let log = Log::default();
    let lines = log.clone();
    tracing_subscriber::fmt().with_ansi(false).with_writer(move || lines.clone()).init();
    let secret = Secret::new(b"a secret of thirty-two bytes or more").expect("long enough");
    let now = Facts::now().0 / 1000;
    let (sub, name) = ("7".to_owned(), "Ana".to_owned());
    let claims = json!({ "sub": sub, "name": name, "iat": now, "exp": now + 3600 });
    let token = secret.sign(&claims).expect("signed");
    let node = node(secret, Durability::None, Durability::None).expect("a port is free");
    let mut ana = connect(&node.address().to_string(), &token);
    say(&mut ana, r#"{"type":"join_room","id":"j","payload":{"room_id":"r"}}"#);
    assert_eq!(answer(&mut ana, "j")["type"], "room_info");
    let mut references = Vec::new();
    for id in ["1", "2", "3"] {
        say(&mut ana, &format!(r#"{{"type":"send_message","room":"r","id":"{id}","payload":{{}}}}"#));
        let error = answer(&mut ana, id);
        let payload = &error["payload"];
        let told = (payload["code"].as_str(), payload["message"].as_str());
        assert_eq!(told, (Some("INTERNAL_ERROR"), Some("Internal server error")));
        let reference = payload["ref"].as_str().expect("a reference").to_owned();
        assert!(reference.starts_with("9f3c-"), "{reference} names the node");
        let log = log.text();
        let line = log.lines().find(|line| line.contains(&format!("reference={reference} ")));
        let line = line.unwrap_or_else(|| panic!("no line with {reference} in {log}"));
        let begins = "Recovered from panic in decide of fragile: no idea what send_message means";
        assert!(line.contains(begins), "{line}");
        references.push(reference);
    }
    references.dedup();
    assert_eq!(references.len(), 3, "each failure has its own");
}

/// The memory engine keeps records through nothing.
#[test]
fn a_node_does_not_start_on_an_engine_that_gives_less_than_is_needed() {
    for (configured, needs, expected) in [
        (
            Durability::None,
            Durability::Process,
            Some("the app fragile needs records to survive the end of a process"),
        ),
        (
            Durability::Power,
            Durability::None,
            Some("the setting `durability` needs records to survive a loss of power"),
        ),
        (Durability::None, Durability::None, None),
    ] {
        let secret = Secret::new(b"a secret of thirty-two bytes or more").expect("long enough");
        match (node(secret, configured, needs), expected) {
            (Err(error), Some(says)) => {
                let error = error.to_string();
                assert!(error.starts_with(says) && error.contains("they survive nothing"), "{error}");
            }
            (started, expected) => assert_eq!(started.is_ok(), expected.is_none(), "{configured} {needs}"),
        }
    }
}
