//! What was erased is in no file of the folder: not in the rows, not in pages that they had before, not in the journal.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use engine::{Answer, Erased, Question, Snapshot};
use rusqlite::Connection;
use support::{Asker, Folder, room};
use vocabulary::{Payload, RoomId, Seen, is_tombstone};

impl Folder {
    /// Files that hold this text somewhere.
    fn holds(&self, text: &str) -> Vec<String> {
        let files =
            std::fs::read_dir(&self.0).expect("the folder").map(|entry| entry.expect("a file").path());
        let with = files.filter(|path| {
            let bytes = std::fs::read(path).unwrap_or_default();
            bytes.windows(text.len()).any(|it| it == text.as_bytes())
        });
        with.map(|path| path.file_name().unwrap_or_default().to_string_lossy().into_owned()).collect()
    }
}

fn erase(asker: &Asker, room: &RoomId, seen: Seen, offsets: Vec<u64>) {
    let answer = asker.ask(Question::Erase { room: room.clone(), seen, offsets, ticket: 1 });
    assert!(matches!(answer, Answer::Erased { outcome: Erased::Gone, .. }), "{answer:?}");
}

fn store(asker: &Asker, room: &RoomId, seen: Seen, text: &str) {
    let snapshot = Snapshot { seen, data: Payload::copy_from_slice(text.as_bytes()) };
    let answer = asker.ask(Question::Store { room: room.clone(), snapshot, forget_upto: 0 });
    assert!(matches!(answer, Answer::Stored { kept: Some(_), .. }), "{answer:?}");
}

/// Short ones lie in a page with others, long ones in pages of their own.
const SIZES: [usize; 4] = [1, 60, 1500, 20_000];

#[test]
fn no_file_of_the_folder_holds_what_was_erased() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    let (a, b) = (room("a"), room("b"));
    let (mut seen, mut others) = (asker.start(&a), asker.start(&b));
    for number in 0..40 {
        for size in SIZES {
            let said = if number % 3 == 0 { "ana said this" } else { "bo said that" };
            seen = asker.append(&a, seen, &said.repeat(size));
        }
        others = asker.append(&b, others, "beside it");
    }
    assert!(!folder.holds("ana said this").is_empty(), "it was there");
    let offsets: Vec<u64> = (1..=160).filter(|offset| (offset - 1) / 4 % 3 == 0).collect();
    erase(&asker, &a, seen, offsets.clone());
    assert_eq!(folder.holds("ana said this"), [] as [&str; 0], "while it is served");
    assert!(!folder.holds("bo said that").is_empty(), "what others said stays");
    let kept = asker.load(&a);
    let gone: Vec<u64> =
        kept.records.iter().filter(|it| is_tombstone(&it.data)).map(|it| it.offset).collect();
    assert_eq!(gone, offsets[..gone.len()]);
    drop(asker);
    assert_eq!(folder.holds("ana said this"), [] as [&str; 0], "when it has ended");
}

#[test]
fn the_snapshot_before_the_next_one_is_gone_from_the_files_too() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    let a = room("a");
    let one = asker.append(&a, asker.start(&a), "one");
    store(&asker, &a, one, &"ana is in here".repeat(5000));
    let two = asker.append(&a, one, "two");
    erase(&asker, &a, two, Vec::new());
    store(&asker, &a, two, "nobody is");
    assert_eq!(folder.holds("ana is in here"), [] as [&str; 0]);
}

/// Nobody is told that it is gone while the journal has it.
#[test]
fn who_asked_is_answered_when_no_reader_needs_the_journal_any_more() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    let a = room("a");
    let seen = asker.append(&a, asker.start(&a), "ana said this");
    let reads = Connection::open(folder.0.join("rooms.db")).expect("the file");
    reads.execute_batch("BEGIN; SELECT count(*) FROM log").expect("a reader");
    asker.tell(Question::Erase { room: a.clone(), seen, offsets: vec![1], ticket: 1 });
    // Behind it, and answered before it.
    let seen = asker.append(&a, seen, "two");
    assert!(!folder.holds("ana said this").is_empty(), "the reader's page");
    reads.execute_batch("COMMIT").expect("done");
    let answer = asker.hear();
    assert!(matches!(answer, Answer::Erased { outcome: Erased::Gone, .. }), "{answer:?}");
    assert_eq!(folder.holds("ana said this"), [] as [&str; 0]);
    assert_eq!(asker.load(&a).head, seen.position);
}
