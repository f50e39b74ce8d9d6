//! `kulkul serve`: a node from its configuration, until a signal ends it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engine::MemoryLimits;
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::{Facts, Gate, Node, Origins};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};

use crate::apps::Furniture;
use crate::config::{self, Changes, Config, Place, Typed};
use crate::options::{Profile, Serve};
use crate::{demo, log, pages, secret};

const STATISTICS_EVERY: Duration = Duration::from_secs(60);
/// Keys that follow the file while the server runs. Of the others that could, the running shards do not hear yet.
const APPLIED_HERE: [&str; 1] = ["log.level"];

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

async fn serve(typed: &Serve, mut config: Config, dial: log::Dial) -> Result<()> {
    let secret = secret::of(&config)?;
    let origins = origins(&config);
    let settings = &config.typed;
    let furniture = Furniture {
        notices: settings.presence_notices,
        conformance: config.conformance,
        mounts: settings.mounts.clone(),
        fragments_max: settings.limits.fragments_max,
    };
    let sockets_at: Vec<String> = furniture.mount_points().into_iter().map(|mount| mount.path).collect();
    let gate = Gate { secret: secret.clone(), mounts: furniture.mount_points(), origins: origins.clone() };
    let mut tags = [0; 12];
    getrandom::fill(&mut tags).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    let [tag @ .., a, b, c, d] = tags;
    let node = node::Config {
        listen: settings.listen,
        shards: settings.shards,
        gate,
        limits: limits(settings),
        room_limits: rooms::Limits::default(),
        memory: MemoryLimits::default(),
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
        router = router.merge(demo::router(secret, origins));
    }
    node.serve_http(router);
    let address = node.address();
    announce(&json!({ "listening": format!("http://{address}") }))?;
    tracing::info!(%address, shards = config.typed.shards, demo = config.demo, engine = "memory", "serving");
    let statistics = tell_statistics(&facts);
    tokio::pin!(statistics);
    loop {
        tokio::select! {
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
            Some(()) = hung_up(&mut hang_up) => config = read_again(typed, config, &dial),
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

/// What a new file changes, now or after a restart. An unsound one changes nothing.
fn read_again(typed: &Serve, old: Config, dial: &log::Dial) -> Config {
    let new = match config::read(typed) {
        Ok(new) => new,
        Err(faults) => {
            for fault in faults.iter() {
                tracing::error!("{fault}");
            }
            tracing::error!("the config is not sound: the old one stays in force");
            return old;
        }
    };
    let Changes { applied, mut needs_restart } = new.changes_since(&old);
    let (here, elsewhere): (Vec<_>, Vec<_>) =
        applied.into_iter().partition(|change| APPLIED_HERE.contains(&change.key.as_str()));
    needs_restart.extend(elsewhere);
    if let Err(error) = dial.set(&new.typed.log.level) {
        tracing::error!(%error, "the log level stays as it was");
    }
    tracing::info!(applied = here.len(), needs_restart = needs_restart.len(), "the config was read again");
    for change in &here {
        tracing::info!("applied: {change}");
    }
    for change in &needs_restart {
        tracing::warn!("needs a restart: {change}");
    }
    new
}

/// Who may connect where nothing is listed: our own pages, and on a developer's machine those of any local port.
fn origins(config: &Config) -> Origins {
    let settings = &config.typed;
    match settings.websocket.allowed_origins.as_slice() {
        [] => Origins::Own { loopback: config.demo && settings.listen.ip().is_loopback() },
        listed if listed.iter().any(|origin| origin == "*") => Origins::All,
        listed => Origins::Listed(listed.to_vec()),
    }
}

fn limits(settings: &Typed) -> shard::Limits {
    let (limits, websocket) = (&settings.limits, &settings.websocket);
    let session = session::Limits {
        messages_per_second: limits.messages_per_second,
        burst: limits.burst,
        refusals_per_second: limits.refusals_per_second,
        unacked_max: limits.unacked_max,
        rooms_max: limits.rooms_per_connection,
    };
    shard::Limits {
        session,
        outbox_frames_max: limits.outbox_messages,
        outbox_bytes_max: limits.outbox_bytes,
        ping: websocket.ping_period,
        pong: websocket.read_timeout,
        write: websocket.write_timeout,
        ..shard::Limits::default()
    }
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
