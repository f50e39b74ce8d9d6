//! Changes of the gate while the node serves: one at a time, each told to every shard's thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use crate::facts::Facts;
use crate::greeting::Gate;
use crate::mail::Mailboxes;

struct Kept {
    gate: Gate,
    /// How often the sets of keys were fetched before this.
    round: u64,
}

pub(crate) struct Gatekeeper {
    /// Held while a change is made and told, so that every shard hears of changes in one order.
    kept: Mutex<Kept>,
    mailboxes: Arc<Mailboxes>,
    facts: Arc<Facts>,
}

impl Gatekeeper {
    pub(crate) fn new(gate: Gate, mailboxes: Arc<Mailboxes>, facts: Arc<Facts>) -> Gatekeeper {
        facts.keys.store(gate.keys.len() as u64, Ordering::Relaxed);
        Gatekeeper { kept: Mutex::new(Kept { gate, round: 0 }), mailboxes, facts }
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Gate)) {
        self.tell(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner), change);
    }

    fn tell(&self, kept: &mut Kept, change: impl FnOnce(&mut Gate)) {
        change(&mut kept.gate);
        self.facts.keys.store(kept.gate.keys.len() as u64, Ordering::Relaxed);
        let (gate, round) = (Arc::new(kept.gate.clone()), kept.round);
        self.mailboxes.tell_all(|control| control.gate = Some((gate.clone(), round)));
    }

    /// The sets of keys were fetched once more.
    pub(crate) fn news(&self, round: u64, change: impl FnOnce(&mut Gate)) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.round = round;
        self.tell(&mut kept, change);
    }
}
