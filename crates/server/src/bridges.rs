//! Which bridges to brokers this binary has. A new one is a line here. It starts and ends them; what they do is their own.

use std::collections::BTreeSet;
use std::sync::Arc;

use anyhow::{Context, Result};
use bridge_redis::{Config, Ground};
use node::{Facts, Node, Outflow, Outlet, Owed};

use crate::config::Typed;
#[cfg(feature = "kafka")]
use crate::kafka;
use crate::nats_bridge;

/// The ways out of the rooms, made before there are any.
pub(crate) struct Ways {
    pub outlet: Option<Outlet>,
    outflow: Option<Outflow>,
    /// By the app whose rooms owe something.
    pub owed: Vec<(String, Arc<Owed>)>,
}

#[derive(Default)]
pub(crate) struct Bridges {
    redis: Option<Arc<bridge_redis::Bridge>>,
    #[cfg(feature = "kafka")]
    kafka: Option<Arc<bridge_kafka::Bridge>>,
    nats: Option<Arc<bridge_nats::Bridge>>,
    webhook: Option<Arc<bridge_webhook::Bridge>>,
}

/// As rooms call the bridges whose sinks have a cursor, in it and in the keys of what came from there.
const KAFKA: &str = "kafka";
const NATS: &str = "nats";
pub(crate) const WEBHOOK: &str = "webhook";

/// Apps whose messages leave by a sink that has a cursor, and by which bridge: one each.
pub(crate) fn sinks(settings: &Typed) -> Vec<(String, &'static str)> {
    let kafka = settings.kafka_bridge.iter().flat_map(|bridge| &bridge.sink_apps).map(|app| (app, KAFKA));
    let nats = settings.nats_bridge.iter().flat_map(|bridge| &bridge.sink_apps).map(|app| (app, NATS));
    let hooks = settings.webhooks.iter().flat_map(|hook| hook.apps().map(str::to_owned));
    // Letters that are sent again leave the same way.
    let letters = (!settings.webhooks.is_empty()).then(|| ::webhooks::APP.to_owned());
    let hooks: BTreeSet<String> = hooks.chain(letters).collect();
    let brokers = kafka.chain(nats).map(|(app, bridge)| (app.clone(), bridge));
    brokers.chain(hooks.into_iter().map(|app| (app, WEBHOOK))).collect()
}

impl Ways {
    pub(crate) fn of(settings: &Typed) -> Ways {
        let bridge = settings.redis_bridge.as_ref();
        let tells = bridge.is_some_and(|bridge| bridge.relay.is_some() || bridge.members);
        let (outlet, outflow) = tells.then(node::outlet).unzip();
        let boxes = [KAFKA, NATS, WEBHOOK].map(|bridge| (bridge, Arc::new(Owed::default())));
        let box_of = |bridge| boxes.iter().find(|(name, _)| *name == bridge).unwrap_or(&boxes[0]).1.clone();
        let owed = sinks(settings).into_iter().map(|(app, bridge)| (app, box_of(bridge))).collect();
        Ways { outlet, outflow, owed }
    }

    /// Where the rooms say so whose messages leave by this bridge.
    fn owed_to(&self, settings: &Typed, bridge: &str) -> Option<Arc<Owed>> {
        let app = sinks(settings).into_iter().find(|(_, name)| *name == bridge)?.0;
        self.owed.iter().find(|(name, _)| *name == app).map(|(_, owed)| owed.clone())
    }

    pub(crate) fn start(self, settings: &Typed, node: &Node, facts: &Arc<Facts>) -> Result<Bridges> {
        let mut bridges = Bridges::default();
        let owed_to_nats = self.owed_to(settings, NATS);
        let owed_to_webhooks = self.owed_to(settings, WEBHOOK);
        #[cfg(feature = "kafka")]
        let owed_to_kafka = self.owed_to(settings, KAFKA);
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
            let ground = bridge_kafka::Ground { desk: node.desk(), owed: owed_to_kafka };
            let bridge = Arc::new(bridge_kafka::start(config, ground).context("kafka_bridge")?);
            facts.bridge_is(bridge.clone());
            bridges.kafka = Some(bridge);
        }
        #[cfg(not(feature = "kafka"))]
        anyhow::ensure!(
            settings.kafka_bridge.is_none(),
            "`kafka_bridge` is configured, and this build has none: build with the cargo feature kafka, or leave it out"
        );
        if let Some(bridge) = &settings.nats_bridge {
            let config =
                nats_bridge::config(bridge, &settings.engine_prefix, settings.rides.rules.authority)?;
            let ground = bridge_nats::Ground { desk: node.desk(), owed: owed_to_nats };
            let bridge = Arc::new(bridge_nats::start(config, ground).context("nats_bridge")?);
            facts.bridge_is(bridge.clone());
            bridges.nats = Some(bridge);
        }
        if let Some(owed) = owed_to_webhooks {
            let config = crate::webhooks::config(&settings.webhooks, &settings.engine_prefix);
            let tells = settings.webhooks.iter().any(|hook| !hook.events.is_empty());
            let happened = tells.then(|| facts.happenings());
            let ground =
                bridge_webhook::Ground { node: node.lookout().node(), desk: node.desk(), owed, happened };
            let bridge = Arc::new(bridge_webhook::start(config, ground).context("no thread for webhooks")?);
            facts.bridge_is(bridge.clone());
            bridges.webhook = Some(bridge);
        }
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
        if let Some(bridge) = &self.nats {
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
        if let Some(bridge) = &self.nats {
            bridge.end();
        }
        if let Some(bridge) = &self.webhook {
            bridge.end();
        }
    }
}
