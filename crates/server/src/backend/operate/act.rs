//! The commands that act.

use anyhow::Result;
use http_api::Scope;
use serde_json::{Value, json};

use super::super::ask::Server;
use super::table::{cell, line, say};
use super::{each, first, part, whichever};
use crate::options::{Disconnect, Drain, Kick, Release};

pub(crate) fn kick(ask: &Kick) -> Result<()> {
    let servers = ask.servers.servers(Scope::Operate)?;
    let (path, body) =
        (format!("/rooms/{}/kick", part(&ask.room)), json!({ "user": ask.user, "why": ask.why }));
    let told: Value = first(&servers, |server| server.post(&path, &body))?;
    if ask.servers.json {
        return line(&told);
    }
    say(&format!(
        "{} leaves {} on every node; here with {} connections",
        ask.user,
        ask.room,
        cell(&told["here"])
    ))?;
    say(&cell(&told["says"]))
}

pub(crate) fn disconnect(ask: &Disconnect) -> Result<()> {
    let servers = ask.servers.servers(Scope::Operate)?;
    let body = json!({ "user": ask.user, "connection": ask.connection, "code": ask.code, "why": ask.why });
    let post = |server: &Server| server.post("/disconnect", &body);
    let told: Value =
        if ask.connection.is_some() { whichever(&servers, post)? } else { first(&servers, post)? };
    if ask.servers.json {
        return line(&told);
    }
    let (here, code, reason) = (cell(&told["here"]), cell(&told["code"]), cell(&told["reason"]));
    match &ask.user {
        Some(user) => {
            say(&format!("connections of {user} end on every node with {code} {reason}; here {here}"))?
        }
        None => say(&format!("it ends with {code} {reason}"))?,
    }
    say(&cell(&told["says"]))
}

pub(crate) fn release(ask: &Release) -> Result<()> {
    let servers = ask.servers.servers(Scope::Operate)?;
    let path = format!("/rooms/{}/release", part(&ask.room));
    each(&servers, |server| {
        let told: Value = server.post(&path, &json!({}))?;
        if ask.servers.json {
            return line(&told);
        }
        let says = format!("{} is read again; what came of it: kulkul rooms {}", ask.room, ask.room);
        say(&says)
    })
}

pub(crate) fn drain(ask: &Drain) -> Result<()> {
    let servers = ask.servers.servers(Scope::Operate)?;
    each(&servers, |server: &Server| {
        let told: Value = server.post("/drain", &json!({}))?;
        if ask.servers.json {
            return line(&told);
        }
        let (url, left) = (server.url(), cell(&told["connections"]));
        say(&format!(
            "{url} drains: {left} connections are told to come back elsewhere, and it ends within 25 s"
        ))
    })
}
