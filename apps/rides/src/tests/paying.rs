//! What is paid: the amounts, who may, and that a payment that failed can be tried again.

use super::world::{World, key, user};
use crate::{OUTWARD, Rules};

#[test]
fn the_amount_must_be_the_one_that_is_due() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    for (payload, told) in [
        (
            r#"{"total_cost":2999,"status":"ACCEPTED"}"#,
            "! VALIDATION_FAILED total_cost must be 3000, got 2999",
        ),
        (
            r#"{"total_cost":3000.0,"status":"ACCEPTED"}"#,
            "! VALIDATION_FAILED total_cost must be 3000, got 3000.0",
        ),
        (
            r#"{"total_cost":"3000","status":"ACCEPTED"}"#,
            "! VALIDATION_FAILED total_cost must be 3000, got \"3000\"",
        ),
        (r#"{"total_cost":-1,"status":"ACCEPTED"}"#, "! VALIDATION_FAILED total_cost must be 3000, got -1"),
        (
            r#"{"total_cost":3000,"status":"ACCEPTED","accepted":false}"#,
            "! VALIDATION_FAILED status must be left out, or what accepted says, false, got ACCEPTED",
        ),
        (r#"{"status":"ACCEPTED"}"#, "! VALIDATION_FAILED total_cost is required"),
        (r#"{"total_cost":3000}"#, "! VALIDATION_FAILED status is required: ACCEPTED or REJECTED"),
        (
            r#"{"total_cost":3000,"status":"PAID"}"#,
            "! VALIDATION_FAILED status must be ACCEPTED or REJECTED, got PAID",
        ),
    ] {
        let answer = world.told(&ride, &user("p1"), "payment_process", payload);
        assert!(answer.starts_with(told), "{payload}: {answer}");
    }
    assert_eq!(world.status(&ride), "ARRIVED");
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
    assert_eq!(world.status(&ride), "COMPLETED");
    let records = world.places[&ride].log.len();
    world.does(&ride, &user("p1"), "payment_process", r#"{"total_cost":3000,"status":"ACCEPTED"}"#);
    assert_eq!(world.places[&ride].log.len(), records, "it is paid once");
}

#[test]
fn a_factor_is_a_number_from_nothing_to_all_and_all_if_nothing_is_said() {
    for (factor, told) in [
        (
            r#"{"adjustment_factor":1.01}"#,
            "! VALIDATION_FAILED adjustment_factor must be a number from 0 to 1, got 1.01",
        ),
        (
            r#"{"adjustment_factor":-0.5}"#,
            "! VALIDATION_FAILED adjustment_factor must be a number from 0 to 1, got -0.5",
        ),
        (
            r#"{"adjustment_factor":"1"}"#,
            "! VALIDATION_FAILED adjustment_factor must be a number from 0 to 1",
        ),
    ] {
        let mut world = World::new();
        let ride = world.riding();
        world.moves(&ride, "d1", 0.0);
        world.does(&ride, &user("d1"), "ride_start", "{}");
        let answer = world.told(&ride, &user("d1"), "ride_arrived", factor);
        assert!(answer.starts_with(told), "{factor}: {answer}");
    }
    for (factor, adjusted) in
        [("{}", 9600), (r#"{"adjustment_factor":0.9}"#, 8640), (r#"{"adjustment_factor":0.57}"#, 5472)]
    {
        let mut world = World::new();
        let ride = world.ridden(3_200.0, factor);
        assert_eq!(world.state(&ride)["payment"]["adjusted_cost"], adjusted);
    }
}

#[test]
fn a_ride_that_costs_nothing_is_over_at_once() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, r#"{"adjustment_factor":0}"#);
    assert_eq!(world.status(&ride), "COMPLETED");
    assert!(
        world.heard("passenger:p1").ends_with("ride_arrived ARRIVED, ride_completed"),
        "{}",
        world.heard("passenger:p1")
    );
}

#[test]
fn payments_are_listed_until_they_are_made_and_rates_are_those_the_ride_began_with() {
    let rules = Rules {
        rate_per_km: 5_000,
        fee_basis_points: 1_000,
        payment_url: Some("https://pay.example/qr".into()),
        ..Rules::default()
    };
    let mut world = World::with(rules);
    let ride = world.riding();
    world.app = crate::Rides::new(Rules::default());
    world.moves(&ride, "d1", 0.0);
    world.does(&ride, &user("d1"), "ride_start", "{}");
    world.wait(60_000);
    world.moves(&ride, "d1", 1_000.0);
    world.does(&ride, &user("d1"), "ride_arrived", "{}");
    world.settle();
    let payment = world.state("passenger:p1")["payment"].clone();
    assert_eq!(
        (&payment["adjusted_cost"], &payment["admin_fee"], &payment["driver_payout"]),
        (&5000.into(), &500.into(), &4500.into())
    );
    world.does(&ride, &key(), "payment_process", r#"{"total_cost":5000,"status":"ACCEPTED"}"#);
    world.settle();
    assert!(world.state("passenger:p1")["payment"].is_null());
}

#[test]
fn brokers_are_told_what_each_word_was_however_late() {
    let mut world = World::new();
    let ride = world.ridden(1_000.0, "{}");
    for status in ["REJECTED", "ACCEPTED"] {
        let payment = format!(r#"{{"total_cost":3000,"status":"{status}"}}"#);
        world.does(&ride, &user("p1"), "payment_process", &payment);
    }
    let told = |world: &World, ride: &str| -> Vec<String> {
        let frames = world.places[ride].log.iter().map(|record| world.frame(ride, record, OUTWARD));
        let kinds = frames.filter_map(|frame| Some(frame.split_once(' ')?.0.to_owned()));
        kinds.filter(|kind| kind != "driver_location").collect()
    };
    let begun = ["ride_pickup", "ride_pickup", "ride_started"];
    let all = [&begun[..], &["ride_arrived", "payment_processed", "ride_completed"]].concat();
    assert_eq!(told(&world, &ride), all);
    let is_refused =
        |record: &vocabulary::Record| world.frame(&ride, record, OUTWARD).contains(r#""status":"REJECTED""#);
    assert!(world.places[&ride].log.iter().any(is_refused));
    let mut world = World::new();
    let ride = world.ridden(1_000.0, r#"{"adjustment_factor":0}"#);
    assert_eq!(told(&world, &ride), [&begun[..], &["ride_completed"]].concat());
}

#[test]
fn the_page_to_pay_at_is_named_with_ride_amount_and_passenger() {
    for (page, mark) in [("https://pay.example/qr", '?'), ("https://pay.example/qr?shop=7", '&')] {
        let rules = Rules { payment_url: Some(page.into()), ..Rules::default() };
        let mut world = World::with(rules);
        let ride = world.ridden(1_000.0, "{}");
        let frames: Vec<String> = world.places["passenger:p1"]
            .log
            .iter()
            .map(|record| world.frame("passenger:p1", record, crate::THEIRS))
            .collect();
        let url =
            format!(r#""qr_code_url":"{page}{mark}ride_id={}&amount=3000&passenger_id=p1""#, &ride[5..]);
        assert!(
            frames.iter().any(|frame| frame.starts_with("payment_request") && frame.contains(&url)),
            "{frames:?}"
        );
    }
}
