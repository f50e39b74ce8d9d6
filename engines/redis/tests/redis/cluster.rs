//! The same on a Cluster of three, with sharded channels.

use conformance::words::{A, B, batch, general, go_on};
use engine::{Answer, Batch, Followed, Question};

use crate::node::Node;
use crate::plant::{Three, cli, until};

conformance::tests!(conformance::Wired::new(crate::plant::Three::new()));

/// The slot of the room, by the server's own word.
fn slot(three: &Three) -> String {
    let tag = format!("{{{}}}", general().slice().0);
    cli(&three.servers[0], &["CLUSTER", "KEYSLOT", &tag])
}

#[test]
fn a_slot_that_moves_takes_its_rooms_and_its_channels_with_it() {
    let three = Three::new();
    let (mut writer, mut follower) = (Node::with(A, &three.config()), Node::with(B, &three.config()));
    let start = writer.start();
    let end = writer.fill(start, &["a"]);
    follower.load();
    let slot = slot(&three);
    let ids: Vec<String> = three.servers.iter().map(|server| cli(server, &["CLUSTER", "MYID"])).collect();
    let has = |server| !cli(server, &["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]).is_empty();
    let from = three.servers.iter().position(has).expect("somebody has the room");
    let to = (from + 1) % 3;
    cli(&three.servers[to], &["CLUSTER", "SETSLOT", &slot, "IMPORTING", &ids[from]]);
    cli(&three.servers[from], &["CLUSTER", "SETSLOT", &slot, "MIGRATING", &ids[to]]);
    let port = three.servers[to].address.port().to_string();
    let keys = cli(&three.servers[from], &["--raw", "CLUSTER", "GETKEYSINSLOT", &slot, "1000"]);
    let mut migrate = vec!["MIGRATE", "127.0.0.1", &port, "", "0", "5000", "KEYS"];
    migrate.extend(keys.lines());
    assert_eq!(cli(&three.servers[from], &migrate), "OK");
    // In between neither server has all keys of a room: it waits, and nothing is wrong.
    let question = Question::Append { room: general(), batch: Batch { number: 1, ..batch(end, &[&["b"]]) } };
    for _ in 0..10 {
        writer.tell(question.clone());
    }
    until("the server was asked", || writer.figure("unanswered_total") >= 10);
    assert_eq!(writer.away(), None);
    for number in [to, from, 3 - from - to] {
        cli(&three.servers[number], &["CLUSTER", "SETSLOT", &slot, "NODE", &ids[to]]);
    }
    follower.hear("news may be missing", |answer| *answer == Answer::Missed);
    let answered = |answer: &Answer| matches!(answer, Answer::Appended { number: 1, .. });
    writer.ask(&question, answered);
    let end = writer.fill(go_on(end, &["b"]), &["c"]);
    let heard = |answer: &Answer| matches!(answer, Answer::Grown { records, .. } if records.iter().any(|record| record.offset == 3));
    follower.hear("news from the new owner", heard);
    assert!(matches!(follower.follow(Some(end)), Followed::Continues { .. }));
    assert_eq!(follower.load().records.len(), 3);
}

#[test]
fn a_server_of_the_cluster_that_comes_back_is_heard_again() {
    let mut three = Three::new();
    let (mut writer, mut follower) = (Node::with(A, &three.config()), Node::with(B, &three.config()));
    let start = writer.start();
    follower.load();
    let end = writer.fill(start, &["a"]);
    let slot = slot(&three);
    let has = |server| !cli(server, &["CLUSTER", "GETKEYSINSLOT", &slot, "1000"]).is_empty();
    let owner = three.servers.iter().position(has).expect("somebody has the room");
    three.servers[owner].restart();
    until("the cluster is whole", || {
        three.servers.iter().all(|server| cli(server, &["CLUSTER", "INFO"]).contains("cluster_state:ok"))
    });
    follower.hear("news may be missing", |answer| *answer == Answer::Missed);
    writer.fill(end, &["b"]);
    let heard = |answer: &Answer| matches!(answer, Answer::Grown { records, .. } if records.iter().any(|record| record.offset == 2));
    follower.hear("news again", heard);
}

#[test]
fn connections_are_few_and_channels_belong_to_slots() {
    let three = Three::new();
    let mut node = Node::with(A, &three.config());
    node.load();
    node.attend();
    let connections = node.figure("connections");
    assert!(connections <= 9, "two for commands and one to listen, for each server: {connections}");
    let channels: usize = three
        .servers
        .iter()
        .map(|server| cli(server, &["--raw", "PUBSUB", "SHARDCHANNELS", "*"]).lines().count())
        .sum();
    assert_eq!(channels as u64, node.figure("channels"));
}
