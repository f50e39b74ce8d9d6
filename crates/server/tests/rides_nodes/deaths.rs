//! A node that dies at the worst moment, and a server that is killed in the middle of a ride: nobody is asked anything twice, and everybody
//! goes on with what they had.

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::person::{Person, at, was_at};
use crate::support::{Client, Folder, Server, kulkul};

fn enter(fleet: &Fleet, node: &Server, person: &mut Person) {
    let client = fleet.client_with(node, "/ws", &person.says());
    assert!(person.comes_anew(client)["ride"].is_null(), "{} has a ride already", person.room);
}

fn comes_back(fleet: &Fleet, node: &Server, person: &mut Person) -> Value {
    let client = fleet.client_with(node, "/ws", &person.says());
    person.comes_anew(client)
}

fn on(driver: &mut Person, metres: f64) {
    let mut beacon = at(metres);
    beacon["is_active"] = true.into();
    let id = driver.say_own("beacon_update", &beacon);
    driver.done(&id);
}

fn looks(passenger: &mut Person) {
    let id = passenger.say_own("finder_update", &json!({"is_active": true, "location": at(0.0)}));
    passenger.done(&id);
}

fn agrees(person: &mut Person, id: &Value) -> String {
    person.say_own("match_confirm", &json!({"match_id": id, "accepted": true}))
}

/// From the pick-up to the first of the two kilometres.
fn begins(driver: &mut Person, ride: &str) {
    let id = driver.say("location_update", ride, &was_at(0.0, 100));
    driver.done(&id);
    let id = driver.say("ride_start", ride, &json!({}));
    driver.done(&id);
    driver.next("ride_started");
}

fn passes(driver: &mut Person, ride: &str, metres: f64, seconds_ago: u64) {
    let id = driver.say("location_update", ride, &was_at(metres, seconds_ago));
    driver.done(&id);
}

/// It is paid twice, under one name and under another; what it came to is told once.
fn pays(passenger: &mut Person, ride: &str, cost: u64) {
    let accepted = json!({"total_cost": cost, "status": "ACCEPTED"});
    let first = json!({"type": "payment_process", "room": ride, "id": "pay", "payload": accepted});
    passenger.send(&first);
    passenger.done("pay");
    passenger.send(&first);
    passenger.done("pay");
    let again = passenger.say("payment_process", ride, &accepted);
    passenger.done(&again);
}

fn count(history: &[Value], kind: &str) -> usize {
    history.iter().filter(|told| told["type"] == kind).count()
}

/// Both drivers are asked for the passenger, who hears that they would.
fn both_want(pia: &mut Person, drivers: [&mut Person; 2]) {
    let mut ids = drivers.map(|driver| {
        let id = driver.next("match_proposal")["match_id"].clone();
        let said = agrees(driver, &id);
        driver.done(&said);
        id
    });
    let mut wanted = [(); 2].map(|()| {
        let told = pia.until(|frame| frame["payload"]["match_status"] == "DRIVER_CONFIRMED");
        told["payload"]["match_id"].clone()
    });
    wanted.sort_by_key(Value::to_string);
    ids.sort_by_key(Value::to_string);
    assert_eq!(wanted, ids);
}

/// R28: the match is made while the driver's node is there and says nothing, and then it is gone.
pub(crate) fn driver_dies_before_it_is_told(fleet: &Fleet) {
    let (one, two) = (fleet.node(), fleet.node());
    let (mut dan, mut eva) = (Person::driver("dan"), Person::driver("eva"));
    let mut pia = Person::passenger("pia");
    enter(fleet, &one, &mut dan);
    enter(fleet, &two, &mut eva);
    enter(fleet, &two, &mut pia);
    on(&mut dan, 100.0);
    on(&mut eva, 200.0);
    looks(&mut pia);
    both_want(&mut pia, [&mut dan, &mut eva]);
    let dans = dan.state()["offers"][0]["match_id"].clone();
    one.signal(Signal::SIGSTOP);
    let said = agrees(&mut pia, &dans);
    pia.done(&said);
    // Made, as soon as what the silent node was steward of has another.
    let ride_id = pia.next("ride_pickup")["ride_id"].clone();
    assert_eq!(ride_id, dans);
    one.signal(Signal::SIGKILL);
    one.wait();
    let eva_is = eva.next("match_rejected");
    assert_eq!(eva_is["reason"], "passenger_taken", "{eva_is}");

    let first = comes_back(fleet, &two, &mut dan);
    assert_eq!(
        (&first["ride"]["ride_id"], &first["ride"]["passenger_id"]),
        (&ride_id, &json!("pia")),
        "{first}"
    );
    let first = comes_back(fleet, &two, &mut pia);
    assert_eq!(
        (&first["ride"]["ride_id"], &first["ride"]["driver_id"]),
        (&ride_id, &json!("dan")),
        "{first}"
    );
    let first = eva.state();
    assert_eq!((&first["ride"], &first["beacon"]["available"]), (&Value::Null, &json!(true)));

    let ride = format!("rides:ride:{}", ride_id.as_str().expect("a name"));
    begins(&mut dan, &ride);
    passes(&mut dan, &ride, 555.98, 60);
    let id = dan.say("ride_arrived", &ride, &json!({}));
    dan.done(&id);
    let due = pia.next("payment_request")["total_cost"].as_u64().expect("what it costs");
    assert_eq!(due, 1_668, "555.98 m");
    pays(&mut pia, &ride, due);
    for person in [&mut dan, &mut pia] {
        person.next("ride_completed");
        let history = person.history();
        for (kind, times) in
            [("ride_started", 1), ("ride_arrived", 1), ("payment_processed", 1), ("ride_completed", 1)]
        {
            assert_eq!(count(&history, kind), times, "{} holds of {kind}: {history:?}", person.room);
        }
        let made = history.iter().filter(|told| told["payload"]["match_status"] == "ACCEPTED");
        assert_eq!(made.count(), 1, "{}", person.room);
    }
    assert_eq!(count(&eva.history(), "ride_pickup"), 0);
}

fn on_disk(data: &Folder, server: &Server, person: &mut Person) -> Value {
    let says = [&["token", "--data", data.text()], &person.says()[..]].concat();
    let token = String::from_utf8(kulkul(&says).stdout).expect("UTF-8");
    let client = Client::open(server, &format!("/ws?token={}", token.trim())).expect("let in");
    person.comes_anew(client)
}

#[test]
fn a_ride_goes_on_after_a_kill_and_costs_what_it_was_to_the_unit() {
    let data = Folder::new();
    let server = Server::on(&data, &[]);
    let (mut dan, mut pia) = (Person::driver("dan"), Person::passenger("pia"));
    on_disk(&data, &server, &mut dan);
    on_disk(&data, &server, &mut pia);
    on(&mut dan, 100.0);
    looks(&mut pia);
    let id = dan.next("match_proposal")["match_id"].clone();
    agrees(&mut dan, &id);
    pia.next("match_confirm");
    agrees(&mut pia, &id);
    let ride = format!("rides:ride:{}", id.as_str().expect("a name"));
    dan.next("ride_pickup");
    begins(&mut dan, &ride);
    passes(&mut dan, &ride, 555.98, 60);
    // On its way when the server dies: whether it was stored nobody knows, and it is said again.
    let last = was_at(1_111.96, 30);
    let on_its_way = json!({"type": "location_update", "room": ride, "id": "last", "payload": last});
    dan.send(&on_its_way);
    server.signal(Signal::SIGKILL);
    server.wait();

    let server = Server::on(&data, &[]);
    for person in [&mut dan, &mut pia] {
        let first = on_disk(&data, &server, person);
        let ride = &first["ride"];
        assert_eq!((&ride["ride_id"], &ride["status"]), (&id, &json!("ONGOING")), "{first}");
    }
    pia.send(&json!({"type": "join_room", "id": "r", "payload": {"room_id": ride}}));
    let sees = pia.until(|frame| frame["type"] == "room_info" && frame["room"] == ride.as_str());
    assert_eq!(sees["payload"]["about"]["status"], "ONGOING");
    for _ in 0..2 {
        dan.send(&on_its_way);
        dan.done("last");
    }
    // And once more in other words: it is no other point.
    let again = dan.say("location_update", &ride, &last);
    dan.done(&again);
    passes(&mut dan, &ride, 1_667.94, 5);
    let told =
        pia.until(|frame| frame["type"] == "driver_location" && frame["payload"]["total_cost"] == 5_004);
    assert_eq!(told["payload"]["distance_m"], 1_667.94, "{told}");
    let said = dan.say("ride_arrived", &ride, &json!({"adjustment_factor": 0.9}));
    dan.done(&said);
    let due = pia.next("payment_request")["total_cost"].as_u64().expect("what it costs");
    assert_eq!(due, 4_503, "nine tenths of 5,004, rounded down");
    pays(&mut pia, &ride, due);
    for person in [&mut dan, &mut pia] {
        let receipt = person.next("ride_completed");
        let payment = &receipt["payment"];
        let amounts =
            ["fare", "adjusted_cost", "admin_fee", "driver_payout"].map(|name| payment[name].as_u64());
        assert_eq!(amounts, [5_004, 4_503, 225, 4_278].map(Some), "{receipt}");
        assert_eq!(count(&person.history(), "payment_processed"), 1);
    }
}
