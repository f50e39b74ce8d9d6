//! Snapshots and what may be forgotten because of them.

use engine::{Answer, MemoryLimits, Question, Read};
use vocabulary::{Check, Epoch, Seen};

use crate::table::{A, B, Table, at, first_epoch, general, go_on, plain, seen, snapshot};

#[test]
fn a_snapshot_lets_records_go_as_far_as_asked() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b", "c", "d"]);
    let middle = seen(&["a", "b", "c"]);
    let question = Question::Store { room: general(), snapshot: snapshot(middle), forget_upto: 2 };
    assert_eq!(table.ask(A, question), Answer::Stored { room: general(), kept: Some(at(3)) });
    assert_eq!(table.read(first_epoch(), 1, 10), Read::Behind(2));
    assert_eq!(table.log_after(2), [(3, "c".to_owned()), (4, "d".to_owned())], "the kept tail is whole");
    let loaded = table.load(B);
    assert_eq!(loaded.snapshot, Some(snapshot(middle)));
    assert_eq!((loaded.base, plain(&loaded.records), loaded.head), (2, vec![(4, "d")], head.position));
}

#[test]
fn nothing_beyond_the_snapshot_is_forgotten() {
    let mut table = Table::new();
    table.fill(A, seen(&[]), &["a", "b", "c"]);
    table.store(seen(&["a", "b"]), u64::MAX);
    assert_eq!(table.read(first_epoch(), 0, 10), Read::Behind(2));
    assert_eq!(table.log_after(2), [(3, "c".to_owned())]);
}

#[test]
fn offsets_go_on_where_all_is_forgotten() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b"]);
    table.store(head, 2);
    let next = table.fill(B, head, &["c"]);
    assert_eq!(next.position, at(3));
    assert_eq!(table.log_after(2), [(3, "c".to_owned())]);
}

#[test]
fn a_snapshot_of_another_past_or_an_older_one_changes_nothing() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b", "c", "d"]);
    let kept = seen(&["a", "b"]);
    table.store(kept, 1);
    let other_epoch = Seen { position: vocabulary::Position { epoch: Epoch::new(2, 9), offset: 4 }, ..head };
    let cases = [
        ("older", seen(&["a"])),
        ("wrong check", Seen { check: Check(head.check.0 ^ 1), ..head }),
        ("beyond the end", go_on(head, &["e"])),
        ("another epoch", other_epoch),
    ];
    for (name, from) in cases {
        assert_eq!(table.store(from, u64::MAX), Some(at(2)), "{name}: the answer says what is kept");
        let loaded = table.load(B);
        assert_eq!((loaded.snapshot, loaded.base), (Some(snapshot(kept)), 1), "{name}");
        assert_eq!(table.log_after(1).len(), 3, "{name}");
    }
}

#[test]
fn where_no_snapshot_is_kept_the_answer_says_none() {
    let mut table = Table::new();
    assert_eq!(table.store(seen(&["a"]), 1), None, "of a room that nobody knows");
    let head = table.fill(A, seen(&[]), &["a"]);
    assert_eq!(table.store(Seen { check: Check(head.check.0 ^ 1), ..head }, 1), None);
    assert_eq!(table.store(head, 1), Some(at(1)));
}

#[test]
fn a_ring_trims_only_what_a_snapshot_covers() {
    for limits in [
        MemoryLimits { room_records_max: 2, ..MemoryLimits::default() },
        MemoryLimits { room_bytes_max: 2, ..MemoryLimits::default() },
    ] {
        let mut table = Table::with(limits);
        let head = table.fill(A, seen(&[]), &["a", "b", "c", "d"]);
        assert_eq!(table.log(), ["a", "b", "c", "d"], "no snapshot, nothing trimmed");
        table.store(seen(&["a"]), 0);
        let head = table.fill(A, head, &["e"]);
        assert_eq!(table.read(first_epoch(), 0, 10), Read::Behind(1), "the snapshot covers one record");
        table.store(head, 0);
        table.fill(A, head, &["f"]);
        assert_eq!(table.log_after(4), [(5, "e".to_owned()), (6, "f".to_owned())]);
        assert_eq!(table.read(first_epoch(), 3, 10), Read::Behind(4), "as many as the ring holds");
    }
}

#[test]
fn a_key_outlives_its_forgotten_record() {
    let mut table = Table::new();
    let head = table.fill(A, seen(&[]), &["a", "b"]);
    table.store(head, 2);
    let outcome = table.append(A, crate::table::batch(head, &[&["a"]]));
    assert_eq!(outcome, crate::table::stored(&[engine::Placement::Duplicate(at(1))], 2));
}
