//! `kulkul explain`: why a user did or did not get a message, by each node that is asked. `kulkul console`: a link that lets in.

use std::io::{IsTerminal, Write};

use anyhow::Result;
use http_api::Scope;
use serde_json::Value;

use super::super::commands::printable;
use super::table::line;
use super::{each, part};
use crate::options::{Console, Explain};

const HOUR_MS: i64 = 3_600_000;

pub(crate) fn explain(ask: &Explain) -> Result<()> {
    let servers = ask.servers.servers(Scope::Inspect)?;
    let query = [("room", ask.room.as_str()), ("offset", &ask.offset), ("user", &ask.user)];
    each(&servers, |server| {
        let told: Value = server.get("/explain", &query)?;
        if ask.servers.json { line(&told) } else { say(&told) }
    })
}

fn say(told: &Value) -> Result<()> {
    let mut out = std::io::stdout().lock();
    let coloured = out.is_terminal() && std::env::var_os("NO_COLOR").is_none();
    let (dim, bold, plain) = if coloured { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
    let text = |value: &Value| printable(value.as_str().unwrap_or_default());
    writeln!(out, "{bold}{}{plain}  {dim}(node {}){plain}", text(&told["says"]), text(&told["node"]))?;
    for (number, finding) in told["findings"].as_array().into_iter().flatten().enumerate() {
        let mut because = format!("by {}", text(&finding["because"]));
        for (word, value) in [("at", &finding["at"]), ("connection", &finding["connection"])] {
            if value.is_string() {
                because += &format!(", {word} {}", text(value));
            }
        }
        writeln!(out, "{:3}. {}\n     {dim}{because}{plain}", number + 1, text(&finding["says"]))?;
    }
    let silent = told["silent_shards"].as_array().map_or(0, Vec::len);
    if silent > 0 {
        writeln!(out, "{silent} shards have not answered in time: connections may be missing; ask again")?;
    }
    writeln!(out, "{dim}remembered since {}{plain}", text(&told["remembers_since"]))?;
    Ok(())
}

/// The key itself is in no link: what a browser keeps in its history ends by itself.
pub(crate) fn console(ask: &Console) -> Result<()> {
    let until = vocabulary::Wall(node::Facts::now().0 + i64::from(ask.hours) * HOUR_MS);
    let servers = ask.servers.servers(Scope::Inspect)?;
    let mut out = std::io::stdout().lock();
    for server in &servers {
        let url = format!("{}/console/#key={}", server.url(), part(&server.pass(until)));
        if ask.servers.json {
            writeln!(out, "{}", serde_json::json!({ "url": url, "until": until.to_string() }))?;
        } else {
            writeln!(out, "{url}")?;
        }
    }
    if !ask.servers.json && std::io::stdout().is_terminal() {
        eprintln!("It lets in until {until}; whoever has it may what the key may.");
    }
    Ok(())
}
