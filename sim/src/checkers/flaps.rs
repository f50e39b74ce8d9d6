//! Nobody is told of a leave that was none: of who stayed connected to a node that nothing happened to, of who came back
//! within the linger, of anybody at all where a scenario says so; and a leave that was one is told once.

use std::collections::BTreeMap;
use std::time::Duration;

use vocabulary::{RoomId, Tick};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;
use crate::expect::Expect;
use crate::heard::Heard;

/// Who is there for so long has been heard of by every node that hears: a lease, and time to say everything again.
const KNOWN: Duration = Duration::from_secs(15);

#[derive(Default)]
pub(crate) struct Flaps {
    everywhere: bool,
    spans: Vec<(Duration, Duration)>,
    once: bool,
    /// Where and since when a device is in a room.
    inside: BTreeMap<(usize, RoomId), (usize, Tick)>,
    /// How often a device was told that a user left a room.
    told: BTreeMap<(usize, RoomId, String), u32>,
}

impl Flaps {
    pub(crate) fn new(expects: &[Expect]) -> Flaps {
        let mut flaps = Flaps::default();
        for expect in expects {
            match expect {
                Expect::NoFlaps => flaps.everywhere = true,
                Expect::NoLeaves { from, until } => flaps.spans.push((*from, *until)),
                Expect::LeftOnce => flaps.once = true,
                _ => {}
            }
        }
        flaps
    }

    fn left(&mut self, seen: &Seen<'_>, heard: &Heard, so_far: &End<'_>) -> Result<(), String> {
        let (Some(room), Some(user)) = (&heard.room, heard.payload["id"].as_str()) else { return Ok(()) };
        let device = &so_far.devices[seen.device];
        *self.told.entry((seen.device, room.clone(), user.to_owned())).or_default() += 1;
        let now = so_far.since_start();
        if self.spans.iter().any(|(from, until)| (*from..*until).contains(&now)) {
            return Err(format!("{} is told that {user} left {room}", device.name));
        }
        if !self.everywhere {
            return Ok(());
        }
        let Some(hearer) = device.socket.map(|socket| &so_far.world.nodes[so_far.world.node_of(socket)])
        else {
            return Ok(());
        };
        let steady = self.inside.iter().find(|((other, at), (node, since))| {
            // A node that hears nothing cannot know of who came meanwhile, and what it hears late may be of before.
            let heard_of = hearer.disturbed.is_over(seen.at) || *since + KNOWN < hearer.disturbed.from;
            at == room
                && so_far.devices[*other].user_id() == user
                && seen.at.since(*since) > KNOWN
                && so_far.world.nodes[*node].disturbed.is_over(seen.at)
                && heard_of
        });
        match steady {
            Some(((other, _), (node, since))) => Err(format!(
                "{} is told that {user} left {room}, whose {} has been there, on n{node}, for {:.1} s",
                device.name,
                so_far.devices[*other].name,
                seen.at.since(*since).as_secs_f64()
            )),
            None => Ok(()),
        }
    }
}

impl Checker for Flaps {
    fn property(&self) -> &'static str {
        "a leave that is told was one"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        match &seen.fact {
            Fact::Closed => self.inside.retain(|(device, _), _| *device != seen.device),
            Fact::Asked(ask) if ask.verb == Verb::Leave => {
                self.inside.remove(&(seen.device, ask.room.clone()));
            }
            Fact::Heard(heard) if heard.kind == "room_info" => {
                let device = &so_far.devices[seen.device];
                if let (Some(room), Some(socket)) = (&heard.room, device.socket)
                    && device.is_in(room)
                {
                    let node = so_far.world.node_of(socket);
                    self.inside.entry((seen.device, room.clone())).or_insert((node, seen.at));
                }
            }
            Fact::Heard(heard) if heard.kind == "user_left" => return self.left(seen, heard, so_far),
            Fact::Opened | Fact::Ended(_) | Fact::Asked(_) | Fact::Heard(_) => {}
        }
        Ok(())
    }

    fn finish(&mut self, end: &End<'_>) -> Result<(), String> {
        if !self.once {
            return Ok(());
        }
        let mut left: Vec<&str> = end.devices.iter().filter(|d| d.gone).map(|d| d.user_id()).collect();
        left.sort_unstable();
        left.dedup();
        for (index, watcher) in end.devices.iter().enumerate().filter(|(_, device)| !device.gone) {
            for (room, user) in
                watcher.wanted.iter().flat_map(|room| left.iter().map(move |user| (room, *user)))
            {
                let times =
                    self.told.get(&(index, room.clone(), user.to_owned())).copied().unwrap_or_default();
                if times != 1 {
                    return Err(format!("{} was told {times} times that {user} left {room}", watcher.name));
                }
            }
        }
        Ok(())
    }
}
