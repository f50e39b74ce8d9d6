//! Dialogues between clients and a node, read from text and played in virtual time. What is written is what a client
//! would see; a transcript is a test and a page of the protocol's documentation at once.
//!
//! ```text
//! # a comment
//! with nodes 2                        the world in which it is played; before anything else
//! ana connects                        ana/2 connects to 1            (a second device, on node 1)
//! bo connects allowed team-*          (what bo's token allows)
//! bo connects for 90 s                (how long it is good)
//! bo connects unknown                 (who says who it is in its first message: `bo for 90 s` is a good token, and so is
//!                                      `bo for 90 s named Bobby as staff allowed team-*`)
//! ana -> {"type":"join_room", …}      ana -> anything else           (as it stands)
//! ana -> #1..60 {"id":"m#", …}        sixty times, `#` being the number, at a pace that no limit minds
//! ana ->> #1..60 {"id":"m#", …}       the same in one breath
//! ana <- {"type":"room_info", …}      the next message that has at least this; `*` is anything, `$x` is kept
//! ana <- #1..60 {"id":"m#", …}        each of them, in this order
//! ana <- within 200 ms {"type":…}     the same, and no later than that
//! ana <- not {"type":"user_left"}     no such message among the unread, now or within a second
//! ana <- nothing                      no message at all within a second
//! ana <- closed 4410                  what ana's side learns; without a number: nothing but the end
//! ana is closed by the node: 4410 too slow
//! ana is cut                          ana hangs up        ana stops reading for 30 s
//! ana is revoked                      (every token of this user that was made until now)
//! the log names $x                    a failure of ours was put down under the reference that ana was told
//! the log says Recovered from …       a line of the log has these words
//! a back end publishes to user:bo {"text":…}        (by an API key, at the first node)
//! a back end announces {"text":…}                   (with system 1: every node follows the system's room)
//! ---- 5 s
//! ---- the engine is silent for 5 s   (from here on; what follows is played meanwhile)
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;
use session::Who;
use vocabulary::{Payload, Revocation, RoomId, UserId, Wish};

use crate::engine::Cut;
use crate::scenario::Scenario;
use crate::world::{Happened, SocketId, World, prove, user};

#[derive(Default)]
struct Party {
    socket: Option<SocketId>,
    unread: VecDeque<Value>,
    closed: Option<Option<u16>>,
}

struct Stage {
    world: World,
    nodes: usize,
    parties: BTreeMap<String, Party>,
    kept: BTreeMap<String, Value>,
}

/// How long a client waits for what it should be told.
const PATIENCE: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_secs(1);
/// Between two of many messages: below the rate that a server takes from one client.
const PACE: Duration = Duration::from_millis(60);

/// Plays a transcript; answers the line that did not happen.
pub fn play(text: &str) -> Result<(), String> {
    play_in(text, Scenario::plain(1))
}

/// The same on two nodes of one engine: each client that names no node comes to another one than the client before it.
pub fn play_apart(text: &str) -> Result<(), String> {
    play_in(text, Scenario { nodes: 2, ..Scenario::plain(1) })
}

fn play_in(text: &str, mut scenario: Scenario) -> Result<(), String> {
    let lines = || (1..).zip(text.lines().map(str::trim));
    let failed = |number: u32, line: &str, error: String| format!("line {number}: {line}\n  {error}");
    for (number, line) in lines() {
        if let Some(change) = line.strip_prefix("with ") {
            set(&mut scenario, change).map_err(|error| failed(number, line, error))?;
        }
    }
    let nodes = scenario.nodes;
    let world = World::new(scenario, false);
    let mut stage = Stage { world, nodes, parties: BTreeMap::new(), kept: BTreeMap::new() };
    stage.pass(Duration::from_millis(100));
    for (number, line) in lines() {
        if line.is_empty() || line.starts_with('#') || line.starts_with("with ") {
            continue;
        }
        stage.line(line).map_err(|error| failed(number, line, error))?;
    }
    Ok(())
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
        "retention_records" => scenario.retention_records = number as u64,
        other => return Err(format!("a world knows no {other}")),
    }
    Ok(())
}

/// `#1..3 x#` is x1, x2, x3; all else is itself.
fn each(text: &str) -> Result<Vec<String>, String> {
    let Some(counted) = text.strip_prefix('#') else { return Ok(vec![text.to_owned()]) };
    let (range, text) = counted.split_once(' ').ok_or("many of what?")?;
    let (first, last) = range.split_once("..").ok_or("from where to where?")?;
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
    Ok((number(first)?..=number(last)?).map(|number| text.replace('#', &number.to_string())).collect())
}

fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.trim().split_once(' ').ok_or("a number and a unit")?;
    let number: u64 = number.parse().map_err(|error| format!("{number}: {error}"))?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        other => Err(format!("unknown unit {other}")),
    }
}

impl Stage {
    fn line(&mut self, line: &str) -> Result<(), String> {
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
        if let Some(span) = line.strip_prefix("---- ") {
            self.pass(seconds(span)?);
            return Ok(());
        }
        if let Some(name) = line.strip_prefix("the log names $") {
            let named = self.kept.get(name).and_then(Value::as_str).ok_or("nothing is kept under this")?;
            let found = self.world.failures.iter().any(|failure| failure.reference.to_string() == named);
            return if found { Ok(()) } else { Err(format!("but not {named}: {:?}", self.world.failures)) };
        }
        if let Some(words) = line.strip_prefix("the log says ") {
            let found = self.world.failures.iter().any(|failure| failure.to_string().contains(words));
            return if found { Ok(()) } else { Err(format!("but only {:?}", self.world.failures)) };
        }
        let (name, rest) = line.split_once(' ').ok_or("who does what?")?;
        let rest = rest.trim();
        if let Some(said) = rest.strip_prefix("->") {
            let (pace, said) = said.strip_prefix('>').map_or((PACE, said), |said| (Duration::ZERO, said));
            let said = each(said.trim())?;
            let pace = if said.len() > 1 { pace } else { Duration::ZERO };
            for said in said {
                self.say(name, &said)?;
                if !pace.is_zero() {
                    self.pass(pace);
                }
            }
            return Ok(());
        }
        if let Some(heard) = rest.strip_prefix("<-") {
            return each(heard.trim())?.iter().try_for_each(|heard| self.hear(name, heard));
        }
        if let Some(how) = rest.strip_prefix("connects") {
            return self.connect(name, how.trim());
        }
        let socket = self.parties.get(name).and_then(|party| party.socket).ok_or("is not connected")?;
        match rest {
            "is cut" => self.world.cut(socket),
            "is revoked" => {
                let id = UserId::new(name.split('/').next().unwrap_or(name));
                let until = self.world.now.wall;
                self.world.revoke(Revocation::User { id, until });
            }
            "hangs up" => self.world.hang_up(socket, false),
            _ => {
                if let Some(span) = rest.strip_prefix("stops reading for ") {
                    self.world.stall(socket, seconds(span)?);
                } else if let Some(reason) = rest.strip_prefix("is closed by the node: ") {
                    return self.closed_by_the_node(socket, reason);
                } else {
                    return Err(format!("nobody knows how to do this: {rest}"));
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

    fn connect(&mut self, name: &str, how: &str) -> Result<(), String> {
        let id = name.split('/').next().unwrap_or(name);
        let turn = self.parties.len() % self.nodes;
        let node = how
            .strip_prefix("to ")
            .map_or(Ok(turn), |node| node.parse::<usize>().map_err(|error| error.to_string()))?;
        let display = format!("{}{}", id[..1].to_uppercase(), &id[1..]);
        let who = if how == "unknown" {
            Some(Who::Stranger)
        } else if how.starts_with("for ") {
            let proven = prove(self.world.now.wall, &format!("{id} {how}"));
            Some(Who::Known(proven.ok_or("for how many s?")?))
        } else {
            None
        };
        if let Some(who) = who {
            let socket = self.world.connect_as(node, who).ok_or("nobody is there")?;
            self.parties.insert(name.to_owned(), Party { socket: Some(socket), ..Party::default() });
            return Ok(());
        }
        let allowed = how.strip_prefix("allowed ").map(|rooms| rooms.split(' ').collect());
        let socket = self.world.connect(node, &user(id, &display, allowed)).ok_or("nobody is there")?;
        self.parties.insert(name.to_owned(), Party { socket: Some(socket), ..Party::default() });
        Ok(())
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
        let to = asked.strip_prefix("publishes to ").and_then(|rest| rest.split_once(' '));
        let (room, payload) = to.ok_or("publishes to whom, and what?")?;
        let room = RoomId::from_full(room).ok_or("an app and a name")?;
        self.world.call(0, 0, "orders", room, publish("send_message", payload));
        Ok(())
    }

    fn say(&mut self, name: &str, said: &str) -> Result<(), String> {
        let socket = self.parties.get(name).and_then(|party| party.socket).ok_or("is not connected")?;
        let text = match serde_json::from_str::<Value>(said) {
            Ok(value) => self.filled(value).to_string(),
            Err(_) => said.to_owned(),
        };
        self.world.say(socket, &text);
        Ok(())
    }

    /// What was kept under a name stands in its place.
    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => match text.strip_prefix('$').and_then(|name| self.kept.get(name)) {
                Some(kept) => kept.clone(),
                None => Value::String(text),
            },
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.filled(item)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(key, value)| (key, self.filled(value))).collect())
            }
            other => other,
        }
    }

    fn hear(&mut self, name: &str, heard: &str) -> Result<(), String> {
        if heard == "nothing" {
            self.party(name)?.unread.clear();
            self.pass(A_WHILE);
            let unread = &self.party(name)?.unread;
            return if unread.is_empty() { Ok(()) } else { Err(format!("but heard {unread:?}")) };
        }
        if let Some(code) = heard.strip_prefix("closed") {
            let code = code.trim().parse::<u16>().ok();
            let closed = |stage: &mut Stage| stage.parties.get(name).and_then(|party| party.closed);
            let told = self.until(PATIENCE, closed).ok_or("but the connection is open")?;
            return if told == code { Ok(()) } else { Err(format!("but was closed with {told:?}")) };
        }
        if let Some(pattern) = heard.strip_prefix("not ") {
            let pattern = serde_json::from_str::<Value>(pattern).map_err(|error| error.to_string())?;
            self.pass(A_WHILE);
            let kept = self.kept.clone();
            let found =
                self.party(name)?.unread.iter().find(|value| matches(&pattern, value, &mut kept.clone()));
            return found.map_or(Ok(()), |value| Err(format!("but heard {value}")));
        }
        let (patience, heard) = match heard.strip_prefix("within ") {
            Some(limited) => {
                let (span, heard) = limited.split_at(limited.find('{').ok_or("within it hears what?")?);
                (seconds(span)?, heard)
            }
            None => (PATIENCE, heard),
        };
        let pattern = serde_json::from_str::<Value>(heard).map_err(|error| error.to_string())?;
        let mut past = Vec::new();
        let found = self.until(patience, |stage| {
            let mut kept = stage.kept.clone();
            let party = stage.parties.get_mut(name)?;
            while let Some(value) = party.unread.pop_front() {
                if matches(&pattern, &value, &mut kept) {
                    stage.kept = kept;
                    return Some(());
                }
                past.push(value.to_string());
            }
            None
        });
        found.ok_or_else(|| format!("but heard only\n    {}", past.join("\n    ")))
    }

    fn party(&mut self, name: &str) -> Result<&mut Party, String> {
        self.parties.get_mut(name).ok_or_else(|| format!("{name} was never there"))
    }

    fn pass(&mut self, span: Duration) {
        let end = self.world.now.tick + span;
        self.world.remind(end, 0);
        while self.step() {}
    }

    fn until<T>(&mut self, patience: Duration, mut done: impl FnMut(&mut Stage) -> Option<T>) -> Option<T> {
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

/// Whether `value` has at least what `pattern` has.
fn matches(pattern: &Value, value: &Value, kept: &mut BTreeMap<String, Value>) -> bool {
    match (pattern, value) {
        (Value::String(text), _) if text == "*" => true,
        (Value::String(text), _) if text.starts_with('$') => match kept.get(&text[1..]) {
            Some(held) => held == value,
            None => {
                kept.insert(text[1..].to_owned(), value.clone());
                true
            }
        },
        (Value::Object(wanted), Value::Object(fields)) => wanted.iter().all(|(key, wanted)| {
            let absent = wanted == "absent" && !fields.contains_key(key);
            absent || fields.get(key).is_some_and(|field| matches(wanted, field, kept))
        }),
        (Value::Array(wanted), Value::Array(items)) => {
            wanted.len() == items.len()
                && wanted.iter().zip(items).all(|(wanted, item)| matches(wanted, item, kept))
        }
        _ => pattern == value,
    }
}
