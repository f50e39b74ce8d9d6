//! `kulkul serve`: a node from its configuration, until a signal ends it.

use std::io::Write;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::{Context, Result, bail};
use engine::MemoryLimits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::{Facts, Helm, Node};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apps::Furniture;
use crate::config::{self, Changes, Config, Place};
use crate::options::{Profile, Serve};
use crate::{demo, gate, log, memory, operator, pages, secret};

const STATISTICS_EVERY: Duration = Duration::from_secs(60);
/// A certificate that was renewed on disk is in force this much later, without a signal.
const LOOK_FOR_RENEWAL: Duration = Duration::from_secs(60);
/// How often in between it is told that it ends soon.
const LOOKS_A_DAY: u32 = 24 * 60;

pub(crate) fn run(typed: &Serve) -> Result<()> {
    let config = config::read(typed)?;
    let dial = log::start(&config.typed.log)?;
    for warning in &config.warnings {
        tracing::warn!("{warning}");
    }
    if config.profile != Profile::Standard {
        let lifted = config.settings().into_iter().filter(|(_, it)| it.place == Place::Flag("--profile"));
        let lifted: Vec<String> = lifted.map(|(key, it)| format!("{key} = {}", it.shown())).collect();
        tracing::warn!(profile = ?config.profile, "lifted for a load generator: {}", lifted.join(", "));
    }
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(typed, config, dial))
}

async fn serve(typed: &Serve, config: Config, dial: log::Dial) -> Result<()> {
    let secret = secret::of(&config)?;
    let settings = &config.typed;
    let furniture = Furniture {
        notices: settings.presence_notices,
        conformance: config.conformance,
        mounts: settings.mounts.clone(),
        fragments_max: settings.limits.fragments_max,
    };
    let sealed = gate::tls(settings)?;
    let gate = gate::gate(&config, secret.as_ref())?;
    let sockets_at: Vec<String> = gate.mounts.iter().map(|mount| mount.path.as_str().to_owned()).collect();
    let mut tags = [0; 12];
    getrandom::fill(&mut tags).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    let [tag @ .., a, b, c, d] = tags;
    let node = node::Config {
        listen: settings.listen,
        shards: settings.shards,
        gate,
        key_sources: gate::sources(settings),
        tls: sealed.clone(),
        limits: gate::limits(settings),
        room_limits: rooms::Limits::default(),
        memory: engine_limits(settings),
        node_tag: u64::from_le_bytes(tag),
        start_tag: u32::from_le_bytes([a, b, c, d]),
        handshake: settings.websocket.handshake_timeout,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    // In demo mode there is nothing to read again, and a closed terminal ends the server as it does any program.
    let mut hang_up = if config.demo { None } else { Some(signal(SignalKind::hangup())?) };
    let mut node = Node::start(node, Arc::new(furniture)).with_context(|| {
        format!("cannot listen on {}; is something else there? Try --listen", settings.listen)
    })?;
    let facts = node.facts();
    let mut router = node::router(facts.clone(), &sockets_at).merge(pages::router());
    if let Some(secret) = secret.filter(|_| config.demo) {
        let origins = gate::origins(&config, &settings.websocket.allowed_origins);
        router = router.merge(demo::router(secret, origins));
    }
    if config.demo {
        router = router.merge(node::figures(facts.clone()));
    }
    node.serve_http(router);
    let helm = node.helm();
    let operator = match settings.operator_listen {
        Some(address) => Some(operator::serve(address, &node).await?),
        None => None,
    };
    match memory::given() {
        Some((given, _)) => node.hold_memory(settings.limits.memory.of(given)),
        None => tracing::warn!("cannot tell how much memory there is: nothing is shed for it"),
    }
    let address = node.address();
    let scheme = if sealed.is_some() { "https" } else { "http" };
    announce(&ready_line(&format!("{scheme}://{address}"), operator))?;
    tracing::info!(%address, shards = config.typed.shards, demo = config.demo, engine = "memory", "serving");
    if let Some(sealed) = &sealed {
        tell_end(sealed);
    }
    let mut looks: u32 = 0;
    let mut read = Read { began: &config, last: None };
    let mut renewal = tokio::time::interval(LOOK_FOR_RENEWAL);
    renewal.tick().await;
    let mut certificate = config.typed.tls.as_ref().and_then(written);
    let statistics = tell_statistics(&facts);
    tokio::pin!(statistics);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(()) = hung_up(&mut hang_up) => {
                read.again(typed, &dial, &helm);
                renew(&config, sealed.as_ref(), &mut certificate);
            }
            _ = renewal.tick() => {
                renew(&config, sealed.as_ref(), &mut certificate);
                looks += 1;
                if let Some(sealed) = sealed.as_ref().filter(|_| looks.is_multiple_of(LOOKS_A_DAY)) {
                    tell_end(sealed);
                }
            }
            () = &mut statistics => break,
        }
    }
    tracing::info!(connections = facts.health().total, "draining");
    let hasten = node.hastener();
    let drain = node.drain();
    tokio::pin!(drain);
    let drained = loop {
        tokio::select! {
            drained = &mut drain => break drained,
            _ = terminate.recv() => Node::hasten(&hasten),
            _ = interrupt.recv() => Node::hasten(&hasten),
        }
    };
    if !drained.in_time {
        bail!("{} connections were still open when the drain's time was over", drained.open);
    }
    tracing::info!(connections = drained.open, "drained");
    Ok(())
}

/// Once a minute, for ever.
async fn tell_statistics(facts: &Facts) {
    let mut minute = tokio::time::interval(STATISTICS_EVERY);
    minute.tick().await;
    loop {
        minute.tick().await;
        let health = facts.health();
        let (counts, of_rooms) = facts.counts();
        let (total, stale, users, rooms) = (health.total, health.stale, health.users, health.rooms);
        let removed = counts.stale_removed;
        let (panics, quarantined) = (of_rooms.app_panics, of_rooms.rooms_quarantined);
        tracing::info!(total, stale, removed, users, rooms, panics, quarantined, "connection statistics");
    }
}

/// The one line on standard output.
fn announce(line: &serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output is closed")
}

async fn hung_up(signal: &mut Option<Signal>) -> Option<()> {
    signal.as_mut()?.recv().await
}

fn ready_line(listening: &str, operator: Option<SocketAddr>) -> serde_json::Value {
    match operator {
        None => json!({ "listening": listening }),
        Some(operator) => json!({ "listening": listening, "operator": format!("http://{operator}") }),
    }
}

/// Time to have it renewed and to notice that it was not.
const CERTIFICATE_ENDS_SOON: Duration = Duration::from_secs(14 * 24 * 3600);

fn tell_end(sealed: &node::Tls) {
    if let Some(end) = sealed.ends().filter(|end| *end < Facts::now() + CERTIFICATE_ENDS_SOON) {
        tracing::warn!(%end, "the certificate ends soon: renew it");
    }
}

/// When certificate and key were written last.
fn written(tls: &config::Tls) -> Option<(SystemTime, SystemTime)> {
    let when = |path: &Path| std::fs::metadata(path).and_then(|it| it.modified()).ok();
    Some((when(&tls.certificate)?, when(&tls.key)?))
}

/// Takes a certificate that was renewed on disk for connections from now on. One that cannot be used changes nothing.
fn renew(config: &Config, sealed: Option<&node::Tls>, last: &mut Option<(SystemTime, SystemTime)>) {
    let (Some(tls), Some(sealed)) = (&config.typed.tls, sealed) else { return };
    let now = written(tls);
    if now == *last {
        return;
    }
    *last = now;
    match sealed.renew(&tls.certificate, &tls.key) {
        Ok(()) => {
            tracing::info!(certificate = %tls.certificate.display(), "the certificate was renewed");
            tell_end(sealed);
        }
        Err(error) => {
            tracing::error!(%error, "the new certificate cannot be used: the old one stays in force")
        }
    }
}

/// What the server was started with, and what was read last.
struct Read<'a> {
    began: &'a Config,
    last: Option<Config>,
}

impl Read<'_> {
    fn last(&self) -> &Config {
        self.last.as_ref().unwrap_or(self.began)
    }

    /// What a new file changes, now or after a restart. An unsound one changes nothing.
    fn again(&mut self, typed: &Serve, dial: &log::Dial, helm: &Helm) {
        match self.followed(typed, dial, helm) {
            Ok(new) => self.last = Some(new),
            Err(error) => {
                tracing::error!("{error:#}");
                tracing::error!("the config is not sound: the old one stays in force");
            }
        }
    }

    fn followed(&self, typed: &Serve, dial: &log::Dial, helm: &Helm) -> Result<Config> {
        let new = config::read(typed)?;
        let secret = secret::again(&new, &self.began.typed.data)?;
        let gate = gate::gate(&new, secret.as_ref())?;
        helm.change(|held| gate::follow(held, gate));
        let mut limits = gate::limits(&new.typed);
        // The door keeps to the time that it began with, and so does the first message.
        limits.session.hello = gate::limits(&self.began.typed).session.hello;
        helm.limit(limits);
        let Changes { applied, needs_restart } = new.changes_since(self.began, self.last());
        if let Err(error) = dial.set(&new.typed.log.level) {
            tracing::error!(%error, "the log level stays as it was");
        }
        tracing::info!(
            applied = applied.len(),
            needs_restart = needs_restart.len(),
            "the config was read again"
        );
        for change in &applied {
            tracing::info!("applied: {change}");
        }
        for change in &needs_restart {
            tracing::warn!("needs a restart: {change}");
        }
        Ok(new)
    }
}

/// Half of the budget for what the engine keeps; the other half is connections, rooms that are open, and what is on its way.
fn engine_limits(settings: &config::Typed) -> MemoryLimits {
    let limits = MemoryLimits::default();
    let share = |(given, _): (u64, u64)| settings.limits.memory.of(given) / 2 / u64::from(settings.shards);
    let bytes_max = memory::given().map_or(limits.bytes_max, |given| share(given) as usize);
    MemoryLimits { bytes_max, ..limits }
}

/// As many sockets as the machine lets us have; how many that is, the log says.
fn raise_descriptors() {
    match getrlimit(Resource::RLIMIT_NOFILE) {
        Ok((soft, hard)) if soft < hard => match setrlimit(Resource::RLIMIT_NOFILE, hard, hard) {
            Ok(()) => tracing::debug!(descriptors = hard, "raised the limit of descriptors"),
            Err(error) => tracing::warn!(soft, hard, %error, "the limit of descriptors cannot be raised"),
        },
        Ok(_) => {}
        Err(error) => tracing::warn!(%error, "the limit of descriptors cannot be read"),
    }
}
