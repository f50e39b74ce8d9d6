//! Rooms that are given to a file and taken from it: what comes out is what went in, or is refused with its place.

mod support;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::Duration;

use engine::{Answer, Batch, Loaded, Parcel, Question, Snapshot};
use engine_disk::{Arriving, Beside, Config, Disk, Giving, OpenError, Sync};
use ferry::{Epochs, Give, Head, Item, Kept, Reader, Taker, Writer, give, verify};
use link::{Deployment, Link};
use support::{Asker, Folder, room};
use vocabulary::{Check, Key, Payload, Position, Seen, Wall};

/// Numbers that look drawn, the same for each seed.
struct Drawn(u64);

impl Drawn {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % bound
    }
}

/// Rooms with records of all sizes, keys, snapshots, trimmed logs, erased records, duties and epochs.
fn fill(asker: &Asker, drawn: &mut Drawn) {
    for number in 0..drawn.below(12) {
        let name = format!("room-{number}");
        let mut seen = asker.start(&room(&name));
        for time in 0..drawn.below(40) {
            seen = append(asker, &name, seen, time, drawn);
            match drawn.below(12) {
                0 if seen.position.offset > 0 => store(asker, &name, seen, drawn),
                1 => erase(asker, &name, seen, drawn),
                2 => seen = begin_epoch(asker, &name, seen),
                _ => {}
            }
        }
    }
}

fn append(asker: &Asker, name: &str, seen: Seen, time: u64, drawn: &mut Drawn) -> Seen {
    let mut check = seen.check;
    let parcels: Vec<Parcel> = (0..=drawn.below(4))
        .map(|part| {
            let records: Vec<Payload> = (0..=drawn.below(3))
                .map(|_| vec![drawn.below(256) as u8; drawn.below(3000) as usize + 1].into())
                .collect();
            check = records.iter().fold(check, |check, data| check.roll(Check::hash(data)));
            Parcel { key: Key::once(time, part), records }
        })
        .collect();
    let due = (drawn.below(3) == 0).then(|| Wall(1_000_000 + drawn.below(1_000_000) as i64));
    let batch = Batch { number: time, seen, guarded: false, parcels, due };
    match asker.ask(Question::Append { room: room(name), batch }) {
        Answer::Appended { outcome: engine::Appended::Stored { head, .. }, .. } => {
            Seen { position: head, check }
        }
        other => panic!("{other:?}"),
    }
}

fn store(asker: &Asker, name: &str, seen: Seen, drawn: &mut Drawn) {
    let snapshot = Snapshot { seen, data: vec![7; drawn.below(5000) as usize + 1].into() };
    let forget_upto = drawn.below(seen.position.offset + 1);
    asker.ask(Question::Store { room: room(name), snapshot, forget_upto });
}

fn erase(asker: &Asker, name: &str, seen: Seen, drawn: &mut Drawn) {
    let offsets = vec![drawn.below(seen.position.offset) + 1];
    asker.ask(Question::Erase { room: room(name), seen, offsets, ticket: 1 });
}

fn begin_epoch(asker: &Asker, name: &str, old: Seen) -> Seen {
    let position = Position { epoch: old.position.epoch.next(9), offset: 0 };
    let seen = Seen { position, check: Check::default() };
    let base = Snapshot { seen, data: "begun".into() };
    let answer = asker.ask(Question::BeginEpoch { room: room(name), old, base });
    assert!(matches!(answer, Answer::EpochBegan { epoch, .. } if epoch == position.epoch), "{answer:?}");
    seen
}

fn given(folder: &Path, beside: Beside) -> Vec<Item> {
    let mut giving = Giving::open(folder, beside).expect("a whole folder");
    let mut items = Vec::new();
    give(&mut giving, false, &mut |item, _| {
        items.push(item);
        Ok(())
    })
    .expect("given");
    items
}

fn head(folder: &Path) -> Head {
    let deployment = Giving::open(folder, Beside::Whoever).expect("a whole folder").deployment().clone();
    Head { deployment, made_at: 1, id: 2, engine: "disk".to_owned() }
}

fn written(items: &[Item], head: &Head, path: &Path) {
    let mut writer = Writer::begin(path, true, head).expect("begun");
    items.iter().for_each(|item| writer.write(item).expect("written"));
    writer.finish().expect("whole");
}

/// One that takes into a folder's draft.
fn taker(arriving: &Arriving, deployment: &Deployment) -> Taker {
    let config =
        Config { folder: arriving.draft().to_owned(), sync: Sync::Process, lease: Duration::from_secs(3600) };
    let asker = ferry::Asker::open(1, |answers| {
        let disk = Disk::open(config, deployment, answers)?;
        Ok::<Box<dyn Link>, OpenError>(Box::new(disk))
    });
    Taker::new(asker.expect("a draft"), deployment.start_tag, Epochs::Same)
}

fn taken(path: &Path, folder: &Path) {
    let (head, counts, void) = verify(path, &mut |_| {}).expect("a whole file");
    assert_eq!(void, BTreeSet::new());
    let arriving = Arriving::begin(folder).expect("an empty folder");
    let mut taker = taker(&arriving, &head.deployment);
    let mut reader = Reader::open(path).expect("a whole file");
    while let Kept::Item(item) = reader.read().expect("proven") {
        taker.take(item).expect("taken");
    }
    assert_eq!(taker.rooms, counts.rooms);
    drop(taker);
    arriving.finish(true).expect("in its place");
}

fn beside(folder: &Folder, name: &str) -> PathBuf {
    folder.0.join(name)
}

#[test]
fn what_comes_out_of_a_file_is_what_went_in() {
    let mut records = 0;
    for seed in 1..=16 {
        let (from, to) = (Folder::new(), Folder::new());
        let asker = Asker::synced(&from, 7, Sync::Process).expect("a new folder");
        fill(&asker, &mut Drawn(seed));
        // While it is served.
        let items = given(&from.0, Beside::Whoever);
        drop(asker);
        let file = beside(&from, "backup");
        written(&items, &head(&from.0), &file);
        taken(&file, &to.0);
        let again = given(&to.0, Beside::Nobody);
        assert_eq!(again, items, "seed {seed}");
        records += items.iter().filter(|item| matches!(item, Item::Records(_))).count();
        for item in items {
            let Item::Room(before) = item else { continue };
            let name = before.name.as_str().strip_prefix("chat:").expect("of chat");
            let Loaded { head, base, .. } = Asker::open(&to, 8).expect("the same log").load(&room(name));
            assert_eq!((head.epoch, base), (before.epoch, before.base.position.offset), "seed {seed}");
        }
    }
    assert!(records > 16, "the stores held next to nothing");
}

#[test]
fn a_file_that_is_cut_off_or_flipped_anywhere_is_refused_with_its_place() {
    let from = Folder::new();
    let asker = Asker::open(&from, 7).expect("a new folder");
    let seen = asker.append(&room("a"), asker.start(&room("a")), "one");
    asker.append(&room("a"), seen, "two");
    asker.append(&room("b"), asker.start(&room("b")), "three");
    drop(asker);
    let file = beside(&from, "backup");
    written(&given(&from.0, Beside::Nobody), &head(&from.0), &file);
    let whole = std::fs::read(&file).expect("read");
    let refused = |bytes: &[u8], what: &str| {
        std::fs::write(&file, bytes).expect("spoilt");
        let why = verify(&file, &mut |_| {}).expect_err(what).to_string();
        assert!(why.contains("at byte "), "{what}: {why}");
    };
    for length in 0..whole.len() {
        refused(&whole[..length], &format!("{length} bytes"));
    }
    for at in 0..whole.len() {
        let mut flipped = whole.clone();
        flipped[at] ^= 1 << (at % 8);
        refused(&flipped, &format!("byte {at}"));
    }
    refused(&[&whole[..], b"more"].concat(), "something behind its end");
    std::fs::write(&file, &whole).expect("mended");
    verify(&file, &mut |_| {}).expect("whole");
}

#[test]
fn a_folder_into_which_rooms_were_coming_is_served_by_nobody_until_they_are_there() {
    let (from, to) = (Folder::new(), Folder::new());
    let asker = Asker::open(&from, 7).expect("a new folder");
    asker.append(&room("a"), asker.start(&room("a")), "one");
    drop(asker);
    let file = beside(&from, "backup");
    written(&given(&from.0, Beside::Nobody), &head(&from.0), &file);
    let arriving = Arriving::begin(&to.0).expect("an empty folder");
    drop((taker(&arriving, &head(&from.0).deployment), arriving));
    let refused = Asker::open(&to, 8).err().expect("refused").to_string();
    assert!(refused.contains("run it again, or remove"), "{refused}");
    let refused = Giving::open(&to.0, Beside::Whoever).err().expect("refused").to_string();
    assert!(refused.contains("cannot be used"), "it has no rooms: {refused}");
    taken(&file, &to.0);
    assert_eq!(given(&to.0, Beside::Nobody), given(&from.0, Beside::Nobody));
    let refused = Arriving::begin(&to.0).err().expect("it is full").to_string();
    assert!(refused.contains("holds rooms already"), "{refused}");
}

#[test]
fn a_damaged_room_is_named_and_left_out_where_that_is_wanted() {
    let from = Folder::new();
    let asker = Asker::open(&from, 7).expect("a new folder");
    for name in ["a", "b", "c"] {
        let mut seen = asker.start(&room(name));
        for _ in 0..4 {
            seen = asker.append(&room(name), seen, &name.repeat(3000));
        }
    }
    drop(asker);
    from.without_pages_of(b'b');
    let mut giving = Giving::open(&from.0, Beside::Nobody).expect("the list of rooms is whole");
    let refused = give(&mut giving, false, &mut |_, _| Ok(())).expect_err("refused").to_string();
    assert!(refused.contains("chat:b") && refused.contains("--skip-damaged"), "{refused}");
    drop(giving);
    let mut giving = Giving::open(&from.0, Beside::Nobody).expect("the list of rooms is whole");
    let mut names = Vec::new();
    let gave = give(&mut giving, true, &mut |item, _| {
        if let Item::Room(room) = item {
            names.push(room.name.to_string());
        }
        Ok(())
    });
    assert_eq!(gave.expect("the others").damaged, [room("b")]);
    assert_eq!(names, ["chat:a", "chat:c"]);
    assert_eq!(giving.rooms().expect("the end"), []);
}
