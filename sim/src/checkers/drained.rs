//! A drain tells everybody to come back elsewhere, within its time, and evenly.

use std::collections::BTreeMap;
use std::time::Duration;

use super::{Checker, End, Fact, Seen};
use crate::expect::Expect;

pub(crate) struct Drained {
    /// The node, the start and the length of each drain.
    drains: Vec<(usize, Duration, Duration)>,
    /// By drain and second.
    goodbyes: BTreeMap<(usize, u64), u32>,
    /// Devices on the node when it began.
    there: BTreeMap<usize, usize>,
}

/// The way to a client, and the last of a millisecond's turns.
const WAY: Duration = Duration::from_secs(2);

impl Drained {
    pub(crate) fn new(expects: &[Expect]) -> Drained {
        let drain = |expect: &Expect| match expect {
            Expect::Drained { node, from, window } => Some((*node, *from, *window)),
            _ => None,
        };
        let drains = expects.iter().filter_map(drain).collect();
        Drained { drains, goodbyes: BTreeMap::new(), there: BTreeMap::new() }
    }
}

impl Checker for Drained {
    fn property(&self) -> &'static str {
        "a drain says goodbye to all, evenly"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let now = so_far.since_start();
        for (number, (node, from, window)) in self.drains.iter().enumerate() {
            if now < *from || now > *from + *window + WAY {
                continue;
            }
            let on = |device: &crate::device::Device| {
                device.socket.is_some_and(|socket| so_far.world.node_of(socket) == *node)
            };
            self.there
                .entry(number)
                .or_insert_with(|| so_far.devices.iter().filter(|device| on(device)).count());
            let Fact::Ended(code) = &seen.fact else { continue };
            let device = &so_far.devices[seen.device];
            if !on(device) {
                continue;
            }
            if *code != Some(4412) {
                return Err(format!("{} is told {code:?} by a node that drains", device.name));
            }
            *self.goodbyes.entry((number, (now - *from).as_secs())).or_default() += 1;
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        for (number, (node, _, window)) in self.drains.iter().enumerate() {
            let of_it = self.goodbyes.range((number, 0)..=(number, u64::MAX));
            let told: u32 = of_it.clone().map(|(_, count)| count).sum();
            let most = of_it.map(|(_, count)| *count).max().unwrap_or_default();
            let there = self.there.get(&number).copied().unwrap_or_default();
            if (told as usize) < there || there == 0 {
                return Err(format!("n{node} said goodbye to {told} of {there}"));
            }
            // Each shard spaces its own, and all begin at once.
            let fair = 2.0 * f64::from(told) / window.as_secs_f64() + f64::from(end.world.scenario.shards);
            if f64::from(most) > fair {
                return Err(format!("n{node} said goodbye to {most} of {told} in one second of {window:?}"));
            }
        }
        Ok(())
    }
}
