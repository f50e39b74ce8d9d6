//! permessage-deflate (RFC 7692) without context takeover: one message to its compressed payload and back. A
//! compressor and an inflater serve all connections of a thread in turn; no message leaves anything behind for the
//! next. Never decides which message is worth it.

use std::num::NonZeroU8;

use zlib_rs::{Deflate, DeflateFlush, Inflate, InflateFlush, Status};

use crate::Violation;
use crate::body::Body;
use crate::head::Kind;

/// How far back compressed data may point, as the power of two that the handshake speaks of. The 8 that RFC 7692 knows
/// too is missing: no deflate of the zlib family writes raw data for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Window(NonZeroU8);

impl Window {
    pub const MAX: Window = Window(NonZeroU8::new(BITS_MAX).unwrap());

    pub fn from_bits(bits: u8) -> Option<Window> {
        NonZeroU8::new(bits).filter(|bits| (BITS_MIN..=BITS_MAX).contains(&bits.get())).map(Window)
    }

    pub fn bits(self) -> u8 {
        self.0.get()
    }
}

const BITS_MIN: u8 = 9;
const BITS_MAX: u8 = 15;
/// The fastest that compresses at all: a message is compressed while others wait.
const LEVEL: i32 = 1;
/// The empty block that a flush ends with; it does not travel (RFC 7692, 7.2.1).
const TAIL: [u8; 4] = [0, 0, 0xFF, 0xFF];
/// The tail that did not travel, and a last block without content: only data that ends where its message ends gets
/// through both.
const TAIL_AND_END: [u8; 9] = [0, 0, 0xFF, 0xFF, 1, 0, 0, 0xFF, 0xFF];
/// What compressed data takes at most, beyond its own length and an eighth of it: a byte becomes nine bits.
const ROOM_BYTES: usize = 64;
/// Inflated at once: more than nearly any message, and little enough for a thread to keep.
const CHUNK_BYTES: usize = 16 << 10;
/// Long texts of people and programs shrink to a tenth or a twentieth; deflate itself goes to a thousandth, which is for
/// those who mean our memory.
const RATIO_MAX: usize = 100;
/// Up to here the ratio does not count: a short text of one letter is no bomb.
const RATIO_FREE_BYTES: usize = 64 << 10;

/// The most that a message may take compressed: incompressible data grows, by an eighth with a careless encoder.
pub(crate) fn packed_bytes_max(message_bytes_max: u32) -> u64 {
    let plain = u64::from(message_bytes_max);
    plain + plain / 8 + 64
}

/// Writes compressed payloads. It holds nothing before its first use, and then a compressor for each window that was
/// agreed on.
#[derive(Default)]
pub struct Deflater([Option<Deflate>; (BITS_MAX - BITS_MIN + 1) as usize]);

impl Deflater {
    /// Appends the compressed payload if it is smaller than the plain one; else leaves `out` as it was and says false.
    #[must_use]
    pub fn deflate(&mut self, window: Window, payload: &[u8], out: &mut Vec<u8>) -> bool {
        let slot = &mut self.0[usize::from(window.bits() - BITS_MIN)];
        let deflate = slot.get_or_insert_with(|| Deflate::new(LEVEL, false, window.bits()));
        deflate.reset();
        let start = out.len();
        // Room for the worst, so that nothing is left inside: `reset` forgets what is left but not the place it took, and the
        // next message finds a buffer that is too small and panics.
        out.resize(start + payload.len() + payload.len() / 8 + ROOM_BYTES, 0);
        let status = deflate.compress(payload, &mut out[start..], DeflateFlush::SyncFlush);
        let end = start + deflate.total_out() as usize;
        let is_whole = status == Ok(Status::Ok) && end < out.len();
        if !is_whole {
            *slot = None;
        }
        let is_smaller =
            is_whole && end - start < payload.len() + TAIL.len() && out[start..end].ends_with(&TAIL);
        out.truncate(if is_smaller { end - TAIL.len() } else { start });
        is_smaller
    }
}

/// Reads compressed payloads. It holds nothing before its first use.
#[derive(Default)]
pub struct Inflater(Option<Box<Tools>>);

/// What an inflater works with.
struct Tools {
    inflate: Inflate,
    chunk: Vec<u8>,
}

impl Inflater {
    /// A whole message. It stops at the first byte that is too many, and nothing is allocated for more than what was
    /// inflated.
    pub(crate) fn inflate(
        &mut self,
        kind: Kind,
        packed: &[u8],
        message_bytes_max: u32,
    ) -> Result<Vec<u8>, Violation> {
        // Deflate has no empty data, but a sender that flushes twice in a row has nothing to send.
        if packed.is_empty() {
            return Ok(Vec::new());
        }
        let tools = self.0.get_or_insert_with(|| {
            Box::new(Tools { inflate: Inflate::new(false, BITS_MAX), chunk: vec![0; CHUNK_BYTES] })
        });
        tools.inflate.reset(false);
        let bytes_max = inflated_bytes_max(packed.len(), message_bytes_max);
        let mut body = Body::new(kind);
        tools.work(packed, bytes_max, &mut body)?;
        let end = tools.work(&TAIL_AND_END, bytes_max, &mut body)?;
        if end == End::OfData { Ok(body.into_bytes()) } else { Err(Violation::InvalidDeflate) }
    }
}

fn inflated_bytes_max(packed_bytes: usize, message_bytes_max: u32) -> usize {
    packed_bytes.saturating_mul(RATIO_MAX).max(RATIO_FREE_BYTES).min(message_bytes_max as usize)
}

/// Where the input ended.
#[derive(PartialEq)]
enum End {
    /// With a block that says that it is the last.
    OfData,
    Within,
}

impl Tools {
    /// Inflates all of the input.
    fn work(&mut self, mut input: &[u8], bytes_max: usize, body: &mut Body) -> Result<End, Violation> {
        loop {
            let (read, written) = (self.inflate.total_in(), self.inflate.total_out());
            // One byte more than may be, to see that there is one.
            let room = self.chunk.len().min(bytes_max + 1 - body.bytes().len());
            let status = self
                .inflate
                .decompress(input, &mut self.chunk[..room], InflateFlush::NoFlush)
                .map_err(|_| Violation::InvalidDeflate)?;
            let read = (self.inflate.total_in() - read) as usize;
            let written = (self.inflate.total_out() - written) as usize;
            input = &input[read..];
            body.append(&self.chunk[..written], bytes_max + 1)?;
            if body.bytes().len() > bytes_max {
                return Err(Violation::MessageTooBig);
            }
            match status {
                // A sender may end its data and begin anew within a message (RFC 7692, 7.2.3.4).
                Status::StreamEnd => {
                    self.inflate.reset(false);
                    if input.is_empty() {
                        return Ok(End::OfData);
                    }
                }
                Status::Ok | Status::BufError if written == room => {}
                Status::Ok | Status::BufError if input.is_empty() => return Ok(End::Within),
                Status::Ok | Status::BufError => return Err(Violation::InvalidDeflate),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a bomb has cost when it is found out: the limit, and what was inflated with its last byte.
    #[test]
    fn no_more_is_inflated_than_may_be() {
        let mut packed = Vec::new();
        assert!(Deflater::default().deflate(Window::MAX, &vec![0; 8 << 20], &mut packed));
        let ratio = packed.len() * RATIO_MAX;
        for (message_bytes_max, expected) in [(4096, 4096), (100_000, 100_000), (u32::MAX, ratio)] {
            let mut inflater = Inflater::default();
            let inflated = inflater.inflate(Kind::Binary, &packed, message_bytes_max);
            assert_eq!(inflated, Err(Violation::MessageTooBig));
            let tools = inflater.0.expect("it was used");
            assert_eq!((tools.inflate.total_out(), tools.chunk.len()), (expected as u64 + 1, CHUNK_BYTES));
        }
    }

    #[test]
    fn a_violation_leaves_nothing_for_the_next_message() {
        let mut inflater = Inflater::default();
        assert_eq!(inflater.inflate(Kind::Text, &[0xFF; 9], 100), Err(Violation::InvalidDeflate));
        let hello = [0xF2, 0x48, 0xCD, 0xC9, 0xC9, 0x07, 0x00];
        assert_eq!(inflater.inflate(Kind::Text, &hello, 3), Err(Violation::MessageTooBig));
        assert_eq!(inflater.inflate(Kind::Text, &hello, 5), Ok(b"Hello".to_vec()));
    }
}
