//! Numbers and bytes one after another, as messages and pointers are written. It knows no format.

use bytes::{BufMut, Bytes};
use vocabulary::{Check, Epoch, Incarnation, Position, Seen, ShardId};

#[derive(Default)]
pub(crate) struct Writer(Vec<u8>);

impl Writer {
    pub(crate) fn u8(&mut self, value: u8) {
        self.0.put_u8(value);
    }

    pub(crate) fn u32(&mut self, value: u32) {
        self.0.put_u32_le(value);
    }

    pub(crate) fn u64(&mut self, value: u64) {
        self.0.put_u64_le(value);
    }

    pub(crate) fn i64(&mut self, value: i64) {
        self.0.put_i64_le(value);
    }

    pub(crate) fn bytes(&mut self, bytes: &[u8]) {
        self.u32(u32::try_from(bytes.len()).unwrap_or(u32::MAX));
        self.0.put_slice(bytes);
    }

    pub(crate) fn position(&mut self, position: Position) {
        self.u64(position.epoch.0);
        self.u64(position.offset);
    }

    pub(crate) fn seen(&mut self, seen: Seen) {
        self.position(seen.position);
        self.u32(seen.check.0);
    }

    pub(crate) fn incarnation(&mut self, by: Incarnation) {
        self.u64(by.node);
        self.u32(u32::from(by.shard.0));
        self.u32(by.life);
    }

    pub(crate) fn done(self) -> Bytes {
        Bytes::from(self.0)
    }
}

/// What is cut off, or says more than there is, reads as nothing.
pub(crate) struct Reader(pub(crate) Bytes);

impl Reader {
    fn take(&mut self, count: usize) -> Option<Bytes> {
        (self.0.len() >= count).then(|| self.0.split_to(count))
    }

    pub(crate) fn u8(&mut self) -> Option<u8> {
        self.take(1).map(|bytes| bytes[0])
    }

    pub(crate) fn u32(&mut self) -> Option<u32> {
        let bytes = self.take(4)?;
        Some(u32::from_le_bytes(bytes[..].try_into().ok()?))
    }

    pub(crate) fn u64(&mut self) -> Option<u64> {
        let bytes = self.take(8)?;
        Some(u64::from_le_bytes(bytes[..].try_into().ok()?))
    }

    pub(crate) fn i64(&mut self) -> Option<i64> {
        self.u64().map(u64::cast_signed)
    }

    /// Shares what it is read from.
    pub(crate) fn bytes(&mut self) -> Option<Bytes> {
        let count = self.u32()?;
        self.take(count as usize)
    }

    pub(crate) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    pub(crate) fn position(&mut self) -> Option<Position> {
        Some(Position { epoch: Epoch(self.u64()?), offset: self.u64()? })
    }

    pub(crate) fn seen(&mut self) -> Option<Seen> {
        Some(Seen { position: self.position()?, check: Check(self.u32()?) })
    }

    pub(crate) fn incarnation(&mut self) -> Option<Incarnation> {
        let (node, shard, life) = (self.u64()?, self.u32()?, self.u32()?);
        Some(Incarnation { node, shard: ShardId(u16::try_from(shard).ok()?), life })
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}
