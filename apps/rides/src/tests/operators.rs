//! Those who look after all: what they see of a square and of a ride, when it ends, and that nobody else sees it.

use app::{App, SoftChange};
use serde_json::Value;
use vocabulary::{Caller, Class, Epoch, Payload, Position, RoomId, StepId};

use super::world::{World, as_role, at, broker, key, user};
use crate::geo::Point;
use crate::rules::Authority;
use crate::{OPERATORS, Rules};

/// The square of the pick-up, and the one north of it.
const HERE: &str = "area:4189.14257";
const NORTH: &str = "area:4190.14257";

impl World {
    fn soft(&self, room: &str, key: &str) -> Option<Payload> {
        self.places[room].soft.get(key).map(|soft| soft.value.clone())
    }

    /// What those who look after all are told of a value as it is now, if it was `before`.
    fn news(&self, room: &str, key: &str, before: Option<&Payload>) -> Option<String> {
        let (value, class) = (self.soft(room, key), Class::Signal);
        let change = SoftChange { key, value: value.as_ref(), before, class };
        let shown = self.app.glimpse(&self.places[room].state, &change, OPERATORS)?;
        Some(format!("{} {}", shown.kind, String::from_utf8_lossy(&shown.payload)))
    }
}

fn seen(world: &mut World, square: &str) -> Value {
    let said = world.told(square, &as_role("o", Some("operator")), "get_state", "{}");
    serde_json::from_str(&said).unwrap_or_else(|_| panic!("{square}: {said}"))
}

fn ids(state: &Value, kind: &str, id: &str) -> Vec<String> {
    let list = state[kind].as_array().expect("a list").iter();
    list.map(|thing| thing[id].as_str().expect("a text").to_owned()).collect()
}

#[test]
fn only_who_looks_after_all_may_look() {
    let mut world = World::new();
    let ride = world.riding();
    for (who, role, may) in [
        ("o", Some("operator"), true),
        ("a", Some("admin"), true),
        ("p1", None, false),
        ("p9", Some("Operator"), false),
        ("d1", Some("driver"), false),
        ("s", Some("scorer"), false),
    ] {
        let caller = as_role(who, role);
        let refused = "! Unauthorized Authentication required";
        let entered = world.enters(HERE, &caller);
        assert_eq!(entered, if may { Ok(2) } else { Err(refused.into()) }, "{role:?}");
        let told = world.told(HERE, &caller, "get_state", "{}");
        assert_eq!(told == refused, !may, "{role:?}: {told}");
        let is_theirs = may || who == "p1" || who == "d1";
        assert_eq!(world.enters(&ride, &caller).is_ok(), is_theirs, "{role:?} in the ride");
        for room in ["driver:d1", "passenger:p1"] {
            let own = room.ends_with(who);
            assert_eq!(world.enters(room, &caller).is_ok(), own, "{role:?} in {room}");
        }
    }
    assert!(
        world.enters(HERE, &key()).is_ok() && world.told(HERE, &broker(), "get_state", "").starts_with('{')
    );
}

#[test]
fn an_operator_sees_a_ride_and_speaks_in_none() {
    let mut world = World::new();
    let ride = world.riding();
    let operator = as_role("o", Some("operator"));
    assert!(world.told(&ride, &operator, "get_state", "{}").contains(r#""status":"ARRIVING""#));
    for (kind, payload) in [
        ("location_update", format!("{{{}}}", at(0.0))),
        ("ride_start", "{}".into()),
        ("ride_arrived", "{}".into()),
        ("ride_cancel", "{}".into()),
        ("payment_process", r#"{"total_cost":0,"status":"ACCEPTED"}"#.into()),
    ] {
        assert_eq!(world.told(&ride, &operator, kind, &payload), "! Unauthorized Authentication required");
    }
    let none = "ride:00000000-0000-8000-8000-000000000000";
    assert!(world.enters(none, &operator).is_err_and(|text| text.contains("no such ride")));
}

#[test]
fn a_square_has_its_drivers_its_searches_and_its_rides_each_until_it_is_over() {
    let mut world = World::new();
    world.beacon("d1", 100.0);
    world.beacon("d2", 200.0);
    let state = seen(&mut world, HERE);
    assert_eq!(ids(&state, "drivers", "driver_id"), ["d1", "d2"]);
    assert_eq!(state["counts"].to_string(), r#"{"drivers":2,"rides":0,"searches":0}"#);
    let driver = &state["drivers"][0];
    assert_eq!((&driver["driver_name"], &driver["available"]), (&"D1".into(), &true.into()));
    assert!(driver["ride_id"].is_null() && driver["location"]["latitude"].is_f64());

    world.find("p1");
    let state = seen(&mut world, HERE);
    let search = &state["searches"][0];
    assert_eq!((&search["passenger_id"], &search["passenger_name"]), (&"p1".into(), &"P1".into()));
    assert_eq!((&search["offers"], &search["asked"]), (&2.into(), &2.into()));
    assert_eq!(search["created_at"], "2026-01-01T10:00:00.000Z");
    assert_eq!(search["expires_at"], "2026-01-01T10:05:00.000Z");
    assert_eq!(search["location"].to_string(), r#"{"latitude":-6.2088,"longitude":106.8456}"#);

    let ride = world.matched("p1", "d1");
    let state = seen(&mut world, HERE);
    assert!(ids(&state, "searches", "passenger_id").is_empty(), "the search is over, and that at once");
    assert_eq!(ids(&state, "rides", "ride_id"), [&ride["ride:".len()..]]);
    let told = &state["rides"][0];
    assert_eq!(
        (&told["status"], &told["driver_id"], &told["passenger_id"]),
        (&"ARRIVING".into(), &"d1".into(), &"p1".into())
    );
    let d1 = state["drivers"].as_array().expect("a list").iter().find(|one| one["driver_id"] == "d1");
    let d1 = d1.expect("a driver in a ride is there all the same");
    assert_eq!((&d1["available"], &d1["ride_id"]), (&false.into(), &told["ride_id"]));

    world.does(&ride, &user("p1"), "ride_cancel", "{}");
    world.settle();
    let state = seen(&mut world, HERE);
    assert_eq!(state["counts"].to_string(), r#"{"drivers":2,"rides":0,"searches":0}"#);
    assert!(state["drivers"].as_array().expect("a list").iter().all(|one| one["available"] == true));
    for id in ["d1", "d2"] {
        world.says(&format!("driver:{id}"), "beacon_update", r#"{"is_active":false}"#);
    }
    assert_eq!(seen(&mut world, HERE)["counts"]["drivers"], 0, "off is out of it, and that at once");
}

#[test]
fn whoever_goes_to_another_square_has_left_the_one_before() {
    let mut world = World::new();
    world.beacon("d1", 0.0);
    world.says("driver:d1", "location_update", &format!("{{{}}}", at(2_000.0)));
    assert_eq!(seen(&mut world, HERE)["counts"]["drivers"], 0);
    assert_eq!(ids(&seen(&mut world, NORTH), "drivers", "driver_id"), ["d1"]);
    let appended = world.places["driver:d1"].log.len();
    world.live(60);
    assert_eq!(world.places["driver:d1"].log.len(), appended, "and rests there without a record");

    world.says("driver:d1", "location_update", &format!("{{{}}}", at(0.0)));
    let ride = {
        world.find("p1");
        world.matched("p1", "d1")
    };
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.settle();
    assert_eq!(seen(&mut world, HERE)["rides"][0]["status"], "ONGOING");
    for metres in (50..=2_000).step_by(50) {
        world.wait(5_000);
        world.moves(&ride, "d1", f64::from(metres));
    }
    let (here, north) = (seen(&mut world, HERE), seen(&mut world, NORTH));
    assert_eq!((&here["counts"]["rides"], &here["counts"]["drivers"]), (&0.into(), &0.into()), "{here}");
    assert_eq!(ids(&north, "rides", "driver_id"), ["d1"]);
    assert_eq!(north["drivers"][0]["available"], false);
    world.does(&ride, &user("d1"), "ride_arrived", "{}");
    world.settle();
    let north = seen(&mut world, NORTH);
    assert_eq!((&north["counts"]["rides"], &north["drivers"][0]["available"]), (&0.into(), &true.into()));
}

#[test]
fn a_driver_whom_a_ride_has_is_near_nobody() {
    let mut world = World::new();
    world.riding();
    let asked = r#"{"lat":-62088000,"lon":1068456000,"radius_mm":1000000}"#;
    assert_eq!(world.told(HERE, &key(), "nearby", asked), "[]");
    world.beacon("d2", 100.0);
    assert!(world.told(HERE, &key(), "nearby", asked).contains(r#""driver":{"id":"d2","name":"D2"}"#));
    let operator = as_role("o", Some("operator"));
    assert!(world.told(HERE, &operator, "nearby", asked).starts_with("! UnknownType unknown message type"));
}

#[test]
fn what_is_said_again_as_it_was_is_no_news() {
    let mut world = World::new();
    world.beacon("d1", 0.0);
    let came = world.news(HERE, "driver:d1", None);
    assert!(came.as_deref().is_some_and(|told| told.starts_with("driver_here {")), "{came:?}");
    let value = world.soft(HERE, "driver:d1").expect("a driver is here");
    assert_eq!(world.news(HERE, "driver:d1", Some(&value)), None);
    world.says("driver:d1", "beacon_update", r#"{"is_active":false}"#);
    let went = world.news(HERE, "driver:d1", Some(&value));
    assert_eq!(went.as_deref(), Some(r#"driver_left {"driver_id":"d1"}"#));
    world.find("p1");
    let came = world.news(HERE, "passenger:p1", None);
    assert!(came.as_deref().is_some_and(|told| told.starts_with("search_here {")), "{came:?}");
}

#[test]
fn where_a_back_end_decides_a_square_knows_nobody_and_says_so() {
    let mut world = World::with(Rules { authority: Authority::Fleet, ..Rules::default() });
    let operator = as_role("o", Some("operator"));
    let own = "the fleet's own back end decides this";
    assert!(world.enters(HERE, &operator).is_err_and(|text| text.contains(own)));
    for caller in [&operator, &key()] {
        assert!(world.told(HERE, caller, "get_state", "{}").contains(own));
    }
    let ride = "ride:00000000-0000-8000-8000-000000000000";
    assert!(
        world.enters(ride, &operator).is_ok()
            && world.told(ride, &operator, "get_state", "").starts_with('{')
    );
    assert!(world.told(ride, &operator, "ride_cancel", "{}").starts_with("! Unauthorized"));
}

#[test]
fn the_name_of_a_square_is_worked_out_of_a_place() {
    let page = include_str!("../../../../docs/rides.md");
    for (latitude, longitude, name) in [
        (-6.2088, 106.8456, "4189.14257"),
        (-6.22, 106.83, "4189.14257"),
        (0.0, 0.0, "4500.8999"),
        (-0.0000001, -0.0000001, "4499.8999"),
        (52.52, 13.405, "7126.5881"),
        (60.0, -180.0, "7500.0"),
        (51.4779, 180.0, "7073.0"),
        (90.0, 12.0, "8999.0"),
        (-90.0, -180.0, "0.0"),
    ] {
        let place = Point::of_degrees(latitude, longitude).expect("on the earth");
        assert_eq!(place.cell().name(), name, "{latitude} {longitude}");
        let row = format!("| {latitude}, {longitude} | `{name}` |");
        assert!(page.contains(&row), "docs/rides.md lacks {row}");
    }
}

#[test]
fn who_looks_sees_where_both_are_while_they_come_together() {
    let mut world = World::new();
    let ride = world.riding();
    let operator = as_role("o", Some("operator"));
    let seen = |world: &mut World, by: &vocabulary::Caller| -> Value {
        serde_json::from_str(&world.told(&ride, by, "get_state", "{}")).expect("JSON")
    };
    let state = seen(&mut world, &operator);
    assert!(
        state["driver_location"]["latitude"].is_f64() && state["passenger_location"].is_null(),
        "{state}"
    );
    world.moves(&ride, "p1", 30.0);
    world.moves(&ride, "d1", 250.0);
    let state = seen(&mut world, &key());
    let north = |of: &str| state[of]["latitude"].as_f64().expect("degrees") + 6.2088;
    assert!((north("driver_location") * 111_194.927 - 250.0).abs() < 0.1, "{state}");
    assert!((north("passenger_location") * 111_194.927 - 30.0).abs() < 0.1, "{state}");
    assert!(seen(&mut world, &user("d1")).get("passenger_location").is_none(), "its two are not told");
}

#[test]
fn a_circle_is_asked_for_in_all_the_squares_that_it_touches_and_the_nearest_come_first() {
    let mut world = World::new();
    for (id, metres) in [("d1", 1_500.0), ("d2", -900.0), ("d3", 100.0), ("d4", 2_500.0)] {
        world.beacon(id, metres);
    }
    let (rooms, asks) = crate::around("rides", -6.2088, 106.8456, 2_000).expect("a circle");
    assert!(rooms.len() > 1, "{rooms:?}");
    let asks = String::from_utf8_lossy(&asks).into_owned();
    let answers: Vec<vocabulary::Payload> =
        rooms.iter().map(|room| world.told(room.name(), &key(), "nearby", &asks).into()).collect();
    let near = crate::nearest(&answers);
    let ids: Vec<&str> = near.iter().filter_map(|near| near["driver_id"].as_str()).collect();
    assert_eq!(ids, ["d3", "d2", "d1"]);
    assert!(near[2]["distance_m"].as_f64().is_some_and(|metres| (metres - 1_500.0).abs() < 0.1), "{near:?}");
    for (latitude, longitude, radius) in [(91.0, 0.0, 1), (0.0, 0.0, 0), (0.0, 0.0, 5_001)] {
        assert!(crate::around("rides", latitude, longitude, radius).is_none());
    }
}

#[test]
fn a_question_of_a_place_that_is_none_is_no_question() {
    let mut world = World::new();
    world.beacon("d1", 0.0);
    for (lat, lon) in [(i64::MAX, 0), (0, i64::MIN), (900_000_001, 0), (0, -1_800_000_001)] {
        let asks = format!(r#"{{"lat":{lat},"lon":{lon},"radius_mm":1000000}}"#);
        assert!(world.told(HERE, &key(), "nearby", &asks).starts_with("! VALIDATION_FAILED"), "{asks}");
    }
}

#[test]
fn a_vehicle_is_registered_once_and_told_to_whom_it_comes_for() {
    let mut world = World::new();
    for (payload, says) in [
        ("{}", "driver_info is required"),
        (r#"{"driver_info":{}}"#, "vehicle_type is required"),
        (
            r#"{"driver_info":{"vehicle_type":"bus","vehicle_plate":"B 1"}}"#,
            "must be motorcycle, car or van, got bus",
        ),
        (r#"{"driver_info":{"vehicle_type":"car"}}"#, "vehicle_plate is required"),
        (r#"{"driver_info":{"vehicle_type":"car","vehicle_plate":"  "}}"#, "vehicle_plate is required"),
        (
            r#"{"driver_info":{"vehicle_type":"car","vehicle_plate":"123456789012345678901"}}"#,
            "vehicle_plate must be at most 20 characters, got 21",
        ),
        (
            r#"{"driver_info":{"vehicle_type":"car","vehicle_plate":"ßßßßßßßßßßß"}}"#,
            "vehicle_plate must be at most 20 characters in capitals, got 22",
        ),
    ] {
        let told = world.told("driver:d1", &user("d1"), "driver_register", payload);
        assert!(told.contains(says), "{payload}: {told}");
    }
    let own = r#"{"msisdn":"62811","fullname":"Dewi","driver_info":{"vehicle_type":"motorcycle","vehicle_plate":"b  1234 xyz"}}"#;
    for by in ["d2", "p1"] {
        assert!(world.told("driver:d1", &user(by), "driver_register", own).starts_with("! Unauthorized"));
    }
    let vehicle = r#"{"vehicle_plate":"B 1234 XYZ","vehicle_type":"motorcycle"}"#;
    world.says("driver:d1", "driver_register", own);
    world.says("driver:d1", "driver_register", own);
    assert_eq!(world.places["driver:d1"].log.len(), 1, "said again it is no other");
    assert_eq!(world.state("driver:d1")["vehicle"].to_string(), vehicle);
    world.beacon("d1", 100.0);
    world.find("p1");
    assert_eq!(world.state("passenger:p1")["offers"][0]["vehicle"].to_string(), vehicle);
    world.matched("p1", "d1");
    assert_eq!(world.state("passenger:p1")["ride"]["vehicle"].to_string(), vehicle);
    assert_eq!(seen(&mut world, HERE)["drivers"][0]["vehicle"].to_string(), vehicle);
}

#[test]
fn a_crowded_square_lists_some_and_counts_all() {
    let mut world = World::new();
    for number in 0..250 {
        let step = StepId {
            saga: RoomId::new("rides", &format!("driver:d{number:03}")),
            position: Position { epoch: Epoch::new(1, 7), offset: 1 },
            number: 0,
        };
        let here = r#"{"name":"D","lat":-62088000,"lon":1068456000}"#;
        world.does(HERE, &Caller::Step(step), "here", here);
    }
    let state = seen(&mut world, HERE);
    let listed = ids(&state, "drivers", "driver_id");
    assert_eq!((listed.len(), &state["counts"]["drivers"]), (200, &250.into()));
    assert_eq!((listed[0].as_str(), listed[199].as_str()), ("d000", "d199"), "the same every time");
}

#[test]
fn a_room_speaks_in_a_square_of_its_own_alone() {
    let mut world = World::new();
    let of = |room: &str| {
        let saga = RoomId::new("rides", room);
        Caller::Step(StepId { saga, position: Position { epoch: Epoch::new(1, 7), offset: 1 }, number: 0 })
    };
    for (room, kind) in [
        ("passenger:p1", "here"),
        ("ride:x", "here"),
        ("driver:d1", "searching"),
        ("driver:d1", "riding"),
        ("area:1.1", "riding"),
    ] {
        assert_eq!(
            world.told(HERE, &of(room), kind, "{}"),
            "! Unauthorized Authentication required",
            "{room} {kind}"
        );
    }
    for (room, kind) in [("driver:d1", "here"), ("passenger:p1", "searching"), ("ride:x", "riding")] {
        assert!(world.told(HERE, &of(room), kind, "{}").starts_with("! "), "{room} {kind}");
    }
    assert_eq!(seen(&mut world, HERE)["counts"].to_string(), r#"{"drivers":0,"rides":0,"searches":0}"#);
}
