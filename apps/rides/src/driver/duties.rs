//! What a driver's room does by itself: a driver who is gone leaves the pool and one who is back returns to it, and a match that its
//! passenger's room forgot ends. Nothing here is set: all is read off the state.

use app::{Decision, Duty, Room};
use vocabulary::{Now, Payload, UserId, Wall};

use super::records::{self as kinds};
use super::state::Driver;
use super::{all_withdrawn, withdrawn};
use crate::consent::Half;
use crate::proposal::Reason;
use crate::rules::Rules;
use crate::wire::written;

const GONE: &str = "gone";
const BACK: &str = "back";
const FORGOTTEN: &str = "forgotten/";
/// A passenger's room ends its matches in time by itself. One that says nothing for so long after has lost it.
const FORGOTTEN_MS: i64 = 60_000;

/// Each with when it is due.
fn all_due(rules: &Rules, now: Now, room: &Room<'_, Driver>) -> Vec<(i64, String)> {
    let driver = room.state;
    let forgotten = driver
        .offers
        .iter()
        .map(|(id, offer)| (offer.proposal.until.saturating_add(FORGOTTEN_MS), format!("{FORGOTTEN}{id}")));
    let mut due: Vec<(i64, String)> = forgotten.collect();
    // On a ride nobody is taken off anything.
    if driver.on && driver.trip().is_none() {
        match room.presence.gone_since(&UserId::new(driver.id())) {
            None if driver.gone => due.push((0, BACK.to_owned())),
            Some(since) if !driver.gone => {
                let gone_ms = i64::try_from(now.tick.since(since).as_millis()).unwrap_or(i64::MAX);
                let at = now.wall.0.saturating_sub(gone_ms).saturating_add(rules.driver_gone_ms);
                due.push((at, GONE.to_owned()));
            }
            _ => {}
        }
    }
    due
}

pub(crate) fn due(rules: &Rules, now: Now, room: &Room<'_, Driver>) -> Option<(Wall, Duty)> {
    let (at, name) = all_due(rules, now, room).into_iter().min()?;
    Some((Wall(at), Duty { name: name.into(), payload: Payload::new() }))
}

/// On the newest state: what is not due there any more comes to nothing.
pub(super) fn decide(rules: &Rules, now: Now, room: &Room<'_, Driver>, name: &str) -> Decision {
    let is_due = |(at, due): &(i64, String)| due == name && *at <= now.wall.0;
    if !all_due(rules, now, room).iter().any(is_due) {
        return Decision::nothing();
    }
    let nothing = serde_json::Map::new();
    match name {
        BACK => Decision::record(kinds::BACK, written(&nothing)),
        GONE => {
            let mut decision = Decision::record(kinds::GONE, written(&nothing));
            decision.records.extend(all_withdrawn(room.state, None, Reason::DriverOffline));
            decision
        }
        _ => {
            let offer = name.strip_prefix(FORGOTTEN).and_then(|id| room.state.offers.get(id));
            let records = offer.map(|offer| withdrawn(&offer.proposal, Reason::Timeout, true));
            Decision { records: records.into_iter().collect(), ..Decision::nothing() }
        }
    }
}
