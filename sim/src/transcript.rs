//! Transcripts in virtual time: a [`script`](crate::script) played by simulated clients and nodes.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use session::Who;
use vocabulary::{Payload, Revocation, RoomId, Tick, UserId, Wish};

use crate::engine::Cut;
use crate::scenario::Scenario;
use crate::script::{self, Kept, PATIENCE, Stage, seconds};
use crate::world::{Happened, SocketId, World, prove, user, user_as};

#[derive(Default)]
struct Party {
    socket: Option<SocketId>,
    unread: VecDeque<Value>,
    closed: Option<Option<u16>>,
}

struct Simulated {
    world: World,
    nodes: usize,
    parties: BTreeMap<String, Party>,
}

/// Plays a transcript; answers the line that did not happen.
pub fn play(text: &str) -> Result<(), String> {
    play_in(text, Scenario::plain(1))
}

/// The same on two nodes of one engine: each client that names no node comes to another one than the client before it.
pub fn play_apart(text: &str) -> Result<(), String> {
    play_in(text, Scenario { nodes: 2, ..Scenario::plain(1) })
}

fn play_in(text: &str, mut scenario: Scenario) -> Result<(), String> {
    for (number, change) in script::changes(text) {
        set(&mut scenario, change).map_err(|error| script::failed(number, change, &error))?;
    }
    let nodes = scenario.nodes;
    let world = World::new(scenario, false);
    let mut stage = Simulated { world, nodes, parties: BTreeMap::new() };
    stage.pass(Duration::from_millis(100));
    script::play(text, stage)
}

/// What a transcript may ask of its world.
fn set(scenario: &mut Scenario, change: &str) -> Result<(), String> {
    let (what, number) = change.trim().split_once(' ').ok_or("with what, and how many?")?;
    let number: usize = number.trim().parse().map_err(|error| format!("{number}: {error}"))?;
    match what {
        "nodes" => scenario.nodes = number,
        "shards" => scenario.shards = u16::try_from(number).map_err(|error| error.to_string())?,
        "waiting" => scenario.waiting = number,
        "rooms" => scenario.rooms_max = number,
        "socket_bytes" => scenario.socket_bytes = number,
        "outbox_frames" => scenario.outbox_frames = number,
        "ring_records" => scenario.ring_records = number,
        "snapshot_records" => scenario.snapshot_records = number as u64,
        "system" => scenario.system = number == 1,
        "fleet" => {
            scenario.rides.authority =
                if number == 1 { rides::Authority::Fleet } else { rides::Authority::Kulkul }
        }
        "retention_records" => scenario.retention_records = number as u64,
        other => return Err(format!("a world knows no {other}")),
    }
    Ok(())
}

impl Stage for Simulated {
    fn connect(&mut self, name: &str, how: &str) -> Result<(), String> {
        let id = name.split('/').next().unwrap_or(name);
        let turn = self.parties.len() % self.nodes;
        let node = how
            .strip_prefix("to ")
            .map_or(Ok(turn), |node| node.parse::<usize>().map_err(|error| error.to_string()))?;
        let display = format!("{}{}", id[..1].to_uppercase(), &id[1..]);
        let by = |name| Some(how.strip_prefix("by ")?.strip_prefix(name)?.trim());
        let by_mount = by("hub").map(|how| (how, 1)).or_else(|| by("ride").map(|how| (how, 2)));
        let (how, mount) = by_mount.unwrap_or((how, 0));
        let who = if how == "unknown" {
            Some(Who::Stranger)
        } else if how.starts_with("for ") {
            let proven = prove(self.world.now.wall, &format!("{id} {how}"));
            Some(Who::Known(proven.ok_or("for how many s?")?))
        } else {
            None
        };
        if let Some(who) = who {
            let socket = self.world.connect_as(node, who, mount).ok_or("nobody is there")?;
            self.parties.insert(name.to_owned(), Party { socket: Some(socket), ..Party::default() });
            return Ok(());
        }
        if let Some(said) = how.strip_prefix("as ") {
            let (role, groups) =
                said.split_once(" in ").map_or((said, None), |(role, groups)| (role, Some(groups)));
            let known =
                user_as(id, &display, Some(role), groups.map(|groups| groups.split(' ').collect()), None);
            let socket = self.world.connect_by(node, &known, mount).ok_or("nobody is there")?;
            self.parties.insert(name.to_owned(), Party { socket: Some(socket), ..Party::default() });
            return Ok(());
        }
        let allowed = how.strip_prefix("allowed ").map(|rooms| rooms.split(' ').collect());
        let known = user(id, &display, allowed);
        let socket = self.world.connect_by(node, &known, mount).ok_or("nobody is there")?;
        self.parties.insert(name.to_owned(), Party { socket: Some(socket), ..Party::default() });
        Ok(())
    }

    fn say(&mut self, name: &str, text: &str) -> Result<(), String> {
        let socket = self.socket(name)?;
        self.world.say(socket, text);
        Ok(())
    }

    fn hear(&mut self, name: &str, patience: Duration) -> Result<Option<Value>, String> {
        self.party(name)?;
        Ok(self.until(patience, |stage| stage.parties.get_mut(name)?.unread.pop_front()))
    }

    fn closed(&mut self, name: &str, patience: Duration) -> Result<Option<Option<u16>>, String> {
        self.party(name)?;
        Ok(self.until(patience, |stage| stage.parties.get(name)?.closed))
    }

    fn pass(&mut self, span: Duration) {
        let end = self.world.now.tick + span;
        self.world.remind(end, 0);
        while self.step() {}
    }

    fn clock(&self) -> Duration {
        self.world.now.tick.since(Tick::default())
    }

    fn other(&mut self, line: &str, kept: &Kept) -> Result<(), String> {
        if let Some(asked) = line.strip_prefix("a back end ") {
            return self.call(asked);
        }
        if let Some(span) = line.strip_prefix("---- the engine is silent for ") {
            let until = self.world.now.tick + seconds(span)?;
            for node in 0..self.world.nodes.len() {
                self.world.cut_off(node, Cut::Both, until);
            }
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("the log names $") {
            let named = kept.get(name).and_then(Value::as_str).ok_or("nothing is kept under this")?;
            let found = self.world.failures.iter().any(|failure| failure.reference.to_string() == named);
            return if found { Ok(()) } else { Err(format!("but not {named}: {:?}", self.world.failures)) };
        }
        if let Some(words) = line.strip_prefix("the log says ") {
            let found = self.world.failures.iter().any(|failure| failure.to_string().contains(words));
            return if found { Ok(()) } else { Err(format!("but only {:?}", self.world.failures)) };
        }
        let (name, rest) = line.split_once(' ').ok_or("who does what?")?;
        self.act(name, rest.trim())
    }
}

impl Simulated {
    fn act(&mut self, name: &str, what: &str) -> Result<(), String> {
        let socket = self.socket(name)?;
        match what {
            "is cut" => self.world.cut(socket),
            "is revoked" => {
                let id = UserId::new(name.split('/').next().unwrap_or(name));
                let until = self.world.now.wall;
                self.world.revoke(Revocation::User { id, until });
            }
            "hangs up" => self.world.hang_up(socket, false),
            _ => {
                if let Some(span) = what.strip_prefix("stops reading for ") {
                    self.world.stall(socket, seconds(span)?);
                } else if let Some(reason) = what.strip_prefix("is closed by the node: ") {
                    return self.closed_by_the_node(socket, reason);
                } else {
                    return Err(format!("nobody knows how to do this: {what}"));
                }
            }
        }
        Ok(())
    }

    /// What the shard said of it, whatever of that still reached the client.
    fn closed_by_the_node(&mut self, socket: SocketId, wanted: &str) -> Result<(), String> {
        let reason = self.until(PATIENCE, |stage| stage.world.closed_by_node(socket));
        let reason = reason.ok_or("but its socket is open")?;
        let said = format!("{} {}", reason.code(), reason.words());
        if said == wanted { Ok(()) } else { Err(format!("but as {said}")) }
    }

    fn call(&mut self, asked: &str) -> Result<(), String> {
        let publish = |kind: &'static str, payload: &str| {
            let payload = Payload::copy_from_slice(payload.as_bytes());
            Wish::Publish { kind: kind.into(), payload, id: None }
        };
        if let Some(payload) = asked.strip_prefix("announces ") {
            self.world.call(0, 0, "orders", RoomId::system(), publish("announce", payload));
            return Ok(());
        }
        if let Some((kind, to)) = asked.strip_prefix("says ").and_then(|said| said.split_once(" to ")) {
            let (room, payload) = to.split_once(' ').ok_or("says what to whom?")?;
            let room = RoomId::from_full(room).ok_or("an app and a name")?;
            let payload = Payload::copy_from_slice(payload.as_bytes());
            let wish = Wish::Publish { kind: kind.to_owned().into(), payload, id: None };
            self.world.call(0, 0, "orders", room, wish);
            return Ok(());
        }
        let to = asked.strip_prefix("publishes to ").and_then(|rest| rest.split_once(' '));
        let (room, payload) = to.ok_or("publishes to whom, and what?")?;
        let room = RoomId::from_full(room).ok_or("an app and a name")?;
        self.world.call(0, 0, "orders", room, publish("send_message", payload));
        Ok(())
    }

    fn party(&mut self, name: &str) -> Result<&mut Party, String> {
        self.parties.get_mut(name).ok_or_else(|| format!("{name} was never there"))
    }

    fn socket(&self, name: &str) -> Result<SocketId, String> {
        Ok(self.parties.get(name).and_then(|party| party.socket).ok_or("is not connected")?)
    }

    fn until<T>(
        &mut self,
        patience: Duration,
        mut done: impl FnMut(&mut Simulated) -> Option<T>,
    ) -> Option<T> {
        let end = self.world.now.tick + patience;
        loop {
            if self.world.now.tick > end {
                return None;
            }
            if let Some(found) = done(self) {
                return Some(found);
            }
            self.step();
        }
    }

    /// False when a reminder came.
    fn step(&mut self) -> bool {
        let mut going = true;
        for happened in self.world.step() {
            match happened {
                Happened::Heard(socket, text) => {
                    if let Some(party) = self.parties.values_mut().find(|party| party.socket == Some(socket))
                    {
                        party.unread.push_back(serde_json::from_str(&text).unwrap_or(Value::String(text)));
                    }
                }
                Happened::Closed(socket, code) => {
                    if let Some(party) = self.parties.values_mut().find(|party| party.socket == Some(socket))
                    {
                        party.closed = Some(code);
                    }
                }
                Happened::Reminder(_) => going = false,
                Happened::Told(..) => {}
            }
        }
        going
    }
}
