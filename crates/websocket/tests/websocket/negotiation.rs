//! Offers of extensions as data: what a client asks for, and what it is answered.

use proptest::prelude::*;
use sockudo_ws::deflate::{DeflateConfig, negotiate_server_deflate};
use websocket::handshake::client::{Answer, Ask};
use websocket::handshake::{Agreed, Head, Key, Reader, response_101};
use websocket::{Compression, Window};

/// What every answer begins with.
const ALWAYS: &str = "permessage-deflate; server_no_context_takeover; client_no_context_takeover";

fn answer(lines: &[&[u8]]) -> Option<String> {
    Agreed::on(lines).map(|agreed| agreed.to_string())
}

/// The expected answer is what follows upon `ALWAYS`.
fn agrees(offers: &[&str], expected: &str, bits: u8) {
    let lines: Vec<&[u8]> = offers.iter().map(|line| line.as_bytes()).collect();
    assert_eq!(answer(&lines), Some(format!("{ALWAYS}{expected}")), "{offers:?}");
    let window = Compression::Deflate(Window::from_bits(bits).unwrap());
    assert_eq!(Agreed::on(&lines).map(Agreed::compression), Some(window), "{offers:?}");
}

fn declines(offers: &[&str]) {
    let lines: Vec<&[u8]> = offers.iter().map(|line| line.as_bytes()).collect();
    assert_eq!(answer(&lines), None, "{offers:?}");
}

#[test]
fn what_is_offered_is_answered_without_context_takeover() {
    agrees(&["permessage-deflate"], "", 15);
    agrees(&["permessage-deflate; client_max_window_bits"], "", 15);
    agrees(&["permessage-deflate; server_no_context_takeover; client_no_context_takeover"], "", 15);
    agrees(&["permessage-deflate;client_no_context_takeover"], "", 15);
    agrees(&["  permessage-deflate\t;  server_no_context_takeover  "], "", 15);
}

#[test]
fn windows_are_honoured() {
    for bits in 9..=15 {
        let bits_asked = format!("; server_max_window_bits={bits}");
        agrees(&[&format!("permessage-deflate{bits_asked}")], &bits_asked, bits);
        agrees(&[&format!("permessage-deflate; server_max_window_bits=\"{bits}\"")], &bits_asked, bits);
    }
    for bits in 8..=15 {
        let bits = format!("; client_max_window_bits={bits}");
        agrees(&[&format!("permessage-deflate{bits}")], &bits, 15);
    }
    let both = "; server_max_window_bits=9; client_max_window_bits=12";
    agrees(&[&format!("permessage-deflate{both}")], both, 9);
    agrees(&["permessage-deflate; client_max_window_bits=12 ; server_max_window_bits = 9"], both, 9);
}

#[test]
fn a_window_that_we_cannot_write_is_declined() {
    declines(&["permessage-deflate; server_max_window_bits=8"]);
    agrees(&["permessage-deflate; server_max_window_bits=8, permessage-deflate"], "", 15);
}

#[test]
fn an_offer_that_is_not_understood_is_declined() {
    for parameters in [
        "server_max_window_bits",
        "server_max_window_bits=",
        "server_max_window_bits=7",
        "server_max_window_bits=16",
        "server_max_window_bits=010",
        "server_max_window_bits=1x",
        "server_max_window_bits=+9",
        "server_max_window_bits=99999999999999999999",
        "client_max_window_bits=7",
        "client_max_window_bits=16",
        "client_max_window_bits=08",
        "client_max_window_bits=\"\"",
        "client_max_window_bits=\"10",
        "client_max_window_bits=\"1\\0\"",
        "client_max_window_bits=10\"",
        "server_no_context_takeover=1",
        "client_no_context_takeover=true",
        "server_no_context_takeover; server_no_context_takeover",
        "client_max_window_bits; client_max_window_bits=10",
        "server_max_window_bits=10; server_max_window_bits=10",
        "Server_no_context_takeover",
        "window=10",
        "client_max_window_bits; unknown",
        "",
        ";",
        "=10",
        "client_max_window_bits server_no_context_takeover",
    ] {
        declines(&[&format!("permessage-deflate; {parameters}")]);
    }
    for line in ["", " ", ",", ";", "permessage-deflate;", "permessage_deflate", "permessage-deflate=1", "\""]
    {
        declines(&[line]);
    }
    declines(&["x-webkit-deflate-frame", "permessage-bzip2", "permessage-deflate2"]);
    declines(&[]);
}

#[test]
fn the_first_offer_that_can_be_met_is_taken() {
    let ten = "; server_max_window_bits=10";
    agrees(&["permessage-deflate; server_max_window_bits=10, permessage-deflate"], ten, 10);
    agrees(&["permessage-deflate, permessage-deflate; server_max_window_bits=10"], "", 15);
    agrees(&["permessage-deflate; unknown, permessage-deflate; server_max_window_bits=10"], ten, 10);
    agrees(&["permessage-bzip2; client_max_window_bits, ,permessage-deflate"], "", 15);
    agrees(&["x; a=\"b\", permessage-deflate"], "", 15);
    agrees(&["permessage-bzip2", "permessage-deflate; server_max_window_bits=10"], ten, 10);
    agrees(&["permessage-deflate; unknown", "permessage-deflate"], "", 15);
    // A line that breaks the grammar says nothing about the next one.
    agrees(&["permessage-deflate; server_max_window_bits=10 ; ,;", "permessage-deflate"], "", 15);
    assert_eq!(answer(&[b"permessage-deflate\xFF"]), None);
    assert_eq!(answer(&[b"\xFF\x80", b"permessage-deflate"]).as_deref(), Some(ALWAYS));
}

#[test]
fn no_offer_costs_the_upgrade() {
    let head = |field: &[u8]| {
        let good = b"GET /ws HTTP/1.1\r\nHost: a.example\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
                     Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n";
        [good, &b"Sec-WebSocket-Extensions: "[..], field, b"\r\n\r\n"].concat()
    };
    for (field, expected) in [
        (&b"permessage-deflate"[..], Some(ALWAYS)),
        (b"permessage-deflate; server_max_window_bits=8", None),
        (b"permessage-deflate; ;;;=\"", None),
        (b"", None),
        (b"\xFF\x80\xE9", None),
        (b"permessage-deflate; client_max_window_bits=\xC3\xA9", None),
    ] {
        let head = head(field);
        let Head::Upgrade(upgrade) = Reader::default().read(&head) else { panic!("refused: {field:?}") };
        assert_eq!(answer(&upgrade.extensions).as_deref(), expected, "{field:?}");
        let response = String::from_utf8(response_101(upgrade.key, None, Agreed::on(&upgrade.extensions)));
        let said = expected.map(|value| format!("\r\nSec-WebSocket-Extensions: {value}\r\n\r\n"));
        let response = response.expect("text");
        match said {
            Some(said) => assert!(response.ends_with(&said), "{response}"),
            None => assert!(!response.contains("Extensions"), "{response}"),
        }
    }
}

#[test]
fn our_client_sees_what_was_agreed_on_and_refuses_what_it_did_not_offer() {
    let key = Key::from_nonce([7; 16]);
    let fields = [("Sec-WebSocket-Extensions", "permessage-deflate")];
    let asks = Ask { host: "a.example", target: "/ws", key, protocols: &[], fields: &fields };
    let response = response_101(key, None, Agreed::on(&[b"permessage-deflate"]));
    let head_bytes = response.len();
    let expected = Answer::Accepted { protocol: None, extensions: Some(ALWAYS), head_bytes };
    assert_eq!(asks.check(&response), expected);
    let silent = Ask { fields: &[], ..asks };
    assert_eq!(silent.check(&response), Answer::Broken("extension that was not offered"));
}

fn offer() -> impl Strategy<Value = String> {
    let parameter = prop_oneof![
        4 => Just("server_no_context_takeover".to_owned()),
        4 => Just("client_no_context_takeover".to_owned()),
        4 => Just("client_max_window_bits".to_owned()),
        4 => (7..=16).prop_map(|bits| format!("client_max_window_bits={bits}")),
        4 => (7..=16).prop_map(|bits| format!("server_max_window_bits={bits}")),
        1 => "[a-z_]{1,6}(=[0-9]{1,2})?",
        1 => Just("server_max_window_bits".to_owned()),
    ];
    let name = prop_oneof![9 => Just("permessage-deflate"), 1 => Just("permessage-bzip2")];
    (name, prop::collection::vec(parameter, 0..4)).prop_map(|(name, parameters)| {
        parameters.iter().fold(name.to_owned(), |offer, parameter| format!("{offer}; {parameter}"))
    })
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(4_000) })]

    /// It agrees to the same windows, or declines as we do. 15 bits said or not said are the same window.
    #[test]
    fn sockudo_negotiates_alike(offers in prop::collection::vec(offer(), 1..4)) {
        let line = offers.join(", ");
        let ours = Agreed::on(&[line.as_bytes()]).map(|agreed| match agreed.compression() {
            Compression::Deflate(window) => window.bits(),
            Compression::Off => 0,
        });
        let policy = DeflateConfig {
            server_no_context_takeover: true,
            client_no_context_takeover: true,
            ..DeflateConfig::default()
        };
        let theirs = negotiate_server_deflate(&line, &policy);
        let theirs = theirs.map(|agreed| u8::from(agreed.config.server_max_window_bits));
        prop_assert_eq!(ours, theirs, "{}", line);
    }

    #[test]
    fn no_offer_makes_it_panic(line: Vec<u8>, words in "[a-z;,=\" ]{0,40}") {
        let _ = Agreed::on(&[&line, words.as_bytes()]);
    }
}
