//! What a driver is told: records under the names that clients know, and the whole of it to who joins, asks, or has missed too much.

use serde_json::{Value, json};
use vocabulary::{Class, Payload, Record, Shown};

use super::records::{self as kinds};
use super::state::{Driver, Offer};
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
        kinds::BEACON => {
            let body: kinds::Beacon = read(&record.body)?;
            let mut beacon = json!({"is_active": body.is_active});
            if let Some(spot) = body.spot {
                (beacon["latitude"], beacon["longitude"]) =
                    (spot.point.latitude().into(), spot.point.longitude().into());
            }
            told("beacon_update", beacon, false)
        }
        kinds::REGISTERED => {
            let body: kinds::Registered = read(&record.body)?;
            told("driver_registered", json!({"vehicle": body.vehicle.told()}), false)
        }
        kinds::PROPOSED => matched("match_proposal", MatchStatus::Pending),
        kinds::CONFIRMED => matched("match_confirm", MatchStatus::confirmed_by(Side::Driver)),
        kinds::PASSENGER_CONFIRMED => matched("match_confirm", MatchStatus::confirmed_by(Side::Passenger)),
        kinds::CLAIMED => {
            let body: kinds::Claimed = read(&record.body)?;
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

fn offered(offer: &Offer) -> Value {
    let standing = match (offer.confirmed, offer.passenger_confirmed) {
        (true, _) => MatchStatus::DriverConfirmed,
        (false, true) => MatchStatus::PassengerConfirmed,
        (false, false) => MatchStatus::Pending,
    };
    offer.proposal.told(standing)
}

/// `state`.
pub(crate) fn view(driver: &Driver) -> Payload {
    let mut beacon = json!({"is_active": driver.on, "available": driver.is_free() && driver.spot.is_some()});
    if let Some(spot) = driver.spot {
        beacon["location"] = told_point(spot.point);
    }
    written(&json!({
        "role": "driver",
        "beacon": beacon,
        "vehicle": driver.vehicle.as_ref().map(|vehicle| vehicle.told()),
        "offers": driver.offers.values().map(offered).collect::<Vec<_>>(),
        "ride": driver.trip().map(|trip| trip.told()),
        "payment": driver.trips.payment(),
    }))
}
