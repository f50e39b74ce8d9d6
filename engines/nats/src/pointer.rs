//! What says where a room's snapshot is and from where its records count. One small message, replaced by compare-and-set:
//! what it does not name does not exist.

use bytes::Bytes;
use vocabulary::Seen;

use crate::wire::{Reader, Writer};

const FORMAT: u8 = 1;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Pointer {
    /// Where the snapshot stands.
    pub(crate) seen: Seen,
    /// Records count from here on; what lies before may still be there, and is forgotten.
    pub(crate) base: Seen,
    /// The sequence of the message that holds the first record after `base`, or of an older one; 0: not known.
    pub(crate) base_sequence: u64,
    /// The same after `seen`.
    pub(crate) seen_sequence: u64,
    /// Of the snapshot's bytes.
    pub(crate) hash: u32,
    pub(crate) data: Content,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Content {
    Inline(Bytes),
    /// Too large for one message.
    Parts {
        generation: u64,
        parts: u32,
        bytes: u64,
    },
}

impl Pointer {
    pub(crate) fn encode(&self) -> Bytes {
        let mut to = Writer::default();
        to.u8(FORMAT);
        to.seen(self.seen);
        to.seen(self.base);
        to.u64(self.base_sequence);
        to.u64(self.seen_sequence);
        to.u32(self.hash);
        match &self.data {
            Content::Inline(data) => {
                to.u8(0);
                to.bytes(data);
            }
            Content::Parts { generation, parts, bytes } => {
                to.u8(1);
                to.u64(*generation);
                to.u32(*parts);
                to.u64(*bytes);
            }
        }
        to.done()
    }

    pub(crate) fn decode(bytes: Bytes) -> Option<Pointer> {
        let mut from = Reader(bytes);
        if from.u8()? > FORMAT {
            return None;
        }
        let (seen, base) = (from.seen()?, from.seen()?);
        let (base_sequence, seen_sequence) = (from.u64()?, from.u64()?);
        let hash = from.u32()?;
        let data = match from.u8()? {
            0 => Content::Inline(from.bytes()?),
            1 => Content::Parts { generation: from.u64()?, parts: from.u32()?, bytes: from.u64()? },
            _ => return None,
        };
        from.is_empty().then_some(Pointer { seen, base, base_sequence, seen_sequence, hash, data })
    }
}
