//! The commands that look.

use anyhow::Result;
use http_api::Scope;
use serde_json::Value;

use super::super::ask::Server;
use super::table::{Table, cell, line, say};
use super::{each, part, whichever};
use crate::options::{Connections, Rooms, Users};

/// As large as the API gives them.
const PAGE: u64 = 200;

const ROOM: [&str; 8] = ["ROOM", "STATE", "MEMBERS", "USERS", "LAST", "STEWARD", "REF", "NODE"];
const CONNECTION: [&str; 9] =
    ["CONNECTION", "USER", "MOUNT", "ADDRESS", "WAITING", "SHEDS", "ROOMS", "SINCE", "HEARD"];

/// Page after page of a list until so many lines are there.
fn pages(
    server: &Server,
    (path, list): (&str, &str),
    query: &[(&str, &str)],
    limit: u64,
    mut take: impl FnMut(&str, &Value) -> Result<()>,
) -> Result<()> {
    let (mut left, mut after) = (limit, None::<String>);
    while left > 0 {
        let some = left.min(PAGE).to_string();
        let mut asked: Vec<(&str, &str)> = query.to_vec();
        asked.push(("limit", &some));
        asked.extend(after.as_deref().map(|after| ("after", after)));
        let page: Value = server.get(path, &asked)?;
        let node = page["node"].as_str().unwrap_or_default();
        for entry in page[list].as_array().into_iter().flatten() {
            take(node, entry)?;
            left -= 1;
        }
        silent(server, &page);
        match page["next"].as_str() {
            Some(next) => after = Some(next.to_owned()),
            None => return Ok(()),
        }
    }
    eprintln!("{}: there are more; say --limit, or which", server.url());
    Ok(())
}

/// What is missing is said.
fn silent(server: &Server, told: &Value) {
    let silent = told["silent_shards"].as_array().filter(|shards| !shards.is_empty());
    if let Some(shards) = silent {
        let shards = cell(&Value::Array(shards.clone()));
        eprintln!("{}: no answer in time of the shards {shards}: what is theirs is missing", server.url());
    }
}

fn room_row(node: &str, room: &Value) -> Vec<String> {
    let last = match &room["last"] {
        Value::Null => "-".to_owned(),
        last => format!("{}-{}", cell(&last["epoch"]), cell(&last["offset"])),
    };
    let of = |name: &str| cell(&room[name]);
    vec![of("room"), of("state"), of("members"), of("users"), last, of("steward"), of("ref"), node.to_owned()]
}

pub(crate) fn rooms(ask: &Rooms) -> Result<()> {
    let servers = ask.servers.servers(Scope::Inspect)?;
    if let Some(room) = &ask.room {
        return each(&servers, |server| one_room(server, room, ask.servers.json));
    }
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(ask.prefix.as_deref().map(|prefix| ("prefix", prefix)));
    query.extend(ask.app.as_deref().map(|app| ("app", app)));
    query.extend(ask.members.as_deref().map(|members| ("members", members)));
    let mut table = Table::new(&ROOM);
    let done = each(&servers, |server| {
        pages(server, ("/rooms", "rooms"), &query, ask.limit, |node, room| {
            if ask.servers.json {
                let mut room = room.clone();
                room["node"] = node.into();
                return line(&room);
            }
            table.row(room_row(node, room));
            Ok(())
        })
    });
    if !table.is_empty() {
        table.print()?;
    } else if !ask.servers.json && done.is_ok() {
        eprintln!(
            "no such room is open there: one is while somebody is in it. `kulkul history ROOM` reads any other"
        );
    }
    done
}

fn one_room(server: &Server, room: &str, json: bool) -> Result<()> {
    let told: Value = server.get(&format!("/rooms/{}", part(room)), &[])?;
    if json {
        return line(&told);
    }
    let mut table = Table::new(&ROOM);
    table.row(room_row(&cell(&told["node"]), &told["room"]));
    table.print()?;
    if let Some(kept) = told["kept"].as_object() {
        let place = |place: &Value| format!("{}-{}", cell(&place["epoch"]), cell(&place["offset"]));
        say(&format!("kept: {} to {}", place(&kept["from"]), place(&kept["to"])))?;
    }
    let mut members = Table::new(&["CONNECTION", "USER", "NAME"]);
    for member in told["members"].as_array().into_iter().flatten() {
        let user = &member["user"];
        members.row(vec![cell(&member["connection"]), cell(&user["id"]), cell(&user["name"])]);
    }
    if !members.is_empty() {
        members.print()?;
    }
    let present: Vec<String> =
        told["present"].as_array().into_iter().flatten().map(|person| cell(&person["id"])).collect();
    if !present.is_empty() {
        say(&format!("on all nodes: {}", present.join(" ")))?;
    }
    if let Some(says) = told["says"].as_str() {
        eprintln!("{says}");
    }
    if told["room"]["state"] == "quarantined" {
        eprintln!("when the app is mended, or what is stored: kulkul release {room}");
    }
    Ok(())
}

fn connection_row(connection: &Value) -> Vec<String> {
    let of = |name: &str| cell(&connection[name]);
    let rooms = match connection["rooms"].as_array().map(Vec::as_slice) {
        Some([first, _, ..]) => {
            let more = connection["rooms"].as_array().map_or(0, Vec::len) - 1;
            format!("{} +{more}", cell(first))
        }
        _ => of("rooms"),
    };
    let user = &connection["user"];
    let user = if user.is_null() { "-".to_owned() } else { cell(&user["id"]) };
    vec![
        of("id"),
        user,
        of("mount"),
        of("address"),
        of("waiting_bytes"),
        of("sheds"),
        rooms,
        of("since"),
        of("heard"),
    ]
}

pub(crate) fn connections(ask: &Connections) -> Result<()> {
    let servers = ask.servers.servers(Scope::Inspect)?;
    if let Some(id) = &ask.id {
        // It is of one node; the others would only say so.
        let told: Value =
            whichever(&servers, |server| server.get(&format!("/connections/{}", part(id)), &[]))?;
        if ask.servers.json {
            return line(&told);
        }
        for (name, value) in told.as_object().into_iter().flatten() {
            let value = if name == "user" { cell(&value["id"]) } else { cell(value) };
            say(&format!("{name:16}  {value}"))?;
        }
        return Ok(());
    }
    let mut query: Vec<(&str, &str)> = Vec::new();
    query.extend(ask.user.as_deref().map(|user| ("user", user)));
    query.extend(ask.room.as_deref().map(|room| ("room", room)));
    query.extend(ask.mount.as_deref().map(|mount| ("mount", mount)));
    let mut table = Table::new(&CONNECTION);
    let done = each(&servers, |server| {
        pages(server, ("/connections", "connections"), &query, ask.limit, |_, connection| {
            if ask.servers.json {
                return line(connection);
            }
            table.row(connection_row(connection));
            Ok(())
        })
    });
    if !table.is_empty() {
        table.print()?;
    } else if !ask.servers.json && done.is_ok() {
        eprintln!(
            "no such connection is there; is this the node that clients reach? Say more nodes with --url"
        );
    }
    done
}

pub(crate) fn users(ask: &Users) -> Result<()> {
    let servers = ask.servers.servers(Scope::Inspect)?;
    each(&servers, |server| {
        let told: Value = server.get(&format!("/users/{}", part(&ask.user)), &[])?;
        if ask.servers.json {
            return line(&told);
        }
        silent(server, &told);
        say(&format!("{} online: {} ({})", ask.user, cell(&told["online"]), cell(&told["says"])))?;
        let mut table = Table::new(&CONNECTION);
        told["connections"].as_array().into_iter().flatten().for_each(|it| table.row(connection_row(it)));
        if !table.is_empty() {
            table.print()?;
        }
        let rooms = told["rooms"].as_array().into_iter().flatten();
        let rooms: Vec<String> = rooms.map(|room| cell(&room["room"])).collect();
        if !rooms.is_empty() {
            say(&format!("in: {}", rooms.join(" ")))?;
        }
        Ok(())
    })
}
