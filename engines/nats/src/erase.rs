//! Erasing: a message of the log cannot be changed, so its records are put aside, with tombstones in the place of what goes, and
//! the message is deleted so that the server overwrites it. Who reads finds the hole, and what fills it by its offset alone.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Answer, ERASE_MAX, Erased, Stored};
use vocabulary::{Epoch, Incarnation, Position, RoomId, Seen, tombstone};

use crate::aside::{Beside, TOGETHER};
use crate::message::Message;
use crate::node::{Node, count_damaged, lock};
use crate::past::{Place, Standing};
use crate::server::{Fault, Lack};

const RACES_MAX: usize = 8;

/// What the log has of a record.
enum Holder {
    Message(u64, Box<Message>),
    /// Nothing, of it and of those behind it up to here.
    Hole(u64),
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
}
