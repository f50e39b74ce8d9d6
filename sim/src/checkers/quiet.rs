//! Where the engine is out of reach nothing new is acknowledged, and no connection ends for it.

use std::collections::BTreeMap;

use vocabulary::{Epoch, RoomId};

use super::{Checker, End, Fact, Seen};
use crate::expect::Expect;

pub(crate) struct Quiet {
    expects: Vec<Expect>,
    /// Where the logs ended when each of the spans began.
    ends: BTreeMap<usize, BTreeMap<(RoomId, Epoch), usize>>,
}

impl Quiet {
    pub(crate) fn new(expects: &[Expect]) -> Quiet {
        let mine =
            |expect: &&Expect| matches!(expect, Expect::NothingAcked { .. } | Expect::SocketsStay { .. });
        Quiet { expects: expects.iter().filter(mine).cloned().collect(), ends: BTreeMap::new() }
    }
}

impl Checker for Quiet {
    fn property(&self) -> &'static str {
        "the engine's absence is borne"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let (at, device) = (so_far.since_start(), &so_far.devices[seen.device]);
        for (number, expect) in self.expects.iter().enumerate() {
            match (expect, &seen.fact) {
                (Expect::NothingAcked { node, from, until }, fact) if (*from..*until).contains(&at) => {
                    let ends = self.ends.entry(number).or_insert_with(|| so_far.ledger().ends());
                    let (Fact::Heard(heard), Some(socket)) = (fact, device.socket) else { continue };
                    let concerned = node.is_none_or(|node| so_far.world.node_of(socket) == node);
                    let (Some(room), Some(position)) = (&heard.room, heard.position) else { continue };
                    let end = ends.get(&(room.clone(), position.epoch)).copied().unwrap_or_default();
                    if concerned && heard.kind == "ack" && position.offset > end as u64 {
                        let name = &device.name;
                        return Err(format!(
                            "{name} is told that {:?} is stored at {room} {position}, which nobody could know",
                            heard.id
                        ));
                    }
                }
                (Expect::SocketsStay { from, until }, Fact::Ended(_)) if (*from..*until).contains(&at) => {
                    return Err(format!("the connection of {} ended", device.name));
                }
                _ => {}
            }
        }
        Ok(())
    }
}
