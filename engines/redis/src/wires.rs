//! The way of a command to the server that owns its slot. Outside Cluster one server owns them all. It carries commands and
//! answers, opens neither, and asks nothing of its own but who owns which slot.

use std::cell::{Cell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use link::Spacing;
use redis::{ProtocolVersion, Value};
use redis_wire::{Address, Call, Fault, Manner, Outcome, Plan, Refusal, Script, Server};
use tokio::sync::Notify;

use crate::counts::{Counts, add, set};
use crate::lanes::LANES;

const SLOTS: usize = 16384;
/// A command is sent on at most so often: a cluster that is being rearranged needs two.
const REDIRECTS_MAX: usize = 5;
/// Who owns which slot is asked again at most so often.
const LOOK_EVERY: Duration = Duration::from_millis(200);

/// How the servers are spoken to.
pub(crate) struct Way {
    pub(crate) plan: Plan,
    pub(crate) cluster: bool,
    pub(crate) connections: usize,
}

pub(crate) struct Wires {
    pub(crate) way: Way,
    seeds: Vec<Address>,
    owners: RefCell<Vec<Address>>,
    servers: RefCell<BTreeMap<Address, Rc<Server>>>,
    looked: Cell<Option<Instant>>,
    /// Slots have other owners than before: subscriptions move with them.
    pub(crate) moved: Notify,
    counts: Arc<Counts>,
}

impl Wires {
    pub(crate) fn new(way: Way, seeds: Vec<Address>, counts: Arc<Counts>) -> Wires {
        let first = seeds[0].clone();
        Wires {
            way,
            seeds,
            owners: RefCell::new(vec![first; SLOTS]),
            servers: RefCell::new(BTreeMap::new()),
            looked: Cell::new(None),
            moved: Notify::new(),
            counts,
        }
    }

    pub(crate) fn owner(&self, slot: u16) -> Address {
        self.owners.borrow()[usize::from(slot)].clone()
    }

    /// Whether the owner of a slot is not asked at present.
    pub(crate) fn is_away(&self, slot: u16) -> bool {
        self.servers.borrow().get(&self.owner(slot)).is_some_and(|server| server.is_open())
    }

    /// Everybody who owns a slot.
    pub(crate) fn owners(&self) -> Vec<Address> {
        let mut owners = self.owners.borrow().clone();
        owners.dedup();
        owners.sort();
        owners.dedup();
        owners
    }

    fn server(&self, address: &Address) -> Result<Rc<Server>, Fault> {
        if let Some(server) = self.servers.borrow().get(address) {
            return Ok(server.clone());
        }
        let client = self.way.plan.client(address, ProtocolVersion::RESP2);
        let client = client.map_err(|error| Fault::Unsent(error.to_string()))?;
        let manner = Manner { connections: self.way.connections, pipeline: LANES, circuit: Spacing::Engine };
        let server = Server::new(address.clone(), client, manner, self.counts.clone());
        self.servers.borrow_mut().insert(address.clone(), server.clone());
        set(&self.counts.servers, self.servers.borrow().len());
        Ok(server)
    }

    pub(crate) async fn run(
        &self,
        lane: usize,
        slot: u16,
        script: &Script,
        call: Call,
    ) -> Result<Value, Fault> {
        let mut command = |known| if known { script.by_hash(&call) } else { script.by_text(&call) };
        self.send(lane, slot, &mut command).await.inspect_err(|fault| self.note(fault))
    }

    pub(crate) async fn ask(&self, lane: usize, slot: u16, command: redis::Cmd) -> Result<Value, Fault> {
        self.send(lane, slot, &mut |_| command.clone()).await.inspect_err(|fault| self.note(fault))
    }

    /// One server, whoever owns what.
    pub(crate) async fn ask_server(&self, address: &Address, command: &redis::Cmd) -> Result<Value, Fault> {
        match self.server(address)?.ask(0, command, false).await {
            Outcome::Answer(value) => Ok(value),
            Outcome::Fault(fault) => Err(fault),
            Outcome::Broken(words) => Err(Fault::Doubtful(words)),
            Outcome::Moved(..) | Outcome::Ask(..) | Outcome::NoScript => Err(Fault::Unreadable),
        }
    }

    async fn send(
        &self,
        lane: usize,
        slot: u16,
        command: &mut dyn FnMut(bool) -> redis::Cmd,
    ) -> Result<Value, Fault> {
        let (mut known, mut to, mut asking) = (true, self.owner(slot), false);
        for _ in 0..=REDIRECTS_MAX {
            let server = self.server(&to)?;
            match server.ask(lane, &command(known), asking).await {
                Outcome::Answer(value) => return Ok(value),
                Outcome::NoScript => {
                    add(&self.counts.scripts_sent_total);
                    known = false;
                }
                Outcome::Moved(host, port) => {
                    add(&self.counts.redirects_total);
                    to = named(&to, host, port);
                    asking = false;
                    self.owners.borrow_mut()[usize::from(slot)] = to.clone();
                    self.look(&to).await;
                    self.moved.notify_one();
                }
                Outcome::Ask(host, port) => {
                    add(&self.counts.redirects_total);
                    to = named(&to, host, port);
                    asking = true;
                }
                Outcome::Broken(words) => return Err(Fault::Doubtful(words)),
                Outcome::Fault(fault) => {
                    self.look_elsewhere(&fault, &to).await;
                    return Err(fault);
                }
            }
        }
        Err(Fault::Declined("the slot has no owner: each server names another".to_owned()))
    }

    fn note(&self, fault: &Fault) {
        if let Fault::Refused(refusal, words) = fault {
            add(match refusal {
                Refusal::Memory => &self.counts.refused_memory_total,
                Refusal::ReadOnly => &self.counts.refused_read_only_total,
                Refusal::Replicas => &self.counts.refused_replicas_total,
                Refusal::Disk => &self.counts.refused_disk_total,
            });
            self.counts.is_away(WRITES, words);
        }
    }

    /// A write that every deployment does again and again was done.
    pub(crate) fn writes_are_taken(&self) {
        self.counts.is_back(WRITES);
    }

    /// Who does not answer, or says that the cluster is broken, may not be the owner any more.
    async fn look_elsewhere(&self, fault: &Fault, of: &Address) {
        let is_the_owner =
            matches!(fault, Fault::Moving | Fault::Refused(Refusal::Memory | Refusal::Disk, _));
        if !self.way.cluster || is_the_owner {
            return;
        }
        let others: Vec<Address> =
            self.owners().into_iter().chain(self.seeds.iter().cloned()).filter(|other| other != of).collect();
        for other in others {
            if self.look(&other).await {
                return;
            }
        }
    }

    /// Asks one server who owns which slot. Whether it said so, or was asked just now.
    pub(crate) async fn look(&self, whom: &Address) -> bool {
        if !self.way.cluster || self.looked.get().is_some_and(|last| last.elapsed() < LOOK_EVERY) {
            return true;
        }
        let Ok(server) = self.server(whom) else { return false };
        if server.is_open() {
            return false;
        }
        let mut command = redis::cmd("CLUSTER");
        command.arg("SLOTS");
        let Outcome::Answer(answer) = server.ask(0, &command, false).await else { return false };
        let Some(owners) = owners_of(answer, whom) else { return false };
        self.looked.set(Some(Instant::now()));
        let changed = {
            let mut held = self.owners.borrow_mut();
            let mut changed = false;
            for (from, to, owner) in owners {
                for slot in &mut held[usize::from(from)..=usize::from(to)] {
                    changed |= *slot != owner;
                    *slot = owner.clone();
                }
            }
            changed
        };
        if changed {
            let owners = self.owners();
            self.servers.borrow_mut().retain(|address, _| owners.contains(address));
            set(&self.counts.servers, self.servers.borrow().len());
            self.moved.notify_one();
        }
        true
    }

    /// The owners as the first seed that answers knows them.
    pub(crate) async fn look_first(&self) -> Result<(), Fault> {
        let mut last = Fault::Away;
        for seed in &self.seeds {
            let ping = self.server(seed)?.ask(0, &redis::cmd("PING"), false).await;
            match ping {
                Outcome::Answer(_) => {
                    *self.owners.borrow_mut() = vec![seed.clone(); SLOTS];
                    if self.look(seed).await {
                        return Ok(());
                    }
                    last = Fault::Declined("it tells no owners of slots (CLUSTER SLOTS)".to_owned());
                }
                Outcome::Fault(fault) => last = fault,
                _ => last = Fault::Unreadable,
            }
        }
        Err(last)
    }
}

/// Under which name the refusal of writes stands among the reasons of being away.
const WRITES: &str = "writes";

/// A server that names no host means its own.
fn named(by: &Address, host: String, port: u16) -> Address {
    Address { host: if host.is_empty() { by.host.clone() } else { host }, port }
}

/// The owners in an answer to `CLUSTER SLOTS`.
fn owners_of(answer: Value, asked: &Address) -> Option<Vec<(u16, u16, Address)>> {
    let Value::Array(ranges) = answer else { return None };
    let slot = |value: &Value| match value {
        Value::Int(slot) => u16::try_from(*slot).ok().filter(|slot| usize::from(*slot) < SLOTS),
        _ => None,
    };
    let mut owners = Vec::with_capacity(ranges.len());
    for range in ranges {
        let Value::Array(parts) = range else { return None };
        let (from, to) = (slot(parts.first()?)?, slot(parts.get(1)?)?);
        let Value::Array(owner) = parts.get(2)? else { return None };
        let host = match owner.first()? {
            Value::BulkString(host) => String::from_utf8_lossy(host).into_owned(),
            Value::SimpleString(host) => host.clone(),
            _ => String::new(),
        };
        let Value::Int(port) = owner.get(1)? else { return None };
        if from > to {
            return None;
        }
        owners.push((from, to, named(asked, host, u16::try_from(*port).ok()?)));
    }
    (!owners.is_empty()).then_some(owners)
}
