//! Pauses of a writer that nobody asks, one after the other as a test says: no thread, no clock.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::sync_channel;
use std::time::Duration;

use engine::{Answer, Volatile};
use link::{Answers, Deployment};
use vocabulary::{Epoch, Incarnation};

use super::*;
use crate::book::Book;
use crate::clock::Clock;
use crate::facts::Facts;
use crate::reach::{self, Reach, Word};
use crate::{Sync, records, schema};

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: Incarnation, _: Answer) -> Result<(), Box<Answer>> {
        Ok(())
    }
}

/// A writer that nobody asks, on a file of its own.
struct Desk {
    folder: PathBuf,
    writer: Writer,
}

impl Desk {
    /// On a file into which that was put.
    fn with(rows: &str) -> Desk {
        Desk::spoilt(rows, |_| ())
    }

    fn spoilt(rows: &str, spoil: impl Fn(&PathBuf)) -> Desk {
        static NUMBER: AtomicU32 = AtomicU32::new(0);
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let folder = std::env::temp_dir().join(format!("kulkul-rest-{}-{number}", std::process::id()));
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
            held: 0,
        };
        Desk { folder, writer }
    }

    fn rest(&mut self) {
        let now = self.writer.clock.now();
        self.writer.rest(now);
    }

    fn count(&self, of: &str) -> i64 {
        let select = format!("SELECT count(*) FROM {of}");
        self.writer.book.connection.query_row(&select, [], |row| row.get(0)).expect("a number")
    }
}

impl Drop for Desk {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.folder).ok();
        }
    }
}

/// A row and its end of each of a hundred rooms, and one row that nobody gave up.
const GIVEN_UP: &str = "
WITH RECURSIVE number(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < 100)
INSERT INTO log (room, place, data) SELECT n, 1, x'' FROM number;
INSERT INTO given_up SELECT room, 1 FROM log;
INSERT INTO log (room, place, data) VALUES (101, 1, x'');
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
