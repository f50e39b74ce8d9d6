//! `kulkul publish`, `kulkul history`, `kulkul tail`.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use http_api::Scope;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use serde_json::value::RawValue;

use super::ask::{Server, Unheard};
use super::pages::{Place, Room};
use super::watch::Watch;
use crate::options::{History, Publish, Tail};

/// Between two looks of `tail` at a quiet room.
const LOOK: Duration = Duration::from_millis(500);
/// Between two tries of `tail` at a server that is away.
const PAUSE_MAX: Duration = Duration::from_secs(10);

#[derive(Serialize)]
struct Body<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    room: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    users: Option<&'a [String]>,
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    everybody: bool,
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    kind: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    id: Option<&'a str>,
    /// As it was typed: through a number of ours, 1.10 would be sent as 1.1.
    payload: &'a RawValue,
}

pub(crate) fn publish(ask: &Publish) -> Result<()> {
    let payload: &RawValue = serde_json::from_str(&ask.payload)
        .with_context(|| format!("PAYLOAD {:?} is not JSON; quote it for the shell", ask.payload))?;
    let (kind, id) = (ask.kind.as_deref(), ask.id.as_deref());
    let mut body = Body { room: None, user: None, users: None, everybody: ask.all, kind, id, payload };
    match (&ask.room, &ask.user[..]) {
        _ if ask.all => {}
        (Some(room), _) => body.room = Some(room),
        (None, [user]) => body.user = Some(user),
        (None, users) => body.users = Some(users),
    }
    let scope = if ask.all { Scope::Everybody } else { Scope::Publish };
    let told: Box<RawValue> = Server::of(&ask.server, scope)?.post("/api/publish", &body)?;
    let raw = told.get();
    let told: Value = serde_json::from_str(raw)?;
    let mut out = std::io::stdout().lock();
    let results = told["results"].as_array().map_or(std::slice::from_ref(&told), Vec::as_slice);
    let failed = results.iter().filter(|result| !result["error"].is_null()).count();
    if ask.server.json {
        writeln!(out, "{raw}")?;
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
    let room = Room { server: &server, name: &ask.room };
    let (mut pages, mut left) = (Vec::new(), ask.limit);
    let newest = room.newest(1)?.upto;
    let mut before = Place { offset: newest.offset + 1, ..newest };
    let mut failed = None;
    while left > 0 && before.offset > 1 {
        match room.before(&mut before, left) {
            Ok(page) => {
                left -= page.len().min(usize::try_from(left)?) as u64;
                pages.push(page);
            }
            Err(why) => {
                failed = Some(why);
                break;
            }
        }
    }
    let mut out = Lines::new(ask.server.json);
    for message in pages.iter().rev().flatten() {
        out.write(message)?;
    }
    if let Some(why) = failed {
        let says = format!("what {} holds before {before} cannot be read", ask.room);
        return Err(anyhow::Error::from(why).context(says));
    }
    if pages.iter().all(Vec::is_empty) && !ask.server.json {
        eprintln!("{} holds no messages", ask.room);
    }
    Ok(())
}

pub(crate) fn tail(ask: &Tail) -> Result<()> {
    let server = Server::of(&ask.server, Scope::History)?;
    let mut watch = Watch::begin(Room { server: &server, name: &ask.room })?;
    let mut out = Lines::new(ask.server.json);
    let mut pause = None;
    loop {
        let after = watch.after.clone();
        let news = match watch.look() {
            Ok(news) => news,
            // Servers are restarted, and whoever watches a room goes on from where it was.
            Err(Unheard::NotNow(why)) => {
                let wait = pause.map_or(LOOK, |pause: Duration| (pause * 2).min(PAUSE_MAX));
                if pause.is_none() {
                    eprintln!("{why:#}; trying again");
                }
                pause = Some(wait);
                std::thread::sleep(wait);
                continue;
            }
            Err(Unheard::Refused(why)) => return Err(why),
        };
        if pause.take().is_some() {
            eprintln!("it answers again; going on after {after}");
        }
        match news {
            Some(news) => news.iter().try_for_each(|message| out.write(message))?,
            None => std::thread::sleep(LOOK),
        }
    }
}

#[derive(Deserialize)]
struct Message<'a> {
    id: String,
    timestamp: String,
    #[serde(rename = "type")]
    kind: String,
    sender: Option<Sender>,
    #[serde(borrow)]
    payload: &'a RawValue,
}

#[derive(Deserialize)]
struct Sender {
    name: String,
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

    fn write(&mut self, message: &RawValue) -> Result<()> {
        let mut out = std::io::stdout().lock();
        if self.json {
            writeln!(out, "{message}")?;
            return Ok(out.flush()?);
        }
        let (dim, bold, plain) = if self.coloured { ("\x1b[2m", "\x1b[1m", "\x1b[0m") } else { ("", "", "") };
        let Message { id, timestamp, kind, sender, payload } = serde_json::from_str(message.get())?;
        let who = sender.map(|sender| sender.name).filter(|name| !name.is_empty()).unwrap_or(kind);
        let (at, id, who) = (printable(&timestamp), printable(&id), printable(&who));
        let content = printable(&content(payload).unwrap_or_else(|| payload.get().to_owned()));
        writeln!(out, "{dim}{at}  {id}{plain}  {bold}{who}{plain}  {content}")?;
        Ok(out.flush()?)
    }
}

/// No message moves the cursor of whoever reads it.
pub(super) fn printable(text: &str) -> String {
    text.replace(char::is_control, " ")
}

/// Of a payload that is nothing but a text.
fn content(payload: &RawValue) -> Option<String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Only {
        content: String,
    }
    let only = payload.get().starts_with('{').then(|| serde_json::from_str::<Only>(payload.get()));
    only?.ok().map(|only| only.content)
}
