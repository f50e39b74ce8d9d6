//! Looks at the server, at its consumers and their streams, now and then: whether it answers, what is not done, what is gone before
//! anybody was given it, and what was given out too often. It reads no message but those.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use async_nats::Subscriber;
use async_nats::header::HeaderMap;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use futures_util::StreamExt;
use serde_json::{Value, json};

use crate::Config;
use crate::connect::{Signals, connect};
use crate::counts::{Counts, Lag};
use crate::heard::{Heard, Place};
use crate::jetstream::{Fault, JetStream};
use crate::parts::Parts;
use crossing::add;

/// While all is well, and the longest that an outage goes unseen beside the time a question takes.
const EVERY: Duration = Duration::from_secs(2);
/// While nobody is to ask.
const LOOK: Duration = Duration::from_millis(250);

/// Once, by a connection of its own: the server's version, if it answers and has JetStream for this user.
pub(crate) async fn once(config: &Config) -> Result<String, String> {
    let counts = Arc::new(Counts::new(""));
    let client = connect(config, &Arc::new(Signals::new(counts))).await?;
    let version = client.server_info().version;
    let js = JetStream::new(client, config.domain.as_deref());
    js.ask("INFO", &Value::Null).await.map(|_| version).map_err(|fault| fault.words())
}

/// Whether the server answers; for as long as the thread lives.
pub(crate) async fn probe(parts: Rc<Parts>) {
    loop {
        if !parts.counts.reach.may_probe() {
            parts.rest(LOOK).await;
            continue;
        }
        match parts.js.ask("INFO", &Value::Null).await {
            Ok(_) => {
                parts.counts.reach.is_well(JETSTREAM);
                parts.counts.reach.succeeded();
                parts.rest(EVERY).await;
            }
            Err(Fault::Denied(why)) => {
                parts.counts.reach.succeeded();
                parts
                    .counts
                    .reach
                    .is_amiss(JETSTREAM, &format!("this user has none ({why}): enable it for the account"));
                parts.rest(EVERY).await;
            }
            Err(fault) => {
                parts.counts.reach.failed(&parts.signals.why().unwrap_or_else(|| fault.words()));
                parts.rest(LOOK).await;
            }
        }
    }
}

const JETSTREAM: &str = "JetStream";

/// Of one consumer, for as long as it is read.
pub(crate) async fn look(parts: Rc<Parts>, stream: Rc<str>, durable: String, whole: bool) {
    let mut gaps = Gaps::default();
    loop {
        let consumer = parts.js.ask(&format!("CONSUMER.INFO.{stream}.{durable}"), &Value::Null).await;
        let of_stream = parts.js.ask(&format!("STREAM.INFO.{stream}"), &Value::Null).await;
        if let (Ok(consumer), Ok(of_stream)) = (consumer, of_stream) {
            let of = |value: &Value| value.as_u64().unwrap_or_default();
            let lag = Lag {
                pending: of(&consumer["num_pending"]),
                ack_pending: of(&consumer["num_ack_pending"]),
                redelivered: of(&consumer["num_redelivered"]),
            };
            parts.counts.lag_is(&stream, &durable, lag);
            let delivered = &consumer["delivered"];
            let seen = Seen {
                first: of(&of_stream["state"]["first_seq"]),
                last: of(&of_stream["state"]["last_seq"]),
                given: of(&delivered["stream_seq"]),
                givings: of(&delivered["consumer_seq"]),
                pending: lag.pending,
                whole,
                is_kept: of_stream["config"]["retention"] == "limits",
            };
            if let Some(gone) = gaps.look(seen) {
                add(&parts.counts.gaps_total, 1);
                add(&parts.counts.gone_total, gone as usize);
                let stream = &*stream;
                tracing::warn!(
                    stream,
                    durable,
                    gone,
                    "the stream's limits took messages away before they were given out: up to so many are lost to rooms; raise its limits"
                );
            }
        }
        parts.rest(EVERY).await;
    }
}

/// A consumer and its stream at one time.
#[derive(Clone, Copy, Debug)]
struct Seen {
    /// The oldest message that the stream has, and the newest.
    first: u64,
    last: u64,
    /// The newest that was given out, and how many were, some more than once.
    given: u64,
    givings: u64,
    pending: u64,
    /// All of the stream is for the consumer.
    whole: bool,
    /// What was done stays: else the stream begins where others' was not done yet.
    is_kept: bool,
}

/// Notices what is gone before it was given out.
#[derive(Default)]
struct Gaps {
    /// Up to there all was given out, or was for others, or was said to be gone.
    clear: Option<u64>,
    before: Option<Seen>,
}

impl Gaps {
    /// How many are gone at most; the stream's messages for others among them.
    fn look(&mut self, seen: Seen) -> Option<u64> {
        let mut gone = match self.clear {
            Some(clear) => {
                // What was given out since was in the stream when it was.
                let clear = clear.max(seen.given);
                let gone = seen.first.saturating_sub(clear + 1);
                match self.before.filter(|_| !seen.whole) {
                    Some(before) => {
                        let given = seen.givings.saturating_sub(before.givings);
                        let waited = before.pending.saturating_sub(given);
                        gone.min(waited.max(u64::from(seen.is_kept)))
                    }
                    None => gone,
                }
            }
            // Of what is for others too nobody knows who was first.
            None if !seen.whole => 0,
            None => seen.first.saturating_sub(seen.given + 1),
        };
        if let Some(before) =
            self.before.filter(|_| seen.whole && self.clear.is_some_and(|it| it <= seen.given))
        {
            let passed = seen.given - before.given.max(self.clear.unwrap_or_default()).min(seen.given);
            gone += passed.saturating_sub(seen.givings.saturating_sub(before.givings));
        }
        let clear = if seen.pending == 0 { seen.last } else { seen.given.max(seen.first.saturating_sub(1)) };
        self.clear = Some(self.clear.unwrap_or_default().max(clear));
        self.before = Some(seen);
        (gone > 0).then_some(gone)
    }
}

/// Where the server says of a consumer's messages that they were given out as often as they may be. It says so once, to whoever
/// listens when somebody asks for the next.
pub(crate) async fn advisories(parts: &Parts, stream: &str, durable: &str) -> Option<Subscriber> {
    let subject = format!("$JS.EVENT.ADVISORY.CONSUMER.MAX_DELIVERIES.{stream}.{durable}");
    parts.js.client.queue_subscribe(subject, parts.group.clone()).await.ok()
}

/// What was given out as often as it may be, and nobody said what became of it: a letter is made of it.
pub(crate) async fn exceeded(parts: Rc<Parts>, stream: Rc<str>, mut advisories: Subscriber) {
    while let Some(advisory) = advisories.next().await {
        let Ok(says) = serde_json::from_slice::<Value>(&advisory.payload) else { continue };
        let (Some(sequence), times) =
            (says["stream_seq"].as_u64(), says["deliveries"].as_u64().unwrap_or_default())
        else {
            continue;
        };
        let got = parts.js.ask(&format!("STREAM.MSG.GET.{stream}"), &json!({ "seq": sequence })).await;
        let Some(heard) = got.ok().and_then(|got| stored(&stream, &got["message"])) else {
            tracing::warn!(
                stream = &*stream,
                sequence,
                "a message was given out too often, and is there no more"
            );
            continue;
        };
        let reason = format!("it was given out {times} times, and nobody said what became of it");
        parts.letters.put(&parts, &heard, &reason, 0).await;
    }
}

fn stored(stream: &Rc<str>, message: &Value) -> Option<Heard> {
    let decoded = |name: &str| STANDARD.decode(message[name].as_str().unwrap_or_default()).ok();
    let headers = String::from_utf8(decoded("hdrs")?).ok()?;
    let mut map = HeaderMap::new();
    for (name, value) in headers.lines().skip(1).filter_map(|line| line.split_once(':')) {
        if let (Ok(name), Ok(value)) =
            (name.parse::<async_nats::HeaderName>(), value.trim().parse::<async_nats::HeaderValue>())
        {
            map.append(name, value);
        }
    }
    let place = Place {
        stream: stream.clone(),
        sequence: message["seq"].as_u64()?,
        stored_at: 0,
        delivered: 0,
        ack: None,
    };
    Some(Heard {
        place: Some(place),
        subject: message["subject"].as_str()?.to_owned(),
        headers: (!map.is_empty()).then_some(map),
        payload: Bytes::from(decoded("data")?),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(first: u64, last: u64, given: u64, pending: u64) -> Seen {
        Seen { first, last, given, givings: given, pending, whole: true, is_kept: true }
    }

    #[test]
    fn what_is_gone_before_it_was_given_out_is_noticed_once() {
        let mut gaps = Gaps::default();
        assert_eq!(gaps.look(seen(1, 10, 4, 6)), None);
        assert_eq!(gaps.look(seen(4, 20, 4, 16)), None, "what was done goes");
        assert_eq!(gaps.look(seen(9, 20, 4, 12)), Some(4), "five to eight");
        assert_eq!(gaps.look(seen(9, 20, 4, 12)), None, "once");
        // Between two looks: eleven to fifteen were never given out.
        let passed = Seen { givings: 4 + 7, ..seen(16, 20, 20, 0) };
        assert_eq!(gaps.look(passed), Some(5));
    }

    #[test]
    fn what_a_node_finds_gone_when_it_begins_is_said() {
        assert_eq!(Gaps::default().look(seen(51, 60, 40, 10)), Some(10));
        assert_eq!(
            Gaps::default().look(Seen { whole: false, ..seen(51, 60, 40, 10) }),
            None,
            "others' perhaps"
        );
    }

    #[test]
    fn messages_for_others_are_no_gap() {
        let others = |first, last, given, pending| Seen { whole: false, ..seen(first, last, given, pending) };
        let mut gaps = Gaps::default();
        assert_eq!(gaps.look(others(1, 100, 4, 0)), None);
        assert_eq!(gaps.look(others(90, 100, 4, 0)), None, "all of it was given out, or was for others");
        assert_eq!(gaps.look(others(90, 120, 4, 3)), None);
        assert_eq!(gaps.look(others(115, 120, 4, 1)), Some(3), "no more than had been waiting");
    }

    #[test]
    fn where_what_is_done_leaves_the_stream_others_are_no_gap() {
        let others = |first, last, given, pending| Seen {
            whole: false,
            is_kept: false,
            ..seen(first, last, given, pending)
        };
        let mut gaps = Gaps::default();
        assert_eq!(gaps.look(others(1, 100, 4, 0)), None);
        assert_eq!(gaps.look(others(120, 120, 4, 0)), None, "twenty of others, which these have done");
        assert_eq!(gaps.look(others(120, 130, 4, 3)), None);
        let given = Seen { givings: 4 + 3, ..others(140, 150, 125, 2) };
        assert_eq!(gaps.look(given), None, "three waited, and were given out");
        assert_eq!(gaps.look(Seen { givings: 4 + 3, ..others(151, 160, 125, 1) }), Some(2), "two waited");
    }

    #[test]
    fn a_message_is_read_as_the_server_keeps_it() {
        let hdrs = STANDARD.encode("NATS/1.0\r\ntrace: t-1\r\n\r\n");
        let kept =
            json!({ "subject": "a.b", "seq": 7, "hdrs": hdrs, "data": STANDARD.encode("{}"), "time": "…" });
        let heard = stored(&"S".into(), &kept).expect("a message");
        assert_eq!(
            (heard.header("trace"), &heard.payload[..], heard.stands().as_str()),
            (Some("t-1"), &b"{}"[..], "S@7")
        );
    }
}
