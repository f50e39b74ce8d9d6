//! What the socket speaks, for whoever writes a client and asks the server: the same for everybody, and no secret.

use std::sync::Arc;

use axum::routing::get;
use axum::{Json, Router};
use serde_json::{Value, json};

use super::Hub;

pub(super) fn router() -> Router<Arc<Hub>> {
    Router::new()
        .route("/ws/message-types", get(async || Json(types())))
        .route("/ws/schemas", get(async || Json(schemas())))
        .route("/ws/schemas/channel-message", get(async || Json(channel_message())))
        .route("/ws/schemas/typing-indicator", get(async || Json(typing_indicator())))
        .route("/ws/schemas/error", get(async || Json(error())))
}

fn types() -> Value {
    json!({
        "client": [
            "connection.ping", "connection.refresh", "channel.join", "channel.leave", "channel.message",
            "channel.typing", "channel.stop_typing",
        ],
        "server": [
            "connection.connect", "connection.pong", "connection.refreshed", "connection.token_expiring",
            "channel.join", "channel.leave", "channel.message", "channel.typing", "channel.stop_typing",
            "channel.member.join", "channel.member.leave", "channel.members", "user.status",
            "user.notification", "error",
        ],
        "extensions": [
            "ack", "channel.resumed", "channel.gap", "channel.reset", "channel.message.edited",
            "channel.message.deleted", "channel.reaction.added", "channel.reaction.removed", "channel.changed",
            "channel.deleted", "channel.member.added", "channel.member.removed", "channel.member.muted",
            "channel.member.unmuted", "channel.member.kicked", "channel.member.banned",
            "channel.member.unbanned", "channel.role.changed", "channel.user.erased", "channel.event",
            "user.read_marked", "user.channel.changed", "user.channel.removed",
        ],
    })
}

fn schemas() -> Value {
    json!({
        "envelope": envelope("any of /api/v1/ws/message-types", &json!({ "type": "object" })),
        "channel-message": channel_message(),
        "typing-indicator": typing_indicator(),
        "error": error(),
    })
}

fn envelope(kind: &str, data: &Value) -> Value {
    json!({
        "type": "object",
        "required": ["type"],
        "properties": {
            "id": { "type": "string", "maxLength": 128 },
            "type": { "type": "string", "description": kind },
            "data": data,
            "timestamp": { "type": "integer", "description": "Unix seconds; the server's own" },
            "user_id": { "type": "string", "description": "the server's own" },
            "position": position(),
        },
    })
}

fn position() -> Value {
    json!({
        "type": "object",
        "properties": { "epoch": { "type": "string" }, "offset": { "type": "integer" } },
    })
}

fn channel_id() -> Value {
    json!({ "type": ["string", "integer"] })
}

fn channel_message() -> Value {
    envelope(
        "channel.message",
        &json!({
            "type": "object",
            "required": ["channel_id"],
            "anyOf": [{ "required": ["text"] }, { "required": ["url"] }],
            "properties": {
                "channel_id": channel_id(),
                "text": { "type": "string", "maxLength": 4000 },
                "url": { "type": "string" },
                "fileName": { "type": "string" },
                "reply_to_id": { "type": "string" },
            },
        }),
    )
}

fn typing_indicator() -> Value {
    envelope(
        "channel.typing or channel.stop_typing",
        &json!({
            "type": "object",
            "required": ["channel_id"],
            "properties": { "channel_id": channel_id(), "is_typing": { "type": "boolean" } },
        }),
    )
}

fn error() -> Value {
    envelope(
        "error",
        &json!({
            "type": "object",
            "required": ["code", "message"],
            "properties": {
                "code": { "type": "string" },
                "message": { "type": "string" },
                "details": { "type": "object" },
            },
        }),
    )
}
