//! Who asks for pages and does not want them.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Instant;

use crate::canary::SECRET;
use crate::support::{PATIENCE, Server, connect_from};

/// As many as one address may ask for at a time.
const PAGES: usize = 64;
const HERE: [u8; 4] = [127, 0, 0, 1];

/// Asks, and says nothing of what it announced.
fn dawdle(server: &Server) -> TcpStream {
    let mut stream = connect_from(&server.address, HERE);
    let head = "POST /demo/token HTTP/1.1\r\nHost: localhost\r\nContent-Length: 9\r\n\r\n";
    stream.write_all(head.as_bytes()).expect("taken");
    stream
}

fn live(server: &Server, source: [u8; 4]) -> u16 {
    let mut stream = connect_from(&server.address, source);
    stream.write_all(b"GET /live HTTP/1.1\r\nHost: localhost\r\n\r\n").expect("taken");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
}

fn until_live(server: &Server, wanted: u16) {
    let from = Instant::now();
    while live(server, HERE) != wanted {
        assert!(from.elapsed() < PATIENCE, "it never answers {wanted}");
    }
}

#[test]
fn an_address_has_so_many_pages_at_a_time_and_leaves_room_for_others() {
    let counted = [("KULKUL_LIMITS__EXEMPT_ADDRESSES", "10.0.0.0/8"), ("WS_HANDSHAKE_TIMEOUT", "60s")];
    let server = Server::spawn(&counted, &[]);
    let held: Vec<_> = (0..PAGES).map(|_| dawdle(&server)).collect();
    until_live(&server, 429);
    assert_eq!(live(&server, [127, 0, 0, 2]), 200, "another address");
    drop(held);
    until_live(&server, 200);
}

#[test]
fn an_exempt_address_has_as_many_pages_as_it_asks_for() {
    let server = Server::start();
    let _held: Vec<_> = (0..2 * PAGES).map(|_| dawdle(&server)).collect();
    assert_eq!(live(&server, HERE), 200);
}

/// Whoever keeps an operator's place without need gives it up.
#[test]
fn who_dawdles_at_the_operators_listener_is_cut_and_holds_up_nobody() {
    let server = Server::configured(&format!("{SECRET}[websocket]\nhandshake_timeout = \"1s\"\n"));
    let operator = server.operator.clone().expect("it has one");
    let post = format!("POST /revoke HTTP/1.1\r\nHost: {operator}\r\n");
    let said = [
        "",
        "GET /metr",
        &format!("{post}Content-Type: application/json\r\nContent-Length: 12\r\n\r\n{{\"user\""),
        &format!("{post}Transfer-Encoding: chunked\r\n\r\n"),
    ];
    // Twice as many as have a place at once.
    let slow: Vec<TcpStream> = (0..128)
        .map(|number| {
            let mut stream = connect_from(&operator, HERE);
            stream.write_all(said[number % said.len()].as_bytes()).expect("taken");
            stream
        })
        .collect();
    let ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
        server.http_at(&operator, &request)
    };
    assert_eq!(ask("/live"), (200, "live\n".to_owned()));
    for mut stream in slow {
        let mut answer = Vec::new();
        // Closed or reset, it ends.
        let ended = stream.read_to_end(&mut answer);
        let waits = ended.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
        assert!(!waits, "it is still there");
    }
    assert_eq!((ask("/ready").0, ask("/health").0, ask("/metrics").0), (200, 200, 200));
    assert_eq!(ask("/ws/online").0, 404, "what is the clients'");
}
