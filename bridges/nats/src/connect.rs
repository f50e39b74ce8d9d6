//! The connection: how it is begun, and what is heard of it beside messages. Once there it begins anew by itself; it asks nothing.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::{Client, ConnectErrorKind, ConnectOptions, Event, ServerError};
use crossing::{add, pause};
use nats_wire::CredentialsFile;

use crate::Config;
use crate::counts::Counts;

/// A connection that is silent for two of them is dead.
const PING_EVERY: Duration = Duration::from_secs(10);
/// Between two tries at most: no node waits longer for a server that is back.
const RECONNECT_MAX: Duration = Duration::from_secs(5);
/// One question to the server; also how long a connection may take.
pub(crate) const ANSWERS_WITHIN: Duration = Duration::from_secs(5);
/// Messages of one subscription that wait in this node. What streams give was asked for and is less; what comes by itself is dropped
/// beyond it, and counted.
const SUBSCRIPTION_MAX: usize = 4096;
/// Subjects that the server has forbidden and that are remembered: those of the configuration, as a rule.
const DENIED_MAX: usize = 64;

/// Told by the connection, read by whoever asks over it.
pub(crate) struct Signals {
    counts: Arc<Counts>,
    was_connected: AtomicBool,
    heard: Mutex<Heard>,
}

#[derive(Default)]
struct Heard {
    why: Option<String>,
    denied: BTreeSet<String>,
}

impl Signals {
    pub(crate) fn new(counts: Arc<Counts>) -> Signals {
        Signals { counts, was_connected: AtomicBool::new(false), heard: Mutex::default() }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why there is no connection, if that was said.
    pub(crate) fn why(&self) -> Option<String> {
        self.heard().why.clone()
    }

    /// Whether this user may not publish there.
    pub(crate) fn is_denied(&self, subject: &str) -> bool {
        self.heard().denied.contains(subject)
    }

    fn hear(&self, event: &Event) {
        match event {
            Event::Connected => {
                *self.heard() = Heard::default();
                self.counts.reach.is_well(PERMISSIONS);
                if self.was_connected.swap(true, Ordering::Relaxed) {
                    add(&self.counts.reconnects_total, 1);
                    tracing::info!("the bridge's connection to NATS was made anew");
                }
            }
            Event::SlowConsumer(_) | Event::ServerError(ServerError::SlowConsumer(_)) => {
                add(&self.counts.slow_total, 1);
                tracing::warn!("messages of NATS came faster than they were taken in, and some were dropped");
            }
            Event::ServerError(ServerError::AuthorizationViolation) => {
                self.heard().why = Some(REFUSED.to_owned());
            }
            Event::ServerError(ServerError::Other(what))
                if what.to_ascii_lowercase().contains("permissions violation") =>
            {
                // `Permissions Violation for Publish to "a.b"`
                let mut heard = self.heard();
                if let Some(subject) = what.split('"').nth(1).filter(|_| heard.denied.len() < DENIED_MAX) {
                    heard.denied.insert(subject.to_owned());
                }
                drop(heard);
                self.counts
                    .reach
                    .is_amiss(PERMISSIONS, &format!("the server says {what}: permit it to the user"));
            }
            Event::ServerError(ServerError::Other(what)) => tracing::warn!(what, "NATS says"),
            Event::ClientError(error) => self.heard().why = Some(error.to_string()),
            Event::Disconnected | Event::Closed | Event::LameDuckMode | Event::Draining => {}
        }
    }
}

const PERMISSIONS: &str = "permissions";

/// One try, or why it came to nothing, in words without a secret.
pub(crate) async fn connect(config: &Config, signals: &Arc<Signals>) -> Result<Client, String> {
    let options =
        nats_wire::options(&config.credentials, &config.tls).map_err(|CredentialsFile { path, why }| {
            format!("the file of credentials {path} cannot be used: {why}")
        })?;
    let connected = with_signals(options, signals).connect(config.servers.as_slice()).await;
    connected.map_err(|error| match error.kind() {
        ConnectErrorKind::AuthorizationViolation | ConnectErrorKind::Authentication => REFUSED.to_owned(),
        _ => error.to_string(),
    })
}

const REFUSED: &str = "the server refuses our credentials: give a user that it knows (authorization)";

fn with_signals(options: ConnectOptions, signals: &Arc<Signals>) -> ConnectOptions {
    let hears = signals.clone();
    options
        .connection_timeout(ANSWERS_WITHIN)
        .request_timeout(Some(ANSWERS_WITHIN))
        .ping_interval(PING_EVERY)
        .subscription_capacity(SUBSCRIPTION_MAX)
        .reconnect_delay_callback(|tries| pause(tries.min(16) as u32 + 3, RECONNECT_MAX))
        .event_callback(move |event| {
            hears.hear(&event);
            std::future::ready(())
        })
}
