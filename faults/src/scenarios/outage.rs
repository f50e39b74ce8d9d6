//! The broker is away for a long while under load, and comes back: nodes are unready and live, nothing is acknowledged,
//! memory stays where it was, and afterwards all is well. Clients keep four unanswered, so that what they send again stays
//! below the refusals that a connection may have.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};

use super::broker_restarts::{answers, sockets_stayed};
use super::kills::must_be_whole;
use super::{Site, gathered, judged, turned};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::fleet::Fleet;
use crate::outcome::Outcome;

const UNACKED_MAX: usize = 4;
const RESIDENT_GROWTH_MIB_MAX: u64 = 32;
const MIB: u64 = 1 << 20;
/// Between two looks at the doors and the memory.
const LOOK: Duration = Duration::from_secs(1);
const BEGINS_WITHIN: Duration = Duration::from_secs(30);
/// In which whatever was stored before the end is still answered.
const LAST_ACKS_WITHIN: Duration = Duration::from_secs(1);

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 200, rooms: 20, rooms_each: 2, pace: 400, seed, base_ms, cap_ms };
    let small = Plan { clients: 30, rooms: 5, rooms_each: 2, pace: 60, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let outage = site.sized(Duration::from_secs(300), Duration::from_secs(15));
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, plan, "")?;
    for client in &mut crowd.clients {
        client.unacked_max = UNACKED_MAX;
    }
    crowd.spend(site.sized(Duration::from_secs(10), Duration::from_secs(1)))?;
    let before = resident(&fleet)?;
    fleet.broker.kill()?;
    let away = Instant::now();
    outcome
        .must(answers(&mut crowd, &fleet, 503)?, || "the broker is away and a node stays ready".to_owned());
    crowd.spend(LAST_ACKS_WITHIN)?;
    let (acked, refused) = (crowd.figures.acked, crowd.figures.refused);
    let (mut ready, mut dead, mut most) = (0, 0, 0);
    while away.elapsed() < outage {
        crowd.spend(LOOK)?;
        ready += usize::from(!fleet.all_answer("/ready", 503)?);
        dead += usize::from(!fleet.all_answer("/live", 200)?);
        most = most.max(resident(&fleet)?);
    }
    let (acked, refused) = (crowd.figures.acked - acked, crowd.figures.refused - refused);
    outcome.figure("away s", away.elapsed().as_secs());
    outcome.figure("refused meanwhile", refused);
    outcome.figure("acked meanwhile", acked);
    let growth = most.saturating_sub(before);
    outcome.figure("resident MiB, three nodes", before / MIB);
    outcome.figure("growth MiB", format!("{:.1}", growth as f64 / MIB as f64));
    outcome.must(ready == 0, || format!("{ready} times a node was ready without its broker"));
    outcome.must(dead == 0, || format!("{dead} times a node's /live was not 200"));
    outcome.must(acked == 0, || format!("{acked} messages were acknowledged without a broker"));
    outcome.must(refused > 0, || "nothing was refused".to_owned());
    outcome.must(growth <= RESIDENT_GROWTH_MIB_MAX * MIB, || format!("the nodes grew by {growth} bytes"));
    fleet.broker.begin()?;
    ensure!(turned(&mut crowd, BEGINS_WITHIN, || Ok(fleet.broker.accepts()))?, "the broker does not listen");
    let (began_at, acked) = (crowd.now(), crowd.figures.acked);
    outcome.must(answers(&mut crowd, &fleet, 200)?, || "a node stays unready".to_owned());
    outcome.figure("ready again ms", crowd.now() - began_at);
    let goes_on = crowd.until(BEGINS_WITHIN, |crowd| crowd.figures.acked > acked)?;
    outcome.must(goes_on, || "nothing is acknowledged afterwards".to_owned());
    outcome.figure("normal again ms", crowd.now() - began_at);
    crowd.spend(Duration::from_secs(1))?;
    sockets_stayed(&crowd, &mut outcome);
    judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// Of all nodes together.
fn resident(fleet: &Fleet) -> Result<u64> {
    fleet.nodes.iter().map(crate::node::Node::resident_bytes).sum()
}
