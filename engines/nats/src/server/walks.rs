//! Many messages: the next ones of a subject, the last of each of many subjects. A room's messages are got one by one, on
//! several ways side by side: a consumer of one subject has the server look through the whole log for it before it is there,
//! and nobody writes meanwhile. The direct get of many messages that later servers have stops the whole server where somebody
//! writes meanwhile (it takes a lock twice; seen in 2.12.1).

use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::future::join_all;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::answers::{Fault, Got, from_consumer};
use super::{Ask, Server};

/// Messages that one pull asks for. They wait in a subscription's queue, which is larger.
const PULL_MAX: u64 = 256;
/// Ways that are walked side by side: a long page takes the time of an eighth of its messages.
const WALKS_MAX: u64 = 8;
/// Messages for which one more is worth the call that finds its end.
const WALK_MESSAGES: u64 = 16;
/// In a cluster a consumer is made before all servers know where: doubled from a millisecond, that is half a second.
const UNKNOWN_TRIES_MAX: u32 = 9;
/// A consumer that its maker forgot ends by itself then.
const FORGOTTEN_AFTER_NANOS: u64 = 30_000_000_000;
/// Calls on their way for one question.
const AT_ONCE_MAX: usize = 64;

impl Server {
    /// The next messages of a subject from a sequence on, up to another: some, as many as come easily. None where there is
    /// none. `messages` is how many there are at most, if that is known.
    pub(crate) async fn page(
        &self,
        stream: &str,
        subject: &str,
        (from, upto): (u64, u64),
        messages: Option<u64>,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Got>, Fault> {
        // Before the first of them lies perhaps a whole log of others, to be looked through once.
        let Some(first) = self.next(stream, subject, from).await?.filter(|first| first.sequence <= upto)
        else {
            return Ok(Vec::new());
        };
        let rest = (first.sequence + 1, upto);
        let more_max = messages_max.saturating_sub(1);
        let (mut bytes, mut page) = (first.data.len(), vec![first]);
        let spans = spans(rest, messages.map(|messages| messages.saturating_sub(1)), messages_max as u64);
        let walks = spans.iter().map(|span| self.walk(stream, subject, *span, more_max, bytes_max));
        for walked in join_all(walks).await {
            let (part, whole) = walked?;
            for got in part {
                if page.len() >= messages_max || bytes >= bytes_max {
                    return Ok(page);
                }
                bytes += got.data.len();
                page.push(got);
            }
            if !whole {
                break;
            }
        }
        Ok(page)
    }

    /// One message after the other; and whether that is all of them.
    async fn walk(
        &self,
        stream: &str,
        subject: &str,
        (mut from, upto): (u64, u64),
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<(Vec<Got>, bool), Fault> {
        let (mut part, mut bytes) = (Vec::new(), 0);
        while from <= upto {
            if part.len() >= messages_max || bytes >= bytes_max {
                return Ok((part, false));
            }
            let next = self.next(stream, subject, from).await?;
            let Some(got) = next.filter(|got| got.sequence <= upto) else { break };
            from = got.sequence + 1;
            bytes += got.data.len();
            part.push(got);
        }
        Ok((part, true))
    }

    /// A question with several answers, until `take` has enough.
    async fn several(
        &self,
        subject: String,
        question: &Value,
        mut take: impl FnMut(Message) -> Result<bool, Fault>,
    ) -> Result<(), Fault> {
        self.admit()?;
        super::count(&self.counts.calls);
        let unanswered = |why: String| Fault::Unanswered(why);
        let all = async {
            let inbox = self.client.new_inbox();
            let mut answers =
                self.client.subscribe(inbox.clone()).await.map_err(|error| unanswered(error.to_string()))?;
            let body = Bytes::from(question.to_string());
            let sent = self.client.publish_with_reply(subject, inbox, body).await;
            sent.map_err(|error| unanswered(error.to_string()))?;
            loop {
                let Some(message) = answers.next().await else {
                    return Err(unanswered("the connection ended".to_owned()));
                };
                if message.status == Some(StatusCode::NO_RESPONDERS) {
                    return Err(Fault::Absent);
                }
                if !take(message)? {
                    return Ok(());
                }
            }
        };
        let done = tokio::time::timeout(self.within, all).await;
        let done = done.unwrap_or_else(|_| Err(unanswered("timed out".to_owned())));
        match &done {
            Err(Fault::Unanswered(_)) => self.failed(),
            _ => self.succeeded(),
        }
        done
    }

    /// All that a consumer of this kind finds now, as long as `take` wants more; `most` is how much that may be.
    pub(crate) async fn consume(
        &self,
        stream: &str,
        mut config: Value,
        most: u64,
        mut take: impl FnMut(Got, Option<&HeaderMap>) -> bool,
    ) -> Result<(), Fault> {
        for (name, value) in [
            ("ack_policy", json!("none")),
            ("mem_storage", json!(true)),
            ("num_replicas", json!(1)),
            ("inactive_threshold", json!(FORGOTTEN_AFTER_NANOS)),
            ("max_waiting", json!(1)),
        ] {
            config[name] = value;
        }
        let question = json!({ "stream_name": stream, "config": config });
        let made = self.api(&format!("CONSUMER.CREATE.{stream}"), question).await?;
        let Some(name) = made["name"].as_str() else {
            return Err(Fault::Unanswered("a consumer without a name".to_owned()));
        };
        let (mut taken, mut walked) = (0, Ok(()));
        while taken < most && walked.is_ok() {
            let batch = PULL_MAX.min(most - taken);
            let pull = json!({ "batch": batch, "no_wait": true });
            let (mut got_some, mut enough) = (0, false);
            for unknown in 0..UNKNOWN_TRIES_MAX {
                walked = self
                    .several(format!("{}.CONSUMER.MSG.NEXT.{stream}.{name}", self.api), &pull, |message| {
                        // What ends the messages, or says that there are none.
                        if message.status.is_some() {
                            return Ok(false);
                        }
                        let Some(got) = from_consumer(&message) else {
                            return Err(Fault::Unanswered("a message without its ack's subject".to_owned()));
                        };
                        got_some += 1;
                        enough = !take(got, message.headers.as_ref());
                        Ok(!enough && got_some < batch)
                    })
                    .await;
                if walked != Err(Fault::Absent) {
                    break;
                }
                tokio::time::sleep(Duration::from_millis(1 << unknown)).await;
            }
            taken += got_some;
            if enough || got_some == 0 {
                break;
            }
        }
        // It would end by itself.
        self.api(&format!("CONSUMER.DELETE.{stream}.{name}"), Value::Null).await.ok();
        walked
    }

    /// The subjects of a stream that a filter finds.
    pub(crate) async fn subjects(&self, stream: &str, filter: &str) -> Result<Vec<String>, Fault> {
        let counted = self.subjects_counted(stream, filter).await?;
        Ok(counted.into_iter().map(|(subject, _)| subject).collect())
    }

    /// The same, with how many messages each of them has.
    pub(crate) async fn subjects_counted(
        &self,
        stream: &str,
        filter: &str,
    ) -> Result<Vec<(String, u64)>, Fault> {
        let mut all = Vec::new();
        loop {
            let question = json!({ "subjects_filter": filter, "offset": all.len() });
            let told = self.api(&format!("STREAM.INFO.{stream}"), question).await?;
            let Some(subjects) = told["state"]["subjects"].as_object().filter(|some| !some.is_empty()) else {
                return Ok(all);
            };
            let counted =
                subjects.iter().map(|(subject, count)| (subject.clone(), count.as_u64().unwrap_or(1)));
            all.extend(counted);
            // Older servers tell all at once, and name no total.
            let total = told["total"].as_u64().unwrap_or_default();
            if all.len() as u64 >= total {
                return Ok(all);
            }
        }
    }

    /// The last message of each subject that a filter finds, in no order.
    pub(crate) async fn lasts(&self, stream: &str, filter: &str) -> Result<Vec<Got>, Fault> {
        let subjects = self.subjects(stream, filter).await?;
        let mut all = Vec::with_capacity(subjects.len());
        let mut gets = FuturesUnordered::new();
        for subject in subjects {
            if gets.len() >= AT_ONCE_MAX {
                all.extend(gets.next().await.transpose()?.flatten());
            }
            gets.push(async move { self.last(stream, &subject, Ask::Leader).await });
        }
        while let Some(got) = gets.next().await {
            all.extend(got?);
        }
        Ok(all)
    }
}

/// The parts of a span that are walked side by side, as if its messages were spread evenly; of more than are wanted, only the
/// first.
fn spans((from, upto): (u64, u64), messages: Option<u64>, wanted: u64) -> Vec<(u64, u64)> {
    let Some(messages) = messages.filter(|messages| *messages > 0 && from <= upto) else {
        return vec![(from, upto)];
    };
    let wanted = wanted.clamp(1, messages);
    let walks = wanted.div_ceil(WALK_MESSAGES).min(WALKS_MAX);
    if walks == 1 {
        return vec![(from, upto)];
    }
    let length = u128::from(upto - from + 1) * u128::from(wanted);
    let step = u64::try_from(length.div_ceil(u128::from(messages) * u128::from(walks))).unwrap_or(u64::MAX);
    let starts = (0..walks).map(|walk| from.saturating_add(walk.saturating_mul(step)));
    let spans = starts.map(|start| (start, start.saturating_add(step - 1).min(upto)));
    spans.take_while(|(start, end)| start <= end).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_is_walked_in_parts_that_follow_each_other() {
        for (name, span, messages, wanted, expected) in [
            ("few", (10, 1000), Some(16), 500, vec![(10, 1000)]),
            ("nobody knows how many", (10, u64::MAX), None, 500, vec![(10, u64::MAX)]),
            ("two ways", (1, 100), Some(32), 500, vec![(1, 50), (51, 100)]),
            ("more than are wanted", (1, 1000), Some(320), 32, vec![(1, 50), (51, 100)]),
            ("dense", (5, 7), Some(64), 64, vec![(5, 5), (6, 6), (7, 7)]),
            ("nothing", (8, 7), Some(64), 64, vec![(8, 7)]),
        ] {
            assert_eq!(spans(span, messages, wanted), expected, "{name}");
        }
        assert_eq!(spans((1, 100_000), Some(10_000), 500).len() as u64, WALKS_MAX);
    }
}
