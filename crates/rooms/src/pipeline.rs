//! What waits to be appended. One append is in flight; the rest waits in order, and an answer lets it leave.

use std::collections::{BTreeMap, VecDeque};

use engine::Batch;
use vocabulary::{Ack, Act, Key, StepId, Tick};

use crate::format::Written;
use crate::limits::Limits;

/// A command that was not decided yet.
#[derive(Debug)]
pub(crate) struct Pending {
    pub act: Act,
    pub key: Key,
    pub guarded: bool,
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
    /// Its senders learned `unknown`; the asking goes on.
    pub told_unknown: bool,
}

#[derive(Debug, Default)]
pub(crate) struct Pipeline {
    pub waiting: VecDeque<Pending>,
    waiting_bytes: usize,
    pub flight: Option<Flight>,
    pub waiters: BTreeMap<Key, Vec<Waiter>>,
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
        self.waiting.retain(|pending| !matches!(pending.act.caller, vocabulary::Caller::Duty { .. }));
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

    pub(crate) fn wait(&mut self, key: Key, waiter: Waiter) {
        self.waiters.entry(key).or_insert_with(|| Vec::with_capacity(1)).push(waiter);
    }

    /// The command itself waits no more; whoever else waits for its key goes on waiting.
    pub(crate) fn take_back(&mut self, key: &Key, act: &Act) {
        let Some(waiters) = self.waiters.get_mut(key) else { return };
        if let Some(own) = waiters.iter().position(|waiter| waiter.is_of(act)) {
            waiters.remove(own);
        }
        if waiters.is_empty() {
            self.waiters.remove(key);
        }
    }

    /// Commands that waited longer than their senders will: never sent, so surely not stored.
    pub(crate) fn expired(&mut self, now: Tick, limits: &Limits) -> Vec<Pending> {
        let mut expired = Vec::new();
        while self.waiting.front().is_some_and(|pending| pending.since + limits.answer_within <= now) {
            expired.extend(self.pop());
        }
        expired
    }

    /// `asks`: the batch in flight is asked again when its time has come.
    pub(crate) fn next_deadline(&self, limits: &Limits, asks: bool) -> Option<Tick> {
        let flight = self.flight.as_ref();
        let again = flight.filter(|_| asks).map(|flight| flight.asked + limits.ask_again);
        let unknown =
            flight.filter(|flight| !flight.told_unknown).map(|flight| flight.since + limits.answer_within);
        let waiting = self.waiting.front().map(|pending| pending.since + limits.answer_within);
        [again, unknown, waiting].into_iter().flatten().min()
    }
}
