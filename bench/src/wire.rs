//! The client's side of RFC 6455, as much as a load needs: the upgrade, masked frames out, plain frames in.
//!
//! Never buffers and never copies an incoming payload. permessage-deflate where it was offered: who scans learns that a
//! payload is compressed.

pub(crate) const CONTINUATION: u8 = 0;
pub(crate) const TEXT: u8 = 1;
pub(crate) const BINARY: u8 = 2;
pub(crate) const CLOSE: u8 = 8;
pub(crate) const PING: u8 = 9;
pub(crate) const PONG: u8 = 10;

/// Not zero, so that the server pays for unmasking.
const MASK: [u8; 4] = [0x37, 0xfa, 0x21, 0x3d];

/// The key and answer of the RFC's example: every handshake has the same, and the answer can be checked by comparison.
const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &[u8] = b"s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";

/// Longest answer to an upgrade that is waited for.
const ANSWER_BYTES_MAX: usize = 16 * 1024;

pub(crate) fn upgrade_request(port: u16, path: &str, bearer: Option<&str>, deflate: bool) -> Vec<u8> {
    let extensions = if deflate { "Sec-WebSocket-Extensions: permessage-deflate\r\n" } else { "" };
    let authorization = bearer.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    format!(
        "GET {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {KEY}\r\nSec-WebSocket-Version: 13\r\n{extensions}{authorization}\r\n"
    )
    .into_bytes()
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Answer {
    Incomplete,
    /// Frames begin after this many bytes.
    Upgraded(usize),
    Refused(String),
}

pub(crate) fn upgrade_answer(bytes: &[u8]) -> Answer {
    let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") else {
        return if bytes.len() > ANSWER_BYTES_MAX { refused(bytes) } else { Answer::Incomplete };
    };
    let head = &bytes[..end];
    let upgraded = head.starts_with(b"HTTP/1.1 101") && head.windows(ACCEPT.len()).any(|part| part == ACCEPT);
    if upgraded { Answer::Upgraded(end + 4) } else { refused(bytes) }
}

fn refused(bytes: &[u8]) -> Answer {
    let text = String::from_utf8_lossy(&bytes[..bytes.len().min(400)]).replace("\r\n", " | ");
    Answer::Refused(text)
}

/// Appends one final, masked frame.
pub(crate) fn client_frame(opcode: u8, payload: &[u8], into: &mut Vec<u8>) {
    into.push(0x80 | opcode);
    match payload.len() {
        short @ 0..=125 => into.push(0x80 | short as u8),
        middle @ 126..=0xffff => {
            into.push(0x80 | 126);
            into.extend_from_slice(&(middle as u16).to_be_bytes());
        }
        long => {
            into.push(0x80 | 127);
            into.extend_from_slice(&(long as u64).to_be_bytes());
        }
    }
    into.extend_from_slice(&MASK);
    into.extend(payload.iter().zip(MASK.iter().cycle()).map(|(byte, mask)| byte ^ mask));
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Scanned<'a> {
    Incomplete,
    Frame {
        opcode: u8,
        /// Whether the message ends here.
        last: bool,
        /// Compressed, as only a server does that was offered it.
        packed: bool,
        payload: &'a [u8],
        /// Length of the whole frame.
        bytes: usize,
    },
    /// What no server may send to this client: a mask, a reserved bit, a length beyond reason.
    Malformed,
}

/// The frame at the front of `bytes`.
#[inline]
pub(crate) fn server_frame(bytes: &[u8]) -> Scanned<'_> {
    let [first, second, rest @ ..] = bytes else { return Scanned::Incomplete };
    if first & 0x30 != 0 || second & 0x80 != 0 {
        return Scanned::Malformed;
    }
    let (length, head) = match (second, rest) {
        (126, [high, low, ..]) => (usize::from(u16::from_be_bytes([*high, *low])), 4),
        (127, [a, b, c, d, e, f, g, h, ..]) => {
            match usize::try_from(u64::from_be_bytes([*a, *b, *c, *d, *e, *f, *g, *h])) {
                Ok(length) if length < 1 << 32 => (length, 10),
                _ => return Scanned::Malformed,
            }
        }
        (126 | 127, _) => return Scanned::Incomplete,
        (short, _) => (usize::from(*short), 2),
    };
    match bytes.get(head..head + length) {
        Some(payload) => {
            let (last, packed) = (first & 0x80 != 0, first & 0x40 != 0);
            Scanned::Frame { opcode: first & 0x0f, last, packed, payload, bytes: head + length }
        }
        None => Scanned::Incomplete,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn unmasked(opcode: u8, payload: &[u8]) -> Vec<u8> {
        let mut masked = Vec::new();
        client_frame(opcode, payload, &mut masked);
        let head = masked.len() - payload.len() - 4;
        masked[1] &= 0x7f;
        masked.drain(head..head + 4);
        for (byte, mask) in masked[head..].iter_mut().zip(MASK.iter().cycle()) {
            *byte ^= mask;
        }
        masked
    }

    #[test]
    fn frames_of_every_length_form_are_scanned_whole_or_not_at_all() {
        for length in [0, 1, 125, 126, 127, 0xffff, 0x10000] {
            let payload = vec![b'p'; length];
            let frame = unmasked(TEXT, &payload);
            let whole = Scanned::Frame {
                opcode: TEXT,
                last: true,
                packed: false,
                payload: &payload,
                bytes: frame.len(),
            };
            assert_eq!(server_frame(&frame), whole, "{length}");
            for cut in [0, 1, 2, 3, 9, frame.len() - 1] {
                if cut < frame.len() {
                    assert_eq!(server_frame(&frame[..cut]), Scanned::Incomplete, "{length} cut at {cut}");
                }
            }
        }
    }

    #[test]
    fn what_a_server_may_not_send_is_malformed() {
        let rows: [(&str, &[u8]); 3] = [
            ("masked", &[0x81, 0x81, 1, 2, 3, 4, 5]),
            ("reserved bit", &[0xa1, 0x00]),
            ("longer than anything", &[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0]),
        ];
        for (name, bytes) in rows {
            assert_eq!(server_frame(bytes), Scanned::Malformed, "{name}");
        }
    }

    #[test]
    fn fragments_say_so() {
        let rows: [(&[u8], u8, bool); 3] =
            [(&[0x01, 0], TEXT, false), (&[0x00, 0], CONTINUATION, false), (&[0x80, 0], CONTINUATION, true)];
        for (bytes, opcode, last) in rows {
            let frame = Scanned::Frame { opcode, last, packed: false, payload: &[], bytes: 2 };
            assert_eq!(server_frame(bytes), frame);
        }
    }

    #[test]
    fn the_client_masks() {
        let mut frame = Vec::new();
        client_frame(TEXT, b"Hello", &mut frame);
        assert_eq!(
            frame,
            [0x81, 0x85, 0x37, 0xfa, 0x21, 0x3d, 0x7f, 0x9f, 0x4d, 0x51, 0x58],
            "RFC 6455, 5.7"
        );
    }

    #[test]
    fn upgrade_answers() {
        let good =
            "HTTP/1.1 101 Switching Protocols\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
        assert_eq!(upgrade_answer(good.as_bytes()), Answer::Upgraded(good.len()));
        assert_eq!(upgrade_answer(&good.as_bytes()[..40]), Answer::Incomplete);
        for bad in
            [good.replace("101", "200"), good.replace("s3pP", "AAAA"), "HTTP/1.1 401 No\r\n\r\n".into()]
        {
            assert!(matches!(upgrade_answer(bad.as_bytes()), Answer::Refused(_)), "{bad}");
        }
    }
}
