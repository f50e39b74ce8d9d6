//! What is heard becomes errands for rooms, on the node that has the lease; on the others it waits on the shelf. It awaits no
//! room.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::counts::{add, set};
use crate::ear::Heard;
use crate::lanes::{Errand, Lanes};
use crate::parts::Parts;
use crate::said::{Meant, Poison};
use crate::shelf::Shelf;
use crate::stage::Stage;

/// Longer on the shelf than a lease: its next holder is found a moment after its end, and clocks go unevenly.
const SHELVED_BEYOND: Duration = Duration::from_secs(5);
/// Looked at in one go, so that the lanes get their turn.
const AT_ONCE: usize = 256;

/// Whether a message is heard for the first time, by all that this node knows.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Turn {
    First,
    /// The last holder may have taken it.
    Perhaps,
}

/// Until the node stops reading; then with what was heard until then.
pub(crate) async fn go_on(parts: Rc<Parts>, mut heard: mpsc::Receiver<Heard>) {
    let (lanes, mut shelf, mut stage) = (Lanes::open(&parts), Shelf::default(), parts.stage.clone());
    let keep = parts.lease.term() + SHELVED_BEYOND;
    let mut some = Vec::new();
    while *stage.borrow_and_update() == Stage::Runs {
        tokio::select! {
            count = heard.recv_many(&mut some, AT_ONCE) => if count == 0 { break },
            () = parts.lease.taken.notified() => {}
            _ = stage.changed() => {}
        }
        look(&parts, &lanes, &mut shelf, &mut some, keep);
        tokio::task::yield_now().await;
    }
    while let Ok(last) = heard.try_recv() {
        some.push(last);
    }
    look(&parts, &lanes, &mut shelf, &mut some, keep);
    while parts.waiting.get() > 0 {
        parts.idle.notified().await;
    }
}

fn look(parts: &Parts, lanes: &Lanes, shelf: &mut Shelf, some: &mut Vec<Heard>, keep: Duration) {
    if parts.lease.is_held() {
        // What came before the lease did, comes before what comes now.
        shelf.forget(Instant::now(), keep);
        for heard in shelf.empty() {
            take(parts, lanes, heard, Turn::Perhaps);
        }
        some.drain(..).for_each(|heard| take(parts, lanes, heard, Turn::First));
    } else {
        some.drain(..).for_each(|heard| shelf.put(heard, keep));
    }
    set(&parts.counts.shelved, shelf.len());
}

fn take(parts: &Parts, lanes: &Lanes, heard: Heard, turn: Turn) {
    match parts.reading.meant(&heard.channel, &heard.message) {
        Ok(Meant::Said(said)) if turn == Turn::First || said.id.is_some() => {
            if turn == Turn::Perhaps {
                add(&parts.counts.replayed_total, 1);
            }
            lanes.take(parts, Errand { heard, said });
        }
        Ok(Meant::Said(_)) => add(&parts.counts.replay_skipped_total, 1),
        Ok(Meant::Ours) => add(&parts.counts.own_skipped_total, 1),
        Ok(Meant::NotForUs) => add(&parts.counts.ignored_total, 1),
        Err(Poison(why)) => parts.letters.put(parts, &heard, &why, 0),
    }
}
