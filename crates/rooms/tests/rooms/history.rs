//! History on request from an engine that gives as much at once as it likes.

use engine::{Answer, Nodes, Question, Read};
use rooms::Limits;
use vocabulary::{
    Asker, Caller, Code, Command, Delivery, Epoch, Failed, HistoryFrom, Position, Reply, ReplyTo, Tag,
};

use crate::desk::{ANA, Desk, ana, room};

/// Five records of Ana's, of which memory holds the newest.
fn five_records() -> Desk {
    let mut desk = Desk::with(Nodes::One, Limits { ring_records_max: 1, ..Limits::default() });
    for id in ["a", "b", "c", "d", "e"] {
        desk.say_at_length(id, 200 << 10);
        desk.carry_all();
    }
    desk.told.clear();
    desk
}

/// What Ana is told of the past, and by how many readings; `engine` says something else in the place of what it would.
fn asked(desk: &mut Desk, from: HistoryFrom, engine: impl Fn(u64, &mut Read)) -> (Reply, usize) {
    let tag = Tag { id: Some("h".into()), full_name: false };
    let (caller, reply) = (
        Caller::Connection { id: ANA, user: ana() },
        ReplyTo { asker: Asker::Connection(ANA), tag, frees: false },
    );
    desk.command(Command::History { room: room(), caller, reply, limit: 5, from });
    let mut readings = 0;
    while let Some(read) = desk.take(|question| matches!(question, Question::Read { .. })) {
        let Question::Read { after, .. } = read else { continue };
        readings += 1;
        let mut answers = desk.engine_says(read);
        for answer in &mut answers {
            if let Answer::Read { outcome, .. } = answer {
                engine(after, outcome);
            }
        }
        desk.hear(answers);
    }
    let told = desk.told.drain(..).find_map(|delivery| match delivery {
        Delivery::Reply { reply, .. } => Some(reply),
        _ => None,
    });
    (told.expect("an answer"), readings)
}

fn offsets(reply: &Reply) -> Vec<u64> {
    let Reply::History { entries, .. } = reply else { panic!("{reply:?}") };
    entries.iter().map(|entry| entry.position.offset).collect()
}

fn position(offset: u64) -> Position {
    Position { epoch: Epoch::new(Epoch::FIRST_COUNTER, 7), offset }
}

/// As much as this engine gives at once.
fn two_at_once(_: u64, read: &mut Read) {
    if let Read::Records { records, .. } = read {
        records.truncate(2);
    }
}

#[test]
fn history_that_does_not_fit_is_what_is_nearest_to_where_it_is_asked_from() {
    for (from, told, readings) in [
        (HistoryFrom::Latest, vec![4, 5], 3),
        (HistoryFrom::Before(position(5)), vec![3, 4], 2),
        (HistoryFrom::After(position(0)), vec![1, 2], 2),
    ] {
        let (reply, read) = asked(&mut five_records(), from, two_at_once);
        assert_eq!((offsets(&reply), read), (told, readings), "{from:?}");
    }
}

#[test]
fn what_is_asked_for_behind_a_place_follows_it_or_is_not_told() {
    let forgotten = |after, read: &mut Read| {
        if after < 3 {
            *read = Read::Behind(3);
        }
    };
    for (from, told) in [
        (HistoryFrom::After(position(3)), vec![4, 5]),
        (HistoryFrom::After(position(2)), vec![]),
        (HistoryFrom::Before(position(5)), vec![4]),
        (HistoryFrom::Before(position(4)), vec![]),
        (HistoryFrom::Latest, vec![4, 5]),
    ] {
        let (reply, _) = asked(&mut five_records(), from, forgotten);
        assert_eq!(offsets(&reply), told, "{from:?}");
        let Reply::History { upto, .. } = reply else { panic!("{reply:?}") };
        assert_eq!(upto, position(5), "and where the log ends, all the same");
    }
}

#[test]
fn a_past_that_is_damaged_is_refused_with_the_reference_that_stands_in_the_log_once() {
    let mut desk = five_records();
    let damaged = |after, read: &mut Read| {
        if after < 3 {
            *read = Read::Damaged;
        }
    };
    for _ in 0..2 {
        let (reply, _) = asked(&mut desk, HistoryFrom::Latest, damaged);
        let Reply::Refused(refusal) = reply else { panic!("{reply:?}") };
        let [failure] = &desk.failed[..] else { panic!("{:?}", desk.failed) };
        assert_eq!((refusal.code, refusal.reference), (Code::Internal, Some(Box::new(failure.reference))));
        assert_eq!((&failure.what, &failure.room), (&Failed::Damaged, &room()));
    }
    let (reply, _) = asked(&mut desk, HistoryFrom::After(position(3)), damaged);
    assert_eq!(offsets(&reply), [4, 5], "what is not damaged is told");
}

fn next(reply: &Reply) -> Option<Position> {
    let Reply::History { next, .. } = reply else { panic!("{reply:?}") };
    *next
}

/// Twelve that last, each followed by nine that do not.
fn mostly_fleeting(ring: usize) -> Desk {
    let mut desk = Desk::with(Nodes::One, Limits { ring_records_max: ring, ..Limits::default() });
    for said in 0..120 {
        desk.say(&format!("{}{said}", if said % 10 == 0 { "" } else { "~" }));
        desk.carry_all();
    }
    desk.told.clear();
    desk
}

#[test]
fn a_page_goes_on_behind_what_does_not_last_and_says_where_the_next_begins() {
    for ring in [1, 7, 256] {
        let mut desk = mostly_fleeting(ring);
        let (newest, _) = asked(&mut desk, HistoryFrom::Latest, |_, _| {});
        assert_eq!(offsets(&newest), [71, 81, 91, 101, 111], "ring {ring}");
        let middle = next(&newest).expect("there is more");
        let (middle, _) = asked(&mut desk, HistoryFrom::Before(middle), two_at_once);
        assert_eq!(offsets(&middle), [21, 31, 41, 51, 61], "ring {ring}");
        let oldest = next(&middle).expect("there is more");
        let (oldest, _) = asked(&mut desk, HistoryFrom::Before(oldest), |_, _| {});
        assert_eq!((offsets(&oldest), next(&oldest)), (vec![1, 11], None), "ring {ring}");

        let (first, _) = asked(&mut desk, HistoryFrom::After(position(0)), two_at_once);
        assert_eq!(offsets(&first), [1, 11, 21, 31, 41], "ring {ring}");
        let after = next(&first).expect("there is more");
        let (second, _) = asked(&mut desk, HistoryFrom::After(after), |_, _| {});
        assert_eq!(offsets(&second), [51, 61, 71, 81, 91], "ring {ring}");
        let after = next(&second).expect("there is more");
        let (last, _) = asked(&mut desk, HistoryFrom::After(after), |_, _| {});
        assert_eq!((offsets(&last), next(&last)), (vec![101, 111], None), "ring {ring}");
    }
}

#[test]
fn a_past_in_which_nothing_lasts_is_looked_through_a_thousand_records_at_a_time() {
    let mut desk = Desk::with(Nodes::One, Limits { ring_records_max: 1, ..Limits::default() });
    for said in 0..2_500 {
        desk.say(&format!("{}{said}", if said == 0 { "" } else { "~" }));
        desk.carry_all();
    }
    let (mut from, mut pages) = (HistoryFrom::Latest, Vec::new());
    loop {
        let (page, _) = asked(&mut desk, from, |_, _| {});
        pages.push(offsets(&page));
        let Some(next) = next(&page) else { break };
        from = HistoryFrom::Before(next);
    }
    assert_eq!(pages, [vec![], vec![], vec![1]]);
}
