//! Who is alive, as far as this node has heard: by looks, and by news between them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use vocabulary::{Incarnation, SLICES, Slice};

/// Ends that are remembered, so that a late word of one does not bring it back or tell it twice: more than end between
/// two looks.
const ENDED_MAX: usize = 4096;

/// Those whose leases run, each with the number of its lease. No number comes twice.
#[derive(Default)]
pub(crate) struct Living {
    held: BTreeMap<Incarnation, (u64, u16)>,
    /// Leases with a greater number began after the last look.
    upto: u64,
    ended: VecDeque<u64>,
}

impl Living {
    pub(crate) fn number(&self, by: Incarnation) -> Option<u64> {
        self.held.get(&by).map(|(number, _)| *number)
    }

    pub(crate) fn holds(&self, by: Incarnation, number: u64) -> bool {
        self.number(by) == Some(number)
    }

    /// Whether it began after the last look, so that nothing can be said about it.
    pub(crate) fn is_unknown(&self, number: u64) -> bool {
        number > self.upto
    }

    pub(crate) fn steward(&self, slice: Slice) -> Option<Incarnation> {
        engine::steward(self.held.iter().map(|(by, (_, shards))| (*by, *shards)), slice)
    }

    pub(crate) fn slices_of(&self, by: Incarnation) -> Vec<Slice> {
        (0..SLICES).map(Slice).filter(|slice| self.steward(*slice) == Some(by)).collect()
    }

    /// Heard between two looks.
    pub(crate) fn attends(&mut self, by: Incarnation, number: u64, shards: u16) {
        if !self.ended.contains(&number) {
            self.held.insert(by, (number, shards));
        }
    }

    /// Whether that is new.
    pub(crate) fn end(&mut self, by: Incarnation, number: u64) -> bool {
        if self.ended.contains(&number) {
            return false;
        }
        if self.holds(by, number) {
            self.held.remove(&by);
        }
        self.ended.push_back(number);
        if self.ended.len() > ENDED_MAX {
            self.ended.pop_front();
        }
        true
    }

    /// What a look found; answers who has ended since the one before. What was heard of a lease that began after the look holds
    /// against it: news and answers come by different connections.
    pub(crate) fn found(
        &mut self,
        upto: u64,
        found: BTreeMap<Incarnation, (u64, u16)>,
    ) -> Vec<(Incarnation, u64)> {
        self.upto = upto;
        let before = std::mem::replace(&mut self.held, found);
        let ended: BTreeSet<u64> = self.ended.iter().copied().collect();
        self.held.retain(|_, (number, _)| !ended.contains(number));
        let mut gone = Vec::new();
        for (by, (number, shards)) in before {
            if number > upto {
                self.held.insert(by, (number, shards));
            } else if !self.holds(by, number) {
                gone.push((by, number));
            }
        }
        gone
    }
}

#[cfg(test)]
mod tests {
    use vocabulary::ShardId;

    use super::*;

    fn shard(node: u64) -> Incarnation {
        Incarnation { node, shard: ShardId(0), life: 1 }
    }

    fn table(leases: &[(u64, u64)]) -> BTreeMap<Incarnation, (u64, u16)> {
        leases.iter().map(|(node, number)| (shard(*node), (*number, 1))).collect()
    }

    #[test]
    fn who_began_after_a_look_and_was_heard_of_before_its_answer_is_alive() {
        let mut living = Living::default();
        living.found(5, table(&[(1, 5)]));
        living.attends(shard(2), 7, 1);
        assert_eq!(living.found(6, table(&[(1, 5)])), []);
        assert!(living.holds(shard(2), 7), "the look was over before it began");
        assert_eq!(living.found(8, table(&[(1, 5), (2, 7)])), []);
        assert!(living.holds(shard(2), 7));
    }

    #[test]
    fn who_is_not_among_those_of_a_later_look_has_ended_once() {
        let mut living = Living::default();
        living.found(8, table(&[(1, 5), (2, 7)]));
        assert_eq!(living.found(9, table(&[(1, 5)])), [(shard(2), 7)]);
        assert!(living.end(shard(2), 7), "nobody was told yet");
        assert!(!living.end(shard(2), 7));
        living.attends(shard(2), 7, 1);
        assert!(!living.holds(shard(2), 7), "a late word brings nobody back");
        living.attends(shard(2), 12, 1);
        assert!(living.holds(shard(2), 12), "a new lease does");
    }

    #[test]
    fn an_end_that_was_heard_holds_against_a_look_from_before_it() {
        let mut living = Living::default();
        living.found(8, table(&[(1, 5), (2, 7)]));
        living.end(shard(2), 7);
        assert_eq!(living.found(9, table(&[(1, 5), (2, 7)])), []);
        assert!(!living.holds(shard(2), 7));
    }
}
