//! Nothing acknowledged is lost: the log has it, at that position, under its author's id.

use std::collections::BTreeMap;

use vocabulary::{Key, Position, RoomId, UserId};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;

#[derive(Default)]
pub(crate) struct Acked {
    sends: BTreeMap<(usize, String), RoomId>,
    acked: BTreeMap<(RoomId, String), (Position, UserId)>,
}

impl Checker for Acked {
    fn property(&self) -> &'static str {
        "nothing acknowledged is lost"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        match &seen.fact {
            Fact::Asked(ask) if ask.verb == Verb::Send => {
                self.sends.insert((seen.device, ask.id.clone()), ask.room.clone());
            }
            Fact::Heard(heard) if heard.kind == "ack" => {
                let (Some(id), Some(position)) = (&heard.id, heard.position) else { return Ok(()) };
                let Some(room) = self.sends.get(&(seen.device, id.clone())) else { return Ok(()) };
                let user = so_far.devices[seen.device].user.person.id.clone();
                let old = self.acked.insert((room.clone(), id.clone()), (position, user));
                let torn = so_far.ledger().was_ever_torn(room);
                if !torn && so_far.ledger().get(room, position.epoch, position.offset).is_none() {
                    return Err(format!("{id} is acknowledged at {room} {position}, and is not stored yet"));
                }
                if let Some((old, _)) = old.filter(|(old, _)| *old != position && !torn) {
                    return Err(format!("{id} in {room} was acknowledged at {old} and at {position}"));
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for ((room, id), (position, user)) in &self.acked {
            if end.ledger().is_torn(room, position.epoch) {
                continue;
            }
            let key = Key::client(user, id);
            match end.ledger().get(room, position.epoch, position.offset) {
                Some(entry) if entry.body.contains(&format!("\"{id}\"")) => {}
                // The engine of a mutant forgets keys, so the content is what counts.
                Some(entry) if entry.key == key => {}
                Some(entry) => {
                    return Err(format!(
                        "{id} was acknowledged at {room} {position}, where the log has {}",
                        entry.body
                    ));
                }
                None => {
                    return Err(format!(
                        "{id} was acknowledged at {room} {position}, where the log has nothing"
                    ));
                }
            }
        }
        Ok(())
    }
}
