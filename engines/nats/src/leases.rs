//! Who is alive, as one small document that all nodes replace by compare-and-set, and read. A function of documents and of
//! the times at which the server stored them; it reads no clock.
//!
//! A lease is measured in time that somebody looked on: from one document to the next counts what went by on the server's
//! clock, but no more than a quarter of a term. So a server that was away ends nobody's lease.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::Duration;

use engine::steward;
use vocabulary::{Incarnation, SLICES, Slice};

use crate::names::{incarnation_of, token_of};

const HEAD: &str = "kulkul-leases 1";

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Lease {
    /// In observed nanoseconds; absent: renewed with this very document.
    until: Option<u64>,
    /// Of its node; zero until it attends.
    pub(crate) shards: u16,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Document {
    /// Time observed until the document before this one was stored, and when that was by the server's clock.
    observed: u64,
    at: u64,
    pub(crate) held: BTreeMap<Incarnation, Lease>,
    /// Whose leases have ended, and whose presence is not yet known to be gone; with the observed time of their end.
    pub(crate) ending: BTreeMap<Incarnation, u64>,
}

impl Document {
    /// What is written after this one, which the server stored then: with all that has ended by now.
    pub(crate) fn next(&self, stored_at: u64, term: Duration) -> Document {
        let term = nanos(term);
        let passed = if self.at == 0 { 0 } else { stored_at.saturating_sub(self.at).min(term / 4) };
        let observed = self.observed + passed;
        let mut next =
            Document { observed, at: stored_at, held: BTreeMap::new(), ending: self.ending.clone() };
        for (id, lease) in &self.held {
            let until = lease.until.unwrap_or(observed + term);
            if until <= observed {
                next.ending.insert(*id, observed);
            } else {
                next.held.insert(*id, Lease { until: Some(until), ..*lease });
            }
        }
        next
    }

    /// Renews, and ends the older lives of the same shard.
    pub(crate) fn attend(&mut self, by: Incarnation, shards: u16) {
        let older =
            |held: &Incarnation| held.node == by.node && held.shard == by.shard && held.life < by.life;
        for gone in self.held.keys().copied().filter(older).collect::<Vec<_>>() {
            self.held.remove(&gone);
            self.ending.insert(gone, self.observed);
        }
        self.held.insert(by, Lease { until: None, shards });
        self.ending.remove(&by);
    }

    /// A lease without stewardship for whoever has none.
    pub(crate) fn begin(&mut self, by: Incarnation) {
        self.held.entry(by).or_insert(Lease { until: None, shards: 0 });
        self.ending.remove(&by);
    }

    /// Whose presence somebody was to purge, and has not for half a term.
    pub(crate) fn left_behind(&self, term: Duration) -> Vec<Incarnation> {
        let old = self.observed.saturating_sub(nanos(term) / 2);
        self.ending.iter().filter(|(_, ended)| **ended < old).map(|(id, _)| *id).collect()
    }

    pub(crate) fn encode(&self) -> String {
        let mut text = format!("{HEAD} {} {}\n", self.observed, self.at);
        for (id, lease) in &self.held {
            let until = lease.until.map_or("now".to_owned(), |until| until.to_string());
            writeln!(text, "held {} {} {until}", token_of(*id), lease.shards).ok();
        }
        for (id, ended) in &self.ending {
            writeln!(text, "ending {} {ended}", token_of(*id)).ok();
        }
        text
    }

    pub(crate) fn decode(text: &str) -> Option<Document> {
        let mut lines = text.lines();
        let (observed, at) = lines.next()?.strip_prefix(HEAD)?.trim().split_once(' ')?;
        let mut document =
            Document { observed: observed.parse().ok()?, at: at.parse().ok()?, ..Document::default() };
        for line in lines {
            let words: Vec<&str> = line.split(' ').collect();
            match words[..] {
                ["held", id, shards, until] => {
                    let until = if until == "now" { None } else { Some(until.parse().ok()?) };
                    let lease = Lease { until, shards: shards.parse().ok()? };
                    document.held.insert(incarnation_of(id)?, lease);
                }
                ["ending", id, ended] => {
                    document.ending.insert(incarnation_of(id)?, ended.parse().ok()?);
                }
                _ => return None,
            }
        }
        Some(document)
    }
}

fn nanos(span: Duration) -> u64 {
    u64::try_from(span.as_nanos()).unwrap_or(u64::MAX / 4)
}

/// The newest document that this node has seen.
#[derive(Default)]
pub(crate) struct Living {
    pub(crate) document: Document,
    pub(crate) sequence: u64,
    stewards: Vec<Option<Incarnation>>,
}

impl Living {
    /// Answers whose leases have ended since the last one.
    pub(crate) fn replace(&mut self, sequence: u64, document: Document) -> Vec<Incarnation> {
        let members = |document: &Document| {
            document.held.iter().map(|(id, lease)| (*id, lease.shards)).collect::<Vec<_>>()
        };
        let (before, after) = (members(&self.document), members(&document));
        let gone = before.iter().map(|(id, _)| *id).filter(|id| !document.held.contains_key(id)).collect();
        if before != after || self.stewards.is_empty() {
            let of = |slice| steward(after.iter().copied(), Slice(slice));
            self.stewards = (0..SLICES).map(of).collect();
        }
        self.document = document;
        self.sequence = sequence;
        gone
    }

    pub(crate) fn knows(&self, id: Incarnation) -> bool {
        self.document.held.contains_key(&id)
    }

    pub(crate) fn slices(&self, is_whose: impl Fn(Incarnation) -> bool) -> Vec<Slice> {
        let held = |slice: &u16| self.steward(Slice(*slice)).is_some_and(&is_whose);
        (0..SLICES).filter(held).map(Slice).collect()
    }

    pub(crate) fn steward(&self, slice: Slice) -> Option<Incarnation> {
        self.stewards.get(usize::from(slice.0)).copied().flatten()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::ShardId;

    const TERM: Duration = Duration::from_secs(8);
    const SECOND: u64 = 1_000_000_000;

    fn id(node: u64, life: u32) -> Incarnation {
        Incarnation { node, shard: ShardId(0), life }
    }

    /// Stored each second from the 100th on.
    fn after(mut document: Document, from: u64, seconds: u64) -> Document {
        for second in from..from + seconds {
            document = document.next((100 + second) * SECOND, TERM);
        }
        document
    }

    #[test]
    fn a_lease_ends_a_term_after_it_was_renewed() {
        let mut first = Document::default().next(100 * SECOND, TERM);
        first.attend(id(1, 1), 1);
        assert!(after(first.clone(), 1, 8).held.contains_key(&id(1, 1)));
        let ended = after(first, 1, 9);
        assert!(ended.held.is_empty());
        assert_eq!(ended.ending.keys().copied().collect::<Vec<_>>(), [id(1, 1)]);
    }

    #[test]
    fn silence_of_whatever_length_counts_a_quarter_of_a_term() {
        let mut first = Document::default().next(100 * SECOND, TERM);
        first.attend(id(1, 1), 1);
        let mut document = first.next(101 * SECOND, TERM);
        for look in 1..4 {
            document = document.next((1000 + look * 1000) * SECOND, TERM);
            assert!(document.held.contains_key(&id(1, 1)), "{look}");
        }
        document = document.next(10_000 * SECOND, TERM);
        assert!(document.held.is_empty());
    }

    #[test]
    fn a_newer_life_ends_the_older_and_no_other() {
        let mut document = Document::default();
        for by in [id(1, 1), id(2, 1), id(1, 2)] {
            document.attend(by, 1);
        }
        assert_eq!(document.held.keys().copied().collect::<Vec<_>>(), [id(1, 2), id(2, 1)]);
        let mut living = Living::default();
        living.replace(1, document.clone());
        document.begin(id(3, 1));
        assert_eq!(living.replace(2, document.clone()), []);
        document.attend(id(1, 3), 1);
        assert_eq!(living.replace(3, document), [id(1, 2)]);
        assert!((0..SLICES).all(|slice| living.steward(Slice(slice)).is_some_and(|by| by.node != 3)));
    }

    #[test]
    fn a_document_reads_back() {
        let mut document = Document::default().next(5, TERM);
        document.attend(id(1, 1), 2);
        document = document.next(SECOND, TERM);
        document.begin(id(2, 9));
        document.ending.insert(id(3, 1), 7);
        assert_eq!(Document::decode(&document.encode()), Some(document));
        assert_eq!(Document::decode("something else"), None);
    }
}
