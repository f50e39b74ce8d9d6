//! The engine whose logs live in NATS JetStream: any number of nodes, one server or a cluster of them. It knows the contract
//! and the server, never an app or a payload. What a reader must know of it is in docs/decisions/0020.

mod agenda;
mod append;
mod around;
mod aside;
mod book;
mod claims;
mod config;
mod connect;
mod erase;
mod error;
mod follow;
mod keep;
mod lanes;
mod leases;
mod message;
mod names;
mod news;
mod node;
mod past;
mod pointer;
mod register;
mod server;
mod streams;
mod survey;
mod sweep;
mod times;
mod wire;

use std::collections::{BTreeMap, HashMap};
use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use engine::{Asked, Guarantees, News, Nodes, Question};
use link::{Answers, Condition, Deployment, Figure, Link, SameKeys};
use tokio::sync::{mpsc, oneshot};

pub use config::{Config, Credentials, Keeps, Tls};
pub use error::OpenError;

use connect::Signals;
use lanes::Lanes;
use names::Names;
use node::{Counts, Node, lock};
use server::Server;
pub use survey::Survey;

/// Entries for the register that wait: each shard has one at a time, and each that ended.
const REGISTER_MAX: usize = 1024;
/// What was asked before the end is still sent, if the server takes it.
const LAST_WORDS_WITHIN: Duration = Duration::from_secs(2);

pub struct Nats {
    node: Arc<Node>,
    lanes: Lanes,
    end: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

/// Connects, makes what is absent, compares what is there, and begins. Blocks until that is done or cannot be.
pub fn open(
    config: Config,
    deployment: &Deployment,
    keys: SameKeys,
    answers: Arc<dyn Answers>,
) -> Result<Nats, OpenError> {
    if let Some((setting, remedy)) = config.refused() {
        return Err(OpenError::Setting { setting, remedy });
    }
    let deployment = deployment.clone();
    let (opened, told) = std::sync::mpsc::sync_channel(1);
    let (end, ended) = oneshot::channel();
    let thread = std::thread::Builder::new().name("engine-nats".to_owned()).spawn(move || {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return opened.send(Err(OpenError::Thread(error))).unwrap_or(()),
        };
        runtime.block_on(async {
            match begin(config, &deployment, keys, answers).await {
                Ok((node, lanes)) => {
                    if opened.send(Ok((node.clone(), lanes.clone()))).is_ok() {
                        ended.await.ok();
                        if node.server.is_connected() {
                            tokio::time::timeout(LAST_WORDS_WITHIN, last_words(&node, &lanes)).await.ok();
                        }
                    }
                }
                Err(error) => opened.send(Err(error)).unwrap_or(()),
            }
        });
        runtime.shutdown_background();
    });
    let thread = thread.map_err(OpenError::Thread)?;
    let gone = || OpenError::Thread(std::io::Error::other("it ended"));
    let (node, lanes) = told.recv().map_err(|_| gone())??;
    Ok(Nats { node, lanes, end: Some(end), thread: Some(thread) })
}

async fn last_words(node: &Node, lanes: &Lanes) {
    lanes.pass().await;
    node.server.client.flush().await.ok();
}

async fn begin(
    config: Config,
    deployment: &Deployment,
    keys: SameKeys,
    answers: Arc<dyn Answers>,
) -> Result<(Arc<Node>, Lanes), OpenError> {
    let signals = Arc::new(Signals::new());
    let client = connect::connect(&config, &signals).await?;
    if !client.is_server_compatible(2, 9, 0) {
        return Err(OpenError::TooOld { version: client.server_info().version });
    }
    // Of two writers that named the same last sequence a cluster of 2.9 acks both, and stores one.
    if config.replicas > 1 && !client.is_server_compatible(2, 10, 23) {
        return Err(OpenError::TooOldForReplicas { version: client.server_info().version });
    }
    // Before, there is no `sync_interval: always`: what is declared cannot be so.
    if config.keeps == Keeps::OnDiskSynced && !client.is_server_compatible(2, 10, 0) {
        return Err(OpenError::TooOldToSync { version: client.server_info().version });
    }
    let names = Names::new(&config.prefix);
    let domain = config.domain.as_deref();
    let server = Server::new(client, domain, config.replicas, config.call_within, signals.clone());
    streams::prepare(&server, &names, &config, |_| {}).await?;
    let joined = streams::join(&server, &names, deployment, keys).await?;
    let (register, entries) = mpsc::channel(REGISTER_MAX);
    let (lanes, ends) = lanes::lanes();
    let (sweeps, wanted) = sweep::waiting();
    let node = Arc::new(Node {
        names,
        server,
        config,
        answers,
        tag: AtomicU32::new(joined.start_tag),
        deployment: joined,
        rooms: Mutex::new(HashMap::new()),
        locals: Mutex::new(BTreeMap::new()),
        living: Mutex::default(),
        agenda: Mutex::default(),
        heard: Mutex::default(),
        doubts: Mutex::new(BTreeMap::new()),
        released: Mutex::default(),
        claims: Mutex::new(BTreeMap::new()),
        softs: Mutex::new(BTreeMap::new()),
        covering: tokio::sync::Mutex::new(()),
        register,
        owed: lanes.owed.clone(),
        sweeps,
        signals,
        ended: AtomicBool::new(false),
        counts: Counts::default(),
    });
    lanes::run(&node, &lanes, ends);
    tokio::spawn(register::keep(node.clone(), entries));
    tokio::spawn(sweep::keep(node.clone(), wanted));
    tokio::spawn(news::mend_gaps(node.clone()));
    let stands = node.clone();
    tokio::spawn(async move {
        let mut cuts = stands.signals.cuts.subscribe();
        loop {
            tokio::select! {
                () = stands.signals.back.notified() => stands.server.is_back(),
                _ = cuts.changed() => stands.server.tell(),
            }
        }
    });
    Ok((node, lanes))
}

impl Nats {
    /// The deployment's record, as it was when the node joined.
    pub fn deployment(&self) -> &Deployment {
        &self.node.deployment
    }
}

impl Link for Nats {
    fn guarantees(&self) -> Guarantees {
        Guarantees {
            format: self.node.deployment.format,
            nodes: Nodes::Many,
            durability: self.node.config.durability(),
            news: News::MayDrop,
        }
    }

    fn ask(&self, asked: Asked) -> Result<(), Box<Asked>> {
        if let Question::Release { token, .. } = asked.question {
            self.node.gives_back(token);
        }
        self.lanes.ask(asked)
    }

    fn condition(&self) -> Condition {
        match self.node.server.away() {
            Some(why) => Condition::Away { why },
            None => Condition::Serving,
        }
    }

    fn broken(&self) -> Option<String> {
        let has_ended = self.thread.as_ref().is_some_and(JoinHandle::is_finished);
        has_ended.then(|| "the thread of the NATS engine ended".to_owned())
    }

    fn figures(&self) -> Vec<Figure> {
        let node = &*self.node;
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        let (counts, calls) = (&node.counts, &node.server.counts);
        let figure = |name, help, value| Figure { name, help, value };
        vec![
            figure("nats_connections", "Connections to the server", u64::from(node.server.is_connected())),
            figure("nats_circuit_open", "Whether the server is not asked", u64::from(node.server.is_shut())),
            figure("nats_questions_waiting", "Questions on their way", self.lanes.waiting() as u64),
            figure("nats_subscriptions", "Rooms and slices heard", lock(&node.heard).subscriptions() as u64),
            figure("nats_rooms_followed", "Rooms followed", lock(&node.rooms).len() as u64),
            figure("nats_calls_total", "Calls to JetStream", read(&calls.calls)),
            figure("nats_calls_failed_total", "Calls without an answer", read(&calls.failures)),
            figure("nats_races_lost_total", "Writes that another came before", read(&calls.races_lost)),
            figure("nats_refused_total", "Writes for which there was no place", read(&calls.full)),
            figure("nats_unanswered_total", "Questions left unanswered", read(&counts.unanswered)),
            figure("nats_reconnects_total", "Connections made anew", read(&node.signals.reconnects)),
            figure("nats_slow_total", "News dropped because they came too fast", read(&node.signals.slow)),
            figure("nats_missed_total", "Times all shards were told to look again", read(&counts.missed)),
            figure("nats_damaged_total", "Messages that are not what was stored", read(&counts.damaged)),
            figure("nats_unread_total", "News that could not be read", read(&counts.unread)),
        ]
    }
}

impl Drop for Nats {
    fn drop(&mut self) {
        self.node.ended.store(true, Ordering::Relaxed);
        drop(self.end.take());
        if let Some(thread) = self.thread.take() {
            thread.join().ok();
        }
    }
}
