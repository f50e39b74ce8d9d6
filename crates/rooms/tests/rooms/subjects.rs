//! Commands about an older record: it is there when they are decided, wherever it is kept.

use std::time::Duration;

use engine::{Nodes, Question, Read};
use rooms::Limits;
use vocabulary::{Code, Command, Delivery, Epoch, Position};

use crate::desk::{ANA, Desk, room};

/// Ten records, of which memory holds the newest two.
fn ten_records(nodes: Nodes) -> Desk {
    let mut desk = Desk::with(nodes, Limits { ring_records_max: 2, ..Limits::default() });
    for id in ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j"] {
        desk.say(id);
        desk.carry_all();
    }
    desk.told.clear();
    desk
}

fn at(counter: u32, offset: u64) -> String {
    format!("about {}", Position { epoch: Epoch::new(counter, 7), offset })
}

/// What was recorded last.
fn newest(desk: &mut Desk) -> String {
    let bodies = desk.told.drain(..).filter_map(|delivery| match delivery {
        Delivery::Records { records, .. } => Some(records),
        _ => None,
    });
    let shown = bodies.flatten().filter_map(|news| news.sights.into_iter().next()?.shown).last();
    String::from_utf8_lossy(&shown.expect("a record was told").payload).into_owned()
}

fn is_read(question: &Question) -> bool {
    matches!(question, Question::Read { .. })
}

#[test]
fn the_record_is_found_in_memory_and_in_the_log_and_only_where_it_is() {
    for (said, found) in [
        (at(1, 10), "found j"),
        (at(1, 9), "found i"),
        (at(1, 8), "found h"),
        (at(1, 1), "found a"),
        (at(1, 11), "found nothing"),
        (at(1, 0), "found nothing"),
        (at(2, 1), "found nothing"),
    ] {
        let mut desk = ten_records(Nodes::One);
        desk.say(&said);
        desk.carry_all();
        assert_eq!(newest(&mut desk), found, "{said}");
    }
}

#[test]
fn what_is_kept_no_more_is_no_subject() {
    let mut desk = ten_records(Nodes::One);
    desk.say(&at(1, 3));
    let read = desk.take(is_read).expect("the log is asked");
    let mut answers = desk.engine_says(read);
    for answer in &mut answers {
        if let engine::Answer::Read { outcome, .. } = answer {
            *outcome = Read::Behind(5);
        }
    }
    desk.hear(answers);
    desk.carry_all();
    assert_eq!(newest(&mut desk), "found nothing");
    desk.say(&at(1, 5));
    assert!(desk.take(is_read).is_none(), "what is known to be gone is not asked for");
}

#[test]
fn what_another_node_may_have_stored_already_is_asked_for_again_by_its_sender() {
    let mut desk = ten_records(Nodes::Many);
    desk.say(&at(1, 11));
    assert_eq!(desk.answered(), (vec![], vec![(at(1, 11), Code::Busy)]));
}

#[test]
fn a_command_sent_again_while_its_subject_is_read_is_stored_once() {
    let mut desk = ten_records(Nodes::One);
    let said = at(1, 2);
    desk.say(&said);
    desk.say(&said);
    desk.carry_all();
    assert_eq!(desk.answered(), (vec![said.clone(), said], vec![]), "both are answered");
    desk.say("next");
    desk.carry_all();
    let next = desk.told.iter().find_map(|delivery| match delivery {
        Delivery::Records { records, .. } => records.first().map(|news| news.position.offset),
        _ => None,
    });
    assert_eq!(next, Some(12), "one record was between");
}

#[test]
fn who_left_while_the_subject_was_read_is_refused() {
    let mut desk = ten_records(Nodes::One);
    desk.say(&at(1, 2));
    desk.command(Command::Leave { room: room(), connection: ANA, asked: true });
    desk.carry_all();
    assert_eq!(desk.answered(), (vec![], vec![(at(1, 2), Code::NotInRoom)]));
}

#[test]
fn a_log_that_never_answers_ends_in_busy_and_nothing_is_stored() {
    let mut desk = ten_records(Nodes::One);
    desk.say(&at(1, 2));
    let mut asked = 0;
    while desk.take(is_read).is_some() {
        asked += 1;
        desk.wait(Duration::from_secs(1));
    }
    assert_eq!(asked, 10, "the log is asked again and again");
    assert_eq!(desk.answered(), (vec![], vec![(at(1, 2), Code::Busy)]));
}
