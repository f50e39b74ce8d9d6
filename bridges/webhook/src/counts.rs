//! What is counted of each webhook, read by whoever asks for figures. It decides nothing.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use crossing::Reach;
use link::{Condition, Figure};
use node::Series;

macro_rules! figures {
    ($($name:ident: $help:literal,)+) => {
        /// Of one webhook.
        pub(crate) struct Counts {
            pub(crate) name: String,
            $(pub(crate) $name: AtomicU64,)+
            pub(crate) reach: Reach,
        }

        impl Counts {
            pub(crate) fn new(name: &str) -> Counts {
                let reach = Reach::new("webhook", name);
                Counts { name: name.to_owned(), $($name: AtomicU64::new(0),)+ reach }
            }

            fn own(&self) -> Vec<(&'static str, &'static str, u64)> {
                let of_reach = self.reach.figures().map(|Figure { name, help, value }| (name, help, value));
                let own = [$((stringify!($name), $help, self.$name.load(Ordering::Relaxed)),)+];
                of_reach.into_iter().chain(own).collect()
            }
        }
    };
}

figures! {
    waiting: "Rooms that have something for the receiver and wait for their turn",
    failing: "Rooms whose next call failed and is made again",
    lag_seconds: "Age of the oldest event that a receiver did not take and that is sent again",
    calls_total: "Calls that were answered with success",
    delivered_total: "Events in them",
    again_total: "Times that a call was made once more",
    dead_letters_total: "Events that the receiver refused, or failed to take for too long",
    missed_total: "Records that were no longer kept when their turn came",
    happened_total: "Things that happened to connections and were stored to be told",
    dropped_total: "Things that happened to connections and found no place, or were not stored",
    panics_total: "Rooms on which this bridge panicked",
}

/// Each figure of all of them together.
pub(crate) fn figures(all: &[Arc<Counts>]) -> Vec<Figure> {
    let mut sums: Vec<Figure> = Vec::new();
    for (index, (name, help, value)) in all.iter().flat_map(|counts| counts.own().into_iter().enumerate()) {
        match sums.get_mut(index) {
            // The oldest of all is the oldest.
            Some(sum) if name == "lag_seconds" => sum.value = sum.value.max(value),
            Some(sum) => sum.value += value,
            None => sums.push(Figure { name, help, value }),
        }
    }
    sums
}

/// Those by which one is told from another: how many there are, the configuration bounds.
pub(crate) fn series(all: &[Arc<Counts>]) -> Vec<Series> {
    type Of = fn(&Counts) -> u64;
    let of = |name, help, value: Of| {
        let row = |counts: &Arc<Counts>| (vec![("webhook", counts.name.clone())], value(counts));
        Series { name, help, rows: all.iter().map(row).collect() }
    };
    vec![
        of("hook_circuit_open", "1 while the receiver is not asked, but for a probe", |it| {
            it.reach.is_away().into()
        }),
        of("hook_lag_seconds", "Age of the oldest event that it did not take", |it| {
            it.lag_seconds.load(Ordering::Relaxed)
        }),
        of("hook_delivered_total", "Events that it took", |it| it.delivered_total.load(Ordering::Relaxed)),
        of("hook_dead_letters_total", "Events that it refused", |it| {
            it.dead_letters_total.load(Ordering::Relaxed)
        }),
    ]
}

/// One that is away keeps nothing but its own waiting.
pub(crate) fn condition(all: &[Arc<Counts>]) -> Condition {
    let why = |counts: &Arc<Counts>| match counts.reach.condition() {
        Condition::Serving => None,
        Condition::Partly { why } | Condition::Away { why } => Some(why),
    };
    let all: Vec<String> = all.iter().filter_map(why).collect();
    if all.is_empty() { Condition::Serving } else { Condition::Partly { why: all.join("; ") } }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_sums_but_for_the_oldest() {
        let of = |name: &str, delivered, lag| {
            let counts = Counts::new(name);
            counts.delivered_total.store(delivered, Ordering::Relaxed);
            counts.lag_seconds.store(lag, Ordering::Relaxed);
            Arc::new(counts)
        };
        let all = [of("a", 3, 7), of("b", 4, 5)];
        let figures = figures(&all);
        let value = |name| figures.iter().find(|it| it.name == name).map(|it| it.value);
        assert_eq!((value("delivered_total"), value("lag_seconds")), (Some(7), Some(7)));
        let rows = &series(&all)[2].rows;
        assert_eq!(rows[1], (vec![("webhook", "b".to_owned())], 4));
    }

    #[test]
    fn one_that_is_away_is_named_and_the_others_serve() {
        let all = [Arc::new(Counts::new("a")), Arc::new(Counts::new("b"))];
        assert!(matches!(condition(&all), Condition::Serving));
        (0..5).for_each(|_| all[1].reach.failed("answered 500"));
        assert!(matches!(condition(&all), Condition::Partly { why } if why == "b: answered 500"));
    }
}
