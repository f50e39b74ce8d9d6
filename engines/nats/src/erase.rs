//! Erasing: a message of the log cannot be changed, so its records are put aside, with tombstones in the place of what goes, and
//! the message is deleted so that the server overwrites it. Who reads finds the hole, and what fills it by its offset alone.

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use engine::{Answer, ERASE_MAX, Erased, Stored};
use futures_util::future::join_all;
use vocabulary::{Incarnation, Position, RoomId, Seen, tombstone};

use crate::aside::{Beside, TOGETHER};
use crate::message::Message;
use crate::node::{Node, count_damaged, lock};
use crate::past::{Place, Standing};
use crate::server::{Fault, Lack};

/// What is not there, or is not as it was, is looked at so often before it is believed.
const RACES_MAX: usize = 8;

/// Of the room's lane, for one question: appends wait behind it. One shelf is ended in any case, however slow the server is.
const TURN: Duration = Duration::from_millis(50);
/// Messages that are read one after the other before the first that is looked for; one that is farther off is searched for.
const NEAR_RECORDS: u64 = 32;

/// What is put aside together: what goes of one shelf, and of the messages that hold any of it.
struct Share {
    gone: BTreeSet<u64>,
    /// With their sequences. Of what they do not hold the shelves have it already.
    messages: Vec<(u64, Message)>,
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
        for round in 1..=RACES_MAX {
            outcome = self.try_erase(by, &room, (seen, &offsets), round == RACES_MAX).await;
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
        (seen, offsets): (Seen, &[u64]),
        is_last: bool,
    ) -> Result<Erased, Lack> {
        let since = Instant::now();
        let mut standing = self.standing(room).await?;
        match standing.place(seen) {
            Place::Lost => return Ok(Erased::Lost),
            Place::Behind => return Ok(Erased::Behind),
            Place::End => {}
            Place::Within => match self.after(room, &standing, seen.position.offset, 1).await {
                Ok(after) if after.check == seen.check => {}
                Ok(_) => return Ok(Erased::Lost),
                Err(Lack::Damaged) if !is_last => return Err(Fault::Raced.into()),
                Err(lack) => return Err(lack),
            },
        }
        if offsets.len() > ERASE_MAX {
            return Ok(Erased::Refused);
        }
        if offsets.iter().any(|offset| *offset > seen.position.offset) {
            return Ok(Erased::Lost);
        }
        if offsets.is_empty() {
            self.forget_beginning(&standing).await?;
            self.forget_doubles(room).await?;
        }
        let base = standing.base().position.offset;
        let mut left: BTreeSet<u64> = offsets.iter().copied().filter(|offset| *offset > base).collect();
        while let Some(first) = left.first().copied() {
            let share = self.share(room, &mut standing, &mut left).await?;
            self.put_aside(room, &standing, &share, is_last).await?;
            if share.messages.last().is_some_and(|(sequence, _)| *sequence == standing.end.sequence) {
                standing = self.end_behind(by, room, &standing).await?;
            }
            let deletes = share.messages.iter().map(|(sequence, _)| self.delete(&self.names.log, *sequence));
            for deleted in join_all(deletes).await {
                deleted?;
            }
            if let Some(next) = left.first().filter(|_| since.elapsed() >= TURN) {
                return Ok(Erased::Upto(next - 1));
            }
            debug_assert!(left.first().is_none_or(|next| *next > first), "each round takes some");
        }
        Ok(Erased::Gone)
    }

    /// Taken from what is left. The log is walked once, from where the last share ended.
    async fn share(
        &self,
        room: &RoomId,
        standing: &mut Standing,
        left: &mut BTreeSet<u64>,
    ) -> Result<Share, Lack> {
        let (subject, epoch) = (self.names.log_of(room), standing.end.seen.position.epoch);
        let first = left.first().copied().unwrap_or_default();
        let shelf_end = (first / TOGETHER + 1) * TOGETHER;
        let last = left.range(..shelf_end).next_back().copied().unwrap_or_default();
        let (_, mut from) = self.start(room, standing, first - 1, NEAR_RECORDS).await?;
        let (mut reached, mut messages) = (Position { epoch, offset: first - 1 }, Vec::new());
        while reached.offset < last
            && let Some(got) = self.server.next(&self.names.log, &subject, from).await?
        {
            let message = Message::decode(got.data).ok_or_else(|| count_damaged(self))?;
            if message.after.position.epoch > epoch {
                return Err(Fault::Raced.into());
            }
            from = got.sequence + 1;
            if message.after.position <= reached {
                continue;
            }
            reached = message.after.position;
            if left.range(message.before.position.offset + 1..reached.offset + 1).next().is_some() {
                messages.push((got.sequence, message));
            }
        }
        if reached.offset >= first {
            standing.hint = (reached.offset, from);
            if let Some(book) = lock(&self.rooms).get_mut(room) {
                book.mark(epoch, reached.offset, from);
            }
        }
        // What lies between two messages is a hole, and so is what lies behind the last one.
        let rest = left.split_off(&(last.max(reached.offset) + 1));
        Ok(Share { gone: std::mem::replace(left, rest), messages })
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

    async fn put_aside(
        &self,
        room: &RoomId,
        standing: &Standing,
        share: &Share,
        is_last: bool,
    ) -> Result<(), Lack> {
        let epoch = standing.end.seen.position.epoch;
        let numbers = share.gone.iter().map(|offset| (offset / TOGETHER, Vec::new()));
        let mut shelves: BTreeMap<u64, Vec<Beside>> = numbers.collect();
        for (_, message) in &share.messages {
            let mut before = message.before.check;
            for (stored, check) in message.records() {
                shelves.entry(stored.offset / TOGETHER).or_default().push((before, stored));
                before = check;
            }
        }
        for (number, records) in shelves {
            let mut shelf = self.shelf(room, epoch, number).await?;
            for (before, Stored { offset, key, data }) in records {
                // One that was put there by somebody who did not get to the end may be a tombstone already.
                shelf.records.entry(offset).or_insert((before, key, data));
            }
            for offset in share.gone.range(number * TOGETHER..(number + 1) * TOGETHER) {
                let Some((.., data)) = shelf.records.get_mut(offset) else {
                    // Trimmed meanwhile, perhaps: then the base has moved, and with the next look it is erased already.
                    return Err(if is_last { count_damaged(self) } else { Fault::Raced.into() });
                };
                *data = tombstone(data);
            }
            self.put(room, epoch, number, &shelf).await?;
        }
        Ok(())
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
