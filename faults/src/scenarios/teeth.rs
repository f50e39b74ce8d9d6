//! The harness held to account, with real processes: an engine that forgets everything when it is killed must be found out.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::{Site, WHOLE_WITHIN};
use crate::checker::{Property, judge};
use crate::crowd::{Crowd, Plan};
use crate::front::read_logs;
use crate::outcome::{Outcome, told};

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let plan =
        Plan { clients: 20, rooms: 4, rooms_each: 2, pace: 100, seed: site.seed, base_ms: 50, cap_ms: 1000 };
    let mut outcome = Outcome::default();
    let launch = site.world.launch("forgets", &["--engine", "memory"])?;
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    crowd.arrive(1000);
    crowd.pace = plan.pace;
    let acked = crowd.until(WHOLE_WITHIN, |crowd| crowd.figures.acked >= 50)?;
    ensure!(acked, "nothing is acknowledged");
    node.kill()?;
    node = launch.start_and_wait()?;
    crowd.spend(Duration::from_millis(300))?;
    crowd.settle(WHOLE_WITHIN)?;
    let history = crowd.history(|epochs| read_logs(node.port, &signer, epochs, plan.rooms))?;
    let found = judge(&history);
    let lost = found.iter().find(|violation| violation.property == Property::AckedIsStored);
    outcome.figure("found to be lost", lost.map_or(0, |violation| violation.times));
    outcome.figure("gaps and resets", told(&history));
    outcome.must(lost.is_some(), || "an engine that forgets was not found out".to_owned());
    Ok(outcome)
}
