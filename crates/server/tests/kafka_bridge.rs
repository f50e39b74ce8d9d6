//! The bridge to Kafka against a real one, and against librdkafka's own mock of one: another fleet's servers are plain clients of it.
#![cfg(feature = "kafka")]

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/kafka.rs"]
mod kafka;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "kafka_bridge/faults.rs"]
mod faults;
#[path = "kafka_bridge/livechat.rs"]
mod livechat;
#[path = "kafka_bridge/mock.rs"]
mod mock;
#[path = "kafka_bridge/nodes.rs"]
mod nodes;
#[path = "kafka_bridge/secure.rs"]
mod secure;
#[path = "kafka_bridge/sink.rs"]
mod sink;
#[path = "kafka_bridge/source.rs"]
mod source;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use support::{Client, Folder, Server, kulkul};

/// Fifty thousand messages, or a broker that begins anew, on a machine that does other things as well.
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
    let name = format!("kulkul_bridge_kafka_{name} ");
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

/// A bridge whose topic has messages for rooms of chat: `{room, content, id?, user?}`.
fn bridge(brokers: &str, topic: &str, id: bool) -> String {
    let id = if id { "id = \"{id}\"\n" } else { "" };
    format!(
        "[kafka_bridge]\nbrokers = [\"{brokers}\"]\ngroup = \"group of {topic}\"\nsession = \"6s\"\n\
         [[kafka_bridge.sources]]\ntopic = \"{topic}\"\nroom = \"chat:{{room}}\"\nkind = \"send_message\"\nauthor = \"{{user}}\"\n{id}"
    )
}

/// A node's config, which outlives it as its data do.
struct Place {
    folder: Folder,
}

impl Place {
    fn new(bridge: &str) -> Place {
        let folder = Folder::new();
        std::fs::write(folder.path().join("kulkul.toml"), format!("{SECRETS}{bridge}")).expect("written");
        Place { folder }
    }

    fn config(&self) -> String {
        self.folder.path().join("kulkul.toml").to_str().expect("UTF-8").to_owned()
    }

    fn node(&self) -> Server {
        Server::on(&self.folder, &["--config", &self.config()])
    }

    fn client(&self, node: &Server, user: &str) -> Client {
        let told = kulkul(&["token", "--config", &self.config(), "--user", user]);
        let token = String::from_utf8(told.stdout).expect("UTF-8");
        Client::open(node, &format!("/ws?token={}", token.trim())).expect("let in")
    }

    /// One that has its partitions, all of them.
    fn reading(&self, partitions: u64) -> Server {
        let node = self.node();
        until("the node reads", || figure(&node, "partitions") == partitions);
        node
    }
}

fn message(room: &str, content: &str) -> String {
    json!({ "room": room, "content": content, "user": "9" }).to_string()
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

/// Every room has its messages from 0 on, in order and once.
fn assert_complete(node: &Server, rooms: &BTreeMap<String, usize>) {
    for (room, count) in rooms {
        let expected: Vec<String> = (0..*count).map(|number| number.to_string()).collect();
        let found = contents(node, room);
        assert!(found == expected, "{room} has {} of {count}: {found:?}", found.len());
    }
}
