//! Pages that are not what was written, and rows that nobody asks for any more.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use engine::{Answer, Question, Snapshot};
use engine_disk::Sync;
use link::{Condition, Link};
use support::{Asker, Folder, room};
use vocabulary::{Payload, RoomId, Seen};

/// A room with rows that fill pages of their own, one with a small one; and what turns the pages of the first into nothing.
fn damaged(folder: &Folder) -> Seen {
    let asker = Asker::open(folder, 7).expect("a new folder");
    let mut seen = asker.start(&room("large"));
    for _ in 0..20 {
        seen = asker.append(&room("large"), seen, &"a".repeat(3000));
    }
    asker.append(&room("between"), asker.start(&room("between")), &"b".repeat(3000));
    let small = asker.append(&room("small"), asker.start(&room("small")), "one");
    drop(asker);
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    let given_up = "INSERT INTO given_up SELECT id, 20 FROM room WHERE name = 'chat:large'";
    assert_eq!(file.execute(given_up, []).expect("given up"), 1);
    drop(file);
    folder.without_pages_of(b'a');
    small
}

#[test]
fn damage_among_what_was_given_up_keeps_nobody_from_storing() {
    let folder = Folder::new();
    let mut seen = damaged(&folder);
    let asker = Asker::open(&folder, 7).expect("the list of rooms is whole");
    for number in 0..3 {
        seen = asker.append(&room("small"), seen, &format!("{number}"));
        let snapshot = Snapshot { seen, data: Payload::from_static(b"state") };
        let forget_upto = seen.position.offset;
        let answer = asker.ask(Question::Store { room: room("small"), snapshot, forget_upto });
        assert!(matches!(answer, Answer::Stored { kept: Some(_), .. }), "{answer:?}");
    }
    assert!(asker.disk.condition() == Condition::Serving);
}

#[test]
fn what_was_given_up_goes_while_others_are_stored() {
    let folder = Folder::new();
    let asker = Asker::synced(&folder, 7, Sync::Process).expect("a new folder");
    let names: Vec<RoomId> = (0..20).map(|number| room(&number.to_string())).collect();
    let mut seen: Vec<Seen> = names.iter().map(|name| asker.start(name)).collect();
    for _ in 0..30 {
        for (name, seen) in names.iter().zip(&mut seen) {
            *seen = asker.append(name, *seen, "one");
        }
    }
    for (name, seen) in names.iter().zip(&seen) {
        let snapshot = Snapshot { seen: *seen, data: Payload::from_static(b"state") };
        asker.ask(Question::Store { room: name.clone(), snapshot, forget_upto: 30 });
    }
    // Two for one: 600 and the ends of 20 are gone after 310.
    let mut busy = asker.start(&room("busy"));
    for _ in 0..320 {
        busy = asker.append(&room("busy"), busy, "one");
    }
    drop(asker);
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    let count = |text: &str| file.query_row(text, [], |row| row.get::<_, i64>(0)).expect("a number");
    assert_eq!(count("SELECT count(*) FROM log"), 320);
    assert_eq!(count("SELECT count(*) FROM given_up"), 0);
}
