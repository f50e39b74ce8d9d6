//! What was erased is in no key of the server: not in what it reads out, not in how it lies in memory.

use std::process::Command;

use conformance::Server;
use conformance::words::{A, general, go_on, text};
use engine::{Answer, Appended, Batch, ERASE_MAX, Erased, Parcel, Question, Read};
use vocabulary::{Key, Seen, is_tombstone};

use crate::node::Node;
use crate::plant::start;

fn raw(server: &Server, arguments: &[&str]) -> Vec<u8> {
    let port = server.address.port().to_string();
    let output = Command::new("redis-cli").args(["-p", &port, "--raw"]).args(arguments).output();
    output.expect("redis-cli comes with redis-server").stdout
}

/// Keys whose dump holds a text: what is dumped is as it lies in memory, deleted entries of a stream included.
fn holds(server: &Server, text: &str) -> Vec<String> {
    let keys = String::from_utf8(raw(server, &["KEYS", "*"])).expect("text");
    let with = |key: &&str| raw(server, &["DUMP", key]).windows(text.len()).any(|it| it == text.as_bytes());
    keys.lines().filter(with).map(str::to_owned).collect()
}

fn erase(node: &mut Node, seen: Seen, offsets: &[u64]) {
    let question = Question::Erase { room: general(), seen, offsets: offsets.to_vec(), ticket: 4 };
    let answer = node.ask(&question, |answer| matches!(answer, Answer::Erased { .. }));
    assert!(matches!(answer, Answer::Erased { outcome: Erased::Gone, .. }), "{answer:?}");
}

fn is_anas(offset: u64) -> bool {
    offset % 7 < 2
}

fn said(offset: u64) -> String {
    format!("{}{offset:05}", if is_anas(offset) { "ana" } else { "bo" })
}

/// Records as large as messages, in streams whose pieces are cut by bytes or by entries.
#[test]
fn no_key_holds_what_was_erased() {
    for entries in ["100", "7"] {
        // As it is, so that the dump shows it.
        let server = start(&["--rdbcompression", "no", "--stream-node-max-entries", entries]);
        let mut node = Node::new(A, &server);
        let mut seen = node.start();
        for first in (1..=600).step_by(6) {
            let texts: Vec<String> = (first..first + 6).map(|offset| said(offset).repeat(10)).collect();
            let texts: Vec<&str> = texts.iter().map(String::as_str).collect();
            let parcels =
                vec![Parcel { key: Key::once(1, first), records: texts.iter().map(|it| text(it)).collect() }];
            let asked = Batch { number: first, seen, guarded: false, parcels, due: None };
            assert!(matches!(node.append_batch(&general(), asked), Appended::Stored { .. }));
            seen = go_on(seen, &texts);
        }
        assert!(!holds(&server, "ana0").is_empty(), "it was there");
        erase(&mut node, seen, &[351]);
        assert_eq!(holds(&server, &said(351)), [] as [&str; 0], "one in the middle");
        assert!(!holds(&server, &said(350)).is_empty(), "what was beside it");
        let own: Vec<u64> = (1..=600).filter(|offset| is_anas(*offset)).collect();
        for some in own.chunks(ERASE_MAX) {
            erase(&mut node, seen, some);
        }
        assert_eq!(holds(&server, "ana0"), [] as [&str; 0]);
        let mut after = 0;
        while after < 600 {
            let epoch = seen.position.epoch;
            let page = Question::Read { room: general(), epoch, after, limit: 100, ticket: after };
            let answer = node.ask(&page, |it| matches!(it, Answer::Read { ticket, .. } if *ticket == after));
            let Answer::Read { outcome: Read::Records { records, .. }, .. } = answer else {
                panic!("{answer:?}")
            };
            for stored in records {
                after += 1;
                assert_eq!((stored.offset, is_tombstone(&stored.data)), (after, is_anas(after)));
                assert!(is_anas(after) || stored.data == text(&said(after).repeat(10)));
            }
        }
    }
}

/// A server whose stream somebody cut goes on from what is left, what stands beside it included.
#[test]
fn a_log_that_was_cut_behind_what_was_erased_goes_on_from_there() {
    let server = start(&[]);
    let mut node = Node::new(A, &server);
    let begin = node.start();
    let four = node.fill(begin, &["a", "b", "c", "d"]);
    erase(&mut node, four, &[2]);
    let key = String::from_utf8(raw(&server, &["KEYS", "*log:*"])).expect("text");
    node.fill(four, &["e", "f"]);
    assert_eq!(raw(&server, &["XDEL", key.trim(), "5-0", "6-0"]), b"2\n");
    let loaded = node.load();
    assert_eq!((loaded.head, loaded.records.len()), (four.position, 4));
    assert_eq!(node.fill(four, &["g"]).position.offset, 5);
}
