//! What every engine must do, on a file in a folder of its own.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use conformance::Plant;
use engine::{Answer, Appended, Asked, Batch, Followed, Loaded, Parcel, Question, Snapshot};
use engine_disk::{Config, Disk, Sync};
use link::{Answers, Condition, Deployment, Link};
use vocabulary::{Check, Incarnation, Key, Payload, Position, RoomId, Seen, ShardId};

struct Folder(PathBuf, Option<Arc<Disk>>);

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Folder {
    fn new() -> Folder {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kulkul-disk-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&path).ok();
        Folder(path, None)
    }
}

impl Plant for Folder {
    /// One node has the file; the others of a dialogue are its shards.
    fn open(&mut self, answers: Arc<dyn Answers>) -> Arc<dyn Link> {
        let folder = self.0.clone();
        let lease = self.lease();
        let open = || {
            let deployment = Deployment::of_this_build(7, Vec::new());
            let config = Config { folder, sync: Sync::Always, lease };
            Arc::new(Disk::open(config, &deployment, answers).expect("a folder of its own"))
        };
        self.1.get_or_insert_with(open).clone()
    }

    fn lease(&self) -> Duration {
        Duration::from_secs(3)
    }

    fn restart(&mut self) {
        self.1 = None;
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        self.1 = None;
        if !std::thread::panicking() {
            std::fs::remove_dir_all(&self.0).ok();
        }
    }
}

conformance::tests!(conformance::Wired::new(super::Folder::new()));
conformance::restart_tests!(conformance::Wired::new(super::Folder::new()));

struct Nobody;

impl Answers for Nobody {
    fn put(&self, _: vocabulary::Incarnation, _: engine::Answer) -> Result<(), Box<engine::Answer>> {
        Ok(())
    }
}

#[test]
fn a_folder_is_served_by_one_process() {
    let mut folder = Folder::new();
    let held = folder.open(Arc::new(Nobody));
    let deployment = Deployment::of_this_build(7, Vec::new());
    let again = Config { folder: folder.0.clone(), sync: Sync::Always, lease: folder.lease() };
    let refused = Disk::open(again, &deployment, Arc::new(Nobody)).err().expect("it is taken");
    assert!(refused.to_string().contains("another process serves this data folder"), "{refused}");
    drop(held);
}

#[test]
fn a_file_with_another_layout_is_refused_and_left_as_it_is() {
    let mut folder = Folder::new();
    drop(folder.open(Arc::new(Nobody)));
    folder.1 = None;
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    file.pragma_update(None, "user_version", 1).expect("its layout");
    drop(file);
    let deployment = Deployment::of_this_build(7, Vec::new());
    let config = Config { folder: folder.0.clone(), sync: Sync::Always, lease: folder.lease() };
    let refused = Disk::open(config, &deployment, Arc::new(Nobody)).err().expect("another layout");
    assert!(
        refused.to_string().starts_with("rooms.db has layout 1, and this build knows 2 alone"),
        "{refused}"
    );
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    let layout: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("its layout");
    assert_eq!(layout, 1);
}

/// Who asks, and hears the answers one after the other.
struct Asker {
    disk: Disk,
    heard: Receiver<Answer>,
}

struct Ear(SyncSender<Answer>);

impl Answers for Ear {
    fn put(&self, _: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send(answer).map_err(|error| match error {
            TrySendError::Full(answer) | TrySendError::Disconnected(answer) => Box::new(answer),
        })
    }
}

impl Asker {
    fn open(folder: &Folder, start_tag: u32) -> Result<Asker, engine_disk::OpenError> {
        Asker::synced(folder, start_tag, Sync::Always)
    }

    fn synced(folder: &Folder, start_tag: u32, sync: Sync) -> Result<Asker, engine_disk::OpenError> {
        let (ear, heard) = sync_channel(1024);
        let deployment = Deployment::of_this_build(start_tag, Vec::new());
        // Longer than any test takes.
        let config = Config { folder: folder.0.clone(), sync, lease: Duration::from_secs(3600) };
        Ok(Asker { disk: Disk::open(config, &deployment, Arc::new(Ear(ear)))?, heard })
    }

    fn ask(&self, question: Question) -> Answer {
        let by = Incarnation { node: 1, shard: ShardId(0), life: 1 };
        self.disk.ask(Asked { by, question }).expect("taken");
        self.heard.recv_timeout(Duration::from_secs(30)).expect("an answer")
    }

    fn load(&self, room: &RoomId) -> Loaded {
        let answer = self.ask(Question::Follow { room: room.clone(), seen: None, ticket: 1 });
        match answer {
            Answer::Followed { outcome: Followed::Loaded(loaded), .. } => loaded,
            other => panic!("{other:?}"),
        }
    }

    /// Appends one record behind what was seen, and says what was seen then.
    fn append(&self, room: &RoomId, seen: Seen, data: &str) -> Seen {
        let data = Payload::copy_from_slice(data.as_bytes());
        let check = seen.check.roll(Check::hash(&data));
        let key = Key::once(1, seen.position.offset);
        let parcels = vec![Parcel { key, records: vec![data] }];
        let batch = Batch { number: 1, seen, guarded: false, parcels, due: None };
        match self.ask(Question::Append { room: room.clone(), batch }) {
            Answer::Appended { outcome: Appended::Stored { head, .. }, .. } => Seen { position: head, check },
            other => panic!("{other:?}"),
        }
    }

    fn start(&self, room: &RoomId) -> Seen {
        Seen { position: Position { offset: 0, ..self.load(room).head }, check: Check::default() }
    }
}

fn room(name: &str) -> RoomId {
    RoomId::new("chat", name)
}

#[test]
fn a_file_that_was_put_back_from_a_backup_begins_new_epochs_with_the_log_it_has() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    let old = asker.append(&room("a"), asker.start(&room("a")), "one");
    let snapshot = Snapshot { seen: old, data: Payload::from_static(b"state") };
    asker.ask(Question::Store { room: room("a"), snapshot, forget_upto: 0 });
    drop(asker);
    let backup = std::fs::read(folder.0.join("rooms.db")).expect("the file");

    let asker = Asker::open(&folder, 8).expect("the same file");
    let loaded = asker.load(&room("a"));
    assert_eq!(
        (loaded.head, loaded.snapshot.map(|it| it.seen)),
        (old.position, Some(old)),
        "nothing was lost"
    );
    asker.append(&room("a"), old, "two");
    drop(asker);
    std::fs::write(folder.0.join("rooms.db"), &backup).expect("put back");

    let asker = Asker::open(&folder, 9).expect("the backup");
    let loaded = asker.load(&room("a"));
    let epoch = loaded.head.epoch;
    assert_eq!((epoch.counter(), loaded.head.offset), (old.position.epoch.counter() + 1, 1));
    assert_eq!(loaded.snapshot.map(|it| (it.seen.position, it.data)), Some((loaded.head, "state".into())));
    let again = asker.append(&room("a"), Seen { position: loaded.head, check: old.check }, "another two");
    drop(asker);
    let asker = Asker::open(&folder, 10).expect("the same file");
    assert_eq!(asker.load(&room("a")).head, again.position, "and goes on in it");
    drop(asker);

    std::fs::write(folder.0.join("rooms.db"), &backup).expect("put back again");
    let asker = Asker::open(&folder, 11).expect("the backup");
    assert_ne!(asker.load(&room("a")).head.epoch, epoch, "not in one that somebody knows with other records");
    drop(asker);
    std::fs::write(folder.0.join("rooms.db"), &backup).expect("put into another folder");
    std::fs::remove_file(folder.0.join("reach")).expect("which has no other file");
    let asker = Asker::open(&folder, 12).expect("the backup");
    assert_eq!(asker.load(&room("a")).head.epoch.counter(), epoch.counter());
}

#[test]
fn a_file_that_is_gone_is_not_begun_anew_in_silence() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    asker.append(&room("a"), asker.start(&room("a")), "one");
    drop(asker);
    std::fs::write(folder.0.join("rooms.db"), "").expect("emptied");
    let refused = Asker::open(&folder, 7).err().expect("refused").to_string();
    assert!(refused.contains("held rooms before; if they are to begin anew"), "{refused}");
    std::fs::remove_file(folder.0.join("reach")).expect("its last word");
    std::fs::write(folder.0.join("rooms.db-wal"), [1; 5000]).expect("a journal");
    let refused = Asker::open(&folder, 7).err().expect("refused").to_string();
    assert!(refused.contains("its journal rooms.db-wal is not"), "{refused}");
    std::fs::remove_file(folder.0.join("rooms.db-wal")).expect("the journal");
    assert_eq!(Asker::open(&folder, 7).expect("a new file").load(&room("a")).head.offset, 0);
}

/// What a page of rows begins with.
const LEAF: u8 = 13;

/// A room with rows that fill pages of their own, one with a small one; and what turns the pages of the first into nothing.
fn damaged(folder: &Folder) -> Seen {
    let asker = Asker::open(folder, 7).expect("a new folder");
    let mut seen = asker.start(&room("large"));
    for _ in 0..20 {
        seen = asker.append(&room("large"), seen, &"a".repeat(3000));
    }
    asker.append(&room("between"), asker.start(&room("between")), &"b".repeat(3000));
    let small = asker.append(&room("small"), asker.start(&room("small")), "one");
    drop(asker);
    let path = folder.0.join("rooms.db");
    let file = rusqlite::Connection::open(&path).expect("the file");
    let given_up = "INSERT INTO given_up SELECT id, 20 FROM room WHERE name = 'chat:large'";
    assert_eq!(file.execute(given_up, []).expect("given up"), 1);
    drop(file);
    let mut bytes = std::fs::read(&path).expect("the file");
    for page in bytes
        .chunks_mut(4096)
        .filter(|page| page[0] == LEAF && page.windows(1000).any(|it| it == [b'a'; 1000]))
    {
        page.fill(0);
    }
    std::fs::write(&path, bytes).expect("damaged");
    small
}

#[test]
fn damage_among_what_was_given_up_keeps_nobody_from_storing() {
    let folder = Folder::new();
    let mut seen = damaged(&folder);
    let asker = Asker::open(&folder, 7).expect("the list of rooms is whole");
    for number in 0..3 {
        seen = asker.append(&room("small"), seen, &format!("{number}"));
        let snapshot = Snapshot { seen, data: Payload::from_static(b"state") };
        let forget_upto = seen.position.offset;
        let answer = asker.ask(Question::Store { room: room("small"), snapshot, forget_upto });
        assert!(matches!(answer, Answer::Stored { kept: Some(_), .. }), "{answer:?}");
    }
    assert!(asker.disk.condition() == Condition::Serving);
}

#[test]
fn what_was_given_up_goes_while_others_are_stored() {
    let folder = Folder::new();
    let asker = Asker::synced(&folder, 7, Sync::Process).expect("a new folder");
    let names: Vec<RoomId> = (0..20).map(|number| room(&number.to_string())).collect();
    let mut seen: Vec<Seen> = names.iter().map(|name| asker.start(name)).collect();
    for _ in 0..30 {
        for (name, seen) in names.iter().zip(&mut seen) {
            *seen = asker.append(name, *seen, "one");
        }
    }
    for (name, seen) in names.iter().zip(&seen) {
        let snapshot = Snapshot { seen: *seen, data: Payload::from_static(b"state") };
        asker.ask(Question::Store { room: name.clone(), snapshot, forget_upto: 30 });
    }
    // Two for one: 600 and the ends of 20 are gone after 310.
    let mut busy = asker.start(&room("busy"));
    for _ in 0..320 {
        busy = asker.append(&room("busy"), busy, "one");
    }
    drop(asker);
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    let count = |text: &str| file.query_row(text, [], |row| row.get::<_, i64>(0)).expect("a number");
    // The newest of all stays, should there have been a pause when that was one of them.
    let left = count("SELECT count(*) FROM log");
    assert!((320..=321).contains(&left), "{left} rows");
    assert_eq!(count("SELECT count(*) FROM given_up"), 0);
}
