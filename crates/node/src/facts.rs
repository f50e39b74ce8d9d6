//! What a node knows of itself, for health pages, statistics and metrics: written by each shard's thread, read by
//! anybody.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU8, AtomicU32, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use link::{Condition, Figure, Link};
use serde_json::Value;
use shard::Pressure;

use vocabulary::{Traced, UserId, Wall};

use crate::authorizer::Authorizer;
use crate::away::{Away, Aways};
use crate::online::Sketch;
use crate::outlet::{Outflow, Outlet};
use crate::overview::{ByMount, Hour};
use crate::trace::{Trace, Wanted};

/// One shard's figures.
#[derive(Default)]
pub(crate) struct ShardFacts {
    pub connections: AtomicU32,
    pub streams: AtomicU32,
    pub outbox_bytes: AtomicU64,
    pub begun_bytes: AtomicU64,
    pub users: AtomicU32,
    pub rooms: AtomicU32,
    pub stale: AtomicU32,
    pub turns: AtomicU64,
    /// Written when a connection comes or goes, read by the statistics page; held for a few instructions only.
    pub roles: Mutex<BTreeMap<String, u32>>,
    pub by_mount: ByMount,
    pub counts: Mutex<(shard::Counts, shard::RoomCounts)>,
    pub door: DoorCounts,
    /// Writes that ended their connections.
    pub failed_sends: AtomicU64,
    pub trace: Trace,
    /// Where a bridge tells of what happens to connections.
    pub happened: OnceLock<Outlet<Traced>>,
    /// Of the users here, made anew every few seconds where there may be other nodes; held for a copy.
    pub sketch: Mutex<Sketch>,
    /// The users here as they were then, where a bridge tells of them; held for a copy of a pointer.
    who: Mutex<Arc<[UserId]>>,
}

/// What came to the door.
#[derive(Default)]
pub(crate) struct DoorCounts {
    pub accepted: AtomicU64,
    pub away: Aways,
    /// No descriptor was left for one more.
    pub out_of_descriptors: AtomicU64,
}

pub struct Facts {
    pub(crate) shards: Vec<ShardFacts>,
    ready: AtomicBool,
    draining: AtomicBool,
    pressure: AtomicU8,
    pub(crate) keys: AtomicU64,
    /// One outside the shards.
    engine: OnceLock<Arc<dyn Link>>,
    authorizer: OnceLock<Arc<Authorizer>>,
    /// Held to look, by whoever asks for figures.
    bridges: Mutex<Vec<Arc<dyn Bridge>>>,
    wants_users: AtomicBool,
    /// Why the process is to end.
    broken: OnceLock<String>,
    /// Users on all nodes, by the nodes' sketches; zero while there are no others.
    fleet_users: AtomicU64,
    /// By those; held for a look or to put a newer one there.
    fleet: Mutex<Option<Sketch>>,
    /// What `/health` says besides.
    described: OnceLock<Value>,
    pub(crate) hour: Hour,
}

/// A way to a broker, as probes and figures see it. While it is away the node serves all the same.
pub trait Bridge: Send + Sync {
    /// One word.
    fn name(&self) -> &'static str;

    fn condition(&self) -> Condition;

    fn figures(&self) -> Vec<Figure>;

    /// Those that stand for several things each.
    fn series(&self) -> Vec<Series> {
        Vec::new()
    }
}

/// One figure of several things, each told by its labels. How many rows there may be is for whoever has them to bound.
pub struct Series {
    /// Without a prefix; ends in `_total` where it only grows.
    pub name: &'static str,
    pub help: &'static str,
    pub rows: Vec<(Vec<(&'static str, String)>, u64)>,
}

/// The node at one look.
#[derive(Clone, Debug, Default, serde::Serialize)]
pub struct Health {
    pub total: u32,
    pub users: u32,
    pub rooms: u32,
    pub stale: u32,
    pub ready: bool,
    pub draining: bool,
}

/// Fewer connections than this say nothing about the node: one sleeping laptop would be a majority.
const JUDGED_FROM: u32 = 20;

impl Health {
    /// Why the node calls itself degraded, in the words that operators search for.
    pub fn degraded(&self) -> Option<String> {
        let (stale, total) = (self.stale, self.total);
        (total >= JUDGED_FROM && stale * 2 > total)
            .then(|| format!("too many stale connections: {stale}/{total}"))
    }
}

impl Facts {
    pub(crate) fn new(shards: u16) -> Facts {
        Facts {
            shards: (0..shards).map(|_| ShardFacts::default()).collect(),
            ready: AtomicBool::new(true),
            draining: AtomicBool::new(false),
            pressure: AtomicU8::new(0),
            keys: AtomicU64::new(0),
            engine: OnceLock::new(),
            authorizer: OnceLock::new(),
            bridges: Mutex::default(),
            wants_users: AtomicBool::new(false),
            broken: OnceLock::new(),
            described: OnceLock::new(),
            hour: Hour::since(Facts::now()),
            fleet_users: AtomicU64::new(0),
            fleet: Mutex::default(),
        }
    }

    /// What happens to connections from now on, for the first who asks.
    pub fn happenings(&self) -> Outflow<Traced> {
        let (outlet, outflow) = crate::outlet();
        for shard in &self.shards {
            // Whoever was first has it.
            shard.happened.set(outlet.clone()).ok();
        }
        outflow
    }

    /// A shard, or what stores for all of them, broke its own books: what it holds cannot be trusted, and the process is to
    /// end. Until it has, nobody new comes in.
    pub fn broken(&self) -> Option<String> {
        let of_engine = || self.engine.get().and_then(|link| link.broken());
        self.broken.get().cloned().or_else(of_engine)
    }

    /// A shard's thread ended before its time, and nobody is connected to it any more.
    pub(crate) fn is_broken(&self, shard: vocabulary::ShardId, why: String) {
        let facts = &self.shards[usize::from(shard.0)];
        [&facts.connections, &facts.streams, &facts.users, &facts.rooms, &facts.stale]
            .into_iter()
            .for_each(|figure| figure.store(0, Ordering::Relaxed));
        self.ready.store(false, Ordering::Release);
        // The first one says why.
        self.broken.set(why).ok();
    }

    pub(crate) fn drain(&self) {
        self.ready.store(false, Ordering::Release);
        self.draining.store(true, Ordering::Release);
    }

    pub(crate) fn engine_is(&self, link: Arc<dyn Link>) {
        // Once, when the node starts.
        self.engine.set(link).ok();
    }

    pub(crate) fn authorizer_is(&self, authorizer: Arc<Authorizer>) {
        // Once, when the node starts.
        self.authorizer.set(authorizer).ok();
    }

    pub(crate) fn authorizer(&self) -> Option<&Authorizer> {
        self.authorizer.get().map(Arc::as_ref)
    }

    /// It is shown from now on, with its figures.
    pub fn bridge_is(&self, bridge: Arc<dyn Bridge>) {
        self.bridges.lock().unwrap_or_else(PoisonError::into_inner).push(bridge);
    }

    pub(crate) fn bridges(&self) -> Vec<Arc<dyn Bridge>> {
        self.bridges.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// From now on shards say who is here.
    pub fn watch_users(&self) {
        self.wants_users.store(true, Ordering::Relaxed);
    }

    pub(crate) fn wants_users(&self) -> bool {
        self.wants_users.load(Ordering::Relaxed)
    }

    /// Users with an open socket on this node, each at one shard, as they were a few seconds ago. To be watched first.
    pub fn users_here(&self) -> Vec<Arc<[UserId]>> {
        let users = |shard: &ShardFacts| shard.who.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.shards.iter().map(users).collect()
    }

    /// What this node says of its own.
    pub(crate) fn sketch(&self) -> Sketch {
        let mut all = Sketch::default();
        for shard in &self.shards {
            all.merge(&shard.sketch.lock().unwrap_or_else(PoisonError::into_inner));
        }
        all
    }

    pub(crate) fn fleet_is(&self, all: Option<Sketch>) {
        self.fleet_users.store(all.as_ref().map_or(0, Sketch::estimate), Ordering::Relaxed);
        *self.fleet.lock().unwrap_or_else(PoisonError::into_inner) = all;
    }

    /// Whether the user may be connected to some node: false is certain. None: no other node says who is there.
    pub(crate) fn fleet_may_have(&self, user: &UserId) -> Option<bool> {
        let fleet = self.fleet.lock().unwrap_or_else(PoisonError::into_inner);
        fleet.as_ref().map(|all| all.may_have(user))
    }

    /// Users with an open socket, on whatever node: counted here, and estimated as soon as others have some too.
    pub(crate) fn online(&self) -> u64 {
        match self.fleet_users.load(Ordering::Relaxed) {
            0 => self.health().users.into(),
            users => users,
        }
    }

    pub(crate) fn has_siblings(&self) -> bool {
        self.engine.get().is_some_and(|link| link.guarantees().nodes == engine::Nodes::Many)
    }

    pub(crate) fn engine_figures(&self) -> Vec<Figure> {
        self.engine.get().map(|link| link.figures()).unwrap_or_default()
    }

    /// Why nothing can be stored, if that is so.
    pub(crate) fn engine_away(&self) -> Option<String> {
        match self.engine.get()?.condition() {
            Condition::Serving | Condition::Partly { .. } => None,
            Condition::Away { why } => Some(why),
        }
    }

    pub(crate) fn pressure(&self) -> Pressure {
        let step = usize::from(self.pressure.load(Ordering::Relaxed));
        Pressure::ALL.get(step).copied().unwrap_or(Pressure::Tight)
    }

    pub fn press(&self, pressure: Pressure) {
        self.pressure.store(pressure as u8, Ordering::Relaxed);
    }

    pub fn health(&self) -> Health {
        let sum = |figure: fn(&ShardFacts) -> &AtomicU32| {
            self.shards.iter().map(|shard| figure(shard).load(Ordering::Relaxed)).sum()
        };
        let mut health = Health {
            total: sum(|shard| &shard.connections),
            users: sum(|shard| &shard.users),
            rooms: sum(|shard| &shard.rooms),
            stale: sum(|shard| &shard.stale),
            ready: self.ready.load(Ordering::Acquire),
            draining: self.draining.load(Ordering::Acquire),
        };
        health.ready &= health.degraded().is_none() && self.pressure() == Pressure::None;
        health.ready &= self.engine_away().is_none() && self.broken().is_none();
        health
    }

    /// Bytes that wait for sockets, and bytes of messages that are not whole.
    pub(crate) fn held_bytes(&self) -> (u64, u64) {
        let sum = |figure: fn(&ShardFacts) -> &AtomicU64| {
            self.shards.iter().map(|shard| figure(shard).load(Ordering::Relaxed)).sum()
        };
        (sum(|shard| &shard.outbox_bytes), sum(|shard| &shard.begun_bytes))
    }

    /// Of the connections, streams of events.
    pub(crate) fn streams(&self) -> u32 {
        self.shards.iter().map(|shard| shard.streams.load(Ordering::Relaxed)).sum()
    }

    pub fn roles(&self) -> BTreeMap<String, u32> {
        let mut roles = BTreeMap::new();
        for shard in &self.shards {
            if let Ok(here) = shard.roles.lock() {
                for (role, count) in &*here {
                    *roles.entry(role.clone()).or_default() += count;
                }
            }
        }
        roles.retain(|_, count| *count > 0);
        roles
    }

    pub(crate) fn accepted(&self) -> u64 {
        self.shards.iter().map(|shard| shard.door.accepted.load(Ordering::Relaxed)).sum()
    }

    /// Once, before anybody asks: what `/health` says of this server besides how it is. An object.
    pub fn describe(&self, besides: Value) {
        self.described.set(besides).ok();
    }

    pub(crate) fn described(&self) -> Value {
        self.described.get().cloned().unwrap_or_else(|| Value::Object(Default::default()))
    }

    pub(crate) fn failed_sends(&self) -> u64 {
        self.shards.iter().map(|shard| shard.failed_sends.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn out_of_descriptors(&self) -> u64 {
        self.shards.iter().map(|shard| shard.door.out_of_descriptors.load(Ordering::Relaxed)).sum()
    }

    pub(crate) fn turned_away(&self, why: Away) -> u64 {
        self.shards.iter().map(|shard| shard.door.away.of(why)).sum()
    }

    /// What happened to connections of late, of all shards, oldest first.
    pub(crate) fn trace(&self, wanted: &Wanted) -> Vec<serde_json::Value> {
        let mut found: Vec<_> = self.shards.iter().flat_map(|shard| shard.trace.find(wanted)).collect();
        found.sort_by_key(|(at, _)| *at);
        let skip = found.len().saturating_sub(wanted.most());
        found.into_iter().skip(skip).map(|(_, shown)| shown).collect()
    }

    /// The sums over all shards.
    pub fn counts(&self) -> (shard::Counts, shard::RoomCounts) {
        let mut sum = (shard::Counts::default(), shard::RoomCounts::default());
        for facts in &self.shards {
            if let Ok(counts) = facts.counts.lock() {
                sum.0 += counts.0;
                sum.1 += counts.1;
            }
        }
        sum
    }

    pub fn now() -> Wall {
        crate::clock::wall()
    }
}

impl ShardFacts {
    pub(crate) fn keep_users<'a>(&self, users: impl Iterator<Item = &'a UserId>) {
        *self.who.lock().unwrap_or_else(PoisonError::into_inner) = users.cloned().collect();
    }

    fn role(user: &vocabulary::User) -> &str {
        user.role.as_deref().unwrap_or("none")
    }

    pub(crate) fn came(&self, user: &vocabulary::User) {
        if let Ok(mut roles) = self.roles.lock() {
            // Roles come from tokens that we or the operator signed, but a mistake there must not fill memory.
            let known = roles.contains_key(Self::role(user)) || roles.len() < ROLES_MAX;
            let role = if known { Self::role(user) } else { "other" };
            *roles.entry(role.to_owned()).or_default() += 1;
        }
    }

    pub(crate) fn went(&self, user: &vocabulary::User) {
        if let Ok(mut roles) = self.roles.lock() {
            let role = if roles.contains_key(Self::role(user)) { Self::role(user) } else { "other" };
            if let Some(count) = roles.get_mut(role) {
                *count = count.saturating_sub(1);
            }
        }
    }

    /// How many connections are stale, if they have become more.
    pub(crate) fn publish(&self, shard: &shard::Shard) -> Option<u32> {
        let sizes = shard.sizes();
        self.turns.fetch_add(1, Ordering::Relaxed);
        self.connections.store(sizes.connections as u32, Ordering::Relaxed);
        self.streams.store(sizes.streams as u32, Ordering::Relaxed);
        self.outbox_bytes.store(sizes.outbox_bytes as u64, Ordering::Relaxed);
        self.begun_bytes.store(sizes.begun_bytes as u64, Ordering::Relaxed);
        self.users.store(sizes.users as u32, Ordering::Relaxed);
        self.rooms.store(sizes.rooms_at_home as u32, Ordering::Relaxed);
        if let Ok(mut counts) = self.counts.try_lock() {
            *counts = shard.counts();
        }
        let stale = sizes.stale as u32;
        (self.stale.swap(stale, Ordering::Relaxed) < stale).then_some(stale)
    }
}

/// Roles counted by name.
const ROLES_MAX: usize = 64;
