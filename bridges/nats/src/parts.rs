//! What the bridge's tasks share. It does nothing itself.

use std::sync::Arc;
use std::time::Duration;

use crossing::Stage;
use node::Desk;
use tokio::sync::{Semaphore, watch};

use crate::connect::Signals;
use crate::counts::Counts;
use crate::jetstream::JetStream;
use crate::lanes::Lanes;
use crate::letters::Letters;
use crate::receipts::Receipts;

pub(crate) struct Parts {
    pub(crate) counts: Arc<Counts>,
    pub(crate) signals: Arc<Signals>,
    pub(crate) desk: Desk,
    pub(crate) js: JetStream,
    pub(crate) lanes: Lanes,
    pub(crate) receipts: Receipts,
    pub(crate) letters: Letters,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Who this deployment is, in what it produces.
    pub(crate) origin: String,
    /// So long a room is asked before others may try; nothing overtakes meanwhile.
    pub(crate) hold: Duration,
    /// Nodes of one group share what comes by plain subjects.
    pub(crate) group: String,
    /// Calls to rooms at a time.
    pub(crate) calls: Semaphore,
}

impl Parts {
    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(crate) fn runs(&self) -> bool {
        self.stage() == Stage::Runs
    }

    /// Until the time is over, or the bridge goes on to another stage.
    pub(crate) async fn rest(&self, time: Duration) {
        let mut stage = self.stage.clone();
        let now = *stage.borrow_and_update();
        // An error: nobody is left to say what comes next, and the time goes by as well.
        tokio::time::timeout(time, stage.wait_for(|stage| *stage != now)).await.ok();
    }
}
