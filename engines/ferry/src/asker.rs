//! One who asks an engine a question at a time and waits for its answer: what a node's shards do side by side, in a row. News are
//! passed over. It decides nothing.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::time::{Duration, Instant};

use engine::{Answer, Asked, Question};
use link::{Answers, Condition, Link};
use vocabulary::{Incarnation, ShardId};

use crate::Fault;

/// An answer and some news about one room.
const HEARD_MAX: usize = 1024;
/// Without an answer it is asked again, which changes nothing.
const AGAIN: Duration = Duration::from_secs(5);
/// An engine that is away for a moment is back then.
const PATIENCE: Duration = Duration::from_secs(60);

struct Ear(SyncSender<Answer>);

impl Answers for Ear {
    fn put(&self, _: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.0.try_send(answer).map_err(|error| match error {
            TrySendError::Full(answer) | TrySendError::Disconnected(answer) => Box::new(answer),
        })
    }
}

pub struct Asker {
    link: Box<dyn Link>,
    heard: Receiver<Answer>,
    by: Incarnation,
    ticket: u64,
}

impl Asker {
    /// `node`: a name that no node has. `open`: the engine, which answers into the box that it is given.
    pub fn open<E>(
        node: u64,
        open: impl FnOnce(Arc<dyn Answers>) -> Result<Box<dyn Link>, E>,
    ) -> Result<Asker, E> {
        let (ear, heard) = sync_channel(HEARD_MAX);
        let link = open(Arc::new(Ear(ear)))?;
        Ok(Asker { link, heard, by: Incarnation { node, shard: ShardId(0), life: 1 }, ticket: 0 })
    }

    pub(crate) fn next_ticket(&mut self) -> u64 {
        self.ticket += 1;
        self.ticket
    }

    /// Answers nothing: whoever asks next about the same room is answered after it.
    pub(crate) fn tell(&self, question: Question) -> Result<(), Fault> {
        let until = Instant::now() + PATIENCE;
        let mut asked = Asked { by: self.by, question };
        loop {
            match self.link.ask(asked) {
                Ok(()) => return Ok(()),
                Err(back) if Instant::now() < until => asked = *back,
                Err(_) => return Err(self.silent()),
            }
            // Its box empties while we look at ours.
            self.heard.recv_timeout(Duration::from_millis(5)).ok();
        }
    }

    pub(crate) fn ask<T>(
        &mut self,
        question: &Question,
        mut is_it: impl FnMut(Answer) -> Option<T>,
    ) -> Result<T, Fault> {
        let until = Instant::now() + PATIENCE;
        loop {
            self.tell(question.clone())?;
            let again = Instant::now() + AGAIN;
            loop {
                match self.heard.recv_timeout(again.saturating_duration_since(Instant::now())) {
                    Ok(answer) => {
                        if let Some(found) = is_it(answer) {
                            return Ok(found);
                        }
                    }
                    Err(RecvTimeoutError::Timeout) if Instant::now() < until => break,
                    Err(_) => return Err(self.silent()),
                }
            }
        }
    }

    fn silent(&self) -> Fault {
        let why = match (self.link.broken(), self.link.condition()) {
            (Some(why), _) | (None, Condition::Away { why } | Condition::Partly { why, .. }) => why,
            (None, Condition::Serving) => format!("no answer within {} seconds", PATIENCE.as_secs()),
        };
        Fault::Engine { what: "the engine does not answer".to_owned(), why }
    }
}
