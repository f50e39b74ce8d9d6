//! The HTTP calls of ride hailing: those of drivers and passengers, and those that a fleet's services ask of each other.

use std::sync::Arc;

use axum::Router;
use http_api::{Keys, rides};
use node::Node;

use crate::config::{Mount, Speaks, Typed};
use crate::gate;

const APP: &str = "rides";

fn is_fleet(settings: &Typed) -> bool {
    settings.rides.rules.authority == ::rides::Authority::Fleet
}

pub(crate) fn router(settings: &Typed, node: &Node, operators_here: bool) -> Router {
    // By which its rooms are spoken to: pages that may open one of them may call.
    let spoken = settings.mounts.iter().filter(|mount| mount.speaks == Speaks::Rooms || mount.app == APP);
    let mounts: Vec<&Mount> = spoken.collect();
    let Some(first) = mounts.first() else { return Router::new() };
    let limits = &settings.limits;
    let calls = (
        first.messages_per_second.unwrap_or(limits.messages_per_second),
        first.burst.unwrap_or(limits.burst),
    );
    rides::router(rides::Config {
        desk: node.desk(),
        prover: node.prover(),
        mounts: mounts.iter().map(|mount| mount.path.clone()).collect(),
        asks: gate::authorizer(settings).map_or_else(Default::default, |it| it.asks),
        calls,
        is_fleet: is_fleet(settings),
        operators_here,
    })
}

/// For a listener that only back ends reach.
pub(crate) fn internal(settings: &Typed, node: &Node, keys: Arc<Keys>) -> Router {
    let radius_m = settings.rides.rules.radius_m;
    rides::internal(rides::InternalConfig {
        desk: node.desk(),
        keys,
        at_once_max: node::CALLS_AT_ONCE_MAX,
        is_fleet: is_fleet(settings),
        squares: rides::Squares { around: ::rides::around, nearest: ::rides::nearest, radius_m },
    })
}
