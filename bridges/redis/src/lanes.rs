//! Calls to rooms: what is for one room goes through one lane, and a lane asks for one thing at a time, so that a room gets
//! everything in the order in which it was published. A lane tries again what may succeed, for as long as is worth it; the
//! others go on meanwhile.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use node::Uncalled;
use redis_wire::pause;
use tokio::sync::mpsc;
use vocabulary::{By, Code, Reply, Told, Wish};

use crate::counts::add;
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
/// Waits at most between two askings, whatever a room says.
const AGAIN_MAX: Duration = Duration::from_secs(2);

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
                parts.letters.put(parts, &errand.heard, "too many wait for the room", 0);
            }
        }
    }
}

async fn go_on(parts: Rc<Parts>, mut waiting: mpsc::Receiver<Errand>) {
    while let Some(errand) = waiting.recv().await {
        let bytes = errand.heard.message.len();
        run(&parts, errand).await;
        parts.waiting_bytes.set(parts.waiting_bytes.get() - bytes);
        parts.waiting.set(parts.waiting.get() - 1);
        if parts.waiting.get() == 0 {
            parts.idle.notify_one();
        }
    }
}

enum Came {
    Taken,
    /// For good, and why.
    Refused(String),
    /// Not yet, and when to ask again if that was said.
    NotNow(String, Option<Duration>),
}

async fn run(parts: &Parts, errand: Errand) {
    let Errand { heard, said } = errand;
    // Asked again it is the same message, if only to us.
    let id: Arc<str> = said.id.unwrap_or_else(|| parts.receipt()).into();
    let by = By::Source { name: said.source.into(), author: said.author };
    let (since, mut attempts) = (Instant::now(), 0);
    loop {
        let wish =
            Wish::Publish { kind: said.kind.into(), payload: said.payload.clone(), id: Some(id.clone()) };
        let came = came(parts.desk.call_by(by.clone(), said.room.clone(), wish).await);
        attempts += 1;
        let (why, wait) = match came {
            Came::Taken => return add(&parts.counts.taken_in_total, 1),
            Came::Refused(why) => return parts.letters.put(parts, &heard, &why, attempts),
            Came::NotNow(why, wait) => (why, wait),
        };
        let is_over = since.elapsed() >= PATIENCE || *parts.stage.borrow() > Stage::Runs;
        if is_over {
            return parts.letters.put(parts, &heard, &why, attempts);
        }
        add(&parts.counts.retried_total, 1);
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
}
