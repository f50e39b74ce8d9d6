//! What an operator asks of the shards, and of what only the shell knows: addresses, TLS, mounts' paths, who is online elsewhere. A
//! question goes to all shards or to one; whoever has not answered in time is named. It knows no HTTP.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::mpsc;
use vocabulary::{ConnectionId, ConnectionSeen, Findings, Inquiry, RoomId, ShardId, Survey, UserId};

use crate::facts::Facts;
use crate::gate::Gate;
use crate::mail::Mailboxes;
use crate::sockets::Sockets;

/// A shard that does not answer within this is not going to be waited for: it looks into its boxes in every turn.
pub const SHARDS_WITHIN: Duration = Duration::from_secs(2);
/// Questions that wait for answers; as many as there are places at the operator's listener would do.
const WAITING_MAX: usize = 256;

/// What the shell knows of a connection besides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SocketSeen {
    pub address: SocketAddr,
    pub tls: bool,
}

/// What one shard found; of connections, with their sockets.
#[derive(Debug)]
pub struct Found {
    pub findings: Findings,
    pub sockets: Vec<Option<SocketSeen>>,
}

/// What the shards said, each for itself.
pub struct Heard {
    pub answers: Vec<(ShardId, Found)>,
    /// They have not answered in time.
    pub silent: Vec<ShardId>,
}

type Answers = mpsc::Sender<(ShardId, Found)>;

/// Those who wait for shards.
#[derive(Default)]
pub(crate) struct Surveys {
    next: AtomicU64,
    /// Held for a look-up.
    waiting: Mutex<BTreeMap<u64, Answers>>,
}

impl Surveys {
    fn waiting(&self) -> MutexGuard<'_, BTreeMap<u64, Answers>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Each shard answers once: there is a place for the answer of each that is asked.
    fn begin(&self, shards: usize) -> Option<(u64, mpsc::Receiver<(ShardId, Found)>)> {
        let number = self.next.fetch_add(1, Ordering::Relaxed);
        let (send, answers) = mpsc::channel(shards.max(1));
        let mut waiting = self.waiting();
        if waiting.len() >= WAITING_MAX {
            return None;
        }
        waiting.insert(number, send);
        Some((number, answers))
    }

    pub(crate) fn found(&self, shard: ShardId, number: u64, findings: Findings, sockets: &mut Sockets) {
        let Some(waits) = self.waiting().get(&number).cloned() else { return };
        let seen = |connection: &ConnectionSeen| sockets.get(connection.id).map(|socket| socket.seen());
        let sockets = match &findings {
            Findings::Connections(page) => page.iter().map(seen).collect(),
            _ => Vec::new(),
        };
        // Whoever asked may have gone.
        waits.try_send((shard, Found { findings, sockets })).ok();
    }
}

/// Why nothing was asked: too many wait for answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crowded;

/// Where an operator looks from.
#[derive(Clone)]
pub struct Lookout {
    pub(crate) mailboxes: Arc<Mailboxes>,
    pub(crate) surveys: Arc<Surveys>,
    pub(crate) facts: Arc<Facts>,
    pub(crate) gate: Arc<Gate>,
    pub(crate) shards: u16,
    pub(crate) node: u64,
}

impl Lookout {
    /// The name of this node, drawn when it started: connections and references are named after it.
    pub fn node(&self) -> u64 {
        self.node
    }

    pub fn shards(&self) -> u16 {
        self.shards
    }

    pub fn facts(&self) -> &Arc<Facts> {
        &self.facts
    }

    /// Of the mount of that index.
    pub fn mount(&self, index: u8) -> &str {
        self.gate.mounts.get(usize::from(index)).map_or("", |mount| mount.path.as_str())
    }

    pub fn mounts(&self) -> impl Iterator<Item = &str> {
        self.gate.mounts.iter().map(|mount| mount.path.as_str())
    }

    pub fn home(&self, room: &RoomId) -> ShardId {
        room.slice().home(self.shards)
    }

    /// Whether a shard of that number is here.
    pub fn has(&self, id: ConnectionId) -> bool {
        id.shard.0 < self.shards
    }

    /// Whether the user is certainly connected to no other node; none: it cannot be told.
    pub fn is_nowhere_else(&self, user: &UserId) -> Option<bool> {
        if !self.facts.has_siblings() {
            return Some(true);
        }
        self.facts.fleet_may_have(user).and_then(|may| (!may).then_some(true))
    }

    pub async fn ask_all(&self, asks: Inquiry) -> Result<Heard, Crowded> {
        self.ask((0..self.shards).map(ShardId).collect(), asks).await
    }

    /// None: it has not answered in time.
    pub async fn ask_one(&self, shard: ShardId, asks: Inquiry) -> Result<Option<Found>, Crowded> {
        let heard = self.ask(vec![shard], asks).await?;
        Ok(heard.answers.into_iter().next().map(|(_, found)| found))
    }

    async fn ask(&self, shards: Vec<ShardId>, asks: Inquiry) -> Result<Heard, Crowded> {
        let (number, mut answers) = self.surveys.begin(shards.len()).ok_or(Crowded)?;
        // Whoever hangs up gives the place back.
        let _place = Place(&self.surveys, number);
        for shard in &shards {
            self.mailboxes.survey(*shard, Survey { number, asks: asks.clone() });
        }
        let mut heard = Heard { answers: Vec::new(), silent: shards };
        let all = async {
            while !heard.silent.is_empty() {
                let Some((shard, found)) = answers.recv().await else { return };
                heard.silent.retain(|silent| *silent != shard);
                heard.answers.push((shard, found));
            }
        };
        // Late is as good as never: what did come is told.
        tokio::time::timeout(SHARDS_WITHIN, all).await.ok();
        heard.answers.sort_by_key(|(shard, _)| *shard);
        Ok(heard)
    }
}

struct Place<'a>(&'a Surveys, u64);

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.0.waiting().remove(&self.1);
    }
}

#[cfg(test)]
mod tests {
    use identity::{KeyRing, TokenRules};

    use super::*;
    use crate::gate::Crowd;
    use crate::mail;

    #[test]
    fn who_has_not_answered_in_time_is_named_and_who_has_is_heard() {
        let (mailboxes, ends) = mail::open(3, false).expect("a poll");
        let keys = KeyRing::new(Vec::new(), 0, TokenRules::default());
        let gate = Gate { keys, mounts: Vec::new(), crowd: Crowd::default(), trusted: Vec::new() };
        let lookout = Lookout {
            mailboxes: Arc::new(mailboxes),
            surveys: Arc::default(),
            facts: Arc::new(Facts::new(3)),
            gate: Arc::new(gate),
            shards: 3,
            node: 1,
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let ask = Inquiry::Room(RoomId::new("chat", "a"));
        let heard = runtime.block_on(async {
            let answer = async {
                // The second hangs.
                for index in [0, 2] {
                    let shard = ShardId(index);
                    for survey in ends[usize::from(index)].control().surveys {
                        let mut sockets = Sockets::new(shard);
                        lookout.surveys.found(shard, survey.number, Findings::Room(None), &mut sockets);
                    }
                }
            };
            tokio::join!(lookout.ask_all(ask), answer).0
        });
        let Ok(Heard { answers, silent }) = heard else { panic!("too many ask") };
        let shards: Vec<u16> = answers.iter().map(|(shard, _)| shard.0).collect();
        assert_eq!((shards, silent), (vec![0, 2], vec![ShardId(1)]));
        assert!(lookout.surveys.waiting().is_empty(), "its place is free again");
        assert_eq!(ends[1].control().surveys.len(), 1, "it was asked");
    }
}
