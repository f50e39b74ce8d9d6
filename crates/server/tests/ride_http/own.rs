//! What drivers and passengers ask by their tokens.

use serde_json::{Value, json};

use crate::support::Server;
use crate::{CONFIG, Pair, ago, asks, at, call, joined, says, server, token, until};

#[test]
fn a_ride_from_the_match_to_its_receipt_by_calls_alone() {
    let server = server();
    let mut pair = Pair::matched(&server);
    let ride = says(&server, &pair.putu, &format!("GET /api/rides/{}", pair.id), &json!({})).ok();
    assert_eq!((&ride["ride"]["status"], &ride["payment"]), (&"ARRIVING".into(), &Value::Null));
    let mine = says(&server, &pair.dewi, "GET /api/rides/me", &json!({})).ok();
    assert_eq!((&mine["role"], &mine["ride"]["ride_id"]), (&json!("driver"), &json!(pair.id)));

    assert_eq!(says(&server, &pair.putu, &pair.path("location"), &at(0.0)).ok(), json!({}));
    let far = says(&server, &pair.dewi, &pair.path("start"), &json!({}));
    far.refused(409, "CONFLICT", None, "the driver is 250 m from the passenger, and must be within 100 m");
    says(&server, &pair.dewi, &pair.path("location"), &ago(300.0, 160)).ok();
    let far = says(&server, &pair.dewi, &pair.path("start"), &json!({}));
    far.refused(409, "CONFLICT", None, "the driver is 300 m from the passenger");
    let early = says(&server, &pair.dewi, &pair.path("arrive"), &json!({}));
    early.refused(409, "CONFLICT", Some("ride_id"), "ride_start comes first");
    says(&server, &pair.dewi, &pair.path("location"), &ago(0.0, 150)).ok();
    pair.passenger.next("ride_pickup");
    assert_eq!(says(&server, &pair.dewi, &pair.path("pickup"), &json!({})).ok()["ride"]["status"], "PICKUP");

    for _ in 0..2 {
        let told = says(&server, &pair.dewi, &pair.path("start"), &json!({"ride_id": pair.id})).ok();
        assert_eq!(told["ride"]["status"], "ONGOING", "done twice it is done");
    }
    for (metres, seconds) in [(800.0, 120), (1_600.0, 90), (2_400.0, 60), (3_200.0, 30)] {
        says(&server, &pair.dewi, &pair.path("location"), &ago(metres, seconds)).ok();
    }
    let factor = says(&server, &pair.dewi, &pair.path("arrive"), &json!({"adjustment_factor": 1.1}));
    factor.refused(
        400,
        "VALIDATION_FAILED",
        Some("adjustment_factor"),
        "must be a number from 0 to 1, got 1.1",
    );
    let told = says(&server, &pair.dewi, &pair.path("arrive"), &json!({"adjustment_factor": 0.9})).ok();
    assert_eq!((&told["ride"]["status"], &told["payment"]["status"]), (&"ARRIVED".into(), &"PENDING".into()));
    assert_eq!((&told["payment"]["fare"], &told["payment"]["adjusted_cost"]), (&9600.into(), &8640.into()));

    let pay = |pair: &Pair, total: u32, status: &str| {
        says(&server, &pair.putu, &pair.path("payment"), &json!({"total_cost": total, "status": status}))
    };
    pay(&pair, 1, "ACCEPTED").refused(400, "VALIDATION_FAILED", Some("total_cost"), "must be 8640, got 1");
    assert_eq!(pay(&pair, 8640, "REJECTED").ok()["payment"]["status"], "REJECTED");
    let receipt = pay(&pair, 8640, "ACCEPTED").ok();
    assert_eq!(receipt["ride"]["status"], "COMPLETED");
    let paid = &receipt["payment"];
    assert_eq!((&paid["admin_fee"], &paid["driver_payout"]), (&432.into(), &8208.into()));
    assert_eq!(pair.driver.next("ride_completed")["payload"]["payment"], *paid);
    let again = says(&server, &pair.dewi, &format!("GET /api/rides/{}", pair.id), &json!({})).ok();
    assert_eq!(again, receipt, "and it stands");
    pay(&pair, 8640, "ACCEPTED").ok();
    let late = says(&server, &pair.dewi, &pair.path("start"), &json!({}));
    late.refused(409, "CONFLICT", Some("ride_id"), "is of a ride that is over");
}

#[test]
fn a_ride_is_its_twos_and_operators_and_each_says_their_own_words() {
    let server = server();
    let pair = Pair::matched(&server);
    let look = format!("GET /api/rides/{}", pair.id);
    let none = "/api/rides/00000000-0000-8000-8000-000000000000";
    let strangers = [token(&server, "d9", Some("driver")), token(&server, "p9", None)];
    for stranger in &strangers {
        let words = ["pickup", "start", "arrive", "payment", "cancel", "location"];
        for word in words {
            let body = json!({"total_cost": 0, "status": "ACCEPTED", "latitude": 0, "longitude": 0});
            let refused = says(&server, stranger, &pair.path(word), &body);
            refused.refused(403, "UNAUTHORIZED", None, "Authentication required");
        }
        says(&server, stranger, &look, &json!({})).refused(
            403,
            "UNAUTHORIZED",
            None,
            "Authentication required",
        );
        let confirm = format!("POST /api/rides/matches/{}/confirm", pair.id);
        let refused = says(&server, stranger, &confirm, &json!({"accepted": true}));
        refused.refused(403, "UNAUTHORIZED", None, "Authentication required");
        let refused = says(&server, stranger, &format!("GET {none}"), &json!({}));
        refused.refused(404, "NOT_FOUND", None, "no such ride");
        let refused = says(&server, stranger, &format!("POST {none}/cancel"), &json!({}));
        refused.refused(404, "NOT_FOUND", None, "no such ride");
    }
    for (who, word) in [(&pair.putu, "start"), (&pair.putu, "arrive"), (&pair.dewi, "payment")] {
        let refused = says(&server, who, &pair.path(word), &json!({"total_cost": 0, "status": "ACCEPTED"}));
        refused.refused(403, "UNAUTHORIZED", None, "Authentication required");
    }
    let operator = token(&server, "olga", Some("operator"));
    let seen = says(&server, &operator, &look, &json!({})).ok();
    assert!(seen["ride"]["driver_location"].is_object(), "{seen}");
    says(&server, &operator, &pair.path("cancel"), &json!({})).refused(403, "UNAUTHORIZED", None, "");
    let ended = says(&server, &pair.putu, &pair.path("cancel"), &json!({"reason": "rain"})).ok();
    assert_eq!(
        (&ended["ride"]["status"], &ended["ride"]["ended_by"], &ended["ride"]["reason"]),
        (&"CANCELLED".into(), &"passenger".into(), &"rain".into())
    );
}

#[test]
fn an_operator_is_told_what_is_in_a_square_as_it_comes_and_goes() {
    let server = server();
    let operator = token(&server, "olga", Some("operator"));
    let mut square = joined(&server, &operator, "rides:area:4189.14257");
    let pair = Pair::matched(&server);
    let heard = |square: &mut crate::support::Client, kind: &str| square.next(kind)["payload"].clone();
    assert_eq!(heard(&mut square, "driver_here")["driver_id"], "dewi");
    assert_eq!(heard(&mut square, "search_here")["passenger_id"], "putu");
    // Three rooms speak, each when it can.
    let mut wanted = vec!["search_left", "ride_here", "driver_here"];
    while !wanted.is_empty() {
        let told = square.next_of(&wanted);
        let (kind, payload) = (told["type"].as_str().expect("a type"), &told["payload"]);
        match kind {
            "driver_here" if payload["available"] == true => continue,
            "search_left" => assert_eq!(payload["passenger_id"], "putu"),
            _ => assert_eq!(payload["ride_id"], *pair.id, "{told}"),
        }
        wanted.retain(|other| *other != kind);
    }
    square.say(r#"{"type":"get_state","id":"s","room":"rides:area:4189.14257","payload":{}}"#);
    let state = square.next("ack")["payload"].clone();
    assert_eq!(state["counts"], json!({"drivers": 1, "searches": 0, "rides": 1}), "{state}");
    says(&server, &pair.dewi, &pair.path("cancel"), &json!({})).ok();
    assert_eq!(heard(&mut square, "ride_left")["ride_id"], *pair.id);
    let mut other =
        crate::support::Client::open(&server, &format!("/ws?token={}", pair.putu)).expect("let in");
    other.say(r#"{"type":"join_room","id":"j","payload":{"room_id":"rides:area:4189.14257"}}"#);
    assert_eq!(other.next("error")["payload"]["code"], "UNAUTHORIZED");
}

#[test]
fn what_is_wrong_is_named_with_its_field_what_it_must_be_and_what_it_was() {
    let server = server();
    let (dewi, putu) = (token(&server, "dewi", Some("driver")), token(&server, "putu", None));
    let get = |path: &str, fields: &[(&str, &str)]| call(&server, &server.address, path, fields, "");
    for fields in [&[][..], &[("Authorization", "Bearer x")], &[("Authorization", "Basic eDp5")]] {
        let refused = get("GET /api/rides/me", fields);
        refused.refused(401, "UNAUTHORIZED", None, "authentication required");
        assert!(refused.head.to_lowercase().contains("www-authenticate: bearer"), "{}", refused.head);
    }
    let on = |rest: Value| {
        let mut on = json!({"is_active": true});
        on.as_object_mut().expect("an object").extend(rest.as_object().expect("one").clone());
        on
    };
    let invalid = "VALIDATION_FAILED";
    let beacon = "POST /api/rides/beacon";
    for (who, line, body, status, code, field, text) in [
        (&dewi, beacon, json!({}), 400, invalid, Some("is_active"), "is required: true or false"),
        (
            &dewi,
            beacon,
            on(json!({"latitude": 91, "longitude": 0})),
            400,
            invalid,
            Some("latitude"),
            "-90 to 90, got 91",
        ),
        (&dewi, beacon, on(json!({"latitude": 1})), 400, invalid, Some("longitude"), "longitude is required"),
        (&dewi, beacon, json!([]), 400, "INVALID_PAYLOAD", Some("body"), "must be a JSON object"),
        (&putu, beacon, on(json!({})), 403, "FORBIDDEN", None, "role must be driver"),
        (&dewi, "POST /api/rides/finder", on(at(0.0)), 403, "FORBIDDEN", None, "passengers look for drivers"),
        (&putu, "POST /api/rides/finder", on(json!({})), 400, invalid, Some("location"), "is required"),
        (&putu, "POST /api/rides/location", json!({}), 400, invalid, Some("latitude"), "is required"),
        (&putu, "POST /api/rides/horn", json!({}), 404, "NOT_FOUND", None, "there is no such call"),
        (
            &putu,
            "GET /api/rides/7",
            json!({}),
            400,
            "INVALID_PAYLOAD",
            Some("ride_id"),
            "must be a UUID, got \"7\"",
        ),
        (
            &putu,
            "POST /api/rides/7/start",
            json!({}),
            400,
            "INVALID_PAYLOAD",
            Some("ride_id"),
            "must be a UUID",
        ),
        (
            &putu,
            "POST /api/rides/matches/7/confirm",
            json!({}),
            400,
            "INVALID_PAYLOAD",
            Some("match_id"),
            "a UUID",
        ),
        (
            &putu,
            "DELETE /api/rides/me",
            json!({}),
            405,
            "METHOD_NOT_ALLOWED",
            None,
            "DELETE is not asked here",
        ),
        (&putu, "GET /api/rides", json!({}), 404, "NOT_FOUND", None, "there is no such call"),
        (&putu, "POST /drivers/register", json!({}), 403, "FORBIDDEN", None, "role must be driver"),
        (&dewi, "POST /drivers/register", json!({}), 400, invalid, Some("driver_info"), "is required"),
        (
            &putu,
            "POST /auth/otp/generate",
            json!({"msisdn": "62811"}),
            501,
            "NOT_IMPLEMENTED",
            None,
            "kulkul token",
        ),
        (&putu, "GET /users/7", json!({}), 501, "NOT_IMPLEMENTED", None, "tokens come from your own login"),
    ] {
        says(&server, who, line, &body).refused(status, code, field, text);
    }
    let one = "00000000-0000-8000-8000-000000000000";
    let other = says(&server, &putu, &format!("POST /api/rides/{one}/start"), &json!({"ride_id": "x"}));
    other.refused(400, "INVALID_PAYLOAD", Some("ride_id"), "must be that of the path");
    let bearer = format!("Bearer {putu}");
    let key = [("Authorization", &*bearer), ("Idempotency-Key", "a b")];
    let refused = call(&server, &server.address, "POST /api/rides/finder", &key, r#"{"is_active":false}"#);
    refused.refused(400, "INVALID_PAYLOAD", Some("Idempotency-Key"), "printable characters without spaces");
    let large = format!(r#"{{"is_active":false,"x":"{}"}}"#, "x".repeat(64 << 10));
    let refused =
        call(&server, &server.address, "POST /api/rides/finder", &[("Authorization", &bearer)], &large);
    assert_eq!((refused.status, &refused.body["success"]), (413, &json!(false)), "{}", refused.body);
}

#[test]
fn a_search_begins_stands_and_ends_by_calls() {
    let server = server();
    let putu = token(&server, "putu", None);
    let find = |body: &Value| says(&server, &putu, "POST /api/rides/finder", body);
    let search = json!({"is_active": true, "location": at(0.0)});
    let until = find(&search).ok()["expires_at"].clone();
    assert_eq!(find(&search).ok()["expires_at"], until, "the same again is what stands");
    let elsewhere = find(&json!({"is_active": true, "location": at(500.0)}));
    elsewhere.refused(409, "CONFLICT", Some("location"), "another search is on");
    assert_eq!(says(&server, &putu, "GET /api/rides/me", &json!({})).ok()["finder"]["expires_at"], until);
    assert_eq!(find(&json!({"is_active": false})).ok(), json!({"is_active": false}));
    assert_eq!(says(&server, &putu, "GET /api/rides/me", &json!({})).ok()["finder"]["is_active"], false);
}

#[test]
fn what_is_repeated_with_its_key_is_said_once() {
    let server = server();
    let mut pair = Pair::matched(&server);
    says(&server, &pair.dewi, &pair.path("location"), &ago(0.0, 60)).ok();
    says(&server, &pair.dewi, &pair.path("start"), &json!({})).ok();
    says(&server, &pair.dewi, &pair.path("location"), &ago(500.0, 30)).ok();
    let total =
        says(&server, &pair.dewi, &pair.path("arrive"), &json!({})).ok()["payment"]["adjusted_cost"].clone();
    let bearer = format!("Bearer {}", pair.putu);
    let refuse = |key: &str| {
        let fields = [("Authorization", &*bearer), ("Idempotency-Key", key)];
        let body = json!({"total_cost": total, "status": "REJECTED"}).to_string();
        call(&server, &server.address, &pair.path("payment"), &fields, &body).ok()["payment"]["status"]
            .clone()
    };
    for key in ["k-1", "k-1", "k-2"] {
        assert_eq!(refuse(key), "REJECTED");
    }
    says(&server, &pair.putu, &pair.path("payment"), &json!({"total_cost": total, "status": "ACCEPTED"}))
        .ok();
    let tried: Vec<Value> =
        (0..3).map(|_| pair.driver.next("payment_processed")["payload"]["status"].clone()).collect();
    assert_eq!(tried, ["REJECTED", "REJECTED", "PROCESSED"], "two keys, two tries");
}

#[test]
fn a_switch_that_is_repeated_with_its_key_is_answered_with_the_switch() {
    let server = server();
    for (role, word, body) in [
        (Some("driver"), "beacon", json!({"is_active": true})),
        (None, "finder", json!({"is_active": true, "location": at(0.0)})),
    ] {
        let bearer = format!("Bearer {}", token(&server, word, role));
        let fields = [("Authorization", &*bearer), ("Idempotency-Key", "once")];
        for _ in 0..2 {
            let line = format!("POST /api/rides/{word}");
            let told = call(&server, &server.address, &line, &fields, &body.to_string()).ok();
            assert_eq!(told["is_active"], true, "{word}: {told}");
        }
    }
}

#[test]
fn a_vehicle_stands_beside_its_driver_in_what_the_passenger_is_told() {
    let server = server();
    let dewi = token(&server, "dewi", Some("driver"));
    let body = json!({"msisdn": "6281234567890", "fullname": "Dewi Lestari",
        "driver_info": {"vehicle_type": "motorcycle", "vehicle_plate": "b 1234 xyz"}});
    let told = says(&server, &dewi, "POST /drivers/register", &body).ok();
    let vehicle = json!({"vehicle_type": "motorcycle", "vehicle_plate": "B 1234 XYZ"});
    assert_eq!(told, json!({"user_id": "dewi", "role": "driver", "driver_info": vehicle}));
    let pair = Pair::matched(&server);
    let ride = says(&server, &pair.putu, &format!("GET /api/rides/{}", pair.id), &json!({})).ok();
    assert_eq!(ride["ride"]["vehicle"], vehicle);
}

#[test]
fn one_user_asks_as_often_as_a_connection_may_speak() {
    let server = Server::configured(&format!("{CONFIG}[limits]\nmessages_per_second = 1\nburst = 3\n"));
    let (putu, dewi) = (token(&server, "putu", None), token(&server, "dewi", Some("driver")));
    let refused = until(
        "slowed down",
        || {
            let told = says(&server, &putu, "GET /api/rides/me", &json!({}));
            json!({"status": told.status, "body": told.body, "after": told.head.to_lowercase().contains("retry-after: ")})
        },
        |told| told["status"] == 429,
    );
    assert_eq!(
        (&refused["body"]["code"], &refused["after"]),
        (&"RATE_LIMIT".into(), &true.into()),
        "{refused}"
    );
    says(&server, &dewi, "GET /api/rides/me", &json!({})).ok();
}

/// The fleet's own back end decides, and hears by a broker what was said.
#[test]
fn where_a_back_end_decides_words_are_handed_to_it() {
    let server = Server::configured(&format!("{CONFIG}[rides]\nauthority = \"fleet\"\n"));
    let (dewi, putu) = (token(&server, "dewi", Some("driver")), token(&server, "putu", None));
    let mut on = at(0.0);
    on["is_active"] = true.into();
    let taken = says(&server, &dewi, "POST /api/rides/beacon", &on);
    assert_eq!((taken.status, &taken.body["message"]), (202, &json!("Handed to the fleet's own back end")));
    let vehicle = json!({"driver_info": {"vehicle_type": "car", "vehicle_plate": "B 1"}});
    let refused = says(&server, &dewi, "POST /drivers/register", &vehicle);
    refused.refused(409, "CONFLICT", None, "with the fleet's own back end");
    let id = "5bc20000-0000-8000-8000-000000000000";
    let said = json!({"room": "rides:passenger:putu", "type": "match_proposal",
        "payload": {"match_id": id, "driver_id": "dewi", "passenger_id": "putu", "match_status": "PENDING"}});
    let fields = [("Content-Type", "application/json")];
    assert_eq!(crate::asks_as(&server, crate::KEY, "POST /api/publish", &said, &fields).status, 200);
    let mine = says(&server, &putu, "GET /api/rides/me", &json!({})).ok();
    assert_eq!(mine["offers"][0]["match_id"], id);
    let path = format!("/internal/matches/{id}/confirm");
    let refused = asks(&server, &format!("POST {path}"), &json!({"user_id": "putu", "accepted": true}));
    refused.refused(409, "CONFLICT", None, "the fleet's own back end decides this");
    let refused = asks(&server, "POST /internal/drivers/dewi/available", &at(0.0));
    refused.refused(409, "CONFLICT", None, "the fleet's own back end decides this");
    let refused = asks(&server, "GET /internal/drivers/nearby?lat=0&lng=0", &Value::Null);
    refused.refused(403, "FORBIDDEN", None, "the fleet's own back end decides this");
}

#[test]
fn pages_of_the_origins_of_the_mounts_may_call_and_no_others() {
    let server = server();
    let own = format!("http://{}", server.address);
    for path in ["/api/rides/me", "/api/rides/finder", "/drivers/register", "/users"] {
        for (origin, status, code) in [(&*own, 204, None), ("https://evil.test", 403, Some("FORBIDDEN"))] {
            let fields = [("Origin", origin), ("Access-Control-Request-Method", "POST")];
            let told = call(&server, &server.address, &format!("OPTIONS {path}"), &fields, "");
            assert_eq!(
                (told.status, told.body["code"].as_str()),
                (status, code),
                "{path} {origin}: {}",
                told.body
            );
            let shared = told.head.to_lowercase().contains("access-control-allow-origin: ");
            assert_eq!(shared, status == 204, "{}", told.head);
        }
    }
    let putu = token(&server, "putu", None);
    let fields = [("Origin", &*own), ("Authorization", &*format!("Bearer {putu}"))];
    let told = call(&server, &server.address, "GET /api/rides/me", &fields, "");
    assert!(told.head.to_lowercase().contains("access-control-allow-origin: "), "{}", told.head);
}
