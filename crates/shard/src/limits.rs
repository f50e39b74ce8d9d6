//! Every maximum of a shard, with its reason.

use std::time::Duration;

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    pub session: session::Limits,
    /// Frames and bytes that wait for one socket; beyond them the class of a delivery decides.
    pub outbox_frames_max: usize,
    pub outbox_bytes_max: usize,
    /// What may wait beyond that of answers, errors and closes: a client that asks without reading ends here.
    pub reserve_frames_max: usize,
    pub reserve_bytes_max: usize,
    /// Sockets flushed in one turn before inputs are looked at again, so that a large room cannot starve them.
    pub flush_sockets_max: usize,
    /// Bytes of one write: what a socket buffer takes at once.
    pub flush_bytes_max: usize,
    pub ping: Duration,
    /// Nothing heard for this long: the peer is gone.
    pub pong: Duration,
    /// No progress of a write for this long: the peer does not read.
    pub write: Duration,
    /// A pong or a write that takes longer is called stale, and counted against the node's health.
    pub stale: Duration,
    /// A message that takes longer from its first byte to its last is none that anybody waits for.
    pub message: Duration,
    /// Bytes of messages that have begun and are not whole, of all connections of a shard together: memory that nobody can give up
    /// by going on from a log.
    pub begun_bytes_max: usize,
    /// Pings and pongs of a client: beyond them it is closed.
    pub control_frames_per_second: u32,
    /// How long a peer has to answer our close.
    pub close: Duration,
    /// Whether to say of each room's records how many were told them: nothing is said as often, and few ever read it.
    pub says_broadcasts: bool,
}

impl Default for Limits {
    fn default() -> Self {
        Limits {
            session: session::Limits::default(),
            outbox_frames_max: 256,
            outbox_bytes_max: 1 << 20,
            reserve_frames_max: 64,
            reserve_bytes_max: 1 << 20,
            flush_sockets_max: 512,
            flush_bytes_max: 64 << 10,
            ping: Duration::from_secs(54),
            pong: Duration::from_secs(60),
            write: Duration::from_secs(10),
            stale: Duration::from_secs(2),
            message: Duration::from_secs(30),
            begun_bytes_max: 64 << 20,
            control_frames_per_second: 20,
            close: Duration::from_secs(1),
            says_broadcasts: false,
        }
    }
}

impl Limits {
    /// While memory is short a slow reader holds no more than this, and has the rest from the log.
    pub(crate) fn tight(self) -> Limits {
        let (frames, bytes) = (self.outbox_frames_max.min(16), self.outbox_bytes_max.min(64 << 10));
        Limits { outbox_frames_max: frames, outbox_bytes_max: bytes, ..self }
    }
}
