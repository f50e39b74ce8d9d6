//! Which engine this binary keeps its rooms in. A new engine is a line here.

use std::sync::Arc;
use std::time::Duration;

use engine::MemoryLimits;
use engine_nats::{Credentials, Nats};
use engine_redis::Redis;
use identity::Algorithm;
use link::{Deployment, Link, SameKeys};
use node::{Engine, Open};
use sha2::{Digest, Sha256};

use crate::config::{Hidden, KeysAt, Proof, Signing, Typed};
use crate::nats_addresses::{self, Addresses};
use crate::options;

/// What is the same for every engine.
pub(crate) struct Ground {
    pub start_tag: u32,
    pub lease: Duration,
    /// Of memory, where that is known.
    pub budget: Option<u64>,
}

pub(crate) fn engine(settings: &Typed, ground: &Ground) -> Engine {
    match &settings.engine {
        options::Engine::Memory => Engine::Memory(memory_limits(settings.shards, ground.budget)),
        options::Engine::Disk => Engine::Outside(disk(settings, ground)),
        options::Engine::Redis(url) => Engine::Outside(redis(url, settings, ground)),
        options::Engine::Nats(text) => Engine::Outside(nats(text, settings, ground)),
    }
}

fn disk(settings: &Typed, ground: &Ground) -> Open {
    let lease = ground.lease;
    let config = engine_disk::Config { folder: settings.data.clone(), sync: settings.disk_sync, lease };
    // Nobody else uses the folder, so that its record compares no keys.
    let deployment = Deployment::of_this_build(ground.start_tag, Vec::new());
    Box::new(move |answers| {
        let disk: Arc<dyn Link> = Arc::new(engine_disk::Disk::open(config, &deployment, answers)?);
        Ok(disk)
    })
}

fn redis(url: &str, settings: &Typed, ground: &Ground) -> Open {
    let config = redis_config(url, settings, ground.lease);
    let deployment = Deployment::of_this_build(ground.start_tag, fingerprints(settings));
    Box::new(move |answers| {
        let redis: Redis = engine_redis::open(config, &deployment, SameKeys::Must, answers)?;
        let link: Arc<dyn Link> = Arc::new(redis);
        Ok(link)
    })
}

pub(crate) fn redis_config(url: &str, settings: &Typed, lease: Duration) -> engine_redis::Config {
    engine_redis::Config {
        url: url.to_owned(),
        prefix: settings.engine_prefix.clone(),
        cluster: settings.redis.cluster,
        authorities: settings.redis.authorities.clone(),
        connections: settings.redis.connections,
        lease,
        durability: settings.redis.durability,
    }
}

fn nats(text: &str, settings: &Typed, ground: &Ground) -> Open {
    let config = match nats_config(text, settings, ground.lease) {
        Ok(config) => config,
        // The config is refused with the same words before it comes to this.
        Err(why) => return Box::new(move |_| Err(why.into())),
    };
    let deployment = Deployment::of_this_build(ground.start_tag, fingerprints(settings));
    Box::new(move |answers| {
        let nats: Nats = engine_nats::open(config, &deployment, SameKeys::Must, answers)?;
        let link: Arc<dyn Link> = Arc::new(nats);
        Ok(link)
    })
}

pub(crate) fn nats_config(
    text: &str,
    settings: &Typed,
    lease: Duration,
) -> Result<engine_nats::Config, String> {
    let Addresses { servers, user, tls } = nats_addresses::read(text)?;
    let of_nats = &settings.nats;
    let mut config = engine_nats::Config::new("");
    config.servers = servers;
    config.prefix.clone_from(&settings.engine_prefix);
    config.domain.clone_from(&of_nats.domain);
    config.credentials = match (&of_nats.credentials, user) {
        (Some(file), _) => Credentials::File(file.clone()),
        (None, Some((user, password))) => Credentials::Password { user, password },
        (None, None) => Credentials::None,
    };
    config.tls.required = tls;
    config.tls.authorities.clone_from(&of_nats.authorities);
    config.replicas = of_nats.replicas;
    config.keeps = of_nats.keeps;
    config.log_bytes_max = of_nats.log_bytes;
    config.lease = lease;
    Ok(config)
}

/// Enough of each key to see whether two nodes have one in common, and nothing to find it by: 64 bits of a digest.
pub(crate) fn fingerprints(settings: &Typed) -> Vec<String> {
    let of = |what: &str, text: &str| {
        let digest = Sha256::new().chain_update(what).chain_update("\0").chain_update(text).finalize();
        digest[..8].iter().map(|byte| format!("{byte:02x}")).collect::<String>()
    };
    let shared = |algorithm: Algorithm, text: &str| of(&format!("kulkul secret {algorithm:?}"), text);
    let ours = match &settings.signing {
        Signing::Secret(Hidden(text)) => Some(shared(Algorithm::Hs256, text)),
        Signing::Folder | Signing::Others => None,
    };
    let keys = settings.auth.keys.iter().map(|key| match &key.proof {
        Proof::Shared { algorithm, secret: Hidden(text) } => shared(*algorithm, text),
        Proof::Public { pem, .. } => of("kulkul public", pem),
    });
    let sets = settings.auth.key_sets.iter().map(|set| match &set.at {
        KeysAt::File(path) => of("kulkul file", &path.display().to_string()),
        KeysAt::Url(url) => of("kulkul url", url),
    });
    ours.into_iter().chain(keys).chain(sets).collect()
}

/// Half of the budget for what the engine keeps; the other half is connections, rooms that are open, and what is on its way.
fn memory_limits(shards: u16, budget: Option<u64>) -> MemoryLimits {
    let limits = MemoryLimits::default();
    let share = |budget: u64| (budget / 2 / u64::from(shards)) as usize;
    MemoryLimits { bytes_max: budget.map_or(limits.bytes_max, share), ..limits }
}
