//! Redis pub/sub as a source of rooms and a sink of their messages, for fleets that speak by it, and who is online and who
//! belongs to rooms in the keys that such fleets read. It asks rooms for what a back end could ask for, from a thread of its
//! own; rooms know nothing of it, and no client ever waits for it.

mod asks;
mod channels;
mod counts;
mod ear;
mod lanes;
mod lease;
mod letters;
mod members;
mod parts;
mod presence;
mod said;
mod seldom;
mod shelf;
mod sink;
mod source;
mod stage;

use std::cell::Cell;
use std::fmt;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use link::{Circuit, Condition, Figure};
use node::{Desk, Facts, Outflow};
use redis::ProtocolVersion;
use redis_wire::{Address, Manner, Plan, Server, Unplanned};
use tokio::sync::{Notify, mpsc, watch};
use tokio::task::LocalSet;

use asks::Asks;
use counts::Counts;
use ear::Ear;
use lease::Lease;
use letters::Letters;
use members::Members;
use parts::Parts;
use said::Reading;
use stage::Stage;

pub struct Config {
    /// One server; not a Cluster.
    pub url: String,
    /// Authorities to be trusted with TLS, as PEM; else those of the system.
    pub authorities: Option<PathBuf>,
    /// What this deployment is known by: before its keys, and in what it publishes.
    pub prefix: String,
    /// The app whose rooms are spoken of.
    pub app: String,
    /// Take in `chat:channel:*`, `channel:*:events` and `user:*:notifications`.
    pub channels: bool,
    /// Take in and send out envelopes there.
    pub relay: Option<String>,
    /// Write who is online.
    pub presence: bool,
    /// Write who belongs to rooms.
    pub members: bool,
    /// How long the node that takes in is believed to live without a word.
    pub lease: Duration,
}

/// What of a node it works with. `outflow`: the messages that are to be sent out, and for `members` what changes them.
pub struct Ground {
    pub desk: Desk,
    pub facts: Arc<Facts>,
    pub outflow: Option<Outflow>,
}

#[derive(Debug)]
pub enum StartError {
    Address(Unplanned),
    Several,
    Chance,
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Address(why) => why.fmt(f),
            StartError::Several => {
                f.write_str("`url` names several servers, and a bridge has one: leave one")
            }
            StartError::Chance => f.write_str("no randomness to be had for the bridge's name"),
            StartError::Thread(why) => write!(f, "no thread for the bridge: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// Commands on their way into the connection at once: errands do not go there, so that these are few.
const PIPELINE: usize = 64;
/// What is on its way to rooms when the node stops reading is waited for; the rest is heard by the node that takes over.
const STOPS_WITHIN: Duration = Duration::from_secs(3);
/// And what was stored at the very end leaves.
const ENDS_WITHIN: Duration = Duration::from_secs(2);

/// A node's bridge. Its thread and its connections end with it.
pub struct Bridge {
    counts: Arc<Counts>,
    stage: watch::Sender<Stage>,
    reads: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Does not wait for the server: a node serves without it.
pub fn start(config: Config, ground: Ground) -> Result<Bridge, StartError> {
    let (plan, servers) =
        Plan::read(&config.url, config.authorities.as_deref()).map_err(StartError::Address)?;
    let [address] = <[Address; 1]>::try_from(servers).map_err(|_| StartError::Several)?;
    let token = format!("{:016x}", getrandom::u64().map_err(|_| StartError::Chance)?);
    let counts = Arc::new(Counts::default());
    if let Some(outflow) = &ground.outflow {
        // Once, here.
        counts.unplaced.set(outflow.dropped()).ok();
    }
    let (stage, stages) = watch::channel(Stage::Runs);
    let (tells_reads, reads) = watch::channel(true);
    let begin = Begin { config, ground, plan, address, token, counts: counts.clone(), stages, tells_reads };
    let thread = std::thread::Builder::new().name("redis-bridge".to_owned());
    let thread = thread.spawn(move || begin.run()).map_err(StartError::Thread)?;
    Ok(Bridge { counts, stage, reads, thread: Mutex::new(Some(thread)) })
}

impl Bridge {
    /// Another node takes in from now on. Waits until what is on its way to rooms is there, for a moment.
    pub async fn stop_reading(&self) {
        self.stage.send_replace(Stage::OnlySends);
        let mut reads = self.reads.clone();
        // An error: the thread has ended, and reads no more.
        tokio::time::timeout(STOPS_WITHIN, reads.wait_for(|reads| !reads)).await.ok();
    }

    /// The node has ended, and nothing more leaves its rooms.
    pub fn end(&self) {
        self.stage.send_replace(Stage::Ends);
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        if thread.is_some_and(|thread| thread.join().is_err()) {
            tracing::error!("the thread of the bridge to Redis panicked");
        }
    }
}

impl node::Bridge for Bridge {
    fn name(&self) -> &'static str {
        "redis"
    }

    fn condition(&self) -> Condition {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if thread.as_ref().is_some_and(JoinHandle::is_finished) {
            let why = "its thread panicked; the log says why. Begin the process again".to_owned();
            return Condition::Away { why };
        }
        self.counts.condition()
    }

    fn figures(&self) -> Vec<Figure> {
        self.counts.figures()
    }
}

/// What the thread begins with.
struct Begin {
    config: Config,
    ground: Ground,
    plan: Plan,
    address: Address,
    token: String,
    counts: Arc<Counts>,
    stages: watch::Receiver<Stage>,
    tells_reads: watch::Sender<bool>,
}

impl Begin {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the bridge to Redis has no runtime"),
        };
        LocalSet::new().block_on(&runtime, self.go_on());
        // A name that is still being looked up keeps nobody.
        runtime.shutdown_background();
    }

    async fn go_on(self) {
        let Begin { config, ground, plan, address, token, counts, mut stages, tells_reads } = self;
        let client = match plan.client(&address, ProtocolVersion::RESP2) {
            Ok(client) => client,
            Err(error) => return tracing::error!(%error, "the bridge cannot speak to its Redis"),
        };
        let manner = Manner { connections: 1, pipeline: PIPELINE, circuit: Circuit::closed_and_seldom_asked };
        let asks = Asks::new(Server::new(address.clone(), client, manner, counts.clone()));
        let (letters, letters_waiting) = mpsc::channel(letters::WAITING_MAX);
        let (hears, heard) = mpsc::channel(ear::HEARD_MAX);
        let relay = config.relay.clone();
        let prefix = config.prefix.clone();
        let parts = Rc::new(Parts {
            asks,
            counts,
            desk: ground.desk,
            facts: ground.facts,
            reading: Reading { app: config.app, relay: relay.clone(), origin: config.prefix },
            lease: Lease::new(format!("{prefix}:bridge:lease"), token.clone(), config.lease),
            letters: Letters::new(letters),
            members: Members::default(),
            stage: stages.clone(),
            token,
            prefix,
            ears_changed: Notify::new(),
            heard_bytes: Arc::default(),
            waiting: Cell::new(0),
            waiting_bytes: Cell::new(0),
            idle: Notify::new(),
            receipts: Cell::new(0),
        });
        let spawn = |task: std::pin::Pin<Box<dyn Future<Output = ()>>>| tokio::task::spawn_local(task);
        let of = |parts: &Rc<Parts>| parts.clone();
        let posting = of(&parts);
        spawn(Box::pin(async move { letters::go_on(&posting, letters_waiting).await }));
        let reads = config.channels || relay.is_some();
        if reads {
            let ear = Ear { plan, address, patterns: config.channels, relay: relay.clone(), heard: hears };
            spawn(Box::pin(ear.go_on(of(&parts))));
        }
        let sinking = ground.outflow.map(|outflow| {
            let parts = of(&parts);
            spawn(Box::pin(
                async move { sink::go_on(&parts, relay.as_deref(), config.members, outflow).await },
            ))
        });
        let listing = (config.members && sinking.is_some()).then(|| {
            let parts = of(&parts);
            spawn(Box::pin(async move { members::go_on(&parts).await }))
        });
        let mirroring = config.presence.then(|| {
            let parts = of(&parts);
            spawn(Box::pin(async move { presence::go_on(&parts).await }))
        });
        if reads {
            tokio::join!(lease::keep(&parts), source::go_on(of(&parts), heard));
            lease::release(&parts).await;
        }
        tells_reads.send_replace(false);
        // An error: whoever would say so has gone.
        stages.wait_for(|stage| *stage == Stage::Ends).await.ok();
        let last = async {
            for task in sinking.into_iter().chain(listing).chain(mirroring) {
                // It may have panicked; the log says so.
                task.await.ok();
            }
        };
        tokio::time::timeout(ENDS_WITHIN, last).await.ok();
    }
}
