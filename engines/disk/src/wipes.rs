//! What was erased leaves copies in the journal, until it is worked into the file and cut to nothing. That is done for all that
//! was erased of late together; who asked is answered then, and not before. It erases nothing itself.

use std::time::Duration;

use engine::Answer;
use vocabulary::{Incarnation, Now, Tick};

use crate::schema::BUSY_WITHIN;
use crate::writer::Writer;

/// Between two cuts: each makes the next commits lengthen the file again, and waits for readers of the moment.
const EVERY: Duration = Duration::from_millis(200);
/// Whoever reads just now reads for a moment; somebody else's long look is not waited for, because nothing is written meanwhile.
const READERS_WITHIN: Duration = Duration::from_millis(50);
/// Answers that wait for one: a question of each room that is swept. Who finds no place asks again.
const WAITING_MAX: usize = 4096;

#[derive(Default)]
pub(crate) struct Wipes {
    waiting: Vec<(Incarnation, Answer)>,
    not_before: Tick,
}

impl Wipes {
    pub(crate) fn add(&mut self, by: Incarnation, answer: Answer) {
        if self.waiting.len() < WAITING_MAX {
            self.waiting.push((by, answer));
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        (!self.waiting.is_empty()).then_some(self.not_before)
    }
}

impl Writer {
    pub(crate) fn wipe(&mut self, now: Now) {
        if self.wipes.next_deadline().is_none_or(|at| now.tick < at) || self.mend_at.is_some() {
            return;
        }
        self.wipes.not_before = now.tick + EVERY;
        match self.empty_journal_soon() {
            Ok(()) => {
                for (by, answer) in std::mem::take(&mut self.wipes.waiting) {
                    self.volatile.answer(by, answer);
                }
            }
            // A reader still needs it as it was; the next try is soon.
            Err(error) => tracing::debug!(%error, "what was erased is still in the disk's journal"),
        }
    }

    fn empty_journal_soon(&mut self) -> Result<(), rusqlite::Error> {
        self.book.connection.busy_timeout(READERS_WITHIN)?;
        let emptied = self.empty_journal();
        self.book.connection.busy_timeout(BUSY_WITHIN)?;
        emptied
    }
}
