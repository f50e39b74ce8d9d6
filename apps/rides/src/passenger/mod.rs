//! A passenger, `rides:passenger:{id}`: the search for a driver, as a saga in this one log. It asks the squares around who is near,
//! offers itself to the nearest, a few at a time, and claims the first driver who wants it and whom it wants.

mod duties;
mod near;
mod records;
mod state;
mod steps;
mod told;

use app::{Action, Decision, Draft, Fields, Room};
use serde_json::{Value, json};
use vocabulary::{Caller, Code, Now, Refusal};

use crate::consent::{self, Half, Offered};
use crate::content::{self, invalid};
use crate::proposal::{Proposal, Reason};
use crate::rules::Rules;
use crate::standing::{Side, Who};
use crate::telling::Answered;
use crate::wire::{NAME_CHARS_MAX, Party, clipped, told_point, written};
use records::{self as kinds};
use state::{Offer, Search};

pub(crate) use duties::due;
pub(crate) use state::Passenger;
pub(crate) use steps::steps;
pub(crate) use told::{left, shown, view};

/// An offer that comes to nothing. Its driver's room is told, unless it said so itself.
fn withdrawn(offer: &Offer, reason: Reason, tell: bool, answers: Option<Answered>) -> Draft {
    let (proposal, unseen) = (offer.proposal.clone(), !offer.proposed);
    let body = kinds::Withdrawn { proposal, reason, tell, unseen, answers };
    Draft::new(kinds::WITHDRAWN, written(&body))
}

/// All of a search, but the one that came to something.
fn all_withdrawn(search: &Search, but: Option<&str>, reason: Reason) -> Vec<Draft> {
    let others = search.offers.iter().filter(|(id, _)| Some(id.as_str()) != but);
    others.map(|(_, offer)| withdrawn(offer, reason, true, None)).collect()
}

fn matched(kind: &'static str, proposal: &Proposal, answers: Option<Answered>) -> Draft {
    Draft::new(kind, written(&kinds::Matched { proposal: proposal.clone(), answers, heard: None }))
}

impl Offered for Offer {
    fn proposal(&self) -> &Proposal {
        &self.proposal
    }

    fn is_confirmed(&self) -> bool {
        self.confirmed
    }

    fn confirmed(&self) -> Draft {
        matched(kinds::CONFIRMED, &self.proposal, None)
    }

    fn rejected(&self) -> Draft {
        withdrawn(self, Reason::PassengerRejected, true, None)
    }
}

pub(crate) fn decide(
    rules: &Rules,
    now: Now,
    room: Room<'_, Passenger>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let passenger = room.state;
    match caller {
        Caller::Outcome { step, result } => return Ok(steps::answered(rules, now, &room, step, result)),
        Caller::Duty { name, .. } => return Ok(duties::decide(now, passenger, name)),
        Caller::Step(step) => return steps::heard(now, passenger, step, action),
        _ => {}
    }
    let who = Who::of(caller);
    who.must_be(Side::Passenger, passenger.id())?;
    let fields = Fields::of(action.payload)?;
    let asking = Asking { rules, now, passenger, who };
    match action.kind {
        "finder_update" => asking.find(&fields),
        "location_update" => asking.moves(&fields),
        "match_confirm" => consent::confirm(passenger, now, &fields),
        "match_cancel" => consent::cancel_match(passenger, &fields),
        "ride_cancel" => consent::cancel_ride(passenger, &fields),
        "get_state" => Ok(Decision::reply(view(passenger))),
        kind => Err(Refusal::new(
            Code::UnknownType,
            format!(
                "unknown message type: {kind} (a passenger's room knows finder_update, location_update, match_confirm, match_cancel, ride_cancel and get_state)"
            ),
        )),
    }
}

struct Asking<'a> {
    rules: &'a Rules,
    now: Now,
    passenger: &'a Passenger,
    who: Who<'a>,
}

/// What `finder_update` says of a search.
fn told_search(search: &Search) -> Value {
    json!({
        "is_active": true, "location": told_point(search.pickup),
        "target_location": search.target.map(told_point),
        "expires_at": vocabulary::Wall(search.until).to_string(),
    })
}

impl Asking<'_> {
    fn find(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let is_active =
            fields.truth("is_active")?.ok_or_else(|| invalid("is_active is required: true or false"))?;
        let passenger = self.passenger;
        if !is_active {
            let reply = written(&json!({"is_active": false}));
            let Some(search) = &passenger.search else { return Ok(Decision::reply(reply)) };
            let over = written(&serde_json::Map::new());
            // The first is the answer.
            let mut records = vec![Draft::new(kinds::SEARCH_OVER, over)];
            records.extend(all_withdrawn(search, None, Reason::PassengerCancelled));
            return Ok(Decision::records(records).with_reply(reply));
        }
        let pickup =
            content::point(fields)?.ok_or_else(|| invalid("location is required: latitude and longitude"))?;
        let target = content::target(fields)?;
        if passenger.trip().is_some() {
            return Err(invalid("is_active: a ride is on; ride_cancel or its end comes first"));
        }
        if let Some(search) = &passenger.search {
            if (search.pickup, search.target) == (pickup, target) {
                return Ok(Decision::reply(written(&told_search(search))));
            }
            return Err(invalid(
                "location: another search is on; finder_update with is_active false ends it",
            ));
        }
        if passenger.untold.room() < self.rules.offers_at_once {
            return Err(Refusal::busy(5_000));
        }
        let name = self.who.person().map_or(passenger.id(), |person| &person.name);
        let body = kinds::Searching {
            passenger: Party { id: passenger.id().to_owned(), name: clipped(name, NAME_CHARS_MAX) },
            pickup,
            target,
            until: self.now.wall.0.saturating_add(self.rules.search_ms),
            radius_mm: self.rules.radius_m.saturating_mul(1_000),
            offers_at_once: self.rules.offers_at_once,
        };
        let reply = json!({
            "is_active": true, "location": told_point(pickup), "target_location": target.map(told_point),
            "expires_at": vocabulary::Wall(body.until).to_string(),
        });
        Ok(Decision::record(kinds::SEARCHING, written(&body)).with_reply(written(&reply)))
    }

    fn moves(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let spot = content::spot(self.now, fields)?;
        // Where a passenger is while they wait, and when they sit in the car, is no affair of anybody's.
        let trip = self.passenger.trip().filter(|trip| !trip.is_ongoing());
        Ok(trip.map_or_else(Decision::nothing, |trip| trip.passed(self.now, spot)))
    }
}
