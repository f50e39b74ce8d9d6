//! A damaged room is refused, and loudly: whoever asks is told it is the server's fault, with a reference; the node that
//! refused has put it down; and no other room is refused so.

use super::{Checker, End, Fact, Seen};

pub(crate) struct Damage;

impl Checker for Damage {
    fn property(&self) -> &'static str {
        "a damaged room is refused, loudly"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let Fact::Heard(heard) = &seen.fact else { return Ok(()) };
        if heard.code() != "INTERNAL_ERROR" {
            return Ok(());
        }
        let name = &so_far.devices[seen.device].name;
        let damaged = heard.room.as_ref().is_some_and(|room| so_far.world.engine.was_damaged(room));
        if !damaged {
            return Err(format!("{name} is told of a fault in {:?}, which has none", heard.room));
        }
        if heard.payload["ref"].as_str().is_none_or(str::is_empty) {
            return Err(format!("{name} is told of a fault in {:?} without a reference", heard.room));
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for room in &end.world.engine.told_damaged {
            if !end.world.failures.iter().any(|failure| failure.room == *room) {
                return Err(format!("{room} was found damaged, and no node has put it down"));
            }
        }
        Ok(())
    }
}
