//! The operator's own listener: figures, probes, and what only back ends and operators ask, by one table. Plain HTTP, meant for this machine or a
//! network that only operators reach.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result};
use axum::extract::{Request, State};
use axum::http::StatusCode;
use axum::http::header::{HOST, ORIGIN};
use axum::middleware::{Next, from_fn_with_state};
use axum::response::{IntoResponse, Response};
use axum::{Json, Router};
use node::Node;
use serde_json::json;
use tokio::net::TcpListener;
use tokio::sync::Notify;

use crate::in_force::InForce;

/// Calls of operators that are asked and waited for: half of the places that the calls of back ends leave to others.
const AT_ONCE_MAX: usize = 8;

pub(crate) async fn listener(address: SocketAddr) -> Result<TcpListener> {
    TcpListener::bind(address).await.with_context(|| {
        format!("operator_listen = {address}: cannot listen there; is something else there?")
    })
}

/// One on which somebody listens for us.
pub(crate) fn given(socket: std::net::TcpListener) -> Result<TcpListener> {
    let listener = socket.set_nonblocking(true).and_then(|()| TcpListener::from_std(socket));
    listener.context("the operator's socket of systemd cannot be used")
}

/// Where it listens; it ends with the runtime.
pub(crate) fn serve(listener: TcpListener, node: &Node, api: Router) -> Result<SocketAddr> {
    let bound = listener.local_addr()?;
    let facts = node.facts();
    let router = node::figures(facts.clone())
        .merge(node::probes(facts))
        .merge(node::operator(node.helm(), node.desk(), node.facts()))
        .merge(api);
    let router = http_api::openapi::guarded(router);
    node.serve_operator(listener, router.layer(from_fn_with_state(bound.ip().is_loopback(), no_pages)));
    Ok(bound)
}

/// What operators ask by their keys: of the apps that are there, by the settings in force, and that the node drains.
pub(crate) fn router(
    node: &Node,
    keys: Arc<http_api::Keys>,
    (apps, in_force, drain): (&[String], &InForce, &Arc<Notify>),
) -> Router {
    let (in_force, drain) = (in_force.clone(), drain.clone());
    http_api::operate::router(http_api::operate::Config {
        desk: node.desk(),
        lookout: node.lookout(),
        keys,
        at_once_max: AT_ONCE_MAX,
        apps: apps.to_vec(),
        settings: Arc::new(move || in_force.shown()),
        drain: Arc::new(move || drain.notify_one()),
    })
}

/// Pages of other sites run in operators' browsers too. None of them is served here, so whoever says an origin has no business
/// here; and on loopback, whoever came by a foreign name was led here by it.
async fn no_pages(State(loopback): State<bool>, request: Request, next: Next) -> Response {
    let host = request.headers().get(HOST).and_then(|host| host.to_str().ok());
    let led_astray = loopback && host.is_some_and(|host| !node::is_loopback(host));
    if led_astray || request.headers().contains_key(ORIGIN) {
        let error = "this is for operators, by the address it listens on, and for no page of a browser";
        return (StatusCode::FORBIDDEN, Json(json!({ "error": error, "code": "FORBIDDEN" }))).into_response();
    }
    next.run(request).await
}
