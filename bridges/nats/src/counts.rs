//! What the bridge counts, read by whoever asks for figures. It decides nothing.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use crossing::{Reach, set};
use link::Figure;
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
            pub(crate) reach: Reach,
            /// By stream and durable; as many as the configuration has sources. Held for a copy.
            lags: Mutex<BTreeMap<(String, String), Lag>>,
        }

        impl Counts {
            pub(crate) fn new(servers: &str) -> Counts {
                let (reach, lags) = (Reach::new("NATS", servers), Mutex::default());
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
    reconnects_total: "Connections made anew",
    produced_total: "Messages stored in streams for what was said in rooms",
    produced_again_total: "Times that storing one had to be tried again",
    left_out_total: "Messages that the server does not take for what they are, and that were left out",
    unmapped_total: "Messages that were to be produced and have no subject there",
}

impl Counts {
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
