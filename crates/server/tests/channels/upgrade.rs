//! Who is let in, and what those are told who are not.

use serde_json::Value;

use super::support::{Client, Server};
use super::{server, token, token_of};

fn upgrade(server: &Server, target: &str, fields: &str) -> (u16, Value) {
    let (status, body) = server.http(&format!(
        "GET {target} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\n{fields}\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQEBAQEBAQEBAQEBAQEBAQ==\r\n\r\n",
        server.address
    ));
    (status, serde_json::from_str(&body).unwrap_or_default())
}

#[test]
fn an_upgrade_is_refused_as_malformed_then_unproven_then_forbidden_with_the_reason() {
    let server = server();
    let (seven, named) = (token(&server, "7", "Ana"), token(&server, "ana", "Ana"));
    let required = "userId parameter is required";
    let number = "userId must be a valid number";
    for (query, status, error, field) in [
        ("", 400, required, Some("userId")),
        ("?userId=", 400, required, Some("userId")),
        ("?token=nonsense", 400, required, Some("userId")),
        ("?userId=abc&token=nonsense", 400, number, Some("userId")),
        ("?userId=-1", 400, number, Some("userId")),
        ("?userId=%2B7", 400, number, Some("userId")),
        ("?userId=7.5", 400, number, Some("userId")),
        ("?userId=18446744073709551616", 400, number, Some("userId")),
        ("?userId=7", 401, "authentication required", None),
        ("?userId=18446744073709551615", 401, "authentication required", None),
        ("?userId=7&token=nonsense", 401, "authentication required", None),
        ("?userId=8&token=SEVEN", 403, "userId names another user than the token", None),
        (
            "?userId=7&token=NAMED",
            403,
            "the user of the token is no number, and here users are numbers",
            None,
        ),
    ] {
        let query = query.replace("SEVEN", &seven).replace("NAMED", &named);
        let (told, body) = upgrade(&server, &format!("/api/v1/ws{query}"), "Connection: Upgrade\r\n");
        assert_eq!((told, body["error"].as_str()), (status, Some(error)), "{query}");
        assert_eq!(body["field"].as_str(), field, "{query}");
    }
    let (status, body) = server.get("/api/v1/ws?userId=7");
    assert_eq!(status, 426, "{body}");
    let origin = "Connection: Upgrade\r\nOrigin: https://evil.test\r\n";
    let (status, body) = upgrade(&server, &format!("/api/v1/ws?userId=7&token={seven}"), origin);
    assert_eq!((status, body["error"].as_str()), (403, Some("origin not allowed")));
}

#[test]
fn a_browser_that_also_says_keep_alive_is_let_in() {
    let server = server();
    let token = token(&server, "7", "Ana");
    for connection in ["keep-alive, Upgrade", "Upgrade", "upgrade , keep-alive"] {
        let mut stream = std::net::TcpStream::connect(&server.address).expect("listening");
        stream.set_read_timeout(Some(super::support::PATIENCE)).expect("a timeout");
        let request = format!(
            "GET /api/v1/ws?userId=7&token={token} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\n\
             Connection: {connection}\r\nSec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQEBAQEBAQEBAQEBAQEBAQ==\r\n\r\n",
            server.address
        );
        std::io::Write::write_all(&mut stream, request.as_bytes()).expect("taken");
        let mut answer = [0; 12];
        std::io::Read::read_exact(&mut stream, &mut answer).expect("an answer");
        assert_eq!(&answer, b"HTTP/1.1 101", "{connection}");
    }
}

#[test]
fn the_token_stands_wherever_clients_put_it_and_only_it_says_who_one_is() {
    let server = server();
    let token = token(&server, "7", "Ana");
    let (bearer, protocol) = (format!("Bearer {token}"), format!("bearer.{token}"));
    let in_header = Client::open_with(&server, "/api/v1/ws?userId=7", &[], &[("Authorization", &bearer)]);
    let in_protocol = Client::open_with(&server, "/api/v1/ws?userId=007", &["kulkul", &protocol], &[]);
    for client in [in_header, in_protocol] {
        let greeting = client.expect("let in").next("connection.connect");
        assert_eq!(greeting["user_id"], "7", "what the token says: {greeting}");
    }
}

#[test]
fn a_token_that_names_rooms_keeps_its_bearer_out_of_others_and_nobody_asked_for_the_inbox() {
    let server = server();
    let token = token_of(&server, &["--user", "7", "--rooms", "team-*"]);
    let mut ana = Client::open(&server, &format!("/api/v1/ws?userId=7&token={token}")).expect("let in");
    super::join(&mut ana, "team-a");
    super::say(&mut ana, "channel.join", "j-2", &serde_json::json!({ "channel_id": "12" }));
    let refused = ana.next("error");
    assert_eq!((&refused["id"], &refused["data"]["code"]), (&"j-2".into(), &"PERMISSION_DENIED".into()));
}
