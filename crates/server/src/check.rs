//! `kulkul check`: every setting in force and where it came from, or everything that is wrong. It reads as `serve` does and
//! changes nothing.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use serde_json::json;

use crate::config::{self, Config, Faults, Place};
use crate::options::Look;

const BRIGHT: (&str, &str) = ("\x1b[1m", "\x1b[0m");
const DIM: (&str, &str) = ("\x1b[2m", "\x1b[0m");
const PLAIN: (&str, &str) = ("", "");

pub(crate) fn run(look: &Look) -> Result<()> {
    let read = config::read_with_files(&look.as_served());
    let mut out = std::io::stdout().lock();
    match (read, look.json) {
        (Ok(config), true) => writeln!(out, "{:#}", sound(&config))?,
        (Ok(config), false) => {
            print(&config, is_coloured(), &mut out)?;
        }
        (Err(faults), true) => {
            writeln!(out, "{:#}", unsound(&faults))?;
            return Err(faults.into());
        }
        (Err(faults), false) => return Err(faults.into()),
    }
    Ok(())
}

/// On a terminal, unless its owner asked for none.
pub(crate) fn is_coloured() -> bool {
    std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none_or(|it| it.is_empty())
}

fn print(config: &Config, coloured: bool, out: &mut impl Write) -> std::io::Result<()> {
    let settings = config.settings();
    let rows: Vec<_> = settings.iter().map(|(key, setting)| (key, setting.shown(), &setting.place)).collect();
    let widest = |longest: Option<usize>, most: usize| longest.unwrap_or(0).min(most);
    let keys = widest(rows.iter().map(|(key, ..)| key.chars().count()).max(), 40);
    let values = widest(rows.iter().map(|(_, value, _)| value.chars().count()).max(), 40);
    for (key, value, place) in rows {
        let (on, off) = match (coloured, place) {
            (false, _) => PLAIN,
            (true, Place::Default) => DIM,
            (true, _) => BRIGHT,
        };
        writeln!(out, "{on}{key:keys$}  {value:values$}  {place}{off}")?;
    }
    for warning in &config.warnings {
        writeln!(out, "warning: {warning}")?;
    }
    let mode = if config.demo { " (demo mode: no config file)" } else { "" };
    writeln!(out, "the config is sound{mode}")
}

pub(crate) fn setting((key, setting): (String, &config::Setting)) -> serde_json::Value {
    let (value, from, help) = (setting.shown(), setting.place.to_string(), setting.row.help);
    json!({ "key": key, "value": value, "from": from, "help": help })
}

pub(crate) fn sound(config: &Config) -> serde_json::Value {
    let settings: Vec<_> = config.settings().into_iter().map(setting).collect();
    json!({ "sound": true, "demo": config.demo, "settings": settings, "warnings": config.warnings })
}

fn unsound(faults: &Faults) -> serde_json::Value {
    let errors: Vec<_> =
        faults.iter().map(|fault| json!({ "from": fault.place.to_string(), "error": fault.says })).collect();
    json!({ "sound": false, "errors": errors })
}
