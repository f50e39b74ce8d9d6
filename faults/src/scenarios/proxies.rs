//! A proxy stands in front of three nodes: it is told to read its configuration again under load, it ends what is quiet, a node behind it
//! dies. Sockets that a proxy would think idle stay, whoever loses one resumes at another node, and the server knows whom it speaks with.

use std::collections::BTreeSet;
use std::time::Duration;

use anyhow::{Context, Result};
use serde_json::Value;

use super::kills::must_be_whole;
use super::{Site, WHOLE_WITHIN, gather, judged};
use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::Fleet;
use crate::front::page_for;
use crate::outcome::Outcome;
use crate::proxy::{self, Proxy};

const KEY: &str = "a key of the scenario with 32 bytes";
const NODE: usize = 0;

pub(crate) fn run(site: &Site<'_>, kind: proxy::Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let full = Plan { clients: 300, rooms: 30, rooms_each: 1, pace: 300, seed, base_ms, cap_ms };
    let small = Plan { clients: 45, rooms: 5, rooms_each: 1, pace: 60, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    // In full what people have: a proxy that gives up after a minute, and our own default.
    let (idle, pings) = site.sized((Duration::from_secs(60), "54s"), (Duration::from_secs(3), "1s"));
    let config = format!(
        "[proxies]\ntrusted = [\"127.0.0.1\"]\n[websocket]\nping_period = \"{pings}\"\n\
         [[api.keys]]\nname = \"looks\"\nsecret = \"{KEY}\"\nscopes = [\"inspect\"]\n"
    );
    let mut outcome = Outcome::default();
    let mut fleet = Fleet::start(site.world, Kind::Redis, &config)?;
    let proxy = Proxy::start_and_wait(kind, &site.world.folder.join("proxy"), &fleet.ports(), idle)?;
    let mut crowd = Crowd::new(plan, &[proxy.port], &fleet.signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_secs(1))?;
    proxy.reload()?;
    crowd.spend(Duration::from_secs(2))?;
    let ended = crowd.figures.lost;
    outcome.figure("ended by a reload", ended);
    outcome.must(ended == 0, || format!("{ended} sockets ended when the proxy was told to reload"));

    // Longer than the proxy keeps what is quiet.
    crowd.pace = 0;
    crowd.spend(idle * 2)?;
    let quiet = crowd.figures.lost - ended;
    outcome.figure("ended while quiet", quiet);
    outcome.must(quiet == 0, || format!("{quiet} quiet sockets ended"));
    let addresses = addresses(&fleet)?;
    outcome.figure("addresses of clients", addresses.len());
    outcome.must(addresses.len() > 1 && addresses.iter().all(|it| it.starts_with("127.0.0.")), || {
        format!("clients are thought to be at {addresses:?}")
    });

    crowd.pace = plan.pace;
    fleet.kill_and_start(NODE, &mut crowd)?;
    let all = crowd.clients.len();
    let whole = crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
    outcome.figure("lost with the node", crowd.figures.lost - ended - quiet);
    outcome.must(whole, || format!("{} of {all} are live after a node's end", crowd.live()));
    crowd.spend(Duration::from_secs(1))?;
    judged(crowd, proxy.port, &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// Where the nodes think that their clients are.
fn addresses(fleet: &Fleet) -> Result<BTreeSet<String>> {
    let mut all = BTreeSet::new();
    for node in &fleet.nodes {
        let operator = node.operator.as_deref().context("the operator has no door")?;
        let (_, body) =
            page_for(operator, "/connections?limit=100", &format!("Authorization: Bearer {KEY}\r\n"))?;
        let page: Value = serde_json::from_str(&body).with_context(|| body.clone())?;
        let lines = page["connections"].as_array().context("no connections")?;
        all.extend(lines.iter().filter_map(|it| it["address"].as_str()).map(str::to_owned));
    }
    Ok(all)
}
