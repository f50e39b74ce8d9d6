//! Which bridges to brokers this binary has. A new one is a line here. It starts and ends them; what they do is their own.

use std::sync::Arc;

use anyhow::{Context, Result};
use bridge_redis::{Config, Ground};
use node::{Facts, Node, Outflow, Outlet, Owed};

use crate::config::Typed;
#[cfg(feature = "kafka")]
use crate::kafka;

/// The ways out of the rooms, made before there are any.
pub(crate) struct Ways {
    pub outlet: Option<Outlet>,
    outflow: Option<Outflow>,
    pub owed: Option<Arc<Owed>>,
}

#[derive(Default)]
pub(crate) struct Bridges {
    redis: Option<Arc<bridge_redis::Bridge>>,
    #[cfg(feature = "kafka")]
    kafka: Option<Arc<bridge_kafka::Bridge>>,
}

/// Apps whose messages leave by a sink that has a cursor.
pub(crate) fn sinks(settings: &Typed) -> Vec<String> {
    settings.kafka_bridge.as_ref().map(|bridge| bridge.sink_apps.clone()).unwrap_or_default()
}

impl Ways {
    pub(crate) fn of(settings: &Typed) -> Ways {
        let bridge = settings.redis_bridge.as_ref();
        let tells = bridge.is_some_and(|bridge| bridge.relay.is_some() || bridge.members);
        let (outlet, outflow) = tells.then(node::outlet).unzip();
        let owed = (!sinks(settings).is_empty()).then(Arc::default);
        Ways { outlet, outflow, owed }
    }

    pub(crate) fn start(self, settings: &Typed, node: &Node, facts: &Arc<Facts>) -> Result<Bridges> {
        let mut bridges = Bridges::default();
        if let Some(bridge) = &settings.redis_bridge {
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
            bridges.redis = Some(bridge);
        }
        #[cfg(feature = "kafka")]
        if let Some(bridge) = &settings.kafka_bridge {
            let config = kafka::config(bridge, &settings.engine_prefix)?;
            let ground = bridge_kafka::Ground { desk: node.desk(), owed: self.owed };
            let bridge = Arc::new(bridge_kafka::start(config, ground).context("kafka_bridge")?);
            facts.bridge_is(bridge.clone());
            bridges.kafka = Some(bridge);
        }
        #[cfg(not(feature = "kafka"))]
        anyhow::ensure!(
            settings.kafka_bridge.is_none(),
            "`kafka_bridge` is configured, and this build has none: build with the cargo feature kafka, or leave it out"
        );
        Ok(bridges)
    }
}

impl Bridges {
    /// Before the node drains: what it does not take in any more, another does.
    pub(crate) async fn stop_reading(&self) {
        if let Some(bridge) = &self.redis {
            bridge.stop_reading().await;
        }
        #[cfg(feature = "kafka")]
        if let Some(bridge) = &self.kafka {
            bridge.stop_reading().await;
        }
    }

    /// Behind it: its last messages leave.
    pub(crate) fn end(&self) {
        if let Some(bridge) = &self.redis {
            bridge.end();
        }
        #[cfg(feature = "kafka")]
        if let Some(bridge) = &self.kafka {
            bridge.end();
        }
    }
}
