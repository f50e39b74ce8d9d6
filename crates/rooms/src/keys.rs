//! The keys a room has seen: what makes a resent command harmless, on every node that follows the room. Of what comes from a
//! log that somebody else keeps it remembers how far each lane has come, and no single key.

use std::collections::VecDeque;
use std::collections::btree_map::{BTreeMap, Entry};
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Key, Place, Position, Wall};

/// Lanes of others' logs that one room remembers: a topic of some hundred partitions whose messages have no key brings each
/// room something by every one. Beyond it the lane goes that has brought nothing for longest.
const LANES_MAX: usize = 1024;

#[derive(Clone, Debug, Default)]
pub(crate) struct Keys {
    /// The number of each key in the order of their coming.
    seen: BTreeMap<Key, u64>,
    order: VecDeque<Remembered>,
    /// How many were there before the first of `order`.
    gone: u64,
    /// The highest of each lane. They grow no older: whoever reads a log goes on where it was, however long that is ago.
    highest: BTreeMap<(Arc<str>, u64), Highest>,
}

#[derive(Clone, Debug)]
struct Highest {
    number: u64,
    is: Remembered,
}

/// A command, where its first record stands, and that record's time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Remembered {
    pub key: Key,
    pub position: Position,
    pub at: Wall,
}

impl Keys {
    /// Of a place that was passed: where the highest of its lane stands.
    pub(crate) fn get(&self, key: &Key) -> Option<(Position, Wall)> {
        if let Some(Place { log, lane, number }) = key.as_place() {
            let highest = self.highest.get(&(log.into(), lane))?;
            return (number <= highest.number).then_some((highest.is.position, highest.is.at));
        }
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
        if let Some(Place { log, lane, number }) = key.as_place() {
            let lane = (log.into(), lane);
            return self.rise(lane, Highest { number, is: Remembered { key, position, at } });
        }
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

    /// How far a lane has come.
    pub(crate) fn highest(&self, log: &str, lane: u64) -> Option<u64> {
        self.highest.get(&(log.into(), lane)).map(|highest| highest.number)
    }

    fn rise(&mut self, lane: (Arc<str>, u64), to: Highest) {
        match self.highest.entry(lane) {
            Entry::Occupied(mut highest) if highest.get().number < to.number => *highest.get_mut() = to,
            Entry::Occupied(_) => {}
            Entry::Vacant(place) => {
                place.insert(to);
                if self.highest.len() > LANES_MAX {
                    let stillest = self.highest.iter().min_by_key(|(_, highest)| highest.is.position);
                    let stillest = stillest.map(|(lane, _)| lane.clone());
                    stillest.and_then(|lane| self.highest.remove(&lane));
                }
            }
        }
    }

    pub(crate) fn len(&self) -> u64 {
        self.order.len() as u64
    }

    /// Oldest first; behind them the highest of each lane.
    pub(crate) fn all(&self) -> Vec<&Remembered> {
        self.order.iter().chain(self.highest.values().map(|highest| &highest.is)).collect()
    }

    /// What an older build remembered one by one is here the highest of it.
    pub(crate) fn of(remembered: Vec<Remembered>) -> Keys {
        let (mut keys, mut order) = (Keys::default(), VecDeque::with_capacity(remembered.len()));
        for it in remembered {
            if let Some(Place { log, lane, number }) = it.key.as_place() {
                keys.rise((log.into(), lane), Highest { number, is: it });
            } else {
                keys.seen.insert(it.key.clone(), order.len() as u64);
                order.push_back(it);
            }
        }
        Keys { order, ..keys }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use bytes::BytesMut;
    use proptest::prelude::*;
    use vocabulary::{Epoch, UserId};

    const DAY: Duration = Duration::from_secs(24 * 3600);

    /// What happens to a room's keys.
    #[derive(Clone, Debug)]
    enum Happens {
        Event { log: u64, lane: u64, number: u64 },
        Sent { id: u64 },
        Saved,
    }

    fn happens() -> impl Strategy<Value = Happens> {
        prop_oneof![
            6 => (0..2_u64, 0..3_u64, 0..40_u64).prop_map(|(log, lane, number)| Happens::Event { log, lane, number }),
            3 => (0..60_u64).prop_map(|id| Happens::Sent { id }),
            1 => Just(Happens::Saved),
        ]
    }

    fn event(log: u64, lane: u64, number: u64) -> Key {
        Key::place(&format!("log {log}"), lane, number)
    }

    proptest! {
        /// However often what is stored is brought again, and whatever is written and read in between.
        #[test]
        fn a_place_is_known_exactly_if_its_lane_came_so_far(all in proptest::collection::vec(happens(), 0..120)) {
            let (mut keys, mut highest, mut sent) = (Keys::default(), BTreeMap::new(), VecDeque::new());
            for (happens, offset) in all.into_iter().zip(1..) {
                match happens {
                    Happens::Event { log, lane, number } => {
                        let key = event(log, lane, number);
                        let known: Option<&(u64, u64)> = highest.get(&(log, lane));
                        let place = known.filter(|(high, _)| number <= *high).map(|(_, offset)| at(*offset));
                        prop_assert_eq!(keys.get(&key).map(|(position, _)| position), place);
                        if place.is_none() {
                            keys.remember(Wall(0), key, at(offset), 8, DAY);
                            highest.insert((log, lane), (number, offset));
                        }
                    }
                    Happens::Sent { id } => {
                        let key = Key::client(&UserId::new("7"), &id.to_string());
                        prop_assert_eq!(keys.get(&key).is_some(), sent.contains(&id));
                        if !sent.contains(&id) {
                            keys.remember(Wall(0), key, at(offset), 8, DAY);
                            sent.push_back(id);
                            sent.drain(..sent.len().saturating_sub(8));
                        }
                    }
                    Happens::Saved => {
                        let mut out = BytesMut::new();
                        crate::saved_keys::put(keys.all().into_iter(), &mut out);
                        keys = Keys::of(crate::saved_keys::take(&mut out.freeze()).expect("it was written"));
                    }
                }
            }
        }
    }

    #[test]
    fn a_lane_is_remembered_when_keys_are_too_many_and_too_old_and_lanes_are_bounded() {
        let mut keys = Keys::default();
        keys.remember(Wall(0), event(0, 0, 9), at(1), 3, DAY);
        for number in 2..=9 {
            keys.remember(Wall(0) + DAY + DAY, once(number), at(number), 3, DAY);
        }
        assert_eq!(keys.get(&event(0, 0, 8)), Some((at(1), Wall(0))));
        for lane in 1..=LANES_MAX as u64 {
            keys.remember(Wall(0), event(0, lane, 0), at(10 + lane), 3, DAY);
        }
        assert_eq!((keys.highest.len(), keys.get(&event(0, 0, 8))), (LANES_MAX, None));
        assert!(keys.get(&event(0, 1, 0)).is_some());
    }

    /// A build that knew nothing of lanes remembers each place for itself.
    #[test]
    fn what_was_remembered_one_by_one_is_read_as_the_highest_of_it() {
        let place = |number| Remembered { key: event(0, 0, number), position: at(number), at: Wall(0) };
        let keys = Keys::of(vec![place(3), place(7), place(5)]);
        assert_eq!(keys.get(&event(0, 0, 1)).map(|(position, _)| position), Some(at(7)));
        assert!(keys.get(&event(0, 0, 8)).is_none());
        assert_eq!((keys.len(), keys.all().len()), (0, 1));
    }

    fn once(number: u64) -> Key {
        Key::once(0, number)
    }

    fn at(offset: u64) -> Position {
        Position { epoch: Epoch(1), offset }
    }

    #[test]
    fn the_oldest_key_goes_first_by_count_and_by_age() {
        let mut keys = Keys::default();
        let day = DAY;
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
