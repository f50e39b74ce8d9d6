//! Messages to bytes. A server writes header and payload once and shares the bytes between all who receive
//! them; a client masks. Never fragments, never compresses, never keeps state.

use crate::head::RSV1;
use crate::mask;

/// What a control frame may carry (RFC 6455, 5.5).
pub const CONTROL_BYTES_MAX: usize = 125;
/// The most a server's header takes: two bytes and a length of eight.
pub const HEADER_BYTES_MAX: usize = 10;

const FIN: u8 = 0x80;
const MASKED: u8 = 0x80;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Opcode {
    Continuation = 0x0,
    Text = 0x1,
    Binary = 0x2,
    Close = 0x8,
    Ping = 0x9,
    Pong = 0xA,
}

/// A header in place, to be followed by its payload.
#[derive(Clone, Copy, Debug)]
pub struct Header {
    bytes: [u8; HEADER_BYTES_MAX],
    length: u8,
}

impl Header {
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes[..usize::from(self.length)]
    }

    /// For a payload that a [`Deflater`](crate::Deflater) made, where the handshake agreed on that.
    pub fn compressed(mut self) -> Header {
        self.bytes[0] |= RSV1;
        self
    }
}

/// The header of an unmasked, unfragmented frame.
pub fn header(opcode: Opcode, payload_bytes: usize) -> Header {
    let mut bytes = [0; HEADER_BYTES_MAX];
    bytes[0] = FIN | opcode as u8;
    let length = match payload_bytes {
        0..=125 => {
            bytes[1] = payload_bytes as u8;
            2
        }
        126..=0xFFFF => {
            bytes[1] = 126;
            bytes[2..4].copy_from_slice(&(payload_bytes as u16).to_be_bytes());
            4
        }
        _ => {
            bytes[1] = 127;
            bytes[2..10].copy_from_slice(&(payload_bytes as u64).to_be_bytes());
            10
        }
    };
    Header { bytes, length }
}

/// Appends a server's frame, with one reservation.
pub fn append(out: &mut Vec<u8>, opcode: Opcode, payload: &[u8]) {
    let header = header(opcode, payload.len());
    out.reserve(header.as_bytes().len() + payload.len());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(payload);
}

pub fn text(payload: &str) -> Vec<u8> {
    one(Opcode::Text, payload.as_bytes())
}

pub fn binary(payload: &[u8]) -> Vec<u8> {
    one(Opcode::Binary, payload)
}

/// # Panics
/// If the payload is longer than [`CONTROL_BYTES_MAX`], which is a mistake of ours: a peer's is never longer.
pub fn ping(payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= CONTROL_BYTES_MAX, "ping of {} bytes", payload.len());
    one(Opcode::Ping, payload)
}

/// # Panics
/// As [`ping`] does.
pub fn pong(payload: &[u8]) -> Vec<u8> {
    assert!(payload.len() <= CONTROL_BYTES_MAX, "pong of {} bytes", payload.len());
    one(Opcode::Pong, payload)
}

/// A close frame with its code. A reason too long for a control frame is cut at a character.
pub fn close(code: u16, reason: &str) -> Vec<u8> {
    one(Opcode::Close, &close_payload(code, reason))
}

/// The answer to a close frame that carried no code.
pub fn close_without_code() -> Vec<u8> {
    one(Opcode::Close, &[])
}

/// What a close frame carries; for a client, which has to mask it.
pub fn close_payload(code: u16, reason: &str) -> Vec<u8> {
    let reason = &reason[..reason.floor_char_boundary(CONTROL_BYTES_MAX - 2)];
    let mut payload = Vec::with_capacity(2 + reason.len());
    payload.extend_from_slice(&code.to_be_bytes());
    payload.extend_from_slice(reason.as_bytes());
    payload
}

/// A client's frame. The mask is the caller's, who has the randomness.
pub fn masked(opcode: Opcode, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    masked_under(header(opcode, payload.len()), mask, payload)
}

/// A client's frame with a payload that a [`Deflater`](crate::Deflater) made.
pub fn masked_compressed(opcode: Opcode, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    masked_under(header(opcode, payload.len()).compressed(), mask, payload)
}

fn masked_under(mut header: Header, mask: [u8; 4], payload: &[u8]) -> Vec<u8> {
    header.bytes[1] |= MASKED;
    let payload_start = header.as_bytes().len() + mask.len();
    let mut out = Vec::with_capacity(payload_start + payload.len());
    out.extend_from_slice(header.as_bytes());
    out.extend_from_slice(&mask);
    out.extend_from_slice(payload);
    mask::apply(mask, &mut out[payload_start..]);
    out
}

fn one(opcode: Opcode, payload: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    append(&mut out, opcode, payload);
    out
}
