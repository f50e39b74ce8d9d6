//! Three nodes are replaced one after the other under load, each by SIGTERM and a process of the next build, which could
//! write a newer format and records a type that the others do not know; then one goes back to the old build. Clients are told
//! to go and resume at the others; what they send is stored without a slice of time in which it is not. After each step people
//! at all three nodes talk in the room in which that type is recorded, and all hear all.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};

use super::kills::must_be_whole;
use super::{Site, gathered, judged};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::fleet::Fleet;
use crate::front::Visitor;
use crate::history::{Event, History, Id};
use crate::outcome::Outcome;

const SLICE_MS: u32 = 10_000;
/// Sent again as often as it takes, a message is acknowledged by then or counts as refused.
const ACKED_WITHIN_MS: u32 = 5_000;
const UNKNOWN: &str = "kulkul_records_unknown_total";
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
    let [old, next] = site.world.builds()?;
    // Which node, what it becomes, and who of the old build looks on.
    let steps = [(0, next, Some(1)), (1, next, Some(2)), (2, next, None), (0, old, Some(0))];
    let mut unknown = u64::MAX;
    for (number, (node, build, old)) in steps.into_iter().enumerate() {
        crowd.spend(pause)?;
        let began_at = crowd.now();
        fleet.replace(node, build, &mut crowd)?;
        (site.say)(&format!("node {node} is replaced after {} ms", crowd.now() - began_at));
        crowd.spend(pause)?;
        talk(&fleet, number)?;
        if let Some(old) = old {
            unknown = unknown.min(fleet.figure(old, UNKNOWN)?);
        }
    }
    outcome.figure("records unknown to the old build, fewest", unknown as usize);
    outcome.must(unknown > 0, || "an old build met no record that it does not know".to_owned());
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

fn talk(fleet: &Fleet, round: usize) -> Result<()> {
    let mut people = Vec::new();
    for (node, port) in fleet.ports().into_iter().enumerate() {
        let mut visitor = Visitor::come(port, &fleet.signer.token(&format!("visitor-{node}"))?)?;
        visitor.say(r#"{"type":"join_room","id":"join","payload":{"room_id":"rehearsed"}}"#)?;
        visitor.hear_until(|heard| (heard.id == Some("join")).then_some(()))?;
        people.push(visitor);
    }
    for said in 0..people.len() {
        let (id, words) = (format!("m{round}"), format!("{said} in round {round}"));
        people[said].say(&format!(
            r#"{{"type":"send_message","id":"{id}","room":"rehearsed","payload":{{"content":"{words}"}}}}"#
        ))?;
        people[said].hear_until(|heard| (heard.id == Some(&id)).then_some(()))?;
        for (_, visitor) in people.iter_mut().enumerate().filter(|(node, _)| *node != said) {
            // In its turn: whatever else is heard before it is out of order.
            let heard = visitor.hear_until(|heard| {
                let content = heard.payload.content.as_deref().filter(|_| heard.kind == "new_message");
                content.map(str::to_owned)
            })?;
            ensure!(heard == words, "heard {heard:?} where {words:?} was said");
        }
    }
    Ok(())
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
