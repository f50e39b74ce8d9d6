//! What the dialogues are made of: who asks, which records, what they have seen.

use engine::{Appended, Batch, Parcel, Placement, Present, Snapshot, SoftEntry, Stored};
use vocabulary::{
    Check, Class, Epoch, Incarnation, Key, Payload, Person, Position, RoomId, Seen, ShardId, UserId, Wall,
};

use std::sync::Arc;
use std::time::Duration;

/// Two nodes and a third that mostly listens.
pub const A: Incarnation = node(1);
pub const B: Incarnation = node(2);
pub const C: Incarnation = node(3);
/// What soft values live in the dialogues: more than any of them takes.
pub const LIFE: Duration = Duration::from_secs(60);

pub const fn node(node: u64) -> Incarnation {
    Incarnation { node, shard: ShardId(0), life: 1 }
}

pub fn room(name: &str) -> RoomId {
    RoomId::new("chat", name)
}

pub fn general() -> RoomId {
    room("general")
}

pub fn text(text: &str) -> Payload {
    Payload::copy_from_slice(text.as_bytes())
}

pub fn key(id: &str) -> Key {
    Key::client(&UserId::new("1"), id)
}

pub fn person(id: &str) -> Person {
    Person { id: UserId::new(id), name: Arc::from(id) }
}

/// One who has read these records too.
pub fn go_on(from: Seen, records: &[&str]) -> Seen {
    records.iter().fold(from, |seen, record| Seen {
        position: Position { offset: seen.position.offset + 1, ..seen.position },
        check: seen.check.roll(Check::hash(record.as_bytes())),
    })
}

pub fn snapshot(seen: Seen) -> Snapshot {
    Snapshot { seen, data: text("folded") }
}

/// What a new epoch may begin from.
pub fn base(epoch: Epoch) -> Snapshot {
    snapshot(Seen { position: Position { epoch, offset: 0 }, check: Check(epoch.0 as u32) })
}

/// Records under one key, which is the first record's text.
pub fn parcel(records: &[&str]) -> Parcel {
    Parcel { key: key(records[0]), records: records.iter().map(|record| text(record)).collect() }
}

pub fn batch(seen: Seen, parcels: &[&[&str]]) -> Batch {
    Batch {
        number: 1,
        seen,
        guarded: false,
        parcels: parcels.iter().map(|records| parcel(records)).collect(),
        due: None,
    }
}

pub fn guarded(seen: Seen, record: &str) -> Batch {
    Batch { guarded: true, ..batch(seen, &[&[record]]) }
}

/// Stored at these offsets, with the end of the log there.
pub fn placed(offsets: &[u64], head: Position) -> Appended {
    Appended::Stored { placements: offsets.iter().map(|offset| Placement::At(*offset)).collect(), head }
}

/// Offsets and texts, for reading at a glance.
pub fn plain(records: &[Stored]) -> Vec<(u64, &str)> {
    records
        .iter()
        .map(|record| (record.offset, std::str::from_utf8(&record.data).expect("test records are text")))
        .collect()
}

pub fn present(by: Incarnation, count: u32) -> Present {
    Present { by, person: person("ana"), count }
}

pub fn entry(key: &str, value: Option<&str>, at: i64) -> SoftEntry {
    let (value, at) = (value.map(text), Wall(at));
    SoftEntry { key: key.into(), value, at, time_to_live: LIFE, class: Class::Signal }
}
