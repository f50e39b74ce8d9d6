//! What leaves a room for a sink: all of it, at least once, whoever is steward, and not what came from the same broker.

use std::time::Duration;

use engine::{Answer, Nodes, Question};
use rooms::{Limits, Rules};
use vocabulary::{
    Act, Asker, CallId, Caller, Command, Delivery, Key, Payload, Position, Reply, ReplyTo, ShardId, SinkAsks,
    Standing, Tag, Wall,
};

use crate::desk::{Desk, room};

const SECOND: Duration = Duration::from_secs(1);

fn rules() -> Rules {
    Rules { sink: Some("kafka"), ..Rules::default() }
}

fn limits() -> Limits {
    Limits { lease: Duration::from_secs(100_000), ..Limits::default() }
}

fn becomes_steward(desk: &mut Desk) {
    desk.rooms.answered(desk.now, Answer::Attending { slices: vec![room().slice()], due: Vec::new() });
    desk.collect();
    desk.carry_all();
}

fn steward() -> Desk {
    let mut desk = Desk::of(Nodes::Many, limits(), rules());
    becomes_steward(&mut desk);
    desk
}

/// Another node in the place of the one that was killed, on what the engine has.
fn next(killed: Desk) -> Desk {
    let mut desk = Desk::empty_of(Nodes::Many, limits(), rules());
    (desk.engine, desk.now) = (killed.engine, killed.now);
    desk.join();
    desk.carry_all();
    becomes_steward(&mut desk);
    desk
}

fn say(desk: &mut Desk, ids: &[&str]) {
    for id in ids {
        desk.say(id);
        desk.carry_all();
    }
}

fn ask(desk: &mut Desk, asks: SinkAsks) -> Reply {
    let asker = Asker::Call(CallId { shard: ShardId(0), number: 1 });
    let reply = ReplyTo { asker, tag: Tag::default(), frees: false };
    desk.command(Command::Sink { room: room(), reply, asks });
    desk.carry_all();
    let told = desk.told.drain(..).filter_map(|told| match told {
        Delivery::Reply { to, reply, .. } if to.asker == asker => Some(reply),
        _ => None,
    });
    told.last().expect("an answer")
}

/// What a bridge is given, and up to where.
fn given(desk: &mut Desk, after: Option<Position>) -> (Vec<String>, Position) {
    match ask(desk, SinkAsks::Next { after }) {
        Reply::Outward { entries, upto, .. } => {
            let text = |payload: &Payload| String::from_utf8_lossy(payload).into_owned();
            (entries.iter().map(|entry| text(&entry.shown.payload)).collect(), upto)
        }
        other => panic!("{other:?}"),
    }
}

/// It has what it was given.
fn has(desk: &mut Desk, upto: Position) {
    assert_eq!(ask(desk, SinkAsks::Sunk { upto, some: true }), Reply::Done(None));
}

/// The last word about when the steward is to look here again.
fn settled(desk: &mut Desk) -> Option<Option<Wall>> {
    let due = desk.asked.iter().filter_map(|question| match question {
        Question::Settle { due, .. } => Some(*due),
        _ => None,
    });
    due.last()
}

#[test]
fn what_is_said_is_owed_until_the_sink_has_it_and_the_agenda_knows() {
    let mut desk = steward();
    desk.say("a");
    let append = desk.append();
    let Question::Append { batch, .. } = &append else { panic!("an append") };
    assert!(batch.due.is_some(), "whoever is steward is to look");
    let answers = desk.engine_says(append);
    desk.hear(answers);
    assert_eq!(desk.owed, [room()]);
    assert_eq!(settled(&mut desk), Some(Some(Wall(0))), "it stays due");
    desk.carry_all();
    say(&mut desk, &["~b", "c"]);
    assert_eq!(desk.owed.len(), 3, "with what is new");
    desk.wait(4 * SECOND);
    assert_eq!(desk.owed.len(), 3);
    desk.wait(SECOND);
    assert_eq!(desk.owed.len(), 4, "and again, while nobody asks");
    let (texts, upto) = given(&mut desk, None);
    assert_eq!((texts, upto.offset), (vec!["a".to_owned(), "c".to_owned()], 3), "what lasts, in order");
    desk.command(Command::Sink {
        room: room(),
        reply: ReplyTo {
            asker: Asker::Call(CallId { shard: ShardId(0), number: 1 }),
            tag: Tag::default(),
            frees: false,
        },
        asks: SinkAsks::Sunk { upto, some: true },
    });
    // The place is put down, and with that nothing is owed any more.
    let append = desk.append();
    let Question::Append { batch, .. } = &append else { panic!("an append") };
    assert_eq!((batch.due, batch.parcels.len()), (None, 1));
    let answers = desk.engine_says(append);
    desk.hear(answers);
    assert_eq!(settled(&mut desk), Some(None));
    desk.carry_all();
    desk.owed.clear();
    desk.wait(60 * SECOND);
    assert!(desk.owed.is_empty());
}

#[test]
fn how_far_the_sink_has_come_is_put_down_once_a_second_and_shown_to_nobody() {
    let mut desk = steward();
    say(&mut desk, &["a"]);
    let (_, upto) = given(&mut desk, None);
    has(&mut desk, upto);
    desk.told.clear();
    for id in ["b", "c", "d"] {
        say(&mut desk, &[id]);
        let (texts, upto) = given(&mut desk, None);
        assert_eq!(texts, [id], "each once");
        has(&mut desk, upto);
    }
    desk.wait(SECOND);
    desk.carry_all();
    desk.told.clear();
    desk.look_back("h");
    desk.carry_all();
    let shown = desk.told.iter().find_map(|told| match told {
        Delivery::Reply { reply: Reply::History { entries, upto, .. }, .. } => {
            Some((entries.len(), upto.offset))
        }
        _ => None,
    });
    // Four were said; the place was put down behind the first and after a second.
    assert_eq!(shown, Some((3, 6)), "history has three at most, and none of them is a place");
    assert!(desk.failed.is_empty());
}

#[test]
fn the_next_steward_goes_on_where_the_sink_was_and_gives_what_was_not_put_down_again() {
    let mut desk = steward();
    say(&mut desk, &["a", "b"]);
    let (_, upto) = given(&mut desk, None);
    has(&mut desk, upto);
    say(&mut desk, &["c"]);
    let (texts, upto) = given(&mut desk, None);
    assert_eq!(texts, ["c"]);
    // Within the same second: it is not put down, and the process is killed.
    ask(&mut desk, SinkAsks::Sunk { upto, some: true });
    say(&mut desk, &["d"]);
    let mut desk = next(desk);
    assert_eq!(desk.owed, [room()]);
    let (texts, upto) = given(&mut desk, None);
    assert_eq!(texts, ["c", "d"], "at least once, and nothing of the rest");
    has(&mut desk, upto);
    desk.wait(SECOND);
    desk.carry_all();
    let mut desk = next(desk);
    desk.owed.clear();
    assert_eq!(given(&mut desk, None).0, Vec::<String>::new());
}

/// What stands in no history changes something all the same.
#[test]
fn a_sink_that_is_told_of_changes_gets_them_in_their_places() {
    let rules = Rules { sink_changes: true, ..rules() };
    let mut desk = Desk::of(Nodes::Many, limits(), rules);
    becomes_steward(&mut desk);
    say(&mut desk, &["a", "~b", "c"]);
    assert_eq!(given(&mut desk, None).0, ["a", "~b", "c"]);
}

#[test]
fn what_came_from_the_broker_does_not_go_back_there() {
    let mut desk = steward();
    for (key, said) in [
        (Key::event("kafka:orders", "1"), "by id"),
        (Key::place("kafka:kafka:c:orders", 3, 17), "by place"),
        (Key::event("redis-relay", "1"), "of another broker"),
    ] {
        desk.command(Command::Act(Act {
            room: room(),
            caller: Caller::Source { name: "s".into(), author: None },
            standing: Standing::Anyone,
            kind: "say".into(),
            payload: Payload::from(said),
            key: Some(key),
            reply: None,
        }));
        desk.carry_all();
    }
    assert_eq!(given(&mut desk, None).0, ["of another broker"]);
}

#[test]
fn who_is_not_the_steward_gives_nothing_and_tells_of_nothing() {
    let mut desk = Desk::of(Nodes::Many, limits(), rules());
    say(&mut desk, &["a"]);
    assert!(desk.owed.is_empty());
    assert!(matches!(ask(&mut desk, SinkAsks::Next { after: None }), Reply::Refused(_)));
}

#[test]
fn a_room_that_is_none_of_the_sinks_owes_nothing_from_then_on() {
    let mut desk = steward();
    say(&mut desk, &["a"]);
    assert_eq!(ask(&mut desk, SinkAsks::Never), Reply::Done(None));
    desk.owed.clear();
    say(&mut desk, &["b"]);
    desk.wait(60 * SECOND);
    assert!(desk.owed.is_empty());
}

/// As much again as is kept anyhow, and no more.
#[test]
fn what_the_sink_has_not_got_is_kept_for_it_up_to_a_limit() {
    let limits = Limits { snapshot_records: 4, ring_records_max: 4, ..limits() };
    let rules = Rules { retention_records: 20, ..rules() };
    let mut desk = Desk::of(Nodes::Many, limits, rules);
    becomes_steward(&mut desk);
    let ids: Vec<String> = (1..=30).map(|number| format!("m{number}")).collect();
    let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
    say(&mut desk, &ids);
    assert_eq!(given(&mut desk, None).0.first().map(String::as_str), Some("m1"), "ten more than are kept");
    let more: Vec<String> = (31..=70).map(|number| format!("m{number}")).collect();
    let more: Vec<&str> = more.iter().map(String::as_str).collect();
    say(&mut desk, &more);
    let (texts, upto) = given(&mut desk, None);
    let first = texts.first().cloned().expect("some");
    let first: u64 = first[1..].parse().expect("a number");
    assert!((20..=31).contains(&first), "{first}");
    assert_eq!(desk.rooms.counts().sink_missed, first - 1, "and that is counted");
    let missed = |desk: &mut Desk| match ask(desk, SinkAsks::Next { after: None }) {
        Reply::Outward { missed, .. } => missed,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        missed(&mut desk),
        first - 1,
        "and told to whoever asks for what is gone, until it has what comes behind"
    );
    has(&mut desk, upto);
    assert_eq!(missed(&mut desk), 0);
}
