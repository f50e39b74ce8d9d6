//! Who is alive, and which slices each is steward of: the rendezvous winner among the living, so that no table has to
//! be kept and a slice moves only when its holder comes or goes.

use std::collections::BTreeMap;
use std::time::Duration;

use vocabulary::{Incarnation, SLICES, Slice, Tick};

struct Lease {
    until: Tick,
    /// Of its node; zero until it attends.
    shards: u16,
}

pub(super) struct Leases {
    term: Duration,
    held: BTreeMap<Incarnation, Lease>,
    /// When the engine last looked at its clock: if it slept itself, that is nobody's fault.
    looked: Tick,
}

impl Leases {
    pub(super) fn new(term: Duration) -> Leases {
        Leases { term, held: BTreeMap::new(), looked: Tick::default() }
    }

    /// Renews; answers the older lives of the same shard, which end by that.
    pub(super) fn attend(&mut self, now: Tick, by: Incarnation, shards: u16) -> Vec<Incarnation> {
        let older: Vec<_> = self
            .held
            .keys()
            .filter(|held| held.node == by.node && held.shard == by.shard && held.life < by.life)
            .copied()
            .collect();
        for gone in &older {
            self.held.remove(gone);
        }
        self.held.insert(by, Lease { until: now + self.term, shards });
        older
    }

    /// A lease without stewardship for whoever has none.
    pub(super) fn begin(&mut self, now: Tick, by: Incarnation) {
        let until = now + self.term;
        self.held.entry(by).or_insert(Lease { until, shards: 0 });
    }

    /// While the engine itself was silent nobody could renew, so the silence is added to every lease.
    pub(super) fn end(&mut self, now: Tick) -> Vec<Incarnation> {
        let silence = now.since(self.looked);
        self.looked = now;
        if silence > self.term {
            for lease in self.held.values_mut() {
                lease.until = lease.until + silence;
            }
        }
        let gone: Vec<_> =
            self.held.iter().filter(|(_, lease)| lease.until <= now).map(|(id, _)| *id).collect();
        for id in &gone {
            self.held.remove(id);
        }
        gone
    }

    pub(super) fn next_end(&self) -> Option<Tick> {
        self.held.values().map(|lease| lease.until).min()
    }

    pub(super) fn alive(&self) -> impl Iterator<Item = Incarnation> {
        self.held.keys().copied()
    }

    pub(super) fn steward(&self, slice: Slice) -> Option<Incarnation> {
        let serves =
            |(id, lease): &(&Incarnation, &Lease)| lease.shards > 0 && slice.home(lease.shards) == id.shard;
        self.held.iter().filter(serves).map(|(id, _)| *id).max_by_key(|id| (weight(id.node, slice), *id))
    }

    pub(super) fn slices_of(&self, by: Incarnation) -> Vec<Slice> {
        (0..SLICES).map(Slice).filter(|slice| self.steward(*slice) == Some(by)).collect()
    }
}

fn weight(node: u64, slice: Slice) -> u64 {
    let mixed =
        (node ^ u64::from(slice.0).wrapping_mul(0x9e37_79b9_7f4a_7c15)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    mixed ^ (mixed >> 31)
}
