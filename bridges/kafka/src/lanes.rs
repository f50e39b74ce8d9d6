//! Calls to rooms: each room has a lane of its own for as long as something waits for it, and a lane asks for one thing at a time, so
//! that a room gets everything in the order of its partitions. A room that takes nothing is asked again for as long as the
//! partition is ours, and holds up itself alone: what waits is bounded, and beyond that the partition is not read on.

use std::collections::{HashMap, VecDeque};
use std::panic::AssertUnwindSafe;
use std::rc::Rc;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use crossing::{Came, Stage, add, came, pause, words_of};
use tokio::sync::mpsc;
use vocabulary::{By, RoomId, Wish};

use crate::heard::Heard;
use crate::ledger::Receipt;
use crate::parts::Parts;
use crate::said::Said;

/// Calls at a time. Each waits for the engine, and some dozens share one visit to its disk.
pub(crate) const CALLS_MAX: usize = 256;
/// What waits in all lanes together: some seconds of a busy topic.
pub(crate) const WAITING_MAX: usize = 16_384;
/// And in bytes.
pub(crate) const BYTES_MAX: usize = 64 << 20;
/// In one of them: a room that takes nothing must not take the others' places.
const LANE_MAX: usize = 512;
/// Between two askings, whatever a room says.
const AGAIN_MAX: Duration = Duration::from_secs(2);

/// What is to be done about one record.
pub(crate) struct Errand {
    pub(crate) heard: Heard,
    pub(crate) receipt: Receipt,
    pub(crate) task: Task,
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
    Letters(i64),
}

const LETTERS_AT_ONCE: i64 = 16;

impl Errand {
    fn lane(&self) -> Lane {
        match &self.task {
            Task::Ask(said) => Lane::Room(said.room.clone()),
            Task::Bury(_) => Lane::Letters(self.receipt.offset % LETTERS_AT_ONCE),
        }
    }

    /// What it holds for as long as it waits: the record, and what the room is asked for beside it.
    fn bytes(&self) -> usize {
        let asked = match &self.task {
            Task::Ask(said) => said.payload.len(),
            Task::Bury(why) => why.len(),
        };
        self.heard.bytes() + asked
    }
}

/// Filled by the thread that reads, emptied by the one that asks rooms; held to move one errand.
pub(crate) struct Lanes {
    all: Mutex<All>,
    /// A lane that was empty is not: one place for each errand that may wait.
    begin: mpsc::Sender<Lane>,
}

#[derive(Default)]
struct All {
    lanes: HashMap<Lane, VecDeque<Errand>>,
    count: usize,
    bytes: usize,
}

impl Lanes {
    pub(crate) fn open() -> (Lanes, mpsc::Receiver<Lane>) {
        let (begin, begun) = mpsc::channel(WAITING_MAX + 1);
        (Lanes { all: Mutex::default(), begin }, begun)
    }

    fn all(&self) -> MutexGuard<'_, All> {
        self.all.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Given back where there is no place for it.
    pub(crate) fn put(&self, errand: Errand) -> Result<(), Box<Errand>> {
        let lane = errand.lane();
        let mut all = self.all();
        let bytes = errand.bytes();
        let is_full = all.count >= WAITING_MAX || all.bytes + bytes > BYTES_MAX && all.count > 0;
        if is_full || all.lanes.get(&lane).is_some_and(|waiting| waiting.len() >= LANE_MAX) {
            return Err(Box::new(errand));
        }
        all.count += 1;
        all.bytes += bytes;
        match all.lanes.get_mut(&lane) {
            Some(waiting) => waiting.push_back(errand),
            None => {
                all.lanes.insert(lane.clone(), VecDeque::from([errand]));
                // There is a place for each errand; an error: nobody asks rooms any more, and the errand is read again.
                self.begin.try_send(lane).ok();
            }
        }
        Ok(())
    }

    /// The next of a lane, which ends where there is none.
    fn next(&self, lane: &Lane) -> Option<Errand> {
        let mut all = self.all();
        let errand = all.lanes.get_mut(lane).and_then(VecDeque::pop_front);
        if errand.is_none() {
            all.lanes.remove(lane);
        }
        errand
    }

    /// It gives its place back only now: as many are at work as there are lanes.
    fn ended(&self, bytes: usize) {
        let mut all = self.all();
        all.count -= 1;
        all.bytes -= bytes;
    }

    /// How many wait, and their bytes.
    pub(crate) fn waits(&self) -> (usize, usize) {
        let all = self.all();
        (all.count, all.bytes)
    }
}

/// A task for each lane that has something, for as long as the thread lives.
pub(crate) async fn go_on(parts: Rc<Parts>, mut begun: mpsc::Receiver<Lane>) {
    while let Some(lane) = begun.recv().await {
        let parts = parts.clone();
        tokio::task::spawn_local(async move {
            while let Some(errand) = parts.lanes.next(&lane) {
                let bytes = errand.bytes();
                run(&parts, errand).await;
                parts.lanes.ended(bytes);
            }
        });
    }
}

/// What panics here is a dead letter; the next of the lane goes on.
async fn run(parts: &Parts, errand: Errand) {
    let Errand { heard, receipt, task } = errand;
    let work = AssertUnwindSafe(settle(parts, &heard, &receipt, task));
    let settled = futures_util::FutureExt::catch_unwind(work).await;
    let is_done = match settled {
        Ok(is_done) => is_done,
        Err(panic) => {
            add(&parts.counts.panics_total, 1);
            let why = format!("the bridge panicked on it: {}", words_of(&*panic));
            parts.letters.put(parts, &heard, &why, 1).await
        }
    };
    if is_done {
        receipt.done();
    } else {
        receipt.rest();
    }
}

/// Whether the record is done: its room has it, or it is a dead letter. If not, it is read again.
async fn settle(parts: &Parts, heard: &Heard, receipt: &Receipt, task: Task) -> bool {
    let said = match task {
        Task::Bury(why) => {
            return receipt.begin() && parts.letters.put(parts, heard, &why, 0).await;
        }
        Task::Ask(said) => said,
    };
    let by = By::Source { name: heard.source(), author: said.author.clone() };
    let mut attempts = 0;
    loop {
        if parts.stage() != Stage::Runs || !receipt.begin() {
            return false;
        }
        let wish = match &said.id {
            Some(id) => Wish::Publish {
                kind: said.kind.clone().into(),
                payload: said.payload.clone(),
                id: Some(id.as_str().into()),
            },
            None if said.soft => {
                Wish::Publish { kind: said.kind.clone().into(), payload: said.payload.clone(), id: None }
            }
            None => Wish::Take {
                kind: said.kind.clone().into(),
                payload: said.payload.clone(),
                log: heard.log(),
                lane: u64::from(heard.partition.unsigned_abs()),
                number: heard.offset.unsigned_abs(),
            },
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
                return true;
            }
            // By another time it says nothing any more, and to look at it later is of no use.
            Came::NotNow(_) | Came::Refused(_) if said.soft => {
                add(&parts.counts.stale_total, 1);
                return true;
            }
            Came::Refused(why) => return parts.letters.put(parts, heard, &why, attempts).await,
            Came::NotNow(wait) => {
                add(&parts.counts.retried_total, 1);
                receipt.rest();
                parts.rest(wait.unwrap_or_else(|| pause(attempts, AGAIN_MAX)).min(AGAIN_MAX)).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::heard;
    use crate::ledger::Ledger;
    use rdkafka::message::{Header, OwnedHeaders};
    use std::sync::Arc;

    fn errand(ledger: &Arc<Ledger>, offset: i64, room: &str) -> Errand {
        let heard = heard(offset, b"{}");
        let part = (heard.topic.clone(), heard.partition);
        if ledger.count() == 0 {
            ledger.open(part.clone());
        }
        let receipt = ledger.take(&part, offset).expect("it is ours");
        let (kind, payload) = ("say".to_owned(), vocabulary::Payload::new());
        let said =
            Said { room: RoomId::new("chat", room), author: None, kind, payload, id: None, soft: false };
        Errand { heard, receipt, task: Task::Ask(said) }
    }

    /// Headers are kept for a dead letter, and nobody bounds them: brokers take a megabyte of them in a record.
    #[test]
    fn what_waits_is_bounded_with_its_headers_and_its_payload() {
        let (ledger, (lanes, _begun)) = (Arc::new(Ledger::default()), Lanes::open());
        let half = "x".repeat(100 << 10);
        let mut put = 0_usize;
        for offset in 0..1000 {
            let mut errand = errand(&ledger, offset, &format!("room-{offset}"));
            let headers = OwnedHeaders::new().insert(Header { key: "trace", value: Some(&half) });
            errand.heard.headers = Some(headers);
            let Task::Ask(said) = &mut errand.task else { panic!("it is asked for") };
            said.payload = half.clone().into();
            put += usize::from(lanes.put(errand).is_ok());
        }
        assert!(put <= BYTES_MAX / (200 << 10), "{put} of 200 KiB each wait");
    }

    #[test]
    fn a_lane_is_in_order_and_bounded_and_takes_no_place_of_the_others() {
        let (ledger, (lanes, mut begun)) = (Arc::new(Ledger::default()), Lanes::open());
        for offset in 0..LANE_MAX as i64 {
            assert!(lanes.put(errand(&ledger, offset, "full")).is_ok());
        }
        assert!(lanes.put(errand(&ledger, 1000, "full")).is_err());
        assert!(lanes.put(errand(&ledger, 1001, "other")).is_ok());
        let (full, other) = (begun.try_recv().expect("one"), begun.try_recv().expect("two"));
        assert!(begun.try_recv().is_err(), "a lane begins once");
        let ended = |errand: &Errand| lanes.ended(errand.bytes());
        let offsets =
            std::iter::from_fn(|| lanes.next(&full)).inspect(ended).map(|errand| errand.receipt.offset);
        assert!(offsets.eq(0..LANE_MAX as i64));
        assert_eq!((lanes.waits().0, lanes.next(&other).map(|it| it.receipt.offset)), (1, Some(1001)));
        assert!(
            lanes.put(errand(&ledger, 1002, "full")).is_ok() && begun.try_recv().is_ok(),
            "it begins anew"
        );
    }
}
