//! What the node itself answers, in words of a schema: probes and figures are written by the shell, which knows nothing of documents.

use serde_json::{Value, json};

use super::shape::Book;

pub(super) fn fault(book: &mut Book) -> Value {
    book.named("Fault", |_| {
        json!({
            "type": "object",
            "description": "Why there is no answer of the kind that was asked for.",
            "required": ["error", "code"],
            "properties": {
                "error": { "type": "string", "description": "What is wrong, and what to do about it." },
                "code": { "type": "string", "description": "The same for programs." },
                "field": { "type": "string", "description": "What of the request is to blame." },
                "ref": { "type": "string", "description": "What the log's line says, too." },
                "retry_after_ms": { "type": "integer", "description": "When to ask again." },
            },
        })
    })
}

/// Members that are always there; others may be.
fn having(says: &str, members: &[(&str, &str)]) -> Value {
    let properties: serde_json::Map<String, Value> =
        members.iter().map(|(name, kind)| ((*name).to_owned(), json!({ "type": kind }))).collect();
    let required: Vec<&str> = members.iter().map(|(name, _)| *name).collect();
    json!({ "type": "object", "description": says, "required": required, "properties": properties })
}

pub(super) fn status(_: &mut Book) -> Value {
    having("How it is, and `error` where something is wrong.", &[("status", "string")])
}

pub(super) fn detailed(_: &mut Book) -> Value {
    let members = [
        ("status", "string"),
        ("ready", "boolean"),
        ("draining", "boolean"),
        ("connections", "integer"),
        ("stale_connections", "integer"),
        ("users", "integer"),
        ("rooms", "integer"),
        ("timestamp", "string"),
        ("parts", "object"),
    ];
    having("What the node depends on, each with how it is.", &members)
}

pub(super) fn stats(_: &mut Book) -> Value {
    let members = [
        ("total_connections", "integer"),
        ("streams", "integer"),
        ("timestamp", "string"),
        ("connections_by_role", "object"),
    ];
    having("Who is connected, and how bridges are.", &members)
}

pub(super) fn overview(_: &mut Book) -> Value {
    let members = [
        ("node", "string"),
        ("at", "integer"),
        ("ready", "boolean"),
        ("connections", "integer"),
        ("users", "integer"),
        ("rooms", "integer"),
        ("resident_bytes", "integer"),
        ("roles", "object"),
        ("mounts", "array"),
        ("apps", "array"),
        ("counted", "object"),
        ("shards", "array"),
        ("engine", "object"),
        ("bridges", "array"),
        ("may", "array"),
    ];
    having(
        "How the node stands. `counted` only grows: who asks twice has the rates between. `may` is what the key may.",
        &members,
    )
}

pub(super) fn hour(_: &mut Book) -> Value {
    let says = "Columns of equal length, oldest first: what stood then, and what was counted since the sample before.";
    let members =
        ["at", "span_ms", "connections", "users", "rooms", "stale", "resident_bytes", "messages", "records"];
    let mut members: Vec<(&str, &str)> = members.into_iter().map(|name| (name, "array")).collect();
    members.extend([("node", "string"), ("every_ms", "integer")]);
    having(says, &members)
}

pub(super) fn traced(_: &mut Book) -> Value {
    having("What happened, oldest first.", &[("events", "array")])
}

pub(super) fn trace_asked(_: &mut Book) -> Value {
    json!({
        "type": "object",
        "properties": {
            "user": { "type": "string", "description": "Of this user's connections." },
            "room": { "type": "string", "description": "What concerns this room: its full name." },
            "limit": { "type": "integer", "minimum": 0, "description": "The newest so many; 10,000 at most, 100 if nothing is said." },
        },
    })
}

pub(super) fn revoking(book: &mut Book) -> Value {
    book.named("Revoking", |_| {
        json!({
            "type": "object",
            "description": "Exactly one of user and token.",
            "additionalProperties": false,
            "properties": {
                "user": { "type": ["string", "null"], "description": "Whose tokens that were made until now are worth nothing any more." },
                "token": { "type": ["string", "null"], "description": "The `jti` of the one that is not, and never the token itself." },
            },
        })
    })
}

pub(super) fn settings(book: &mut Book) -> Value {
    book.named("Settings", |_| {
        json!({
            "type": "object",
            "description": "The settings in force and where each came from, as `kulkul check --json` prints them. Secrets read (hidden).",
            "required": ["node", "demo", "settings", "warnings", "needs_restart"],
            "properties": {
                "node": { "type": "string" },
                "sound": { "type": "boolean" },
                "demo": { "type": "boolean" },
                "settings": { "type": "array", "items": {
                    "type": "object",
                    "required": ["key", "value", "from", "help"],
                    "properties": {
                        "key": { "type": "string" }, "value": { "type": "string" },
                        "from": { "type": "string" }, "help": { "type": "string" },
                    },
                } },
                "warnings": { "type": "array", "items": { "type": "string" } },
                "needs_restart": { "type": "array", "items": { "type": "string" },
                    "description": "What the file says otherwise by now, and holds after a restart." },
            },
        })
    })
}

pub(super) fn document(_: &mut Book) -> Value {
    having("This document.", &[("openapi", "string"), ("info", "object"), ("paths", "object")])
}
