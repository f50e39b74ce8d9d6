//! What a driver's room has others told, what passengers' and rides' rooms tell it, and what they answer.

use app::{Action, Decision, Draft, Step};
use serde::{Deserialize, Serialize};
use vocabulary::{Code, Now, Payload, Refusal, RoomId, StepId};

use super::records::{self as kinds};
use super::state::{Driver, OFFERS_MAX, ToPassenger};
use super::{all_withdrawn, withdrawn};
use crate::area::{self, IsHere};
use crate::consent::Half;
use crate::proposal::{Proposal, Reason};
use crate::standing::Side;
use crate::telling::{Answered, sent};
use crate::trip::{self, ClaimedBy, HERE, IS_MATCHED};
use crate::wire::{read, written};

/// A passenger's room speaks of one match.
#[derive(Serialize, Deserialize)]
pub(crate) struct Speaks {
    pub proposal: Proposal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<Reason>,
    /// The other room's own record that this word answers: a node that has not seen that one yet knows too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Answered>,
}

/// What a driver's room asks until the ride has spoken.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsMatched {
    pub match_id: String,
    pub claimed_by: ClaimedBy,
}

/// A node that is behind is not for long.
pub(crate) const BEHIND_MS: u32 = 500;

pub(crate) fn steps(driver: &Driver) -> Vec<Step> {
    let app = driver.room.app();
    let passenger = |id: &str| RoomId::new(app, &Side::Passenger.room(id));
    let mut steps = Vec::new();
    if let Some(spot) = driver.spot.filter(|_| driver.is_free()) {
        // Never settled: said again and again as long as it is so, and a square that was forgotten is full again.
        let vehicle = driver.vehicle.clone();
        let here = IsHere { name: driver.name.clone(), point: spot.point, vehicle, at: spot.at, ride: None };
        let room = area::room(app, &spot.point.cell().name());
        let payload = written(&here);
        steps.push(Step { position: driver.pooled, number: HERE, room, kind: area::HERE.into(), payload });
    }
    steps.extend(driver.leaving.step(app));
    if let Some(claim) = driver.trip() {
        if let Some(claimed_by) = claim.claimed_by.filter(|_| claim.stands.is_none()) {
            // Until the ride speaks: a passenger's room that forgot the match holds nobody.
            steps.push(Step {
                position: claim.since,
                number: IS_MATCHED,
                room: passenger(&claim.proposal.passenger.id),
                kind: "is_matched".into(),
                payload: written(&IsMatched { match_id: claim.id().to_owned(), claimed_by }),
            });
        }
        steps.extend(claim.steps(app, Side::Driver));
    }
    steps.extend(driver.untold.iter().map(|tell| {
        let (kind, reason) = match tell.word {
            ToPassenger::Confirmed => ("driver_confirmed", None),
            ToPassenger::Ended(reason) => ("driver_ended", Some(reason)),
        };
        Step {
            position: tell.position,
            number: tell.number,
            room: passenger(&tell.proposal.passenger.id),
            kind: kind.into(),
            payload: written(&Speaks { proposal: tell.proposal.clone(), reason, heard: None }),
        }
    }));
    steps
}

pub(super) fn answered(driver: &Driver, step: &StepId, result: &Result<Payload, Refusal>) -> Decision {
    let refused = result.as_ref().err().filter(|refusal| refusal.code.is_clients_fault());
    if step.number == HERE {
        return Decision::nothing();
    }
    if driver.leaving.is(step) {
        return sent(step, result);
    }
    if let Some(claim) = driver.trip() {
        if step.number == IS_MATCHED {
            let is_lost = refused.is_some() && claim.since == step.position && claim.stands.is_none();
            let freed = is_lost.then(|| withdrawn(&claim.proposal, Reason::Lost, false));
            return Decision { records: freed.into_iter().collect(), ..Decision::nothing() };
        }
        if let Some(decision) = claim.answered(step, result) {
            return decision;
        }
    }
    let Some(tell) = driver.untold.find(step) else { return Decision::nothing() };
    let answered = Answered::of(step);
    match (result, tell.word) {
        // The passenger's room knows no such match, or no more.
        (Err(_), ToPassenger::Confirmed)
            if refused.is_some() && driver.offers.contains_key(&tell.proposal.match_id) =>
        {
            let body = kinds::Withdrawn {
                proposal: tell.proposal.clone(),
                reason: Reason::Lost,
                tell: false,
                unseen: false,
                answers: Some(answered),
            };
            Decision::record(kinds::WITHDRAWN, written(&body))
        }
        (Err(_), _) if refused.is_none() => Decision::nothing(),
        _ => Decision::record(trip::SENT, written(&answered)),
    }
}

/// A step of another room. Its name says whose word it is.
pub(super) fn heard(
    now: Now,
    driver: &Driver,
    step: &StepId,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    if action.kind == "ride" {
        return driver.trips.hears(step, action.payload, |id| driver.is_over(id));
    }
    let unread = || Refusal::new(Code::InvalidPayload, "a passenger's room says which match it speaks of");
    let Speaks { proposal, reason, heard } = read(action.payload).ok_or_else(unread)?;
    let is_theirs = Side::Passenger.room(&proposal.passenger.id) == step.saga.name();
    if !is_theirs || proposal.driver.id != driver.id() {
        return Err(Refusal::unauthorized());
    }
    match action.kind {
        "offer" => offered(now, driver, proposal),
        "passenger_confirmed" => passenger_confirmed(now, driver, &proposal),
        "claim" => {
            if heard.is_some_and(|heard| driver.newest < heard.position)
                && !driver.is_over(&proposal.match_id)
            {
                return Err(Refusal::busy(BEHIND_MS));
            }
            claimed(now, driver, step, &proposal)
        }
        "withdraw" => Ok(ended(driver, proposal, reason.unwrap_or(Reason::PassengerCancelled))),
        kind => Err(Refusal::new(Code::UnknownType, format!("a driver's room takes no {kind} from a room"))),
    }
}

fn refusal(code: &'static str, text: &'static str) -> Refusal {
    Refusal::new(Code::App(code), text)
}

fn too_late() -> Refusal {
    refusal("TOO_LATE", "the match is over here")
}

fn offered(now: Now, driver: &Driver, proposal: Proposal) -> Result<Decision, Refusal> {
    let id = &proposal.match_id;
    if let Some(known) = driver.offers.get(id) {
        let is_same = known.proposal == proposal;
        return if is_same { Ok(Decision::nothing()) } else { Err(too_late()) };
    }
    if driver.is_over(id) || now.wall.0 > proposal.until {
        return Err(too_late());
    }
    let has_place = driver.offers.len() < OFFERS_MAX && driver.untold.room() > 0;
    if !driver.is_free() || !has_place {
        return Err(refusal("UNAVAILABLE", "the driver can be asked for nobody now"));
    }
    Ok(Decision::record(kinds::PROPOSED, written(&kinds::Matched { proposal })))
}

fn passenger_confirmed(now: Now, driver: &Driver, proposal: &Proposal) -> Result<Decision, Refusal> {
    match driver.offers.get(&proposal.match_id) {
        Some(offer) if offer.passenger_confirmed => Ok(Decision::nothing()),
        Some(offer) => {
            let body = kinds::Matched { proposal: offer.proposal.clone() };
            Ok(Decision::record(kinds::PASSENGER_CONFIRMED, written(&body)))
        }
        None if driver.trip().is_some_and(|claim| claim.is(&proposal.match_id)) => Ok(Decision::nothing()),
        // The offer was taken, by this log: a node that does not know is behind.
        None if !driver.is_over(&proposal.match_id) && now.wall.0 <= proposal.until => {
            Err(Refusal::busy(BEHIND_MS))
        }
        None => Err(too_late()),
    }
}

/// One match has a driver: this append is guarded, so of two passengers one gets them. Never without the driver's own word.
fn claimed(now: Now, driver: &Driver, step: &StepId, proposal: &Proposal) -> Result<Decision, Refusal> {
    let id = proposal.match_id.as_str();
    if driver.trip().is_some_and(|claim| claim.is(id)) {
        return Ok(Decision::nothing());
    }
    let offer = driver.offers.get(id).filter(|offer| offer.confirmed).ok_or_else(too_late)?;
    if driver.trip().is_some() {
        return Err(refusal("TAKEN", "another passenger has the driver"));
    }
    let mut records: Vec<Draft> = all_withdrawn(driver, Some(id), Reason::DriverTaken).collect();
    let by = ClaimedBy { position: step.position, at: now.wall.0 };
    let body = written(&kinds::Claimed { proposal: offer.proposal.clone(), by });
    records.push(Draft::new(kinds::CLAIMED, body));
    Ok(Decision { records, ..Decision::nothing() })
}

/// The passenger's last word on a match, whatever it was here: also of one that has not arrived yet.
fn ended(driver: &Driver, proposal: Proposal, reason: Reason) -> Decision {
    let id = &proposal.match_id;
    let is_ridden = driver.trip().is_some_and(|claim| claim.is(id) && claim.stands.is_some());
    if driver.is_over(id) || is_ridden {
        return Decision::nothing();
    }
    let unseen = !driver.offers.contains_key(id) && !driver.trip().is_some_and(|claim| claim.is(id));
    let body = kinds::Withdrawn { proposal, reason, tell: false, unseen, answers: None };
    Decision::record(kinds::WITHDRAWN, written(&body))
}
