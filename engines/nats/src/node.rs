//! One node's side of the engine: what all lanes share. Locks here guard tables that are looked into for a moment; nothing
//! awaits under one.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Answer;
use link::{Answers, Deployment};
use tokio::sync::mpsc;
use vocabulary::{Epoch, Incarnation, RoomId, ShardId, Wall};

use crate::agenda::Agenda;
use crate::book::Book;
use crate::config::Config;
use crate::connect::Signals;
use crate::lanes::{self, Owed};
use crate::leases::Living;
use crate::names::Names;
use crate::news::Heard;
use crate::register::Entry;
use crate::server::{Lack, Server};
use crate::sweep::Wanted;

pub(crate) struct Node {
    pub(crate) names: Names,
    pub(crate) server: Server,
    pub(crate) config: Config,
    pub(crate) answers: Arc<dyn Answers>,
    pub(crate) deployment: Deployment,
    /// Of the deployment's record: a room's first epoch carries it.
    pub(crate) tag: AtomicU32,
    /// Rooms that somebody here follows.
    pub(crate) rooms: Mutex<HashMap<RoomId, Book>>,
    /// Who asked here, each shard under the name of its newest life.
    pub(crate) locals: Mutex<BTreeMap<(u64, ShardId), Incarnation>>,
    pub(crate) living: Mutex<Living>,
    pub(crate) agenda: Mutex<Agenda>,
    pub(crate) heard: Mutex<Heard>,
    /// Batches of which it is not known whether they were stored: nobody is told that they were not.
    pub(crate) doubts: Mutex<BTreeMap<(RoomId, Incarnation), u64>>,
    /// Tokens that shards here have given back.
    pub(crate) released: Mutex<VecDeque<u64>>,
    /// Claims of shards here, to be looked at again after a gap.
    pub(crate) claims: Mutex<BTreeMap<Arc<str>, (Incarnation, u64)>>,
    /// Soft values published here last: their stamps and sequences.
    pub(crate) softs: Mutex<BTreeMap<String, (Stamp, u64)>>,
    /// Slices come and go one change at a time.
    pub(crate) covering: tokio::sync::Mutex<()>,
    pub(crate) register: mpsc::Sender<Entry>,
    /// What shards asked and were not answered.
    pub(crate) owed: Owed,
    pub(crate) sweeps: mpsc::Sender<Wanted>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) ended: AtomicBool,
    pub(crate) counts: Counts,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) missed: AtomicU64,
    pub(crate) damaged: AtomicU64,
    pub(crate) unanswered: AtomicU64,
    pub(crate) unread: AtomicU64,
}

/// Of a soft value: when, and whether it ended it; the greater one wins.
pub(crate) type Stamp = (Wall, bool);

/// Between two tries to put an answer into a box that was full: a shard empties it in each of its turns.
const BOX_PAUSE: Duration = Duration::from_millis(1);

impl Node {
    pub(crate) fn first_epoch(&self) -> Epoch {
        Epoch::new(Epoch::FIRST_COUNTER, self.tag.load(std::sync::atomic::Ordering::Relaxed))
    }

    /// Waits for a place; what is behind it waits too, up to a subscription's maximum.
    pub(crate) async fn answer(&self, to: Incarnation, answer: Answer) {
        lanes::answers(&self.owed, to, &answer);
        let mut answer = answer;
        while let Err(back) = self.answers.put(to, answer) {
            if self.ended.load(std::sync::atomic::Ordering::Relaxed) {
                return;
            }
            answer = *back;
            tokio::time::sleep(BOX_PAUSE).await;
        }
    }

    pub(crate) fn followers(&self, room: &RoomId) -> Vec<Incarnation> {
        let rooms = lock(&self.rooms);
        rooms.get(room).map(|book| book.followers.iter().copied().collect()).unwrap_or_default()
    }

    pub(crate) async fn tell_others(&self, room: &RoomId, than: Incarnation, news: &Answer) {
        for follower in self.followers(room).into_iter().filter(|follower| *follower != than) {
            self.answer(follower, news.clone()).await;
        }
    }

    pub(crate) fn wall(&self) -> Wall {
        let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
    }

    /// What a shard published and no answer tells it of could not be stored: it says it again when it looks again.
    pub(crate) fn owes(&self) {
        self.signals.gap.notify_one();
    }
}

/// A table is whole whatever became of who held it last.
pub(crate) fn lock<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}

pub(crate) fn count_damaged(node: &Node) -> Lack {
    crate::server::count(&node.counts.damaged);
    Lack::Damaged
}
