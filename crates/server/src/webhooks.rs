//! Webhooks as their settings say.

use bridge_webhook::{Config, Hook};

use crate::config::{Hidden, Webhook};

pub(crate) fn config(hooks: &[Webhook], origin: &str) -> Config {
    Config { origin: origin.to_owned(), hooks: hooks.iter().map(hook).collect() }
}

fn hook(hook: &Webhook) -> Hook {
    Hook {
        name: hook.name.clone(),
        url: hook.url.clone(),
        secrets: hook.secrets.iter().map(|Hidden(secret)| secret.clone()).collect(),
        rooms: hook.rooms.clone(),
        types: hook.types.clone(),
        events: hook.events.clone(),
        timeout: hook.timeout,
        connect_timeout: hook.connect_timeout,
        batch: hook.batch,
        at_once: hook.at_once,
        give_up: hook.give_up,
        allow: hook.allow.clone(),
    }
}
