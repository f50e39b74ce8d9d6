//! What the bridge counts, read by whoever asks for figures, and its condition in words. It decides nothing but whether the server is
//! worth asking.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Instant;

use crossing::chance;
use link::{Circuit, Condition, Figure, Waits};
use node::Series;

/// What of one source is not done, as its server says.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Lag {
    pub(crate) pending: u64,
    pub(crate) ack_pending: u64,
    pub(crate) redelivered: u64,
}

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)+
            /// Held for a look, and nothing waits under it.
            health: Mutex<Health>,
            /// By stream and durable; as many as the configuration has sources. Held for a copy.
            lags: Mutex<BTreeMap<(String, String), Lag>>,
            /// What the server refuses, and why: subjects and streams of the configuration, so that it is bounded. Held for a look-up.
            amiss: Mutex<BTreeMap<String, String>>,
        }

        impl Counts {
            pub(crate) fn new(servers: &str) -> Counts {
                let circuit = Circuit::closed_and_seldom_asked(Instant::now());
                let health = Health { servers: servers.to_owned(), circuit, away: None };
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
    circuit_open: "1 while the server is not asked, but for one probe at a time",
    refused: "Streams, consumers and subjects that the server refuses, or that are not there",
    sources: "Sources that this node reads",
    lag: "Messages in the streams that no node has been given, of all sources",
    ack_pending: "Messages that were given to a node and are not done, of all sources",
    redelivered: "Of these, those that were given before",
    waiting: "Messages that were read here and are not done",
    read_total: "Messages read",
    taken_in_total: "Messages that their rooms took, or had taken before",
    own_skipped_total: "Messages skipped because this deployment produced them",
    ignored_total: "Messages that no room keeps",
    stale_total: "Soft messages that came too late, or that their room did not take",
    retried_total: "Times that a room was asked once more",
    returned_total: "Messages given back to the server, to be given out once more",
    dead_letters_total: "Messages that were not understood, that their rooms refused, or that were given out too often",
    dead_letters_unkept_total: "Dead letters that their stream did not take",
    panics_total: "Messages on which this bridge panicked",
    gaps_total: "Times that a stream had dropped messages before they were given out",
    gone_total: "Messages that may have been among these",
    slow_total: "Times that messages of plain subjects came faster than they were taken, and some were dropped",
    dropped_total: "Messages of plain subjects for which there was no place here",
    failures_total: "Times that the server did not answer, or refused",
    reconnects_total: "Connections made anew",
    produced_total: "Messages stored in streams for what was said in rooms",
    produced_again_total: "Times that storing one had to be tried again",
    left_out_total: "Messages that the server does not take for what they are, and that were left out",
    unmapped_total: "Messages that were to be produced and have no subject there",
}

struct Health {
    servers: String,
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
            tracing::info!(servers = health.servers, "the bridge's NATS is back");
        }
    }

    pub(crate) fn failed(&self, why: &str) {
        add(&self.failures_total, 1);
        let mut health = self.health();
        health.circuit.failed(Instant::now(), chance());
        if health.circuit.is_open() {
            let says = format!("{}: {why}", health.servers);
            if health.away.replace(says).is_none() {
                set(&self.circuit_open, 1);
                tracing::warn!(servers = health.servers, why, "the bridge's NATS is away");
            }
        }
    }

    /// Whether somebody may ask the server now, and is to tell how it went.
    pub(crate) fn may_probe(&self) -> bool {
        matches!(self.health().circuit.ask(Instant::now()), Waits::No | Waits::Probe)
    }

    pub(crate) fn is_away(&self) -> bool {
        self.health().circuit.is_open()
    }

    fn amiss(&self) -> MutexGuard<'_, BTreeMap<String, String>> {
        self.amiss.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The server answers, and refuses something until somebody does something about it. It is said once.
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
            tracing::info!("{what}: the server refuses it no more");
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

    pub(crate) fn lag_is(&self, stream: &str, durable: &str, lag: Lag) {
        let mut lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        lags.insert((stream.to_owned(), durable.to_owned()), lag);
        let sum = |of: fn(&Lag) -> u64| lags.values().map(of).sum::<u64>() as usize;
        set(&self.lag, sum(|lag| lag.pending));
        set(&self.ack_pending, sum(|lag| lag.ack_pending));
        set(&self.redelivered, sum(|lag| lag.redelivered));
    }

    pub(crate) fn series(&self) -> Vec<Series> {
        let lags = self.lags.lock().unwrap_or_else(PoisonError::into_inner);
        let series = |name, help, of: fn(&Lag) -> u64| {
            let row = |((stream, durable), lag): (&(String, String), &Lag)| {
                (vec![("stream", stream.clone()), ("durable", durable.clone())], of(lag))
            };
            Series { name, help, rows: lags.iter().map(row).collect() }
        };
        vec![
            series("source_lag", "Messages of a source that no node has been given", |lag| lag.pending),
            series("source_ack_pending", "Messages of a source that are not done", |lag| lag.ack_pending),
            series("source_redelivered", "Of these, those that were given before", |lag| lag.redelivered),
        ]
    }
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

pub(crate) fn set(count: &AtomicU64, value: usize) {
    count.store(value as u64, Ordering::Relaxed);
}
