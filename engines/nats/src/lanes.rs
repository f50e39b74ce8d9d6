//! Lanes: what is asked about one room, or one name, goes through one of them, a question after the other; lanes do not wait
//! for each other, but where an older life ends. They decide nothing.

use std::collections::HashSet;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use engine::{Answer, Asked, Question};
use tokio::sync::mpsc::{self, Receiver, Sender, error::TrySendError};
use vocabulary::{Incarnation, RoomId};

use crate::node::{Node, lock};
use crate::register::Entry;
use crate::server::count;

/// Questions on their way at once: more than a server of many cores answers in parallel, and few enough to be looked
/// through. A room never has more than one.
pub(crate) const LANES: usize = 64;
/// Of a lane: with all lanes a second's worth of a busy node.
const WAITING_MAX: usize = 256;
/// Shards that attend at once: of one node, and of all that a test has.
const ATTENDING_MAX: usize = 1024;

pub(crate) enum Job {
    Asked(Asked),
    /// Dropped when its turn comes.
    Fence(Sender<()>),
}

/// What a room asks again while it waits, and of which one answer is enough.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Again {
    Follow,
    /// Of a room that is read: it does not stand for a reading from the beginning.
    Look,
    Read(u64),
    Append(u64),
    Erase(u64),
}

fn again(question: &Question) -> Option<(&RoomId, Again)> {
    match question {
        Question::Follow { room, seen: None, .. } => Some((room, Again::Follow)),
        Question::Follow { room, seen: Some(_), .. } => Some((room, Again::Look)),
        Question::Read { room, ticket, .. } => Some((room, Again::Read(*ticket))),
        Question::Append { room, batch } => Some((room, Again::Append(batch.number))),
        Question::Erase { room, ticket, .. } => Some((room, Again::Erase(*ticket))),
        _ => None,
    }
}

/// Questions that wait or are on their way, at most as many as find a place. A room that waits long asks again every second,
/// and the server would do everything twice when it is slow already.
pub(crate) type Owed = Arc<Mutex<HashSet<(Incarnation, RoomId, Again)>>>;

#[derive(Clone)]
pub(crate) struct Lanes {
    lanes: Arc<[Sender<Job>]>,
    pub(crate) owed: Owed,
    attending: Sender<(Incarnation, u16)>,
}

pub(crate) struct Ends {
    lanes: Vec<Receiver<Job>>,
    attending: Receiver<(Incarnation, u16)>,
}

pub(crate) fn lanes() -> (Lanes, Ends) {
    let (lanes, ends): (Vec<_>, Vec<_>) = (0..LANES).map(|_| mpsc::channel(WAITING_MAX)).unzip();
    let (attending, attends) = mpsc::channel(ATTENDING_MAX);
    (
        Lanes { lanes: lanes.into(), owed: Owed::default(), attending },
        Ends { lanes: ends, attending: attends },
    )
}

/// Before it is told: with the answer the room may ask the same once more, and mean it.
pub(crate) fn answers(owed: &Owed, to: Incarnation, answer: &Answer) {
    let answered = match answer {
        Answer::Followed { room, .. } => {
            lock(owed).remove(&(to, room.clone(), Again::Look));
            (to, room.clone(), Again::Follow)
        }
        Answer::Read { room, ticket, .. } => (to, room.clone(), Again::Read(*ticket)),
        Answer::Appended { room, number, .. } => (to, room.clone(), Again::Append(*number)),
        Answer::Erased { room, ticket, .. } => (to, room.clone(), Again::Erase(*ticket)),
        _ => return,
    };
    lock(owed).remove(&answered);
}

impl Lanes {
    pub(crate) fn ask(&self, asked: Asked) -> Result<(), Box<Asked>> {
        let lane = match &asked.question {
            Question::Attend { shards } => {
                let sent = self.attending.try_send((asked.by, *shards));
                return sent.map_err(|_| Box::new(asked));
            }
            Question::Follow { room, .. }
            | Question::Unfollow { room }
            | Question::Append { room, .. }
            | Question::Read { room, .. }
            | Question::Store { room, .. }
            | Question::Erase { room, .. }
            | Question::BeginEpoch { room, .. }
            | Question::Settle { room, .. }
            | Question::Present { room, .. }
            | Question::Soft { room, .. } => lane_of(room.as_str()),
            Question::Claim { name, .. } | Question::Release { name, .. } => lane_of(name),
        };
        if let Question::Unfollow { room } = &asked.question {
            // What follows after this is no repetition of what was asked before it.
            for again in [Again::Follow, Again::Look] {
                lock(&self.owed).remove(&(asked.by, room.clone(), again));
            }
        }
        let owed = again(&asked.question).map(|(room, again)| (asked.by, room.clone(), again));
        if let Some(owed) = &owed
            && !lock(&self.owed).insert(owed.clone())
        {
            return Ok(());
        }
        self.lanes[lane].try_send(Job::Asked(asked)).map_err(|refused| {
            if let Some(owed) = owed {
                lock(&self.owed).remove(&owed);
            }
            match refused {
                TrySendError::Full(Job::Asked(asked)) | TrySendError::Closed(Job::Asked(asked)) => {
                    Box::new(asked)
                }
                TrySendError::Full(Job::Fence(_)) | TrySendError::Closed(Job::Fence(_)) => {
                    unreachable!("a question was sent")
                }
            }
        })
    }

    pub(crate) fn waiting(&self) -> usize {
        self.lanes.iter().map(|lane| lane.max_capacity() - lane.capacity()).sum()
    }

    /// All that was asked before has had its turn.
    pub(crate) async fn pass(&self) {
        let (fence, mut passed) = mpsc::channel(1);
        for lane in self.lanes.iter() {
            lane.send(Job::Fence(fence.clone())).await.ok();
        }
        drop(fence);
        passed.recv().await;
    }
}

fn lane_of(name: &str) -> usize {
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
    });
    ((hash ^ (hash >> 32)) % LANES as u64) as usize
}

pub(crate) fn run(node: &Arc<Node>, lanes: &Lanes, ends: Ends) {
    for mut end in ends.lanes {
        let (node, owed) = (node.clone(), lanes.owed.clone());
        tokio::spawn(async move {
            while let Some(job) = end.recv().await {
                match job {
                    Job::Asked(asked) => {
                        let answered =
                            again(&asked.question).map(|(room, again)| (asked.by, room.clone(), again));
                        node.question(asked).await;
                        // There was no answer: it is asked again.
                        if let Some(answered) = answered {
                            lock(&owed).remove(&answered);
                        }
                    }
                    Job::Fence(fence) => drop(fence),
                }
            }
        });
    }
    let (node, lanes, mut attending) = (node.clone(), lanes.clone(), ends.attending);
    tokio::spawn(async move {
        while let Some((by, shards)) = attending.recv().await {
            let (node, lanes) = (node.clone(), lanes.clone());
            // Each waits for itself: a slow one takes nobody's lease.
            tokio::spawn(async move { node.attend(&lanes, by, shards).await });
        }
    });
}

impl Node {
    async fn question(self: &Arc<Self>, Asked { by, question }: Asked) {
        self.meet(by);
        match question {
            Question::Attend { .. } => {}
            Question::Follow { room, seen, ticket } => self.follow(by, room, seen, ticket).await,
            Question::Unfollow { room } => self.unfollow(by, &room),
            Question::Append { room, batch } => self.append(by, room, batch).await,
            Question::Read { room, epoch, after, limit, ticket } => {
                self.read(by, room, (epoch, after, limit), ticket).await;
            }
            Question::Store { room, snapshot, forget_upto } => {
                self.store(by, room, snapshot, forget_upto).await;
            }
            Question::Erase { room, seen, offsets, ticket } => {
                self.erase(by, room, (seen, offsets), ticket).await;
            }
            Question::BeginEpoch { room, old, base } => self.begin_epoch(by, room, old, base).await,
            Question::Settle { room, at, due } => self.settle(room, at, due).await,
            Question::Present { room, person, count } => self.present(by, room, person, count).await,
            Question::Soft { room, entry } => self.soft(by, room, entry).await,
            Question::Claim { name, ticket } => self.claim(by, name, ticket).await,
            Question::Release { name, token } => self.release(&name, token).await,
        }
    }

    fn meet(&self, by: Incarnation) {
        let mut locals = lock(&self.locals);
        let newest = locals.entry((by.node, by.shard)).or_insert(by);
        if newest.life < by.life {
            *newest = by;
        }
    }

    async fn attend(self: &Arc<Self>, lanes: &Lanes, by: Incarnation, shards: u16) {
        // What this shard settled shows in its agenda, if that is soon. And what an older life of it published ends with
        // that life, so that it must not come after the end.
        let is_new = !lock(&self.living).knows(by);
        let patience = if is_new { self.config.lease } else { self.config.lease / 8 };
        let passed = tokio::time::timeout(patience.max(Duration::from_millis(50)), lanes.pass()).await;
        if is_new && passed.is_err() {
            return count(&self.counts.unanswered);
        }
        self.meet(by);
        let entered = self.enter(|done| Entry::Attend { by, shards, done }).await;
        if entered.is_err() || self.cover().await.is_err() {
            return count(&self.counts.unanswered);
        }
        let (slices, due) = self.attending(by);
        self.answer(by, Answer::Attending { slices, due }).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use engine::Erased;
    use vocabulary::{Seen, ShardId};

    #[test]
    fn what_is_asked_again_while_it_waits_has_one_place_and_may_be_asked_once_more_when_it_is_answered() {
        let (lanes, _ends) = lanes();
        let by = Incarnation { node: 1, shard: ShardId(0), life: 1 };
        let room = RoomId::new("chat", "r");
        let erase = |ticket| {
            let question =
                Question::Erase { room: room.clone(), seen: Seen::default(), offsets: vec![1], ticket };
            lanes.ask(Asked { by, question }).expect("there is place");
            lanes.waiting()
        };
        assert_eq!([erase(1), erase(1), erase(1)], [1, 1, 1]);
        assert_eq!([erase(2), erase(1)], [2, 2], "another one");
        let answer = Answer::Erased { room: room.clone(), ticket: 1, outcome: Erased::Gone };
        answers(&lanes.owed, by, &answer);
        assert_eq!([erase(1), erase(2)], [3, 3]);
    }
}
