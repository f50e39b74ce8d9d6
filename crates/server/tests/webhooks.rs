//! Webhooks of the whole binary, against receivers of the tests' own: what is told, to whom, in which order, and what of it survives.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

#[path = "webhooks/calls.rs"]
mod calls;
#[path = "webhooks/example.rs"]
mod example;
#[path = "webhooks/faults.rs"]
mod faults;
#[path = "webhooks/letters.rs"]
mod letters;
#[path = "webhooks/nodes.rs"]
mod nodes;
#[path = "webhooks/receiver.rs"]
mod receiver;

use std::time::{Duration, Instant};

use receiver::{Receiver, SECRET};
use serde_json::{Value, json};
use support::{Client, Folder, Server, kulkul};

/// A circuit that is open may be for half a minute, and the machine does other things as well.
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
    let name = format!("kulkul_bridge_webhook_{name} ");
    let value = page.lines().find_map(|line| line.strip_prefix(&name));
    value.unwrap_or_else(|| panic!("no {name}in {page}")).parse().expect("a number")
}

fn hook(name: &str, receiver: &Receiver, rooms: &str, more: &str) -> String {
    format!(
        "[[webhooks]]\nname = \"{name}\"\nurl = \"http://{}/told\"\nsecret = \"{SECRET}\"\nrooms = [\"{rooms}\"]\n\
         allow = [\"127.0.0.0/8\"]\n{more}\n",
        receiver.address
    )
}

const HEAD: &str = r#"
operator_listen = "127.0.0.1:0"
secret = "0123456789abcdef0123456789abcdef"
[limits]
messages_per_second = 100000
burst = 100000
[chat]
messages_per_second = 100000
burst = 100000
[[api.keys]]
name = "orders"
secret = "orders-orders-orders-orders-orders"
"#;

/// A node's config, which outlives it as its data do.
struct Place {
    folder: Folder,
}

impl Place {
    fn new(hooks: &str) -> Place {
        let folder = Folder::new();
        std::fs::write(folder.path().join("kulkul.toml"), format!("{HEAD}{hooks}")).expect("written");
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
}

fn say(client: &mut Client, room: &str, content: &str) -> Value {
    let id = format!("{room} {content}");
    let frame = json!({ "type": "send_message", "room": room, "id": id, "payload": { "content": content } });
    client.say(&frame.to_string());
    client.next("ack")
}

/// In each room from one number to another, one after the other.
fn say_all(client: &mut Client, rooms: &[&str], numbers: std::ops::Range<usize>) {
    for number in numbers {
        rooms.iter().for_each(|room| drop(say(client, room, &number.to_string())));
    }
}

fn numbers(count: usize) -> Vec<String> {
    (0..count).map(|number| number.to_string()).collect()
}
