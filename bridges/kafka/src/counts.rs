//! What the bridge counts, read by whoever asks for figures. It decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crossing::{Reach, set};
use link::Figure;
use node::Series;

use crate::ledger::Part;

/// Partitions whose lag is told each by itself; the sum is of all.
const LAGS_MAX: usize = 256;

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        pub(crate) struct Counts {
            $(pub(crate) $name: AtomicU64,)+
            pub(crate) reach: Reach,
            /// How many records of each partition are not done; held for a copy.
            lags: Mutex<BTreeMap<Part, u64>>,
        }

        impl Counts {
            pub(crate) fn new(brokers: &str) -> Counts {
                let (reach, lags) = (Reach::new("Kafka", brokers), Mutex::default());
                Counts { $($name: AtomicU64::new(0),)+ reach, lags }
            }

            pub(crate) fn figures(&self) -> Vec<Figure> {
                let own = [$(Figure {
                    name: stringify!($name),
                    help: $help,
                    value: self.$name.load(Ordering::Relaxed),
                },)+];
                self.reach.figures().into_iter().chain(own).collect()
            }
        }
    };
}

figures! {
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
    produced_total: "Records produced for what was said in rooms",
    produced_again_total: "Times that producing one had to be tried again",
    left_out_total: "Messages that the brokers do not take for what they are, and that were left out",
    producers_renewed_total: "Times that the producer had to be made anew",
    unmapped_total: "Messages that were to be produced and have no place in the sink's topic",
}

impl Counts {
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
