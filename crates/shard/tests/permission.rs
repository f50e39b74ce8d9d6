//! Requests that the team's back end is asked about: they wait in their order, and only as many as may.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use serde_json::Value;
use shard::Limits;
use support::{Client, Node};
use vocabulary::{Asks, Deed, Ruling};

/// Of one connection, as the shard has it.
const PARKED_MAX: usize = 256;
const ASKING_MAX: usize = 8;

fn asks() -> Asks {
    Asks { connect: false, join: true, publish: true, rooms: vec!["chat:*".into()] }
}

fn node_with(asks: &Asks) -> (Node, Client) {
    let mut limits = Limits::default();
    (limits.session.messages_per_second, limits.session.burst) = (1_000_000, 1_000_000);
    (limits.session.unacked_max, limits.session.rooms_max) = (1000, 1000);
    // All answers of a flood find a place, so that a test can count them.
    limits.outbox_frames_max = 4096;
    let mut node = Node::asking(2, limits, asks);
    let ana = node.connect(0, 1);
    (node, ana)
}

fn node() -> (Node, Client) {
    node_with(&asks())
}

fn join(node: &mut Node, client: Client, room: &str) {
    node.say(client, &format!(r#"{{"type":"join_room","id":"j-{room}","payload":{{"room_id":"{room}"}}}}"#));
}

fn send(node: &mut Node, client: Client, room: &str, id: &str) {
    let text =
        format!(r#"{{"type":"send_message","room":"{room}","id":"{id}","payload":{{"content":"{id}"}}}}"#);
    node.say(client, &text);
}

fn publish(id: &str) -> Deed {
    Deed::Publish { kind: "send_message".into(), id: Some(id.into()) }
}

fn asked(node: &Node, client: Client) -> Vec<Deed> {
    node.petitions(client).into_iter().map(|(_, deed)| deed).collect()
}

/// Type and id of what the client heard.
fn heard(node: &mut Node, client: Client) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    node.heard(client).iter().map(|it| (text(&it["type"]), text(&it["id"]))).collect()
}

fn pairs(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(kind, id)| ((*kind).to_owned(), (*id).to_owned())).collect()
}

#[test]
fn what_comes_behind_a_question_waits_and_is_done_in_its_order() {
    let (mut node, ana) = node();
    join(&mut node, ana, "a");
    send(&mut node, ana, "a", "1");
    node.say(ana, r#"{"type":"get_history","id":"m","payload":{"room_id":"a"}}"#);
    send(&mut node, ana, "a", "2");
    assert_eq!(asked(&node, ana), [Deed::Join], "of a room one question at a time");
    assert_eq!(heard(&mut node, ana), [], "nothing is done before");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, ana), pairs(&[("room_info", "j-a")]));
    assert_eq!(asked(&node, ana), [publish("1")]);
    node.judge(ana, Ruling::Allowed);
    let told = heard(&mut node, ana);
    let (kinds, ids): (Vec<_>, Vec<_>) = told.into_iter().unzip();
    assert!(ids.len() == 2 && ids.iter().any(|id| id == "1"), "{ids:?}");
    assert!(kinds.iter().any(|kind| kind == "history"), "what needs no question keeps its place: {kinds:?}");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, ana), pairs(&[("ack", "2")]));
    assert_eq!(asked(&node, ana), []);
}

#[test]
fn a_question_holds_up_its_own_room_and_no_other() {
    let (mut node, ana) = node();
    join(&mut node, ana, "slow");
    join(&mut node, ana, "quick");
    assert_eq!(asked(&node, ana).len(), 2);
    let rooms: Vec<String> = node.petitions(ana).into_iter().map(|(room, _)| room).collect();
    assert_eq!(rooms, ["chat:slow", "chat:quick"]);
    send(&mut node, ana, "slow", "1");
    // The second question is answered first.
    let bo = node.connect(0, 2);
    join(&mut node, bo, "quick");
    node.judge(bo, Ruling::Allowed);
    assert_eq!(heard(&mut node, bo)[0], ("room_info".to_owned(), "j-quick".to_owned()));
    assert_eq!(heard(&mut node, ana), []);
}

#[test]
fn what_is_known_needs_no_question_and_keeps_its_order() {
    let (mut node, ana) = node();
    node.know(Deed::Join);
    for id in ["1", "3"] {
        node.know(publish(id));
    }
    join(&mut node, ana, "a");
    send(&mut node, ana, "a", "1");
    assert_eq!(heard(&mut node, ana), pairs(&[("room_info", "j-a"), ("ack", "1")]));
    assert_eq!(asked(&node, ana), []);
    send(&mut node, ana, "a", "2");
    send(&mut node, ana, "a", "3");
    assert_eq!(asked(&node, ana), [publish("2")]);
    assert_eq!(heard(&mut node, ana), [], "the known one waits behind the other");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, ana), pairs(&[("ack", "2"), ("ack", "3")]));
}

#[test]
fn who_is_refused_learns_why_and_who_nobody_was_asked_about_when_to_come_again() {
    let (mut node, ana) = node();
    join(&mut node, ana, "a");
    node.judge(ana, Ruling::Refused("not on the list".into()));
    join(&mut node, ana, "a");
    node.judge(ana, Ruling::Unasked(1500));
    join(&mut node, ana, "a");
    node.judge(ana, Ruling::Allowed);
    let told = node.heard(ana);
    assert_eq!(told.len(), 3, "{told:?}");
    let error = &told[0]["payload"];
    assert_eq!((&error["code"], &told[0]["id"]), (&"FORBIDDEN".into(), &"j-a".into()), "{told:?}");
    assert!(error.to_string().contains("not on the list"), "{error}");
    let error = &told[1]["payload"];
    assert_eq!((&error["code"], &error["retry_after_ms"]), (&"BUSY".into(), &1500.into()), "{told:?}");
    assert_eq!(told[2]["type"], "room_info");
    // A refused send frees its place among the unanswered ones: more of them than may be unanswered are refused.
    for number in 0..1001 {
        send(&mut node, ana, "a", &number.to_string());
        node.judge(ana, Ruling::Unasked(100));
        let told = node.heard(ana);
        assert_eq!(told[0]["payload"]["retry_after_ms"], 100, "{told:?}");
    }
}

#[test]
fn an_answer_that_comes_after_the_connection_has_ended_does_nothing() {
    let (mut node, ana) = node();
    let bo = node.connect(1, 2);
    join(&mut node, bo, "a");
    node.judge(bo, Ruling::Allowed);
    join(&mut node, ana, "a");
    send(&mut node, ana, "a", "1");
    node.vanish(ana);
    node.judge(ana, Ruling::Allowed);
    assert_eq!(asked(&node, ana), [], "and nothing more is asked");
    heard(&mut node, bo);
    // One that was closed and is still there.
    let cy = node.connect(0, 3);
    join(&mut node, cy, "a");
    node.receive(cy, websocket::frame::masked(websocket::frame::Opcode::Close, [0; 4], &[3, 232]));
    node.judge(cy, Ruling::Allowed);
    assert_eq!(node.heard(cy), Vec::<Value>::new());
    assert_eq!(heard(&mut node, bo), [], "nobody came");
}

#[test]
fn a_flood_waits_up_to_a_number_and_the_rest_is_told_to_come_again() {
    let (mut node, ana) = node();
    for number in 0..PARKED_MAX + 20 {
        join(&mut node, ana, &format!("r{number}"));
    }
    assert_eq!(asked(&node, ana).len(), ASKING_MAX);
    let told = node.heard(ana);
    assert_eq!(told.len(), 20);
    assert!(told.iter().all(|it| it["payload"]["code"] == "BUSY"), "{told:?}");
    let mut most = 0;
    for _ in 0..PARKED_MAX {
        most = most.max(asked(&node, ana).len());
        node.judge(ana, Ruling::Allowed);
    }
    assert_eq!((most, asked(&node, ana).len()), (ASKING_MAX, 0));
    let joined = heard(&mut node, ana);
    assert_eq!(joined.iter().filter(|(kind, _)| kind == "room_info").count(), PARKED_MAX);
    join(&mut node, ana, "after");
    assert_eq!(asked(&node, ana), [Deed::Join], "there is room again");
}

#[test]
fn large_requests_wait_up_to_so_many_bytes() {
    let (mut node, ana) = node();
    join(&mut node, ana, "a");
    let content = "x".repeat(3900);
    for number in 0..PARKED_MAX - 1 {
        let text = format!(
            r#"{{"type":"send_message","room":"a","id":"{number}","payload":{{"content":"{content}"}}}}"#
        );
        node.say(ana, &text);
    }
    // 255 of them are less than a mebibyte.
    assert_eq!(node.heard(ana).len(), 0);
    send(&mut node, ana, "a", "one more");
    assert_eq!(node.heard(ana)[0]["payload"]["code"], "BUSY");
}

#[test]
fn rooms_that_wait_for_an_answer_count_among_those_a_client_may_be_in() {
    let mut limits = Limits::default();
    limits.session.rooms_max = 2;
    let mut node = Node::asking(1, limits, &asks());
    let ana = node.connect(0, 1);
    for room in ["a", "b", "c", "a"] {
        join(&mut node, ana, room);
    }
    let told = node.heard(ana);
    assert_eq!(told.len(), 1, "{told:?}");
    assert_eq!((&told[0]["id"], &told[0]["payload"]["code"]), (&"j-c".into(), &"TOO_MANY_ROOMS".into()));
}

#[test]
fn only_what_is_configured_is_asked_and_only_about_these_rooms() {
    let deeds = |join, publish, rooms: &[&str]| Asks {
        connect: true,
        join,
        publish,
        rooms: rooms.iter().map(|&it| it.into()).collect(),
    };
    for (asks, questions) in [
        (deeds(true, true, &["chat:a", "chat:b*"]), 1),
        (deeds(true, true, &["user:*"]), 0),
        (deeds(false, false, &["*"]), 0),
        (deeds(false, true, &["*"]), 1),
    ] {
        let (mut node, ana) = node_with(&asks);
        join(&mut node, ana, "a");
        send(&mut node, ana, "a", "1");
        join(&mut node, ana, "c");
        assert_eq!(asked(&node, ana).len(), questions, "{asks:?}");
    }
}

#[test]
fn who_may_not_be_in_a_room_reads_nothing_of_it() {
    let (mut node, ana) = node();
    let bo = node.connect(1, 2);
    join(&mut node, bo, "a");
    node.judge(bo, Ruling::Allowed);
    let read = |node: &mut Node, id: &str| {
        node.say(ana, &format!(r#"{{"type":"get_history","id":"{id}","payload":{{"room_id":"a"}}}}"#));
    };
    read(&mut node, "1");
    node.say(ana, r#"{"type":"online_users","id":"2","room":"a"}"#);
    join(&mut node, ana, "a");
    read(&mut node, "3");
    for (id, ruling) in [("1", Ruling::Refused("no".into())), ("2", Ruling::Refused("no".into()))] {
        assert_eq!(asked(&node, ana), [Deed::Join]);
        node.judge(ana, ruling);
        assert_eq!(heard(&mut node, ana), pairs(&[("error", id)]));
    }
    // Behind a join that is refused it is asked by itself; behind one that is allowed it needs no question.
    node.judge(ana, Ruling::Refused("no".into()));
    assert_eq!(heard(&mut node, ana), pairs(&[("error", "j-a")]));
    node.judge(ana, Ruling::Refused("no".into()));
    assert_eq!(heard(&mut node, ana), pairs(&[("error", "3")]));
    join(&mut node, ana, "a");
    read(&mut node, "4");
    node.judge(ana, Ruling::Allowed);
    read(&mut node, "5");
    let told = heard(&mut node, ana);
    assert_eq!((asked(&node, ana), told.iter().filter(|(kind, _)| kind == "history").count()), (vec![], 2));
}

#[test]
fn who_joins_anew_and_is_refused_now_has_left() {
    let (mut node, ana) = node();
    let bo = node.connect(1, 2);
    for client in [ana, bo] {
        join(&mut node, client, "a");
        node.judge(client, Ruling::Allowed);
    }
    join(&mut node, bo, "a");
    node.judge(bo, Ruling::Unasked(1000));
    send(&mut node, ana, "a", "1");
    node.judge(ana, Ruling::Allowed);
    let told = heard(&mut node, bo);
    assert!(told.iter().any(|(kind, _)| kind == "new_message"), "without an answer it stays: {told:?}");
    join(&mut node, bo, "a");
    node.judge(bo, Ruling::Refused("no more".into()));
    assert_eq!(heard(&mut node, bo), pairs(&[("error", "j-a")]));
    send(&mut node, ana, "a", "2");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, bo), []);
}

#[test]
fn leaving_waits_for_the_join_before_it() {
    let (mut node, ana) = node();
    let bo = node.connect(1, 2);
    join(&mut node, ana, "a");
    node.say(ana, r#"{"type":"leave_room","id":"l","payload":{"room_id":"a"}}"#);
    assert_eq!(heard(&mut node, ana), []);
    node.judge(ana, Ruling::Allowed);
    assert!(heard(&mut node, ana).contains(&("ack".to_owned(), "l".to_owned())));
    join(&mut node, bo, "a");
    node.judge(bo, Ruling::Allowed);
    let info = node.heard(bo);
    assert_eq!(info[0]["payload"]["count"], 1, "the other has left: {info:?}");
}

#[test]
fn a_request_of_an_outsider_is_asked_about_as_a_join_and_as_itself() {
    let (mut node, ana) = node_with(&asks());
    let about = |node: &mut Node, id: &str| {
        node.say(ana, &format!(r#"{{"type":"get_room","id":"{id}","room":"a"}}"#));
    };
    let publish = |id: &str| Deed::Publish { kind: "get_room".into(), id: Some(id.into()) };
    about(&mut node, "1");
    assert_eq!(asked(&node, ana), [Deed::Join]);
    node.judge(ana, Ruling::Refused("no".into()));
    assert_eq!(heard(&mut node, ana), pairs(&[("error", "1")]));
    assert_eq!(asked(&node, ana), []);
    about(&mut node, "2");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(asked(&node, ana), [publish("2")], "it may be there; may it do this?");
    assert_eq!(heard(&mut node, ana), []);
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, ana), pairs(&[("ack", "2")]));
    // Behind a join that is allowed only its own side of it is left.
    join(&mut node, ana, "a");
    about(&mut node, "3");
    node.judge(ana, Ruling::Allowed);
    assert_eq!(asked(&node, ana), [publish("3")]);
    node.judge(ana, Ruling::Allowed);
    assert_eq!(heard(&mut node, ana), pairs(&[("room_info", "j-a"), ("ack", "3")]));
}

#[test]
fn a_request_that_needs_no_membership_is_no_way_around_the_join() {
    let joins_alone = Asks { publish: false, ..asks() };
    let (mut node, ana) = node_with(&joins_alone);
    let members = |node: &mut Node, id: &str| {
        node.say(ana, &format!(r#"{{"type":"get_members","id":"{id}","room":"a"}}"#));
    };
    members(&mut node, "1");
    assert_eq!(asked(&node, ana), [Deed::Join]);
    node.judge(ana, Ruling::Refused("no".into()));
    assert_eq!(heard(&mut node, ana), pairs(&[("error", "1")]));
    // Behind a join that is allowed it needs no question, and a member asks none.
    join(&mut node, ana, "a");
    members(&mut node, "2");
    node.judge(ana, Ruling::Allowed);
    members(&mut node, "3");
    assert_eq!(asked(&node, ana), []);
    assert_eq!(heard(&mut node, ana), pairs(&[("room_info", "j-a"), ("ack", "2"), ("ack", "3")]));
}
