//! A message of a room as it leaves for a broker: as clients are told of it, with the room's full name. It sends nothing.

use serde_json::value::RawValue;
use serde_json::{Value, json};
use vocabulary::Outward;

pub fn envelope(outward: &Outward) -> Option<String> {
    #[derive(serde::Serialize)]
    struct Person<'a> {
        id: &'a str,
        name: &'a str,
    }
    #[derive(serde::Serialize)]
    struct Envelope<'a> {
        #[serde(rename = "type")]
        kind: &'a str,
        room: &'a str,
        payload: &'a RawValue,
        #[serde(skip_serializing_if = "Option::is_none")]
        sender: Option<Person<'a>>,
        timestamp: String,
        id: String,
    }
    let payload: &RawValue = serde_json::from_slice(&outward.shown.payload).ok()?;
    let sender = outward.shown.sender.as_ref().map(|it| Person { id: it.id.as_str(), name: &it.name });
    let (timestamp, id) = (outward.at.to_string(), outward.position.to_string());
    let (kind, room) = (outward.shown.kind, outward.room.as_str());
    serde_json::to_string(&Envelope { kind, room, payload, sender, timestamp, id }).ok()
}

/// What a template of a sink is filled with: the payload's fields, and the room's names.
pub fn fields_of(outward: &Outward) -> Value {
    let mut fields: Value = serde_json::from_slice(&outward.shown.payload).unwrap_or_default();
    if !fields.is_object() {
        fields = json!({});
    }
    fields["name"] = outward.room.name().into();
    fields["room"] = outward.room.as_str().into();
    fields
}
