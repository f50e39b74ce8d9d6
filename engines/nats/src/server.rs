//! Calls to the server: one request, one answer, within a time; counted, and held back by the circuit. It knows JetStream's
//! words and none of ours.

mod answers;
mod walks;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use async_nats::connection::State;
use async_nats::{Client, HeaderMap, Message, Request};
use bytes::Bytes;
use link::{Circuit, Waits};
use serde_json::{Value, json};

pub(crate) use answers::{Fault, Got, Lack};

use crate::connect::Signals;
use answers::{acked, error_of, from_direct, from_leader};

/// Which of a stream's servers are asked where the newest must not be missed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Ask {
    /// Any that holds the stream: one that lags may lack the newest.
    Any,
    /// The one that decides.
    Leader,
}

/// What there is no place for; it is believed until something was stored there, or would be.
enum Full {
    Server {
        why: String,
    },
    /// The log has a limit of its own, and this much was refused by it.
    Log {
        why: String,
        bytes: usize,
    },
}

/// Of a message in a file beside its body: subject, headers, checksum.
const MESSAGE_OVERHEAD_BYTES: u64 = 512;

pub(crate) struct Server {
    pub(crate) client: Client,
    api: String,
    replicated: bool,
    within: Duration,
    /// Guards the count of failures; nothing awaits under it.
    circuit: Mutex<Circuit>,
    pub(crate) counts: Counts,
    full: Mutex<Option<Full>>,
    /// The log has the line that says so, and not yet the one that takes it back.
    told_away: AtomicBool,
    signals: Arc<Signals>,
}

#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) calls: AtomicU64,
    pub(crate) failures: AtomicU64,
    pub(crate) races_lost: AtomicU64,
    pub(crate) full: AtomicU64,
}

pub(crate) fn count(counter: &AtomicU64) {
    counter.fetch_add(1, Ordering::Relaxed);
}

impl Server {
    pub(crate) fn new(
        client: Client,
        domain: Option<&str>,
        replicas: u8,
        within: Duration,
        signals: Arc<Signals>,
    ) -> Server {
        let api = domain.map_or("$JS.API".to_owned(), |domain| format!("$JS.{domain}.API"));
        Server {
            client,
            api,
            replicated: replicas > 1,
            within,
            circuit: Mutex::new(Circuit::closed(Instant::now())),
            counts: Counts::default(),
            full: Mutex::new(None),
            told_away: AtomicBool::new(false),
            signals,
        }
    }

    /// The connection is there again: no reason to wait for the next probe.
    pub(crate) fn is_back(&self) {
        self.succeeded();
    }

    pub(crate) fn is_connected(&self) -> bool {
        self.client.connection_state() == State::Connected
    }

    /// Why nothing can be stored.
    pub(crate) fn away(&self) -> Option<String> {
        if !self.is_connected() {
            return Some("no connection to the NATS server".to_owned());
        }
        if self.is_shut() {
            return Some(match self.signals.denied() {
                Some(what) => {
                    format!("the NATS server refuses what JetStream is asked: {what}; permit it to the user")
                }
                None => "the NATS server does not answer what JetStream is asked".to_owned(),
            });
        }
        Some(match self.full().as_ref()? {
            Full::Server { why } => format!(
                "NATS refuses to store ({why}): its JetStream store is full; give it more room (max_file_store, \
                 max_mem_store) or remove streams"
            ),
            Full::Log { why, .. } => format!(
                "NATS refuses to store ({why}): the stream of the logs is full; raise its max_bytes (`nats stream edit`) \
                 and `nats.log_bytes`"
            ),
        })
    }

    fn full(&self) -> MutexGuard<'_, Option<Full>> {
        self.full.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What became of an append of so much.
    pub(crate) fn appended(&self, bytes: usize, stored: &Result<u64, Fault>) {
        *self.full() = match stored {
            Ok(_) => None,
            Err(Fault::Refused(why)) => Some(Full::Server { why: why.clone() }),
            Err(Fault::StreamFull(why)) => Some(Full::Log { why: why.clone(), bytes }),
            Err(_) => return,
        };
        self.tell();
    }

    /// What became of the register of leases, which every node writes again and again, also one whose clients store nothing:
    /// it lies in the same store as the logs.
    pub(crate) async fn registered(&self, log: &str, stored: &Result<u64, Fault>) {
        let of_log = match (stored, &*self.full()) {
            (Ok(_), Some(Full::Log { bytes, .. })) => Some(*bytes),
            _ => None,
        };
        match (stored, of_log) {
            // The register has its place: whether the log has some too, its figures tell.
            (Ok(_), Some(bytes)) if !self.log_has_place(log, bytes).await => return,
            (Ok(_), _) => *self.full() = None,
            (Err(Fault::Refused(why)), _) => *self.full() = Some(Full::Server { why: why.clone() }),
            (Err(_), _) => return,
        }
        self.tell();
    }

    async fn log_has_place(&self, log: &str, bytes: usize) -> bool {
        let Ok(told) = self.api(&format!("STREAM.INFO.{log}"), Value::Null).await else { return false };
        let most = told["config"]["max_bytes"].as_u64().filter(|most| *most > 0);
        let holds = told["state"]["bytes"].as_u64().unwrap_or(u64::MAX);
        most.is_none_or(|most| holds.saturating_add(bytes as u64 + MESSAGE_OVERHEAD_BYTES) <= most)
    }

    /// One line when nothing can be stored any more, and one when it can be again, however many calls notice.
    pub(crate) fn tell(&self) {
        match self.away() {
            Some(why) if !self.told_away.swap(true, Ordering::Relaxed) => {
                tracing::warn!(why, "NATS stores nothing");
            }
            None if self.told_away.swap(false, Ordering::Relaxed) => tracing::info!("NATS stores again"),
            _ => {}
        }
    }

    pub(crate) fn is_shut(&self) -> bool {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner).is_open()
    }

    fn succeeded(&self) {
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner).succeeded(Instant::now());
        if self.told_away.load(Ordering::Relaxed) {
            self.tell();
        }
    }

    fn failed(&self) {
        count(&self.counts.failures);
        self.circuit.lock().unwrap_or_else(PoisonError::into_inner).failed(Instant::now(), chance());
        self.tell();
    }

    fn admit(&self) -> Result<(), Fault> {
        let waits = self.circuit.lock().unwrap_or_else(PoisonError::into_inner).ask(Instant::now());
        match waits {
            Waits::Until(_) => Err(Fault::NotSent),
            Waits::No | Waits::Probe if self.is_connected() => Ok(()),
            Waits::No | Waits::Probe => {
                self.failed();
                Err(Fault::NotSent)
            }
        }
    }

    async fn call(&self, subject: String, headers: Option<HeaderMap>, body: Bytes) -> Result<Message, Fault> {
        self.admit()?;
        count(&self.counts.calls);
        let mut request = Request::new().payload(body).timeout(Some(self.within));
        if let Some(headers) = headers {
            request = request.headers(headers);
        }
        // The whole of it, and not only the answer: the queue before the socket can be full.
        let sent = tokio::time::timeout(self.within * 2, self.client.send_request(subject, request));
        let mut cuts = self.signals.cuts.subscribe();
        let sent = tokio::select! {
            sent = sent => sent,
            // No answer comes any more.
            _ = cuts.changed() => {
                self.failed();
                return Err(Fault::Unanswered("the connection broke".to_owned()));
            }
        };
        match sent {
            Ok(Ok(message)) => {
                self.succeeded();
                Ok(message)
            }
            Ok(Err(error)) if error.kind() == async_nats::RequestErrorKind::MaxPayloadExceeded => {
                Err(Fault::TooLarge("larger than the server's max_payload".to_owned()))
            }
            Ok(Err(error)) => {
                self.failed();
                if error.kind() == async_nats::RequestErrorKind::NoResponders {
                    // A stream may be gone: those in memory are, when their server begins anew.
                    self.signals.gap.notify_one();
                }
                Err(Fault::Unanswered(error.to_string()))
            }
            Err(_) => {
                self.failed();
                Err(Fault::Unanswered("the queue to the server does not move".to_owned()))
            }
        }
    }

    /// A question of JetStream's own, in JSON. Its errors are answers: the server is there.
    pub(crate) async fn api(&self, verb: &str, body: Value) -> Result<Value, Fault> {
        let body = if body.is_null() { Bytes::new() } else { Bytes::from(body.to_string()) };
        let message = self.call(format!("{}.{verb}", self.api), None, body).await?;
        let answer: Value = serde_json::from_slice(&message.payload)
            .map_err(|_| Fault::Unanswered("an answer that is no JSON".to_owned()))?;
        match error_of(&answer) {
            Some(fault) => {
                if fault == Fault::NoStream {
                    self.signals.gap.notify_one();
                }
                Err(fault)
            }
            None => Ok(answer),
        }
    }

    /// Stored under this sequence. With `last`: only while that is the sequence of the subject's last message, 0 for none.
    pub(crate) async fn publish(
        &self,
        subject: String,
        last: Option<u64>,
        mut headers: HeaderMap,
        body: Bytes,
    ) -> Result<u64, Fault> {
        if let Some(last) = last {
            headers.insert("Nats-Expected-Last-Subject-Sequence", last.to_string());
        }
        let stored = self.call(subject, Some(headers), body).await.and_then(|message| acked(&message));
        match &stored {
            Err(Fault::Refused(_) | Fault::StreamFull(_) | Fault::TooLarge(_)) => {
                count(&self.counts.full);
            }
            Err(Fault::Raced) => count(&self.counts.races_lost),
            _ => {}
        }
        stored
    }

    pub(crate) async fn last(&self, stream: &str, subject: &str, ask: Ask) -> Result<Option<Got>, Fault> {
        self.get(stream, &json!({ "last_by_subj": subject }), ask).await
    }

    pub(crate) async fn at(&self, stream: &str, sequence: u64) -> Result<Option<Got>, Fault> {
        let question = json!({ "seq": sequence });
        match self.get(stream, &question, Ask::Any).await? {
            None if self.replicated => self.get(stream, &question, Ask::Leader).await,
            got => Ok(got),
        }
    }

    /// The first of a subject at or after a sequence.
    pub(crate) async fn next(&self, stream: &str, subject: &str, from: u64) -> Result<Option<Got>, Fault> {
        let question = json!({ "seq": from.max(1), "next_by_subj": subject });
        match self.get(stream, &question, Ask::Any).await? {
            None if self.replicated => self.get(stream, &question, Ask::Leader).await,
            got => Ok(got),
        }
    }

    async fn get(&self, stream: &str, question: &Value, ask: Ask) -> Result<Option<Got>, Fault> {
        if ask == Ask::Leader && self.replicated {
            return match self.api(&format!("STREAM.MSG.GET.{stream}"), question.clone()).await {
                Ok(answer) => from_leader(&answer).map(Some),
                Err(Fault::Absent) => Ok(None),
                Err(fault) => Err(fault),
            };
        }
        let subject = format!("{}.DIRECT.GET.{stream}", self.api);
        let message = self.call(subject, None, Bytes::from(question.to_string())).await?;
        from_direct(message)
    }

    /// Overwrites a message, and forgets it.
    pub(crate) async fn delete(&self, stream: &str, sequence: u64) -> Result<(), Fault> {
        let question = json!({ "seq": sequence, "no_erase": false });
        self.api(&format!("STREAM.MSG.DELETE.{stream}"), question).await.map(|_| ())
    }

    /// Forgets what a filter finds, before a sequence if one is given.
    pub(crate) async fn purge(&self, stream: &str, filter: &str, before: Option<u64>) -> Result<(), Fault> {
        let mut question = json!({ "filter": filter });
        if let Some(before) = before {
            question["seq"] = before.into();
        }
        self.api(&format!("STREAM.PURGE.{stream}"), question).await.map(|_| ())
    }
}

/// For jitter and for names that must not meet; never for a secret.
pub(crate) fn chance() -> u64 {
    use std::hash::{BuildHasher, RandomState};
    RandomState::new().hash_one(Instant::now())
}
