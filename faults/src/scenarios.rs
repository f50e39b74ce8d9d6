//! The scenarios by name. Each is a file with its numbers beside it: what is done, to how many, and what must hold.

pub(crate) mod broker_restarts;
pub(crate) mod churn;
pub(crate) mod drain;
pub(crate) mod fan_in;
pub(crate) mod flips;
pub(crate) mod full_disk;
pub(crate) mod kills;
pub(crate) mod node_kills;
pub(crate) mod outage;
pub(crate) mod paused_node;
pub(crate) mod points;
pub(crate) mod power;
pub(crate) mod reload;
pub(crate) mod rolling;
pub(crate) mod sync_error;
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

impl Scenario {
    /// By its whole name, its row, or its name without the broker.
    fn is_named(&self, name: &str) -> bool {
        let bare = self.name.strip_suffix("-redis").or_else(|| self.name.strip_suffix("-nats"));
        self.name == name || bare == Some(name) || self.row.eq_ignore_ascii_case(name)
    }
}

pub(crate) const ALL: &[Scenario] = &[
    Scenario {
        name: "teeth",
        row: "-",
        about: "the harness itself: an engine that forgets must be found out",
        waits: false,
        run: teeth::run,
    },
    Scenario {
        name: "kills",
        row: "R01",
        about: "kill -9 at random moments under load, and started again at once",
        waits: false,
        run: kills::run,
    },
    Scenario {
        name: "points",
        row: "R02",
        about: "kill -9 at named points of a message's way",
        waits: false,
        run: points::run,
    },
    Scenario {
        name: "power",
        row: "R03",
        about: "no ack before its sync; the power goes, and what was not synced is gone or torn",
        waits: false,
        run: power::run,
    },
    Scenario {
        name: "flips",
        row: "R03",
        about: "single bits of the stored files turned over: served as stored, or refused with words",
        waits: false,
        run: flips::run,
    },
    Scenario {
        name: "full-disk",
        row: "R15",
        about: "the disk is full: nothing is stored, everything else goes on, and so does the server afterwards",
        waits: false,
        run: full_disk::run,
    },
    Scenario {
        name: "sync-error",
        row: "R15",
        about: "syncs fail: nothing acknowledged is lost, nothing is stored twice",
        waits: false,
        run: sync_error::run,
    },
    Scenario {
        name: "churn",
        row: "R09",
        about: "people come and go by the ten thousand, and nothing of them is left",
        waits: false,
        run: churn::run,
    },
    Scenario {
        name: "reload",
        row: "R10",
        about: "pages are reloaded over and over, and nobody is seen to leave",
        waits: false,
        run: reload::run,
    },
    Scenario {
        name: "drain",
        row: "R20",
        about: "SIGTERM under load, once and twice, and everybody resumes",
        waits: false,
        run: drain::run,
    },
    Scenario {
        name: "broker-restarts-redis",
        row: "R04",
        about: "the broker is killed and begun again under three nodes: sockets stay, nothing acknowledged is lost",
        waits: false,
        run: |site| broker_restarts::run(site, Kind::Redis),
    },
    Scenario {
        name: "broker-restarts-nats",
        row: "R04",
        about: "the broker is killed and begun again under three nodes: sockets stay, nothing acknowledged is lost",
        waits: false,
        run: |site| broker_restarts::run(site, Kind::Nats),
    },
    Scenario {
        name: "node-kills-redis",
        row: "R01",
        about: "one of three nodes is killed and started again: its clients go on at the others",
        waits: false,
        run: |site| node_kills::run(site, Kind::Redis),
    },
    Scenario {
        name: "node-kills-nats",
        row: "R01",
        about: "one of three nodes is killed and started again: its clients go on at the others",
        waits: false,
        run: |site| node_kills::run(site, Kind::Nats),
    },
    Scenario {
        name: "fan-in-redis",
        row: "R23",
        about: "eight senders of one room on three nodes: one order, and each sender's own in it",
        waits: false,
        run: |site| fan_in::run(site, Kind::Redis),
    },
    Scenario {
        name: "fan-in-nats",
        row: "R23",
        about: "eight senders of one room on three nodes: one order, and each sender's own in it",
        waits: false,
        run: |site| fan_in::run(site, Kind::Nats),
    },
    Scenario {
        name: "rolling-redis",
        row: "R21",
        about: "three nodes are replaced one after the other: nothing acknowledged is lost, and sending goes on",
        waits: false,
        run: |site| rolling::run(site, Kind::Redis),
    },
    Scenario {
        name: "rolling-nats",
        row: "R21",
        about: "three nodes are replaced one after the other: nothing acknowledged is lost, and sending goes on",
        waits: false,
        run: |site| rolling::run(site, Kind::Nats),
    },
    Scenario {
        name: "paused-node-redis",
        row: "R07",
        about: "one of three nodes sleeps longer than its lease: it writes nothing that is stale, its users leave and come back once",
        waits: true,
        run: |site| paused_node::run(site, Kind::Redis),
    },
    Scenario {
        name: "paused-node-nats",
        row: "R07",
        about: "one of three nodes sleeps longer than its lease: it writes nothing that is stale, its users leave and come back once",
        waits: true,
        run: |site| paused_node::run(site, Kind::Nats),
    },
    Scenario {
        name: "outage-redis",
        row: "R05",
        about: "the broker is away for long: unready and live, refused and never acknowledged, memory bounded",
        waits: true,
        run: |site| outage::run(site, Kind::Redis),
    },
    Scenario {
        name: "outage-nats",
        row: "R05",
        about: "the broker is away for long: unready and live, refused and never acknowledged, memory bounded",
        waits: true,
        run: |site| outage::run(site, Kind::Nats),
    },
];

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
