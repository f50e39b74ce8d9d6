//! A new epoch: how a room goes on whose past is not the one that was seen.

use conformance::words::{A, C, base, batch, general};
use engine::{Answer, Appended, Placement, Question};
use vocabulary::{Epoch, Incarnation, Seen};

use crate::table::{Table, first_epoch, seen};

fn begin(table: &mut Table, by: Incarnation, old: Seen, new: Epoch) -> Epoch {
    match table.ask(by, Question::BeginEpoch { room: general(), old, base: base(new) }) {
        Answer::EpochBegan { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
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
