//! The lists of tables: keys, sets of keys, mounts. A row for each setting of an entry, as in `rows`.

use super::kind::{Form, Kind};
use super::rows::{HOUR, ORIGIN, SECOND, SECRET, TEXT, URL, bytes, count, span};
use super::schema::{Group, Row};

const MOUNT: Form = Form {
    expected: "a path such as /ws, with at most one each of {user}, {session}, {match} and {type} as whole segments",
    holds: is_mount,
};

const ALGORITHMS: &[&str] = &[
    "HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384",
    "EdDSA",
];

pub(super) const GROUPS: &[Group] = &[
    Group {
        key: "auth.keys",
        rows: &[
            Row::without("id", Kind::Text(TEXT), "any", "The `kid` of tokens that this key proves."),
            Row::required(
                "algorithm",
                Kind::Choice(ALGORITHMS),
                "The key's algorithm; a token's own word does not count.",
            ),
            Row::without("secret", Kind::Text(SECRET), "none", "For HS*: the shared secret.").secret(),
            Row::without("secret_file", Kind::File, "none", "For HS*: the same, in a file of its own."),
            Row::without("public_key", Kind::Text(TEXT), "none", "For the others: the public key, PEM."),
            Row::without(
                "public_key_file",
                Kind::File,
                "none",
                "For the others: the same, in a file of its own.",
            ),
        ],
        reloads: true,
        entries_max: 64,
        by_default: &[],
        help: "Keys that prove tokens. Exactly one of secret, secret_file, public_key, public_key_file.",
    },
    Group {
        key: "api.keys",
        rows: &[
            Row::required(
                "name",
                Kind::Text(TEXT),
                "Whose it is; the log says it, and ids of messages are its own.",
            ),
            Row::without(
                "secret",
                Kind::Text(SECRET),
                "none",
                "What a back end says as `Authorization: Bearer …` or as `X-API-Key`.",
            )
            .secret(),
            Row::without("secret_file", Kind::File, "none", "The same, in a file of its own."),
            Row::new(
                "scopes",
                Kind::Choices(&["publish", "history", "presence", "everybody", "inspect", "operate"]),
                "publish,history,presence",
                "What it may ask.",
            ),
            Row::new(
                "rooms",
                Kind::Texts(TEXT),
                "*",
                "Full names of the rooms it is for; `*` at the end for any rest.",
            ),
        ],
        reloads: false,
        entries_max: 64,
        by_default: &[],
        help: "Keys of back ends, for the HTTP API on the operator's listener. Exactly one of secret and secret_file.",
    },
    Group {
        key: "auth.jwks",
        rows: &[
            Row::without("file", Kind::Path, "none", "A file with a set of keys."),
            Row::without("url", Kind::Text(URL), "none", "Where a set of keys is fetched."),
            Row::required(
                "algorithms",
                Kind::Choices(ALGORITHMS),
                "What its keys may be used with; from a URL never HS*.",
            ),
            Row::without(
                "issuer",
                Kind::Text(TEXT),
                "any",
                "What `iss` must say in tokens that these keys prove.",
            ),
            Row::new("refresh", span(10 * SECOND, 24 * HOUR), "5m", "How often it is read or fetched again."),
        ],
        reloads: false,
        entries_max: node::KEY_SOURCES_MAX,
        by_default: &[],
        help: "Sets of keys (JWKS). Exactly one of file, url.",
    },
    super::chat::ROOMS,
    super::support::DEPARTMENTS,
    super::kafka::SOURCES,
    super::kafka::SINKS,
    super::nats_bridge::SOURCES,
    super::nats_bridge::SINKS,
    super::webhooks::WEBHOOKS,
    Group {
        key: "mounts",
        rows: &[
            Row::new(
                "path",
                Kind::Text(MOUNT),
                "/ws",
                "Where it is; `{user}` stands for the user's id, for livechat `{session}` for the session and `{type}` for the user's role, for match `{match}` for the match.",
            ),
            Row::new(
                "protocol",
                Kind::Choice(&["rooms", "hub", "livechat", "match", "ride", "echo"]),
                "rooms",
                "What is spoken; hub: by clients of docs/seed-001.md, with the HTTP calls under /api/v1; livechat: by those of docs/seed-000.md; match: by those of docs/seed-003.md; ride: by those of docs/seed-004.md; echo only with --conformance.",
            ),
            Row::without(
                "app",
                Kind::Choice(&["chat", "support", "scores", "rides"]),
                "livechat: support; match: scores; ride: rides; others: chat",
                "The app that short room names belong to.",
            ),
            Row::new(
                "auth",
                Kind::Choice(&["token", "optional", "in-band", "trust-path", "public"]),
                "token",
                "Who may connect: holders of a token, shown before the upgrade; those and, as guests, whoever shows none; holders who show it in the first message; whoever the path says; anybody.",
            ),
            Row::new(
                "framing",
                Kind::Choice(&["websocket", "events"]),
                "websocket",
                "How it is told: events, a stream of server-sent events by plain HTTP, for clients that only read; its path needs `{match}`.",
            ),
            Row::without(
                "allowed_origins",
                Kind::Texts(ORIGIN),
                "as websocket.allowed_origins",
                "Pages of which origins may connect here.",
            )
            .reloads(),
            Row::without(
                "token_in_query",
                Kind::Switch,
                "as auth.token_in_query",
                "Accept a token as ?token=… here.",
            )
            .reloads(),
            Row::without(
                "max_message_size",
                bytes(128, 16 << 20),
                "as websocket.max_message_size; livechat and match, but for viewers: at least 64KiB; ride: at least 8KiB",
                "One message of a client here.",
            ),
            Row::without(
                "messages_per_second",
                count(1, 1_000_000),
                "as limits.messages_per_second",
                "Messages of one connection here, steadily.",
            ),
            Row::without(
                "burst",
                count(1, 1_000_000),
                "as limits.burst",
                "Messages of one connection here, at once.",
            ),
            Row::without(
                "room_messages_per_second",
                count(1, 1_000_000),
                "hub: 10; others: no limit of its own, or 10 with room_burst",
                "What one connection sends in one room here, steadily.",
            ),
            Row::without(
                "room_burst",
                count(1, 1_000_000),
                "hub: 20; others: no limit of its own, or 20 with room_messages_per_second",
                "The same, at once.",
            ),
            Row::without(
                "compression",
                Kind::Switch,
                "as websocket.compression",
                "Agree to permessage-deflate here.",
            ),
            Row::new(
                "viewers",
                Kind::Switch,
                "false",
                "For match: who comes here watches, and nobody scores, whatever their token allows.",
            ),
            Row::without(
                "one_per_user",
                Kind::Switch,
                "ride: true; others: false",
                "A user has one connection here: the newest, on whichever node; the one before it is closed with 4509.",
            ),
        ],
        reloads: false,
        entries_max: 64,
        by_default: &[
            &[],
            &[("path", "/api/v1/ws"), ("protocol", "hub")],
            &[("path", "/ws/{session}/{user}/{type}"), ("protocol", "livechat")],
            &[("path", "/ws/scorer"), ("protocol", "match")],
            &[("path", "/ws/viewer"), ("protocol", "match"), ("auth", "optional"), ("viewers", "true")],
            &[
                ("path", "/ws/match/{match}"),
                ("protocol", "match"),
                ("auth", "optional"),
                ("viewers", "true"),
            ],
            &[
                ("path", "/api/matches/{match}/events"),
                ("protocol", "match"),
                ("auth", "optional"),
                ("framing", "events"),
                ("viewers", "true"),
            ],
            &[("path", "/rides/ws"), ("protocol", "ride")],
        ],
        help: "Where clients connect, and what is spoken there. Without any: one at /ws, rooms of chat, with a token, one at /api/v1/ws, the same rooms for hub clients, one at /ws/{session}/{user}/{type} for livechat clients, and for those of matches /ws/scorer, and /ws/viewer and /ws/match/{match} for viewers, with or without a token, who may also read events at /api/matches/{match}/events, and one at /rides/ws for drivers and passengers.",
    },
];

fn is_mount(text: &str) -> bool {
    let Some(rest) = text.strip_prefix('/') else { return false };
    let word = |segment: &str| {
        !segment.is_empty()
            && segment.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.' | '~'))
    };
    let named = |segment: &str| matches!(segment, "{user}" | "{session}" | "{match}" | "{type}");
    let once = |name: &str| text.matches(name).count() <= 1;
    rest.split('/').all(|segment| named(segment) || word(segment))
        && ["{user}", "{session}", "{match}", "{type}"].into_iter().all(once)
}
