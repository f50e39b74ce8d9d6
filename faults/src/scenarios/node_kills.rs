//! One of three nodes on a broker is killed under load and started again, each in its turn; its clients go on at the
//! others. What a node had begun and not answered, the next one must not store a second time.

use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gathered, judged};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::fleet::NODES;
use crate::outcome::{Outcome, percentile};

struct Numbers {
    plan: Plan,
    kills: usize,
    /// From the kill until 99 of 100 clients must be in all their rooms again, in milliseconds; who is not is counted.
    live_ms: u64,
    /// From then to the next kill: anything between.
    calm_ms: (u64, u64),
}

fn numbers(site: &Site<'_>) -> Numbers {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 1000, rooms: 100, rooms_each: 2, pace: 2000, seed, base_ms, cap_ms };
    let small = Plan { clients: 90, rooms: 10, rooms_each: 2, pace: 200, seed, base_ms, cap_ms };
    Numbers {
        plan: site.sized(full, small),
        kills: site.sized(20, 3),
        live_ms: site.sized(5000, 1500),
        calm_ms: site.sized((500, 2500), (200, 500)),
    }
}

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let numbers = numbers(site);
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, numbers.plan, "")?;
    let all = crowd.clients.len();
    let (mut back, mut never, mut cut_off) = (Vec::new(), 0, 0);
    for kill in 0..numbers.kills {
        let (least, most) = numbers.calm_ms;
        let calm = least + crowd.random().below(most - least);
        crowd.spend(Duration::from_millis(calm))?;
        let node = kill % NODES;
        let theirs = crowd.clients_at(node);
        let killed_at = crowd.now();
        fleet.kill_and_start(node, &mut crowd)?;
        let ready_at = crowd.now();
        crowd.spend(Duration::from_millis((killed_at + numbers.live_ms).saturating_sub(ready_at)))?;
        let live_at: Vec<u64> = theirs.iter().filter_map(|slot| crowd.live_at[*slot]).collect();
        never += theirs.len() - live_at.len();
        cut_off += theirs.len();
        back.extend(live_at.into_iter().map(|at| at.saturating_sub(killed_at)));
        (site.say)(&format!(
            "kill {}: {} clients, ready after {} ms, {} of {all} live",
            kill + 1,
            theirs.len(),
            ready_at - killed_at,
            crowd.live()
        ));
    }
    outcome.figure("kills", numbers.kills);
    outcome.figure("cut off", cut_off);
    outcome.figure("live again ms, p50", percentile(&mut back, 50));
    outcome.figure("live again ms, p99", percentile(&mut back, 99));
    outcome.figure("live again ms, most", percentile(&mut back, 100));
    outcome.figure("not live in time", never);
    if site.is_full() {
        let within = numbers.live_ms;
        outcome.must(never * 100 <= cut_off, || format!("{never} were not live within {within} ms"));
    }
    judged(crowd, fleet.ports()[0], &fleet.signer, numbers.plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}
