//! Matches by plain HTTP against the real process: streams of events, and calls.

#[path = "match_http/calls.rs"]
mod calls;
#[path = "match_http/streams.rs"]
mod streams;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;

use serde_json::{Value, json};
use support::{Client, PATIENCE, Server, kulkul};

const CONFIG: &str = "secret = \"0123456789abcdef0123456789abcdef\"\nshards = 2\n";

fn server() -> Server {
    Server::configured(CONFIG)
}

fn token(server: &Server, args: &[&str]) -> String {
    let told = kulkul(&[&["token", "--config", server.config_path()], args].concat());
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
}

fn scorers(server: &Server) -> String {
    token(server, &["--user", "sam", "--name", "Sam", "--role", "scorer"])
}

fn ids(letter: char) -> Vec<String> {
    (1..=7).map(|number| format!("{letter}{number}")).collect()
}

/// Whole raids are all that is said of it: every raid of a bonus alone leaves everybody where they are.
fn initial() -> Value {
    json!({"profile": "raidx", "title": "Final", "teamA": {"name": "Lions"}, "teamB": {"name": "Tigers"},
        "teamAPlayerIds": ids('p'), "teamBPlayerIds": ids('q'), "tossWinner": "teamA", "tossDecision": "raid"})
}

/// Somebody who scores by a socket.
struct Scorer {
    client: Client,
    room: String,
    raids: usize,
}

impl Scorer {
    fn begins(server: &Server, token: &str, id: &str) -> Scorer {
        let client = Client::open(server, &format!("/ws?token={token}")).expect("let in");
        let mut scorer = Scorer { client, room: format!("scores:{id}"), raids: 0 };
        scorer.says("initial_state", &initial());
        scorer
    }

    fn says(&mut self, kind: &str, payload: &Value) -> Value {
        let frame = json!({"type": kind, "room": self.room, "id": format!("{kind}-{}", self.raids), "payload": payload});
        self.client.say(&frame.to_string());
        let told = self.client.next_of(&["ack", "error"]);
        assert_eq!(told["type"], "ack", "{told}");
        told
    }

    /// One more raid, whose only point is its bonus.
    fn raids(&mut self) -> Value {
        let raider = if self.raids.is_multiple_of(2) { "p1" } else { "q1" };
        self.raids += 1;
        self.says("raid", &json!({"raiderId": raider, "bonus": true}))
    }
}

/// What somebody hears who asked for a stream.
struct Stream {
    socket: TcpStream,
    heard: Vec<u8>,
}

#[derive(Debug, PartialEq)]
struct Event {
    id: Option<String>,
    data: Value,
}

impl Event {
    fn kind(&self) -> &str {
        self.data["type"].as_str().unwrap_or_default()
    }
}

impl Stream {
    fn ask(server: &Server, target: &str, fields: &[(&str, &str)]) -> Stream {
        Stream::say(server, &request(server, target, fields))
    }

    fn say(server: &Server, request: &str) -> Stream {
        let mut socket = TcpStream::connect(&server.address).expect("listening");
        socket.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        socket.write_all(request.as_bytes()).expect("taken");
        Stream { socket, heard: Vec::new() }
    }

    /// One that is let in, its head, and when to come back.
    fn of(server: &Server, target: &str, fields: &[(&str, &str)]) -> Stream {
        let mut stream = Stream::ask(server, target, fields);
        let head = stream.until(b"\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n"), "{head}");
        let retry = stream.until(b"\n\n").expect("when to come back");
        assert!(retry.starts_with("retry: "), "{retry}");
        stream
    }

    /// All up to a mark, without it. None: it ended before.
    fn until(&mut self, mark: &[u8]) -> Option<String> {
        loop {
            if let Some(at) = self.heard.windows(mark.len()).position(|bytes| bytes == mark) {
                let rest = self.heard.split_off(at + mark.len());
                let mut found = std::mem::replace(&mut self.heard, rest);
                found.truncate(at);
                return Some(String::from_utf8(found).expect("a stream is text"));
            }
            let mut scratch = [0; 16 << 10];
            match self.socket.read(&mut scratch) {
                Ok(0) => return None,
                Ok(read) => self.heard.extend_from_slice(&scratch[..read]),
                Err(error) if error.kind() == ErrorKind::ConnectionReset => return None,
                Err(error) => panic!("nothing heard: {error}"),
            }
        }
    }

    /// None: the stream has ended.
    fn next(&mut self) -> Option<Event> {
        loop {
            let block = self.until(b"\n\n")?;
            let field =
                |name: &str| block.lines().find_map(|line| line.strip_prefix(name).map(str::trim_start));
            if let Some(data) = field("data:") {
                let data = serde_json::from_str(data).expect("JSON");
                return Some(Event { id: field("id:").map(str::to_owned), data });
            }
        }
    }

    fn hear(&mut self) -> Event {
        self.next().expect("the stream goes on")
    }

    /// All that comes until the server ends it.
    fn whole(mut self) -> String {
        let mut text = String::from_utf8(std::mem::take(&mut self.heard)).expect("text");
        self.socket.read_to_string(&mut text).expect("an end");
        text
    }
}

fn request(server: &Server, target: &str, fields: &[(&str, &str)]) -> String {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    format!("GET {target} HTTP/1.1\r\nHost: {}\r\n{fields}\r\n", server.address)
}
