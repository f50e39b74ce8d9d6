//! Phones on a bad network: everything takes its time, a third of it twice, and the link breaks over and over. Everybody has everything in
//! the end, once, and comes back once for each break.

use std::time::Duration;

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, WHOLE_WITHIN, gather, judged};
use crate::crowd::{Crowd, Plan};
use crate::link::{Link, Weather};
use crate::outcome::Outcome;

const WEATHER: Weather =
    Weather { delay: Duration::from_millis(150), lost_percent: 30, again_after: Duration::from_millis(300) };

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (500, 5000, site.seed);
    let full = Plan { clients: 60, rooms: 20, rooms_each: 2, pace: 30, seed, base_ms, cap_ms };
    let small = Plan { clients: 20, rooms: 5, rooms_each: 1, pace: 10, seed, base_ms, cap_ms };
    let plan = site.sized(full, small);
    let (flaps, each) = site.sized((30, Duration::from_secs(20)), (3, Duration::from_secs(5)));
    let mut outcome = Outcome::default();
    let launch = site.world.configured("one", "")?;
    let signer = launch.signer()?;
    let node = launch.start_and_wait()?;
    let link = Link::to(launch.port, WEATHER, seed)?;
    let mut crowd = Crowd::new(plan, &[link.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let (all, mut broke) = (crowd.clients.len(), 0);
    let opened = node.figure("kulkul_opened_total")?;
    for _ in 0..flaps {
        crowd.spend(each)?;
        broke += link.flap();
    }
    let whole = crowd.until(WHOLE_WITHIN, |crowd| crowd.live() == all)?;
    outcome.must(whole, || format!("{} of {all} are live", crowd.live()));
    let came_back = node.figure("kulkul_opened_total")? - opened;
    outcome.figure("breaks", flaps);
    outcome.figure("connections that broke", broke);
    outcome.figure("came back", came_back);
    outcome.must(broke > 0, || "nothing broke".to_owned());
    // One that was on its way when the link broke has come and goes once more.
    let most = broke as u64 + plan.clients as u64;
    outcome.must(came_back <= most, || format!("{came_back} came back of {broke} that broke"));
    judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}
