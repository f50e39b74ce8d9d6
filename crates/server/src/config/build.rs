//! From sound settings to typed ones: which key becomes which field. Nothing is checked here any more.

use std::time::Duration;

use engine::Durability;
use engine_nats::Keeps;
use http_api::Scope;
use identity::Algorithm;

use super::kind::File;
use super::rows::SECRET_BYTES_MIN;
use super::settings::{Entry, Section, Settings};
use super::typed::{
    ApiKey, Auth, Authorizer, Chat, Compression, Framing, Hidden, Key, KeySet, KeysAt, Limits, Log,
    LogFormat, Mount, MountAuth, Nats, Proof, Redis, Side, Signing, Speaks, Tls, Typed, WebSocket,
};
use super::{bridges, kafka, nats_bridge, rides, support, webhooks};
use crate::options::{self, Engine};

const DAY_SECONDS: u64 = 24 * 3600;

pub(super) fn typed(settings: &Settings) -> Typed {
    let top = &settings.top;
    let (websocket, limits, auth) = (websocket(top), limits(top), auth(settings));
    let mounts = settings.entries("mounts").iter();
    let mounts = mounts.map(|entry| mount(top, &entry.section, &websocket, &auth));
    Typed {
        listen: top.get("listen"),
        operator_listen: top.maybe("operator_listen"),
        operator_origins: top.get("operator.origins"),
        data: top.get("data"),
        shards: top.get("shards"),
        engine: options::engine(&top.get::<String>("engine")).unwrap_or(Engine::Disk),
        disk_sync: match top.get::<String>("disk.sync").as_str() {
            "process" => engine_disk::Sync::Process,
            _ => engine_disk::Sync::Always,
        },
        engine_prefix: top.get("engine_prefix"),
        durability: durability(top, "durability"),
        redis: redis(top),
        nats: nats(top),
        signing: signing(settings),
        presence_notices: top.get("presence_notices"),
        chat: chat(settings),
        support: support::support(settings),
        rides: rides::rides(settings),
        redis_bridge: bridges::redis(top),
        kafka_bridge: kafka::typed(settings),
        nats_bridge: nats_bridge::typed(settings),
        webhooks: webhooks::typed(settings),
        log: Log { level: top.get("log.level"), format: log_format(&top.get::<String>("log.format")) },
        tls: tls(top),
        trusted_proxies: top.get("proxies.trusted"),
        mounts: mounts.collect(),
        api_keys: settings.entries("api.keys").iter().filter_map(api_key).collect(),
        authorizer: authorizer(top),
        websocket,
        limits,
        auth,
    }
}

fn chat(settings: &Settings) -> Chat {
    let top = &settings.top;
    let retention_days: u32 = top.get("chat.retention_days");
    let room = |entry: &Entry| chat::RoomRule {
        pattern: entry.section.get("pattern"),
        join: entry.section.get("join"),
        send: entry.section.get("send"),
        create: entry.section.get("create"),
    };
    let rules = chat::Rules {
        messages_per_second: top.get("chat.messages_per_second"),
        burst: top.get("chat.burst"),
        wardens: top.get("chat.wardens"),
        retention_days,
        rooms: settings.entries("chat.rooms").iter().map(room).collect(),
    };
    Chat {
        rules,
        retention_records: top.get::<usize>("chat.retention_records") as u64,
        retention_age: (retention_days > 0)
            .then(|| Duration::from_secs(u64::from(retention_days) * DAY_SECONDS)),
    }
}

fn redis(top: &Section) -> Redis {
    Redis {
        cluster: top.get("redis.cluster"),
        connections: top.get("redis.connections"),
        authorities: top.maybe("redis.authorities"),
        durability: durability(top, "redis.durability"),
    }
}

fn durability(top: &Section, path: &str) -> Durability {
    let name = top.get::<String>(path);
    Durability::ALL.into_iter().find(|it| it.name() == name).unwrap_or_default()
}

fn nats(top: &Section) -> Nats {
    Nats {
        keeps: match top.get::<String>("nats.keeps").as_str() {
            "memory" => Keeps::InMemory,
            "disk-synced" => Keeps::OnDiskSynced,
            _ => Keeps::OnDisk,
        },
        replicas: top.get::<String>("nats.replicas").parse().unwrap_or(1),
        credentials: top.maybe("nats.credentials"),
        authorities: top.maybe("nats.authorities"),
        domain: top.maybe("nats.domain"),
        log_bytes: top.maybe::<usize>("nats.log_bytes").map(|bytes| bytes as u64),
    }
}

fn log_format(name: &str) -> LogFormat {
    match name {
        "json" => LogFormat::Json,
        "text" => LogFormat::Text,
        _ => LogFormat::Auto,
    }
}

fn tls(top: &Section) -> Option<Tls> {
    Some(Tls { certificate: top.maybe("tls.certificate")?, key: top.maybe("tls.key")? })
}

fn signing(settings: &Settings) -> Signing {
    let others = ["auth.keys", "auth.jwks"].iter().any(|group| !settings.entries(group).is_empty());
    match secret(&settings.top) {
        Some(secret) => Signing::Secret(secret),
        None if others => Signing::Others,
        None => Signing::Folder,
    }
}

/// A `secret`, or what its file holds; a file of fewer bytes holds none.
pub(super) fn secret(section: &Section) -> Option<Hidden> {
    secret_at(section, "secret", "secret_file")
}

pub(super) fn secret_at(section: &Section, written: &str, file: &str) -> Option<Hidden> {
    let written = || section.maybe::<String>(written);
    let kept = section.maybe::<File>(file).map(|file| file.text.trim().to_owned());
    kept.or_else(written).filter(|text| text.len() >= SECRET_BYTES_MIN).map(Hidden)
}

fn websocket(top: &Section) -> WebSocket {
    WebSocket {
        handshake_timeout: top.get("websocket.handshake_timeout"),
        read_timeout: top.get("websocket.read_timeout"),
        write_timeout: top.get("websocket.write_timeout"),
        ping_period: top.get("websocket.ping_period"),
        max_message_size: top.get("websocket.max_message_size"),
        allowed_origins: top.get("websocket.allowed_origins"),
        compression: compression(top, top.get("websocket.compression")),
    }
}

fn compression(top: &Section, switched_on: bool) -> Compression {
    match switched_on {
        true => Compression::From(top.get("websocket.compression_from")),
        false => Compression::Off,
    }
}

fn limits(top: &Section) -> Limits {
    let seconds: u32 = top.get("limits.message_seconds");
    Limits {
        messages_per_second: top.get("limits.messages_per_second"),
        burst: top.get("limits.burst"),
        refusals_per_second: top.get("limits.refusals_per_second"),
        unacked_max: top.get("limits.unacked_max"),
        rooms_per_connection: top.get("limits.rooms_per_connection"),
        connections_per_user: top.get("limits.connections_per_user"),
        connections_per_address: top.get("limits.connections_per_address"),
        exempt_addresses: top.get("limits.exempt_addresses"),
        greetings_max: top.get("limits.greetings_max"),
        accepts_per_second: top.maybe("limits.accepts_per_second").filter(|accepts| *accepts > 0),
        control_frames_per_second: top.get("limits.control_frames_per_second"),
        fragments_max: top.get("limits.fragments_max"),
        message_within: Duration::from_secs(seconds.into()),
        outbox_messages: top.get("limits.outbox_messages"),
        outbox_bytes: top.get("limits.outbox_bytes"),
        memory: top.get("limits.memory"),
    }
}

fn auth(settings: &Settings) -> Auth {
    let top = &settings.top;
    Auth {
        issuer: top.maybe("auth.issuer"),
        audience: top.maybe("auth.audience"),
        leeway: top.get("auth.leeway"),
        token_in_query: top.get("auth.token_in_query"),
        user_claims: top.get("auth.user_claims"),
        name_claims: top.get("auth.name_claims"),
        role_claim: top.get("auth.role_claim"),
        rooms_claim: top.get("auth.rooms_claim"),
        groups_claim: top.get("auth.groups_claim"),
        keys: settings.entries("auth.keys").iter().filter_map(key).collect(),
        key_sets: settings.entries("auth.jwks").iter().filter_map(key_set).collect(),
    }
}

fn key(entry: &Entry) -> Option<Key> {
    let section = &entry.section;
    let algorithm = algorithm(&section.get::<String>("algorithm"))?;
    let proof = if algorithm.is_secret() {
        Proof::Shared { algorithm, secret: secret(section)? }
    } else {
        let kept = section.maybe::<File>("public_key_file").map(|file| file.text);
        Proof::Public { algorithm, pem: kept.or_else(|| section.maybe("public_key"))? }
    };
    Some(Key { id: section.maybe("id"), proof })
}

fn api_key(entry: &Entry) -> Option<ApiKey> {
    let section = &entry.section;
    let scopes: Vec<String> = section.get("scopes");
    let named = |scope: &Scope| scopes.iter().any(|name| name == scope.name());
    Some(ApiKey {
        name: section.maybe("name")?,
        secret: secret(section)?,
        scopes: Scope::ALL.into_iter().filter(named).collect(),
        rooms: section.get("rooms"),
    })
}

fn authorizer(top: &Section) -> Option<Authorizer> {
    let asks: Vec<String> = top.get("authorizer.asks");
    let asks = |what: &str| asks.iter().any(|it| it == what);
    Some(Authorizer {
        url: top.maybe("authorizer.url")?,
        secret: secret_at(top, "authorizer.secret", "authorizer.secret_file")?,
        connect: asks("connect"),
        join: asks("join"),
        publish: asks("publish"),
        rooms: top.get("authorizer.rooms"),
        timeout: top.get("authorizer.timeout"),
        allows: top.get::<String>("authorizer.on_failure") == "allow",
        cache_allowed: top.get("authorizer.cache_allowed"),
        cache_refused: top.get("authorizer.cache_refused"),
        cache_entries: top.get("authorizer.cache_entries"),
        at_once: top.get("authorizer.at_once"),
        waiting: top.get("authorizer.waiting"),
    })
}

fn key_set(entry: &Entry) -> Option<KeySet> {
    let section = &entry.section;
    let file = section.maybe("file").map(KeysAt::File);
    let names: Vec<String> = section.get("algorithms");
    Some(KeySet {
        at: file.or_else(|| section.maybe("url").map(KeysAt::Url))?,
        algorithms: names.iter().filter_map(|name| algorithm(name)).collect(),
        issuer: section.maybe("issuer"),
        refresh: section.get("refresh"),
    })
}

/// As the schema's choices are written.
pub(super) fn algorithm(name: &str) -> Option<Algorithm> {
    name.parse().ok()
}

/// What hub clients may say in one room, where nothing else is written.
const ROOM_PER_SECOND: u32 = 10;
const ROOM_BURST: u32 = 20;

fn app_of(speaks: Speaks) -> &'static str {
    match speaks {
        Speaks::Livechat => "support",
        Speaks::Match(_) => "scores",
        Speaks::Ride => "rides",
        Speaks::Rooms | Speaks::Hub | Speaks::Echo => "chat",
    }
}

/// The longest text of a session in the widest letters, with all the attachments that it may have; and the whole state of a
/// scorer's page, with two squads and the figures of each player.
const LONG_MESSAGE_BYTES: u32 = 64 << 10;

/// Two places with all their digits, a reason in the widest letters, and what else phones say of themselves.
const RIDE_MESSAGE_BYTES: u32 = 8 << 10;

fn mount(top: &Section, section: &Section, websocket: &WebSocket, auth: &Auth) -> Mount {
    let own_compression: Option<bool> = section.maybe("compression");
    let speaks = match section.get::<String>("protocol").as_str() {
        "hub" => Speaks::Hub,
        "livechat" => Speaks::Livechat,
        "match" if section.get("viewers") => Speaks::Match(Side::Viewers),
        "match" => Speaks::Match(Side::Scorers),
        "ride" => Speaks::Ride,
        "echo" => Speaks::Echo,
        _ => Speaks::Rooms,
    };
    let of_room = (section.maybe("room_messages_per_second"), section.maybe("room_burst"));
    Mount {
        compression: own_compression.map_or(websocket.compression, |on| compression(top, on)),
        path: section.get("path"),
        of_room: match (speaks, of_room) {
            (
                Speaks::Rooms | Speaks::Livechat | Speaks::Match(_) | Speaks::Ride | Speaks::Echo,
                (None, None),
            ) => None,
            (_, (per_second, burst)) => {
                Some((per_second.unwrap_or(ROOM_PER_SECOND), burst.unwrap_or(ROOM_BURST)))
            }
        },
        speaks,
        app: section.maybe("app").unwrap_or_else(|| app_of(speaks).to_owned()),
        auth: match section.get::<String>("auth").as_str() {
            "optional" => MountAuth::Optional,
            "in-band" => MountAuth::InBand,
            "trust-path" => MountAuth::TrustPath,
            "public" => MountAuth::Public,
            _ => MountAuth::Token,
        },
        framing: match section.get::<String>("framing").as_str() {
            "events" => Framing::Events,
            _ => Framing::WebSocket,
        },
        allowed_origins: section
            .maybe("allowed_origins")
            .unwrap_or_else(|| websocket.allowed_origins.clone()),
        token_in_query: section.maybe("token_in_query").unwrap_or(auth.token_in_query),
        max_message_size: section.maybe("max_message_size").unwrap_or(match speaks {
            Speaks::Livechat | Speaks::Match(Side::Scorers) => {
                websocket.max_message_size.max(LONG_MESSAGE_BYTES)
            }
            Speaks::Ride => websocket.max_message_size.max(RIDE_MESSAGE_BYTES),
            Speaks::Rooms | Speaks::Hub | Speaks::Match(Side::Viewers) | Speaks::Echo => {
                websocket.max_message_size
            }
        }),
        messages_per_second: section.maybe("messages_per_second"),
        burst: section.maybe("burst"),
        one_per_user: section.maybe("one_per_user").unwrap_or(speaks == Speaks::Ride),
    }
}
