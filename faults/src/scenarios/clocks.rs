//! The clock of one of three nodes jumps, there and back, and then runs ten times as fast: nobody is sent away for it, no lease ends, no
//! record is lost or moved, and a token ends by the clock of whoever reads it, not all at once.

use std::fs;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, Result};

use super::broker_restarts::sockets_stayed;
use super::kills::must_be_whole;
use super::{Site, gather, judged};
use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::Fleet;
use crate::outcome::Outcome;
use crate::presence::Watched;

/// The one whose clock it is.
const NODE: usize = 1;
/// Beside the true time; the last ones are faster, from where it stands. A day is as long as tokens of ours live.
const JUMPS: [&str; 6] = ["+1h", "-1h", "+23h", "-1d", "+0 x10", "+0"];
/// Longer than an ended socket counts as present.
const TOLD_WITHIN: Duration = Duration::from_secs(2);

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 300, rooms: 30, rooms_each: 1, pace: 300, seed, base_ms, cap_ms };
    let small = Plan { clients: 30, rooms: 5, rooms_each: 1, pace: 60, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let each = site.sized(Duration::from_secs(30), Duration::from_secs(2));
    let mut outcome = Outcome::default();
    let clock = site.world.folder.join("clock");
    fs::write(&clock, "+0")?;
    let mut fleet = Fleet::start_with(site.world, on, "", |number, launch| {
        if number == NODE {
            launch.through = by_clock(&clock)?;
        }
        Ok(())
    })?;
    let mut crowd = Crowd::new(plan, &fleet.ports(), &fleet.signer)?;
    for client in &mut crowd.clients {
        client.watched = Some(Watched::default());
    }
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    crowd.spend(TOLD_WITHIN)?;
    for client in &mut crowd.clients {
        client.watched = Some(Watched::default());
    }
    for jump in JUMPS {
        fs::write(&clock, jump)?;
        let acked = crowd.figures.acked;
        crowd.spend(each)?;
        let acked = crowd.figures.acked - acked;
        (site.say)(&format!("{jump}: {acked} acknowledged"));
        outcome.must(acked > 0, || format!("nothing is acknowledged when the clock is {jump}"));
        outcome.must(fleet.all_answer("/ready", 200)?, || format!("a node is unready when it is {jump}"));
    }
    let moved: usize = crowd.clients.iter().flat_map(|it| &it.watched).map(|it| it.passings.len()).sum();
    outcome.figure("jumps", JUMPS.len());
    outcome.figure("seen to move", moved);
    outcome.must(moved == 0, || format!("{moved} times somebody was seen to come or go"));
    sockets_stayed(&crowd, &mut outcome);
    outcome.must(fleet.none_has_ended()?, || "a node ended".to_owned());
    judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// The time of day as the file has it; what measures how long something takes stays as it is, as in every machine whose clock is set.
fn by_clock(file: &Path) -> Result<Vec<std::ffi::OsString>> {
    let library = [
        "/usr/lib/x86_64-linux-gnu/faketime/libfaketimeMT.so.1",
        "/usr/lib/aarch64-linux-gnu/faketime/libfaketimeMT.so.1",
    ];
    let library = library.into_iter().find(|it| Path::new(it).exists());
    let library = library.context("libfaketime is missing; install it: apt-get install faketime")?;
    let said = [
        "env".to_owned(),
        format!("LD_PRELOAD={library}"),
        format!("FAKETIME_TIMESTAMP_FILE={}", file.display()),
        "FAKETIME_NO_CACHE=1".to_owned(),
        "FAKETIME_DONT_FAKE_MONOTONIC=1".to_owned(),
    ];
    Ok(said.into_iter().map(Into::into).collect())
}
