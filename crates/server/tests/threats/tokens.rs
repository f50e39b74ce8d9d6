//! Where a token must never be read again once it was used.

use crate::canary::{SECRET, token};
use crate::support::{Client, Heard, Server};

/// Target, subprotocols, header fields.
type Way<'a> = (&'a str, &'a [&'a str], &'a [(&'a str, &'a str)]);

/// What stands in a token and nowhere else: who reads it, has it.
fn marks(token: &str) -> [&str; 2] {
    let mut parts = token.split('.').skip(1);
    [parts.next().expect("claims"), parts.next().expect("a signature")]
}

/// T02: by whichever way it came, and whether or not it was good.
#[test]
fn a_token_is_in_no_log_no_figure_and_no_answer() {
    let mounts = "[[mounts]]\npath = \"/ws\"\n[[mounts]]\npath = \"/later\"\nauth = \"in-band\"\n";
    let server = Server::configured(&format!("{SECRET}{mounts}[log]\nlevel = \"trace\"\n"));
    let (good, other) = (token(&server, "1"), token(&server, "2"));
    let broken = format!("{good}x");
    let mut answers = Vec::new();
    for token in [&good, &other, &broken] {
        let query = format!("/ws?token={token}");
        let (bearer, in_protocol) = (format!("Bearer {token}"), format!("bearer.{token}"));
        let ways: [Way<'_>; 5] = [
            (&query, &[], &[]),
            ("/ws", &["kulkul", &in_protocol], &[]),
            ("/ws", &[token], &[]),
            ("/ws", &[], &[("Authorization", &bearer)]),
            // Refused for its origin, before anybody looks at the token.
            (&query, &[], &[("Origin", "https://evil.example")]),
        ];
        for (target, protocols, fields) in ways {
            if let Ok(mut client) = Client::open_with(&server, target, protocols, fields) {
                client.join("general");
            }
        }
        for path in [&query, &format!("/nowhere?token={token}"), &format!("/ws/{token}")] {
            answers.push(server.get(path).1);
        }
        let mut stranger = Client::open(&server, "/later").expect("let in without a token");
        let mut known = Client::open(&server, &format!("/ws?token={good}")).expect("let in");
        stranger.say(&format!(r#"{{"type":"authenticate","id":"a","payload":{{"token":"{token}"}}}}"#));
        known.say(&format!(r#"{{"type":"refresh","id":"r","payload":{{"token":"{token}"}}}}"#));
        // Where a token has no business: it is refused by name, and not repeated.
        known.say(&format!(r#"{{"type":"join_room","payload":{{"room_id":"general","token":"{token}"}}}}"#));
        let said = [&mut stranger, &mut known].map(|client| match client.hear() {
            // The token of somebody else is the end.
            Heard::Text(text) | Heard::Close(4503, text) => text,
            other => panic!("heard {other:?}"),
        });
        answers.extend(said);
    }
    let operator = server.operator.clone().expect("it has one");
    for path in ["/metrics", "/stats", "/health"] {
        let ask = format!("GET {path} HTTP/1.1\r\nHost: {operator}\r\nConnection: close\r\n\r\n");
        answers.push(server.http_at(&operator, &ask).1);
    }
    let log = server.log();
    assert!(log.contains("client connected") && log.contains("upgrade refused"), "{log}");
    for mark in [&good, &other].into_iter().flat_map(|token| marks(token)) {
        assert!(!log.contains(mark), "{log}");
        for answer in &answers {
            assert!(!answer.contains(mark), "{answer}");
        }
    }
}
