//! A new epoch: how a room goes on whose past is not the one that was seen.

use engine::{Answer, Appended, Followed, Placement, Question, Read, Snapshot};
use vocabulary::{Check, Epoch, Incarnation, Position, Seen};

use crate::table::{A, B, C, Table, at, batch, first_epoch, general, plain, seen, snapshot};

fn base(epoch: Epoch) -> Snapshot {
    snapshot(Seen { position: Position { epoch, offset: 0 }, check: Check(epoch.0 as u32) })
}

fn begin(table: &mut Table, by: Incarnation, old: Seen, new: Epoch) -> Epoch {
    match table.ask(by, Question::BeginEpoch { room: general(), old, base: base(new) }) {
        Answer::EpochBegan { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_second_proposer_gets_the_epoch_of_the_first() {
    let mut table = Table::new();
    let end = table.fill(C, seen(&[]), &["a"]);
    let (of_a, of_b) = (first_epoch().next(11), first_epoch().next(22));
    assert_eq!(begin(&mut table, A, end, of_a), of_a);
    assert_eq!(begin(&mut table, B, end, of_b), of_a);
    assert_eq!(table.load(C).snapshot, Some(base(of_a)));
}

#[test]
fn a_record_that_was_stored_meanwhile_is_not_left_behind() {
    let mut table = Table::new();
    table.append(C, batch(seen(&[]), &[&["a"], &["lost"]]));
    table.engine.lose_tail(1);
    // A reads what survives, and while it makes a base of that, C, which never saw what was lost, is acknowledged.
    let read = seen(&["a"]);
    let grown = table.fill(C, read, &["b"]);
    let new = first_epoch().next(11);
    assert_eq!(begin(&mut table, A, read, new), first_epoch(), "the old epoch stands");
    assert_eq!(table.log(), ["a", "b"]);
    assert_eq!(begin(&mut table, A, grown, new), new, "A has read on and proposes again");
}

#[test]
fn an_epoch_is_begun_only_on_the_rooms_own_past() {
    let mut table = Table::new();
    let end = table.fill(C, seen(&[]), &["a", "b"]);
    let new = first_epoch().next(11);
    let cases = [
        ("another check", Seen { check: Check(end.check.0 ^ 1), ..end }),
        ("before the end", seen(&["a"])),
        ("beyond the end", seen(&["a", "b", "c"])),
        ("another epoch", Seen { position: Position { epoch: new, offset: 2 }, ..end }),
    ];
    for (name, old) in cases {
        assert_eq!(begin(&mut table, A, old, new.next(11)), first_epoch(), "{name}");
    }
    assert_eq!(begin(&mut table, A, end, new), new);
}

#[test]
fn asking_again_for_the_epoch_that_now_is_changes_nothing() {
    let mut table = Table::new();
    let new = first_epoch().next(11);
    begin(&mut table, A, seen(&[]), new);
    let from = base(new).seen;
    assert!(matches!(table.append(A, batch(from, &[&["a"]])), Appended::Stored { .. }));
    assert_eq!(begin(&mut table, A, seen(&[]), new), new);
    assert_eq!(table.load(C).records.len(), 1);
}

#[test]
fn an_epoch_does_not_go_back() {
    let mut table = Table::new();
    let (second, third) = (first_epoch().next(11), first_epoch().next(11).next(11));
    begin(&mut table, A, seen(&[]), third);
    assert_eq!(begin(&mut table, B, base(third).seen, second), third);
    assert_eq!(begin(&mut table, B, base(third).seen, third), third);
}

#[test]
fn offsets_begin_at_one_and_the_old_epoch_is_lost() {
    let mut table = Table::new();
    let old = table.fill(C, seen(&[]), &["a", "b"]);
    let new = first_epoch().next(11);
    begin(&mut table, A, old, new);
    assert_eq!(table.append(B, batch(old, &[&["c"]])), Appended::Lost);
    assert_eq!(table.follow(B, Some(old)), Followed::Lost);
    assert_eq!(table.read(first_epoch(), 0, 10), Read::Lost);
    let head = Position { epoch: new, offset: 1 };
    let expected = Appended::Stored { placements: vec![Placement::At(1)], head };
    assert_eq!(table.append(B, batch(base(new).seen, &[&["c"]])), expected);
    let Read::Records { records, head: end } = table.read(new, 0, 10) else { panic!("readable") };
    assert_eq!((plain(&records), end), (vec![(1, "c")], head));
}

#[test]
fn a_resend_across_epochs_is_answered_with_the_old_position() {
    let mut table = Table::new();
    let old = table.fill(C, seen(&[]), &["a"]);
    let new = first_epoch().next(11);
    begin(&mut table, A, old, new);
    let head = Position { epoch: new, offset: 0 };
    let expected = Appended::Stored { placements: vec![Placement::Duplicate(at(1))], head };
    assert_eq!(table.append(C, batch(base(new).seen, &[&["a"]])), expected);
}

#[test]
fn followers_hear_of_an_epoch_once() {
    let mut table = Table::new();
    for follower in [A, C] {
        table.load(follower);
    }
    let new = first_epoch().next(11);
    begin(&mut table, A, seen(&[]), new);
    begin(&mut table, B, seen(&[]), first_epoch().next(22));
    assert_eq!(table.news(A), [], "the asker has its answer");
    assert_eq!(table.news(C), [Answer::EpochBegan { room: general(), epoch: new }]);
}

#[test]
fn a_log_that_lost_its_tail_loses_whole_parcels_and_their_keys() {
    let mut table = Table::new();
    let ahead = {
        table.append(A, batch(seen(&[]), &[&["a"], &["b", "b2"]]));
        seen(&["a", "b", "b2"])
    };
    table.engine.lose_tail(1);
    assert_eq!(table.log(), ["a"]);
    assert_eq!(table.append(A, batch(ahead, &[&["c"]])), Appended::Lost, "the engine ends before it");
    let outcome = table.append(A, batch(seen(&["a"]), &[&["b", "b2"]]));
    assert_eq!(outcome, crate::table::stored(&[Placement::At(2)], 3));
}
