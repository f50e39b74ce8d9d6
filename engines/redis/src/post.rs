//! What goes to the shards: one queue for each, because a shard must hear of the end of a lease after the answers that were
//! made before it. It never waits for a shard with more than a queue's worth in hand.

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;
use std::time::{Duration, Instant};

use engine::Answer;
use link::Answers;
use tokio::sync::Notify;
use vocabulary::Incarnation;

use crate::counts::{Counts, add};

/// What waits for one shard here, besides its box: as much as comes while the shard is busy for a few milliseconds. Beyond
/// it news are dropped, and the shard is told that it missed some.
const QUEUE_MAX: usize = 1024;
/// Between two tries at a full box: a shard takes from it in each of its turns.
const RETRY: Duration = Duration::from_millis(1);
/// A shard that took nothing for so long is gone, or will ask again.
const PATIENCE: Duration = Duration::from_secs(5);

pub(crate) struct Post {
    boxes: Arc<dyn Answers>,
    queues: RefCell<BTreeMap<Incarnation, Queue>>,
    waits: Notify,
    counts: Arc<Counts>,
}

#[derive(Default)]
struct Queue {
    answers: VecDeque<Answer>,
    missed: bool,
    /// Since when the box has been full.
    stuck: Option<Instant>,
}

impl Post {
    pub(crate) fn new(boxes: Arc<dyn Answers>, counts: Arc<Counts>) -> Post {
        Post { boxes, queues: RefCell::new(BTreeMap::new()), waits: Notify::new(), counts }
    }

    /// Waits for a place, not for ever: what is asked and not answered is asked again.
    pub(crate) async fn answer(&self, to: Incarnation, answer: Answer) {
        let since = Instant::now();
        while self.queues.borrow().get(&to).is_some_and(|queue| queue.answers.len() >= QUEUE_MAX) {
            if since.elapsed() > PATIENCE {
                return add(&self.counts.answers_dropped_total);
            }
            tokio::time::sleep(RETRY).await;
        }
        self.push(to, answer);
    }

    pub(crate) fn news(&self, to: Incarnation, news: Answer) {
        let mut queues = self.queues.borrow_mut();
        if let Some(queue) = queues.get_mut(&to)
            && queue.answers.len() >= QUEUE_MAX
        {
            queue.missed = true;
            return add(&self.counts.news_dropped_total);
        }
        drop(queues);
        self.push(to, news);
    }

    fn push(&self, to: Incarnation, answer: Answer) {
        self.queues.borrow_mut().entry(to).or_default().answers.push_back(answer);
        self.flush(to);
    }

    fn flush(&self, to: Incarnation) {
        let mut queues = self.queues.borrow_mut();
        let Some(queue) = queues.get_mut(&to) else { return };
        if self.drain(to, queue) {
            queues.remove(&to);
        } else {
            self.waits.notify_one();
        }
    }

    /// Whether nothing is left.
    fn drain(&self, to: Incarnation, queue: &mut Queue) -> bool {
        loop {
            let Some(answer) = queue.answers.pop_front() else {
                if std::mem::take(&mut queue.missed) {
                    queue.answers.push_back(Answer::Missed);
                    continue;
                }
                return true;
            };
            if let Err(back) = self.boxes.put(to, answer) {
                queue.answers.push_front(*back);
                let since = *queue.stuck.get_or_insert_with(Instant::now);
                if since.elapsed() > PATIENCE {
                    self.counts
                        .news_dropped_total
                        .fetch_add(queue.answers.len() as u64, std::sync::atomic::Ordering::Relaxed);
                    // All that it must still know.
                    queue.answers.clear();
                    queue.answers.push_back(Answer::Missed);
                    queue.stuck = None;
                }
                return false;
            }
            queue.stuck = None;
        }
    }

    /// Tries full boxes again, for as long as the engine runs.
    pub(crate) async fn go_round(&self) {
        loop {
            self.waits.notified().await;
            loop {
                self.queues.borrow_mut().retain(|to, queue| !self.drain(*to, queue));
                if self.queues.borrow().is_empty() {
                    break;
                }
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
