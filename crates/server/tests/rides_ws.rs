//! Drivers' and passengers' clients against the real process: how they are let in, one connection each, a ride in the middle of which
//! the server is killed, and what the log says of them.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use nix::sys::signal::Signal;
use serde_json::{Value, json};
use support::{Client, Folder, Heard, Server, kulkul};

/// One phone.
struct Phone(Client);

impl Phone {
    fn open(address: &str, token: &str) -> Phone {
        let bearer = format!("Bearer {token}");
        Phone(Client::open_at(address, "/rides/ws", &[], &[("Authorization", &bearer)]).expect("let in"))
    }

    fn of(server: &Server, user: &str, role: &str) -> Phone {
        Phone::open(&server.address, &server.token_with(&["--user", user, "--name", user, "--role", role]))
    }

    fn say(&mut self, kind: &str, data: &Value) {
        self.0.say(&json!({"type": kind, "data": data}).to_string());
    }

    fn hear(&mut self) -> Value {
        match self.0.hear() {
            Heard::Text(text) => serde_json::from_str(&text).expect("JSON"),
            other => panic!("heard {other:?}"),
        }
    }

    /// The data of the first frame of this type; others may come before it.
    fn until(&mut self, kind: &str) -> Value {
        loop {
            let frame = self.hear();
            if frame["type"] == kind {
                return frame["data"].clone();
            }
        }
    }

    fn is_at(&mut self, ride: &Value, latitude: f64, time: &str) {
        let here = json!({"ride_id": ride, "latitude": latitude, "longitude": 106.8456, "timestamp": time});
        self.say("location_update", &here);
    }
}

/// Both said yes; the ride's id, which is the match's.
fn matched(dan: &mut Phone, pia: &mut Phone) -> Value {
    dan.say("beacon_update", &json!({"is_active": true, "latitude": -6.2100, "longitude": 106.8450}));
    dan.until("beacon_update");
    let pickup = json!({"latitude": -6.2088, "longitude": 106.8456});
    pia.say("finder_update", &json!({"is_active": true, "location": pickup}));
    let id = dan.until("match_proposal")["match_id"].clone();
    dan.say("match_confirm", &json!({"match_id": id, "accepted": true}));
    pia.until("match_confirm");
    pia.say("match_confirm", &json!({"match_id": id, "accepted": true}));
    for phone in [dan, pia] {
        assert_eq!(phone.until("ride_pickup")["ride_id"], id);
    }
    id
}

#[test]
fn who_has_no_good_token_is_told_so_before_the_upgrade_in_the_services_words() {
    let server = Server::start();
    let told = json!({"error": "Authentication failed", "message": "Authentication failed"});
    for (target, field) in [
        ("/rides/ws", ""),
        ("/rides/ws?token=a.b.c", ""),
        ("/rides/ws", "Authorization: Bearer a.b.c\r\n"),
        ("/rides/ws", "Authorization: Bearer\r\n"),
    ] {
        let (status, body) = server.http(&format!(
            "GET {target} HTTP/1.1\r\nHost: {}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n{field}\
             Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AQIDBAUGBwgJCgsMDQ4PEA==\r\n\r\n",
            server.address
        ));
        assert_eq!((status, serde_json::from_str(&body).ok()), (401, Some(told.clone())), "{target} {field}");
    }
    server.until_log("upgrade refused");
    for role in ["driver", "passenger"] {
        let body = json!({"name": "Dan", "role": role}).to_string();
        let (status, answer) = server.http(&format!(
            "POST /demo/token HTTP/1.1\r\nHost: {}\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
            server.address,
            body.len()
        ));
        assert_eq!(status, 200, "{answer}");
        let answer: Value = serde_json::from_str(&answer).expect("JSON");
        let mut phone = Phone::open(&server.address, answer["token"].as_str().expect("a token"));
        let first = phone.hear();
        assert_eq!((&first["type"], &first["data"]["role"]), (&json!("state"), &json!(role)));
    }
}

#[test]
fn a_message_of_eight_kibibytes_is_taken_and_no_longer_one() {
    let server = Server::start();
    let mut dan = Phone::of(&server, "dan", "driver");
    dan.until("state");
    let around = json!({"type": "get_state", "data": {"a": ""}}).to_string().len();
    let longest = json!({"type": "get_state", "data": {"a": "x".repeat(8192 - around)}}).to_string();
    assert_eq!(longest.len(), 8192);
    dan.0.say(&longest);
    dan.until("state");
    dan.0.say(&longest.replace("xx", "xxx"));
    assert_eq!(dan.0.closed().0, 1009);
}

#[test]
fn a_newer_connection_of_a_user_ends_the_one_before_it_and_nothing_else_and_the_log_says_so() {
    let server = Server::logging("info", &[]);
    let mut old = Phone::of(&server, "dan", "driver");
    old.until("state");
    server.until_log("WebSocket client connected");
    old.say("beacon_update", &json!({"is_active": true, "latitude": -6.21, "longitude": 106.845}));
    old.until("beacon_update");
    let mut new = Phone::of(&server, "dan", "driver");
    assert_eq!(new.until("state")["beacon"]["available"], true);
    assert_eq!(old.0.closed(), (4509, "replaced by a newer connection".to_owned()));
    server.until_log("Replaced existing WebSocket connection");
    // Its end was the old one's alone.
    let mut pia = Phone::of(&server, "pia", "passenger");
    matched(&mut new, &mut pia);
    drop(pia);
    server.until_log("WebSocket client disconnected");
    let log = server.log();
    let lines = |words: &str| log.lines().filter(|line| line.contains(words)).count();
    assert_eq!(
        (lines("WebSocket client connected"), lines("Replaced existing WebSocket connection")),
        (3, 1)
    );
}

#[test]
fn a_kill_in_the_middle_of_a_ride_loses_none_of_it_and_phones_go_on() {
    let data = Folder::new();
    let token = |user: &str, role: &str| {
        let told = kulkul(&["token", "--data", data.text(), "--user", user, "--role", role]);
        String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
    };
    let server = Server::on(&data, &[]);
    let open = |server: &Server, user: &str, role: &str| Phone::open(&server.address, &token(user, role));
    let (mut dan, mut pia) = (open(&server, "dan", "driver"), open(&server, "pia", "passenger"));
    let ride = matched(&mut dan, &mut pia);
    dan.is_at(&ride, -6.2089, "2025-01-08T10:00:00Z");
    assert_eq!(dan.until("ride_pickup")["status"], "PICKUP");
    dan.say("ride_start", &json!({"ride_id": ride}));
    assert_eq!(pia.until("ride_started")["status"], "ONGOING");
    dan.is_at(&ride, -6.2139, "2025-01-08T10:01:00Z");
    assert_eq!(pia.until("driver_location")["distance_m"], 555.98);
    server.signal(Signal::SIGKILL);
    server.wait();

    let server = Server::on(&data, &[]);
    let (mut dan, mut pia) = (open(&server, "dan", "driver"), open(&server, "pia", "passenger"));
    for phone in [&mut dan, &mut pia] {
        let first = phone.hear();
        let ride_now = &first["data"]["ride"];
        assert_eq!(
            (&first["type"], &ride_now["ride_id"], &ride_now["status"]),
            (&json!("state"), &ride, &json!("ONGOING"))
        );
    }
    // What is said twice is counted once, and the passenger hears on without asking; since when, nobody is told.
    let mut minute = 2;
    let heard = loop {
        dan.is_at(&ride, -6.2189, &format!("2025-01-08T10:{minute:02}:00Z"));
        dan.say("get_state", &json!({}));
        dan.until("state");
        pia.say("ping", &json!({}));
        let frame = pia.hear();
        if frame["type"] == "driver_location" {
            break frame["data"].clone();
        }
        minute += 1;
        assert!(minute < 60, "the passenger hears nothing of the driver");
    };
    assert_eq!((&heard["distance_m"], &heard["total_cost"]), (&json!(1111.95), &json!(3336)));
    dan.say("ride_arrived", &json!({"ride_id": ride, "adjustment_factor": 0.9}));
    let asked = pia.until("payment_request");
    assert_eq!(asked["total_cost"], 3002);
    pia.say("payment_process", &json!({"ride_id": ride, "total_cost": 3002, "status": "ACCEPTED"}));
    for phone in [&mut dan, &mut pia] {
        assert_eq!(phone.until("ride_completed")["payment"]["driver_payout"], 2852);
    }
}
