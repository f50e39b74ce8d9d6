//! What was erased is neither in any message of the server's streams nor in its files.

mod world;

use std::path::Path;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use conformance::words::{A, B, base, batch, general, go_on, snapshot, text};
use engine::{Answer, Appended, Batch, ERASE_MAX, Erased, Parcel, Question, Snapshot};
use engine_nats::Config;
use serde_json::json;
use vocabulary::{Key, Payload, Seen, is_tombstone};
use world::desk::{Desk, PATIENCE, operate};
use world::proxy::Proxy;

const SAID: &str = "ana said this and nobody else";

fn holds(folder: &Path, text: &[u8]) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let path = entry.path();
        if path.is_dir() {
            found.extend(holds(&path, text));
        } else if std::fs::read(&path).unwrap_or_default().windows(text.len()).any(|it| it == text) {
            found.push(path.to_string_lossy().into_owned());
        }
    }
    found
}

/// As one message of the log.
fn append(desk: &mut Desk, seen: Seen, texts: &[&str]) -> Seen {
    let number = seen.position.offset + 1;
    let key = |at: usize| Key::once(1, number + at as u64);
    let parcel = |(at, it): (usize, &&str)| Parcel { key: key(at), records: vec![text(it)] };
    let parcels = texts.iter().enumerate().map(parcel).collect();
    let stored = desk.append(&general(), Batch { number, seen, guarded: false, parcels, due: None });
    assert!(matches!(stored, Appended::Stored { .. }), "{stored:?}");
    go_on(seen, texts)
}

fn erase(desk: &mut Desk, seen: Seen, offsets: &[u64]) {
    let mut left = offsets.to_vec();
    while let Erased::Upto(upto) = desk.erase(&general(), seen, &left, 4) {
        left.retain(|offset| *offset > upto);
    }
}

/// Of all streams.
fn messages_with(url: &str, config: &Config, text: &str) -> Vec<String> {
    let (prefix, mut found) = (config.prefix.replace('.', "_"), Vec::new());
    for stream in ["LOG", "SNAPSHOTS", "STATE"] {
        let stream = format!("{prefix}_{stream}");
        let told = operate(url, &format!("STREAM.INFO.{stream}"), json!({}));
        let last = told["state"]["last_seq"].as_u64().expect("a stream");
        for seq in 1..=last {
            let got = operate(url, &format!("STREAM.MSG.GET.{stream}"), json!({ "seq": seq }));
            let data = got["message"]["data"].as_str().unwrap_or_default().to_owned();
            let data = STANDARD.decode(data).expect("base64");
            if data.windows(text.len()).any(|it| it == text.as_bytes()) {
                found.push(format!("{stream} {seq}"));
            }
        }
    }
    found
}

fn messages(url: &str, stream: &str) -> u64 {
    operate(url, &format!("STREAM.INFO.{stream}"), json!({}))["state"]["messages"]
        .as_u64()
        .unwrap_or_default()
}

#[test]
fn no_stream_and_no_file_holds_what_was_erased() {
    let mut server = world::server();
    let config = world::config(&world::url(&server));
    let mut desk = Desk::new(&config, A);
    let mut seen = desk.start();
    for number in 0..20 {
        let own = format!("{SAID} {number}");
        let other = format!("beside it {number}");
        seen = append(&mut desk, seen, &[&own, &other]);
    }
    let own: Vec<u64> = (1..=40).filter(|offset| offset % 2 == 1).collect();
    // In several goes, the second of which finds some beside the log.
    erase(&mut desk, seen, &own[..5]);
    erase(&mut desk, seen, &own[3..]);
    let records = desk.load(&general()).records;
    let gone: Vec<u64> = records.iter().filter(|it| is_tombstone(&it.data)).map(|it| it.offset).collect();
    assert_eq!(gone, own);
    assert_eq!(records.len(), 40);
    assert_eq!(messages_with(&world::url(&server), &config, SAID), [] as [String; 0]);
    server.kill();
    assert_eq!(holds(&server.folder, SAID.as_bytes()), [] as [&str; 0]);
    assert!(!holds(&server.folder, b"beside it 7").is_empty(), "what others said stays");
}

#[test]
fn a_newer_snapshot_and_what_is_forgotten_leave_nothing_beside_the_log() {
    let server = world::server();
    let config = world::config(&world::url(&server));
    let mut desk = Desk::new(&config, A);
    let start = desk.start();
    // An epoch begins with a message that holds a snapshot.
    let end = append(&mut desk, start, &["a"]);
    let new = start.position.epoch.next(5);
    let first = Snapshot { data: Payload::from_static(SAID.as_bytes()), ..base(new) };
    let begin = Question::BeginEpoch { room: general(), old: end, base: first.clone() };
    desk.ask(&begin, |answer| matches!(answer, Answer::EpochBegan { epoch, .. } if *epoch == new));
    let texts: Vec<String> = (1..=47).map(|number| format!("{SAID} {number}")).collect();
    let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
    let mut seen = first.seen;
    for some in texts.chunks(4) {
        seen = append(&mut desk, seen, some);
    }
    erase(&mut desk, seen, &(1..=47).collect::<Vec<_>>());
    store(&mut desk, go_on(first.seen, &texts[..30]), 20);
    erase(&mut desk, seen, &[]);
    let url = world::url(&server);
    let prefix = config.prefix.replace('.', "_");
    let (log, snapshots) = (format!("{prefix}_LOG"), format!("{prefix}_SNAPSHOTS"));
    // The deployment's record, and an empty message where the log ends.
    assert_eq!(messages(&url, &log), 2);
    assert_eq!(messages(&url, &snapshots), 2, "offsets 16 to 31 and 32 to 47");
    let loaded = desk.load(&general());
    assert_eq!((loaded.base, loaded.records.len()), (20, 17));
    store(&mut desk, seen, 47);
    assert_eq!(messages(&url, &snapshots), 0);
    assert_eq!(desk.load(&general()).head, seen.position);
}

fn store(desk: &mut Desk, seen: Seen, forget_upto: u64) {
    let question = Question::Store { room: general(), snapshot: snapshot(seen), forget_upto };
    let at = seen.position;
    desk.ask(&question, |answer| matches!(answer, Answer::Stored { kept, .. } if *kept == Some(at)));
}

/// Two nodes: one beside the server, and one behind a proxy.
fn near_and_behind(takes: Duration) -> (Config, Desk, Desk, Proxy) {
    let url = world::shared();
    let server = url.strip_prefix("nats://").and_then(|address| address.parse().ok()).expect("an address");
    let (config, proxy) = (world::config(&url), Proxy::far_from(server, takes));
    let near = Desk::new(&config, B);
    let servers = vec![format!("nats://{}", proxy.address)];
    let behind = Desk::new(&Config { servers, ..config.clone() }, A);
    (config, near, behind, proxy)
}

/// A steward that is none any more erases, and the new one lets go of what is old.
#[test]
fn what_is_trimmed_while_it_is_erased_is_gone_and_nothing_is_damaged() {
    let (config, mut near, mut behind, proxy) = near_and_behind(Duration::ZERO);
    let mut seen = near.start();
    for number in 0..40 {
        seen = append(&mut near, seen, &[&format!("{SAID} {number}")]);
    }
    erase(&mut near, seen, &(1..=20).collect::<Vec<_>>());
    behind.load(&general());
    // It knows how the room stands, and looks now at what is beside the log.
    proxy.hold_at(format!("DIRECT.GET.{}_SNAPSHOTS", config.prefix.replace('.', "_")));
    behind.tell(Question::Erase { room: general(), seen, offsets: vec![3, 17], ticket: 1 });
    assert!(proxy.is_held_within(PATIENCE));
    store(&mut near, seen, 40);
    proxy.let_go();
    assert_eq!(behind.erase(&general(), seen, &[3, 17], 1), Erased::Gone);
    assert_eq!(behind.figure("nats_damaged_total"), 0);
    assert_eq!(near.load(&general()).base, 40);
}

/// Between writing what is left and deleting what was there.
#[test]
fn what_a_node_leaves_that_is_killed_while_it_erases_goes_with_the_end_of_the_erasure() {
    let (config, mut near, mut behind, proxy) = near_and_behind(Duration::ZERO);
    let start = near.start();
    let (first, second) = (format!("{SAID} 1"), format!("{SAID} 2"));
    let seen = append(&mut near, start, &[&first, &second, "beside it"]);
    erase(&mut near, seen, &[1]);
    behind.load(&general());
    proxy.hold_at(format!("STREAM.MSG.DELETE.{}_SNAPSHOTS", config.prefix.replace('.', "_")));
    behind.tell(Question::Erase { room: general(), seen, offsets: vec![2], ticket: 1 });
    assert!(proxy.is_held_within(PATIENCE));
    proxy.cut();
    drop(behind);
    // Whoever walks the log next finds tombstones, and has nothing to ask for.
    let records = near.load(&general()).records;
    assert_eq!(records.iter().map(|it| is_tombstone(&it.data)).collect::<Vec<_>>(), [true, true, false]);
    assert_eq!(messages_with(&world::shared(), &config, &second).len(), 1, "it was killed in between");
    erase(&mut near, seen, &[]);
    assert_eq!(messages_with(&world::shared(), &config, SAID), [] as [String; 0]);
    assert_eq!(near.load(&general()).records, records);
}

#[test]
fn what_stays_beside_the_log_hides_nothing_that_goes() {
    let url = world::shared();
    let config = world::config(&url);
    let mut desk = Desk::new(&config, A);
    let mut seen = desk.start();
    for shelf in 0..80 {
        let texts: Vec<String> = (0..16).map(|number| format!("{shelf} {number}")).collect();
        seen = append(&mut desk, seen, &texts.iter().map(String::as_str).collect::<Vec<_>>());
    }
    // More than are forgotten at once, and behind them the one that is over first.
    let kept: Vec<u64> = (3..75).map(|shelf| shelf * 16 + 5).collect();
    for some in kept.chunks(ERASE_MAX) {
        erase(&mut desk, seen, some);
    }
    let snapshots = format!("{}_SNAPSHOTS", config.prefix.replace('.', "_"));
    let before = messages(&url, &snapshots);
    erase(&mut desk, seen, &[5]);
    assert_eq!(messages(&url, &snapshots), before + 2, "offsets up to 15, and 16");
    store(&mut desk, seen, 20);
    assert_eq!(messages(&url, &snapshots), before + 1, "up to 15 they are over");
    assert_eq!(desk.load(&general()).base, 20);
}

/// What a server in another zone is away. Nothing is faster than that, however fast the machine is.
const WAY: Duration = Duration::from_millis(5);

#[test]
fn far_from_its_server_an_erasure_ends_and_appends_have_their_turn_in_between() {
    let (_, mut near, mut desk, _proxy) = near_and_behind(WAY);
    let mut seen = near.start();
    for number in 0..96 {
        seen = append(&mut near, seen, &[&format!("{SAID} {number}")]);
    }
    desk.load(&general());
    let calls = desk.figure("nats_calls_total");
    let own: Vec<u64> = (1..=96).filter(|offset| offset % 2 == 0).collect();
    let (mut left, mut goes) = (own.clone(), 0);
    while !left.is_empty() {
        goes += 1;
        let question = Question::Erase { room: general(), seen, offsets: left.clone(), ticket: goes };
        desk.tell(question);
        // It comes behind it, and is answered before there is a next one.
        let meanwhile = format!("meanwhile {goes}");
        let asked = Batch { number: 1000 + goes, ..batch(seen, &[&[&meanwhile]]) };
        desk.tell(Question::Append { room: general(), batch: asked.clone() });
        let outcome = desk.erase(&general(), seen, &left, goes);
        let stored = desk.append(&general(), asked);
        assert!(matches!(stored, Appended::Stored { .. }), "{stored:?}");
        match outcome {
            Erased::Upto(upto) => left.retain(|offset| *offset > upto),
            _ => left.clear(),
        }
    }
    assert_eq!(goes, 7, "a shelf of sixteen offsets at a time");
    let calls = desk.figure("nats_calls_total") - calls;
    assert!(calls < goes * 64, "{calls} calls");
    let records = near.load(&general()).records;
    let gone: Vec<u64> = records.iter().filter(|it| is_tombstone(&it.data)).map(|it| it.offset).collect();
    assert_eq!(gone, own);
    assert_eq!(records.len(), 96 + goes as usize);
}
