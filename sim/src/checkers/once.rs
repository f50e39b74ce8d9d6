//! A message is stored at most once, however often its id was sent.

use std::collections::BTreeMap;

use super::{Checker, End, Seen};

pub(crate) struct Once;

impl Checker for Once {
    fn property(&self) -> &'static str {
        "an id is stored once"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (room, ledger) in &end.ledger().rooms {
            if !ledger.torn.is_empty() {
                continue;
            }
            let mut places: BTreeMap<String, String> = BTreeMap::new();
            for (epoch, entries) in &ledger.epochs {
                for (offset, entry) in (1_u64..).zip(entries) {
                    let value: serde_json::Value = serde_json::from_str(&entry.body).unwrap_or_default();
                    let (Some(content), Some(_)) = (value["content"].as_str(), &entry.author) else {
                        continue;
                    };
                    let place = format!("{epoch}-{offset}");
                    if let Some(first) = places.insert(content.to_owned(), place.clone()) {
                        return Err(format!("{content} stands in {room} at {first} and at {place}"));
                    }
                }
            }
        }
        Ok(())
    }
}
