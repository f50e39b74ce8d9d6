//! Who is online, in the keys that seed 001's readers look at.

use nix::sys::signal::Signal;

use crate::fleet::Fleet;
use crate::redis::Redis;
use crate::support::Server;
use crate::{node, until};

fn with_presence(fleet: &Fleet) -> Server {
    node(fleet, &[("KULKUL_REDIS_BRIDGE__PRESENCE", "true")])
}

fn online(redis: &mut Redis) -> Vec<String> {
    let mut users = redis.texts(&["SMEMBERS", "online_users"]);
    users.sort();
    users
}

fn status(redis: &mut Redis, user: &str) -> Option<String> {
    redis.text(&["HGET", &format!("user:{user}:status"), "status"])
}

#[test]
fn a_user_is_online_until_the_last_node_lets_go_and_offline_for_a_day() {
    let fleet = Fleet::on_redis();
    let (one, two) = (with_presence(&fleet), with_presence(&fleet));
    let mut redis = Redis::connect(fleet.broker.address);
    let (ana, again) = (fleet.client(&one, "ana"), fleet.client(&two, "ana"));
    let bo = fleet.client(&two, "bo");
    until("both are online", || online(&mut redis) == ["ana", "bo"]);
    until("both nodes have ana", || redis.number(&["ZCARD", "kulkul:bridge:on:ana"]) == 2);
    assert_eq!(status(&mut redis, "ana").as_deref(), Some("online"));
    for field in ["last_seen", "updated_at"] {
        let seconds = redis.text(&["HGET", "user:ana:status", field]).expect("a time");
        assert!(seconds.parse::<u64>().is_ok_and(|it| it > 1_700_000_000), "{field}: {seconds}");
    }
    for key in ["user:ana:status", "online_users", "kulkul:bridge:on:ana"] {
        let left = redis.number(&["TTL", key]);
        assert!((200..=300).contains(&left), "{key} ends in {left} s");
    }
    drop(ana);
    until("one node has let go of ana", || redis.number(&["ZCARD", "kulkul:bridge:on:ana"]) == 1);
    assert_eq!(
        (online(&mut redis), status(&mut redis, "ana").as_deref()),
        (vec!["ana".into(), "bo".into()], Some("online"))
    );
    drop(again);
    until("ana is offline", || status(&mut redis, "ana").as_deref() == Some("offline"));
    assert_eq!(online(&mut redis), ["bo"]);
    let left = redis.number(&["TTL", "user:ana:status"]);
    assert!((86_000..=86_400).contains(&left), "it is kept for {left} s");
    drop(bo);
    until("nobody is", || online(&mut redis).is_empty());
}

/// Nobody takes a dead node's users out: their time ends, and any node that is alive sees that. Time is made to pass by
/// moving the ends into the past.
#[test]
fn the_users_of_a_node_that_was_killed_end_by_themselves() {
    let fleet = Fleet::on_redis();
    let (one, two) = (with_presence(&fleet), with_presence(&fleet));
    let mut redis = Redis::connect(fleet.broker.address);
    let (_ana, _bo) = (fleet.client(&one, "ana"), fleet.client(&two, "bo"));
    until("both are online", || online(&mut redis) == ["ana", "bo"]);
    one.signal(Signal::SIGKILL);
    one.wait();
    assert_eq!(online(&mut redis), ["ana", "bo"]);
    redis.ask(&["DEL", "user:ana:status", "kulkul:bridge:on:ana"]);
    redis.ask(&["ZADD", "kulkul:bridge:online", "1767225600000", "ana"]);
    until("ana is offline", || status(&mut redis, "ana").as_deref() == Some("offline"));
    assert_eq!(online(&mut redis), ["bo"]);
    assert_eq!(redis.text(&["HGET", "user:ana:status", "last_seen"]).as_deref(), Some("1767225300"));
}

#[test]
fn a_node_that_ends_takes_its_users_with_it() {
    let fleet = Fleet::on_redis();
    let one = with_presence(&fleet);
    let mut redis = Redis::connect(fleet.broker.address);
    let _ana = fleet.client(&one, "ana");
    until("ana is online", || online(&mut redis) == ["ana"]);
    one.signal(Signal::SIGTERM);
    assert!(one.wait().success());
    assert!(online(&mut redis).is_empty());
    assert_eq!(status(&mut redis, "ana").as_deref(), Some("offline"));
}
