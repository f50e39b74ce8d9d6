//! A folder of a test's own, and somebody who asks the disk that is in it.

use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::time::Duration;

use conformance::Plant;
use engine::{Answer, Appended, Asked, Batch, Followed, Loaded, Parcel, Question};
use engine_disk::{Config, Disk, Sync};
use link::{Answers, Deployment, Link};
use vocabulary::{Check, Incarnation, Key, Payload, Position, RoomId, Seen, ShardId};

pub(crate) struct Folder(pub(crate) PathBuf, pub(crate) Option<Arc<Disk>>);

/// What a page of rows begins with.
const LEAF: u8 = 13;

static NUMBER: AtomicU32 = AtomicU32::new(0);

impl Folder {
    pub(crate) fn new() -> Folder {
        let number = NUMBER.fetch_add(1, Ordering::Relaxed);
        let path = std::env::temp_dir().join(format!("kulkul-disk-{}-{number}", std::process::id()));
        // Left by a process that was killed and had the same number.
        std::fs::remove_dir_all(&path).ok();
        Folder(path, None)
    }

    /// Turns every page of rows that holds a thousand such bytes into nothing.
    pub(crate) fn without_pages_of(&self, byte: u8) {
        let path = self.0.join("rooms.db");
        let mut bytes = std::fs::read(&path).expect("the file");
        let is_of = |page: &&mut [u8]| page[0] == LEAF && page.windows(1000).any(|it| it == [byte; 1000]);
        let damaged = bytes.chunks_mut(4096).filter(is_of).map(|page| page.fill(0)).count();
        assert!(damaged > 0, "no page holds them");
        std::fs::write(&path, bytes).expect("damaged");
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

/// Who asks, and hears the answers one after the other.
pub(crate) struct Asker {
    pub(crate) disk: Disk,
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
    pub(crate) fn open(folder: &Folder, start_tag: u32) -> Result<Asker, engine_disk::OpenError> {
        Asker::synced(folder, start_tag, Sync::Always)
    }

    pub(crate) fn synced(
        folder: &Folder,
        start_tag: u32,
        sync: Sync,
    ) -> Result<Asker, engine_disk::OpenError> {
        let (ear, heard) = sync_channel(1024);
        let deployment = Deployment::of_this_build(start_tag, Vec::new());
        // Longer than any test takes.
        let config = Config { folder: folder.0.clone(), sync, lease: Duration::from_secs(3600) };
        Ok(Asker { disk: Disk::open(config, &deployment, Arc::new(Ear(ear)))?, heard })
    }

    pub(crate) fn ask(&self, question: Question) -> Answer {
        self.tell(question);
        self.hear()
    }

    pub(crate) fn tell(&self, question: Question) {
        let by = Incarnation { node: 1, shard: ShardId(0), life: 1 };
        self.disk.ask(Asked { by, question }).expect("taken");
    }

    pub(crate) fn hear(&self) -> Answer {
        self.heard.recv_timeout(Duration::from_secs(30)).expect("an answer")
    }

    pub(crate) fn load(&self, room: &RoomId) -> Loaded {
        let answer = self.ask(Question::Follow { room: room.clone(), seen: None, ticket: 1 });
        match answer {
            Answer::Followed { outcome: Followed::Loaded(loaded), .. } => loaded,
            other => panic!("{other:?}"),
        }
    }

    /// Appends one record behind what was seen, and says what was seen then.
    pub(crate) fn append(&self, room: &RoomId, seen: Seen, data: &str) -> Seen {
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

    pub(crate) fn start(&self, room: &RoomId) -> Seen {
        Seen { position: Position { offset: 0, ..self.load(room).head }, check: Check::default() }
    }
}

pub(crate) fn room(name: &str) -> RoomId {
    RoomId::new("chat", name)
}
