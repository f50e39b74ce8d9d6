//! Calls to rooms: what is for one room goes through one lane, and a lane asks for one thing at a time, so that a room gets
//! everything in the order in which it was published. A lane tries again what may succeed, for as long as is worth it; the
//! others go on meanwhile, and the rooms that share it wait. A room that has cost them that once is asked once for each
//! message, until it takes one.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::Uncalled;
use redis_wire::pause;
use tokio::sync::{mpsc, watch};
use vocabulary::{By, Code, Reply, RoomId, Told, Wish};

use crate::counts::{Counts, add};
use crate::ear::Heard;
use crate::parts::Parts;
use crate::said::Said;
use crate::stage::Stage;

/// Calls at a time. Each waits for the engine, and some dozens share one visit to its disk.
const LANES: usize = 64;
/// What waits in one of them: some seconds of a busy room. Beyond it a message is a dead letter.
const WAITING_MAX: usize = 1024;
/// And all together.
const BYTES_MAX: usize = 64 << 20;
/// A room that takes nothing for so long, takes this no more; what comes behind it must not wait for ever.
const PATIENCE: Duration = Duration::from_secs(60);
/// Rooms of a lane that have used that up: each took a minute to become one, so that these are the work of hours.
const SPENT_MAX: usize = 256;
/// Waits at most between two askings, whatever a room says.
const AGAIN_MAX: Duration = Duration::from_secs(2);

const FULL: &str =
    "too many wait in its lane, for this room or for another one of the lane that takes nothing";

pub(crate) struct Errand {
    pub(crate) heard: Heard,
    pub(crate) said: Said,
}

pub(crate) struct Lanes(Vec<mpsc::Sender<Errand>>);

impl Lanes {
    pub(crate) fn open(parts: &Rc<Parts>) -> Lanes {
        let lane = |_| {
            let (send, waiting) = mpsc::channel(WAITING_MAX);
            tokio::task::spawn_local(go_on(parts.clone(), waiting));
            send
        };
        Lanes((0..LANES).map(lane).collect())
    }

    /// Never waits.
    pub(crate) fn take(&self, parts: &Parts, errand: Errand) {
        let bytes = errand.heard.message.len();
        if parts.waiting_bytes.get() + bytes > BYTES_MAX {
            return parts.letters.put(parts, &errand.heard, "too much waits for rooms that take nothing", 0);
        }
        let mut hasher = DefaultHasher::new();
        errand.said.room.as_str().hash(&mut hasher);
        let lane = (hasher.finish() % LANES as u64) as usize;
        match self.0[lane].try_send(errand) {
            Ok(()) => {
                parts.waiting_bytes.set(parts.waiting_bytes.get() + bytes);
                parts.waiting.set(parts.waiting.get() + 1);
            }
            Err(refused) => {
                let errand = refused.into_inner();
                parts.letters.put(parts, &errand.heard, FULL, 0);
            }
        }
    }
}

async fn go_on(parts: Rc<Parts>, mut waiting: mpsc::Receiver<Errand>) {
    let mut spent = Spent::default();
    while let Some(errand) = waiting.recv().await {
        let bytes = errand.heard.message.len();
        run(&parts, &mut spent, errand).await;
        parts.waiting_bytes.set(parts.waiting_bytes.get() - bytes);
        parts.waiting.set(parts.waiting.get() - 1);
        if parts.waiting.get() == 0 {
            parts.idle.notify_one();
        }
    }
}

/// The rooms of a lane that have used up its patience, and have taken nothing since.
#[derive(Default)]
struct Spent(HashSet<RoomId>);

impl Spent {
    /// How long the next message of the room is worth asking again for.
    fn patience(&self, room: &RoomId) -> Duration {
        if self.0.contains(room) { Duration::ZERO } else { PATIENCE }
    }

    fn learn(&mut self, room: &RoomId, came: &Came) {
        match came {
            Came::Taken => drop(self.0.remove(room)),
            Came::NotNow(..) => {
                if self.0.len() >= SPENT_MAX && !self.0.contains(room) {
                    self.0.clear();
                }
                self.0.insert(room.clone());
            }
            // It says nothing about the next one.
            Came::Refused(_) => {}
        }
    }
}

#[derive(Debug)]
enum Came {
    Taken,
    /// For good, and why.
    Refused(String),
    /// Not yet, and when to ask again if that was said.
    NotNow(String, Option<Duration>),
}

async fn run(parts: &Parts, spent: &mut Spent, errand: Errand) {
    let Errand { heard, said } = errand;
    // Asked again it is the same message, if only to us.
    let id: Arc<str> = said.id.unwrap_or_else(|| parts.receipt()).into();
    let by = By::Source { name: said.source.into(), author: said.author };
    let ask = async || {
        let wish =
            Wish::Publish { kind: said.kind.into(), payload: said.payload.clone(), id: Some(id.clone()) };
        came(parts.desk.call_by(by.clone(), said.room.clone(), wish).await)
    };
    let (came, attempts) = until_settled(spent.patience(&said.room), &parts.stage, &parts.counts, ask).await;
    spent.learn(&said.room, &came);
    match came {
        Came::Taken => add(&parts.counts.taken_in_total, 1),
        Came::Refused(why) | Came::NotNow(why, _) => parts.letters.put(parts, &heard, &why, attempts),
    }
}

/// Asks at least once; what came last, and how often it was asked.
async fn until_settled(
    patience: Duration,
    stage: &watch::Receiver<Stage>,
    counts: &Counts,
    ask: impl AsyncFn() -> Came,
) -> (Came, u32) {
    let (since, mut attempts) = (Instant::now(), 0);
    loop {
        let came = ask().await;
        attempts += 1;
        let Came::NotNow(_, wait) = &came else { return (came, attempts) };
        if since.elapsed() >= patience || *stage.borrow() > Stage::Runs {
            return (came, attempts);
        }
        add(&counts.retried_total, 1);
        tokio::time::sleep(wait.unwrap_or_else(|| pause(attempts)).min(AGAIN_MAX)).await;
    }
}

fn came(told: Result<Told, Uncalled>) -> Came {
    let refusal = match told {
        Ok(Told::Reply { reply: Reply::Refused(refusal), .. }) => refusal,
        Ok(Told::Stored { .. } | Told::Reply { .. }) => return Came::Taken,
        Err(Uncalled::Busy) => return Came::NotNow("the node is busy".to_owned(), None),
        Err(Uncalled::Unanswered) => return Came::NotNow("the room does not answer".to_owned(), None),
    };
    let why = format!("{:?}: {}", refusal.code, refusal.text);
    let wait = refusal.retry_after_ms.map(|millis| Duration::from_millis(millis.into()));
    match refusal.code {
        Code::Busy | Code::Unconfirmed | Code::RateLimit => Came::NotNow(why, wait),
        // Slow mode and the like say when they end.
        Code::App(_) if wait.is_some_and(|wait| wait <= AGAIN_MAX) => Came::NotNow(why, wait),
        _ => Came::Refused(why),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use vocabulary::{Refusal, Wall};

    #[test]
    fn only_what_may_succeed_is_asked_again() {
        let refused = |refusal| Ok(Told::Reply { reply: Reply::Refused(refusal), at: Wall(0) });
        for (told, again) in [
            (Err(Uncalled::Busy), true),
            (Err(Uncalled::Unanswered), true),
            (refused(Refusal::busy(50)), true),
            (refused(Refusal::unconfirmed()), true),
            (refused(Refusal::new(Code::InvalidPayload, "content: …")), false),
            (refused(Refusal::new(Code::App("BANNED"), "you are banned")), false),
            (refused(Refusal::new(Code::Internal, "quarantined")), false),
        ] {
            assert_eq!(matches!(came(told.clone()), Came::NotNow(..)), again, "{told:?}");
        }
        assert!(matches!(came(Ok(Told::Reply { reply: Reply::Done(None), at: Wall(0) })), Came::Taken));
    }

    #[test]
    fn a_room_that_used_up_its_patience_is_asked_once_a_message_until_it_takes_one() {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().expect("a runtime");
        let (_runs, stage) = watch::channel(Stage::Runs);
        let not_now = async || Came::NotNow("the room does not answer".to_owned(), Some(Duration::ZERO));
        let (silent, other) = (RoomId::new("chat", "silent"), RoomId::new("chat", "other"));
        let (mut spent, counts) = (Spent::default(), Counts::default());
        // A minute is made short; that it is one says `patience`.
        assert_eq!(spent.patience(&silent), PATIENCE);
        let (came, attempts) =
            runtime.block_on(until_settled(Duration::from_millis(20), &stage, &counts, not_now));
        assert!(attempts > 1, "asked {attempts} times");
        spent.learn(&silent, &came);
        assert_eq!((spent.patience(&silent), spent.patience(&other)), (Duration::ZERO, PATIENCE));
        let (came, attempts) =
            runtime.block_on(until_settled(spent.patience(&silent), &stage, &counts, not_now));
        assert_eq!(attempts, 1);
        spent.learn(&silent, &came);
        spent.learn(&silent, &Came::Refused("too long".to_owned()));
        assert_eq!(spent.patience(&silent), Duration::ZERO);
        spent.learn(&silent, &Came::Taken);
        assert_eq!(spent.patience(&silent), PATIENCE);
    }

    #[test]
    fn rooms_that_used_up_their_patience_are_forgotten_before_they_are_too_many() {
        let mut spent = Spent::default();
        let busy = Came::NotNow("busy".to_owned(), None);
        for number in 0..SPENT_MAX {
            let room = RoomId::new("chat", &number.to_string());
            spent.learn(&room, &busy);
            spent.learn(&room, &busy);
        }
        assert_eq!(spent.0.len(), SPENT_MAX);
        let room = RoomId::new("chat", "one more");
        spent.learn(&room, &busy);
        assert_eq!((spent.0.len(), spent.patience(&room)), (1, Duration::ZERO));
    }
}
