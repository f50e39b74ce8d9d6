//! Many who come at once, and what is said and counted of them.

use std::time::Instant;

use crate::canary::{SECRET, UNHURRIED};
use crate::support::{Client, PATIENCE, Server};

/// A figure of the operator's page.
fn figure(server: &Server, name: &str) -> u64 {
    let operator = server.operator.clone().expect("it has one");
    let ask = format!("GET /metrics HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
    let (_, page) = server.http_at(&operator, &ask);
    let line = page.lines().find_map(|line| line.strip_prefix(&format!("kulkul_{name} ")));
    line.unwrap_or_else(|| panic!("no {name} in {page}")).parse().expect("a number")
}

fn until_figure(server: &Server, name: &str, wanted: u64) {
    let from = Instant::now();
    while figure(server, name) != wanted {
        assert!(from.elapsed() < PATIENCE, "{name} is {}, wanted {wanted}", figure(server, name));
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
