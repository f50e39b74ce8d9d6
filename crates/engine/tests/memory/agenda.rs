//! When a room's steward looks at it: read off the appends, listed for the asker's own slices.

use std::time::Duration;

use conformance::words::{A, B, batch, general, room};
use engine::{Answer, Batch, Question};
use vocabulary::{Incarnation, RoomId, Wall};

use crate::table::{TERM, Table, at, seen};

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
