//! Kafka topics as sources of rooms, and rooms' messages as records of topics. It asks rooms for what a back end could ask for, from
//! threads of its own; rooms know nothing of it, and no client ever waits for it.

mod context;
mod counts;
mod heard;
mod lanes;
mod ledger;
mod letters;
mod livechat;
mod parts;
mod probe;
mod refusal;
pub mod replay;
mod said;
mod sink;
mod source;
mod topics;
mod wire;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fmt;
use std::rc::Rc;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use crossing::Stage;
use link::{Condition, Figure};
use node::{Desk, Owed, Series};
use rdkafka::ClientConfig;
use rdkafka::consumer::BaseConsumer;
use rdkafka::error::KafkaError;
use rdkafka::producer::FutureProducer;
use tokio::sync::{Semaphore, mpsc, watch};
use tokio::task::LocalSet;

use context::{Reads, Writes};
use counts::Counts;
use lanes::{Lane, Lanes};
use ledger::Ledger;
use letters::Letters;
use livechat::Livechat;
use parts::Parts;
use probe::Asks;
use said::{Reading, Way};
use sink::Ways;

pub use crossing::Template;
pub use said::Source;
pub use sink::Sink;
pub use wire::{Sasl, Tls, Wire};

pub struct Config {
    pub wire: Wire,
    /// Nodes of one group share the partitions.
    pub group: String,
    /// How long a node may say nothing before its partitions are another's.
    pub session: Duration,
    /// What positions in topics are remembered under.
    pub name: String,
    /// This deployment, in what it produces.
    pub origin: String,
    /// The topic of dead letters; `{topic}` in it is the one that the record comes from.
    pub dead_letters: String,
    /// Take in the three topics of seed 000's fleet.
    pub livechat: bool,
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
    /// A topic stands twice.
    Twice(String),
    Kafka(KafkaError),
    Thread(std::io::Error),
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Twice(topic) => {
                write!(f, "the topic {topic:?} is read in two ways: leave one of them")
            }
            StartError::Kafka(why) => write!(f, "librdkafka does not take these settings: {why}"),
            StartError::Thread(why) => write!(f, "no thread for the bridge: {why}"),
        }
    }
}

impl std::error::Error for StartError {}

/// What is on its way to rooms when the node stops reading is waited for; the rest is read by the node that takes over.
const STOPS_WITHIN: Duration = Duration::from_secs(5);

/// A node's bridge. Its threads and its connections end with it.
pub struct Bridge {
    counts: Arc<Counts>,
    stage: watch::Sender<Stage>,
    reads: watch::Receiver<bool>,
    threads: Mutex<Vec<JoinHandle<()>>>,
}

/// Does not wait for the brokers: a node serves without them.
pub fn start(config: Config, ground: Ground) -> Result<Bridge, StartError> {
    let counts = Arc::new(Counts::new(&config.wire.brokers.join(",")));
    let reading = Arc::new(reading(&config)?);
    let writing = config.wire.writing();
    let producer: FutureProducer<Writes> = writing.create_with_context(Writes).map_err(StartError::Kafka)?;
    let (stage, stages) = watch::channel(Stage::Runs);
    let (tells_reads, reads) = watch::channel(true);
    let (lanes, begun) = Lanes::open();
    let lanes = Arc::new(lanes);
    let mut threads = Vec::new();
    let source = match reading.0.is_empty() {
        true => None,
        false => {
            let ledger = Arc::new(Ledger::default());
            let (group, denied) = (config.group.clone(), AtomicBool::new(false));
            let context = Reads { counts: counts.clone(), ledger: ledger.clone(), group, denied };
            let reading_config = config.wire.reading(&config.group, config.session);
            let consumer: BaseConsumer<Reads> =
                reading_config.create_with_context(context).map_err(StartError::Kafka)?;
            Some(source::Source {
                consumer,
                reading: reading.clone(),
                counts: counts.clone(),
                ledger,
                lanes: lanes.clone(),
                stage: stages.clone(),
                origin: config.origin.clone(),
                name: config.name.clone(),
            })
        }
    };
    let asks = match reading.0.is_empty() {
        true => config.sinks.first().map(|sink| Asks::Writes(sink.topic.clone())),
        false => {
            let client = config.wire.looking().create_with_context(Writes).map_err(StartError::Kafka)?;
            Some(Asks::Reads { topics: reading.0.keys().cloned().collect(), client })
        }
    };
    let begin = Begin {
        desk: ground.desk,
        sinking: ground.owed.map(|owed| (owed, Ways::of(config.sinks, config.livechat))),
        producer,
        writing,
        lanes,
        begun,
        letters: Letters::new(config.dead_letters),
        counts: counts.clone(),
        stages,
        origin: config.origin,
        asks,
    };
    threads.push(thread("kafka-bridge", move || begin.run())?);
    threads.push(thread("kafka-reads", move || {
        if let Some(source) = source {
            source.run();
        }
        tells_reads.send_replace(false);
    })?);
    Ok(Bridge { counts, stage, reads, threads: Mutex::new(threads) })
}

fn thread(name: &str, run: impl FnOnce() + Send + 'static) -> Result<JoinHandle<()>, StartError> {
    std::thread::Builder::new().name(name.to_owned()).spawn(run).map_err(StartError::Thread)
}

fn reading(config: &Config) -> Result<Reading, StartError> {
    let livechat = Livechat::ALL.into_iter().filter(|_| config.livechat);
    let livechat = livechat.map(|(topic, way)| (topic.to_owned(), Way::Livechat(way)));
    let mapped =
        config.sources.iter().map(|source| (source.topic.clone(), Way::Mapped(source.clone().into())));
    let mut ways = BTreeMap::new();
    for (topic, way) in livechat.chain(mapped) {
        if ways.insert(topic.clone(), way).is_some() {
            return Err(StartError::Twice(topic));
        }
    }
    Ok(Reading(ways))
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
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        for thread in threads {
            let name = thread.thread().name().unwrap_or_default().to_owned();
            if thread.join().is_err() {
                tracing::error!(name, "a thread of the bridge to Kafka panicked");
            }
        }
    }
}

impl node::Bridge for Bridge {
    fn name(&self) -> &'static str {
        "kafka"
    }

    fn condition(&self) -> Condition {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        if *self.stage.borrow() == Stage::Runs && threads.iter().any(JoinHandle::is_finished) {
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

/// What the thread that asks rooms begins with.
struct Begin {
    desk: Desk,
    sinking: Option<(Arc<Owed>, Ways)>,
    producer: FutureProducer<Writes>,
    writing: ClientConfig,
    lanes: Arc<Lanes>,
    begun: mpsc::Receiver<Lane>,
    letters: Letters,
    counts: Arc<Counts>,
    stages: watch::Receiver<Stage>,
    origin: String,
    /// What to ask the brokers about, to see whether they are there.
    asks: Option<Asks>,
}

impl Begin {
    fn run(self) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            Err(error) => return tracing::error!(%error, "the bridge to Kafka has no runtime"),
        };
        LocalSet::new().block_on(&runtime, self.go_on());
        // A probe that is still waited for keeps nobody.
        runtime.shutdown_background();
    }

    async fn go_on(self) {
        let Begin {
            desk,
            sinking,
            producer,
            writing,
            lanes,
            begun,
            letters,
            counts,
            mut stages,
            origin,
            asks,
        } = self;
        let stage = stages.clone();
        let calls = Semaphore::new(lanes::CALLS_MAX);
        let producer = RefCell::new(producer);
        let parts = Parts { counts, desk, producer, writing, lanes, letters, stage, origin, calls };
        let parts = Rc::new(parts);
        let of = |parts: &Rc<Parts>| parts.clone();
        tokio::task::spawn_local(lanes::go_on(of(&parts), begun));
        if let Some((owed, ways)) = sinking {
            tokio::task::spawn_local(sink::go_on(of(&parts), owed, ways));
        }
        if let Some(asks) = asks {
            tokio::task::spawn_local(probe::go_on(of(&parts), asks));
        }
        // An error: whoever would say so has gone.
        stages.wait_for(|stage| *stage == Stage::Ends).await.ok();
    }
}
