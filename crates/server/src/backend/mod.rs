//! Back ends: the keys that they say, and the commands that ask a running server as one of them.

mod ask;
mod commands;
mod letters;
mod operate;
mod pages;
mod watch;

use std::sync::Arc;

use anyhow::Result;
use http_api::{Key, Keys, Scope};

use crate::config::{Config, Hidden};
use crate::secret;

pub(crate) use commands::{history, publish, tail};
pub(crate) use letters::letters;
pub(crate) use operate::{connections, console, disconnect, drain, explain, kick, release, rooms, users};

/// Those of the config; in demo mode one for this machine, which may everything.
pub(crate) fn keys(config: &Config) -> Result<Arc<Keys>> {
    let of_config = config.typed.api_keys.iter().map(|key| {
        let Hidden(secret) = &key.secret;
        Key::new(&key.name, secret.as_bytes(), key.scopes.clone(), key.rooms.clone())
    });
    let mut keys: Vec<Key> = of_config.collect();
    if config.demo {
        let secret = secret::api_key(&config.typed.data)?;
        keys.push(Key::new("demo", secret.as_bytes(), Scope::ALL.to_vec(), vec!["*".to_owned()]));
    }
    Ok(Arc::new(Keys::new(keys)))
}
