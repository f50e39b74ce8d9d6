//! Three nodes are replaced one after the other under load, each by SIGTERM and a new process. Clients are told to go and
//! resume at the others; what they send is stored without a slice of time in which it is not.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gathered, judged};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::fleet::NODES;
use crate::history::{Event, History, Id};
use crate::outcome::Outcome;

const SLICE_MS: u32 = 10_000;
/// Sent again as often as it takes, a message is acknowledged by then or counts as refused.
const ACKED_WITHIN_MS: u32 = 5_000;
/// Of the messages of a slice, in thousandths.
const AVAILABLE_MIN: usize = 999;

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 600, rooms: 60, rooms_each: 2, pace: 1000, seed, base_ms, cap_ms };
    let small = Plan { clients: 60, rooms: 10, rooms_each: 2, pace: 150, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let pause = site.sized(Duration::from_secs(6), Duration::from_millis(500));
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, plan, "")?;
    for node in 0..NODES {
        crowd.spend(pause)?;
        let began_at = crowd.now();
        fleet.replace(node, &mut crowd)?;
        (site.say)(&format!("node {node} is replaced after {} ms", crowd.now() - began_at));
    }
    crowd.spend(pause)?;
    let history = judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    let worst = worst_slice(&history);
    outcome.figure("available in the worst 10 s, thousandths", worst);
    if site.is_full() {
        outcome.must(worst >= AVAILABLE_MIN, || {
            format!("of the worst 10 s {worst} of 1000 messages were stored in time")
        });
    }
    Ok(outcome)
}

/// How many of a thousand messages were acknowledged in time, where it was fewest.
fn worst_slice(history: &History) -> usize {
    // By slice: sent, and of these acknowledged in time.
    let mut slices: BTreeMap<u32, (usize, usize)> = BTreeMap::new();
    for diary in &history.diaries {
        let mut sent: BTreeMap<Id, u32> = BTreeMap::new();
        for noted in &diary.events {
            match noted.event {
                Event::Sent { id, .. } => {
                    sent.insert(id, noted.at);
                    slices.entry(noted.at / SLICE_MS).or_default().0 += 1;
                }
                Event::Acked { id, .. } => {
                    if let Some(at) = sent.remove(&id).filter(|at| noted.at <= at + ACKED_WITHIN_MS) {
                        slices.entry(at / SLICE_MS).or_default().1 += 1;
                    }
                }
                _ => {}
            }
        }
    }
    slices.values().map(|(sent, acked)| acked * 1000 / (*sent).max(1)).min().unwrap_or(0)
}
