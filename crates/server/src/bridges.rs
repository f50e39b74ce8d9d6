//! Which bridges to brokers this binary has. A new one is a line here. It starts and ends them; what they do is their own.

use std::sync::Arc;

use anyhow::{Context, Result};
use bridge_redis::{Bridge, Config, Ground};
use node::{Facts, Node, Outflow, Outlet};

use crate::config::Typed;

/// The ways out of the rooms, made before there are any.
pub(crate) struct Ways {
    pub outlet: Option<Outlet>,
    outflow: Option<Outflow>,
}

pub(crate) struct Bridges(Option<Arc<Bridge>>);

impl Ways {
    pub(crate) fn of(settings: &Typed) -> Ways {
        let bridge = settings.redis_bridge.as_ref();
        let tells = bridge.is_some_and(|bridge| bridge.relay.is_some() || bridge.members);
        let (outlet, outflow) = tells.then(node::outlet).unzip();
        Ways { outlet, outflow }
    }

    pub(crate) fn start(self, settings: &Typed, node: &Node, facts: &Arc<Facts>) -> Result<Bridges> {
        let Some(bridge) = &settings.redis_bridge else { return Ok(Bridges(None)) };
        let config = Config {
            url: bridge.url.0.clone(),
            authorities: bridge.authorities.clone(),
            prefix: settings.engine_prefix.clone(),
            app: bridge.app.clone(),
            channels: bridge.channels,
            relay: bridge.relay.clone(),
            presence: bridge.presence,
            members: bridge.members,
            lease: bridge.lease,
        };
        let ground = Ground { desk: node.desk(), facts: facts.clone(), outflow: self.outflow };
        let bridge = Arc::new(bridge_redis::start(config, ground).context("redis_bridge")?);
        facts.bridge_is(bridge.clone());
        Ok(Bridges(Some(bridge)))
    }
}

impl Bridges {
    /// Before the node drains: what it does not take in any more, another does.
    pub(crate) async fn stop_reading(&self) {
        if let Some(bridge) = &self.0 {
            bridge.stop_reading().await;
        }
    }

    /// Behind it: its last messages leave.
    pub(crate) fn end(&self) {
        if let Some(bridge) = &self.0 {
            bridge.end();
        }
    }
}
