//! What is heard: a subscription for each room that is followed here, or for a whole slice that a shard here is steward of.
//! Only what the server stored is published there, and what nobody needs to keep.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::Message as Told;
use engine::Answer;
use futures_util::StreamExt;
use tokio::task::AbortHandle;
use vocabulary::{Incarnation, RoomId, Slice};

use crate::around;
use crate::error::OpenError;
use crate::message::{Body, Message};
use crate::node::{Node, lock};
use crate::server::{Fault, count};
use crate::streams;

/// Between two times that all shards are told to look again: each is a reading of every room.
const GAP_PAUSE: Duration = Duration::from_millis(500);
/// While nothing can be read, telling them to is no use.
const AWAY_PAUSE: Duration = Duration::from_millis(50);

#[derive(Default)]
pub(crate) struct Heard {
    rooms: HashMap<RoomId, AbortHandle>,
    slices: BTreeMap<Slice, AbortHandle>,
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
        if is_heard {
            return Ok(());
        }
        let task = self.subscribe(self.names.news_of_room(room)).await?;
        if let Some(other) = lock(&self.heard).rooms.insert(room.clone(), task) {
            other.abort();
        }
        Ok(())
    }

    pub(crate) fn hear_no_more(&self, room: &RoomId) {
        if let Some(task) = lock(&self.heard).rooms.remove(room) {
            task.abort();
        }
    }

    pub(crate) async fn hear_slice(self: &Arc<Self>, slice: Slice) -> Result<(), Fault> {
        if lock(&self.heard).slices.contains_key(&slice) {
            return Ok(());
        }
        let task = self.subscribe(self.names.news_of_slice(slice)).await?;
        let mut heard = lock(&self.heard);
        heard.slices.insert(slice, task);
        let (of_slice, rest): (HashMap<_, _>, HashMap<_, _>) =
            std::mem::take(&mut heard.rooms).into_iter().partition(|(room, _)| room.slice() == slice);
        heard.rooms = rest;
        of_slice.into_values().for_each(|task| task.abort());
        Ok(())
    }

    /// Its rooms that are followed here are heard one by one before the slice is not.
    pub(crate) async fn leave_slice(self: &Arc<Self>, slice: Slice) -> Result<(), Fault> {
        let Some(task) = lock(&self.heard).slices.remove(&slice) else { return Ok(()) };
        let followed: Vec<RoomId> =
            lock(&self.rooms).keys().filter(|room| room.slice() == slice).cloned().collect();
        for room in followed {
            self.hear(&room).await?;
        }
        task.abort();
        Ok(())
    }

    async fn subscribe(self: &Arc<Self>, subject: String) -> Result<AbortHandle, Fault> {
        let asked = self.server.client.subscribe(subject);
        let mut subscription = match tokio::time::timeout(self.config.call_within, asked).await {
            Ok(Ok(subscription)) => subscription,
            Ok(Err(error)) => return Err(Fault::Unanswered(error.to_string())),
            Err(_) => return Err(Fault::NotSent),
        };
        let node = self.clone();
        let task = tokio::spawn(async move {
            while let Some(message) = subscription.next().await {
                if node.hear_one(message).await.is_none() {
                    count(&node.counts.unread);
                }
            }
        });
        Ok(task.abort_handle())
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
                    let records = message.records().map(|(stored, _)| stored).collect();
                    Answer::Grown { room: room.clone(), epoch, records }
                }
            };
            self.tell_others(room, message.by, &news).await;
        }
    }
}

/// Settings that somebody changed while we ran are for the next start to refuse.
async fn has_streams(node: &Node) -> bool {
    let prepared = streams::prepare(&node.server, &node.names, &node.config).await;
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
        if node.look_at_claims().await.is_err() {
            node.signals.gap.notify_one();
        }
        count(&node.counts.missed);
        let locals: Vec<Incarnation> = lock(&node.locals).values().copied().collect();
        for to in locals {
            node.answer(to, Answer::Missed).await;
        }
        if node.ended.load(Ordering::Relaxed) {
            return;
        }
        tokio::time::sleep(GAP_PAUSE).await;
    }
}
