//! The connection: how it is made secure and proven, and what is heard of it. One a node; it knows no stream.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, Event};
use nats_wire::CredentialsFile;
use tokio::sync::{Notify, watch};

use crate::config::Config;
use crate::error::OpenError;
use crate::server::{chance, count};

/// Between two tries, at first.
const RECONNECT_FIRST: Duration = Duration::from_millis(100);
/// A connection that is silent for two of them is dead.
const PING_EVERY: Duration = Duration::from_secs(10);

pub(crate) struct Signals {
    /// News may have been missed.
    pub(crate) gap: Notify,
    /// Changes when a connection breaks, and what was asked over it is not answered any more.
    pub(crate) cuts: watch::Sender<u64>,
    /// Connected anew.
    pub(crate) back: Notify,
    pub(crate) reconnects: AtomicU64,
    pub(crate) slow: AtomicU64,
    connected: AtomicBool,
    /// What this connection may not do, in the server's words: the first of it.
    denied: Mutex<Option<String>>,
}

impl Signals {
    pub(crate) fn new() -> Signals {
        Signals {
            gap: Notify::new(),
            cuts: watch::channel(0).0,
            back: Notify::new(),
            reconnects: AtomicU64::new(0),
            slow: AtomicU64::new(0),
            connected: AtomicBool::new(false),
            denied: Mutex::new(None),
        }
    }

    pub(crate) fn denied(&self) -> Option<String> {
        self.denied.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Told once a connection: the rest would be the same for other rooms.
    fn is_denied(&self, what: &str) {
        let mut denied = self.denied.lock().unwrap_or_else(PoisonError::into_inner);
        if denied.is_none() {
            tracing::warn!(what, "NATS refuses what the engine needs: permit it to the user");
            *denied = Some(what.to_owned());
        }
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::Connected => {
                *self.denied.lock().unwrap_or_else(PoisonError::into_inner) = None;
                if self.connected.swap(true, Ordering::Relaxed) {
                    count(&self.reconnects);
                    self.back.notify_one();
                    self.gap.notify_one();
                }
            }
            Event::Disconnected | Event::Closed => self.cuts.send_modify(|cuts| *cuts += 1),
            Event::SlowConsumer(_) | Event::ServerError(async_nats::ServerError::SlowConsumer(_)) => {
                count(&self.slow);
                self.gap.notify_one();
            }
            Event::ServerError(async_nats::ServerError::Other(what))
                if what.to_ascii_lowercase().contains("permissions violation") =>
            {
                self.is_denied(what);
            }
            Event::LameDuckMode | Event::Draining | Event::ServerError(_) | Event::ClientError(_) => {}
        }
    }
}

/// Full jitter over a range that doubles up to a quarter of a lease: who comes back later than others that look on would
/// have lost its lease by then.
fn pause(tries: usize, lease: Duration) -> Duration {
    let most = RECONNECT_FIRST.saturating_mul(1 << tries.min(10)).min(lease / 4);
    most.mul_f64((chance() >> 11) as f64 / (1_u64 << 53) as f64)
}

pub(crate) async fn connect(config: &Config, signals: &Arc<Signals>) -> Result<Client, OpenError> {
    let servers = || nats_wire::shown(&config.servers);
    let lease = config.lease;
    let options = nats_wire::options(&config.credentials, &config.tls);
    let mut options = options
        .map_err(|CredentialsFile { path, why }| OpenError::CredentialsFile { path, why })?
        .connection_timeout(config.call_within)
        .request_timeout(Some(config.call_within))
        .ping_interval(PING_EVERY)
        .subscription_capacity(config.news_max)
        .reconnect_delay_callback(move |tries| pause(tries, lease));
    let hears = signals.clone();
    options = options.event_callback(move |event| {
        hears.hear(&event);
        std::future::ready(())
    });
    options.connect(config.servers.as_slice()).await.map_err(|error| {
        let why = error.to_string();
        match error.kind() {
            ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => {
                OpenError::Unauthorized { servers: servers() }
            }
            // What rustls says comes through as words alone.
            ConnectErrorKind::Io if why.contains("corrupt message") || why.contains("certificate") => {
                OpenError::Tls { servers: servers(), why }
            }
            ConnectErrorKind::Tls => OpenError::Tls { servers: servers(), why },
            _ => OpenError::Unreachable { servers: servers(), why },
        }
    })
}
