//! How a node comes to its NATS server, and what the server is said to be. It connects to nothing.

use std::time::Duration;

use engine::Durability;
pub use nats_wire::{Credentials, Tls};

/// Twice what one pull brings, so that none is dropped.
const NEWS_MAX_MIN: usize = 512;

#[derive(Clone, Debug)]
pub struct Config {
    /// `nats://host:port`, or `tls://host:port`; several of one cluster.
    pub servers: Vec<String>,
    /// Before all subjects and streams: deployments that share a server differ by it. Letters, digits, `-`, `_`, and dots
    /// between them.
    pub prefix: String,
    /// JetStream's domain, where the server is a leaf of another.
    pub domain: Option<String>,
    pub credentials: Credentials,
    pub tls: Tls,
    /// Of every stream: 1, 3 or 5.
    pub replicas: u8,
    pub keeps: Keeps,
    /// All logs together, in bytes; absent: what the server's own limits allow. Beyond it nothing is appended.
    pub log_bytes_max: Option<u64>,
    pub lease: Duration,
    /// What is given to one call.
    pub call_within: Duration,
    /// News that wait for their turn, for each subscription. Beyond it they are dropped, and shards look again.
    pub news_max: usize,
}

impl Config {
    pub fn new(server: &str) -> Config {
        Config {
            servers: vec![server.to_owned()],
            prefix: "kulkul".to_owned(),
            domain: None,
            credentials: Credentials::None,
            tls: Tls::default(),
            replicas: 1,
            keeps: Keeps::OnDisk,
            log_bytes_max: None,
            lease: Duration::from_secs(10),
            call_within: Duration::from_secs(5),
            // Some seconds of a busy room; a subscription takes memory only for what waits.
            news_max: 4096,
        }
    }

    pub(crate) fn durability(&self) -> Durability {
        match self.keeps {
            Keeps::InMemory => Durability::None,
            Keeps::OnDisk => Durability::Process,
            Keeps::OnDiskSynced => Durability::Power,
        }
    }

    pub(crate) fn refused(&self) -> Option<(&'static str, &'static str)> {
        let token = |token: &str| {
            !token.is_empty() && token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
        };
        if self.servers.is_empty() {
            return Some(("servers", "name at least one, as nats://host:port"));
        }
        // A stream's name is made of it, and the server takes 255 bytes.
        if self.prefix.len() > 64 || !self.prefix.split('.').all(token) {
            return Some((
                "prefix",
                "use letters, digits, `-` and `_`, with single dots between, 64 bytes at most",
            ));
        }
        if self.domain.as_deref().is_some_and(|domain| !token(domain)) {
            return Some(("domain", "use letters, digits, `-` and `_`"));
        }
        if ![1, 3, 5].contains(&self.replicas) {
            return Some(("replicas", "use 1, 3 or 5"));
        }
        if self.lease < Duration::from_millis(100) {
            return Some(("lease", "use some seconds"));
        }
        if self.news_max < NEWS_MAX_MIN {
            return Some(("news_max", "use 512 or more"));
        }
        if self.call_within.is_zero() {
            return Some(("call_within", "use some seconds"));
        }
        None
    }
}

/// What a stored record survives; the server does not tell, so it is declared.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Keeps {
    /// Streams in the server's memory.
    InMemory,
    /// In files, written to the disk when the server gets round to it: every two minutes, unless `sync_interval` says
    /// otherwise. An ack means that the server has it, and that its end loses nothing.
    OnDisk,
    /// In files of a server whose configuration has `sync_interval: always`.
    OnDiskSynced,
}
