//! One message of a room's log: a batch that was stored together, or the beginning of an epoch. Bytes in, meaning out; what
//! does not add up reads as nothing.

use bytes::Bytes;
use engine::{Parcel, Stored};
use vocabulary::{Check, Incarnation, Key, Position, Seen, Wall};

use crate::pointer::Pointer;
use crate::wire::{Reader, Writer};

/// The first byte of every message. A build reads its own and older ones.
const FORMAT: u8 = 1;

#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Message {
    /// Who stored it, and hears nothing of it.
    pub(crate) by: Incarnation,
    pub(crate) before: Seen,
    pub(crate) after: Seen,
    /// The sequence of the message that began the epoch; 0 in a room's first epoch, and in that message itself.
    pub(crate) epoch_sequence: u64,
    /// Carried on from message to message, so that a room's last one says it.
    pub(crate) due: Option<Due>,
    pub(crate) body: Body,
}

/// When the room is to be looked at, and the position at which that was said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Due {
    pub(crate) wall: Wall,
    pub(crate) said_at: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Body {
    Batch(Vec<Parcel>),
    Epoch(Pointer),
}

impl Message {
    pub(crate) fn batch(
        by: Incarnation,
        before: Seen,
        epoch_sequence: u64,
        carried: Option<Due>,
        due: Option<Wall>,
        parcels: Vec<Parcel>,
    ) -> Message {
        let records = parcels.iter().flat_map(|parcel| &parcel.records);
        let after = records.fold(before, roll);
        let due = due.map(|wall| Due { wall, said_at: after.position }).or(carried);
        Message { by, before, after, epoch_sequence, due, body: Body::Batch(parcels) }
    }

    pub(crate) fn encode(&self) -> Bytes {
        let mut to = Writer::default();
        to.u8(FORMAT);
        to.incarnation(self.by);
        to.seen(self.before);
        to.seen(self.after);
        to.u64(self.epoch_sequence);
        to.u8(u8::from(self.due.is_some()));
        if let Some(due) = self.due {
            to.i64(due.wall.0);
            to.position(due.said_at);
        }
        match &self.body {
            Body::Batch(parcels) => {
                to.u8(0);
                to.u32(u32::try_from(parcels.len()).unwrap_or(u32::MAX));
                for parcel in parcels {
                    to.bytes(parcel.key.as_str().as_bytes());
                    to.u32(u32::try_from(parcel.records.len()).unwrap_or(u32::MAX));
                    parcel.records.iter().for_each(|record| to.bytes(record));
                }
            }
            Body::Epoch(pointer) => {
                to.u8(1);
                to.bytes(&pointer.encode());
            }
        }
        to.done()
    }

    pub(crate) fn decode(bytes: Bytes) -> Option<Message> {
        let mut from = Reader(bytes);
        if from.u8()? > FORMAT {
            return None;
        }
        let (by, before, after) = (from.incarnation()?, from.seen()?, from.seen()?);
        let epoch_sequence = from.u64()?;
        let due = match from.u8()? {
            0 => None,
            _ => Some(Due { wall: Wall(from.i64()?), said_at: from.position()? }),
        };
        let body = match from.u8()? {
            0 => Body::Batch(parcels(&mut from)?),
            1 => Body::Epoch(Pointer::decode(from.bytes()?)?),
            _ => return None,
        };
        let message = Message { by, before, after, epoch_sequence, due, body };
        (from.is_empty() && message.adds_up()).then_some(message)
    }

    /// The check goes over every record: a flipped bit does not come through.
    fn adds_up(&self) -> bool {
        match &self.body {
            Body::Batch(parcels) => {
                let records = parcels.iter().flat_map(|parcel| &parcel.records);
                records.fold(self.before, roll) == self.after
            }
            Body::Epoch(pointer) => pointer.base == self.after,
        }
    }

    /// Each record with its check.
    pub(crate) fn records(&self) -> impl Iterator<Item = (Stored, Check)> {
        let parcels = match &self.body {
            Body::Batch(parcels) => parcels.as_slice(),
            Body::Epoch(_) => &[],
        };
        let each = parcels.iter().flat_map(|parcel| parcel.records.iter().map(move |data| (parcel, data)));
        each.scan(self.before, |seen, (parcel, data)| {
            *seen = roll(*seen, data);
            let stored = Stored { offset: seen.position.offset, key: parcel.key.clone(), data: data.clone() };
            Some((stored, seen.check))
        })
    }
}

fn parcels(from: &mut Reader) -> Option<Vec<Parcel>> {
    let count = from.u32()?;
    // Memory is taken as it is read, not as it is claimed.
    let mut parcels = Vec::new();
    for _ in 0..count {
        let key = Key::from_text(&from.text()?);
        let count = from.u32()?;
        let mut records = Vec::new();
        for _ in 0..count {
            records.push(from.bytes()?);
        }
        parcels.push(Parcel { key, records });
    }
    Some(parcels)
}

fn roll(seen: Seen, record: &Bytes) -> Seen {
    let position = Position { offset: seen.position.offset + 1, ..seen.position };
    Seen { position, check: seen.check.roll(Check::hash(record)) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Epoch, ShardId, UserId};

    fn message() -> Message {
        let by = Incarnation { node: 1, shard: ShardId(2), life: 3 };
        let before = Seen { position: Position { epoch: Epoch::new(1, 7), offset: 4 }, check: Check(5) };
        let parcel = |id: &str, records: &[&str]| Parcel {
            key: Key::client(&UserId::new("ana"), id),
            records: records.iter().map(|text| Bytes::copy_from_slice(text.as_bytes())).collect(),
        };
        let parcels = vec![parcel("1", &["a", ""]), parcel("2", &["b"])];
        Message::batch(by, before, 9, None, Some(Wall(-1)), parcels)
    }

    #[test]
    fn a_message_reads_back_and_numbers_its_records() {
        let message = message();
        assert_eq!(Message::decode(message.encode()), Some(message.clone()));
        let offsets: Vec<u64> = message.records().map(|(stored, _)| stored.offset).collect();
        assert_eq!((offsets, message.after.position.offset), (vec![5, 6, 7], 7));
        assert_eq!(message.records().last().map(|(_, check)| check), Some(message.after.check));
    }

    #[test]
    fn what_was_cut_flipped_or_lengthened_reads_as_nothing() {
        let whole = message().encode();
        for cut in 0..whole.len() {
            assert_eq!(Message::decode(whole.slice(..cut)), None, "{cut}");
        }
        let mut longer = whole.to_vec();
        longer.push(0);
        assert_eq!(Message::decode(longer.into()), None);
        let mut flipped = whole.to_vec();
        let last = flipped.len() - 1;
        flipped[last] ^= 1;
        assert_eq!(Message::decode(flipped.into()), None);
    }
}
