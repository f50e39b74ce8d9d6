//! A writer without a thread: what it is asked, and when it pauses, is as a test says.

use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicU32;
use std::sync::mpsc::sync_channel;

use engine::{Batch, Parcel};
use link::Deployment;
use rusqlite::{Connection, ffi};
use vocabulary::{Check, Epoch, Key, Payload, Position, Seen, ShardId};

use super::*;
use crate::reach::{self, Word};
use crate::{Sync, records, schema};

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: Incarnation, _: Answer) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

/// A writer on a file of its own.
struct Desk {
    folder: PathBuf,
    writer: Writer,
}

impl Desk {
    /// On a file into which that was put.
    fn with(rows: &str) -> Desk {
        Desk::spoilt(rows, |_| ())
    }

    fn spoilt(rows: &str, spoil: impl Fn(&Path)) -> Desk {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kulkul-writer-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&folder).ok();
        std::fs::create_dir_all(&folder).expect("a folder");
        let facts = Arc::new(Facts::default());
        let open = || {
            let connection = schema::writer(&folder, Sync::Always, &facts).expect("a file");
            schema::prepare(&connection, &Deployment::of_this_build(7, Vec::new())).expect("its tables");
            connection
        };
        open().execute_batch(rows).expect("rows");
        spoil(&folder.join(schema::FILE));
        let connection = open();
        let newest = records::newest(&connection).expect("a number");
        let (file, _) = reach::before(&folder).expect("a file");
        let word = Word { newest, start_tag: 7, memory: None };
        let lease = Duration::from_secs(10);
        let writer = Writer {
            questions: sync_channel(1).1,
            readers: sync_channel(1).0,
            answers: Arc::new(Nobody),
            facts: facts.clone(),
            clock: Clock::begin(),
            lease,
            volatile: Volatile::new(lease),
            reach: Reach::begin(file, &folder, word).expect("written"),
            book: Book::new(connection, Epoch::new(Epoch::FIRST_COUNTER, 7), newest),
            company: 0,
            took: Duration::ZERO,
            mend_at: None,
            rest_at: Tick(u64::MAX),
            held: 0,
            wipes: Wipes::default(),
        };
        Desk { folder, writer }
    }

    fn rest(&mut self) {
        let now = self.writer.clock.now();
        self.writer.rest(now);
    }

    /// Stores one record in a room that nobody has written to.
    fn append(&mut self, name: &str) {
        self.ask(one_record(name));
    }

    fn ask(&mut self, question: Question) {
        let now = self.writer.clock.now();
        self.writer.group(now, asked(question));
    }

    fn count(&self, of: &str) -> i64 {
        let select = format!("SELECT count(*) FROM {of}");
        self.writer.book.connection.query_row(&select, [], |row| row.get(0)).expect("a number")
    }
}

fn one_record(name: &str) -> Question {
    let position = Position { epoch: Epoch::new(Epoch::FIRST_COUNTER, 7), offset: 0 };
    let parcel = Parcel { key: Key::once(1, 1), records: vec![Payload::from_static(b"one")] };
    let seen = Seen { position, check: Check::default() };
    let batch = Batch { number: 1, seen, guarded: false, parcels: vec![parcel], due: None };
    Question::Append { room: RoomId::new("chat", name), batch }
}

fn asked(question: Question) -> Asked {
    Asked { by: Incarnation { node: 1, shard: ShardId(0), life: 1 }, question }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// A row and its end of each of a hundred rooms, and one row that nobody gave up; none has an id that a new room gets.
const GIVEN_UP: &str = "
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100)
INSERT INTO log (room, place, data) SELECT 1000 + n, 1, x'' FROM number;
INSERT INTO given_up SELECT room, 1 FROM log;
INSERT INTO log (room, place, data) VALUES (2000, 1, x'');
";

#[test]
fn what_is_deleted_in_a_pause_is_one_commit() {
    let mut desk = Desk::with(GIVEN_UP);
    let commits = Arc::new(AtomicU32::new(0));
    let counted = commits.clone();
    let count = move |_: &mut rusqlite::hooks::Wal, _: i32| {
        counted.fetch_add(1, Ordering::Relaxed);
        Ok(())
    };
    desk.writer.book.connection.wal_hook(Some(count)).expect("a hook");
    desk.rest();
    assert_eq!((desk.count("log"), desk.count("given_up")), (1, 0));
    assert_eq!(commits.load(Ordering::Relaxed), 1);
    desk.rest();
    assert_eq!(commits.load(Ordering::Relaxed), 1, "and none where nothing is left");
}

/// Turns the page into nothing with which that table or index begins.
fn without_root_of(name: &str) -> impl Fn(&Path) {
    move |file| {
        let select = "SELECT rootpage FROM sqlite_master WHERE name = ?1";
        let connection = Connection::open(file).expect("the file");
        let page =
            connection.query_row(select, [name], |row| row.get::<_, u32>(0)).expect("it is there") as usize;
        drop(connection);
        let mut bytes = std::fs::read(file).expect("the file");
        bytes[(page - 1) * 4096..page * 4096].fill(0);
        std::fs::write(file, bytes).expect("damaged");
    }
}

#[test]
fn a_damaged_list_of_what_was_given_up_is_met_once() {
    let mut desk = Desk::spoilt(GIVEN_UP, without_root_of("given_up"));
    for name in ["a", "b", "c"] {
        desk.rest();
        desk.append(name);
    }
    desk.rest();
    let facts = &desk.writer.facts;
    assert_eq!((facts.damaged.get(), facts.records.get()), (1, 3));
    assert_eq!(facts.journal_bytes.get(), 0, "the journal is worked in");
    assert!(!facts.is_failing());
}

#[test]
fn the_newest_row_of_all_goes_when_another_one_is() {
    let mut desk = Desk::with(
        "INSERT INTO log (room, place, data) VALUES (1000, 1, x''), (1000, 2, x'');
         INSERT INTO given_up VALUES (1000, 2);",
    );
    desk.rest();
    assert_eq!((desk.count("log"), desk.count("given_up")), (1, 1));
    assert_eq!(desk.writer.facts.journal_bytes.get(), 0, "nothing waits for that");
    desk.append("a");
    desk.rest();
    assert_eq!((desk.count("log"), desk.count("given_up")), (1, 0));
}

#[test]
fn what_finds_no_room_in_passing_says_nothing_of_what_is_sent() {
    let mut desk = Desk::with("");
    let now = desk.writer.clock.now();
    let full = || Err(Fault::Sqlite(rusqlite::Error::SqliteFailure(ffi::Error::new(ffi::SQLITE_FULL), None)));
    desk.writer.in_passing(now, full());
    assert!(!desk.writer.facts.is_failing(), "what is sent may find some");
    assert_eq!(desk.writer.facts.write_failures.get(), 1);
    if let Err(fault) = full() {
        desk.writer.failed(now, &fault, &[]);
    }
    desk.writer.in_passing(now, full());
    assert!(desk.writer.facts.is_failing(), "what was sent found none");
    desk.append("a");
    assert!(!desk.writer.facts.is_failing(), "and finds some again");
}

#[test]
fn there_is_a_pause_whatever_is_asked_that_stores_nothing() {
    let mut desk = Desk::with("");
    desk.writer.facts.failing.store(true, Ordering::Relaxed);
    desk.writer.rest_at = Tick(0);
    desk.writer.turn(Some(asked(Question::Unfollow { room: RoomId::new("chat", "a") })));
    assert!(!desk.writer.facts.is_failing(), "it was looked whether the disk takes writes");
    assert!(desk.writer.rest_at > Tick(0), "and some time later again");
    desk.writer.rest_at = Tick(0);
    desk.writer.turn(Some(asked(one_record("a"))));
    assert!(desk.writer.facts.journal_bytes.get() > 0, "who stores waits for no pause");
}

#[test]
fn damage_of_what_all_rooms_are_written_to_is_told_from_that_of_one() {
    let mut desk = Desk::with("");
    desk.append("a");
    desk.writer.book.connection.execute("DELETE FROM log", []).expect("its rows");
    desk.append("a");
    let facts = &desk.writer.facts;
    assert_eq!((facts.refused.get(), facts.damaged.get(), facts.is_failing()), (1, 1, false));
    desk.append("b");
    assert_eq!(desk.writer.facts.records.get(), 2, "another room is written to");
    assert_eq!(desk.count("room"), 2, "and the one that was tried is not there");

    let mut desk = Desk::spoilt("", without_root_of("log_place"));
    desk.append("a");
    let facts = &desk.writer.facts;
    assert_eq!((facts.refused.get(), facts.damaged.get(), facts.is_failing()), (1, 1, true));
    desk.rest();
    assert!(desk.writer.facts.is_failing(), "it stays so");
}
