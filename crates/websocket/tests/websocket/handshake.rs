//! Request heads as data: what arrives, and what becomes of it.

use proptest::prelude::*;
use websocket::handshake::client::{Answer, Ask};
use websocket::handshake::{FIELDS_MAX, HEAD_BYTES_MAX, Head, Key, Reader, Refusal, Upgrade, response_101};

const GOOD: &str = "GET /ws?room=a HTTP/1.1\r\nHost: example.com:8080\r\n\
                    Upgrade: websocket\r\nConnection: Upgrade\r\n\
                    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

/// One word for the outcome, the same in one piece and byte by byte.
fn outcome(received: &[u8]) -> String {
    let word = |head: Head<'_>| match head {
        Head::Incomplete => "incomplete".into(),
        Head::NotAnUpgrade(request) => format!("{} {}", request.method, request.target),
        Head::Upgrade(upgrade) => format!("upgrade {}", upgrade.path),
        Head::Refused(refusal) => format!("{} {refusal:?}", refusal.status()),
    };
    let at_once = word(Reader::default().read(received));
    let mut reader = Reader::default();
    let by_bytes = (1..=received.len())
        .map(|end| word(reader.read(&received[..end])))
        .find(|word| word != "incomplete")
        .unwrap_or_else(|| "incomplete".into());
    assert_eq!(by_bytes, at_once);
    at_once
}

/// The good request with one thing changed.
fn check(from: &str, to: &str, expected: &str) {
    assert!(GOOD.contains(from), "{from}");
    assert_eq!(outcome(GOOD.replace(from, to).as_bytes()), expected, "{from:?} -> {to:?}");
}

fn upgrade(request: &str, look: impl FnOnce(&Upgrade<'_>)) {
    match Reader::default().read(request.as_bytes()) {
        Head::Upgrade(upgrade) => look(&upgrade),
        _ => panic!("no upgrade: {}", outcome(request.as_bytes())),
    }
}

#[test]
fn a_good_request_is_an_upgrade_with_its_parts() {
    upgrade(GOOD, |upgrade| {
        assert_eq!((upgrade.path, upgrade.query, upgrade.host), ("/ws", Some("room=a"), "example.com:8080"));
        assert_eq!((upgrade.origin, upgrade.authorization), (None, None));
        assert!(upgrade.protocols.is_empty() && upgrade.extensions.is_empty());
        assert_eq!(upgrade.key.as_str(), "dGhlIHNhbXBsZSBub25jZQ==");
    });
    let rich = GOOD.replace(
        "\r\n\r\n",
        "\r\nOrigin: https://a.example\r\nAuthorization: Bearer abc\r\n\
         Sec-WebSocket-Protocol: kulkul, bearer.ey.J-_x\r\n\
         sec-websocket-protocol: chat\r\n\
         Sec-WebSocket-Extensions: permessage-deflate; client_max_window_bits\r\n\
         X-Forwarded-For: 10.0.0.1\r\n\r\n\u{81}",
    );
    upgrade(&rich, |upgrade| {
        assert_eq!(upgrade.origin, Some("https://a.example"));
        assert_eq!(upgrade.authorization, Some("Bearer abc"));
        assert_eq!(upgrade.protocols, ["kulkul", "bearer.ey.J-_x", "chat"]);
        assert_eq!(upgrade.extensions, [b"permessage-deflate; client_max_window_bits"]);
        assert_eq!(upgrade.request.values("x-forwarded-for").collect::<Vec<_>>(), [b"10.0.0.1"]);
        assert_eq!(&rich[upgrade.request.head_bytes..], "\u{81}");
    });
}

#[test]
fn spelling_that_http_allows_is_accepted() {
    check("Upgrade: websocket", "upgrade: WebSocket", "upgrade /ws");
    check("Connection: Upgrade", "CONNECTION:keep-alive , uPGRADE", "upgrade /ws");
    check("Connection: Upgrade", "Connection: keep-alive\r\nConnection: upgrade", "upgrade /ws");
    check("\r\n\r\n", "\r\nContent-Length: 0\r\n\r\n", "upgrade /ws");
    check("example.com:8080", "[::1]:80", "upgrade /ws");
}

#[test]
fn what_is_not_quite_an_upgrade_is_refused() {
    check("GET", "POST", "405 MethodNotAllowed");
    check("GET", "get", "405 MethodNotAllowed");
    check("HTTP/1.1", "HTTP/1.0", "505 HttpVersion");
    check("HTTP/1.1", "HTTP/2.0", "505 HttpVersion");
    check("Host: example.com:8080\r\n", "", "400 Host");
    check("example.com:8080", "", "400 Host");
    check("example.com:8080", "a.example, b.example", "400 Host");
    check("example.com:8080", "user@a.example/path", "400 Host");
    check("Host: example.com:8080", "Host: a\r\nhost: a", "400 FieldTwice");
    check("Connection: Upgrade\r\n", "", "400 NoConnectionUpgrade");
    check("Connection: Upgrade", "Connection: upgraded, xupgrade", "400 NoConnectionUpgrade");
    check("Upgrade: websocket\r\n", "", "400 NoUpgradeWebSocket");
    check("Upgrade: websocket", "Upgrade: h2c, websocket", "400 NoUpgradeWebSocket");
    check("Upgrade: websocket", "Upgrade: h2c", "400 NoUpgradeWebSocket");
    for version in ["12", "8", "777", "013", "13, 8", ""] {
        check("Version: 13", &format!("Version: {version}"), "426 Version");
    }
    check("Sec-WebSocket-Version: 13\r\n", "", "426 Version");
    check("GET /ws?room=a", "GET http://example.com/ws", "400 Target");
    check("GET /ws?room=a", "GET *", "400 Target");
    check("GET /ws?room=a", "GET /ws?room=é", "400 Target");
    check("GET /ws?room=a", "GET /ws#a", "400 Target");
}

#[test]
fn the_key_is_sixteen_bytes_of_base64() {
    check("Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n", "", "400 Key");
    for key in [
        "",
        "dGhlIHNhbXBsZSBub25jZQ",
        "dGhlIHNhbXBsZSBub25jZQ=",
        "dGhlIHNhbXBsZSBub25jZQ===",
        "dGhlIHNhbXBsZSBub25jZTE=",
        "dGhlIHNhbXBsZSBub25j",
        "dGhlIHNhbXBsZSBub25-ZQ==",
        "dGhlIHNhbXBsZSBub25jZ===",
        "========================",
    ] {
        check("dGhlIHNhbXBsZSBub25jZQ==", key, "400 Key");
    }
    let twice = "dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==";
    check("dGhlIHNhbXBsZSBub25jZQ==", twice, "400 FieldTwice");
}

#[test]
fn smuggling_is_refused() {
    for field in [
        "Transfer-Encoding: chunked",
        "Transfer-Encoding: identity",
        "Content-Length: 5",
        "Content-Length: 0\r\nContent-Length: 0",
        "Content-Length: 0, 0",
        "Content-Length: +0",
        "Content-Length: 5\r\nTransfer-Encoding: chunked",
    ] {
        check("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), "400 HasBody");
    }
    for field in [
        "X-Folded: a\r\n b",
        "X-Space : a",
        " X-Leading: a",
        "X-Nul: a\0b",
        "X-Bare: a\rb",
        "X-Newline: a\nX: b",
        "no colon",
        ": no name",
        "X-Name\u{e9}: a",
    ] {
        check("\r\n\r\n", &format!("\r\n{field}\r\n\r\n"), "400 Malformed");
    }
    check("\r\n", "\n", "400 Malformed");
    check("\r\n\r\n", "\r\n\n\r\n", "400 Malformed");
    check("GET /ws", "GET  /ws", "400 Malformed");
    check("GET ", "\r\n\r\nGET ", "400 Malformed");
}

#[test]
fn requests_for_no_websocket_are_left_to_others() {
    let cases = [
        ("GET /health HTTP/1.1\r\nHost: a\r\n\r\n", "GET /health"),
        ("POST /rooms HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello", "POST /rooms"),
        ("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n", "GET /"),
        ("GET / HTTP/1.0\r\n\r\n", "GET /"),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "505 HttpVersion"),
        ("\x16\x03\x01 not for us\r\n\r\n", "400 Malformed"),
    ];
    for (request, expected) in cases {
        assert_eq!(outcome(request.as_bytes()), expected);
    }
}

#[test]
fn heads_have_a_size_and_fields_a_number() {
    let padded = |bytes: usize| {
        let padding = "x".repeat(bytes - GOOD.len() - "\r\nX-Pad: ".len());
        GOOD.replace("\r\n\r\n", &format!("\r\nX-Pad: {padding}\r\n\r\n"))
    };
    assert_eq!(padded(HEAD_BYTES_MAX).len(), HEAD_BYTES_MAX);
    assert_eq!(outcome(padded(HEAD_BYTES_MAX).as_bytes()), "upgrade /ws");
    assert_eq!(outcome(padded(HEAD_BYTES_MAX + 1).as_bytes()), "431 HeadTooLarge");
    assert_eq!(outcome(&vec![b'G'; 1 << 20][..HEAD_BYTES_MAX]), "431 HeadTooLarge");

    let fields =
        |count: usize| GOOD.replace("\r\n\r\n", &format!("\r\n{}\r\n", "X: y\r\n".repeat(count - 5)));
    assert_eq!(outcome(fields(FIELDS_MAX).as_bytes()), "upgrade /ws");
    assert_eq!(outcome(fields(FIELDS_MAX + 1).as_bytes()), "431 TooManyFields");
}

#[test]
fn a_head_may_be_followed_by_more_than_a_head_may_hold() {
    let followed = [GOOD.as_bytes(), &[0x82; 20_000]].concat();
    assert!(matches!(Reader::default().read(&followed), Head::Upgrade(_)));
}

#[test]
fn bytes_beyond_ascii_are_passed_over_or_refused() {
    let with = |field: &[u8]| {
        let head = GOOD.strip_suffix("\r\n").unwrap();
        outcome(&[head.as_bytes(), field, b"\r\n\r\n"].concat())
    };
    assert_eq!(with(b"X-Name: \xFF\x80\xE9"), "upgrade /ws");
    assert_eq!(with(b"Cookie: n\xC3\xA9"), "upgrade /ws");
    assert_eq!(with(b"Origin: https://\xFF"), "400 FieldNotAscii");
    assert_eq!(with("Origin: https://é".as_bytes()), "400 FieldNotAscii");
    assert_eq!(with(b"Authorization: Bearer \xFF"), "400 FieldNotAscii");
    assert_eq!(with(b"Sec-WebSocket-Protocol: \xFF"), "400 FieldNotAscii");
    assert_eq!(with(b"Sec-WebSocket-Protocol: a, ,b,"), "upgrade /ws");
    assert_eq!(with(b"Sec-WebSocket-Protocol: a b"), "400 Protocols");
    assert_eq!(with(b"Origin: https://a\r\nOrigin: https://b"), "400 FieldTwice");
}

#[test]
fn the_answer_is_that_of_the_rfc() {
    upgrade(GOOD, |upgrade| {
        let expected = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                        Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\
                        Sec-WebSocket-Protocol: kulkul\r\n\r\n";
        assert_eq!(String::from_utf8_lossy(&response_101(upgrade.key, Some("kulkul"), None)), expected);
    });
}

#[test]
fn a_refusal_closes_and_says_what_would_do() {
    let expected = "HTTP/1.1 426 Upgrade Required\r\nConnection: close, Upgrade\r\nUpgrade: websocket\r\n\
                    Sec-WebSocket-Version: 13\r\n\
                    Content-Type: application/json\r\nContent-Length: 44\r\n\r\n\
                    {\"error\":\"Sec-WebSocket-Version must be 13\"}";
    let response = Refusal::Version.response();
    let response = String::from_utf8_lossy(&response);
    assert_eq!(response, expected);
    let response = Refusal::MethodNotAllowed.response();
    assert!(
        String::from_utf8_lossy(&response)
            .starts_with("HTTP/1.1 405 Method Not Allowed\r\nConnection: close\r\nAllow: GET\r\n")
    );
}

#[test]
fn our_client_and_our_server_shake_hands() {
    let fields = [("Origin", "https://a.example")];
    let key = Key::from_nonce([7; 16]);
    let ask = Ask { host: "a.example", target: "/ws", key, protocols: &["kulkul", "other"], fields: &fields };
    let request = ask.request();
    let Head::Upgrade(upgrade) = Reader::default().read(&request) else { panic!("refused") };
    assert_eq!((upgrade.origin, upgrade.protocols.as_slice()), (Some("https://a.example"), ask.protocols));

    let accepted = response_101(upgrade.key, Some("kulkul"), None);
    let head_bytes = accepted.len();
    for end in 0..head_bytes {
        assert_eq!(ask.check(&accepted[..end]), Answer::Incomplete);
    }
    let followed = [accepted.as_slice(), b"\x89\x00"].concat();
    let taken = Answer::Accepted { protocol: Some("kulkul"), extensions: None, head_bytes };
    assert_eq!(ask.check(&followed), taken);

    assert_eq!(ask.check(&Refusal::Version.response()), Answer::Refused { status: 426 });
    let other = response_101(Key::from_nonce([8; 16]), None, None);
    assert_eq!(ask.check(&other), Answer::Broken("answers another key"));
    let uninvited = response_101(key, Some("uninvited"), None);
    assert_eq!(ask.check(&uninvited), Answer::Broken("protocol that was not offered"));
    assert_eq!(ask.check(b"SSH-2.0-OpenSSH\r\n"), Answer::Broken("not HTTP"));
}

proptest! {
    #[test]
    fn no_head_makes_it_panic(
        mut bytes in prop::collection::vec(any::<u8>(), 0..300),
        at: prop::sample::Index,
        end: bool,
    ) {
        if end {
            bytes.extend(b"\r\n\r\n");
        }
        outcome(&bytes);
        let at = at.index(GOOD.len());
        outcome(&[&GOOD.as_bytes()[..at], &bytes, &GOOD.as_bytes()[at..]].concat());
    }
}
