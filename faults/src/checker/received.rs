//! What clients received: each a contiguous slice of the log by position, its own acknowledgements in their place, or told
//! that it is not.

use std::collections::BTreeMap;

use crate::history::{Event, History, Position, Room};

pub(super) fn stored(history: &History, found: &mut Vec<String>) {
    for (client, event) in history.events() {
        let Event::Received { room, id, position } = event else { continue };
        let Some(log) = history.logs.get(&room) else { continue };
        if log.epoch == Some(position.epoch) && log.at(position) != Some(id) {
            let there = log.at(position).map_or("nothing".to_owned(), |other| other.to_string());
            found.push(format!(
                "client {client} received {id} at {position} of room {room}, where the log has {there}"
            ));
        }
    }
}

/// Where a client stands in each of its rooms, as its own book says.
#[derive(Default)]
struct Cursors(BTreeMap<Room, Position>);

impl Cursors {
    /// What an event says that cannot be.
    fn take(&mut self, event: Event) -> Option<String> {
        match event {
            Event::Stands { room, position } => {
                self.0.insert(room, position);
            }
            Event::Gap { room, upto } | Event::Reset { room, upto } => {
                self.0.insert(room, upto);
            }
            Event::Resumed { room, upto } => {
                let at = self.0.get(&room)?;
                if at.epoch != upto.epoch || at.offset > upto.offset {
                    return Some(format!("resumed from {at} of room {room} up to {upto}"));
                }
            }
            Event::Received { room, position, .. } => return self.step(room, position, "received"),
            Event::Acked { room, position, .. } => {
                // A message that was stored before repeats its old position.
                let old = self
                    .0
                    .get(&room)
                    .is_some_and(|at| at.epoch == position.epoch && position.offset <= at.offset);
                return if old { None } else { self.step(room, position, "was acknowledged") };
            }
            Event::Sent { .. } | Event::Refused { .. } | Event::Ended => {}
        }
        None
    }

    fn step(&mut self, room: Room, position: Position, what: &str) -> Option<String> {
        let at = self.0.insert(room, position)?;
        if at.epoch == position.epoch && at.offset + 1 == position.offset {
            return None;
        }
        if at.epoch == position.epoch && at.offset >= position.offset {
            // It stays where it was, so that one repeat is told once.
            self.0.insert(room, at);
            return Some(format!("stands at {at} of room {room} and {what} {position} again"));
        }
        Some(format!("stands at {at} of room {room} and {what} {position} next"))
    }
}

pub(super) fn contiguous(history: &History, found: &mut Vec<String>) {
    for (client, diary) in history.diaries.iter().enumerate() {
        let mut cursors = Cursors::default();
        let wrong = diary.events.iter().filter_map(|noted| {
            cursors.take(noted.event).map(|says| format!("client {client} {says} ({} ms)", noted.at))
        });
        found.extend(wrong);
    }
}

pub(super) fn told(history: &History, found: &mut Vec<String>) {
    for (client, diary) in history.diaries.iter().enumerate().filter(|(_, diary)| diary.live) {
        let mut cursors = Cursors::default();
        for noted in &diary.events {
            // What is wrong on the way is the other property's to say.
            let _ = cursors.take(noted.event);
        }
        for (room, at) in cursors.0 {
            let Some(log) = history.logs.get(&room) else { continue };
            if log.epoch.is_some_and(|epoch| epoch != at.epoch) || at.offset != log.head() {
                found.push(format!(
                    "client {client} stands at {at} of room {room}, whose log ends at {}",
                    log.head()
                ));
            }
        }
    }
}
