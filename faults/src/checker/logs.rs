//! The logs alone: dense, each id once, and nothing that nobody sent.

use std::collections::{BTreeMap, BTreeSet};

use crate::history::{Event, History, Id, Room};

pub(super) fn once(history: &History, found: &mut Vec<String>) {
    for (room, log) in &history.logs {
        let mut places: BTreeMap<Id, u64> = BTreeMap::new();
        for (offset, id) in &log.records {
            if let Some(first) = places.insert(*id, *offset) {
                found.push(format!("{id} stands in room {room} at {first} and at {offset}"));
            }
        }
    }
}

pub(super) fn dense(history: &History, found: &mut Vec<String>) {
    for (room, log) in &history.logs {
        for (expected, (offset, id)) in (1_u64..).zip(&log.records) {
            if expected != *offset {
                found.push(format!("room {room} has {id} at {offset} where {expected} follows"));
                break;
            }
        }
    }
}

pub(super) fn sent(history: &History, found: &mut Vec<String>) {
    let sent: BTreeSet<(Room, Id)> = history
        .events()
        .filter_map(|(_, event)| match event {
            Event::Sent { room, id } => Some((room, id)),
            _ => None,
        })
        .collect();
    for (room, log) in &history.logs {
        for (offset, id) in &log.records {
            if !sent.contains(&(*room, *id)) {
                found.push(format!("room {room} has {id} at {offset}, which nobody sent there"));
            }
        }
    }
}
