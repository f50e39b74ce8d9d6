//! The keys a room has seen: what makes a resent command harmless, on every node that follows the room.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::time::Duration;

use vocabulary::{Key, Position, Wall};

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// The number of each key in the order of their coming.
    seen: BTreeMap<Key, u64>,
    order: VecDeque<Remembered>,
    /// How many were there before the first of `order`.
    gone: u64,
}

/// A command, where its first record stands, and that record's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub key: Key,
    pub position: Position,
    pub at: Wall,
}

impl Keys {
    pub(crate) fn get(&self, key: &Key) -> Option<(Position, Wall)> {
        let number = self.seen.get(key)?;
        self.order.get((number - self.gone) as usize).map(|it| (it.position, it.at))
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
        place.insert(self.gone + self.order.len() as u64);
        self.order.push_back(Remembered { key, position, at });
        while let Some(oldest) = self.order.front() {
            if self.order.len() <= keys_max && oldest.at + age_max >= at {
                break;
            }
            if let Some(oldest) = self.order.pop_front() {
                self.seen.remove(&oldest.key);
                self.gone += 1;
            }
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.order.len() as u64
    }

    /// Oldest first.
    pub(crate) fn all(&self) -> impl ExactSizeIterator<Item = &Remembered> {
        self.order.iter()
    }

    pub(crate) fn of(remembered: Vec<Remembered>) -> Keys {
        let numbers = remembered.iter().zip(0..).map(|(it, number)| (it.key.clone(), number));
        Keys { seen: numbers.collect(), order: remembered.into(), gone: 0 }
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
        assert!(keys.get(&once(1)).is_none());
        let place = |keys: &Keys, number| keys.get(&once(number)).map(|(position, _)| position);
        assert_eq!(place(&keys, 2), Some(at(2)));
        keys.remember(Wall(0) + day + Duration::from_millis(1), once(9), at(9), 3, day);
        assert!(keys.get(&once(4)).is_none(), "older than a day");
        assert_eq!(place(&keys, 9), Some(at(9)));
    }
}
