//! A match and its crowd: one scorer, and as many viewers as are asked for, who follow it by whole states or action by action, by
//! WebSocket or by server-sent events, and some who come while it is on. What a viewer weighs, what a delivery costs, how late it
//! is. A viewer who misses an action, or is told one twice, ends the run.

mod stand;
mod words;

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use clap::{Args, ValueEnum};
use nix::sys::epoll::EpollTimeout;
use serde_json::json;

use crate::adapters::{Choices, Desk};
use crate::figures::{Figures, Row};
use crate::histogram::Histogram;
use crate::machine;
use crate::process::Server;
use stand::Stand;

#[derive(Debug, Clone, Args)]
pub(crate) struct Scores {
    #[arg(long, default_value_t = 17_000, value_parser = clap::value_parser!(u32).range(1..=19_000))]
    viewers: u32,
    /// Actions a second.
    #[arg(long, default_value_t = 2.0)]
    rate: f64,
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    /// Raids made before anybody watches: a state is as long as its match.
    #[arg(long, default_value_t = 60, value_parser = clap::value_parser!(u32).range(0..=500))]
    played: u32,
    /// Viewers who come while the match is on, besides the others.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=2_000))]
    late: u32,
    #[arg(long, value_enum, default_value_t = Mode::Whole)]
    mode: Mode,
    #[arg(long, value_enum, default_value_t = Way::Socket)]
    by: Way,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Mode {
    /// The whole state after every action, the newest where a viewer is slow.
    Whole,
    /// One state, and then every action.
    Delta,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum Way {
    /// WebSocket.
    Socket,
    /// The same with permessage-deflate.
    Packed,
    /// Server-sent events.
    Events,
}

const ROOM: &str = "scores:m1";
/// Without anything new for this long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);
/// Viewers on their way at once.
const AT_ONCE: usize = 64;
/// Of latecomers, a second: all are in before the last quarter of the match.
const LATE_SHARE: f64 = 0.75;
const GLANCE_MS: u16 = 50;

/// The figures of one round.
#[derive(Default)]
struct Round {
    joins: f64,
    weight: f64,
    bytes: f64,
    delivery_us: f64,
    deliveries: f64,
    newest: f64,
    p50_ms: f64,
    p99_ms: f64,
    busy: f64,
}

const ROWS: &[Row<Round>] = &[
    ("viewers come", "/s", |it| it.joins),
    ("memory a viewer", "kB", |it| it.weight),
    ("bytes a viewer and action", "B", |it| it.bytes),
    ("server CPU a delivery", "us", |it| it.delivery_us),
    ("deliveries", "/s", |it| it.deliveries),
    ("told of each action", "%", |it| it.newest),
    ("latency p50", "ms", |it| it.p50_ms),
    ("latency p99", "ms", |it| it.p99_ms),
    ("generator busy", "%", |it| it.busy),
];

pub(crate) fn run(asked: &Scores, choices: &Choices, as_json: bool) -> Result<bool> {
    ensure!(asked.rate > 0.0 && asked.seconds > 0.0, "a match has a rate and a length");
    machine::raise_descriptors(u64::from(asked.viewers + asked.late) + 100)?;
    let figures = Figures::of(ROWS, asked.rounds, || Ground::open(asked, choices)?.play(asked))?;
    let words = format!(
        "scores: {} viewers and {} who come later, {:?} by {:?}, {} actions/s after {} raids",
        asked.viewers, asked.late, asked.mode, asked.by, asked.rate, asked.played
    );
    let load = json!({ "viewers": asked.viewers, "late": asked.late, "rate": asked.rate, "played": asked.played,
        "mode": format!("{:?}", asked.mode), "by": format!("{:?}", asked.by) });
    figures.print(&words, &load, as_json)?;
    Ok(true)
}

/// A match that has begun, and everybody who watches it.
struct Ground {
    server: Server,
    stand: Stand,
    round: Round,
    /// Actions in the log.
    actions: u64,
    /// When each was meant to be said, from the first that is measured.
    meant: Vec<Instant>,
    first: u64,
}

impl Ground {
    fn open(asked: &Scores, choices: &Choices) -> Result<Ground> {
        let mut desk = Desk::new(choices)?;
        let server = Server::start(desk.adapter())?;
        let mut stand =
            Stand::new(server.port, asked.mode, asked.by, desk.token("organizer", Some("organizer"))?)?;
        let mut actions = 0;
        for word in words::opening(ROOM) {
            stand.say(&word)?;
            actions = stand.acked(PATIENCE)?.max(actions);
        }
        for _ in 0..asked.played {
            stand.say(&words::raid(ROOM, actions))?;
            actions = stand.acked(PATIENCE)?;
        }
        let (round, meant) = (Round::default(), Vec::new());
        let mut ground = Ground { server, stand, round, actions, meant, first: actions + 1 };
        ground.take_seats(asked.viewers as usize)?;
        Ok(ground)
    }

    fn take_seats(&mut self, viewers: usize) -> Result<()> {
        let (before, began) = (self.server.resident_bytes()?, Instant::now());
        let mut newest = (0, Instant::now());
        while self.stand.watching() < viewers {
            while self.stand.len() < viewers && self.stand.len() < self.stand.watching() + AT_ONCE {
                self.stand.enter()?;
            }
            self.hear(EpollTimeout::from(GLANCE_MS))?;
            if self.stand.watching() > newest.0 {
                newest = (self.stand.watching(), Instant::now());
            }
            ensure!(newest.1.elapsed() < PATIENCE, "{} of {viewers} viewers are in", newest.0);
        }
        self.round.joins = viewers as f64 / began.elapsed().as_secs_f64();
        self.round.weight =
            (self.server.resident_bytes()?.saturating_sub(before)) as f64 / 1e3 / viewers as f64;
        Ok(())
    }

    /// What came, each viewer's checked against what that viewer knew. How many were news of actions that are measured.
    fn hear(&mut self, wait: EpollTimeout) -> Result<Vec<Duration>> {
        let (meant, first) = (&self.meant, self.first);
        let mut late = Vec::new();
        self.stand.hear(wait, |number| {
            let since = number.checked_sub(first).and_then(|index| meant.get(usize::try_from(index).ok()?));
            late.extend(since.map(Instant::elapsed));
        })?;
        Ok(late)
    }

    /// Every action has a time at which it is meant to be said, from which its latency counts.
    fn play(mut self, asked: &Scores) -> Result<Round> {
        let total = (asked.rate * asked.seconds) as u64;
        let (mut latency, mut heard) = (Histogram::default(), 0_u64);
        let (bytes_before, before, began) = (self.stand.bytes(), self.server.usage()?, Instant::now());
        let (seated, mut said, mut newest) = (self.stand.len(), 0_u64, Instant::now());
        let mut busy = Duration::ZERO;
        let span = Duration::from_secs_f64(asked.seconds);
        while began.elapsed() < span || !self.stand.is_up_to(self.actions) {
            ensure!(newest.elapsed() < PATIENCE, "some viewers have not heard of action {}", self.actions);
            let due = began + Duration::from_secs_f64(said as f64 / asked.rate);
            if said < total && due <= Instant::now() {
                self.stand.say(&words::raid(ROOM, self.actions))?;
                (self.actions, said) = (self.actions + 1, said + 1);
                self.meant.push(due);
            }
            let share = began.elapsed().as_secs_f64() / (asked.seconds * LATE_SHARE);
            let late = (f64::from(asked.late) * share.min(1.0)) as usize;
            if self.stand.len() < seated + late && self.stand.len() < self.stand.watching() + AT_ONCE {
                self.stand.enter()?;
            }
            let turn = Instant::now();
            let times = self.hear(EpollTimeout::ZERO)?;
            if !times.is_empty() {
                newest = Instant::now();
                busy += turn.elapsed();
            }
            heard += times.len() as u64;
            times.iter().for_each(|late| latency.record(late.as_micros() as u64));
        }
        let seconds = began.elapsed().as_secs_f64();
        let cpu_us = (self.server.usage()?.cpu_ns - before.cpu_ns) as f64 / 1e3;
        ensure!(self.stand.len() == seated + asked.late as usize, "the latecomers are not all in");
        let bytes = (self.stand.bytes() - bytes_before) as f64;
        let mut round = self.round;
        round.bytes = bytes / heard as f64;
        round.delivery_us = cpu_us / heard as f64;
        round.deliveries = heard as f64 / seconds;
        round.newest = 100.0 * heard as f64 / self.stand.owed(self.first, self.actions) as f64;
        round.p50_ms = latency.quantile(0.5) as f64 / 1e3;
        round.p99_ms = latency.quantile(0.99) as f64 / 1e3;
        round.busy = 100.0 * busy.as_secs_f64() / seconds;
        Ok(round)
    }
}

impl Mode {
    fn name(self) -> &'static str {
        match self {
            Mode::Whole => "whole",
            Mode::Delta => "delta",
        }
    }
}
