//! Reading, on connections of its own: whoever catches up waits for no commit, and no commit for them. It never writes.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Mutex, PoisonError};
use std::thread::JoinHandle;

use engine::{Answer, Followed, Loaded, Present, Read, SoftEntry, Stored};
use link::Answers;
use rusqlite::{Connection, TransactionBehavior};
use vocabulary::{Epoch, Incarnation, RoomId, Seen};

use crate::facts::Facts;
use crate::rows::{self, Fault, Room};
use crate::{boxes, records, schema};

/// Two: a long read does not keep everybody waiting, and a disk has one head.
const READERS: usize = 2;
/// Beyond it a question is dropped: whoever reads asks again.
const WAITING_MAX: usize = 8192;
/// In one answer: a page of a busy room's ordinary records is some 100 KB, and one of large ones must still fit a turn.
const ANSWER_RECORDS_MAX: usize = 500;
const ANSWER_BYTES_MAX: usize = 1 << 20;

/// Who asks for what of a room.
pub(crate) struct Wanted {
    pub(crate) by: Incarnation,
    pub(crate) room: RoomId,
    pub(crate) what: What,
}

pub(crate) enum What {
    Follow { seen: Option<Seen>, ticket: u64, present: Vec<Present>, soft: Vec<SoftEntry> },
    Read { epoch: Epoch, after: u64, limit: u32, ticket: u64 },
}

pub(crate) struct Readers {
    wanted: SyncSender<Wanted>,
    threads: Vec<JoinHandle<()>>,
}

impl Readers {
    pub(crate) fn start(
        folder: &Path,
        first: Epoch,
        answers: &Arc<dyn Answers>,
        facts: &Arc<Facts>,
    ) -> Result<Readers, crate::OpenError> {
        let (wanted, box_of_all) = sync_channel(WAITING_MAX);
        let box_of_all = Arc::new(Mutex::new(box_of_all));
        let mut threads = Vec::new();
        for number in 0..READERS {
            let reader = Reader {
                connection: schema::reader(folder)?,
                wanted: box_of_all.clone(),
                first,
                answers: answers.clone(),
                facts: facts.clone(),
            };
            let name = format!("disk-reader-{number}");
            threads.push(std::thread::Builder::new().name(name).spawn(move || reader.run())?);
        }
        Ok(Readers { wanted, threads })
    }

    pub(crate) fn wanted(&self) -> SyncSender<Wanted> {
        self.wanted.clone()
    }

    /// When nobody else holds a way to ask.
    pub(crate) fn end(self) {
        drop(self.wanted);
        for thread in self.threads {
            thread.join().ok();
        }
    }
}

struct Reader {
    connection: Connection,
    wanted: Arc<Mutex<Receiver<Wanted>>>,
    first: Epoch,
    answers: Arc<dyn Answers>,
    facts: Arc<Facts>,
}

impl Reader {
    fn run(mut self) {
        loop {
            // Held while waiting: one reader waits for the next question, the others for that one.
            let next = self.wanted.lock().unwrap_or_else(PoisonError::into_inner).recv();
            let Ok(Wanted { by, room, what }) = next else { return };
            let answer = match what {
                What::Follow { seen, ticket, present, soft } => match self.follow(&room, seen, present, soft)
                {
                    Ok(outcome) => Some(Answer::Followed { room, ticket, outcome }),
                    Err(fault) => self.is_damaged(&room, fault).then_some(Answer::Followed {
                        room,
                        ticket,
                        outcome: Followed::Damaged,
                    }),
                },
                What::Read { epoch, after, limit, ticket } => match self.read(&room, epoch, after, limit) {
                    Ok(outcome) => Some(Answer::Read { room, ticket, outcome }),
                    Err(fault) => self.is_damaged(&room, fault).then_some(Answer::Read {
                        room,
                        ticket,
                        outcome: Read::Damaged,
                    }),
                },
            };
            if let Some(answer) = answer {
                boxes::put(&*self.answers, by, answer);
            }
        }
    }

    /// What is not damaged was a passing fault: whoever asked asks again.
    fn is_damaged(&self, room: &RoomId, fault: Fault) -> bool {
        match fault {
            Fault::Damaged => {
                self.facts.damaged.add(1);
                true
            }
            Fault::Sqlite(error) => {
                self.facts.read_failures.add(1);
                tracing::warn!(%room, %error, "Failed to read a room from the disk");
                false
            }
        }
    }

    fn follow(
        &mut self,
        name: &RoomId,
        seen: Option<Seen>,
        present: Vec<Present>,
        soft: Vec<SoftEntry>,
    ) -> Result<Followed, Fault> {
        let first = self.first;
        // One moment of the file for all that is read.
        let moment = self.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let room = Room::find(&moment, name)?.unwrap_or_else(|| Room::untouched(first));
        let Some(seen) = seen else {
            let snapshot = rows::snapshot(&moment, &room)?;
            let from = room.snapshot.unwrap_or(room.base).max(room.base);
            let records = page(&moment, &room, from, ANSWER_RECORDS_MAX)?;
            let (base, head) = (room.base, room.head());
            return Ok(Followed::Loaded(Loaded { snapshot, base, records, head, present, soft }));
        };
        Ok(match past(&moment, &room, seen)? {
            Past::Behind => Followed::Behind,
            Past::Lost => Followed::Lost,
            Past::Mine => {
                let records = page(&moment, &room, seen.position.offset, ANSWER_RECORDS_MAX)?;
                Followed::Continues { records, head: room.head(), present, soft }
            }
        })
    }

    fn read(&mut self, name: &RoomId, epoch: Epoch, after: u64, limit: u32) -> Result<Read, Fault> {
        let first = self.first;
        let moment = self.connection.transaction_with_behavior(TransactionBehavior::Deferred)?;
        let room = Room::find(&moment, name)?.unwrap_or_else(|| Room::untouched(first));
        if epoch != room.epoch || after > room.head {
            return Ok(Read::Lost);
        }
        if after < room.base {
            return Ok(Read::Behind(room.base));
        }
        let limit = usize::try_from(limit).unwrap_or(usize::MAX).min(ANSWER_RECORDS_MAX);
        Ok(Read::Records { records: page(&moment, &room, after, limit)?, head: room.head() })
    }
}

fn page(connection: &Connection, room: &Room, after: u64, limit: usize) -> Result<Vec<Stored>, Fault> {
    let kept = records::after(connection, room, after, limit, ANSWER_BYTES_MAX)?;
    Ok(kept.into_iter().map(|kept| kept.stored).collect())
}

pub(crate) enum Past {
    Mine,
    Behind,
    Lost,
}

/// Whether what somebody has seen is this room's past.
pub(crate) fn past(connection: &Connection, room: &Room, seen: Seen) -> Result<Past, Fault> {
    let offset = seen.position.offset;
    if seen.position.epoch != room.epoch || offset > room.head {
        Ok(Past::Lost)
    } else if offset < room.base {
        Ok(Past::Behind)
    } else if records::check_at(connection, room, offset)? == seen.check {
        Ok(Past::Mine)
    } else {
        Ok(Past::Lost)
    }
}
