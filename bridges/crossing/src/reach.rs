//! Whether a broker is within reach, and what it refuses: figures and words for the operator. It decides nothing but whether the broker
//! is worth asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use link::{Circuit, Condition, Figure, Waits};

use crate::chance;

pub struct Reach {
    broker: &'static str,
    at: String,
    failures: AtomicU64,
    /// Held for a look, and nothing waits under it.
    health: Mutex<Health>,
    /// What the broker refuses, and why, by its names in the configuration, so that it is bounded. Held for a look-up.
    amiss: Mutex<BTreeMap<String, String>>,
}

struct Health {
    circuit: Circuit,
    away: Option<String>,
}

impl Reach {
    /// A broker by its name, and where it is.
    pub fn new(broker: &'static str, at: &str) -> Reach {
        let circuit = Circuit::closed_and_seldom_asked(Instant::now());
        let health = Mutex::new(Health { circuit, away: None });
        Reach { broker, at: at.to_owned(), failures: AtomicU64::new(0), health, amiss: Mutex::default() }
    }

    pub fn figures(&self) -> [Figure; 3] {
        let figure = |name, help, value| Figure { name, help, value };
        [
            figure(
                "circuit_open",
                "1 while the broker is not asked, but for one probe at a time",
                self.health().away.is_some().into(),
            ),
            figure("refused", "What the broker refuses, or has not", self.amiss().len() as u64),
            figure(
                "failures_total",
                "Times that the broker did not answer, or refused",
                self.failures.load(Ordering::Relaxed),
            ),
        ]
    }

    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn succeeded(&self) {
        let mut health = self.health();
        health.circuit.succeeded(Instant::now());
        if health.away.take().is_some() {
            tracing::info!(at = self.at, "the bridge's {} is back", self.broker);
        }
    }

    pub fn failed(&self, why: &str) {
        self.stumbled();
        let mut health = self.health();
        health.circuit.failed(Instant::now(), chance());
        let is_open = health.circuit.is_open();
        if is_open && health.away.replace(format!("{}: {why}", self.at)).is_none() {
            tracing::warn!(at = self.at, why, "the bridge's {} is away", self.broker);
        }
    }

    /// Something failed that says nothing of whether the broker is there.
    pub fn stumbled(&self) {
        self.failures.fetch_add(1, Ordering::Relaxed);
    }

    /// Whether somebody may ask the broker now, and is to tell how it went.
    pub fn may_probe(&self) -> bool {
        matches!(self.health().circuit.ask(Instant::now()), Waits::No | Waits::Probe)
    }

    pub fn is_away(&self) -> bool {
        self.health().circuit.is_open()
    }

    fn amiss(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.amiss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The broker answers, and refuses something until somebody does something about it. It is said once.
    pub fn is_amiss(&self, what: &str, why: &str) {
        let mut amiss = self.amiss();
        if amiss.get(what).is_none_or(|known| known != why) {
            tracing::warn!("{what}: {why}");
            amiss.insert(what.to_owned(), why.to_owned());
        }
    }

    pub fn is_well(&self, what: &str) {
        if self.amiss().remove(what).is_some() {
            tracing::info!("{what}: {} refuses it no more", self.broker);
        }
    }

    pub fn condition(&self) -> Condition {
        if let Some(why) = self.health().away.clone() {
            return Condition::Away { why };
        }
        let amiss = self.amiss();
        if amiss.is_empty() {
            return Condition::Serving;
        }
        let why: Vec<String> = amiss.iter().map(|(what, why)| format!("{what}: {why}")).collect();
        Condition::Partly { why: why.join("; ") }
    }
}

pub fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

pub fn set(count: &AtomicU64, value: usize) {
    count.store(value as u64, Ordering::Relaxed);
}
