//! Every request with an id gets an answer with that id while its connection lives.

use std::time::Duration;

use super::{Checker, End, Seen};

pub(crate) struct Answers;

/// The engine's patience, twice over, and the way there and back.
const PATIENCE: Duration = Duration::from_secs(25);

impl Checker for Answers {
    fn property(&self) -> &'static str {
        "every request is answered"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for device in end.devices {
            for ask in device.waiting.values() {
                let waited = end.at.since(ask.asked);
                if waited > PATIENCE
                    || (end.world.has_been_calm_for(PATIENCE) && waited > Duration::from_secs(5))
                {
                    return Err(format!(
                        "{} asked {:?} {} of {} {:.1} s ago and was not answered",
                        device.name,
                        ask.verb,
                        ask.id,
                        ask.room,
                        waited.as_secs_f64()
                    ));
                }
            }
        }
        Ok(())
    }
}
