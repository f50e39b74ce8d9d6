//! What must hold at a moment that a scenario names: everybody live, all nodes of one mind on who is there, a node's users
//! gone elsewhere.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use vocabulary::{Epoch, RoomId};

use super::{Checker, End, Seen};
use crate::expect::Expect;

type Ends = BTreeMap<(RoomId, Epoch), usize>;

#[derive(Default)]
pub(crate) struct Moments {
    /// By the moment at which everybody is to be live: where the logs ended when something was to be stored from then on, and
    /// when all was to be heard up to there.
    since: BTreeMap<Duration, Ends>,
    upto: BTreeMap<Duration, Ends>,
}

impl Checker for Moments {
    fn property(&self) -> &'static str {
        "all is well by then"
    }

    fn see(&mut self, _seen: &Seen<'_>, _so_far: &End<'_>) -> Result<(), String> {
        Ok(())
    }

    fn begins(&mut self, expect: &Expect, end: &End<'_>) {
        if let Expect::Live { at, .. } = expect {
            self.since.insert(*at, end.ledger().ends());
        }
    }

    fn nears(&mut self, expect: &Expect, end: &End<'_>) {
        if let Expect::Live { at, .. } = expect {
            self.upto.insert(*at, end.ledger().ends());
        }
    }

    fn comes(&mut self, expect: &Expect, end: &End<'_>) -> Result<(), String> {
        match expect {
            Expect::Live { at, .. } => self.live(*at, end),
            Expect::Agreed(_) => agreed(end),
            Expect::GoneElsewhere { node, .. } => gone_elsewhere(*node, end),
            _ => Ok(()),
        }
    }
}

impl Moments {
    fn live(&self, at: Duration, end: &End<'_>) -> Result<(), String> {
        let of = |ends: &BTreeMap<Duration, Ends>| ends.get(&at).cloned().unwrap_or_default();
        let (since, upto) = (of(&self.since), of(&self.upto));
        for device in end.devices.iter().filter(|device| !device.gone) {
            let name = &device.name;
            for room in &device.wanted {
                if !device.is_in(room) {
                    return Err(format!("{name} is not in {room}: {:?}", device.standing.get(room)));
                }
                let Some(kept) = device.kept.get(room) else { continue };
                let upto = upto.get(&(room.clone(), kept.epoch)).copied().unwrap_or_default();
                let ledger = end.ledger().rooms.get(room);
                if let Some(now) = ledger.map(|ledger| ledger.now).filter(|now| *now != kept.epoch) {
                    return Err(format!("{name} stands at {kept} in {room}, whose epoch is {now:?}"));
                }
                let entries = ledger.and_then(|ledger| ledger.epochs.get(&kept.epoch));
                let unseen = entries.into_iter().flatten().take(upto).skip(kept.offset as usize);
                if unseen.filter(|entry| device.staff || entry.kind != "whispered").count() > 0 {
                    return Err(format!("{name} stands at {kept} in {room}, which goes to {upto}"));
                }
            }
        }
        for ((room, epoch), upto) in end.ledger().ends() {
            let is_now = end.ledger().rooms.get(&room).is_some_and(|ledger| ledger.now == epoch);
            if is_now && since.get(&(room.clone(), epoch)) == Some(&upto) {
                return Err(format!("nothing was stored in {room}"));
            }
        }
        Ok(())
    }
}

/// Each member was asked a moment ago.
fn agreed(end: &End<'_>) -> Result<(), String> {
    let mut here: BTreeMap<&RoomId, BTreeSet<&str>> = BTreeMap::new();
    for device in end.devices {
        for room in device.wanted.iter().filter(|room| device.is_in(room)) {
            here.entry(room).or_default().insert(device.user_id());
        }
    }
    for device in end.devices {
        for room in device.wanted.iter().filter(|room| device.is_in(room)) {
            let told = device.last_users.get(room).map(|(_, users)| users.as_slice()).unwrap_or_default();
            let told: BTreeSet<&str> = told.iter().map(String::as_str).collect();
            if Some(&told) != here.get(room) {
                let node = device.socket.map(|socket| end.world.node_of(socket));
                return Err(format!(
                    "{} on n{node:?} is told {told:?} of {room}, where {:?} are",
                    device.name,
                    here.get(room)
                ));
            }
        }
    }
    Ok(())
}

fn gone_elsewhere(node: usize, end: &End<'_>) -> Result<(), String> {
    let on = |device: &crate::device::Device| device.socket.map(|socket| end.world.node_of(socket));
    let elsewhere: BTreeSet<&str> = end
        .devices
        .iter()
        .filter(|device| on(device).is_some_and(|at| at != node))
        .map(|device| device.user_id())
        .collect();
    for device in end.devices.iter().filter(|device| on(device).is_some_and(|at| at != node)) {
        for (room, (_, told)) in &device.last_users {
            if let Some(ghost) = told.iter().find(|user| !elsewhere.contains(user.as_str())) {
                return Err(format!(
                    "{} is told that {ghost} is in {room}, who is on n{node} alone",
                    device.name
                ));
            }
        }
    }
    Ok(())
}
