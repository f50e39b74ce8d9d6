//! One order per room: no position has two contents, for anybody, and what was shown is what is stored.

use std::collections::BTreeMap;

use vocabulary::{Position, RoomId};

use super::{Checker, End, Fact, Seen};
use crate::ledger::Entry;

#[derive(Default)]
pub(crate) struct Order {
    shown: BTreeMap<(RoomId, Position), String>,
}

/// What tells one record's content from another's, in both the ledger's and the client's words.
fn mark(body: &str) -> String {
    let value: serde_json::Value = serde_json::from_str(body).unwrap_or_default();
    value.to_string()
}

fn compare(room: &RoomId, position: Position, seen: &str, entry: Option<&Entry>) -> Result<(), String> {
    match entry {
        None => Err(format!("{room} {position} was shown as {seen} and is not in the log")),
        Some(entry) if mark(&entry.body) != seen => {
            Err(format!("{room} {position} was shown as {seen} and is stored as {}", entry.body))
        }
        Some(_) => Ok(()),
    }
}

impl Checker for Order {
    fn property(&self) -> &'static str {
        "one order per room"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let Fact::Heard(heard) = &seen.fact else { return Ok(()) };
        let (Some(room), Some(position), true) = (&heard.room, heard.position, heard.is_record()) else {
            return Ok(());
        };
        if so_far.ledger().is_torn(room, position.epoch) {
            return Ok(());
        }
        let content = heard.payload.to_string();
        compare(room, position, &content, so_far.ledger().get(room, position.epoch, position.offset))?;
        let first = self.shown.entry((room.clone(), position)).or_insert_with(|| content.clone());
        if *first != content {
            return Err(format!("{room} {position} was shown as {first} and as {content}"));
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for ((room, position), content) in &self.shown {
            if !end.ledger().is_torn(room, position.epoch) {
                compare(room, *position, content, end.ledger().get(room, position.epoch, position.offset))?;
            }
        }
        Ok(())
    }
}
