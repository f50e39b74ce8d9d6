//! One run: devices act as the seed says, faults come as the seed says, everything that is seen goes to the checkers;
//! then the faults stop, and all must come right.

mod acts;

use std::sync::Arc;
use std::time::Duration;

use vocabulary::{RoomId, User};

use crate::checkers::{Checkers, End, Fact, Seen, Violation};
use crate::device::{Ask, Device, Standing};
use crate::faults::{self, Fault};
use crate::heard::Heard;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::scenario::Scenario;
use crate::tally::Tally;
use crate::world::{Happened, SocketId, World, user};

pub(crate) struct Play {
    world: World,
    random: Random,
    devices: Vec<Device>,
    rooms: Vec<RoomId>,
    /// The device that owns each socket.
    owners: Vec<usize>,
    faults: Vec<Fault>,
    checkers: Checkers,
    calm: bool,
    /// A mutant's hand: an ack that was shown too early.
    held: Vec<Option<Heard>>,
}

/// Reminders below this are a device's turn to act; the faults are numbered from here.
const FAULTS: u64 = 1 << 32;
const CALM: u64 = u64::MAX;
const LAST_QUESTIONS: u64 = u64::MAX - 1;
const OVER: u64 = u64::MAX - 2;
const SETTLED: u64 = u64::MAX - 3;

/// Runs a scenario to its end.
pub(crate) fn run(scenario: Scenario, tracing: bool) -> (Tally, Result<(), Violation>) {
    let mut play = Play::new(scenario, tracing);
    let outcome = play.run();
    (play.tally(), outcome)
}

impl Play {
    fn new(scenario: Scenario, tracing: bool) -> Play {
        let mut random = Random::new(scenario.seed ^ 0xdec1de);
        let users: Vec<Arc<User>> = (0..scenario.users)
            .map(|index| user(&format!("u{index}"), &format!("User {index}"), None))
            .collect();
        let devices: Vec<Device> = (0..scenario.devices)
            .map(|index| {
                let user = users[index % users.len()].clone();
                Device::new(format!("d{index}"), user, index % 3 == 0)
            })
            .collect();
        let mut rooms: Vec<RoomId> =
            (0..scenario.rooms).map(|index| RoomId::new("chat", &format!("r{index}"))).collect();
        if random.per_mille(600) {
            rooms.push(RoomId::new("probe", "p0"));
            rooms.push(RoomId::new("probe", "p1"));
        }
        let faults = faults::plan(&scenario, &mut random);
        let checkers = Checkers::new(&scenario);
        let mut world = World::new(scenario, tracing);
        let start = world.now.tick;
        for index in 0..devices.len() {
            world.remind(start + random.millis(0, 2000), index as u64);
        }
        for (index, fault) in faults.iter().enumerate() {
            world.remind(start + fault.after, FAULTS + index as u64);
        }
        let (chaos, calm) = (world.scenario.chaos, world.scenario.calm);
        world.remind(start + chaos, CALM);
        world.remind(start + chaos + calm - Duration::from_secs(12), LAST_QUESTIONS);
        // A record of the last moment is on its way to its members yet.
        world.remind(start + chaos + calm - Duration::from_secs(2), SETTLED);
        world.remind(start + chaos + calm, OVER);
        let held = devices.iter().map(|_| None).collect();
        Play { world, random, devices, rooms, owners: Vec::new(), faults, checkers, calm: false, held }
    }

    fn run(&mut self) -> Result<(), Violation> {
        loop {
            let happened = self.world.step();
            // What production survives is found here.
            assert!(self.world.failures.is_empty(), "{}", self.world.failures[0]);
            for happened in happened {
                match happened {
                    Happened::Heard(socket, text) => self.heard(socket, &text)?,
                    Happened::Closed(socket, code) => self.closed(socket, code)?,
                    Happened::Reminder(OVER) => return self.finish(),
                    Happened::Reminder(SETTLED) => self.world.engine.ledger.settle(),
                    Happened::Reminder(CALM) => self.heal(),
                    Happened::Reminder(LAST_QUESTIONS) => self.last_questions()?,
                    Happened::Reminder(token) if token >= FAULTS => self.fault((token - FAULTS) as usize)?,
                    Happened::Reminder(token) => self.act(token as usize)?,
                }
            }
        }
    }

    fn tally(&mut self) -> Tally {
        let mut tally = self.world.tally.clone();
        for node in &self.world.nodes {
            for cell in &node.cells {
                let Some(machine) = &cell.machine else { continue };
                let (shard, rooms) = machine.shard.counts();
                tally.fell_behind += shard.fell_behind;
                tally.records += rooms.records_applied;
                tally.epochs += rooms.epochs_begun;
                tally.conflicts += rooms.conflicts;
                tally.duplicates += rooms.duplicates;
                tally.unconfirmed += rooms.unconfirmed;
            }
        }
        tally
    }

    fn see(&mut self, device: usize, fact: Fact<'_>) -> Result<(), Violation> {
        let at = self.world.now.tick;
        let seen = Seen { at, device, fact };
        self.checkers.see(&seen, &self.devices, &self.world)
    }

    fn heard(&mut self, socket: SocketId, text: &str) -> Result<(), Violation> {
        let device = self.owners[socket.0];
        if self.devices[device].socket != Some(socket) {
            return Ok(());
        }
        self.world.tally.heard += 1;
        let heard = Heard::read(text);
        if self.world.scenario.mutant == Some(Mutant::AckBeforeItsPlace) {
            return self.hear_out_of_place(device, heard);
        }
        self.hear(device, &heard, text)
    }

    /// The mutant: a record is held back until an ack that follows it was shown.
    fn hear_out_of_place(&mut self, device: usize, heard: Heard) -> Result<(), Violation> {
        match self.held[device].take() {
            None if heard.is_record() && self.random.per_mille(200) => {
                self.held[device] = Some(heard);
                Ok(())
            }
            Some(record) => {
                self.hear(device, &heard, "")?;
                self.hear(device, &record, "")
            }
            None => self.hear(device, &heard, ""),
        }
    }

    fn hear(&mut self, device: usize, heard: &Heard, text: &str) -> Result<(), Violation> {
        self.world.trace(|| format!("{} <- {text}", self.devices[device].name));
        let before = self.devices[device].standing.clone();
        self.devices[device].hear(self.world.now.tick, heard);
        self.see(device, Fact::Heard(heard))?;
        // Having joined, it says again what was not acknowledged.
        if let (Some(room), "room_info") = (&heard.room, heard.kind.as_str())
            && before.get(room) == Some(&Standing::Joining)
        {
            let again: Vec<String> = self.unsent_of(device, room).take(5).collect();
            for id in again {
                self.send(device, &id)?;
            }
        }
        Ok(())
    }

    fn unsent_of<'a>(&'a self, device: usize, room: &'a RoomId) -> impl Iterator<Item = String> + 'a {
        let unsent = self.devices[device].unsent.iter();
        unsent.filter(move |(_, unsent)| unsent.room == *room).map(|(id, _)| id.clone())
    }

    fn closed(&mut self, socket: SocketId, code: Option<u16>) -> Result<(), Violation> {
        let device = self.owners[socket.0];
        if self.devices[device].socket != Some(socket) {
            return Ok(());
        }
        self.world.trace(|| format!("{} -- closed {code:?}", self.devices[device].name));
        self.see(device, Fact::Closed)?;
        self.devices[device].disconnected();
        self.held[device] = None;
        self.devices[device].reconnect_at = self.world.now.tick + self.random.millis(5, 1500);
        let at = self.devices[device].reconnect_at;
        self.world.remind(at, device as u64);
        Ok(())
    }

    fn say(&mut self, device: usize, (ask, text): (Ask, String)) -> Result<(), Violation> {
        let Some(socket) = self.devices[device].socket else { return Ok(()) };
        self.world.trace(|| format!("{} -> {text}", self.devices[device].name));
        self.see(device, Fact::Asked(&ask))?;
        self.world.say(socket, &text);
        Ok(())
    }

    fn send(&mut self, device: usize, id: &str) -> Result<(), Violation> {
        let now = self.world.now.tick;
        match self.devices[device].send(now, id) {
            Some(said) => self.say(device, said),
            None => Ok(()),
        }
    }

    fn join(&mut self, device: usize, room: &RoomId, with_since: bool) -> Result<(), Violation> {
        let said = self.devices[device].join(self.world.now.tick, room, with_since);
        self.say(device, said)
    }

    fn connect(&mut self, device: usize) -> Result<(), Violation> {
        let node = self.random.index(self.world.nodes.len());
        let user = self.devices[device].user.clone();
        let Some(socket) = self.world.connect(node, &user) else { return Ok(()) };
        self.owners.push(device);
        self.devices[device].socket = Some(socket);
        self.see(device, Fact::Opened)?;
        let wanted: Vec<RoomId> = self.devices[device].wanted.iter().cloned().collect();
        for room in wanted {
            let with_since = self.random.per_mille(850);
            if !with_since {
                self.devices[device].kept.remove(&room);
            }
            self.join(device, &room, with_since)?;
        }
        Ok(())
    }

    fn fault(&mut self, index: usize) -> Result<(), Violation> {
        if self.calm {
            return Ok(());
        }
        let fault = self.faults[index].clone();
        faults::strike(&mut self.world, &mut self.random, &fault.kind);
        Ok(())
    }

    /// From here on nothing goes wrong any more.
    fn heal(&mut self) {
        self.calm = true;
        self.world.trace(|| "---- the faults stop".to_owned());
        faults::heal(&mut self.world);
    }

    /// What every member believes in the end.
    fn last_questions(&mut self) -> Result<(), Violation> {
        for device in 0..self.devices.len() {
            let rooms: Vec<RoomId> = self.devices[device].wanted.iter().cloned().collect();
            for room in rooms {
                let now = self.world.now.tick;
                let told = self.devices[device].last_users.get(&room).map(|(at, _)| *at);
                if told.is_none_or(|told| now.since(told) > Duration::from_secs(14)) {
                    let said = self.devices[device].users(now, &room);
                    self.say(device, said)?;
                }
            }
        }
        // Whoever was told to come again later does so.
        let again = self.world.now.tick + Duration::from_millis(1300);
        self.world.remind(again, LAST_QUESTIONS);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Violation> {
        let end = End { at: self.world.now.tick, devices: &self.devices, world: &self.world };
        self.checkers.finish(&end)
    }
}
