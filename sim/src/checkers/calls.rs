//! What a back end publishes under an id is stored once, where it was told, however often and wherever it was asked for.
//! (That each call is answered, the back ends see for themselves.)

use std::time::Duration;

use super::{Checker, End, Seen};
use crate::play::Outcome;

pub(crate) struct Calls;

/// The property, also of what the back ends see for themselves.
pub(crate) const PROPERTY: &str = "a call is stored once and answered";
/// Who began to ask so long before the end has its answer.
const LONG_AGO: Duration = Duration::from_secs(20);

impl Checker for Calls {
    fn property(&self) -> &'static str {
        PROPERTY
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for publish in &end.back_ends.published {
            if end.ledger().was_ever_torn(&publish.room) {
                continue;
            }
            let ledger = end.ledger().rooms.get(&publish.room);
            let entries = ledger.into_iter().flat_map(|ledger| ledger.epochs.values().flatten());
            let mark = format!("\"{}\"", publish.id);
            let times = entries.filter(|entry| entry.author.is_none() && entry.body.contains(&mark)).count();
            let (id, room) = (&publish.id, &publish.room);
            let right = match publish.outcome {
                Outcome::Stored(_) => times == 1,
                Outcome::GivenUp => times <= 1,
                Outcome::Open => times <= 1 && end.at.since(publish.since) < LONG_AGO,
            };
            if !right {
                return Err(format!(
                    "{id} was asked for {} times and stands {times} times in {room}; its back end believes {:?}",
                    publish.tries, publish.outcome
                ));
            }
        }
        Ok(())
    }
}
