//! What the engine counts, read by whoever asks for figures, and its condition in words for the operator. It decides
//! nothing.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use link::{Condition, Figure};
use redis_wire::{Address, Tally};

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        #[derive(Default)]
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)+
            /// Why nothing can be stored, by who says so. Guards words alone, and nothing waits under it.
            away: Mutex<BTreeMap<String, String>>,
        }

        impl Counts {
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
    connections: "Connections to the server that are open",
    servers: "Servers that this node is connected to",
    circuits_open: "Servers that are not asked at present",
    channels: "Channels that this node wants to hear",
    channels_waiting: "Channels of these that it does not hear yet",
    commands_total: "Commands sent",
    failures_total: "Commands that failed or were not answered in time",
    redirects_total: "Commands that were sent on to another server of the cluster",
    scripts_sent_total: "Scripts that a server had not seen",
    appends_total: "Batches that were stored",
    refused_memory_total: "Writes refused for want of memory (OOM)",
    refused_read_only_total: "Writes refused by a replica (READONLY)",
    refused_replicas_total: "Writes refused for want of replicas (NOREPLICAS)",
    refused_disk_total: "Writes refused because the disk fails (MISCONF)",
    refused_away_total: "Batches refused while the server was away",
    unanswered_total: "Questions that got no answer",
    news_total: "News heard",
    news_unreadable_total: "News that could not be read",
    news_dropped_total: "News dropped because a shard's box was full",
    answers_dropped_total: "Answers dropped because a shard's box stayed full",
    resubscribed_total: "Times that channels were lost and subscribed to again",
    damaged_total: "Answers that would not be what was stored",
    remade_total: "Times that the deployment's record was gone and was made again",
    cleaned_total: "Ended leases that were cleaned up after",
}

impl Counts {
    pub(crate) fn condition(&self) -> Condition {
        let away = self.away.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        if away.is_empty() {
            return Condition::Serving;
        }
        let why: Vec<String> = away.iter().map(|(who, why)| format!("{who}: {why}")).collect();
        Condition::Away { why: why.join("; ") }
    }

    /// Whether that is news.
    pub(crate) fn is_away(&self, who: &str, why: &str) -> bool {
        let mut away = self.away.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_news = away.insert(who.to_owned(), why.to_owned()).is_none();
        if is_news {
            tracing::warn!(who, why, "Redis stores nothing");
        }
        is_news
    }

    /// Whether that is news.
    pub(crate) fn is_back(&self, who: &str) -> bool {
        let mut away = self.away.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let is_news = away.remove(who).is_some();
        if is_news {
            tracing::info!(who, "Redis stores again");
        }
        is_news
    }
}

impl Tally for Counts {
    fn sent(&self) {
        add(&self.commands_total);
    }

    fn failed(&self) {
        add(&self.failures_total);
    }

    fn connected(&self) {
        add(&self.connections);
    }

    fn disconnected(&self, connections: usize) {
        self.connections.fetch_sub(connections as u64, Ordering::Relaxed);
    }

    fn is_away(&self, server: &Address, why: &str) {
        if Counts::is_away(self, &server.to_string(), why) {
            add(&self.circuits_open);
        }
    }

    fn is_back(&self, server: &Address) {
        if Counts::is_back(self, &server.to_string()) {
            self.circuits_open.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

pub(crate) fn add(count: &AtomicU64) {
    count.fetch_add(1, Ordering::Relaxed);
}

pub(crate) fn set(count: &AtomicU64, value: usize) {
    count.store(value as u64, Ordering::Relaxed);
}
