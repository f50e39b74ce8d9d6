//! Appending: one order, whole parcels, keys before the guard.

use engine::{Appended, Batch, Placement, Read};
use vocabulary::{Check, Epoch, Position, Seen};

use crate::table::Table;
use crate::words::{A, B, C, base, batch, go_on, guarded, key, parcel, placed, plain, room};

pub fn offsets_are_dense_from_one_whoever_appends(mut table: Table) {
    let start = table.start();
    let (two, three) = (table.at(2), table.at(3));
    assert_eq!(table.append(A, batch(start, &[&["a"], &["b"]])), placed(&[1, 2], two));
    // Unguarded: B has not seen A's records, and is placed after them all the same.
    assert_eq!(table.append(B, batch(start, &[&["c"]])), placed(&[3], three));
    assert_eq!(table.log(), ["a", "b", "c"]);
}

pub fn a_parcel_lies_together_under_one_key_and_is_placed_by_its_first_record(mut table: Table) {
    let (start, five, epoch) = (table.start(), table.at(5), table.first_epoch());
    let outcome = table.append(A, batch(start, &[&["a"], &["b", "b2", "b3"], &["c"]]));
    assert_eq!(outcome, placed(&[1, 2, 5], five));
    let Read::Records { records, head } = table.read(epoch, 1, 3) else { panic!("readable") };
    assert_eq!((plain(&records), head), (vec![(2, "b"), (3, "b2"), (4, "b3")], five));
    assert!(records.iter().all(|record| record.key == key("b")));
}

pub fn what_is_refused_stores_none_of_its_parcels(mut table: Table) {
    let (start, one, four) = (table.start(), table.at(1), table.at(4));
    let head = table.fill(A, start, &["a"]);
    let wrong = Seen { check: Check(head.check.0 ^ 1), ..head };
    let rival = Batch { guarded: true, ..batch(start, &[&["b", "b2"], &["c"]]) };
    assert_eq!(table.append(B, batch(wrong, &[&["b", "b2"], &["c"]])), Appended::Lost);
    assert_eq!(table.append(B, rival), Appended::Conflict { head: one });
    assert_eq!(table.log(), ["a"]);
    // Nor has it kept their keys.
    assert_eq!(table.append(B, batch(start, &[&["b", "b2"], &["c"]])), placed(&[2, 4], four));
}

pub fn a_key_that_came_after_what_was_seen_is_answered_with_its_position(mut table: Table) {
    let (start, one, two, three) = (table.start(), table.at(1), table.at(2), table.at(3));
    table.fill(A, start, &["a", "b"]);
    let resent = table.append(B, batch(start, &[&["b"], &["c"], &["a"]]));
    let placements = vec![Placement::Duplicate(two), Placement::At(3), Placement::Duplicate(one)];
    let expected = Appended::Stored { placements, head: three };
    assert_eq!(resent, expected, "what is new among what is old is stored");
    assert_eq!(table.log(), ["a", "b", "c"]);
}

pub fn a_command_sent_five_times_from_two_nodes_is_stored_once_and_answered_alike(mut table: Table) {
    let (start, one) = (table.start(), table.at(1));
    let first = table.append(A, batch(start, &[&["a"]]));
    assert_eq!(first, placed(&[1], one));
    for by in [B, A, B, A] {
        let again = table.append(by, batch(start, &[&["a"]]));
        assert_eq!(again, Appended::Stored { placements: vec![Placement::Duplicate(one)], head: one });
    }
    assert_eq!(table.log(), ["a"]);
}

pub fn a_batch_asked_again_is_no_news(mut table: Table) {
    let start = table.start();
    table.load(B);
    table.fill(A, start, &["a"]);
    assert_eq!(table.news(B).len(), 1);
    table.append(A, batch(start, &[&["a"]]));
    assert_eq!(table.news(B), []);
}

pub fn a_guarded_batch_behind_the_end_is_a_conflict_and_stores_nothing(mut table: Table) {
    let (start, two) = (table.start(), table.at(2));
    let one = table.fill(A, start, &["a"]);
    table.fill(A, one, &["b"]);
    assert_eq!(table.append(B, guarded(one, "c")), Appended::Conflict { head: two });
    assert_eq!(table.log(), ["a", "b"]);
}

pub fn exactly_one_of_two_rivals_wins_and_the_loser_may_decide_again(mut table: Table) {
    let (start, two, three) = (table.start(), table.at(2), table.at(3));
    let asked = table.fill(A, start, &["ride asked"]);
    assert_eq!(table.append(A, guarded(asked, "taken by A")), placed(&[2], two));
    assert_eq!(table.append(B, guarded(asked, "taken by B")), Appended::Conflict { head: two });
    let newest = go_on(asked, &["taken by A"]);
    assert_eq!(table.append(B, guarded(newest, "B is sorry")), placed(&[3], three));
    assert_eq!(table.log(), ["ride asked", "taken by A", "B is sorry"]);
}

pub fn a_guarded_batch_asked_again_finds_itself_and_not_a_conflict(mut table: Table) {
    let (start, one, two) = (table.start(), table.at(1), table.at(2));
    let itself = |head| Appended::Stored { placements: vec![Placement::Duplicate(one)], head };
    assert_eq!(table.append(A, guarded(start, "a")), placed(&[1], one));
    assert_eq!(table.append(A, guarded(start, "a")), itself(one));
    table.fill(B, start, &["b"]);
    assert_eq!(table.append(A, guarded(start, "a")), itself(two));
}

pub fn a_guarded_batch_of_which_only_a_part_is_known_still_stands_under_its_guard(mut table: Table) {
    let (start, one) = (table.start(), table.at(1));
    table.fill(A, start, &["a"]);
    let mixed = Batch { parcels: vec![parcel(&["a"]), parcel(&["b"])], ..guarded(start, "b") };
    assert_eq!(table.append(A, mixed), Appended::Conflict { head: one });
    assert_eq!(table.log(), ["a"]);
}

pub fn an_append_from_another_past_is_lost_and_from_before_what_is_kept_is_behind(mut table: Table) {
    let start = table.start();
    let head = table.fill(A, start, &["a", "b", "c"]);
    table.store(A, go_on(start, &["a", "b"]), 1);
    let other = Position { epoch: Epoch::new(2, 9), offset: 3 };
    let cases = [
        ("wrong check", go_on(start, &["a", "x"]), Some(Appended::Lost)),
        ("wrong check at the end", go_on(start, &["a", "b", "x"]), Some(Appended::Lost)),
        ("wrong check where what is kept begins", go_on(start, &["x"]), Some(Appended::Lost)),
        ("beyond the end", go_on(start, &["a", "b", "c", "d"]), Some(Appended::Lost)),
        ("another epoch", Seen { position: other, ..head }, Some(Appended::Lost)),
        ("before what is kept", start, Some(Appended::Behind)),
        ("where what is kept begins", go_on(start, &["a"]), None),
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

pub fn a_read_is_limited_and_says_where_the_end_is(mut table: Table) {
    let (start, three, epoch) = (table.start(), table.at(3), table.first_epoch());
    table.fill(A, start, &["a", "b", "c"]);
    for (after, limit, expected) in
        [(0, 2, vec![(1, "a"), (2, "b")]), (2, 2, vec![(3, "c")]), (3, 2, vec![]), (0, 0, vec![])]
    {
        let Read::Records { records, head } = table.read(epoch, after, limit) else { panic!("kept") };
        assert_eq!((plain(&records), head), (expected, three), "{limit} after {after}");
    }
    assert_eq!(table.read(epoch, 4, 1), Read::Lost, "beyond the end");
    assert_eq!(table.read(Epoch::new(2, 9), 0, 1), Read::Lost, "another epoch");
}

pub fn an_untouched_room_has_nothing_to_read(mut table: Table) {
    let (head, epoch) = (table.at(0), table.first_epoch());
    assert_eq!(table.read(epoch, 0, 10), Read::Records { records: Vec::new(), head });
    assert_eq!(table.read(epoch, 1, 10), Read::Lost);
}

/// Names and payloads that mean something to somebody on the way.
pub fn bytes_of_any_kind_come_back_as_they_were(mut table: Table) {
    let start = table.start();
    let name = "a b.c*d>e:{f}/ü%00\n\t\"'";
    let odd = ["", "\0", "\r\n", "-1", "{}", "nil", "ünï", "$5\r\nhello\r\n"];
    let large = "x".repeat(300_000);
    let records: Vec<&str> = odd.iter().copied().chain([large.as_str()]).collect();
    for (number, record) in records.iter().enumerate() {
        let parcel = engine::Parcel {
            key: vocabulary::Key::client(&vocabulary::UserId::new(name), &format!("{number} {name}")),
            records: vec![crate::words::text(record)],
        };
        let seen = go_on(start, &records[..number]);
        let outcome = table.append_to(A, &room(name), Batch { parcels: vec![parcel], ..batch(seen, &[]) });
        assert!(matches!(outcome, Appended::Stored { .. }), "{record:.20?}: {outcome:?}");
    }
    let end = go_on(start, &records);
    let mut got = Vec::new();
    while got.len() < records.len() {
        let question = engine::Question::Read {
            room: room(name),
            epoch: start.position.epoch,
            after: got.len() as u64,
            limit: 100,
            ticket: 1,
        };
        let answer = table.ask(B, question);
        let engine::Answer::Read { outcome: Read::Records { records, head }, .. } = answer else {
            panic!("{answer:?}")
        };
        assert!(!records.is_empty() && head == end.position);
        for stored in records {
            let number = got.len();
            let id = format!("{number} {name}");
            assert_eq!(stored.key, vocabulary::Key::client(&vocabulary::UserId::new(name), &id));
            got.push(String::from_utf8(stored.data.to_vec()).expect("text"));
        }
    }
    assert_eq!(got, records);
}

/// Each node names what it saw last, and none of them sees the others' in time.
pub fn three_nodes_that_append_at_once_make_one_order_without_a_hole(mut table: Table) {
    let start = table.start();
    let rounds = 30;
    for round in 0..rounds {
        for (by, name) in [(A, "a"), (B, "b"), (C, "c")] {
            let record = format!("{name}{round}");
            let mut batch = batch(start, &[&[&record]]);
            batch.number = round;
            table.tell(by, engine::Question::Append { room: crate::words::general(), batch });
        }
    }
    for by in [A, B, C] {
        for round in 0..rounds {
            let answer = table.hear(
                by,
                |answer| matches!(answer, engine::Answer::Appended { number, .. } if *number == round),
            );
            let engine::Answer::Appended { outcome: Appended::Stored { .. }, .. } = answer else {
                panic!("{answer:?}")
            };
        }
    }
    let log = table.log();
    assert_eq!(log.len() as u64, rounds * 3);
    for name in ["a", "b", "c"] {
        let mine: Vec<&String> = log.iter().filter(|record| record.starts_with(name)).collect();
        let sent: Vec<String> = (0..rounds).map(|round| format!("{name}{round}")).collect();
        assert!(mine.into_iter().eq(&sent), "one sender's order is kept: {log:?}");
    }
}

pub fn the_check_of_every_record_is_kept(mut table: Table) {
    let start = table.start();
    let texts: Vec<String> = (1..=40).map(|number| format!("record {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    table.fill(A, start, &texts);
    for upto in [1, 7, 20, 39, 40] {
        let right = go_on(start, &texts[..upto]);
        let wrong = Seen { check: Check(right.check.0 ^ 1), ..right };
        assert!(matches!(table.follow(B, Some(right)), engine::Followed::Continues { .. }), "{upto}");
        assert_eq!(table.follow(B, Some(wrong)), engine::Followed::Lost, "{upto}");
    }
    let new = base(start.position.epoch.next(3)).seen;
    assert_eq!(table.append(A, batch(new, &[&["x"]])), Appended::Lost);
}
