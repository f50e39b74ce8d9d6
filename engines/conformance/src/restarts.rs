//! What survives the end of the engine, for those that say that something does.

use engine::{Answer, Batch, Erased, Followed, Question};
use vocabulary::{Wall, is_tombstone};

use crate::table::Table;
use crate::words::{A, B, base, batch, general, go_on, guarded, placed, plain, room, snapshot};

pub fn records_survive(mut table: Table) {
    let start = table.start();
    let three = table.at(3);
    table.append(A, batch(start, &[&["a"], &["b", "b2"]]));
    table.restart();
    let loaded = table.load(A);
    assert_eq!((plain(&loaded.records), loaded.head), (vec![(1, "a"), (2, "b"), (3, "b2")], three));
    let seen = go_on(start, &["a", "b", "b2"]);
    assert!(matches!(table.follow(A, Some(seen)), Followed::Continues { .. }), "the check too");
}

pub fn a_command_that_is_sent_again_after_a_restart_is_stored_once(mut table: Table) {
    let start = table.start();
    table.append(A, batch(start, &[&["a"]]));
    table.append(A, guarded(go_on(start, &["a"]), "g"));
    table.restart();
    table.append(B, batch(start, &[&["a"]]));
    table.append(B, guarded(go_on(start, &["a"]), "g"));
    assert_eq!(table.log(), ["a", "g"]);
}

pub fn snapshots_and_what_was_forgotten_survive(mut table: Table) {
    let start = table.start();
    let middle = go_on(start, &["a", "b"]);
    table.fill(A, start, &["a", "b", "c"]);
    table.store(A, middle, 1);
    table.restart();
    let loaded = table.load(A);
    assert_eq!((loaded.snapshot, loaded.base), (Some(snapshot(middle)), 1));
    assert_eq!(plain(&loaded.records), [(3, "c")]);
}

pub fn a_new_epoch_survives(mut table: Table) {
    let start = table.start();
    let new = table.first_epoch().next(11);
    let end = table.fill(A, start, &["a"]);
    table.ask(A, Question::BeginEpoch { room: general(), old: end, base: base(new) });
    table.restart();
    assert_eq!(table.load(A).snapshot, Some(base(new)));
    let head = vocabulary::Position { epoch: new, offset: 1 };
    assert_eq!(table.append(A, batch(base(new).seen, &[&["b"]])), placed(&[1], head));
}

pub fn the_agenda_survives(mut table: Table) {
    let start = table.start();
    table.append_to(A, &room("due"), Batch { due: Some(Wall(0)), ..batch(start, &[&["a"]]) });
    table.append_to(A, &room("settled"), Batch { due: Some(Wall(0)), ..batch(start, &[&["a"]]) });
    let at = table.at(1);
    table.tell(A, Question::Settle { room: room("settled"), at, due: None });
    table.ask(A, Question::Follow { room: room("settled"), seen: None, ticket: 0 });
    table.restart();
    let Answer::Attending { due, .. } = table.ask(B, Question::Attend { shards: 1 }) else {
        panic!("attends")
    };
    assert_eq!(due, [room("due")]);
}

pub fn what_was_erased_stays_erased(mut table: Table) {
    let start = table.start();
    let three = table.at(3);
    table.append(A, batch(start, &[&["a", "a2"]]));
    let head = table.fill(A, go_on(start, &["a", "a2"]), &["b"]);
    assert_eq!(table.erase(A, head, &[2, 3]), Erased::Gone);
    table.restart();
    let loaded = table.load(A);
    let kept: Vec<bool> = loaded.records.iter().map(|stored| !is_tombstone(&stored.data)).collect();
    assert_eq!((kept, loaded.head), (vec![true, false, false], three));
    assert!(matches!(table.follow(A, Some(head)), Followed::Continues { .. }), "the check too");
    assert_eq!(table.erase(A, head, &[1, 2]), Erased::Gone);
    table.restart();
    assert!(table.load(A).records.iter().all(|stored| is_tombstone(&stored.data)));
    assert_eq!(table.fill(A, head, &["c"]).position.offset, 4);
}

pub fn the_first_epoch_of_untouched_rooms_stays_what_it_was(mut table: Table) {
    let start = table.start();
    let one = table.at(1);
    table.restart();
    assert_eq!(table.append(A, batch(start, &[&["a"]])), placed(&[1], one));
}
