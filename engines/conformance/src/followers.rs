//! Following: what one answer brings, and who hears of what comes after it.

use engine::{Answer, Followed, Question, Read};
use vocabulary::{Epoch, Incarnation};

use crate::table::Table;
use crate::words::{A, B, C, batch, general, go_on, plain};

fn grown(table: &mut Table, to: Incarnation) -> Vec<(u64, String)> {
    let mut all = Vec::new();
    let first = table.first_epoch();
    for news in table.news(to) {
        let Answer::Grown { room, epoch, records } = news else { panic!("{news:?}") };
        assert_eq!((room, epoch), (general(), first));
        all.extend(plain(&records).into_iter().map(|(offset, text)| (offset, text.to_owned())));
    }
    all
}

pub fn an_untouched_room_is_loaded_empty_in_its_first_epoch(mut table: Table) {
    let (head, loaded) = (table.at(0), table.load(A));
    assert_eq!((loaded.snapshot, loaded.base, loaded.head), (None, 0, head));
    assert_eq!(head.epoch.counter(), Epoch::FIRST_COUNTER);
    assert!(loaded.records.is_empty() && loaded.present.is_empty() && loaded.soft.is_empty());
}

pub fn followers_hear_what_was_stored_and_the_asker_does_not(mut table: Table) {
    let start = table.start();
    for follower in [A, B] {
        table.load(follower);
    }
    table.append(A, batch(start, &[&["a", "a2"], &["b"]]));
    table.append(C, batch(start, &[&["c"]]));
    let whole = [(1, "a"), (2, "a2"), (3, "b"), (4, "c")].map(|(offset, text)| (offset, text.to_owned()));
    assert_eq!(grown(&mut table, A), whole[3..]);
    assert_eq!(grown(&mut table, B), whole);
    assert_eq!(grown(&mut table, C), [], "who does not follow hears nothing");
}

pub fn unfollow_ends_the_news(mut table: Table) {
    let start = table.start();
    table.load(B);
    table.tell(B, Question::Unfollow { room: general() });
    assert_eq!(grown(&mut table, B), []);
    table.fill(A, start, &["a"]);
    assert_eq!(grown(&mut table, B), []);
    assert_eq!(table.log(), ["a"]);
}

pub fn a_follower_that_returns_goes_on_from_what_it_has_seen(mut table: Table) {
    let (start, four) = (table.start(), table.at(4));
    table.fill(A, start, &["a", "b", "c", "d"]);
    table.store(A, go_on(start, &["a", "b", "c"]), 2);
    let mut wrong_epoch = go_on(start, &["a", "b", "c"]);
    wrong_epoch.position.epoch = Epoch::new(2, 9);
    let cases = [
        ("in the middle", go_on(start, &["a", "b", "c"]), Ok(vec![(4, "d")])),
        ("where what is kept begins", go_on(start, &["a", "b"]), Ok(vec![(3, "c"), (4, "d")])),
        ("at the end", go_on(start, &["a", "b", "c", "d"]), Ok(vec![])),
        ("before what is kept", go_on(start, &["a"]), Err(Followed::Behind)),
        ("another past", go_on(start, &["a", "b", "x"]), Err(Followed::Lost)),
        ("beyond the end", go_on(start, &["a", "b", "c", "d", "e"]), Err(Followed::Lost)),
        ("another epoch", wrong_epoch, Err(Followed::Lost)),
    ];
    for (name, from, expected) in cases {
        match (table.follow(B, Some(from)), expected) {
            (Followed::Continues { records, head, .. }, Ok(expected)) => {
                assert_eq!((plain(&records), head), (expected, four), "{name}");
            }
            (outcome, Err(expected)) => assert_eq!(outcome, expected, "{name}"),
            (outcome, Ok(_)) => panic!("{name}: {outcome:?}"),
        }
    }
}

pub fn one_answer_holds_a_page_and_the_rest_is_read_on(mut table: Table) {
    let (start, epoch) = (table.start(), table.first_epoch());
    let texts: Vec<String> = (1..=1200).map(|number| number.to_string()).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut head = start;
    for some in texts.chunks(60) {
        head = table.fill(A, head, some);
    }
    let mut got = table.load(B).records;
    assert!(got.len() < texts.len());
    while got.len() < texts.len() {
        let after = got.last().map_or(0, |record| record.offset);
        let Read::Records { records, head: end } = table.read(epoch, after, u32::MAX) else { panic!("kept") };
        assert!(!records.is_empty() && end == head.position);
        got.extend(records);
    }
    assert!(got.iter().map(|record| record.offset).eq(1..=1200));
}
