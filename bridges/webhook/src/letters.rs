//! Events that a receiver does not take: kept in a room of their own, `webhooks:NAME`, where an operator reads them and sends them
//! again. An event is done with when its letter is there. It sends nothing to receivers.

use crossing::Came;
use node::{Desk, signature};
use serde_json::json;
use serde_json::value::RawValue;
use vocabulary::{By, RoomId, Wish};

use crate::event::Event;
use crate::sink::Place;

/// What a letter holds of an event; of a longer one it says that it is not there.
const EVENT_BYTES_MAX: usize = 60 << 10;

pub(crate) async fn put(
    desk: &Desk,
    hook: &str,
    place: Place<'_>,
    event: &Event,
    (why, tries): (&str, u32),
) -> bool {
    let payload = payload(event, why, tries).into();
    // The same event at the same place is one letter, however often its steward dies.
    let id = signature(hook.as_bytes(), format!("{} {} {}", place.room, place.position, event.id).as_bytes());
    // By this name the room knows that it is none of what leaves by a webhook.
    let by = By::Source { name: "webhook:letters".into(), author: None };
    let wish = Wish::Publish { kind: webhooks::LETTER.into(), payload, id: Some(id.into()) };
    match crossing::came(desk.call_by(by, RoomId::new(webhooks::APP, hook), wish).await) {
        Came::Taken => true,
        Came::NotNow(_) => false,
        Came::Refused(why) => {
            tracing::error!(
                webhook = hook,
                event = event.id,
                why,
                "a dead letter is not kept, and its room waits"
            );
            false
        }
    }
}

fn payload(event: &Event, why: &str, tries: u32) -> String {
    let (id, bytes) = (&event.id, event.text.len());
    let whole: Option<&RawValue> =
        serde_json::from_str(&event.text).ok().filter(|_| bytes <= EVENT_BYTES_MAX);
    match whole {
        Some(whole) => {
            format!("{{\"event\":{whole},\"reason\":{},\"attempts\":{tries}}}", json!(why))
        }
        None => json!({ "event": { "id": id }, "cut": bytes, "reason": why, "attempts": tries }).to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;
    use vocabulary::Position;

    #[test]
    fn a_letter_holds_the_event_as_it_is_or_says_that_it_is_too_long() {
        let event =
            |text: String| Event { id: "a 1-2".to_owned(), text, position: Position::default(), at: 0 };
        let text = r#"{"id":"a 1-2","payload":{"z":1.10}}"#;
        let letter = payload(&event(text.to_owned()), "answered \"400\"", 3);
        assert!(letter.contains(text), "{letter}");
        let read: Value = serde_json::from_str(&letter).expect("JSON");
        assert_eq!((&read["reason"], &read["attempts"]), (&json!("answered \"400\""), &json!(3)));
        let long = event(format!("{{\"x\":\"{}\"}}", "y".repeat(EVENT_BYTES_MAX)));
        let read: Value = serde_json::from_str(&payload(&long, "answered 413", 1)).expect("JSON");
        assert_eq!((&read["event"], &read["cut"]), (&json!({ "id": "a 1-2" }), &json!(long.text.len())));
    }
}
