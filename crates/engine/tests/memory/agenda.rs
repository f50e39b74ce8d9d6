//! When a room's steward looks at it: read off the appends, listed for the asker's own slices.

use std::time::Duration;

use engine::{Answer, Batch, Question};
use vocabulary::{Incarnation, RoomId, Wall};

use crate::table::{A, B, TERM, Table, at, batch, general, room, seen};

fn due(table: &mut Table, by: Incarnation) -> Vec<RoomId> {
    match table.ask(by, Question::Attend { shards: 1 }) {
        Answer::Attending { due, .. } => due,
        other => panic!("{other:?}"),
    }
}

fn append_due(table: &mut Table, room: &RoomId, due: Wall) {
    table.append_to(B, room, Batch { due: Some(due), ..batch(seen(&[]), &[&["a"]]) });
}

#[test]
fn what_is_due_within_the_lease_is_listed_and_nothing_later() {
    let mut table = Table::new();
    let horizon = table.now.wall + TERM;
    append_due(&mut table, &room("at"), horizon);
    append_due(&mut table, &room("after"), horizon + Duration::from_millis(1));
    append_due(&mut table, &room("overdue"), Wall(0));
    table.append_to(B, &room("idle"), batch(seen(&[]), &[&["a"]]));
    assert_eq!(due(&mut table, A), [room("overdue"), room("at")]);
}

#[test]
fn each_steward_sees_the_rooms_of_its_own_slices() {
    let mut table = Table::new();
    let rooms: Vec<RoomId> = (0..40).map(|number| room(&number.to_string())).collect();
    for room in &rooms {
        append_due(&mut table, room, Wall(0));
    }
    due(&mut table, A);
    let of_b = due(&mut table, B);
    let of_a = due(&mut table, A);
    assert!(!of_a.is_empty() && !of_b.is_empty());
    let mut all: Vec<RoomId> = of_a.into_iter().chain(of_b).collect();
    let mut expected = rooms;
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

#[test]
fn the_steward_hears_of_an_append_that_moves_the_due_time() {
    let mut table = Table::new();
    due(&mut table, A);
    let at = table.now.wall;
    append_due(&mut table, &general(), at);
    assert_eq!(table.news(A), [Answer::Due { room: general() }]);
}

#[test]
fn settling_moves_or_clears_the_time_and_is_ignored_when_the_log_went_on() {
    let mut table = Table::new();
    let late = table.now.wall + TERM * 2;
    for (name, at, to, listed) in [
        ("cleared", at(1), None, false),
        ("moved", at(1), Some(late), false),
        ("log went on", at(0), None, true),
        ("beyond the log", at(2), None, true),
    ] {
        append_due(&mut table, &room(name), Wall(0));
        table.tell(A, Question::Settle { room: room(name), at, due: to });
        assert_eq!(due(&mut table, A).contains(&room(name)), listed, "{name}");
    }
    table.wait(TERM);
    assert!(due(&mut table, A).contains(&room("moved")));
}

#[test]
fn a_room_that_lost_all_it_held_is_due_no_more() {
    for followed in [false, true] {
        let mut table = Table::new();
        if followed {
            table.load(B);
        }
        append_due(&mut table, &general(), Wall(0));
        table.engine.lose_tail(1);
        assert_eq!(due(&mut table, A), [], "followed: {followed}");
    }
}

#[test]
fn a_time_that_was_settled_for_an_empty_room_goes_with_the_room() {
    let mut table = Table::new();
    table.load(B);
    table.tell(B, Question::Settle { room: general(), at: at(0), due: Some(Wall(0)) });
    table.tell(B, Question::Unfollow { room: general() });
    assert_eq!(due(&mut table, A), []);
}

#[test]
fn a_later_append_replaces_the_time() {
    let mut table = Table::new();
    append_due(&mut table, &general(), Wall(0));
    let late = table.now.wall + TERM * 2;
    table.append(B, Batch { due: Some(late), ..batch(seen(&["a"]), &[&["b"]]) });
    assert_eq!(due(&mut table, A), []);
}
