//! Where log lines go, and how they look: for people on a terminal, JSON for machines; always on standard error.

use std::io::{IsTerminal, Write};

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
    let lines =
        fmt::layer().with_writer(|| Plain(std::io::stderr())).with_ansi(std::io::stderr().is_terminal());
    let lines = if json { lines.json().flatten_event(true).with_ansi(false).boxed() } else { lines.boxed() };
    tracing_subscriber::registry().with(filter).with(lines).init();
    Ok(Dial(dial))
}

/// Writes what a terminal or a reader's eye would obey, and not show, as its number: controls beyond ASCII, and what turns the
/// direction of text or breaks a line. Those of ASCII the layer above has escaped already.
struct Plain<W>(W);

fn is_obeyed(c: char) -> bool {
    matches!(
        c,
        '\u{80}'..='\u{9f}'
            | '\u{61c}'
            | '\u{200e}'
            | '\u{200f}'
            | '\u{2028}'..='\u{202e}'
            | '\u{2066}'..='\u{2069}'
    )
}

impl<W: Write> Write for Plain<W> {
    fn write(&mut self, line: &[u8]) -> std::io::Result<usize> {
        match std::str::from_utf8(line) {
            // As JSON writes them, too.
            Ok(text) if text.contains(is_obeyed) => {
                let plain: String = text
                    .chars()
                    .map(|c| if is_obeyed(c) { format!("\\u{:04x}", u32::from(c)) } else { c.to_string() })
                    .collect();
                self.0.write_all(plain.as_bytes())?;
            }
            Ok(_) | Err(_) => self.0.write_all(line)?,
        }
        Ok(line.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        self.0.flush()
    }
}

impl Dial {
    pub(crate) fn set(&self, level: &str) -> Result<()> {
        let filter = EnvFilter::try_new(level)?;
        self.0.reload(filter).context("the log is gone")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_be_obeyed_is_shown() {
        for (written, shown) in [
            ("plain, žluť, 🐎\n", "plain, žluť, 🐎\n"),
            ("a\u{9b}31mb", "a\\u009b31mb"),
            ("\u{202e}gpj.exe\u{2028}", "\\u202egpj.exe\\u2028"),
        ] {
            let mut out = Plain(Vec::new());
            out.write_all(written.as_bytes()).expect("a list takes it");
            assert_eq!(String::from_utf8_lossy(&out.0), shown);
        }
    }
}
