//! Engines that several nodes may serve from, as a move sees them: what stands there, who lives, and a way to ask. It is no node.

use std::sync::Arc;

use anyhow::{Result, bail};
use ferry::{Asker, Rooms};
use link::{Answers, Deployment, Link, SameKeys};

use crate::config::Typed;
use crate::engines;
use crate::moving::drawn;
use crate::options::Engine;

#[derive(Clone)]
pub(super) enum Shared {
    Redis(engine_redis::Config),
    Nats(engine_nats::Config),
}

/// As nodes take it.
pub(super) fn lease() -> std::time::Duration {
    rooms::Limits::default().lease
}

impl Shared {
    /// None: the engine is for one node.
    pub(super) fn of(settings: &Typed) -> Result<Option<Shared>> {
        match &settings.engine {
            Engine::Redis(url) => Ok(Some(Shared::Redis(engines::redis_config(url, settings, lease())))),
            Engine::Nats(text) => {
                let config = engines::nats_config(text, settings, lease()).map_err(anyhow::Error::msg)?;
                Ok(Some(Shared::Nats(config)))
            }
            Engine::Disk => Ok(None),
            Engine::Memory => bail!("engine = \"memory\" keeps nothing: name disk, redis://… or nats://…"),
        }
    }

    pub(super) fn deployment(&self) -> Result<Option<Deployment>> {
        Ok(match self {
            Shared::Redis(config) => engine_redis::Survey::open(config)?.deployment()?,
            Shared::Nats(config) => engine_nats::Survey::open(config)?.deployment()?,
        })
    }

    pub(super) fn nobody_lives(&self) -> Result<()> {
        let (name, living) = match self {
            Shared::Redis(config) => ("Redis", engine_redis::Survey::open(config)?.living()?),
            Shared::Nats(config) => ("NATS", engine_nats::Survey::open(config)?.living()?),
        };
        if living.is_empty() {
            return Ok(());
        }
        bail!(
            "nodes serve from this {name}: {}; stop them (SIGTERM drains them), and run this again",
            living.join(", ")
        );
    }

    pub(super) fn rooms(&self) -> Result<Rooms> {
        Ok(match self {
            Shared::Redis(config) => {
                let mut survey = engine_redis::Survey::open(config)?;
                Box::new(move || survey.rooms())
            }
            Shared::Nats(config) => {
                let mut survey = engine_nats::Survey::open(config)?;
                Box::new(move || survey.rooms())
            }
        })
    }

    /// And the deployment's record as it is then.
    pub(super) fn ask(&self, deployment: &Deployment, keys: SameKeys) -> Result<(Asker, Deployment)> {
        let mut joined = deployment.clone();
        let asker = Asker::open(drawn()?, |answers| {
            let (link, now) = self.open(deployment, keys, answers)?;
            joined = now;
            Ok::<_, anyhow::Error>(link)
        })?;
        Ok((asker, joined))
    }

    fn open(
        &self,
        deployment: &Deployment,
        keys: SameKeys,
        answers: Arc<dyn Answers>,
    ) -> Result<(Box<dyn Link>, Deployment)> {
        Ok(match self {
            Shared::Redis(config) => {
                let redis = engine_redis::open(config.clone(), deployment, keys, answers)?;
                let joined = redis.deployment().clone();
                (Box::new(redis), joined)
            }
            Shared::Nats(config) => {
                let nats = engine_nats::open(config.clone(), deployment, keys, answers)?;
                let joined = nats.deployment().clone();
                (Box::new(nats), joined)
            }
        })
    }
}
