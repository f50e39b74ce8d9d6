//! Whether the brokers answer, asked of them by itself: reading says nothing while there is nothing to read. One question at a time.

use std::rc::Rc;
use std::time::Duration;

use rdkafka::producer::Producer;

use crate::parts::Parts;
use crate::stage::Stage;

/// While all is well, and the longest that an outage goes unseen beside the time a question takes.
const EVERY: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// While nobody is to ask.
const LOOK: Duration = Duration::from_millis(250);

pub(crate) async fn go_on(parts: Rc<Parts>, topic: String) {
    while parts.stage() < Stage::Ends {
        parts.mend_producer();
        if !parts.counts.may_probe() {
            parts.rest(LOOK).await;
            continue;
        }
        let (producer, topic) = (parts.producer(), topic.clone());
        let asked = tokio::task::spawn_blocking(move || {
            producer.client().fetch_metadata(Some(&topic), ANSWER_WITHIN).map(drop)
        });
        match asked.await {
            Ok(Ok(())) => {
                parts.counts.succeeded();
                parts.rest(EVERY).await;
            }
            Ok(Err(error)) => {
                parts.counts.failed(&error.to_string());
                parts.rest(LOOK).await;
            }
            // The runtime ends.
            Err(_) => return,
        }
    }
}
