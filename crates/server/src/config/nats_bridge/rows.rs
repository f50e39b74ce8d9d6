//! The settings of the bridge to NATS, a row each, and what their texts may be.

use super::super::kind::{Form, Kind};
use super::super::rows::{MINUTE, SECOND, TEXT, count, span};
use super::super::schema::{Group, Row};
use super::{SINK_APPS, URL};
use crate::nats_addresses;

/// Apps whose rooms messages may be said in.
const APPS: &[&str] = &["chat", "support", "rides", "user"];

const ADDRESSES: Form = Form {
    expected: "nats://user:password@one:4222,nats://two:4222, or tls://…",
    holds: |text| nats_addresses::read(text).is_ok() && text.chars().all(|c| c.is_ascii_graphic()),
};
const NAME: Form = Form {
    expected: "a name of 1 to 128 of A-Z a-z 0-9 _ -",
    holds: |text| (1..=128).contains(&text.len()) && text.chars().all(is_of_name),
};
const SUBJECT: Form =
    Form { expected: "a subject such as orders.*.new or orders.>", holds: |text| is_subject(text, true) };
const BEGINNING: Form = Form {
    expected: "a subject without wildcards, such as dead-letters",
    holds: |text| is_subject(text, false) && text.chars().all(|c| is_of_name(c) || c == '.'),
};
const ROOM: Form = Form {
    expected: "an app (chat, support, rides or user), a colon and a name with fields of the message, such as chat:{room_id}, or tokens of its subject, such as chat:{2}",
    holds: |text| is_template(text) && text.split_once(':').is_some_and(|(app, _)| APPS.contains(&app)),
};
const ROOMS: Form = Form {
    expected: "a room's full name, or the beginning of one and *, such as chat:*",
    holds: |text| text.split_once(':').is_some_and(|(app, _)| SINK_APPS.contains(&app)),
};
const FILLED: Form = Form {
    expected: "a text with fields of the message in braces, such as {data.id}; {2} is the second token of its subject, {@subject} all of it",
    holds: is_template,
};
const FIELD: Form =
    Form { expected: "a field's name, with dots for those within others", holds: |text| is_path(text) };

pub(in super::super) const ROWS: &[Row] = &[
    Row::without(
        URL,
        Kind::Text(ADDRESSES),
        "none: no bridge",
        "Some of the servers by which another fleet speaks. They may be the engine's.",
    )
    .secret(),
    Row::without(
        "nats_bridge.credentials",
        Kind::Path,
        "none",
        "The file with a user's token and seed, as `nsc` makes it.",
    ),
    Row::without("nats_bridge.token", Kind::Text(TEXT), "none", "Or a token that the server knows.").secret(),
    Row::without("nats_bridge.nkey", Kind::Text(TEXT), "none", "Or the seed of a user's key pair.").secret(),
    Row::new(
        "nats_bridge.tls",
        Kind::Switch,
        "false",
        "Refuse a server that does not speak TLS; tls:// does so too.",
    ),
    Row::new(
        "nats_bridge.tls_first",
        Kind::Switch,
        "false",
        "Speak TLS from the first byte, as the server's handshake_first has it.",
    ),
    Row::without("nats_bridge.authorities", Kind::Path, "the system's", "Whom to trust with that, PEM."),
    Row::without(
        "nats_bridge.certificate",
        Kind::Path,
        "none",
        "This deployment's own certificate, PEM, where servers want one.",
    ),
    Row::without("nats_bridge.key", Kind::Path, "none", "Its key, PEM."),
    Row::without(
        "nats_bridge.domain",
        Kind::Text(NAME),
        "none",
        "JetStream's domain, where the server is a leaf of another.",
    ),
    Row::new(
        "nats_bridge.group",
        Kind::Text(NAME),
        "kulkul",
        "What durable consumers are called that are not named, and the queue in which nodes share plain subjects.",
    ),
    Row::new(
        "nats_bridge.hold",
        span(SECOND, 10 * MINUTE),
        "2m",
        "How long a room that takes nothing is asked before its messages are given back to the server, or are dead letters if it gives them out no more.",
    ),
    Row::new(
        "nats_bridge.dead_letters",
        Kind::Text(BEGINNING),
        "dead-letters",
        "What subjects of messages begin with that cannot be taken, with the reason. Their stream is called so, too, in capitals.",
    ),
    Row::new(
        "nats_bridge.rides",
        Kind::Switch,
        "false",
        "Take part in the subjects of ride hailing, user.*, match.*, ride.* and location.*, for rooms of rides, by rides.authority.",
    ),
];

pub(in super::super) const SOURCES: Group = Group {
    key: "nats_bridge.sources",
    rows: &[
        Row::required("subject", Kind::Text(SUBJECT), "The subject. Its messages are objects in JSON."),
        Row::without(
            "stream",
            Kind::Text(NAME),
            "the one that has the subject",
            "The stream that they are read from.",
        ),
        Row::without(
            "durable",
            Kind::Text(NAME),
            "of nats_bridge.group and the subject",
            "The durable consumer. It is made where it is not there; nodes that read one share its messages.",
        ),
        Row::new(
            "from",
            Kind::Choice(&["new", "all"]),
            "new",
            "Where a consumer begins that is made: at what comes from now on, or at the oldest message of the stream.",
        ),
        Row::new(
            "deliver_max",
            count(1, 1000),
            "5",
            "How often a message is given out before it is a dead letter, for a consumer that is made.",
        ),
        Row::new(
            "in_order",
            Kind::Switch,
            "false",
            "One at a time, whichever node takes it, for a consumer that is made: slower, and nothing ever overtakes.",
        ),
        Row::new(
            "plain",
            Kind::Switch,
            "false",
            "Of no stream: heard as it is published, at most once, and lost where it comes too fast.",
        ),
        Row::without(
            "room",
            Kind::Text(ROOM),
            "none",
            "The room that a message is for. Either this or users.",
        ),
        Row::without(
            "users",
            Kind::Text(FIELD),
            "none",
            "The field with a user's id, or a list of up to 100: the message is for their inboxes.",
        ),
        Row::required(
            "kind",
            Kind::Text(FILLED),
            "What it asks of the room, as a back end would: send_message, or a field that says so.",
        ),
        Row::without(
            "payload",
            Kind::Text(FIELD),
            "the whole value",
            "The field that is what it asks it with.",
        ),
        Row::without(
            "id",
            Kind::Text(FILLED),
            "its Nats-Msg-Id, else its event_id, else its place",
            "What it names itself by: the same id is one message, however often it comes.",
        ),
        Row::without("author", Kind::Text(FILLED), "nobody", "The user who said it."),
        Row::without(
            "author_name",
            Kind::Text(FILLED),
            "as author",
            "And by what name others see that user.",
        ),
        Row::new(
            "soft",
            Kind::Switch,
            "false",
            "Worth saying now or never, such as typing: asked once, and older than 5 s not at all.",
        ),
    ],
    reloads: false,
    entries_max: 64,
    by_default: &[],
    help: "Subjects whose messages are commands for rooms.",
};

pub(in super::super) const SINKS: Group = Group {
    key: "nats_bridge.sinks",
    rows: &[
        Row::required(
            "rooms",
            Kind::Text(ROOMS),
            "The rooms whose messages leave: a full name, or the beginning of one and `*`.",
        ),
        Row::required(
            "subject",
            Kind::Text(FILLED),
            "The subject that they are stored under, which a stream must have: {name} is the room's name, {room} its full one, {kind} what it is; other fields are the payload's.",
        ),
    ],
    reloads: false,
    entries_max: 64,
    by_default: &[],
    help: "Subjects that messages of rooms are stored under, those that did not come from NATS. The first that fits a room is its own.",
};

pub(super) fn is_of_name(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '_' | '-')
}

fn is_subject(text: &str, with_wildcards: bool) -> bool {
    let last = text.split('.').count() - 1;
    let is_token = |(place, token): (usize, &str)| match token {
        "" => false,
        "*" => with_wildcards,
        ">" => with_wildcards && place == last,
        token => token.chars().all(|c| c.is_ascii_graphic() && !matches!(c, '*' | '>')),
    };
    text.len() <= 128 && !text.starts_with('$') && text.split('.').enumerate().all(is_token)
}

fn is_path(text: &str) -> bool {
    text.split('.').all(|name| !name.is_empty()) && !text.contains(['{', '}'])
}

/// As `bridge_nats::Template` reads it.
fn is_template(text: &str) -> bool {
    !text.is_empty() && bridge_nats::Template::read(text).is_some()
}
