//! `kulkul serve`: a node from its configuration, until a signal ends it.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use engine::MemoryLimits;
use identity::{KeyRing, TokenRules};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::{Crowd, Gate, Node};
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use crate::apps::Furniture;
use crate::config::{self, Config};
use crate::options::{Profile, Serve};
use crate::{demo, log, pages};

/// A head that is not there by then is somebody's who does not mean to send one.
const HANDSHAKE: Duration = Duration::from_secs(10);
const STATISTICS_EVERY: Duration = Duration::from_secs(60);

pub(crate) fn run(typed: &Serve) -> Result<()> {
    let config = config::read(typed)?;
    log::start(if config.profile == Profile::Standard { "info" } else { "warn" });
    raise_descriptors();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(serve(config))
}

async fn serve(config: Config) -> Result<()> {
    let furniture = Furniture { notices: config.notices, conformance: config.conformance };
    let mounts = furniture.mount_points(&config.origins);
    let sockets_at: Vec<String> = mounts.iter().map(|mount| mount.path.as_str().to_owned()).collect();
    let gate = Gate {
        keys: KeyRing::new(vec![config.secret.proving()], 0, TokenRules::default()),
        mounts,
        crowd: Crowd::default(),
        trusted: Vec::new(),
    };
    let mut tags = [0; 12];
    getrandom::fill(&mut tags).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    let [tag @ .., a, b, c, d] = tags;
    let node = node::Config {
        listen: config.listen,
        shards: config.shards,
        gate,
        key_sources: Vec::new(),
        tls: None,
        limits: limits(config.profile),
        room_limits: rooms::Limits::default(),
        memory: MemoryLimits::default(),
        node_tag: u64::from_le_bytes(tag),
        start_tag: u32::from_le_bytes([a, b, c, d]),
        handshake: HANDSHAKE,
    };
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut node = Node::start(node, Arc::new(furniture)).with_context(|| {
        format!("cannot listen on {}; is something else there? Try --listen", config.listen)
    })?;
    let facts = node.facts();
    let figures = node::figures(facts.clone());
    let mut router = node::router(facts.clone(), &sockets_at).merge(pages::router()).merge(figures);
    if config.demo {
        router = router.merge(demo::router(config.secret, config.origins.clone()));
    }
    node.serve_http(router);
    let address = node.address();
    announce(&json!({ "listening": format!("http://{address}") }))?;
    tracing::info!(%address, shards = config.shards, demo = config.demo, engine = "memory", "serving");
    let statistics = async {
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
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = interrupt.recv() => {}
        () = statistics => {}
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

/// The one line on standard output.
fn announce(line: &serde_json::Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    writeln!(out, "{line}").and_then(|()| out.flush()).context("standard output is closed")
}

fn limits(profile: Profile) -> shard::Limits {
    let mut limits = shard::Limits::default();
    if profile != Profile::Standard {
        limits.session.messages_per_second = 1_000_000;
        limits.session.burst = 1_000_000;
        limits.session.unacked_max = 1 << 20;
        tracing::warn!(
            ?profile,
            "limits are lifted for a load generator: messages, burst, unacknowledged sends"
        );
    }
    limits
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
