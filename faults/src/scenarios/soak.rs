//! Hours of a fleet's life in short: load, and beside it whatever may happen next. Nothing that was acknowledged is lost, and what the
//! nodes hold does not grow.

use std::time::{Duration, Instant};

use anyhow::Result;
use nix::sys::signal::Signal;

use super::{Site, WHOLE_WITHIN, gathered, judged};
use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::{Fleet, NODES};
use crate::outcome::Outcome;

/// Between two of them: anything up to this.
const CALM_MS: u64 = 6000;
/// A pause that a lease survives.
const PAUSED: Duration = Duration::from_secs(3);
/// What a look may find above the first one that counts: the logs of rooms and an allocator's rounding.
const GROWTH_BYTES: u64 = 24 << 20;
const GROWTH_PERCENT: u64 = 25;
const DESCRIPTORS_MORE: usize = 16;

#[derive(Clone, Copy, Debug)]
enum Mishap {
    Kill,
    Pause,
    Broker,
    Cut,
    Term,
}

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 300, rooms: 30, rooms_each: 2, pace: 300, seed, base_ms, cap_ms };
    let small = Plan { clients: 60, rooms: 10, rooms_each: 2, pace: 40, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let lasts = site.sized(Duration::from_secs(3600), Duration::from_secs(300));
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, plan, "")?;
    let began = Instant::now();
    let (mut looks, mut times) = (Vec::new(), 0);
    while began.elapsed() < lasts {
        let calm = crowd.random().below(CALM_MS);
        crowd.spend(Duration::from_millis(calm))?;
        let (mishap, node) = drawn(&mut crowd);
        happens(mishap, node, &mut fleet, &mut crowd)?;
        times += 1;
        let all = crowd.clients.len();
        let whole = crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
        outcome.must(whole, || format!("{} of {all} are live after {mishap:?} of {node}", crowd.live()));
        let look = look(&fleet)?;
        (site.say)(&format!(
            "{} s: {mishap:?} of {node}, {} MiB, {} descriptors",
            began.elapsed().as_secs(),
            look.0 >> 20,
            look.1
        ));
        looks.push(look);
    }
    outcome.figure("mishaps", times);
    // By then each node has held what a node holds; a node that was begun anew only holds less.
    let (first, last) = looks.split_at(looks.len() / 2);
    let most = |looks: &[(u64, usize)]| {
        (looks.iter().map(|it| it.0).max().unwrap_or(0), looks.iter().map(|it| it.1).max().unwrap_or(0))
    };
    let (first, last) = (most(first), most(last));
    outcome.figure("resident MiB of all nodes, most", format!("{} and {}", first.0 >> 20, last.0 >> 20));
    outcome.figure("descriptors of all nodes, most", format!("{} and {}", first.1, last.1));
    let bound = first.0 + first.0 * GROWTH_PERCENT / 100 + GROWTH_BYTES;
    outcome.must(last.0 <= bound, || format!("{} bytes are resident, and {} were", last.0, first.0));
    let bound = first.1 + DESCRIPTORS_MORE + crowd.clients.len();
    outcome.must(last.1 <= bound, || format!("{} descriptors are open, and {} were", last.1, first.1));
    outcome.must(fleet.none_has_ended()?, || "a node ended by itself".to_owned());
    judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    Ok(outcome)
}

fn drawn(crowd: &mut Crowd) -> (Mishap, usize) {
    let all = [Mishap::Kill, Mishap::Pause, Mishap::Broker, Mishap::Cut, Mishap::Term];
    let mishap = all[crowd.random().below(all.len() as u64) as usize];
    (mishap, crowd.random().below(NODES as u64) as usize)
}

fn happens(mishap: Mishap, node: usize, fleet: &mut Fleet, crowd: &mut Crowd) -> Result<()> {
    match mishap {
        Mishap::Kill => fleet.kill_and_start(node, crowd),
        Mishap::Pause => {
            fleet.nodes[node].signal(Signal::SIGSTOP)?;
            crowd.spend(PAUSED)?;
            fleet.nodes[node].signal(Signal::SIGCONT)
        }
        Mishap::Broker => {
            fleet.broker.kill()?;
            crowd.spend(Duration::from_millis(500))?;
            fleet.broker.begin()
        }
        Mishap::Cut => {
            for slot in crowd.clients_at(node) {
                crowd.turn_away(slot);
            }
            Ok(())
        }
        Mishap::Term => fleet.drain_and_start(node, crowd),
    }
}

/// Of all nodes together: bytes and descriptors.
fn look(fleet: &Fleet) -> Result<(u64, usize)> {
    let mut all = (0, 0);
    for node in &fleet.nodes {
        all = (all.0 + node.resident_bytes()?, all.1 + node.descriptors()?);
    }
    Ok(all)
}
