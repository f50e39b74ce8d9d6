//! How far it is, for whoever sits before it; and what came of it, for people or for programs.

use std::io::{IsTerminal, Write};
use std::time::{Duration, Instant};

use anyhow::Result;
use serde_json::{Value, json};
use vocabulary::RoomId;

/// Between two lines on a terminal.
const EVERY: Duration = Duration::from_millis(200);

pub(super) struct Progress {
    json: bool,
    shows: bool,
    of: Option<u64>,
    since: Instant,
    told: Option<Instant>,
}

impl Progress {
    /// `of` how many rooms, where that is known.
    pub(super) fn begin(json: bool, of: Option<u64>) -> Progress {
        let shows = !json && std::io::stderr().is_terminal();
        Progress { json, shows, of, since: Instant::now(), told: None }
    }

    pub(super) fn tell(&mut self, rooms: u64, bytes: u64) {
        if self.is_time() {
            eprint!("\r\x1b[K{}", line(rooms, self.of, bytes, self.since.elapsed()));
        }
    }

    pub(super) fn prove(&mut self, at: u64, of: u64) {
        if self.is_time() {
            eprint!("\r\x1b[Kproving {}%", at.saturating_mul(100) / of.max(1));
        }
    }

    fn is_time(&mut self) -> bool {
        let now = Instant::now();
        let is_time = self.shows && self.told.is_none_or(|told| now - told >= EVERY);
        if is_time {
            self.told = Some(now);
        }
        is_time
    }

    pub(super) fn end(self, words: &str, mut told: Value, damaged: &[RoomId]) -> Result<()> {
        if self.told.is_some() {
            eprint!("\r\x1b[K");
        }
        let mut out = std::io::stdout().lock();
        if self.json {
            told["seconds"] = json!(self.since.elapsed().as_secs_f64());
            told["damaged"] = damaged.iter().map(RoomId::as_str).collect();
            writeln!(out, "{told}")?;
        } else {
            writeln!(out, "{words}")?;
            for room in damaged {
                writeln!(out, "left out, because it is damaged: {room}")?;
            }
        }
        Ok(())
    }
}

/// Rooms of how many, bytes, bytes a second, and what is left if it goes on so.
fn line(rooms: u64, of: Option<u64>, bytes: u64, passed: Duration) -> String {
    let seconds = passed.as_secs_f64().max(0.001);
    let mib = bytes as f64 / f64::from(1 << 20);
    let rate = mib / seconds;
    match of.filter(|of| *of > 0 && rooms > 0) {
        Some(of) => {
            let left = seconds * of.saturating_sub(rooms) as f64 / rooms as f64;
            format!("{rooms} of {of} rooms, {mib:.1} MiB, {rate:.1} MiB/s, about {left:.0} s left")
        }
        None => format!("{rooms} rooms, {mib:.1} MiB, {rate:.1} MiB/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_says_what_is_left_where_that_is_known() {
        let ten = Duration::from_secs(10);
        assert_eq!(
            line(25, Some(100), 10 << 20, ten),
            "25 of 100 rooms, 10.0 MiB, 1.0 MiB/s, about 30 s left"
        );
        assert_eq!(line(25, None, 10 << 20, ten), "25 rooms, 10.0 MiB, 1.0 MiB/s");
        assert_eq!(line(0, Some(100), 0, ten), "0 rooms, 0.0 MiB, 0.0 MiB/s");
    }
}
