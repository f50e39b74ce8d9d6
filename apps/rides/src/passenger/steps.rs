//! What a passenger's room has others told, what drivers' and rides' rooms tell it, and what they answer.

use app::{Action, Decision, Draft, Room, Step};
use vocabulary::{Code, Now, Payload, Refusal, RoomId, StepId};

use super::records::{self as kinds};
use super::state::{Offer, Passenger, Search, ToDriver};
use super::{all_withdrawn, matched, near, withdrawn};
use crate::area::{self, IsSearching};
use crate::consent::Half;
use crate::driver::{BEHIND_MS, IsMatched, Speaks};
use crate::proposal::Reason;
use crate::rules::Rules;
use crate::standing::Side;
use crate::telling::{Answered, Tell, sent};
use crate::trip::{self, HERE, NEARBY};
use crate::wire::{read, written};

pub(crate) fn steps(passenger: &Passenger) -> Vec<Step> {
    let app = passenger.room.app();
    let mut steps = near::steps(passenger);
    steps.extend(passenger.search.as_ref().map(|search| searching(app, search)));
    steps.extend(passenger.leaving.step(app));
    steps.extend(passenger.trip().into_iter().flat_map(|trip| trip.steps(app, Side::Passenger)));
    steps.extend(passenger.untold.iter().map(|tell| {
        let (kind, reason) = match tell.word {
            ToDriver::Offer => ("offer", None),
            ToDriver::Confirmed => ("passenger_confirmed", None),
            ToDriver::Claim => ("claim", None),
            ToDriver::Withdraw(reason) => ("withdraw", Some(reason)),
        };
        let offer = passenger.offer(&tell.proposal.match_id).filter(|_| tell.word == ToDriver::Claim);
        let heard = offer.and_then(|offer| offer.driver_confirmed.clone());
        Step {
            position: tell.position,
            number: tell.number,
            room: RoomId::new(app, &Side::Driver.room(&tell.proposal.driver.id)),
            kind: kind.into(),
            payload: written(&Speaks { proposal: tell.proposal.clone(), reason, heard }),
        }
    }));
    steps
}

/// For those who look after all: never settled, as long as the search is on.
fn searching(app: &str, search: &Search) -> Step {
    let searching = IsSearching {
        name: search.passenger.name.clone(),
        pickup: search.pickup,
        target: search.target,
        since: search.since,
        until: search.until,
        offers: search.offers.len(),
        asked: search.asked,
    };
    Step {
        position: search.asking,
        number: HERE,
        room: area::room(app, &search.pickup.cell().name()),
        kind: area::SEARCHING.into(),
        payload: written(&searching),
    }
}

pub(super) fn answered(
    rules: &Rules,
    now: Now,
    room: &Room<'_, Passenger>,
    step: &StepId,
    result: &Result<Payload, Refusal>,
) -> Decision {
    let passenger = room.state;
    if step.number >= NEARBY {
        // A square that cannot speak has nobody: the others are not kept waiting.
        let nobody = Payload::from_static(b"[]");
        return near::answered(rules, now, room, step, result.as_ref().unwrap_or(&nobody));
    }
    if step.number == HERE {
        return Decision::nothing();
    }
    if passenger.leaving.is(step) {
        return sent(step, result);
    }
    if let Some(decision) = passenger.trip().and_then(|trip| trip.answered(step, result)) {
        return decision;
    }
    match (passenger.untold.find(step), result) {
        (Some(_), Err(refusal)) if !refusal.code.is_clients_fault() => Decision::nothing(),
        (Some(tell), _) => settled(rules, passenger, tell, Answered::of(step), result.is_ok()),
        (None, _) => Decision::nothing(),
    }
}

/// What a driver's room made of the last word about a match.
fn settled(
    rules: &Rules,
    passenger: &Passenger,
    tell: &Tell<ToDriver>,
    answered: Answered,
    is_done: bool,
) -> Decision {
    let sent = || Decision::record(trip::SENT, written(&answered));
    let id = &tell.proposal.match_id;
    let (Some(search), Some(offer)) = (&passenger.search, passenger.offer(id)) else { return sent() };
    let refused = |reason| Decision::records(vec![withdrawn(offer, reason, false, Some(answered.clone()))]);
    match (tell.word, is_done) {
        (ToDriver::Offer, true) if offer.proposed => sent(),
        (ToDriver::Offer, true) => {
            Decision::records(vec![matched(kinds::PROPOSED, &tell.proposal, Some(answered))])
        }
        (ToDriver::Offer | ToDriver::Confirmed, false) => refused(Reason::DriverUnavailable),
        (ToDriver::Claim, true) => {
            let mut records = all_withdrawn(search, Some(id), Reason::PassengerTaken);
            let proposal = tell.proposal.clone();
            let accepted = kinds::Accepted { proposal, terms: rules.terms(), answers: answered };
            let body = written(&accepted);
            records.push(Draft::new(kinds::ACCEPTED, body));
            Decision::records(records)
        }
        (ToDriver::Claim, false) => refused(Reason::DriverTaken),
        (ToDriver::Confirmed, true) | (ToDriver::Withdraw(_), _) => sent(),
    }
}

/// A node that has not heard of a claim for so long is not behind: the log has lost it.
const LOST_MS: i64 = 60_000;

/// A step of another room. Its name says whose word it is.
pub(super) fn heard(
    now: Now,
    passenger: &Passenger,
    step: &StepId,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let unread = || Refusal::new(Code::InvalidPayload, "a driver's room says which match it speaks of");
    let is_of = |id: &str| Side::Driver.room(id) == step.saga.name();
    match action.kind {
        "ride" => passenger.trips.hears(step, action.payload, |id| passenger.is_over(id)),
        "is_matched" => {
            let IsMatched { match_id, claimed_by } = read(action.payload).ok_or_else(unread)?;
            let trip = passenger.trip().filter(|trip| trip.is(&match_id)).map(|trip| &trip.proposal);
            let claimed = passenger.offer(&match_id).filter(|_| passenger.is_claiming(&match_id));
            let proposal = trip.or(claimed.map(|offer| &offer.proposal));
            match proposal.filter(|proposal| is_of(&proposal.driver.id)) {
                Some(_) => Ok(Decision::nothing()),
                None if passenger.was_ridden(&match_id) => Ok(Decision::nothing()),
                None => {
                    let is_young = now.wall.0.saturating_sub(claimed_by.at) < LOST_MS;
                    let is_behind = is_young && passenger.newest < claimed_by.position;
                    Err(if is_behind { Refusal::busy(BEHIND_MS) } else { too_late() })
                }
            }
        }
        "driver_confirmed" | "driver_ended" => {
            let Speaks { proposal, reason, .. } = read(action.payload).ok_or_else(unread)?;
            let offer = passenger.offer(&proposal.match_id);
            if offer.is_none() && !passenger.is_over(&proposal.match_id) && now.wall.0 <= proposal.until {
                // It was offered by this log: a node that does not know is behind.
                return Err(Refusal::busy(BEHIND_MS));
            }
            let offer = offer.filter(|offer| is_of(&offer.proposal.driver.id));
            match (action.kind, offer) {
                ("driver_confirmed", Some(offer)) => confirmed(now, step, offer),
                ("driver_confirmed", None) => Err(too_late()),
                (_, None) => Ok(Decision::nothing()),
                (_, Some(offer)) => {
                    let reason = reason.unwrap_or(Reason::DriverRejected);
                    Ok(Decision::records(vec![withdrawn(offer, reason, false, None)]))
                }
            }
        }
        kind => {
            Err(Refusal::new(Code::UnknownType, format!("a passenger's room takes no {kind} from a room")))
        }
    }
}

fn too_late() -> Refusal {
    Refusal::new(Code::App("TOO_LATE"), "the match is over here")
}

fn confirmed(now: Now, step: &StepId, offer: &Offer) -> Result<Decision, Refusal> {
    if offer.driver_confirmed.is_some() {
        return Ok(Decision::nothing());
    }
    if now.wall.0 > offer.proposal.until {
        return Err(too_late());
    }
    let (proposal, heard) = (offer.proposal.clone(), Some(Answered::of(step)));
    let body = kinds::Matched { proposal, answers: None, heard };
    let mut decision = Decision::record(kinds::DRIVER_CONFIRMED, written(&body));
    if !offer.proposed {
        // The driver was quicker than their room's answer: the passenger hears of the match before its confirmation.
        let proposed = matched(kinds::PROPOSED, &offer.proposal, None);
        decision.records.insert(0, proposed);
    }
    Ok(decision)
}
