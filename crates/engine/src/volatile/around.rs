//! What is around one room and not in its log: who follows it, who is present, what is soft.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Incarnation, Now, Person, Tick, UserId};

use crate::contract::{Present, SoftEntry};

struct SoftKept {
    entry: SoftEntry,
    ends: Tick,
}

#[derive(Default)]
pub(super) struct Around {
    pub(super) followers: BTreeSet<Incarnation>,
    present: BTreeMap<(UserId, Incarnation), Present>,
    soft: BTreeMap<Arc<str>, SoftKept>,
    /// The index of sweeps agrees with this.
    pub(super) swept: Option<Tick>,
}

impl Around {
    pub(super) fn is_empty(&self) -> bool {
        self.followers.is_empty() && self.present.is_empty() && self.soft.is_empty()
    }

    pub(super) fn end(&mut self, gone: Incarnation) {
        self.followers.remove(&gone);
        self.present.retain(|(_, by), _| *by != gone);
    }

    pub(super) fn present(&mut self, by: Incarnation, person: Person, count: u32) -> Present {
        let at = (person.id.clone(), by);
        let present = Present { by, person, count };
        if count == 0 {
            self.present.remove(&at);
        } else {
            self.present.insert(at, present.clone());
        }
        present
    }

    pub(super) fn all_present(&self) -> Vec<Present> {
        self.present.values().cloned().collect()
    }

    /// Each with what is left of its life.
    pub(super) fn all_soft(&mut self, now: Now) -> Vec<SoftEntry> {
        self.sweep(now.tick);
        let left =
            |kept: &SoftKept| SoftEntry { time_to_live: kept.ends.since(now.tick), ..kept.entry.clone() };
        self.soft.values().filter(|kept| kept.entry.value.is_some()).map(left).collect()
    }

    pub(super) fn sweep(&mut self, now: Tick) {
        self.soft.retain(|_, kept| kept.ends > now);
    }

    /// When the last of the soft values will have ended.
    pub(super) fn soft_ends(&self) -> Option<Tick> {
        self.soft.values().map(|kept| kept.ends).max()
    }

    /// Whether the entry is news: the newest stamp wins, and of two that are equal the end. An end is `remembered` for a
    /// while, so that an older value which comes after it is not taken for a new one.
    pub(super) fn soft(&mut self, now: Tick, entry: SoftEntry, remembered: Duration) -> bool {
        self.sweep(now);
        let stamp = |entry: &SoftEntry| (entry.at, entry.value.is_none());
        if self.soft.get(&entry.key).is_some_and(|kept| stamp(&kept.entry) > stamp(&entry)) {
            return false;
        }
        let lives = match entry.value {
            Some(_) => entry.time_to_live,
            None => entry.time_to_live.max(remembered),
        };
        self.soft.insert(entry.key.clone(), SoftKept { entry, ends: now + lives });
        true
    }
}
