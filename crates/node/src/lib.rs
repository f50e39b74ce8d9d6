//! The shell: sockets, threads, clocks and HTTP around shards that know none of them. It decides nothing about rooms
//! and clients; what it does, a shard or the operator told it to do.

mod addresses;
mod authorizer;
mod away;
mod calls;
mod census;
mod certificate;
mod clock;
mod door;
mod doorway;
mod facts;
mod gate;
mod gatekeeper;
mod greeting;
mod health;
mod http;
mod keeper;
mod logs;
mod lookout;
mod mail;
mod memory;
mod metrics;
mod online;
mod origins;
mod outlet;
mod overview;
mod owed;
mod path;
mod permission;
mod prover;
mod pulse;
mod run;
mod sealed;
mod secrecy;
mod sockets;
mod sparing;
mod system;
mod tls;
mod tokens;
mod trace;
mod turned;
mod visit;
mod world;

use std::fmt;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use rooms::Apps;
use vocabulary::{Durability, Incarnation, Revocation, ShardId};

pub use addresses::{Network, NotANetwork, neighbours};
pub use authorizer::question::signature;
pub use authorizer::{Authorizing, OnFailure};
pub use calls::{Desk, Uncalled};
pub use facts::{Bridge, Facts, Health, Series};
pub use gate::{Auth, Crowd, Gate, MountPoint, Offers, Words};
pub use health::probes;
pub use http::{CALLS_AT_ONCE_MAX, HttpError, PeerAddress, figures, happenings, operator, router};
pub use keeper::{From, KEY_SOURCES_MAX, KeySource};
pub use logs::{Engine, Open, Unopened};
pub use lookout::{Crowded, Found, Heard, Lookout, SHARDS_WITHIN, SocketSeen};
pub use mail::Unread;
pub use origins::{Origins, is_loopback};
pub use outlet::{Outflow, Outlet, outlet};
pub use owed::Owed;
pub use path::Path;
pub use prover::{Prover, Unproven};
pub use pulse::Pulse;
pub use session::Authenticated;
pub use tls::{Tls, TlsError};
pub use trace::Happened;
pub use world::log_wants_broadcasts;

use authorizer::Authorizer;
use calls::Calls;
use census::Census;
use gatekeeper::Gatekeeper;
use logs::Opened;
use mail::Mailboxes;
use system::System;

/// Where clients come in.
pub enum Listen {
    At(SocketAddr),
    /// Somebody listens there already and gives the socket over: who comes while nobody serves waits in its queue.
    On(TcpListener),
}

/// What the configuration came to.
pub struct Config {
    pub listen: Listen,
    pub shards: u16,
    pub gate: Gate,
    /// Where sets of keys come from, in the order of the gate's.
    pub key_sources: Vec<KeySource>,
    /// Who else is asked who may do what.
    pub authorizer: Option<Authorizing>,
    /// Without it everything is in the open.
    pub tls: Option<Tls>,
    pub limits: shard::Limits,
    pub room_limits: rooms::Limits,
    pub engine: Engine,
    /// Where messages of rooms go that are for brokers too.
    pub outlet: Option<Outlet>,
    /// Where rooms of an app say that they have something for a sink.
    pub owed: Vec<(String, Arc<Owed>)>,
    /// What stored records must survive at least, whatever the apps need.
    pub durability: Durability,
    /// Told apart from every other process of the deployment; drawn by the caller.
    pub node_tag: u64,
    pub start_tag: u32,
    pub handshake: Duration,
}

/// Made in each shard's own thread: apps and protocols are not `Send`, and need not be.
pub trait Furnish: Send + Sync + 'static {
    fn apps(&self) -> Apps;
    /// In the order of the gate's mount points.
    fn mounts(&self) -> Vec<shard::Mount>;
}

/// Goodbyes per second of a drain: what the nodes that take the clients over can admit.
const GOODBYES_PER_SECOND: u32 = 2000;
const DRAIN_WINDOW_MAX: Duration = Duration::from_secs(10);
/// A drain that has not ended then is cut short: what runs us loses patience soon after.
const DRAIN_MAX: Duration = Duration::from_secs(25);
/// What was answered at the end of a drain is still written to whoever reads it.
const LAST_ANSWERS_WITHIN: Duration = Duration::from_secs(1);

/// Why a node does not serve.
#[derive(Debug)]
pub enum StartError {
    Listen(io::Error),
    Engine(Unopened),
    /// Who needs more than the engine gives, and both.
    Durability {
        needed_by: String,
        needed: Durability,
        given: Durability,
    },
    Threads(io::Error),
}

impl std::convert::From<io::Error> for StartError {
    fn from(error: io::Error) -> StartError {
        StartError::Threads(error)
    }
}

impl fmt::Display for StartError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            StartError::Listen(error) => write!(f, "cannot listen: {error}"),
            StartError::Engine(error) => write!(f, "the engine cannot be opened: {error}"),
            StartError::Durability { needed_by, needed, given } => write!(
                f,
                "{needed_by} needs records to survive {needed}, and here they survive {given}: keep them on disk, in a Redis \
                 with appendonly (and appendfsync always for a loss of power), or in NATS with nats.keeps = \"disk\" (and \
                 \"disk-synced\" with sync_interval: always)"
            ),
            StartError::Threads(error) => write!(f, "cannot start: {error}"),
        }
    }
}

impl std::error::Error for StartError {}

/// A node that serves.
pub struct Node {
    address: SocketAddr,
    facts: Arc<Facts>,
    mailboxes: Arc<Mailboxes>,
    gatekeeper: Arc<Gatekeeper>,
    authorizer: Option<Arc<Authorizer>>,
    desk: Desk,
    lookout: Lookout,
    prover: Prover,
    threads: Vec<JoinHandle<()>>,
    pages: http::Pages,
    operators: Arc<http::Places>,
    handshake: Duration,
}

/// An acknowledgement is worth what those who asked for it were told.
fn durable_enough(engine: &Opened, configured: Durability, apps: &Apps) -> Result<(), StartError> {
    let given = engine.guarantees().durability;
    let of_apps = apps.most_durable().map(|(name, needed)| (format!("the app {name}"), needed));
    let all = [Some(("the setting `durability`".to_owned(), configured)), of_apps];
    match all.into_iter().flatten().find(|(_, needed)| *needed > given) {
        Some((needed_by, needed)) => Err(StartError::Durability { needed_by, needed, given }),
        None => Ok(()),
    }
}

impl Node {
    /// Binds and starts the shards' threads. They accept from then on; HTTP is answered once `serve_http` runs.
    pub fn start(config: Config, furnish: Arc<dyn Furnish>) -> Result<Node, StartError> {
        let listener = listener(config.listen).map_err(StartError::Listen)?;
        let address = listener.local_addr()?;
        let facts = Arc::new(Facts::new(config.shards));
        let (pages, to_pages) = http::Pages::new();
        let (mailboxes, posts) = mail::open(config.shards, config.engine.is_outside())?;
        let mailboxes = Arc::new(mailboxes);
        let engine = config.engine.open(&mailboxes).map_err(StartError::Engine)?;
        durable_enough(&engine, config.durability, &furnish.apps())?;
        if let Opened::Outside(link) = &engine {
            facts.engine_is(link.clone());
        }
        let gatekeeper = Arc::new(Gatekeeper::new(config.gate.clone(), mailboxes.clone(), facts.clone()));
        let authorizer =
            config.authorizer.map(|config| Authorizer::start(config, mailboxes.clone())).transpose()?;
        if let Some(authorizer) = &authorizer {
            facts.authorizer_is(authorizer.clone());
        }
        let (said, hears) = std::sync::mpsc::sync_channel(system::SAID_MAX);
        let helm = Helm {
            gatekeeper: gatekeeper.clone(),
            mailboxes: mailboxes.clone(),
            authorizer: authorizer.clone(),
        };
        std::thread::Builder::new().name("system".to_owned()).spawn({
            let (facts, tag, shards) = (facts.clone(), config.node_tag, config.shards);
            move || System::new(helm, facts, tag, shards).listen(&hears)
        })?;
        let (calls, surveys) = (Arc::new(Calls::default()), Arc::new(lookout::Surveys::default()));
        let (keeper, watches) = keeper::open(config.key_sources);
        let (gate, census) = (Arc::new(config.gate), Arc::new(Census::default()));
        let started = Instant::now();
        let mut threads = Vec::new();
        for (index, post) in posts.into_iter().enumerate() {
            let id = ShardId(index as u16);
            let seat = run::Seat {
                id,
                shards: config.shards,
                me: Incarnation { node: config.node_tag, shard: id, life: 1 },
                listener: Some(listener.try_clone()?),
                doorway: (gate.clone(), census.clone(), keeper.clone(), authorizer.clone()),
                tls: config.tls.clone(),
                limits: config.limits,
                room_limits: config.room_limits,
                engine: engine.clone(),
                start_tag: config.start_tag,
                handshake: config.handshake,
                clock: clock::Clock::since(started),
                facts: facts.clone(),
                mailboxes: mailboxes.clone(),
                calls: calls.clone(),
                surveys: surveys.clone(),
                outlet: config.outlet.clone(),
                owed: config.owed.clone(),
                said: said.clone(),
                pages: to_pages.clone(),
            };
            let furnish = furnish.clone();
            let name = format!("shard-{index}");
            threads.push(
                std::thread::Builder::new().name(name).spawn(move || run::shard(seat, post, &*furnish))?,
            );
        }
        for (index, watch) in watches.into_iter().enumerate() {
            let kept = gatekeeper.clone();
            // It ends with the process: what it waits for may never come.
            std::thread::Builder::new().name(format!("keys-{index}")).spawn(move || watch.walk(&kept))?;
        }
        let prover = Prover { gatekeeper: gatekeeper.clone(), keeper: keeper.clone() };
        let desk = Desk { calls, mailboxes: mailboxes.clone(), shards: config.shards };
        let lookout = Lookout {
            mailboxes: mailboxes.clone(),
            surveys,
            facts: facts.clone(),
            gate,
            shards: config.shards,
            node: config.node_tag,
        };
        let handshake = config.handshake;
        let operators = Arc::new(http::Places::for_operators());
        Ok(Node {
            address,
            facts,
            mailboxes,
            gatekeeper,
            authorizer,
            desk,
            lookout,
            prover,
            threads,
            pages,
            operators,
            handshake,
        })
    }

    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub fn facts(&self) -> Arc<Facts> {
        self.facts.clone()
    }

    /// Sheds by steps when the process holds more than its share of this, as long as the calling runtime runs.
    pub fn hold_memory(&self, budget_bytes: u64) {
        tokio::spawn(memory::watch(self.facts.clone(), budget_bytes));
    }

    /// An hour of figures, from now on and as long as the calling runtime runs.
    pub fn keep_hour(&self) {
        tokio::spawn(overview::keep(self.facts.clone()));
    }

    /// For whoever looks whether this node still turns.
    pub fn pulse(&self) -> Pulse {
        Pulse::new(self.facts.clone(), self.mailboxes.clone())
    }

    /// For back ends' calls.
    pub fn desk(&self) -> Desk {
        self.desk.clone()
    }

    /// For operators.
    pub fn lookout(&self) -> Lookout {
        self.lookout.clone()
    }

    /// For users who ask by HTTP.
    pub fn prover(&self) -> Prover {
        self.prover.clone()
    }

    /// For changes while it serves.
    pub fn helm(&self) -> Helm {
        Helm {
            gatekeeper: self.gatekeeper.clone(),
            mailboxes: self.mailboxes.clone(),
            authorizer: self.authorizer.clone(),
        }
    }

    /// Answers everything that is not an upgrade, in the calling runtime, until the node ends.
    pub fn serve_http(&mut self, router: axum::Router) {
        self.pages.serve(router, self.handshake);
    }

    /// Answers operators, in the calling runtime, until that ends.
    pub fn serve_operator(&self, listener: tokio::net::TcpListener, router: axum::Router) {
        tokio::spawn(http::serve_operator(listener, router, self.handshake, self.operators.clone()));
    }

    /// Unready at once, no new sockets, goodbyes spread over a window, then answers to the back ends that wait for one, and
    /// the end of the threads.
    pub async fn drain(self) -> Drained {
        self.facts.drain();
        let open = self.facts.health().total;
        let window = Duration::from_secs(1) * open / GOODBYES_PER_SECOND;
        self.mailboxes.tell_all(|control| control.drain = Some(window.min(DRAIN_WINDOW_MAX)));
        let deadline = tokio::time::Instant::now() + DRAIN_MAX;
        while self.threads.iter().any(|thread| !thread.is_finished()) {
            if tokio::time::Instant::now() >= deadline {
                return Drained { open: self.facts.health().total, in_time: false };
            }
            // While somebody is here, back ends have something to say to them.
            if self.facts.health().total == 0 {
                self.desk.calls.close();
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
        self.desk.calls.give_up();
        let written = async { tokio::join!(self.operators.all_free(), self.pages.all_free()) };
        tokio::time::timeout(LAST_ANSWERS_WITHIN, written).await.ok();
        Drained { open, in_time: true }
    }

    /// No more patience: everybody goes now.
    pub fn hasten(hasten: &Hasten) {
        hasten.calls.give_up();
        hasten.mailboxes.tell_all(|control| control.drain = Some(Duration::ZERO));
    }

    pub fn hastener(&self) -> Hasten {
        Hasten { calls: self.desk.calls.clone(), mailboxes: self.mailboxes.clone() }
    }
}

/// Changes a node while it serves. Every shard hears of changes in one order.
#[derive(Clone)]
pub struct Helm {
    gatekeeper: Arc<Gatekeeper>,
    mailboxes: Arc<Mailboxes>,
    authorizer: Option<Arc<Authorizer>>,
}

impl Helm {
    /// Keys, mounts' rules, crowds, proxies. The mounts themselves stay what they were.
    pub fn change(&self, change: impl FnOnce(&mut Gate)) {
        self.gatekeeper.change(change);
    }

    pub fn limit(&self, limits: shard::Limits) {
        self.mailboxes.tell_all(|control| control.limits = Some(limits));
    }

    /// To everybody who is connected here.
    pub(crate) fn announce(&self, announcement: Arc<shard::Announcement>) {
        self.mailboxes.announce(&announcement);
    }

    /// Nobody comes in with such a token any more, and who is here by one goes. Refused, not everybody goes yet: it is to be
    /// said again.
    pub fn revoke(&self, revocation: &Revocation) -> Result<(), Unread> {
        if let (Some(authorizer), Revocation::User { id, .. }) = (&self.authorizer, revocation) {
            authorizer.forget(id);
        }
        self.gatekeeper.change(|gate| gate.keys = gate.keys.revoked(Facts::now(), revocation));
        self.mailboxes.revoke(&Arc::new(revocation.clone()))
    }
}

/// Cuts a drain short.
#[derive(Clone)]
pub struct Hasten {
    calls: Arc<Calls>,
    mailboxes: Arc<Mailboxes>,
}

#[derive(Clone, Copy, Debug)]
pub struct Drained {
    /// Connections when the drain began, or that were left when it was cut short.
    pub open: u32,
    pub in_time: bool,
}

/// Sockets that wait to be accepted: a reconnect storm's first second.
const BACKLOG: i32 = 4096;
/// The kernel doubles it. Enough for a turn's worth of frames to one client; all clients together must not fill the
/// kernel's memory before we notice that they are slow.
const SEND_BUFFER_BYTES: usize = 64 << 10;

/// Accepted sockets inherit what is set here, so that accepting costs one system call.
fn listener(listen: Listen) -> io::Result<TcpListener> {
    let socket = match &listen {
        Listen::At(address) => {
            socket2::Socket::new(socket2::Domain::for_address(*address), socket2::Type::STREAM, None)?
        }
        Listen::On(given) => given.try_clone()?.into(),
    };
    socket.set_nonblocking(true)?;
    socket.set_tcp_nodelay(true)?;
    socket.set_send_buffer_size(SEND_BUFFER_BYTES)?;
    if let Listen::At(address) = listen {
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
    }
    Ok(socket.into())
}
