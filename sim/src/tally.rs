//! What a run did, counted: faults by kind, steps, deliveries.

use std::collections::BTreeMap;
use std::time::Duration;

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tally {
    pub faults: BTreeMap<&'static str, u64>,
    pub steps: u64,
    pub turns: u64,
    /// Frames that clients read.
    pub heard: u64,
    pub records: u64,
    pub congested: u64,
    pub returned: u64,
    pub fell_behind: u64,
    pub epochs: u64,
    pub conflicts: u64,
    pub duplicates: u64,
    pub unconfirmed: u64,
    /// The most questions that waited for a place at the engine.
    pub unasked_max: u64,
    pub calls: u64,
    pub virtual_time: Duration,
}

impl Tally {
    pub fn fault(&mut self, kind: &'static str) {
        *self.faults.entry(kind).or_default() += 1;
    }

    pub fn add(&mut self, other: &Tally) {
        for (kind, count) in &other.faults {
            *self.faults.entry(kind).or_default() += count;
        }
        self.steps += other.steps;
        self.turns += other.turns;
        self.heard += other.heard;
        self.records += other.records;
        self.congested += other.congested;
        self.returned += other.returned;
        self.fell_behind += other.fell_behind;
        self.epochs += other.epochs;
        self.conflicts += other.conflicts;
        self.duplicates += other.duplicates;
        self.unconfirmed += other.unconfirmed;
        self.unasked_max = self.unasked_max.max(other.unasked_max);
        self.calls += other.calls;
        self.virtual_time += other.virtual_time;
    }
}
