//! The broker is killed and begun again under load, over and over, while three nodes stay where they are: nobody loses a
//! socket, what cannot be stored is refused or waits, and everything goes on by itself.

use std::time::Duration;

use anyhow::{Result, ensure};

use super::kills::must_be_whole;
use super::{Site, gathered, judged, turned};
use crate::broker::Kind;
use crate::crowd::{Crowd, Plan};
use crate::fleet::Fleet;
use crate::outcome::{Outcome, percentile};

struct Numbers {
    plan: Plan,
    restarts: usize,
    /// Under load before each, in milliseconds.
    before_ms: u64,
    /// From the kill to the next start: anything between.
    away_ms: (u64, u64),
    /// From the moment at which the broker listens again to all nodes ready and a message acknowledged.
    normal_within_ms: u64,
}

fn numbers(site: &Site<'_>) -> Numbers {
    let (base_ms, cap_ms, seed) = (100, 5000, site.seed);
    let full = Plan { clients: 300, rooms: 30, rooms_each: 2, pace: 600, seed, base_ms, cap_ms };
    let small = Plan { clients: 60, rooms: 10, rooms_each: 2, pace: 150, seed, base_ms, cap_ms };
    Numbers {
        plan: site.sized(full, small),
        restarts: site.sized(10, 2),
        before_ms: site.sized(3000, 700),
        away_ms: site.sized((500, 5000), (300, 1000)),
        normal_within_ms: 5000,
    }
}

/// On the slowest machine.
const SHOWS_WITHIN: Duration = Duration::from_secs(30);

pub(crate) fn run(site: &Site<'_>, on: Kind) -> Result<Outcome> {
    let numbers = numbers(site);
    let mut outcome = Outcome::default();
    let (mut fleet, mut crowd) = gathered(site, on, numbers.plan, "")?;
    let (mut unready, mut normal) = (Vec::new(), Vec::new());
    for restart in 1..=numbers.restarts {
        crowd.spend(Duration::from_millis(numbers.before_ms))?;
        fleet.broker.kill()?;
        let killed_at = crowd.now();
        let shows = answers(&mut crowd, &fleet, 503)?;
        outcome.must(shows, || format!("restart {restart}: the broker is away and a node stays ready"));
        unready.push(crowd.now() - killed_at);
        let (least, most) = numbers.away_ms;
        let away = least + crowd.random().below(most - least);
        crowd.spend(Duration::from_millis(away))?;
        lives(&mut outcome, &fleet, restart)?;
        fleet.broker.begin()?;
        ensure!(
            turned(&mut crowd, SHOWS_WITHIN, || Ok(fleet.broker.accepts()))?,
            "the broker does not listen"
        );
        let (began_at, acked) = (crowd.now(), crowd.figures.acked);
        let ready = answers(&mut crowd, &fleet, 200)?;
        outcome.must(ready, || format!("restart {restart}: the broker is there and a node stays unready"));
        let goes_on = crowd.until(SHOWS_WITHIN, |crowd| crowd.figures.acked > acked)?;
        outcome
            .must(goes_on, || format!("restart {restart}: the broker is there and nothing is acknowledged"));
        lives(&mut outcome, &fleet, restart)?;
        let took = crowd.now() - began_at;
        normal.push(took);
        (site.say)(&format!("restart {restart}: away {} ms, normal after {took} ms", began_at - killed_at));
    }
    crowd.spend(Duration::from_millis(numbers.before_ms))?;
    outcome.figure("restarts", numbers.restarts);
    outcome.figure("unready after ms, most", percentile(&mut unready, 100));
    outcome.figure("normal again ms, p50", percentile(&mut normal, 50));
    let most = percentile(&mut normal, 100);
    outcome.figure("normal again ms, most", most);
    if site.is_full() {
        outcome.must(most <= numbers.normal_within_ms, || format!("normal again after {most} ms"));
    }
    sockets_stayed(&crowd, &mut outcome);
    outcome.must(fleet.none_has_ended()?, || "a node ended".to_owned());
    judged(crowd, fleet.ports()[0], &fleet.signer, numbers.plan.rooms, &mut outcome)?;
    must_be_whole(&mut outcome);
    Ok(outcome)
}

/// The load goes on until `/ready` of every node is answered so; whether it is.
pub(super) fn answers(crowd: &mut Crowd, fleet: &Fleet, status: u16) -> Result<bool> {
    turned(crowd, SHOWS_WITHIN, || fleet.all_answer("/ready", status))
}

fn lives(outcome: &mut Outcome, fleet: &Fleet, restart: usize) -> Result<()> {
    let lives = fleet.all_answer("/live", 200)?;
    outcome.must(lives, || format!("restart {restart}: a node's /live is not 200"));
    Ok(())
}

/// A broker's fault is no client's.
pub(super) fn sockets_stayed(crowd: &Crowd, outcome: &mut Outcome) {
    let ended = crowd.figures.lost + crowd.goodbyes.len() as u64;
    outcome.figure("sockets that ended", ended);
    outcome.must(ended == 0, || format!("{ended} sockets ended"));
}
