//! Where log lines go, and how they look: for people on a terminal, JSON for machines; always on standard error.

use std::io::IsTerminal;

use anyhow::{Context, Result};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Layer, Registry, fmt, reload};

use crate::config::{Log, LogFormat};

/// Changes the level of a running log.
pub(crate) struct Dial(reload::Handle<EnvFilter, Registry>);

pub(crate) fn start(log: &Log) -> Result<Dial> {
    let (filter, dial) = reload::Layer::new(EnvFilter::try_new(&log.level)?);
    let json = match log.format {
        LogFormat::Json => true,
        LogFormat::Text => false,
        LogFormat::Auto => !std::io::stderr().is_terminal(),
    };
    let lines = fmt::layer().with_writer(std::io::stderr).with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().flatten_event(true).with_ansi(false).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(Dial(dial))
}

impl Dial {
    pub(crate) fn set(&self, level: &str) -> Result<()> {
        let filter = EnvFilter::try_new(level)?;
        self.0.reload(filter).context("the log is gone")
    }
}
