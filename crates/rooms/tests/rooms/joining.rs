//! Joins that a stale node would refuse.

use engine::{Batch, Nodes, Parcel, Question};
use rooms::Limits;
use vocabulary::{Check, Code, Command, Delivery, Epoch, Join, Key, Payload, Position, Seen, Tag};

use crate::desk::{ANA, Desk, OTHER, ana, room};

fn join(desk: &mut Desk, id: &str) {
    join_as(desk, id, 1);
}

/// `ticket`: which join of the connection it is.
fn join_as(desk: &mut Desk, id: &str, ticket: u32) {
    let tag = Tag { id: Some(id.into()), full_name: false };
    let payload = Payload::from_static(b"if open");
    let since = None;
    desk.command(Command::Join(Join {
        room: room(),
        connection: ANA,
        user: ana(),
        tag,
        ticket,
        since,
        payload,
    }));
}

/// How the joins were answered: by the room, or with a code.
fn answers(desk: &mut Desk) -> Vec<(String, Option<Code>)> {
    let id = |tag: &Tag| tag.id.as_deref().unwrap_or_default().to_owned();
    let told = desk.told.drain(..).filter_map(|delivery| match delivery {
        Delivery::Joined(joined) => Some((id(&joined.tag), None)),
        Delivery::Parted(parting) => Some((id(&parting.answers?), Some(parting.refusal.code))),
        _ => None,
    });
    told.collect()
}

fn is_read(question: &Question) -> bool {
    matches!(question, Question::Read { .. })
}

/// By another node; this one hears nothing of it.
fn opened_elsewhere(desk: &mut Desk) {
    let seen = Seen { position: Position { epoch: Epoch::new(1, 7), offset: 0 }, check: Check::default() };
    // A record as logs hold it: format, time, kind, nobody's, nobody touched, body.
    let record = b"\x02\0\0\0\0\0\0\0\x01\0\x04said\0\0\0\0\0\0open";
    let key = Key::client(&ana().person.id, "open");
    let parcels = vec![Parcel { key, records: vec![Payload::from_static(record)] }];
    let batch = Batch { number: 1, seen, guarded: false, parcels, due: None };
    desk.engine_says_to(OTHER, Question::Append { room: room(), batch });
}

/// A room that this node follows; nobody has opened it.
fn closed(nodes: Nodes) -> Desk {
    let mut desk = Desk::with(nodes, Limits::default());
    desk.command(Command::Leave { room: room(), connection: ANA, asked: true });
    desk.carry_all();
    desk.told.clear();
    desk
}

#[test]
fn who_was_let_in_elsewhere_a_moment_ago_is_let_in() {
    let mut desk = closed(Nodes::Many);
    opened_elsewhere(&mut desk);
    join(&mut desk, "j");
    assert_eq!(answers(&mut desk), [], "the engine is asked first");
    desk.carry_all();
    assert_eq!(answers(&mut desk), [("j".to_owned(), None)]);
}

#[test]
fn who_may_not_be_here_is_refused_once_the_engine_knows_nothing_newer() {
    let mut desk = closed(Nodes::Many);
    join(&mut desk, "j");
    desk.carry_all();
    assert_eq!(answers(&mut desk), [("j".to_owned(), Some(Code::Forbidden))]);
}

#[test]
fn on_a_node_alone_there_is_nobody_to_ask() {
    let mut desk = closed(Nodes::One);
    join(&mut desk, "j");
    assert_eq!(answers(&mut desk), [("j".to_owned(), Some(Code::Forbidden))]);
}

#[test]
fn who_leaves_meanwhile_is_told_and_not_seated() {
    let mut desk = closed(Nodes::Many);
    opened_elsewhere(&mut desk);
    join(&mut desk, "j");
    desk.command(Command::Leave { room: room(), connection: ANA, asked: true });
    desk.carry_all();
    assert_eq!(answers(&mut desk), [("j".to_owned(), Some(Code::NotInRoom))]);
}

#[test]
fn an_engine_that_never_answers_ends_in_busy() {
    let mut desk = closed(Nodes::Many);
    join(&mut desk, "j");
    while desk.take(is_read).is_some() {
        desk.wait(std::time::Duration::from_secs(1));
    }
    assert_eq!(answers(&mut desk), [("j".to_owned(), Some(Code::Busy))]);
}

/// What is told of the seat when it ends: by which ticket.
fn put_out(desk: &mut Desk) -> Vec<u32> {
    let told = desk.told.drain(..).filter_map(|delivery| match delivery {
        Delivery::Parted(parting) if parting.answers.is_none() => Some(parting.ticket),
        _ => None,
    });
    told.collect()
}

#[test]
fn an_older_join_that_is_judged_late_takes_no_newer_ones_place() {
    let mut desk = closed(Nodes::Many);
    join_as(&mut desk, "old", 1);
    let asked = desk.take(is_read).expect("the engine is asked");
    opened_elsewhere(&mut desk);
    // Meanwhile this node hears of it, and a newer join is let in at once.
    join_as(&mut desk, "new", 2);
    desk.carry_all();
    assert_eq!(answers(&mut desk), [("new".to_owned(), None)]);
    let late = desk.engine_says(asked);
    desk.hear(late);
    assert_eq!(answers(&mut desk), [("old".to_owned(), None)], "it is answered");
    desk.say("close");
    desk.carry_all();
    assert_eq!(put_out(&mut desk), [2], "and the seat is the newer one's");
}

#[test]
fn the_refusal_of_one_join_is_no_answer_to_the_next() {
    let mut desk = closed(Nodes::Many);
    join_as(&mut desk, "one", 1);
    join_as(&mut desk, "two", 2);
    let refused = |id: &str| (id.to_owned(), Some(Code::Forbidden));
    desk.carry_all();
    assert_eq!(answers(&mut desk), [refused("one"), refused("two")]);
}
