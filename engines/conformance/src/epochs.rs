//! A new epoch: how a room goes on whose past is not the one that was seen.

use engine::{Answer, Appended, Followed, Question, Read};
use vocabulary::{Check, Epoch, Incarnation, Position, Seen};

use crate::table::Table;
use crate::words::{A, B, C, base, batch, general, go_on, placed, plain};

fn begin(table: &mut Table, by: Incarnation, old: Seen, new: Epoch) -> Epoch {
    match table.ask(by, Question::BeginEpoch { room: general(), old, base: base(new) }) {
        Answer::EpochBegan { epoch, .. } => epoch,
        other => panic!("{other:?}"),
    }
}

pub fn the_second_proposer_gets_the_epoch_of_the_first(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    let end = table.fill(C, start, &["a"]);
    let (of_a, of_b) = (first.next(11), first.next(22));
    assert_eq!(begin(&mut table, A, end, of_a), of_a);
    assert_eq!(begin(&mut table, B, end, of_b), of_a);
    assert_eq!(table.load(C).snapshot, Some(base(of_a)));
}

pub fn an_epoch_is_begun_only_on_the_rooms_own_past(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    let end = table.fill(C, start, &["a", "b"]);
    let new = first.next(11);
    let cases = [
        ("another check", Seen { check: Check(end.check.0 ^ 1), ..end }),
        ("before the end", go_on(start, &["a"])),
        ("beyond the end", go_on(start, &["a", "b", "c"])),
        ("another epoch", Seen { position: Position { epoch: new, offset: 2 }, ..end }),
    ];
    for (name, old) in cases {
        assert_eq!(begin(&mut table, A, old, new.next(11)), first, "{name}");
    }
    assert_eq!(begin(&mut table, A, end, new), new);
}

pub fn an_untouched_room_can_begin_an_epoch_too(mut table: Table) {
    let (start, new) = (table.start(), table.first_epoch().next(11));
    assert_eq!(begin(&mut table, A, start, new), new);
    assert_eq!(table.load(B).snapshot, Some(base(new)));
    let head = Position { epoch: new, offset: 1 };
    assert_eq!(table.append(B, batch(base(new).seen, &[&["a"]])), placed(&[1], head));
}

pub fn an_untouched_room_can_begin_where_another_log_had_got_to(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    let position = Position { epoch: first, offset: 41 };
    let base = engine::Snapshot { seen: Seen { position, check: Check(77) }, data: "brought".into() };
    let bring = |old| Question::BeginEpoch { room: general(), old, base: base.clone() };
    let began = |answer| matches!(answer, Answer::EpochBegan { epoch, .. } if epoch == first);
    assert!(began(table.ask(A, bring(start))));
    let loaded = table.load(B);
    assert_eq!((loaded.base, loaded.head, loaded.snapshot), (41, position, Some(base.clone())));
    let head = Position { offset: 42, ..position };
    assert_eq!(table.append(B, batch(base.seen, &[&["a"]])), placed(&[42], head));
    // It is touched now: the same epoch does not begin twice.
    assert!(began(table.ask(A, bring(Seen { position: head, ..base.seen }))));
    assert_eq!(table.load(C).head, head);
}

pub fn asking_again_for_the_epoch_that_now_is_changes_nothing(mut table: Table) {
    let (start, new) = (table.start(), table.first_epoch().next(11));
    begin(&mut table, A, start, new);
    assert!(matches!(table.append(A, batch(base(new).seen, &[&["a"]])), Appended::Stored { .. }));
    assert_eq!(begin(&mut table, A, start, new), new);
    assert_eq!(table.load(C).records.len(), 1);
}

pub fn an_epoch_does_not_go_back(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    let (second, third) = (first.next(11), first.next(11).next(11));
    begin(&mut table, A, start, third);
    assert_eq!(begin(&mut table, B, base(third).seen, second), third);
    assert_eq!(begin(&mut table, B, base(third).seen, third), third);
}

pub fn offsets_begin_at_one_and_the_old_epoch_is_lost(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    let old = table.fill(C, start, &["a", "b"]);
    let new = first.next(11);
    begin(&mut table, A, old, new);
    assert_eq!(table.append(B, batch(old, &[&["c"]])), Appended::Lost);
    assert_eq!(table.follow(B, Some(old)), Followed::Lost);
    assert_eq!(table.read(first, 0, 10), Read::Lost);
    let head = Position { epoch: new, offset: 1 };
    assert_eq!(table.append(B, batch(base(new).seen, &[&["c"]])), placed(&[1], head));
    let Read::Records { records, head: end } = table.read(new, 0, 10) else { panic!("readable") };
    assert_eq!((plain(&records), end), (vec![(1, "c")], head));
    let mut wrong = base(new).seen;
    wrong.check = Check(wrong.check.0 ^ 1);
    assert_eq!(table.append(B, batch(wrong, &[&["d"]])), Appended::Lost, "the base has a check too");
}

pub fn followers_hear_of_an_epoch_once(mut table: Table) {
    let (start, first) = (table.start(), table.first_epoch());
    for follower in [A, C] {
        table.load(follower);
    }
    begin(&mut table, A, start, first.next(11));
    begin(&mut table, B, start, first.next(22));
    assert_eq!(table.news(A), [], "the asker has its answer");
    assert_eq!(table.news(C), [Answer::EpochBegan { room: general(), epoch: first.next(11) }]);
}
