//! The simulator's transcripts between real sockets and two real nodes on a real Redis or NATS: each client comes to another
//! node than the one before it.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
#[path = "support/fleet.rs"]
mod fleet;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use fleet::Fleet;
use serde_json::{Value, json};
use sim::script::{self, Kept, Stage};
use support::{Client, Heard, Server};

/// Those that ask nothing of their world but nodes, clients and back ends.
const DIALOGUES: [&str; 24] = [
    "announcement",
    "author",
    "devices",
    "direct",
    "edits",
    "errors",
    "fleeting",
    "hub",
    "inbox",
    "members",
    "moderation",
    "nodes",
    "poll",
    "reload",
    "resume",
    "return",
    "revoked",
    "ride_protocol_refusals",
    "rooms",
    "scores",
    "support",
    "support_desk",
    "typing",
    "unread",
];

/// Waits beyond this are for rooms to be let go; the simulator plays them to their end.
const WAIT_MAX: Duration = Duration::from_secs(6);

struct Real<'a> {
    fleet: &'a Fleet,
    nodes: [Server; 2],
    clients: BTreeMap<String, Client>,
    came: usize,
    began: Instant,
}

impl Real<'_> {
    fn client(&mut self, name: &str) -> Result<&mut Client, String> {
        self.clients.get_mut(name).ok_or_else(|| format!("{name} is not connected"))
    }

    fn publish(&self, body: &Value) -> Result<(), String> {
        let (status, said) = self.nodes[0].ask_operator("POST /api/publish", &body.to_string());
        if (200..300).contains(&status) { Ok(()) } else { Err(format!("{status}: {said}")) }
    }
}

impl Stage for Real<'_> {
    fn connect(&mut self, name: &str, how: &str) -> Result<(), String> {
        let user = name.split('/').next().unwrap_or(name);
        let display = format!("{}{}", user[..1].to_uppercase(), &user[1..]);
        let mut says = vec!["--user", user, "--name", &display];
        let (mut node, mut path) = (self.came % 2, "/ws".to_owned());
        let by_ride = how.strip_prefix("by ride").map(str::trim);
        if by_ride.is_some() {
            path = "/rides/ws".to_owned();
        }
        let how = by_ride.unwrap_or(how);
        match how.split_once(' ') {
            None if how.is_empty() => {}
            Some(("by", "hub")) => path = format!("/api/v1/ws?userId={user}"),
            Some(("to", number)) => node = number.parse().map_err(|error| format!("{number}: {error}"))?,
            Some(("as", said)) => {
                let (role, groups) = said.split_once(" in ").unwrap_or((said, ""));
                says.extend(["--role", role]);
                groups.split_whitespace().for_each(|group| says.extend(["--groups", group]));
            }
            Some(("allowed", rooms)) => rooms.split(' ').for_each(|room| says.extend(["--rooms", room])),
            _ => return Err(format!("nobody here knows how to connect {how}")),
        }
        let client = self.fleet.client_with(&self.nodes[node], &path, &says);
        if self.clients.insert(name.to_owned(), client).is_none() {
            self.came += 1;
        }
        Ok(())
    }

    fn say(&mut self, name: &str, text: &str) -> Result<(), String> {
        self.client(name)?.say(text);
        Ok(())
    }

    fn hear(&mut self, name: &str, patience: Duration) -> Result<Option<Value>, String> {
        match self.client(name)?.hear_within(patience) {
            Some(Heard::Text(text)) => Ok(Some(serde_json::from_str(&text).unwrap_or(Value::String(text)))),
            None | Some(Heard::Close(..) | Heard::End) => Ok(None),
            Some(Heard::Binary(_)) => Err("heard bytes".to_owned()),
        }
    }

    fn closed(&mut self, name: &str, patience: Duration) -> Result<Option<Option<u16>>, String> {
        let end = Instant::now() + patience;
        loop {
            let left = end.saturating_duration_since(Instant::now());
            match self.client(name)?.hear_within(left) {
                Some(Heard::Close(code, _)) => return Ok(Some(Some(code))),
                Some(Heard::End) => return Ok(Some(None)),
                Some(_) => {}
                None => return Ok(None),
            }
        }
    }

    fn pass(&mut self, span: Duration) {
        conformance::pass(span.min(WAIT_MAX));
    }

    fn clock(&self) -> Duration {
        self.began.elapsed()
    }

    fn other(&mut self, line: &str, _: &Kept) -> Result<(), String> {
        let payload = |text: &str| serde_json::from_str::<Value>(text).map_err(|error| error.to_string());
        if let Some(text) = line.strip_prefix("a back end announces ") {
            return self.publish(&json!({ "everybody": true, "payload": payload(text)? }));
        }
        if let Some((room, text)) =
            line.strip_prefix("a back end publishes to ").and_then(|it| it.split_once(' '))
        {
            return self.publish(&json!({ "room": room, "payload": payload(text)? }));
        }
        let (name, what) = line.split_once(' ').ok_or("who does what?")?;
        match what.trim() {
            "is cut" | "hangs up" => {
                self.client(name)?;
                self.clients.remove(name);
                Ok(())
            }
            "is revoked" => {
                let user = name.split('/').next().unwrap_or(name);
                let (status, said) =
                    self.nodes[0].ask_operator("POST /revoke", &json!({ "user": user }).to_string());
                if status == 204 { Ok(()) } else { Err(format!("{status}: {said}")) }
            }
            _ => Err("nobody here knows how to do this".to_owned()),
        }
    }
}

/// All at once, each in a deployment of its own: most of their time is waiting.
fn play_all(fleet: &Fleet) {
    let play = |name: &str| {
        let path = format!("{}/../../sim/transcripts/{name}.txt", env!("CARGO_MANIFEST_DIR"));
        let text = std::fs::read_to_string(&path).expect("the transcript is there");
        let nodes = [fleet.node_of(name), fleet.node_of(name)];
        let stage = Real { fleet, nodes, clients: BTreeMap::new(), came: 0, began: Instant::now() };
        script::play(&text, stage).map_err(|error| format!("{name}.txt, {error}"))
    };
    let failed: Vec<String> = std::thread::scope(|scope| {
        let played = DIALOGUES.map(|name| scope.spawn(move || play(name)));
        played.into_iter().filter_map(|it| it.join().expect("played to an end").err()).collect()
    });
    assert!(failed.is_empty(), "{}", failed.join("\n"));
}

#[test]
fn dialogues_go_the_same_on_two_nodes_of_a_redis() {
    play_all(&Fleet::on_redis());
}

#[test]
fn dialogues_go_the_same_on_two_nodes_of_a_nats() {
    play_all(&Fleet::on_nats());
}
