//! Erasing: a message of the log cannot be changed, so its records are put aside, with tombstones in the place of what goes, and
//! the message is deleted so that the server overwrites it. Who reads finds the hole, and what fills it by its offset alone.

use std::collections::{BTreeMap, BTreeSet};

use async_nats::HeaderMap;
use engine::{Answer, ERASE_MAX, Erased, Stored};
use futures_util::future::join_all;
use vocabulary::{Check, Epoch, Incarnation, Key, Position, RoomId, Seen, tombstone};

use crate::message::Message;
use crate::node::{Node, count_damaged, lock};
use crate::past::{Found, Place, Standing};
use crate::server::{Ask, Fault, Lack};
use crate::wire::{Reader, Writer};

/// The first byte of what is put aside.
const FORMAT: u8 = 1;
/// Offsets that are put aside as one message. What lay beside them in batches of 64 KiB stays below what a server takes.
const TOGETHER: u64 = 16;
const RACES_MAX: usize = 8;
/// Messages put aside that are read at once, for one page.
const READ_AT_ONCE: usize = 8;
/// Of what was put aside and is forgotten, looked at with one snapshot; the next one looks on.
const FORGOTTEN_AT_ONCE: usize = 64;

/// One record that is not in the log any more, and the check before it.
type Beside = (Check, Stored);

/// What the log has of a record.
enum Holder {
    Message(u64, Box<Message>),
    /// Nothing, of it and of those behind it up to here.
    Hole(u64),
}

/// Sixteen offsets of which some stand aside.
#[derive(Default)]
struct Shelf {
    /// Of its message; 0: there is none yet.
    sequence: u64,
    records: BTreeMap<u64, (Check, Key, bytes::Bytes)>,
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
    pub(crate) async fn erase(
        &self,
        by: Incarnation,
        room: RoomId,
        (seen, offsets): (Seen, Vec<u64>),
        ticket: u64,
    ) {
        let mut outcome = Err(Fault::Raced.into());
        for _ in 0..RACES_MAX {
            outcome = self.try_erase(by, &room, seen, &offsets).await;
            if outcome != Err(Lack::Fault(Fault::Raced)) {
                break;
            }
        }
        let outcome = match outcome {
            Ok(outcome) => outcome,
            Err(Lack::Damaged) => Erased::Damaged,
            Err(Lack::Fault(Fault::Refused(_) | Fault::StreamFull(_) | Fault::TooLarge(_))) => {
                Erased::Refused
            }
            Err(Lack::Fault(_)) => return crate::server::count(&self.counts.unanswered),
        };
        self.answer(by, Answer::Erased { room, ticket, outcome }).await;
    }

    async fn try_erase(
        &self,
        by: Incarnation,
        room: &RoomId,
        seen: Seen,
        offsets: &[u64],
    ) -> Result<Erased, Lack> {
        let mut standing = self.standing(room).await?;
        match standing.place(seen) {
            Place::Lost => return Ok(Erased::Lost),
            Place::Behind => return Ok(Erased::Behind),
            Place::Within
                if self.after(room, &standing, seen.position.offset, 1).await?.check != seen.check =>
            {
                return Ok(Erased::Lost);
            }
            Place::Within | Place::End => {}
        }
        if offsets.len() > ERASE_MAX {
            return Ok(Erased::Refused);
        }
        if offsets.iter().any(|offset| *offset > seen.position.offset) {
            return Ok(Erased::Lost);
        }
        if offsets.is_empty() {
            self.forget_beginning(&standing).await?;
        }
        let base = standing.base().position.offset;
        let mut left: BTreeSet<u64> = offsets.iter().copied().filter(|offset| *offset > base).collect();
        while let Some(first) = left.first().copied() {
            let (sequence, message) = match self.holder(room, &standing, first).await? {
                Holder::Message(sequence, message) => (sequence, message),
                // It was beside another one.
                Holder::Hole(upto) => {
                    let shelf = first / TOGETHER;
                    let rest = left.split_off(&((shelf + 1) * TOGETHER).min(upto.saturating_add(1)));
                    let gone = std::mem::replace(&mut left, rest);
                    self.erase_aside(room, seen.position.epoch, shelf, &gone).await?;
                    continue;
                }
            };
            let rest = left.split_off(&(message.after.position.offset + 1));
            let gone = std::mem::replace(&mut left, rest);
            self.put_aside(room, &message, &gone).await?;
            if sequence == standing.end.sequence {
                standing = self.end_behind(by, room, &standing).await?;
            }
            self.delete(&self.names.log, sequence).await?;
            standing.hint = (message.after.position.offset, sequence + 1);
        }
        Ok(Erased::Gone)
    }

    async fn holder(&self, room: &RoomId, standing: &Standing, offset: u64) -> Result<Holder, Lack> {
        let (subject, epoch) = (self.names.log_of(room), standing.end.seen.position.epoch);
        let (_, mut from) = self.start(room, standing, offset - 1).await?;
        while let Some(got) = self.server.next(&self.names.log, &subject, from).await? {
            from = got.sequence + 1;
            let message = Message::decode(got.data).ok_or_else(|| count_damaged(self))?;
            if message.after.position < (Position { epoch, offset }) {
                continue;
            }
            let before = message.before.position;
            return Ok(if before.epoch == epoch && before.offset >= offset {
                Holder::Hole(before.offset)
            } else {
                Holder::Message(got.sequence, Box::new(message))
            });
        }
        Ok(Holder::Hole(u64::MAX))
    }

    /// The room's last message says where its log ends, and the next one is stored behind it alone: an empty one takes its
    /// place before it goes.
    async fn end_behind(
        &self,
        by: Incarnation,
        room: &RoomId,
        standing: &Standing,
    ) -> Result<Standing, Lack> {
        let end = standing.end;
        let empty = Message::batch(by, end.seen, end.epoch_sequence, end.due, None, Vec::new());
        let sequence = self.publish_message(room, end, &empty).await?;
        if let Some(book) = lock(&self.rooms).get_mut(room) {
            book.note(sequence, &empty);
        }
        Ok(Standing { end: crate::book::End::of(sequence, &empty), ..standing.clone() })
    }

    async fn put_aside(&self, room: &RoomId, message: &Message, gone: &BTreeSet<u64>) -> Result<(), Lack> {
        let epoch = message.after.position.epoch;
        let mut shelves: BTreeMap<u64, Vec<Beside>> = BTreeMap::new();
        let mut before = message.before.check;
        for (stored, check) in message.records() {
            shelves.entry(stored.offset / TOGETHER).or_default().push((before, stored));
            before = check;
        }
        for (number, records) in shelves {
            let mut shelf = self.shelf(room, epoch, number).await?;
            for (before, Stored { offset, key, data }) in records {
                // One that was put there by somebody who did not get to the end may be a tombstone already.
                let held = shelf.records.get(&offset).map_or(data, |(.., held)| held.clone());
                let data = if gone.contains(&offset) { tombstone(&held) } else { held };
                shelf.records.insert(offset, (before, key, data));
            }
            self.put(room, epoch, number, &shelf).await?;
        }
        Ok(())
    }

    async fn erase_aside(
        &self,
        room: &RoomId,
        epoch: Epoch,
        number: u64,
        gone: &BTreeSet<u64>,
    ) -> Result<(), Lack> {
        let mut shelf = self.shelf(room, epoch, number).await?;
        for offset in gone {
            let (.., data) = shelf.records.get_mut(offset).ok_or_else(|| count_damaged(self))?;
            *data = tombstone(data);
        }
        self.put(room, epoch, number, &shelf).await
    }

    async fn shelf(&self, room: &RoomId, epoch: Epoch, number: u64) -> Result<Shelf, Lack> {
        let subject = self.names.aside_of(room, epoch, number);
        let Some(got) = self.server.last(&self.names.snapshots, &subject, Ask::Leader).await? else {
            return Ok(Shelf::default());
        };
        Shelf::decode(got.sequence, got.data).ok_or_else(|| count_damaged(self))
    }

    /// In the place of the one it was read from, of which nothing stays.
    async fn put(&self, room: &RoomId, epoch: Epoch, number: u64, shelf: &Shelf) -> Result<(), Lack> {
        let (stream, subject) = (&self.names.snapshots, self.names.aside_of(room, epoch, number));
        let last = Some(shelf.sequence);
        let sequence = self.server.publish(subject.clone(), last, HeaderMap::new(), shelf.encode()).await?;
        // Somebody who did not get to the end may have left more than one.
        while let Some(old) = self.server.next(stream, &subject, 1).await? {
            if old.sequence >= sequence {
                break;
            }
            self.delete(stream, old.sequence).await?;
        }
        Ok(())
    }

    async fn delete(&self, stream: &str, sequence: u64) -> Result<(), Fault> {
        match self.server.delete(stream, sequence).await {
            // Somebody else did.
            Err(_) if self.server.at(stream, sequence).await?.is_none() => Ok(()),
            deleted => deleted,
        }
    }

    /// The message that began the epoch has a snapshot in it, of which there is a newer one now.
    async fn forget_beginning(&self, standing: &Standing) -> Result<(), Fault> {
        let began = standing.end.epoch_sequence;
        let is_newer = standing.pointer.as_ref().is_some_and(|pointer| pointer.seen.position.offset > 0);
        if began == 0 || began == standing.end.sequence || !is_newer {
            return Ok(());
        }
        match self.server.at(&self.names.log, began).await? {
            Some(_) => self.delete(&self.names.log, began).await,
            None => Ok(()),
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
        let (stream, filter) = (&self.names.snapshots, self.names.all_aside_of(room));
        let mut from = 1;
        for _ in 0..FORGOTTEN_AT_ONCE {
            let Ok(Some(got)) = self.server.next(stream, &filter, from).await else { return };
            from = got.sequence + 1;
            let is_over = match self.names.aside_place(&got.subject) {
                Some((epoch, number)) if epoch == base.epoch => (number + 1) * TOGETHER <= base.offset + 1,
                Some(_) => true,
                None => false,
            };
            // What stays is looked at with the next snapshot, or takes place only.
            if is_over && self.delete(stream, got.sequence).await.is_err() {
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
