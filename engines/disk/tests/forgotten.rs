//! Commits that only the operating system has: they outlive the process, and nobody is led to believe that they outlive the machine.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use engine_disk::Sync;
use rusqlite::Connection;
use support::{Asker, Folder, room};
use vocabulary::{Position, Seen};

/// Of `reach`, where the machine's start stands whose memory holds commits, and the sum behind it.
const BOOT: std::ops::Range<usize> = 12..28;
const SUM: std::ops::Range<usize> = 28..32;

impl Folder {
    /// The files as they are now, as the end of a process leaves them.
    fn killed(&self) -> Folder {
        let copy = Folder::new();
        std::fs::create_dir_all(&copy.0).expect("a folder");
        // In this order: what is worked into the file meanwhile stays in the journal.
        for name in ["reach", "rooms.db", "rooms.db-wal"] {
            std::fs::copy(self.0.join(name), copy.0.join(name)).expect("copied");
        }
        copy
    }

    /// Another start of the machine begins: commits that were in its memory were in that of the one before.
    fn machine_began_anew(&self) {
        let path = self.0.join("reach");
        let mut bytes = std::fs::read(&path).expect("the file");
        if bytes[BOOT].iter().any(|byte| *byte != 0) {
            bytes[BOOT][0] ^= 1;
            let sum = crc32fast::hash(&bytes[..SUM.start]);
            bytes[SUM].copy_from_slice(&sum.to_le_bytes());
        }
        std::fs::write(&path, bytes).expect("written");
    }

    fn head(&self, sync: Sync) -> Position {
        Asker::synced(self, 9, sync).expect("the same file").load(&room("a")).head
    }
}

/// A disk that holds ten commits in its journal, and where they end.
fn served(folder: &Folder, sync: Sync) -> (Asker, Connection, Seen) {
    let asker = Asker::synced(folder, 7, sync).expect("a new folder");
    // As long as somebody reads, the journal is not begun anew.
    let reads = Connection::open(folder.0.join("rooms.db")).expect("the file");
    reads.execute_batch("BEGIN; SELECT count(*) FROM room").expect("a reader");
    let start = asker.start(&room("a"));
    let seen = (0..10).fold(start, |seen, _| asker.append(&room("a"), seen, "one"));
    (asker, reads, seen)
}

#[test]
fn what_a_machine_may_have_forgotten_begins_new_epochs() {
    let folder = Folder::new();
    let (asker, reads, seen) = served(&folder, Sync::Process);
    let killed = folder.killed();
    assert_eq!(killed.head(Sync::Process), seen.position, "the process alone ended");
    for sync in [Sync::Process, Sync::Always] {
        let killed = folder.killed();
        killed.machine_began_anew();
        let asker = Asker::synced(&killed, 8, sync).expect("the same file");
        let head = asker.load(&room("a")).head;
        assert_eq!(head.epoch.counter(), seen.position.epoch.counter() + 1, "{sync:?}");
        assert_eq!(killed.killed().head(sync), head, "once, {sync:?}");
    }
    drop(reads);
    drop(asker);
    folder.machine_began_anew();
    assert_eq!(folder.head(Sync::Process), seen.position, "it ended in peace");
}

#[test]
fn what_the_disk_has_is_gone_on_with_on_another_machine() {
    let folder = Folder::new();
    let (_asker, _reads, seen) = served(&folder, Sync::Always);
    let killed = folder.killed();
    killed.machine_began_anew();
    assert_eq!(killed.head(Sync::Always), seen.position);
}

#[test]
fn who_syncs_from_now_on_knows_that_the_life_before_did_not() {
    let folder = Folder::new();
    let (_asker, _reads, seen) = served(&folder, Sync::Process);
    let killed = folder.killed();
    let asker = Asker::synced(&killed, 9, Sync::Always).expect("the same file");
    assert_eq!(asker.load(&room("a")).head, seen.position);
    let killed_again = killed.killed();
    killed_again.machine_began_anew();
    assert_ne!(killed_again.head(Sync::Always).epoch, seen.position.epoch);
}

#[test]
fn a_journal_that_breaks_off_is_damage_unless_a_machine_forgot_the_rest() {
    for sync in [Sync::Process, Sync::Always] {
        let folder = Folder::new();
        let (_asker, _reads, seen) = served(&folder, sync);
        let killed = folder.killed();
        let path = killed.0.join("rooms.db-wal");
        let mut journal = std::fs::read(&path).expect("the journal");
        let middle = journal.len() / 2;
        journal[middle] ^= 1;
        std::fs::write(&path, journal).expect("written");
        let refused = Asker::synced(&killed, 9, sync).err().expect("refused").to_string();
        assert!(refused.contains("breaks off in front of commits that were answered"), "{refused}");
        killed.machine_began_anew();
        match sync {
            Sync::Process => assert_ne!(killed.head(sync).epoch, seen.position.epoch),
            Sync::Always => {
                assert!(Asker::synced(&killed, 9, sync).is_err(), "no machine forgets what is synced")
            }
        }
    }
}
