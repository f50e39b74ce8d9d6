//! Reading a room's past off the log: where it ends and from where it counts, what came after a position. What does not hang
//! together is damaged, and is looked at again before that is said.

use std::sync::atomic::Ordering;
use std::time::Duration;

use engine::Stored;
use vocabulary::{Check, Position, RoomId, Seen};

use crate::book::{Book, End};
use crate::message::{Body, Message};
use crate::node::{Node, count_damaged, lock};
use crate::pointer::Pointer;
use crate::server::{Ask, Fault, Lack};
use crate::streams;

/// What one answer holds.
pub(crate) const ANSWER_RECORDS_MAX: usize = 500;
pub(crate) const ANSWER_BYTES_MAX: usize = 1 << 20;
/// A log and its pointer are two messages, read one after the other; what is between them passes.
const LOOKS_MAX: u32 = 4;
/// Messages from a known place up to the one looked for that are simply read, and not searched for.
const NEAR_RECORDS: u64 = 256;
/// Halving all sequences that there can be.
const HALVINGS_MAX: usize = 64;

/// A room's log as it stands.
#[derive(Clone, Debug)]
pub(crate) struct Standing {
    pub(crate) end: End,
    /// Of the end's epoch.
    pub(crate) pointer: Option<Pointer>,
    /// The stored pointer's, whatever its epoch; 0: there is none.
    pub(crate) pointer_sequence: u64,
    /// An offset, and a sequence at or before the message that holds what comes after it.
    pub(crate) hint: (u64, u64),
}

impl Standing {
    pub(crate) fn base(&self) -> Seen {
        let epoch = self.end.seen.position.epoch;
        match &self.pointer {
            Some(pointer) => pointer.base,
            None => Seen { position: Position { epoch, offset: 0 }, check: Check::default() },
        }
    }

    /// The rest is to be read, or is not there.
    pub(crate) fn place(&self, seen: Seen) -> Place {
        let (end, base) = (self.end.seen, self.base());
        let offset = seen.position.offset;
        let is = |is: bool, place| if is { place } else { Place::Lost };
        if seen.position.epoch != end.position.epoch || offset > end.position.offset {
            Place::Lost
        } else if offset == end.position.offset {
            is(seen == end, Place::End)
        } else if offset < base.position.offset {
            Place::Behind
        } else {
            is(offset != base.position.offset || seen == base, Place::Within)
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    End,
    Within,
    Behind,
    Lost,
}

/// What came after an offset.
#[derive(Debug)]
pub(crate) struct After {
    /// At the offset itself.
    pub(crate) check: Check,
    pub(crate) records: Vec<Stored>,
    /// The message that holds the record after it.
    pub(crate) sequence: u64,
}

/// A page in the making.
pub(crate) struct Found {
    /// It is what comes after this.
    pub(crate) offset: u64,
    pub(crate) after: Option<After>,
    pub(crate) last: Option<Seen>,
    bytes: usize,
    /// A sequence from which to read on.
    next: u64,
}

impl Found {
    /// Whether there was a place. `check`: before the record.
    pub(crate) fn take(&mut self, check: Check, stored: Stored, sequence: u64, records_max: usize) -> bool {
        let after = self.after.get_or_insert_with(|| After { check, records: Vec::new(), sequence });
        if after.records.len() >= records_max || self.bytes >= ANSWER_BYTES_MAX {
            return false;
        }
        self.bytes += stored.data.len();
        after.records.push(stored);
        self.next = sequence;
        true
    }
}

impl Node {
    pub(crate) async fn standing(&self, room: &RoomId) -> Result<Standing, Lack> {
        for look in 0..LOOKS_MAX {
            let (end, stored) = tokio::join!(self.end(room), self.stored_pointer(room));
            let (end, stored) = (end?, stored?);
            let pointer_sequence = stored.as_ref().map_or(0, |(sequence, _)| *sequence);
            let mut pointer = stored.map(|(_, pointer)| pointer);
            let epoch = end.seen.position.epoch;
            if pointer.as_ref().is_none_or(|pointer| pointer.seen.position.epoch < epoch)
                && end.epoch_sequence > 0
            {
                pointer = Some(self.pointer_of_epoch(end.epoch_sequence).await?);
            }
            let agrees = pointer.as_ref().is_none_or(|pointer| {
                let at = pointer.seen.position;
                end.sequence > 0 && at.epoch == epoch && at.offset <= end.seen.position.offset
            });
            if agrees {
                if let Some(book) = lock(&self.rooms).get_mut(room)
                    && book.end.is_none_or(|known| known != end)
                {
                    book.forget();
                    book.end = Some(end);
                }
                return Ok(Standing { end, pointer, pointer_sequence, hint: (0, 0) });
            }
            tokio::time::sleep(Duration::from_millis(5) * 2_u32.pow(look)).await;
        }
        Err(count_damaged(self))
    }

    pub(crate) async fn end(&self, room: &RoomId) -> Result<End, Lack> {
        let subject = self.names.log_of(room);
        if let Some(got) = self.server.last(&self.names.log, &subject, Ask::Leader).await? {
            let message = Message::decode(got.data).ok_or_else(|| count_damaged(self))?;
            return Ok(End::of(got.sequence, &message));
        }
        if let Some(end) = self.last_by_walking(room).await? {
            return Ok(end);
        }
        // Untouched, or all is gone: then the deployment's record is gone too, and begins anew.
        let tag = streams::start_tag(&self.server, &self.names, &self.deployment).await?;
        if self.tag.swap(tag, Ordering::Relaxed) != tag {
            tracing::warn!(
                "NATS has lost the deployment's record, and with it every room's past: all begin anew"
            );
        }
        let position = Position { epoch: self.first_epoch(), offset: 0 };
        let seen = Seen { position, check: Check::default() };
        Ok(End { sequence: 0, seen, epoch_sequence: 0, due: None })
    }

    /// A server of 2.9 may know no last message of a subject whose last one was deleted, and have others.
    async fn last_by_walking(&self, room: &RoomId) -> Result<Option<End>, Lack> {
        let subject = self.names.log_of(room);
        let Some(mut last) = self.server.next(&self.names.log, &subject, 1).await? else { return Ok(None) };
        loop {
            let from = (last.sequence + 1, u64::MAX);
            let page = self
                .server
                .page(&self.names.log, &subject, from, None, ANSWER_RECORDS_MAX, ANSWER_BYTES_MAX)
                .await?;
            match page.into_iter().next_back() {
                Some(later) => last = later,
                None => break,
            }
        }
        let message = Message::decode(last.data).ok_or_else(|| count_damaged(self))?;
        Ok(Some(End::of(last.sequence, &message)))
    }

    async fn stored_pointer(&self, room: &RoomId) -> Result<Option<(u64, Pointer)>, Lack> {
        let subject = self.names.pointer_of(room);
        let Some(got) = self.server.last(&self.names.state, &subject, Ask::Leader).await? else {
            return Ok(None);
        };
        let pointer = Pointer::decode(got.data).ok_or_else(|| count_damaged(self))?;
        Ok(Some((got.sequence, pointer)))
    }

    async fn pointer_of_epoch(&self, sequence: u64) -> Result<Pointer, Lack> {
        let got = self.server.at(&self.names.log, sequence).await?;
        match got.and_then(|got| Message::decode(got.data)).map(|message| message.body) {
            Some(Body::Epoch(pointer)) => Ok(pointer),
            _ => Err(count_damaged(self)),
        }
    }

    /// Records after an offset that is not before the base and before the end.
    pub(crate) async fn after(
        &self,
        room: &RoomId,
        standing: &Standing,
        offset: u64,
        records_max: usize,
    ) -> Result<After, Lack> {
        let mut found = self.try_after(room, standing, offset, records_max).await?;
        // What was read before may have led to a wrong place.
        if found.is_none() && lock(&self.rooms).get_mut(room).is_some_and(Book::forget_marks) {
            found = self.try_after(room, standing, offset, records_max).await?;
        }
        let (after, next) = found.ok_or_else(|| count_damaged(self))?;
        if let Some(book) = lock(&self.rooms).get_mut(room) {
            let epoch = standing.end.seen.position.epoch;
            // Whoever has no place for all of it reads on from within.
            book.mark(epoch, offset, after.sequence);
            book.mark(epoch, after.records.last().map_or(offset, |last| last.offset), next);
        }
        Ok(after)
    }

    /// Besides, a sequence from which to read on. None: what is there does not follow the offset.
    async fn try_after(
        &self,
        room: &RoomId,
        standing: &Standing,
        offset: u64,
        records_max: usize,
    ) -> Result<Option<(After, u64)>, Lack> {
        let (end, subject) = (standing.end, self.names.log_of(room));
        let (mut read_to, mut from) = self.start(room, standing, offset, NEAR_RECORDS).await?;
        let mut found = Found { offset, after: None, last: None, bytes: 0, next: from };
        'pages: loop {
            let missing = end.seen.position.offset.saturating_sub(read_to);
            let wanted = (offset.saturating_add(records_max as u64)).saturating_sub(read_to).min(missing);
            // A message has one record at least.
            let messages = missing.min((end.sequence + 1).saturating_sub(from));
            // Where they are spread otherwise, what is missing then is asked for as if each of them had one.
            let most = if found.after.is_none() { share_of(messages, wanted, missing) } else { wanted };
            let most = (most as usize).clamp(1, ANSWER_RECORDS_MAX);
            let upto = (from, end.sequence);
            let mut page = self.page(&subject, upto, messages, most, ANSWER_BYTES_MAX).await?;
            if page.is_empty() {
                // Or the server that was asked lags behind.
                page.extend(self.server.next(&self.names.log, &subject, from).await?);
            }
            if page.is_empty() {
                // The last of them went meanwhile.
                let hole = (end.seen.position.epoch, end.seen.position.offset);
                self.fill(room, &mut found, hole, from, records_max).await?;
                break;
            }
            for got in page {
                from = got.sequence + 1;
                let sequence = got.sequence;
                let message = Message::decode(got.data).ok_or_else(|| count_damaged(self))?;
                let epoch = message.after.position.epoch;
                read_to = read_to.max(message.after.position.offset);
                if epoch < end.seen.position.epoch || message.after.position.offset <= offset {
                    continue;
                }
                if epoch != end.seen.position.epoch {
                    break 'pages;
                }
                let hole = message.before.position.offset;
                if !self.fill(room, &mut found, (epoch, hole), sequence, records_max).await? {
                    break 'pages;
                }
                let hangs = match found.last {
                    Some(last) => message.before == last,
                    None => message.before.position.offset <= offset,
                };
                if !hangs {
                    break 'pages;
                }
                found.last = Some(message.after);
                let mut check = message.before.check;
                for (stored, its) in message.records() {
                    if stored.offset <= offset {
                        check = its;
                        continue;
                    }
                    if stored.offset > end.seen.position.offset
                        || !found.take(check, stored, sequence, records_max)
                    {
                        break 'pages;
                    }
                }
                found.next = sequence + 1;
            }
            if found.last.is_some_and(|last| last.position.offset >= end.seen.position.offset) {
                break;
            }
        }
        // What is there is true; what should follow it is asked for next, and missed then.
        let Found { after, next, .. } = found;
        Ok(after.map(|after| (after, next)))
    }

    /// A sequence at or a little before the message that holds the record after an offset, and the offset before what is
    /// there.
    pub(crate) async fn start(
        &self,
        room: &RoomId,
        standing: &Standing,
        offset: u64,
        near_records: u64,
    ) -> Result<(u64, u64), Fault> {
        let epoch = standing.end.seen.position.epoch;
        let mut known = (0, standing.end.epoch_sequence);
        if (known.0..=offset).contains(&standing.hint.0) && standing.hint.1 > 0 {
            known = standing.hint;
        }
        if let Some(pointer) = &standing.pointer {
            for place in [
                (pointer.base.position.offset, pointer.base_sequence),
                (pointer.seen.position.offset, pointer.seen_sequence),
            ] {
                if place.0 <= offset && place.0 >= known.0 && place.1 > 0 {
                    known = place;
                }
            }
        }
        let noted = lock(&self.rooms).get(room).and_then(|book| book.sequence_before(epoch, offset));
        known = noted.filter(|noted| noted.0 >= known.0).unwrap_or(known);
        if offset - known.0 <= near_records {
            return Ok(known);
        }
        let sequence = self.search(room, standing.end, offset, known.1).await?;
        Ok((offset, sequence))
    }

    async fn search(&self, room: &RoomId, end: End, offset: u64, known: u64) -> Result<u64, Fault> {
        let subject = self.names.log_of(room);
        let wanted = Position { offset: offset + 1, ..end.seen.position };
        let (mut low, mut high) = (known, end.sequence);
        for _ in 0..HALVINGS_MAX {
            if low >= high {
                break;
            }
            let middle = low + (high - low) / 2;
            let Some(got) = self.server.next(&self.names.log, &subject, middle).await? else { break };
            let Some(message) = Message::decode(got.data) else { break };
            if message.before.position >= wanted {
                high = middle.saturating_sub(1).max(low);
            } else if message.after.position < wanted {
                low = got.sequence + 1;
            } else if message.before.position.epoch == wanted.epoch
                && message.before.position.offset < wanted.offset
            {
                return Ok(got.sequence);
            } else {
                high = middle.saturating_sub(1).max(low);
            }
        }
        Ok(low)
    }
}

/// The messages that hold so many of the records, if they are spread evenly: the first of them is perhaps read in part.
fn share_of(messages: u64, wanted: u64, records: u64) -> u64 {
    let share = (u128::from(messages) * u128::from(wanted)).div_ceil(u128::from(records.max(1)));
    u64::try_from(share).unwrap_or(u64::MAX).saturating_add(1).min(wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_takes_no_more_messages_than_hold_its_records() {
        for (name, messages, wanted, records, expected) in [
            ("a record each", 1000, 64, 1000, 64),
            ("twenty each", 50, 64, 1000, 5),
            ("all in one", 1, 64, 1000, 2),
            ("one", 1000, 1, 1000, 1),
            ("nothing is there", 0, 0, 0, 0),
        ] {
            assert_eq!(share_of(messages, wanted, records), expected, "{name}");
        }
    }
}
