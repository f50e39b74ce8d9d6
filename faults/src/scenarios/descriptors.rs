//! More sockets come than the server may have descriptors for: those who are in talk on, those outside wait without costing anything, and
//! come in when somebody goes.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::broker_restarts::sockets_stayed;
use super::kills::must_be_whole;
use super::{Site, gather, judged, turned};
use crate::crowd::{Crowd, Plan};
use crate::front::Visitor;
use crate::outcome::Outcome;
use crate::sockets::{Leave, News, Sockets};

const DESCRIPTORS: u64 = 256;
const COMES: usize = 300;
const WAITS: Duration = Duration::from_secs(5);
const SHOWS_WITHIN: Duration = Duration::from_secs(30);
/// Of one processor, with the load of those who are in.
const BUSY_PERCENT_MAX: u64 = 10;
/// Whoever waits outside is in nobody's way for as long as the run lasts.
const CONFIG: &str = "[limits]\nconnections_per_user = 1000\n";

pub(crate) fn run(site: &Site<'_>) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 2000, site.seed);
    let plan = Plan { clients: 100, rooms: 20, rooms_each: 1, pace: 20, seed, base_ms, cap_ms };
    let mut outcome = Outcome::default();
    let mut launch = site.world.configured("one", CONFIG)?;
    launch.through = ["prlimit", &format!("--nofile={DESCRIPTORS}:{DESCRIPTORS}")].map(Into::into).into();
    let signer = launch.signer()?;
    let mut node = launch.start_and_wait()?;
    let mut crowd = Crowd::new(plan, &[launch.port], &signer)?;
    gather(&mut crowd)?;
    crowd.pace = plan.pace;
    let (token, mut others) = (signer.token("outside")?, Sockets::new(COMES)?);
    for slot in 0..COMES {
        others.open(slot, launch.port, &token)?;
    }
    let used_up = "kulkul_out_of_descriptors_total";
    let shows = log_says(&mut crowd, &launch.log)?;
    ensure!(shows, "nothing says that descriptors are used up");
    let busy = node.processor_ms()?;
    let mut inside = 0;
    let began = crowd.now();
    while crowd.now() - began < WAITS.as_millis() as u64 {
        crowd.turn(Duration::from_millis(5))?;
        let news = others.turn(Duration::ZERO)?;
        inside += news.iter().filter(|(_, news)| *news == News::Open).count();
    }
    let busy = (node.processor_ms()? - busy) * 100 / (crowd.now() - began);
    outcome.figure("came", COMES);
    outcome.figure("of these in", inside);
    outcome.figure("of a processor, per cent", busy);
    outcome.must(inside < COMES, || format!("{COMES} came in with {DESCRIPTORS} descriptors"));
    if site.is_full() {
        outcome.must(busy < BUSY_PERCENT_MAX, || format!("waiting takes {busy} % of a processor"));
    }
    for slot in 0..COMES {
        others.leave(slot, Leave::Silently);
    }
    let open = turned(&mut crowd, SHOWS_WITHIN, || Ok(Visitor::come(launch.port, &token).is_ok()))?;
    outcome.must(open, || "nobody comes in when others have gone".to_owned());
    let looks = node.figure(used_up)?;
    outcome.figure("looks in vain", looks);
    outcome.must(looks > 0, || format!("{used_up} stays 0"));
    sockets_stayed(&crowd, &mut outcome);
    outcome.must(node.has_ended()?.is_none(), || "the server ended".to_owned());
    judged(crowd, launch.port, &signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// The operator's door cannot be asked either: the log says it.
fn log_says(crowd: &mut Crowd, log: &std::path::Path) -> Result<bool> {
    turned(crowd, SHOWS_WITHIN, || Ok(super::lines_with(log, "out of descriptors") > 0))
}
