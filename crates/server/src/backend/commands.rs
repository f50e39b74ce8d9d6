//! `kulkul publish`, `kulkul history`, `kulkul tail`.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_api::Scope;
use serde_json::{Value, json};

use super::ask::Server;
use crate::options::{History, Publish, Tail};

/// A page, as large as the API gives them.
const PAGE: u64 = 100;
/// Between two looks of `tail` at a quiet room.
const LOOK: Duration = Duration::from_millis(500);

pub(crate) fn publish(ask: &Publish) -> Result<()> {
    let payload: Value = serde_json::from_str(&ask.payload)
        .with_context(|| format!("PAYLOAD {:?} is not JSON; quote it for the shell", ask.payload))?;
    let mut body = json!({ "payload": payload });
    match (&ask.room, &ask.user[..]) {
        _ if ask.all => body["everybody"] = true.into(),
        (Some(room), _) => body["room"] = room.as_str().into(),
        (None, [user]) => body["user"] = user.as_str().into(),
        (None, users) => body["users"] = users.into(),
    }
    for (name, value) in [("type", &ask.kind), ("id", &ask.id)] {
        if let Some(value) = value {
            body[name] = value.as_str().into();
        }
    }
    let scope = if ask.all { Scope::Everybody } else { Scope::Publish };
    let told = Server::of(&ask.server, scope)?.post("/api/publish", &body)?;
    let mut out = std::io::stdout().lock();
    let results = told["results"].as_array().map_or(std::slice::from_ref(&told), Vec::as_slice);
    let failed = results.iter().filter(|result| !result["error"].is_null()).count();
    if ask.server.json {
        writeln!(out, "{told}")?;
    } else {
        for result in results {
            let whose = result["user"].as_str().or(result["room"].as_str()).unwrap_or_default();
            match result["error"].as_str() {
                Some(error) => writeln!(out, "{whose}: {error}")?,
                None => writeln!(out, "{whose}: {}", result["message_id"].as_str().unwrap_or("done"))?,
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} were not published to", results.len());
    }
    Ok(())
}

pub(crate) fn history(ask: &History) -> Result<()> {
    let server = Server::of(&ask.server, Scope::History)?;
    let newest = server.get("/api/history", &[("room", &ask.room), ("limit", "1")])?;
    let (epoch, end) = place(&newest["upto"]);
    let (mut pages, mut before, mut left) = (Vec::new(), end + 1, ask.limit);
    while left > 0 && before > 1 {
        let (limit, upto) = (left.min(PAGE), format!("{epoch}-{before}"));
        let query = [("room", ask.room.as_str()), ("limit", &limit.to_string()), ("before", &upto)];
        let page = server.get("/api/history", &query)?;
        let messages = page["messages"].as_array().cloned().unwrap_or_default();
        // A page is of so many places, and of fewer where it would be too large; records that are shown to nobody are in none.
        before = match messages.first() {
            Some(oldest) => place(&oldest["position"]).1,
            None => before.saturating_sub(limit),
        };
        left -= messages.len().min(usize::try_from(left)?) as u64;
        pages.push(messages);
    }
    let mut out = Lines::new(ask.server.json);
    for message in pages.iter().rev().flatten() {
        out.write(message)?;
    }
    if pages.iter().all(Vec::is_empty) && !ask.server.json {
        eprintln!("{} holds no messages", ask.room);
    }
    Ok(())
}

pub(crate) fn tail(ask: &Tail) -> Result<()> {
    let server = Server::of(&ask.server, Scope::History)?;
    let now = server.get("/api/history", &[("room", &ask.room), ("limit", "1")])?;
    let mut after = place(&now["upto"]);
    let mut out = Lines::new(ask.server.json);
    loop {
        let from = format!("{}-{}", after.0, after.1);
        let query = [("room", ask.room.as_str()), ("limit", &PAGE.to_string()), ("after", &from)];
        let page = server.get("/api/history", &query)?;
        for message in page["messages"].as_array().into_iter().flatten() {
            out.write(message)?;
        }
        let upto = place(&page["upto"]);
        let newest = page["messages"].as_array().and_then(|messages| messages.last());
        if let Some(newest) = newest {
            after = place(&newest["position"]);
        } else if upto.0 != after.0 {
            // Another epoch: what came before it is lost, and what comes is from its beginning.
            after = (upto.0, 0);
        } else if upto.1 > after.1 {
            after.1 = upto.1.min(after.1 + PAGE);
        } else {
            std::thread::sleep(LOOK);
        }
    }
}

fn place(position: &Value) -> (String, u64) {
    (position["epoch"].as_str().unwrap_or("0").to_owned(), position["offset"].as_u64().unwrap_or(0))
}

struct Lines {
    json: bool,
    coloured: bool,
}

impl Lines {
    fn new(json: bool) -> Lines {
        let coloured = std::io::stdout().is_terminal() && std::env::var_os("NO_COLOR").is_none();
        Lines { json, coloured }
    }

    fn write(&mut self, message: &Value) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{message}")?;
            return Ok(out.flush()?);
        }
        let (dim, bold, plain) = if self.coloured { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let text = |value: &Value| value.as_str().unwrap_or_default().replace(char::is_control, " ");
        let who = match text(&message["sender"]["name"]) {
            name if name.is_empty() => text(&message["type"]),
            name => name,
        };
        let (at, id, payload) = (text(&message["timestamp"]), text(&message["id"]), &message["payload"]);
        let content = match payload["content"].as_str() {
            Some(content) if payload.as_object().is_some_and(|it| it.len() == 1) => {
                content.replace(char::is_control, " ")
            }
            _ => payload.to_string(),
        };
        writeln!(out, "{dim}{at}  {id}{plain}  {bold}{who}{plain}  {content}")?;
        Ok(out.flush()?)
    }
}
