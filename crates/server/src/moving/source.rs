//! Where rooms come from. It writes nothing there.

use anyhow::{Context, Result, bail};
use engine_disk::{Beside, Giving};
use engine_redis::Survey;
use ferry::{Asker, Give, Linked};
use link::{Deployment, Link, SameKeys};

use crate::config::Typed;
use crate::engines;
use crate::moving::drawn;
use crate::options::Engine;

pub(super) struct Source {
    pub(super) store: Box<dyn Give>,
    pub(super) deployment: Deployment,
    /// How many there are, where that is known before.
    pub(super) rooms: Option<u64>,
    /// To look once more whether nobody came.
    redis: Option<engine_redis::Config>,
}

impl Source {
    pub(super) fn beside_whoever_serves(settings: &Typed) -> Result<Source> {
        match &settings.engine {
            Engine::Disk => disk(settings, Beside::Whoever),
            Engine::Redis(url) => redis(&engines::redis_config(url, settings, lease())),
            Engine::Memory => {
                bail!("engine = \"memory\" keeps nothing that could be given: name another with --engine")
            }
            Engine::Nats(_) => {
                bail!("rooms in NATS are backed up by the server's own means: nats stream backup")
            }
        }
    }

    pub(super) fn that_nobody_serves(settings: &Typed) -> Result<Source> {
        match &settings.engine {
            Engine::Disk => disk(settings, Beside::Nobody),
            Engine::Redis(url) => {
                let config = engines::redis_config(url, settings, lease());
                nobody_lives(&config)?;
                Ok(Source { redis: Some(config.clone()), ..redis(&config)? })
            }
            Engine::Memory | Engine::Nats(_) => Source::beside_whoever_serves(settings),
        }
    }

    pub(super) fn nobody_came(&self) -> Result<()> {
        self.redis.as_ref().map_or(Ok(()), nobody_lives)
    }
}

/// As nodes take it.
pub(super) fn lease() -> std::time::Duration {
    rooms::Limits::default().lease
}

pub(super) fn nobody_lives(config: &engine_redis::Config) -> Result<()> {
    let living = Survey::open(config)?.living()?;
    if living.is_empty() {
        return Ok(());
    }
    bail!(
        "nodes serve from this Redis: {}; stop them (SIGTERM drains them), and run this again",
        living.join(", ")
    );
}

fn disk(settings: &Typed, beside: Beside) -> Result<Source> {
    let giving = Giving::open(&settings.data, beside)
        .with_context(|| format!("the data folder {}", settings.data.display()))?;
    let (deployment, rooms) = (giving.deployment().clone(), Some(giving.count()?));
    Ok(Source { store: Box::new(giving), deployment, rooms, redis: None })
}

fn redis(config: &engine_redis::Config) -> Result<Source> {
    let mut survey = Survey::open(config)?;
    let Some(deployment) = survey.deployment()? else {
        bail!("there are no rooms under the prefix {:?}: see `engine` and `engine_prefix`", config.prefix);
    };
    let asker = Asker::open(drawn()?, |answers| {
        let redis = engine_redis::open(config.clone(), &deployment, SameKeys::NeedNot, answers)?;
        Ok::<Box<dyn Link>, engine_redis::OpenError>(Box::new(redis))
    })?;
    let store = Box::new(Linked::new(asker, Box::new(move || survey.rooms())));
    Ok(Source { store, deployment, rooms: None, redis: None })
}
