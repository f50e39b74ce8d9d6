//! From the configuration to a node's gate, its limits and where its keys come from: all that can follow the file while the
//! node runs is made here, the first time and again.

use std::path::Path;

use anyhow::{Context, Result};
use identity::{KeyRing, ProvingKey, Secret, TokenRules};
use node::{Auth, Authorizing, Crowd, From, Gate, KeySource, MountPoint, Offers, OnFailure, Origins, Words};
use vocabulary::Asks;

use crate::config::{self, Config, Hidden, MountAuth, Typed};
use crate::memory;

/// The conformance suites' own mount.
pub(crate) const ECHO: &str = "/conformance/echo";

pub(crate) fn gate(config: &Config, secret: Option<&Secret>) -> Result<Gate> {
    let settings = &config.typed;
    let keys = KeyRing::new(keys(settings, secret)?, settings.auth.key_sets.len(), rules(settings));
    Ok(Gate {
        keys,
        mounts: mounts(config),
        crowd: crowd(settings),
        trusted: settings.trusted_proxies.clone(),
    })
}

/// What of it follows a new file. Sets of keys and revocations stay, and so do the mounts themselves.
pub(crate) fn follow(gate: &mut Gate, new: Gate) {
    gate.keys.fixed = new.keys.fixed;
    gate.keys.rules = new.keys.rules;
    gate.crowd = new.crowd;
    gate.trusted = new.trusted;
    for mount in &mut gate.mounts {
        if let Some(of_file) = new.mounts.iter().find(|it| it.path == mount.path) {
            mount.origins = of_file.origins.clone();
            mount.token_in_query = of_file.token_in_query;
        }
    }
}

pub(crate) fn sources(settings: &Typed) -> Vec<KeySource> {
    let source = |set: &config::KeySet| KeySource {
        from: match &set.at {
            config::KeysAt::File(path) => From::File(path.clone()),
            config::KeysAt::Url(url) => From::Url(url.clone()),
        },
        algorithms: set.algorithms.clone(),
        issuer: set.issuer.clone(),
        refresh: set.refresh,
    };
    settings.auth.key_sets.iter().map(source).collect()
}

/// Who else is asked, if somebody is.
pub(crate) fn authorizer(settings: &Typed) -> Option<Authorizing> {
    let of_file = settings.authorizer.as_ref()?;
    let Hidden(secret) = &of_file.secret;
    Some(Authorizing {
        url: of_file.url.clone(),
        secret: secret.clone(),
        asks: Asks {
            connect: of_file.connect,
            join: of_file.join,
            publish: of_file.publish,
            rooms: of_file.rooms.iter().map(|room| room.as_str().into()).collect(),
        },
        within: of_file.timeout,
        allowed_for: of_file.cache_allowed,
        refused_for: of_file.cache_refused,
        entries_max: of_file.cache_entries,
        at_once: of_file.at_once,
        waiting_max: of_file.waiting,
        on_failure: if of_file.allows { OnFailure::Allow } else { OnFailure::Refuse },
    })
}

fn keys(settings: &Typed, secret: Option<&Secret>) -> Result<Vec<ProvingKey>> {
    let ours = secret.into_iter().map(|secret| Ok(secret.proving()));
    let key = |(index, key): (usize, &config::Key)| {
        let id = key.id.clone();
        let key = match &key.proof {
            config::Proof::Shared { algorithm, secret: Hidden(secret) } => {
                ProvingKey::secret(id, *algorithm, secret.as_bytes())
            }
            config::Proof::Public { algorithm, pem } => ProvingKey::public(id, *algorithm, pem),
        };
        key.with_context(|| format!("auth.keys[{index}]"))
    };
    ours.chain(settings.auth.keys.iter().enumerate().map(key)).collect()
}

fn rules(settings: &Typed) -> TokenRules {
    let auth = &settings.auth;
    TokenRules {
        issuer: auth.issuer.clone(),
        audience: auth.audience.clone(),
        leeway: auth.leeway,
        user_claims: auth.user_claims.clone(),
        name_claims: auth.name_claims.clone(),
        role_claim: auth.role_claim.clone(),
        rooms_claim: auth.rooms_claim.clone(),
        groups_claim: auth.groups_claim.clone(),
    }
}

/// As pages of live scoring and phones of drivers know it, and the logs of their services.
fn words(speaks: config::Speaks) -> Words {
    let unproven = "Unauthorized: Invalid JWT";
    match speaks {
        config::Speaks::Match(config::Side::Viewers) => {
            Words { unproven, unsent: "Failed to write to viewer", ..Words::default() }
        }
        config::Speaks::Match(config::Side::Scorers) => Words { unproven, ..Words::default() },
        config::Speaks::Ride => Words {
            unproven: "Authentication failed",
            unproven_body: Some(r#"{"error":"Authentication failed","message":"Authentication failed"}"#),
            came: "WebSocket client connected",
            gone: "WebSocket client disconnected",
            replaced: "Replaced existing WebSocket connection",
            ..Words::default()
        },
        _ => Words::default(),
    }
}

fn mounts(config: &Config) -> Vec<MountPoint> {
    let mount = |mount: &config::Mount| MountPoint {
        path: node::Path::new(&mount.path),
        auth: match mount.auth {
            MountAuth::Token => Auth::Token,
            MountAuth::Optional => Auth::Optional,
            MountAuth::InBand => Auth::InBand,
            MountAuth::TrustPath => Auth::TrustPath,
            MountAuth::Public => Auth::Public,
        },
        origins: origins(config, &mount.allowed_origins),
        token_in_query: mount.token_in_query,
        user_in_query: mount.speaks == config::Speaks::Hub,
        words: words(mount.speaks),
        offers: match mount.framing {
            config::Framing::WebSocket => {
                let compression = matches!(mount.compression, config::Compression::From(_));
                Offers::WebSocket { compression }
            }
            config::Framing::Events => Offers::Events,
        },
    };
    let echo = || MountPoint {
        path: node::Path::new(ECHO),
        auth: Auth::Public,
        origins: Origins::All,
        token_in_query: false,
        user_in_query: false,
        words: Words::default(),
        offers: Offers::WebSocket { compression: true },
    };
    config.typed.mounts.iter().map(mount).chain(config.conformance.then(echo)).collect()
}

/// Who may connect where nothing is listed: our own pages, and on a developer's machine those of any local port.
pub(crate) fn origins(config: &Config, listed: &[String]) -> Origins {
    match listed {
        [] => Origins::Own { loopback: config.demo && config.typed.listen.ip().is_loopback() },
        listed if listed.iter().any(|origin| origin == "*") => Origins::All,
        listed => Origins::listed(listed),
    }
}

fn crowd(settings: &Typed) -> Crowd {
    let limits = &settings.limits;
    Crowd {
        connections_per_user: limits.connections_per_user,
        connections_per_address: limits.connections_per_address,
        exempt: limits.exempt_addresses.clone(),
        greetings_max: limits.greetings_max,
        accepts_per_second: limits.accepts_per_second.unwrap_or(0),
    }
}

pub(crate) fn limits(settings: &Typed) -> shard::Limits {
    let (limits, websocket) = (&settings.limits, &settings.websocket);
    let session = session::Limits {
        messages_per_second: limits.messages_per_second,
        burst: limits.burst,
        refusals_per_second: limits.refusals_per_second,
        unacked_max: limits.unacked_max,
        rooms_max: limits.rooms_per_connection,
        hello: websocket.handshake_timeout,
    };
    shard::Limits {
        session,
        outbox_frames_max: limits.outbox_messages,
        outbox_bytes_max: limits.outbox_bytes,
        ping: websocket.ping_period,
        pong: websocket.read_timeout,
        write: websocket.write_timeout,
        message: limits.message_within,
        control_frames_per_second: limits.control_frames_per_second,
        says_broadcasts: node::log_wants_broadcasts(),
        ..shard::Limits::default()
    }
}

/// The same, where it is known how much memory there is: a quarter of it is for messages that are not whole yet, because a vector that
/// grows has up to twice what is in it.
pub(crate) fn limits_within(settings: &Typed, budget: Option<u64>) -> shard::Limits {
    let mut limits = limits(settings);
    if let Some(budget) = budget {
        let each = budget / 4 / u64::from(settings.shards.max(1));
        // One message may always be said.
        let least = settings.websocket.max_message_size as u64;
        limits.begun_bytes_max = each.max(least) as usize;
    }
    limits
}

/// How much memory may be used, where that is known.
pub(crate) fn budget(settings: &Typed) -> Option<u64> {
    memory::given().map(|(given, _)| settings.limits.memory.of(given))
}

/// Certificate and key, if there are any.
pub(crate) fn tls(settings: &Typed) -> Result<Option<node::Tls>> {
    let Some(tls) = &settings.tls else { return Ok(None) };
    let (certificate, key): (&Path, &Path) = (&tls.certificate, &tls.key);
    node::Tls::read(certificate, key).map(Some).context("tls")
}
