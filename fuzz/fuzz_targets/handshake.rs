//! A request head, and a server's answer to ours, cut anywhere: the same verdict, and an answer of one head.
#![no_main]

use kulkul_fuzz::Pieces;
use libfuzzer_sys::fuzz_target;
use websocket::handshake::client::{Answer, Ask};
use websocket::handshake::{Agreed, Head, Key, Reader, Upgrade, response_101};

fuzz_target!(|input: &[u8]| {
    let Some((&seed, bytes)) = input.split_first() else { return };
    request(seed, bytes);
    answer(seed, bytes);
});

fn request(seed: u8, bytes: &[u8]) {
    let at_once = verdict(Reader::default().read(bytes));
    let mut reader = Reader::default();
    let mut received = 0;
    for piece in Pieces::new(seed).cut(bytes) {
        received += piece.len();
        if let Some(early) = verdict(reader.read(&bytes[..received])) {
            assert_eq!(Some(early), at_once, "cut with {seed}");
            return;
        }
    }
    assert_eq!(at_once, None);
}

/// None as long as the head is incomplete.
fn verdict(head: Head<'_>) -> Option<String> {
    match head {
        Head::Incomplete => None,
        Head::NotAnUpgrade(request) => Some(format!("other {} {}", request.method, request.target)),
        Head::Upgrade(upgrade) => Some(upgraded(&upgrade)),
        Head::Refused(refusal) => {
            let response = refusal.response();
            assert!(response.starts_with(b"HTTP/1.1 4") || response.starts_with(b"HTTP/1.1 5"));
            Some(format!("refused {refusal:?}"))
        }
    }
}

fn upgraded(upgrade: &Upgrade<'_>) -> String {
    assert!(upgrade.path.starts_with('/') && !upgrade.host.is_empty());
    let agreed = Agreed::on(&upgrade.extensions);
    let response = response_101(upgrade.key, upgrade.protocols.first().copied(), agreed);
    let text = String::from_utf8(response).expect("text");
    // What a client wrote cannot add a line of its own.
    assert_eq!(text.find("\r\n\r\n"), Some(text.len() - 4), "{text:?}");
    assert_eq!(
        text.lines().count(),
        5 + usize::from(!upgrade.protocols.is_empty()) + usize::from(agreed.is_some())
    );
    if let Some(agreed) = agreed {
        let again = Agreed::on(&[agreed.to_string().as_bytes()]).map(|again| again.to_string());
        assert_eq!(again, Some(agreed.to_string()), "what we answer is an offer that we would take");
    }
    let Upgrade { path, query, host, origin, protocols, authorization, .. } = upgrade;
    format!("upgrade {path} {query:?} {host} {origin:?} {protocols:?} {authorization:?} {text}")
}

/// The same bytes as what a server says to a client of ours.
fn answer(seed: u8, bytes: &[u8]) {
    let key = Key::from_nonce([seed; 16]);
    let ask = Ask { host: "h", target: "/", key, protocols: &["kulkul"], fields: &[] };
    let verdict = |bytes: &[u8]| match ask.check(bytes) {
        Answer::Incomplete => None,
        Answer::Accepted { protocol, .. } => Some(format!("accepted {protocol:?}")),
        Answer::Refused { status } => Some(format!("refused {status}")),
        Answer::Broken(why) => Some(format!("broken {why}")),
    };
    let at_once = verdict(bytes);
    let mut received = 0;
    for piece in Pieces::new(seed).cut(bytes) {
        received += piece.len();
        if let Some(early) = verdict(&bytes[..received]) {
            assert_eq!(Some(early), at_once, "cut with {seed}");
            return;
        }
    }
    assert_eq!(at_once, None);
}
