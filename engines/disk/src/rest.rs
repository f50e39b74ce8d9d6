//! What the writer does when nobody waits: it works the journal into the file, deletes what was given up, and looks whether a disk
//! that failed takes writes again.

use std::sync::atomic::Ordering;
use std::time::Duration;

use vocabulary::Now;

use crate::rows::{Fault, is_full};
use crate::writer::Writer;

/// So long after the last commit there is a pause, and between two of them.
pub(crate) const PAUSE: Duration = Duration::from_millis(200);
/// Rows that are deleted in a pause, in one commit: a moment's work.
const FORGET_IDLE: usize = 256;
/// After a write that failed, between two looks at whether the disk takes writes again.
const MEND_EVERY: Duration = Duration::from_secs(1);
/// A journal that has grown by this is worked in at once, so that reading it stays quick and the disk does not fill with it.
const JOURNAL_BYTES_MAX: u64 = 8 << 20;
/// And by this, where a reader kept it from being begun anew: most of them read for a moment.
const JOURNAL_HELD_BYTES_MAX: u64 = 1 << 20;

impl Writer {
    /// After a failed write nobody knows which pages of the journal reached the disk. What it holds of finished commits is
    /// worked into the file, synced there, and the journal begins anew: only then is it written to again.
    pub(crate) fn mend(&mut self, now: Now) {
        if self.mend_at.is_none_or(|at| now.tick < at) {
            return;
        }
        match self.empty_journal() {
            Ok(()) => self.mend_at = None,
            Err(error) => {
                tracing::debug!(%error, "the disk does not take writes yet");
                self.mend_at = Some(now.tick + MEND_EVERY);
            }
        }
    }

    /// Works the journal into the file, and cuts it to nothing: it holds nothing then of what may have been half written.
    pub(crate) fn empty_journal(&mut self) -> Result<(), rusqlite::Error> {
        let empty = "PRAGMA wal_checkpoint(TRUNCATE)";
        let busy: i64 = self.book.connection.query_row(empty, [], |row| row.get(0))?;
        if busy != 0 {
            return Err(rusqlite::Error::InvalidQuery);
        }
        self.facts.journal_bytes.set(0);
        self.held = 0;
        Ok(())
    }

    pub(crate) fn rest(&mut self, now: Now) {
        self.rest_at = now.tick + PAUSE;
        if self.mend_at.is_some() {
            return;
        }
        let forgotten = match self.forget_in_one_commit() {
            Ok(()) | Err(Fault::Damaged) => Ok(()),
            Err(fault) => Err(fault),
        };
        let done = forgotten.and_then(|()| self.tidy(true)).and_then(|()| self.try_again());
        self.in_passing(now, done);
    }

    /// What nobody waits for may find no room where what somebody sends still does: whether it does says the next commit alone.
    pub(crate) fn in_passing(&mut self, now: Now, done: Result<(), Fault>) {
        match done {
            Ok(()) => {}
            Err(Fault::Sqlite(error)) if is_full(&error) => {
                self.facts.write_failures.add(1);
            }
            Err(fault) => self.failed(now, &fault, &[]),
        }
    }

    /// Who is not ready may be sent nothing that could show that it is.
    fn try_again(&mut self) -> Result<(), Fault> {
        if self.facts.failing.load(Ordering::Relaxed) {
            self.book.connection.execute("UPDATE deployment SET line = line", [])?;
            self.takes_writes();
        }
        Ok(())
    }

    fn forget_in_one_commit(&mut self) -> Result<(), Fault> {
        if self.book.given_up.is_gone() {
            return Ok(());
        }
        let begun = self.book.begin();
        let done = begun.and_then(|()| self.forget(FORGET_IDLE)).and_then(|()| self.book.commit());
        if done.is_err() {
            self.book.undo();
        }
        done.map(drop)
    }

    /// Deletes some of what was given up. What is damaged of it stays where it is: nobody asks for it.
    pub(crate) fn forget(&mut self, most: usize) -> Result<(), Fault> {
        let forgotten = self.book.forget(most);
        if let Err(Fault::Damaged) = forgotten {
            self.facts.damaged.add(1);
            if self.book.given_up.is_lost() {
                tracing::error!(
                    "the list of what was given up is damaged: nothing is deleted any more, and rooms.db grows. Restore the data folder from a backup"
                );
            } else {
                tracing::error!(
                    "rows that were given up are damaged: they are not deleted, and take their place"
                );
            }
        }
        self.facts.forgotten.add(forgotten? as u64);
        Ok(())
    }

    /// Works the journal into the file, as far as no reader needs it as it was; the next commit begins it anew in the place it has,
    /// if none does. A commit that need not make it longer is a quarter sooner on the disk. No answer waits for this.
    pub(crate) fn tidy(&mut self, idle: bool) -> Result<(), Fault> {
        let bytes = self.facts.journal_bytes.get();
        let most = if self.held > 0 { self.held + JOURNAL_HELD_BYTES_MAX } else { JOURNAL_BYTES_MAX };
        if bytes == 0 || (bytes <= most && !(idle && self.book.given_up.is_gone())) {
            return Ok(());
        }
        let work_in = "PRAGMA wal_checkpoint(PASSIVE)";
        let pages = |row: &rusqlite::Row<'_>| Ok((row.get(1)?, row.get(2)?));
        self.held = bytes;
        let (all, done): (i64, i64) = self.book.connection.query_row(work_in, [], pages)?;
        if all == done {
            self.facts.journal_bytes.set(0);
            self.held = 0;
        }
        Ok(())
    }
}
