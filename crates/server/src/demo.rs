//! Demo mode: a token for whoever asks, because only this machine can ask.

use std::sync::Arc;
use std::time::Duration;

use axum::body::Bytes;
use axum::extract::State;
use axum::http::header::{HOST, ORIGIN};
use axum::http::{HeaderMap, StatusCode};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Json, Router};
use identity::Secret;
use node::Origins;
use serde::Deserialize;
use serde_json::json;

use crate::token;

const NAME_CHARS_MAX: usize = 40;
const TIME_TO_LIVE: Duration = Duration::from_secs(12 * 3600);

#[derive(Deserialize)]
struct Ask {
    name: String,
    /// For the demos that have more than one side.
    #[serde(default)]
    role: Option<Role>,
}

#[derive(Deserialize, Clone, Copy)]
#[serde(rename_all = "lowercase")]
enum Role {
    Agent,
    Supervisor,
    Scorer,
    Organizer,
    Driver,
    Passenger,
    Operator,
}

struct Desk {
    secret: Secret,
    origins: Origins,
    groups_claim: String,
}

pub(crate) fn router(secret: Secret, origins: Origins, groups_claim: String) -> Router {
    let desk = Desk { secret, origins, groups_claim };
    Router::new().route("/demo/token", post(give)).with_state(Arc::new(desk))
}

/// A page of another site must not fetch itself a token, whatever name it reaches us by.
async fn give(State(desk): State<Arc<Desk>>, headers: HeaderMap, body: Bytes) -> Response {
    let field = |name| headers.get(name).and_then(|value| value.to_str().ok());
    if !desk.origins.allow(field(ORIGIN), field(HOST).unwrap_or_default()) {
        return (StatusCode::FORBIDDEN, Json(json!({ "error": "origin not allowed" }))).into_response();
    }
    let Ok(ask) = serde_json::from_slice::<Ask>(&body) else {
        let says = "the body must be JSON: {\"name\":\"…\"}, and for other sides \"role\": agent, supervisor, scorer, organizer, driver, passenger or operator";
        let error = json!({ "error": says, "field": "name" });
        return (StatusCode::BAD_REQUEST, Json(error)).into_response();
    };
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
    match token::sign(&desk.secret, &id, name.to_owned(), desk.says(ask.role), TIME_TO_LIVE) {
        Ok(token) => Json(json!({ "token": token, "user": { "id": id, "name": name } })).into_response(),
        Err(error) => {
            tracing::error!(%error, "a demo token could not be signed");
            StatusCode::INTERNAL_SERVER_ERROR.into_response()
        }
    }
}

impl Desk {
    fn says(&self, role: Option<Role>) -> token::Says {
        let Some(role) = role else { return token::Says::default() };
        let (role, serves) = match role {
            Role::Agent => ("agent", true),
            Role::Supervisor => ("supervisor", true),
            Role::Scorer => ("scorer", false),
            Role::Organizer => ("organizer", false),
            Role::Driver => ("driver", false),
            Role::Passenger => ("passenger", false),
            Role::Operator => ("operator", false),
        };
        // Of support, those who serve there serve all its departments.
        let groups = (self.groups_claim.clone(), if serves { vec!["*".to_owned()] } else { Vec::new() });
        token::Says { role: Some(role.to_owned()), groups, ..token::Says::default() }
    }
}
