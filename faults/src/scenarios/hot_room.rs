//! One room that everybody is in, with people who come and go all the while: everybody hears one order, whole, and in time.

use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gather, judged};
use crate::crowd::{Crowd, Plan};
use crate::delay;
use crate::outcome::{Outcome, percentile};

/// Of those who come and go, each second.
const TURNS_AWAY: u64 = 20;
/// A crowd whose clients are one thread of the same two processors.
const P99_MS: u64 = 500;

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let full = Plan { clients: 10_000, rooms: 1, rooms_each: 1, pace: 5, seed, base_ms, cap_ms };
    let small = Plan { clients: 500, rooms: 1, rooms_each: 1, pace: 10, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let seconds = site.sized(60, 5);
    let mut outcome = Outcome::default();
    let launch = site.world.configured("one", "")?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let (from, all) = (crowd.now() as u32, crowd.clients.len() as u64);
    let mut restless = vec![false; all as usize];
    for _ in 0..seconds {
        for _ in 0..TURNS_AWAY.min(all / 10) {
            let slot = crowd.random().below(all) as usize;
            if crowd.live_at[slot].is_some() {
                restless[slot] = true;
                crowd.turn_away(slot);
            }
        }
        crowd.spend(Duration::from_secs(1))?;
    }
    let until = crowd.now() as u32;
    outcome.figure("members", all);
    outcome.figure("came and went", restless.iter().filter(|it| **it).count());
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    let history = judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    let mut delays = delay::of(&history, &(from..until), |client| !restless[client]);
    outcome.figure("heard after ms, p50", percentile(&mut delays, 50));
    let p99 = percentile(&mut delays, 99);
    outcome.figure("heard after ms, p99", p99);
    if site.is_full() {
        outcome.must(p99 <= P99_MS, || format!("heard after {p99} ms (p99)"));
    }
    must_be_whole(&mut outcome);
    Ok(outcome)
}
