//! Many who come at once, and what is said and counted of them.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use crate::canary::{Canary, SECRET, UNHURRIED, figure, token};
use crate::support::{Client, Folder, PATIENCE, Server, connect_from};

/// A figure of the operator's page.
fn until_figure(server: &Server, name: &str, wanted: u64) {
    let from = Instant::now();
    while figure(server, name) != wanted {
        assert!(from.elapsed() < PATIENCE, "{name} is {}, wanted {wanted}", figure(server, name));
    }
}

const HERE: [u8; 4] = [127, 0, 0, 1];

fn upgrade(to: &str, source: [u8; 4], bearer: &str) -> TcpStream {
    let mut stream = connect_from(to, source);
    let head = format!(
        "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\nAuthorization: Bearer {bearer}\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).expect("taken");
    stream
}

/// None: the server hung up.
fn status(stream: &mut TcpStream) -> Option<String> {
    let mut line = [0; 12];
    match stream.read_exact(&mut line) {
        Ok(()) => Some(String::from_utf8_lossy(&line[9..]).into_owned()),
        Err(error) if error.kind() == ErrorKind::WouldBlock => panic!("no answer"),
        Err(_) => None,
    }
}

/// Who comes too fast waits in the kernel's queue, and nobody is sent away for it.
#[test]
fn more_sockets_than_are_accepted_in_a_second_wait_and_none_is_lost() {
    let server = Server::configured(&format!("shards = 1\n{SECRET}[limits]\naccepts_per_second = 20\n"));
    let tokens = ["1", "2", "3"].map(|user| token(&server, user));
    let from = Instant::now();
    let mut all: Vec<_> =
        (0..30).map(|number| upgrade(&server.address, HERE, &tokens[number % tokens.len()])).collect();
    for stream in &mut all {
        assert_eq!(status(stream).as_deref(), Some("101"));
    }
    // Two at once, and one in 50 ms after them.
    assert!(from.elapsed() >= Duration::from_millis(28 * 50), "{:?}", from.elapsed());
    assert_eq!(figure(&server, "accepted_total"), 30);
}

/// One more than may be heard at a time goes unheard; whoever is inside does not notice, and then the next ones are heard.
#[test]
fn one_handshake_too_many_is_turned_away_until_another_ends() {
    let server = Server::configured(&format!(
        "shards = 1\n{SECRET}[websocket]\nhandshake_timeout = \"60s\"\n[limits]\ngreetings_max = 8\n{UNHURRIED}"
    ));
    let canary = Canary::sing(&server);
    let bearer = token(&server, "newcomer");
    let silent: Vec<TcpStream> = (0..8).map(|_| connect_from(&server.address, HERE)).collect();
    for _ in 0..3 {
        assert_eq!(status(&mut connect_from(&server.address, HERE)), None);
    }
    assert_eq!(figure(&server, "turned_away_total{why=\"crowded\"}"), 3);
    drop(silent);
    let from = Instant::now();
    while status(&mut upgrade(&server.address, HERE, &bearer)).as_deref() != Some("101") {
        assert!(from.elapsed() < PATIENCE, "the places stay taken");
    }
    canary.lives();
}

/// A listener for both versions sees who comes by version 4 as `::ffff:127.0.0.2`.
#[test]
fn a_listener_for_all_addresses_counts_each_client_of_version_4_by_itself() {
    if std::net::TcpListener::bind("[::]:0").is_err() {
        return; // A machine without version 6.
    }
    let folder = Folder::new();
    let server = Server::configured_whole(&format!(
        "listen = \"[::]:0\"\ndata = {:?}\n{SECRET}[limits]\nconnections_per_address = 1\nexempt_addresses = [\"127.0.0.4\"]\n",
        folder.text()
    ));
    let (_, port) = server.address.rsplit_once(':').expect("a port");
    let (to, bearer) = (format!("127.0.0.1:{port}"), token(&server, "1"));
    let mut held = Vec::new();
    for (last, expected) in [(2, "101"), (2, "429"), (3, "101"), (3, "429"), (4, "101"), (4, "101")] {
        let mut stream = upgrade(&to, [127, 0, 0, last], &bearer);
        assert_eq!(status(&mut stream).as_deref(), Some(expected), "127.0.0.{last}");
        held.push(stream);
    }
}

/// Whatever strangers do a hundred times is counted a hundred times, and written down once a second.
#[test]
fn who_is_turned_away_is_counted_and_does_not_fill_the_log() {
    let mounts = "[[mounts]]\npath = \"/ws\"\n[[mounts]]\npath = \"/in\"\nauth = \"in-band\"\n\
                  [[mounts]]\npath = \"/all\"\nauth = \"public\"\n";
    let server = Server::configured(&format!("shards = 1\n{SECRET}{mounts}[limits]\n{UNHURRIED}"));
    let from = Instant::now();
    for _ in 0..100 {
        assert_eq!(Client::open(&server, "/ws").map(|_| ()), Err(401));
        assert_eq!(Client::open(&server, "/nowhere").map(|_| ()), Err(404));
        let mut forger = Client::open(&server, "/in").expect("let in without a token");
        forger.say(r#"{"type":"authenticate","payload":{"token":"a.b.c"}}"#);
        assert_eq!(forger.closed().0, 4401);
        drop(Client::open(&server, "/all").expect("let in"));
    }
    for (why, count) in [("unproven", 200), ("not_found", 100), ("forbidden", 0)] {
        assert_eq!(figure(&server, &format!("turned_away_total{{why=\"{why}\"}}")), count, "{why}");
    }
    until_figure(&server, "connections", 0);
    let (log, most) = (server.log(), from.elapsed().as_secs() as usize + 2);
    for line in ["upgrade refused", "a token in band was refused", "client connected", "Removed connection"] {
        let lines = log.matches(line).count();
        assert!((1..=most).contains(&lines), "{lines} times {line:?}, {most} are enough");
    }
}
