//! What leaves a room for brokers: each message once, from the node whose append stored it.

use engine::{Batch, Nodes, Parcel, Question};
use rooms::{Limits, Rules};
use vocabulary::{Key, Payload};

use crate::desk::{Desk, ME, OTHER, ana, room};

fn desk() -> Desk {
    Desk::of(Nodes::Many, Limits::default(), Rules { outward: true, ..Rules::default() })
}

/// What has left, and at which places.
fn left(desk: &mut Desk) -> Vec<(String, u64)> {
    let said = |payload: &Payload| String::from_utf8_lossy(payload).into_owned();
    desk.outward.drain(..).map(|it| (said(&it.shown.payload), it.position.offset)).collect()
}

#[test]
fn what_is_stored_from_here_leaves_once_and_what_only_tells_of_a_change_does_not() {
    let mut desk = desk();
    for said in ["a", "~b", "c", "a"] {
        desk.say(said);
    }
    assert!(desk.outward.is_empty(), "nothing is stored yet");
    desk.carry_all();
    desk.say("c");
    desk.carry_all();
    assert_eq!(desk.outward[0].key, Key::client(&ana().person.id, "a"));
    assert_eq!(left(&mut desk), [("a".to_owned(), 1), ("c".to_owned(), 3)]);
}

#[test]
fn what_only_tells_of_a_change_leaves_where_it_is_asked_for() {
    let rules = Rules { outward: true, outward_changes: true, ..Rules::default() };
    let mut desk = Desk::of(Nodes::Many, Limits::default(), rules);
    desk.say("a");
    desk.say("~b");
    desk.carry_all();
    let lasting: Vec<bool> = desk.outward.iter().map(|it| it.shown.lasting).collect();
    assert_eq!(lasting, [true, false]);
}

#[test]
fn a_room_of_which_brokers_are_not_told_tells_none() {
    let mut desk = Desk::with(Nodes::Many, Limits::default());
    desk.say("a");
    desk.carry_all();
    assert_eq!(left(&mut desk), []);
}

/// The record is read before the engine's answer to the append comes.
#[test]
fn what_is_heard_of_before_its_answer_leaves_with_the_answer() {
    let mut desk = desk();
    desk.say("a");
    let append = desk.append();
    let late = desk.engine_says(append);
    desk.rooms.answered(desk.now, engine::Answer::Missed);
    desk.collect();
    desk.carry_all();
    assert_eq!(desk.answered().0, ["a"], "it was found");
    assert_eq!(left(&mut desk), []);
    desk.hear(late);
    assert_eq!(left(&mut desk), [("a".to_owned(), 1)]);
}

#[test]
fn what_another_node_stored_leaves_there() {
    let mut desk = desk();
    desk.say("a");
    let Question::Append { batch, .. } = desk.append() else { panic!("an append") };
    let parcels = vec![Parcel { key: Key::api("k", "1"), records: batch.parcels[0].records.clone() }];
    let theirs = Question::Append { room: room(), batch: Batch { parcels, ..batch.clone() } };
    let follow = Question::Follow { room: room(), seen: None, ticket: 1 };
    desk.engine_says_to(OTHER, follow);
    let news = desk.engine_tells(ME, OTHER, theirs);
    desk.hear(news);
    assert_eq!(left(&mut desk), []);
    let answers = desk.engine_says(Question::Append { room: room(), batch });
    desk.hear(answers);
    assert_eq!(left(&mut desk), [("a".to_owned(), 2)]);
}
