//! Soft values of a room: published at most once per key and window, the newest wins, each ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use app::{SoftDraft, SoftValue};
use engine::SoftEntry;
use vocabulary::{Class, ConnectionId, Now, Payload, Tick};

/// A change that members of this node are to be shown.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Change {
    pub key: Arc<str>,
    pub value: Option<Payload>,
    pub before: Option<Payload>,
    pub class: Class,
    pub author: Option<ConnectionId>,
}

#[derive(Debug)]
struct Held {
    entry: SoftEntry,
    author: Option<ConnectionId>,
}

#[derive(Debug, Default)]
pub(crate) struct Softs {
    values: BTreeMap<Arc<str>, SoftValue>,
    authors: BTreeMap<Arc<str>, ConnectionId>,
    ends: BTreeSet<(Tick, Arc<str>)>,
    /// Keys that were published and may not be again before their window ends, with the newest value that waits.
    windows: BTreeMap<Arc<str>, (Tick, Option<Held>)>,
}

impl Softs {
    pub(crate) fn values(&self) -> &BTreeMap<Arc<str>, SoftValue> {
        &self.values
    }

    /// A value of our own: published now, or when the key's window ends.
    pub(crate) fn propose(
        &mut self,
        now: Now,
        draft: SoftDraft,
        author: Option<ConnectionId>,
        window: Duration,
        softs_max: usize,
    ) -> Option<(SoftEntry, Change)> {
        let SoftDraft { key, value, time_to_live, class } = draft;
        let entry = SoftEntry { key, value, at: now.wall, time_to_live, class };
        if let Some((_, waiting)) = self.windows.get_mut(&entry.key) {
            *waiting = Some(Held { entry, author });
            return None;
        }
        if self.values.len() + self.windows.len() >= softs_max && !self.values.contains_key(&entry.key) {
            return None;
        }
        self.windows.insert(entry.key.clone(), (now.tick + window, None));
        self.take(now, entry, author)
    }

    /// Somebody else's value, from the engine.
    pub(crate) fn hear(&mut self, now: Now, entry: SoftEntry) -> Option<Change> {
        // What this node published comes back with its own stamp, and is no news.
        if self.values.get(&entry.key).is_some_and(|held| held.at >= entry.at) {
            return None;
        }
        self.take(now, entry, None).map(|(_, change)| change)
    }

    fn take(
        &mut self,
        now: Now,
        entry: SoftEntry,
        author: Option<ConnectionId>,
    ) -> Option<(SoftEntry, Change)> {
        let old = self.values.get(&entry.key);
        if old.is_some_and(|old| old.at > entry.at) || (old.is_none() && entry.value.is_none()) {
            return None;
        }
        let before = self.remove(&entry.key);
        if let Some(value) = &entry.value {
            let ends = now.tick + entry.time_to_live;
            let soft = SoftValue { value: value.clone(), at: entry.at, class: entry.class, ends };
            self.values.insert(entry.key.clone(), soft);
            self.ends.insert((ends, entry.key.clone()));
            if let Some(author) = author {
                self.authors.insert(entry.key.clone(), author);
            }
        }
        let (value, class) = (entry.value.clone(), entry.class);
        let change = Change { key: entry.key.clone(), value, before, class, author };
        Some((entry, change))
    }

    fn remove(&mut self, key: &Arc<str>) -> Option<Payload> {
        let old = self.values.remove(key)?;
        self.ends.remove(&(old.ends, key.clone()));
        self.authors.remove(key);
        Some(old.value)
    }

    /// Publishes what waited for its window, and ends what has lived its time.
    pub(crate) fn tick(&mut self, now: Now, window: Duration) -> (Vec<SoftEntry>, Vec<Change>) {
        let (mut publish, mut changes) = (Vec::new(), Vec::new());
        let open: Vec<_> = self
            .windows
            .iter()
            .filter(|(_, (until, _))| *until <= now.tick)
            .map(|(key, _)| key.clone())
            .collect();
        for key in open {
            let Some((_, Some(held))) = self.windows.remove(&key) else { continue };
            self.windows.insert(key, (now.tick + window, None));
            if let Some((entry, change)) = self.take(now, held.entry, held.author) {
                publish.push(entry);
                changes.push(change);
            }
        }
        while let Some((ends, key)) = self.ends.first().cloned()
            && ends <= now.tick
        {
            let author = self.authors.get(&key).copied();
            let class = self.values.get(&key).map_or(Class::Signal, |soft| soft.class);
            let before = self.remove(&key);
            changes.push(Change { key, value: None, before, class, author });
        }
        (publish, changes)
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.values.is_empty() && self.windows.is_empty()
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        let ends = self.ends.first().map(|(ends, _)| *ends);
        let windows = self.windows.values().map(|(until, _)| *until).min();
        ends.into_iter().chain(windows).min()
    }
}
