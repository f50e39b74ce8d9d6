//! The configuration as the program needs it: plain values, no keys, no places. Made of settings that were found sound; it
//! decides nothing itself.

use http_api::Scope;
use identity::Algorithm;
use node::Network;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use super::units::Memory;
use crate::options::Engine;

pub(crate) struct Typed {
    pub listen: SocketAddr,
    /// None in demo mode, where the main listener shows everything.
    pub operator_listen: Option<SocketAddr>,
    pub operator_origins: Vec<String>,
    pub data: PathBuf,
    pub shards: u16,
    pub engine: Engine,
    pub disk_sync: engine_disk::Sync,
    pub engine_prefix: String,
    pub durability: engine::Durability,
    pub redis: Redis,
    pub nats: Nats,
    pub signing: Signing,
    pub presence_notices: bool,
    pub chat: Chat,
    pub support: super::Support,
    pub rides: super::Rides,
    pub redis_bridge: Option<RedisBridge>,
    pub kafka_bridge: Option<KafkaBridge>,
    pub nats_bridge: Option<NatsBridge>,
    pub webhooks: Vec<Webhook>,
    pub log: Log,
    pub tls: Option<Tls>,
    pub trusted_proxies: Vec<Network>,
    pub auth: Auth,
    pub websocket: WebSocket,
    pub limits: Limits,
    pub mounts: Vec<Mount>,
    pub api_keys: Vec<ApiKey>,
    pub authorizer: Option<Authorizer>,
}

pub(crate) struct ApiKey {
    pub name: String,
    pub secret: Hidden,
    pub scopes: Vec<Scope>,
    pub rooms: Vec<String>,
}

#[derive(Clone)]
pub(crate) struct Chat {
    pub rules: chat::Rules,
    pub retention_records: u64,
    /// None: for as long as they are not too many.
    pub retention_age: Option<Duration>,
}

pub(crate) struct Authorizer {
    pub url: String,
    pub secret: Hidden,
    pub connect: bool,
    pub join: bool,
    pub publish: bool,
    pub rooms: Vec<String>,
    pub timeout: Duration,
    /// What holds without an answer.
    pub allows: bool,
    pub cache_allowed: Duration,
    pub cache_refused: Duration,
    pub cache_entries: usize,
    pub at_once: usize,
    pub waiting: usize,
}

/// Beside its address, which the engine has.
pub(crate) struct Redis {
    pub cluster: bool,
    pub connections: usize,
    pub authorities: Option<PathBuf>,
    pub durability: engine::Durability,
}

pub(crate) struct RedisBridge {
    /// With its password.
    pub url: Hidden,
    pub authorities: Option<PathBuf>,
    pub channels: bool,
    pub relay: Option<String>,
    pub app: String,
    pub presence: bool,
    pub members: bool,
    pub lease: Duration,
}

#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "this build has no such bridge"))]
pub(crate) struct KafkaBridge {
    pub brokers: Vec<String>,
    pub group: String,
    pub name: String,
    pub session: Duration,
    pub dead_letters: String,
    pub livechat: bool,
    pub tls: bool,
    pub authorities: Option<PathBuf>,
    /// A certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    /// The mechanism as brokers call it, a user, a password.
    pub sasl: Option<(String, String, Hidden)>,
    pub sources: Vec<KafkaSource>,
    pub sinks: Vec<KafkaSink>,
    /// Apps whose rooms these are, and that of the livechat topics.
    pub sink_apps: Vec<String>,
}

#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "this build has no such bridge"))]
pub(crate) struct KafkaSink {
    pub rooms: String,
    pub topic: String,
    pub key: String,
}

/// With fields of records in braces, which were found to stand in pairs.
#[cfg_attr(not(feature = "kafka"), expect(dead_code, reason = "this build has no such bridge"))]
pub(crate) struct KafkaSource {
    pub topic: String,
    pub room: String,
    pub kind: String,
    pub payload: Option<String>,
    pub id: Option<String>,
    pub author: Option<String>,
    pub author_name: Option<String>,
    pub soft: bool,
}

pub(crate) struct NatsBridge {
    /// With a password, perhaps.
    pub url: Hidden,
    pub credentials: Option<PathBuf>,
    pub token: Option<Hidden>,
    pub nkey: Option<Hidden>,
    pub tls: bool,
    pub tls_first: bool,
    pub authorities: Option<PathBuf>,
    /// A certificate and its key.
    pub identity: Option<(PathBuf, PathBuf)>,
    pub domain: Option<String>,
    pub group: String,
    pub hold: Duration,
    pub dead_letters: String,
    pub rides: bool,
    pub sources: Vec<NatsSource>,
    pub sinks: Vec<NatsSink>,
    /// Apps whose rooms these are, and that of the subjects of rides.
    pub sink_apps: Vec<String>,
}

/// With fields of messages in braces, which were found to stand in pairs.
pub(crate) struct NatsSource {
    pub subject: String,
    pub from: NatsFrom,
    pub to: NatsTo,
    pub kind: String,
    pub payload: Option<String>,
    pub id: Option<String>,
    pub author: Option<String>,
    pub author_name: Option<String>,
    pub soft: bool,
}

pub(crate) enum NatsFrom {
    Stream { name: Option<String>, durable: String, all: bool, deliver_max: u32, in_order: bool },
    Plain,
}

pub(crate) enum NatsTo {
    Room(String),
    Users(String),
}

pub(crate) struct NatsSink {
    pub rooms: String,
    pub subject: String,
}

/// A back end that is told what is said in rooms.
pub(crate) struct Webhook {
    pub name: String,
    pub url: String,
    /// The newest first.
    pub secrets: Vec<Hidden>,
    pub rooms: Vec<String>,
    pub types: Vec<String>,
    pub events: Vec<String>,
    pub timeout: Duration,
    pub connect_timeout: Duration,
    pub batch: usize,
    pub at_once: usize,
    pub give_up: Duration,
    pub allow: Vec<Network>,
}

pub(crate) struct Nats {
    pub keeps: engine_nats::Keeps,
    pub replicas: u8,
    pub credentials: Option<PathBuf>,
    pub authorities: Option<PathBuf>,
    pub domain: Option<String>,
    pub log_bytes: Option<u64>,
}

/// Text that is not printed by accident.
#[derive(Clone, PartialEq, Eq)]
pub(crate) struct Hidden(pub String);

/// What signs the tokens that this server gives itself, and proves them.
pub(crate) enum Signing {
    Secret(Hidden),
    /// A secret in the data folder, made when it is first needed.
    Folder,
    /// Others sign; their keys are in `auth`.
    Others,
}

pub(crate) struct Log {
    pub level: String,
    pub format: LogFormat,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum LogFormat {
    Auto,
    Json,
    Text,
}

#[derive(Clone)]
pub(crate) struct Tls {
    pub certificate: PathBuf,
    pub key: PathBuf,
}

pub(crate) struct Auth {
    pub issuer: Option<String>,
    pub audience: Option<String>,
    pub leeway: Duration,
    pub token_in_query: bool,
    pub user_claims: Vec<String>,
    pub name_claims: Vec<String>,
    pub role_claim: String,
    pub rooms_claim: String,
    pub groups_claim: String,
    pub keys: Vec<Key>,
    pub key_sets: Vec<KeySet>,
}

pub(crate) struct Key {
    /// Proves only tokens with this `kid`; none: any.
    pub id: Option<String>,
    pub proof: Proof,
}

pub(crate) enum Proof {
    Shared { algorithm: Algorithm, secret: Hidden },
    Public { algorithm: Algorithm, pem: String },
}

pub(crate) struct KeySet {
    pub at: KeysAt,
    pub algorithms: Vec<Algorithm>,
    pub issuer: Option<String>,
    pub refresh: Duration,
}

pub(crate) enum KeysAt {
    File(PathBuf),
    Url(String),
}

pub(crate) struct WebSocket {
    pub handshake_timeout: Duration,
    pub read_timeout: Duration,
    pub write_timeout: Duration,
    pub ping_period: Duration,
    pub max_message_size: u32,
    /// Empty: our own host; `*` among them: all.
    pub allowed_origins: Vec<String>,
    pub compression: Compression,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Compression {
    Off,
    /// Messages of at least so many bytes.
    From(usize),
}

pub(crate) struct Limits {
    pub messages_per_second: u32,
    pub burst: u32,
    pub refusals_per_second: u32,
    pub unacked_max: u32,
    pub rooms_per_connection: u16,
    pub connections_per_user: u32,
    pub connections_per_address: u32,
    pub exempt_addresses: Vec<Network>,
    pub greetings_max: usize,
    /// None: as many as come.
    pub accepts_per_second: Option<u32>,
    pub control_frames_per_second: u32,
    pub fragments_max: u32,
    pub message_within: Duration,
    pub outbox_messages: usize,
    pub outbox_bytes: usize,
    pub memory: Memory,
}

/// A mount with everything that it leaves to the server filled in.
#[derive(Clone)]
pub(crate) struct Mount {
    pub path: String,
    pub speaks: Speaks,
    pub app: String,
    pub auth: MountAuth,
    pub framing: Framing,
    pub allowed_origins: Vec<String>,
    pub token_in_query: bool,
    pub max_message_size: u32,
    /// Of its own; what is not said follows the limits of all.
    pub messages_per_second: Option<u32>,
    pub burst: Option<u32>,
    /// Of one connection in one room, a second and at once.
    pub of_room: Option<(u32, u32)>,
    pub compression: Compression,
    pub one_per_user: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaks {
    Rooms,
    Hub,
    Livechat,
    Match(Side),
    Ride,
    Echo,
}

impl Speaks {
    /// As the config names it.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Speaks::Rooms => "rooms",
            Speaks::Hub => "hub",
            Speaks::Livechat => "livechat",
            Speaks::Match(_) => "match",
            Speaks::Ride => "ride",
            Speaks::Echo => "echo",
        }
    }
}

/// Who comes to a mount of matches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Side {
    Scorers,
    Viewers,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    WebSocket,
    Events,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MountAuth {
    Token,
    Optional,
    InBand,
    TrustPath,
    Public,
}
