//! Erasing: the bytes go; places, checks and keys stay, for whoever reads, follows and appends.

use engine::{Answer, Appended, ERASE_MAX, Erased, Followed, Placement, Question, Read, Stored};
use vocabulary::{Check, Epoch, Position, Seen, is_tombstone, tombstone};

use crate::table::Table;
use crate::words::{A, B, C, batch, general, go_on, guarded, key, placed, text};

/// What is expected of a log: the texts, and nothing where one was erased.
fn is(texts: &[&str], erased: &[u64]) -> Vec<(u64, Option<String>)> {
    let one =
        |(offset, text): (u64, &&str)| (offset, (!erased.contains(&offset)).then(|| (*text).to_owned()));
    (1..).zip(texts).map(one).collect()
}

fn seen_as(records: &[Stored]) -> Vec<(u64, Option<String>)> {
    let text = |data: &[u8]| String::from_utf8(data.to_vec()).expect("test records are text");
    let one = |it: &Stored| (it.offset, (!is_tombstone(&it.data)).then(|| text(&it.data)));
    records.iter().map(one).collect()
}

/// All that is kept after an offset of the first epoch, page by page.
fn log_after(table: &mut Table, offset: u64, page: u32) -> Vec<Stored> {
    let (epoch, mut all) = (table.first_epoch(), Vec::<Stored>::new());
    loop {
        let after = all.last().map_or(offset, |stored| stored.offset);
        match table.read(epoch, after, page) {
            Read::Records { records, .. } if records.is_empty() => return all,
            Read::Records { records, .. } => all.extend(records),
            other => panic!("{other:?}"),
        }
    }
}

pub fn the_first_the_last_and_one_in_the_middle_of_a_batch(mut table: Table) {
    let texts = ["a", "b", "b2", "b3", "c", "d"];
    for (round, erased) in [vec![1], vec![3], vec![6], vec![2, 4], vec![5]].iter().enumerate() {
        let start = table.start();
        if round == 0 {
            table.append(A, batch(start, &[&["a"], &["b", "b2", "b3"]]));
            table.append(B, batch(go_on(start, &texts[..4]), &[&["c"], &["d"]]));
        }
        assert_eq!(table.erase(A, go_on(start, &texts), erased), Erased::Gone);
    }
    let records = log_after(&mut table, 0, 500);
    assert_eq!(seen_as(&records), is(&texts, &[1, 2, 3, 4, 5, 6]));
}

pub fn what_was_beside_it_is_read_as_it_was_from_any_place_in_pages_of_any_size(mut table: Table) {
    let (start, epoch) = (table.start(), table.first_epoch());
    let texts: Vec<String> = (1..=60).map(|number| format!("record {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut head = start;
    for some in texts.chunks(6) {
        head = table.fill(A, head, some);
    }
    let erased = [2, 3, 6, 7, 20, 30, 31, 32, 33, 34, 35, 36, 37, 59, 60];
    assert_eq!(table.erase(A, head, &erased), Erased::Gone);
    let expected = is(&texts, &erased);
    for page in [1, 4, 7, 500] {
        assert_eq!(seen_as(&log_after(&mut table, 0, page)), expected, "pages of {page}");
    }
    for after in 0..60 {
        let Read::Records { records, head: end } = table.read(epoch, after, 3) else { panic!("kept") };
        let from = after as usize;
        assert_eq!(seen_as(&records), expected[from..(from + 3).min(60)], "after {after}");
        assert_eq!(end, head.position);
    }
}

/// What is left proves itself: the hash of what was there, and the key.
pub fn the_check_of_every_place_stays_and_so_do_keys(mut table: Table) {
    let (start, one, two) = (table.start(), table.at(1), table.at(2));
    let texts = ["a", "b", "c"];
    let head = table.fill(A, start, &texts);
    assert_eq!(table.erase(A, head, &[1, 2, 3]), Erased::Gone);
    for stored in log_after(&mut table, 0, 500) {
        let original = texts[stored.offset as usize - 1];
        assert_eq!(stored.data, tombstone(&text(original)));
        assert_eq!(stored.key, key(original));
    }
    for upto in 0..=3 {
        let right = go_on(start, &texts[..upto]);
        let wrong = Seen { check: Check(right.check.0 ^ 1), ..right };
        let Followed::Continues { records, .. } = table.follow(B, Some(right)) else { panic!("{upto}") };
        assert_eq!(records.len(), 3 - upto);
        assert_eq!(table.follow(B, Some(wrong)), Followed::Lost, "{upto}");
    }
    let again = table.append(B, batch(start, &[&["b"], &["d"], &["a"]]));
    let placements = vec![Placement::Duplicate(two), Placement::At(4), Placement::Duplicate(one)];
    assert_eq!(again, Appended::Stored { placements, head: table.at(4) });
}

pub fn the_log_goes_on_behind_an_erased_end(mut table: Table) {
    let (start, two, three) = (table.start(), table.at(2), table.at(3));
    let head = table.fill(A, start, &["a"]);
    assert_eq!(table.erase(A, head, &[1]), Erased::Gone);
    assert_eq!(table.append(A, guarded(head, "b")), placed(&[2], two));
    assert_eq!(table.append(B, guarded(head, "rival")), Appended::Conflict { head: two });
    let head = go_on(head, &["b"]);
    assert_eq!(table.erase(B, head, &[2]), Erased::Gone);
    assert_eq!(table.append(B, batch(head, &[&["c"]])), placed(&[3], three));
    assert_eq!(seen_as(&log_after(&mut table, 0, 500)), is(&["a", "b", "c"], &[1, 2]));
}

pub fn erasing_again_or_what_is_not_there_any_more_changes_nothing(mut table: Table) {
    let start = table.start();
    let texts = ["a", "b", "c", "d"];
    let head = table.fill(A, start, &texts);
    for _ in 0..2 {
        assert_eq!(table.erase(A, head, &[2, 4]), Erased::Gone);
        assert_eq!(table.erase(B, head, &[4, 0, 2]), Erased::Gone);
    }
    table.store(A, go_on(start, &texts[..3]), 2);
    assert_eq!(table.erase(A, head, &[0, 1, 2, 3]), Erased::Gone);
    assert_eq!(seen_as(&log_after(&mut table, 2, 500)), is(&texts, &[1, 2, 3, 4])[2..]);
    assert_eq!(table.erase(A, head, &[]), Erased::Gone);
}

pub fn who_has_seen_another_past_or_names_what_it_has_not_seen_erases_nothing(mut table: Table) {
    let start = table.start();
    let texts = ["a", "b", "c"];
    let head = table.fill(A, start, &texts);
    table.store(A, go_on(start, &texts[..2]), 1);
    let other = Position { epoch: Epoch::new(2, 9), offset: 3 };
    let too_many = vec![2; ERASE_MAX + 1];
    let cases: [(&str, Seen, &[u64], Erased); 7] = [
        ("wrong check", Seen { check: Check(head.check.0 ^ 1), ..head }, &[2], Erased::Lost),
        ("beyond the end", go_on(head, &["d"]), &[2], Erased::Lost),
        ("another epoch", Seen { position: other, ..head }, &[2], Erased::Lost),
        ("what was not seen", go_on(start, &texts[..2]), &[2, 3], Erased::Lost),
        ("what was not stored", head, &[2, 4], Erased::Lost),
        ("before what is kept", start, &[], Erased::Behind),
        ("too many", head, &too_many, Erased::Refused),
    ];
    for (name, seen, offsets, expected) in cases {
        assert_eq!(table.erase(B, seen, offsets), expected, "{name}");
    }
    assert_eq!(seen_as(&log_after(&mut table, 1, 500)), is(&texts, &[])[1..]);
}

pub fn who_follows_hears_nothing_of_it_and_who_loads_anew_sees_it_gone(mut table: Table) {
    let start = table.start();
    let texts = ["a", "b", "c", "d"];
    let head = table.fill(A, start, &texts);
    table.load(B);
    table.erase(A, head, &[2, 4]);
    assert_eq!(table.news(B), []);
    assert_eq!(seen_as(&table.load(C).records), is(&texts, &[2, 4]));
    table.store(A, go_on(start, &texts[..1]), 0);
    let loaded = table.load(B);
    assert_eq!(seen_as(&loaded.records), is(&texts, &[2, 4])[1..]);
    assert_eq!((loaded.base, loaded.head), (0, head.position));
    let head = table.fill(B, head, &["e"]);
    assert_eq!(head.position, table.at(5));
}

/// Who was cut off goes on over tombstones, and finds all that they were in the snapshot, if one was kept before.
pub fn who_is_behind_is_given_tombstones_and_finds_the_snapshot_from_behind_them(mut table: Table) {
    let start = table.start();
    let texts = ["a", "b", "c", "d"];
    let two = table.fill(A, start, &texts[..2]);
    table.load(B);
    let head = table.fill(A, two, &texts[2..]);
    table.store(A, head, 0);
    assert_eq!(table.erase(A, head, &[3]), Erased::Gone);
    let Followed::Continues { records, .. } = table.follow(B, Some(two)) else { panic!("it is kept") };
    assert_eq!(seen_as(&records), is(&texts, &[3])[2..]);
    let loaded = table.load(B);
    assert_eq!(loaded.snapshot.map(|snapshot| snapshot.seen), Some(head));
    assert_eq!(seen_as(&loaded.records), []);
}

/// What is forgotten takes its tombstones with it.
pub fn what_was_erased_is_forgotten_like_the_rest(mut table: Table) {
    let start = table.start();
    let texts: Vec<String> = (1..=40).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut head = start;
    for some in texts.chunks(4) {
        head = table.fill(A, head, some);
    }
    let erased = [1, 9, 10, 11, 12, 18, 40];
    assert_eq!(table.erase(A, head, &erased), Erased::Gone);
    for (at, upto) in [(12, 10), (20, 17), (39, 38), (40, 40)] {
        table.store(A, go_on(start, &texts[..at]), upto as u64);
        let kept = log_after(&mut table, upto as u64, 500);
        assert_eq!(seen_as(&kept), is(&texts, &erased)[upto..], "forgotten up to {upto}");
    }
    let end = table.fill(B, head, &["41"]);
    assert_eq!(table.erase(B, end, &[41]), Erased::Gone);
    assert_eq!(table.fill(B, end, &["42"]).position.offset, 42);
    assert_eq!(log_after(&mut table, 40, 500).len(), 2);
}

pub fn a_new_epoch_has_nothing_of_it(mut table: Table) {
    let (start, new) = (table.start(), table.first_epoch().next(11));
    let head = table.fill(A, start, &["a", "b"]);
    table.erase(A, head, &[1, 2]);
    let base = crate::words::base(new);
    table.ask(A, Question::BeginEpoch { room: general(), old: head, base: base.clone() });
    let one = go_on(base.seen, &["c"]);
    table.append(A, batch(base.seen, &[&["c"], &["d"]]));
    let two = go_on(one, &["d"]);
    assert_eq!(table.erase(A, head, &[1]), Erased::Lost);
    assert_eq!(seen_as(&table.load(B).records), [(1, Some("c".to_owned())), (2, Some("d".to_owned()))]);
    assert_eq!(table.erase(A, two, &[1]), Erased::Gone);
    assert_eq!(seen_as(&table.load(B).records), [(1, None), (2, Some("d".to_owned()))]);
}

/// Nobody's record is taken for the erased one, and none gets its place.
pub fn appends_that_come_meanwhile_find_their_places(mut table: Table) {
    let start = table.start();
    let rounds = 20;
    let mut head = start;
    for round in 0..rounds {
        for (by, name) in [(A, "a"), (B, "b")] {
            let mut batch = batch(start, &[&[&format!("{name}{round}")]]);
            batch.number = round;
            table.tell(by, Question::Append { room: general(), batch });
        }
        table.tell(
            C,
            Question::Erase {
                room: general(),
                seen: head,
                offsets: (1..=head.position.offset).collect(),
                ticket: round,
            },
        );
        let told =
            |ticket| move |it: &Answer| matches!(it, Answer::Erased { ticket: its, .. } if *its == ticket);
        match table.hear(C, told(round)) {
            Answer::Erased { outcome: Erased::Gone, .. } => {}
            Answer::Erased { outcome: Erased::Upto(upto), .. } => {
                let rest: Vec<u64> = (upto + 1..=head.position.offset).collect();
                assert_eq!(table.erase(C, head, &rest), Erased::Gone);
            }
            other => panic!("{other:?}"),
        }
        for by in [A, B] {
            let is_it = |it: &Answer| matches!(it, Answer::Appended { number, .. } if *number == round);
            let Answer::Appended { outcome: Appended::Stored { .. }, .. } = table.hear(by, is_it) else {
                panic!("stored")
            };
        }
        head = log_after(&mut table, 0, 500).iter().fold(start, |seen, stored| Seen {
            position: Position { offset: stored.offset, ..seen.position },
            check: seen.check.roll(Check::hash(&stored.data)),
        });
    }
    let records = log_after(&mut table, 0, 500);
    assert_eq!(records.len() as u64, rounds * 2);
    assert!(records.iter().map(|stored| stored.offset).eq(1..=rounds * 2));
    let left = records.iter().filter(|stored| !is_tombstone(&stored.data)).count();
    assert_eq!(left, 2, "all but those of the last round");
    assert!(matches!(table.follow(B, Some(head)), Followed::Continues { .. }));
}
