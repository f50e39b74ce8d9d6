//! The server gets a fifth of a processor: order and acknowledgements hold, and nobody is taken for gone because the server itself was
//! late.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Result;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::broker_restarts::sockets_stayed;
use super::kills::must_be_whole;
use super::{Site, gather, judged};
use crate::crowd::{Crowd, Plan};
use crate::delay;
use crate::outcome::{Outcome, percentile};

/// It runs for so long and then stands for so long.
const RUNS: Duration = Duration::from_millis(20);
const STANDS: Duration = Duration::from_millis(80);
/// Short, so that a server which is late by a little would already take others for gone.
const CONFIG: &str = "[websocket]\nping_period = \"1s\"\nread_timeout = \"3s\"\n";

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let full = Plan { clients: 500, rooms: 50, rooms_each: 1, pace: 300, seed, base_ms, cap_ms };
    let small = Plan { clients: 50, rooms: 10, rooms_each: 1, pace: 60, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let mut outcome = Outcome::default();
    let launch = site.world.configured("one", CONFIG)?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let from = crowd.now() as u32;
    let (pid, over) = (node.pid(), AtomicBool::new(false));
    std::thread::scope(|scope| -> Result<()> {
        let starving = scope.spawn(|| starve(pid, &over));
        let spent = crowd.spend(site.sized(Duration::from_secs(60), Duration::from_secs(8)));
        let settled = crowd.settle(super::WHOLE_WITHIN);
        over.store(true, Ordering::Relaxed);
        let _ = starving.join();
        spent.and(settled)
    })?;
    let until = crowd.now() as u32;
    sockets_stayed(&crowd, &mut outcome);
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    let history = judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    let mut delays = delay::of(&history, &(from..until), |_| true);
    outcome.figure("heard after ms, p50", percentile(&mut delays, 50));
    outcome.figure("heard after ms, p99", percentile(&mut delays, 99));
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// Ends with the server running.
fn starve(pid: Pid, over: &AtomicBool) {
    while !over.load(Ordering::Relaxed) {
        // A server that has ended shows itself where it is asked whether it has.
        let _ = kill(pid, Signal::SIGSTOP);
        std::thread::sleep(STANDS);
        let _ = kill(pid, Signal::SIGCONT);
        std::thread::sleep(RUNS);
    }
}
