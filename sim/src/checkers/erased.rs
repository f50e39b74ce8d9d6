//! What an app erased is gone from the engine when all has come right: a tombstone stands in its place, no snapshot holds it, the
//! end of it is recorded, and the check of the room is what it was.

use super::{Checker, End, Seen};

pub(crate) struct Erased;

impl Checker for Erased {
    fn property(&self) -> &'static str {
        "what is erased is gone"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (room, held) in &end.world.engine.held {
            if !held.proves_itself {
                return Err(format!("{room} does not roll to its own check"));
            }
            let ledger = end.ledger();
            let Some(of_room) = ledger.rooms.get(room) else { continue };
            let entries = of_room.epochs.iter().flat_map(|(epoch, entries)| {
                (1..).zip(entries).map(|(offset, entry)| (*epoch, offset, entry))
            });
            for (epoch, offset, entry) in
                entries.filter(|(epoch, offset, _)| ledger.is_forgotten(room, *epoch, *offset))
            {
                let secret = entry.said("secret");
                if held.bytes.windows(secret.len()).any(|it| it == secret.as_bytes()) {
                    return Err(format!("{room} {epoch}-{offset} was erased, and {secret} is still there"));
                }
            }
            let count = |kind: &str| of_room.epochs.values().flatten().filter(|it| it.kind == kind).count();
            // Of what was lost with a torn end nobody can say how often it was done.
            if of_room.torn.is_empty() && count("forgotten") != count("swept") {
                return Err(format!("{room}: {} erasures and {} ends", count("forgotten"), count("swept")));
            }
        }
        Ok(())
    }
}
