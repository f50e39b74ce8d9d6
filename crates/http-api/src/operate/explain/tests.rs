//! Situations, and what is found in them.

use vocabulary::{Beholder, Person, ShardId, UserId};

use super::*;

const EPOCH: Epoch = Epoch(3);
/// When the record was stored, and since when all is remembered.
const STORED: i64 = 5_000_000;
const SINCE: i64 = 4_000_000;

fn at(offset: u64) -> Position {
    Position { epoch: EPOCH, offset }
}

fn id(slot: u32) -> ConnectionId {
    ConnectionId { shard: ShardId(0), slot, generation: 1 }
}

fn event(slot: u32, what: &'static str, cursor: Option<u64>, why: &str) -> Happened {
    let code = if what == "closed" { 4410 } else { 0 };
    Happened {
        at: Wall(STORED + 1),
        connection: id(slot),
        what,
        cursor: cursor.map(at),
        code,
        why: why.to_owned(),
    }
}

fn here(slot: u32, cursor: u64, live: bool, waiting_bytes: u64) -> Here {
    let place = Some(RoomPlace { cursor: at(cursor), live });
    Here { id: id(slot), since: Wall(0), place, waiting_bytes, heard: Some(Wall(STORED)) }
}

fn kept() -> Fate {
    let author = Some(Person { id: UserId::new("bo"), name: "Bo".into() });
    Fate::Kept { at: Wall(STORED), kind: "message".to_owned(), author, bytes: 12, touches: false }
}

/// Of the record at 7 of a log that ends at 9; ana may be there, and nothing is known of her.
fn situation() -> Situation {
    let beholder = Some(Beholder { seats: 0, nodes: Vec::new(), may: Ok(()), shown: Some(true) });
    Situation {
        offset: 7,
        epoch: None,
        user: "ana".to_owned(),
        record: RecordSeen { head: at(9), trimmed: 0, fate: kept(), beholder },
        happened: Vec::new(),
        since: Wall(SINCE),
        here: Vec::new(),
        may_be_elsewhere: false,
        node: "a".to_owned(),
    }
}

type Change = fn(&mut Situation);

#[test]
fn each_situation_has_its_findings_and_a_verdict() {
    use Verdict::{DidNot, Got, Unknown, Waits};
    let table: &[(&str, Change, Verdict, &[&str])] = &[
        ("nobody was there", |_| {}, DidNot, &["stored", "nowhere"]),
        (
            "another node may have them",
            |it| it.may_be_elsewhere = true,
            Unknown,
            &["stored", "nowhere", "elsewhere"],
        ),
        (
            "another node has them",
            |it| {
                it.record.beholder =
                    Some(Beholder { seats: 0, nodes: vec![0xb], may: Ok(()), shown: Some(true) })
            },
            Unknown,
            &["stored", "nowhere", "elsewhere"],
        ),
        ("the hour is over", |it| it.since = Wall(STORED + 1), Unknown, &["stored", "nowhere", "forgotten"]),
        ("not stored yet", |it| it.record.fate = Fate::Ahead, DidNot, &["ahead"]),
        ("trimmed", |it| it.record.fate = Fate::Trimmed, Unknown, &["trimmed", "nowhere", "forgotten"]),
        (
            "erased, and passed",
            |it| {
                it.record.fate = Fate::Erased;
                it.here = vec![here(1, 20, true, 0)];
            },
            Unknown,
            &["erased", "forgotten", "delivered", "drained", "erased"],
        ),
        ("erased", |it| it.record.fate = Fate::Erased, Unknown, &["erased", "nowhere", "forgotten"]),
        ("of a newer version", |it| it.record.fate = Fate::Foreign, DidNot, &["foreign"]),
        ("damaged", |it| it.record.fate = Fate::Damaged, Unknown, &["damaged"]),
        ("another epoch", |it| it.epoch = Some(Epoch(2)), Unknown, &["another_epoch"]),
        ("the same epoch", |it| it.epoch = Some(EPOCH), DidNot, &["stored", "nowhere"]),
        (
            "not allowed",
            |it| {
                it.record.beholder = Some(Beholder {
                    seats: 0,
                    nodes: Vec::new(),
                    may: Err("private".to_owned()),
                    shown: None,
                })
            },
            DidNot,
            &["stored", "not_allowed", "nowhere"],
        ),
        (
            "for another audience",
            |it| {
                it.record.beholder =
                    Some(Beholder { seats: 1, nodes: Vec::new(), may: Ok(()), shown: Some(false) });
                it.happened = vec![event(1, "joined", Some(2), "fresh")];
                it.here = vec![here(1, 9, true, 0)];
            },
            DidNot,
            &["stored", "hidden", "delivered", "drained"],
        ),
        (
            "in the room, and all is taken",
            |it| {
                it.happened = vec![event(1, "joined", Some(2), "fresh")];
                it.here = vec![here(1, 9, true, 0)];
            },
            Got,
            &["stored", "delivered", "drained"],
        ),
        (
            "in the room, and bytes wait",
            |it| {
                it.happened = vec![event(1, "joined", Some(2), "fresh")];
                it.here = vec![here(1, 9, true, 700)];
            },
            Got,
            &["stored", "delivered", "waits"],
        ),
        (
            "a slow one that is behind",
            |it| {
                it.happened = vec![event(1, "joined", Some(2), "fresh"), event(1, "behind", Some(4), "")];
                it.here = vec![here(1, 5, false, 9000)];
            },
            Waits,
            &["stored", "fell_behind", "waits"],
        ),
        (
            "came later",
            |it| {
                it.happened = vec![event(1, "joined", Some(8), "fresh")];
                it.here = vec![here(1, 9, true, 0)];
            },
            DidNot,
            &["stored", "joined_later"],
        ),
        (
            "left before",
            |it| it.happened = vec![event(1, "joined", Some(2), "fresh"), event(1, "left", Some(5), "asked")],
            DidNot,
            &["stored", "left_before"],
        ),
        (
            "was sent it, and then closed",
            |it| {
                it.happened = vec![
                    event(1, "joined", Some(2), "fresh"),
                    event(1, "left", Some(8), "connection ended"),
                    event(1, "closed", None, "too slow"),
                ];
            },
            Got,
            &["stored", "delivered", "closed"],
        ),
        (
            "cut before it, and back by its position",
            |it| {
                it.happened = vec![
                    event(1, "joined", Some(2), "fresh"),
                    event(1, "left", Some(5), "connection ended"),
                    event(1, "ended", None, ""),
                    event(2, "joined", Some(5), "resumed"),
                ];
                it.here = vec![here(2, 9, true, 0)];
            },
            Got,
            &["stored", "left_before", "closed", "caught_up", "delivered", "drained"],
        ),
        (
            "in the room for longer than is remembered",
            |it| it.here = vec![here(1, 9, true, 0)],
            Got,
            &["stored", "forgotten", "delivered", "drained"],
        ),
        (
            "waits to be let in",
            |it| it.here = vec![Here { place: None, ..here(1, 0, true, 0) }],
            Waits,
            &["stored", "forgotten", "waits"],
        ),
        ("its own author", |it| it.user = "bo".to_owned(), DidNot, &["stored", "author", "nowhere"]),
    ];
    for (name, change, verdict, found) in table {
        let mut situation = situation();
        change(&mut situation);
        let (said, says, findings) = explain(&situation);
        let words: Vec<&str> = findings.iter().map(|finding| finding.what).collect();
        assert_eq!((said, words.as_slice()), (*verdict, *found), "{name}: {says} {findings:#?}");
        assert!(findings.iter().all(|finding| finding.says.ends_with('.')), "{name}");
    }
}

#[test]
fn findings_name_when_and_which_connection() {
    let mut situation = situation();
    situation.happened = vec![event(1, "joined", Some(2), "fresh"), event(1, "closed", None, "too slow")];
    let (.., findings) = explain(&situation);
    let closed = findings.iter().find(|finding| finding.what == "closed").expect("it is told");
    assert_eq!(closed.connection.as_deref(), Some("a-0-1-1"));
    assert!(closed.at.is_some() && closed.says.contains("4410 too slow"), "{closed:?}");
}
