//! What the bridge's tasks share, all in one thread. It does nothing itself.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use node::{Desk, Facts};
use tokio::sync::{Notify, watch};

use crate::asks::Asks;
use crate::counts::{Counts, set};
use crate::lease::Lease;
use crate::letters::Letters;
use crate::members::Members;
use crate::said::Reading;
use crate::stage::Stage;

pub(crate) struct Parts {
    pub(crate) asks: Asks,
    pub(crate) counts: Arc<Counts>,
    pub(crate) desk: Desk,
    pub(crate) facts: Arc<Facts>,
    pub(crate) reading: Reading,
    pub(crate) lease: Lease,
    pub(crate) letters: Letters,
    pub(crate) members: Members,
    pub(crate) stage: watch::Receiver<Stage>,
    /// What this process is known by, to the lease and to presence.
    pub(crate) token: String,
    /// How all that is kept in Redis begins.
    pub(crate) prefix: String,
    pub(crate) ears_changed: Notify,
    /// Of what was heard and not looked at.
    pub(crate) heard_bytes: Arc<AtomicUsize>,
    /// Errands for rooms that are not done, and their bytes.
    pub(crate) waiting: Cell<usize>,
    pub(crate) waiting_bytes: Cell<usize>,
    pub(crate) idle: Notify,
    pub(crate) receipts: Cell<u64>,
}

impl Parts {
    pub(crate) fn key(&self, name: &str) -> String {
        format!("{}:bridge:{name}", self.prefix)
    }

    pub(crate) fn listens(&self, listens: bool) {
        set(&self.counts.listening, usize::from(listens));
        self.ears_changed.notify_one();
    }

    pub(crate) fn is_listening(&self) -> bool {
        self.counts.listening.load(Ordering::Relaxed) == 1
    }

    /// For a message that has no id of its own.
    pub(crate) fn receipt(&self) -> String {
        let number = self.receipts.get();
        self.receipts.set(number + 1);
        format!("receipt-{}-{number}", self.token)
    }
}
