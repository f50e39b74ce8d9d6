//! Logs in one file of this machine. One thread writes, with one commit for all that waits; others read. An answer is given
//! when the disk has what it says. It opens no payload, and makes no shard wait.

mod arrives;
mod book;
mod boxes;
mod clock;
mod facts;
mod given_up;
mod gives;
mod journal;
mod keep;
mod reach;
mod reader;
mod records;
mod rest;
mod rows;
mod schema;
mod wipes;
mod writer;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError, sync_channel};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Asked, Durability, Format, Guarantees, News, Nodes, Question, Volatile};
use link::{Answers, Condition, Deployment, Disagreement, Figure, Link};
use vocabulary::{Epoch, Tick};

pub use arrives::Arriving;
use book::Book;
use clock::Clock;
use facts::Facts;
pub use gives::{Beside, Giving};
use reach::{Boot, Reach, Told, Word};
use reader::{Readers, Wanted, What};
pub use schema::Sync;
use wipes::Wipes;
use writer::Writer;

pub struct Config {
    pub folder: PathBuf,
    pub sync: Sync,
    pub lease: Duration,
}

/// Why the file cannot be served.
#[derive(Debug)]
pub enum OpenError {
    Folder(PathBuf, std::io::Error),
    Threads(std::io::Error),
    /// Another process has it.
    Taken,
    Damaged(String),
    /// Rooms were being brought into the folder, and the end never came.
    Arriving(PathBuf),
    /// Rooms are to be brought into the folder, and there are some already.
    Occupied(PathBuf),
    Disagrees(Disagreement),
    /// Laid out as this build neither reads nor writes.
    Layout(i64),
    Sqlite(rusqlite::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Folder(folder, error) => write!(
                f,
                "the data folder {} cannot be used: {error}. Let this user write there, or choose another with `data` or --data",
                folder.display()
            ),
            OpenError::Threads(error) => write!(f, "the disk's threads cannot be started: {error}"),
            OpenError::Taken => f.write_str(
                "another process serves this data folder: stop it, or choose another folder with `data` or --data",
            ),
            OpenError::Damaged(what) => write!(
                f,
                "{} is damaged, and nothing is served from it: {what}. Restore the data folder from a backup",
                schema::FILE
            ),
            OpenError::Arriving(draft) => write!(
                f,
                "a restore or a copy into this folder was begun and did not come to its end: run it again, or remove {} to serve without what was to come",
                draft.display()
            ),
            OpenError::Occupied(folder) => write!(
                f,
                "{} holds rooms already, and rooms are brought into an empty folder only: choose another with `data` or --data",
                folder.display()
            ),
            OpenError::Disagrees(why) => write!(f, "{} cannot be gone on with: {why}", schema::FILE),
            OpenError::Layout(number) => write!(
                f,
                "{} has layout {number}, and this build knows {} alone: serve it with the build that wrote it, or choose another folder with `data` or --data",
                schema::FILE,
                schema::LAYOUT
            ),
            OpenError::Sqlite(error) => write!(f, "{} cannot be opened: {error}", schema::FILE),
        }
    }
}

impl std::error::Error for OpenError {}

impl From<std::io::Error> for OpenError {
    fn from(error: std::io::Error) -> OpenError {
        OpenError::Threads(error)
    }
}

impl From<Disagreement> for OpenError {
    fn from(why: Disagreement) -> OpenError {
        OpenError::Disagrees(why)
    }
}

impl From<rows::Fault> for OpenError {
    fn from(fault: rows::Fault) -> OpenError {
        match fault {
            rows::Fault::Damaged => OpenError::Damaged("a row is not what was written".to_owned()),
            rows::Fault::Sqlite(error) => error.into(),
        }
    }
}

impl From<rusqlite::Error> for OpenError {
    fn from(error: rusqlite::Error) -> OpenError {
        if rows::is_damage(&error) { OpenError::Damaged(error.to_string()) } else { OpenError::Sqlite(error) }
    }
}

/// Questions that wait for the writer: what some commits take. Beyond it shards keep theirs, and take no more from clients.
const QUESTIONS_MAX: usize = 16_384;

pub struct Disk {
    sync: Sync,
    format: Format,
    facts: Arc<Facts>,
    questions: Option<SyncSender<Asked>>,
    wanted: Option<SyncSender<Wanted>>,
    writer: Option<JoinHandle<()>>,
    readers: Option<Readers>,
    /// Held as long as we serve.
    _lock: File,
}

/// One that is made is its owner's alone: what is said in rooms is in it. One that is there stays as it was made.
pub(crate) fn private_folder(folder: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::DirBuilderExt;
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder)
}

impl Disk {
    /// Makes the folder and the file where there are none.
    pub fn open(
        config: Config,
        deployment: &Deployment,
        answers: Arc<dyn Answers>,
    ) -> Result<Disk, OpenError> {
        let Config { folder, sync, lease } = config;
        let unusable = |error| OpenError::Folder(folder.clone(), error);
        private_folder(&folder).map_err(unusable)?;
        let lock = lock(&folder)?;
        arrives::must_be_over(&folder)?;
        let (reach, told) = reach::before(&folder).map_err(unusable)?;
        let boot = Boot::now();
        let forgotten = told.is_forgotten(boot);
        match journal::end(&schema::journal(&folder)).map_err(unusable)? {
            // Commits that were not synced come to the disk in any order, or not at all.
            _ if forgotten => {}
            journal::End::Damaged => return Err(OpenError::Damaged(schema::JOURNAL_DAMAGED.to_owned())),
            journal::End::Torn => tracing::warn!(
                folder = %folder.display(),
                "the last write is cut off and dropped: nobody was answered for it, if the process or the power ended in its midst"
            ),
            journal::End::Whole => {}
        }
        let facts = Arc::new(Facts::default());
        schema::must_be_there(&folder, told)?;
        let connection = schema::writer(&folder, sync, &facts)?;
        let mut now = schema::prepare(&connection, deployment)?;
        let newest = records::newest(&connection)?;
        if forgotten || told.is_of_another(newest, now.start_tag) {
            // Of a folder in which nothing ever was there is nothing to say.
            if told != Told::Nothing || newest > 0 {
                tracing::warn!(
                    folder = %folder.display(),
                    "rooms.db is not what was served here last: it was put back from a backup, or its last writes were lost. Every room begins a new epoch, and whoever comes back is told so by `reset`"
                );
            }
            now.start_tag = deployment.start_tag;
            schema::begin_epochs(&connection, &now)?;
        }
        let Deployment { start_tag, format, .. } = now;
        let memory = match sync {
            Sync::Process => Some(boot),
            // A life before this one may have left something in it.
            Sync::Always => told.memory().filter(|_| !forgotten),
        };
        let reach = Reach::begin(reach, &folder, Word { newest, start_tag, memory }).map_err(unusable)?;
        let first = Epoch::new(Epoch::FIRST_COUNTER, start_tag);
        let readers = Readers::start(&folder, first, &answers, &facts)?;
        let (send, questions) = sync_channel(QUESTIONS_MAX);
        let writer = Writer {
            questions,
            readers: readers.wanted(),
            answers,
            facts: facts.clone(),
            clock: Clock::begin(),
            lease,
            volatile: Volatile::new(lease),
            reach,
            book: Book::new(connection, first, newest),
            company: 0,
            took: Duration::ZERO,
            mend_at: None,
            rest_at: Tick(0) + rest::PAUSE,
            held: 0,
            wipes: Wipes::default(),
        };
        let wanted = Some(readers.wanted());
        let thread = std::thread::Builder::new().name("disk-writer".to_owned());
        let writer = thread.spawn(move || live(|| writer.run()))?;
        let (questions, writer, readers) = (Some(send), Some(writer), Some(readers));
        Ok(Disk { sync, format, facts, questions, wanted, writer, readers, _lock: lock })
    }
}

/// A writer that broke its own books stores nothing more, because that could not be trusted: its thread ends, and the node with it.
fn live(writes: impl FnOnce()) {
    if std::panic::catch_unwind(std::panic::AssertUnwindSafe(writes)).is_err() {
        tracing::error!("Recovered from panic in the disk's writer only to end the process");
    }
}

impl Link for Disk {
    fn guarantees(&self) -> Guarantees {
        let durability = match self.sync {
            Sync::Always => Durability::Power,
            Sync::Process => Durability::Process,
        };
        Guarantees { format: self.format, nodes: Nodes::One, durability, news: News::Reliable }
    }

    fn ask(&self, asked: Asked) -> Result<(), Box<Asked>> {
        // Reads pass the writer by: they wait for no commit.
        if let (Question::Read { .. }, Some(wanted)) = (&asked.question, &self.wanted) {
            let Asked { by, question: Question::Read { room, epoch, after, limit, ticket } } = asked else {
                return Ok(());
            };
            let what = What::Read { epoch, after, limit, ticket };
            return match wanted.try_send(Wanted { by, room, what }) {
                Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
                // Whoever reads asks again.
                Err(TrySendError::Full(_)) => {
                    self.facts.read_failures.add(1);
                    Ok(())
                }
            };
        }
        let Some(questions) = &self.questions else { return Ok(()) };
        match questions.try_send(asked) {
            Ok(()) | Err(TrySendError::Disconnected(_)) => Ok(()),
            Err(TrySendError::Full(asked)) => Err(Box::new(asked)),
        }
    }

    fn condition(&self) -> Condition {
        if self.facts.is_failing() {
            Condition::Away { why: "the disk takes no writes".to_owned() }
        } else {
            Condition::Serving
        }
    }

    fn broken(&self) -> Option<String> {
        // While somebody has this it is asked for nothing that would let it end.
        let has_ended = self.writer.as_ref().is_some_and(JoinHandle::is_finished);
        has_ended.then(|| "the disk's writer panicked".to_owned())
    }

    fn figures(&self) -> Vec<Figure> {
        self.facts.figures()
    }
}

/// What was asked is stored before the threads end.
impl Drop for Disk {
    fn drop(&mut self) {
        self.questions = None;
        self.wanted = None;
        if let Some(writer) = self.writer.take() {
            writer.join().ok();
        }
        if let Some(readers) = self.readers.take() {
            readers.end();
        }
    }
}

/// One process a folder: two writers would give one place twice.
fn lock(folder: &Path) -> Result<File, OpenError> {
    let unusable = |error| OpenError::Folder(folder.to_owned(), error);
    let file = File::options().create(true).truncate(false).write(true).open(folder.join("lock"));
    let file = file.map_err(unusable)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(OpenError::Taken),
        Err(std::fs::TryLockError::Error(error)) => Err(unusable(error)),
    }
}
