//! What must happen once happens once: claims have one winner, timers fire once, absences are recorded once, saga steps
//! are taken and settled once; a hidden record is hidden; who is banned hears nothing more.

use std::collections::BTreeMap;

use vocabulary::{Position, RoomId};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;
use crate::ledger::{Entry, RoomLedger};

#[derive(Default)]
pub(crate) struct Probe {
    /// Where a user's ban stands, by room, as far as anybody was shown it.
    banned: BTreeMap<(usize, RoomId), bool>,
}

impl Checker for Probe {
    fn property(&self) -> &'static str {
        "once means once"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let device = seen.device;
        match &seen.fact {
            Fact::Heard(heard) => {
                let Some(room) = &heard.room else { return Ok(()) };
                let name = &so_far.devices[device].name;
                if heard.kind == "whispered" && !so_far.devices[device].staff {
                    return Err(format!("{name} hears a whisper in {room} that is hidden from it"));
                }
                if heard.is_record() && self.banned.contains_key(&(device, room.clone())) {
                    return Err(format!("{name} was shown its own ban from {room} and then {}", heard.kind));
                }
                let me = so_far.devices[device].user_id();
                // With records lost, the ban may be one of them.
                if so_far.ledger().was_ever_torn(room) {
                    return Ok(());
                }
                if heard.kind == "banned" && heard.payload["item"].as_str() == Some(me) {
                    self.banned.insert((device, room.clone()), true);
                }
            }
            Fact::Closed => self.banned.retain(|(other, _), _| *other != device),
            // Another node may not know of it yet; it will part the user when it does.
            Fact::Asked(ask) if ask.verb == Verb::Join => {
                self.banned.remove(&(device, ask.room.clone()));
            }
            Fact::Opened | Fact::Ended(_) | Fact::Asked(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        let probes = end.ledger().rooms.iter().filter(|(room, _)| room.app() == "probe");
        let torn = probes.clone().any(|(_, ledger)| !ledger.torn.is_empty());
        for (room, ledger) in probes.clone() {
            if !torn {
                let entries: Vec<&Entry> = ledger.epochs.values().flatten().collect();
                check_room(room, &entries, end)?;
            }
            check_saga(room, ledger, torn, end)?;
        }
        Ok(())
    }
}

fn check_room(room: &RoomId, entries: &[&Entry], end: &End<'_>) -> Result<(), String> {
    let mut claimed: BTreeMap<String, usize> = BTreeMap::new();
    let mut armed: BTreeMap<String, bool> = BTreeMap::new();
    let mut watching: BTreeMap<String, bool> = BTreeMap::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = index + 1;
        match entry.kind.as_str() {
            "claimed" => {
                let item = entry.said("item");
                if let Some(first) = claimed.insert(item.clone(), at) {
                    return Err(format!("{item} in {room} was won at {first} and at {at}"));
                }
            }
            "armed" => drop(armed.insert(entry.said("item"), true)),
            "fired" => {
                let item = entry.said("item");
                if armed.insert(item.clone(), false) != Some(true) {
                    return Err(format!("the timer {item} in {room} fired at {at}, and was not armed"));
                }
            }
            "watching" => drop(watching.insert(entry.said("user"), true)),
            "absent" => {
                let user = entry.said("user");
                if watching.insert(user.clone(), false) != Some(true) {
                    return Err(format!(
                        "{user} is recorded as absent from {room} at {at}, and was not watched"
                    ));
                }
            }
            _ => {}
        }
    }
    // Wall clocks that jumped may have put a timer anywhere.
    if end.world.scenario.wall_jumps == 0
        && let Some((item, _)) = armed.iter().find(|(_, armed)| **armed)
    {
        return Err(format!("the timer {item} in {room} never fired"));
    }
    for (user, _) in watching.iter().filter(|(_, watched)| **watched) {
        let there = end.devices.iter().any(|device| device.user_id() == user && device.wanted.contains(room));
        if !there {
            return Err(format!("{user} has been gone from {room} and no absence is recorded"));
        }
    }
    Ok(())
}

/// What stands in the log is in the state of every epoch after it, so an order is filled although its own room lost
/// other records; only of its outcome nobody can say then whether it was recorded.
fn check_saga(room: &RoomId, ledger: &RoomLedger, torn: bool, end: &End<'_>) -> Result<(), String> {
    let placed = ledger.epochs.iter().flat_map(|(epoch, entries)| {
        (1..).zip(entries).map(|(offset, entry)| (Position { epoch: *epoch, offset }, entry))
    });
    for (position, entry) in placed.clone().filter(|(_, entry)| entry.kind == "ordered") {
        let other = RoomId::new("probe", &entry.said("item"));
        if end.ledger().was_ever_torn(&other) {
            continue;
        }
        let of_this = |entry: &&Entry| entry.said("order") == position.to_string();
        let entries = placed.clone().map(|(_, entry)| entry);
        let settled = entries.filter(|entry| entry.kind == "settled").filter(of_this).count();
        let filled: Vec<&Entry> = end
            .ledger()
            .rooms
            .get(&other)
            .map(|ledger| ledger.epochs.values().flatten().collect())
            .unwrap_or_default();
        let taken =
            filled.into_iter().filter(|entry| entry.kind == "taken" && entry.said("saga") == room.as_str());
        let taken = taken.filter(of_this).count();
        if taken != 1 || (settled != 1 && !torn) {
            return Err(format!(
                "the order at {room} {position} was taken {taken} times and settled {settled} times"
            ));
        }
    }
    Ok(())
}
