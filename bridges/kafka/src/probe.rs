//! Whether the brokers answer, and have the topics that are read, asked of them by itself: reading says nothing while there is nothing
//! to read, and of a topic that is not there it says nothing at all. One question at a time.

use std::rc::Rc;
use std::time::Duration;

use crossing::Stage;
use rdkafka::error::KafkaError;
use rdkafka::metadata::MetadataTopic;
use rdkafka::producer::{FutureProducer, Producer};
use rdkafka::types::RDKafkaErrorCode;

use crate::context::Writes;
use crate::parts::Parts;
use crate::refusal::Refusal;

/// While all is well, and the longest that an outage goes unseen beside the time a question takes.
const EVERY: Duration = Duration::from_secs(2);
const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// While nobody is to ask.
const LOOK: Duration = Duration::from_millis(250);

/// What the brokers are asked about: each topic that is read in its turn, or one that is only written to.
pub(crate) enum Asks {
    Reads { topics: Vec<String>, client: FutureProducer<Writes> },
    Writes(String),
}

impl Asks {
    fn next(&mut self, parts: &Parts) -> (String, FutureProducer<Writes>) {
        match self {
            Asks::Reads { topics, client } => {
                topics.rotate_left(1);
                (topics.last().cloned().unwrap_or_default(), client.clone())
            }
            Asks::Writes(topic) => (topic.clone(), parts.producer()),
        }
    }
}

pub(crate) async fn go_on(parts: Rc<Parts>, mut asks: Asks) {
    while parts.stage() < Stage::Ends {
        parts.mend_producer();
        if !parts.counts.reach.may_probe() {
            parts.rest(LOOK).await;
            continue;
        }
        let (topic, client) = asks.next(&parts);
        let asked = tokio::task::spawn_blocking(move || {
            let told = client.client().fetch_metadata(Some(&topic), ANSWER_WITHIN)?;
            let refused = told.topics().iter().find(|it| it.name() == topic).and_then(MetadataTopic::error);
            Ok::<_, KafkaError>((topic, refused.map(RDKafkaErrorCode::from)))
        });
        match asked.await {
            Ok(Ok((topic, refused))) => {
                parts.counts.reach.succeeded();
                if matches!(asks, Asks::Reads { .. }) {
                    tell(&parts, &topic, refused);
                }
                parts.rest(EVERY).await;
            }
            Ok(Err(error)) => {
                parts.counts.reach.failed(&error.to_string());
                parts.rest(LOOK).await;
            }
            // The runtime ends.
            Err(_) => return,
        }
    }
}

fn tell(parts: &Parts, topic: &str, refused: Option<RDKafkaErrorCode>) {
    let what = format!("the topic {topic}");
    match refused.map(KafkaError::MetadataFetch) {
        // A leader that is not there yet, and the like, come by themselves.
        Some(error) if Refusal::of(&error).is_some() => {
            parts.counts.reach.is_amiss(&what, &format!("it is not read: make it, or allow it ({error})"));
        }
        _ => parts.counts.reach.is_well(&what),
    }
}
