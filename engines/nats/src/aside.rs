//! What stands beside a log: records whose messages were deleted, sixteen offsets to a message. Who reads the log finds the hole,
//! and what fills it by its offset alone. It decides nothing about what is erased.

use std::collections::BTreeMap;

use async_nats::HeaderMap;
use engine::Stored;
use futures_util::future::join_all;
use vocabulary::{Check, Epoch, Key, Position, RoomId, Seen};

use crate::node::{Node, count_damaged};
use crate::past::Found;
use crate::server::{Ask, Fault, Lack};
use crate::wire::{Reader, Writer};

/// The first byte of what is put aside.
const FORMAT: u8 = 1;
/// Offsets that are put aside as one message. What lay beside them in batches of 64 KiB stays below what a server takes.
pub(crate) const TOGETHER: u64 = 16;
/// Messages put aside that are read at once, for one page.
const READ_AT_ONCE: usize = 8;
/// Of what was put aside and is over, forgotten with one snapshot; the rest goes with the next ones.
const FORGOTTEN_AT_ONCE: usize = 64;

/// One record that is not in the log any more, and the check before it.
pub(crate) type Beside = (Check, Stored);

/// Sixteen offsets of which some stand aside.
#[derive(Default)]
pub(crate) struct Shelf {
    /// Of its message; 0: there is none yet.
    sequence: u64,
    pub(crate) records: BTreeMap<u64, (Check, Key, bytes::Bytes)>,
}

impl Shelf {
    fn encode(&self) -> bytes::Bytes {
        let mut to = Writer::default();
        to.u8(FORMAT);
        to.u32(u32::try_from(self.records.len()).unwrap_or(u32::MAX));
        for (offset, (before, key, data)) in &self.records {
            to.u64(*offset);
            to.u32(before.0);
            to.bytes(key.as_str().as_bytes());
            to.bytes(data);
        }
        to.done()
    }

    fn decode(sequence: u64, bytes: bytes::Bytes) -> Option<Shelf> {
        let mut from = Reader(bytes);
        if from.u8()? > FORMAT {
            return None;
        }
        let mut records = BTreeMap::new();
        for _ in 0..from.u32()? {
            let (offset, before) = (from.u64()?, Check(from.u32()?));
            let key = Key::from_text(&from.text()?);
            records.insert(offset, (before, key, from.bytes()?));
        }
        from.is_empty().then_some(Shelf { sequence, records })
    }
}

impl Node {
    pub(crate) async fn shelf(&self, room: &RoomId, epoch: Epoch, number: u64) -> Result<Shelf, Lack> {
        let subject = self.names.aside_of(room, epoch, number);
        let Some(got) = self.server.last(&self.names.snapshots, &subject, Ask::Leader).await? else {
            return Ok(Shelf::default());
        };
        Shelf::decode(got.sequence, got.data).ok_or_else(|| count_damaged(self))
    }

    /// In the place of the one it was read from, of which nothing stays; who is killed in between leaves that to the end of the
    /// erasure.
    pub(crate) async fn put(
        &self,
        room: &RoomId,
        epoch: Epoch,
        number: u64,
        shelf: &Shelf,
    ) -> Result<(), Lack> {
        let (stream, subject) = (&self.names.snapshots, self.names.aside_of(room, epoch, number));
        self.server.publish(subject, Some(shelf.sequence), HeaderMap::new(), shelf.encode()).await?;
        if shelf.sequence > 0 {
            self.delete(stream, shelf.sequence).await?;
        }
        Ok(())
    }

    /// Of each shelf there is one message, however many who did not get to the end have left: what is erased in the last one
    /// may stand in those before it.
    pub(crate) async fn forget_doubles(&self, room: &RoomId) -> Result<(), Fault> {
        for (subject, messages) in self.shelves(room).await? {
            if messages > 1
                && let Some(last) = self.server.last(&self.names.snapshots, &subject, Ask::Leader).await?
            {
                self.forget_messages(&subject, last.sequence).await?;
            }
        }
        Ok(())
    }

    /// The subjects of a room's shelves, and how many messages each has. Most rooms have none, and are asked about no further.
    async fn shelves(&self, room: &RoomId) -> Result<Vec<(String, u64)>, Fault> {
        let (stream, filter) = (&self.names.snapshots, self.names.all_aside_of(room));
        match self.server.next(stream, &filter, 1).await? {
            Some(_) => self.server.subjects_counted(stream, &filter).await,
            None => Ok(Vec::new()),
        }
    }

    /// One by one, so that each is overwritten.
    async fn forget_messages(&self, subject: &str, before: u64) -> Result<(), Fault> {
        let stream = &self.names.snapshots;
        while let Some(old) = self.server.next(stream, subject, 1).await?.filter(|old| old.sequence < before)
        {
            self.delete(stream, old.sequence).await?;
        }
        Ok(())
    }

    pub(crate) async fn delete(&self, stream: &str, sequence: u64) -> Result<(), Fault> {
        match self.server.delete(stream, sequence).await {
            // Somebody else did.
            Err(_) if self.server.at(stream, sequence).await?.is_none() => Ok(()),
            deleted => deleted,
        }
    }

    /// Records that are not in the log, after one offset and up to another: all of them or the first of them. None: they are
    /// not there either.
    async fn aside(
        &self,
        room: &RoomId,
        epoch: Epoch,
        (after, upto): (u64, u64),
        most: usize,
    ) -> Result<Option<Vec<Beside>>, Lack> {
        let upto = upto.min(after.saturating_add(most as u64));
        let numbers: Vec<u64> = ((after + 1) / TOGETHER..=upto / TOGETHER).collect();
        let mut found = Vec::new();
        for some in numbers.chunks(READ_AT_ONCE) {
            let shelves = some.iter().map(|number| self.shelf(room, epoch, *number));
            for shelf in join_all(shelves).await {
                let records =
                    shelf?.records.into_iter().filter(|(offset, _)| (after + 1..=upto).contains(offset));
                let beside = |(offset, (before, key, data))| (before, Stored { offset, key, data });
                found.extend(records.map(beside));
            }
        }
        let whole = found.iter().map(|(_, stored)| stored.offset).eq(after + 1..=upto);
        Ok(whole.then_some(found))
    }

    /// What is not there up to an offset was erased, or lay beside what was. Whether to go on behind it.
    pub(crate) async fn fill(
        &self,
        room: &RoomId,
        found: &mut Found,
        (epoch, upto): (Epoch, u64),
        sequence: u64,
        records_max: usize,
    ) -> Result<bool, Lack> {
        let at = found.last.map_or(found.offset, |last| last.position.offset);
        if at >= upto {
            return Ok(true);
        }
        let taken = found.after.as_ref().map_or(0, |after| after.records.len());
        let most = records_max.saturating_sub(taken).max(1);
        let Some(aside) = self.aside(room, epoch, (at, upto), most).await? else { return Ok(false) };
        for (check, stored) in aside {
            if found.last.is_some_and(|last| last.check != check) {
                return Ok(false);
            }
            let position = Position { epoch, offset: stored.offset };
            let last = Seen { position, check: check.roll(Check::hash(&stored.data)) };
            if !found.take(check, stored, sequence, records_max) {
                return Ok(false);
            }
            found.last = Some(last);
        }
        Ok(true)
    }

    /// What was put aside goes with what is trimmed around it.
    pub(crate) async fn forget_aside(&self, room: &RoomId, base: Position) {
        let Ok(shelves) = self.shelves(room).await else { return };
        let is_over = |subject: &String| match self.names.aside_place(subject) {
            Some((epoch, number)) if epoch == base.epoch => (number + 1) * TOGETHER <= base.offset + 1,
            Some(_) => true,
            None => false,
        };
        let over = shelves.into_iter().map(|(subject, _)| subject).filter(is_over);
        // What stays goes with the next snapshot, or takes place only.
        for subject in over.take(FORGOTTEN_AT_ONCE) {
            if self.forget_messages(&subject, u64::MAX).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_aside_reads_back_and_what_is_cut_does_not() {
        let record =
            |text: &'static str| (Check(7), Key::once(1, 2), bytes::Bytes::from_static(text.as_bytes()));
        let records = BTreeMap::from([(16, record("one")), (18, record(""))]);
        let shelf = Shelf { sequence: 5, records };
        let bytes = shelf.encode();
        let read = Shelf::decode(5, bytes.clone()).expect("whole");
        assert_eq!((read.sequence, read.records), (5, shelf.records));
        for end in 0..bytes.len() {
            assert!(Shelf::decode(5, bytes.slice(..end)).is_none(), "{end}");
        }
    }
}
