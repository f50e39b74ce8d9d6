//! After a leave is acknowledged nothing of the room comes any more but answers.

use std::collections::{BTreeMap, BTreeSet};

use vocabulary::RoomId;

use super::{Checker, End, Fact, Seen};
use crate::device::Verb;

#[derive(Default)]
pub(crate) struct Leave {
    leaving: BTreeMap<(usize, String), RoomId>,
    joining: BTreeMap<(usize, String), RoomId>,
    left: BTreeSet<(usize, RoomId)>,
}

impl Checker for Leave {
    fn property(&self) -> &'static str {
        "nothing after leave"
    }

    fn see(&mut self, seen: &Seen<'_>, so_far: &End<'_>) -> Result<(), String> {
        let device = seen.device;
        match &seen.fact {
            Fact::Opened | Fact::Ended(_) => {}
            Fact::Closed => {
                self.leaving.retain(|(other, _), _| *other != device);
                self.joining.retain(|(other, _), _| *other != device);
                self.left.retain(|(other, _)| *other != device);
            }
            Fact::Asked(ask) => {
                match ask.verb {
                    Verb::Leave => drop(self.leaving.insert((device, ask.id.clone()), ask.room.clone())),
                    Verb::Join => drop(self.joining.insert((device, ask.id.clone()), ask.room.clone())),
                    _ => {}
                };
            }
            Fact::Heard(heard) => {
                if let Some(id) = heard.id.as_ref().filter(|_| !heard.is_record()) {
                    if let Some(room) = self.leaving.remove(&(device, id.clone())) {
                        if heard.kind == "ack" {
                            self.left.insert((device, room));
                        }
                    } else if let Some(room) = self.joining.remove(&(device, id.clone()))
                        && heard.kind == "room_info"
                    {
                        self.left.remove(&(device, room));
                    }
                    return Ok(());
                }
                let Some(room) = &heard.room else { return Ok(()) };
                let place = (device, room.clone());
                let parted = heard.kind == "error" && heard.code() == "FORBIDDEN";
                if self.left.contains(&place) && heard.kind != "error" {
                    let name = &so_far.devices[device].name;
                    return Err(format!(
                        "{name} is out of {room} and hears {} {:?}",
                        heard.kind, heard.position
                    ));
                }
                if parted {
                    self.left.insert(place);
                }
            }
        }
        Ok(())
    }
}
