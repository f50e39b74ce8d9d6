//! Who belongs to rooms, in the sets that seed 001's readers look at.

use std::sync::atomic::{AtomicU64, Ordering};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::fleet::Fleet;
use crate::redis::Redis;
use crate::support::{Client, Server};
use crate::{figure, node, until};

fn with_members(fleet: &Fleet) -> Server {
    let fast = ("KULKUL_LIMITS__MESSAGES_PER_SECOND", "1000000");
    node(fleet, &[("KULKUL_REDIS_BRIDGE__MEMBERS", "true"), fast])
}

/// Done and stored, or it panics.
fn done(client: &mut Client, word: &str, room: &str, payload: Value) {
    static NEXT: AtomicU64 = AtomicU64::new(0);
    let id = NEXT.fetch_add(1, Ordering::Relaxed).to_string();
    client.say(&json!({ "type": word, "room": room, "id": id, "payload": payload }).to_string());
    let told = client.next_of(&["ack", "error"]);
    assert_eq!((&told["type"], &told["id"]), (&"ack".into(), &id.into()), "{told}");
}

fn set(redis: &mut Redis, key: &str) -> Vec<String> {
    let mut all = redis.texts(&["SMEMBERS", key]);
    all.sort();
    all
}

/// The one set of the room, and that each of the users has it in theirs if they are in it, and else not.
fn until_members(redis: &mut Redis, room: &str, members: &[&str]) {
    until(&format!("{members:?} are the members of {room}"), || {
        let is_listed = |redis: &mut Redis, user: &str| {
            redis.number(&["SISMEMBER", &format!("user:{user}:channels"), room]) == 1
        };
        set(redis, &format!("channel:{room}:members")) == members
            && ["ana", "bo", "cy", "di"].iter().all(|user| is_listed(redis, user) == members.contains(user))
    });
}

#[test]
fn both_sets_follow_a_room_from_its_creation_to_its_end() {
    let fleet = Fleet::on_redis();
    let node = with_members(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    done(&mut ana, "create_room", "12", json!({ "members": ["bo"] }));
    until_members(&mut redis, "12", &["ana", "bo"]);
    done(&mut ana, "create_room", "13", json!({}));
    done(&mut ana, "add_member", "12", json!({ "user_id": "cy" }));
    until_members(&mut redis, "12", &["ana", "bo", "cy"]);
    assert_eq!(set(&mut redis, "user:cy:channels"), ["12"]);
    done(&mut ana, "remove_member", "12", json!({ "user_id": "bo" }));
    until_members(&mut redis, "12", &["ana", "cy"]);
    done(&mut ana, "ban_member", "12", json!({ "user_id": "cy" }));
    until_members(&mut redis, "12", &["ana"]);
    done(&mut ana, "add_member", "12", json!({ "user_id": "di" }));
    until_members(&mut redis, "12", &["ana", "di"]);
    done(&mut ana, "delete_room", "12", json!({}));
    until_members(&mut redis, "12", &[]);
    until_members(&mut redis, "13", &["ana"]);
    assert_eq!(figure(&node, "members_unwritten_total"), 0);
    assert_eq!(figure(&node, "sent_total"), 0, "none of it is a message");
}

/// Between guests nobody belongs to the room; of two, both do.
#[test]
fn who_only_speaks_in_a_room_is_no_member_and_the_two_of_a_direct_one_are() {
    let fleet = Fleet::on_redis();
    let node = with_members(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    for room in ["12", "direct:ana:bo"] {
        ana.join(room);
        done(&mut ana, "send_message", room, json!({ "content": "hello" }));
    }
    until_members(&mut redis, "direct:ana:bo", &["ana", "bo"]);
    until("both rooms are written", || figure(&node, "members_written_total") == 2);
    until_members(&mut redis, "12", &[]);
}

/// By turns, so that each node writes what the other one has written before.
#[test]
fn two_nodes_keep_one_set() {
    let fleet = Fleet::on_redis();
    let (one, two) = (with_members(&fleet), with_members(&fleet));
    let mut redis = Redis::connect(fleet.broker.address);
    let (mut here, mut there) = (fleet.client(&one, "ana"), fleet.client(&two, "ana"));
    done(&mut here, "create_room", "12", json!({}));
    let mut members: Vec<String> = vec!["ana".to_owned()];
    for number in 10..40 {
        let user = format!("user-{number}");
        done(&mut here, "add_member", "12", json!({ "user_id": user }));
        done(&mut there, "add_member", "12", json!({ "user_id": format!("late-{user}") }));
        done(&mut there, "remove_member", "12", json!({ "user_id": user }));
        members.push(format!("late-{user}"));
    }
    members.sort();
    until("the set is what the room says", || set(&mut redis, "channel:12:members") == members);
    let gone =
        |redis: &mut Redis| (10..40).all(|it| set(redis, &format!("user:user-{it}:channels")).is_empty());
    until("who was removed is in no room", || gone(&mut redis));
    let listed = set(&mut redis, "user:late-user-20:channels");
    assert_eq!(listed, ["12"]);
}

/// What knows less than what was written last is not written: a node may be slow between asking its room and writing.
#[test]
fn what_stands_there_of_a_later_record_stays() {
    let fleet = Fleet::on_redis();
    let node = with_members(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    done(&mut ana, "create_room", "12", json!({}));
    until_members(&mut redis, "12", &["ana"]);
    let upto = "kulkul:bridge:members:12";
    let epoch = redis.text(&["HGET", upto, "epoch"]).expect("an epoch");
    redis.ask(&["HSET", upto, "offset", "1000000"]);
    done(&mut ana, "add_member", "12", json!({ "user_id": "bo" }));
    until("it was tried", || figure(&node, "members_written_total") == 2);
    assert_eq!(set(&mut redis, "channel:12:members"), ["ana"]);
    // Of another epoch it says nothing.
    redis.ask(&["HSET", upto, "epoch", &format!("{epoch}0")]);
    done(&mut ana, "add_member", "12", json!({ "user_id": "cy" }));
    until_members(&mut redis, "12", &["ana", "bo", "cy"]);
}

/// What nobody wrote, and what is not so any more: all of it is mended by the next change, whatever that is.
#[test]
fn a_redis_that_has_lost_everything_has_the_whole_set_after_the_next_change() {
    let mut fleet = Fleet::on_redis();
    let url = format!("redis://{}", fleet.broker.address);
    let settings = [("KULKUL_REDIS_BRIDGE__URL", url.as_str()), ("KULKUL_REDIS_BRIDGE__MEMBERS", "true")];
    let node = Server::spawn(&settings, &["--config", &fleet.config(), "--engine", "disk"]);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    done(&mut ana, "create_room", "12", json!({ "members": ["bo"] }));
    until_members(&mut redis, "12", &["ana", "bo"]);
    redis.ask(&["FLUSHALL"]);
    redis.ask(&["SADD", "channel:12:members", "di"]);
    redis.ask(&["SADD", "user:di:channels", "12"]);
    let written = figure(&node, "members_written_total");
    fleet.broker.kill();
    done(&mut ana, "add_member", "12", json!({ "user_id": "cy" }));
    done(&mut ana, "remove_member", "12", json!({ "user_id": "bo" }));
    fleet.broker.begin();
    // It reads its files first.
    until("it is written to again", || figure(&node, "members_written_total") > written);
    let mut redis = Redis::connect(fleet.broker.address);
    // What changed while it was away waited.
    until_members(&mut redis, "12", &["ana", "cy"]);
    redis.ask(&["FLUSHALL"]);
    let written = figure(&node, "members_written_total");
    fleet.broker.restart();
    done(&mut ana, "add_member", "12", json!({ "user_id": "di" }));
    until("it is written to again", || figure(&node, "members_written_total") > written);
    let mut redis = Redis::connect(fleet.broker.address);
    until_members(&mut redis, "12", &["ana", "cy", "di"]);
}

/// The mirror is turned on later, or the node that stored the change was killed before it wrote.
#[test]
fn a_process_writes_a_room_when_anything_is_said_in_it_for_the_first_time() {
    let fleet = Fleet::on_redis();
    let before = node(&fleet, &[]);
    let mut ana = fleet.client(&before, "ana");
    done(&mut ana, "create_room", "12", json!({ "members": ["bo"] }));
    before.signal(Signal::SIGKILL);
    before.wait();
    let node = with_members(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    ana.join("12");
    assert!(set(&mut redis, "channel:12:members").is_empty(), "nobody has touched it");
    done(&mut ana, "send_message", "12", json!({ "content": "hello" }));
    until_members(&mut redis, "12", &["ana", "bo"]);
    for content in ["one", "two"] {
        done(&mut ana, "send_message", "12", json!({ "content": content }));
    }
    done(&mut ana, "create_room", "13", json!({}));
    until_members(&mut redis, "13", &["ana"]);
    assert_eq!(figure(&node, "members_written_total"), 2, "what only is said changes no members");
}

/// More than the room tells at a time.
#[test]
fn a_large_room_is_read_page_by_page() {
    let fleet = Fleet::on_redis();
    let node = with_members(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let mut ana = fleet.client(&node, "ana");
    done(&mut ana, "create_room", "12", json!({}));
    for number in 0..1_100 {
        done(&mut ana, "add_member", "12", json!({ "user_id": format!("user-{number}") }));
    }
    until("all are there", || redis.number(&["SCARD", "channel:12:members"]) == 1_101);
    assert_eq!(set(&mut redis, "user:user-1099:channels"), ["12"]);
}
