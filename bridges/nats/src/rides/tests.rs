//! What the fleet's messages mean here, and what is said here for the fleet.

use proptest::prelude::*;

use super::*;
use crate::sink::tests::outward;

const RIDE: &str = "00000000-0000-4000-8000-000000000001";

fn said(event: Event, value: &Value) -> Result<Vec<Said>, String> {
    match event.meant(Some("e-1".to_owned()), value) {
        Ok(Meant::Said(said)) => {
            assert!(said.iter().all(|said| !said.room.name().starts_with("ride:")), "a ride is told first");
            Ok(said)
        }
        Ok(Meant::After(ride, mut others)) => {
            assert!(ride.room.name().starts_with("ride:"), "a ride is told first");
            others.push(ride);
            Ok(others)
        }
        Ok(Meant::NotForUs) => Ok(Vec::new()),
        Err(Poison(why)) => Err(why),
    }
}

fn rooms(event: Event, value: &Value) -> Vec<String> {
    let said = said(event, value).expect("it is understood");
    assert!(said.iter().all(|said| said.id.as_deref() == Some("e-1")));
    said.iter().map(|said| said.room.as_str().to_owned()).collect()
}

#[test]
fn what_happens_to_two_is_told_in_both_their_rooms_and_in_the_rides() {
    let both = ["rides:driver:d1", "rides:passenger:7"].map(str::to_owned).to_vec();
    let all = [both.clone(), vec![format!("rides:ride:{RIDE}")]].concat();
    let of_two = json!({ "match_id": "m", "driver_id": "d1", "passenger_id": 7 });
    let of_ride =
        json!({ "ride_id": RIDE.to_uppercase(), "driver_id": "d1", "passenger_id": 7, "status": "PICKUP" });
    for event in [Event::MatchFound, Event::MatchAccepted, Event::MatchRejected] {
        assert_eq!(rooms(event, &of_two), both);
    }
    for event in [Event::RidePickup, Event::RideStarted, Event::RideArrived] {
        assert_eq!(rooms(event, &of_ride), all);
        for told in said(event, &of_ride).expect("understood") {
            let told: Value = serde_json::from_slice(&told.payload).expect("JSON");
            let ids = [&told["ride_id"], &told["driver_id"], &told["passenger_id"]];
            assert_eq!(ids, [RIDE, "d1", "7"], "as rooms and clients know them");
            assert_eq!(told["status"], "PICKUP");
        }
        assert!(said(event, &of_two).is_err_and(|why| why.contains("`ride_id`")));
    }
    assert_eq!(rooms(Event::RideCompleted, &json!({ "ride": of_ride, "payment": {} })), all);
    assert!(said(Event::RideCompleted, &of_ride).is_err_and(|why| why.contains("`ride`")));
}

#[test]
fn requests_of_other_services_are_words_of_a_back_end() {
    let beacon = json!({ "user_id": "d1", "is_active": true, "location": { "latitude": -6.2, "longitude": 106.8 }, "timestamp": "t" });
    let told = said(Event::Beacon, &beacon).expect("understood").remove(0);
    assert_eq!((told.room.as_str(), told.kind.as_str()), ("rides:driver:d1", "beacon_update"));
    assert_eq!(&told.payload[..], br#"{"is_active":true,"location":{"latitude":-6.2,"longitude":106.8}}"#);
    let finder = json!({ "user_id": "p1", "is_active": false, "location": null, "target_location": null });
    let told = said(Event::Finder, &finder).expect("understood").remove(0);
    assert_eq!(
        (told.room.as_str(), &told.payload[..]),
        ("rides:passenger:p1", &br#"{"is_active":false}"#[..])
    );
    let location = json!({ "ride_id": RIDE, "driver_id": "d1", "location": { "latitude": 1.5, "longitude": 2.5 }, "created_at": "now" });
    let told = said(Event::Location, &location).expect("understood").remove(0);
    assert_eq!((told.room.as_str(), told.soft), ("rides:driver:d1", false), "it is measured and paid");
    assert_eq!(&told.payload[..], br#"{"latitude":1.5,"longitude":2.5,"timestamp":"now"}"#);
    let told = said(Event::Moved, &location).expect("understood").remove(0);
    assert_eq!(
        (told.room.as_str(), told.kind.as_str(), told.soft),
        (&*format!("rides:ride:{RIDE}"), "driver_location", true)
    );
    assert_eq!(
        said(Event::Moved, &json!({ "ride_id": "", "driver_id": "d1", "location": {} })),
        Ok(Vec::new())
    );
}

fn row(
    authority: Authority,
    room: &str,
    kind: &'static str,
    payload: &Value,
) -> Option<(&'static str, Value)> {
    authority.row(&outward(room, kind, &payload.to_string()))
}

#[test]
fn what_happens_here_has_the_fleets_subjects() {
    let ride = format!("rides:ride:{RIDE}");
    for (kind, payload, subject) in [
        ("match_proposal", json!({ "match_status": "PENDING" }), Some("match.found")),
        ("match_confirm", json!({ "match_status": "DRIVER_CONFIRMED" }), None),
        ("match_confirm", json!({ "match_status": "ACCEPTED" }), Some("match.accepted")),
        ("match_rejected", json!({ "match_status": "REJECTED" }), Some("match.rejected")),
        ("ride_started", json!({ "status": "ONGOING" }), Some("ride.started")),
        ("ride_arrived", json!({ "status": "ARRIVED" }), Some("ride.arrived")),
        ("ride_completed", json!({ "ride": {}, "payment": {} }), Some("ride.completed")),
        ("ride_cancelled", json!({ "status": "CANCELLED" }), Some("ride.cancelled")),
        ("payment_processed", json!({ "status": "REJECTED" }), Some("ride.payment")),
        ("driver_location", json!({}), None),
    ] {
        let told = row(Authority::Kulkul, &ride, kind, &payload);
        assert_eq!(told.as_ref().map(|(subject, _)| *subject), subject, "{kind}");
        assert!(told.is_none_or(|(_, value)| value == payload), "{kind}: as it is");
    }
    let told =
        row(Authority::Kulkul, &ride, "ride_pickup", &json!({ "ride_id": RIDE, "status": "ARRIVING" }));
    assert_eq!(told, Some(("ride.pickup", json!({ "ride_id": RIDE, "status": "PICKUP" }))));
}

#[test]
fn what_clients_ask_for_has_the_fleets_fields_and_its_author_is_whose_room_it_is() {
    let at = "1970-01-01T00:00:00.000Z";
    let said = |data: Value, role: &str| json!({ "user_id": "7", "role": role, "data": data });
    let point = json!({ "latitude": 1.5, "longitude": 2.5 });
    let timed = json!({ "latitude": 1.5, "longitude": 2.5, "timestamp": at });
    let (driver, passenger, ride) = ("rides:driver:7", "rides:passenger:7", format!("rides:ride:{RIDE}"));
    for (room, kind, told, subject, expected) in [
        (
            driver,
            "beacon_update",
            said(
                json!({ "is_active": true, "latitude": 1.5, "longitude": 2.5, "msisdn": "62", "user_id": "8" }),
                "driver",
            ),
            "user.beacon",
            json!({ "user_id": "7", "is_active": true, "location": timed, "timestamp": at }),
        ),
        (
            driver,
            "beacon_update",
            said(json!({ "is_active": false }), "driver"),
            "user.beacon",
            json!({ "user_id": "7", "is_active": false, "location": null, "timestamp": at }),
        ),
        (
            passenger,
            "finder_update",
            said(json!({ "is_active": true, "location": point, "target_location": point }), "passenger"),
            "user.finder",
            json!({ "user_id": "7", "is_active": true, "location": timed, "target_location": timed, "timestamp": at }),
        ),
        (
            &*ride,
            "location_update",
            said(point.clone(), "driver"),
            "location.update",
            json!({ "ride_id": RIDE, "driver_id": "7", "location": timed, "created_at": at }),
        ),
        (
            passenger,
            "location_update",
            said(json!({ "ride_id": RIDE, "location": point }), "passenger"),
            "location.passenger",
            json!({ "ride_id": RIDE, "passenger_id": "7", "location": timed, "created_at": at }),
        ),
        (
            driver,
            "match_confirm",
            said(
                json!({ "match_id": "m", "accepted": false, "user_id": "8", "role": "passenger" }),
                "driver",
            ),
            "match.confirm",
            json!({ "match_id": "m", "accepted": false, "status": "REJECTED", "user_id": "7", "role": "driver", "timestamp": at }),
        ),
        (
            &*ride,
            "payment_process",
            said(json!({ "total_cost": 9, "status": "ACCEPTED" }), "passenger"),
            "ride.pay",
            json!({ "total_cost": 9, "status": "ACCEPTED", "ride_id": RIDE, "user_id": "7", "role": "passenger", "timestamp": at }),
        ),
    ] {
        assert_eq!(row(Authority::Fleet, room, kind, &told), Some((subject, expected)), "{kind}");
    }
    assert_eq!(row(Authority::Fleet, driver, "get_state", &said(json!({}), "driver")), None);
}

/// A word that is asked for has a subject, that subject has a stream, and so has what is read.
#[test]
fn every_subject_has_a_stream_and_only_one() {
    let streams = streams();
    let holders = |subject: &str| {
        streams.iter().filter(|stream| stream.subjects.iter().any(|it| it == subject)).count()
    };
    let read = [Authority::Kulkul, Authority::Fleet].map(Authority::reads).concat();
    for (_, stream, durable) in &read {
        let found = streams.iter().find(|it| it.name == *stream).expect("a stream");
        assert!(
            found.subjects.contains(&durable.subject) && holders(&durable.subject) == 1,
            "{}",
            durable.subject
        );
    }
    let ride = format!("rides:ride:{RIDE}");
    let asked = json!({ "user_id": "7", "role": "driver", "data": {} });
    for word in [
        "beacon_update",
        "finder_update",
        "location_update",
        "match_confirm",
        "match_cancel",
        "pickup_arrived",
        "ride_start",
        "ride_started",
        "ride_arrived",
        "ride_cancel",
        "payment_process",
        "payment_processed",
    ] {
        let (subject, _) = row(Authority::Fleet, &ride, word, &asked).expect(word);
        assert_eq!(holders(subject), 1, "{word}");
    }
}

proptest! {
    /// Whatever the fleet writes, it is understood or poison, and never anybody's panic.
    #[test]
    fn whatever_is_written_is_understood_or_said_to_be_wrong(
        names in proptest::collection::vec("ride_id|driver_id|passenger_id|user_id|location|ride|is_active", 0..6),
        texts in proptest::collection::vec("\\PC{0,6}|00000000-0000-4000-8000-000000000001", 6),
    ) {
        let value: Value = names.into_iter().zip(texts).map(|(name, text)| (name, Value::from(text))).collect();
        let value = if value.is_object() { value } else { json!({}) };
        for (event, ..) in OURS.iter().chain(&THEIRS) {
            for said in said(*event, &value).unwrap_or_default() {
                prop_assert_eq!(said.room.app(), APP);
            }
        }
    }
}
