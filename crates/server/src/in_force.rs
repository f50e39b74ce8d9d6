//! The settings in force as an operator may see them while the server runs: what `kulkul check` prints, without secrets. It reads no file.

use std::sync::{Arc, Mutex, PoisonError};

use serde_json::Value;

use crate::check;
use crate::config::Config;

/// Held for a copy, or to put a newer one there.
#[derive(Clone)]
pub(crate) struct InForce(Arc<Mutex<Value>>);

impl InForce {
    pub(crate) fn begins(config: &Config) -> InForce {
        InForce(Arc::new(Mutex::new(told(config, config))))
    }

    /// The file was read again.
    pub(crate) fn follows(&self, began: &Config, last: &Config) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = told(began, last);
    }

    pub(crate) fn shown(&self) -> Value {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// What needs a restart is still as the server began with it.
fn told(began: &Config, last: &Config) -> Value {
    let waiting = last.changes_since(began, last).needs_restart;
    let waits = |key: &str| {
        waiting.iter().any(|change| change.key == key || key.starts_with(&format!("{}[", change.key)))
    };
    let mut told = check::sound(last);
    let settings = last.settings().into_iter().filter(|(key, _)| !waits(key));
    let before = began.settings().into_iter().filter(|(key, _)| waits(key));
    told["settings"] = settings.chain(before).map(check::setting).collect();
    told["needs_restart"] = waiting.iter().map(|change| Value::from(change.to_string())).collect();
    told
}
