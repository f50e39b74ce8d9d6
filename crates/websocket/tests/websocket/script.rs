//! How the tests write frames and events: frames as a first byte and a payload, events as a line each.

use websocket::{Compression, Decoder, Event, Inflater, Limits, Role, Violation};

pub(crate) const MASK: [u8; 4] = [0x37, 0xFA, 0x21, 0x3D];
pub(crate) const ROOMY: Limits = Limits { message_bytes_max: 100_000, fragments_max: 1_000 };

/// A client's frame: the first byte as it is, the length in its shortest form, the payload masked.
pub(crate) fn frame(first: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![first];
    match payload.len() {
        length @ 0..=125 => bytes.push(0x80 | length as u8),
        length @ 126..=0xFFFF => {
            bytes.push(0x80 | 126);
            bytes.extend((length as u16).to_be_bytes());
        }
        length => {
            bytes.push(0x80 | 127);
            bytes.extend((length as u64).to_be_bytes());
        }
    }
    bytes.extend(MASK);
    bytes.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
    bytes
}

pub(crate) fn server(limits: Limits) -> Decoder {
    Decoder::new(Role::Server, limits, Compression::Off)
}

/// One feed, to its end; a line per event, and one for a violation.
pub(crate) fn feed(decoder: &mut Decoder, bytes: &[u8], lines: &mut Vec<String>) {
    let mut scratch = bytes.to_vec();
    lines.extend(decoder.feed(&mut Inflater::default(), &mut scratch).map(|event| line(&event)));
}

pub(crate) fn line(event: &Result<Event<'_>, Violation>) -> String {
    match event {
        Ok(Event::Text(text)) => format!("text {text}"),
        Ok(Event::Binary(bytes)) => format!("binary {}", hex(bytes)),
        Ok(Event::Ping(bytes)) => format!("ping {}", hex(bytes)),
        Ok(Event::Pong(bytes)) => format!("pong {}", hex(bytes)),
        Ok(Event::Close(Some(close))) => format!("close {} {}", close.code, close.reason),
        Ok(Event::Close(None)) => "close".into(),
        Err(violation) => format!("fails {} {violation:?}", violation.close_code()),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
