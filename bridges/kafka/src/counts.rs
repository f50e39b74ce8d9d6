//! What the bridge counts, read by whoever asks for figures, and its condition in words. It decides nothing but whether the broker is
//! worth asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossing::chance;
use link::{Circuit, Condition, Figure, Waits};
use node::Series;

use crate::ledger::Part;

/// Partitions whose lag is told each by itself; the sum is of all.
const LAGS_MAX: usize = 256;

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)+
            /// Held for a look, and nothing waits under it.
            health: Mutex<Health>,
            /// How many records of each partition are not done; held for a copy.
            lags: Mutex<BTreeMap<Part, u64>>,
            /// What the brokers refuse, and why: topics of the configuration and the group, so that it is bounded. Held for a look-up.
            amiss: Mutex<BTreeMap<String, String>>,
        }

        impl Counts {
            pub(crate) fn new(brokers: &str) -> Counts {
                let circuit = Circuit::closed_and_seldom_asked(Instant::now());
                let health = Health { brokers: brokers.to_owned(), circuit, away: None };
                let (lags, amiss) = (Mutex::default(), Mutex::default());
                Counts { $($name: AtomicU64::new(0),)+ health: Mutex::new(health), lags, amiss }
            }

            pub(crate) fn figures(&self) -> Vec<Figure> {
                vec![$(Figure {
                    name: stringify!($name),
                    help: $help,
                    value: self.$name.load(Ordering::Relaxed),
                },)+]
            }
        }
    };
}

figures! {
    circuit_open: "1 while the brokers are not asked, but for one probe at a time",
    refused: "Topics and groups that the brokers refuse, or that are not there",
    partitions: "Partitions that this node reads",
    partitions_paused: "Partitions that are not read on, because what was read of them waits",
    lag: "Records in the topics that are not done, of the partitions that this node reads",
    waiting: "Records that were read and are not done",
    read_total: "Records read",
    taken_in_total: "Records that their rooms took, or had taken before",
    own_skipped_total: "Records skipped because this deployment produced them",
    ignored_total: "Records that no room keeps",
    stale_total: "Soft records that came too late, or that their room did not take",
    retried_total: "Times that a room was asked once more",
    dead_letters_total: "Records that were not understood, or that their rooms refused",
    dead_letters_unkept_total: "Dead letters that their topic did not take",
    panics_total: "Records on which this bridge panicked",
    commits_total: "Times that it was committed how far this node has come",
    commits_failed_total: "Times that this failed",
    rebalances_total: "Times that partitions were given to this node or taken from it",
    started_at_end_total: "Partitions that were begun at their end, because nothing was committed for them",
    failures_total: "Times that the brokers did not answer, or refused",
    produced_total: "Records produced for what was said in rooms",
    produced_again_total: "Times that producing one had to be tried again",
    left_out_total: "Messages that the brokers do not take for what they are, and that were left out",
    producers_renewed_total: "Times that the producer had to be made anew",
    unmapped_total: "Messages that were to be produced and have no place in the sink's topic",
}

struct Health {
    brokers: String,
    circuit: Circuit,
    away: Option<String>,
}

impl Counts {
    fn health(&self) -> MutexGuard<'_, Health> {
        self.health.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn succeeded(&self) {
        let mut health = self.health();
        health.circuit.succeeded(Instant::now());
        if health.away.take().is_some() {
            set(&self.circuit_open, 0);
            tracing::info!(brokers = health.brokers, "the bridge's Kafka is back");
        }
    }

    pub(crate) fn failed(&self, why: &str) {
        add(&self.failures_total, 1);
        let mut health = self.health();
        health.circuit.failed(Instant::now(), chance());
        if health.circuit.is_open() {
            let says = format!("{}: {why}", health.brokers);
            if health.away.replace(says).is_none() {
                set(&self.circuit_open, 1);
                tracing::warn!(brokers = health.brokers, why, "the bridge's Kafka is away");
            }
        }
    }

    /// Whether somebody may ask the brokers now, and is to tell how it went.
    pub(crate) fn may_probe(&self) -> bool {
        matches!(self.health().circuit.ask(Instant::now()), Waits::No | Waits::Probe)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.health().circuit.is_open()
    }

    fn amiss(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.amiss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The brokers answer, and refuse something until somebody does something about it. It is said once.
    pub(crate) fn is_amiss(&self, what: &str, why: &str) {
        let mut amiss = self.amiss();
        if amiss.get(what).is_none_or(|known| known != why) {
            tracing::warn!("{what}: {why}");
            amiss.insert(what.to_owned(), why.to_owned());
        }
        set(&self.refused, amiss.len());
    }

    pub(crate) fn is_well(&self, what: &str) {
        let mut amiss = self.amiss();
        if amiss.remove(what).is_some() {
            tracing::info!("{what}: the brokers refuse it no more");
            set(&self.refused, amiss.len());
        }
    }

    pub(crate) fn condition(&self) -> Condition {
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

    pub(crate) fn lags_are(&self, lags: BTreeMap<Part, u64>) {
        set(&self.lag, lags.values().map(|lag| *lag as usize).sum());
        *self.lags.lock().unwrap_or_else(PoisonError::into_inner) = lags;
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        let lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        let row = |((topic, partition), lag): (&Part, &u64)| {
            (vec![("topic", topic.to_string()), ("partition", partition.to_string())], *lag)
        };
        let help = "Records of a partition that are not done";
        vec![Series { name: "partition_lag", help, rows: lags.iter().take(LAGS_MAX).map(row).collect() }]
    }
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

pub(crate) fn set(count: &AtomicU64, value: usize) {
    count.store(value as u64, Ordering::Relaxed);
}
