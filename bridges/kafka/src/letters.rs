//! Records that cannot be taken: counted, logged, and produced to a topic where somebody can look at them, with where they stand, why,
//! and how often a room was asked. The record is done when its letter is there. It never keeps the records of others waiting.

use std::sync::Mutex;
use std::sync::PoisonError;
use std::time::{Duration, Instant};

use crossing::{ORIGIN, Stage, add, pause};
use rdkafka::message::{Header, Headers, OwnedHeaders};
use rdkafka::producer::FutureRecord;

use crate::heard::Heard;
use crate::parts::Parts;
use crate::refusal::Refusal;

/// What a letter holds of a value: brokers take a megabyte as a rule.
const VALUE_BYTES_MAX: usize = 512 << 10;
/// Between two lines in the log: poison comes as fast as somebody produces it.
const SAID_EVERY: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// A topic that is not there, or that we may not write to, may be made or opened meanwhile; then the record goes without.
const REFUSALS_MAX: u32 = 8;
/// One try, with librdkafka's own within it.
const WITHIN: Duration = Duration::from_secs(40);

/// The headers of a letter that are its own, and none of the record's: in this order.
pub(crate) const OURS: [&str; 5] = ["origin", "reason", "attempt", "bytes", ORIGIN];

pub(crate) struct Letters {
    /// The topic's name, with `{topic}` in it for the one that the record comes from.
    topic: String,
    said: Mutex<Said>,
}

#[derive(Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Letters {
    pub(crate) fn new(topic: String) -> Letters {
        Letters { topic, said: Mutex::default() }
    }

    /// `attempts`: how often a room was asked. Whether the record is done with it; if not, the bridge ends, and whoever reads it
    /// next finds the same.
    pub(crate) async fn put(&self, parts: &Parts, heard: &Heard, reason: &str, attempts: u32) -> bool {
        self.say(heard, reason);
        let topic = self.topic.replace("{topic}", &heard.topic);
        let headers = headers(heard, &parts.origin, reason, attempts);
        let value = heard.value.as_deref().map(|value| &value[..value.len().min(VALUE_BYTES_MAX)]);
        let (mut refusals, mut tries) = (0, 0);
        loop {
            let mut record: FutureRecord<'_, [u8], [u8]> = FutureRecord::to(&topic).headers(headers.clone());
            record.key = heard.key.as_deref();
            record.payload = value;
            let error = match tokio::time::timeout(WITHIN, parts.producer().send(record, WITHIN)).await {
                Ok(Ok(_)) => {
                    add(&parts.counts.dead_letters_total, 1);
                    return true;
                }
                Ok(Err((error, _))) => Some(error),
                Err(_) => None,
            };
            if parts.stage() != Stage::Runs {
                return false;
            }
            tries += 1;
            refusals += u32::from(error.as_ref().and_then(Refusal::of).is_some());
            if refusals >= REFUSALS_MAX {
                let (place, error) =
                    (heard.place(), error.map_or_else(String::new, |error| error.to_string()));
                tracing::error!(
                    place,
                    topic,
                    error,
                    reason,
                    "a dead letter is kept nowhere: make its topic, or allow it"
                );
                add(&parts.counts.dead_letters_total, 1);
                add(&parts.counts.dead_letters_unkept_total, 1);
                return true;
            }
            parts.rest(pause(tries + 4, AGAIN_MAX)).await;
        }
    }

    fn say(&self, heard: &Heard, reason: &str) {
        let mut said = self.said.lock().unwrap_or_else(PoisonError::into_inner);
        said.unsaid += 1;
        if said.last.is_none_or(|last| last.elapsed() >= SAID_EVERY) {
            said.last = Some(Instant::now());
            let (place, times) = (heard.place(), std::mem::take(&mut said.unsaid));
            tracing::warn!(place, reason, times, "a record of Kafka is not taken");
        }
    }
}

/// The record's own stay, so that whoever produces it again need add nothing.
fn headers(heard: &Heard, origin: &str, reason: &str, attempts: u32) -> OwnedHeaders {
    let theirs = heard.headers.iter().flat_map(Headers::iter);
    let mut headers = OwnedHeaders::new();
    for header in theirs.filter(|header| !OURS.contains(&header.key)) {
        headers = headers.insert(Header { key: header.key, value: header.value });
    }
    let bytes = heard.value.as_ref().map_or(0, Vec::len);
    let ours = [heard.place(), reason.to_owned(), attempts.to_string(), bytes.to_string(), origin.to_owned()];
    for (key, value) in OURS.into_iter().zip(&ours) {
        headers = headers.insert(Header { key, value: Some(value) });
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::heard;

    #[test]
    fn a_letter_says_where_the_record_stands_why_and_how_often_it_was_tried() {
        let theirs = OwnedHeaders::new()
            .insert(Header { key: "trace", value: Some("t-1") })
            .insert(Header { key: "reason", value: Some("an older one") });
        let heard = Heard { headers: Some(theirs), ..heard(7, b"{") };
        let headers = headers(&heard, "kulkul", "its value is no JSON", 2);
        let text = |value: Option<&[u8]>| String::from_utf8_lossy(value.unwrap_or_default()).into_owned();
        let all: Vec<(String, String)> =
            headers.iter().map(|it| (it.key.to_owned(), text(it.value))).collect();
        let all: Vec<(&str, &str)> = all.iter().map(|(key, value)| (&**key, &**value)).collect();
        let expected = [
            ("trace", "t-1"),
            ("origin", "orders[3]@7"),
            ("reason", "its value is no JSON"),
            ("attempt", "2"),
            ("bytes", "1"),
            (ORIGIN, "kulkul"),
        ];
        assert_eq!(all, expected);
    }
}
