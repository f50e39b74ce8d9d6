//! NATS subjects as sources of rooms, and rooms' messages in streams. It asks rooms for what a back end could ask for, from a thread of
//! its own; rooms know nothing of it, and no client ever waits for it.

mod connect;
mod counts;
mod heard;
mod jetstream;
mod lanes;
mod letters;
mod looks;
mod parts;
mod plain;
mod receipts;
mod rides;
mod said;
mod sink;
mod source;
mod tables;

use std::cell::RefCell;
use std::fmt;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use async_nats::Client;
use crossing::Stage;
use link::{Condition, Figure};
use node::{Desk, Owed, Series};
use tokio::sync::{Semaphore, watch};
use tokio::task::LocalSet;

use connect::{Signals, connect};
use counts::Counts;
use jetstream::JetStream;
use lanes::Lanes;
use letters::Letters;
use parts::Parts;
use receipts::Receipts;
use said::Way;
use sink::{Sinks, Ways};
use source::Reads;
use tables::{Durable, Stream};

pub use crossing::Template;
pub use nats_wire::{Credentials, CredentialsFile, Tls};
pub use rides::Authority;
pub use said::{From, Source, To};
pub use sink::Sink;

#[derive(Clone)]
pub struct Config {
    /// `nats://host:port`, several of one cluster; without user and password.
    pub servers: Vec<String>,
    pub credentials: Credentials,
    pub tls: Tls,
    /// JetStream's domain, where the server is a leaf of another.
    pub domain: Option<String>,
    /// Nodes of one group share what comes by plain subjects.
    pub group: String,
    /// This deployment, in what it produces.
    pub origin: String,
    /// So long a room that takes nothing is asked, before its messages are given back.
    pub hold: Duration,
    /// What subjects of dead letters begin with.
    pub dead_letters: String,
    /// The subjects of seed 004's fleet, and who matches and bills.
    pub rides: Option<Authority>,
    pub sources: Vec<Source>,
    pub sinks: Vec<Sink>,
}

/// What of a node it works with.
pub struct Ground {
    pub desk: Desk,
    /// Where rooms say that they have something for a sink.
    pub owed: Option<Arc<Owed>>,
}

#[derive(Debug)]
pub enum StartError {
    Credentials(CredentialsFile),
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Credentials(CredentialsFile { path, why }) => {
                write!(
                    f,
                    "the file of credentials {path} cannot be used: {why}; give one made by `nsc generate creds`"
                )
            }
            StartError::Thread(why) => write!(f, "no thread for the bridge: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What is on its way to rooms when the node stops reading is waited for; the rest is given to the node that takes over.
const STOPS_WITHIN: Duration = Duration::from_secs(5);
/// Between two looks whether it is all there.
const LOOK: Duration = Duration::from_millis(10);
/// While there is no connection yet, and the circuit lets nobody try.
const LOOKS_AGAIN: Duration = Duration::from_millis(250);
/// Streams that could not be made are tried again.
const MAKES_AGAIN: Duration = Duration::from_secs(5);

/// A node's bridge. Its thread and its connection end with it.
pub struct Bridge {
    counts: Arc<Counts>,
    stage: watch::Sender<Stage>,
    reads: watch::Receiver<bool>,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// Does not wait for the server: a node serves without it.
pub fn start(config: Config, ground: Ground) -> Result<Bridge, StartError> {
    let counts = Arc::new(Counts::new(&nats_wire::shown(&config.servers)));
    let signals = Arc::new(Signals::new(counts.clone()));
    // Looked at here, so that a file that cannot be read keeps the node from starting.
    nats_wire::options(&config.credentials, &config.tls).map_err(StartError::Credentials)?;
    let (stage, stages) = watch::channel(Stage::Runs);
    let (tells_reads, reads) = watch::channel(true);
    let begin = Begin { config, ground, signals, counts: counts.clone(), stages, tells_reads };
    let thread = std::thread::Builder::new().name("nats-bridge".to_owned()).spawn(move || begin.run());
    Ok(Bridge { counts, stage, reads, thread: Mutex::new(Some(thread.map_err(StartError::Thread)?)) })
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
            tracing::error!("the thread of the bridge to NATS panicked");
        }
    }
}

impl node::Bridge for Bridge {
    fn name(&self) -> &'static str {
        "nats"
    }

    fn condition(&self) -> Condition {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.stage.borrow() == Stage::Runs && thread.as_ref().is_some_and(JoinHandle::is_finished) {
            let why = "its thread panicked; the log says why. Begin the process again".to_owned();
            return Condition::Away { why };
        }
        self.counts.reach.condition()
    }

    fn figures(&self) -> Vec<Figure> {
        self.counts.figures()
    }

    fn series(&self) -> Vec<Series> {
        self.counts.series()
    }
}

/// What the thread begins with.
struct Begin {
    config: Config,
    ground: Ground,
    signals: Arc<Signals>,
    counts: Arc<Counts>,
    stages: watch::Receiver<Stage>,
    tells_reads: watch::Sender<bool>,
}

impl Begin {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the bridge to NATS has no runtime"),
        };
        LocalSet::new().block_on(&runtime, self.go_on());
        runtime.shutdown_background();
    }

    /// None: the node ends before there was a connection.
    async fn connected(&self) -> Option<Client> {
        let mut stages = self.stages.clone();
        while *stages.borrow_and_update() == Stage::Runs {
            if self.counts.reach.may_probe() {
                match connect(&self.config, &self.signals).await {
                    Ok(client) => {
                        self.counts.reach.succeeded();
                        return Some(client);
                    }
                    Err(why) => self.counts.reach.failed(&why),
                }
            }
            tokio::time::timeout(LOOKS_AGAIN, stages.changed()).await.ok();
        }
        None
    }

    async fn go_on(self) {
        let client = self.connected().await;
        let Begin { config, ground, signals, counts, mut stages, tells_reads } = self;
        let Some(client) = client else {
            tells_reads.send_replace(false);
            return drop(stages.wait_for(|stage| *stage == Stage::Ends).await);
        };
        let (reads, others) = (reads(&config), config.rides.map(Authority::others).unwrap_or_default());
        let letters = Letters::new(config.dead_letters.clone());
        let mut streams = vec![letters.stream()];
        streams.extend(config.rides.iter().flat_map(|_| rides::streams()));
        let parts = Rc::new(Parts {
            counts,
            signals,
            desk: ground.desk,
            js: JetStream::new(client, config.domain.as_deref()),
            lanes: Lanes::default(),
            receipts: Receipts::default(),
            letters,
            stage: stages.clone(),
            origin: config.origin,
            hold: config.hold,
            group: config.group,
            calls: Semaphore::new(lanes::CALLS_MAX),
        });
        let local = tokio::task::spawn_local::<std::pin::Pin<Box<dyn Future<Output = ()>>>>;
        local(Box::pin(looks::probe(parts.clone())));
        local(Box::pin(receipts::keep(parts.clone())));
        local(Box::pin(lanes::go_on(parts.clone())));
        let mut reading = Vec::new();
        for source in config.sources.into_iter().filter(|source| matches!(source.from, From::Plain)) {
            let (subject, way) = (source.subject.clone(), Rc::new(Way::Mapped(source.into())));
            reading.push(local(Box::pin(plain::go_on(parts.clone(), way, subject))));
        }
        local(Box::pin(make(parts.clone(), streams, others)));
        reading.extend(reads.into_iter().map(|reads| local(Box::pin(source::go_on(parts.clone(), reads)))));
        if let Some(owed) = ground.owed {
            let (ways, refused) = (Ways { sinks: config.sinks, rides: config.rides }, RefCell::default());
            let sinks = Sinks { parts: parts.clone(), ways, refused };
            local(Box::pin(crossing::go_on(Rc::new(sinks), owed)));
        }
        // An error: whoever would say so has gone.
        stages.wait_for(|stage| *stage != Stage::Runs).await.ok();
        futures_util::future::join_all(reading).await;
        while parts.receipts.count() > 0 && *stages.borrow() != Stage::Ends {
            parts.rest(LOOK).await;
        }
        // What became of the last of it is on its way.
        parts.js.client.flush().await.ok();
        tells_reads.send_replace(false);
        stages.wait_for(|stage| *stage == Stage::Ends).await.ok();
    }
}

/// Whether the server is there for this deployment, and of which version it is; or why not. It changes nothing.
pub fn look(config: &Config) -> Result<String, String> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| error.to_string())?.block_on(looks::once(config))
}

fn reads(config: &Config) -> Vec<Reads> {
    let of_rides = config.rides.map(Authority::reads).unwrap_or_default().into_iter();
    let of_rides = of_rides.map(|(event, stream, durable)| Reads {
        way: Rc::new(Way::Rides(event)),
        durable,
        stream: Some(stream.to_owned()),
        anywhere: true,
    });
    let mapped = config.sources.iter().filter_map(|source| {
        let From::Stream { name, durable, all, deliver_max, in_order } = &source.from else { return None };
        let (subject, stream) = (source.subject.clone(), name.clone());
        let durable = Durable {
            name: durable.clone(),
            subject,
            all: *all,
            deliver_max: *deliver_max,
            pending_max: if *in_order { 1 } else { tables::PENDING_MAX },
        };
        Some(Reads { way: Rc::new(Way::Mapped(source.clone().into())), durable, stream, anywhere: false })
    });
    of_rides.chain(mapped).collect()
}

/// Until all are there, or are said to be amiss; what is amiss is tried again.
async fn make(parts: Rc<Parts>, streams: Vec<Stream>, others: Vec<(&'static str, Durable)>) {
    let mut streams: Vec<(String, Stream)> =
        streams.into_iter().map(|stream| (format!("the stream {}", stream.name), stream)).collect();
    let mut others = others;
    while parts.runs() && !(streams.is_empty() && others.is_empty()) {
        let mut left = Vec::new();
        for (what, stream) in streams {
            match stream.make(&parts.js).await {
                Ok(None) => {
                    parts.counts.reach.is_well(&what);
                    continue;
                }
                Ok(Some(why)) => parts.counts.reach.is_amiss(&what, &why),
                Err(fault) => tracing::debug!(what, why = fault.words(), "a stream is not made yet"),
            }
            left.push((what, stream));
        }
        streams = left;
        let mut left = Vec::new();
        for (stream, durable) in others {
            // Somebody else's, whatever it is like: that it is there is enough.
            if durable.make(&parts.js, stream).await.is_err() {
                left.push((stream, durable));
            }
        }
        others = left;
        let wait = if parts.js.is_connected() { MAKES_AGAIN } else { LOOK * 10 };
        parts.rest(wait).await;
    }
}
