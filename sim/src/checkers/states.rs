//! Whoever has folded a room up to the same record has the same state of it, on every node, whatever of the log was erased before it
//! came there.

use std::collections::BTreeMap;

use serde_json::Value;
use vocabulary::{Position, RoomId};

use super::{Checker, End, Fact, Seen};
use crate::probe::placed;

#[derive(Default)]
pub(crate) struct States {
    /// What a joiner was told first of a room that was folded up to there, and who it was.
    told: BTreeMap<(RoomId, Position), (String, Value)>,
}

impl Checker for States {
    fn property(&self) -> &'static str {
        "one log is one state"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let Fact::Heard(heard) = &seen.fact else { return Ok(()) };
        let (Some(room), "room_info") = (&heard.room, heard.kind.as_str()) else { return Ok(()) };
        let state = &heard.payload["about"];
        // What was lost with a torn end was folded by some, and another record has its place.
        let Some(folded) = placed(&state["folded"]).filter(|_| !so_far.ledger().was_ever_torn(room)) else {
            return Ok(());
        };
        let name = &so_far.devices[seen.device].name;
        let place = (room.clone(), folded);
        let (first, same) = self.told.entry(place).or_insert_with(|| (name.clone(), state.clone()));
        if same != state {
            return Err(format!("{room} at {folded} is {same} to {first}, and {state} to {name}"));
        }
        Ok(())
    }
}
