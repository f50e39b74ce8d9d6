//! Since its join or its resume point a member sees a contiguous slice of the log: nothing twice, nothing missing unless
//! it was told so, and its own acks in their place.

use std::collections::BTreeMap;

use vocabulary::{Position, RoomId};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;
use crate::heard::Heard;

#[derive(Default)]
pub(crate) struct Contiguous {
    /// By device and room, while joined; `None`: joined anywhere, nothing seen yet.
    cursors: BTreeMap<(usize, RoomId), Option<Position>>,
    /// Joins that are not answered, with their `since`.
    joins: BTreeMap<(usize, String), Option<Position>>,
    leaves: BTreeMap<(usize, String), RoomId>,
}

impl Checker for Contiguous {
    fn property(&self) -> &'static str {
        "a contiguous slice of the log"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let device = seen.device;
        match &seen.fact {
            Fact::Opened | Fact::Ended(_) => {}
            Fact::Closed => {
                self.cursors.retain(|(other, _), _| *other != device);
                self.joins.retain(|(other, _), _| *other != device);
                self.leaves.retain(|(other, _), _| *other != device);
            }
            Fact::Asked(ask) => {
                match ask.verb {
                    Verb::Join => drop(self.joins.insert((device, ask.id.clone()), ask.since)),
                    Verb::Leave => drop(self.leaves.insert((device, ask.id.clone()), ask.room.clone())),
                    _ => {}
                };
            }
            Fact::Heard(heard) => return self.hear(device, heard, so_far),
        }
        Ok(())
    }
}

impl Contiguous {
    fn hear(&mut self, device: usize, heard: &Heard, so_far: &End<'_>) -> Result<(), String> {
        let name = &so_far.devices[device].name;
        if let Some(id) = &heard.id
            && !heard.is_record()
        {
            if let Some(room) = self.leaves.remove(&(device, id.clone())) {
                if heard.kind == "ack" {
                    self.cursors.remove(&(device, room));
                }
                return Ok(());
            }
            if let Some(since) = self.joins.remove(&(device, id.clone())) {
                if let (Some(room), "room_info") = (&heard.room, heard.kind.as_str()) {
                    let cursor = self.cursors.entry((device, room.clone())).or_default();
                    // A join without a position says itself where it stands, and that is where an older one has got to.
                    *cursor = since.or(*cursor).or(heard.position);
                } else if let (Some(room), "FORBIDDEN") = (&heard.room, heard.code()) {
                    self.cursors.remove(&(device, room.clone()));
                }
                return Ok(());
            }
        }
        let Some(room) = &heard.room else { return Ok(()) };
        if heard.kind == "error" && heard.id.is_none() && heard.code() == "FORBIDDEN" {
            self.cursors.remove(&(device, room.clone()));
            return Ok(());
        }
        let Some(cursor) = self.cursors.get_mut(&(device, room.clone())) else { return Ok(()) };
        if matches!(heard.kind.as_str(), "gap" | "reset") {
            *cursor = heard.upto();
            return Ok(());
        }
        let Some(position) = heard.position else { return Ok(()) };
        let ack = heard.kind == "ack";
        // Who leaves is given the acks it is owed, wherever it stands.
        let leaving = ack && self.leaves.iter().any(|((leaver, _), left)| *leaver == device && left == room);
        let Some(at) = *cursor else {
            if !ack {
                *cursor = Some(position);
            }
            return Ok(());
        };
        if position.epoch != at.epoch {
            if leaving || (ack && position.epoch < at.epoch) {
                return Ok(());
            }
            return Err(format!("{name} stands at {at} in {room} and is given {position} without a reset"));
        }
        if position.offset <= at.offset {
            if ack {
                return Ok(());
            }
            return Err(format!("{name} stands at {at} in {room} and is given {position} again"));
        }
        let hidden = |offset| {
            let entry = so_far.ledger().get(room, at.epoch, offset);
            let forgotten = || so_far.ledger().is_forgotten(room, at.epoch, offset);
            entry.is_some_and(|entry| entry.kind == "whispered")
                && (!so_far.devices[device].staff || forgotten())
        };
        let torn = so_far.ledger().is_torn(room, at.epoch);
        if !torn && let Some(missing) = (at.offset + 1..position.offset).find(|offset| !hidden(*offset)) {
            if leaving {
                return Ok(());
            }
            return Err(format!(
                "{name} stands at {at} in {room} and is given {position} ({}): {missing} is missing",
                heard.kind
            ));
        }
        *cursor = Some(position);
        Ok(())
    }
}
