//! What is not in the log: presence, soft values, claims.

use std::time::Duration;

use conformance::words::{A, B, C, general, text};
use engine::{Answer, Question, SoftEntry};
use vocabulary::{Class, Incarnation, Wall};

use crate::table::{TERM, Table};

const LIFE: Duration = Duration::from_secs(5);

fn entry(key: &str, value: Option<&str>, at: i64) -> SoftEntry {
    SoftEntry {
        key: key.into(),
        value: value.map(text),
        at: Wall(at),
        time_to_live: LIFE,
        class: Class::Signal,
    }
}

fn publish(table: &mut Table, by: Incarnation, entry: SoftEntry) {
    table.tell(by, Question::Soft { room: general(), entry });
}

#[test]
fn a_soft_value_ends_by_itself_and_is_handed_over_with_the_rest_of_its_life() {
    let mut table = Table::new();
    publish(&mut table, A, entry("ana", Some("here"), 1));
    table.wait(LIFE - Duration::from_secs(1));
    let left = SoftEntry { time_to_live: Duration::from_secs(1), ..entry("ana", Some("here"), 1) };
    assert_eq!(table.load(C).soft, [left]);
    table.wait(Duration::from_secs(1));
    assert_eq!(table.load(C).soft, []);
}

#[test]
fn an_end_is_remembered_for_a_term_even_if_it_has_no_life_of_its_own() {
    let mut table = Table::new();
    let end = SoftEntry { time_to_live: Duration::ZERO, ..entry("ana", None, 2) };
    publish(&mut table, A, end);
    table.wait(TERM - Duration::from_nanos(1));
    publish(&mut table, A, entry("ana", Some("here"), 1));
    assert_eq!(table.load(C).soft, []);
}

#[test]
fn soft_values_outlive_their_publisher_to_their_own_end() {
    let mut table = Table::new();
    let lasting = SoftEntry { time_to_live: TERM * 2, ..entry("ana", Some("here"), 1) };
    publish(&mut table, A, lasting.clone());
    table.wait(TERM);
    assert_eq!(table.news(A), [Answer::Ended { incarnation: A }]);
    assert_eq!(table.load(C).soft, [SoftEntry { time_to_live: TERM, ..lasting }]);
}

#[test]
fn a_room_that_held_only_soft_values_is_forgotten_when_they_have_ended() {
    let mut table = Table::new();
    publish(&mut table, A, entry("ana", Some("here"), 1));
    publish(&mut table, A, entry("bo", None, 1));
    table.wait(TERM);
    assert_eq!(table.news(A), [Answer::Ended { incarnation: A }]);
    assert_eq!(table.engine.next_deadline(), None, "nothing is left that has a time");
    assert_eq!(table.engine.rooms(), 0);
}

#[test]
fn a_room_with_a_newer_soft_value_stays() {
    let mut table = Table::new();
    publish(&mut table, A, entry("ana", Some("here"), 1));
    table.wait(LIFE / 2);
    publish(&mut table, A, entry("ana", Some("there"), 2));
    table.wait(LIFE / 2);
    assert_eq!(table.engine.rooms(), 1);
    table.wait(LIFE / 2);
    assert_eq!(table.engine.rooms(), 0);
}

fn claim(table: &mut Table, by: Incarnation) -> u64 {
    match table.ask(by, Question::Claim { name: "ana".into(), ticket: 4 }) {
        Answer::Claimed { ticket: 4, token, .. } => token,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_released_claim_is_nobodys_loss() {
    let mut table = Table::new();
    let token = claim(&mut table, A);
    table.tell(A, Question::Release { name: "ana".into(), token });
    claim(&mut table, B);
    assert_eq!(table.news(A), []);
}
