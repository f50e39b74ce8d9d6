//! The node itself, for operators: its settings, and its end.

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::{Extension, Json};
use serde_json::Value;

use super::Operate;
use super::read::{self, Body, Draining};
use super::told::{self, DrainBegun};
use crate::answers::Fault;
use crate::keys::{Known, Scope};

pub(super) async fn config(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
) -> Result<Json<Value>, Fault> {
    known.may_everywhere(Scope::Inspect)?;
    Ok(Json(told::settings(&operate.node(), (operate.settings)())))
}

pub(super) async fn drain(
    State(operate): State<Operate>,
    Extension(known): Extension<Known>,
    headers: HeaderMap,
    body: Body,
) -> Result<(StatusCode, Json<DrainBegun>), Fault> {
    known.may_everywhere(Scope::Operate)?;
    let Draining { stop } = read::body(&headers, body)?;
    if stop == Some(false) {
        let says =
            "a drain ends the process: to only keep newcomers away, take the node out of your load balancer";
        return Err(Fault::field("stop", says));
    }
    tracing::info!(key = %known.name(), "an operator drains the node");
    let connections = operate.lookout.facts().health().total;
    (operate.drain)();
    Ok((StatusCode::ACCEPTED, Json(DrainBegun { node: operate.node(), draining: true, connections })))
}
