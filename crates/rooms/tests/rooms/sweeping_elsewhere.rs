//! Erasing while another node is cut off, or reads: whatever it finds of the log then, its state is that of all others.

use std::time::Duration;

use engine::{Answer, Nodes, Question};
use rooms::{Limits, Rules};
use vocabulary::{Delivery, Payload};

use crate::desk::Desk;
use crate::sweeping::{Forgetful, becomes_steward, erasures, go_on, limits, log, opened, say_all, talk};

/// What a joiner is told: the whole state.
fn state(desk: &mut Desk) -> Payload {
    desk.told.clear();
    desk.join();
    desk.carry_all();
    let joined = |told: &Delivery| match told {
        Delivery::Joined(joined) => joined.about.clone(),
        _ => None,
    };
    desk.told.iter().find_map(joined).expect("somebody joined")
}

/// The engine is there for the other one.
fn pass(from: &mut Desk, to: &mut Desk) {
    std::mem::swap(&mut from.engine, &mut to.engine);
    if to.now.tick < from.now.tick {
        to.now = from.now;
    }
}

/// Kept is what is not yet worth a snapshot.
fn without_snapshots() -> Desk {
    let limits = Limits { snapshot_records: 100_000, ..limits() };
    let mut desk = Desk::serving(app::host(Forgetful), Nodes::Many, limits, Rules::default());
    desk.join();
    desk.carry_all();
    becomes_steward(&mut desk);
    desk
}

#[test]
fn who_was_cut_off_and_finds_tombstones_comes_to_the_state_of_all() {
    let (mut here, mut there) = (without_snapshots(), opened());
    say_all(&mut here, talk(3));
    pass(&mut here, &mut there);
    there.join();
    there.carry_all();
    pass(&mut there, &mut here);
    say_all(&mut here, talk(9));
    say_all(&mut here, ["a once".to_owned(), "forget a".to_owned(), "b more".to_owned()]);
    go_on(&mut here);
    assert_eq!(erasures(&log(&mut here)), 4);
    let expected = state(&mut here);
    pass(&mut here, &mut there);
    there.rooms.answered(there.now, Answer::Missed);
    there.collect();
    there.carry_all();
    assert_eq!(state(&mut there), expected);
    assert_eq!(there.rooms.counts().records_unknown, 0);
    say_all(&mut there, ["b and goes on".to_owned()]);
    assert_eq!(
        log(&mut there).last().cloned().flatten().as_deref().map(|it| it.contains("goes on")),
        Some(true)
    );
}

#[test]
fn who_reads_the_room_while_it_is_erased_reads_it_once_more() {
    let (mut here, mut there) = (without_snapshots(), opened());
    say_all(&mut here, talk(900));
    pass(&mut here, &mut there);
    there.join();
    // The first records come with the answer; the rest is on its way.
    let rest = loop {
        let question = there.asked.pop_front().expect("it reads on");
        if matches!(question, Question::Read { .. }) {
            break question;
        }
        let answers = there.engine_says(question);
        there.hear(answers);
    };
    pass(&mut there, &mut here);
    say_all(&mut here, ["forget a".to_owned()]);
    go_on(&mut here);
    assert_eq!(erasures(&log(&mut here)), 300);
    let expected = state(&mut here);
    pass(&mut here, &mut there);
    there.asked.push_front(rest);
    there.carry_all();
    assert_eq!(state(&mut there), expected);
}

/// An engine that lost the snapshot alone: a room without what was erased is better than none, and than asking for ever.
#[test]
fn where_no_snapshot_is_from_behind_it_the_room_is_read_all_the_same() {
    let mut here = without_snapshots();
    say_all(&mut here, talk(9));
    let seen = here.engine_says(Question::Follow { room: crate::desk::room(), seen: None, ticket: 3 });
    let Some(Answer::Followed { outcome: engine::Followed::Loaded(loaded), .. }) = seen.last() else {
        panic!("{seen:?}")
    };
    let check = loaded.records.iter().fold(vocabulary::Check::default(), |check, stored| {
        check.roll(vocabulary::Check::hash(&stored.data))
    });
    let seen = vocabulary::Seen { position: loaded.head, check };
    let erase = Question::Erase { room: crate::desk::room(), seen, offsets: vec![1, 4, 7], ticket: 4 };
    here.engine_says(erase);
    let mut there = opened();
    pass(&mut here, &mut there);
    there.join();
    let mut asked = 0;
    while let Some(question) = there.asked.pop_front() {
        asked += 1;
        assert!(asked < 100, "it asks for ever");
        let answers = there.engine_says(question);
        there.hear(answers);
    }
    there.wait(Duration::from_millis(20));
    assert_eq!(state(&mut there), Payload::from("||6|b8"));
}
