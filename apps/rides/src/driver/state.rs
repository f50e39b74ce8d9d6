//! A driver's state, and the fold: in the pool or not, asked by whom, on which ride. Total; it reads nothing but records.

use std::collections::{BTreeMap, VecDeque};

use app::Applied;
use serde::{Deserialize, Serialize};
use vocabulary::{Position, Record, RoomId};

use super::records::{self as kinds};
use crate::consent::Half;
use crate::geo::Cell;
use crate::leaving::Leaving;
use crate::meter::Spot;
use crate::proposal::{Proposal, Reason};
use crate::standing::Side;
use crate::telling::{Answered, Telling};
use crate::trip::{SENT, Trip, Trips};
use crate::vehicle::Vehicle;
use crate::wire::{nowhere, place, read};

/// Passengers who wait for the driver's word at a time: more than a person can look at.
pub(crate) const OFFERS_MAX: usize = 20;
/// Matches that are over, kept against a word of theirs that is still on its way: a retry takes seconds.
const OVER_MAX: usize = 100;

/// What the passenger's room has to be told of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToPassenger {
    Confirmed,
    Ended(Reason),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub proposal: Proposal,
    pub confirmed: bool,
    pub passenger_confirmed: bool,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Driver {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    pub name: String,
    pub on: bool,
    #[serde(default)]
    pub vehicle: Option<Vehicle>,
    pub gone: bool,
    /// Where the driver was when that was written down last.
    pub spot: Option<Spot>,
    /// The record since which the pool is to know what it is told now.
    #[serde(with = "place")]
    pub pooled: Position,
    /// The square that does not know yet that the driver is in it no more.
    #[serde(default)]
    pub leaving: Leaving,
    pub offers: BTreeMap<String, Offer>,
    /// The match that has the driver, and the ride that came of it.
    pub trips: Trips,
    pub untold: Telling<ToPassenger>,
    over: VecDeque<String>,
    #[serde(with = "place")]
    pub newest: Position,
}

impl Half for Driver {
    const SIDE: Side = Side::Driver;
    type Offer = Offer;

    fn trip(&self) -> Option<&Trip> {
        self.trips.current.as_ref()
    }

    fn offer(&self, match_id: &str) -> Option<&Offer> {
        self.offers.get(match_id)
    }

    fn is_over(&self, match_id: &str) -> bool {
        self.over.iter().any(|over| over == match_id)
    }
}

impl Driver {
    pub(crate) fn new(room: &RoomId) -> Driver {
        Driver {
            room: room.clone(),
            name: String::new(),
            on: false,
            vehicle: None,
            gone: false,
            spot: None,
            pooled: Position::default(),
            leaving: Leaving::default(),
            offers: BTreeMap::new(),
            trips: Trips::default(),
            untold: Telling::default(),
            over: VecDeque::new(),
            newest: Position::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.room.name().strip_prefix("driver:").unwrap_or_default()
    }

    /// May be asked for a passenger.
    pub(crate) fn is_free(&self) -> bool {
        self.on && !self.gone && self.trip().is_none()
    }

    /// Where the pool is told that the driver is.
    fn square(&self) -> Option<Cell> {
        self.spot.filter(|_| self.is_free()).map(|spot| spot.point.cell())
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        let before = self.square();
        let applied = self.fold(record);
        self.leaving.moved(before, self.square(), record.position);
        applied
    }

    fn fold(&mut self, record: &Record) -> Applied {
        self.newest = record.position;
        // Answers about rides and about matches are one kind of record; each finds its own.
        if record.kind == SENT
            && let Some(answered) = read::<Answered>(&record.body)
        {
            self.untold.settle(&answered);
            self.leaving.settle(&answered);
        }
        if let Some((applied, ended)) = self.trips.apply(record) {
            if let Some(trip) = ended {
                self.spot = trip.stands.as_ref().and_then(|stands| stands.spot).or(self.spot);
                self.pooled = record.position;
                self.end(trip.proposal.match_id);
            }
            return applied;
        }
        let done = match &*record.kind {
            kinds::BEACON => read::<kinds::Beacon>(&record.body).map(|body| {
                (self.on, self.name, self.gone) = (body.is_active, body.name, false);
                self.spot = body.spot.or(self.spot);
                self.pooled = record.position;
            }),
            kinds::REGISTERED => read::<kinds::Registered>(&record.body).map(|body| {
                (self.vehicle, self.pooled) = (Some(body.vehicle), record.position);
            }),
            kinds::MOVED => read::<kinds::Moved>(&record.body).map(|body| {
                (self.spot, self.pooled) = (Some(body.spot), record.position);
            }),
            kinds::GONE | kinds::BACK => {
                (self.gone, self.pooled) = (record.kind == kinds::GONE, record.position);
                Some(())
            }
            kinds::PROPOSED => read::<kinds::Matched>(&record.body).map(|body| {
                let id = body.proposal.match_id.clone();
                let offer = Offer { proposal: body.proposal, confirmed: false, passenger_confirmed: false };
                self.offers.insert(id, offer);
            }),
            kinds::CONFIRMED | kinds::PASSENGER_CONFIRMED => self.confirmed(record),
            kinds::CLAIMED => read::<kinds::Claimed>(&record.body).map(|body| {
                self.offers.remove(&body.proposal.match_id);
                self.trips.current = Some(Trip::claimed(body.proposal, record.position, body.by));
            }),
            kinds::WITHDRAWN => self.withdrawn(record),
            _ => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn confirmed(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Matched = read(&record.body)?;
        let Some(offer) = self.offers.get_mut(&body.proposal.match_id) else { return Some(()) };
        if record.kind == kinds::CONFIRMED {
            offer.confirmed = true;
            self.untold.say(record.position, &body.proposal, ToPassenger::Confirmed);
        } else {
            offer.passenger_confirmed = true;
        }
        Some(())
    }

    fn withdrawn(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Withdrawn = read(&record.body)?;
        let id = &body.proposal.match_id;
        self.offers.remove(id);
        if self.trips.current.take_if(|trip| trip.is(id)).is_some() {
            self.pooled = record.position;
        }
        if let Some(answered) = &body.answers {
            self.untold.settle(answered);
        }
        if body.tell {
            self.untold.say(record.position, &body.proposal, ToPassenger::Ended(body.reason));
        }
        self.end(body.proposal.match_id);
        Some(())
    }

    fn end(&mut self, match_id: String) {
        if !self.is_over(&match_id) {
            self.over.push_back(match_id);
        }
        while self.over.len() > OVER_MAX {
            self.over.pop_front();
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert!(self.offers.len() <= OFFERS_MAX && self.over.len() <= OVER_MAX);
        assert!(self.trip().is_none() || self.offers.is_empty(), "asked while on a ride: {self:?}");
    }
}
