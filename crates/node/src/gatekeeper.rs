//! Changes of the gate while the node serves: one at a time, each told to every shard's thread.

use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, PoisonError};

use identity::{KeyRing, KeySet};

use crate::facts::Facts;
use crate::gate::Gate;
use crate::keeper::Rounds;
use crate::mail::Mailboxes;
use crate::origins::Origins;

struct Kept {
    gate: Gate,
    /// How often each set of keys was read before this.
    rounds: Vec<u64>,
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
        let rounds = vec![0; gate.keys.sets.len()];
        Gatekeeper { kept: Mutex::new(Kept { gate, rounds }), mailboxes, facts }
    }

    /// The keys in force, and the rounds of news that they come of.
    pub(crate) fn keys(&self) -> (KeyRing, Vec<u64>) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        (kept.gate.keys.clone(), kept.rounds.clone())
    }

    pub(crate) fn origins(&self, path: &str) -> Option<Origins> {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let mount = kept.gate.mounts.iter().find(|mount| mount.path.as_str() == path)?;
        Some(mount.origins.clone())
    }

    pub(crate) fn change(&self, change: impl FnOnce(&mut Gate)) {
        self.tell(&mut self.kept.lock().unwrap_or_else(PoisonError::into_inner), change);
    }

    fn tell(&self, kept: &mut Kept, change: impl FnOnce(&mut Gate)) {
        change(&mut kept.gate);
        self.facts.keys.store(kept.gate.keys.len() as u64, Ordering::Relaxed);
        let told: (Arc<Gate>, Rounds) = (Arc::new(kept.gate.clone()), kept.rounds.as_slice().into());
        self.mailboxes.tell_all(|control| control.gate = Some(told.clone()));
    }

    /// A set of keys was read once more. None: it could not be had, and the one that is here stays.
    pub(crate) fn news(&self, source: usize, round: u64, set: Option<KeySet>) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        kept.rounds[source] = round;
        self.tell(&mut kept, |gate| {
            if let Some(set) = set {
                gate.keys.sets[source] = Some(Arc::new(set));
            }
        });
    }
}
