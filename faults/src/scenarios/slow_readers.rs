//! One client in ten stops reading under load: the others hear as before, the server holds no more of the slow ones than an outbox
//! each, sends them away, and when they read again they have everything.

use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gather, judged, turned};
use crate::crowd::{Crowd, Plan};
use crate::delay;
use crate::outcome::{Outcome, percentile};

const SLOW_EVERY: usize = 10;
/// An outbox of the smallest size that may be, so that it fills within the run, and no pause of a write longer than this.
const CONFIG: &str = "[limits]\noutbox_bytes = \"64KiB\"\n[websocket]\nwrite_timeout = \"2s\"\n";
const OUTBOX_BYTES: u64 = 64 << 10;
/// What an allocator and the log of a busy room add, whoever reads.
const RESIDENT_SLACK_BYTES: u64 = 48 << 20;
/// Until the server has had enough of those who do not read, on the slowest machine.
const SENT_AWAY_WITHIN: Duration = Duration::from_secs(120);
const BACK_WITHIN: Duration = Duration::from_secs(60);
const HEALTHY_P99_MS: u64 = 250;

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let full = Plan { clients: 2000, rooms: 40, rooms_each: 1, pace: 400, seed, base_ms, cap_ms };
    let small = Plan { clients: 60, rooms: 1, rooms_each: 1, pace: 200, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let mut outcome = Outcome::default();
    let launch = site.world.configured("one", CONFIG)?;
    let signer = launch.signer()?;
    let node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    crowd.spend(Duration::from_secs(1))?;
    let before = node.resident_bytes()?;
    let slow: Vec<usize> = (0..crowd.clients.len()).step_by(SLOW_EVERY).collect();
    let held_at = crowd.now();
    crowd.hold(&slow, true);
    let too_slow = || node.figure("kulkul_stale_removed_total");
    let (mut most, mut sent_away) = (before, 0);
    turned(&mut crowd, SENT_AWAY_WITHIN, || {
        most = most.max(node.resident_bytes()?);
        sent_away = too_slow()?;
        Ok(sent_away >= slow.len() as u64)
    })?;
    let reads_at = crowd.now();
    outcome.figure("slow", slow.len());
    outcome.figure("sent away", sent_away);
    outcome.figure("after s", (reads_at - held_at) / 1000);
    outcome.must(sent_away >= slow.len() as u64, || {
        format!("{sent_away} of {} that read nothing were sent away", slow.len())
    });
    let bound = before + slow.len() as u64 * OUTBOX_BYTES + RESIDENT_SLACK_BYTES;
    outcome.figure("resident MiB", format!("{} and {}", before >> 20, most >> 20));
    outcome.must(most <= bound, || format!("{most} bytes were resident, and {before} before"));
    let others = crowd.figures.lost + crowd.goodbyes.len() as u64;
    outcome.must(others == 0, || format!("{others} that read were sent away"));
    crowd.hold(&slow, false);
    let all = crowd.clients.len();
    let back = crowd.until(BACK_WITHIN, |crowd| slow.iter().all(|it| crowd.live_at[*it].is_some()))?;
    outcome.must(back, || "who reads again does not come back".to_owned());
    outcome.figure("clients", all);
    let history = judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    let mut delays =
        delay::of(&history, &(held_at as u32..reads_at as u32), |client| client % SLOW_EVERY != 0);
    let p99 = percentile(&mut delays, 99);
    outcome.figure("who reads hears after ms, p50", percentile(&mut delays, 50));
    outcome.figure("who reads hears after ms, p99", p99);
    if site.is_full() {
        outcome.must(p99 <= HEALTHY_P99_MS, || format!("who reads hears after {p99} ms (p99)"));
    }
    must_be_whole(&mut outcome);
    Ok(outcome)
}
