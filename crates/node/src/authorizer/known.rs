//! What was answered of late: bounded, and for a while each. It asks nobody; time is an argument.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use vocabulary::{Ruling, UserId};

pub(crate) struct Known {
    entries_max: usize,
    entries: HashMap<Arc<str>, Entry>,
    /// By when they end.
    ends: BTreeMap<(Instant, u64), Arc<str>>,
    serial: u64,
}

struct Entry {
    ruling: Ruling,
    user: UserId,
    until: (Instant, u64),
}

impl Known {
    pub(crate) fn new(entries_max: usize) -> Known {
        Known { entries_max, entries: HashMap::new(), ends: BTreeMap::new(), serial: 0 }
    }

    pub(crate) fn find(&self, question: &str, now: Instant) -> Option<Ruling> {
        let entry = self.entries.get(question)?;
        (now < entry.until.0).then(|| entry.ruling.clone())
    }

    /// In the place of what is over, or else of what is over soonest.
    pub(crate) fn keep(
        &mut self,
        (question, user): (&Arc<str>, &UserId),
        ruling: &Ruling,
        now: Instant,
        span: Duration,
    ) {
        self.forget(question);
        if span.is_zero() || self.entries_max == 0 {
            return;
        }
        while self
            .ends
            .first_key_value()
            .is_some_and(|((until, _), _)| *until <= now || self.entries.len() >= self.entries_max)
        {
            if let Some((_, question)) = self.ends.pop_first() {
                self.entries.remove(&question);
            }
        }
        self.serial += 1;
        let until = (now + span, self.serial);
        self.ends.insert(until, question.clone());
        self.entries.insert(question.clone(), Entry { ruling: ruling.clone(), user: user.clone(), until });
    }

    fn forget(&mut self, question: &str) {
        if let Some(entry) = self.entries.remove(question) {
            self.ends.remove(&entry.until);
        }
    }

    /// All of this user's.
    pub(crate) fn forget_user(&mut self, user: &UserId) {
        let Known { entries, ends, .. } = self;
        entries.retain(|_, entry| {
            let stays = entry.user != *user;
            if !stays {
                ends.remove(&entry.until);
            }
            stays
        });
    }

    pub(crate) fn len(&self) -> usize {
        self.entries.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn keep(known: &mut Known, question: &str, user: &str, now: Instant, span: Duration) {
        known.keep((&question.into(), &UserId::new(user)), &Ruling::Allowed, now, span);
        assert_eq!(known.entries.len(), known.ends.len());
    }

    #[test]
    fn an_answer_is_known_for_its_time_and_a_newer_one_takes_its_place() {
        let (start, mut known) = (Instant::now(), Known::new(10));
        keep(&mut known, "a", "7", start, SECOND * 3);
        assert_eq!(known.find("a", start + SECOND * 2), Some(Ruling::Allowed));
        assert_eq!((known.find("a", start + SECOND * 3), known.find("b", start)), (None, None));
        keep(&mut known, "a", "7", start + SECOND, SECOND * 3);
        assert_eq!(known.find("a", start + SECOND * 3), Some(Ruling::Allowed));
        keep(&mut known, "a", "7", start + SECOND, Duration::ZERO);
        assert_eq!((known.find("a", start + SECOND), known.len()), (None, 0), "not even the older one");
    }

    #[test]
    fn no_more_are_known_than_may_be_and_those_that_end_soonest_go_first() {
        let (start, mut known) = (Instant::now(), Known::new(3));
        for (question, seconds) in [("a", 5), ("b", 1), ("c", 9), ("d", 7), ("e", 6)] {
            keep(&mut known, question, "7", start, SECOND * seconds);
        }
        let has = |known: &Known, question: &str| known.find(question, start).is_some();
        assert_eq!(["a", "b", "c", "d", "e"].map(|it| has(&known, it)), [false, false, true, true, true]);
        keep(&mut known, "f", "7", start + SECOND * 8, SECOND);
        assert_eq!(known.len(), 2, "what is over goes too");
    }

    #[test]
    fn a_users_answers_are_forgotten_together() {
        let (start, mut known) = (Instant::now(), Known::new(9));
        for (question, user) in [("a", "7"), ("b", "8"), ("c", "7")] {
            keep(&mut known, question, user, start, SECOND);
        }
        known.forget_user(&UserId::new("7"));
        assert_eq!(["a", "b", "c"].map(|it| known.find(it, start).is_some()), [false, true, false]);
        assert_eq!(known.ends.len(), 1);
    }
}
