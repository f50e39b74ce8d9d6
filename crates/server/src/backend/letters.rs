//! `kulkul letters --webhook`: the dead letters of a webhook, listed or sent again. They are in a room of the server's, and what is
//! sent again is a record there, too: which of them that was, the room knows.

use std::collections::BTreeSet;
use std::io::{IsTerminal, Write};

use anyhow::{Context, Result, bail};
use http_api::Scope;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use serde_json::{Value, json};

use super::ask::Server;
use super::commands::printable;
use super::pages::{Place, Room};
use crate::config;
use crate::options::{Letters, LettersDo, Serve, Where};

#[derive(Deserialize)]
struct Message {
    #[serde(rename = "type")]
    kind: String,
    payload: Box<RawValue>,
    position: Place,
    timestamp: String,
}

/// A letter's payload, or that of its being sent again.
#[derive(Deserialize)]
struct Written<'a> {
    #[serde(borrow)]
    event: &'a RawValue,
    reason: Option<String>,
    attempts: Option<u64>,
    /// So many bytes, which were too many for a letter.
    cut: Option<u64>,
    letter: Option<String>,
}

#[derive(Deserialize)]
struct Event {
    id: String,
}

#[derive(Serialize)]
struct Again<'a> {
    room: &'a str,
    #[serde(rename = "type")]
    kind: &'static str,
    id: String,
    payload: Resent<'a>,
}

#[derive(Serialize)]
struct Resent<'a> {
    letter: &'a str,
    event: &'a RawValue,
}

struct Letter {
    place: String,
    message: Message,
}

impl Letter {
    fn written(&self) -> Result<Written<'_>> {
        serde_json::from_str(self.message.payload.get()).with_context(|| format!("the letter {}", self.place))
    }
}

pub(crate) fn letters(ask: &Letters) -> Result<()> {
    let place =
        || Where { config: Some(ask.config.clone()), data: None, url: ask.url.clone(), json: ask.json };
    let wanted = ask.webhook.as_deref().unwrap_or_default();
    let served = Serve { config: Some(ask.config.clone()), ..Serve::default() };
    let hooks = config::read(&served)?.typed.webhooks;
    if !hooks.iter().any(|hook| hook.name == wanted) {
        let names: Vec<&str> = hooks.iter().map(|hook| hook.name.as_str()).collect();
        bail!("{} has no [[webhooks]] named {wanted:?}; it has {names:?}", ask.config.display());
    }
    let name = format!("{}:{wanted}", ::webhooks::APP);
    let letters = read(&Server::of(&place(), Scope::History)?, &name, ask)?;
    match ask.what {
        LettersDo::List => list(&letters, ask.json),
        LettersDo::Replay => replay(&Server::of(&place(), Scope::Publish)?, &name, &letters, ask.json),
    }
}

/// Oldest first, without those that were sent again.
fn read(server: &Server, name: &str, ask: &Letters) -> Result<Vec<Letter>> {
    let room = Room { server, name };
    let newest = room.newest(1)?.upto;
    let mut before = Place { offset: newest.offset + 1, ..newest };
    let mut found = Vec::new();
    while before.offset > 1 {
        let page = room.before(&mut before, u64::MAX)?;
        for raw in page.into_iter().rev() {
            let message: Message = serde_json::from_str(raw.get()).context("a letter")?;
            found.push(Letter { place: message.position.to_string(), message });
        }
    }
    found.reverse();
    let (letters, others): (Vec<Letter>, Vec<Letter>) =
        found.into_iter().partition(|it| it.message.kind == ::webhooks::LETTER);
    let again = others.iter().filter(|it| it.message.kind == ::webhooks::RESEND);
    let again: BTreeSet<String> = again.filter_map(|it| it.written().ok()?.letter).collect();
    let is_open = |letter: &Letter| ask.all || !again.contains(&letter.place);
    let most = usize::try_from(ask.limit).unwrap_or(usize::MAX);
    Ok(letters.into_iter().filter(is_open).take(most).collect())
}

fn list(letters: &[Letter], in_json: bool) -> Result<()> {
    let mut out = std::io::stdout().lock();
    for letter in letters {
        let (place, at) = (&letter.place, &letter.message.timestamp);
        if in_json {
            let payload = &letter.message.payload;
            writeln!(out, "{{\"letter\":\"{place}\",\"timestamp\":\"{at}\",\"payload\":{payload}}}")?;
            continue;
        }
        let written = letter.written()?;
        let event: Event = serde_json::from_str(written.event.get())?;
        let (reason, tries) = (written.reason.unwrap_or_default(), written.attempts.unwrap_or(0));
        let cut = written.cut.map(|bytes| format!(", {bytes} bytes that are not kept")).unwrap_or_default();
        // Reasons repeat what was answered, which may hold anything.
        writeln!(out, "{at}  {place}  {:?}, tried {tries}{cut}: {}", event.id, printable(&reason))?;
    }
    Ok(())
}

fn replay(server: &Server, name: &str, letters: &[Letter], in_json: bool) -> Result<()> {
    let shows = std::io::stderr().is_terminal();
    let (mut sent, mut left) = (0_u64, 0_u64);
    for letter in letters {
        let written = letter.written()?;
        if written.cut.is_some() {
            left += 1;
            continue;
        }
        let payload = Resent { letter: &letter.place, event: written.event };
        // The same letter under the same id is one, whoever sends it again at the same time.
        let (kind, id) = (::webhooks::RESEND, format!("letter {}", letter.place));
        let said: Result<Value, _> = server.post("/api/publish", &Again { room: name, kind, id, payload });
        said.map_err(anyhow::Error::from).with_context(|| {
            format!("the letter {} is not sent again, and the {sent} before it are", letter.place)
        })?;
        sent += 1;
        if shows {
            eprint!("\r{} of {}", sent + left, letters.len());
        }
    }
    if shows {
        eprintln!();
    }
    let told = match in_json {
        true => json!({ "sent": sent, "left": left }).to_string(),
        false if left > 0 => format!("{sent} sent again, {left} left: they were too long to be kept whole"),
        false => format!("{sent} sent again"),
    };
    Ok(writeln!(std::io::stdout().lock(), "{told}")?)
}
