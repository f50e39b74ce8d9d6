//! Users, for operators.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use axum::http::HeaderMap;
use axum::{Extension, Json};
use serde_json::json;
use vocabulary::{ConnectionsWanted, InOrder, Reply, Told, UserId, Wish};

use super::Operate;
use super::connections::KEEPS_OUT;
use super::read::{self, Body, Code, Disconnecting, Named};
use super::told::{Ended, Online, RoomOf, UserWhole};
use crate::answers::Fault;
use crate::keys::{Known, Scope};

pub(super) async fn one(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    named: Named,
) -> Result<Json<UserWhole>, Fault> {
    known.may_everywhere(Scope::Inspect)?;
    let Path(id) = named.map_err(|error| Fault::field("user", error.body_text()))?;
    let user = read::user(&id)?;
    let wanted = ConnectionsWanted { user: Some(user.clone()), ..ConnectionsWanted::all(InOrder::Number) };
    let (connections, next, silent_shards) = operate.page(wanted, usize::from(read::PAGE_MAX)).await?;
    let mut rooms: BTreeMap<&str, u32> = BTreeMap::new();
    for room in connections.iter().flat_map(|it| &it.rooms) {
        *rooms.entry(room).or_default() += 1;
    }
    let rooms =
        rooms.into_iter().map(|(room, connections)| RoomOf { room: room.to_owned(), connections }).collect();
    let (online, says) = operate.online(&user, !connections.is_empty(), silent_shards.is_empty()).await;
    Ok(Json(UserWhole {
        node: operate.node(),
        user: user.as_str().to_owned(),
        online,
        more: next.is_some(),
        connections,
        rooms,
        silent_shards,
        says: says.to_owned(),
    }))
}

pub(super) async fn disconnect(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<Ended>, Fault> {
    known.may_everywhere(Scope::Operate)?;
    let Disconnecting { user, connection, code, why } = read::body(&headers, body)?;
    let (reason, why) = (Code::of(code), why.as_deref());
    let user = match (user, connection) {
        (Some(user), None) => read::user(&user)?,
        (None, Some(connection)) => return operate.end_one(&known, connection, reason, why).await.map(Json),
        _ => return Err(Fault::field("user", "say exactly one of `user` and `connection`")),
    };
    let here = operate.count(Some(&user), None).await?;
    operate.everywhere("disconnect", &json!({ "user": user.as_str(), "code": reason.code() })).await?;
    tracing::info!(key = %known.name(), %user, code = reason.code(), why, "an operator disconnects a user");
    Ok(Json(Ended {
        node: operate.node(),
        user: Some(user.as_str().to_owned()),
        connection: None,
        here,
        code: reason.code(),
        reason: reason.words().to_owned(),
        comes_back: reason.comeback().into(),
        says: KEEPS_OUT.to_owned(),
    }))
}

impl Operate {
    /// What can be known of somebody who is perhaps connected to another node: what their inbox tells, and what nodes tell each other of
    /// who is there, which is enough to say no.
    async fn online(&self, user: &UserId, here: bool, all_heard: bool) -> (Online, &'static str) {
        if here {
            return (Online::Here, "they are connected to this node");
        }
        if all_heard && self.lookout.is_nowhere_else(user) == Some(true) {
            return (Online::No, "no node has a connection of theirs, as of two seconds ago");
        }
        let told = self.desk.call("operator".into(), user.inbox(), Wish::Members).await;
        if let Ok(Told::Reply { reply: Reply::Members { users, .. }, .. }) = told
            && users.iter().any(|person| person.id == *user)
        {
            return (Online::Elsewhere, "another node has them in their inbox");
        }
        (Online::Unknown, "not here; another node may have them outside of their inbox: ask the others, too")
    }
}
