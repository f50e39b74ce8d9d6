//! What an operator asks of a shard: in steps of a turn each, in pages, the slowest first; and that somebody goes.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use support::{Client, Node};
use vocabulary::{
    CloseReason, ConnectionSeen, ConnectionsWanted, Findings, InOrder, Inquiry, Rank, RoomId, RoomState,
    RoomsWanted, UserId, Whom,
};

fn wanted(order: InOrder, limit: usize) -> ConnectionsWanted {
    ConnectionsWanted { limit, ..ConnectionsWanted::all(order) }
}

fn connections(node: &mut Node, wanted: ConnectionsWanted) -> (u32, Vec<ConnectionSeen>) {
    node.survey(0, 7, Inquiry::Connections(wanted));
    match node.found(0, 7) {
        (turns, Findings::Connections(page)) => (turns, page),
        (_, other) => panic!("{other:?}"),
    }
}

fn slots(page: &[ConnectionSeen]) -> Vec<u32> {
    page.iter().map(|seen| seen.id.slot).collect()
}

#[test]
fn a_look_at_everybody_goes_so_many_places_a_turn() {
    let mut node = Node::new(1);
    for slot in [0, 3, 2047, 2048, 6000, 9000] {
        node.connect(0, slot);
    }
    let (turns, page) = connections(&mut node, wanted(InOrder::Number, 100));
    assert_eq!((turns, slots(&page)), (5, vec![0, 3, 2047, 2048, 6000, 9000]), "9001 places, 2048 a turn");
    let only = ConnectionsWanted { only: Some(page[4].id), ..wanted(InOrder::Number, 1) };
    assert_eq!(connections(&mut node, only).0, 1, "one that is named is found at once");
    // Whoever talks meanwhile is heard meanwhile.
    node.survey(0, 8, Inquiry::Connections(wanted(InOrder::Number, 1)));
    let ana = Client(0, 3);
    node.say(ana, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    assert!(node.found(0, 8).0 > 1, "it is not done yet when she has joined");
}

#[test]
fn pages_in_order_of_number_have_each_once_and_the_slowest_is_first_otherwise() {
    let mut node = Node::new(1);
    let clients: Vec<Client> = (0..7).map(|slot| node.connect(0, slot)).collect();
    for client in &clients {
        node.say(*client, r#"{"type":"join_room","payload":{"room_id":"general"}}"#);
    }
    let (mut all, mut after) = (Vec::new(), None);
    loop {
        let (_, page) = connections(&mut node, ConnectionsWanted { after, ..wanted(InOrder::Number, 3) });
        let Some(last) = page.last() else { break };
        after = Some(Rank::of(InOrder::Number, last.waiting_bytes, last.id));
        all.extend(slots(&page));
    }
    assert_eq!(all, [0, 1, 2, 3, 4, 5, 6]);
    for slow in [4, 2] {
        node.stall(clients[slow]);
        let text = r#"{"type":"send_message","room":"general","payload":{"content":"hello"}}"#;
        node.say(clients[0], text);
    }
    let (_, page) = connections(&mut node, wanted(InOrder::Slow, 3));
    assert_eq!(slots(&page), [4, 2, 0], "two messages wait for one, one for the other");
    assert!(page[0].waiting_bytes > page[1].waiting_bytes && page[1].waiting_bytes > 0, "{page:?}");
    assert_eq!((page[0].waiting_messages, page[2].waiting_bytes), (2, 0), "{page:?}");
    let room = RoomId::new("chat", "general");
    let in_room = ConnectionsWanted { room: Some(room), ..wanted(InOrder::Number, 100) };
    assert_eq!(connections(&mut node, in_room).1.len(), 7);
    let of_user = ConnectionsWanted { user: Some(UserId::new("0.5")), ..wanted(InOrder::Number, 100) };
    assert_eq!(slots(&connections(&mut node, of_user).1), [5]);
}

#[test]
fn rooms_come_by_their_names_and_one_is_seen_from_inside() {
    let mut node = Node::new(1);
    let ana = node.connect(0, 0);
    for room in ["c", "a", "b", "d"] {
        node.say(ana, &format!(r#"{{"type":"join_room","payload":{{"room_id":"{room}"}}}}"#));
    }
    let all = RoomsWanted { allowed: vec!["chat:*".into()], limit: 3, ..RoomsWanted::default() };
    node.survey(0, 1, Inquiry::Rooms(all.clone()));
    let (_, Findings::Rooms(page)) = node.found(0, 1) else { panic!("no rooms") };
    let names: Vec<&str> = page.iter().map(|seen| seen.room.as_str()).collect();
    assert_eq!(names, ["chat:a", "chat:b", "chat:c"]);
    assert!(page.iter().all(|seen| seen.members == 1 && seen.state == RoomState::Live), "{page:?}");
    node.survey(0, 2, Inquiry::Rooms(RoomsWanted { after: Some("chat:c".into()), ..all }));
    let (_, Findings::Rooms(rest)) = node.found(0, 2) else { panic!("no rooms") };
    assert_eq!(rest.len(), 1);
    node.survey(0, 3, Inquiry::Room(RoomId::new("chat", "elsewhere")));
    assert_eq!(node.found(0, 3).1, Findings::Room(None), "looking opens nothing");
    node.survey(0, 4, Inquiry::Release(RoomId::new("chat", "a")));
    assert_eq!(node.found(0, 4).1, Findings::Not(Some(RoomState::Live)));
    node.survey(0, 5, Inquiry::Kick(RoomId::new("chat", "a"), UserId::new("0.0")));
    assert_eq!(node.found(0, 5).1, Findings::Done(1));
    node.survey(0, 6, Inquiry::Room(RoomId::new("chat", "a")));
    let (_, Findings::Room(Some(inside))) = node.found(0, 6) else { panic!("no room") };
    assert_eq!((inside.members.len(), inside.present.len()), (0, 0), "{inside:?}");
}

#[test]
fn all_of_a_users_connections_end_however_many_and_however_much_is_asked() {
    let mut node = Node::new(1);
    let others = node.connect(0, 500);
    let theirs: Vec<Client> = (0..150).map(|slot| node.connect_of(0, slot, "ana")).collect();
    let asks = || Inquiry::End(Whom::User(UserId::new("ana")), CloseReason::Forbidden);
    node.survey(0, 1, asks());
    assert_eq!(node.found(0, 1), (3, Findings::Done(150)), "sixty-four a turn");
    // The last closes leave with the next turn.
    node.pass(std::time::Duration::from_millis(1));
    assert!(theirs.iter().all(|client| node.closed(*client) == Some(4503)));
    assert_eq!(node.closed(others), None);
    let again = node.connect_of(0, 600, "ana");
    for number in 0..40 {
        node.survey(0, 100 + number, Inquiry::Connections(wanted(InOrder::Number, 1)));
    }
    node.survey(0, 2, asks());
    assert_eq!(node.found(0, 2), (1, Findings::Done(1)), "what is to be done does not wait behind looks");
    assert_eq!(node.closed(again), Some(4503));
    assert_eq!(node.found(0, 139).1, Findings::Busy, "and there is a number of those");
}
