//! Where rooms go to: an empty store, marked so that nobody serves it before all of them are there.

use anyhow::Result;
use engine_disk::{Arriving, Disk, Sync};
use ferry::{Asker, Epochs, Taker};
use link::{Deployment, Link, SameKeys};

use crate::config::Typed;
use crate::engines;
use crate::moving::drawn;
use crate::moving::shared::{Shared, lease};

pub(super) struct Destination {
    pub(super) taker: Taker,
    rest: Rest,
}

/// What is to be done when all are there.
enum Rest {
    Disk { arriving: Arriving, goes_on: bool },
    Shared { shared: Box<Shared>, deployment: Deployment },
}

impl Destination {
    /// `what` is brought: a store that holds a part of something else is refused.
    pub(super) fn open(
        settings: &Typed,
        from: &Deployment,
        what: String,
        epochs: Epochs,
    ) -> Result<Destination> {
        match Shared::of(settings)? {
            None => disk(settings, from, epochs),
            Some(shared) => of(shared, settings, from, what, epochs),
        }
    }

    pub(super) fn finish(self) -> Result<()> {
        // What it asks ends before the store is what it will be.
        drop(self.taker);
        match self.rest {
            Rest::Disk { arriving, goes_on } => arriving.finish(goes_on)?,
            Rest::Shared { shared, deployment } => drop(shared.ask(&deployment, SameKeys::Arrived)?),
        }
        Ok(())
    }
}

/// In the epochs that they had: a folder whose file was put back begins new ones by itself when it is served.
fn disk(settings: &Typed, from: &Deployment, epochs: Epochs) -> Result<Destination> {
    let arriving = Arriving::begin(&settings.data)?;
    // One sync at the end is enough: a draft that is not whole is never served.
    let (folder, sync) = (arriving.draft().to_owned(), Sync::Process);
    let config = engine_disk::Config { folder, sync, lease: lease() };
    let deployment = Deployment { keys: Vec::new(), ..from.clone() };
    let asker = Asker::open(drawn()?, |answers| {
        let disk = Disk::open(config, &deployment, answers)?;
        Ok::<Box<dyn Link>, engine_disk::OpenError>(Box::new(disk))
    })?;
    let taker = Taker::new(asker, deployment.start_tag, Epochs::Same);
    Ok(Destination { taker, rest: Rest::Disk { arriving, goes_on: epochs == Epochs::Same } })
}

fn of(
    shared: Shared,
    settings: &Typed,
    from: &Deployment,
    what: String,
    epochs: Epochs,
) -> Result<Destination> {
    shared.nobody_lives()?;
    let start_tag = match epochs {
        Epochs::Same => from.start_tag,
        Epochs::Next(tag) => tag,
    };
    let marked = Deployment { format: engine::Format::ARRIVING, start_tag, keys: vec![what], ..from.clone() };
    // Of a restore that was begun before, with the tag of then.
    let (asker, joined) = shared.ask(&marked, SameKeys::Must)?;
    let start_tag = joined.start_tag;
    let epochs = match epochs {
        Epochs::Same => Epochs::Same,
        Epochs::Next(_) => Epochs::Next(start_tag),
    };
    let keys = engines::fingerprints(settings);
    let deployment = Deployment { start_tag, keys, ..from.clone() };
    let taker = Taker::new(asker, start_tag, epochs);
    Ok(Destination { taker, rest: Rest::Shared { shared: Box::new(shared), deployment } })
}
