//! What the engine truly holds, kept beside it: every record of every room and epoch, and what became of them. Checkers
//! compare what clients saw with this, never with what a node believes.

use std::collections::{BTreeMap, BTreeSet};

use engine::{Batch, Placement};
use vocabulary::{Epoch, Key, Payload, RoomId};

#[derive(Clone, Debug)]
pub(crate) struct Entry {
    pub key: Key,
    pub kind: String,
    pub author: Option<String>,
    pub body: String,
}

impl Entry {
    /// A field of what an app recorded.
    pub(crate) fn said(&self, field: &str) -> String {
        let value: serde_json::Value = serde_json::from_str(&self.body).unwrap_or_default();
        match &value[field] {
            serde_json::Value::String(text) => text.clone(),
            other => other.to_string(),
        }
    }
}

#[derive(Clone, Debug, Default)]
pub(crate) struct RoomLedger {
    /// The entry of offset n stands at n - 1.
    pub epochs: BTreeMap<Epoch, Vec<Entry>>,
    /// Epochs out of which the engine lost records: what was said of them may be untrue.
    pub torn: BTreeSet<Epoch>,
    pub now: Epoch,
    /// The end of that epoch a while before the run is over: who is well has been told of what stands before it.
    pub settled: usize,
}

#[derive(Clone, Debug, Default)]
pub(crate) struct Ledger {
    pub rooms: BTreeMap<RoomId, RoomLedger>,
}

impl Ledger {
    pub(crate) fn get(&self, room: &RoomId, epoch: Epoch, offset: u64) -> Option<&Entry> {
        let index = usize::try_from(offset.checked_sub(1)?).ok()?;
        self.rooms.get(room)?.epochs.get(&epoch)?.get(index)
    }

    /// Whether the record is a whisper, and its user's whispers were erased after it: it may be shown, or be gone.
    pub(crate) fn is_forgotten(&self, room: &RoomId, epoch: Epoch, offset: u64) -> bool {
        let Some(entry) = self.get(room, epoch, offset).filter(|entry| entry.kind == "whispered") else {
            return false;
        };
        let Some(ledger) = self.rooms.get(room) else { return false };
        let later = ledger
            .epochs
            .range(epoch..)
            .flat_map(|(of, entries)| entries.iter().skip(if *of == epoch { offset as usize } else { 0 }));
        let user = entry.said("user");
        later.into_iter().any(|it| it.kind == "forgotten" && it.said("item") == user)
    }

    pub(crate) fn is_torn(&self, room: &RoomId, epoch: Epoch) -> bool {
        self.rooms.get(room).is_some_and(|room| room.torn.contains(&epoch))
    }

    /// Whether any epoch of the room lost records: then the epochs after it began without them.
    pub(crate) fn was_ever_torn(&self, room: &RoomId) -> bool {
        self.rooms.get(room).is_some_and(|room| !room.torn.is_empty())
    }

    pub(crate) fn stored(&mut self, room: &RoomId, epoch: Epoch, batch: &Batch, placements: &[Placement]) {
        let ledger = self.rooms.entry(room.clone()).or_default();
        ledger.now = ledger.now.max(epoch);
        let entries = ledger.epochs.entry(epoch).or_default();
        for (parcel, placement) in batch.parcels.iter().zip(placements) {
            let Placement::At(first) = placement else { continue };
            assert_eq!(*first, entries.len() as u64 + 1, "the engine places records densely");
            entries.extend(parcel.records.iter().map(|data| read(parcel.key.clone(), data)));
        }
    }

    pub(crate) fn began(&mut self, room: &RoomId, epoch: Epoch) {
        let ledger = self.rooms.entry(room.clone()).or_default();
        ledger.now = ledger.now.max(epoch);
        ledger.epochs.entry(epoch).or_default();
    }

    /// How many records each epoch of each room has now.
    pub(crate) fn ends(&self) -> BTreeMap<(RoomId, Epoch), usize> {
        let epochs =
            self.rooms.iter().flat_map(|(room, ledger)| ledger.epochs.iter().map(move |e| (room, e)));
        epochs.map(|(room, (epoch, entries))| ((room.clone(), *epoch), entries.len())).collect()
    }

    pub(crate) fn settle(&mut self) {
        for room in self.rooms.values_mut() {
            room.settled = room.epochs.get(&room.now).map_or(0, Vec::len);
        }
    }

    /// The engine's end is there now; answers how many records are gone.
    pub(crate) fn cut(&mut self, room: &RoomId, epoch: Epoch, end: u64) -> usize {
        let Some(ledger) = self.rooms.get_mut(room) else { return 0 };
        let Some(entries) = ledger.epochs.get_mut(&epoch) else { return 0 };
        let gone = entries.len().saturating_sub(end as usize);
        if gone > 0 {
            entries.truncate(end as usize);
            ledger.torn.insert(epoch);
        }
        gone
    }
}

/// A stored record, as far as the checkers care; its layout is the rooms crate's own affair, of which this follows the
/// first version.
fn read(key: Key, data: &Payload) -> Entry {
    let mut rest = &data[9..];
    let mut text = || {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        let text = String::from_utf8_lossy(&rest[2..2 + length]).into_owned();
        rest = &rest[2 + length..];
        text
    };
    let (kind, author, _name) = (text(), text(), text());
    // The highest number stands for everybody.
    let touches =
        Some(u16::from_be_bytes([rest[0], rest[1]])).filter(|count| *count != u16::MAX).unwrap_or(0);
    rest = &rest[2..];
    for _ in 0..touches {
        let length = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
        rest = &rest[2 + length..];
    }
    let author = (!author.is_empty()).then_some(author);
    Entry { key, kind, author, body: String::from_utf8_lossy(rest).into_owned() }
}
