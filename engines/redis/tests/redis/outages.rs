//! Servers that die, come back, lose what they had, or store nothing any more.

use std::collections::BTreeSet;
use std::time::Duration;

use conformance::words::{A, B, batch, general, go_on, plain, room};
use engine::{Answer, Appended, Followed, Placement, Question, Read};
use vocabulary::{Check, Seen};

use crate::node::Node;
use crate::plant::{LEASE, START_TAG, cli, config, opened, start, until};

fn is_missed(answer: &Answer) -> bool {
    *answer == Answer::Missed
}

/// All records of the room, read from the beginning.
fn log(node: &mut Node) -> Vec<String> {
    let mut loaded = node.load();
    let mut all: Vec<String> = Vec::new();
    loop {
        all.extend(plain(&loaded.records).into_iter().map(|(_, text)| text.to_owned()));
        if all.len() as u64 >= loaded.head.offset {
            return all;
        }
        let (epoch, after) = (loaded.head.epoch, all.len() as u64);
        let question = Question::Read { room: general(), epoch, after, limit: 500, ticket: after };
        match node.ask(&question, |answer| matches!(answer, Answer::Read { .. })) {
            Answer::Read { outcome: Read::Records { records, .. }, .. } => loaded.records = records,
            other => panic!("{other:?}"),
        }
    }
}

#[test]
fn a_server_that_is_killed_under_load_loses_nothing_that_was_acked() {
    let mut server = start(&[]);
    let (mut writer, mut follower) = (Node::new(A, &server), Node::new(B, &server));
    let start = writer.start();
    follower.load();
    let mut acked = BTreeSet::new();
    for kill in 0..3 {
        std::thread::scope(|scope| {
            let writing = scope.spawn(|| {
                for number in 0..60 {
                    let record = format!("{kill} {number}");
                    match writer.append(start, &record) {
                        Appended::Stored { .. } => drop(acked.insert(record)),
                        Appended::Refused => {}
                        other => panic!("{other:?}"),
                    }
                }
            });
            server.restart();
            writing.join().expect("the writer goes on");
        });
        follower.hear("the follower is told that it may have missed news", is_missed);
    }
    let kept = log(&mut follower);
    let unique: BTreeSet<&String> = kept.iter().collect();
    assert_eq!(unique.len(), kept.len(), "nothing is stored twice");
    for record in &acked {
        assert!(unique.contains(record), "{record} was acked");
    }
    // And it hears again.
    let end = kept.iter().fold(start, |seen, record| go_on(seen, &[record]));
    writer.fill(end, &["after"]);
    let heard = |answer: &Answer| matches!(answer, Answer::Grown { records, .. } if plain(records).iter().any(|(_, text)| *text == "after"));
    follower.hear("news after the restarts", heard);
}

#[test]
fn an_emptied_server_begins_another_first_epoch_and_says_lost() {
    let server = start(&[]);
    let (mut one, mut other) = (Node::new(A, &server), Node::new(B, &server));
    let start = one.start();
    assert_eq!(start.position.epoch.0 as u32, START_TAG);
    let end = one.fill(start, &["a", "b"]);
    assert!(matches!(other.follow(Some(end)), Followed::Continues { .. }));
    assert_eq!(cli(&server, &["FLUSHALL"]), "OK");
    assert_eq!(one.append(end, "c"), Appended::Lost);
    let epoch = other.load().head.epoch;
    assert_ne!(epoch, start.position.epoch, "the first epoch of an emptied server is another one");
    assert_eq!(other.follow(Some(end)), Followed::Lost);
    assert_eq!(one.start(), other.start(), "all nodes see the same");
    let start = one.start();
    one.fill(start, &["anew"]);
    assert_eq!(log(&mut other), ["anew"]);
    assert!(one.figure("remade_total") + other.figure("remade_total") > 0);
}

#[test]
fn a_slice_that_alone_was_lost_begins_another_first_epoch() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    let end = node.fill(start, &["a"]);
    let pattern = format!("kulkul:{{{}}}:*", general().slice().0);
    for key in cli(&server, &["--raw", "KEYS", &pattern]).lines() {
        cli(&server, &["DEL", key]);
    }
    assert_eq!(node.append(end, "b"), Appended::Lost);
    assert_ne!(node.start().position.epoch, start.position.epoch);
}

#[test]
fn a_log_without_its_tail_goes_on_from_what_is_left_and_says_lost_to_who_saw_more() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    let end = node.fill(start, &["a", "b", "c", "d"]);
    let key = format!("kulkul:{{{}}}:log:{}", general().slice().0, general());
    assert_eq!(cli(&server, &["XDEL", &key, "3-0", "4-0"]), "2");
    assert_eq!(node.append(end, "e"), Appended::Lost);
    assert_eq!(node.follow(Some(end)), Followed::Lost);
    let left = go_on(start, &["a", "b"]);
    assert!(matches!(node.follow(Some(left)), Followed::Continues { .. }));
    node.fill(left, &["x"]);
    assert_eq!(log(&mut node), ["a", "b", "x"]);
}

#[test]
fn what_is_not_what_was_stored_is_damaged_and_not_served() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    node.fill(start, &["a", "b", "c"]);
    let key = format!("kulkul:{{{}}}:log:{}", general().slice().0, general());
    cli(&server, &["XDEL", &key, "2-0"]);
    assert_eq!(node.follow(None), Followed::Damaged, "a hole");
    let other = room("other");
    node.append_batch(&other, batch(start, &[&["a"]]));
    let key = format!("kulkul:{{{}}}:log:{other}", other.slice().0);
    cli(&server, &["DEL", &key]);
    cli(&server, &["XADD", &key, "1-0", "k", "k", "d", "forged", "c", "1"]);
    let question = Question::Follow { room: other, seen: None, ticket: 0 };
    let answer = node.ask(&question, |answer| matches!(answer, Answer::Followed { .. }));
    assert!(matches!(answer, Answer::Followed { outcome: Followed::Damaged, .. }), "{answer:?}");
}

#[test]
fn a_replica_that_knew_less_is_told_apart_when_it_takes_over() {
    let (server, replica) = (start(&[]), start(&[]));
    let mut node = Node::new(A, &server);
    let start = node.start();
    let seen = node.fill(start, &["a"]);
    let port = server.address.port().to_string();
    cli(&replica, &["REPLICAOF", "127.0.0.1", &port]);
    until("the replica has caught up", || {
        cli(&server, &["WAIT", "1", "0"]) == "1"
            && cli(&replica, &["INFO", "replication"]).contains("master_link_status:up")
    });
    cli(&replica, &["REPLICAOF", "NO", "ONE"]);
    let end = node.fill(seen, &["b"]);
    let mut node = Node::new(B, &replica);
    assert_eq!(node.append(end, "c"), Appended::Lost);
    let rival = Seen { check: Check(seen.check.0), ..seen };
    let grown = node.fill(rival, &["other b"]);
    assert_eq!(grown.position, end.position);
    assert_eq!(node.append(end, "c"), Appended::Lost, "another past of the same length");
}

#[test]
fn scripts_that_a_server_forgot_are_sent_again() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    let end = node.fill(start, &["a"]);
    cli(&server, &["SCRIPT", "FLUSH"]);
    node.fill(end, &["b"]);
    assert_eq!(log(&mut node), ["a", "b"]);
}

#[test]
fn revoked_credentials_are_said_aloud_and_work_again_when_they_are_given_back() {
    let server = start(&[]);
    let give = || {
        cli(&server, &["ACL", "SETUSER", "kulkul", "reset", "on", ">p4ss", "~kulkul:*", "&kulkul:*", "+@all"])
    };
    assert_eq!(give(), "OK");
    let url = format!("redis://kulkul:p4ss@{}", server.address);
    let mut node = Node::with(A, &engine_redis::Config { url, ..config(&server) });
    let start = node.start();
    let end = node.fill(start, &["a"]);
    assert_eq!(node.away(), None);
    assert_eq!(cli(&server, &["ACL", "DELUSER", "kulkul"]), "1");
    until("it says that it is away", || node.away().is_some());
    let why = node.away().unwrap_or_default();
    assert!(why.contains("auth") || why.contains("WRONGPASS") || why.contains("Auth"), "{why}");
    assert!(!why.contains("p4ss"), "{why}");
    assert_eq!(node.append(end, "refused"), Appended::Refused);
    assert_eq!(give(), "OK");
    until("it serves again", || node.away().is_none());
    node.fill(end, &["b"]);
    assert_eq!(log(&mut node), ["a", "b"]);
}

#[test]
fn a_server_without_memory_refuses_and_reads_go_on() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    let end = node.fill(start, &["a"]);
    assert_eq!(cli(&server, &["CONFIG", "SET", "maxmemory", "1mb"]), "OK");
    assert_eq!(node.append(end, "b"), Appended::Refused);
    assert_eq!(log(&mut node), ["a"]);
    assert!(node.away().is_some_and(|why| why.contains("maxmemory")), "{:?}", node.away());
    assert_eq!(cli(&server, &["CONFIG", "SET", "maxmemory", "0"]), "OK");
    until("it serves again", || node.away().is_none());
    node.fill(end, &["b"]);
    assert_eq!(log(&mut node), ["a", "b"]);
}

#[test]
fn while_it_is_away_nothing_is_acked_and_what_may_have_been_stored_is_not_refused() {
    let mut server = start(&[]);
    let mut node = Node::new(A, &server);
    let start = node.start();
    let end = node.fill(start, &["a"]);
    // It hangs: what is sent is neither answered nor lost.
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.pid().expect("it runs")).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("it is ours");
    let doubtful = engine::Batch { number: 1, ..batch(end, &[&["doubtful"]]) };
    let question = Question::Append { room: general(), batch: doubtful };
    node.tell(question.clone());
    until("it says that it is away", || node.away().is_some());
    assert_eq!(node.append(end, "sure"), Appended::Refused, "it was never sent");
    node.tell(question.clone());
    let about = |answer: &Answer| matches!(answer, Answer::Appended { number: 1, .. });
    assert_eq!(node.hear_within(LEASE, about), None, "it may have been stored");
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("it is ours");
    let answer = node.ask(&question, about);
    let Answer::Appended { outcome: Appended::Stored { placements, .. }, .. } = &answer else {
        panic!("{answer:?}")
    };
    assert!(matches!(placements[..], [Placement::At(2)] | [Placement::Duplicate(_)]), "{placements:?}");
    assert_eq!(log(&mut node), ["a", "doubtful"]);
    server.kill();
}

#[test]
fn the_silence_of_the_server_ends_no_lease() {
    let server = start(&[]);
    let (mut one, mut other) = (Node::new(A, &server), Node::new(B, &server));
    one.attend();
    other.attend();
    let pid = nix::unistd::Pid::from_raw(i32::try_from(server.pid().expect("it runs")).expect("a pid"));
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGSTOP).expect("it is ours");
    assert_eq!(one.hear_within(LEASE * 2, |answer| matches!(answer, Answer::Ended { .. })), None);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGCONT).expect("it is ours");
    one.attend();
    other.attend();
    let is_end = |answer: &Answer| matches!(answer, Answer::Ended { .. });
    for node in [&mut one, &mut other] {
        assert_eq!(node.hear_within(Duration::from_millis(200), is_end), None);
        assert!(!node.kept().iter().any(is_end));
    }
}

/// Its process stands still, and the others go on.
#[test]
fn who_is_silent_for_a_term_has_ended_and_hears_of_it() {
    let server = start(&[]);
    let (mut silent, mut living) = (Node::new(A, &server), Node::new(B, &server));
    silent.attend();
    let present = |node: &Node, id: &str| {
        node.tell(Question::Present { room: general(), person: conformance::words::person(id), count: 1 });
    };
    present(&silent, "ana");
    silent.load();
    let mut thirds = 0;
    let is_end = |answer: &Answer| *answer == Answer::Ended { incarnation: A };
    loop {
        living.attend();
        if living.hear_within(LEASE / 3, is_end).is_some() {
            break;
        }
        thirds += 1;
        assert!(thirds < 15, "it does not end");
    }
    silent.hear("the one that ended is told", is_end);
    assert_eq!(living.load().present, []);
    until("what it left is cleaned up", || {
        let pattern = "kulkul:*:here:*";
        cli(&server, &["--raw", "KEYS", pattern]).is_empty()
            && cli(&server, &["ZCARD", "kulkul:{deployment}:ended"]) == "0"
    });
}

#[test]
fn a_listening_connection_that_the_server_ends_is_made_again_and_news_are_said_to_be_missing() {
    let server = start(&[]);
    let (mut writer, mut follower) = (Node::new(A, &server), Node::new(B, &server));
    let start = writer.start();
    follower.load();
    cli(&server, &["CLIENT", "KILL", "TYPE", "pubsub"]);
    follower.hear("news may be missing", is_missed);
    let end = writer.fill(start, &["a"]);
    follower.hear("news again", |answer| matches!(answer, Answer::Grown { .. }));
    assert!(matches!(follower.follow(Some(end)), Followed::Continues { .. }));
    assert!(follower.figure("resubscribed_total") > 0);
    let connections = follower.figure("connections");
    assert!(connections <= 3, "few and fixed: {connections}");
}

/// Forty rooms, in as many lanes: whatever lane a word waits in, it is said before the old name ends.
#[test]
fn who_returns_under_a_new_name_is_never_gone_in_between() {
    let server = start(&[]);
    let (mut old, mut follower) = (Node::new(A, &server), Node::new(B, &server));
    old.attend();
    follower.attend();
    let rooms: Vec<_> = (0..40).map(|number| room(&number.to_string())).collect();
    let here = |node: &Node| {
        for room in &rooms {
            let (room, person) = (room.clone(), conformance::words::person("ana"));
            node.tell(Question::Present { room, person, count: 1 });
        }
    };
    here(&old);
    for room in &rooms {
        let question = Question::Follow { room: room.clone(), seen: None, ticket: 0 };
        let about = |answer: &Answer| matches!(answer, Answer::Followed { room: of, .. } if of == room);
        follower.ask(&question, about);
    }
    let new = vocabulary::Incarnation { life: 2, ..A };
    old.goes_by(new);
    here(&old);
    old.attend();
    follower.hear("the old name ends", |answer| *answer == Answer::Ended { incarnation: A });
    let said = |answer: &&Answer| matches!(answer, Answer::Present { present, .. } if present.by == new);
    assert_eq!(follower.kept().iter().filter(said).count(), rooms.len(), "before that all is said anew");
}

/// No look at the leases is waited for.
#[test]
fn who_has_just_attended_is_told_what_is_due_by_nodes_that_were_there_before() {
    let server = start(&[]);
    let mut writer = Node::new(B, &server);
    writer.attend();
    let mut steward = Node::new(A, &server);
    steward.attend();
    let start = writer.start();
    let slice_of = |number: &u32| room(&number.to_string()).slice();
    let is_its = |number: &u32| {
        let living = [(A, 1), (B, 1)];
        engine::steward(living.into_iter(), slice_of(number)) == Some(A)
    };
    let its = room(&(0..).find(is_its).expect("it has its share").to_string());
    let due = engine::Batch { due: Some(vocabulary::Wall(0)), ..batch(start, &[&["a"]]) };
    writer.append_batch(&its, due);
    steward.hear("what is due", |answer| *answer == Answer::Due { room: its.clone() });
}

#[test]
fn news_that_cannot_be_read_are_counted_and_looked_after() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    node.load();
    let channel = format!("kulkul:{{{}}}:n:{}", general().slice().0, general());
    until("it listens", || cli(&server, &["PUBLISH", &channel, "nonsense"]) == "1");
    node.hear("it looks again", is_missed);
    assert!(node.figure("news_unreadable_total") > 0);
}

#[test]
fn thousands_of_channels_are_subscribed_to_again_in_a_few_commands() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    node.attend();
    let rooms: Vec<_> = (0..3000).map(|number| room(&number.to_string())).collect();
    for some in rooms.chunks(200) {
        for room in some {
            node.tell(Question::Follow { room: room.clone(), seen: None, ticket: 0 });
        }
        for _ in some {
            node.hear("it is followed", |answer| matches!(answer, Answer::Followed { .. }));
        }
    }
    cli(&server, &["CLIENT", "KILL", "TYPE", "pubsub"]);
    node.hear("news may be missing", is_missed);
    assert_eq!(cli(&server, &["--raw", "PUBSUB", "CHANNELS", "*"]).lines().count(), rooms.len() + 2);
    let stats = cli(&server, &["INFO", "commandstats"]);
    let calls = stats.split("cmdstat_subscribe:calls=").nth(1).and_then(|rest| rest.split(',').next());
    let calls: usize = calls.and_then(|calls| calls.parse().ok()).expect("it counts");
    assert!(calls <= rooms.len() + 20, "again in chunks: {calls}");
    assert_eq!(node.figure("resubscribed_total"), 1);
}

#[test]
fn a_link_that_is_dropped_leaves_no_connection_and_no_thread() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    node.load();
    drop(node);
    // The one that asks.
    until("all connections are gone", || {
        cli(&server, &["INFO", "clients"]).contains("connected_clients:1\r")
    });
    let answers: std::sync::Arc<dyn link::Answers> = std::sync::Arc::new(Nobody);
    drop(opened(&config(&server), &answers));
}

struct Nobody;

impl link::Answers for Nobody {
    fn put(&self, _: vocabulary::Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        Err(Box::new(answer))
    }
}
