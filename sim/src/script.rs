//! Dialogues between clients and a node, read from text. What is written is what a client would see; a transcript is a test and
//! a page of the protocol's documentation at once. Where it is played is for a [`Stage`] to say: in virtual time
//! ([`transcript`](crate::transcript)), or between real sockets and real nodes.
//!
//! ```text
//! # a comment
//! with nodes 2                        the world in which it is played; before anything else
//! ana connects                        ana/2 connects to 1            (a second device, on node 1)
//! bo connects allowed team-*          (what bo's token allows)
//! bo connects as agent in general      (a role, and what else the token says bo belongs to)
//! bo connects for 90 s                (how long it is good)
//! bo connects unknown                 (who says who it is in its first message: `bo for 90 s` is a good token, and so is
//!                                      `bo for 90 s named Bobby as staff allowed team-*`)
//! 7 connects by hub                   (as a hub client, whose users are numbers; at the mount of those)
//! dan connects by ride as driver      (at the mount of drivers and passengers)
//! ana -> {"type":"join_room", …}      ana -> anything else           (as it stands)
//! ana -> #1..60 {"id":"m#", …}        sixty times, `#` being the number, at a pace that no limit minds
//! ana ->> #1..60 {"id":"m#", …}       the same in one breath
//! ana <- {"type":"room_info", …}      the next message that has at least this; `*` is anything, `$x` is kept
//! ana <- #1..60 {"id":"m#", …}        each of them, in this order
//! ana <- within 200 ms {"type":…}     the same, and no later than that
//! ana -> {"room":"rides:ride:$x", …} (what was kept, also at the end of a text)
//! ana <- not {"type":"user_left"}     no such message among the unread, now or within a second
//! ana <- nothing                      no message at all within a second
//! ana <- closed 4410                  what ana's side learns; without a number: nothing but the end
//! ana is closed by the node: 4410 too slow
//! ana is cut                          ana hangs up        ana stops reading for 30 s
//! ana is revoked                      (every token of this user that was made until now)
//! the log names $x                    a failure of ours was put down under the reference that ana was told
//! the log says Recovered from …       a line of the log has these words
//! a back end says ride_pickup to rides:driver:dan {…}        (the same, with a word of the room's app)
//! a back end publishes to user:bo {"text":…}        (by an API key, at the first node)
//! a back end announces {"text":…}                   (with system 1: every node follows the system's room)
//! ---- 5 s
//! ---- the engine is silent for 5 s   (from here on; what follows is played meanwhile)
//! ```

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde_json::Value;

/// Where a transcript is played.
pub trait Stage {
    /// `how`: what stands behind `connects`.
    fn connect(&mut self, name: &str, how: &str) -> Result<(), String>;
    fn say(&mut self, name: &str, text: &str) -> Result<(), String>;
    /// The next message that this client hears, if one comes in time.
    fn hear(&mut self, name: &str, patience: Duration) -> Result<Option<Value>, String>;
    /// What the client learns of its end, if it ends in time.
    fn closed(&mut self, name: &str, patience: Duration) -> Result<Option<Option<u16>>, String>;
    fn pass(&mut self, span: Duration);
    /// The time since some moment of its own.
    fn clock(&self) -> Duration;
    /// A line that not every stage can play. `kept`: what was heard and given a name.
    fn other(&mut self, line: &str, kept: &Kept) -> Result<(), String>;
}

pub type Kept = BTreeMap<String, Value>;

struct Play<S> {
    stage: S,
    /// Heard by the stage and not yet by the transcript.
    unread: BTreeMap<String, VecDeque<Value>>,
    kept: Kept,
}

/// How long a client waits for what it should be told.
pub const PATIENCE: Duration = Duration::from_secs(20);
const A_WHILE: Duration = Duration::from_secs(1);
/// Between two of many messages: below the rate that a server takes from one client.
const PACE: Duration = Duration::from_millis(60);

/// What a transcript asks of its world, before anything else: the changes behind `with`.
pub fn changes(text: &str) -> impl Iterator<Item = (u32, &str)> {
    numbered(text).filter_map(|(number, line)| Some((number, line.strip_prefix("with ")?)))
}

/// Answers the line that did not happen.
pub fn play(text: &str, stage: impl Stage) -> Result<(), String> {
    let mut play = Play { stage, unread: BTreeMap::new(), kept: Kept::new() };
    for (number, line) in numbered(text) {
        if line.is_empty() || line.starts_with('#') || line.starts_with("with ") {
            continue;
        }
        play.line(line).map_err(|error| failed(number, line, &error))?;
    }
    Ok(())
}

fn numbered(text: &str) -> impl Iterator<Item = (u32, &str)> {
    (1..).zip(text.lines().map(str::trim))
}

pub fn failed(number: u32, line: &str, error: &str) -> String {
    format!("line {number}: {line}\n  {error}")
}

/// `#1..3 x#` is x1, x2, x3; all else is itself.
fn each(text: &str) -> Result<Vec<String>, String> {
    let Some(counted) = text.strip_prefix('#') else { return Ok(vec![text.to_owned()]) };
    let (range, text) = counted.split_once(' ').ok_or("many of what?")?;
    let (first, last) = range.split_once("..").ok_or("from where to where?")?;
    let number = |text: &str| text.parse::<u32>().map_err(|error| format!("{text}: {error}"));
    Ok((number(first)?..=number(last)?).map(|number| text.replace('#', &number.to_string())).collect())
}

pub fn seconds(text: &str) -> Result<Duration, String> {
    let (number, unit) = text.trim().split_once(' ').ok_or("a number and a unit")?;
    let number: u64 = number.parse().map_err(|error| format!("{number}: {error}"))?;
    match unit {
        "s" => Ok(Duration::from_secs(number)),
        "ms" => Ok(Duration::from_millis(number)),
        other => Err(format!("unknown unit {other}")),
    }
}

impl<S: Stage> Play<S> {
    fn line(&mut self, line: &str) -> Result<(), String> {
        if let Some(span) = line.strip_prefix("---- ").and_then(|span| seconds(span).ok()) {
            self.stage.pass(span);
            return Ok(());
        }
        let Some((name, rest)) = line.split_once(' ') else { return Err("who does what?".to_owned()) };
        let rest = rest.trim();
        if let Some(said) = rest.strip_prefix("->") {
            let (pace, said) = said.strip_prefix('>').map_or((PACE, said), |said| (Duration::ZERO, said));
            let said = each(said.trim())?;
            let pace = if said.len() > 1 { pace } else { Duration::ZERO };
            for said in said {
                self.say(name, &said)?;
                if !pace.is_zero() {
                    self.stage.pass(pace);
                }
            }
            return Ok(());
        }
        if let Some(heard) = rest.strip_prefix("<-") {
            return each(heard.trim())?.iter().try_for_each(|heard| self.hear(name, heard));
        }
        if let Some(how) = rest.strip_prefix("connects") {
            self.unread.remove(name);
            return self.stage.connect(name, how.trim());
        }
        self.stage.other(line, &self.kept)
    }

    fn say(&mut self, name: &str, said: &str) -> Result<(), String> {
        let text = match serde_json::from_str::<Value>(said) {
            Ok(value) => self.filled(value).to_string(),
            Err(_) => said.to_owned(),
        };
        self.stage.say(name, &text)
    }

    /// What was kept under a name stands in its place.
    fn filled(&self, value: Value) -> Value {
        match value {
            Value::String(text) => {
                match text.split_once('$').map(|(front, name)| (front, self.kept.get(name))) {
                    Some(("", Some(kept))) => kept.clone(),
                    Some((front, Some(Value::String(kept)))) => Value::String(format!("{front}{kept}")),
                    _ => Value::String(text),
                }
            }
            Value::Array(items) => Value::Array(items.into_iter().map(|item| self.filled(item)).collect()),
            Value::Object(fields) => {
                Value::Object(fields.into_iter().map(|(key, value)| (key, self.filled(value))).collect())
            }
            other => other,
        }
    }

    fn hear(&mut self, name: &str, heard: &str) -> Result<(), String> {
        if heard == "nothing" {
            self.catch_up(name)?.clear();
            self.stage.pass(A_WHILE);
            let unread = self.catch_up(name)?;
            return if unread.is_empty() { Ok(()) } else { Err(format!("but heard {unread:?}")) };
        }
        if let Some(code) = heard.strip_prefix("closed") {
            let code = code.trim().parse::<u16>().ok();
            let told = self.stage.closed(name, PATIENCE)?.ok_or("but the connection is open")?;
            return if told == code { Ok(()) } else { Err(format!("but was closed with {told:?}")) };
        }
        if let Some(pattern) = heard.strip_prefix("not ") {
            let pattern = serde_json::from_str::<Value>(pattern).map_err(|error| error.to_string())?;
            self.stage.pass(A_WHILE);
            let kept = self.kept.clone();
            let found = self.catch_up(name)?.iter().find(|value| matches(&pattern, value, &mut kept.clone()));
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
        let end = self.stage.clock() + patience;
        let mut past = Vec::new();
        while let Some(value) = self.next(name, end.saturating_sub(self.stage.clock()))? {
            let mut kept = self.kept.clone();
            if matches(&pattern, &value, &mut kept) {
                self.kept = kept;
                return Ok(());
            }
            past.push(value.to_string());
        }
        Err(format!("but heard only\n    {}", past.join("\n    ")))
    }

    fn next(&mut self, name: &str, patience: Duration) -> Result<Option<Value>, String> {
        match self.unread.get_mut(name).and_then(VecDeque::pop_front) {
            Some(value) => Ok(Some(value)),
            None => self.stage.hear(name, patience),
        }
    }

    /// All that this client has heard by now and the transcript has not.
    fn catch_up(&mut self, name: &str) -> Result<&mut VecDeque<Value>, String> {
        while let Some(value) = self.stage.hear(name, Duration::ZERO)? {
            self.unread.entry(name.to_owned()).or_default().push_back(value);
        }
        Ok(self.unread.entry(name.to_owned()).or_default())
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
