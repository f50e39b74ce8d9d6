//! What can be tried before one is let in.

use std::io::{Read, Write};
use std::net::TcpStream;

use crate::canary::{Canary, SECRET, UNHURRIED, open, token};
use crate::support::{Client, PATIENCE, Server, connect_from};

fn connect(server: &Server) -> TcpStream {
    let stream = TcpStream::connect(&server.address).expect("listening");
    stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    stream
}

/// Everything until the server hangs up, as it came.
fn answer(mut stream: TcpStream, request: &[u8]) -> String {
    // A refusal may come before all of a large request was taken.
    let _ = stream.write_all(request);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn upgrade(more: &str) -> String {
    format!(
        "GET /ws HTTP/1.1\r\nHost: a.example\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n{more}\r\n"
    )
}

/// T01: thirty origins, of which one is on the list.
#[test]
fn origins_are_compared_whole() {
    let server =
        Server::configured(&format!("{SECRET}[websocket]\nallowed_origins = [\"https://app.example\"]\n"));
    let token = token(&server, "1");
    let target = format!("/ws?token={token}");
    let ask = |origin: &str| Client::open_with(&server, &target, &[], &[("Origin", origin)]).map(|_| ());
    assert_eq!(ask("https://app.example"), Ok(()));
    for origin in [
        "null",
        "",
        "http://app.example",
        "https://app.example:444",
        "https://app.example:443",
        "https://app.example.evil",
        "https://evilapp.example",
        "https://app.example@evil.example",
        "https://evil.example#https://app.example",
        "https://evil.example/https://app.example",
        "https://app.example/",
        "https://APP.EXAMPLE.evil",
        "https://app.exampl",
        "https://app.example ",
        "https://app.example, https://evil.example",
        "https://a%70p.example",
        "https://app.example\\",
        "//app.example",
        "app.example",
        "https:app.example",
        "https:///app.example",
        "file://",
        "chrome-extension://abc",
        "https://[::1]",
        "https://127.0.0.1",
        "https://sub.app.example",
        "https://app.example?",
        "*",
        "https://*",
    ] {
        // A blank at the end is no part of a field's value.
        let expected = if origin == "https://app.example " { Ok(()) } else { Err(403) };
        assert_eq!(ask(origin), expected, "{origin:?}");
    }
}

/// T10: a head comes in time or not at all, and nobody waits for it.
#[test]
fn slow_and_oversized_heads_are_sent_away() {
    let server = Server::configured(&format!(
        "{SECRET}[websocket]\nhandshake_timeout = \"1s\"\n[limits]\n{UNHURRIED}"
    ));
    let canary = Canary::sing(&server);
    let slow: Vec<TcpStream> = (0..200)
        .map(|number| {
            let mut stream = connect(&server);
            stream.write_all(&upgrade("").as_bytes()[..number % 100]).expect("taken");
            stream
        })
        .collect();
    for stream in slow {
        assert!(answer(stream, b"").starts_with("HTTP/1.1 408"));
    }
    let long = upgrade(&format!("X-Long: {}\r\n", "x".repeat(1 << 20)));
    assert!(answer(connect(&server), long.as_bytes()).starts_with("HTTP/1.1 431"));
    let many = upgrade(&"X-Many: x\r\n".repeat(200));
    assert!(answer(connect(&server), many.as_bytes()).starts_with("HTTP/1.1 431"));
    open(&server, "newcomer").join("general");
    canary.lives();
}

/// T11: as many as a user has devices, and a place is free again when one goes.
#[test]
fn a_user_has_so_many_connections_and_no_more() {
    let server = Server::configured(&format!("{SECRET}[limits]\nconnections_per_user = 3\n"));
    let target = format!("/ws?token={}", token(&server, "1"));
    let mut held: Vec<Client> = (0..3).map(|_| Client::open(&server, &target).expect("let in")).collect();
    assert_eq!(Client::open(&server, &target).map(|_| ()), Err(429));
    let refused = answer(
        connect(&server),
        upgrade(&format!("Authorization: Bearer {}\r\n", token(&server, "1"))).as_bytes(),
    );
    assert!(
        refused.contains("Retry-After: ") && refused.contains("too many connections of this user"),
        "{refused}"
    );
    open(&server, "2").join("general");
    drop(held.pop());
    let from = std::time::Instant::now();
    while Client::open(&server, &target).is_err() {
        assert!(from.elapsed() < PATIENCE, "the place stays taken");
    }
}

/// T11: by address, whatever a stranger says about where it is.
#[test]
fn an_address_has_so_many_connections_and_cannot_talk_its_way_out() {
    let limits = "[limits]\nconnections_per_address = 3\nconnections_per_user = 100\nexempt_addresses = []\n";
    let server = Server::configured(&format!("{SECRET}{limits}"));
    let token = token(&server, "1");
    let ask = |source: [u8; 4], more: &str| {
        let mut stream = connect_from(&server.address, source);
        let request = upgrade(&format!("Authorization: Bearer {token}\r\n{more}"));
        stream.write_all(request.as_bytes()).expect("taken");
        let mut status = [0; 12];
        stream.read_exact(&mut status).expect("an answer");
        (stream, String::from_utf8_lossy(&status[9..]).into_owned())
    };
    let held: Vec<_> = (0..3).map(|_| ask([127, 0, 0, 2], "")).collect();
    assert!(held.iter().all(|(_, status)| status == "101"));
    assert_eq!(ask([127, 0, 0, 2], "").1, "429");
    assert_eq!(ask([127, 0, 0, 2], "X-Forwarded-For: 9.9.9.9\r\n").1, "429", "nobody believes it");
    assert_eq!(ask([127, 0, 0, 3], "").1, "101", "another address");
    server.configure(&format!("{SECRET}{limits}[proxies]\ntrusted = [\"127.0.0.4\"]\n"));
    server.until_log("applied: proxies.trusted");
    let client = |number| ask([127, 0, 0, 4], &format!("X-Forwarded-For: 9.9.9.{number}\r\n"));
    let behind: Vec<_> = (0..5).map(client).collect();
    assert!(behind.iter().all(|(_, status)| status == "101"), "a proxy is many clients");
    let crowd: Vec<_> = (0..4).map(|_| ask([127, 0, 0, 4], "X-Forwarded-For: 8.8.8.8\r\n")).collect();
    assert_eq!(crowd[3].1, "429", "and each of them has its own limit");
}

/// T24: one event is one line, whatever it is about.
#[test]
fn nobody_writes_lines_of_its_own_into_the_log() {
    let server = Server::configured(&format!("{SECRET}[log]\nlevel = \"debug\"\n"));
    let token = token(&server, "1");
    for more in [
        "User-Agent: x\u{1b}[31m\tFORGED\r\n",
        "Origin: http://evil.example\u{9b}31m\r\n",
        "X-Forwarded-For: FORGED\r\n",
    ] {
        answer(connect(&server), upgrade(more).as_bytes());
    }
    let agent = ("User-Agent", "agent\tFORGED\u{9b}31m\u{202e}FORGED\u{2028}");
    let client = Client::open_with(&server, &format!("/ws?token={token}"), &[], &[agent]);
    let mut client = client.expect("let in");
    client.say("{\"type\":\"FORGED\\r\\n\u{1b}[31m\"}");
    client.next("error");
    server.get("/FORGED%0a%1b[31m");
    drop(client);
    let log = server.log();
    let obeyed = ['\u{1b}', '\u{9b}', '\u{202e}', '\u{2028}'];
    assert!(!log.contains(obeyed), "nothing reaches a terminal that it would obey");
    assert!(!log.contains(token.as_str()), "no token stands in a log");
    for line in log.lines() {
        let event: serde_json::Value =
            serde_json::from_str(line).unwrap_or_else(|error| panic!("{line}: {error}"));
        assert!(event["message"].is_string(), "{line}");
    }
}

/// T29: one request, one answer, and the end.
#[test]
fn nothing_is_smuggled_behind_a_refused_upgrade() {
    let server = Server::configured(SECRET);
    let second = "GET /health HTTP/1.1\r\nHost: a.example\r\n\r\n";
    let cases = [
        ("both lengths", upgrade("Content-Length: 5\r\nTransfer-Encoding: chunked\r\n")),
        ("two lengths", upgrade("Content-Length: 0\r\nContent-Length: 50\r\n")),
        ("a body", upgrade(&format!("Content-Length: {}\r\n", second.len()))),
        ("a folded field", upgrade("X-Folded: a\r\n b\r\n")),
        ("HTTP/1.0", upgrade("").replace("HTTP/1.1", "HTTP/1.0")),
        ("version 777", upgrade("").replace("Version: 13", "Version: 777")),
        ("h2c", upgrade("").replace("Upgrade: websocket", "Upgrade: h2c")),
        ("a post", upgrade("").replace("GET", "POST")),
        ("no host", upgrade("").replace("Host: a.example\r\n", "")),
        ("two hosts", upgrade("Host: b.example\r\n")),
        ("no token", upgrade("")),
        ("a blank before the colon", upgrade("X-Odd : a\r\n")),
        ("a bare line feed", upgrade("").replace("\r\n", "\n")),
        ("a NUL", upgrade("X-Odd: a\0b\r\n")),
    ];
    for (name, request) in cases {
        let answer = answer(connect(&server), format!("{request}{second}").as_bytes());
        assert_eq!(answer.matches("HTTP/1.1 ").count(), 1, "{name}: {answer}");
        let status = answer.split(' ').nth(1).expect("a status");
        assert!(status.starts_with('4') || status.starts_with('5'), "{name}: {answer}");
    }
}
