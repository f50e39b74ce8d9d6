//! Tails of many logs in one go. Who begins to follow a hundred rooms wants most of what was stored lately, and the server hands
//! out all of a stream for a tenth of what it costs to look for one subject in it. Who wants little of it, or is alone, is
//! told so and reads for itself.

use std::cmp::Reverse;
use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::node::Node;
use crate::server::Got;

/// Fewer messages are got one by one before others have been waited for.
pub(crate) const WORTH_MESSAGES: u64 = 32;
/// Of all that is handed out at least every eighth message is wanted: one that is looked for takes 50 microseconds of server
/// and node together, one that is passed by 6.
const PASSED_PER_WANTED: u64 = 8;
/// Handed out by one sweep at most: some tens of megabytes, and other calls wait no longer for it than a second.
const SWEPT_MAX: u64 = 16_384;
/// Whoever follows many rooms asks for some of them within this time.
const GATHER: Duration = Duration::from_millis(5);
/// Those that read for themselves at once. Whoever comes meanwhile waits, so that many who come one after the other are found
/// to be many.
const ALONE_MAX: usize = 2;
/// Those that wait: more than there are lanes.
const WAITING_MAX: usize = 256;

pub(crate) struct Wanted {
    pub(crate) subject: String,
    /// Sequences, both of them included.
    pub(crate) span: (u64, u64),
    pub(crate) messages_max: usize,
    pub(crate) bytes_max: usize,
    pub(crate) found: oneshot::Sender<Found>,
}

pub(crate) enum Found {
    Page(Vec<Got>),
    /// Read for yourself, and hold this meanwhile.
    Alone(OwnedSemaphorePermit),
}

pub(crate) fn waiting() -> (mpsc::Sender<Wanted>, mpsc::Receiver<Wanted>) {
    mpsc::channel(WAITING_MAX)
}

/// One sweep at a time: what is asked for meanwhile waits, and goes together with the next.
pub(crate) async fn keep(node: Arc<Node>, mut asked: mpsc::Receiver<Wanted>) {
    let alone = Arc::new(Semaphore::new(ALONE_MAX));
    let mut wanted: Vec<Wanted> = Vec::new();
    loop {
        if wanted.is_empty() {
            let Some(first) = asked.recv().await else { return };
            wanted.push(first);
            tokio::time::sleep(GATHER).await;
        }
        while let Ok(next) = asked.try_recv() {
            wanted.push(next);
        }
        // The newest first: one that lies far back is not worth all that lies between.
        wanted.sort_by_key(|wanted| Reverse(wanted.span.0));
        let sizes: Vec<_> = wanted.iter().map(|wanted| (wanted.span, wanted.messages_max as u64)).collect();
        let together = together(&sizes);
        if together > 0 {
            let rest = wanted.split_off(together);
            node.sweep(std::mem::replace(&mut wanted, rest)).await;
            continue;
        }
        tokio::select! {
            biased;
            Some(next) = asked.recv() => wanted.push(next),
            Ok(permit) = alone.clone().acquire_owned() => {
                if let Some(farthest) = wanted.pop() {
                    // Whoever gave up waiting needs nothing.
                    farthest.found.send(Found::Alone(permit)).ok();
                }
            }
            else => return,
        }
    }
}

/// How many of the first are swept together, by their spans and how much they want of them.
fn together(wanted: &[((u64, u64), u64)]) -> usize {
    let (mut end, mut sum, mut count) = (0, 0, 0);
    for (number, ((from, upto), messages)) in wanted.iter().enumerate() {
        end = end.max(*upto);
        sum += messages.min(&(upto + 1 - from.min(upto)));
        let span = (end + 1).saturating_sub(*from);
        if span <= SWEPT_MAX && span <= sum.saturating_mul(PASSED_PER_WANTED) {
            count = number + 1;
        }
    }
    count
}

struct Finding {
    wanted: Wanted,
    found: Vec<Got>,
    bytes: usize,
}

impl Finding {
    fn is_over(&self) -> bool {
        self.found.len() >= self.wanted.messages_max || self.bytes >= self.wanted.bytes_max
    }
}

impl Node {
    async fn sweep(&self, wanted: Vec<Wanted>) {
        let from = wanted.iter().map(|wanted| wanted.span.0).min().unwrap_or_default().max(1);
        let upto = wanted.iter().map(|wanted| wanted.span.1).max().unwrap_or_default();
        let mut left = wanted.len();
        let mut findings: HashMap<String, Vec<Finding>> = HashMap::new();
        for wanted in wanted {
            let of = findings.entry(wanted.subject.clone()).or_default();
            of.push(Finding { wanted, found: Vec::new(), bytes: 0 });
        }
        let config = json!({ "deliver_policy": "by_start_sequence", "opt_start_seq": from });
        let take = |got: Got, _: Option<&_>| {
            for finding in findings.get_mut(&got.subject).into_iter().flatten() {
                let (from, upto) = finding.wanted.span;
                if (from..=upto).contains(&got.sequence) && !finding.is_over() {
                    finding.bytes += got.data.len();
                    finding.found.push(got.clone());
                    left -= usize::from(finding.is_over());
                }
            }
            got.sequence < upto && left > 0
        };
        // What is pulled comes whole: never more than lies between.
        let most = SWEPT_MAX.min((upto + 1).saturating_sub(from));
        let swept = self.server.consume(&self.names.log, config, most, take).await.is_ok();
        if swept {
            for Finding { wanted, found, .. } in findings.into_values().flatten() {
                wanted.found.send(Found::Page(found)).ok();
            }
        }
    }

    /// As [`Server::page`](crate::server::Server::page), of a room's log.
    pub(crate) async fn page(
        &self,
        subject: &str,
        span: (u64, u64),
        messages: u64,
        messages_max: usize,
        bytes_max: usize,
    ) -> Result<Vec<Got>, crate::server::Fault> {
        let most = messages.min(messages_max as u64);
        let mut alone = None;
        if most >= WORTH_MESSAGES {
            let (found, told) = oneshot::channel();
            let (subject, span) = (subject.to_owned(), share(span, most, messages));
            let wanted = Wanted { subject, span, messages_max: most as usize, bytes_max, found };
            // Where nothing could be swept everybody reads alone.
            if self.sweeps.send(wanted).await.is_ok()
                && let Ok(found) = told.await
            {
                match found {
                    Found::Page(page) => return Ok(page),
                    Found::Alone(permit) => alone = Some(permit),
                }
            }
        }
        let log = &self.names.log;
        let page = self.server.page(log, subject, span, Some(messages), messages_max, bytes_max).await;
        drop(alone);
        page
    }
}

/// The part of a span that holds so many of its messages, if they are spread evenly.
fn share((from, upto): (u64, u64), wanted: u64, messages: u64) -> (u64, u64) {
    let length = u128::from((upto + 1).saturating_sub(from)) * u128::from(wanted.min(messages));
    let length = u64::try_from(length.div_ceil(u128::from(messages.max(1)))).unwrap_or(u64::MAX);
    (from, from.saturating_add(length.saturating_sub(1)).min(upto))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_share_of_a_span_holds_a_share_of_its_messages() {
        assert_eq!(share((1, 1000), 500, 1000), (1, 500));
        assert_eq!(share((1, 1000), 500, 100), (1, 1000));
        assert_eq!(share((5, 5), 1, 1), (5, 5));
    }

    #[test]
    fn those_are_swept_together_that_want_much_of_what_lies_between() {
        let near = |number: u64| ((10_000 - number, 11_000), 50);
        for (name, wanted, expected) in [
            ("one of many rooms", vec![near(0)], 0),
            ("half of all rooms", (0..10).map(near).collect(), 10),
            ("one far back", (0..10).map(near).chain([((1, 9000), 50)]).collect(), 10),
            ("one room that has much of it", vec![((1, 2000), 500)], 1),
            ("none", vec![], 0),
        ] {
            assert_eq!(together(&wanted), expected, "{name}");
        }
    }
}
