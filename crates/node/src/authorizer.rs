//! Asks the team's own back end by HTTP whether somebody may connect, join or publish. Shards' threads ask and never wait: what
//! is known is answered at once, and the rest by mail, after `within` at the latest. Questions are sent by threads of its own.
//! It decides nothing: an answer is the back end's, and what holds without one is the operator's.

pub(crate) mod known;
pub(crate) mod question;
pub(crate) mod tally;

use std::collections::{HashMap, VecDeque};
use std::hash::{BuildHasher, RandomState};
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use link::{Circuit, Spacing, Waits};
use vocabulary::{Asks, ConnectionId, Ruling, ShardId, Tick, UserId};

use crate::mail::Mailboxes;
use crate::sparing::Sparing;
use known::Known;
use question::{ANSWER_BYTES_MAX, Question, answer, signature};
use tally::{Tally, count};

/// Whom to ask, about what, and what holds meanwhile.
#[derive(Clone)]
pub struct Authorizing {
    pub url: String,
    /// Signs what is asked.
    pub secret: String,
    pub asks: Asks,
    /// From the question to its answer, waiting for a place included.
    pub within: Duration,
    /// How long an answer is known that does not say so itself.
    pub allowed_for: Duration,
    pub refused_for: Duration,
    /// Answers that are known at once.
    pub entries_max: usize,
    /// Questions under way, a thread each.
    pub at_once: usize,
    /// Questions that wait for one of these.
    pub waiting_max: usize,
    pub on_failure: OnFailure,
}

/// What holds where nobody can be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OnFailure {
    Refuse,
    Allow,
}

/// Who waits for an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Asker {
    /// A connection's request, by the number of its question.
    Request(ConnectionId, u32),
    /// A socket before its upgrade.
    Greeting(ConnectionId),
    /// A stranger whose token in band was good.
    Stranger(ConnectionId),
}

impl Asker {
    pub(crate) fn shard(self) -> ShardId {
        match self {
            Asker::Request(id, _) | Asker::Greeting(id) | Asker::Stranger(id) => id.shard,
        }
    }
}

/// An answer on its way to a shard.
#[derive(Debug)]
pub(crate) struct Judged {
    pub asker: Asker,
    pub ruling: Ruling,
}

/// Who may wait for answers on this node, all together: what a reconnect storm brings in the time that an answer may take.
const ASKERS_MAX: usize = 32_768;
/// For whoever could not be asked about: about as long as a back end takes to come back.
const AGAIN_MS: u32 = 1000;
/// A question's own few calls, a TLS handshake among them.
const STACK_BYTES: usize = 512 << 10;

pub(crate) struct Authorizer {
    config: Authorizing,
    agent: ureq::Agent,
    /// Held for a look into its tables, by shards' threads too; nobody asks or waits meanwhile.
    state: Mutex<State>,
    work: Condvar,
    pub tally: Tally,
    mailboxes: Arc<Mailboxes>,
    started: Instant,
}

struct State {
    known: Known,
    /// Questions that wait or are under way, and who waits for each: who asks the same waits for the same answer.
    open: HashMap<Arc<str>, Vec<Asker>>,
    askers: usize,
    line: VecDeque<Job>,
    circuit: Circuit,
    told: Sparing,
}

struct Job {
    question: Question,
    asked: Instant,
    /// The circuit is open, and this one finds out whether it may close.
    probe: bool,
}

impl Authorizer {
    pub(crate) fn start(config: Authorizing, mailboxes: Arc<Mailboxes>) -> io::Result<Arc<Authorizer>> {
        let now = Instant::now();
        let state = State {
            known: Known::new(config.entries_max),
            open: HashMap::new(),
            askers: 0,
            line: VecDeque::new(),
            circuit: Circuit::closed(now, Spacing::Seldom),
            told: Sparing::default(),
        };
        let authorizer = Arc::new(Authorizer {
            agent: agent(config.at_once),
            config,
            state: Mutex::new(state),
            work: Condvar::new(),
            tally: Tally::default(),
            mailboxes,
            started: now,
        });
        for index in 0..authorizer.config.at_once {
            let authorizer = authorizer.clone();
            // It ends with the process: what it waits for may never come.
            std::thread::Builder::new()
                .name(format!("asks-{index}"))
                .stack_size(STACK_BYTES)
                .spawn(move || authorizer.walk())?;
        }
        Ok(authorizer)
    }

    pub(crate) fn asks(&self) -> &Asks {
        &self.config.asks
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// None: it is asked, and the answer comes by mail.
    pub(crate) fn ask(&self, asker: Asker, question: Question) -> Option<Ruling> {
        let now = Instant::now();
        let mut state = self.state();
        if let Some(ruling) = state.known.find(&question.text, now) {
            count(&self.tally.cached);
            return Some(ruling);
        }
        if state.askers >= ASKERS_MAX {
            return Some(self.unasked(AGAIN_MS));
        }
        if let Some(askers) = state.open.get_mut(&question.text) {
            askers.push(asker);
            state.askers += 1;
            count(&self.tally.shared);
            return None;
        }
        if state.line.len() >= self.config.waiting_max {
            return Some(self.unasked(AGAIN_MS));
        }
        let probe = match state.circuit.ask(now) {
            Waits::No => false,
            Waits::Probe => true,
            Waits::Until(at) => {
                let wait = at.saturating_duration_since(now).as_millis();
                return Some(self.unasked(u32::try_from(wait).unwrap_or(AGAIN_MS).max(AGAIN_MS)));
            }
        };
        state.open.insert(question.text.clone(), vec![asker]);
        state.askers += 1;
        state.line.push_back(Job { question, asked: now, probe });
        drop(state);
        self.work.notify_one();
        None
    }

    fn unasked(&self, wait: u32) -> Ruling {
        count(&self.tally.unasked);
        self.without_an_answer(wait)
    }

    fn without_an_answer(&self, wait: u32) -> Ruling {
        match self.config.on_failure {
            OnFailure::Refuse => Ruling::Unasked(wait),
            OnFailure::Allow => Ruling::Allowed,
        }
    }

    fn walk(&self) {
        loop {
            let (job, shut) = self.next();
            let left = self.config.within.saturating_sub(job.asked.elapsed());
            let said = if left.is_zero() || shut {
                count(&self.tally.unasked);
                Said::Nothing
            } else {
                count(&self.tally.asked);
                let began = Instant::now();
                // Somebody waits for this, whatever happens.
                let asked = catch_unwind(AssertUnwindSafe(|| self.post(&job.question, left)));
                self.tally.took(began.elapsed());
                match asked.unwrap_or_else(|_| Err("the question could not be sent".to_owned())) {
                    Ok((ruling, known)) => Said::Answer(ruling, known),
                    Err(why) => Said::Failed(why),
                }
            };
            self.hear(&job, said);
        }
    }

    /// Whatever waited longest, and whether the back end is not to be asked for now.
    fn next(&self) -> (Job, bool) {
        let mut state = self.state();
        loop {
            if let Some(job) = state.line.pop_front() {
                let shut = state.circuit.is_open() && !job.probe;
                return (job, shut);
            }
            state = self.work.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn hear(&self, job: &Job, said: Said) {
        let now = Instant::now();
        let mut state = self.state();
        let was_open = state.circuit.is_open();
        let ruling = match said {
            Said::Answer(ruling, known) => {
                state.circuit.succeeded(now);
                let (counter, usual) = match ruling {
                    Ruling::Refused(_) => (&self.tally.refused, self.config.refused_for),
                    Ruling::Allowed | Ruling::Unasked(_) => (&self.tally.allowed, self.config.allowed_for),
                };
                count(counter);
                let whose = (&job.question.text, &job.question.user);
                state.known.keep(whose, &ruling, now, known.unwrap_or(usual));
                ruling
            }
            Said::Failed(why) => {
                count(&self.tally.failed);
                state.circuit.failed(now, RandomState::new().hash_one(now));
                let tick = Tick(now.duration_since(self.started).as_nanos() as u64);
                if let Some(times) = state.told.happened(tick) {
                    let on_failure = self.config.on_failure;
                    tracing::warn!(error = why, times, ?on_failure, "the authorizer gave no answer");
                }
                self.without_an_answer(AGAIN_MS)
            }
            Said::Nothing => {
                if job.probe {
                    state.circuit.failed(now, RandomState::new().hash_one(now));
                }
                self.without_an_answer(AGAIN_MS)
            }
        };
        match (was_open, state.circuit.is_open()) {
            (false, true) => tracing::warn!("the authorizer is not asked for a while: it gave no answers"),
            (true, false) => tracing::info!("the authorizer answers again"),
            _ => {}
        }
        let askers = state.open.remove(&job.question.text).unwrap_or_default();
        state.askers -= askers.len();
        drop(state);
        for asker in askers {
            self.mailboxes.judge(Judged { asker, ruling: ruling.clone() });
        }
    }

    fn post(&self, question: &Question, within: Duration) -> Result<(Ruling, Option<Duration>), String> {
        let end = Instant::now() + within;
        let posted = match self.post_once(question, within) {
            // A connection that was kept, and that the other side has closed meanwhile. A question does no harm twice.
            Err(ureq::Error::Io(error)) if is_stale(&error) => self.post_once(
                question,
                end.saturating_duration_since(Instant::now()).max(Duration::from_millis(1)),
            ),
            other => other,
        };
        match posted.map_err(|error| error.to_string())? {
            (200, body) => answer(&body),
            (status, _) => Err(format!("answered {status}")),
        }
    }

    fn post_once(&self, question: &Question, within: Duration) -> Result<(u16, Vec<u8>), ureq::Error> {
        let now = crate::clock::wall();
        let body = question.body(now);
        let mut response = self
            .agent
            .post(&self.config.url)
            .config()
            .timeout_global(Some(within))
            .build()
            .header("Content-Type", "application/json")
            .header("Kulkul-Signature", signature(self.config.secret.as_bytes(), body.as_bytes()))
            .header("Kulkul-Timestamp", (now.0 / 1000).to_string())
            .send(body)?;
        let read = response.body_mut().with_config().limit(ANSWER_BYTES_MAX).read_to_vec()?;
        Ok((response.status().as_u16(), read))
    }

    /// Of a user whose rights were taken away.
    pub(crate) fn forget(&self, user: &UserId) {
        self.state().known.forget_user(user);
    }

    /// Whether nobody is asked for now.
    pub(crate) fn is_away(&self) -> bool {
        self.state().circuit.is_open()
    }

    /// Answers that are known, and who waits for one.
    pub(crate) fn sizes(&self) -> (usize, usize) {
        let state = self.state();
        (state.known.len(), state.askers)
    }
}

enum Said {
    Answer(Ruling, Option<Duration>),
    Failed(String),
    /// It was not asked.
    Nothing,
}

fn is_stale(error: &io::Error) -> bool {
    use io::ErrorKind::{BrokenPipe, ConnectionAborted, ConnectionReset, UnexpectedEof};
    matches!(error.kind(), BrokenPipe | ConnectionAborted | ConnectionReset | UnexpectedEof)
}

/// To where the configuration says, and nowhere else: no redirect is followed.
fn agent(at_once: usize) -> ureq::Agent {
    // Named here, because a library may not choose one for the process, and without one it would panic.
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let tls = ureq::tls::TlsConfig::builder().unversioned_rustls_crypto_provider(provider).build();
    ureq::Agent::config_builder()
        .tls_config(tls)
        .http_status_as_error(false)
        .max_redirects(0)
        .max_idle_connections(at_once)
        .max_idle_connections_per_host(at_once)
        .user_agent("kulkul")
        .build()
        .new_agent()
}
