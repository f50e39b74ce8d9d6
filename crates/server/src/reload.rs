//! The config read again while the server runs: what of it holds at once, and what waits for a restart.

use anyhow::{Result, bail};
use link::Disagreement;
use node::Helm;

use crate::config::{self, Changes, Config};
use crate::options::Serve;
use crate::{engines, gate, log, secret};

/// What the server was started with, and what was read last.
pub(crate) struct Read<'a> {
    began: &'a Config,
    last: Option<Config>,
}

impl<'a> Read<'a> {
    pub(crate) fn begins(with: &'a Config) -> Read<'a> {
        Read { began: with, last: None }
    }

    pub(crate) fn last(&self) -> &Config {
        self.last.as_ref().unwrap_or(self.began)
    }

    /// What a new file changes, now or after a restart. An unsound one changes nothing.
    pub(crate) fn again(&mut self, typed: &Serve, dial: &log::Dial, helm: &Helm) {
        match self.followed(typed, dial, helm) {
            Ok(new) => self.last = Some(new),
            Err(error) => {
                tracing::error!("{error:#}");
                tracing::error!("the config is not sound: the old one stays in force");
            }
        }
    }

    /// What a start would refuse: other nodes of the engine would prove this one's tokens no more.
    fn shares_a_key(&self, new: &Config) -> Result<()> {
        let [old, new] = [self.last(), new].map(|config| engines::fingerprints(&config.typed));
        if self.began.typed.engine.is_shared() && !old.iter().any(|key| new.contains(key)) {
            bail!("the keys: {}", Disagreement::Keys);
        }
        Ok(())
    }

    fn followed(&self, typed: &Serve, dial: &log::Dial, helm: &Helm) -> Result<Config> {
        let new = config::read(typed)?;
        self.shares_a_key(&new)?;
        let secret = secret::again(&new, &self.began.typed.data)?;
        let gate = gate::gate(&new, secret.as_ref())?;
        helm.change(|held| gate::follow(held, gate));
        // First, because what is worth a line depends on it.
        if let Err(error) = dial.set(&new.typed.log.level) {
            tracing::error!(%error, "the log level stays as it was");
        }
        let mut limits = gate::limits_within(&new.typed, gate::budget(&self.began.typed));
        // The door keeps to the time that it began with, and so does the first message.
        limits.session.hello = gate::limits(&self.began.typed).session.hello;
        helm.limit(limits);
        let Changes { applied, needs_restart } = new.changes_since(self.began, self.last());
        tracing::info!(
            applied = applied.len(),
            needs_restart = needs_restart.len(),
            "the config was read again"
        );
        for change in &applied {
            tracing::info!("applied: {change}");
        }
        for change in &needs_restart {
            tracing::warn!("needs a restart: {change}");
        }
        Ok(new)
    }
}
