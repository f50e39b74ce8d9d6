//! What the tasks of one engine share: they all run on its one thread, so that nothing here is locked, and no borrow is
//! held while anybody waits.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use engine::Answer;
use redis_wire::Fault;
use tokio::sync::{mpsc, oneshot};
use vocabulary::{Incarnation, RoomId, Wall};

use crate::counts::{Counts, add};
use crate::deployment::Start;
use crate::doubts::Doubts;
use crate::keys::Keys;
use crate::leases::Look;
use crate::living::Living;
use crate::news::{self, News};
use crate::post::Post;
use crate::scripts::Scripts;
use crate::subscriptions::Subscriptions;
use crate::wires::Wires;

pub(crate) struct Parts {
    pub(crate) lease: Duration,
    pub(crate) keys: Keys,
    pub(crate) scripts: Scripts,
    pub(crate) wires: Wires,
    pub(crate) post: Post,
    pub(crate) subscriptions: Subscriptions,
    pub(crate) living: RefCell<Living>,
    pub(crate) start: Start,
    pub(crate) doubts: RefCell<Doubts>,
    pub(crate) counts: Arc<Counts>,
    looks: mpsc::Sender<Look>,
    /// Who has asked anything here, and whose lease has not been seen to end.
    shards: RefCell<BTreeSet<Incarnation>>,
    followers: RefCell<BTreeMap<RoomId, BTreeSet<Incarnation>>>,
}

impl Parts {
    #[expect(clippy::too_many_arguments, reason = "one place makes it, of all its parts")]
    pub(crate) fn new(
        lease: Duration,
        keys: Keys,
        wires: Wires,
        post: Post,
        subscriptions: Subscriptions,
        start: Start,
        counts: Arc<Counts>,
        looks: mpsc::Sender<Look>,
    ) -> Rc<Parts> {
        Rc::new(Parts {
            lease,
            keys,
            scripts: Scripts::new(),
            wires,
            post,
            subscriptions,
            living: RefCell::default(),
            start,
            doubts: RefCell::default(),
            counts,
            looks,
            shards: RefCell::default(),
            followers: RefCell::default(),
        })
    }

    /// In Cluster a channel belongs to a slot like a key.
    pub(crate) fn publish(&self) -> &'static str {
        if self.wires.way.cluster { "SPUBLISH" } else { "PUBLISH" }
    }

    pub(crate) fn knows(&self, by: Incarnation) {
        let newer = |of: &Incarnation| of.node == by.node && of.shard == by.shard && of.life > by.life;
        let is_over = self.shards.borrow().iter().any(newer);
        if !is_over && self.shards.borrow_mut().insert(by) {
            self.subscriptions.want(&self.keys.node_channel(by.node), None);
        }
    }

    pub(crate) fn has_older_life(&self, by: Incarnation) -> bool {
        let older = |of: &Incarnation| of.node == by.node && of.shard == by.shard && of.life < by.life;
        self.shards.borrow().iter().any(older)
    }

    /// Whether what is said to this node alone is heard.
    pub(crate) async fn hears_of(&self, node: u64) -> bool {
        self.subscriptions.heard(&self.keys.node_channel(node), None).await
            && self.subscriptions.heard(&self.keys.ended_channel(), None).await
    }

    pub(crate) async fn look(&self, look: Look) {
        // Nobody listens any more where the engine ends.
        drop(self.looks.send(look).await);
    }

    /// The number of the asker's lease, which is begun if there is none.
    pub(crate) async fn lease_of(&self, by: Incarnation) -> Option<u64> {
        if let Some(number) = self.living.borrow().number(by) {
            return Some(number);
        }
        let (done, wait) = oneshot::channel();
        self.look(Look::Begin { by, done }).await;
        wait.await.ok().flatten()
    }

    pub(crate) async fn look_now(&self) -> bool {
        let (done, wait) = oneshot::channel();
        self.look(Look::Now { done }).await;
        wait.await.is_ok()
    }

    /// A word of a life that is over comes late: it is answered, and hears no news.
    pub(crate) fn follow(&self, by: Incarnation, room: &RoomId) {
        if !self.is_here(by) {
            return;
        }
        self.followers.borrow_mut().entry(room.clone()).or_default().insert(by);
    }

    pub(crate) fn unfollow(&self, by: Incarnation, room: &RoomId) {
        let mut followers = self.followers.borrow_mut();
        let Some(of_room) = followers.get_mut(room) else { return };
        of_room.remove(&by);
        if of_room.is_empty() {
            followers.remove(room);
            self.subscriptions.unwant(&self.keys.room_channel(room));
        }
    }

    pub(crate) fn is_here(&self, by: Incarnation) -> bool {
        self.shards.borrow().contains(&by)
    }

    /// A lease is over, and with it what it followed. All shards are told, the one that ended too: if it is alive after
    /// all it must say everything again under a new name.
    pub(crate) fn ended(&self, incarnation: Incarnation, lease: u64) {
        if !self.living.borrow_mut().end(incarnation, lease) {
            return;
        }
        let tell: Vec<Incarnation> = self.shards.borrow().iter().copied().collect();
        for to in tell {
            self.post.news(to, Answer::Ended { incarnation });
        }
        self.forget(incarnation);
    }

    /// A new life attends: the older ones have ended, those too that had no lease any more and came late.
    pub(crate) fn forget_older(&self, than: Incarnation) {
        let older = |of: &&Incarnation| of.node == than.node && of.shard == than.shard && of.life < than.life;
        let older: Vec<Incarnation> = self.shards.borrow().iter().filter(older).copied().collect();
        older.into_iter().for_each(|of| self.forget(of));
    }

    fn forget(&self, incarnation: Incarnation) {
        if !self.shards.borrow_mut().remove(&incarnation) {
            return;
        }
        let rooms: Vec<RoomId> = {
            let followers = self.followers.borrow();
            let its = followers.iter().filter(|(_, of_room)| of_room.contains(&incarnation));
            its.map(|(room, _)| room.clone()).collect()
        };
        for room in rooms {
            self.unfollow(incarnation, &room);
        }
    }

    pub(crate) fn missed(&self) {
        let tell: Vec<Incarnation> = self.shards.borrow().iter().copied().collect();
        for to in tell {
            self.post.news(to, Answer::Missed);
        }
    }

    /// What came over a channel.
    pub(crate) fn heard(&self, room: Option<&RoomId>, bytes: &[u8]) {
        add(&self.counts.news_total);
        match news::read(room, bytes) {
            Some(News::Room { by, answer }) => {
                let Some(room) = room else { return };
                let followers = self.followers.borrow();
                let others = followers.get(room).into_iter().flatten().filter(|follower| **follower != by);
                for to in others {
                    self.post.news(*to, answer.clone());
                }
            }
            Some(News::Ended { incarnation, lease }) => self.ended(incarnation, lease),
            Some(News::Attends { incarnation, shards, lease }) => {
                self.living.borrow_mut().attends(incarnation, lease, shards);
            }
            Some(News::Due { room }) => {
                let steward = self.living.borrow().steward(room.slice());
                if let Some(steward) = steward.filter(|steward| self.is_here(*steward)) {
                    self.post.news(steward, Answer::Due { room });
                }
            }
            Some(News::ClaimLost { of, name, token }) => {
                if self.is_here(of) {
                    self.post.news(of, Answer::ClaimLost { name, token });
                }
            }
            None => {
                add(&self.counts.news_unreadable_total);
                self.missed();
            }
        }
    }

    /// A word to one node, on its way while the lane goes on. Where it is lost, the node finds out by looking.
    pub(crate) fn tell_node(self: &Rc<Self>, lane: usize, node: u64, bytes: Vec<u8>) {
        let (parts, channel) = (self.clone(), self.keys.node_channel(node));
        tokio::task::spawn_local(async move {
            let mut command = redis::cmd(parts.publish());
            command.arg(channel.name).arg(bytes);
            if parts.wires.ask(lane, channel.slot, command).await.is_err() {
                add(&parts.counts.unanswered_total);
            }
        });
    }

    /// The deployment's record is gone: the server was emptied.
    pub(crate) async fn remake(&self) -> Result<(), Fault> {
        let done = self.start.join(&self.wires, &self.keys, &self.counts).await;
        done.map(drop)
    }
}

pub(crate) fn wall() -> Wall {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    Wall(i64::try_from(since.as_millis()).unwrap_or(i64::MAX))
}
