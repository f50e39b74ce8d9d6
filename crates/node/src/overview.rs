//! The node at one look, for an operator's console, and an hour of it: a sample every ten seconds, so that a chart is there before anybody
//! looks and survives a reload. It reads figures that others keep, and judges none of them.

use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::Ordering;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use link::{Condition, Figure};
use serde_json::{Value, json};
use vocabulary::{RoomId, UserId, Wall};

use crate::away::Away;
use crate::facts::{Bridge, Facts, Series};
use crate::memory::resident_bytes;
use crate::trace::Happened;

/// Fine enough for a chart of an hour on any screen.
const SAMPLE_EVERY: Duration = Duration::from_secs(10);
/// An hour of them, and the one before, to which the first is compared: some 40 KiB.
const SAMPLES_MAX: usize = 361;
/// Rows of one bridge's series that are told: a topic of many partitions has as many, and `/metrics` has them all.
const ROWS_MAX: usize = 64;

/// How things stood, and what had been counted until then.
#[derive(Clone, Copy, Debug, Default)]
struct Sample {
    at: i64,
    connections: u64,
    users: u64,
    rooms: u64,
    stale: u64,
    resident_bytes: u64,
    counted: Counted,
}

/// What only grows.
#[derive(Clone, Copy, Debug, Default)]
struct Counted([u64; NAMES.len()]);

const NAMES: [&str; 11] = [
    "messages",
    "records",
    "deliveries",
    "connects",
    "disconnects",
    "bytes",
    "behind",
    "shed",
    "refused",
    "too_slow",
    "turned_away",
];

/// One shard's connections by the mount that they came by: as many rows as mounts. Held for a count.
#[derive(Default)]
pub(crate) struct ByMount(Mutex<BTreeMap<u8, u64>>);

impl ByMount {
    fn mounts(&self) -> MutexGuard<'_, BTreeMap<u8, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn came(&self, mount: u8) {
        *self.mounts().entry(mount).or_default() += 1;
    }

    pub(crate) fn went(&self, mount: u8) {
        if let Some(count) = self.mounts().get_mut(&mount) {
            *count = count.saturating_sub(1);
        }
    }
}

/// The last hour. Held for a copy.
pub(crate) struct Hour {
    samples: Mutex<VecDeque<Sample>>,
    /// When the node began.
    began: Wall,
}

impl Hour {
    pub(crate) fn since(began: Wall) -> Hour {
        Hour { samples: Mutex::default(), began }
    }

    fn samples(&self) -> MutexGuard<'_, VecDeque<Sample>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn take(&self, sample: Sample) {
        let mut samples = self.samples();
        if samples.len() >= SAMPLES_MAX {
            samples.pop_front();
        }
        samples.push_back(sample);
    }

    /// Column by column: what stood then, and of what is counted how much since the sample before.
    fn shown(&self) -> Value {
        let samples: Vec<Sample> = self.samples().iter().copied().collect();
        let pairs = || samples.iter().zip(samples.iter().skip(1));
        let column = |of: fn(&Sample) -> u64| pairs().map(|(_, now)| of(now)).collect::<Vec<u64>>();
        let mut told = json!({
            "every_ms": SAMPLE_EVERY.as_millis() as u64,
            "at": pairs().map(|(_, now)| now.at).collect::<Vec<i64>>(),
            "span_ms": pairs().map(|(then, now)| now.at.saturating_sub(then.at).max(1)).collect::<Vec<i64>>(),
            "connections": column(|it| it.connections),
            "users": column(|it| it.users),
            "rooms": column(|it| it.rooms),
            "stale": column(|it| it.stale),
            "resident_bytes": column(|it| it.resident_bytes),
        });
        for (index, name) in NAMES.into_iter().enumerate() {
            let grown = pairs().map(|(then, now)| now.counted.0[index].saturating_sub(then.counted.0[index]));
            told[name] = grown.collect::<Vec<u64>>().into();
        }
        told
    }
}

impl Facts {
    fn counted(&self) -> Counted {
        let (shards, rooms) = self.counts();
        let away = Away::ALL.iter().map(|why| self.turned_away(*why)).sum();
        Counted([
            shards.messages_heard,
            rooms.records_applied,
            shards.frames_sent,
            shards.opened,
            shards.closed,
            shards.bytes_written,
            shards.fell_behind,
            shards.shed + shards.signals_dropped + shards.announcements_dropped,
            shards.refused,
            shards.too_slow,
            away,
        ])
    }

    fn sample(&self) -> Sample {
        let health = self.health();
        Sample {
            at: Facts::now().0,
            connections: health.total.into(),
            users: health.users.into(),
            rooms: health.rooms.into(),
            stale: health.stale.into(),
            resident_bytes: resident_bytes().unwrap_or(0),
            counted: self.counted(),
        }
    }

    /// What happened to a user's places in a room, oldest first, and since when all of it is remembered.
    pub fn happened(&self, user: &UserId, room: &RoomId) -> (Vec<Happened>, Wall) {
        let (mut all, mut since) = (Vec::new(), self.hour.began);
        for shard in &self.shards {
            let (happened, forgot) = shard.trace.happened(user, room);
            all.extend(happened);
            since = since.max(forgot.unwrap_or_default());
        }
        all.sort_by_key(|it| it.at);
        (all, since)
    }

    /// The last hour.
    pub fn last_hour(&self) -> Value {
        self.hour.shown()
    }

    /// Connections by the index of the mount that they came by.
    pub fn by_mount(&self) -> BTreeMap<u8, u64> {
        let mut mounts = BTreeMap::new();
        for shard in &self.shards {
            for (mount, count) in &*shard.by_mount.mounts() {
                *mounts.entry(*mount).or_default() += count;
            }
        }
        mounts.retain(|_, count| *count > 0);
        mounts
    }

    /// How it stands now. What is counted is told as counters: whoever asks twice has the rates between.
    pub fn overview(&self) -> Value {
        let sample = self.sample();
        let shards: Vec<Value> = self.shards.iter().enumerate().map(|(index, shard)| {
            json!({
                "shard": index, "turns": shard.turns.load(Ordering::Relaxed),
                "connections": shard.connections.load(Ordering::Relaxed), "rooms": shard.rooms.load(Ordering::Relaxed),
            })
        }).collect();
        let counted: serde_json::Map<String, Value> = NAMES
            .into_iter()
            .zip(sample.counted.0)
            .map(|(name, value)| (name.to_owned(), value.into()))
            .collect();
        let health = self.health();
        json!({
            "at": sample.at,
            "ready": health.ready,
            "draining": health.draining,
            "trouble": self.broken().or_else(|| health.degraded()),
            "connections": sample.connections,
            "streams": self.streams(),
            "users": sample.users,
            "rooms": sample.rooms,
            "stale": sample.stale,
            "resident_bytes": sample.resident_bytes,
            "pressure": self.pressure() as u64,
            "roles": self.roles(),
            "counted": counted,
            "shards": shards,
            "engine": { "away": self.engine_away(), "figures": figures(self.engine_figures()) },
            "bridges": self.bridges().iter().map(|it| bridge(&**it)).collect::<Vec<Value>>(),
        })
    }
}

fn figures(figures: Vec<Figure>) -> Vec<Value> {
    let shown = |it: Figure| json!({ "name": it.name, "help": it.help, "value": it.value });
    figures.into_iter().map(shown).collect()
}

fn bridge(bridge: &dyn Bridge) -> Value {
    let (state, why) = match bridge.condition() {
        Condition::Serving => ("serving", None),
        Condition::Away { why } => ("away", Some(why)),
        Condition::Partly { why } => ("partly", Some(why)),
    };
    let row = |(labels, value): &(Vec<(&'static str, String)>, u64)| {
        let labels: Vec<String> = labels.iter().map(|(name, value)| format!("{name} {value}")).collect();
        json!({ "of": labels.join(", "), "value": value })
    };
    let series = |it: Series| {
        let rows: Vec<Value> = it.rows.iter().take(ROWS_MAX).map(row).collect();
        json!({ "name": it.name, "help": it.help, "rows": rows, "more": it.rows.len().saturating_sub(ROWS_MAX) })
    };
    json!({
        "name": bridge.name(), "state": state, "why": why, "figures": figures(bridge.figures()),
        "series": bridge.series().into_iter().map(series).collect::<Vec<Value>>(),
    })
}

/// As long as the calling runtime runs.
pub(crate) async fn keep(facts: Arc<Facts>) {
    let mut look = tokio::time::interval(SAMPLE_EVERY);
    loop {
        look.tick().await;
        facts.hour.take(facts.sample());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_hour_is_kept_and_told_as_what_was_added_in_each_of_its_spans() {
        let hour = Hour::since(Wall(0));
        for step in 0..400u64 {
            let mut counted = Counted::default();
            counted.0[0] = step * step;
            hour.take(Sample { at: step as i64 * 10_000, connections: step, counted, ..Sample::default() });
        }
        let shown = hour.shown();
        let column = |name: &str| shown[name].as_array().cloned().unwrap_or_default();
        assert_eq!(column("at").len(), SAMPLES_MAX - 1, "an hour of spans");
        assert_eq!(column("at").last(), Some(&json!(3_990_000)));
        assert_eq!(column("connections").last(), Some(&json!(399)));
        assert_eq!(column("messages").last(), Some(&json!(399 * 399 - 398 * 398)));
        assert_eq!(column("span_ms").first(), Some(&json!(10_000)));
    }

    #[test]
    fn a_restart_of_a_counter_is_no_figure_below_nothing_and_mounts_are_counted_by_who_is_there() {
        let facts = Facts::new(2);
        let [one, other] = [&facts.shards[0].by_mount, &facts.shards[1].by_mount];
        one.came(3);
        other.came(3);
        one.came(1);
        one.went(1);
        one.went(1);
        assert_eq!(facts.by_mount(), BTreeMap::from([(3, 2)]));
        let overview = facts.overview();
        assert_eq!(
            (&overview["shards"][1]["shard"], &overview["counted"]["messages"]),
            (&json!(1), &json!(0))
        );
        let mut most = Sample::default();
        most.counted.0[2] = 7;
        facts.hour.take(most);
        facts.hour.take(Sample::default());
        assert_eq!(facts.last_hour()["deliveries"], json!([0]));
    }
}
