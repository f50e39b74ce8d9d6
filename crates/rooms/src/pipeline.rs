//! What waits to be appended. One append is in flight; the rest waits in order, and an answer lets it leave.

use std::collections::{BTreeMap, VecDeque};

use engine::Batch;
use vocabulary::{Ack, Act, Key, Record, StepId, Tick};

use crate::format::Written;
use crate::limits::Limits;

/// A command that was not decided yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub act: Act,
    pub key: Key,
    pub guarded: bool,
    /// The older record that it is about. It never changes, so it holds for every round.
    pub subject: Option<Box<Record>>,
    pub rounds: u32,
    pub since: Tick,
}

/// Who is to be told when the record of a key comes back from the log.
#[derive(Debug)]
pub(crate) enum Waiter {
    Ack(Ack),
    Saga(StepId, Option<vocabulary::Payload>),
}

impl Waiter {
    /// Whether it stands for the command itself, and not for one with the same key that came later.
    pub(crate) fn is_of(&self, act: &Act) -> bool {
        match self {
            Waiter::Ack(ack) => act.reply.as_ref() == Some(&ack.to),
            Waiter::Saga(step, _) => matches!(&act.caller, vocabulary::Caller::Step(own) if own == step),
        }
    }
}

#[derive(Debug)]
pub(crate) struct Flight {
    pub batch: Batch,
    /// The batch's records as they were before they became bytes, or nothing.
    pub written: Vec<Written>,
    /// A guarded command, to be decided again if it loses.
    pub guarded: Option<Pending>,
    pub since: Tick,
    pub asked: Tick,
}

#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    pub waiting: VecDeque<Pending>,
    waiting_bytes: usize,
    pub flight: Option<Flight>,
    /// Each with when it began to wait: whoever comes later to what is in flight already has a patience of its own, and
    /// keeps it when the flight is over and only what is read can say what became of it.
    waiters: BTreeMap<Key, Vec<(Tick, Waiter)>>,
    /// Nobody of them has waited for longer than since then.
    waited_since: Option<Tick>,
}

impl Pipeline {
    pub(crate) fn is_full(&self, limits: &Limits) -> bool {
        self.waiting.len() >= limits.waiting_max || self.waiting_bytes >= limits.waiting_bytes_max
    }

    pub(crate) fn is_idle(&self) -> bool {
        self.waiting.is_empty() && self.flight.is_none()
    }

    pub(crate) fn push(&mut self, pending: Pending) {
        self.waiting_bytes += pending.act.payload.len();
        self.waiting.push_back(pending);
    }

    pub(crate) fn push_front(&mut self, pending: Pending) {
        self.waiting_bytes += pending.act.payload.len();
        self.waiting.push_front(pending);
    }

    /// Duties that wait were read off an older state.
    pub(crate) fn drop_duties(&mut self) {
        let bytes = &mut self.waiting_bytes;
        self.waiting.retain(|pending| {
            let duty = matches!(pending.act.caller, vocabulary::Caller::Duty { .. });
            *bytes -= if duty { pending.act.payload.len() } else { 0 };
            !duty
        });
    }

    pub(crate) fn pop(&mut self) -> Option<Pending> {
        let pending = self.waiting.pop_front()?;
        self.waiting_bytes -= pending.act.payload.len();
        if self.waiting.is_empty() {
            self.waiting = VecDeque::new();
        }
        Some(pending)
    }

    /// The next command, if it is unguarded and not longer than this.
    pub(crate) fn pop_unguarded(&mut self, bytes_max: usize) -> Option<Pending> {
        let front = self.waiting.front()?;
        if front.guarded || front.act.payload.len() > bytes_max { None } else { self.pop() }
    }

    /// Whether a command of this key is on its way already.
    pub(crate) fn has(&self, key: &Key) -> bool {
        self.waiters.contains_key(key)
            || self.waiting.iter().any(|pending| pending.key == *key)
            || self.flies(key)
    }

    pub(crate) fn flies(&self, key: &Key) -> bool {
        self.flight
            .as_ref()
            .is_some_and(|flight| flight.batch.parcels.iter().any(|parcel| parcel.key == *key))
    }

    /// Keys that are waited for and not on their way.
    pub(crate) fn orphans(&self) -> Vec<Key> {
        let on_its_way =
            |key: &Key| self.flies(key) || self.waiting.iter().any(|pending| pending.key == *key);
        self.waiters.keys().filter(|key| !on_its_way(key)).cloned().collect()
    }

    pub(crate) fn wait(&mut self, key: Key, since: Tick, waiter: Waiter) {
        let first = self.waited_since.filter(|_| !self.waiters.is_empty());
        self.waited_since = Some(first.map_or(since, |first| first.min(since)));
        self.waiters.entry(key).or_insert_with(|| Vec::with_capacity(1)).push((since, waiter));
    }

    pub(crate) fn waited(&self) -> impl Iterator<Item = &Key> {
        self.waiters.keys()
    }

    /// All who wait for a key, to be told.
    pub(crate) fn take(&mut self, key: &Key) -> Vec<Waiter> {
        let waiters = self.waiters.remove(key).unwrap_or_default();
        waiters.into_iter().map(|(_, waiter)| waiter).collect()
    }

    /// Those who have waited too long. They learn `unknown`; what is in flight goes on.
    pub(crate) fn impatient(&mut self, now: Tick, limits: &Limits) -> Vec<Waiter> {
        let too_long = |began: Tick| began + limits.answer_within <= now;
        if !self.waited_since.is_some_and(too_long) {
            return Vec::new();
        }
        let mut impatient = Vec::new();
        self.waiters.retain(|_, waiters| {
            impatient.extend(waiters.extract_if(.., |(began, _)| too_long(*began)).map(|(_, waiter)| waiter));
            !waiters.is_empty()
        });
        self.waited_since = self.waiters.values().flatten().map(|(began, _)| *began).min();
        impatient
    }

    /// The command itself waits no more, if it still did; whoever else waits for its key goes on waiting.
    pub(crate) fn take_back(&mut self, key: &Key, act: &Act) -> bool {
        let Some(waiters) = self.waiters.get_mut(key) else { return false };
        let own = waiters.iter().position(|(_, waiter)| waiter.is_of(act));
        if let Some(own) = own {
            waiters.remove(own);
        }
        if waiters.is_empty() {
            self.waiters.remove(key);
        }
        own.is_some()
    }

    /// Commands that waited longer than their senders will: never sent, so surely not stored. They wait in the order in which
    /// they were said, but for a duty, which comes first whenever it was read off the state, and has no sender.
    pub(crate) fn expired(&mut self, now: Tick, limits: &Limits) -> Vec<Pending> {
        let mut expired = Vec::new();
        while let Some((at, since)) = self.oldest()
            && since + limits.answer_within <= now
            && let Some(pending) = self.waiting.remove(at)
        {
            self.waiting_bytes -= pending.act.payload.len();
            expired.push(pending);
        }
        expired
    }

    fn oldest(&self) -> Option<(usize, Tick)> {
        let is_said = |pending: &Pending| !matches!(pending.act.caller, vocabulary::Caller::Duty { .. });
        let at = self.waiting.iter().position(is_said)?;
        Some((at, self.waiting[at].since))
    }

    /// `asks`: the batch in flight is asked again when its time has come.
    pub(crate) fn next_deadline(&self, limits: &Limits, asks: bool) -> Option<Tick> {
        let flight = self.flight.as_ref();
        let again = flight.filter(|_| asks).map(|flight| flight.asked + limits.ask_again);
        let first = self.waited_since.filter(|_| !self.waiters.is_empty());
        let unknown = first.map(|since| since + limits.answer_within);
        let waiting = self.oldest().map(|(_, since)| since + limits.answer_within);
        [again, unknown, waiting].into_iter().flatten().min()
    }
}
