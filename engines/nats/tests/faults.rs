//! What may go wrong between a node and its server, and what must hold then: nothing that was acked is lost or told to be
//! stored twice, nothing is silently missing, and who cannot be served is told.

mod world;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use conformance::words::{A, B, C, batch, entry, general, go_on, guarded, person, plain, room};
use engine::{Answer, Appended, Batch, Followed, Placement, Question, Snapshot};
use engine_nats::Config;
use link::{Condition, Link};
use serde_json::json;
use vocabulary::Payload;
use world::desk::{Desk, PATIENCE, operate};
use world::proxy::Proxy;

fn log_stream(config: &Config) -> String {
    format!("{}_LOG", config.prefix.replace('.', "_"))
}

fn is_stored(outcome: &Appended) -> bool {
    matches!(outcome, Appended::Stored { .. })
}

#[test]
fn a_batch_whose_ack_was_lost_is_stored_once() {
    let url = world::shared();
    let server = url.strip_prefix("nats://").and_then(|address| address.parse().ok()).expect("an address");
    let proxy = Proxy::to(server);
    let config = Config { servers: vec![format!("nats://{}", proxy.address)], ..world::config(&url) };
    let mut desk = Desk::new(&config, A);
    let mut other = Desk::new(&Config { servers: vec![url], ..config }, B);
    let start = desk.start();
    desk.load(&general());
    other.load(&general());
    for (number, record, is_guarded) in [(1, "a", false), (2, "b", true)] {
        let seen = if is_guarded { go_on(start, &["a"]) } else { start };
        let asked =
            Batch { number, ..if is_guarded { guarded(seen, record) } else { batch(seen, &[&[record]]) } };
        proxy.deafen();
        desk.tell(Question::Append { room: general(), batch: asked.clone() });
        // It is stored by now, and the one who asked cannot know.
        other.hear(|answer| matches!(answer, Answer::Grown { .. }));
        proxy.cut();
        let outcome = desk.append(&general(), asked);
        let Appended::Stored { placements, .. } = &outcome else { panic!("{outcome:?}") };
        assert!(matches!(placements[..], [Placement::Duplicate(at)] if at.offset == number), "{outcome:?}");
        desk.hear(|answer| *answer == Answer::Missed);
    }
    assert_eq!(other.log(&general()), ["a", "b"]);
    assert!(desk.figure("nats_reconnects_total") >= 2);
}

/// Two writers and a follower, and a server that is killed three times meanwhile.
#[test]
fn a_server_killed_under_load_loses_nothing_that_was_acked() {
    let mut server = world::server();
    let config = world::config(&world::url(&server));
    let mut follower = Desk::new(&config, C);
    let start = follower.start();
    follower.load(&general());
    let writers: Vec<_> = [(A, "a"), (B, "b")]
        .into_iter()
        .map(|(by, name)| {
            let mut desk = Desk::new(&config, by);
            std::thread::spawn(move || {
                let mut acked = Vec::new();
                for number in 0..150 {
                    let record = format!("{name}{number}");
                    let asked = Batch { number, ..batch(start, &[&[&record]]) };
                    loop {
                        match desk.append(&general(), asked.clone()) {
                            Appended::Stored { .. } => break acked.push(record),
                            // Nothing was stored: whoever sent it would send it again.
                            Appended::Refused => {}
                            other => panic!("{other:?}"),
                        }
                    }
                }
                acked
            })
        })
        .collect();
    for kill in 1..=3 {
        // Between two kills something is stored.
        follower.hear(|answer| matches!(answer, Answer::Grown { .. }));
        server.restart();
        follower.hear(|answer| *answer == Answer::Missed);
        follower.kept.clear();
        let since = Instant::now();
        while follower.figure("nats_reconnects_total") < kill {
            assert!(since.elapsed() < PATIENCE);
            std::thread::yield_now();
        }
    }
    let acked: Vec<String> =
        writers.into_iter().flat_map(|writer| writer.join().expect("a writer")).collect();
    let log = follower.log(&general());
    let mut times: BTreeMap<&String, u32> = BTreeMap::new();
    log.iter().for_each(|record| *times.entry(record).or_default() += 1);
    for record in &acked {
        assert_eq!(times.get(record), Some(&1), "{record}");
    }
    assert_eq!((acked.len(), log.len()), (300, 300));
    for name in ["a", "b"] {
        let mine = log.iter().filter(|record| record.starts_with(name)).cloned();
        assert!(mine.eq((0..150).map(|number| format!("{name}{number}"))), "in the order of its sender");
    }
}

#[test]
fn while_the_server_is_away_nothing_is_acked_and_no_lease_ends() {
    let mut server = world::server();
    let lease = world::LEASE * 2;
    let config = Config { lease, ..world::config(&world::url(&server)) };
    let (mut desk, mut other) = (Desk::new(&config, A), Desk::new(&config, B));
    let start = desk.start();
    for desk in [&mut desk, &mut other] {
        desk.load(&general());
        desk.ask(&Question::Attend { shards: 1 }, |answer| matches!(answer, Answer::Attending { .. }));
        desk.tell(Question::Present { room: general(), person: person("ana"), count: 1 });
    }
    assert!(is_stored(&desk.append(&general(), batch(start, &[&["a"]]))));
    server.kill();
    let asked = Batch { number: 2, ..batch(start, &[&["b"]]) };
    let since = Instant::now();
    while desk.node.condition() == Condition::Serving {
        assert!(since.elapsed() < PATIENCE);
        std::thread::yield_now();
    }
    // What is asked for the first time now is refused, once it is known that asking is no use.
    assert_eq!(desk.append(&general(), asked.clone()), Appended::Refused);
    conformance::pass(lease + lease / 4);
    server.begin();
    for desk in [&mut desk, &mut other] {
        desk.hear(|answer| *answer == Answer::Missed);
        desk.ask(&Question::Attend { shards: 1 }, |answer| matches!(answer, Answer::Attending { .. }));
        let ended = desk.kept.iter().find(|answer| matches!(answer, Answer::Ended { .. }));
        assert_eq!(ended, None, "nobody could renew");
    }
    let since = Instant::now();
    while !is_stored(&desk.append(&general(), asked.clone())) {
        assert!(since.elapsed() < PATIENCE);
    }
    assert_eq!(desk.node.condition(), Condition::Serving);
    assert_eq!(other.log(&general()), ["a", "b"]);
}

#[test]
fn where_there_is_no_place_it_is_said_and_soft_state_goes_on() {
    let config = Config { log_bytes_max: Some(100_000), ..world::config(&world::shared()) };
    let (mut desk, mut other) = (Desk::new(&config, A), Desk::new(&config, B));
    let start = desk.start();
    other.load(&general());
    // Its key is its text: twice this is stored.
    let large = "x".repeat(30_000);
    assert!(is_stored(&desk.append(&general(), batch(start, &[&[&large]]))));
    let more = format!("y{large}");
    let asked = Batch { number: 2, ..batch(start, &[&[&more]]) };
    assert_eq!(desk.append(&general(), asked), Appended::Refused);
    let Condition::Away { why } = desk.node.condition() else { panic!("it is full") };
    assert!(why.contains("maximum bytes"), "{why}");
    assert!(desk.figure("nats_refused_total") > 0);
    desk.tell(Question::Soft { room: general(), entry: entry("ana", Some("here"), 1) });
    other.hear(|answer| matches!(answer, Answer::Soft { .. }));
    assert_eq!(other.log(&general()).len(), 1);
    let small = Batch { number: 3, ..batch(start, &[&["small"]]) };
    assert!(is_stored(&desk.append(&general(), small)), "what finds a place is stored");
    assert_eq!(desk.node.condition(), Condition::Serving);
}

#[test]
fn a_batch_larger_than_a_message_is_refused() {
    let mut desk = Desk::new(&world::config(&world::shared()), A);
    let start = desk.start();
    let large = "x".repeat(2 << 20);
    assert_eq!(desk.append(&general(), batch(start, &[&[&large]])), Appended::Refused);
    assert!(is_stored(&desk.append(&general(), Batch { number: 2, ..batch(start, &[&["a"]]) })));
}

#[test]
fn a_log_that_was_emptied_is_another_past() {
    let url = world::shared();
    let config = world::config(&url);
    let stream = log_stream(&config);
    let (mut desk, mut other) = (Desk::new(&config, A), Desk::new(&config, B));
    let start = desk.start();
    for desk in [&mut desk, &mut other] {
        desk.load(&general());
    }
    assert!(is_stored(&desk.append(&general(), batch(start, &[&["a"], &["b"]]))));
    other.hear(|answer| matches!(answer, Answer::Grown { .. }));
    let seen = go_on(start, &["a", "b"]);
    operate(&url, &format!("STREAM.PURGE.{stream}"), json!({}));
    assert_eq!(other.append(&general(), batch(seen, &[&["c"]])), Appended::Lost);
    assert_eq!(desk.follow(&general(), Some(seen)), Followed::Lost);
    let loaded = desk.load(&general());
    assert_eq!((loaded.head.offset, loaded.records.len()), (0, 0));
    assert_ne!(loaded.head.epoch, start.position.epoch, "nobody takes it for the one it was");
    assert_eq!(other.load(&general()).head, loaded.head, "and all nodes agree on it");
}

#[test]
fn a_log_that_lost_what_its_snapshot_was_made_of_is_damaged() {
    let url = world::shared();
    let config = world::config(&url);
    let mut desk = Desk::new(&config, A);
    let start = desk.start();
    desk.append(&general(), batch(start, &[&["a"], &["b"]]));
    let snapshot = Snapshot { seen: go_on(start, &["a", "b"]), data: Payload::from_static(b"folded") };
    let question = Question::Store { room: general(), snapshot, forget_upto: 1 };
    desk.ask(&question, |answer| matches!(answer, Answer::Stored { .. }));
    operate(&url, &format!("STREAM.PURGE.{}", log_stream(&config)), json!({}));
    assert_eq!(desk.follow(&general(), None), Followed::Damaged);
    assert!(desk.figure("nats_damaged_total") > 0);
    assert_eq!(desk.load(&room("another")).head.offset, 0, "others are served");
}

fn sequences(url: &str, stream: &str, upto: u64) -> Vec<u64> {
    let is_there = |sequence: &u64| {
        let got = operate(url, &format!("STREAM.MSG.GET.{stream}"), json!({ "seq": sequence }));
        got["message"]["subject"].as_str().is_some_and(|subject| subject.ends_with(".log"))
    };
    (1..=upto).filter(is_there).collect()
}

#[test]
fn a_tail_that_was_cut_off_is_lost_and_a_hole_is_damage() {
    let url = world::shared();
    let config = world::config(&url);
    let stream = log_stream(&config);
    let (mut desk, mut other) = (Desk::new(&config, A), Desk::new(&config, B));
    let start = desk.start();
    let texts = ["a", "b", "c", "d"];
    desk.load(&general());
    for (number, text) in texts.into_iter().enumerate() {
        let asked = Batch { number: number as u64, ..batch(go_on(start, &texts[..number]), &[&[text]]) };
        assert!(is_stored(&desk.append(&general(), asked)));
    }
    let kept = sequences(&url, &stream, 5);
    assert_eq!(kept.len(), 4);
    operate(&url, &format!("STREAM.MSG.DELETE.{stream}"), json!({ "seq": kept[3] }));
    let seen = go_on(start, &texts);
    let rival = Batch { number: 9, ..batch(seen, &[&["e"]]) };
    assert_eq!(desk.append(&general(), rival), Appended::Lost, "though it remembers the end");
    assert_eq!(other.follow(&general(), Some(seen)), Followed::Lost);
    assert_eq!(plain(&other.load(&general()).records).last(), Some(&(3, "c")));
    operate(&url, &format!("STREAM.MSG.DELETE.{stream}"), json!({ "seq": kept[1] }));
    let outcome = other.follow(&general(), Some(go_on(start, &texts[..1])));
    assert_eq!(outcome, Followed::Damaged, "what should come next is not there");
}

#[test]
fn a_publish_that_was_rejected_is_heard_by_nobody() {
    let url = world::shared();
    let config = world::config(&url);
    let (mut desk, mut other) = (Desk::new(&config, A), Desk::new(&config, B));
    let start = desk.start();
    other.load(&general());
    assert!(is_stored(&desk.append(&general(), batch(start, &[&["a"]]))));
    other.hear(|answer| matches!(answer, Answer::Grown { .. }));
    let rejected = operate_publish(&url, &config);
    assert!(rejected["error"]["description"].as_str().is_some_and(|why| why.contains("wrong last sequence")));
    assert!(is_stored(&desk.append(&general(), Batch { number: 2, ..batch(start, &[&["b"]]) })));
    let Answer::Grown { records, .. } = other.hear(|answer| matches!(answer, Answer::Grown { .. })) else {
        panic!("grown")
    };
    assert_eq!(plain(&records), [(2, "b")]);
    assert_eq!(other.figure("nats_unread_total"), 0, "nothing else came");
}

/// To the subject of the room's log, past its end.
fn operate_publish(url: &str, config: &Config) -> serde_json::Value {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    runtime.block_on(async {
        let client = async_nats::connect(url).await.expect("connected");
        let mut headers = async_nats::HeaderMap::new();
        headers.insert("Nats-Expected-Last-Subject-Sequence", "77");
        let subject = format!("{}.rooms.{}.chat=3ageneral.log", config.prefix, general().slice().0);
        let answer = client.request_with_headers(subject, headers, "not ours".into()).await;
        serde_json::from_slice(&answer.expect("an answer").payload).expect("JSON")
    })
}

/// A shard that takes nothing from its box for a while.
#[test]
fn news_that_come_too_fast_are_missed_and_said_to_be() {
    let config = Config { news_max: 512, ..world::config(&world::shared()) };
    let mut slow = Desk::with_box(&config, A, 1);
    slow.load(&general());
    let mut desk = Desk::new(&config, B);
    let mut seen = desk.start();
    desk.load(&general());
    let since = Instant::now();
    let mut number = 0;
    while slow.figure("nats_slow_total") == 0 {
        let text = number.to_string();
        assert!(is_stored(&desk.append(&general(), Batch { number, ..batch(seen, &[&[&text]]) })));
        seen = go_on(seen, &[&text]);
        number += 1;
        assert!(since.elapsed() < PATIENCE, "{number} records, and nothing was dropped");
    }
    slow.hear(|answer| *answer == Answer::Missed);
    assert_eq!(slow.log(&general()).len() as u64, number);
}

#[test]
fn who_answers_late_hears_the_answers_all_the_same() {
    let config = world::config(&world::shared());
    let mut slow = Desk::with_box(&config, A, 1);
    let start = slow.start();
    for number in 0..50 {
        let text = number.to_string();
        slow.tell(Question::Append { room: general(), batch: Batch { number, ..batch(start, &[&[&text]]) } });
    }
    for number in 0..50 {
        let is_it = |answer: &Answer| matches!(answer, Answer::Appended { number: of, .. } if *of == number);
        assert!(slow.hear_within(Duration::from_secs(30), is_it).is_some(), "{number}");
    }
}
