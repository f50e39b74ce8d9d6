//! What several targets share: bytes cut as a network may cut them, and the oracles of the codec's own tests. It decides
//! nothing about what is right.
#![forbid(unsafe_code)]

// The codec's tests and these targets hold one list of allowed differences; not all of it is needed here.
#[allow(dead_code, reason = "what only the tests need")]
#[path = "../../crates/websocket/tests/websocket/oracles.rs"]
mod oracles;
#[allow(dead_code, reason = "what only the tests need")]
#[path = "../../crates/websocket/tests/websocket/script.rs"]
mod script;

use websocket::{Compression, Decoder, Inflater, Limits, Role};

/// Small, so that inputs run into them.
pub const TIGHT: Limits = Limits { message_bytes_max: 200, fragments_max: 4 };
/// A frame that is not part of a message holds no more than this.
const CONTROL_BYTES_MAX: usize = 125;

/// The lengths of successive pieces, from a seed: many short ones, a few long ones.
pub struct Pieces(u64);

impl Pieces {
    pub fn new(seed: u8) -> Pieces {
        Pieces(u64::from(seed) + 1)
    }

    pub fn next_length(&mut self) -> usize {
        // Xorshift: repeatable, and good enough to cut with.
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        match self.0 % 4 {
            0 => 1,
            1 => (self.0 >> 8) as usize % 16 + 1,
            2 => (self.0 >> 8) as usize % 200 + 1,
            _ => (self.0 >> 8) as usize % 4000 + 1,
        }
    }

    /// The bytes in such pieces.
    pub fn cut<'a>(mut self, mut bytes: &'a [u8]) -> Vec<&'a [u8]> {
        let mut pieces = Vec::new();
        while !bytes.is_empty() {
            let (piece, rest) = bytes.split_at(self.next_length().min(bytes.len()));
            pieces.push(piece);
            bytes = rest;
        }
        pieces
    }
}

/// What a server hears, a line for each event, however the bytes are cut; and no more is held than may be.
pub fn heard(compression: Compression, limits: Limits, seed: u8, bytes: &[u8]) -> Vec<String> {
    let mut at_once = Vec::new();
    script::feed(&mut Decoder::new(Role::Server, limits, compression), bytes, &mut at_once);
    let mut decoder = Decoder::new(Role::Server, limits, compression);
    let (mut in_pieces, mut inflater) = (Vec::new(), Inflater::default());
    let held_max = limits.message_bytes_max as usize * 9 / 8 + 64 + CONTROL_BYTES_MAX;
    for piece in Pieces::new(seed).cut(bytes) {
        let mut scratch = piece.to_vec();
        in_pieces.extend(decoder.feed(&mut inflater, &mut scratch).map(|event| script::line(&event)));
        let held = decoder.unfinished().unwrap_or(0);
        assert!(held <= held_max, "{held} bytes are held");
        if let Some(last) = in_pieces.last() {
            assert_eq!(decoder.is_ended(), last.starts_with("close") || last.starts_with("fails"));
        }
    }
    assert_eq!(at_once, in_pieces, "cut with {seed}");
    at_once
}

/// Two strict decoders hear the same, but for the differences listed beside them.
pub fn compare_frames(bytes: &[u8]) {
    use oracles::{ANNOUNCED_TOO_MUCH, EMPTY_LAST_FRAGMENT};
    oracles::compare(bytes, oracles::sockudo, &[ANNOUNCED_TOO_MUCH]);
    oracles::compare(bytes, oracles::tokio_websockets, &[ANNOUNCED_TOO_MUCH, EMPTY_LAST_FRAGMENT]);
}

pub fn compare_compressed(compression: Compression, bytes: &[u8]) {
    use oracles::{ANNOUNCED_TOO_MUCH, LATE_AND_LENIENT};
    let our = oracles::ours_with(compression, bytes);
    oracles::compare_to(our, bytes, oracles::sockudo_compressed, &[ANNOUNCED_TOO_MUCH, LATE_AND_LENIENT]);
}
