//! Batches that may have been stored without our knowing. None of them may be refused: a refusal says that nothing was
//! stored. It never asks.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use vocabulary::{Incarnation, RoomId};

/// Beyond it no batch is refused until there is place again: a room then waits for the server.
const DOUBTS_MAX: usize = 65_536;
/// A room asks again each second; a batch that nobody asked about for so long is nobody's.
const FORGOTTEN_AFTER: Duration = Duration::from_secs(60);

/// By the shard, whatever its life: a batch that is asked again keeps its number.
type Batch = (u64, u16, RoomId, u64);

#[derive(Default)]
pub(crate) struct Doubts {
    held: BTreeMap<Batch, Instant>,
}

fn name(by: Incarnation, room: &RoomId, number: u64) -> Batch {
    (by.node, by.shard.0, room.clone(), number)
}

impl Doubts {
    pub(crate) fn add(&mut self, by: Incarnation, room: &RoomId, number: u64) {
        if self.held.len() >= DOUBTS_MAX {
            self.held.retain(|_, since| since.elapsed() < FORGOTTEN_AFTER);
        }
        if self.held.len() < DOUBTS_MAX {
            self.held.insert(name(by, room, number), Instant::now());
        }
    }

    pub(crate) fn resolve(&mut self, by: Incarnation, room: &RoomId, number: u64) {
        if !self.held.is_empty() {
            self.held.remove(&name(by, room, number));
        }
    }

    /// Asked again, which keeps the doubt.
    pub(crate) fn holds(&mut self, by: Incarnation, room: &RoomId, number: u64) -> bool {
        if self.held.len() >= DOUBTS_MAX {
            return true;
        }
        match self.held.get_mut(&name(by, room, number)) {
            Some(since) => {
                *since = Instant::now();
                true
            }
            None => false,
        }
    }
}
