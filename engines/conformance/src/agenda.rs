//! When a room's steward looks at it: read off the appends, listed for the asker's own slices.

use std::time::Duration;

use engine::{Answer, Batch, Question};
use vocabulary::{Incarnation, RoomId, Wall};

use crate::table::Table;
use crate::words::{A, B, batch, general, room};

fn due(table: &mut Table, by: Incarnation) -> Vec<RoomId> {
    match table.ask(by, Question::Attend { shards: 1 }) {
        Answer::Attending { due, .. } => due,
        other => panic!("{other:?}"),
    }
}

fn append_due(table: &mut Table, room: &RoomId, due: Wall) {
    let start = table.start();
    table.append_to(B, room, Batch { due: Some(due), ..batch(start, &[&["a"]]) });
}

pub fn what_is_due_within_the_lease_is_listed_and_nothing_later(mut table: Table) {
    let now = table.now().wall;
    append_due(&mut table, &room("soon"), now);
    append_due(&mut table, &room("after"), now + Duration::from_secs(3600));
    append_due(&mut table, &room("overdue"), Wall(0));
    let start = table.start();
    table.append_to(B, &room("idle"), batch(start, &[&["a"]]));
    assert_eq!(due(&mut table, A), [room("overdue"), room("soon")]);
}

pub fn each_steward_sees_the_rooms_of_its_own_slices(mut table: Table) {
    let rooms: Vec<RoomId> = (0..40).map(|number| room(&number.to_string())).collect();
    for by in [A, B] {
        due(&mut table, by);
    }
    for room in &rooms {
        append_due(&mut table, room, Wall(0));
    }
    let of_b = due(&mut table, B);
    let of_a = due(&mut table, A);
    assert!(!of_a.is_empty() && !of_b.is_empty());
    let mut all: Vec<RoomId> = of_a.into_iter().chain(of_b).collect();
    let mut expected = rooms;
    all.sort();
    expected.sort();
    assert_eq!(all, expected);
}

pub fn the_steward_hears_of_an_append_that_moves_the_due_time(mut table: Table) {
    due(&mut table, A);
    let at = table.now().wall;
    append_due(&mut table, &general(), at);
    let told = |answer: &Answer| *answer == Answer::Due { room: general() };
    table.hear(A, told);
}

pub fn settling_moves_or_clears_the_time_and_is_ignored_when_the_log_went_on(mut table: Table) {
    let late = table.now().wall + Duration::from_secs(3600);
    let (before, end, beyond) = (table.at(0), table.at(1), table.at(2));
    for (name, at, to, listed) in [
        ("cleared", end, None, false),
        ("moved away", end, Some(late), false),
        ("moved near", end, Some(Wall(0)), true),
        ("log went on", before, None, true),
        ("beyond the log", beyond, None, true),
    ] {
        append_due(&mut table, &room(name), Wall(0));
        table.tell(A, Question::Settle { room: room(name), at, due: to });
        assert_eq!(due(&mut table, A).contains(&room(name)), listed, "{name}");
    }
}

pub fn a_later_append_replaces_the_time(mut table: Table) {
    append_due(&mut table, &general(), Wall(0));
    let late = table.now().wall + Duration::from_secs(3600);
    let seen = table.seen(&["a"]);
    table.append(B, Batch { due: Some(late), ..batch(seen, &[&["b"]]) });
    assert_eq!(due(&mut table, A), []);
}
