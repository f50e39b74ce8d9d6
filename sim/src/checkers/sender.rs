//! One sender's messages stand in the log in the order in which they were sent; those that were sent again are left out.

use std::collections::BTreeMap;

use vocabulary::RoomId;

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;

#[derive(Default)]
pub(crate) struct Sender {
    /// By room and id: the device, which of its sends it was, and how often it was sent.
    sent: BTreeMap<(RoomId, String), (usize, u64, u32)>,
    serial: u64,
}

impl Checker for Sender {
    fn property(&self) -> &'static str {
        "a sender's messages keep their order"
    }

    fn see(&mut self, seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        if let Fact::Asked(ask) = &seen.fact
            && ask.verb == Verb::Send
        {
            self.serial += 1;
            let serial = self.serial;
            let sent =
                self.sent.entry((ask.room.clone(), ask.id.clone())).or_insert((seen.device, serial, 0));
            sent.2 += 1;
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (room, ledger) in end.ledger().rooms.iter().filter(|(_, ledger)| ledger.torn.is_empty()) {
            let mut last: BTreeMap<usize, (u64, String)> = BTreeMap::new();
            for entry in ledger.epochs.values().flatten() {
                let value: serde_json::Value = serde_json::from_str(&entry.body).unwrap_or_default();
                let Some(id) = value["content"].as_str() else { continue };
                let Some((device, serial, 1)) = self.sent.get(&(room.clone(), id.to_owned())).copied() else {
                    continue;
                };
                if let Some((before, first)) = last.insert(device, (serial, id.to_owned()))
                    && before > serial
                {
                    return Err(format!("{id} was sent before {first} and stands behind it in {room}"));
                }
            }
        }
        Ok(())
    }
}
