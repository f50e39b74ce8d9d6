//! A department of support: its customers begin sessions, its agents are given them, and they talk. How many begin and are given a
//! second, and what a message costs the server. A message that is lost, told twice or out of order ends the run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use clap::Args;
use nix::sys::epoll::EpollTimeout;
use serde_json::{Value, json};

use crate::adapters::{Choices, Desk};
use crate::figures::{Figures, Row};
use crate::floor::Floor;
use crate::histogram::Histogram;
use crate::machine;
use crate::process::Server;

#[derive(Debug, Clone, Args)]
pub(crate) struct Support {
    /// Customers with a session each, all of one department.
    #[arg(long, default_value_t = 1_000, value_parser = clap::value_parser!(u32).range(1..=2_000))]
    sessions: u32,
    /// Messages a second of each session; customer and agent speak in turn.
    #[arg(long, default_value_t = 1.0)]
    rate: f64,
    #[arg(long, default_value_t = 5.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Sessions of an agent: the department's default.
const CAP: usize = 5;
const ROOM: &str = "support:dept:general";
/// Without anything new for this long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);
/// What comes is looked at so often while nothing is to be said.
const GLANCE_MS: u16 = 50;

/// The figures of one round.
#[derive(Default)]
struct Round {
    starts: f64,
    start_us: f64,
    given: f64,
    given_us: f64,
    message_us: f64,
    p50_us: f64,
    p99_us: f64,
    rss: f64,
}

const ROWS: &[Row<Round>] = &[
    ("sessions begun", "/s", |it| it.starts),
    ("server CPU a session begun", "us", |it| it.start_us),
    ("sessions given to agents", "/s", |it| it.given),
    ("server CPU a session given", "us", |it| it.given_us),
    ("server CPU a message", "us", |it| it.message_us),
    ("latency p50", "us", |it| it.p50_us),
    ("latency p99", "us", |it| it.p99_us),
    ("rss at the end", "MB", |it| it.rss),
];

pub(crate) fn run(asked: &Support, choices: &Choices, as_json: bool) -> Result<bool> {
    let agents = (asked.sessions as usize).div_ceil(CAP);
    machine::raise_descriptors(u64::from(asked.sessions) + agents as u64 + 100)?;
    let figures = Figures::of(ROWS, asked.rounds, || Department::open(asked, choices)?.day(asked))?;
    let words = format!(
        "support: {} sessions, {agents} agents, {} messages/s in all",
        asked.sessions,
        asked.rate * f64::from(asked.sessions)
    );
    let load = json!({ "sessions": asked.sessions, "agents": agents, "rate": asked.rate });
    figures.print(&words, &load, as_json)?;
    Ok(true)
}

struct Department {
    server: Server,
    floor: Floor,
    customers: usize,
    agents: usize,
}

/// As the server's rooms name it.
fn session(number: usize) -> String {
    format!("support:00000000-0000-4000-8000-{number:0>12}")
}

fn number_of(session: &str) -> Result<usize> {
    session.rsplit('-').next().and_then(|last| last.parse().ok()).context("no session of ours")
}

fn has(frame: &[u8], words: &str) -> bool {
    frame.windows(words.len()).any(|part| part == words.as_bytes())
}

fn is_welcome(frame: &[u8]) -> bool {
    frame.starts_with(br#"{"type":"room_info""#)
}

fn refused(frame: &[u8]) -> Result<()> {
    ensure!(!frame.starts_with(br#"{"type":"error""#), "{}", String::from_utf8_lossy(frame));
    Ok(())
}

impl Department {
    /// Customers first, then agents, then one supervisor, who sees it all.
    fn open(asked: &Support, choices: &Choices) -> Result<Department> {
        let mut desk = Desk::new(choices)?;
        let server = Server::start(desk.adapter())?;
        let (customers, mut floor) = (asked.sessions as usize, Floor::new()?);
        let agents = customers.div_ceil(CAP);
        for number in 0..customers {
            floor.enter(server.port, &desk.token(&format!("c{number}"), None)?)?;
        }
        for number in 0..agents {
            floor.enter(server.port, &desk.token(&format!("a{number}"), Some("agent"))?)?;
        }
        floor.enter(server.port, &desk.token("supervisor", Some("supervisor"))?)?;
        Ok(Department { server, floor, customers, agents })
    }

    fn day(&mut self, asked: &Support) -> Result<Round> {
        let mut round = Round::default();
        let (seconds, cpu_us) = self.timed(Department::begin)?;
        let many = self.customers as f64;
        (round.starts, round.start_us) = (many / seconds, cpu_us / many);
        let mut of_agents = BTreeMap::new();
        let (seconds, cpu_us) = self.timed(|department| {
            of_agents = department.give()?;
            Ok(())
        })?;
        (round.given, round.given_us) = (many / seconds, cpu_us / many);
        self.sit_down(&of_agents)?;
        let (message_us, latency) = self.talk(asked, &of_agents)?;
        round.message_us = message_us;
        (round.p50_us, round.p99_us) = (latency.quantile(0.5) as f64, latency.quantile(0.99) as f64);
        round.rss = self.server.resident_bytes()? as f64 / 1e6;
        Ok(round)
    }

    /// Seconds, and the server's CPU.
    fn timed(&mut self, does: impl FnOnce(&mut Department) -> Result<()>) -> Result<(f64, f64)> {
        let (before, began) = (self.server.usage()?, Instant::now());
        does(self)?;
        let seconds = began.elapsed().as_secs_f64();
        Ok((seconds, (self.server.usage()?.cpu_ns - before.cpu_ns) as f64 / 1e3))
    }

    /// Hears until so many frames have counted.
    fn until(
        &mut self,
        what: &str,
        wanted: usize,
        mut counts: impl FnMut(usize, &[u8]) -> Result<bool>,
    ) -> Result<()> {
        let (mut count, mut newest) = (0, Instant::now());
        while count < wanted {
            ensure!(newest.elapsed() < PATIENCE, "{what}: {count} of {wanted}");
            self.floor.hear(EpollTimeout::from(GLANCE_MS), |who, frame| {
                refused(frame)?;
                if counts(who, frame)? {
                    (count, newest) = (count + 1, Instant::now());
                }
                Ok(())
            })?;
        }
        Ok(())
    }

    /// Each session begins, and its customer is in it.
    fn begin(&mut self) -> Result<()> {
        for number in 0..self.customers {
            let start = json!({"type": "start", "room": session(number), "id": "s", "payload": {}});
            self.floor.say(number, &start.to_string())?;
        }
        let is_ack = |frame: &[u8]| frame.starts_with(br#"{"type":"ack""#);
        self.until("sessions begun", self.customers, |_, frame| Ok(is_ack(frame)))?;
        for number in 0..self.customers {
            let join = json!({"type": "join_room", "id": "j", "payload": {"room_id": session(number)}});
            self.floor.say(number, &join.to_string())?;
        }
        self.until("customers in their sessions", self.customers, |_, frame| Ok(is_welcome(frame)))?;
        // The department has heard of them all.
        let supervisor = self.customers + self.agents;
        let mut waiting = 0;
        let began = Instant::now();
        while waiting < self.customers {
            ensure!(began.elapsed() < PATIENCE, "{waiting} of {} wait", self.customers);
            let ask = json!({"type": "get_queue", "room": ROOM, "id": "q", "payload": {}});
            self.floor.say(supervisor, &ask.to_string())?;
            self.until("the queue", 1, |who, frame| {
                if who != supervisor || !frame.starts_with(br#"{"type":"ack""#) {
                    return Ok(false);
                }
                let told: Value = serde_json::from_slice(frame)?;
                waiting = told["payload"]["waiting_count"].as_u64().unwrap_or(0) as usize;
                Ok(true)
            })?;
        }
        Ok(())
    }

    /// The agents come on duty, until every customer knows theirs. Which agent each session has.
    fn give(&mut self) -> Result<BTreeMap<usize, usize>> {
        let (customers, supervisor) = (self.customers, self.customers + self.agents);
        let enter = json!({"type": "join_room", "id": "d", "payload": {"room_id": ROOM}}).to_string();
        for who in customers..=supervisor {
            self.floor.say(who, &enter)?;
        }
        self.until("the department's door", self.agents + 1, |_, frame| Ok(is_welcome(frame)))?;
        let online = json!({"type": "set_status", "room": ROOM, "payload": {"status": "online"}}).to_string();
        for who in customers..supervisor {
            self.floor.say(who, &online)?;
        }
        let mut given = BTreeMap::new();
        self.until("sessions given", 2 * customers, |who, frame| {
            if who < customers {
                return Ok(
                    frame.starts_with(br#"{"type":"session_update""#) && has(frame, r#""status":"active""#)
                );
            }
            if who != supervisor || !frame.starts_with(br#"{"type":"session_given""#) {
                return Ok(false);
            }
            let told: Value = serde_json::from_slice(frame)?;
            let (session, agent) = (&told["payload"]["session_id"], &told["payload"]["agent"]["id"]);
            let session = number_of(session.as_str().unwrap_or_default())?;
            let agent = agent.as_str().and_then(|id| id.strip_prefix('a')?.parse::<usize>().ok());
            let agent = customers + agent.context("no agent of ours")?;
            ensure!(given.insert(session, agent).is_none(), "session {session} was given twice");
            Ok(true)
        })?;
        Ok(given)
    }

    fn sit_down(&mut self, of_agents: &BTreeMap<usize, usize>) -> Result<()> {
        for (number, agent) in of_agents {
            let join = json!({"type": "join_room", "id": "j", "payload": {"room_id": session(*number)}});
            self.floor.say(*agent, &join.to_string())?;
        }
        self.until("agents in their sessions", of_agents.len(), |_, frame| Ok(is_welcome(frame)))
    }

    /// Every message has a time at which it is meant to leave, from which its latency counts.
    fn talk(&mut self, asked: &Support, of_agents: &BTreeMap<usize, usize>) -> Result<(f64, Histogram)> {
        let total = (asked.rate * asked.seconds * f64::from(asked.sessions)) as u64;
        let every_us = 1e6 / (asked.rate * f64::from(asked.sessions));
        let (began, mut latency) = (Instant::now(), Histogram::default());
        let before = self.server.usage()?;
        // Of each session: how many were said, and the next that is to be heard by its agent and by its customer.
        let mut turns = vec![(0_u64, [0_u64, 1]); self.customers];
        let (mut said, mut heard) = (0_u64, 0_u64);
        let mut newest = Instant::now();
        while heard < total {
            ensure!(newest.elapsed() < PATIENCE, "{heard} of {said} messages came");
            let now_us = began.elapsed().as_micros() as u64;
            while said < total && (said as f64 * every_us) as u64 <= now_us {
                let number = (said % self.customers as u64) as usize;
                let turn = turns[number].0;
                let who = if turn.is_multiple_of(2) { number } else { of_agents[&number] };
                let meant_us = (said as f64 * every_us) as u64;
                let text = json!({"type": "send_message", "room": session(number), "id": format!("m{said}"),
                    "payload": {"message": format!("{number}:{turn}:{meant_us}")}});
                self.floor.say(who, &text.to_string())?;
                turns[number].0 += 1;
                said += 1;
            }
            self.floor.hear(EpollTimeout::ZERO, |_, frame| {
                refused(frame)?;
                if !frame.starts_with(br#"{"type":"new_message""#) {
                    return Ok(());
                }
                let (number, turn, meant_us) = stamp(frame)?;
                let expected = &mut turns[number].1[(turn % 2) as usize];
                if turn != *expected {
                    bail!("session {number}: message {turn} where {expected} was to come");
                }
                *expected += 2;
                heard += 1;
                newest = Instant::now();
                latency.record((began.elapsed().as_micros() as u64).saturating_sub(meant_us));
                Ok(())
            })?;
        }
        let cpu_us = (self.server.usage()?.cpu_ns - before.cpu_ns) as f64 / 1e3;
        Ok((cpu_us / heard as f64, latency))
    }
}

/// Whose it is, which of theirs, and when it was meant to leave.
fn stamp(frame: &[u8]) -> Result<(usize, u64, u64)> {
    const BEFORE: &[u8] = br#""message":""#;
    let at = frame.windows(BEFORE.len()).position(|part| part == BEFORE).context("a message has a text")?;
    let text = frame[at + BEFORE.len()..].split(|byte| *byte == b'"').next().unwrap_or_default();
    let mut parts = std::str::from_utf8(text)?.split(':').map(str::parse::<u64>);
    let mut part = || parts.next().context("a stamp has three parts")?.context("numbers");
    Ok((part()? as usize, part()?, part()?))
}
