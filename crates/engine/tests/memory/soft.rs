//! What is not in the log: presence, soft values, claims.

use std::time::Duration;

use engine::{Answer, Present, Question, SoftEntry};
use vocabulary::{Class, Incarnation, Wall};

use crate::table::{A, B, C, TERM, Table, general, person, text};

const LIFE: Duration = Duration::from_secs(5);

fn present(by: Incarnation, count: u32) -> Present {
    Present { by, person: person("ana"), count }
}

fn say_present(table: &mut Table, by: Incarnation, count: u32) {
    table.tell(by, Question::Present { room: general(), person: person("ana"), count });
}

#[test]
fn presence_is_kept_for_each_publisher_and_a_count_of_zero_removes_it() {
    let mut table = Table::new();
    table.load(C);
    for (by, count) in [(A, 1), (B, 2), (A, 3), (A, 0)] {
        say_present(&mut table, by, count);
        assert_eq!(table.news(C), [Answer::Present { room: general(), present: present(by, count) }]);
    }
    assert_eq!(table.load(C).present, [present(B, 2)]);
}

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
fn the_newest_stamp_wins_in_whatever_order_they_come() {
    let mut table = Table::new();
    table.load(C);
    let newest = entry("ana", Some("new"), 20);
    publish(&mut table, A, newest.clone());
    publish(&mut table, B, entry("ana", Some("old"), 10));
    assert_eq!(table.news(C), [Answer::Soft { room: general(), entry: newest.clone() }]);
    assert_eq!(table.load(C).soft, [newest]);
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
fn a_soft_value_can_be_ended_by_its_publisher() {
    let mut table = Table::new();
    publish(&mut table, A, entry("ana", Some("here"), 1));
    publish(&mut table, A, entry("bo", Some("there"), 1));
    publish(&mut table, A, entry("ana", None, 2));
    assert_eq!(table.load(C).soft, [entry("bo", Some("there"), 1)]);
}

#[test]
fn a_late_word_of_an_ended_value_does_not_bring_it_back() {
    let (older, end, newer) =
        (entry("ana", Some("here"), 1), entry("ana", None, 2), entry("ana", Some("again"), 3));
    for earlier in [vec![older.clone(), end.clone()], vec![end.clone()]] {
        let mut table = Table::new();
        table.load(C);
        for entry in earlier {
            publish(&mut table, A, entry);
        }
        table.news(C);
        publish(&mut table, A, older.clone());
        assert_eq!((table.news(C), table.load(C).soft), (vec![], vec![]));
        publish(&mut table, B, newer.clone());
        assert_eq!(table.load(C).soft, std::slice::from_ref(&newer), "a new value is welcome");
    }
}

#[test]
fn of_two_equal_stamps_the_end_wins() {
    let (value, end) = (entry("ana", Some("here"), 1), entry("ana", None, 1));
    for order in [[&value, &end], [&end, &value]] {
        let mut table = Table::new();
        for entry in order {
            publish(&mut table, A, entry.clone());
        }
        assert_eq!(table.load(C).soft, []);
    }
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
fn the_newest_claim_wins_and_the_older_holder_is_told() {
    let mut table = Table::new();
    let old = claim(&mut table, A);
    let new = claim(&mut table, B);
    assert_ne!(old, new);
    assert_eq!(table.news(A), [Answer::ClaimLost { name: "ana".into(), token: old }]);
    assert_eq!(table.news(B), []);
}

#[test]
fn releasing_an_old_claim_never_touches_the_new_one() {
    let mut table = Table::new();
    let old = claim(&mut table, A);
    let new = claim(&mut table, B);
    table.news(A);
    table.tell(A, Question::Release { name: "ana".into(), token: old });
    claim(&mut table, C);
    assert_eq!(table.news(B), [Answer::ClaimLost { name: "ana".into(), token: new }], "B still held it");
}

#[test]
fn a_released_claim_is_nobodys_loss() {
    let mut table = Table::new();
    let token = claim(&mut table, A);
    table.tell(A, Question::Release { name: "ana".into(), token });
    claim(&mut table, B);
    assert_eq!(table.news(A), []);
}
