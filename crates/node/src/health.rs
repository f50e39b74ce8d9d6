//! What probes ask: does the process live, should clients come, and, for operators, what it depends on. It judges by figures that others
//! keep, and asks nobody.

use std::sync::Arc;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Json, Router};
use link::Condition;
use serde_json::json;

use crate::facts::Facts;

/// What asks whether the node lives, by either listener.
pub fn probes(facts: Arc<Facts>) -> Router {
    Router::new()
        .route("/live", get(async || "live\n"))
        .route("/ready", get(ready))
        .route("/health", get(health))
        // As some fleets' probes ask.
        .route("/health/live", get(async || Json(json!({ "status": "ok" }))))
        .route("/health/ready", get(ready_in_json))
        .with_state(facts)
}

async fn ready(State(facts): State<Arc<Facts>>) -> Response {
    let health = facts.health();
    if health.ready {
        // A bridge that is away is said and is no reason to go elsewhere: every node has the same broker.
        let away = facts.bridges().into_iter().filter_map(|bridge| match bridge.condition() {
            Condition::Serving => None,
            Condition::Away { why } => Some(format!("bridge {} is away: {why}\n", bridge.name())),
            Condition::Partly { why } => Some(format!("bridge {} serves in part: {why}\n", bridge.name())),
        });
        return std::iter::once("ready\n".to_owned()).chain(away).collect::<String>().into_response();
    }
    (StatusCode::SERVICE_UNAVAILABLE, format!("{}\n", unready(&facts))).into_response()
}

/// Why a node that is not ready is not.
fn unready(facts: &Facts) -> String {
    let health = facts.health();
    match health.degraded() {
        _ if health.draining => "draining".to_owned(),
        Some(why) => why,
        None => facts.engine_away().unwrap_or_else(|| "short of memory".to_owned()),
    }
}

async fn ready_in_json(State(facts): State<Arc<Facts>>) -> Response {
    if facts.health().ready {
        return Json(json!({ "status": "ready" })).into_response();
    }
    let told = json!({ "status": "unready", "error": unready(&facts) });
    (StatusCode::SERVICE_UNAVAILABLE, Json(told)).into_response()
}

/// For operators: what the node depends on, each with how it is. What is not ready is as little to be relied on as by `/ready`.
pub(crate) async fn detailed(State(facts): State<Arc<Facts>>) -> Response {
    let health = facts.health();
    let state = |away: Option<String>| match away {
        None => json!({ "status": "ok" }),
        Some(why) => json!({ "status": "away", "error": why }),
    };
    let mut parts = serde_json::Map::new();
    parts.insert("engine".to_owned(), state(facts.engine_away()));
    if let Some(authorizer) = facts.authorizer() {
        parts.insert(
            "authorizer".to_owned(),
            state(authorizer.is_away().then(|| "it does not answer".to_owned())),
        );
    }
    for bridge in facts.bridges() {
        let told = match bridge.condition() {
            Condition::Serving => state(None),
            Condition::Away { why } => state(Some(why)),
            Condition::Partly { why } => json!({ "status": "partly", "error": why }),
        };
        parts.insert(format!("bridge {}", bridge.name()), told);
    }
    let (status, said) = match (health.ready, health.degraded()) {
        (true, None) => (StatusCode::OK, "ok"),
        (true, Some(_)) => (StatusCode::SERVICE_UNAVAILABLE, "degraded"),
        (false, _) => (StatusCode::SERVICE_UNAVAILABLE, "unready"),
    };
    let mut told = json!({
        "status": said, "ready": health.ready, "draining": health.draining,
        "connections": health.total, "stale_connections": health.stale, "users": health.users,
        "rooms": health.rooms, "timestamp": Facts::now().to_string(), "parts": parts,
    });
    if status != StatusCode::OK {
        told["error"] = health.degraded().unwrap_or_else(|| unready(&facts)).into();
    }
    (status, Json(told)).into_response()
}

async fn health(State(facts): State<Arc<Facts>>) -> Response {
    let mut told = facts.described();
    match facts.health().degraded() {
        None => {
            told["status"] = "ok".into();
            Json(told).into_response()
        }
        Some(why) => {
            (told["status"], told["error"]) = ("degraded".into(), why.into());
            (StatusCode::SERVICE_UNAVAILABLE, Json(told)).into_response()
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::Value;

    use super::*;

    fn told(facts: &Arc<Facts>) -> [(u16, Value); 2] {
        let runtime = tokio::runtime::Builder::new_current_thread().build().expect("a runtime");
        let whole = async |response: Response| {
            let status = response.status().as_u16();
            let body = axum::body::to_bytes(response.into_body(), 1 << 16).await.expect("whole");
            (status, serde_json::from_slice(&body).expect("JSON"))
        };
        runtime.block_on(async {
            [
                whole(ready_in_json(State(facts.clone())).await).await,
                whole(detailed(State(facts.clone())).await).await,
            ]
        })
    }

    #[test]
    fn a_node_that_is_not_ready_says_why_in_both_ways() {
        let facts = Arc::new(Facts::new(1));
        let [(ready, _), (whole, parts)] = told(&facts);
        assert_eq!((ready, whole, &parts["parts"]["engine"]["status"]), (200, 200, &json!("ok")));
        facts.drain();
        let [(ready, says), (whole, parts)] = told(&facts);
        assert_eq!((ready, &says["error"]), (503, &json!("draining")));
        assert_eq!((whole, &parts["status"], &parts["error"]), (503, &json!("unready"), &json!("draining")));
        assert_eq!((&parts["ready"], &parts["draining"]), (&json!(false), &json!(true)));
    }
}
