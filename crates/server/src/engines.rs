//! Which engine this binary keeps its rooms in. A new engine is a line here.

use std::sync::Arc;
use std::time::Duration;

use engine::MemoryLimits;
use link::{Deployment, Link};
use node::{Engine, Open};

use crate::config::Typed;
use crate::options;

/// `budget`: of memory, where that is known.
pub(crate) fn engine(settings: &Typed, start_tag: u32, lease: Duration, budget: Option<u64>) -> Engine {
    match &settings.engine {
        options::Engine::Memory => Engine::Memory(memory_limits(settings.shards, budget)),
        options::Engine::Disk => Engine::Outside(disk(settings, start_tag, lease)),
        // The configuration has refused them.
        options::Engine::Redis(_) | options::Engine::Nats(_) => {
            Engine::Memory(memory_limits(settings.shards, budget))
        }
    }
}

fn disk(settings: &Typed, start_tag: u32, lease: Duration) -> Open {
    let config = engine_disk::Config { folder: settings.data.clone(), sync: settings.disk_sync, lease };
    // Nobody else uses the folder, so that its record compares no keys.
    let deployment = Deployment::of_this_build(start_tag, Vec::new());
    Box::new(move |answers| {
        let disk: Arc<dyn Link> = Arc::new(engine_disk::Disk::open(config, &deployment, answers)?);
        Ok(disk)
    })
}

/// Half of the budget for what the engine keeps; the other half is connections, rooms that are open, and what is on its way.
fn memory_limits(shards: u16, budget: Option<u64>) -> MemoryLimits {
    let limits = MemoryLimits::default();
    let share = |budget: u64| (budget / 2 / u64::from(shards)) as usize;
    MemoryLimits { bytes_max: budget.map_or(limits.bytes_max, share), ..limits }
}
