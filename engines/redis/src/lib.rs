//! Rooms in Redis, for several nodes: logs as streams that one script appends to, numbers and publishes; leases, presence,
//! soft values and claims beside them. It takes the contract's questions from a node's shards and answers them from a
//! thread of its own. It never opens a payload, and it holds no room: what it forgets with its process is whom to tell.

mod counts;
mod deployment;
mod doubts;
mod ears;
mod keys;
mod lanes;
mod leases;
mod living;
mod news;
mod open;
mod pages;
mod parts;
mod post;
mod questions;
mod scripts;
mod subscriptions;
mod survey;
mod wires;

use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Asked, Durability, Guarantees, Question};
use link::{Condition, Deployment, Figure, Link};
use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::{mpsc, oneshot};

use counts::Counts;
use lanes::Errand;
use leases::Look;
pub use open::{OpenError, open};
pub use survey::Survey;

#[derive(Clone)]
pub struct Config {
    /// `redis://user:password@host:port/database`, or `rediss://` for TLS. Several, separated by commas, are servers of one
    /// Cluster, asked in turn until one says who the others are.
    pub url: String,
    /// All keys and channels begin with it; deployments that share a server have different ones.
    pub prefix: String,
    pub cluster: bool,
    /// Authorities to be trusted with TLS, as PEM; else those of the system.
    pub authorities: Option<PathBuf>,
    /// Connections for commands to each server. One more to each only listens.
    pub connections: usize,
    /// How long who does not renew is taken for alive.
    pub lease: Duration,
    /// What a stored record survives, where the server does not say how it writes to its disk.
    pub durability: Durability,
}

impl Default for Config {
    fn default() -> Config {
        Config {
            url: "redis://127.0.0.1:6379".to_owned(),
            prefix: "kulkul".to_owned(),
            cluster: false,
            authorities: None,
            connections: 2,
            lease: Duration::from_secs(10),
            durability: Durability::None,
        }
    }
}

/// A node's way to Redis. Its thread and its connections end with it.
pub struct Redis {
    lanes: Vec<mpsc::Sender<Errand>>,
    looks: mpsc::Sender<Look>,
    counts: Arc<Counts>,
    guarantees: Guarantees,
    joined: Deployment,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Redis {
    /// The deployment's record, as it was when the node joined.
    pub fn deployment(&self) -> &Deployment {
        &self.joined
    }
}

impl Link for Redis {
    fn guarantees(&self) -> Guarantees {
        self.guarantees
    }

    fn ask(&self, asked: Asked) -> Result<(), Box<Asked>> {
        let Some(lane) = lanes::lane_of(&asked.question) else {
            return self.attend(asked);
        };
        self.lanes[lane].try_send(Errand::Asked(Box::new(asked))).map_err(|refused| {
            match refused {
                TrySendError::Full(Errand::Asked(asked)) | TrySendError::Closed(Errand::Asked(asked)) => {
                    asked
                }
                // Nothing else was sent.
                TrySendError::Full(Errand::Barrier(_)) | TrySendError::Closed(Errand::Barrier(_)) => {
                    unreachable!("a question was sent")
                }
            }
        })
    }

    fn condition(&self) -> Condition {
        if self.looks.is_closed() || self.lanes.iter().any(mpsc::Sender::is_closed) {
            let why =
                "a task of the Redis engine panicked; the log says why. Begin the process again".to_owned();
            return Condition::Away { why };
        }
        self.counts.condition()
    }

    fn broken(&self) -> Option<String> {
        let has_ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        has_ended.then(|| "the thread of the Redis engine ended".to_owned())
    }

    fn figures(&self) -> Vec<Figure> {
        self.counts.figures()
    }
}

impl Redis {
    fn attend(&self, asked: Asked) -> Result<(), Box<Asked>> {
        let Question::Attend { shards } = asked.question else { return Err(Box::new(asked)) };
        let look = Look::Attend { by: asked.by, shards, is_clear: false };
        self.looks.try_send(look).map_err(|_| Box::new(asked))
    }
}

impl Drop for Redis {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // It may have ended before.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread of the Redis engine panicked");
        }
    }
}
