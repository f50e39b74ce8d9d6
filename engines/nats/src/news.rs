//! What is heard: a subscription for each room that is followed here, or for a whole slice that a shard here is steward of.
//! Only what the server stored is published there, and what nobody needs to keep.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{Message as Told, Subscriber};
use engine::Answer;
use futures_util::StreamExt;
use tokio::sync::oneshot;
use tokio::task::{AbortHandle, JoinHandle};
use vocabulary::{Incarnation, RoomId, Slice};

use crate::around;
use crate::error::OpenError;
use crate::message::{Body, Message};
use crate::node::{Node, lock};
use crate::server::{Ask, Fault, count};
use crate::streams;

/// Between two times that all shards are told to look again: each is a reading of every room.
const GAP_PAUSE: Duration = Duration::from_millis(500);
/// What the server was about to send when it heard of a new subscription goes to the others alone, and may be held up on a
/// busy machine behind the answer to a question.
const SETTLES_WITHIN: Duration = Duration::from_millis(100);
/// While nothing can be read, telling them to is no use.
const AWAY_PAUSE: Duration = Duration::from_millis(50);

/// A subscription and the task that tells what it hears. Dropped, it tells what has come, and ends.
struct Ear {
    stop: oneshot::Sender<()>,
    task: JoinHandle<()>,
}

impl Ear {
    /// Returns when all that has come is told.
    async fn close(self) {
        drop(self.stop);
        self.task.await.ok();
    }
}

#[derive(Default)]
pub(crate) struct Heard {
    rooms: HashMap<RoomId, Ear>,
    slices: BTreeMap<Slice, Ear>,
    pub(crate) told: BTreeMap<Incarnation, AbortHandle>,
}

impl Heard {
    pub(crate) fn subscriptions(&self) -> usize {
        self.rooms.len() + self.slices.len() + self.told.len()
    }
}

impl Node {
    pub(crate) async fn hear(self: &Arc<Self>, room: &RoomId) -> Result<(), Fault> {
        let is_heard = {
            let heard = lock(&self.heard);
            heard.slices.contains_key(&room.slice()) || heard.rooms.contains_key(room)
        };
        if !is_heard {
            let (ear, begin) = self.subscribe(self.names.news_of_room(room)).await?;
            lock(&self.heard).rooms.insert(room.clone(), ear);
            drop(begin);
        }
        Ok(())
    }

    pub(crate) fn hear_no_more(&self, room: &RoomId) {
        lock(&self.heard).rooms.remove(room);
    }

    pub(crate) async fn hear_slices(self: &Arc<Self>, slices: &BTreeSet<Slice>) -> Result<(), Fault> {
        let (mut relieved, mut begins) = (Vec::new(), Vec::new());
        let mut heard_all = Ok(());
        for slice in slices {
            if lock(&self.heard).slices.contains_key(slice) {
                continue;
            }
            let (ear, begin) = match self.subscribe(self.names.news_of_slice(*slice)).await {
                Ok(subscribed) => subscribed,
                // Those that were heard one by one so far are let go with care all the same.
                Err(fault) => {
                    heard_all = Err(fault);
                    break;
                }
            };
            begins.push(begin);
            let mut heard = lock(&self.heard);
            heard.slices.insert(*slice, ear);
            relieved.extend(heard.rooms.extract_if(|room, _| room.slice() == *slice).map(|(_, ear)| ear));
        }
        self.relieve(relieved, begins).await;
        heard_all
    }

    /// Their rooms that are followed here are heard one by one before the slices are not.
    pub(crate) async fn leave_slices(self: &Arc<Self>, slices: &BTreeSet<Slice>) {
        let relieved: Vec<Ear> = {
            let mut heard = lock(&self.heard);
            slices.iter().filter_map(|slice| heard.slices.remove(slice)).collect()
        };
        let followed: Vec<RoomId> =
            lock(&self.rooms).keys().filter(|room| slices.contains(&room.slice())).cloned().collect();
        let mut begins = Vec::new();
        for room in followed {
            let Ok((ear, begin)) = self.subscribe(self.names.news_of_room(&room)).await else {
                // Whoever looks again subscribes again.
                self.signals.gap.notify_one();
                continue;
            };
            // Both under their locks: nobody leaves the room in between and finds no ear to drop.
            let rooms = lock(&self.rooms);
            if rooms.contains_key(&room) {
                lock(&self.heard).rooms.insert(room, ear);
                begins.push(begin);
            }
        }
        self.relieve(relieved, begins).await;
    }

    /// New subscriptions take the place of others. What those heard is told to its end before: nothing is lost between them,
    /// and nothing older is told after what is newer.
    async fn relieve(&self, relieved: Vec<Ear>, begins: Vec<oneshot::Sender<()>>) {
        if !relieved.is_empty() {
            // With its answer all has come that the server sent while it did not know the new ones. If none comes, we are cut
            // off, and all is looked at again.
            self.server.last(&self.names.state, &self.names.leases(), Ask::Leader).await.ok();
            tokio::time::sleep(SETTLES_WITHIN).await;
            futures_util::future::join_all(relieved.into_iter().map(Ear::close)).await;
        }
        drop(begins);
    }

    /// Nothing is told before the sender that comes with it is dropped; what comes waits.
    async fn subscribe(self: &Arc<Self>, subject: String) -> Result<(Ear, oneshot::Sender<()>), Fault> {
        let asked = self.server.client.subscribe(subject);
        let subscription = match tokio::time::timeout(self.config.call_within, asked).await {
            Ok(Ok(subscription)) => subscription,
            Ok(Err(error)) => return Err(Fault::Unanswered(error.to_string())),
            Err(_) => return Err(Fault::NotSent),
        };
        let (begin, begins) = oneshot::channel::<()>();
        let (stop, stops) = oneshot::channel();
        let node = self.clone();
        let task = tokio::spawn(async move {
            begins.await.ok();
            node.listen(subscription, stops).await;
        });
        Ok((Ear { stop, task }, begin))
    }

    async fn listen(&self, mut subscription: Subscriber, mut stops: oneshot::Receiver<()>) {
        let mut stopped = false;
        loop {
            let message = tokio::select! {
                message = subscription.next() => message,
                _ = &mut stops, if !stopped => {
                    stopped = true;
                    // What has come stays to be heard.
                    if subscription.unsubscribe().await.is_err() {
                        return;
                    }
                    continue;
                }
            };
            let Some(message) = message else { return };
            if self.hear_one(message).await.is_none() {
                count(&self.counts.unread);
            }
        }
    }

    /// None: it could not be read.
    async fn hear_one(&self, heard: Told) -> Option<()> {
        let (room, rest) = self.names.room_of(&heard.subject)?;
        if rest == "log" {
            let sequence = heard.headers.as_ref()?.get("Nats-Sequence")?.as_str().parse().ok()?;
            self.hear_log(&room, sequence, Message::decode(heard.payload)?).await;
        } else if rest.starts_with("here.") {
            let present = around::present(rest, heard.payload)?;
            let by = present.by;
            self.tell_others(&room, by, &Answer::Present { room: room.clone(), present }).await;
        } else {
            let key = around::soft_key(rest)?;
            let (by, entry) = around::decode(&key, heard.payload)?;
            self.tell_others(&room, by, &Answer::Soft { room: room.clone(), entry }).await;
        }
        Some(())
    }

    async fn hear_log(&self, room: &RoomId, sequence: u64, message: Message) {
        let is_news = match lock(&self.rooms).get_mut(room) {
            Some(book) => {
                let is_news = book.is_heard_first(sequence);
                if is_news {
                    book.note(sequence, &message);
                }
                is_news
            }
            None => false,
        };
        if let Some(due) = message.due {
            self.hear_due(room, due, due.said_at == message.after.position).await;
        }
        if is_news {
            let epoch = message.after.position.epoch;
            let news = match message.body {
                Body::Epoch(_) => Answer::EpochBegan { room: room.clone(), epoch },
                Body::Batch(_) => {
                    let records: Vec<_> = message.records().map(|(stored, _)| stored).collect();
                    // It stands where a message was that is gone.
                    if records.is_empty() {
                        return;
                    }
                    Answer::Grown { room: room.clone(), epoch, records }
                }
            };
            self.tell_others(room, message.by, &news).await;
        }
    }
}

/// Settings that somebody changed while we ran are for the next start to refuse.
async fn has_streams(node: &Node) -> bool {
    // Those of presence and soft values are gone with every restart of a single server, and are said again.
    let made = |stream: &str| match stream == node.names.here || stream == node.names.soft {
        true => tracing::info!(stream, "NATS had lost a stream of what is said again; it was made again"),
        false => {
            tracing::warn!(stream, "NATS had lost a stream and all that was in it; it was made again, empty")
        }
    };
    let prepared = streams::prepare(&node.server, &node.names, &node.config, made).await;
    matches!(prepared, Ok(()) | Err(OpenError::Differs { .. }))
}

/// Tells every shard to look again, once reading is of use.
pub(crate) async fn mend_gaps(node: Arc<Node>) {
    loop {
        node.signals.gap.notified().await;
        // What the server keeps in memory went with it.
        while !node.server.is_connected() || !has_streams(&node).await {
            if node.ended.load(Ordering::Relaxed) {
                return;
            }
            tokio::time::sleep(AWAY_PAUSE).await;
        }
        lock(&node.rooms).values_mut().for_each(crate::book::Book::forget);
        lock(&node.softs).clear();
        lock(&node.agenda).stale = true;
        count(&node.counts.missed);
        let locals: Vec<Incarnation> = lock(&node.locals).values().copied().collect();
        for to in locals {
            node.answer(to, Answer::Missed).await;
        }
        if node.look_at_claims().await.is_err() {
            node.signals.gap.notify_one();
        }
        if node.ended.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(GAP_PAUSE).await;
    }
}
