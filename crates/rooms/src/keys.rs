//! The keys a room has seen: what makes a resent command harmless, on every node that follows the room.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::time::Duration;

use vocabulary::{Key, Position, Wall};

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// Where the command's first record stands, and its time.
    seen: BTreeMap<Key, (Position, Wall)>,
    order: VecDeque<(Wall, Key)>,
}

impl Keys {
    pub(crate) fn get(&self, key: &Key) -> Option<(Position, Wall)> {
        self.seen.get(key).copied()
    }

    /// The position of a command is that of its first record, so later records of the same key change nothing.
    pub(crate) fn remember(
        &mut self,
        at: Wall,
        key: Key,
        position: Position,
        keys_max: usize,
        age_max: Duration,
    ) {
        let Entry::Vacant(place) = self.seen.entry(key.clone()) else { return };
        place.insert((position, at));
        self.order.push_back((at, key));
        while let Some((since, _)) = self.order.front() {
            if self.order.len() <= keys_max && *since + age_max >= at {
                break;
            }
            if let Some((_, oldest)) = self.order.pop_front() {
                self.seen.remove(&oldest);
            }
        }
    }

    pub(crate) fn to_saved(&self) -> Vec<(Wall, Key, Position)> {
        let with_position = |(at, key): &(Wall, Key)| Some((*at, key.clone(), self.seen.get(key)?.0));
        self.order.iter().filter_map(with_position).collect()
    }

    pub(crate) fn from_saved(saved: Vec<(Wall, Key, Position)>) -> Keys {
        let mut keys = Keys::default();
        for (at, key, position) in saved {
            keys.order.push_back((at, key.clone()));
            keys.seen.insert(key, (position, at));
        }
        keys
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::Epoch;

    fn once(number: u64) -> Key {
        Key::once(0, number)
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch(1), offset }
    }

    #[test]
    fn the_oldest_key_goes_first_by_count_and_by_age() {
        let mut keys = Keys::default();
        let day = Duration::from_secs(24 * 3600);
        for number in 1..=4 {
            keys.remember(Wall(0), once(number), at(number), 3, day);
        }
        assert_eq!(keys.get(&once(1)), None);
        assert_eq!(keys.get(&once(2)), Some((at(2), Wall(0))));
        keys.remember(Wall(0) + day + Duration::from_millis(1), once(9), at(9), 3, day);
        assert_eq!(keys.get(&once(4)), None, "older than a day");
        assert_eq!(keys.get(&once(9)).map(|(position, _)| position), Some(at(9)));
    }
}
