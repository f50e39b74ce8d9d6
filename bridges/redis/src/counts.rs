//! What the bridge counts, read by whoever asks for figures, and its condition in words. It decides nothing.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use link::{Condition, Figure};
use redis_wire::{Address, Tally};

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        #[derive(Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)+
            /// Why the server is not asked. Guards words alone, and nothing waits under it.
            away: Mutex<Option<String>>,
            /// Counted where messages leave the rooms.
            pub(crate) unplaced: OnceLock<Arc<AtomicU64>>,
        }

        impl Counts {
            fn own(&self) -> Vec<Figure> {
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
    connections: "Connections to the server that are open",
    listening: "1 while all channels are heard",
    holds_lease: "1 on the node that takes in what is published",
    commands_total: "Commands sent",
    failures_total: "Commands that failed or were not answered in time",
    resubscribed_total: "Times that channels were subscribed to",
    heard_total: "Messages heard",
    unheard_total: "Messages dropped because too many waited to be looked at",
    taken_in_total: "Messages that their rooms took, or had taken before",
    own_skipped_total: "Messages skipped because this deployment published them",
    ignored_total: "Messages that no room keeps: typing, presence and the like",
    retried_total: "Times that a room was asked once more",
    dead_letters_total: "Messages that were not understood, or that their rooms refused",
    dead_letters_unkept_total: "Dead letters that could not be put where they are kept",
    shelved: "Messages that wait in case the lease comes here",
    replayed_total: "Messages taken from there when the lease came here",
    replay_skipped_total: "Messages left there, because nothing tells them from others that say the same",
    leases_taken_total: "Times that the lease came here",
    sent_total: "Messages published on the relay channel",
    sent_unknown_total: "Messages of which nobody knows whether they were published",
    presence_written_total: "Users of whom it was written that they are here or gone",
    members_written_total: "Times that the members of a room were written",
    members_unwritten_total: "Times that they were not, until something else is said in the room",
}

impl Counts {
    pub(crate) fn figures(&self) -> Vec<Figure> {
        let mut figures = self.own();
        if let Some(unplaced) = self.unplaced.get() {
            figures.push(Figure {
                name: "unsent_total",
                help: "Messages not published because too many waited",
                value: unplaced.load(Ordering::Relaxed),
            });
        }
        figures
    }

    pub(crate) fn condition(&self) -> Condition {
        let away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        away.clone().map_or(Condition::Serving, |why| Condition::Away { why })
    }
}

impl Tally for Counts {
    fn sent(&self) {
        add(&self.commands_total, 1);
    }

    fn failed(&self) {
        add(&self.failures_total, 1);
    }

    fn connected(&self) {
        add(&self.connections, 1);
    }

    fn disconnected(&self, connections: usize) {
        self.connections.fetch_sub(connections as u64, Ordering::Relaxed);
    }

    fn is_away(&self, server: &Address, why: &str) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.replace(format!("{server}: {why}")).is_none() {
            set(&self.circuit_open, 1);
            tracing::warn!(%server, why, "the bridge's Redis is away");
        }
    }

    fn is_back(&self, server: &Address) {
        let mut away = self.away.lock().unwrap_or_else(PoisonError::into_inner);
        if away.take().is_some() {
            set(&self.circuit_open, 0);
            tracing::info!(%server, "the bridge's Redis is back");
        }
    }
}

pub(crate) fn add(count: &AtomicU64, more: usize) {
    count.fetch_add(more as u64, Ordering::Relaxed);
}

pub(crate) fn set(count: &AtomicU64, value: usize) {
    count.store(value as u64, Ordering::Relaxed);
}
