//! `kulkul serve`: a node from its configuration, until a signal ends it.

use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use node::{Facts, Listen, Node, StartError};
use serde_json::json;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::Notify;

use crate::apps::Furniture;
use crate::bridges::Ways;
use crate::config::{self, Config, Place};
use crate::engines::Ground;
use crate::in_force::InForce;
use crate::options::{Profile, Serve};
use crate::reload::Read;
use crate::renewal::{self, Renewal};
use crate::systemd::{self, Given};
use crate::{backend, bridges, demo, engines, gate, log, matches, operator, pages, rides, secret, visitors};

/// Engines whose news may drop say so when it happens, and rooms look then; this is for what nobody noticed.
const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// How often it is looked whether the node still can be trusted.
const PULSE: Duration = Duration::from_millis(50);
/// A node of which a part is broken may not come to its end.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(5);
const STATISTICS_EVERY: Duration = Duration::from_secs(60);

pub(crate) fn run(typed: &Serve) -> Result<()> {
    let given = systemd::sockets()?;
    // Where systemd listens counts like a word of the command line, with all that is asked of an address.
    let listen = systemd::address(given.public.as_ref())?.or(typed.listen);
    let typed = &Serve { listen, ..typed.clone() };
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
    let served = runtime.block_on(serve(typed, config, dial, given));
    // A start that was given up may still wait for its engine; it ends with the process.
    runtime.shutdown_background();
    served
}

struct Signals {
    /// An operator asked for what SIGTERM does.
    drain: Arc<Notify>,
    terminate: Signal,
    interrupt: Signal,
    hang_up: Option<Signal>,
}

impl Signals {
    /// In demo mode there is nothing to read again, and a closed terminal ends the server as it does any program.
    fn heard(demo: bool) -> Result<Signals> {
        let hang_up = if demo { None } else { Some(signal(SignalKind::hangup())?) };
        let (terminate, interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
        Ok(Signals { drain: Arc::default(), terminate, interrupt, hang_up })
    }

    async fn end_asked(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
            () = self.drain.notified() => {}
        }
    }
}

async fn serve(typed: &Serve, config: Config, dial: log::Dial, given: Given) -> Result<()> {
    let secret = secret::of(&config)?;
    let settings = &config.typed;
    let in_force = InForce::begins(&config);
    let furniture = Furniture {
        notices: settings.presence_notices,
        chat: settings.chat.clone(),
        support: settings.support.clone(),
        rides: settings.rides.clone(),
        outward: settings
            .redis_bridge
            .as_ref()
            .is_some_and(|bridge| bridge.relay.is_some() || bridge.members),
        outward_changes: settings.redis_bridge.as_ref().is_some_and(|bridge| bridge.members),
        sinks: bridges::sinks(settings),
        conformance: config.conformance,
        mounts: settings.mounts.clone(),
        fragments_max: settings.limits.fragments_max,
    };
    let apps: Vec<String> = node::Furnish::apps(&furniture).names().map(str::to_owned).collect();
    let sealed = gate::tls(settings)?;
    let gate = gate::gate(&config, secret.as_ref())?;
    let sockets = gate.mounts.iter().filter(|mount| mount.offers != node::Offers::Events);
    let sockets_at: Vec<String> = sockets.map(|mount| mount.path.as_str().to_owned()).collect();
    let budget = gate::budget(settings);
    let ways = Ways::of(settings);
    let listen = given.public.map_or(Listen::At(settings.listen), Listen::On);
    let node = node_config(settings, listen, (gate, sealed.clone()), budget, &ways)?;
    let mut signals = Signals::heard(config.demo)?;
    // It may wait long for its engine, and whoever ends the process meanwhile does not.
    let start = tokio::task::spawn_blocking(move || Node::start(node, Arc::new(furniture)));
    let started = tokio::select! {
        started = start => started.context("the start broke off")?,
        () = signals.end_asked() => return given_up(),
    };
    let mut node = started.map_err(|error| match error {
        StartError::Listen(error) => anyhow::Error::new(error)
            .context(format!("cannot listen on {}; is something else there? Try --listen", settings.listen)),
        StartError::Engine(error) => anyhow::anyhow!("the engine {:?}: {error}", settings.engine.name()),
        StartError::Threads(error) => anyhow::Error::new(error).context("cannot start"),
        refused @ StartError::Durability { .. } => anyhow::Error::new(refused),
    })?;
    let facts = node.facts();
    if let Some(described) = visitors::described(settings, config.demo, node.address().port()) {
        facts.describe(described);
    }
    let bridges = ways.start(settings, &node, &facts)?;
    let mut router =
        node::router(facts.clone(), &sockets_at).merge(pages::router(&pages::embedders(&config)));
    let guard = operator::Guard::of(settings, settings.listen.ip());
    let mut hubs = settings.mounts.iter().filter(|mount| mount.speaks == config::Speaks::Hub).peekable();
    if let Some(app) = hubs.peek().map(|mount| mount.app.clone()) {
        let paths = hubs.map(|mount| mount.path.clone()).collect();
        let asks = gate::authorizer(settings).map_or_else(Default::default, |it| it.asks);
        router = router.merge(http_api::hub::router(node.desk(), node.prover(), paths, app, asks));
    }
    router = router.merge(visitors::router(settings, &node, secret.as_ref()));
    router = router.merge(matches::router(settings, &node));
    router = router.merge(rides::router(settings, &node, config.demo));
    if let Some(secret) = secret.filter(|_| config.demo) {
        let origins = gate::origins(&config, &settings.websocket.allowed_origins);
        router = router.merge(demo::router(secret, origins, settings.auth.groups_claim.clone()));
    }
    if config.demo {
        router = router.merge(node::figures(facts.clone()));
    }
    let api = || -> Result<(axum::Router, axum::Router)> {
        let keys = backend::keys(&config)?;
        let internal = rides::internal(settings, &node, keys.clone());
        let operators = operator::router(&node, keys.clone(), (settings, &apps, &in_force, &signals.drain));
        let back_ends = http_api::router(node.desk(), keys, node::CALLS_AT_ONCE_MAX).merge(internal);
        Ok((back_ends, operators))
    };
    if config.demo {
        let (back_ends, operators) = api()?;
        let operators = operators.merge(pages::console(false)).merge(node::happenings(facts.clone()));
        router = router.merge(back_ends).merge(guard.before(operators));
    }
    let (back_ends, operators) = api()?;
    let api = back_ends.merge(operators);
    node.serve_http(router);
    node.keep_hour();
    let operator = match (given.operator, settings.operator_listen) {
        (Some(given), _) => Some(operator::serve(operator::given(given)?, &node, api, settings)?),
        (None, Some(address)) => {
            Some(operator::serve(operator::listener(address).await?, &node, api, settings)?)
        }
        (None, None) => None,
    };
    match budget {
        Some(bytes) => node.hold_memory(bytes),
        None => tracing::warn!("cannot tell how much memory there is: nothing is shed for it"),
    }
    let address = node.address();
    let scheme = if sealed.is_some() { "https" } else { "http" };
    systemd::serves(&format!("{scheme}://{address}"));
    announce(&ready_line(&format!("{scheme}://{address}"), operator))?;
    tracing::info!(%address, shards = config.typed.shards, demo = config.demo, engine = settings.engine.name(), "serving");
    let mut renewal = settings.tls.clone().zip(sealed).map(|(files, sealed)| Renewal::of(files, sealed));
    let mut read = Read::begins(&config);
    let mut look = tokio::time::interval(renewal::LOOK_EVERY);
    look.tick().await;
    let mut pulse = tokio::time::interval(PULSE);
    let statistics = tell_statistics(&facts);
    let live = systemd::live(node.pulse());
    tokio::pin!(statistics, live);
    let drain = signals.drain.clone();
    loop {
        tokio::select! {
            _ = signals.terminate.recv() => break,
            _ = signals.interrupt.recv() => break,
            () = drain.notified() => break,
            Some(()) = hung_up(&mut signals.hang_up) => {
                systemd::reads_again();
                read.again(typed, &dial, &node.helm());
                in_force.follows(&config, read.last());
                renewal.iter_mut().for_each(Renewal::look);
                systemd::has_read();
            }
            _ = look.tick() => renewal.iter_mut().for_each(Renewal::tick),
            _ = pulse.tick() => if let Some(why) = facts.broken() { return broken(node, &why).await },
            () = &mut statistics => break,
            () = &mut live => break,
        }
    }
    bridges.stop_reading().await;
    let ended = drained(node, &mut signals).await;
    bridges.end();
    ended
}

/// What is left of the node cannot be trusted with anything new: everybody is told to come back elsewhere, at once, and the
/// process ends with an error, so that whoever looks after it begins it again.
async fn broken(node: Node, why: &str) -> Result<()> {
    tracing::error!(why, "the process ends, and clients are told to come back");
    let hasten = node.hastener();
    let drain = node.drain();
    tokio::pin!(drain);
    let at_once = async {
        tokio::time::sleep(PULSE).await;
        Node::hasten(&hasten);
        std::future::pending::<()>().await;
    };
    let told = async {
        tokio::select! {
            _ = &mut drain => {}
            () = at_once => {}
        }
    };
    tokio::time::timeout(LAST_WORDS_WITHIN, told).await.ok();
    bail!("{why}: what was acknowledged is stored; the log says more")
}

/// Nobody was let in yet, so that nobody is to be told.
#[expect(clippy::unnecessary_wraps, reason = "it is what the process ends with")]
fn given_up() -> Result<()> {
    tracing::info!("ended before it served");
    Ok(())
}

/// With names that no other life of this node has had.
fn node_config(
    settings: &config::Typed,
    listen: Listen,
    (gate, tls): (node::Gate, Option<node::Tls>),
    budget: Option<u64>,
    ways: &Ways,
) -> Result<node::Config> {
    let mut tags = [0; 12];
    getrandom::fill(&mut tags).map_err(|error| anyhow::anyhow!("no randomness to be had: {error}"))?;
    let [tag @ .., a, b, c, d] = tags;
    let (mut room_limits, start_tag) = (rooms::Limits::default(), u32::from_le_bytes([a, b, c, d]));
    room_limits.look_again = LOOK_AGAIN;
    Ok(node::Config {
        listen,
        shards: settings.shards,
        gate,
        key_sources: gate::sources(settings),
        authorizer: gate::authorizer(settings),
        tls,
        limits: gate::limits_within(settings, budget),
        engine: engines::engine(settings, &Ground { start_tag, lease: room_limits.lease, budget }),
        durability: settings.durability,
        room_limits,
        outlet: ways.outlet.clone(),
        owed: ways.owed.clone(),
        node_tag: u64::from_le_bytes(tag),
        start_tag,
        handshake: settings.websocket.handshake_timeout,
    })
}

/// Everybody is told to come back elsewhere, and then it ends; asked once more, it ends at once.
async fn drained(node: Node, signals: &mut Signals) -> Result<()> {
    let connections = node.facts().health().total;
    systemd::drains(connections);
    tracing::info!(connections, "draining");
    let hasten = node.hastener();
    let drain = node.drain();
    tokio::pin!(drain);
    let drained = loop {
        tokio::select! {
            drained = &mut drain => break drained,
            () = signals.end_asked() => Node::hasten(&hasten),
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
