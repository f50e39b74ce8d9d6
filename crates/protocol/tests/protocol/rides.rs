//! Whatever a driver's or a passenger's client says is answered, and with its id.

use proptest::prelude::*;
use protocol::{Item, Protocol, RideProtocol};
use serde_json::{Value, json};
use vocabulary::Request;

use crate::golden::{Tongue, names};
use crate::properties::{check_decoded_by, position, value, wall};

/// Nearly a frame: the right keys with any values, or the right values.
fn ride_frame() -> impl Strategy<Value = Value> {
    let kind = prop_oneof![
        Just("beacon_update"),
        Just("finder_update"),
        Just("location_update"),
        Just("match_confirm"),
        Just("ride_start"),
        Just("ride_arrived"),
        Just("payment_processed"),
        Just("get_state"),
        Just("dance"),
    ];
    let kind = prop_oneof![6 => kind.prop_map(Value::from), 1 => value()];
    let ride = prop_oneof![
        3 => "[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}".prop_map(Value::from),
        1 => "[0-9A-Fa-f-]{0,40}".prop_map(Value::from),
        1 => value(),
    ];
    let data = (ride, value(), value()).prop_map(
        |(ride, place, other)| json!({"ride_id": ride, "latitude": place, "match_id": other, "msisdn": "62811"}),
    );
    let data = prop_oneof![4 => data, 1 => value()];
    let names = (prop_oneof![Just("type"), Just("event")], prop_oneof![Just("data"), Just("payload")]);
    (kind, data, names)
        .prop_map(|(kind, data, (kind_name, data_name))| json!({kind_name: kind, data_name: data}))
}

fn ride_told(item: Item<'_>) -> Value {
    let mut out = Vec::new();
    assert!(RideProtocol.encode(None, &item, &mut out));
    let text = std::str::from_utf8(&out).expect("text");
    assert!(!text.contains(['\n', '\r']), "one line: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// All that its page has.
const RIDE_CODES: [&str; 5] =
    ["INVALID_FORMAT", "UNAUTHORIZED", "VALIDATION_FAILED", "INTERNAL_ERROR", "RATE_LIMIT"];

proptest! {
    #[test]
    fn whatever_a_driver_or_a_passenger_says_is_answered_with_its_id(
        frame in ride_frame(),
        id in "[ -~]{1,128}",
        pretty in any::<bool>(),
        position in position(),
        at in wall(),
    ) {
        let mut frame = frame;
        frame["id"] = id.as_str().into();
        let text = if pretty { serde_json::to_string_pretty(&frame) } else { serde_json::to_string(&frame) };
        let text = text.expect("JSON");
        check_decoded_by(Tongue::Ride, &text);
        let own = Value::from(id.as_str());
        match RideProtocol.decode(&names(Tongue::Ride), &text) {
            Ok(Request::Room(asked)) => {
                let (room, id) = (asked.room.name(), asked.tag.id.as_deref());
                let done = ride_told(Item::Done { room, id, at, reply: None });
                let ack = ride_told(Item::Ack { room, id, position, at, reply: None, shown: None });
                prop_assert_eq!(&done, &ack);
                prop_assert_eq!(&done["id"], &own);
            }
            Ok(other) => prop_assert!(false, "{:?}", other),
            Err(misheard) => {
                // Whose type is no text, is not understood at all.
                let id = misheard.tag.id.as_deref();
                let told = ride_told(Item::Refused { room: None, id, refusal: &misheard.refusal, at });
                let kind = frame.get("type").or(frame.get("event"));
                let is_read = kind.is_none_or(|kind| kind.is_string() || kind.is_null());
                prop_assert!(!is_read || told["id"] == own, "{told}");
                let code = told["data"]["code"].as_str().unwrap_or_default();
                prop_assert!(RIDE_CODES.contains(&code), "{told}");
            }
        }
    }
}
