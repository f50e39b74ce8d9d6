//! Eight senders in one room on three nodes, as fast as they are answered: everybody hears one order, and in it each
//! sender's own. The limit of messages a second is lifted, because eight clients are to be a load.

use std::time::{Duration, Instant};

use anyhow::Result;

use super::kills::must_be_whole;
use super::{Site, gathered, judged};
use crate::broker::Kind;
use crate::crowd::Plan;
use crate::history::Event;
use crate::outcome::Outcome;

const CONFIG: &str = "[limits]\nmessages_per_second = 1000000\nburst = 1000000\n\
     [chat]\nmessages_per_second = 1000000\nburst = 1000000\n";
/// More than is answered, so that the answers set the pace.
const PACE: u64 = 50_000;

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    // A million, less what is on its way at the end: beyond a million records the first ones are kept no longer, and the log
    // is read from its beginning.
    let messages = site.sized(999_000, 2000);
    // What is not sent by then is left out, and the figures say how much was.
    let most = site.sized(Duration::from_secs(240), Duration::from_secs(30));
    let plan = Plan { clients: 8, rooms: 1, rooms_each: 1, pace: PACE, seed, base_ms, cap_ms };
    let mut outcome = Outcome::default();
    let (fleet, mut crowd) = gathered(site, on, plan, CONFIG)?;
    let began = Instant::now();
    let all = crowd.until(most, |crowd| crowd.figures.sent >= messages)?;
    outcome.must(all || site.is_full(), || format!("{messages} messages are not sent within {most:?}"));
    let seconds = began.elapsed().as_secs_f64();
    outcome.figure("a second", format!("{:.0}", crowd.figures.acked as f64 / seconds));
    outcome.figure("seconds", format!("{seconds:.1}"));
    let history = judged(crowd, fleet.ports()[0], &fleet.signer, plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    // Who comes back has what it missed from the log, and nobody would see that it was never told.
    let ended = history.count(|event| event == Event::Ended);
    outcome.must(ended == 0, || format!("{ended} sockets ended, and nothing was done to them"));
    Ok(outcome)
}
