//! Records that are older than a room keeps them.

use std::time::Duration;

use engine::{Answer, Nodes, Question, Snapshot};
use rooms::{Limits, Rules};

use crate::desk::{Desk, room};

const SPAN: Duration = Duration::from_secs(3200);
const MINUTE: Duration = Duration::from_secs(60);

fn kept() -> Rules {
    Rules { retention_age: Some(SPAN), ..Rules::default() }
}

/// A room that keeps records for a while, at its steward, with a record each minute.
fn hour(minutes: u64) -> Desk {
    let limits = Limits { lease: Duration::from_secs(100_000), ..Limits::default() };
    let mut desk = Desk::of(Nodes::One, limits, kept());
    desk.rooms.answered(desk.now, Answer::Attending { slices: vec![room().slice()], due: Vec::new() });
    for minute in 0..minutes {
        desk.say(&format!("{minute}"));
        desk.carry_all();
        desk.wait(MINUTE);
    }
    desk
}

fn stored(desk: &mut Desk) -> Option<(Snapshot, u64)> {
    match desk.take(|question| matches!(question, Question::Store { .. }))? {
        Question::Store { snapshot, forget_upto, .. } => Some((snapshot, forget_upto)),
        _ => None,
    }
}

#[test]
fn what_is_too_old_is_forgotten_with_a_snapshot_once_and_soon() {
    let mut desk = hour(50);
    assert!(stored(&mut desk).is_none(), "nothing is too old yet");
    let mut forgotten = Vec::new();
    for _ in 0..20 {
        desk.wait(MINUTE);
        desk.say("~");
        while let Some((snapshot, upto)) = stored(&mut desk) {
            let (room, kept) = (room(), Some(snapshot.seen.position));
            desk.hear(vec![Answer::Stored { room, kept }]);
            forgotten.push(upto);
        }
        desk.carry_all();
    }
    // Seventy minutes have passed, and 53 of them are kept.
    assert!(forgotten.windows(2).all(|pair| pair[0] < pair[1]), "each time more: {forgotten:?}");
    assert!(forgotten.last().is_some_and(|last| (13..=17).contains(last)), "{forgotten:?}");
}

#[test]
fn how_old_it_is_outlives_the_room_on_this_node() {
    let mut desk = hour(10);
    desk.rooms.answered(desk.now, Answer::Attending { slices: Vec::new(), due: Vec::new() });
    for said in 0..400 {
        desk.say(&format!("s{said}"));
        desk.carry_all();
    }
    desk.rooms.answered(desk.now, Answer::Attending { slices: vec![room().slice()], due: Vec::new() });
    desk.collect();
    let (snapshot, upto) = stored(&mut desk).expect("a snapshot is due");
    assert_eq!(upto, 0, "nothing is too old");
    let answers = desk.engine_says(Question::Store { room: room(), snapshot, forget_upto: 0 });
    desk.hear(answers);

    let mut other = Desk::empty_of(Nodes::One, Limits::default(), kept());
    std::mem::swap(&mut other.engine, &mut desk.engine);
    other.now = desk.now;
    other.wait(SPAN);
    other.join();
    other.carry_all();
    other.rooms.answered(other.now, Answer::Attending { slices: vec![room().slice()], due: Vec::new() });
    other.collect();
    let (snapshot, upto) = stored(&mut other).expect("what is too old is forgotten");
    let end = snapshot.seen.position.offset;
    assert!((10..=end).contains(&upto), "{upto} of {end}");
}
