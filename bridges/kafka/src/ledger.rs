//! Which records of which partition are done: what may be committed, and what must not be asked for any more because the partition
//! is another node's. It knows no broker and no room.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Records of one partition from the oldest that is not done to the newest that was read: what a restart reads again at most.
/// Beyond it the partition waits, because one room takes nothing.
pub(crate) const SPAN_MAX: i64 = 10_000;

/// A partition of a topic.
pub(crate) type Part = (Arc<str>, i32);

/// Written by the thread that reads and by the one that asks rooms; held for a look-up.
#[derive(Default)]
pub(crate) struct Ledger {
    parts: Mutex<Parts>,
    /// Something is done.
    done: Condvar,
}

#[derive(Default)]
struct Parts {
    all: BTreeMap<Part, Page>,
    /// How often partitions were given to this node.
    turns: u64,
}

#[derive(Debug, Default)]
struct Page {
    turn: u64,
    /// Read and not done.
    open: BTreeSet<i64>,
    /// Of these, those that somebody is at work on.
    begun: BTreeSet<i64>,
    /// Behind the newest that was read.
    next: Option<i64>,
    committed: Option<i64>,
    /// It is about to be another node's: nothing more is begun.
    ends: bool,
}

impl Page {
    /// Where somebody who knows nothing else goes on.
    fn mark(&self) -> Option<i64> {
        self.open.first().copied().or(self.next)
    }
}

/// For one record that was read. Without `done` it is read again, by whoever has the partition then.
#[derive(Clone)]
pub(crate) struct Receipt {
    ledger: Arc<Ledger>,
    pub(crate) part: Part,
    pub(crate) offset: i64,
    turn: u64,
}

impl Ledger {
    fn parts(&self) -> MutexGuard<'_, Parts> {
        self.parts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The partition is this node's from now on.
    pub(crate) fn open(&self, part: Part) {
        let mut parts = self.parts();
        parts.turns += 1;
        let turn = parts.turns;
        parts.all.insert(part, Page { turn, ..Page::default() });
    }

    /// A record was read. None: the partition is not this node's.
    pub(crate) fn take(self: &Arc<Self>, part: &Part, offset: i64) -> Option<Receipt> {
        let mut parts = self.parts();
        let page = parts.all.get_mut(part)?;
        page.open.insert(offset);
        page.next = page.next.max(Some(offset + 1));
        Some(Receipt { ledger: self.clone(), part: part.clone(), offset, turn: page.turn })
    }

    /// Whether so much of the partition is done behind what is not, that no more of it should be read.
    pub(crate) fn is_long(&self, part: &Part) -> bool {
        let span = |page: &Page| page.next.zip(page.open.first()).map(|(next, first)| next - first);
        self.parts().all.get(part).and_then(span).is_some_and(|span| span >= SPAN_MAX)
    }

    /// Where each partition stands whose place has changed; to be committed.
    pub(crate) fn news(&self) -> Vec<(Part, i64)> {
        let mut parts = self.parts();
        let news = parts.all.iter_mut().filter_map(|(part, page)| {
            let mark = page.mark().filter(|mark| page.committed != Some(*mark))?;
            page.committed = Some(mark);
            Some((part.clone(), mark))
        });
        news.collect()
    }

    /// The commit came to nothing.
    pub(crate) fn is_not_committed(&self, part: &Part) {
        if let Some(page) = self.parts().all.get_mut(part) {
            page.committed = None;
        }
    }

    /// Where the next node would go on.
    pub(crate) fn mark(&self, part: &Part) -> Option<i64> {
        self.parts().all.get(part).and_then(Page::mark)
    }

    pub(crate) fn count(&self) -> usize {
        self.parts().all.len()
    }

    /// These partitions are another node's soon: what was begun is waited for, nothing more is, and where they stand then is
    /// what it goes on from.
    pub(crate) fn close(&self, those: &[Part], within: Duration) -> Vec<(Part, i64)> {
        let until = Instant::now() + within;
        let mut parts = self.parts();
        for part in those {
            if let Some(page) = parts.all.get_mut(part) {
                page.ends = true;
            }
        }
        let is_busy = |parts: &Parts| {
            those.iter().any(|part| parts.all.get(part).is_some_and(|page| !page.begun.is_empty()))
        };
        while is_busy(&parts) {
            let Some(left) = until.checked_duration_since(Instant::now()) else { break };
            parts = self.done.wait_timeout(parts, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        let marks = those.iter().filter_map(|part| {
            let page = parts.all.remove(part)?;
            let mark = page.mark().filter(|mark| page.committed != Some(*mark))?;
            Some((part.clone(), mark))
        });
        marks.collect()
    }

    pub(crate) fn all(&self) -> Vec<Part> {
        self.parts().all.keys().cloned().collect()
    }
}

impl Receipt {
    /// Whether the record is still this node's to ask for. Then it is begun, and waited for if the partition goes.
    pub(crate) fn begin(&self) -> bool {
        let mut parts = self.ledger.parts();
        let Some(page) = parts.all.get_mut(&self.part) else { return false };
        let is_ours = page.turn == self.turn && !page.ends;
        if is_ours {
            page.begun.insert(self.offset);
        }
        is_ours
    }

    /// It is not done, and nobody is at work on it.
    pub(crate) fn rest(&self) {
        self.settle(|page, offset| {
            page.begun.remove(&offset);
        });
    }

    pub(crate) fn done(&self) {
        self.settle(|page, offset| {
            page.begun.remove(&offset);
            page.open.remove(&offset);
        });
    }

    fn settle(&self, settles: impl FnOnce(&mut Page, i64)) {
        let mut parts = self.ledger.parts();
        if let Some(page) = parts.all.get_mut(&self.part).filter(|page| page.turn == self.turn) {
            settles(page, self.offset);
        }
        drop(parts);
        self.ledger.done.notify_all();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn part() -> Part {
        ("topic".into(), 3)
    }

    proptest! {
        /// In whatever order records are done, and with whatever holes between them.
        #[test]
        fn nothing_is_committed_before_it_is_done_and_everything_is_in_the_end(
            steps in proptest::collection::vec(1..5_i64, 1..60),
            order in proptest::collection::vec(any::<prop::sample::Index>(), 60),
        ) {
            let ledger = Arc::new(Ledger::default());
            ledger.open(part());
            let mut at = 7;
            let mut open = Vec::new();
            for step in steps {
                open.push(ledger.take(&part(), at).expect("it is ours"));
                at += step;
            }
            let last = open.last().map_or(0, |receipt| receipt.offset);
            for index in order {
                if open.is_empty() {
                    break;
                }
                open.remove(index.index(open.len())).done();
                let mark = ledger.mark(&part());
                let oldest = open.iter().map(|receipt| receipt.offset).min();
                prop_assert_eq!(mark, Some(oldest.unwrap_or(last + 1)));
            }
            open.drain(..).for_each(|receipt| receipt.done());
            prop_assert_eq!(ledger.news(), vec![(part(), last + 1)]);
            prop_assert_eq!(ledger.news(), vec![], "once");
            prop_assert!(!ledger.is_long(&part()));
        }
    }

    #[test]
    fn a_partition_that_one_record_holds_up_is_long_until_that_is_done() {
        let ledger = Arc::new(Ledger::default());
        ledger.open(part());
        let first = ledger.take(&part(), 0).expect("it is ours");
        for offset in 1..SPAN_MAX {
            ledger.take(&part(), offset).expect("it is ours").done();
        }
        assert!(ledger.is_long(&part()) && ledger.news() == [(part(), 0)]);
        first.done();
        assert!(!ledger.is_long(&part()) && ledger.news() == [(part(), SPAN_MAX)]);
    }

    #[test]
    fn what_was_read_before_the_partition_went_and_came_back_is_done_for_nobody() {
        let ledger = Arc::new(Ledger::default());
        ledger.open(part());
        let old = ledger.take(&part(), 5).expect("it is ours");
        assert!(old.begin());
        old.rest();
        assert_eq!(ledger.close(&[part()], Duration::ZERO), [(part(), 5)]);
        assert!(!old.begin() && ledger.take(&part(), 6).is_none());
        ledger.open(part());
        assert!(!old.begin());
        let new = ledger.take(&part(), 5).expect("it is ours");
        old.done();
        assert_eq!(ledger.mark(&part()), Some(5));
        new.done();
        assert_eq!(ledger.mark(&part()), Some(6));
    }

    #[test]
    fn what_was_begun_is_waited_for_when_the_partition_goes() {
        let ledger = Arc::new(Ledger::default());
        ledger.open(part());
        let (begun, waits) = (ledger.take(&part(), 5), ledger.take(&part(), 6));
        let (begun, waits) = begun.zip(waits).expect("they are ours");
        assert!(begun.begin());
        let ended = std::thread::scope(|scope| {
            let closes = scope.spawn(|| ledger.close(&[part()], Duration::from_secs(30)));
            while waits.begin() {
                waits.rest();
                std::thread::yield_now();
            }
            begun.done();
            closes.join().expect("it closes")
        });
        assert_eq!(ended, [(part(), 6)]);
    }
}
