//! Where log lines go, and how they look: for people on a terminal, JSON for machines; always on standard error.

use std::io::IsTerminal;

use tracing_subscriber::EnvFilter;

/// `KULKUL_LOG` sets the level, per area if wanted: `info`, `warn,node=debug`.
pub(crate) fn start(default: &str) {
    let filter = EnvFilter::try_from_env("KULKUL_LOG").unwrap_or_else(|_| EnvFilter::new(default));
    let lines = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    if std::io::stderr().is_terminal() {
        lines.init();
    } else {
        lines.json().flatten_event(true).with_ansi(false).init();
    }
}
