//! Messages that cannot be taken: counted, logged, and stored in a stream where somebody can look at them, with where they stand, why,
//! and how often a room was asked. The message is done when its letter is there. It never keeps others waiting.

use std::cell::RefCell;
use std::time::{Duration, Instant};

use async_nats::header::HeaderMap;
use crossing::{ORIGIN, POSITION, Stage, add, pause};

use crate::heard::{Heard, MESSAGE_ID};
use crate::jetstream::Fault;
use crate::parts::Parts;
use crate::tables::{Retention, Stream};

/// What a letter holds of a payload: servers take a megabyte as a rule.
const PAYLOAD_BYTES_MAX: usize = 512 << 10;
/// Letters are kept for a week, or as many as are so large together; then the oldest go.
const KEPT_FOR: Duration = Duration::from_secs(7 * 24 * 3600);
const KEPT_BYTES_MAX: u64 = 256 << 20;
/// Between two lines in the log: poison comes as fast as somebody publishes it.
const SAID_EVERY: Duration = Duration::from_secs(1);
const AGAIN_MAX: Duration = Duration::from_secs(5);
/// A stream that is not there, or that we may not write to, may be made or opened meanwhile; then the message goes without.
const REFUSALS_MAX: u32 = 8;

/// The headers of a letter that are its own, and none of the message's.
const OURS: [&str; 5] = ["origin", "reason", "attempt", "bytes", ORIGIN];
/// What the server itself would act upon.
const OF_SERVERS: &str = "Nats-";
/// The name that the message had.
const NAMED: &str = "message-id";

pub(crate) struct Letters {
    /// A subject's beginning; the message's own subject follows.
    beginning: String,
    said: RefCell<Said>,
}

#[derive(Default)]
struct Said {
    last: Option<Instant>,
    unsaid: u64,
}

impl Letters {
    pub(crate) fn new(beginning: String) -> Letters {
        Letters { beginning, said: RefCell::default() }
    }

    /// Where they are kept.
    pub(crate) fn stream(&self) -> Stream {
        Stream {
            name: self.beginning.replace(['.', '-'], "_").to_uppercase(),
            subjects: vec![format!("{}.>", self.beginning)],
            retention: Retention::Limits,
            in_memory: false,
            age: KEPT_FOR,
            bytes_max: KEPT_BYTES_MAX,
            messages_max: None,
        }
    }

    /// `attempts`: how often a room was asked. Whether the message is done with it; if not, the bridge ends, and whoever is given it
    /// next finds the same.
    pub(crate) async fn put(&self, parts: &Parts, heard: &Heard, reason: &str, attempts: u32) -> bool {
        self.say(heard, reason);
        let subject = format!("{}.{}", self.beginning, heard.subject);
        let headers = headers(heard, &parts.origin, reason, attempts);
        let payload = heard.payload.slice(..heard.payload.len().min(PAYLOAD_BYTES_MAX));
        let (mut refusals, mut tries) = (0, 0);
        loop {
            let fault = match parts.js.store(&subject, headers.clone(), payload.clone()).await {
                Ok(_) => {
                    add(&parts.counts.dead_letters_total, 1);
                    return true;
                }
                Err(fault) => fault,
            };
            if parts.stage() != Stage::Runs {
                return false;
            }
            tries += 1;
            refusals +=
                u32::from(!matches!(fault, Fault::Unanswered(_)) || parts.signals.is_denied(&subject));
            if refusals >= REFUSALS_MAX {
                let (stands, error) = (heard.stands(), fault.words());
                tracing::error!(
                    stands,
                    subject,
                    error,
                    reason,
                    "a dead letter is kept nowhere: make its stream, or allow it"
                );
                add(&parts.counts.dead_letters_total, 1);
                add(&parts.counts.dead_letters_unkept_total, 1);
                return true;
            }
            parts.rest(pause(tries + 4, AGAIN_MAX)).await;
        }
    }

    fn say(&self, heard: &Heard, reason: &str) {
        let mut said = self.said.borrow_mut();
        said.unsaid += 1;
        if said.last.is_none_or(|last| last.elapsed() >= SAID_EVERY) {
            said.last = Some(Instant::now());
            let (stands, subject, times) = (heard.stands(), &heard.subject, std::mem::take(&mut said.unsaid));
            tracing::warn!(stands, subject, reason, times, "a message of NATS is not taken");
        }
    }
}

/// The message's own stay, but for what the server acts upon.
fn headers(heard: &Heard, origin: &str, reason: &str, attempts: u32) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, values) in heard.headers.iter().flat_map(HeaderMap::iter) {
        let written: &str = name.as_ref();
        if !OURS.contains(&written) && written != POSITION && !written.starts_with(OF_SERVERS) {
            values.iter().for_each(|value| headers.append(name.clone(), value.clone()));
        }
    }
    if let Some(named) = heard.header(MESSAGE_ID) {
        headers.insert(NAMED, named);
    }
    let bytes = heard.payload.len();
    // A header is one line.
    let reason: String = reason.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
    let ours = [heard.stands(), reason, attempts.to_string(), bytes.to_string(), origin.to_owned()];
    OURS.into_iter().zip(ours).for_each(|(name, value)| headers.insert(name, value));
    // Of a message that comes again there is one letter.
    if let Some(place) = heard.place_id() {
        headers.insert(MESSAGE_ID, format!("letter {} {place}", heard.stands()));
    }
    headers
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::heard::tests::{heard, with};

    #[test]
    fn a_letter_says_where_the_message_stands_why_and_how_often_it_was_tried() {
        let theirs = [("trace", "t-1"), ("reason", "an older one"), (MESSAGE_ID, "m-1"), (POSITION, "1-2")];
        let heard = with(heard(7, "{"), &[&theirs[..], &[("Nats-Expected-Stream", "S")]].concat());
        let headers = headers(&heard, "kulkul", "its value is\nno JSON", 2);
        let mut all: Vec<(String, String)> = headers
            .iter()
            .map(|(name, values)| (AsRef::<str>::as_ref(name).to_owned(), values[0].as_str().to_owned()))
            .collect();
        all.sort();
        let all: Vec<(&str, &str)> = all.iter().map(|(name, value)| (&**name, &**value)).collect();
        let expected = [
            ("Nats-Msg-Id", "letter ORDERS@7 7.7"),
            ("attempt", "2"),
            ("bytes", "1"),
            ("kulkul-origin", "kulkul"),
            ("message-id", "m-1"),
            ("origin", "ORDERS@7"),
            ("reason", "its value is no JSON"),
            ("trace", "t-1"),
        ];
        assert_eq!(all, expected);
    }

    #[test]
    fn letters_have_a_stream_that_is_named_as_they_are() {
        let stream = Letters::new("shop.dead-letters".to_owned()).stream();
        assert_eq!(
            (stream.name.as_str(), &stream.subjects[..]),
            ("SHOP_DEAD_LETTERS", &["shop.dead-letters.>".to_owned()][..])
        );
    }
}
