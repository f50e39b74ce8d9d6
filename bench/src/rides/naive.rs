//! The way without an index: every position is held against every driver, and everybody in the radius is sent it. No server: a loop in this
//! process over an array of places, which stores nothing, sends nothing and is asked by nobody. What it costs is the least that such a
//! server would spend on looking; how many it would have to tell is counted.

use anyhow::Result;
use nix::time::{ClockId, clock_gettime};

use super::map::Place;

/// Positions that are held against all: as many as make the figure steady.
const POSITIONS: usize = 1_000;

pub(super) struct Scan {
    /// By haversine, which a first version would use.
    pub round_us: f64,
    /// On a flat map, which is good enough for a kilometre.
    pub flat_us: f64,
    /// Others in the radius.
    pub told: f64,
}

fn cpu_us() -> Result<f64> {
    let spent = clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID)?;
    Ok(spent.tv_sec() as f64 * 1e6 + spent.tv_nsec() as f64 / 1e3)
}

/// CPU of this thread for each position, and how many others are near on average.
fn held_against_all(
    places: &[Place],
    metres: f64,
    apart: impl Fn(Place, Place) -> f64,
) -> Result<(f64, f64)> {
    let (before, mut near) = (cpu_us()?, 0_usize);
    let positions = POSITIONS.min(places.len());
    for index in 0..positions {
        // Spread over all, wherever they are in the array.
        let own = index * places.len() / positions;
        let here = places[own];
        near += places.iter().filter(|there| apart(here, **there) <= metres).count() - 1;
    }
    let each = |of: f64| of / positions.max(1) as f64;
    Ok((each(cpu_us()? - before), each(std::hint::black_box(near) as f64)))
}

pub(super) fn scan(places: &[Place], metres: f64) -> Result<Scan> {
    let (round_us, told) = held_against_all(places, metres, Place::metres_to)?;
    let (flat_us, _) = held_against_all(places, metres, Place::flat_metres_to)?;
    Ok(Scan { round_us, flat_us, told })
}
