//! One run: devices act as the seed says, faults come as the seed says, everything that is seen goes to the checkers;
//! then the faults stop, and all must come right.

mod acts;
mod back_ends;

use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Failed, Failure, RoomId, Told, User};

use crate::checkers::{Checkers, End, Fact, Seen, Violation, calls};
use crate::device::{Ask, Device, Standing};
use crate::expect::Expect;
use crate::faults::{self, Fault, Kind};
use crate::heard::Heard;
use crate::mutant::Mutant;
use crate::random::Random;
use crate::scenario::{Place, Scenario};
use crate::tally::Tally;
use crate::world::{Happened, SocketId, World, user};

pub(crate) use back_ends::{BackEnds, Outcome};

pub(crate) struct Play {
    world: World,
    random: Random,
    devices: Vec<Device>,
    rooms: Vec<RoomId>,
    /// The device that owns each socket.
    owners: Vec<usize>,
    back_ends: BackEnds,
    faults: Vec<Fault>,
    checkers: Checkers,
    calm: bool,
    /// A mutant's hand: an ack that was shown too early.
    held: Vec<Option<Heard>>,
    /// Another one's: a message that the next one overtakes.
    held_send: Option<(usize, (Ask, String))>,
}

/// Reminders below this are a device's turn to act; the faults are numbered from here, then what is expected at a moment (by
/// number and by how near it is), then the back ends.
const FAULTS: u64 = 1 << 32;
const MOMENTS: u64 = 1 << 33;
const BACK_ENDS: u64 = 1 << 34;
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
                let mut device = Device::new(format!("d{index}"), user, index % 3 == 0);
                let tab = index / users.len();
                device.home = match scenario.place {
                    Place::Anywhere => None,
                    Place::Spread => Some((index % users.len() + tab) % scenario.nodes),
                    Place::Together => Some(index % users.len() % scenario.nodes),
                };
                device.watches = index < scenario.watchers;
                device
            })
            .collect();
        let mut rooms: Vec<RoomId> =
            (0..scenario.rooms).map(|index| RoomId::new("chat", &format!("r{index}"))).collect();
        if random.per_mille(scenario.probes) {
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
        for (index, expect) in world.scenario.expects.clone().iter().enumerate() {
            for (phase, at) in moments(expect).into_iter().enumerate() {
                world.remind(start + at, MOMENTS + 3 * index as u64 + phase as u64);
            }
        }
        for index in 0..world.scenario.back_ends as u64 {
            world.remind(start + Duration::from_millis(500 + 37 * index), BACK_ENDS + index);
        }
        let (chaos, calm) = (world.scenario.chaos, world.scenario.calm);
        world.remind(start + chaos, CALM);
        world.remind(start + chaos + calm - Duration::from_secs(12), LAST_QUESTIONS);
        // A record of the last moment is on its way to its members yet.
        world.remind(start + chaos + calm - Duration::from_secs(2), SETTLED);
        world.remind(start + chaos + calm, OVER);
        let held = devices.iter().map(|_| None).collect();
        let (owners, back_ends, calm, held_send) = (Vec::new(), BackEnds::default(), false, None);
        Play { world, random, devices, rooms, owners, back_ends, faults, checkers, calm, held, held_send }
    }

    fn run(&mut self) -> Result<(), Violation> {
        loop {
            let happened = self.world.step();
            // What production survives is found here.
            let of_damage = |failure: &&Failure| {
                failure.what == Failed::Damaged && self.world.engine.was_damaged(&failure.room)
            };
            let other = self.world.failures.iter().find(|failure| !of_damage(failure));
            assert!(other.is_none(), "{other:?}");
            for happened in happened {
                match happened {
                    Happened::Heard(socket, text) => self.heard(socket, &text)?,
                    Happened::Closed(socket, code) => self.closed(socket, code)?,
                    Happened::Reminder(OVER) => return self.finish(),
                    Happened::Reminder(SETTLED) => self.world.engine.ledger.settle(),
                    Happened::Reminder(CALM) => self.heal(),
                    Happened::Reminder(LAST_QUESTIONS) => self.last_questions()?,
                    Happened::Told(number, told) => self.told(number, &told)?,
                    Happened::Reminder(token) if token >= BACK_ENDS => self.back_end(token)?,
                    Happened::Reminder(token) if token >= MOMENTS => self.moment(token - MOMENTS)?,
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
        let seen = Seen { at: self.world.now.tick, device, fact };
        let Play { checkers, world, devices, back_ends, .. } = self;
        checkers.see(&seen, &End { at: seen.at, devices, back_ends, world })
    }

    /// A moment that the scenario names, or the time before it.
    fn moment(&mut self, token: u64) -> Result<(), Violation> {
        let expect = self.world.scenario.expects[token as usize / 3].clone();
        let asks = matches!(expect, Expect::Agreed(_) | Expect::GoneElsewhere { .. });
        let Play { checkers, world, devices, back_ends, .. } = self;
        let so_far = End { at: world.now.tick, devices, back_ends, world };
        match token % 3 {
            0 => checkers.begins(&expect, &so_far),
            1 => checkers.nears(&expect, &so_far),
            _ => {
                world.trace(|| format!("---- {expect:?}"));
                return checkers.comes(&expect, &so_far);
            }
        }
        if asks { self.ask_who_is_there() } else { Ok(()) }
    }

    fn ask_who_is_there(&mut self) -> Result<(), Violation> {
        for device in 0..self.devices.len() {
            let rooms: Vec<RoomId> = self.devices[device].wanted.iter().cloned().collect();
            for room in rooms.into_iter().filter(|room| self.devices[device].is_in(room)).collect::<Vec<_>>()
            {
                let said = self.devices[device].users(self.world.now.tick, &room);
                self.say(device, said)?;
            }
        }
        Ok(())
    }

    fn back_end(&mut self, token: u64) -> Result<(), Violation> {
        let Play { back_ends, world, random, rooms, calm, .. } = self;
        let acted = back_ends.act(world, random, rooms, *calm);
        let next = world.now.tick + random.between(world.scenario.pace / 2, world.scenario.pace * 2);
        world.remind(next, token);
        acted.map_err(|facts| Violation { property: calls::PROPERTY, facts })
    }

    fn told(&mut self, number: u64, told: &Told) -> Result<(), Violation> {
        let told = self.back_ends.told(&self.world, number, told);
        told.map_err(|facts| Violation { property: calls::PROPERTY, facts })
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
        if self.world.scenario.mutant == Some(Mutant::LeaveTwice) && heard.kind == "user_left" {
            self.hear(device, &heard, text)?;
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
        self.see(device, Fact::Ended(code))?;
        self.see(device, Fact::Closed)?;
        self.devices[device].disconnected();
        self.held[device] = None;
        let mut returns = self.random.between(Duration::from_millis(5), self.world.scenario.returns);
        if self.world.scenario.mutant == Some(Mutant::ComesLate) {
            returns += Duration::from_secs(15);
        }
        self.devices[device].reconnect_at = self.world.now.tick + returns;
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
        let Some(said) = self.devices[device].send(now, id) else { return Ok(()) };
        if self.world.scenario.mutant == Some(Mutant::Overtaken) {
            return self.say_overtaken(device, said);
        }
        self.say(device, said)
    }

    /// The mutant: to the checkers a message is sent, and it leaves behind the next one.
    fn say_overtaken(&mut self, device: usize, said: (Ask, String)) -> Result<(), Violation> {
        self.see(device, Fact::Asked(&said.0))?;
        let held = self.held_send.take();
        if held.is_none() && self.random.per_mille(300) {
            self.held_send = Some((device, said));
            return Ok(());
        }
        for (device, (_, text)) in [Some((device, said)), held].into_iter().flatten() {
            if let Some(socket) = self.devices[device].socket {
                self.world.say(socket, &text);
            }
        }
        Ok(())
    }

    fn join(&mut self, device: usize, room: &RoomId, with_since: bool) -> Result<(), Violation> {
        let said = self.devices[device].join(self.world.now.tick, room, with_since);
        self.say(device, said)
    }

    /// Its own node while that takes anybody in, and the next one otherwise.
    fn node_for(&mut self, device: usize) -> Option<usize> {
        let nodes = &self.world.nodes;
        let Some(home) = self.devices[device].home else { return Some(self.random.index(nodes.len())) };
        let candidates = (0..nodes.len()).map(|step| (home + step) % nodes.len());
        candidates.into_iter().find(|node| nodes[*node].up && !nodes[*node].draining)
    }

    fn connect(&mut self, device: usize) -> Result<(), Violation> {
        let Some(node) = self.node_for(device) else { return Ok(()) };
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
        if fault.kind == Kind::Vanish {
            return self.vanish();
        }
        faults::strike(&mut self.world, &mut self.random, &self.rooms, &fault.kind);
        Ok(())
    }

    /// All but the watchers close for good.
    fn vanish(&mut self) -> Result<(), Violation> {
        for device in
            (0..self.devices.len()).filter(|device| !self.devices[*device].watches).collect::<Vec<_>>()
        {
            if let Some(socket) = self.devices[device].socket {
                self.see(device, Fact::Closed)?;
                self.world.hang_up(socket, true);
            }
            self.devices[device].disconnected();
            self.devices[device].wanted.clear();
            self.devices[device].gone = true;
        }
        Ok(())
    }

    /// From here on nothing goes wrong any more.
    fn heal(&mut self) {
        self.calm = true;
        self.world.trace(|| "---- the faults stop".to_owned());
        faults::heal(&mut self.world);
    }

    /// What every member believes in the end: who is there, and when all know that, what the room has come to. In a world of two
    /// places each question takes one from another.
    fn last_questions(&mut self) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let rooms = |device: &Device| device.wanted.iter().cloned().collect::<Vec<RoomId>>();
        let all: Vec<(usize, RoomId)> = (0..self.devices.len())
            .flat_map(|device| rooms(&self.devices[device]).into_iter().map(move |room| (device, room)))
            .collect();
        let knows = |play: &Play, device: usize, room: &RoomId| {
            let told = play.devices[device].last_users.get(room).map(|(at, _)| *at);
            told.is_some_and(|told| now.since(told) <= Duration::from_secs(14))
        };
        let all_know = all.iter().all(|(device, room)| knows(self, *device, room));
        for (device, room) in all {
            if !knows(self, device, &room) {
                let said = self.devices[device].users(now, &room);
                self.say(device, said)?;
            } else if all_know && room.app() == "probe" {
                self.join(device, &room, true)?;
            }
        }
        // Whoever was told to come again later does so.
        let again = self.world.now.tick + Duration::from_millis(1300);
        self.world.remind(again, LAST_QUESTIONS);
        Ok(())
    }

    fn finish(&mut self) -> Result<(), Violation> {
        let Play { checkers, world, devices, back_ends, .. } = self;
        world.engine.hold_still(world.now);
        checkers.finish(&End { at: world.now.tick, devices, back_ends, world })
    }
}

/// When what is expected at a moment begins to count, is near, and must hold; nothing for what is expected all the time.
fn moments(expect: &Expect) -> Vec<Duration> {
    match expect {
        Expect::Live { since, at } => vec![*since, *at - Duration::from_secs(1), *at],
        Expect::Agreed(at) | Expect::GoneElsewhere { at, .. } => {
            vec![Duration::ZERO, *at - Duration::from_millis(1500), *at]
        }
        _ => Vec::new(),
    }
}
