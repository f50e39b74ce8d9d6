//! What the golden files cannot hold, because their client is a driver: a passenger's side, and where clients are led.

use vocabulary::{Class, Person, Position, Reference, Shown, UserId, Wall, Word};

use super::*;

const RIDE_ID: &str = "5bc2e4f0-1111-8222-9333-444455556666";
const AT: Wall = Wall(0);

fn decoded(own: &RoomId, text: &str) -> Result<Request, Misheard> {
    let word = |app: &str, name: &str| {
        let known = WORDS.into_iter().find(|(_, known, _)| app == "rides" && *known == name);
        known.map(|(_, known, _)| Word::of_anyone(known))
    };
    let is_app = |app: &str| matches!(app, "rides" | "chat");
    RideProtocol.decode(&Names { app: "rides", is_app: &is_app, own: Some(own), word: &word }, text)
}

fn told(item: &Item<'_>) -> String {
    let mut out = Vec::new();
    assert_eq!(RideProtocol.encode(None, item, &mut out), !out.is_empty());
    String::from_utf8(out).expect("text")
}

fn refused(refusal: &Refusal) -> String {
    told(&Item::Refused { room: None, id: None, refusal, at: AT })
}

/// `room kind payload` of what was understood, or what its sender is told.
fn heard(own: &str, text: &str) -> String {
    match decoded(&RoomId::new("rides", own), text) {
        Ok(Request::Room(Asked { room, verb: Verb::Act { kind, payload, .. }, .. })) => {
            format!("{} {kind} {}", room.name(), String::from_utf8_lossy(&payload))
        }
        Ok(Request::Ping(_)) => "ping".into(),
        Ok(Request::Identify(_, token)) => format!("token {}", token.0),
        Ok(other) => panic!("{other:?}"),
        Err(Misheard { tag, refusal, .. }) => {
            told(&Item::Refused { room: None, id: tag.id.as_deref(), refusal: &refusal, at: AT })
        }
    }
}

#[test]
fn a_word_is_said_where_it_belongs_whoever_says_it() {
    let ride = format!(r#"{{"ride_id":"{RIDE_ID}"}}"#);
    for (word, data, driver, passenger) in [
        ("beacon_update", r#"{"is_active":true}"#, "driver:7 beacon_update", "driver:7 beacon_update"),
        ("finder_update", r#"{"is_active":true}"#, "passenger:7 finder_update", "passenger:7 finder_update"),
        ("location_update", r#"{"latitude":1}"#, "driver:7 location_update", "passenger:7 location_update"),
        ("location_update", r#"{"ride_id":""}"#, "driver:7 location_update", "passenger:7 location_update"),
        ("location_update", &ride, "RIDE location_update", "RIDE location_update"),
        ("match_confirm", r#"{"match_id":"m"}"#, "driver:7 match_confirm", "passenger:7 match_confirm"),
        ("match_cancel", r#"{"match_id":"m"}"#, "driver:7 match_cancel", "passenger:7 match_cancel"),
        ("ride_cancel", &ride, "driver:7 ride_cancel", "passenger:7 ride_cancel"),
        ("get_state", "{}", "driver:7 get_state", "passenger:7 get_state"),
        ("pickup_arrived", &ride, "RIDE pickup_arrived", "RIDE pickup_arrived"),
        ("ride_start", &ride, "RIDE ride_start", "RIDE ride_start"),
        ("ride_started", &ride, "RIDE ride_start", "RIDE ride_start"),
        ("ride_arrived", &ride, "RIDE ride_arrived", "RIDE ride_arrived"),
        ("payment_process", &ride, "RIDE payment_process", "RIDE payment_process"),
        ("payment_processed", &ride, "RIDE payment_process", "RIDE payment_process"),
    ] {
        for (own, said) in [("driver:7", driver), ("passenger:7", passenger)] {
            let said = format!("{} {data}", said.replace("RIDE", &format!("ride:{RIDE_ID}")));
            for names in [["type", "data"], ["event", "data"], ["type", "payload"], ["event", "payload"]] {
                let text = format!(r#"{{"{}":"{word}","{}":{data}}}"#, names[0], names[1]);
                assert_eq!(heard(own, &text), said, "{text}");
            }
        }
    }
}

#[test]
fn a_user_whose_id_has_a_colon_is_in_their_own_room_alone() {
    let said = heard("passenger:a:b", r#"{"type":"beacon_update","data":{}}"#);
    assert_eq!(said, "driver:a:b beacon_update {}");
}

#[test]
fn who_is_not_understood_is_told_what_would_have_been() {
    let invalid =
        |text: &str| format!(r#"{{"type":"error","data":{{"code":"INVALID_FORMAT","message":"{text}"}}}}"#);
    let ride = |text: &str| {
        format!(r#"{{"type":"error","data":{{"code":"VALIDATION_FAILED","message":"{text}"}}}}"#)
    };
    let uuid =
        |got: &str| ride(&format!("ride_id must be a UUID in lower case, as a ride says it, got {got}"));
    for (text, says) in [
        ("nonsense", invalid(INVALID_FORMAT)),
        ("[]", invalid(INVALID_FORMAT)),
        (r#"{"type":"ping","type":"ping"}"#, invalid(INVALID_FORMAT)),
        (r#"{"type":7}"#, invalid(INVALID_FORMAT)),
        (r#"{"type":"get_state","data":{"a":"\ud800"}}"#, invalid(INVALID_FORMAT)),
        (r#"{"data":{}}"#, invalid(&WITHOUT_TYPE.replace('"', "\\\""))),
        (r#"{"type":"dance"}"#, invalid("unknown message type: dance")),
        (r#"{"type":"join_room"}"#, invalid("unknown message type: join_room")),
        (r#"{"type":"match_proposal","data":{}}"#, invalid("unknown message type: match_proposal")),
        (r#"{"type":"a","event":"b"}"#, invalid("type and event stand there both, and differ")),
        (
            r#"{"type":"get_state","data":{},"payload":{"a":1}}"#,
            invalid("data and payload stand there both, and differ"),
        ),
        (r#"{"type":"get_state","data":[1]}"#, invalid("data must be an object, got [1]")),
        (r#"{"type":"ride_start","data":{}}"#, ride("ride_id is required: the id of a ride")),
        (r#"{"type":"ride_start"}"#, ride("ride_id is required: the id of a ride")),
        (r#"{"type":"ride_start","data":{"ride_id":7}}"#, uuid("7")),
        (r#"{"type":"ride_start","data":{"ride_id":"7"}}"#, uuid("\\\"7\\\"")),
        (r#"{"type":"ride_start","data":{"ride_id":"a","ride_id":"b"}}"#, invalid(INVALID_FORMAT)),
        (r#"{"type":"refresh"}"#, ride("token is required")),
    ] {
        assert_eq!(heard("driver:7", text), says, "{text}");
    }
    let upper =
        format!(r#"{{"type":"ride_start","id":"x","data":{{"ride_id":"{}"}}}}"#, RIDE_ID.to_uppercase());
    assert!(
        heard("driver:7", &upper)
            .starts_with(r#"{"type":"error","id":"x","data":{"code":"VALIDATION_FAILED""#)
    );
    assert_eq!(heard("driver:7", r#"{"event":"ping"}"#), "ping");
    assert_eq!(heard("driver:7", r#"{"type":"refresh","data":{"token":"a.b.c"}}"#), "token a.b.c");
}

#[test]
fn a_refusal_says_who_is_to_blame_and_no_more() {
    let error = |data: &str| format!(r#"{{"type":"error","data":{{{data}}}}}"#);
    let reference = || Reference { node: 10, shard: vocabulary::ShardId(2), number: 7 };
    let ours = refused(&Refusal::internal(reference()));
    assert_eq!(
        ours,
        error(&format!(
            r#""code":"INTERNAL_ERROR","message":"Internal server error","ref":"{}""#,
            reference()
        ))
    );
    for (refusal, data) in [
        (Refusal::unauthorized(), r#""code":"UNAUTHORIZED","message":"Authentication required""#),
        (
            Refusal::new(Code::Forbidden, "the token allows others"),
            r#""code":"UNAUTHORIZED","message":"Authentication required""#,
        ),
        (
            Refusal::new(Code::App("VALIDATION_FAILED"), "match_id is required"),
            r#""code":"VALIDATION_FAILED","message":"match_id is required""#,
        ),
        (
            Refusal::new(Code::App("NOT_FOUND"), "no such ride"),
            r#""code":"VALIDATION_FAILED","message":"no such ride""#,
        ),
        (
            Refusal::rate_limit(50),
            r#""code":"RATE_LIMIT","message":"too many messages, slow down","retry_after_ms":50"#,
        ),
        (
            Refusal::busy(500),
            r#""code":"RATE_LIMIT","message":"the server is busy, nothing was stored","retry_after_ms":500"#,
        ),
        (
            Refusal::unconfirmed(),
            r#""code":"INTERNAL_ERROR","message":"Internal server error","unconfirmed":true"#,
        ),
    ] {
        assert_eq!(refused(&refusal), error(data), "{refusal:?}");
    }
}

#[test]
fn what_stands_already_is_answered_under_the_name_of_what_brought_it_there() {
    let ride = format!("ride:{RIDE_ID}");
    for (room, reply, says) in [
        ("driver:7", r#"{"is_active":true}"#, r#"{"type":"beacon_update","data":{"is_active":true}}"#),
        ("passenger:7", r#"{"is_active":false}"#, r#"{"type":"finder_update","data":{"is_active":false}}"#),
        (
            "driver:7",
            r#"{"match_status":"ACCEPTED"}"#,
            r#"{"type":"match_confirm","data":{"match_status":"ACCEPTED"}}"#,
        ),
        (
            "driver:7",
            r#"{"match_status":"REJECTED"}"#,
            r#"{"type":"match_rejected","data":{"match_status":"REJECTED"}}"#,
        ),
        ("driver:7", r#"{"offers":[],"ride":null}"#, r#"{"type":"state","data":{"offers":[],"ride":null}}"#),
        (&ride, r#"{"status":"ARRIVING"}"#, r#"{"type":"ride_pickup","data":{"status":"ARRIVING"}}"#),
        (&ride, r#"{"status":"PICKUP"}"#, r#"{"type":"ride_pickup","data":{"status":"PICKUP"}}"#),
        (&ride, r#"{"status":"ONGOING"}"#, r#"{"type":"ride_started","data":{"status":"ONGOING"}}"#),
        (&ride, r#"{"status":"ARRIVED"}"#, r#"{"type":"ride_arrived","data":{"status":"ARRIVED"}}"#),
        (&ride, r#"{"status":"CANCELLED"}"#, r#"{"type":"ride_cancelled","data":{"status":"CANCELLED"}}"#),
        (
            &ride,
            r#"{"status":"COMPLETED","payment":{"a":1}}"#,
            r#"{"type":"ride_completed","data":{"ride":{"status":"COMPLETED","payment":{"a":1}},"payment":{"a":1}}}"#,
        ),
        (&ride, r#"{"other":1}"#, r#"{"type":"ack","data":{"other":1}}"#),
    ] {
        let reply = Payload::copy_from_slice(reply.as_bytes());
        assert_eq!(told(&Item::Done { room, id: None, at: AT, reply: Some(&reply) }), says);
    }
    let done = |id| told(&Item::Done { room: &ride, id, at: AT, reply: None });
    assert_eq!((done(None), done(Some("1"))), (String::new(), r#"{"type":"ack","id":"1","data":{}}"#.into()));
}

fn shown(kind: &'static str, payload: &str) -> Shown {
    let payload = Payload::copy_from_slice(payload.as_bytes());
    Shown { kind, payload, sender: None, class: Class::Record, lasting: true }
}

fn record<'a>(room: &'a str, shown: &'a Shown) -> Item<'a> {
    Item::Record { room, shown, position: Position::default(), at: AT }
}

#[test]
fn of_a_rides_room_its_people_hear_where_the_driver_is_and_nothing_twice() {
    let ride = format!("ride:{RIDE_ID}");
    let here = shown("driver_location", r#"{"latitude":1}"#);
    let state = shown("state", r#"{"status":"ONGOING"}"#);
    assert_eq!(told(&record(&ride, &here)), r#"{"type":"driver_location","data":{"latitude":1}}"#);
    assert_eq!(told(&Item::Soft { room: &ride, shown: &here, at: AT }), told(&record(&ride, &here)));
    assert_eq!(told(&record(&ride, &state)), "");
    let joined = |room| {
        let (users, about) = (&[], Some(&state.payload));
        told(&Item::Joined { room, id: None, users, count: 1, about, present: None, position: None, at: AT })
    };
    assert_eq!(
        (joined(&ride), joined("driver:7")),
        (String::new(), r#"{"type":"state","data":{"status":"ONGOING"}}"#.into())
    );
    let ack = |room, id| {
        let (position, shown) = (Position::default(), Some(&state));
        told(&Item::Ack { room, id, position, at: AT, reply: None, shown })
    };
    assert_eq!(
        (ack(&ride, None), ack(&ride, Some("1"))),
        (String::new(), r#"{"type":"ack","id":"1","data":{}}"#.into())
    );
    assert_eq!(ack("driver:7", Some("1")), r#"{"type":"state","id":"1","data":{"status":"ONGOING"}}"#);
}

#[test]
fn passengers_are_led_into_the_ride_that_they_are_on_and_out_of_it() {
    let user = |role: Option<&str>| {
        let person = Person { id: UserId::new("7"), name: "7".into() };
        User { person, role: role.map(Into::into), rooms: None, groups: None }
    };
    let ride = format!("ride:{RIDE_ID}");
    let of_ride = format!(r#"{{"ride_id":"{RIDE_ID}"}}"#);
    let receipt = format!(r#"{{"ride":{of_ride},"payment":null}}"#);
    let (into, out) = (Some(Lead::Into(ride.clone())), Some(Lead::OutOf(ride.clone())));
    for (kind, payload, leads) in [
        ("ride_pickup", &of_ride, &into),
        ("ride_started", &of_ride, &into),
        ("ride_arrived", &of_ride, &out),
        ("ride_cancelled", &of_ride, &out),
        ("ride_completed", &receipt, &out),
        ("match_confirm", &of_ride, &None),
        ("payment_request", &of_ride, &None),
        ("ride_pickup", &receipt, &None),
        // As a fleet's back end may write them.
        ("ride_pickup", &of_ride.to_uppercase().replace("RIDE_ID", "ride_id"), &into),
        ("ride_pickup", &r#"{"ride_id":"../7 \n"}"#.to_owned(), &None),
        ("ride_pickup", &r#"{"ride_id":""}"#.to_owned(), &None),
    ] {
        let shown = shown(kind, payload);
        let item = record("passenger:7", &shown);
        assert_eq!(RideProtocol.leads(&user(None), &item), *leads, "{kind}");
        assert_eq!(RideProtocol.leads(&user(Some("driver")), &item), None, "{kind}");
        assert_eq!(RideProtocol.leads(&user(None), &record(&ride, &shown)), None, "{kind}");
    }
    for (state, leads) in [
        (format!(r#"{{"offers":[],"ride":{of_ride}}}"#), into.clone()),
        (r#"{"offers":[],"ride":null}"#.into(), Some(Lead::OutOfAll)),
    ] {
        let view = &Payload::from(state);
        let upto = Position::default();
        let joined = Item::Joined {
            room: "passenger:7",
            id: None,
            users: &[],
            count: 1,
            about: Some(view),
            present: None,
            position: None,
            at: AT,
        };
        for item in [
            joined,
            Item::Gap { room: "passenger:7", view, upto, at: AT },
            Item::Reset { room: "passenger:7", view, upto, at: AT },
        ] {
            assert_eq!(RideProtocol.leads(&user(Some("passenger")), &item), leads);
        }
    }
}
