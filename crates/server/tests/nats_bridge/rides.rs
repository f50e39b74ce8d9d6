//! Ride hailing with other services: a fleet that matches and bills by itself, and one that is told what happens here.

use serde_json::{Value, json};

use crate::nats::{Found, Nats, broker};
use crate::support::{Client, Server};
use crate::{Place, figure, until, url};

const RIDE: &str = "00000000-0000-4000-8000-000000000001";

fn place(broker: &conformance::Server, authority: &str) -> Place {
    let rides = format!("[rides]\nauthority = \"{authority}\"\n");
    Place::new(&format!("{rides}[nats_bridge]\nurl = \"{}\"\nrides = true\n", url(broker)))
}

fn person(place: &Place, node: &Server, role: &str, id: &str) -> Client {
    let mut client = place.client(node, &[id, "--role", role]);
    client.join(&format!("rides:{role}:{id}"));
    client
}

fn say(client: &mut Client, kind: &str, room: &str, payload: &Value) {
    client.say(&json!({ "type": kind, "room": room, "id": kind, "payload": payload }).to_string());
}

/// What a stream of a fleet's was given while somebody reads it.
fn wait_for(nats: &Nats, stream: &str, subject: &str, count: usize) -> Vec<Found> {
    let mut found = Vec::new();
    until(subject, || {
        found = nats.all(stream).into_iter().filter(|it| it.subject == subject).collect();
        found.len() >= count
    });
    found
}

#[test]
fn clients_ask_the_fleet_and_are_told_what_it_says() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let place = place(&broker, "fleet");
    let node = place.reading(9);
    until("the others' are made", || {
        nats.ask("CONSUMER.INFO.LOCATION_STREAM.location_update_location", &Value::Null).is_some()
    });
    let (mut driver, mut passenger) =
        (person(&place, &node, "driver", "d1"), person(&place, &node, "passenger", "p1"));
    let point = json!({ "latitude": -6.2088, "longitude": 106.8456 });
    say(
        &mut driver,
        "beacon_update",
        "rides:driver:d1",
        &json!({ "is_active": true, "latitude": -6.2088, "longitude": 106.8456 }),
    );
    driver.next("ack");
    say(
        &mut passenger,
        "finder_update",
        "rides:passenger:p1",
        &json!({ "is_active": true, "location": point }),
    );
    passenger.next("ack");
    let beacon = wait_for(&nats, "USER_STREAM", "user.beacon", 1).remove(0);
    assert_eq!((&beacon.json()["user_id"], &beacon.json()["is_active"]), (&"d1".into(), &true.into()));
    assert_eq!(beacon.json()["location"]["latitude"], -6.2088);
    assert!(beacon.header("Nats-Msg-Id").starts_with("kulkul rides:driver:d1 "), "{beacon:?}");
    assert_eq!(wait_for(&nats, "USER_STREAM", "user.finder", 1)[0].json()["user_id"], "p1");

    let mut of_match = json!({ "match_id": "m-1", "driver_id": "d1", "passenger_id": "p1", "match_status": "PENDING", "location": point });
    // Twice, as a service does that was killed before it knew that it had said so.
    for _ in 0..2 {
        nats.put_with("match.found", &of_match.to_string(), &[("Nats-Msg-Id", "found-1")]);
    }
    for client in [&mut driver, &mut passenger] {
        assert_eq!(client.next("match_proposal")["payload"]["match_id"], "m-1");
    }
    say(&mut driver, "match_confirm", "rides:driver:d1", &json!({ "match_id": "m-1", "accepted": true }));
    driver.next("ack");
    let confirm = wait_for(&nats, "KULKUL_RIDES_STREAM", "match.confirm", 1)[0].json();
    assert_eq!(
        (&confirm["user_id"], &confirm["role"], &confirm["status"]),
        (&"d1".into(), &"driver".into(), &"ACCEPTED".into())
    );
    of_match["match_status"] = "ACCEPTED".into();
    nats.put("match.accepted", &of_match.to_string());
    let ride = |status: &str| json!({ "ride_id": RIDE, "match_id": "m-1", "driver_id": "d1", "passenger_id": "p1", "status": status, "total_cost": 0 });
    for client in [&mut driver, &mut passenger] {
        assert_eq!(
            client.next_of(&["match_proposal", "match_confirm"])["payload"]["match_status"],
            "ACCEPTED",
            "found once"
        );
    }
    for (subject, event, status) in
        [("ride.pickup", "ride_pickup", "PICKUP"), ("ride.started", "ride_started", "ONGOING")]
    {
        nats.put(subject, &ride(status).to_string());
        for client in [&mut driver, &mut passenger] {
            assert_eq!(client.next(event)["payload"]["status"], status);
        }
    }
    // Three rooms are told of it, each when it can.
    until("the ride's has heard it, too", || figure(&node, "waiting") == 0);
    let room = format!("rides:ride:{RIDE}");
    passenger.join(&room);
    driver.join(&room);
    say(&mut driver, "location_update", &room, &json!({ "latitude": -6.21, "longitude": 106.84 }));
    driver.next("ack");
    let location = wait_for(&nats, "LOCATION_STREAM", "location.update", 1)[0].json();
    assert_eq!((&location["ride_id"], &location["driver_id"]), (&RIDE.into(), &"d1".into()));
    nats.put(
        "location.aggregate",
        &json!({ "ride_id": RIDE, "distance": 0.15, "latitude": -6.21, "longitude": 106.84 }).to_string(),
    );
    assert_eq!(passenger.next("driver_location")["payload"]["distance"], 0.15);
    nats.put(
        "ride.completed",
        &json!({ "ride": ride("COMPLETED"), "payment": { "status": "PROCESSED" } }).to_string(),
    );
    for client in [&mut driver, &mut passenger] {
        assert_eq!(client.next("ride_completed")["payload"]["payment"]["status"], "PROCESSED");
    }
    assert_eq!(figure(&node, "dead_letters_total"), 0, "{}", node.log());
}

/// Their clients go to the ride as soon as they are told of it, once: it must know them by then.
#[test]
fn whoever_knows_no_rooms_hears_where_the_fleets_driver_is() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let rides =
        format!("[rides]\nauthority = \"fleet\"\n[nats_bridge]\nurl = \"{}\"\nrides = true\n", url(&broker));
    // They ask again and again until they see it.
    let place = Place::new(&format!("{rides}[limits]\nmessages_per_second = 100000\nburst = 100000\n"));
    let node = place.reading(9);
    for number in 1..=8 {
        let (id, ride) = (format!("p{number}"), format!("00000000-0000-4000-8000-00000000000{number}"));
        let mut passenger = place.client_at(&node, "/rides/ws", &[&id]);
        passenger.next("state");
        let begun = json!({ "ride_id": ride, "driver_id": "d1", "passenger_id": id, "status": "PICKUP" });
        nats.put("ride.pickup", &begun.to_string());
        passenger.next("ride_pickup");
        let moved = json!({ "ride_id": ride, "driver_id": "d1", "location": { "latitude": -6.21, "longitude": 106.84 } });
        until("the driver is seen", || {
            nats.put("location.update", &moved.to_string());
            passenger.say(r#"{"type":"get_state"}"#);
            passenger.next_of(&["state", "driver_location"])["type"] == "driver_location"
        });
    }
}

#[test]
fn what_is_matched_and_ridden_here_others_are_told_and_their_words_count() {
    let broker = broker();
    let nats = Nats::at(&broker);
    let place = place(&broker, "kulkul");
    let node = place.reading(3);
    until("the streams are made", || {
        nats.stream_is("KULKUL_RIDES_STREAM").is_some() && nats.stream_is("MATCH_STREAM").is_some()
    });
    // Somebody wants matches, else their stream keeps none.
    nats.durable("MATCH_STREAM", "somebody", &json!({}));
    let (mut driver, mut passenger) =
        (person(&place, &node, "driver", "d1"), person(&place, &node, "passenger", "p1"));
    let point = json!({ "latitude": -6.2088, "longitude": 106.8456 });
    // The driver's own device is here; another service says that the driver is in the pool, and who looks for one.
    let beacon =
        json!({ "user_id": "d1", "is_active": true, "location": point, "timestamp": "2026-01-01T10:00:00Z" });
    nats.put_with("user.beacon", &beacon.to_string(), &[("Nats-Msg-Id", "b-1")]);
    assert_eq!(driver.next("beacon_update")["payload"]["is_active"], true);
    let finder = json!({ "user_id": "p1", "is_active": true, "location": point, "target_location": point, "timestamp": "2026-01-01T10:00:00Z" });
    nats.put_with("user.finder", &finder.to_string(), &[("Nats-Msg-Id", "f-1")]);
    let proposal = driver.next("match_proposal")["payload"].clone();
    let found = wait_for(&nats, "MATCH_STREAM", "match.found", 1);
    assert_eq!(
        (found.len(), &found[0].json()["match_id"]),
        (1, &proposal["match_id"]),
        "of the two who are told, one tells it"
    );
    let yes = json!({ "match_id": proposal["match_id"], "accepted": true });
    say(&mut driver, "match_confirm", "rides:driver:d1", &yes);
    say(&mut passenger, "match_confirm", "rides:passenger:p1", &yes);
    let accepted = wait_for(&nats, "MATCH_STREAM", "match.accepted", 1)[0].json();
    assert_eq!((&accepted["match_status"], &accepted["driver_id"]), (&"ACCEPTED".into(), &"d1".into()));
    let pickup = wait_for(&nats, "RIDE_STREAM", "ride.pickup", 1).remove(0);
    let ride = pickup.json();
    assert_eq!(
        (&ride["ride_id"], &ride["status"], &ride["passenger_id"]),
        (&proposal["match_id"], &"PICKUP".into(), &"p1".into())
    );
    let room = format!("rides:ride:{}", ride["ride_id"].as_str().expect("a name"));
    assert!(pickup.header("Nats-Msg-Id").starts_with(&format!("kulkul {room} ")), "{pickup:?}");
    driver.join(&room);
    say(&mut driver, "ride_cancel", &room, &json!({ "reason": "no fuel" }));
    let cancelled = wait_for(&nats, "KULKUL_RIDES_STREAM", "ride.cancelled", 1)[0].json();
    assert_eq!((&cancelled["status"], &cancelled["ended_by"]), (&"CANCELLED".into(), &"driver".into()));
    until("all was acked", || figure(&node, "ack_pending") == 0);
    assert_eq!(
        (figure(&node, "dead_letters_total"), figure(&node, "taken_in_total")),
        (0, 2),
        "{}",
        node.log()
    );
}
