//! A city of drivers: each says where they are every few seconds, some have a passenger who watches, and others look for a driver
//! meanwhile. What a position costs the server, how late a passenger sees it, how long a match takes, what a driver weighs; beside what
//! it would be to hold every position against everybody. A position that was accepted and is lost, a driver with two matches and a ride whose
//! end is not told end the run.

mod city;
mod map;
mod naive;
mod people;

use std::time::Duration;

use anyhow::{Result, ensure};
use clap::Args;
use serde_json::json;

use crate::adapters::Choices;
use crate::figures::{Figures, Row};
use crate::histogram::Histogram;
use crate::machine;
use city::City;

#[derive(Debug, Clone, Args)]
pub(crate) struct Rides {
    #[arg(long, default_value_t = 10_000, value_parser = clap::value_parser!(u32).range(10..=15_000))]
    drivers: u32,
    /// Seconds from one position of a driver to the next.
    #[arg(long, default_value_t = 4.0)]
    every: f64,
    /// How fast all drive. Positions of a driver without a ride count from 25 m on.
    #[arg(long, default_value_t = 30.0)]
    kmh: f64,
    /// How wide the city is; it is a square.
    #[arg(long, default_value_t = 20.0)]
    kilometres: f64,
    /// Rides that are on, each watched by its passenger.
    #[arg(long, default_value_t = 500, value_parser = clap::value_parser!(u32).range(0..=2_000))]
    tracked: u32,
    /// Searches that begin in a second, while all drive.
    #[arg(long, default_value_t = 10.0)]
    searches: f64,
    /// Of each of the three parts: nobody moves, all drive, and passengers search besides.
    #[arg(long, default_value_t = 20.0)]
    seconds: f64,
    #[arg(long, default_value_t = 3)]
    rounds: usize,
}

/// Without anything new for this long, something is wrong.
const PATIENCE: Duration = Duration::from_secs(30);
/// As far as passengers are offered to drivers, by default.
const RADIUS_M: f64 = 1_000.0;

/// The figures of one round.
#[derive(Default)]
struct Round {
    weight: f64,
    idle_us: f64,
    position_us: f64,
    positions: f64,
    told: f64,
    scan_us: f64,
    flat_us: f64,
    all_told: f64,
    seen: Histogram,
    proposal: Histogram,
    match_: Histogram,
    matches: f64,
    server_busy: f64,
    busy: f64,
}

fn ms(latency: &Histogram, share: f64) -> f64 {
    latency.quantile(share) as f64 / 1e3
}

const ROWS: &[Row<Round>] = &[
    ("memory a driver", "kB", |it| it.weight),
    ("server CPU a waiting driver", "us/s", |it| it.idle_us),
    ("positions", "/s", |it| it.positions),
    ("server CPU a position", "us", |it| it.position_us),
    ("told of a hundred positions", "", |it| 100.0 * it.told),
    ("driver to passenger p50", "ms", |it| ms(&it.seen, 0.5)),
    ("driver to passenger p99", "ms", |it| ms(&it.seen, 0.99)),
    ("matches", "/s", |it| it.matches),
    ("search to proposal p50", "ms", |it| ms(&it.proposal, 0.5)),
    ("search to proposal p99", "ms", |it| ms(&it.proposal, 0.99)),
    ("second yes to ride p50", "ms", |it| ms(&it.match_, 0.5)),
    ("second yes to ride p99", "ms", |it| ms(&it.match_, 0.99)),
    ("a scan of all, haversine", "us", |it| it.scan_us),
    ("a scan of all, flat", "us", |it| it.flat_us),
    ("told if all in the radius are", "", |it| 100.0 * it.all_told),
    ("server busy", "%", |it| it.server_busy),
    ("generator busy", "%", |it| it.busy),
];

pub(crate) fn run(asked: &Rides, choices: &Choices, as_json: bool) -> Result<bool> {
    ensure!(
        asked.every >= 1.0 && asked.seconds >= asked.every,
        "every driver is to say something in each part"
    );
    ensure!(asked.kmh > 0.0 && asked.kmh < 140.0, "--kmh: faster than 150 km/h is taken for a jump");
    ensure!(asked.tracked * 4 <= asked.drivers, "--tracked: a quarter of the drivers at most");
    machine::raise_descriptors(u64::from(asked.drivers + asked.tracked) + 1_000)?;
    let figures = Figures::of(ROWS, asked.rounds, || round(asked, choices))?;
    let words = format!(
        "rides: {} drivers on {} km by {}, a position every {} s at {} km/h; {} rides watched; {} searches/s",
        asked.drivers,
        asked.kilometres,
        asked.kilometres,
        asked.every,
        asked.kmh,
        asked.tracked,
        asked.searches
    );
    let load = json!({ "drivers": asked.drivers, "kilometres": asked.kilometres, "every": asked.every, "kmh": asked.kmh,
        "tracked": asked.tracked, "searches": asked.searches, "seconds": asked.seconds });
    figures.print(&words, &load, as_json)?;
    Ok(true)
}

fn round(asked: &Rides, choices: &Choices) -> Result<Round> {
    let mut city = City::open(asked, choices)?;
    let mut round = Round { weight: city.weight_bytes / 1e3, ..Round::default() };
    city.begin_rides(asked.tracked as usize)?;
    let seconds = asked.seconds;
    let waiting = city.lives(seconds, false, 0.0)?;
    round.idle_us = waiting.cpu_us / waiting.seconds / f64::from(asked.drivers);
    let driving = city.lives(seconds, true, 0.0)?;
    round.positions = driving.said as f64 / driving.seconds;
    round.position_us = driving.cpu_us / driving.said as f64;
    round.told = driving.seen as f64 / driving.said as f64;
    round.seen = std::mem::take(&mut city.seen);
    let searching = city.lives(seconds, true, asked.searches)?;
    round.matches = searching.matched as f64 / searching.seconds;
    round.server_busy = searching.cpu_us / searching.seconds / 1e4;
    round.busy = 100.0 * searching.busy;
    (round.proposal, round.match_) = (std::mem::take(&mut city.proposal), std::mem::take(&mut city.match_));
    city.ends()?;
    let scan = naive::scan(&city.places(), RADIUS_M)?;
    (round.scan_us, round.flat_us, round.all_told) = (scan.round_us, scan.flat_us, scan.told);
    Ok(round)
}
