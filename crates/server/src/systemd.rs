//! What systemd gives and is told, where it started us: sockets that it listens on already, and whether we serve, stop and live. Where it
//! did not, nothing is given and nobody is told.

use std::net::{SocketAddr, TcpListener};

use anyhow::{Context, Result, bail};
use listenfd::ListenFd;
use node::Pulse;
use sd_notify::NotifyState;

/// As `FileDescriptorName=` of a socket unit has it.
const OPERATOR: &str = "operator";
/// Looks within the time after which systemd takes us for dead: one may be late.
const LOOKS: u32 = 3;

/// Sockets on which systemd listens for us. Who comes while nobody serves waits there.
#[derive(Default)]
pub(crate) struct Given {
    pub public: Option<TcpListener>,
    pub operator: Option<TcpListener>,
}

/// Before anything else is opened: they are known by their numbers.
pub(crate) fn sockets() -> Result<Given> {
    let names = std::env::var("LISTEN_FDNAMES").unwrap_or_default();
    let names: Vec<&str> = names.split(':').collect();
    let mut fds = ListenFd::from_env();
    let mut given = Given::default();
    for index in 0..fds.len() {
        let name = names.get(index).copied().unwrap_or_default();
        let refused = || {
            format!("socket {index} of systemd ({name:?}) is for TCP (ListenStream=ADDR:PORT) or not for us")
        };
        let Some(socket) = fds.take_tcp_listener(index).with_context(refused)? else { continue };
        let place = if name == OPERATOR { &mut given.operator } else { &mut given.public };
        if place.replace(socket).is_some() {
            bail!(
                "systemd gives two sockets for the same: one is for clients, and one with FileDescriptorName={OPERATOR} for operators"
            );
        }
    }
    Ok(given)
}

pub(crate) fn address(socket: Option<&TcpListener>) -> Result<Option<SocketAddr>> {
    socket.map(|socket| socket.local_addr().context("a socket of systemd has no address")).transpose()
}

fn tell(states: &[NotifyState<'_>]) {
    if let Err(error) = sd_notify::notify(states) {
        tracing::warn!(%error, "systemd is not told how we are");
    }
}

pub(crate) fn serves(at: &str) {
    tell(&[NotifyState::Ready, NotifyState::Status(&format!("serving at {at}"))]);
}

pub(crate) fn drains(connections: u32) {
    let status = format!("draining {connections} connections");
    tell(&[NotifyState::Stopping, NotifyState::Status(&status)]);
}

/// Around a look at the configuration: `Type=notify-reload` waits for the second word.
pub(crate) fn reads_again() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => tell(&[NotifyState::Reloading, now]),
        Err(error) => tracing::warn!(%error, "systemd is not told that the config is read again"),
    }
}

pub(crate) fn has_read() {
    tell(&[NotifyState::Ready]);
}

/// Says that we live for as long as every shard turns, where systemd asks for it; for ever.
pub(crate) async fn live(mut pulse: Pulse) {
    let Some(patience) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    let mut look = tokio::time::interval((patience / LOOKS).max(std::time::Duration::from_millis(1)));
    // The first is at once, and nobody has had time to turn.
    look.tick().await;
    loop {
        look.tick().await;
        match pulse.stuck().as_slice() {
            [] => tell(&[NotifyState::Watchdog]),
            stuck => tracing::error!(?stuck, "shards do not turn, and systemd is not told that we live"),
        }
    }
}
