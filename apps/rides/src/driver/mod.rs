//! A driver, `rides:driver:{id}`: whether they are in the pool, who asks for them, and the one match that has them. Whatever others
//! believe, only this room's log says whose the driver is.

mod duties;
mod records;
mod state;
mod steps;
mod told;

use app::{Action, Decision, Draft, Fields, Room};
use serde_json::json;
use vocabulary::{Caller, Code, Now, Refusal};

use crate::consent::{self, Half, Offered};
use crate::content::{self, invalid};
use crate::meter::Spot;
use crate::proposal::{Proposal, Reason};
use crate::rules::Rules;
use crate::standing::{Side, Who};
use crate::vehicle::Vehicle;
use crate::wire::{NAME_CHARS_MAX, clipped, told_point, written};
use records::{self as kinds};
use state::Offer;

pub(crate) use duties::due;
pub(crate) use state::Driver;
pub(crate) use steps::{BEHIND_MS, IsMatched, Speaks, steps};
pub(crate) use told::{shown, view};

/// Of less than this a pool of drivers a kilometre around makes nothing.
const MOVED_MM: i64 = 25_000;

pub(crate) fn withdrawn(proposal: &Proposal, reason: Reason, tell: bool) -> Draft {
    let body = kinds::Withdrawn { proposal: proposal.clone(), reason, tell, unseen: false, answers: None };
    Draft::new(kinds::WITHDRAWN, written(&body))
}

/// Nobody is asked for any more by those who asked.
fn all_withdrawn<'a>(
    driver: &'a Driver,
    but: Option<&'a str>,
    reason: Reason,
) -> impl Iterator<Item = Draft> + 'a {
    let others = driver.offers.iter().filter(move |(id, _)| Some(id.as_str()) != but);
    others.map(move |(_, offer)| withdrawn(&offer.proposal, reason, true))
}

impl Offered for Offer {
    fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn confirmed(&self) -> Draft {
        let body = kinds::Matched { proposal: self.proposal.clone() };
        Draft::new(kinds::CONFIRMED, written(&body))
    }

    fn rejected(&self) -> Draft {
        withdrawn(&self.proposal, Reason::DriverRejected, true)
    }
}

pub(crate) fn decide(
    rules: &Rules,
    now: Now,
    room: Room<'_, Driver>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let driver = room.state;
    match caller {
        Caller::Outcome { step, result } => return Ok(steps::answered(driver, step, result)),
        Caller::Duty { name, .. } => return Ok(duties::decide(rules, now, &room, name)),
        Caller::Step(step) => return steps::heard(now, driver, step, action),
        _ => {}
    }
    let who = Who::of(caller);
    who.must_be(Side::Driver, driver.id())?;
    let fields = Fields::of(action.payload)?;
    let asking = Asking { now, driver, who };
    match action.kind {
        "beacon_update" => asking.beacon(&fields),
        "location_update" => asking.moves(&fields),
        "match_confirm" => consent::confirm(driver, now, &fields),
        "match_cancel" => consent::cancel_match(driver, &fields),
        "ride_cancel" => consent::cancel_ride(driver, &fields),
        "driver_register" => asking.register(&fields),
        "get_state" => Ok(Decision::reply(view(driver))),
        kind => Err(Refusal::new(
            Code::UnknownType,
            format!(
                "unknown message type: {kind} (a driver's room knows beacon_update, location_update, match_confirm, match_cancel, ride_cancel and get_state)"
            ),
        )),
    }
}

struct Asking<'a> {
    now: Now,
    driver: &'a Driver,
    who: Who<'a>,
}

impl Asking<'_> {
    fn beacon(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let is_active =
            fields.truth("is_active")?.ok_or_else(|| invalid("is_active is required: true or false"))?;
        let point = content::point(fields)?;
        let at = self.now.wall.0;
        let spot = point.map(|point| Spot { point, at });
        let driver = self.driver;
        let name = match self.who.person() {
            Some(person) => clipped(&person.name, NAME_CHARS_MAX),
            None if driver.name.is_empty() => driver.id().to_owned(),
            None => driver.name.clone(),
        };
        let known = spot.or(driver.spot).map(|spot| told_point(spot.point));
        let mut reply = json!({"is_active": is_active});
        if let Some(known) = known {
            (reply["latitude"], reply["longitude"]) = (known["latitude"].clone(), known["longitude"].clone());
        }
        let reply = written(&reply);
        let stands = driver.on == is_active && driver.name == name && !driver.gone;
        let is_there = point.is_none_or(|point| driver.spot.is_some_and(|spot| spot.point == point));
        if stands && is_there {
            return Ok(Decision::reply(reply));
        }
        let body = kinds::Beacon { is_active, name, spot };
        let mut decision = Decision::record(kinds::BEACON, written(&body));
        if !is_active {
            decision.records.extend(all_withdrawn(driver, None, Reason::DriverOffline));
        }
        Ok(decision.with_reply(reply))
    }

    /// By HTTP alone: one registers once, and not while a phone looks on.
    fn register(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let vehicle = Vehicle::of(fields)?;
        let reply = written(&json!({"vehicle": vehicle.told()}));
        if self.driver.vehicle.as_ref() == Some(&vehicle) {
            return Ok(Decision::reply(reply));
        }
        let body = kinds::Registered { vehicle };
        Ok(Decision::record(kinds::REGISTERED, written(&body)).with_reply(reply))
    }

    fn moves(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let spot = content::spot(self.now, fields)?;
        if let Some(trip) = self.driver.trip() {
            return Ok(trip.passed(self.now, spot));
        }
        let is_near = |known: Spot| known.point.millimetres_to(spot.point) < MOVED_MM;
        if self.driver.spot.is_some_and(is_near) {
            return Ok(Decision::nothing());
        }
        // In the order of arrival: of two places of a driver who waits the pool needs the newest that we heard.
        let spot = Spot { at: self.now.wall.0, ..spot };
        Ok(Decision::record(kinds::MOVED, written(&kinds::Moved { spot })))
    }
}
