//! Snapshots and what may be forgotten because of them.

use engine::{Answer, Question, Read, Snapshot};
use vocabulary::{Check, Epoch, Payload, Position, Seen};

use crate::table::Table;
use crate::words::{A, B, general, go_on, plain, snapshot};

pub fn a_snapshot_lets_records_go_as_far_as_asked(mut table: Table) {
    let (start, three, epoch) = (table.start(), table.at(3), table.first_epoch());
    let head = table.fill(A, start, &["a", "b", "c", "d"]);
    let middle = go_on(start, &["a", "b", "c"]);
    assert_eq!(table.store(A, middle, 2), Some(three));
    assert_eq!(table.read(epoch, 1, 10), Read::Behind(2));
    assert_eq!(table.log_after(2), [(3, "c".to_owned()), (4, "d".to_owned())], "the kept tail is whole");
    let loaded = table.load(B);
    assert_eq!(loaded.snapshot, Some(snapshot(middle)));
    assert_eq!((loaded.base, plain(&loaded.records), loaded.head), (2, vec![(4, "d")], head.position));
}

pub fn nothing_beyond_the_snapshot_is_forgotten(mut table: Table) {
    let (start, epoch) = (table.start(), table.first_epoch());
    table.fill(A, start, &["a", "b", "c"]);
    table.store(A, go_on(start, &["a", "b"]), u64::MAX);
    assert_eq!(table.read(epoch, 0, 10), Read::Behind(2));
    assert_eq!(table.log_after(2), [(3, "c".to_owned())]);
}

pub fn offsets_go_on_where_all_is_forgotten(mut table: Table) {
    let (start, three) = (table.start(), table.at(3));
    let head = table.fill(A, start, &["a", "b"]);
    table.store(A, head, 2);
    let next = table.fill(B, head, &["c"]);
    assert_eq!(next.position, three);
    assert_eq!(table.log_after(2), [(3, "c".to_owned())]);
}

pub fn a_snapshot_of_another_past_or_an_older_one_changes_nothing(mut table: Table) {
    let (start, two) = (table.start(), table.at(2));
    let head = table.fill(A, start, &["a", "b", "c", "d"]);
    let kept = go_on(start, &["a", "b"]);
    table.store(A, kept, 1);
    let other = Position { epoch: Epoch::new(2, 9), offset: 4 };
    let cases = [
        ("older", go_on(start, &["a"])),
        ("wrong check", Seen { check: Check(head.check.0 ^ 1), ..head }),
        ("beyond the end", go_on(head, &["e"])),
        ("another epoch", Seen { position: other, ..head }),
    ];
    for (name, from) in cases {
        assert_eq!(table.store(A, from, u64::MAX), Some(two), "{name}: the answer says what is kept");
        let loaded = table.load(B);
        assert_eq!((loaded.snapshot, loaded.base), (Some(snapshot(kept)), 1), "{name}");
        assert_eq!(table.log_after(1).len(), 3, "{name}");
    }
}

pub fn where_no_snapshot_is_kept_the_answer_says_none(mut table: Table) {
    let (start, one) = (table.start(), table.at(1));
    assert_eq!(table.store(A, go_on(start, &["a"]), 1), None, "of a room that nobody knows");
    let head = table.fill(A, start, &["a"]);
    assert_eq!(table.store(A, Seen { check: Check(head.check.0 ^ 1), ..head }, 1), None);
    assert_eq!(table.store(A, head, 1), Some(one));
}

/// The most that one may be: an app's mebibyte with the keys around it.
pub fn a_large_snapshot_comes_back_whole(mut table: Table) {
    let start = table.start();
    let head = table.fill(A, start, &["a"]);
    let data: Vec<u8> = (0..2_400_000_u32).map(|number| (number * 7 % 251) as u8).collect();
    let large = Snapshot { seen: head, data: Payload::from(data) };
    let question = Question::Store { room: general(), snapshot: large.clone(), forget_upto: 0 };
    let answer = table.ask(A, question);
    assert_eq!(answer, Answer::Stored { room: general(), kept: Some(head.position) });
    assert!(table.load(B).snapshot == Some(large), "not the same bytes");
}

/// What trimming left behind is found after it, page by page.
pub fn a_long_log_is_read_from_the_middle(mut table: Table) {
    let (start, epoch) = (table.start(), table.first_epoch());
    let texts: Vec<String> = (1..=300).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut head = start;
    for (number, some) in texts.chunks(10).enumerate() {
        head = table.fill(A, head, some);
        if number % 7 == 6 {
            table.store(A, head, head.position.offset.saturating_sub(150));
        }
    }
    let Read::Behind(base) = table.read(epoch, 0, 10) else { panic!("the beginning is forgotten") };
    for after in [base, base + 1, 200, 255, 299] {
        let Read::Records { records, .. } = table.read(epoch, after, 5) else { panic!("kept") };
        let expected: Vec<u64> = (after + 1..=300).take(5).collect();
        assert_eq!(records.iter().map(|record| record.offset).collect::<Vec<_>>(), expected);
        assert!(
            records
                .iter()
                .all(|record| plain(std::slice::from_ref(record))[0].1 == record.offset.to_string())
        );
    }
}
