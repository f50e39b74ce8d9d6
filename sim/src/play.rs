//! One run: devices act as the seed says, faults come as the seed says, everything that is seen goes to the checkers;
//! then the faults stop, and all must come right.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use vocabulary::{RoomId, User};

use crate::checkers::{Checkers, End, Fact, Seen, Violation};
use crate::device::{Ask, Device, Standing, Verb};
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

    /// A device's turn.
    fn act(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        if self.devices[device].socket.is_none() {
            if self.devices[device].reconnect_at <= now {
                self.connect(device)?;
            }
        } else {
            self.repair(device)?;
            if !self.calm {
                self.do_something(device)?;
            }
        }
        let pace = if self.calm { Duration::from_secs(1) } else { self.world.scenario.pace };
        let next = now + self.random.between(pace / 4, pace * 2);
        // Several reminders may stand for one device: only those that are due at its pace go on.
        if self.devices[device].reconnect_at <= now {
            self.devices[device].reconnect_at = next;
            self.world.remind(next, device as u64);
        }
        Ok(())
    }

    /// What a careful client does by itself: rejoin where a join was refused, resend what was not acknowledged.
    fn repair(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let wanted: Vec<RoomId> = self.devices[device].wanted.iter().cloned().collect();
        for room in wanted {
            match self.devices[device].standing.get(&room) {
                None => self.join(device, &room, true)?,
                Some(Standing::In) => {
                    let late = |device: &Device, id: &String| {
                        device.unsent.get(id).is_some_and(|u| u.tried + Duration::from_secs(3) <= now)
                    };
                    let ids: Vec<String> = self.unsent_of(device, &room).collect();
                    let again: Vec<String> =
                        ids.into_iter().filter(|id| late(&self.devices[device], id)).take(8).collect();
                    for id in again {
                        self.send(device, &id)?;
                    }
                }
                Some(Standing::Joining | Standing::Leaving) => {}
            }
        }
        Ok(())
    }

    fn do_something(&mut self, device: usize) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let scenario = &self.world.scenario;
        let Some(socket) = self.devices[device].socket else { return Ok(()) };
        let (cuts, half_open, stalls, garbage, resends) =
            (scenario.cuts, scenario.half_open, scenario.stalls, scenario.garbage, scenario.resends);
        if self.random.per_mille(cuts) {
            self.world.tally.fault("cut");
            self.world.cut(socket);
            return Ok(());
        }
        if self.random.per_mille(half_open) {
            self.world.tally.fault("half-open");
            let notices = self.random.millis(200, 6000);
            self.world.deaden(socket, notices);
            return Ok(());
        }
        if self.random.per_mille(stalls) {
            self.world.tally.fault("stalled reader");
            let span = self.random.millis(100, 13_000);
            self.world.stall(socket, span);
        }
        if self.random.per_mille(garbage) {
            return self.babble(device, socket);
        }
        if self.random.per_mille(resends) {
            let ids: Vec<String> = self.devices[device].unsent.keys().cloned().collect();
            if !ids.is_empty() {
                self.world.tally.fault("resend");
                let id = ids[self.random.index(ids.len())].clone();
                return self.send(device, &id);
            }
        }
        let room = self.rooms[self.random.index(self.rooms.len())].clone();
        let standing = self.devices[device].standing.get(&room).copied();
        match (self.random.below(100), standing) {
            (_, None) | (0..2, Some(Standing::In)) => {
                let with_since = self.random.per_mille(700);
                self.join(device, &room, with_since)?;
                if self.random.per_mille(30) {
                    let said = self.devices[device].leave(now, &room);
                    self.say(device, said)?;
                }
                Ok(())
            }
            (0..70, Some(Standing::In)) if self.devices[device].unsent.len() < 20 => {
                self.speak(device, &room)
            }
            (70..74, Some(Standing::In)) => {
                let said = self.devices[device].leave(now, &room);
                self.say(device, said)
            }
            (74..82, _) => {
                let (limit, before) = (1 + self.random.below(120), self.random.per_mille(500));
                let said = self.devices[device].history(now, &room, limit, before);
                self.say(device, said)
            }
            (82..88, _) => {
                let said = self.devices[device].users(now, &room);
                self.say(device, said)
            }
            (88..94, Some(Standing::In)) => {
                let kind = self.random.pick(&["typing", "stop_typing"]);
                let text = json!({"type": kind, "room": crate::device::written(&room)}).to_string();
                self.world.say(socket, &text);
                Ok(())
            }
            (94..97, _) => self.reload(device, socket),
            (97, _) => {
                self.world.hang_up(socket, true);
                Ok(())
            }
            (98, _) => {
                // A newer token, which sometimes says something else of its user.
                let (name, role) = (self.devices[device].user_id().to_owned(), self.random.pick(&["a", "b"]));
                let (number, by) = (name.trim_start_matches('u'), self.random.pick(&["User", "Member"]));
                let token = format!("{name} for 90000 s named {by} {number} as {role}");
                let text = json!({"type": "refresh", "payload": {"token": token}}).to_string();
                self.world.say(socket, &text);
                Ok(())
            }
            _ => Ok(()),
        }
    }

    /// Closes and opens again at once, as a browser does.
    fn reload(&mut self, device: usize, socket: SocketId) -> Result<(), Violation> {
        let politely = self.random.per_mille(500);
        self.see(device, Fact::Closed)?;
        self.devices[device].disconnected();
        self.world.hang_up(socket, politely);
        let at = self.world.now.tick + self.random.millis(1, 100);
        self.devices[device].reconnect_at = at;
        self.world.remind(at, device as u64);
        Ok(())
    }

    fn speak(&mut self, device: usize, room: &RoomId) -> Result<(), Violation> {
        let now = self.world.now.tick;
        let payload = if room.app() == "probe" { self.probing(room) } else { json!({}) };
        if payload["do"] == "place" {
            let text = json!({"type": "send_message", "room": room.as_str(), "payload": payload}).to_string();
            if let Some(socket) = self.devices[device].socket {
                self.world.say(socket, &text);
            }
            return Ok(());
        }
        let id = self.devices[device].compose(room, payload);
        let said = self.devices[device].send(now, &id);
        said.map_or(Ok(()), |said| self.say(device, said))
    }

    fn probing(&mut self, room: &RoomId) -> serde_json::Value {
        let item = format!("i{}", self.random.below(40));
        let other = if room.name() == "p0" { "p1" } else { "p0" };
        match self.random.below(100) {
            0..25 => json!({"do": "claim", "item": item}),
            25..35 => json!({"do": "arm", "item": format!("t{}", self.random.draw() % 100_000)}),
            35..42 => json!({"do": "watch"}),
            42..55 => json!({"do": "whisper"}),
            55..65 => json!({"do": "order", "item": other}),
            65 if room.name() == "p0" => {
                json!({"do": "ban", "item": format!("u{}", self.random.index(self.world.scenario.users))})
            }
            66..76 => json!({"do": "place", "content": "x"}),
            _ => json!({}),
        }
    }

    /// What no client should say.
    fn babble(&mut self, device: usize, socket: SocketId) -> Result<(), Violation> {
        self.world.tally.fault("garbage");
        let (now, id) = (self.world.now.tick, self.devices[device].fresh_id());
        let text = match self.random.below(6) {
            0 => "{".to_owned(),
            1 => "[1,2]".to_owned(),
            2 => json!({"type": "fly", "id": id}).to_string(),
            3 => json!({"type": "join_room", "id": id, "payload": {"room_id": "no spaces"}}).to_string(),
            4 => {
                json!({"type": "send_message", "id": id, "room": "never-joined", "payload": {"content": "x"}})
                    .to_string()
            }
            _ => {
                let broken = [0xff, 0x00, 0x13, 0x37];
                self.world.client_sends(socket, &broken);
                return Ok(());
            }
        };
        if text.contains(&id) {
            let ask = Ask {
                id: id.clone(),
                room: RoomId::new("chat", "none"),
                verb: Verb::Garbage,
                since: None,
                asked: now,
            };
            self.devices[device].waiting.insert(id, ask);
        }
        self.world.say(socket, &text);
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
