//! Values as bytes, little end first: texts and data with their length in front. It reads what it wrote, or nothing.

use engine::{Snapshot, Stored};
use vocabulary::{Check, Epoch, Key, Payload, Position, RoomId, Seen, Wall};

use crate::file::{Counts, Head};
use crate::{Item, Room};

pub(super) struct Put(pub(super) Vec<u8>);

impl Put {
    pub(super) fn number(&mut self, number: u64) -> &mut Put {
        self.0.extend_from_slice(&number.to_le_bytes());
        self
    }

    pub(super) fn bytes(&mut self, bytes: &[u8]) -> &mut Put {
        self.number(bytes.len() as u64);
        self.0.extend_from_slice(bytes);
        self
    }

    fn seen(&mut self, seen: Seen) -> &mut Put {
        self.number(seen.position.epoch.0).number(seen.position.offset).number(u64::from(seen.check.0))
    }

    pub(super) fn head(&mut self, head: &Head) {
        self.bytes(head.deployment.to_string().as_bytes());
        self.number(head.made_at.cast_unsigned()).number(head.id).bytes(head.engine.as_bytes());
    }

    pub(super) fn room(&mut self, room: &Room) {
        self.bytes(room.name.as_str().as_bytes()).number(room.epoch.0).seen(room.base);
        self.number(u64::from(room.due.is_some())).number(room.due.map_or(0, |due| due.0.cast_unsigned()));
        self.number(u64::from(room.snapshot.is_some()));
        if let Some(snapshot) = &room.snapshot {
            self.seen(snapshot.seen).bytes(&snapshot.data);
        }
    }

    pub(super) fn records(&mut self, records: &[Stored]) {
        self.number(records.first().map_or(0, |first| first.offset)).number(records.len() as u64);
        for record in records {
            self.bytes(record.key.as_str().as_bytes()).bytes(&record.data);
        }
    }

    pub(super) fn end_of_room(&mut self, end: Seen) {
        self.seen(end);
    }

    pub(super) fn counts(&mut self, counts: Counts) {
        self.number(counts.rooms).number(counts.records);
    }
}

pub(super) struct Take(pub(super) Payload);

impl Take {
    pub(super) fn number(&mut self) -> Option<u64> {
        let eight = (self.0.len() >= 8).then(|| self.0.split_to(8))?;
        Some(u64::from_le_bytes(eight[..].try_into().ok()?))
    }

    pub(super) fn bytes(&mut self) -> Option<Payload> {
        let length = usize::try_from(self.number()?).ok()?;
        (self.0.len() >= length).then(|| self.0.split_to(length))
    }

    pub(super) fn text(&mut self) -> Option<String> {
        String::from_utf8(self.bytes()?.to_vec()).ok()
    }

    fn flag(&mut self) -> Option<bool> {
        match self.number()? {
            0 => Some(false),
            1 => Some(true),
            _ => None,
        }
    }

    fn seen(&mut self) -> Option<Seen> {
        let position = Position { epoch: Epoch(self.number()?), offset: self.number()? };
        Some(Seen { position, check: Check(u32::try_from(self.number()?).ok()?) })
    }

    pub(super) fn head(mut self) -> Option<Head> {
        let deployment = self.text()?.parse().ok()?;
        let (made_at, id) = (self.number()?.cast_signed(), self.number()?);
        let head = Head { deployment, made_at, id, engine: self.text()? };
        self.0.is_empty().then_some(head)
    }

    pub(super) fn room(mut self) -> Option<Item> {
        let name = RoomId::from_full(&self.text()?)?;
        let (epoch, base) = (Epoch(self.number()?), self.seen()?);
        let (is_due, due) = (self.flag()?, Wall(self.number()?.cast_signed()));
        let snapshot = match self.flag()? {
            true => Some(Snapshot { seen: self.seen()?, data: self.bytes()? }),
            false => None,
        };
        let room = Room { name, epoch, base, snapshot, due: is_due.then_some(due) };
        self.0.is_empty().then(|| Item::Room(Box::new(room)))
    }

    pub(super) fn records(mut self) -> Option<Item> {
        let (first, count) = (self.number()?, self.number()?);
        let mut records = Vec::new();
        for number in 0..count {
            let key = Key::from_text(std::str::from_utf8(&self.bytes()?).ok()?);
            let stored = Stored { offset: first.checked_add(number)?, key, data: self.bytes()? };
            records.push(stored);
        }
        self.0.is_empty().then_some(Item::Records(records))
    }

    pub(super) fn end_of_room(mut self) -> Option<Item> {
        let end = self.seen()?;
        self.0.is_empty().then_some(Item::End(end))
    }

    pub(super) fn counts(mut self) -> Option<Counts> {
        let counts = Counts { rooms: self.number()?, records: self.number()? };
        self.0.is_empty().then_some(counts)
    }
}
