//! The register of leases: the one task of a node that replaces the document, for all its shards at once, and looks at it
//! when nobody else has. It ends leases, and sees to it that what was published under them goes.

use std::sync::Arc;
use std::time::Duration;

use async_nats::HeaderMap;
use engine::Answer;
use futures_util::StreamExt;
use tokio::sync::{mpsc, oneshot};
use tokio::time::Instant;
use vocabulary::Incarnation;

use crate::leases::Document;
use crate::node::{Node, lock};
use crate::server::{Ask, Fault, chance};

/// Shards that wait for one document, of this node.
const AT_ONCE_MAX: usize = 256;
/// Races for one document: all nodes write it a few times a term.
const RACES_MAX: u32 = 16;

pub(crate) enum Entry {
    Attend {
        by: Incarnation,
        shards: u16,
        done: oneshot::Sender<()>,
    },
    Begin {
        by: Incarnation,
        done: oneshot::Sender<()>,
    },
    /// Who is alive by now?
    Look {
        done: oneshot::Sender<()>,
    },
    /// Nothing is left of one that ended.
    Gone(Incarnation),
}

pub(crate) async fn keep(node: Arc<Node>, mut entries: mpsc::Receiver<Entry>) {
    let mut news = node.server.client.subscribe(node.names.leases_news()).await.ok();
    let mut look = Instant::now();
    let mut gone = Vec::new();
    loop {
        let told = async {
            match &mut news {
                Some(news) => news.next().await,
                None => std::future::pending().await,
            }
        };
        let entry = tokio::select! {
            entry = entries.recv() => match entry {
                Some(entry) => Some(entry),
                None => return,
            },
            message = told => {
                if let Some(message) = message {
                    let sequence = message.headers.as_ref().and_then(|headers| headers.get("Nats-Sequence"));
                    let sequence = sequence.and_then(|sequence| sequence.as_str().parse().ok());
                    let document = str::from_utf8(&message.payload).ok().and_then(Document::decode);
                    if let (Some(sequence), Some(document)) = (sequence, document) {
                        node.hear_document(sequence, document, false).await;
                        look = next_look(&node);
                    }
                }
                continue;
            }
            () = tokio::time::sleep_until(look) => None,
        };
        let mut gathered: Vec<Entry> = entry.into_iter().collect();
        while gathered.len() < AT_ONCE_MAX
            && let Ok(entry) = entries.try_recv()
        {
            gathered.push(entry);
        }
        look = next_look(&node);
        // Who waits is told by the end of its channel if this fails, and asks again.
        if node.enter_all(&gathered, &mut gone).await.is_ok() {
            for entry in gathered {
                if let Entry::Attend { done, .. } | Entry::Begin { done, .. } | Entry::Look { done } = entry {
                    done.send(()).ok();
                }
            }
        }
    }
}

/// Between an eighth of a term and a fifth: well within the quarter that counts in full. By chance, so that mostly one node
/// of many looks.
fn next_look(node: &Node) -> Instant {
    let share = (chance() % 1000) as f64 / 1000.0;
    Instant::now() + node.config.lease.mul_f64(0.125 + 0.075 * share)
}

impl Node {
    async fn enter_all(
        self: &Arc<Self>,
        entries: &[Entry],
        gone: &mut Vec<Incarnation>,
    ) -> Result<(), Fault> {
        let term = self.config.lease;
        let only_looks = entries.iter().all(|entry| matches!(entry, Entry::Look { .. }));
        for entry in entries {
            if let Entry::Gone(id) = entry {
                gone.push(*id);
            }
        }
        for race in 0..RACES_MAX {
            let kept = self.server.last(&self.names.state, &self.names.leases(), Ask::Leader).await?;
            let (sequence, old, stored_at) = match &kept {
                Some(got) => {
                    let text = str::from_utf8(&got.data).unwrap_or_default();
                    let Some(document) = Document::decode(text) else { return Err(Fault::Absent) };
                    (got.sequence, document, got.stored_at)
                }
                // Lost by the server, and nobody's lease with it.
                None => (0, lock(&self.living).document.clone(), 0),
            };
            self.hear_document(sequence, old.clone(), true).await;
            if old.held.is_empty() && old.ending.is_empty() && only_looks {
                return Ok(());
            }
            let mut next = old.next(stored_at, term);
            for entry in entries {
                match entry {
                    Entry::Attend { by, shards, .. } => next.attend(*by, *shards),
                    Entry::Begin { by, .. } => next.begin(*by),
                    Entry::Look { .. } | Entry::Gone(_) => {}
                }
            }
            next.ending.retain(|id, _| !gone.contains(id));
            let ended_now = next.ending.keys().filter(|id| !old.ending.contains_key(id)).copied();
            let purge: Vec<_> = ended_now.chain(next.left_behind(term)).collect();
            let body = next.encode().into();
            let stored =
                self.server.publish(self.names.leases(), Some(sequence), HeaderMap::new(), body).await;
            self.server.registered(&self.names.log, &stored).await;
            match stored {
                Ok(sequence) => {
                    gone.clear();
                    self.hear_document(sequence, next, true).await;
                    self.purge_presence(purge);
                    return Ok(());
                }
                Err(Fault::Raced) => {
                    let most = Duration::from_millis(2) * (race + 1);
                    tokio::time::sleep(most.mul_f64((chance() % 1000) as f64 / 1000.0)).await;
                }
                Err(fault) => return Err(fault),
            }
        }
        Err(Fault::Raced)
    }

    /// Tells the shards here who has ended, each once.
    pub(crate) async fn hear_document(self: &Arc<Self>, sequence: u64, document: Document, surely: bool) {
        let gone = {
            let mut living = lock(&self.living);
            if sequence == living.sequence || (sequence < living.sequence && !surely) {
                return;
            }
            living.replace(sequence, document)
        };
        for incarnation in gone {
            let tell: Vec<Incarnation> = {
                let mut locals = lock(&self.locals);
                let shard = (incarnation.node, incarnation.shard);
                let mut tell: Vec<_> = locals.values().copied().collect();
                if locals.get(&shard) == Some(&incarnation) {
                    locals.remove(&shard);
                } else if locals.contains_key(&shard) {
                    tell.push(incarnation);
                }
                tell
            };
            self.end_local(incarnation);
            for to in tell {
                self.answer(to, Answer::Ended { incarnation }).await;
            }
        }
    }

    /// What it followed and claimed here.
    fn end_local(self: &Arc<Self>, gone: Incarnation) {
        let followed: Vec<_> = {
            let rooms = lock(&self.rooms);
            rooms
                .iter()
                .filter(|(_, book)| book.followers.contains(&gone))
                .map(|(id, _)| id.clone())
                .collect()
        };
        followed.iter().for_each(|room| self.unfollow(gone, room));
        lock(&self.claims).retain(|_, (by, _)| *by != gone);
        lock(&self.doubts).retain(|(_, by), _| *by != gone);
        lock(&self.heard).told.remove(&gone).inspect(tokio::task::AbortHandle::abort);
    }

    fn purge_presence(self: &Arc<Self>, of: Vec<Incarnation>) {
        for id in of {
            let node = self.clone();
            tokio::spawn(async move {
                let filter = node.names.here_of_anywhere(id);
                if node.server.purge(&node.names.here, &filter, None).await.is_ok() {
                    // Not heard: it is purged once more, by somebody.
                    node.register.try_send(Entry::Gone(id)).ok();
                }
            });
        }
    }

    /// A lease for one that publishes before it attends, so that what it publishes ends.
    pub(crate) async fn begin(&self, by: Incarnation) -> Result<(), Fault> {
        if lock(&self.living).knows(by) {
            return Ok(());
        }
        self.enter(|done| Entry::Begin { by, done }).await
    }

    pub(crate) async fn enter(&self, entry: impl FnOnce(oneshot::Sender<()>) -> Entry) -> Result<(), Fault> {
        let (done, told) = oneshot::channel();
        self.register.send(entry(done)).await.map_err(|_| Fault::NotSent)?;
        told.await.map_err(|_| Fault::Unanswered("the leases cannot be written".to_owned()))
    }
}
