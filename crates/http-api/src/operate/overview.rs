//! The node at one look, and the hour behind it: what a console draws.

use axum::extract::State;
use axum::{Extension, Json};
use serde_json::{Value, json};

use super::Operate;
use crate::answers::Fault;
use crate::keys::{Known, Scope};

pub(super) async fn now(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
) -> Result<Json<Value>, Fault> {
    known.may(Scope::Inspect)?;
    let facts = operate.lookout.facts();
    let mut told = facts.overview();
    told["node"] = operate.node().into();
    told["engine"]["name"] = operate.furnished.engine.as_str().into();
    told["may"] = known.scopes().into();
    let mounts = facts.by_mount().into_iter().map(|(index, connections)| {
        let path = operate.lookout.mount(index);
        let way = operate.furnished.mounts.iter().find(|way| way.path == path);
        json!({
            "mount": path, "connections": connections,
            "app": way.map_or("", |way| &way.app), "speaks": way.map_or("", |way| &way.speaks),
        })
    });
    told["mounts"] = mounts.collect();
    told["apps"] = operate.apps.to_vec().into();
    Ok(Json(told))
}

pub(super) async fn hour(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
) -> Result<Json<Value>, Fault> {
    known.may(Scope::Inspect)?;
    let mut told = operate.lookout.facts().last_hour();
    told["node"] = operate.node().into();
    Ok(Json(told))
}
