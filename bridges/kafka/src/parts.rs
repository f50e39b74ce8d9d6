//! What the bridge's tasks share. It does nothing itself.

use std::cell::RefCell;
use std::sync::Arc;
use std::time::Duration;

use crossing::{Stage, add};
use node::Desk;
use rdkafka::ClientConfig;
use rdkafka::producer::{FutureProducer, Producer};
use tokio::sync::{Semaphore, watch};

use crate::context::Writes;
use crate::counts::Counts;
use crate::lanes::Lanes;
use crate::letters::Letters;

pub(crate) struct Parts {
    pub(crate) counts: Arc<Counts>,
    pub(crate) desk: Desk,
    pub(crate) producer: RefCell<FutureProducer<Writes>>,
    /// How another one is made.
    pub(crate) writing: ClientConfig,
    pub(crate) lanes: Arc<Lanes>,
    pub(crate) letters: Letters,
    pub(crate) stage: watch::Receiver<Stage>,
    /// Who this deployment is, in what it produces.
    pub(crate) origin: String,
    /// Calls to rooms at a time.
    pub(crate) calls: Semaphore,
}

impl Parts {
    pub(crate) fn stage(&self) -> Stage {
        *self.stage.borrow()
    }

    pub(crate) fn producer(&self) -> FutureProducer<Writes> {
        self.producer.borrow().clone()
    }

    /// A producer that cannot keep its word about order and repetition any more stops for good; another one takes its place, and
    /// whoever waits for what it did not produce tries again.
    pub(crate) fn mend_producer(&self) {
        let Some((_, why)) = self.producer().client().fatal_error() else { return };
        tracing::warn!(why, "the producer is made anew");
        add(&self.counts.producers_renewed_total, 1);
        match self.writing.create_with_context(Writes) {
            Ok(producer) => drop(self.producer.replace(producer)),
            Err(error) => self.counts.reach.failed(&error.to_string()),
        }
    }

    /// Until the time is over, or the bridge goes on to another stage.
    pub(crate) async fn rest(&self, time: Duration) {
        let mut stage = self.stage.clone();
        let now = *stage.borrow_and_update();
        // An error: nobody is left to say what comes next, and the time goes by as well.
        tokio::time::timeout(time, stage.wait_for(|stage| *stage != now)).await.ok();
    }
}
