//! The HTTP calls of livechat clients, where one of the mounts speaks with them, and the tokens of visitors who have none.

use std::time::Duration;

use axum::Router;
use http_api::livechat::{self, Mint, Visitor};
use identity::Secret;
use node::Node;
use serde_json::{Value, json};

use crate::config::{Mount, Speaks, Typed};
use crate::{gate, token};

/// A visitor who comes back within a month still has their sessions.
const TIME_TO_LIVE: Duration = Duration::from_secs(30 * 24 * 3600);

pub(crate) fn router(settings: &Typed, node: &Node, secret: Option<&Secret>) -> Router {
    let spoken = settings.mounts.iter().filter(|mount| mount.speaks == Speaks::Livechat);
    let mounts: Vec<&Mount> = spoken.collect();
    let Some(first) = mounts.first() else { return Router::new() };
    let limits = &settings.limits;
    let calls = (
        first.messages_per_second.unwrap_or(limits.messages_per_second),
        first.burst.unwrap_or(limits.burst),
    );
    livechat::router(livechat::Config {
        desk: node.desk(),
        prover: node.prover(),
        mounts: mounts.iter().map(|mount| mount.path.clone()).collect(),
        asks: gate::authorizer(settings).map_or_else(Default::default, |it| it.asks),
        departments: settings.support.rules.departments.iter().map(|it| it.name.clone()).collect(),
        mint: secret.cloned().map(mint),
        exempt: limits.exempt_addresses.clone(),
        calls,
    })
}

/// What clients and probes of the livechat service read in `/health`, where one of the mounts speaks with them.
pub(crate) fn described(settings: &Typed, demo: bool, port: u16) -> Option<Value> {
    let mount = settings.mounts.iter().find(|mount| mount.speaks == Speaks::Livechat)?;
    Some(json!({
        "message": "kulkul is running", "port": port.to_string(),
        "environment": if demo { "development" } else { "production" },
        "cors_origins": mount.allowed_origins.join(","),
    }))
}

fn mint(secret: Secret) -> Mint {
    Box::new(move |visitor| {
        let Visitor { person, rooms, id, ends_by } = visitor;
        let says = token::Says { rooms, id: Some(id), ends_by: Some(ends_by), ..token::Says::default() };
        token::sign(&secret, person.id.as_str(), person.name.to_string(), says, TIME_TO_LIVE)
            .map_err(|error| format!("{error:#}"))
    })
}
