//! Following: what one answer brings, and who hears of what comes after it.

use engine::{Answer, Followed, Question};
use vocabulary::Epoch;

use crate::table::{A, B, C, Table, at, batch, first_epoch, general, plain, seen};

fn grown(table: &mut Table, to: vocabulary::Incarnation) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    for news in table.news(to) {
        let Answer::Grown { room, epoch, records } = news else { panic!("{news:?}") };
        assert_eq!((room, epoch), (general(), first_epoch()));
        all.extend(plain(&records).into_iter().map(|(offset, text)| (offset, text.to_owned())));
    }
    all
}

#[test]
fn an_untouched_room_is_loaded_empty_in_its_first_epoch() {
    let loaded = Table::new().load(A);
    assert_eq!((loaded.snapshot, loaded.base, loaded.head), (None, 0, at(0)));
    assert!(loaded.records.is_empty() && loaded.present.is_empty() && loaded.soft.is_empty());
}

#[test]
fn followers_hear_what_was_stored_and_the_asker_does_not() {
    let mut table = Table::new();
    for follower in [A, B] {
        table.load(follower);
    }
    table.append(A, batch(seen(&[]), &[&["a", "a2"], &["b"]]));
    table.append(C, batch(seen(&[]), &[&["c"]]));
    let whole = [(1, "a"), (2, "a2"), (3, "b"), (4, "c")].map(|(offset, text)| (offset, text.to_owned()));
    assert_eq!(grown(&mut table, A), whole[3..]);
    assert_eq!(grown(&mut table, B), whole);
    assert_eq!(grown(&mut table, C), [], "who does not follow hears nothing");
}

#[test]
fn unfollow_ends_the_news() {
    let mut table = Table::new();
    table.load(B);
    table.tell(B, Question::Unfollow { room: general() });
    table.fill(A, seen(&[]), &["a"]);
    assert_eq!(table.news(B), []);
    assert_eq!(table.log(), ["a"]);
}

#[test]
fn a_follower_that_returns_goes_on_from_what_it_has_seen() {
    let mut table = Table::new();
    table.fill(A, seen(&[]), &["a", "b", "c", "d"]);
    table.store(seen(&["a", "b", "c"]), 2);
    let wrong_epoch = {
        let mut seen = seen(&["a", "b", "c"]);
        seen.position.epoch = Epoch::new(2, 9);
        seen
    };
    let cases = [
        ("in the middle", seen(&["a", "b", "c"]), Ok(vec![(4, "d")])),
        ("where what is kept begins", seen(&["a", "b"]), Ok(vec![(3, "c"), (4, "d")])),
        ("at the end", seen(&["a", "b", "c", "d"]), Ok(vec![])),
        ("before what is kept", seen(&["a"]), Err(Followed::Behind)),
        ("another past", seen(&["a", "b", "x"]), Err(Followed::Lost)),
        ("beyond the end", seen(&["a", "b", "c", "d", "e"]), Err(Followed::Lost)),
        ("another epoch", wrong_epoch, Err(Followed::Lost)),
    ];
    for (name, from, expected) in cases {
        match (table.follow(B, Some(from)), expected) {
            (Followed::Continues { records, head, .. }, Ok(expected)) => {
                assert_eq!((plain(&records), head), (expected, at(4)), "{name}");
            }
            (outcome, Err(expected)) => assert_eq!(outcome, expected, "{name}"),
            (outcome, Ok(_)) => panic!("{name}: {outcome:?}"),
        }
    }
}

#[test]
fn one_answer_holds_a_page_and_the_rest_is_read_on() {
    let mut table = Table::new();
    let texts: Vec<String> = (1..=1200).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let head = table.fill(A, seen(&[]), &texts);
    let mut got = table.load(B).records;
    assert!(got.len() < texts.len());
    while got.len() < texts.len() {
        let after = got.last().map_or(0, |record| record.offset);
        let engine::Read::Records { records, head: end } = table.read(first_epoch(), after, u32::MAX) else {
            panic!("kept")
        };
        assert!(!records.is_empty() && end == head.position);
        got.extend(records);
    }
    assert!(got.iter().map(|record| record.offset).eq(1..=1200));
}
