//! Rides by plain HTTP against the real process: by people's tokens, by a back end's key, and what probes ask.

#[path = "ride_http/internal.rs"]
mod internal;
#[path = "ride_http/own.rs"]
mod own;
#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::time::Instant;

use serde_json::{Value, json};
use support::{Client, PATIENCE, Server, kulkul};
use vocabulary::Wall;

const CONFIG: &str = r#"
secret = "0123456789abcdef0123456789abcdef"
shards = 2
[[api.keys]]
name = "fleet"
secret = "fleet-fleet-fleet-fleet-fleet-fleet"
[[api.keys]]
name = "reader"
secret = "reader-reader-reader-reader-reader"
scopes = ["history"]
[[api.keys]]
name = "other"
secret = "other-other-other-other-other-other"
rooms = ["chat:*"]
"#;

const KEY: &str = "fleet-fleet-fleet-fleet-fleet-fleet";
const LATITUDE: f64 = -6.2088;
const LONGITUDE: f64 = 106.8456;
/// Of a hundred metres, by the haversine of the page.
const METRE: f64 = 1.0 / 111_194.927;

fn server() -> Server {
    Server::configured(CONFIG)
}

struct Answer {
    status: u16,
    head: String,
    body: Value,
}

impl Answer {
    #[track_caller]
    fn ok(self) -> Value {
        assert_eq!((self.status, &self.body["success"]), (200, &json!(true)), "{}", self.body);
        self.body["data"].clone()
    }

    /// The status, the code, the field, and that it is said in the envelope.
    #[track_caller]
    fn refused(&self, status: u16, code: &str, field: Option<&str>, says: &str) {
        let told = (self.status, self.body["code"].as_str(), self.body["field"].as_str());
        assert_eq!(told, (status, Some(code), field), "{}", self.body);
        assert_eq!(self.body["success"], false, "{}", self.body);
        assert!(self.body["error"].as_str().is_some_and(|text| text.contains(says)), "{}", self.body);
    }
}

fn call(server: &Server, address: &str, line: &str, fields: &[(&str, &str)], body: &str) -> Answer {
    let fields: String = fields.iter().map(|(name, value)| format!("{name}: {value}\r\n")).collect();
    let asked = format!(
        "{line} HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n{fields}Content-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let (status, whole) = server.http_whole_at(address, &asked);
    let (head, body) = whole.split_once("\r\n\r\n").expect("a head");
    let body = serde_json::from_str(body).unwrap_or_else(|_| Value::String(body.to_owned()));
    Answer { status, head: head.to_owned(), body }
}

/// By somebody's token.
fn says(server: &Server, token: &str, line: &str, body: &Value) -> Answer {
    let bearer = format!("Bearer {token}");
    call(server, &server.address, line, &[("Authorization", &bearer)], &body.to_string())
}

/// By a back end's key.
fn asks(server: &Server, line: &str, body: &Value) -> Answer {
    asks_as(server, KEY, line, body, &[])
}

fn asks_as(server: &Server, key: &str, line: &str, body: &Value, fields: &[(&str, &str)]) -> Answer {
    let operator = server.operator.clone().expect("it has one");
    let body = if body.is_null() { String::new() } else { body.to_string() };
    call(server, &operator, line, &[&[("X-API-Key", key)], fields].concat(), &body)
}

fn token(server: &Server, id: &str, role: Option<&str>) -> String {
    let role: &[&str] = &role.map_or_else(Vec::new, |role| vec!["--role", role]);
    let told =
        kulkul(&[&["token", "--config", server.config_path(), "--user", id, "--name", id], role].concat());
    assert!(told.status.success(), "{}", String::from_utf8_lossy(&told.stderr));
    String::from_utf8(told.stdout).expect("UTF-8").trim().to_owned()
}

fn joined(server: &Server, token: &str, room: &str) -> Client {
    let mut client = Client::open(server, &format!("/ws?token={token}")).expect("let in");
    client.join(room);
    client
}

/// So many metres north of the pick-up.
fn at(metres: f64) -> Value {
    json!({"latitude": LATITUDE + metres * METRE, "longitude": LONGITUDE})
}

/// The same, where somebody was so many seconds ago.
fn ago(metres: f64, seconds: i64) -> Value {
    let mut there = at(metres);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).expect("after 1970");
    let now = i64::try_from(now.as_millis()).expect("a time");
    there["timestamp"] = Wall(now - seconds * 1_000).to_string().into();
    there
}

/// Until the answer is as wanted.
fn until(what: &str, mut ask: impl FnMut() -> Value, wanted: impl Fn(&Value) -> bool) -> Value {
    let from = Instant::now();
    loop {
        let told = ask();
        if wanted(&told) {
            return told;
        }
        assert!(from.elapsed() < PATIENCE, "{what}: {told}");
        std::thread::yield_now();
    }
}

fn near(server: &Server) -> Value {
    asks(server, &format!("GET /internal/drivers/nearby?lat={LATITUDE}&lng={LONGITUDE}"), &Value::Null).ok()
}

/// A driver and a passenger who have been offered to each other, each with a socket in their own room.
struct Pair {
    dewi: String,
    putu: String,
    driver: Client,
    passenger: Client,
    id: String,
}

impl Pair {
    fn offered(server: &Server) -> Pair {
        let (dewi, putu) = (token(server, "dewi", Some("driver")), token(server, "putu", None));
        let driver = joined(server, &dewi, "rides:driver:dewi");
        let passenger = joined(server, &putu, "rides:passenger:putu");
        let mut on = at(250.0);
        on["is_active"] = true.into();
        let told = says(server, &dewi, "POST /api/rides/beacon", &on).ok();
        assert_eq!(told["is_active"], true, "{told}");
        until("in the pool", || near(server), |near| near["count"] == 1);
        let search = json!({"is_active": true, "location": at(0.0), "target_location": at(3_000.0)});
        let told = says(server, &putu, "POST /api/rides/finder", &search).ok();
        assert!(told["expires_at"].is_string(), "{told}");
        let mut pair = Pair { dewi, putu, driver, passenger, id: String::new() };
        pair.id =
            pair.passenger.next("match_proposal")["payload"]["match_id"].as_str().expect("a name").into();
        assert_eq!(pair.driver.next("match_proposal")["payload"]["match_id"], *pair.id);
        pair
    }

    fn matched(server: &Server) -> Pair {
        let mut pair = Pair::offered(server);
        let confirm = format!("POST /api/rides/matches/{}/confirm", pair.id);
        let told = says(server, &pair.dewi, &confirm, &json!({"accepted": true})).ok();
        assert_eq!(told["match_status"], "DRIVER_CONFIRMED");
        let told = says(server, &pair.putu, &confirm, &json!({"status": "ACCEPTED"})).ok();
        assert_eq!(told["match_status"], "PASSENGER_CONFIRMED");
        for client in [&mut pair.driver, &mut pair.passenger] {
            assert_eq!(client.next("ride_pickup")["payload"]["status"], "ARRIVING");
        }
        pair
    }

    fn path(&self, word: &str) -> String {
        format!("POST /api/rides/{}/{word}", self.id)
    }

    fn internal(&self, word: &str) -> String {
        format!("POST /internal/rides/{}/{word}", self.id)
    }
}
