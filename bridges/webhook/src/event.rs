//! What a receiver is told, as it is written: a record of a room as an event, and several events as the body of one call. It sends
//! nothing. What is repeated is written the same, under the same id.

use serde::Serialize;
use serde_json::value::RawValue;
use vocabulary::{Outward, Position, RoomId};

/// One, and the place of the record that it came of.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) id: String,
    /// A JSON object.
    pub(crate) text: String,
    pub(crate) position: Position,
    /// When, in milliseconds since 1970.
    pub(crate) at: i64,
}

#[derive(Serialize)]
struct Person<'a> {
    id: &'a str,
    name: &'a str,
}

#[derive(Serialize)]
struct Written<'a> {
    id: &'a str,
    event: &'static str,
    app: &'a str,
    room: &'a str,
    epoch: String,
    offset: u64,
    #[serde(rename = "type")]
    kind: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    sender: Option<Person<'a>>,
    timestamp: String,
    payload: &'a RawValue,
}

/// A record of a room.
pub(crate) fn of_record(outward: &Outward) -> Option<Event> {
    let payload: &RawValue = serde_json::from_slice(&outward.shown.payload).ok()?;
    let sender = outward.shown.sender.as_ref().map(|it| Person { id: it.id.as_str(), name: &it.name });
    let id = format!("{} {}", outward.room, outward.position);
    let written = Written {
        id: &id,
        event: "record",
        app: outward.room.app(),
        room: outward.room.as_str(),
        epoch: outward.position.epoch.to_string(),
        offset: outward.position.offset,
        kind: outward.shown.kind,
        sender,
        timestamp: outward.at.to_string(),
        payload,
    };
    let text = serde_json::to_string(&written).ok()?;
    Some(Event { id, text, position: outward.position, at: outward.at.0 })
}

/// What is sent again, as it was.
pub(crate) fn of_letter(outward: &Outward) -> Option<Event> {
    #[derive(serde::Deserialize)]
    struct Again<'a> {
        #[serde(borrow)]
        event: &'a RawValue,
    }
    #[derive(serde::Deserialize)]
    struct Named {
        id: String,
    }
    let again: Again<'_> = serde_json::from_slice(&outward.shown.payload).ok()?;
    let named: Named = serde_json::from_str(again.event.get()).ok()?;
    let (position, at) = (outward.position, outward.at.0);
    Some(Event { id: named.id, text: again.event.get().to_owned(), position, at })
}

/// What happened to connections, one after the other.
pub(crate) fn of_happened(outward: &Outward) -> Vec<Event> {
    #[derive(serde::Deserialize)]
    struct Happened<'a> {
        #[serde(borrow)]
        events: Vec<&'a RawValue>,
    }
    let Ok(happened) = serde_json::from_slice::<Happened<'_>>(&outward.shown.payload) else {
        return Vec::new();
    };
    let event = |(index, written): (usize, &&RawValue)| {
        let id = format!("{} {}/{index}", outward.room, outward.position);
        let rest = written.get().strip_prefix('{')?;
        let text = format!("{{\"id\":\"{id}\",{rest}");
        Some(Event { id, text, position: outward.position, at: outward.at.0 })
    };
    happened.events.iter().enumerate().filter_map(event).collect()
}

/// As many of the first as go in one call.
pub(crate) fn fits(events: &[Event], count_max: usize, bytes_max: usize) -> usize {
    let mut bytes = 0;
    let within = |event: &&Event| {
        bytes += event.text.len() + 1;
        bytes <= bytes_max
    };
    // One that is longer by itself goes alone.
    events.iter().take(count_max).take_while(within).count().max(1).min(events.len())
}

/// `missed`: records that were gone before they could be told.
pub(crate) fn body(origin: &str, room: &RoomId, events: &[Event], missed: u64) -> String {
    let quoted = |text: &str| serde_json::Value::from(text).to_string();
    let texts: Vec<&str> = events.iter().map(|event| event.text.as_str()).collect();
    let missed = if missed > 0 { format!("\"missed\":{missed},") } else { String::new() };
    format!(
        "{{\"origin\":{},\"room\":{},{missed}\"events\":[{}]}}",
        quoted(origin),
        quoted(room.as_str()),
        texts.join(",")
    )
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use serde_json::{Value, json};
    use vocabulary::{Class, Epoch, Key, Shown, UserId, Wall};

    pub(crate) fn outward(room: &str, kind: &'static str, payload: &str) -> Outward {
        let sender = Some(vocabulary::Person { id: UserId::new("7"), name: "Ana".into() });
        let (class, payload) = (Class::Record, payload.to_owned().into());
        Outward {
            room: RoomId::from_full(room).expect("a room"),
            key: Key::client(&UserId::new("7"), "1"),
            position: Position { epoch: Epoch(1), offset: 4 },
            at: Wall(0),
            shown: Shown { kind, payload, sender, class, lasting: true },
            open: true,
        }
    }

    #[test]
    fn an_event_says_all_that_a_receiver_needs_and_its_payload_as_it_was() {
        let outward = outward("chat:general", "new_message", r#"{"z":1.10}"#);
        let event = of_record(&outward).expect("an event");
        let position = outward.position.to_string();
        assert_eq!(event.id, format!("chat:general {position}"));
        assert!(event.text.ends_with(r#""payload":{"z":1.10}}"#), "{}", event.text);
        let read: Value = serde_json::from_str(&event.text).expect("JSON");
        let expected = json!({
            "id": event.id, "event": "record", "app": "chat", "room": "chat:general",
            "epoch": outward.position.epoch.to_string(), "offset": 4, "type": "new_message",
            "sender": { "id": "7", "name": "Ana" }, "timestamp": "1970-01-01T00:00:00.000Z", "payload": { "z": 1.1 },
        });
        assert_eq!(read, expected);
    }

    #[test]
    fn what_is_sent_again_is_the_event_that_it_was() {
        let event = of_record(&outward("chat:general", "new_message", r#"{"z":1.10}"#)).expect("an event");
        let letter = format!(r#"{{"letter":"1-9","event":{}}}"#, event.text);
        let again = of_letter(&outward("webhooks:orders", webhooks::RESEND, &letter)).expect("an event");
        assert_eq!((again.id, again.text), (event.id, event.text));
        assert_eq!(of_letter(&outward("webhooks:orders", webhooks::RESEND, r#"{"event":{}}"#)), None);
    }

    #[test]
    fn what_happened_is_an_event_each_with_an_id_of_its_own_that_stays() {
        let written = r#"{"events":[{"event":"joined","user":"7"},{"event":"left","user":"7"}]}"#;
        let outward = outward("webhooks:orders:3", webhooks::HAPPENED, written);
        let events = of_happened(&outward);
        let position = outward.position.to_string();
        let read: Vec<Value> =
            events.iter().map(|it| serde_json::from_str(&it.text).expect("JSON")).collect();
        let expected = |event: &str, index: usize| json!({ "id": format!("webhooks:orders:3 {position}/{index}"), "event": event, "user": "7" });
        assert_eq!(read, [expected("joined", 0), expected("left", 1)]);
        assert_eq!(events, of_happened(&outward));
    }

    #[test]
    fn a_call_has_as_much_as_it_may_and_at_least_one() {
        let event = |bytes: usize| Event {
            id: "1".to_owned(),
            text: "x".repeat(bytes),
            position: Position::default(),
            at: 0,
        };
        let events: Vec<Event> = [99, 99, 99, 500].map(event).into();
        for (from, count_max, bytes_max, fit) in
            [(0, 9, 1000, 4), (0, 2, 1000, 2), (0, 9, 250, 2), (3, 9, 250, 1), (4, 9, 250, 0)]
        {
            assert_eq!(fits(&events[from..], count_max, bytes_max), fit, "{from} {count_max} {bytes_max}");
        }
    }

    #[test]
    fn a_body_is_json_and_says_what_was_missed() {
        let room = RoomId::new("chat", "a\"b");
        let events = [of_record(&outward("chat:a", "new_message", "{}")).expect("an event")];
        let read = |missed| -> Value {
            serde_json::from_str(&body("kul\"kul", &room, &events, missed)).expect("JSON")
        };
        assert_eq!((&read(0)["missed"], &read(7)["missed"]), (&Value::Null, &json!(7)));
        assert_eq!((&read(0)["room"], &read(0)["origin"]), (&json!("chat:a\"b"), &json!("kul\"kul")));
        assert_eq!(read(0)["events"].as_array().map(Vec::len), Some(1));
    }
}
