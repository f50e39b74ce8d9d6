//! What the services of a fleet ask of each other, and their probes.

use serde_json::{Value, json};

use crate::support::Server;
use crate::{
    KEY, LATITUDE, LONGITUDE, Pair, ago, asks, asks_as, at, call, joined, near, server, token, until,
};

fn get(server: &Server, path: &str) -> crate::Answer {
    asks(server, &format!("GET {path}"), &Value::Null)
}

#[test]
fn a_back_end_confirms_starts_ends_and_settles_a_ride_for_its_two() {
    let server = server();
    let mut pair = Pair::offered(&server);
    let confirm = format!("POST /internal/matches/{}/confirm", pair.id);
    let told = asks(&server, &confirm, &json!({"user_id": "dewi", "status": "ACCEPTED"})).ok();
    assert_eq!((&told["match_status"], &told["match_id"]), (&json!("DRIVER_CONFIRMED"), &json!(pair.id)));
    for _ in 0..2 {
        let yes = json!({"user_id": "putu", "role": "passenger", "accepted": true});
        let told = asks_as(&server, KEY, &confirm, &yes, &[("Idempotency-Key", "yes-1")]).ok();
        assert_eq!(told["match_id"], *pair.id, "{told}");
    }
    pair.passenger.next("ride_pickup");
    for metres in [250.0, 0.0] {
        asks(&server, &pair.internal("location"), &ago(metres, 60)).ok();
    }
    let told = asks(&server, &pair.internal("start"), &json!({"ride_id": pair.id})).ok();
    assert_eq!(told["ride"]["status"], "ONGOING");
    asks(&server, &pair.internal("location"), &ago(1_000.0, 30)).ok();
    let seen = get(&server, "/internal/drivers/dewi/location").ok();
    assert_eq!((&seen["ride_id"], &seen["available"]), (&json!(pair.id), &json!(false)), "{seen}");
    let north = seen["location"]["latitude"].as_f64().expect("degrees") - LATITUDE;
    assert!((north * 111_194.927 - 1_000.0).abs() < 0.1, "{seen}");
    let told = asks(&server, &pair.internal("arrive"), &json!({"adjustment_factor": 0.5})).ok();
    assert_eq!((&told["payment"]["fare"], &told["ride"]["total_cost"]), (&3000.into(), &1500.into()));
    let paid =
        asks(&server, &pair.internal("payment"), &json!({"total_cost": 1500, "status": "ACCEPTED"})).ok();
    assert_eq!(
        (&paid["ride"]["status"], &paid["payment"]["status"]),
        (&"COMPLETED".into(), &"PROCESSED".into())
    );
    assert_eq!(pair.passenger.next("ride_completed")["payload"]["ride"]["status"], "COMPLETED");
    let over = asks(&server, &pair.internal("start"), &json!({}));
    over.refused(409, "CONFLICT", Some("ride_id"), "is of a ride that is over");
    let over = asks(&server, &confirm, &json!({"user_id": "dewi", "accepted": true}));
    over.refused(409, "CONFLICT", Some("match_id"), "is of a match that is over");
    assert_eq!(get(&server, &format!("/internal/rides/{}", pair.id)).ok()["ride"]["status"], "COMPLETED");
}

#[test]
fn what_a_back_end_repeats_with_its_key_is_done_once() {
    let server = server();
    let mut pair = Pair::matched(&server);
    asks(&server, &pair.internal("location"), &ago(0.0, 60)).ok();
    asks(&server, &pair.internal("start"), &json!({})).ok();
    asks(&server, &pair.internal("location"), &ago(500.0, 30)).ok();
    let total = asks(&server, &pair.internal("arrive"), &json!({})).ok()["ride"]["total_cost"].clone();
    for (key, status) in [("a", "REJECTED"), ("a", "REJECTED"), ("b", "ACCEPTED"), ("b", "ACCEPTED")] {
        let body = json!({"total_cost": total, "status": status});
        asks_as(&server, KEY, &pair.internal("payment"), &body, &[("Idempotency-Key", key)]).ok();
    }
    let heard: Vec<Value> = (0..3)
        .map(|_| pair.driver.next_of(&["payment_processed", "ride_completed"])["type"].clone())
        .collect();
    assert_eq!(heard, ["payment_processed", "payment_processed", "ride_completed"]);
}

#[test]
fn people_are_switched_on_and_off_and_found_the_nearest_first() {
    let server = server();
    let mut clients = Vec::new();
    // The rows of the map are 2.2 km high, and the pick-up is a kilometre south of a border.
    for (id, metres) in [("d1", 1_300.0), ("d2", -400.0), ("d3", 4_000.0), ("d4", 4_900.0)] {
        clients.push(joined(&server, &token(&server, id, Some("driver")), &format!("rides:driver:{id}")));
        let told = asks(&server, &format!("POST /internal/drivers/{id}/available"), &at(metres)).ok();
        assert_eq!(told["is_active"], true, "{told}");
    }
    let of = |radius: &str| {
        let told =
            get(&server, &format!("/internal/drivers/nearby?lat={LATITUDE}&lng={LONGITUDE}&radius={radius}"))
                .ok();
        let drivers = told["drivers"].as_array().expect("a list").iter();
        drivers.map(|driver| driver["driver_id"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    until("in the pool", || json!(of("5")), |ids| *ids == json!(["d2", "d1", "d3", "d4"]));
    assert_eq!(of("2"), ["d2", "d1"], "over the border, and no further than that");
    assert_eq!(near(&server)["drivers"][0]["distance_m"], 400.0);
    let told = get(&server, "/internal/drivers/d1/location").ok();
    assert_eq!(
        (&told["available"], &told["ride_id"], &told["driver_id"]),
        (&true.into(), &Value::Null, &"d1".into())
    );
    let off = asks(&server, "DELETE /internal/drivers/d2/available", &Value::Null).ok();
    assert_eq!(off["is_active"], false);
    until("out of it", || json!(of("2")), |ids| *ids == json!(["d1"]));
    // By the last place that is known.
    asks(&server, "POST /internal/drivers/d2/available", &Value::Null).ok();
    until("back", || json!(of("2")), |ids| *ids == json!(["d2", "d1"]));

    let far = json!({"location": at(20_000.0)});
    let told = asks(&server, "POST /internal/passengers/p1/available", &far).ok();
    assert!(told["expires_at"].is_string(), "{told}");
    let seen = get(&server, "/internal/passengers/p1/location").ok();
    assert_eq!((&seen["passenger_id"], &seen["is_active"]), (&"p1".into(), &true.into()));
    let other = asks(&server, "POST /internal/passengers/p1/available", &json!({"location": at(0.0)}));
    other.refused(409, "CONFLICT", Some("location"), "another search is on");
    asks(&server, "DELETE /internal/passengers/p1/available", &Value::Null).ok();
    let none = get(&server, "/internal/passengers/p1/location");
    none.refused(404, "NOT_FOUND", None, "no position of the passenger p1 is known");
}

#[test]
fn a_key_is_asked_for_and_opens_what_it_says() {
    let server = server();
    let calls = [
        "POST /internal/drivers/d1/available",
        "GET /internal/drivers/d1/location",
        "GET /internal/drivers/nearby?lat=0&lng=0",
        "POST /internal/rides/00000000-0000-8000-8000-000000000000/start",
        "POST /internal/matches/00000000-0000-8000-8000-000000000000/confirm",
    ];
    let operator = server.operator.clone().expect("it has one");
    for line in calls {
        let none = call(&server, &operator, line, &[], r#"{"user_id":"d1"}"#);
        none.refused(401, "UNAUTHORIZED", None, "authentication required");
        asks_as(&server, "wrong", line, &json!({"user_id": "d1"}), &[]).refused(
            401,
            "UNAUTHORIZED",
            None,
            "",
        );
        let other =
            asks_as(&server, "other-other-other-other-other-other", line, &json!({"user_id": "d1"}), &[]);
        other.refused(403, "FORBIDDEN", None, "the key \"other\" is not for the room");
        let reader =
            asks_as(&server, "reader-reader-reader-reader-reader", line, &json!({"user_id": "d1"}), &[]);
        assert_eq!(reader.status == 403, line.starts_with("POST"), "{line}: {}", reader.body);
        // On the clients' listener there is none of it.
        let clients = call(&server, &server.address, line, &[("X-API-Key", KEY)], "");
        assert_eq!(clients.status, 404, "{line}: {}", clients.body);
    }
    let bearer = [("Authorization", &*format!("Bearer {KEY}"))];
    let told = call(&server, &operator, "GET /internal/drivers/nearby?lat=0&lng=0", &bearer, "").ok();
    assert_eq!(told, json!({"count": 0, "drivers": []}));
}

#[test]
fn what_a_back_end_says_wrongly_is_named_and_what_there_is_not_is_404() {
    let server = server();
    let one = "00000000-0000-8000-8000-000000000000";
    let confirm = format!("POST /internal/matches/{one}/confirm");
    let (bad, invalid) = ("INVALID_PAYLOAD", "VALIDATION_FAILED");
    for (line, body, status, code, field, text) in [
        (&*confirm, json!({}), 400, bad, Some("user_id"), "user_id is required"),
        (
            &confirm,
            json!({"user_id": "d1", "role": "boss"}),
            400,
            bad,
            Some("role"),
            "driver or passenger, got boss",
        ),
        (&confirm, json!({"user_id": "d 1"}), 400, bad, Some("user_id"), "A-Z a-z 0-9"),
        (&confirm, json!({"user_id": "d1", "accepted": true}), 404, "NOT_FOUND", None, "there is no match"),
        (&confirm, json!({"user_id": "d1", "match_id": "7"}), 400, bad, Some("match_id"), "that of the path"),
        ("POST /internal/matches/7/confirm", json!({}), 400, bad, Some("match_id"), "must be a UUID"),
        ("POST /internal/matches/7/seal", json!({}), 404, "NOT_FOUND", None, "there is no such call"),
        ("POST /internal/rides/7/start", json!({}), 400, bad, Some("ride_id"), "must be a UUID"),
        (&format!("POST /internal/rides/{one}/start"), json!({}), 404, "NOT_FOUND", None, "no such ride"),
        (&format!("GET /internal/rides/{one}"), Value::Null, 404, "NOT_FOUND", None, "no such ride"),
        ("POST /internal/passengers/p1/available", json!({}), 400, invalid, Some("location"), "is required"),
        (
            "POST /internal/drivers/d1/available",
            json!({"latitude": "x", "longitude": 0}),
            400,
            invalid,
            Some("latitude"),
            "latitude must be a number of degrees from -90 to 90, got \"x\"",
        ),
        (
            "GET /internal/drivers/nearby?lng=0",
            Value::Null,
            400,
            bad,
            Some("lat"),
            "lat is required: degrees",
        ),
        (
            "GET /internal/drivers/nearby?lat=91&lng=0",
            Value::Null,
            400,
            bad,
            Some("lat"),
            "-90 to 90, got 91",
        ),
        (
            "GET /internal/drivers/nearby?lat=0&lng=NaN",
            Value::Null,
            400,
            bad,
            Some("lng"),
            "-180 to 180, got NaN",
        ),
        (
            "GET /internal/drivers/nearby?lat=0&lng=0&radius=6",
            Value::Null,
            400,
            bad,
            Some("radius"),
            "at most 5, got 6",
        ),
        ("GET /internal/drivers/nearby?lat=0&lat=1&lng=0", Value::Null, 400, bad, Some("lat"), "say it once"),
        (
            "GET /internal/drivers/d1/location",
            Value::Null,
            404,
            "NOT_FOUND",
            None,
            "no position of the driver d1",
        ),
        (
            "PUT /internal/drivers/d1/available",
            Value::Null,
            405,
            "METHOD_NOT_ALLOWED",
            None,
            "PUT is not asked here",
        ),
        ("GET /internal/drivers", Value::Null, 404, "NOT_FOUND", None, "there is no such call"),
        ("GET /internal", Value::Null, 404, "NOT_FOUND", None, "there is no such call"),
    ] {
        asks(&server, line, &body).refused(status, code, field, text);
    }
    let key = [("Idempotency-Key", "")];
    let refused = asks_as(&server, KEY, "POST /internal/drivers/d1/available", &at(0.0), &key);
    refused.refused(400, bad, Some("Idempotency-Key"), "must be 1 to 64");
}

#[test]
fn in_demo_mode_the_internal_calls_are_on_the_one_listener() {
    let server = Server::start();
    let key = std::fs::read_to_string(server.folder.path().join("api-key")).expect("a key");
    let fields = [("X-API-Key", key.trim())];
    let told = call(&server, &server.address, "GET /internal/drivers/nearby?lat=0&lng=0", &fields, "").ok();
    assert_eq!(told["count"], 0);
    assert_eq!(call(&server, &server.address, "GET /health/detailed", &[], "").body["status"], "ok");
}

#[test]
fn probes_ask_what_lives_what_is_ready_and_what_it_depends_on() {
    let server = server();
    let operator = server.operator.clone().expect("it has one");
    for address in [&server.address, &operator] {
        for (path, status) in [("/health", "ok"), ("/health/live", "ok"), ("/health/ready", "ready")] {
            let told = call(&server, address, &format!("GET {path}"), &[], "");
            assert_eq!((told.status, &told.body["status"]), (200, &json!(status)), "{path}: {}", told.body);
        }
    }
    let detail = call(&server, &operator, "GET /health/detailed", &[], "");
    let told =
        (detail.status, &detail.body["status"], &detail.body["ready"], &detail.body["parts"]["engine"]);
    assert_eq!(told, (200, &json!("ok"), &json!(true), &json!({"status": "ok"})), "{}", detail.body);
    assert!(detail.body["connections"].is_number() && detail.body["timestamp"].is_string());
    assert_eq!(
        call(&server, &server.address, "GET /health/detailed", &[], "").status,
        404,
        "operators' alone"
    );
}
