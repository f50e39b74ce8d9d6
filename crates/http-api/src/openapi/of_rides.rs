//! What the calls among the services of a ride-hailing fleet read and answer. Bodies are passed on to rooms as they were written, so
//! their fields are the rides app's: docs/rides-http.md has them.

use serde_json::{Value, json};

use super::shape::Book;

pub(super) fn fault(book: &mut Book) -> Value {
    book.named("RideFault", |_| {
        json!({
            "type": "object",
            "description": "Why it was not done.",
            "required": ["success", "error", "code"],
            "properties": {
                "success": { "type": "boolean", "const": false },
                "error": { "type": "string" },
                "code": { "type": "string" },
                "field": { "type": "string" },
                "ref": { "type": "string" },
                "retry_after_ms": { "type": "integer" },
            },
        })
    })
}

pub(super) fn done(book: &mut Book) -> Value {
    book.named("RideDone", |_| {
        json!({
            "type": "object",
            "description": "How things stand then.",
            "required": ["success", "message", "data"],
            "properties": {
                "success": { "type": "boolean", "const": true },
                "message": { "type": "string" },
                "data": { "description": "By the call." },
            },
        })
    })
}

pub(super) fn word(book: &mut Book) -> Value {
    book.named("RideWord", |_| {
        json!({
            "type": "object",
            "description": "`user_id`, and what the word needs.",
            "required": ["user_id"],
            "properties": {
                "user_id": { "type": "string", "pattern": "^[A-Za-z0-9_.:-]{1,100}$" },
                "role": { "enum": ["driver", "passenger", null] },
            },
        })
    })
}

pub(super) fn switched(book: &mut Book) -> Value {
    book.named(
        "RideSwitch",
        |_| json!({ "type": "object", "description": "Where they are, as the rides app reads it." }),
    )
}

pub(super) fn nearby(_: &mut Book) -> Value {
    json!({
        "type": "object",
        "required": ["lat", "lng"],
        "properties": {
            "lat": { "type": "number", "minimum": -90, "maximum": 90, "description": "Of the place, in degrees." },
            "lng": { "type": "number", "minimum": -180, "maximum": 180, "description": "Of the place, in degrees." },
            "radius": { "type": "number", "minimum": 0.001, "maximum": 5, "description": "In kilometres." },
        },
    })
}
