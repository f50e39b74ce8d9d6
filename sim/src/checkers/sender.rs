//! What was sent over one connection stands in the log in the order in which it was sent; what was sent again is left out.

use std::collections::BTreeMap;

use vocabulary::RoomId;

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;

#[derive(Default)]
pub(crate) struct Sender {
    /// By room and id: the device and which of its connections, which send it was, and how often it was sent.
    sent: BTreeMap<(RoomId, String), (Over, u64, u32)>,
    serial: u64,
    /// How many connections of a device are over: what a node still holds of one may come behind what the next one brings.
    over: BTreeMap<usize, u32>,
}

/// A device, and which of its connections.
type Over = (usize, u32);

impl Checker for Sender {
    fn property(&self) -> &'static str {
        "a sender's messages keep their order"
    }

    fn see(&mut self, seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        let over = self.over.entry(seen.device).or_default();
        if matches!(seen.fact, Fact::Closed) {
            *over += 1;
        }
        if let Fact::Asked(ask) = &seen.fact
            && ask.verb == Verb::Send
        {
            self.serial += 1;
            let serial = self.serial;
            let sent = self.sent.entry((ask.room.clone(), ask.id.clone())).or_insert((
                (seen.device, *over),
                serial,
                0,
            ));
            sent.2 += 1;
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (room, ledger) in end.ledger().rooms.iter().filter(|(_, ledger)| ledger.torn.is_empty()) {
            let mut last: BTreeMap<Over, (u64, String)> = BTreeMap::new();
            for entry in ledger.epochs.values().flatten() {
                let value: serde_json::Value = serde_json::from_str(&entry.body).unwrap_or_default();
                let Some(id) = value["content"].as_str() else { continue };
                let Some((over, serial, 1)) = self.sent.get(&(room.clone(), id.to_owned())).copied() else {
                    continue;
                };
                if let Some((before, first)) = last.insert(over, (serial, id.to_owned()))
                    && before > serial
                {
                    return Err(format!("{id} was sent before {first} and stands behind it in {room}"));
                }
            }
        }
        Ok(())
    }
}
