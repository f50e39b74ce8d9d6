//! One durable consumer of a stream: found or made, asked for as many messages as there is place for, and each put into its rooms' lanes.
//! It waits for no room. Nodes that ask one consumer share its messages.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::rc::Rc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use async_nats::{Message, StatusCode, Subscriber};
use bytes::Bytes;
use crossing::{Poison, add, set, words_of};
use futures_util::{FutureExt, StreamExt};
use serde_json::{Value, json};

use crate::heard::Heard;
use crate::jetstream::Fault;
use crate::lanes::{Errand, Task};
use crate::looks;
use crate::parts::Parts;
use crate::said::{Meant, Said, Way};
use crate::tables::{Durable, Made};

/// Messages that are asked for at a time.
const AT_ONCE: usize = 64;
/// How long the server has for them; then it says that there were none.
const EXPIRES: Duration = Duration::from_secs(5);
/// And how long it is waited for that it says so.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// While there is no place, and while something is amiss.
const LOOK: Duration = Duration::from_millis(50);
const AGAIN: Duration = Duration::from_secs(2);
/// What typing said then says nothing now.
const STALE: Duration = Duration::from_secs(5);

/// What is read, and how.
#[derive(Clone, Debug)]
pub(crate) struct Reads {
    pub(crate) way: Rc<Way>,
    pub(crate) durable: Durable,
    /// None: whichever has the subject.
    pub(crate) stream: Option<String>,
    /// Another stream that has the subject will do as well.
    pub(crate) anywhere: bool,
}

/// For as long as the thread lives.
pub(crate) async fn go_on(parts: Rc<Parts>, reads: Reads) {
    let what = format!("the source {}", reads.durable.subject);
    while parts.runs() {
        match find(&parts, &reads).await {
            Ok(Ok((stream, made))) => {
                parts.counts.reach.is_well(&what);
                add(&parts.counts.sources, 1);
                let durable = &reads.durable.name;
                // Before anything is asked for.
                let advisories = looks::advisories(&parts, &stream, durable).await;
                let letters = advisories.map(|advisories| {
                    tokio::task::spawn_local(looks::exceeded(parts.clone(), stream.clone(), advisories))
                });
                let looks = looks::look(parts.clone(), stream.clone(), durable.clone(), made.whole);
                let looks = tokio::task::spawn_local(looks);
                pull(&parts, &reads, &stream, &made).await;
                if let Some(letters) = letters {
                    letters.abort();
                }
                looks.abort();
                parts.counts.sources.fetch_sub(1, std::sync::atomic::Ordering::Relaxed);
            }
            Ok(Err(why)) => parts.counts.reach.is_amiss(&what, &why),
            Err(fault) => tracing::debug!(what, why = fault.words(), "a source is not read yet"),
        }
        if parts.runs() {
            parts.rest(AGAIN).await;
        }
    }
}

/// Its stream, and its consumer there; within, what to do where there is none.
async fn find(parts: &Parts, reads: &Reads) -> Result<Result<(Rc<str>, Made), String>, Fault> {
    let subject = &reads.durable.subject;
    let told = match parts.js.ask("STREAM.NAMES", &json!({ "subject": subject })).await {
        Err(Fault::Denied(why)) => {
            return Ok(Err(format!("streams may not be asked for ({why}): permit it to the user")));
        }
        told => told?,
    };
    let streams: Vec<&str> =
        told["streams"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let named = streams.iter().find(|stream| reads.stream.as_ref().is_some_and(|name| name == *stream));
    let stream = match (named, &reads.stream, &streams[..]) {
        (Some(stream), ..) => *stream,
        (None, Some(name), _) if !reads.anywhere => {
            return Ok(Err(format!(
                "the stream {name} does not take {subject}: make it, or add the subject to it"
            )));
        }
        (None, _, [stream]) => *stream,
        (None, _, []) => {
            return Ok(Err(format!(
                "no stream takes {subject}: make one with `nats stream add`, or set `plain = true`"
            )));
        }
        (None, _, _) => {
            return Ok(Err(format!("{} take {subject}: name one as `stream`", streams.join(" and "))));
        }
    };
    let durable = &reads.durable;
    Ok(match durable.make(&parts.js, stream).await? {
        Ok(made) => Ok((stream.into(), made)),
        Err(why) => Err(format!("the consumer {} of {stream}: {why}", durable.name)),
    })
}

/// Until the node stops reading, or the consumer is there no more.
async fn pull(parts: &Rc<Parts>, reads: &Reads, stream: &str, made: &Made) {
    let inbox = parts.js.client.new_inbox();
    let Ok(mut subscriber) = parts.js.client.subscribe(inbox.clone()).await else { return };
    let consumer = format!("{stream}.{}", reads.durable.name);
    let (mut due, mut asked) = (0, Instant::now());
    while parts.runs() {
        if due == 0 || asked.elapsed() > SILENCE_MAX {
            let places = parts.lanes.places().min(AT_ONCE);
            let ask = json!({ "batch": places, "expires": EXPIRES.as_nanos() as u64 });
            if places == 0 || parts.counts.reach.is_away() || !parts.js.pull(&consumer, &inbox, &ask).await {
                parts.rest(LOOK).await;
                continue;
            }
            (due, asked) = (places, Instant::now());
        }
        let mut stage = parts.stage.clone();
        let message = tokio::select! {
            message = subscriber.next() => message,
            _ = stage.changed() => continue,
            () = tokio::time::sleep(SILENCE_MAX) => continue,
        };
        let Some(message) = message else { return };
        match message.status {
            None => {
                due = due.saturating_sub(1);
                take(parts, reads, made, message);
            }
            Some(StatusCode::IDLE_HEARTBEAT) => {}
            Some(StatusCode::NO_RESPONDERS) => break,
            Some(StatusCode::REQUEST_TERMINATED) if says_it_is_gone(&message) => break,
            Some(status) => {
                due = 0;
                if status == StatusCode::REQUEST_TERMINATED {
                    // As many as it may give out are given out.
                    parts.rest(LOOK).await;
                }
            }
        }
    }
    give_back(parts, subscriber).await;
}

fn says_it_is_gone(message: &Message) -> bool {
    let says = message.description.as_deref().unwrap_or_default().to_ascii_lowercase();
    says.contains("deleted") || says.contains("push based")
}

/// What came and was not looked at is another node's at once.
async fn give_back(parts: &Parts, mut subscriber: Subscriber) {
    subscriber.unsubscribe().await.ok();
    while let Some(Some(message)) = subscriber.next().now_or_never() {
        if let Some(ack) = message.reply.filter(|_| message.status.is_none()) {
            add(&parts.counts.returned_total, 1);
            parts.js.tell(ack.to_string(), Bytes::from_static(b"-NAK")).await;
        }
    }
}

fn take(parts: &Rc<Parts>, reads: &Reads, made: &Made, message: Message) {
    let Some(heard) = Heard::of(message) else { return };
    put(parts, &reads.way, heard, made);
}

/// What is to be done about it, if anything is, is done by lanes from here on.
pub(crate) fn put(parts: &Rc<Parts>, way: &Way, heard: Heard, made: &Made) {
    add(&parts.counts.read_total, 1);
    let tasks = tasks(parts, way, &heard);
    let is_done = tasks.is_empty();
    let rooms: usize = tasks.iter().map(|(_, then)| 1 + then.len()).sum();
    let receipt = parts.receipts.take(heard, rooms.max(1), made.ack_wait, made.deliver_max);
    set(&parts.counts.waiting, parts.receipts.count());
    for (task, then) in tasks {
        parts.lanes.put(Errand { receipt: receipt.clone(), task, then });
    }
    if is_done {
        let parts = parts.clone();
        tokio::task::spawn_local(async move {
            crate::receipts::settle(&parts, &receipt, crate::receipts::Verdict::Done).await;
        });
    }
}

/// What is asked, and which rooms then.
fn tasks(parts: &Parts, way: &Way, heard: &Heard) -> Vec<(Task, Vec<Said>)> {
    let alone = |task| (task, Vec::new());
    if heard.is_of(&parts.origin) {
        add(&parts.counts.own_skipped_total, 1);
        return Vec::new();
    }
    match catch_unwind(AssertUnwindSafe(|| way.meant(heard))) {
        Ok(Ok(meant)) if meant.is_soft() && is_stale(heard.at_millis()) => {
            add(&parts.counts.stale_total, 1);
            Vec::new()
        }
        Ok(Ok(Meant::Said(said))) => said.into_iter().map(Task::Ask).map(alone).collect(),
        Ok(Ok(Meant::After(first, then))) => vec![(Task::Ask(first), then)],
        Ok(Ok(Meant::NotForUs)) => {
            add(&parts.counts.ignored_total, 1);
            Vec::new()
        }
        Ok(Err(Poison(why))) => vec![alone(Task::Bury(why))],
        Err(panic) => {
            add(&parts.counts.panics_total, 1);
            vec![alone(Task::Bury(format!("the bridge panicked on it: {}", words_of(&*panic))))]
        }
    }
}

fn is_stale(at: Option<i64>) -> bool {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    at.and_then(|at| u64::try_from(at).ok()).is_some_and(|at| now > Duration::from_millis(at) + STALE)
}
