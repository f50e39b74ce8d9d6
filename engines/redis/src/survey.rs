//! What stands in the server, for whoever moves rooms: the deployment's record, who lives, which rooms there are and when they are
//! due. It asks, and writes nothing; it is no node.

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use ferry::{Fault as Lost, Listed};
use link::Deployment;
use redis::Value;
use redis_wire::{Address, Fault};
use tokio::task::LocalSet;
use vocabulary::{RoomId, Wall};

use crate::keys::{Keys, deployment_slot, slice_slot};
use crate::open::{plan, unreachable_by};
use crate::wires::Wires;
use crate::{Config, OpenError};

/// Keys that the server looks at in one step.
const SCANNED_AT_ONCE: u32 = 1000;
/// Looks in a term at whether somebody renewed: more often than anybody renews.
const LOOKS_A_TERM: u32 = 16;

pub struct Survey {
    runtime: tokio::runtime::Runtime,
    tasks: LocalSet,
    wires: Wires,
    keys: Keys,
    term: std::time::Duration,
    /// Servers whose keys were not looked through yet, and how far the first of them was.
    owners: VecDeque<Address>,
    cursor: String,
}

impl Survey {
    pub fn open(config: &Config) -> Result<Survey, OpenError> {
        let (way, seeds) = plan(config)?;
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
        let runtime = runtime.map_err(OpenError::Thread)?;
        let (tasks, keys) = (LocalSet::new(), Keys::new(&config.prefix));
        let wires = Wires::new(way, seeds, Arc::default());
        tasks.block_on(&runtime, wires.look_first()).map_err(|fault| unreachable_by(&fault))?;
        let owners = wires.owners().into();
        let (term, cursor) = (config.lease, "0".to_owned());
        Ok(Survey { runtime, tasks, wires, keys, term, owners, cursor })
    }

    fn ask(&self, slot: u16, command: redis::Cmd) -> Result<Value, Lost> {
        self.tasks.block_on(&self.runtime, self.wires.ask(0, slot, command)).map_err(|fault| lost(&fault))
    }

    /// None: there is none.
    pub fn deployment(&self) -> Result<Option<Deployment>, Lost> {
        let mut get = redis::cmd("GET");
        get.arg(self.keys.record());
        let line: Option<String> = read(self.ask(deployment_slot(), get)?)?;
        let unreadable = |why: link::Disagreement| Lost::Engine {
            what: "the deployment's record in Redis".to_owned(),
            why: why.to_string(),
        };
        line.map(|line| line.parse().map_err(unreadable)).transpose()
    }

    /// Nodes that renew their leases, by the names that they have there. One that died left its lease: it is watched for a term.
    pub fn living(&self) -> Result<Vec<String>, Lost> {
        let before = self.leases()?;
        if before.is_empty() {
            return Ok(Vec::new());
        }
        for _ in 0..LOOKS_A_TERM + 2 {
            let pause = self.term / LOOKS_A_TERM;
            self.tasks.block_on(&self.runtime, async { tokio::time::sleep(pause).await });
            let now = self.leases()?;
            let renewed = now.iter().filter(|(name, ends)| before.get(*name) != Some(*ends));
            let living: Vec<String> = renewed.map(|(name, _)| name.clone()).collect();
            if !living.is_empty() {
                return Ok(living);
            }
        }
        Ok(Vec::new())
    }

    fn leases(&self) -> Result<BTreeMap<String, String>, Lost> {
        let mut all = redis::cmd("HGETALL");
        all.arg(self.keys.leases());
        let all: BTreeMap<String, String> = read(self.ask(deployment_slot(), all)?)?;
        // Who has no shards serves nobody.
        let serves = |(name, lease): &(String, String)| !name.starts_with('!') && !lease.ends_with(" 0");
        Ok(all.into_iter().filter(serves).collect())
    }

    /// Some rooms that were not told yet; one may be told twice. None: that were all.
    pub fn rooms(&mut self) -> Result<Vec<Listed>, Lost> {
        let (pattern, mark) = (format!("{}:{{*}}:room:*", escaped(self.keys.prefix())), "}:room:");
        while let Some(owner) = self.owners.front() {
            let mut scan = redis::cmd("SCAN");
            scan.arg(&self.cursor).arg("MATCH").arg(&pattern).arg("COUNT").arg(SCANNED_AT_ONCE);
            let answer = self.tasks.block_on(&self.runtime, self.wires.ask_server(owner, &scan));
            let (cursor, names): (String, Vec<String>) = read(answer.map_err(|fault| lost(&fault))?)?;
            if cursor == "0" {
                self.owners.pop_front();
            }
            self.cursor = cursor;
            let rooms = names.iter().filter_map(|key| key.split_once(mark));
            let rooms = rooms.filter_map(|(_, name)| RoomId::from_full(name));
            // Of another deployment, whose prefix begins like ours, is what has another name by our own rules.
            let rooms = rooms.filter(|room| names.contains(&self.keys.room(room)));
            let listed: Result<Vec<Listed>, Lost> = rooms.map(|name| self.listed(name)).collect();
            let listed = listed?;
            if !listed.is_empty() {
                return Ok(listed);
            }
        }
        Ok(Vec::new())
    }

    fn listed(&self, name: RoomId) -> Result<Listed, Lost> {
        let mut score = redis::cmd("ZSCORE");
        score.arg(self.keys.due(name.slice())).arg(name.as_str());
        let due: Option<f64> = read(self.ask(slice_slot(name.slice()), score)?)?;
        // Milliseconds fit its 53 bits for longer than anybody waits.
        let due = due.map(|due| Wall(due as i64));
        Ok(Listed { name, due })
    }
}

/// In a pattern, for itself.
fn escaped(prefix: &str) -> String {
    let special = |letter: char| "*?[]\\^-".contains(letter);
    prefix.chars().flat_map(|letter| special(letter).then_some('\\').into_iter().chain([letter])).collect()
}

fn read<T: redis::FromRedisValue>(value: Value) -> Result<T, Lost> {
    redis::from_redis_value(value).map_err(|error| Lost::Engine {
        what: "Redis answers something else than was asked for".to_owned(),
        why: error.to_string(),
    })
}

fn lost(fault: &Fault) -> Lost {
    Lost::Engine { what: "Redis cannot be asked".to_owned(), why: fault.words().to_owned() }
}
