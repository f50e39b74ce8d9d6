//! Every maximum of a room, with its reason.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Commands that wait for the one append in flight. A second's worth of a very busy room.
    pub waiting_max: usize,
    /// The same in bytes, so that large messages cannot hide in a count.
    pub waiting_bytes_max: usize,
    /// Records and bytes in one atomic batch: what an engine stores in one round trip without delaying others.
    pub batch_records_max: usize,
    pub batch_bytes_max: usize,
    /// Asking the engine again; well above its ordinary answer, well below the sender's patience.
    pub ask_again: Duration,
    /// When a sender learns `unknown`, or that what never left was not stored.
    pub answer_within: Duration,
    /// Rounds a guarded command may lose before its sender gets `busy`.
    pub rounds_max: u32,
    /// Kept in front of the log, enough for every short absence.
    pub ring_records_max: usize,
    pub ring_bytes_max: usize,
    /// One page for a member that catches up: fits the outbox several times over.
    pub page_records_max: usize,
    pub page_bytes_max: usize,
    pub history_max: u32,
    /// The resend promise.
    pub keys_max: usize,
    pub key_age_max: Duration,
    /// A snapshot when this much was recorded since the last and it is worth it (`log.rs`).
    pub snapshot_records: u64,
    pub snapshot_bytes: usize,
    /// The app's part of a snapshot: what one question to an engine may carry, and a node read of each of its rooms.
    pub save_bytes_max: usize,
    /// Rooms at home on one shard. One that is empty takes some two kilobytes, all of them two hundred megabytes; what
    /// they keep in front of their logs comes on top.
    pub rooms_max: usize,
    /// An ended socket counts as present for this long, so that a reload is no leave and no join.
    pub linger: Duration,
    /// Presence is told at most once in this time; the first change at once.
    pub presence_window: Duration,
    /// Above this many users only counts are told, and a list is its first so many.
    pub presence_list_max: usize,
    /// Below this many users the list itself is sent on change, at most once in `list_window`.
    pub presence_small: usize,
    pub list_window: Duration,
    /// One soft value per key in this time leaves its node.
    pub soft_window: Duration,
    /// Soft values of one room: presence times a few keys, for the largest room we mean to serve.
    pub softs_max: usize,
    /// Unfollowed this long after the last member and duty.
    pub unfollow_after: Duration,
    /// Where news may be missing: look again this often.
    pub look_again: Duration,
    /// A saga step without an outcome is sent again this often.
    pub step_again: Duration,
    pub lease: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            waiting_max: 256,
            waiting_bytes_max: 1 << 20,
            batch_records_max: 64,
            batch_bytes_max: 64 << 10,
            ask_again: Duration::from_secs(1),
            answer_within: Duration::from_secs(10),
            rounds_max: 16,
            ring_records_max: 256,
            ring_bytes_max: 256 << 10,
            page_records_max: 64,
            page_bytes_max: 64 << 10,
            history_max: 100,
            keys_max: 10_000,
            key_age_max: Duration::from_secs(24 * 3600),
            snapshot_records: 400,
            snapshot_bytes: 256 << 10,
            save_bytes_max: 1 << 20,
            rooms_max: 100_000,
            linger: Duration::from_secs(3),
            presence_window: Duration::from_millis(250),
            presence_list_max: 200,
            presence_small: 20,
            list_window: Duration::from_secs(1),
            soft_window: Duration::from_millis(250),
            softs_max: 10_000,
            unfollow_after: Duration::from_secs(60),
            look_again: Duration::from_secs(5),
            step_again: Duration::from_secs(5),
            lease: Duration::from_secs(10),
        }
    }
}
