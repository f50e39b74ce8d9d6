//! What becomes of each message that was given to this node: done, given back, or a dead letter. As long as somebody is at work on
//! it, the server is told so, so that it is nobody else's. It asks no room.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::{Rc, Weak};
use std::time::{Duration, Instant};

use bytes::Bytes;

use crate::heard::Heard;
use crate::parts::Parts;
use crossing::{add, set};

/// How often it is looked whose time is over.
const LOOK: Duration = Duration::from_millis(250);
/// Given back it comes again: so soon at first, and so seldom at last.
const AGAIN: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(30));

/// What one room made of it, or why none was asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Verdict {
    Done,
    /// For good: why, and how often a room was asked.
    Refused(String, u32),
    /// Somebody else may try at once: this node ends.
    Left,
    /// Somebody may try later.
    Back,
}

/// For one message; settled when all rooms that it is for have said theirs.
pub(crate) struct Receipt {
    pub(crate) heard: Heard,
    ack_wait: Duration,
    deliver_max: Option<u64>,
    open: Cell<usize>,
    verdict: RefCell<Verdict>,
    touched: Cell<Instant>,
    number: u64,
}

#[derive(Default)]
pub(crate) struct Receipts {
    next: Cell<u64>,
    open: RefCell<BTreeMap<u64, Weak<Receipt>>>,
}

impl Receipts {
    /// `rooms`: how many have to say what they make of it.
    pub(crate) fn take(
        &self,
        heard: Heard,
        rooms: usize,
        ack_wait: Duration,
        deliver_max: Option<u64>,
    ) -> Rc<Receipt> {
        let number = self.next.get();
        self.next.set(number + 1);
        let receipt = Rc::new(Receipt {
            heard,
            ack_wait,
            deliver_max,
            open: Cell::new(rooms),
            verdict: RefCell::new(Verdict::Done),
            touched: Cell::new(Instant::now()),
            number,
        });
        self.open.borrow_mut().insert(number, Rc::downgrade(&receipt));
        receipt
    }

    pub(crate) fn count(&self) -> usize {
        self.open.borrow().len()
    }

    fn old(&self) -> Vec<Rc<Receipt>> {
        let is_old = |receipt: &Rc<Receipt>| {
            receipt.heard.place.is_some() && receipt.touched.get().elapsed() >= receipt.ack_wait / 3
        };
        self.open.borrow().values().filter_map(Weak::upgrade).filter(is_old).collect()
    }
}

impl Receipt {
    /// The server gives it out no more after this.
    pub(crate) fn is_last(&self) -> bool {
        let Some(place) = &self.heard.place else { return true };
        self.deliver_max.is_some_and(|most| place.delivered >= most)
    }

    /// How long until it comes again.
    pub(crate) fn comes_again_in(&self) -> Duration {
        let times = self.heard.place.as_ref().map_or(0, |place| place.delivered.saturating_sub(1));
        AGAIN.0.saturating_mul(2_u32.saturating_pow(times.min(16) as u32)).min(AGAIN.1)
    }

    /// Whether this was the last of them.
    fn says(&self, verdict: Verdict) -> bool {
        let mut is = self.verdict.borrow_mut();
        // What is to come again comes again, whatever others say: who has it knows it.
        let is_more = match (&*is, &verdict) {
            (Verdict::Left, _) => false,
            (Verdict::Back, verdict) => *verdict == Verdict::Left,
            (Verdict::Refused(..), verdict) => matches!(verdict, Verdict::Left | Verdict::Back),
            (Verdict::Done, _) => true,
        };
        if is_more {
            *is = verdict;
        }
        self.open.set(self.open.get() - 1);
        self.open.get() == 0
    }
}

/// Called once for each room that it is for.
pub(crate) async fn settle(parts: &Parts, receipt: &Receipt, verdict: Verdict) {
    if !receipt.says(verdict) {
        return;
    }
    let verdict = receipt.verdict.borrow().clone();
    let word: Bytes = match verdict {
        Verdict::Done => Bytes::from_static(b"+ACK"),
        Verdict::Refused(why, attempts) => {
            match parts.letters.put(parts, &receipt.heard, &why, attempts).await {
                true => Bytes::from_static(b"+TERM"),
                false => Bytes::from_static(b"-NAK"),
            }
        }
        Verdict::Left => {
            add(&parts.counts.returned_total, 1);
            Bytes::from_static(b"-NAK")
        }
        Verdict::Back => {
            add(&parts.counts.returned_total, 1);
            Bytes::from(format!("-NAK {{\"delay\": {}}}", receipt.comes_again_in().as_nanos()))
        }
    };
    parts.receipts.open.borrow_mut().remove(&receipt.number);
    set(&parts.counts.waiting, parts.receipts.count());
    if let Some(ack) = receipt.heard.place.as_ref().and_then(|place| place.ack.clone()) {
        parts.js.tell(ack, word).await;
    }
}

/// For as long as the thread lives.
pub(crate) async fn keep(parts: Rc<Parts>) {
    loop {
        tokio::time::sleep(LOOK).await;
        for receipt in parts.receipts.old() {
            receipt.touched.set(Instant::now());
            if let Some(ack) = receipt.heard.place.as_ref().and_then(|place| place.ack.clone()) {
                parts.js.tell(ack, Bytes::from_static(b"+WPI")).await;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::heard;

    fn of(rooms: usize, delivered: u64, deliver_max: Option<u64>) -> Rc<Receipt> {
        let mut heard = heard(1, "{}");
        heard.place.as_mut().expect("it has one").delivered = delivered;
        Receipts::default().take(heard, rooms, Duration::from_secs(30), deliver_max)
    }

    #[test]
    fn a_message_is_settled_by_the_last_of_its_rooms_and_comes_again_if_one_wants_it() {
        let refused = || Verdict::Refused("why".to_owned(), 1);
        for (said, becomes) in [
            (vec![Verdict::Done, Verdict::Done], Verdict::Done),
            (vec![Verdict::Done, refused()], refused()),
            (vec![refused(), Verdict::Back, Verdict::Done], Verdict::Back),
            (vec![Verdict::Back, refused(), Verdict::Left], Verdict::Left),
            (vec![Verdict::Left, Verdict::Back], Verdict::Left),
        ] {
            let receipt = of(said.len(), 1, None);
            let last = said.len() - 1;
            for (number, verdict) in said.into_iter().enumerate() {
                assert_eq!(receipt.says(verdict), number == last);
            }
            assert_eq!(*receipt.verdict.borrow(), becomes);
        }
    }

    #[test]
    fn it_comes_again_later_and_later_and_no_more_often_than_was_said() {
        let millis = |delivered| of(1, delivered, None).comes_again_in().as_millis();
        assert_eq!([1, 2, 3, 4, 40].map(millis), [500, 1000, 2000, 4000, 30_000]);
        assert!(!of(1, 2, Some(3)).is_last() && of(1, 3, Some(3)).is_last() && !of(1, 300, None).is_last());
    }
}
