//! An engine outside the shards' threads, as a node sees it: questions go in without waiting, answers come into a box of
//! the shard that asked. And what such engines have in common: the circuit to a server, the deployment's record. It knows no
//! engine.

mod circuit;
mod deployment;

use engine::{Answer, Asked, Guarantees};
use vocabulary::Incarnation;

pub use circuit::{Circuit, Waits};
pub use deployment::{Deployment, Disagreement, SameKeys};

/// Asked by all shards of a node, from their threads.
pub trait Link: Send + Sync {
    fn guarantees(&self) -> Guarantees;

    /// Never waits. Given back where there is no place: ask again in a moment, and take no more from clients meanwhile. What
    /// one shard asks about one room is heard in the order in which it was asked.
    fn ask(&self, asked: Asked) -> Result<(), Box<Asked>>;

    /// For probes.
    fn condition(&self) -> Condition;

    /// Why nothing will ever be stored again, if a thread of its own broke its books: the node ends then, and says so to
    /// whoever is connected.
    fn broken(&self) -> Option<String> {
        None
    }

    /// For metrics.
    fn figures(&self) -> Vec<Figure>;
}

/// The shards' boxes, filled from an engine's own threads.
pub trait Answers: Send + Sync + 'static {
    /// Never waits. Given back where the shard's box is full: the shard takes from it in each of its turns, so that trying
    /// again soon is of use.
    fn put(&self, to: Incarnation, answer: Answer) -> Result<(), Box<Answer>>;
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    Serving,
    /// Nothing can be stored; `why` is for the operator.
    Away {
        why: String,
    },
    /// It serves, and is refused a part of what it is to do.
    Partly {
        why: String,
    },
}

/// One number of an engine, that only grows or is read off now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Figure {
    /// Without a prefix; ends in `_total` where it only grows.
    pub name: &'static str,
    pub help: &'static str,
    pub value: u64,
}
