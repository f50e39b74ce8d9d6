//! Where rooms go to: an empty store, marked so that nobody serves it before all of them are there.

use anyhow::{Result, bail};
use engine_disk::{Arriving, Disk, Sync};
use ferry::{Asker, Epochs, Taker};
use link::{Deployment, Link, SameKeys};

use crate::config::Typed;
use crate::engines;
use crate::moving::drawn;
use crate::moving::source::{lease, nobody_lives};
use crate::options::Engine;

pub(super) struct Destination {
    pub(super) taker: Taker,
    rest: Rest,
}

/// What is to be done when all are there.
enum Rest {
    Disk { arriving: Arriving, goes_on: bool },
    Redis { config: engine_redis::Config, deployment: Deployment },
}

impl Destination {
    /// `what` is brought: a store that holds a part of something else is refused.
    pub(super) fn open(
        settings: &Typed,
        from: &Deployment,
        what: String,
        epochs: Epochs,
    ) -> Result<Destination> {
        match &settings.engine {
            Engine::Disk => disk(settings, from, epochs),
            Engine::Redis(url) => redis(url, settings, from, what, epochs),
            Engine::Memory => bail!("engine = \"memory\" keeps nothing: name another"),
            Engine::Nats(_) => bail!("rooms cannot be brought into NATS yet: name disk or redis://…"),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        // What it asks ends before the store is what it will be.
        drop(self.taker);
        match self.rest {
            Rest::Disk { arriving, goes_on } => arriving.finish(goes_on)?,
            Rest::Redis { config, deployment } => {
                drop(Asker::open(drawn()?, |answers| {
                    let redis = engine_redis::open(config, &deployment, SameKeys::Arrived, answers)?;
                    Ok::<Box<dyn Link>, engine_redis::OpenError>(Box::new(redis))
                })?);
            }
        }
        Ok(())
    }
}

/// In the epochs that they had: a folder whose file was put back begins new ones by itself when it is served.
fn disk(settings: &Typed, from: &Deployment, epochs: Epochs) -> Result<Destination> {
    let arriving = Arriving::begin(&settings.data)?;
    // One sync at the end is enough: a draft that is not whole is never served.
    let config =
        engine_disk::Config { folder: arriving.draft().to_owned(), sync: Sync::Process, lease: lease() };
    let deployment = Deployment { keys: Vec::new(), ..from.clone() };
    let asker = Asker::open(drawn()?, |answers| {
        let disk = Disk::open(config, &deployment, answers)?;
        Ok::<Box<dyn Link>, engine_disk::OpenError>(Box::new(disk))
    })?;
    let taker = Taker::new(asker, deployment.start_tag, Epochs::Same);
    Ok(Destination { taker, rest: Rest::Disk { arriving, goes_on: epochs == Epochs::Same } })
}

fn redis(
    url: &str,
    settings: &Typed,
    from: &Deployment,
    what: String,
    epochs: Epochs,
) -> Result<Destination> {
    let config = engines::redis_config(url, settings, lease());
    nobody_lives(&config)?;
    let start_tag = match epochs {
        Epochs::Same => from.start_tag,
        Epochs::Next(tag) => tag,
    };
    let marked = Deployment { format: engine::Format::ARRIVING, start_tag, keys: vec![what], ..from.clone() };
    let mut joined = marked.clone();
    let asker = Asker::open(drawn()?, |answers| {
        let redis = engine_redis::open(config.clone(), &marked, SameKeys::Must, answers)?;
        // Of a restore that was begun before, with the tag of then.
        joined = redis.deployment().clone();
        Ok::<Box<dyn Link>, engine_redis::OpenError>(Box::new(redis))
    })?;
    let start_tag = joined.start_tag;
    let epochs = match epochs {
        Epochs::Same => Epochs::Same,
        Epochs::Next(_) => Epochs::Next(start_tag),
    };
    let keys = engines::fingerprints(settings);
    let deployment = Deployment { start_tag, keys, ..from.clone() };
    let taker = Taker::new(asker, start_tag, epochs);
    Ok(Destination { taker, rest: Rest::Redis { config, deployment } })
}
