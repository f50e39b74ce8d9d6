//! Calls to rooms: each room has a lane of its own for as long as something waits for it, and a lane asks for one thing at a time, so
//! that a room gets what this node was given in the order of its stream. A room that takes nothing is asked again for a while;
//! then all that waits for it goes back to the server, in that order. What waits is bounded: beyond it nothing more is asked for.

use std::cell::RefCell;
use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use crossing::{Came, Stage, add, came, chance, pause, words_of};
use tokio::sync::Notify;
use vocabulary::{By, RoomId, Wish};

use crate::heard::Place;
use crate::parts::Parts;
use crate::receipts::{Receipt, Verdict, settle};
use crate::said::Said;

/// Calls at a time. Each waits for the engine, and some dozens share one visit to its disk.
pub(crate) const CALLS_MAX: usize = 256;
/// What waits in all lanes together, beyond which nothing more is asked for; what was asked for still comes. More than consumers give
/// out unacked, so that one that is held up holds up no other.
pub(crate) const WAITING_MAX: usize = 4096;
/// And in bytes.
pub(crate) const BYTES_MAX: usize = 32 << 20;
/// Between two askings, whatever a room says.
const AGAIN_MAX: Duration = Duration::from_secs(2);
/// What was given back comes again a little later than it was to.
const LATER: Duration = Duration::from_millis(300);

/// What is to be done about one message for one room.
pub(crate) struct Errand {
    pub(crate) receipt: Rc<Receipt>,
    pub(crate) task: Task,
    /// What other rooms hear of it once this one has.
    pub(crate) then: Vec<Said>,
}

pub(crate) enum Task {
    Ask(Said),
    /// It is not understood, and why.
    Bury(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) enum Lane {
    Room(RoomId),
    /// What is for no room: some at a time, so that many cost no more time than few.
    Letters(u64),
}

const LETTERS_AT_ONCE: u64 = 16;

impl Errand {
    fn place(&self) -> Option<&Place> {
        self.receipt.heard.place.as_ref()
    }

    fn lane(&self) -> Lane {
        match &self.task {
            Task::Ask(said) => Lane::Room(said.room.clone()),
            Task::Bury(_) => Lane::Letters(self.place().map_or(0, |place| place.sequence) % LETTERS_AT_ONCE),
        }
    }

    fn bytes(&self) -> usize {
        let asked = match &self.task {
            Task::Ask(said) => said.payload.len(),
            Task::Bury(why) => why.len(),
        };
        self.receipt.heard.bytes() + asked
    }

    /// Whether the other stands before it in the same stream.
    fn is_behind(&self, other: &Errand) -> bool {
        let places = self.place().zip(other.place());
        places.is_none_or(|(one, other)| one.stream != other.stream || one.sequence >= other.sequence)
    }
}

#[derive(Default)]
pub(crate) struct Lanes {
    all: RefCell<All>,
    begun: Notify,
}

#[derive(Default)]
struct All {
    lanes: HashMap<Lane, VecDeque<Errand>>,
    /// Those that nobody is at work on yet.
    begun: VecDeque<Lane>,
    count: usize,
    bytes: usize,
}

impl Lanes {
    /// How many more may be asked for.
    pub(crate) fn places(&self) -> usize {
        let all = self.all.borrow();
        if all.bytes >= BYTES_MAX { 0 } else { WAITING_MAX.saturating_sub(all.count) }
    }

    /// What was asked for has its place. It stands behind what stands before it in its stream.
    pub(crate) fn put(&self, errand: Errand) {
        let (lane, bytes) = (errand.lane(), errand.bytes());
        let mut all = self.all.borrow_mut();
        all.count += 1;
        all.bytes += bytes;
        match all.lanes.get_mut(&lane) {
            Some(waiting) => {
                let at = waiting.iter().rposition(|other| errand.is_behind(other)).map_or(0, |at| at + 1);
                waiting.insert(at, errand);
            }
            None => {
                all.lanes.insert(lane.clone(), VecDeque::from([errand]));
                all.begun.push_back(lane);
                self.begun.notify_one();
            }
        }
    }

    fn begin(&self) -> Option<Lane> {
        self.all.borrow_mut().begun.pop_front()
    }

    /// The next of a lane, which ends where there is none.
    fn next(&self, lane: &Lane) -> Option<Errand> {
        let mut all = self.all.borrow_mut();
        let errand = all.lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if errand.is_none() {
            all.lanes.remove(lane);
        }
        errand
    }

    /// All that waits in it now; it stays, so that what comes waits there.
    fn drain(&self, lane: &Lane) -> VecDeque<Errand> {
        self.all.borrow_mut().lanes.get_mut(lane).map(std::mem::take).unwrap_or_default()
    }

    /// It gives its place back only now: as many are at work as there are lanes.
    fn ended(&self, bytes: usize) {
        let mut all = self.all.borrow_mut();
        all.count -= 1;
        all.bytes -= bytes;
    }
}

/// A task for each lane that has something, for as long as the thread lives.
pub(crate) async fn go_on(parts: Rc<Parts>) {
    loop {
        let Some(lane) = parts.lanes.begin() else {
            parts.lanes.begun.notified().await;
            continue;
        };
        let parts = parts.clone();
        tokio::task::spawn_local(async move {
            while let Some(errand) = parts.lanes.next(&lane) {
                go(&parts, &lane, errand).await;
            }
        });
    }
}

async fn go(parts: &Parts, lane: &Lane, errand: Errand) {
    let bytes = errand.bytes();
    let Errand { receipt, task, then } = errand;
    let verdict = run(parts, &receipt, task).await;
    let goes_back = verdict == Verdict::Back;
    // Decided before anything is waited for: what stands behind it must not overtake it.
    let behind = if goes_back { parts.lanes.drain(lane) } else { VecDeque::new() };
    go_to_others(parts, &receipt, &verdict, then).await;
    settle(parts, &receipt, verdict).await;
    parts.lanes.ended(bytes);
    let wait = receipt.comes_again_in();
    for errand in behind {
        let bytes = errand.bytes();
        let verdict = given_up(&errand.receipt, 0);
        go_to_others(parts, &errand.receipt, &verdict, errand.then).await;
        settle(parts, &errand.receipt, verdict).await;
        parts.lanes.ended(bytes);
    }
    if goes_back {
        parts.rest(wait + LATER).await;
    }
}

/// It goes back to the server, which would give it to nobody if this was the last time.
fn given_up(receipt: &Receipt, attempts: u32) -> Verdict {
    if !receipt.is_last() {
        return Verdict::Back;
    }
    let times = receipt.heard.place.as_ref().map_or(1, |place| place.delivered);
    Verdict::Refused(format!("its room took nothing, and it was given out {times} times"), attempts)
}

/// Before the next of the lane begins, so that they hear of both in this order. What comes again, they hear of then.
async fn go_to_others(parts: &Parts, receipt: &Rc<Receipt>, verdict: &Verdict, then: Vec<Said>) {
    for said in then {
        match verdict {
            Verdict::Done | Verdict::Refused(..) => {
                let (receipt, task, then) = (receipt.clone(), Task::Ask(said), Vec::new());
                parts.lanes.put(Errand { receipt, task, then });
            }
            Verdict::Left | Verdict::Back => settle(parts, receipt, verdict.clone()).await,
        }
    }
}

/// What panics here is a dead letter; the next of the lane goes on.
async fn run(parts: &Parts, receipt: &Receipt, task: Task) -> Verdict {
    let said = match task {
        Task::Bury(why) => return Verdict::Refused(why, 0),
        Task::Ask(said) => said,
    };
    let work = AssertUnwindSafe(ask(parts, receipt, &said));
    futures_util::FutureExt::catch_unwind(work).await.unwrap_or_else(|panic| {
        add(&parts.counts.panics_total, 1);
        Verdict::Refused(format!("the bridge panicked on it: {}", words_of(&*panic)), 1)
    })
}

async fn ask(parts: &Parts, receipt: &Receipt, said: &Said) -> Verdict {
    let by = By::Source { name: receipt.heard.source().into(), author: said.author.clone() };
    // What nothing names has a name for as long as it is asked: else a room that did not answer would have it twice, and none would
    // know that it came from here.
    let id: Arc<str> = match &said.id {
        Some(id) => id.as_str().into(),
        None => format!("{:016x}{:016x}", chance(), chance()).into(),
    };
    let (since, mut attempts) = (Instant::now(), 0);
    loop {
        if parts.stage() != Stage::Runs {
            return Verdict::Left;
        }
        let wish = Wish::Publish {
            kind: said.kind.clone().into(),
            payload: said.payload.clone(),
            id: Some(id.clone()),
        };
        let told = {
            // It is never closed.
            let _place = parts.calls.acquire().await;
            parts.desk.call_by(by.clone(), said.room.clone(), wish).await
        };
        attempts += 1;
        match came(told) {
            Came::Taken => {
                add(&parts.counts.taken_in_total, 1);
                return Verdict::Done;
            }
            // By another time it says nothing any more, and to look at it later is of no use.
            Came::NotNow(_) | Came::Refused(_) if said.soft => {
                add(&parts.counts.stale_total, 1);
                return Verdict::Done;
            }
            Came::Refused(why) => return Verdict::Refused(why, attempts),
            Came::NotNow(_) if since.elapsed() >= parts.hold => return given_up(receipt, attempts),
            Came::NotNow(wait) => {
                add(&parts.counts.retried_total, 1);
                parts.rest(wait.unwrap_or_else(|| pause(attempts, AGAIN_MAX)).min(AGAIN_MAX)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::heard;
    use crate::receipts::Receipts;
    use proptest::prelude::*;

    fn errand(receipts: &Receipts, sequence: u64, payload: &str) -> Errand {
        let receipt = receipts.take(heard(sequence, payload), 1, Duration::from_secs(30), None);
        let (room, payload) = (RoomId::new("chat", "a"), vocabulary::Payload::new());
        let said = Said { room, author: None, kind: "say".to_owned(), payload, id: None, soft: false };
        Errand { receipt, task: Task::Ask(said), then: Vec::new() }
    }

    proptest! {
        /// What was given back comes again among others.
        #[test]
        fn a_lane_is_in_the_order_of_the_stream_however_it_came(order in Just((1..30_u64).collect::<Vec<_>>()).prop_shuffle()) {
            let (receipts, lanes) = (Receipts::default(), Lanes::default());
            order.iter().for_each(|sequence| lanes.put(errand(&receipts, *sequence, "{}")));
            let lane = lanes.begin().expect("a lane");
            prop_assert_eq!(lanes.begin(), None, "a lane begins once");
            let next = || lanes.next(&lane).and_then(|errand| errand.place().map(|place| place.sequence));
            let sequences: Vec<u64> = std::iter::from_fn(next).collect();
            prop_assert_eq!(sequences, (1..30).collect::<Vec<_>>());
        }
    }

    #[test]
    fn what_waits_leaves_less_to_be_asked_for_by_count_and_by_bytes() {
        let (receipts, lanes) = (Receipts::default(), Lanes::default());
        assert_eq!(lanes.places(), WAITING_MAX);
        let large = "x".repeat(1 << 20);
        for sequence in 0..31 {
            lanes.put(errand(&receipts, sequence, &large));
        }
        assert_eq!(lanes.places(), WAITING_MAX - 31);
        lanes.put(errand(&receipts, 31, &large));
        assert_eq!(lanes.places(), 0);
    }
}
