//! The beginning: is the server there, is it one that can be worked with, whose deployment is it. What is refused says in
//! words what to do. It never shows the password.

use std::fmt;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::mpsc::{SyncSender, sync_channel};
use std::time::{Duration, Instant};

use engine::{Durability, Guarantees, News, Nodes};
use link::{Answers, Deployment, Disagreement, SameKeys};
use redis::Value;
use redis_wire::{Address, Fault, Plan, Unplanned};
use tokio::sync::{mpsc, oneshot};
use tokio::task::LocalSet;

use crate::counts::Counts;
use crate::deployment::{Start, Unjoined};
use crate::keys::Keys;
use crate::lanes::{LANE_MAX, LANES};
use crate::leases::LOOKS_MAX;
use crate::parts::Parts;
use crate::post::Post;
use crate::wires::{Way, Wires};
use crate::{Config, Redis, ears, lanes, leases};

/// The first version with sharded channels, and in which a script's writes are replicated as their effects.
const MAJOR_MIN: u32 = 7;

/// Gigabytes are read in that time, and whoever ends the process meanwhile does not wait much longer.
const LOADED_WITHIN: Duration = Duration::from_secs(30);
const LOADED_AGAIN: Duration = Duration::from_millis(500);

#[derive(Debug)]
pub enum OpenError {
    Address(Unplanned),
    Prefix,
    Unreachable { why: String },
    Loading { why: String },
    Old { server: String, version: String },
    Cluster { server: String, is_one: bool },
    Forgets { server: String, policy: String },
    Deployment(Disagreement),
    Thread(std::io::Error),
}

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            OpenError::Address(why) => why.fmt(f),
            OpenError::Prefix => {
                f.write_str("`prefix` must be 1 to 64 bytes without braces: those choose a key's slot")
            }
            OpenError::Unreachable { why } => {
                write!(
                    f,
                    "Redis cannot be asked: {why}; see `url`, its user and password, and whether it runs"
                )
            }
            OpenError::Loading { why } => write!(
                f,
                "Redis is still loading after {} seconds ({why}): wait until it has read its files, or start again then",
                LOADED_WITHIN.as_secs()
            ),
            OpenError::Old { server, version } => {
                write!(f, "{server} is Redis {version}, and {MAJOR_MIN}.0 or newer is needed: update it")
            }
            OpenError::Cluster { server, is_one: true } => {
                write!(f, "{server} is part of a Cluster: set `cluster = true`")
            }
            OpenError::Cluster { server, is_one: false } => {
                write!(f, "{server} is not part of a Cluster: set `cluster = false`")
            }
            OpenError::Forgets { server, policy } => write!(
                f,
                "{server} throws away any key when its memory is full (maxmemory-policy {policy}), and a log that is thrown \
                 away is lost: set maxmemory-policy to noeviction"
            ),
            OpenError::Deployment(why) => write!(f, "the deployment's record in Redis does not fit: {why}"),
            OpenError::Thread(why) => write!(f, "no thread for Redis: {why}"),
        }
    }
}

impl std::error::Error for OpenError {}

/// Blocks until the server has answered, or has not.
pub fn open(
    config: Config,
    deployment: &Deployment,
    keys: SameKeys,
    answers: Arc<dyn Answers>,
) -> Result<Redis, OpenError> {
    let (way, seeds) = plan(&config)?;
    if config.prefix.is_empty() || config.prefix.len() > 64 || config.prefix.contains(['{', '}']) {
        return Err(OpenError::Prefix);
    }
    let counts = Arc::new(Counts::default());
    let (stop, stopped) = oneshot::channel();
    let (tell, told) = sync_channel(1);
    let start = Start::new(deployment.clone(), keys);
    let engine = Engine { config, way, seeds, start, answers, counts, stopped };
    let thread = std::thread::Builder::new().name("redis".to_owned()).spawn(move || engine.run(&tell));
    let thread = thread.map_err(OpenError::Thread)?;
    match told.recv() {
        Ok(Ok(mut redis)) => {
            redis.stop = Some(stop);
            redis.thread = Some(thread);
            Ok(redis)
        }
        Ok(Err(error)) => Err(error),
        Err(_) => Err(OpenError::Thread(std::io::Error::other("it ended at once"))),
    }
}

pub(crate) fn plan(config: &Config) -> Result<(Way, Vec<Address>), OpenError> {
    let (plan, seeds) = Plan::read(&config.url, config.authorities.as_deref()).map_err(OpenError::Address)?;
    Ok((Way { plan, cluster: config.cluster, connections: config.connections }, seeds))
}

/// What the thread begins with.
struct Engine {
    config: Config,
    way: Way,
    seeds: Vec<Address>,
    start: Start,
    answers: Arc<dyn Answers>,
    counts: Arc<Counts>,
    stopped: oneshot::Receiver<()>,
}

impl Engine {
    fn run(self, tell: &SyncSender<Result<Redis, OpenError>>) {
        let runtime = match tokio::runtime::Builder::new_current_thread().enable_all().build() {
            Ok(runtime) => runtime,
            // Whoever waits for it is there.
            Err(error) => return drop(tell.send(Err(OpenError::Thread(error)))),
        };
        LocalSet::new().block_on(&runtime, self.go_on(tell));
        // A name that is still being looked up keeps nobody.
        runtime.shutdown_background();
    }

    async fn go_on(self, tell: &SyncSender<Result<Redis, OpenError>>) {
        let Engine { config, way, seeds, start, answers, counts, stopped } = self;
        let wires = Wires::new(way, seeds, counts.clone());
        let keys = Keys::new(&config.prefix);
        let begun = async {
            let first = look_when_loaded(&wires).await;
            let durability = look_over(&wires, &config, first).await?;
            let joined = start.first_join(&wires, &keys).await.map_err(|why| match why {
                Unjoined::Disagrees(why) => OpenError::Deployment(why),
                Unjoined::Fault(fault) => unreachable_by(&fault),
            })?;
            Ok((durability, joined))
        };
        let (durability, joined) = match begun.await {
            Ok(begun) => begun,
            // Whoever waits for it is there.
            Err(error) => return drop(tell.send(Err(error))),
        };
        let (looks, looking) = mpsc::channel(LOOKS_MAX);
        let (sends, receives): (Vec<_>, Vec<_>) = (0..LANES).map(|_| mpsc::channel(LANE_MAX)).unzip();
        let post = Post::new(answers, counts.clone());
        let subscriptions = Default::default();
        let lease = config.lease;
        let parts = Parts::new(lease, keys, wires, post, subscriptions, start, counts.clone(), looks.clone());
        parts.subscriptions.want(&parts.keys.ended_channel(), None);
        for (lane, errands) in receives.into_iter().enumerate() {
            tokio::task::spawn_local(lanes::go_on(parts.clone(), lane, errands));
        }
        tokio::task::spawn_local(leases::go_on(parts.clone(), looking, sends.clone()));
        let listening = tokio::task::spawn_local(ears::listen(parts.clone()));
        let posting: Rc<Parts> = parts.clone();
        let posting = tokio::task::spawn_local(async move { posting.post.go_round().await });
        // Who asks first should already see who is alive; where it cannot be seen, it is looked for again and again.
        parts.look_now().await;
        let guarantees =
            Guarantees { format: joined.format, nodes: Nodes::Many, durability, news: News::MayDrop };
        let redis = Redis { lanes: sends, looks, counts, guarantees, joined, stop: None, thread: None };
        if tell.send(Ok(redis)).is_ok() {
            // Told, or nobody is left to tell: both end it. So does the end of what must not end.
            tokio::select! {
                _ = stopped => {}
                _ = listening => {}
                _ = posting => {}
            }
        }
    }
}

/// A server that has just begun again is there in a moment. What it says after that, it is refused with.
async fn look_when_loaded(wires: &Wires) -> Result<(), Fault> {
    let (until, mut loads) = (Instant::now() + LOADED_WITHIN, false);
    loop {
        let first = wires.look_first().await;
        match &first {
            Err(Fault::Loading(why)) if !loads => {
                tracing::warn!(why, "Redis has just begun; it is waited for");
                loads = true;
            }
            Err(Fault::Loading(_)) => {}
            // After a few times it is asked more seldom.
            Err(Fault::Away) if loads => {}
            _ => return first,
        }
        if Instant::now() >= until {
            return first;
        }
        tokio::time::sleep(LOADED_AGAIN).await;
    }
}

pub(crate) fn unreachable_by(fault: &Fault) -> OpenError {
    let why = fault.words().to_owned();
    match fault {
        Fault::Loading(_) => OpenError::Loading { why },
        _ => OpenError::Unreachable { why },
    }
}

/// Every server that owns something must be one that keeps it; what a record survives is what it survives on the weakest.
async fn look_over(
    wires: &Wires,
    config: &Config,
    first: Result<(), Fault>,
) -> Result<Durability, OpenError> {
    let mut durability = Durability::Power;
    for owner in wires.owners() {
        let server = owner.to_string();
        let info = wires.ask_server(&owner, &redis::cmd("INFO")).await;
        let info = match (&first, info) {
            (_, Ok(info)) => info,
            (Err(fault), Err(_)) => return Err(unreachable_by(fault)),
            (Ok(()), Err(fault @ Fault::Loading(_))) => return Err(unreachable_by(&fault)),
            (Ok(()), Err(fault)) => {
                return Err(OpenError::Unreachable { why: format!("{server}: {}", fault.words()) });
            }
        };
        let info = redis::from_redis_value::<String>(info).unwrap_or_default();
        let line = |name: &str| {
            info.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':')).unwrap_or("").trim()
        };
        let version = line("redis_version").to_owned();
        let major: Option<u32> = version.split('.').next().and_then(|major| major.parse().ok());
        if major.is_some_and(|major| major < MAJOR_MIN) {
            return Err(OpenError::Old { server, version });
        }
        let is_one = line("cluster_enabled") == "1";
        if is_one != config.cluster {
            return Err(OpenError::Cluster { server, is_one });
        }
        let policy = line("maxmemory_policy");
        if policy.starts_with("allkeys") {
            if line("maxmemory") != "0" {
                return Err(OpenError::Forgets { server, policy: policy.to_owned() });
            }
            tracing::warn!(server, policy, "set maxmemory-policy to noeviction before maxmemory");
        }
        durability = durability.min(survives(wires, &owner, line("aof_enabled"), config).await);
    }
    match first {
        Ok(()) => Ok(durability),
        Err(fault) => Err(unreachable_by(&fault)),
    }
}

async fn survives(wires: &Wires, owner: &Address, aof_enabled: &str, config: &Config) -> Durability {
    if aof_enabled == "0" {
        return Durability::None;
    }
    let mut command = redis::cmd("CONFIG");
    command.arg("GET").arg("appendfsync");
    let answer = wires.ask_server(owner, &command).await.unwrap_or(Value::Nil);
    match redis::from_redis_value::<Vec<String>>(answer).unwrap_or_default().get(1).map(String::as_str) {
        Some("always") => Durability::Power,
        Some("everysec" | "no") => Durability::Process,
        // It does not say.
        _ => config.durability,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_that_is_loading_is_not_said_to_need_another_password() {
        let words = |fault: Fault| unreachable_by(&fault).to_string();
        let loading = words(Fault::Loading("loading the dataset in memory".to_owned()));
        assert!(loading.contains("still loading") && loading.contains("read its files"), "{loading}");
        assert!(!loading.contains("password"), "{loading}");
        assert!(words(Fault::Declined("WRONGPASS".to_owned())).contains("password"));
    }
}
