//! How many users are connected anywhere, out of what every node says of its own: a sketch of a few kilobytes that says
//! nothing about anybody. It estimates; one node alone counts.

use std::collections::BTreeMap;
use std::sync::Arc;

use vocabulary::UserId;

/// A power of two. The error is 1.04 over its root: 1.6 %, and less than one user while they are few.
const PLACES: usize = 4096;
const PLACE_BITS: u32 = PLACES.trailing_zeros();

/// A HyperLogLog: for each place the longest run of zeros that a user's hash began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Sketch(Box<[u8]>);

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch(vec![0; PLACES].into())
    }
}

impl Sketch {
    pub(crate) fn add(&mut self, user: &UserId) {
        let (place, rank) = place_of(user);
        self.0[place] = self.0[place].max(rank);
    }

    /// False: certainly not.
    pub(crate) fn may_have(&self, user: &UserId) -> bool {
        let (place, rank) = place_of(user);
        self.0[place] >= rank
    }

    pub(crate) fn merge(&mut self, other: &Sketch) {
        for (mine, theirs) in self.0.iter_mut().zip(&other.0) {
            *mine = (*mine).max(*theirs);
        }
    }

    pub(crate) fn estimate(&self) -> u64 {
        let places = PLACES as f64;
        let sum: f64 = self.0.iter().map(|rank| 2_f64.powi(-i32::from(*rank))).sum();
        let raw = 0.7213 / (1.0 + 1.079 / places) * places * places / sum;
        let empty = self.0.iter().filter(|rank| **rank == 0).count();
        let few = (empty > 0 && raw <= 2.5 * places).then(|| places * (places / empty as f64).ln());
        few.unwrap_or(raw).round() as u64
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// Of another node's bytes, which may be of another version.
    pub(crate) fn read(bytes: &[u8]) -> Option<Sketch> {
        (bytes.len() == PLACES).then(|| Sketch(bytes.into()))
    }
}

fn place_of(user: &UserId) -> (usize, u8) {
    let hash = hash(user.as_str().as_bytes());
    let place = (hash >> (64 - PLACE_BITS)) as usize;
    (place, ((hash << PLACE_BITS) | 1 << (PLACE_BITS - 1)).leading_zeros() as u8 + 1)
}

/// FNV-1a, with its bits mixed: short ids must not crowd into few places.
fn hash(bytes: &[u8]) -> u64 {
    let hash = bytes.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    let mixed = (hash ^ (hash >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
    let mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
    mixed ^ (mixed >> 33)
}

/// What every living node said last.
#[derive(Default)]
pub(crate) struct Fleet(BTreeMap<Arc<str>, Sketch>);

impl Fleet {
    /// None: it has not said so for a while, or it said goodbye.
    pub(crate) fn hear(&mut self, node: Arc<str>, sketch: Option<Sketch>) {
        match sketch {
            Some(sketch) => drop(self.0.insert(node, sketch)),
            None => drop(self.0.remove(&node)),
        }
    }

    /// An estimate over all, if there is more than one.
    #[cfg(test)]
    pub(crate) fn users(&self) -> Option<u64> {
        self.all().map(|all| all.estimate())
    }

    /// Of all together, if there is more than one.
    pub(crate) fn all(&self) -> Option<Sketch> {
        let mut all = Sketch::default();
        self.0.values().for_each(|sketch| all.merge(sketch));
        (self.0.len() > 1).then_some(all)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(users: std::ops::Range<u32>) -> Sketch {
        let mut sketch = Sketch::default();
        users.for_each(|user| sketch.add(&UserId::new(&user.to_string())));
        sketch
    }

    #[test]
    fn few_are_counted_and_many_are_estimated_within_three_per_cent() {
        for count in [0, 1, 2, 3, 10] {
            assert_eq!(of(0..count).estimate(), u64::from(count));
        }
        for count in [100, 1_000, 10_000, 200_000] {
            let estimate = of(0..count).estimate() as f64;
            assert!((estimate / f64::from(count) - 1.0).abs() < 0.03, "{estimate} for {count}");
        }
    }

    #[test]
    fn a_user_on_two_nodes_is_one_user_and_a_node_that_is_gone_counts_no_more() {
        let mut fleet = Fleet::default();
        fleet.hear("a".into(), Some(of(0..5)));
        assert_eq!(fleet.users(), None, "one node counts by itself");
        fleet.hear("b".into(), Some(of(3..8)));
        assert_eq!(fleet.users(), Some(8));
        fleet.hear("b".into(), Some(of(0..0)));
        assert_eq!(fleet.users(), Some(5));
        fleet.hear("a".into(), None);
        assert_eq!(fleet.users(), None);
    }

    #[test]
    fn a_sketch_reads_back_and_anything_else_is_none() {
        let sketch = of(0..100);
        assert_eq!(Sketch::read(sketch.bytes()), Some(sketch));
        assert_eq!(Sketch::read(b"something else"), None);
    }
}
