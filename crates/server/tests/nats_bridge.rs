//! The bridge to NATS against a real one: another fleet's services are plain clients of it.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/nats.rs"]
mod nats;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "nats_bridge/faults.rs"]
mod faults;
#[path = "nats_bridge/nodes.rs"]
mod nodes;
#[path = "nats_bridge/rides.rs"]
mod rides;
#[path = "nats_bridge/secure.rs"]
mod secure;
#[path = "nats_bridge/sink.rs"]
mod sink;
#[path = "nats_bridge/source.rs"]
mod source;
#[path = "nats_bridge/streams.rs"]
mod streams;

use std::time::{Duration, Instant};

use conformance::Server as Broker;
use serde_json::{Value, json};
use support::{Client, Folder, Server, kulkul};

/// Thousands of messages, or a server that begins anew, on a machine that does other things as well.
const PATIENCE: Duration = Duration::from_secs(120);

fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let since = Instant::now();
    while !holds() {
        assert!(since.elapsed() < PATIENCE, "{what} does not come true");
        std::thread::yield_now();
    }
}

fn figure(node: &Server, name: &str) -> u64 {
    let (_, page) = node.ask_operator("GET /metrics", "");
    let name = format!("kulkul_bridge_nats_{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("no {name}in {page}")).parse().expect("a number")
}

const SECRETS: &str = r#"
operator_listen = "127.0.0.1:0"
secret = "0123456789abcdef0123456789abcdef"
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
"#;

fn url(broker: &Broker) -> String {
    format!("nats://{}", broker.address)
}

/// A bridge whose subject has messages for rooms of chat, `said.{room}` `{content, user?}`; by a durable called `chat`.
fn bridge(broker: &Broker) -> String {
    format!("[nats_bridge]\nurl = \"{}\"\n{}", url(broker), SOURCE)
}

const SOURCE: &str = "[[nats_bridge.sources]]\nsubject = \"said.*\"\ndurable = \"chat\"\nfrom = \"all\"\n\
    room = \"chat:{2}\"\nkind = \"send_message\"\nauthor = \"{user}\"\n";

/// A node's config, which outlives it as its data do.
struct Place {
    folder: Folder,
}

impl Place {
    fn new(bridge: &str) -> Place {
        let place = Place { folder: Folder::new() };
        place.says(bridge);
        place
    }

    /// To the node that begins next.
    fn says(&self, bridge: &str) {
        std::fs::write(self.folder.path().join("kulkul.toml"), format!("{SECRETS}{bridge}"))
            .expect("written");
    }

    fn config(&self) -> String {
        self.folder.path().join("kulkul.toml").to_str().expect("UTF-8").to_owned()
    }

    fn node(&self) -> Server {
        Server::on(&self.folder, &["--config", &self.config()])
    }

    fn client(&self, node: &Server, says: &[&str]) -> Client {
        self.client_at(node, "/ws", says)
    }

    fn client_at(&self, node: &Server, path: &str, says: &[&str]) -> Client {
        let told = kulkul(&[&["token", "--config", &self.config(), "--user"], says].concat());
        let token = String::from_utf8(told.stdout).expect("UTF-8");
        Client::open(node, &format!("{path}?token={}", token.trim())).expect("let in")
    }

    /// One that has found what it reads.
    fn reading(&self, sources: u64) -> Server {
        let node = self.node();
        until("the node reads", || figure(&node, "sources") == sources);
        node
    }
}

fn message(content: &str) -> String {
    json!({ "content": content, "user": "9" }).to_string()
}

/// What a room's history has, oldest first, however long.
fn contents(node: &Server, room: &str) -> Vec<String> {
    let (mut contents, mut before) = (Vec::new(), String::new());
    loop {
        let (status, body) =
            node.ask_operator(&format!("GET /api/history?room=chat:{room}&limit=100{before}"), "");
        assert_eq!(status, 200, "{body}");
        let page: Value = serde_json::from_str(&body).expect("JSON");
        let messages = page["messages"].as_array().unwrap_or_else(|| panic!("no messages in {body}"));
        let texts = messages.iter().map(|it| it["payload"]["content"].as_str().expect("a text").to_owned());
        contents.splice(0..0, texts);
        let next = &page["next"];
        if next.is_null() {
            return contents;
        }
        before = format!("&before={}-{}", next["epoch"].as_str().expect("an epoch"), next["offset"]);
    }
}

fn numbers(range: std::ops::Range<usize>) -> Vec<String> {
    range.map(|number| number.to_string()).collect()
}
