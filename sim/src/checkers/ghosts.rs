//! Nobody is shown to be in a room who has been gone for longer than the linger and a lease, by a node that hears the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vocabulary::{RoomId, Tick};

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;
use crate::expect::Expect;
use crate::scenario::News;

/// Linger, or lease with what one look at the clock and the way there add; and the way to the client.
const BOUND: Duration = Duration::from_millis(3_000 + 10_000 + 2_500 + 1_000);

pub(crate) struct Ghosts {
    watches: bool,
    inside: BTreeSet<(usize, RoomId)>,
    /// When the last of a user's devices was in a room, while none is.
    gone: BTreeMap<(String, RoomId), Tick>,
}

impl Ghosts {
    pub(crate) fn new(expects: &[Expect]) -> Ghosts {
        let watches = expects.contains(&Expect::NoGhosts);
        Ghosts { watches, inside: BTreeSet::new(), gone: BTreeMap::new() }
    }

    fn goes(&mut self, seen: &Seen<'_>, room: &RoomId, so_far: &End<'_>) {
        let device = &so_far.devices[seen.device];
        let user = device.user_id();
        self.inside.remove(&(seen.device, room.clone()));
        let of_user =
            |(device, at): &(usize, RoomId)| at == room && so_far.devices[*device].user_id() == user;
        if !self.inside.iter().any(of_user) {
            // What its node said of it before may come yet, and holds for a lease, even if the node is gone.
            let node = device.socket.map(|socket| &so_far.world.nodes[so_far.world.node_of(socket)]);
            let lossless = so_far.world.scenario.news == News::Reliable;
            let held = node.filter(|_| lossless).map(|node| node.disturbed.held_until);
            self.gone.insert((user.to_owned(), room.clone()), seen.at.max(held.unwrap_or_default()));
        }
    }
}

impl Checker for Ghosts {
    fn property(&self) -> &'static str {
        "no ghosts"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        if !self.watches {
            return Ok(());
        }
        let device = &so_far.devices[seen.device];
        match &seen.fact {
            Fact::Opened | Fact::Ended(_) => {}
            Fact::Closed => {
                let mine = self.inside.iter().filter(|(other, _)| *other == seen.device);
                let rooms: Vec<RoomId> = mine.map(|(_, room)| room.clone()).collect();
                rooms.iter().for_each(|room| self.goes(seen, room, so_far));
            }
            // Joining is being there already: the node may know before the client does.
            Fact::Asked(ask) if ask.verb == Verb::Join => {
                self.inside.insert((seen.device, ask.room.clone()));
                self.gone.remove(&(device.user_id().to_owned(), ask.room.clone()));
            }
            Fact::Asked(ask) if ask.verb == Verb::Leave => self.goes(seen, &ask.room, so_far),
            Fact::Asked(_) => {}
            Fact::Heard(heard) => {
                let (Some(room), Some(socket)) = (&heard.room, device.socket) else { return Ok(()) };
                let node = &so_far.world.nodes[so_far.world.node_of(socket)];
                let hears = node.up && node.disturbed.until + BOUND < seen.at;
                if heard.payload["users"].is_null() || !hears {
                    return Ok(());
                }
                for user in heard.users() {
                    if let Some(since) = self.gone.get(&(user.clone(), room.clone()))
                        && seen.at.since(*since) > BOUND
                    {
                        let (name, seconds) = (&device.name, seen.at.since(*since).as_secs_f64());
                        return Err(format!(
                            "{name} is shown {user} in {room}, who has been gone for {seconds:.1} s"
                        ));
                    }
                }
            }
        }
        Ok(())
    }
}
