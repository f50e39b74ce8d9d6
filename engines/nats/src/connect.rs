//! The connection: how it is made secure and proven, and what is heard of it. One a node; it knows no stream.

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event};
use tokio::sync::{Notify, watch};

use crate::config::{Config, Credentials};
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
    let servers = || config.servers.iter().map(|url| without_secret(url)).collect::<Vec<_>>().join(", ");
    // Ours and the library's are the same provider; who was first does not matter.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    let lease = config.lease;
    let mut options = ConnectOptions::new()
        .name("kulkul")
        .connection_timeout(config.call_within)
        .request_timeout(Some(config.call_within))
        .ping_interval(PING_EVERY)
        .subscription_capacity(config.news_max)
        .reconnect_delay_callback(move |tries| pause(tries, lease));
    options = match &config.credentials {
        Credentials::None => options,
        Credentials::Password { user, password } => options.user_and_password(user.clone(), password.clone()),
        Credentials::Token(token) => options.token(token.clone()),
        Credentials::Nkey(seed) => options.nkey(seed.clone()),
        Credentials::File(path) => {
            let text = std::fs::read_to_string(path);
            let options = text.and_then(|text| options.credentials(&text));
            options.map_err(|error| OpenError::CredentialsFile {
                path: path.display().to_string(),
                why: error.to_string(),
            })?
        }
    };
    if config.tls.required {
        options = options.require_tls(true);
    }
    if config.tls.first {
        options = options.tls_first();
    }
    if let Some(path) = &config.tls.authorities {
        options = options.add_root_certificates(path.clone());
    }
    if let Some((certificate, key)) = &config.tls.identity {
        options = options.add_client_certificate(certificate.clone(), key.clone());
    }
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

/// A password may stand in an address.
fn without_secret(url: &str) -> String {
    match url.split_once("://") {
        Some((scheme, rest)) => match rest.rsplit_once('@') {
            Some((_, host)) => format!("{scheme}://…@{host}"),
            None => url.to_owned(),
        },
        None => url.rsplit_once('@').map_or(url, |(_, host)| host).to_owned(),
    }
}
