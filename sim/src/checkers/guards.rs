//! A duty's record stands right behind the state that it was decided on: a steward that slept, or that is none any more,
//! stores nothing that it decided before.

use vocabulary::{Key, Position};

use super::{Checker, End, Seen};

pub(crate) struct Guards;

impl Checker for Guards {
    fn property(&self) -> &'static str {
        "a duty stands on the state it was decided on"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (room, ledger) in end.ledger().rooms.iter().filter(|(_, ledger)| ledger.torn.is_empty()) {
            for (epoch, entries) in &ledger.epochs {
                for (before, entry) in (0..).zip(entries).filter(|(_, entry)| entry.key.is_duty()) {
                    let decided_on = Position { epoch: *epoch, offset: before };
                    // As the simulated app calls them.
                    let names = ["fire", "absent", "swept"];
                    if !names.iter().any(|name| entry.key == Key::duty(decided_on, name)) {
                        return Err(format!("{:?} stands in {room} behind {decided_on}", entry.key));
                    }
                }
            }
        }
        Ok(())
    }
}
