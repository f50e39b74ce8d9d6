//! Soft values of a room: published at most once per key and window, the newest wins, each ends by itself.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use app::{SoftDraft, SoftValue};
use engine::SoftEntry;
use vocabulary::{Class, ConnectionId, Now, Payload, Tick, Wall};

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

/// News that is later than this is later than most values live.
const ENDS_REMEMBERED: Duration = Duration::from_secs(5);
/// Beyond this some are forgotten before their time: at worst a value is shown until it ends by itself.
const ENDS_MAX: usize = 1000;

#[derive(Debug, Default)]
pub(crate) struct Softs {
    values: BTreeMap<Arc<str>, SoftValue>,
    authors: BTreeMap<Arc<str>, ConnectionId>,
    ends: BTreeSet<(Tick, Arc<str>)>,
    /// Stamps of values that were ended, for a while: what is older than its end and comes after it is no news.
    ended: BTreeMap<Arc<str>, (Wall, Tick)>,
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
        let known = self.values.get(&entry.key).is_some_and(|held| held.at >= entry.at);
        let over = self.ended.get(&entry.key).is_some_and(|(at, until)| *at >= entry.at && *until > now.tick);
        if known || over {
            return None;
        }
        self.take(now, entry, None).map(|(_, change)| change)
    }

    fn remember_end(&mut self, now: Now, entry: &SoftEntry) {
        self.ended.retain(|_, (_, until)| *until > now.tick);
        if self.ended.len() >= ENDS_MAX {
            self.ended.pop_first();
        }
        self.ended.insert(entry.key.clone(), (entry.at, now.tick + ENDS_REMEMBERED));
    }

    fn take(
        &mut self,
        now: Now,
        entry: SoftEntry,
        author: Option<ConnectionId>,
    ) -> Option<(SoftEntry, Change)> {
        let old = self.values.get(&entry.key);
        if old.is_some_and(|old| old.at > entry.at) {
            return None;
        }
        let nothing = old.is_none() && entry.value.is_none();
        if entry.value.is_none() {
            self.remember_end(now, &entry);
        }
        if nothing {
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

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(value: Option<&'static str>, at: i64) -> SoftEntry {
        let value = value.map(|text| Payload::from_static(text.as_bytes()));
        SoftEntry {
            key: "typing/ana".into(),
            value,
            at: Wall(at),
            time_to_live: Duration::from_secs(30),
            class: Class::Signal,
        }
    }

    fn now(seconds: u64) -> Now {
        Now { tick: Tick(0) + Duration::from_secs(seconds), wall: Wall(0) }
    }

    #[test]
    fn a_value_that_comes_after_its_end_is_not_shown_again() {
        let mut softs = Softs::default();
        assert!(softs.hear(now(0), entry(Some("a"), 1)).is_some());
        assert!(softs.hear(now(1), entry(None, 3)).is_some());
        assert_eq!(softs.hear(now(1), entry(Some("b"), 2)), None, "older than the end");
        assert_eq!(softs.hear(now(1), entry(None, 3)), None, "the end again");
        assert!(softs.hear(now(2), entry(Some("c"), 4)).is_some(), "newer than the end");
    }

    #[test]
    fn an_end_that_comes_before_its_value_is_remembered() {
        let mut softs = Softs::default();
        assert_eq!(softs.hear(now(0), entry(None, 3)), None);
        assert_eq!(softs.hear(now(1), entry(Some("a"), 2)), None);
        assert!(softs.hear(now(6), entry(Some("a"), 2)).is_some(), "and not for ever");
    }
}
