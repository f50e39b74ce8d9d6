//! What the engine's threads count, for whoever looks.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use link::Figure;

#[derive(Default)]
pub(crate) struct Count(AtomicU64);

impl Count {
    pub(crate) fn add(&self, count: u64) {
        self.0.fetch_add(count, Ordering::Relaxed);
    }

    pub(crate) fn set(&self, value: u64) {
        self.0.store(value, Ordering::Relaxed);
    }

    pub(crate) fn get(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

#[derive(Default)]
pub(crate) struct Facts {
    pub(crate) commits: Count,
    pub(crate) records: Count,
    pub(crate) refused: Count,
    pub(crate) write_failures: Count,
    pub(crate) read_failures: Count,
    pub(crate) damaged: Count,
    pub(crate) forgotten: Count,
    pub(crate) journal_bytes: Count,
    /// The last write failed and none has succeeded since: what the file says is looked at before it is trusted again.
    pub(crate) failing: AtomicBool,
    /// What every room is written to is damaged: it stays so until the file is another.
    pub(crate) damaged_all: AtomicBool,
}

impl Facts {
    pub(crate) fn is_failing(&self) -> bool {
        self.failing.load(Ordering::Relaxed) || self.damaged_all.load(Ordering::Relaxed)
    }

    pub(crate) fn figures(&self) -> Vec<Figure> {
        let figure = |name, help, count: &Count| Figure { name, help, value: count.get() };
        vec![
            figure("commits_total", "Commits to the disk; each holds all that waited for it.", &self.commits),
            figure("records_total", "Records that were stored.", &self.records),
            figure(
                "refused_total",
                "Appends that were refused because nothing could be stored.",
                &self.refused,
            ),
            figure("write_failures_total", "Commits that failed.", &self.write_failures),
            figure("read_failures_total", "Reads that failed and are asked again.", &self.read_failures),
            figure(
                "damaged_total",
                "Answers that refused a room because its rows are not what was written.",
                &self.damaged,
            ),
            figure(
                "forgotten_total",
                "Rows deleted behind snapshots; what was stored together is one.",
                &self.forgotten,
            ),
            figure(
                "journal_bytes",
                "The journal that waits to be worked into the file.",
                &self.journal_bytes,
            ),
            Figure { name: "failing", help: "1 while writes fail.", value: u64::from(self.is_failing()) },
        ]
    }
}
