//! History on request from an engine that gives as much at once as it likes.

use engine::{Answer, Nodes, Question, Read};
use rooms::Limits;
use vocabulary::{Asker, Caller, Command, Delivery, Epoch, HistoryFrom, Position, Reply, ReplyTo, Tag};

use crate::desk::{ANA, Desk, ana, room};

/// What a desk's Ana is told of the past: the bytes of each message, and by how many readings.
fn told_of_the_past(from: HistoryFrom) -> (Vec<u64>, usize) {
    let mut desk = Desk::with(Nodes::One, Limits { ring_records_max: 1, ..Limits::default() });
    for id in ["a", "b", "c", "d", "e"] {
        desk.say_at_length(id, 200 << 10);
        desk.carry_all();
    }
    desk.told.clear();
    let tag = Tag { id: Some("h".into()), full_name: false };
    let (caller, reply) = (
        Caller::Connection { id: ANA, user: ana() },
        ReplyTo { asker: Asker::Connection(ANA), tag, frees: false },
    );
    desk.command(Command::History { room: room(), caller, reply, limit: 5, from });
    let mut readings = 0;
    while let Some(read) = desk.take(|question| matches!(question, Question::Read { .. })) {
        readings += 1;
        let mut answers = desk.engine_says(read);
        for answer in &mut answers {
            // As much as this engine gives at once.
            if let Answer::Read { outcome: Read::Records { records, .. }, .. } = answer {
                records.truncate(2);
            }
        }
        desk.hear(answers);
    }
    let told = desk.told.iter().find_map(|delivery| match delivery {
        Delivery::Reply { reply: Reply::History { entries, .. }, .. } => Some(entries),
        _ => None,
    });
    let told = told.expect("an answer").iter().map(|entry| entry.position.offset).collect();
    (told, readings)
}

#[test]
fn history_that_does_not_fit_is_what_is_nearest_to_where_it_is_asked_from() {
    assert_eq!(told_of_the_past(HistoryFrom::Latest), (vec![4, 5], 3));
    let position = |offset| Position { epoch: Epoch::new(Epoch::FIRST_COUNTER, 7), offset };
    assert_eq!(told_of_the_past(HistoryFrom::Before(position(5))), (vec![3, 4], 2));
    assert_eq!(told_of_the_past(HistoryFrom::After(position(0))), (vec![1, 2], 2));
}
