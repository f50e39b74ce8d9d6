//! Where a shard's logs live, as its thread sees it: an engine in this very thread, or a link to one outside. It never
//! waits for either.

use std::collections::VecDeque;
use std::fmt;
use std::sync::Arc;

use engine::{Answer, Asked, Guarantees, MemoryEngine, MemoryLimits, Nodes};
use link::{Answers, Link};
use vocabulary::{Incarnation, Now, Tick};

use crate::mail::Mailboxes;

/// What the configuration chose.
pub enum Engine {
    /// In each shard's own thread, and gone with the process.
    Memory(MemoryLimits),
    /// Opened once, with the boxes that its answers go into.
    Outside(Open),
}

pub type Open = Box<dyn FnOnce(Arc<dyn Answers>) -> Result<Arc<dyn Link>, Unopened> + Send>;

/// Why an engine could not be opened, in words for the operator.
pub type Unopened = Box<dyn std::error::Error + Send + Sync>;

/// The same, open.
#[derive(Clone)]
pub(crate) enum Opened {
    Memory(MemoryLimits),
    Outside(Arc<dyn Link>),
}

impl Engine {
    pub(crate) fn open(self, mailboxes: &Arc<Mailboxes>) -> Result<Opened, Unopened> {
        match self {
            Engine::Memory(limits) => Ok(Opened::Memory(limits)),
            Engine::Outside(open) => Ok(Opened::Outside(open(mailboxes.clone())?)),
        }
    }

    pub(crate) fn is_outside(&self) -> bool {
        matches!(self, Engine::Outside(_))
    }
}

impl fmt::Debug for Opened {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Opened::Memory(_) => "memory",
            Opened::Outside(_) => "outside",
        })
    }
}

impl Opened {
    pub(crate) fn guarantees(&self) -> Guarantees {
        match self {
            Opened::Memory(_) => MemoryEngine::guarantees(Nodes::One),
            Opened::Outside(link) => link.guarantees(),
        }
    }
}

impl Answers for Mailboxes {
    fn put(&self, to: Incarnation, answer: Answer) -> Result<(), Box<Answer>> {
        self.answer(to.shard, answer)
    }
}

pub(crate) enum Logs {
    Memory(Box<MemoryEngine>),
    /// What the engine had no place for waits, in order: at most what one turn asks, because with it waiting the shard takes
    /// nothing that would ask for more.
    Outside {
        link: Arc<dyn Link>,
        unasked: VecDeque<Asked>,
    },
}

impl Logs {
    pub(crate) fn new(opened: &Opened, start_tag: u32) -> Logs {
        match opened {
            Opened::Memory(limits) => Logs::Memory(Box::new(MemoryEngine::new(*limits, start_tag))),
            Opened::Outside(link) => Logs::Outside { link: link.clone(), unasked: VecDeque::new() },
        }
    }

    pub(crate) fn ask(&mut self, now: Now, asked: Asked) {
        match self {
            Logs::Memory(memory) => memory.handle(now, asked),
            Logs::Outside { link, unasked } if unasked.is_empty() => {
                if let Err(back) = link.ask(asked) {
                    unasked.push_back(*back);
                }
            }
            Logs::Outside { unasked, .. } => unasked.push_back(asked),
        }
    }

    /// To be called once a turn.
    pub(crate) fn retry(&mut self) {
        let Logs::Outside { link, unasked } = self else { return };
        while let Some(asked) = unasked.pop_front() {
            if let Err(back) = link.ask(asked) {
                unasked.push_front(*back);
                return;
            }
        }
    }

    /// The engine takes no more for now.
    pub(crate) fn is_full(&self) -> bool {
        matches!(self, Logs::Outside { unasked, .. } if !unasked.is_empty())
    }

    /// What an engine in this thread answers; one outside answers by mail.
    pub(crate) fn answer(&mut self) -> Option<Answer> {
        match self {
            Logs::Memory(memory) => memory.next_answer().map(|(_, answer)| answer),
            Logs::Outside { .. } => None,
        }
    }

    pub(crate) fn tick(&mut self, now: Now) {
        if let Logs::Memory(memory) = self {
            memory.tick(now);
        }
    }

    pub(crate) fn next_deadline(&self) -> Option<Tick> {
        match self {
            Logs::Memory(memory) => memory.next_deadline(),
            Logs::Outside { .. } => None,
        }
    }
}
