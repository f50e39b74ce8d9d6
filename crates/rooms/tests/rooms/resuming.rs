//! Whoever comes from another node, and stands where this one has not come yet: nothing was lost, and nobody is told so.

use engine::{Answer, Appended, Batch, Nodes, Parcel, Question};
use rooms::Limits;
use vocabulary::{
    Command, ConnectionId, Delivery, Epoch, Join, Joined, Key, Payload, Position, Seen, Tag, Verdict,
};

use crate::desk::{ANA, Desk, OTHER, ana, room};

const BO: ConnectionId = ConnectionId { slot: 2, ..ANA };
const TICKET: u32 = 7;

/// Stored by another node; this one hears nothing of it.
fn stored_elsewhere(desk: &mut Desk, id: &'static str) -> Position {
    let seen = Seen { position: Position { epoch: Epoch::new(1, 7), offset: 0 }, check: Default::default() };
    let key = Key::client(&ana().person.id, id);
    let parcels = vec![Parcel { key, records: vec![Payload::from_static(id.as_bytes())] }];
    let batch = Batch { number: 1, seen, guarded: false, parcels, due: None };
    let answers = desk.engine_says_to(OTHER, Question::Append { room: room(), batch });
    match &answers[..] {
        [Answer::Appended { outcome: Appended::Stored { head, .. }, .. }] => *head,
        other => panic!("{other:?}"),
    }
}

/// What a member that resumes is told at once.
fn comes(desk: &mut Desk, since: Position) -> Joined {
    let (connection, tag, payload) = (BO, Tag::default(), Payload::new());
    let since = Some(since);
    let join = Join { room: room(), connection, user: ana(), tag, ticket: TICKET, since, payload };
    desk.command(Command::Join(join));
    let at = desk.told.iter().position(|told| matches!(told, Delivery::Joined(_))).expect("it is there");
    match desk.told.remove(at) {
        Delivery::Joined(joined) => joined,
        _ => unreachable!("that is what was looked for"),
    }
}

/// What it is told when it asks for what it missed and the engine has answered everything.
fn reads(desk: &mut Desk, since: Position) -> Vec<(Verdict, Position, bool)> {
    desk.command(Command::Page { room: room(), connection: BO, ticket: TICKET, since });
    desk.carry_all();
    let told = desk.told.drain(..);
    let pages = told.filter_map(|told| match told {
        Delivery::Page(page) => Some((page.verdict, page.upto, page.live)),
        _ => None,
    });
    pages.collect()
}

#[test]
fn who_has_seen_more_on_another_node_resumes_once_this_one_has_heard_of_it() {
    let mut desk = Desk::with(Nodes::Many, Limits::default());
    stored_elsewhere(&mut desk, "a");
    let end = stored_elsewhere(&mut desk, "b");
    let joined = comes(&mut desk, end);
    assert_eq!((joined.verdict, joined.cursor), (Verdict::Resumed, end));
    assert_eq!(reads(&mut desk, end), [(Verdict::Resumed, end, true)]);
}

#[test]
fn who_has_seen_what_no_node_has_is_told_so() {
    let mut desk = Desk::with(Nodes::Many, Limits::default());
    let end = stored_elsewhere(&mut desk, "a");
    let beyond = Position { offset: end.offset + 1, ..end };
    comes(&mut desk, beyond);
    assert_eq!(reads(&mut desk, beyond), [(Verdict::Reset(Payload::new()), end, true)]);
}

#[test]
fn a_position_of_an_epoch_that_never_was_is_none() {
    let mut desk = Desk::with(Nodes::Many, Limits::default());
    let end = stored_elsewhere(&mut desk, "a");
    let never = Position { epoch: Epoch::new(9, 9), offset: 1 };
    comes(&mut desk, never);
    assert_eq!(reads(&mut desk, never), [(Verdict::Reset(Payload::new()), end, true)]);
}

#[test]
fn alone_a_node_knows_at_once_that_a_position_is_none() {
    let mut desk = Desk::new();
    let beyond = Position { epoch: Epoch::new(1, 7), offset: 1 };
    assert_eq!(comes(&mut desk, beyond).verdict, Verdict::Reset(Payload::new()));
}

#[test]
fn what_several_members_missed_is_read_once() {
    let limits = Limits { ring_records_max: 1, ..Limits::default() };
    let mut desk = Desk::with(Nodes::Many, limits);
    for id in ["a", "b", "c"] {
        desk.say(id);
        desk.carry_all();
    }
    let since = Position { epoch: Epoch::new(1, 7), offset: 0 };
    let members = [2, 3, 4].map(|slot| ConnectionId { slot, ..ANA });
    for connection in members {
        let (tag, payload, since) = (Tag::default(), Payload::new(), Some(since));
        let join = Join { room: room(), connection, user: ana(), tag, ticket: TICKET, since, payload };
        desk.command(Command::Join(join));
    }
    desk.carry_all();
    desk.told.clear();
    for connection in members {
        desk.command(Command::Page { room: room(), connection, ticket: TICKET, since });
    }
    let asked = desk.asked.iter().filter(|question| matches!(question, Question::Read { .. })).count();
    assert_eq!(asked, 1);
    desk.carry_all();
    let pages = desk.told.iter().filter_map(|told| match told {
        Delivery::Page(page) => Some((page.connection, page.entries.len(), page.live)),
        _ => None,
    });
    assert_eq!(pages.collect::<Vec<_>>(), members.map(|member| (member, 3, true)));
}
