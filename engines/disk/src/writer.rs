//! The one thread that writes. It takes all questions that wait, puts what they store into one commit, and answers when
//! the disk has it: nobody is answered before, and a commit costs the same for one as for hundreds.

#[cfg(test)]
mod tests;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender};
use std::time::{Duration, Instant};

use engine::{Answer, Appended, Asked, Erased, Question, Volatile};
use link::Answers;
use rusqlite::params;
use vocabulary::{Incarnation, Now, RoomId, Slice, Tick};

use crate::book::Book;
use crate::boxes;
use crate::clock::Clock;
use crate::facts::Facts;
use crate::reach::Reach;
use crate::reader::{Wanted, What};
use crate::rest::PAUSE;
use crate::rows::{Fault, is_full};
use crate::wipes::Wipes;

/// Questions in one commit. With more the disk is not faster any more, and the first waits for the last.
const GROUP_MAX: usize = 1024;
/// A slow disk makes nobody wait longer for company than this.
const GATHER_MAX: Duration = Duration::from_millis(2);
/// Rows that are deleted for each that is stored, so that a log under load does not grow by what was given up, nor the backlog
/// last.
const FORGET_EACH: usize = 2;

pub(crate) struct Writer {
    pub(crate) questions: Receiver<Asked>,
    pub(crate) readers: SyncSender<Wanted>,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) clock: Clock,
    pub(crate) lease: Duration,
    pub(crate) volatile: Volatile,
    pub(crate) book: Book,
    pub(crate) reach: Reach,
    /// How many questions came together of late, and how long the last commit took.
    pub(crate) company: usize,
    pub(crate) took: Duration,
    /// A write failed: until then nothing is written.
    pub(crate) mend_at: Option<Tick>,
    /// With nothing stored until then there is a pause.
    pub(crate) rest_at: Tick,
    /// So long the journal was when it was last worked in, if a reader kept it from being begun anew.
    pub(crate) held: u64,
    /// What was erased and is still in the journal.
    pub(crate) wipes: Wipes,
}

/// What is told once the commit is on the disk.
pub(crate) enum Staged {
    Appended {
        by: Incarnation,
        room: RoomId,
        number: u64,
        outcome: Appended,
        news: Option<Answer>,
        due: bool,
    },
    Answered {
        by: Incarnation,
        answer: Answer,
        room: RoomId,
        news: Option<Answer>,
    },
    /// Told only when the journal has none of it either.
    Wiped {
        by: Incarnation,
        answer: Answer,
    },
    Nothing,
}

impl Writer {
    pub(crate) fn run(mut self) {
        loop {
            let asked = match self.questions.recv_timeout(self.patience()) {
                Ok(asked) => Some(asked),
                Err(RecvTimeoutError::Timeout) => None,
                Err(RecvTimeoutError::Disconnected) => break,
            };
            self.turn(asked);
        }
        match self.empty_journal() {
            Ok(()) => self.reach.end(),
            Err(error) => {
                tracing::warn!(%error, "the disk's journal could not be emptied; the next start does it")
            }
        }
    }

    /// What is asked; and a pause, whatever is asked that stores nothing: presence never ends.
    fn turn(&mut self, asked: Option<Asked>) {
        let now = self.clock.now();
        self.volatile.tick(now);
        self.mend(now);
        if let Some(asked) = asked {
            self.group(now, asked);
            // Nobody's answer waits for that.
            self.tell();
            if self.mend_at.is_none() {
                let tidied = self.tidy(false);
                self.in_passing(now, tidied);
            }
        }
        self.wipe(now);
        if now.tick >= self.rest_at {
            self.rest(now);
        }
        self.tell();
    }

    fn patience(&self) -> Duration {
        let now = self.clock.now().tick;
        let wipes = self.wipes.next_deadline();
        let next = self.volatile.next_deadline().into_iter().chain(self.mend_at).chain(wipes).min();
        let next = next.map_or(self.rest_at, |at| at.min(self.rest_at));
        next.since(now).max(Duration::from_millis(1))
    }

    /// The first and all that wait behind it.
    fn group(&mut self, now: Now, first: Asked) {
        let mut stores = Vec::new();
        for asked in self.gathered(first) {
            self.volatile.begin(asked.by);
            // Who attends is told what is due, of what was stored before.
            if matches!(asked.question, Question::Attend { .. }) {
                self.store_all(now, std::mem::take(&mut stores));
            }
            if let Some(asked) = self.at_once(now, asked) {
                stores.push(asked);
            }
        }
        self.store_all(now, stores);
    }

    /// All that waits; and where more came together before, what follows on its heels. Askers that were answered together ask
    /// again together, but not at once: without the moment their questions would fall into two commits, and each of them would
    /// wait for both.
    fn gathered(&mut self, first: Asked) -> Vec<Asked> {
        let began = Instant::now();
        let pause = self.took / 4;
        let mut gathered = vec![first];
        loop {
            let before = gathered.len();
            gathered.extend(self.questions.try_iter().take(GROUP_MAX - before));
            let all = gathered.len() >= self.company.min(GROUP_MAX) || began.elapsed() + pause > GATHER_MAX;
            if all || (gathered.len() == before && before > 1) {
                break;
            }
            std::thread::sleep(pause);
        }
        self.company = gathered.len().max(self.company - self.company.div_ceil(8));
        gathered
    }

    fn store_all(&mut self, now: Now, stores: Vec<Asked>) {
        if stores.is_empty() {
            return;
        }
        match self.store(&stores) {
            Ok(staged) => self.stored(staged),
            // One of them cannot be stored: the others are not to suffer for it.
            Err(Fault::Damaged) if stores.len() > 1 => {
                for asked in stores {
                    match self.store(std::slice::from_ref(&asked)) {
                        Ok(staged) => self.stored(staged),
                        Err(fault) => self.failed(now, &fault, &[asked]),
                    }
                }
            }
            Err(fault) => self.failed(now, &fault, &stores),
        }
    }

    /// What is not stored is answered here; the rest is given back.
    fn at_once(&mut self, now: Now, asked: Asked) -> Option<Asked> {
        let Asked { by, question } = asked;
        match question {
            Question::Attend { shards } => {
                let slices = self.volatile.attend(by, shards);
                match self.due(now, &slices) {
                    Ok(due) => self.volatile.answer(by, Answer::Attending { slices, due }),
                    Err(fault) => tracing::warn!(?fault, "Failed to read the agenda from the disk"),
                }
            }
            Question::Follow { room, seen, ticket } => {
                self.volatile.follow(by, &room);
                let (present, soft) = self.volatile.gathered(now, &room);
                self.want(by, room, What::Follow { seen, ticket, present, soft });
            }
            Question::Read { room, epoch, after, limit, ticket } => {
                self.want(by, room, What::Read { epoch, after, limit, ticket });
            }
            Question::Unfollow { room } => {
                self.volatile.unfollow(by, &room);
                if !self.volatile.is_followed(&room) {
                    self.book.drop_room(&room);
                }
            }
            Question::Present { room, person, count } => self.volatile.present(by, room, person, count),
            Question::Soft { room, entry } => self.volatile.soft(now, by, room, entry),
            Question::Claim { name, ticket } => self.volatile.claim(by, name, ticket),
            Question::Release { name, token } => self.volatile.release(&name, token),
            question @ (Question::Append { .. }
            | Question::Store { .. }
            | Question::Erase { .. }
            | Question::BeginEpoch { .. }
            | Question::Settle { .. }) => return Some(Asked { by, question }),
        }
        None
    }

    fn want(&self, by: Incarnation, room: RoomId, what: What) {
        if self.readers.try_send(Wanted { by, room, what }).is_err() {
            // Whoever asks is not answered, and asks again.
            self.facts.read_failures.add(1);
        }
    }

    fn due(&self, now: Now, slices: &[Slice]) -> Result<Vec<RoomId>, Fault> {
        let held: BTreeSet<Slice> = slices.iter().copied().collect();
        let horizon = now.wall + self.lease;
        let select = "SELECT name FROM room WHERE due <= ?1 ORDER BY due";
        let mut select = self.book.connection.prepare_cached(select)?;
        let names = select.query_map(params![horizon.0], |row| row.get::<_, String>(0))?;
        let rooms = names.collect::<Result<Vec<_>, _>>()?;
        let rooms = rooms.iter().filter_map(|name| RoomId::from_full(name));
        Ok(rooms.filter(|room| held.contains(&room.slice())).collect())
    }

    /// All of it in one commit, or none of it.
    fn store(&mut self, stores: &[Asked]) -> Result<Vec<Staged>, Fault> {
        if self.mend_at.is_some() {
            return Err(Fault::Sqlite(rusqlite::Error::InvalidQuery));
        }
        let staged = self.staged(stores);
        let began = Instant::now();
        let stored = staged.and_then(|staged| Ok((staged, self.book.commit()?)));
        match stored {
            Ok((staged, committed)) => {
                self.book.let_go(|room| self.volatile.is_followed(room));
                if committed {
                    self.reach.tell(self.book.newest);
                    self.took = began.elapsed();
                    self.rest_at = self.clock.now().tick + PAUSE;
                    self.facts.commits.add(1);
                }
                Ok(staged)
            }
            Err(fault) => {
                self.book.undo();
                Err(fault)
            }
        }
    }

    fn staged(&mut self, stores: &[Asked]) -> Result<Vec<Staged>, Fault> {
        let staged = self.book.stage(stores)?;
        let rows = staged.iter().filter(|it| matches!(it, Staged::Appended { news: Some(_), .. })).count();
        match self.forget(rows * FORGET_EACH) {
            // They have nothing to do with it, and SQLite takes no more of a transaction that has met damage.
            Err(Fault::Damaged) => {
                self.book.undo();
                self.book.stage(stores)
            }
            forgotten => forgotten.map(|()| staged),
        }
    }

    pub(crate) fn takes_writes(&self) {
        if self.facts.failing.swap(false, Ordering::Relaxed) {
            tracing::info!("the disk takes writes again");
        }
    }

    fn stored(&mut self, staged: Vec<Staged>) {
        self.takes_writes();
        for one in staged {
            match one {
                Staged::Appended { by, room, number, outcome, news, due } => {
                    if due {
                        self.volatile.tell_steward(&room, Answer::Due { room: room.clone() });
                    }
                    if let Some(news) = news {
                        if let Answer::Grown { records, .. } = &news {
                            self.facts.records.add(records.len() as u64);
                        }
                        self.volatile.tell_others(&room, by, &news);
                    }
                    self.volatile.answer(by, Answer::Appended { room, number, outcome });
                }
                Staged::Answered { by, answer, room, news } => {
                    if let Some(news) = news {
                        self.volatile.tell_others(&room, by, &news);
                    }
                    self.volatile.answer(by, answer);
                }
                Staged::Wiped { by, answer } => {
                    if let Answer::Stored { room, .. } = &answer {
                        self.book.wiped_snapshot_of(room);
                    }
                    self.wipes.add(by, answer);
                }
                Staged::Nothing => {}
            }
        }
    }

    /// Nothing of it was stored. Who can be told so for certain is told; what may yet turn up is asked again, under the same
    /// keys.
    pub(crate) fn failed(&mut self, now: Now, fault: &Fault, stores: &[Asked]) {
        self.facts.write_failures.add(1);
        let refused = match fault {
            Fault::Damaged => {
                self.facts.damaged.add(1);
                self.tell_damage(stores);
                true
            }
            Fault::Sqlite(_) if self.mend_at.is_some() => true,
            Fault::Sqlite(error) => {
                let full = is_full(error);
                if !self.facts.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "Failed to store on the disk: nothing is accepted until it can be");
                }
                if !full {
                    self.mend_at = Some(now.tick);
                }
                full
            }
        };
        for Asked { by, question } in stores {
            match question {
                Question::Append { room, batch } if refused => {
                    self.facts.refused.add(1);
                    let (room, number) = (room.clone(), batch.number);
                    self.volatile.answer(*by, Answer::Appended { room, number, outcome: Appended::Refused });
                }
                Question::Erase { room, ticket, .. } if refused => {
                    let is_damaged = matches!(fault, Fault::Damaged);
                    let outcome = if is_damaged { Erased::Damaged } else { Erased::Refused };
                    let (room, ticket) = (room.clone(), *ticket);
                    self.volatile.answer(*by, Answer::Erased { room, ticket, outcome });
                }
                _ => {}
            }
        }
    }

    /// Of one room, or of what all rooms are written to.
    fn tell_damage(&self, stores: &[Asked]) {
        if !self.book.takes_new_rooms() {
            if !self.facts.damaged_all.swap(true, Ordering::Relaxed) {
                tracing::error!(
                    "rooms.db is damaged where all rooms are written to: nothing is accepted. Restore the data folder from a backup"
                );
            }
            return;
        }
        for Asked { question, .. } in stores {
            if let Question::Append { room, .. } = question {
                tracing::error!(%room, "a room was not written to: its rows are not what was stored");
            }
        }
    }

    fn tell(&mut self) {
        while let Some((to, answer)) = self.volatile.next_answer() {
            boxes::put(&*self.answers, to, answer);
        }
    }
}
