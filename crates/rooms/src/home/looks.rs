//! When the engine was asked for everything about a room, and what was heard since: its answer tells of a moment between.

use std::collections::BTreeSet;

use engine::Present;
use vocabulary::{Incarnation, Tick, UserId};

use crate::limits::Limits;

/// Departures remembered while an answer is owed. What is forgotten comes back with the answer, and ends with the look
/// after it.
const DEPARTED_MAX: usize = 10_000;

#[derive(Debug)]
pub(super) struct Looks {
    last: Tick,
    waiting: Option<Waiting>,
    /// News were missed after the asking: the answer may be from before that.
    missed: bool,
    /// This shard has a new name since, and what it hears may have been said to the old one: until then it looks again
    /// from time to time.
    unsure_until: Tick,
}

/// An answer is owed.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Since the first asking that it may answer, whose ticket this is.
    pub(super) since: Tick,
    ticket: u64,
    /// Who left by an incarnation's word, and incarnations that ended, heard since then.
    departed: BTreeSet<(Incarnation, Option<UserId>)>,
}

impl Waiting {
    /// Whether it is no news that somebody left, or whose word it is ended.
    pub(super) fn has_left(&self, present: &Present) -> bool {
        let user = Some(present.person.id.clone());
        self.departed.contains(&(present.by, None)) || self.departed.contains(&(present.by, user))
    }
}

impl Looks {
    pub(super) fn new(now: Tick) -> Looks {
        Looks { last: now, waiting: None, missed: false, unsure_until: Tick::default() }
    }

    pub(super) fn asked(&mut self, now: Tick, ticket: u64) {
        self.last = now;
        self.waiting.get_or_insert_with(|| Waiting { since: now, ticket, departed: BTreeSet::new() });
    }

    /// None: it answers an asking from before, and is older than what was heard since.
    pub(super) fn answered(&mut self, ticket: u64) -> Option<Waiting> {
        self.waiting.take_if(|waiting| waiting.ticket <= ticket)
    }

    pub(super) fn is_waiting(&self) -> bool {
        self.waiting.is_some()
    }

    pub(super) fn renamed(&mut self, until: Tick) {
        self.unsure_until = until;
    }

    pub(super) fn missed(&mut self) {
        self.missed = true;
    }

    /// Whether news were missed that no answer made up for; once.
    pub(super) fn owes(&mut self) -> bool {
        !self.is_waiting() && std::mem::take(&mut self.missed)
    }

    pub(super) fn hear(&mut self, present: &Present) {
        let Some(waiting) = &mut self.waiting else { return };
        let entry = (present.by, Some(present.person.id.clone()));
        if present.count > 0 {
            waiting.departed.remove(&entry);
        } else if waiting.departed.len() < DEPARTED_MAX {
            waiting.departed.insert(entry);
        }
    }

    pub(super) fn ended(&mut self, incarnation: Incarnation) {
        if let Some(waiting) = &mut self.waiting {
            waiting.departed.insert((incarnation, None));
        }
    }

    /// When to ask, if nothing else happens.
    pub(super) fn next(&self, news_may_drop: bool, limits: &Limits) -> Option<Tick> {
        if self.waiting.is_some() {
            return Some(self.last + limits.ask_again);
        }
        (news_may_drop || self.last < self.unsure_until).then(|| self.last + limits.look_again)
    }
}
