//! What is heard becomes errands for rooms, on the node that has the lease; on the others it waits on the shelf. It awaits no
//! room.

use std::rc::Rc;
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use tokio::sync::mpsc;

use crate::counts::{add, set};
use crate::ear::Heard;
use crate::lanes::{Errand, Lanes};
use crate::lease::WORDS;
use crate::parts::Parts;
use crate::said::{Meant, Poison};
use crate::shelf::{Shelf, Turn};
use crate::stage::Stage;

/// Longer on the shelf than a lease: its next holder is found a moment after its end, and clocks go unevenly.
const SHELVED_BEYOND: Duration = Duration::from_secs(5);
/// Looked at in one go, so that the lanes get their turn.
const AT_ONCE: usize = 256;

/// How long its own last word may take to come back to a holder that leaves.
const WORD_WITHIN: Duration = Duration::from_millis(500);

struct Source {
    parts: Rc<Parts>,
    lanes: Lanes,
    shelf: Shelf,
    keep: Duration,
    /// What holders say comes on this channel.
    words: String,
    /// The last holder said goodbye, and what comes now came behind that: nobody has taken it.
    is_follower: bool,
    /// This node said goodbye, and has heard it.
    has_left: bool,
}

/// Until the node stops reading; then with what was published until then.
pub(crate) async fn go_on(parts: Rc<Parts>, mut heard: mpsc::Receiver<Heard>) {
    let mut stage = parts.stage.clone();
    let mut source = Source {
        lanes: Lanes::open(&parts),
        shelf: Shelf::default(),
        keep: parts.lease.term() + SHELVED_BEYOND,
        words: parts.key(WORDS),
        is_follower: false,
        has_left: false,
        parts: parts.clone(),
    };
    let mut some = Vec::new();
    while *stage.borrow_and_update() == Stage::Runs {
        tokio::select! {
            count = heard.recv_many(&mut some, AT_ONCE) => if count == 0 { break },
            () = parts.lease.taken.notified() => {}
            _ = stage.changed() => {}
        }
        source.look(&mut some);
        tokio::task::yield_now().await;
    }
    if parts.lease.is_held() {
        // Without its own word it leaves all the same. What came before that and is not read here is taken by whoever is
        // next, from the shelf, if it can be told from what was.
        tokio::time::timeout(WORD_WITHIN, source.leave(&mut heard)).await.ok();
    }
    while parts.waiting.get() > 0 {
        parts.idle.notified().await;
    }
}

impl Source {
    /// What is published before the word is taken here, and what comes behind it by whoever is next.
    async fn leave(&mut self, heard: &mut mpsc::Receiver<Heard>) {
        let mut word = redis::cmd("PUBLISH");
        word.arg(&self.words).arg(format!("leaves {}", self.parts.token));
        if self.parts.asks.ask(&word).await.is_err() {
            return;
        }
        let mut some = Vec::new();
        while !self.has_left && heard.recv_many(&mut some, AT_ONCE).await > 0 {
            self.look(&mut some);
        }
    }

    fn look(&mut self, some: &mut Vec<Heard>) {
        if self.parts.lease.is_held() {
            self.clear_shelf();
        }
        for heard in some.drain(..) {
            self.parts.heard_bytes.fetch_sub(heard.message.len(), Ordering::Relaxed);
            if *heard.channel == *self.words {
                self.hear_word(&String::from_utf8_lossy(&heard.message));
            } else if self.parts.lease.is_held() && !self.has_left {
                self.take(heard, Turn::First);
            } else {
                let turn = if self.is_follower { Turn::First } else { Turn::Perhaps };
                self.shelf.put(heard, turn, self.keep);
            }
        }
        set(&self.parts.counts.shelved, self.shelf.len());
    }

    /// What came before the lease did, comes before what comes now.
    fn clear_shelf(&mut self) {
        self.shelf.forget(Instant::now(), self.keep);
        for (heard, turn) in self.shelf.empty() {
            self.take(heard, turn);
        }
        self.is_follower = false;
    }

    fn hear_word(&mut self, word: &str) {
        match word.split_once(' ') {
            Some(("leaves", who)) if who == self.parts.token => self.has_left = true,
            // What came before the word stays: whoever said it may end without having read so far.
            Some(("leaves", _)) if !self.parts.lease.is_held() => {
                self.shelf.doubt();
                self.is_follower = true;
            }
            Some(("took", who)) if who != self.parts.token => {
                self.shelf.doubt();
                self.is_follower = false;
            }
            Some(("left", _)) => self.parts.ears_changed.notify_one(),
            _ => {}
        }
    }

    fn take(&self, heard: Heard, turn: Turn) {
        let parts = &self.parts;
        match parts.reading.meant(&heard.channel, &heard.message) {
            Ok(Meant::Said(said)) if turn == Turn::First || said.id.is_some() => {
                if turn == Turn::Perhaps {
                    add(&parts.counts.replayed_total, 1);
                }
                self.lanes.take(parts, Errand { heard, said });
            }
            Ok(Meant::Said(_)) => add(&parts.counts.replay_skipped_total, 1),
            Ok(Meant::Ours) => add(&parts.counts.own_skipped_total, 1),
            Ok(Meant::NotForUs) => add(&parts.counts.ignored_total, 1),
            Err(Poison(why)) => parts.letters.put(parts, &heard, &why, 0),
        }
    }
}
