//! The scenarios by name. Each is a file with its numbers beside it: what is done, to how many, and what must hold.

pub(crate) mod broker_restarts;
pub(crate) mod churn;
pub(crate) mod clocks;
pub(crate) mod descriptors;
pub(crate) mod drain;
pub(crate) mod fan_in;
pub(crate) mod flaky;
pub(crate) mod flips;
pub(crate) mod full_disk;
pub(crate) mod hot_room;
pub(crate) mod kills;
pub(crate) mod memory;
pub(crate) mod node_kills;
pub(crate) mod outage;
pub(crate) mod paused_node;
pub(crate) mod points;
pub(crate) mod power;
pub(crate) mod proxies;
pub(crate) mod reload;
pub(crate) mod rolling;
pub(crate) mod signs;
pub(crate) mod slow_readers;
pub(crate) mod soak;
pub(crate) mod starved;
pub(crate) mod storm;
pub(crate) mod sync_error;
mod table;
pub(crate) mod teeth;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Result, bail, ensure};

use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::Fleet;
use crate::front::read_logs;
use crate::history::History;
use crate::outcome::Outcome;
use crate::token::Signer;
use crate::world::World;

pub(crate) use table::ALL;

/// How large a run is. Latencies are judged in the full one alone: the small one shares its machine with a build.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Size {
    Full,
    Small,
}

pub(crate) struct Site<'a> {
    pub(crate) world: &'a World,
    pub(crate) size: Size,
    pub(crate) seed: u64,
    pub(crate) say: &'a dyn Fn(&str),
}

impl Site<'_> {
    pub(crate) fn sized<T>(&self, full: T, small: T) -> T {
        match self.size {
            Size::Full => full,
            Size::Small => small,
        }
    }

    pub(crate) fn is_full(&self) -> bool {
        self.size == Size::Full
    }
}

pub(crate) struct Scenario {
    pub(crate) name: &'static str,
    /// The row of the acceptance table that it stands for.
    pub(crate) row: &'static str,
    pub(crate) about: &'static str,
    /// It mostly waits: in the short form it runs beside its neighbours that do so too.
    pub(crate) waits: bool,
    pub(crate) run: fn(&Site<'_>) -> Result<Outcome>,
}

/// What stands behind the name of a scenario that runs several times: with what it is run.
const ENDINGS: [&str; 4] = ["-redis", "-nats", "-haproxy", "-nginx"];

impl Scenario {
    /// By its whole name, its row, or its name without the broker.
    fn is_named(&self, name: &str) -> bool {
        let bare = ENDINGS.iter().find_map(|ending| self.name.strip_suffix(ending));
        self.name == name || bare == Some(name) || self.row.eq_ignore_ascii_case(name)
    }
}

pub(crate) fn named(names: &[String]) -> Result<Vec<&'static Scenario>> {
    if names.is_empty() {
        return Ok(ALL.iter().collect());
    }
    let mut found = Vec::new();
    for name in names {
        let count = found.len();
        found.extend(ALL.iter().filter(|it| it.is_named(name)));
        if found.len() == count {
            let known: Vec<&str> = ALL.iter().map(|it| it.name).collect();
            bail!("`{name}` is no scenario; there are {}", known.join(", "))
        }
    }
    Ok(found)
}

/// Longer than a crowd needs to be whole again on the slowest machine.
pub(crate) const WHOLE_WITHIN: Duration = Duration::from_secs(60);

/// The load ends, everybody hears the rest, the logs are read by somebody new, and the checker has its say.
pub(crate) fn judged(
    mut crowd: Crowd,
    port: u16,
    signer: &Signer,
    rooms: u16,
    outcome: &mut Outcome,
) -> Result<History> {
    if let Err(error) = crowd.settle(WHOLE_WITHIN) {
        outcome.broken.push(format!("{error:#}"));
    }
    outcome.figure("sent", crowd.figures.sent);
    outcome.broken.extend(crowd.complaint());
    let mut closed: BTreeMap<u16, usize> = BTreeMap::new();
    for (_, code) in &crowd.goodbyes {
        *closed.entry(*code).or_default() += 1;
    }
    let closed: Vec<String> = closed.iter().map(|(code, times)| format!("{code}: {times}")).collect();
    outcome.figure("closed with", if closed.is_empty() { "none".to_owned() } else { closed.join(", ") });
    let crowd_acked = crowd.figures.acked;
    let history = crowd.history(|epochs| read_logs(port, signer, epochs, rooms))?;
    outcome.judged(&history);
    outcome.must(crowd_acked > 0, || "nothing was acknowledged".to_owned());
    Ok(history)
}

/// Nodes on a broker, and a crowd spread over them that is all there and begins to speak.
fn gathered(site: &Site<'_>, on: Kind, plan: Plan, config: &str) -> Result<(Fleet, Crowd)> {
    let fleet = Fleet::start(site.world, on, config)?;
    let mut crowd = Crowd::new(plan, &fleet.ports(), &fleet.signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    Ok((fleet, crowd))
}

fn gather(crowd: &mut Crowd) -> Result<()> {
    crowd.arrive(1000);
    let all = crowd.clients.len();
    let whole = crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
    ensure!(whole, "{} of {all} clients are live", crowd.live());
    Ok(())
}

/// Goes on with the load until something holds that is asked from outside; whether it does.
pub(crate) fn turned(
    crowd: &mut Crowd,
    within: Duration,
    mut holds: impl FnMut() -> Result<bool>,
) -> Result<bool> {
    let until = Instant::now() + within;
    while Instant::now() < until {
        if holds()? {
            return Ok(true);
        }
        crowd.spend(crate::LOOK)?;
    }
    Ok(false)
}

/// Lines of the server's log that begin so.
pub(crate) fn lines_with(log: &Path, words: &str) -> usize {
    let text = std::fs::read(log).unwrap_or_default();
    String::from_utf8_lossy(&text).lines().filter(|line| line.contains(words)).count()
}
