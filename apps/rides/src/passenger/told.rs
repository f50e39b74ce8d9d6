//! What a passenger is told: records under the names that clients know, and the whole of it to who joins, asks, or has missed too
//! much.

use serde_json::{Value, json};
use vocabulary::{Class, Payload, Record, Shown, Wall};

use super::records::{self as kinds};
use super::state::{Offer, Passenger};
use super::told_search;
use crate::consent::Half;
use crate::proposal::MatchStatus;
use crate::standing::Side;
use crate::trip;
use crate::wire::{read, told_point, written};

pub(crate) fn shown(record: &Record) -> Option<Shown> {
    let told = |kind, payload: Value, lasting| {
        let (sender, payload) = (record.author.clone(), payload.to_string().into());
        Some(Shown { kind, payload, sender, class: Class::Record, lasting })
    };
    let matched = |kind, standing| {
        let body: kinds::Matched = read(&record.body)?;
        told(kind, body.proposal.told(standing), true)
    };
    match &*record.kind {
        kinds::SEARCHING => {
            let body: kinds::Searching = read(&record.body)?;
            let search = json!({
                "is_active": true, "location": told_point(body.pickup),
                "target_location": body.target.map(told_point), "expires_at": Wall(body.until).to_string(),
            });
            told("finder_update", search, false)
        }
        kinds::SEARCH_OVER => told("finder_update", json!({"is_active": false}), false),
        kinds::NO_DRIVER => told("no_driver_found", json!({}), true),
        kinds::PROPOSED => matched("match_proposal", MatchStatus::Pending),
        kinds::CONFIRMED => matched("match_confirm", MatchStatus::confirmed_by(Side::Passenger)),
        kinds::DRIVER_CONFIRMED => matched("match_confirm", MatchStatus::confirmed_by(Side::Driver)),
        kinds::ACCEPTED => {
            let body: kinds::Accepted = read(&record.body)?;
            told("match_confirm", body.proposal.told(MatchStatus::Accepted), true)
        }
        kinds::WITHDRAWN => {
            let body: kinds::Withdrawn = read(&record.body)?;
            let mut rejected = body.proposal.told(MatchStatus::Rejected);
            rejected["reason"] = body.reason.name().into();
            if body.unseen { None } else { told("match_rejected", rejected, true) }
        }
        _ => trip::shown(record),
    }
}

/// What others are told of matches: that there is one, that it is made, that it came to nothing.
pub(crate) fn left(record: &Record) -> Option<Shown> {
    let is_told = matches!(&*record.kind, kinds::PROPOSED | kinds::ACCEPTED | kinds::WITHDRAWN);
    is_told.then(|| shown(record)).flatten()
}

fn offered(offer: &Offer) -> Value {
    let standing = match (offer.confirmed, offer.driver_confirmed.is_some()) {
        (true, _) => MatchStatus::PassengerConfirmed,
        (false, true) => MatchStatus::DriverConfirmed,
        (false, false) => MatchStatus::Pending,
    };
    offer.proposal.told(standing)
}

/// `state`.
pub(crate) fn view(passenger: &Passenger) -> Payload {
    let search = passenger.search.as_ref();
    let offers = search.into_iter().flat_map(|search| search.offers.values());
    written(&json!({
        "role": "passenger",
        "finder": search.map_or(json!({"is_active": false}), told_search),
        "offers": offers.filter(|offer| offer.proposed).map(offered).collect::<Vec<_>>(),
        "ride": passenger.trip().map(|trip| trip.told()),
        "payment": passenger.trips.payment(),
    }))
}
