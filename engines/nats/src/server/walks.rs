//! Many messages: the next ones of a subject, the last of each of many subjects. By consumers, as a server of 2.9
//! has them: the direct get of many messages that later ones have stops the whole server where somebody writes meanwhile (it
//! takes a lock twice; seen in 2.12.1).

use std::sync::atomic::Ordering;
use std::time::Duration;

use async_nats::{HeaderMap, Message, StatusCode};
use bytes::Bytes;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use serde_json::{Value, json};

use super::answers::{Fault, Got, from_consumer};
use super::{Ask, Server};

/// Messages that one pull asks for. They wait in a subscription's queue, which is larger.
const PULL_MAX: u64 = 256;
/// Fewer are asked for one by one: a consumer costs three calls, and in a cluster the consent of its leaders.
const ONE_BY_ONE_MAX: usize = 16;
/// In a cluster a consumer is made before all servers know where: doubled from a millisecond, that is half a second.
const UNKNOWN_TRIES_MAX: u32 = 9;
/// A consumer that its maker forgot ends by itself then.
const FORGOTTEN_AFTER_NANOS: u64 = 30_000_000_000;
/// Calls on their way for one question.
const AT_ONCE_MAX: usize = 64;

impl Server {
    /// The next messages of a subject from a sequence on, up to another: some, as many as come easily. None where there is
    /// none.
    pub(crate) async fn page(
        &self,
        stream: &str,
        subject: &str,
        (from, upto): (u64, u64),
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Got>, Fault> {
        if messages_max > ONE_BY_ONE_MAX && !self.consumers_unknown.load(Ordering::Relaxed) {
            let config = json!({
                "deliver_policy": "by_start_sequence", "opt_start_seq": from.max(1), "filter_subject": subject,
            });
            let mut page = Vec::new();
            let mut bytes = 0;
            let take = |got: Got, _: Option<&HeaderMap>| {
                bytes += got.data.len();
                let goes_on = got.sequence < upto;
                page.push(got);
                goes_on && page.len() < messages_max && bytes < bytes_max
            };
            match self.consume(stream, config, messages_max as u64, take).await {
                Ok(()) => return Ok(page),
                // This user may make none.
                Err(Fault::Denied { .. }) => self.consumers_unknown.store(true, Ordering::Relaxed),
                Err(fault) => return Err(fault),
            }
        }
        let mut page: Vec<Got> = Vec::new();
        let mut bytes = 0;
        while page.len() < messages_max && bytes < bytes_max {
            let from = page.last().map_or(from, |got| got.sequence + 1);
            if from > upto {
                break;
            }
            let Some(got) = self.next(stream, subject, from).await? else { break };
            bytes += got.data.len();
            page.push(got);
        }
        Ok(page)
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
        let mut all = Vec::new();
        loop {
            let question = json!({ "subjects_filter": filter, "offset": all.len() });
            let told = self.api(&format!("STREAM.INFO.{stream}"), question).await?;
            let Some(subjects) = told["state"]["subjects"].as_object().filter(|some| !some.is_empty()) else {
                return Ok(all);
            };
            all.extend(subjects.keys().cloned());
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
