//! Where rooms come from. It writes nothing there.

use anyhow::{Context, Result, bail};
use engine_disk::{Beside, Giving};
use ferry::{Give, Linked};
use link::{Deployment, SameKeys};

use crate::config::Typed;
use crate::moving::shared::Shared;

pub(super) struct Source {
    pub(super) store: Box<dyn Give>,
    pub(super) deployment: Deployment,
    /// How many there are, where that is known before.
    pub(super) rooms: Option<u64>,
    /// To look once more whether nobody came.
    alone: Option<Shared>,
}

impl Source {
    pub(super) fn beside_whoever_serves(settings: &Typed) -> Result<Source> {
        match Shared::of(settings)? {
            None => disk(settings, Beside::Whoever),
            Some(shared) => of(settings, &shared),
        }
    }

    pub(super) fn that_nobody_serves(settings: &Typed) -> Result<Source> {
        match Shared::of(settings)? {
            None => disk(settings, Beside::Nobody),
            Some(shared) => {
                shared.nobody_lives()?;
                Ok(Source { alone: Some(shared.clone()), ..of(settings, &shared)? })
            }
        }
    }

    pub(super) fn nobody_came(&self) -> Result<()> {
        self.alone.as_ref().map_or(Ok(()), Shared::nobody_lives)
    }
}

fn disk(settings: &Typed, beside: Beside) -> Result<Source> {
    let giving = Giving::open(&settings.data, beside)
        .with_context(|| format!("the data folder {}", settings.data.display()))?;
    let (deployment, rooms) = (giving.deployment().clone(), Some(giving.count()?));
    Ok(Source { store: Box::new(giving), deployment, rooms, alone: None })
}

fn of(settings: &Typed, shared: &Shared) -> Result<Source> {
    let Some(deployment) = shared.deployment()? else {
        let prefix = &settings.engine_prefix;
        bail!("there are no rooms under the prefix {prefix:?}: see `engine` and `engine_prefix`");
    };
    // With the keys that are kept: nothing of the record is changed.
    let (asker, deployment) = shared.ask(&deployment, SameKeys::NeedNot)?;
    let store = Box::new(Linked::new(asker, shared.rooms()?));
    Ok(Source { store, deployment, rooms: None, alone: None })
}
