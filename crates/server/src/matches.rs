//! The HTTP calls of live scoring, where one of the mounts is of matches.

use axum::Router;
use http_api::matches;
use node::Node;

use crate::config::{Mount, MountAuth, Speaks, Typed};
use crate::gate;

pub(crate) fn router(settings: &Typed, node: &Node) -> Router {
    let spoken = settings.mounts.iter().filter(|mount| matches!(mount.speaks, Speaks::Match(_)));
    let mounts: Vec<&Mount> = spoken.collect();
    let Some(first) = mounts.first() else { return Router::new() };
    let limits = &settings.limits;
    let calls = (
        first.messages_per_second.unwrap_or(limits.messages_per_second),
        first.burst.unwrap_or(limits.burst),
    );
    matches::router(matches::Config {
        desk: node.desk(),
        prover: node.prover(),
        mounts: mounts.iter().map(|mount| mount.path.clone()).collect(),
        asks: gate::authorizer(settings).map_or_else(Default::default, |it| it.asks),
        guests: mounts.iter().any(|mount| matches!(mount.auth, MountAuth::Optional | MountAuth::Public)),
        exempt: limits.exempt_addresses.clone(),
        calls,
    })
}
