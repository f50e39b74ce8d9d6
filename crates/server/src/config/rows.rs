//! The settings themselves, a row each, in the order in which an operator meets them. A new setting is a row here and a field
//! in `typed`.

use std::time::Duration;

use tracing_subscriber::EnvFilter;

use super::kind::{Form, Kind};
use super::schema::Row;
use crate::options;

pub(super) const fn count(min: u64, max: u64) -> Kind {
    Kind::Count { min, max }
}

pub(super) const fn bytes(min: u64, max: u64) -> Kind {
    Kind::Bytes { min, max }
}

/// In milliseconds.
pub(super) const fn span(min: u64, max: u64) -> Kind {
    Kind::Span { min: Duration::from_millis(min), max: Duration::from_millis(max) }
}

pub(super) const SECOND: u64 = 1000;
pub(super) const MINUTE: u64 = 60 * SECOND;
pub(super) const HOUR: u64 = 60 * MINUTE;

/// Shorter keys can be guessed offline from one token.
pub(super) const SECRET_BYTES_MIN: usize = 32;

pub(super) const TEXT: Form =
    Form { expected: "a text that is not empty", holds: |text| !text.trim().is_empty() };
pub(super) const SECRET: Form =
    Form { expected: "a text of at least 32 bytes", holds: |text| text.trim().len() >= SECRET_BYTES_MIN };
const ENGINE: Form =
    Form { expected: "memory, disk, redis://… or nats://…", holds: |text| options::engine(text).is_ok() };
const LEVEL: Form = Form {
    expected: "error, warn, info, debug or trace, or a level per area such as \"warn,node=debug\"",
    holds: is_level,
};
pub(super) const ORIGIN: Form =
    Form { expected: "an origin such as https://example.org, or *", holds: is_origin };

/// Of operators' pages not everybody's are meant.
const OWN_ORIGIN: Form = Form {
    expected: "an origin such as https://ops.example.com",
    holds: |text| text != "*" && is_origin(text),
};

pub(super) const URL: Form = Form { expected: "an http or https URL without a user", holds: is_url };

const NO_BUFFERS: &str = "no buffer is kept per connection, so there is none to size";

pub(super) const SERVER: &[Row] = &[
    Row::new("listen", Kind::Address, "127.0.0.1:8080", "Where clients connect."),
    Row::new(
        "operator_listen",
        Kind::Address,
        "127.0.0.1:8081",
        "The operator's own listener, for /metrics, /stats, /revoke, the calls of back ends, and /live, /ready and /health too. None in demo mode, unless it is set.",
    ),
    Row::new(
        "operator.origins",
        Kind::Texts(OWN_ORIGIN),
        "",
        "By which origins besides its own address the console is reached, behind a proxy with a name: https://ops.example.com.",
    ),
    Row::new("data", Kind::Path, options::DATA, "Folder for the server's own files."),
    Row::without("shards", count(1, 256), "one a core", "Shards, each with a thread of its own."),
    Row::new(
        "engine",
        Kind::Text(ENGINE),
        "disk",
        "Where rooms are kept: disk in `data`; memory forgets all when the process ends. Several servers of one cluster stand \
         with commas between them, as in nats://user:password@one:4222,nats://two:4222; user and password are for all of \
         them, and what is no letter or digit in them is safest percent-encoded (`,` as %2C, `%` as %25).",
    ),
    Row::new(
        "durability",
        Kind::Choice(&["none", "process", "power"]),
        "none",
        "What stored records must survive at least: the server does not start on an engine that gives less, here or for one of its apps.",
    ),
    Row::new(
        "disk.sync",
        Kind::Choice(&["always", "process"]),
        "always",
        "When a message is answered that the disk keeps: once it is on the disk (always), or once the operating system has it, which survives the end of the process and not that of the power (process).",
    ),
    Row::new(
        "engine_prefix",
        Kind::Text(TEXT),
        "kulkul",
        "Before everything that is kept in Redis or NATS: deployments that share a server have different ones.",
    ),
    Row::new("redis.cluster", Kind::Switch, "false", "The address is that of a Redis Cluster; several, separated by commas."),
    Row::new("redis.connections", count(1, 16), "2", "Connections for commands to each server; one more only listens."),
    Row::without("redis.authorities", Kind::Path, "the system's", "Whom to trust with rediss://, PEM."),
    Row::new(
        "redis.durability",
        Kind::Choice(&["none", "process", "power"]),
        "none",
        "What an answer survives, where the server does not say how it writes to its disk.",
    ),
    Row::new(
        "nats.keeps",
        Kind::Choice(&["memory", "disk", "disk-synced"]),
        "disk",
        "Where JetStream keeps the logs; disk-synced: on a server with sync_interval: always.",
    ),
    Row::new("nats.replicas", Kind::Choice(&["1", "3", "5"]), "1", "Of each stream, in a cluster of NATS servers."),
    Row::without("nats.credentials", Kind::Path, "none", "The file with a user's token and seed, as `nsc` makes it."),
    Row::without("nats.authorities", Kind::Path, "the system's", "Whom to trust with tls://, PEM."),
    Row::without("nats.domain", Kind::Text(TEXT), "none", "JetStream's domain, where the server is a leaf of another."),
    Row::without(
        "nats.log_bytes",
        bytes(1 << 20, 1 << 50),
        "what the server allows",
        "All logs together; beyond it nothing is stored.",
    ),
    Row::without(
        "secret",
        Kind::Text(SECRET),
        "one made in the data folder",
        "The key that signs and proves tokens by HS256: one [[auth.keys]] in short. None is made where there are auth.keys or auth.jwks.",
    )
    .secret()
    .reloads(),
    Row::without(
        "secret_file",
        Kind::File,
        "none",
        "The same, in a file of its own; white space around it does not count.",
    )
    .reloads(),
    Row::new(
        "accept_insecure",
        Kind::Switch,
        "false",
        "Allow what is refused for safety: demo mode, or a mount that trusts its path, where others can reach it.",
    ),
    Row::new("presence_notices", Kind::Switch, "true", "Rooms are told who comes and goes."),
    Row::new("log.level", Kind::Text(LEVEL), "info", "What is logged: a level, or one per area.")
        .reloads()
        .also("KULKUL_LOG"),
    Row::new(
        "log.format",
        Kind::Choice(&["auto", "json", "text"]),
        "auto",
        "How log lines look; auto: text on a terminal, JSON elsewhere.",
    ),
    Row::without(
        "tls.certificate",
        Kind::Path,
        "none: plain text",
        "The certificate chain, PEM. With tls.key or not at all.",
    ),
    Row::without("tls.key", Kind::Path, "none: plain text", "The certificate's private key, PEM."),
    Row::new("proxies.trusted", Kind::Networks, "", "Whose X-Forwarded-For is believed.")
        .reloads(),
    Row::without("auth.issuer", Kind::Text(TEXT), "any", "What `iss` must say.")
        .reloads(),
    Row::without("auth.audience", Kind::Text(TEXT), "any", "What `aud` must contain.")
        .reloads(),
    Row::new("auth.leeway", span(0, MINUTE), "4s", "How far the clocks of those who make tokens may be off.")
        .reloads(),
    Row::new(
        "auth.token_in_query",
        Kind::Switch,
        "true",
        "Accept a token as ?token=…, where logs of proxies may keep it.",
    )
    .reloads(),
    Row::new(
        "auth.user_claims",
        Kind::Texts(TEXT),
        "user_id,sub",
        "Claims that name the user, the first one that is there; others must not contradict it.",
    )
    .reloads(),
    Row::new("auth.name_claims", Kind::Texts(TEXT), "name,username", "Claims that others see as the name.")
        .reloads(),
    Row::new("auth.role_claim", Kind::Text(TEXT), "role", "The claim with the role, as apps understand it.")
        .reloads(),
    Row::new("auth.rooms_claim", Kind::Text(TEXT), "rooms", "The claim with the rooms that are allowed.")
        .reloads(),
    Row::new(
        "auth.groups_claim",
        Kind::Text(TEXT),
        "department_id",
        "The claim with what the bearer belongs to, a text or a list of them: an agent's departments.",
    )
    .reloads(),
    Row::without(
        "authorizer.url",
        Kind::Text(URL),
        "none: nobody is asked",
        "Where the team's own back end is asked who may do what, see authorizer.md.",
    ),
    Row::without(
        "authorizer.secret",
        Kind::Text(SECRET),
        "none",
        "What signs the questions. One of secret and secret_file goes with the URL.",
    )
    .secret(),
    Row::without("authorizer.secret_file", Kind::File, "none", "The same, in a file of its own."),
    Row::new(
        "authorizer.asks",
        Kind::Choices(&["connect", "join", "publish"]),
        "connect,join,publish",
        "What is asked about: who connects, who joins a room, who sends something to one.",
    ),
    Row::new(
        "authorizer.rooms",
        Kind::Texts(TEXT),
        "*",
        "Full names of the rooms that are asked about; `*` at the end for any rest. Of others nothing is asked.",
    ),
    Row::new(
        "authorizer.timeout",
        span(100, 30 * SECOND),
        "2s",
        "From a question to its answer, waiting for a place included.",
    ),
    Row::new(
        "authorizer.on_failure",
        Kind::Choice(&["refuse", "allow"]),
        "refuse",
        "What holds when no answer comes that can be read.",
    ),
    Row::new(
        "authorizer.cache_allowed",
        span(0, 10 * MINUTE),
        "30s",
        "How long a yes is known that does not say so itself; so long it holds after rights were taken away.",
    ),
    Row::new("authorizer.cache_refused", span(0, 10 * MINUTE), "5s", "The same of a no."),
    Row::new("authorizer.cache_entries", count(0, 1_000_000), "10000", "Answers that are known at once."),
    Row::new("authorizer.at_once", count(1, 256), "64", "Questions under way at a time, with a thread each."),
    Row::new(
        "authorizer.waiting",
        count(0, 100_000),
        "4096",
        "Questions that wait for one of these; beyond it there is no answer.",
    ),
];

pub(super) const CLIENTS: &[Row] = &[
    Row::without(
        "websocket.read_buffer_size",
        bytes(0, 16 << 20),
        "none is kept",
        "Accepted, without effect.",
    )
    .also("WS_READ_BUFFER_SIZE")
    .idle(NO_BUFFERS),
    Row::without(
        "websocket.write_buffer_size",
        bytes(0, 16 << 20),
        "none is kept",
        "Accepted, without effect.",
    )
    .also("WS_WRITE_BUFFER_SIZE")
    .idle(NO_BUFFERS),
    Row::new(
        "websocket.handshake_timeout",
        span(100, 5 * MINUTE),
        "10s",
        "A client whose request, and under TLS its handshake, is not there by then is closed; so is one whose token does not come in band, and who asks for a page and is not done after half as much again.",
    )
    .also("WS_HANDSHAKE_TIMEOUT"),
    Row::new(
        "websocket.read_timeout",
        span(200, HOUR),
        "60s",
        "Nothing heard for this long, pongs included: the client is gone.",
    )
    .reloads()
    .also("WS_READ_TIMEOUT"),
    Row::new(
        "websocket.write_timeout",
        span(100, HOUR),
        "10s",
        "No progress of a write for this long: the client does not read.",
    )
    .reloads()
    .also("WS_WRITE_TIMEOUT"),
    Row::new(
        "websocket.ping_period",
        span(100, HOUR),
        "54s",
        "How often a client is pinged. Below read_timeout, or every quiet client would be taken for gone.",
    )
    .reloads()
    .also("WS_PING_PERIOD"),
    Row::new("websocket.max_message_size", bytes(128, 16 << 20), "4096", "One message of a client.")
        .also("WS_MAX_MESSAGE_SIZE"),
    Row::new(
        "websocket.allowed_origins",
        Kind::Texts(ORIGIN),
        "",
        "Pages of which origins may connect; none: those of our own host; \"*\": all.",
    )
    .reloads()
    .also("WS_ALLOWED_ORIGINS"),
    Row::new("websocket.compression", Kind::Switch, "true", "Agree to permessage-deflate."),
    Row::new(
        "websocket.compression_from",
        bytes(0, 1 << 20),
        "256",
        "Shorter messages are sent as they are.",
    ),
    Row::new(
        "limits.messages_per_second",
        count(1, 1_000_000),
        "20",
        "Messages of one connection, steadily.",
    )
    .reloads(),
    Row::new("limits.burst", count(1, 1_000_000), "40", "Messages of one connection at once.").reloads(),
    Row::new(
        "limits.refusals_per_second",
        count(1, 1_000_000),
        "10",
        "A client that goes on after this many refusals a second, for ten seconds, is closed.",
    )
    .reloads(),
    Row::new("limits.unacked_max", count(1, 1 << 20), "64", "Sends of one connection without an answer yet.")
        .reloads(),
    Row::new("limits.rooms_per_connection", count(1, 65_535), "100", "Rooms that one connection is in.")
        .reloads(),
    Row::new("limits.connections_per_user", count(1, 1_000_000), "10", "Connections of one user.").reloads(),
    Row::new("limits.connections_per_address", count(1, 10_000_000), "2000", "Connections from one address.")
        .reloads(),
    Row::new(
        "limits.exempt_addresses",
        Kind::Networks,
        "127.0.0.0/8,::1/128",
        "Addresses whose connections are not counted by address.",
    )
    .reloads(),
    Row::new(
        "limits.greetings_max",
        count(1, 1_000_000),
        "4096",
        "Sockets that have not finished their handshake.",
    )
    .reloads(),
    Row::new("limits.accepts_per_second", count(0, 1_000_000), "2000", "New sockets; 0: as many as come.")
        .reloads(),
    Row::new(
        "limits.control_frames_per_second",
        count(1, 1_000_000),
        "20",
        "Pings and pongs of one connection.",
    )
    .reloads(),
    Row::new("limits.fragments_max", count(1, 1 << 20), "128", "Frames of one message."),
    Row::new(
        "limits.message_seconds",
        count(1, 3600),
        "30",
        "A message whose last fragment has not come after so many seconds ends the connection.",
    )
    .reloads(),
    Row::new("limits.outbox_messages", count(16, 1 << 20), "256", "Messages that wait for one socket.")
        .reloads(),
    Row::new("limits.outbox_bytes", bytes(64 << 10, 1 << 30), "1048576", "The same in bytes.").reloads(),
    Row::new(
        "limits.memory",
        Kind::Memory,
        "80%",
        "Memory to use: of what the machine or the control group gives, or in bytes. Beyond it new clients are refused.",
    ),
];

/// A bare word that is no level would be taken for an area, and silence everything else.
fn is_level(text: &str) -> bool {
    let level = |word: &str| matches!(word, "off" | "error" | "warn" | "info" | "debug" | "trace");
    let part = |part: &str| level(part.rsplit_once('=').map_or(part, |(_, level)| level));
    text.split(',').all(part) && EnvFilter::try_new(text).is_ok()
}

fn is_url(text: &str) -> bool {
    let rest = text.strip_prefix("https://").or_else(|| text.strip_prefix("http://"));
    let authority = rest.map(|rest| rest.split(['/', '?', '#']).next().unwrap_or_default());
    authority.is_some_and(|authority| !authority.is_empty() && !authority.contains('@'))
        && text.chars().all(|c| c.is_ascii_graphic())
}

fn is_origin(text: &str) -> bool {
    let Some((scheme, rest)) = text.split_once("://") else { return text == "*" };
    let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '/' | '@' | '?' | '#' | '*' | ',');
    !scheme.is_empty() && !rest.is_empty() && text.matches("://").count() == 1 && rest.chars().all(plain)
}
