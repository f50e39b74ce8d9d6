//! Presence is the union of all joined connections: in the end exactly that, and never a leave told of a user who was
//! there throughout, or away for less than the linger.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vocabulary::{RoomId, Tick};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;
use crate::scenario::Scenario;

pub(crate) struct Presence {
    /// Whether a leave that is none can be blamed on the nodes.
    watches_flaps: bool,
    joins: BTreeMap<(usize, String), RoomId>,
    inside: BTreeMap<(usize, RoomId), Tick>,
    /// Since when a user has been in a room, short absences not counted.
    steady: BTreeMap<(String, RoomId), Steady>,
}

#[derive(Clone, Copy)]
struct Steady {
    since: Tick,
    absent: Option<Tick>,
}

/// Shorter than the linger by all that a reconnect may be late.
const BRIEF: Duration = Duration::from_millis(1500);
/// A leave that is told now was one at most so long ago.
const TOLD_WITHIN: Duration = Duration::from_secs(6);

impl Presence {
    pub(crate) fn new(scenario: &Scenario) -> Presence {
        let disturbed = scenario.presence_is_disturbed();
        Presence {
            watches_flaps: !disturbed,
            joins: BTreeMap::new(),
            inside: BTreeMap::new(),
            steady: BTreeMap::new(),
        }
    }

    fn comes(&mut self, at: Tick, user: &str, device: usize, room: &RoomId) {
        self.inside.entry((device, room.clone())).or_insert(at);
        let steady =
            self.steady.entry((user.to_owned(), room.clone())).or_insert(Steady { since: at, absent: None });
        if let Some(absent) = steady.absent.take()
            && at.since(absent) > BRIEF
        {
            steady.since = at;
        }
    }

    fn goes(&mut self, at: Tick, device: usize, room: &RoomId, asked: bool, so_far: &End<'_>) {
        let user = so_far.devices[device].user_id().to_owned();
        if self.inside.remove(&(device, room.clone())).is_none() {
            // Who leaves before its join is answered may have been in for a moment, as if another of its user's devices
            // had come back; that leave is at once.
            let joining = self.joins.iter().any(|((joiner, _), joined)| *joiner == device && joined == room);
            if asked && joining {
                self.steady.remove(&(user, room.clone()));
            }
            return;
        }
        let others = so_far.devices.iter().enumerate().filter(|(_, other)| other.user_id() == user);
        let others: Vec<Tick> =
            others.filter_map(|(other, _)| self.inside.get(&(other, room.clone())).copied()).collect();
        let place = (user, room.clone());
        // A node may hear of a join elsewhere after the leave it overtakes.
        let known = others.iter().any(|since| at.since(*since) > BRIEF);
        if let Some(steady) = self.steady.get_mut(&place).filter(|_| !others.is_empty()) {
            if asked && !known {
                steady.since = at;
            }
            return;
        }
        if asked {
            self.steady.remove(&place);
        } else if let Some(steady) = self.steady.get_mut(&place) {
            steady.absent = Some(at);
        }
    }
}

impl Checker for Presence {
    fn property(&self) -> &'static str {
        "presence is the union of connections"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let (at, device) = (seen.at, seen.device);
        match &seen.fact {
            Fact::Opened | Fact::Ended(_) => {}
            Fact::Closed => {
                self.joins.retain(|(other, _), _| *other != device);
                let rooms: Vec<RoomId> = self
                    .inside
                    .keys()
                    .filter(|(other, _)| *other == device)
                    .map(|(_, room)| room.clone())
                    .collect();
                for room in rooms {
                    self.goes(at, device, &room, false, so_far);
                }
            }
            Fact::Asked(ask) if ask.verb == Verb::Join => {
                self.joins.insert((device, ask.id.clone()), ask.room.clone());
            }
            Fact::Asked(ask) if ask.verb == Verb::Leave => self.goes(at, device, &ask.room, true, so_far),
            Fact::Asked(_) => {}
            Fact::Heard(heard) => {
                if let Some(id) = heard.id.as_ref()
                    && let Some(room) = self.joins.remove(&(device, id.clone()))
                    && heard.kind == "room_info"
                    && so_far.devices[device].is_in(&room)
                {
                    let user = so_far.devices[device].user_id().to_owned();
                    self.comes(at, &user, device, &room);
                }
                if heard.kind == "error"
                    && heard.code() == "FORBIDDEN"
                    && let Some(room) = &heard.room
                {
                    self.goes(at, device, room, true, so_far);
                }
                if heard.kind == "user_left" && self.watches_flaps {
                    return self.left(at, device, heard, so_far);
                }
            }
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        let mut expected: BTreeMap<&RoomId, BTreeSet<&str>> = BTreeMap::new();
        for device in end.devices {
            for room in &device.wanted {
                expected.entry(room).or_default().insert(device.user_id());
            }
        }
        for device in end.devices {
            for room in &device.wanted {
                let Some((_, told)) = device.last_users.get(room) else {
                    return Err(format!("{} was never told who is in {room}", device.name));
                };
                let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
                let here = expected.get(room).cloned().unwrap_or_default();
                if told != here {
                    return Err(format!(
                        "{} on n{} was told {told:?} of {room}, where {here:?} are",
                        device.name,
                        device.socket.map_or(99, |socket| end.world.node_of(socket))
                    ));
                }
            }
        }
        Ok(())
    }
}

impl Presence {
    fn left(
        &self,
        at: Tick,
        device: usize,
        heard: &crate::heard::Heard,
        so_far: &End<'_>,
    ) -> Result<(), String> {
        let (Some(room), Some(user)) = (&heard.room, heard.payload["id"].as_str()) else { return Ok(()) };
        let Some(steady) = self.steady.get(&(user.to_owned(), room.clone())) else { return Ok(()) };
        // The others may hear of a ban before the banned do.
        let banned = |entry: &crate::ledger::Entry| {
            entry.kind == "banned" && entry.body.contains(&format!("\"item\":\"{user}\""))
        };
        let ledger = so_far.ledger().rooms.get(room);
        if ledger.is_some_and(|ledger| ledger.epochs.values().flatten().any(banned)) {
            return Ok(());
        }
        let here = steady.absent.is_none_or(|absent| at.since(absent) < BRIEF);
        if here && at.since(steady.since) > TOLD_WITHIN {
            let name = &so_far.devices[device].name;
            return Err(format!(
                "{name} is told that {user} left {room}, who has been there for {:.1} s",
                at.since(steady.since).as_secs_f64()
            ));
        }
        Ok(())
    }
}
