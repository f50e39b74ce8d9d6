//! What is bounded: rooms and bytes. And that the same questions get the same answers.

use std::time::Duration;

use conformance::words::{A, B, batch, general, room, snapshot};
use engine::{Answer, Appended, MemoryLimits, Placement, Question};
use vocabulary::{Check, Position, Seen};

use crate::table::{Table, at, first_epoch, seen, stored};

fn two_rooms() -> Table {
    Table::with(MemoryLimits { rooms_max: 2, ..MemoryLimits::default() })
}

#[test]
fn beyond_the_most_rooms_a_new_rooms_first_record_is_refused_and_nobody_elses() {
    let mut table = two_rooms();
    for name in ["one", "two"] {
        assert_eq!(
            table.append_to(A, &room(name), batch(seen(&[]), &[&["a"]])),
            stored(&[Placement::At(1)], 1)
        );
    }
    for _ in 0..2 {
        assert_eq!(table.append_to(A, &room("three"), batch(seen(&[]), &[&["a"]])), Appended::Refused);
    }
    let more = table.append_to(A, &room("two"), batch(seen(&["a"]), &[&["b"]]));
    assert_eq!(more, stored(&[Placement::At(2)], 2));
}

#[test]
fn rooms_that_hold_no_records_take_nobodys_place() {
    let mut table = two_rooms();
    table.append_to(A, &room("one"), batch(seen(&[]), &[&["a"]]));
    for name in ["two", "three", "four"] {
        table.ask(B, Question::Follow { room: room(name), seen: None, ticket: 0 });
    }
    // A room that only a lost append named is none either.
    assert_eq!(table.append_to(A, &room("five"), batch(seen(&["x"]), &[&["a"]])), Appended::Lost);
    assert_eq!(
        table.append_to(A, &room("four"), batch(seen(&[]), &[&["a"]])),
        stored(&[Placement::At(1)], 1)
    );
    assert_eq!(table.append_to(A, &room("two"), batch(seen(&[]), &[&["a"]])), Appended::Refused);
}

#[test]
fn a_room_in_a_new_epoch_is_no_new_room() {
    let mut table = two_rooms();
    for name in ["one", "two"] {
        table.append_to(A, &room(name), batch(seen(&[]), &[&["a"]]));
    }
    table.ask(B, Question::Follow { room: general(), seen: None, ticket: 0 });
    let epoch = first_epoch().next(11);
    let base = Seen { position: Position { epoch, offset: 0 }, check: Check(5) };
    table.ask(A, Question::BeginEpoch { room: room("one"), old: seen(&["a"]), base: snapshot(base) });
    let outcome = table.append_to(A, &room("one"), batch(base, &[&["b"]]));
    assert!(matches!(outcome, Appended::Stored { .. }), "{outcome:?}");
}

fn a_busy_hour() -> Vec<Answer> {
    let mut table = Table::new();
    let mut all = Vec::new();
    for round in 0..60_u32 {
        let by = if round % 3 == 0 { A } else { B };
        let name = room(&(round % 5).to_string());
        let record = round.to_string();
        all.push(table.ask(by, Question::Attend { shards: 1 }));
        all.push(table.ask(by, Question::Follow { room: name.clone(), seen: None, ticket: 0 }));
        let due = Some(table.now.wall + Duration::from_secs(u64::from(round % 7)));
        let batch = engine::Batch { due, ..batch(seen(&[]), &[&[&record]]) };
        all.push(table.ask(by, Question::Append { room: name, batch }));
        all.push(table.ask(by, Question::Claim { name: "user".into(), ticket: u64::from(round) }));
        table.wait(Duration::from_secs(u64::from(round % 13)));
    }
    for to in [A, B] {
        all.extend(table.news(to));
    }
    all
}

#[test]
fn the_same_questions_get_the_same_answers() {
    assert_eq!(a_busy_hour(), a_busy_hour());
}

#[test]
fn beyond_all_bytes_nothing_is_appended_until_a_snapshot_stands_for_something() {
    let mut table = Table::with(MemoryLimits { bytes_max: 1_000, ..MemoryLimits::default() });
    let ids = ["a", "b", "c", "d", "e", "f", "g"];
    let fits = |table: &mut Table, count: usize| {
        let outcome = table.append(A, batch(seen(&ids[..count]), &[&ids[count..=count]]));
        outcome != Appended::Refused
    };
    let kept = (0..ids.len()).find(|count| !fits(&mut table, *count)).expect("a maximum");
    assert!(kept > 2, "{kept}");
    let again = table.append(A, batch(seen(&[]), &[&["a"]]));
    assert_eq!(again, stored(&[Placement::Duplicate(at(1))], kept as u64), "what is stored is found");
    assert_eq!(table.append_to(A, &room("two"), batch(seen(&[]), &[&["z"]])), Appended::Refused);
    let covered = snapshot(seen(&ids[..kept]));
    table.ask(A, Question::Store { room: general(), snapshot: covered, forget_upto: 0 });
    assert_eq!(
        table.append_to(A, &room("two"), batch(seen(&[]), &[&["z"]])),
        stored(&[Placement::At(1)], 1),
        "the first room gives up what its snapshot covers"
    );
}
