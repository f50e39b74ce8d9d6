//! What every engine must do, on a file in a folder of its own.

#[allow(dead_code, reason = "each file of tests needs a part of it")]
mod support;

use std::sync::Arc;

use conformance::Plant;
use engine_disk::{Config, Disk, Sync};
use link::{Answers, Deployment};
use support::Folder;

conformance::tests!(conformance::Wired::new(super::support::Folder::new()));
conformance::restart_tests!(conformance::Wired::new(super::support::Folder::new()));

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
        refused.to_string().starts_with("rooms.db has layout 1, and this build knows 3 alone"),
        "{refused}"
    );
    let file = rusqlite::Connection::open(folder.0.join("rooms.db")).expect("the file");
    let layout: i64 = file.query_row("PRAGMA user_version", [], |row| row.get(0)).expect("its layout");
    assert_eq!(layout, 1);
}

struct Panics;

impl Answers for Panics {
    fn put(&self, _: vocabulary::Incarnation, _: engine::Answer) -> Result<(), Box<engine::Answer>> {
        panic!("what the writer calls is broken")
    }
}

/// The node ends then, and says so to whoever is connected; the process is not the engine's to end.
#[test]
fn a_writer_that_panics_says_that_nothing_is_stored_any_more_and_ends_alone() {
    let mut folder = Folder::new();
    let disk = folder.open(Arc::new(Panics));
    assert_eq!(disk.broken(), None);
    let by = vocabulary::Incarnation { node: 1, shard: vocabulary::ShardId(0), life: 1 };
    let question = engine::Question::Attend { shards: 1 };
    assert!(disk.ask(engine::Asked { by, question }).is_ok());
    let since = std::time::Instant::now();
    while disk.broken().is_none() {
        assert!(since.elapsed() < std::time::Duration::from_secs(10), "it is said");
        std::thread::yield_now();
    }
    assert!(disk.broken().is_some_and(|why| why.contains("panicked")));
}
