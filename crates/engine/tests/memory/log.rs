//! Appending: one order, whole parcels, keys before the guard.

use engine::{Answer, Appended, Placement, Question, Read};
use vocabulary::{Check, Epoch, Seen};

use crate::table::{
    A, B, C, Table, at, batch, first_epoch, general, guarded, key, parcel, plain, seen, stored,
};

#[test]
fn offsets_are_dense_from_one_whoever_appends() {
    let mut table = Table::new();
    assert_eq!(
        table.append(A, batch(seen(&[]), &[&["a"], &["b"]])),
        stored(&[at_offset(1), at_offset(2)], 2)
    );
    // Unguarded: B has not seen A's records, and is placed after them all the same.
    assert_eq!(table.append(B, batch(seen(&[]), &[&["c"]])), stored(&[at_offset(3)], 3));
    assert_eq!(table.log(), ["a", "b", "c"]);
}

fn at_offset(offset: u64) -> Placement {
    Placement::At(offset)
}

#[test]
fn a_parcel_lies_together_under_one_key_and_is_placed_by_its_first_record() {
    let mut table = Table::new();
    let outcome = table.append(A, batch(seen(&[]), &[&["a"], &["b", "b2", "b3"], &["c"]]));
    assert_eq!(outcome, stored(&[at_offset(1), at_offset(2), at_offset(5)], 5));
    let Read::Records { records, head } = table.read(first_epoch(), 1, 3) else { panic!("readable") };
    assert_eq!((plain(&records), head), (vec![(2, "b"), (3, "b2"), (4, "b3")], at(5)));
    assert!(records.iter().all(|record| record.key == key("b")));
}

#[test]
fn what_is_refused_stores_none_of_its_parcels() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a"]);
    let wrong = Seen { check: Check(head.check.0 ^ 1), ..head };
    let rival = engine::Batch { guarded: true, ..batch(seen(&[]), &[&["b", "b2"], &["c"]]) };
    assert_eq!(table.append(B, batch(wrong, &[&["b", "b2"], &["c"]])), Appended::Lost);
    assert_eq!(table.append(B, rival), Appended::Conflict { head: at(1) });
    assert_eq!(table.log(), ["a"]);
    // Nor has it kept their keys.
    let again = table.append(B, batch(head, &[&["b", "b2"], &["c"]]));
    assert_eq!(again, stored(&[at_offset(2), at_offset(4)], 4));
}

#[test]
fn the_same_key_is_answered_with_the_old_position() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b"]);
    let resent = table.append(B, batch(head, &[&["b"], &["c"], &["a"]]));
    assert_eq!(
        resent,
        stored(&[Placement::Duplicate(at(2)), at_offset(3), Placement::Duplicate(at(1))], 3),
        "what is new among what is old is stored"
    );
    assert_eq!(table.log(), ["a", "b", "c"]);
}

#[test]
fn a_key_counts_once_within_one_batch_too() {
    let mut table = Table::new();
    let outcome = table.append(A, batch(seen(&[]), &[&["a"], &["a"]]));
    assert_eq!(outcome, stored(&[at_offset(1), Placement::Duplicate(at(1))], 1));
    assert_eq!(table.log(), ["a"]);
}

#[test]
fn a_batch_asked_again_is_no_news() {
    let mut table = Table::new();
    table.load(B);
    table.fill(A, seen(&[]), &["a"]);
    assert_eq!(table.news(B).len(), 1);
    table.append(A, batch(seen(&[]), &[&["a"]]));
    assert_eq!(table.news(B), []);
}

#[test]
fn a_guarded_batch_behind_the_end_is_a_conflict_and_stores_nothing() {
    let mut table = Table::new();
    let one = table.fill(A, seen(&[]), &["a"]);
    table.fill(A, one, &["b"]);
    assert_eq!(table.append(B, guarded(one, "c")), Appended::Conflict { head: at(2) });
    assert_eq!(table.log(), ["a", "b"]);
}

#[test]
fn exactly_one_of_two_rivals_wins_and_the_loser_may_decide_again() {
    let mut table = Table::new();
    let start = table.fill(A, seen(&[]), &["ride asked"]);
    assert_eq!(table.append(A, guarded(start, "taken by A")), stored(&[at_offset(2)], 2));
    assert_eq!(table.append(B, guarded(start, "taken by B")), Appended::Conflict { head: at(2) });
    let newest = seen(&["ride asked", "taken by A"]);
    assert_eq!(table.append(B, guarded(newest, "B is sorry")), stored(&[at_offset(3)], 3));
    assert_eq!(table.log(), ["ride asked", "taken by A", "B is sorry"]);
}

#[test]
fn a_guarded_batch_asked_again_finds_itself_and_not_a_conflict() {
    let mut table = Table::new();
    let start = seen(&[]);
    assert_eq!(table.append(A, guarded(start, "a")), stored(&[at_offset(1)], 1));
    assert_eq!(table.append(A, guarded(start, "a")), stored(&[Placement::Duplicate(at(1))], 1));
    table.fill(B, start, &["b"]);
    assert_eq!(table.append(A, guarded(start, "a")), stored(&[Placement::Duplicate(at(1))], 2));
}

#[test]
fn a_guarded_batch_of_which_only_a_part_is_known_still_stands_under_its_guard() {
    let mut table = Table::new();
    table.fill(A, seen(&[]), &["a"]);
    let mixed = engine::Batch { parcels: vec![parcel(&["a"]), parcel(&["b"])], ..guarded(seen(&[]), "b") };
    assert_eq!(table.append(A, mixed), Appended::Conflict { head: at(1) });
    assert_eq!(table.log(), ["a"]);
}

#[test]
fn an_append_from_another_past_is_lost_and_from_before_what_is_kept_is_behind() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b", "c"]);
    table.store(seen(&["a", "b"]), 1);
    let other_epoch = Epoch::new(2, 9);
    let cases = [
        ("wrong check", seen(&["a", "x"]), Some(Appended::Lost)),
        ("wrong check at the end", seen(&["a", "b", "x"]), Some(Appended::Lost)),
        ("wrong check where what is kept begins", seen(&["x"]), Some(Appended::Lost)),
        ("beyond the end", seen(&["a", "b", "c", "d"]), Some(Appended::Lost)),
        (
            "another epoch",
            Seen { position: vocabulary::Position { epoch: other_epoch, offset: 3 }, ..head },
            { Some(Appended::Lost) },
        ),
        ("before what is kept", seen(&[]), Some(Appended::Behind)),
        ("where what is kept begins", seen(&["a"]), None),
        ("the end", head, None),
    ];
    for (name, from, refused) in cases {
        let outcome = table.append(B, batch(from, &[&[name]]));
        match refused {
            Some(refused) => assert_eq!(outcome, refused, "{name}"),
            None => assert!(matches!(outcome, Appended::Stored { .. }), "{name}: {outcome:?}"),
        }
    }
    let kept: Vec<String> = table.log_after(1).into_iter().map(|(_, text)| text).collect();
    assert_eq!(kept, ["b", "c", "where what is kept begins", "the end"]);
}

#[test]
fn a_read_is_limited_and_says_where_the_end_is() {
    let mut table = Table::new();
    table.fill(A, seen(&[]), &["a", "b", "c"]);
    for (after, limit, expected) in
        [(0, 2, vec![(1, "a"), (2, "b")]), (2, 2, vec![(3, "c")]), (3, 2, vec![]), (0, 0, vec![])]
    {
        let Read::Records { records, head } = table.read(first_epoch(), after, limit) else { panic!("kept") };
        assert_eq!((plain(&records), head), (expected, at(3)), "{limit} after {after}");
    }
    assert_eq!(table.read(first_epoch(), 4, 1), Read::Lost, "beyond the end");
}

#[test]
fn a_room_that_nobody_knows_has_nothing_to_read() {
    let mut table = Table::new();
    let question = Question::Read { room: general(), epoch: first_epoch(), after: 0, limit: 1, ticket: 3 };
    let answer = Answer::Read { room: general(), ticket: 3, outcome: Read::Lost };
    assert_eq!(table.ask(C, question), answer);
}
