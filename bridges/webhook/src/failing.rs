//! Which rooms' next call failed: since when, how often, and when it is made again. Bounded, and time is an argument; it calls nobody.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use crossing::pause;
use vocabulary::{Position, RoomId};

/// Rooms that are remembered; of others it is not known for how long they fail, and they are tried for as long as they are kept.
const ROOMS_MAX: usize = 10_000;
/// Between two tries of a room.
const AGAIN_MAX: Duration = Duration::from_secs(60);

#[derive(Default)]
pub(crate) struct Failing(HashMap<RoomId, Row>);

struct Row {
    /// Of the first event of the call.
    position: Position,
    at: i64,
    since: Instant,
    tries: u32,
    next: Instant,
}

impl Failing {
    /// The same event as before, or another that is first now.
    pub(crate) fn fails(&mut self, room: &RoomId, position: Position, at: i64, now: Instant) {
        if self.0.len() >= ROOMS_MAX && !self.0.contains_key(room) {
            return;
        }
        let new = || Row { position, at, since: now, tries: 0, next: now };
        let row = self.0.entry(room.clone()).or_insert_with(new);
        if row.position != position {
            *row = new();
        }
        row.tries += 1;
        row.next = now + pause(row.tries + 2, AGAIN_MAX);
    }

    pub(crate) fn is_well(&mut self, room: &RoomId) {
        self.0.remove(room);
    }

    /// It was tried a moment ago.
    pub(crate) fn rests(&self, room: &RoomId, now: Instant) -> bool {
        self.0.get(room).is_some_and(|row| now < row.next)
    }

    pub(crate) fn is_over(&self, room: &RoomId, give_up: Duration, now: Instant) -> bool {
        self.0.get(room).is_some_and(|row| now.duration_since(row.since) >= give_up)
    }

    pub(crate) fn tries(&self, room: &RoomId) -> u32 {
        self.0.get(room).map_or(0, |row| row.tries)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    /// When the oldest event of them came to be.
    pub(crate) fn oldest(&self) -> Option<i64> {
        self.0.values().map(|row| row.at).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Epoch;

    fn position(offset: u64) -> Position {
        Position { epoch: Epoch(1), offset }
    }

    #[test]
    fn an_event_fails_from_its_first_try_on_and_the_next_one_anew() {
        let (start, room, mut failing) = (Instant::now(), RoomId::new("chat", "a"), Failing::default());
        let (second, hour) = (Duration::from_secs(1), Duration::from_secs(3600));
        failing.fails(&room, position(1), 7, start);
        failing.fails(&room, position(1), 7, start + second);
        assert_eq!((failing.tries(&room), failing.oldest()), (2, Some(7)));
        assert!(!failing.is_over(&room, hour, start + second) && failing.is_over(&room, hour, start + hour));
        failing.fails(&room, position(2), 9, start + hour);
        assert!(!failing.is_over(&room, hour, start + hour), "another one is first now");
        assert!(!failing.rests(&room, start + hour + AGAIN_MAX), "it is tried again within a minute");
        failing.is_well(&room);
        assert_eq!((failing.len(), failing.tries(&room)), (0, 0));
    }

    #[test]
    fn no_more_rooms_are_remembered_than_may_be() {
        let (now, mut failing) = (Instant::now(), Failing::default());
        for number in 0..=ROOMS_MAX {
            failing.fails(&RoomId::new("chat", &number.to_string()), position(1), 0, now);
        }
        assert_eq!(failing.len(), ROOMS_MAX);
    }
}
