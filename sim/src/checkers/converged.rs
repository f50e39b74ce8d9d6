//! Some time after the faults stopped everybody is connected and live, nothing is left to be sent, and every member's
//! view reaches the end of the log.

use super::{Checker, End, Seen};
use crate::ledger::Entry;

pub(crate) struct Converged;

impl Checker for Converged {
    fn property(&self) -> &'static str {
        "all comes right"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for device in end.devices.iter().filter(|device| !device.gone) {
            let name = &device.name;
            if device.socket.is_none() {
                return Err(format!("{name} is not connected"));
            }
            for room in &device.wanted {
                if !device.is_in(room) {
                    return Err(format!("{name} is not in {room}: {:?}", device.standing.get(room)));
                }
                let Some(kept) = device.kept.get(room) else { continue };
                let Some(ledger) = end.ledger().rooms.get(room) else { continue };
                if kept.epoch != ledger.now {
                    return Err(format!(
                        "{name} stands at {kept} in {room}, where the epoch is {}",
                        ledger.now
                    ));
                }
                let entries = ledger.epochs.get(&kept.epoch).map(Vec::as_slice).unwrap_or_default();
                let unseen = (1..).zip(entries).take(ledger.settled).skip(kept.offset as usize);
                let is_hidden = |(offset, entry): &(u64, &Entry)| {
                    let forgotten = || end.ledger().is_forgotten(room, kept.epoch, *offset);
                    entry.kind == "whispered" && (!device.staff || forgotten())
                };
                let visible = unseen.filter(|it| !is_hidden(it)).count();
                if visible > 0 {
                    return Err(format!(
                        "{name} stands at {kept} in {room}, which goes to {}",
                        ledger.settled
                    ));
                }
            }
            if let Some((id, unsent)) =
                device.unsent.iter().find(|(_, unsent)| device.wanted.contains(&unsent.room))
            {
                return Err(format!("{name} sent {id} to {} {} times in vain", unsent.room, unsent.times));
            }
        }
        Ok(())
    }
}
