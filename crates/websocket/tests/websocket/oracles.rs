//! Two other strict decoders, and what they say of a conversation. Where one differs by its own choice, the difference is
//! listed here with its reason; anything else is a finding. The fuzzing of `fuzz` asks them too, so nothing here needs
//! proptest.

use bytes::BytesMut;
use futures_util::StreamExt;
use sockudo_ws::deflate::DeflateConfig;
use sockudo_ws::protocol::{CompressedProtocol, Protocol};
use tokio::io::AsyncWriteExt;

use websocket::{Compression, Decoder, Role};

use crate::script::{ROOMY, feed, hex};

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Verdict {
    pub(crate) events: Vec<String>,
    pub(crate) end: End,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum End {
    Waits,
    /// With this close code.
    Fails(u16),
}

pub(crate) fn ours(bytes: &[u8]) -> Verdict {
    ours_with(Compression::Off, bytes)
}

pub(crate) fn ours_with(compression: Compression, bytes: &[u8]) -> Verdict {
    let mut events = Vec::new();
    feed(&mut Decoder::new(Role::Server, ROOMY, compression), bytes, &mut events);
    let end = match events.pop_if(|last| last.starts_with("fails ")) {
        Some(line) => End::Fails(line[6..10].parse().unwrap()),
        None => End::Waits,
    };
    Verdict { events, end }
}

/// A text that is not UTF-8 becomes a line that no decoder of ours could write.
fn text(bytes: &[u8]) -> String {
    str::from_utf8(bytes).map_or_else(|_| format!("not text {}", hex(bytes)), |text| format!("text {text}"))
}

fn is_close(line: &str) -> bool {
    line.starts_with("close")
}

pub(crate) fn tokio_websockets(bytes: &[u8]) -> Verdict {
    use tokio_websockets::{Error, Limits, Message, ServerBuilder, proto::ProtocolError};

    let line = |message: &Message| match message {
        message if message.is_ping() => format!("ping {}", hex(message.as_payload())),
        message if message.is_pong() => format!("pong {}", hex(message.as_payload())),
        message if message.is_binary() => format!("binary {}", hex(message.as_payload())),
        message if message.is_text() => text(message.as_payload()),
        message if message.as_payload().is_empty() => "close".into(),
        message => message
            .as_close()
            .map_or_else(String::new, |(code, reason)| format!("close {} {reason}", u16::from(code))),
    };
    let drive = async {
        // Room enough for all its pongs: nobody reads them.
        let (mut near, far) = tokio::io::duplex(1 << 20);
        near.write_all(bytes).await.unwrap();
        near.shutdown().await.unwrap();
        let limits = Limits::default().max_payload_len(Some(ROOMY.message_bytes_max as usize));
        let mut stream = ServerBuilder::new().limits(limits).serve(far);
        let mut verdict = Verdict { events: Vec::new(), end: End::Waits };
        while let Some(message) = stream.next().await {
            match message {
                Ok(message) => verdict.events.push(line(&message)),
                // The input ended inside a frame.
                Err(Error::Io(_)) => break,
                Err(error) => {
                    verdict.end = End::Fails(match error {
                        Error::Protocol(ProtocolError::InvalidUtf8) => 1007,
                        Error::PayloadTooLong { .. } => 1009,
                        _ => 1002,
                    });
                    break;
                }
            }
            if verdict.events.last().is_some_and(|last| is_close(last)) {
                break;
            }
        }
        verdict
    };
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(drive)
}

pub(crate) fn sockudo(bytes: &[u8]) -> Verdict {
    let bytes_max = ROOMY.message_bytes_max as usize;
    let mut protocol = Protocol::new(sockudo_ws::Role::Server, bytes_max, bytes_max);
    sockudo_verdict(|messages| protocol.process_into(&mut BytesMut::from(bytes), messages))
}

pub(crate) fn sockudo_compressed(bytes: &[u8]) -> Verdict {
    let config = DeflateConfig {
        server_no_context_takeover: true,
        client_no_context_takeover: true,
        ..DeflateConfig::default()
    };
    let bytes_max = ROOMY.message_bytes_max as usize;
    let mut protocol = CompressedProtocol::server(bytes_max, bytes_max, config);
    sockudo_verdict(|messages| protocol.process_into(&mut BytesMut::from(bytes), messages))
}

fn sockudo_verdict(
    process: impl FnOnce(&mut Vec<sockudo_ws::Message>) -> Result<(), sockudo_ws::Error>,
) -> Verdict {
    use sockudo_ws::{Error, Message};

    let line = |message: &Message| match message {
        Message::Text(bytes) => text(bytes),
        Message::Binary(bytes) => format!("binary {}", hex(bytes)),
        Message::Ping(bytes) => format!("ping {}", hex(bytes)),
        Message::Pong(bytes) => format!("pong {}", hex(bytes)),
        Message::Close(Some(close)) => format!("close {} {}", close.code, close.reason),
        Message::Close(None) => "close".into(),
    };
    let mut messages = Vec::new();
    let end = match process(&mut messages) {
        Ok(()) => End::Waits,
        Err(Error::InvalidUtf8 | Error::Compression(_)) => End::Fails(1007),
        Err(Error::MessageTooLarge | Error::FrameTooLarge) => End::Fails(1009),
        Err(_) => End::Fails(1002),
    };
    let mut events: Vec<String> = messages.iter().map(line).collect();
    // It leaves it to its caller to stop at a close frame.
    match events.iter().position(|line| is_close(line)) {
        Some(close) => {
            events.truncate(close + 1);
            Verdict { events, end: End::Waits }
        }
        None => Verdict { events, end },
    }
}

/// Ours may fail sooner: at the first byte that breaks a rule, where others wait for the rest of the head, or
/// sockudo for the whole frame. So whoever still waits gets more than any frame lacks before the verdicts are
/// compared.
pub(crate) fn compare(bytes: &[u8], oracle: impl Fn(&[u8]) -> Verdict, differences: &[Difference]) {
    compare_to(ours(bytes), bytes, oracle, differences);
}

pub(crate) fn compare_to(
    our: Verdict,
    bytes: &[u8],
    oracle: impl Fn(&[u8]) -> Verdict,
    differences: &[Difference],
) {
    let mut their = oracle(bytes);
    if matches!(our.end, End::Fails(_)) && their.end == End::Waits {
        their = oracle(&[bytes, &vec![0xFF; 14 + ROOMY.message_bytes_max as usize]].concat());
    }
    let excused = differences.iter().any(|difference| (difference.applies)(&our, &their));
    assert!(our == their || excused, "{bytes:02x?}\n ours: {our:?}\ntheirs: {their:?}");
}

pub(crate) struct Difference {
    #[expect(dead_code, reason = "for who reads the list")]
    reason: &'static str,
    applies: fn(&Verdict, &Verdict) -> bool,
}

pub(crate) const ANNOUNCED_TOO_MUCH: Difference = Difference {
    reason: "where a head announces too much and breaks a rule as well (a length with its top bit set, a continuation of \
             nothing), we name the rule and they the length",
    applies: |our, their| {
        our.events == their.events && (&our.end, &their.end) == (&End::Fails(1002), &End::Fails(1009))
    },
};

pub(crate) const EMPTY_LAST_FRAGMENT: Difference = Difference {
    reason: "tokio-websockets does not finish its UTF-8 check when the last fragment is empty",
    applies: |our, their| {
        let delivered = their.events.get(our.events.len());
        our.end == End::Fails(1007)
            && their.events.starts_with(&our.events)
            && delivered.is_some_and(|line| line.starts_with("not text"))
    },
};

pub(crate) const LATE_AND_LENIENT: Difference = Difference {
    reason: "where compression was agreed on, sockudo looks at a text only when all of it is there, and takes compressed data \
             that ends in the midst of a block for a message",
    applies: |our, their| our.end == End::Fails(1007) && their.events.starts_with(&our.events),
};
