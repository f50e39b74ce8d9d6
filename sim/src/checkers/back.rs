//! Whose connection ended is back in all its rooms in time.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vocabulary::{RoomId, Tick};

use super::{Checker, End, Fact, Seen};
use crate::device::Standing;
use crate::expect::Expect;

pub(crate) struct Back {
    within: Option<Duration>,
    away: BTreeMap<usize, (Tick, BTreeSet<RoomId>)>,
}

impl Back {
    pub(crate) fn new(expects: &[Expect]) -> Back {
        let within = expects.iter().find_map(|expect| match expect {
            Expect::Back(within) => Some(*within),
            _ => None,
        });
        Back { within, away: BTreeMap::new() }
    }
}

impl Checker for Back {
    fn property(&self) -> &'static str {
        "who was cut off is back in time"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let Some(within) = self.within else { return Ok(()) };
        let device = &so_far.devices[seen.device];
        match &seen.fact {
            Fact::Closed => {
                let inside = |(room, standing): (&RoomId, &Standing)| {
                    (*standing == Standing::In).then(|| room.clone())
                };
                let rooms: BTreeSet<RoomId> = device.standing.iter().filter_map(inside).collect();
                let away = self.away.entry(seen.device).or_insert((seen.at, BTreeSet::new()));
                away.1.extend(rooms);
            }
            Fact::Heard(_) => {
                if let Some((since, rooms)) = self.away.get_mut(&seen.device) {
                    rooms.retain(|room| !device.is_in(room));
                    let gone = seen.at.since(*since);
                    if rooms.is_empty() {
                        self.away.remove(&seen.device);
                    }
                    if gone > within {
                        let seconds = gone.as_secs_f64();
                        return Err(format!("{} was not back after {seconds:.1} s", device.name));
                    }
                }
            }
            Fact::Opened | Fact::Ended(_) | Fact::Asked(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        let Some(within) = self.within else { return Ok(()) };
        let late = self
            .away
            .iter()
            .find(|(device, (since, _))| !end.devices[**device].gone && end.at.since(*since) > within);
        late.map_or(Ok(()), |(device, _)| Err(format!("{} never came back", end.devices[*device].name)))
    }
}
