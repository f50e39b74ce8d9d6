//! A node of three dies with everybody on it, and then all connections of all nodes end in one moment: everybody is back in time, at no
//! more a second than the doors let in, and nobody has missed anything.

use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gathered, judged};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::outcome::{Outcome, percentile};

const NODE: usize = 2;
const BACK_WITHIN: Duration = Duration::from_secs(60);

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    // Both ends of a socket are descriptors; those of the clients are one process's.
    let (base_ms, cap_ms, seed) = (1000, 20_000, site.seed);
    let full = Plan { clients: 15_000, rooms: 1500, rooms_each: 1, pace: 200, seed, base_ms, cap_ms };
    let small = Plan { clients: 300, rooms: 30, rooms_each: 1, pace: 60, seed, base_ms: 100, cap_ms: 2000 };
    let plan = site.sized(full, small);
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, plan, "")?;
    let all = crowd.clients.len();
    crowd.spend(site.sized(Duration::from_secs(10), Duration::from_secs(1)))?;
    let theirs = crowd.clients_at(NODE).len();
    fleet.kill_and_start(NODE, &mut crowd)?;
    let killed = crowd.until(BACK_WITHIN, |crowd| crowd.live() == all)?;
    outcome.must(killed, || format!("{} of {all} are live after a node's end", crowd.live()));
    outcome.figure("sockets", all);
    outcome.figure("of the node that died", theirs);
    crowd.spend(Duration::from_secs(1))?;

    let cut_at = crowd.now();
    for slot in 0..all {
        crowd.turn_away(slot);
    }
    let back = crowd.until(BACK_WITHIN, |crowd| crowd.live() == all)?;
    outcome.must(back, || format!("{} of {all} are live after all were cut", crowd.live()));
    let mut since: Vec<u64> = crowd.live_at.iter().flatten().map(|at| at.saturating_sub(cut_at)).collect();
    outcome.figure("live again ms, p50", percentile(&mut since, 50));
    outcome.figure("live again ms, p99", percentile(&mut since, 99));
    outcome.figure("live again ms, most", percentile(&mut since, 100));
    let seconds = since.last().map_or(0, |most| most / 1000 + 1);
    let in_second = |second: u64| since.iter().filter(|at| **at / 1000 == second).count();
    outcome.figure("in the busiest second", (0..seconds).map(in_second).max().unwrap_or(0));
    outcome.must(fleet.none_has_ended()?, || "a node ended".to_owned());
    judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}
