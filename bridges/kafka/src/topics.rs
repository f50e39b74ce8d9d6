//! Which of the sinks' topics are refused: their rooms wait, and one of them tries now and then. It produces nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::time::{Duration, Instant};

use crate::counts::Counts;
use crate::sink::Way;

/// A topic that is refused is tried again so soon, by one room; a try may take longer where the topic is not there.
const AGAIN: Duration = Duration::from_secs(10);

/// By topic, when it may be tried again. As many as the configuration names.
#[derive(Default)]
pub(crate) struct Topics(RefCell<HashMap<String, Instant>>);

impl Topics {
    /// Whether a room may try now; if its topic is refused, others wait for what this one finds.
    pub(crate) fn may_try(&self, way: &Way<'_>) -> bool {
        let (mut refused, now) = (self.0.borrow_mut(), Instant::now());
        let topics = way.topics();
        if topics.iter().any(|topic| refused.get(*topic).is_some_and(|again| now < *again)) {
            return false;
        }
        for topic in topics {
            if let Some(again) = refused.get_mut(topic) {
                *again = now + AGAIN;
            }
        }
        true
    }

    pub(crate) fn refuses(&self, counts: &Counts, topic: &str, why: &str) {
        self.0.borrow_mut().insert(topic.to_owned(), Instant::now() + AGAIN);
        let why = format!("it is not there, or not for us, and its rooms wait: make it, or allow it ({why})");
        counts.reach.is_amiss(&what(topic), &why);
    }

    pub(crate) fn takes(&self, counts: &Counts, topic: &str) {
        if self.0.borrow_mut().remove(topic).is_some() {
            counts.reach.is_well(&what(topic));
        }
    }
}

fn what(topic: &str) -> String {
    format!("the sinks' topic {topic}")
}
