//! Who is alive, and which slices each is steward of: the rendezvous winner among the living, so that no table has to
//! be kept and a slice moves only when its holder comes or goes.
//!
//! A lease is measured in time that the engine was awake for. Each look at the clock counts what went by since the last
//! one, but no more than a quarter of a term: the rest is the engine's own silence, in which nobody could renew. Who
//! renews every third of a term has five twelfths of it left after a silence of whatever length; who is gone has ended
//! after a few looks, however far apart they are.

use std::collections::BTreeMap;
use std::time::Duration;

use vocabulary::{Incarnation, SLICES, Slice, Tick};

struct Lease {
    /// In observed time.
    until: Duration,
    /// Of its node; zero until it attends.
    shards: u16,
}

pub(super) struct Leases {
    term: Duration,
    held: BTreeMap<Incarnation, Lease>,
    /// When the engine last looked at its clock, and how much time it has observed by then.
    looked: Tick,
    observed: Duration,
}

impl Leases {
    pub(super) fn new(term: Duration) -> Leases {
        Leases { term, held: BTreeMap::new(), looked: Tick::default(), observed: Duration::ZERO }
    }

    /// Renews; answers the older lives of the same shard, which end by that.
    pub(super) fn attend(&mut self, by: Incarnation, shards: u16) -> Vec<Incarnation> {
        let older: Vec<_> = self
            .held
            .keys()
            .filter(|held| held.node == by.node && held.shard == by.shard && held.life < by.life)
            .copied()
            .collect();
        for gone in &older {
            self.held.remove(gone);
        }
        self.held.insert(by, Lease { until: self.observed + self.term, shards });
        older
    }

    /// A lease without stewardship for whoever has none.
    pub(super) fn begin(&mut self, by: Incarnation) {
        let until = self.observed + self.term;
        self.held.entry(by).or_insert(Lease { until, shards: 0 });
    }

    /// Looks at the clock; answers whose leases have ended.
    pub(super) fn look(&mut self, now: Tick) -> Vec<Incarnation> {
        self.observed += now.since(self.looked).min(self.stride());
        self.looked = now;
        let over = self.held.iter().filter(|(_, lease)| lease.until <= self.observed);
        let gone: Vec<_> = over.map(|(id, _)| *id).collect();
        for id in &gone {
            self.held.remove(id);
        }
        gone
    }

    /// The most that one look counts.
    fn stride(&self) -> Duration {
        self.term / 4
    }

    /// By then the engine must look again, for the time in between to count in full.
    pub(super) fn next_look(&self) -> Option<Tick> {
        let end = self.held.values().map(|lease| lease.until).min()?;
        Some(self.looked + end.saturating_sub(self.observed).min(self.stride()))
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = Incarnation> {
        self.held.keys().copied()
    }

    pub(super) fn steward(&self, slice: Slice) -> Option<Incarnation> {
        steward(self.held.iter().map(|(id, lease)| (*id, lease.shards)), slice)
    }

    pub(super) fn slices_of(&self, by: Incarnation) -> Vec<Slice> {
        (0..SLICES).map(Slice).filter(|slice| self.steward(*slice) == Some(by)).collect()
    }
}

/// The one of the living, each with the shards of its node, that is steward of a slice. Who has not attended has none, and
/// serves nothing.
pub fn steward(living: impl Iterator<Item = (Incarnation, u16)>, slice: Slice) -> Option<Incarnation> {
    let serves = |(id, shards): &(Incarnation, u16)| *shards > 0 && slice.home(*shards) == id.shard;
    living.filter(serves).map(|(id, _)| id).max_by_key(|id| (weight(id.node, slice), *id))
}

fn weight(node: u64, slice: Slice) -> u64 {
    let mixed =
        (node ^ u64::from(slice.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
