//! Erasing at an engine that takes its time, or others' turns: it comes to its end, and asks for nothing twice.

use std::collections::VecDeque;
use std::time::Duration;

use engine::{Answer, Erased, Question};
use vocabulary::Tick;

use crate::desk::{Desk, room};
use crate::sweeping::{desk, erasures, log, say_all, talk, with};

/// What the engine answers late: longer than after which it is asked again, and shorter than anybody gives up.
const LATE: Duration = Duration::from_secs(2);
const STEP: Duration = Duration::from_millis(20);

/// Until nothing more is done. What `is_late` is answered only then; how often the room asked for it.
fn go_on_late(desk: &mut Desk, is_late: impl Fn(&Question) -> bool) -> usize {
    let (mut held, mut asked): (VecDeque<(Tick, Question)>, usize) = (VecDeque::new(), 0);
    for _ in 0..3000 {
        desk.wait(STEP);
        while let Some(question) = desk.asked.pop_front() {
            if is_late(&question) {
                asked += 1;
                held.push_back((desk.now.tick + LATE, question));
                continue;
            }
            let answers = desk.engine_says(question);
            desk.hear(answers);
        }
        while let Some((_, question)) = held.pop_front_if(|(at, _)| *at <= desk.now.tick) {
            let answers = desk.engine_says(question);
            desk.hear(answers);
        }
    }
    asked
}

#[test]
fn an_engine_that_answers_late_is_waited_for() {
    let mut desk = desk();
    say_all(&mut desk, talk(600));
    desk.say("forget a");
    let asked = go_on_late(&mut desk, |question| matches!(question, Question::Erase { .. }));
    let found = log(&mut desk);
    assert_eq!((erasures(&found), with(&found, "swept")), (200, 1));
    assert_eq!(desk.rooms.counts().records_erased, 200);
    // Of three pages two take two goes, and there is one in the beginning and in the end; asked at once, after a second, after two.
    assert!(asked <= 3 * 7, "{asked}");
}

#[test]
fn and_so_is_one_that_reads_late() {
    let mut desk = desk();
    say_all(&mut desk, talk(300));
    desk.say("forget a");
    let asked = go_on_late(&mut desk, |question| matches!(question, Question::Read { .. }));
    let found = log(&mut desk);
    assert_eq!((erasures(&found), with(&found, "swept")), (100, 1));
    assert!(asked <= 3 * 2, "{asked}");
}

#[test]
fn what_an_engine_leaves_for_later_is_asked_for_next() {
    let mut desk = desk();
    say_all(&mut desk, talk(90));
    desk.say("forget a");
    let (mut goes, mut asked) = (Vec::new(), 0);
    for _ in 0..200 {
        desk.wait(STEP);
        while let Some(question) = desk.asked.pop_front() {
            let Question::Erase { room: of, seen, mut offsets, ticket } = question else {
                let answers = desk.engine_says(question);
                desk.hear(answers);
                continue;
            };
            let is_part = offsets.len() > 7;
            offsets.truncate(7);
            asked += 1;
            goes.push(offsets.len());
            let upto = offsets.last().copied();
            let answers = desk.engine_says(Question::Erase { room: of, seen, offsets, ticket });
            assert!(matches!(answers[..], [Answer::Erased { outcome: Erased::Gone, .. }]), "{answers:?}");
            let outcome = upto.filter(|_| is_part).map_or(Erased::Gone, Erased::Upto);
            desk.hear(vec![Answer::Erased { room: room(), ticket, outcome }]);
        }
    }
    assert_eq!(goes, [0, 7, 7, 7, 7, 2, 0]);
    assert_eq!(asked, 7);
    let found = log(&mut desk);
    assert_eq!((erasures(&found), with(&found, "swept")), (30, 1));
    assert_eq!(desk.rooms.counts().records_erased, 30);
}
