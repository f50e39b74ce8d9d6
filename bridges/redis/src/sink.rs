//! Messages that this node stored, published on the relay channel as envelopes, in the order in which they were stored. A
//! channel keeps nothing: who does not listen has missed it, and so there is no cursor to keep either. It publishes nothing
//! twice, and nothing that came by the relay or only tells of a change.

use std::time::Duration;

use node::Outflow;
use redis_wire::{Call, Fault};
use serde::Serialize;
use serde_json::value::RawValue;
use vocabulary::Outward;

use crate::counts::add;
use crate::parts::Parts;
use crate::said::{ORIGIN, RELAY};
use crate::stage::Stage;

/// In one command.
const AT_ONCE: usize = 64;
const AGAIN: Duration = Duration::from_millis(200);

#[derive(Serialize)]
struct Person<'a> {
    id: &'a str,
    name: &'a str,
}

/// Until no shard is left.
pub(crate) async fn go_on(parts: &Parts, channel: Option<&str>, members: bool, mut outflow: Outflow) {
    while let Some(some) = outflow.next(AT_ONCE).await {
        if members {
            parts.members.hear(parts, &some);
        }
        let Some(channel) = channel else { continue };
        let texts: Vec<String> = some.iter().filter_map(|outward| envelope(parts, outward)).collect();
        if !texts.is_empty() {
            publish(parts, channel, &texts).await;
        }
    }
    parts.members.end();
}

async fn publish(parts: &Parts, channel: &str, texts: &[String]) {
    let call = Call::on([]).arg(channel);
    let call = texts.iter().fold(call, |call, text| call.arg(text.as_str()));
    loop {
        match parts.asks.run(&parts.asks.scripts.publish, &call).await {
            Ok(_) => return add(&parts.counts.sent_total, texts.len()),
            // Published twice would be heard twice.
            Err(Fault::Doubtful(_)) => return add(&parts.counts.sent_unknown_total, texts.len()),
            Err(_) if *parts.stage.borrow() == Stage::Ends => {
                return add(&parts.counts.sent_unknown_total, texts.len());
            }
            Err(_) => tokio::time::sleep(AGAIN).await,
        }
    }
}

/// As seed 002's servers write and read them.
fn envelope(parts: &Parts, outward: &Outward) -> Option<String> {
    let Outward { room, key, position, at, shown, open } = outward;
    let is_told = room.app() == parts.reading.app && *open && shown.lasting;
    if !is_told || key.event_source() == Some(RELAY) {
        return None;
    }
    #[derive(Serialize)]
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
    let payload: &RawValue = serde_json::from_slice(&shown.payload).ok()?;
    let sender = shown.sender.as_ref().map(|it| Person { id: it.id.as_str(), name: &it.name });
    let (timestamp, id) = (at.to_string(), position.to_string());
    let envelope = Envelope { kind: shown.kind, room: room.name(), payload, sender, timestamp, id };
    let mut text = serde_json::to_string(&envelope).ok()?;
    // The one field whose name is ours to choose, behind those that are theirs.
    text.pop();
    let origin = serde_json::to_string(&parts.reading.origin).ok()?;
    text.push_str(&format!(",\"{ORIGIN}\":{origin}}}"));
    Some(text)
}
