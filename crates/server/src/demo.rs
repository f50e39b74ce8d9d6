//! Demo mode: a token for whoever asks, because only this machine can ask.

use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use node::Secret;
use serde::Deserialize;
use serde_json::json;

use crate::token;

const NAME_CHARS_MAX: usize = 40;
const TIME_TO_LIVE: Duration = Duration::from_secs(12 * 3600);

#[derive(Deserialize)]
struct Ask {
    name: String,
}

pub(crate) fn router(secret: Secret) -> Router {
    Router::new().route("/demo/token", post(give)).with_state(Arc::new(secret))
}

async fn give(State(secret): State<Arc<Secret>>, Json(ask): Json<Ask>) -> Response {
    let name = ask.name.trim();
    if name.is_empty() || name.chars().count() > NAME_CHARS_MAX || name.chars().any(char::is_control) {
        let error = json!({ "error": "name must be 1 to 40 characters", "field": "name" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    }
    let mut bytes = [0; 8];
    if let Err(error) = getrandom::fill(&mut bytes) {
        tracing::error!(%error, "no randomness for a guest's id");
        return StatusCode::INTERNAL_SERVER_ERROR.into_response();
    }
    let id = format!("guest-{:016x}", u64::from_le_bytes(bytes));
    match token::sign(&secret, &id, name.to_owned(), None, Vec::new(), TIME_TO_LIVE) {
        Ok(token) => Json(json!({ "token": token, "user": { "id": id, "name": name } })).into_response(),
        Err(error) => {
            tracing::error!(%error, "a demo token could not be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}
