//! `kill -9` at random moments under load, and the server started again at once on the same folder. Default configuration:
//! the disk engine, the default limits, nothing lifted.

use std::time::Duration;

use anyhow::Result;

use super::{Site, WHOLE_WITHIN, judged};
use crate::crowd::{Crowd, Plan};
use crate::outcome::{Outcome, percentile};

struct Numbers {
    plan: Plan,
    kills: usize,
    /// From ready to the next kill, in milliseconds: anything between.
    lives_ms: (u64, u64),
    /// Of the times to be live again after the server was ready, 99 of 100.
    live_p99_ms: u64,
}

fn numbers(site: &Site<'_>) -> Numbers {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 1000, rooms: 100, rooms_each: 2, pace: 2000, seed, base_ms, cap_ms };
    let small = Plan { clients: 100, rooms: 10, rooms_each: 2, pace: 300, seed, base_ms, cap_ms };
    Numbers {
        plan: site.sized(full, small),
        kills: site.sized(20, 3),
        lives_ms: site.sized((3000, 8000), (700, 1500)),
        live_p99_ms: 5000,
    }
}

/// Every so many kills one comes while the clients are still on their way back.
const AGAIN_EVERY: usize = 4;
const AGAIN_WITHIN_MS: u64 = 300;

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let numbers = numbers(site);
    let mut outcome = Outcome::default();
    let launch = site.world.launch("one", &[])?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(numbers.plan, &[launch.port], &signer)?;
    crowd.arrive(1000);
    let all = crowd.clients.len();
    crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
    crowd.pace = numbers.plan.pace;
    crowd.spend(Duration::from_millis(numbers.lives_ms.0))?;
    let (mut back, mut starts, mut never) = (Vec::new(), Vec::new(), 0);
    for kill in 1..=numbers.kills {
        let unacked = crowd.unacked();
        node.kill()?;
        let killed_at = crowd.now();
        node = launch.start()?;
        while !node.is_ready()? {
            crowd.turn(Duration::from_millis(2))?;
        }
        let ready_at = crowd.now();
        starts.push(ready_at - killed_at);
        let again = kill % AGAIN_EVERY == 0 && kill < numbers.kills;
        let (least, most) = if again { (0, AGAIN_WITHIN_MS) } else { numbers.lives_ms };
        let life = least + crowd.random().below(most - least);
        crowd.spend(Duration::from_millis(life))?;
        if !again {
            let since = |at: &u64| at.saturating_sub(ready_at);
            back.extend(crowd.live_at.iter().flatten().map(since));
            never += all - crowd.live();
        }
        (site.say)(&format!(
            "kill {kill}: {unacked} unanswered, ready after {} ms, {} of {all} live after {life} ms",
            ready_at - killed_at,
            crowd.live()
        ));
    }
    outcome.figure("kills", numbers.kills);
    outcome.figure("ready again ms, median", percentile(&mut starts, 50));
    outcome.figure("live again ms, p50", percentile(&mut back, 50));
    let p99 = percentile(&mut back, 99);
    outcome.figure("live again ms, p99", p99);
    outcome.figure("live again ms, most", percentile(&mut back, 100));
    outcome.figure("not live before the next kill", never);
    if site.is_full() {
        outcome.must(p99 <= numbers.live_p99_ms, || format!("live again after {p99} ms (p99)"));
        outcome.must(never * 100 <= back.len(), || format!("{never} were not live before the next kill"));
    }
    judged(crowd, node.port, &signer, numbers.plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// On one disk nothing that anybody has seen is lost, so nobody is told of a gap.
pub(super) fn must_be_whole(outcome: &mut Outcome) {
    let told = outcome.figures.iter().any(|(name, value)| *name == "gaps and resets" && value != "0");
    outcome.must(!told, || "somebody was told of a gap or a reset".to_owned());
}
