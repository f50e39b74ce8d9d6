//! A file that is not the one that was served last, or is gone: nobody goes on in an epoch that somebody knows with other records.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use engine::{Answer, Followed, Loaded, Question, Snapshot};
use support::{Asker, Folder, room};
use vocabulary::{Check, Epoch, Payload, Seen};

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

impl Folder {
    fn put_in(&self, backup: &[u8]) {
        std::fs::write(self.0.join("rooms.db"), backup).expect("put in");
    }

    fn backup(&self) -> Vec<u8> {
        std::fs::read(self.0.join("rooms.db")).expect("the file")
    }
}

/// So many records more in the room; what was seen then.
fn says(asker: &Asker, name: &str, count: u64) -> Seen {
    let Loaded { head, records, .. } = asker.load(&room(name));
    let roll = |check: Check, data| check.roll(Check::hash(data));
    let check = records.iter().fold(Check::default(), |check, one| roll(check, &one.data));
    (0..count).fold(Seen { position: head, check }, |seen, _| asker.append(&room(name), seen, "one"))
}

#[test]
fn a_file_that_another_life_of_the_folder_knows_nothing_of_begins_new_epochs() {
    let first = Folder::new();
    let asker = Asker::open(&first, 7).expect("a new folder");
    let old = says(&asker, "a", 5);
    drop(asker);
    let backup = first.backup();

    let served_once = Folder::new();
    drop(Asker::open(&served_once, 8).expect("a new folder"));
    served_once.put_in(&backup);
    let asker = Asker::open(&served_once, 9).expect("the backup");
    assert_eq!(asker.load(&room("a")).head.epoch, Epoch::new(2, 9));
    drop(asker);

    let began_anew = Folder::new();
    let asker = Asker::open(&began_anew, 8).expect("a new folder");
    says(&asker, "b", 3);
    drop(asker);
    began_anew.put_in(&backup);
    let asker = Asker::open(&began_anew, 9).expect("the backup");
    assert_eq!(asker.load(&room("a")).head.epoch, Epoch::new(2, 9));
    let untouched = asker.load(&room("c")).head.epoch;
    assert_eq!(untouched, Epoch::new(1, 9), "and no room is in one that was lost");
    drop(asker);

    let asker = Asker::open(&first, 10).expect("the same file");
    assert_eq!(asker.load(&room("a")).head, old.position, "what is where it was goes on");
}

#[test]
fn a_newer_backup_after_an_older_one_begins_new_epochs_though_it_reaches_further() {
    let folder = Folder::new();
    let mut backups = Vec::new();
    for start_tag in [7, 8, 9] {
        let asker = Asker::open(&folder, start_tag).expect("the same file");
        says(&asker, "a", 10);
        drop(asker);
        backups.push(folder.backup());
    }
    folder.put_in(&backups[0]);
    let asker = Asker::open(&folder, 10).expect("the older one");
    assert_eq!(says(&asker, "a", 2).position.epoch, Epoch::new(2, 10));
    drop(asker);
    folder.put_in(&backups[1]);
    let asker = Asker::open(&folder, 11).expect("the newer one");
    let head = asker.load(&room("a")).head;
    assert_eq!((head.epoch, head.offset), (Epoch::new(2, 11), 20));
}

#[test]
fn a_file_beside_a_spoilt_reach_begins_new_epochs() {
    for spoil in [|bytes: &mut Vec<u8>| bytes.truncate(9), |bytes: &mut Vec<u8>| bytes[0] ^= 1] {
        let folder = Folder::new();
        let asker = Asker::open(&folder, 7).expect("a new folder");
        says(&asker, "a", 1);
        drop(asker);
        let reach = folder.0.join("reach");
        let mut bytes = std::fs::read(&reach).expect("the file");
        spoil(&mut bytes);
        std::fs::write(&reach, bytes).expect("spoilt");
        let asker = Asker::open(&folder, 8).expect("the same file");
        assert_eq!(asker.load(&room("a")).head.epoch, Epoch::new(2, 8));
    }
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

#[test]
fn a_damaged_snapshot_keeps_no_file_from_beginning_new_epochs() {
    let folder = Folder::new();
    let asker = Asker::open(&folder, 7).expect("a new folder");
    // Each on a page of its own.
    for name in ["a", "b", "c"] {
        let seen = asker.append(&room(name), asker.start(&room(name)), "one");
        let snapshot = Snapshot { seen, data: name.repeat(3000).into() };
        asker.ask(Question::Store { room: room(name), snapshot, forget_upto: 0 });
    }
    drop(asker);
    folder.without_pages_of(b'a');
    std::fs::remove_file(folder.0.join("reach")).expect("put into another folder");
    let asker = Asker::open(&folder, 8).expect("the list of rooms is whole");
    for name in ["b", "c"] {
        let Loaded { head, snapshot, .. } = asker.load(&room(name));
        assert_eq!(head.epoch, Epoch::new(2, 8));
        assert_eq!(snapshot.map(|it| (it.seen.position, it.data)), Some((head, name.repeat(3000).into())));
    }
    let follow = Question::Follow { room: room("a"), seen: None, ticket: 1 };
    assert!(matches!(asker.ask(follow), Answer::Followed { outcome: Followed::Damaged, .. }));
}
