//! A passenger's state, and the fold: at rest, looking for a driver, or on a ride. Total; it reads nothing but records.

use std::collections::{BTreeMap, VecDeque};

use app::Applied;
use serde::{Deserialize, Serialize};
use vocabulary::{Position, Record, RoomId};

use super::records::{self as kinds};
use crate::consent::Half;
use crate::geo::{Cell, Point};
use crate::leaving::Leaving;
use crate::proposal::{Proposal, Reason};
use crate::standing::Side;
use crate::telling::{Answered, Telling};
use crate::trip::{SENT, Trip, Trips};
use crate::wire::{Party, nowhere, place, read};

/// Drivers that one search has asked: five minutes have place for fifty rounds of ten.
pub(crate) const TRIED_MAX: usize = 500;
/// Matches that are over, of which their names are still said.
const OVER_MAX: usize = 100;
/// Who ended a search in which drivers were asked has the next ask nobody for so long: phones that flash as fast as one can switch are no
/// offers.
const PAUSE_MS: i64 = 3_000;
/// A driver's room answers at once, or cannot be reached: then another driver is better than none.
pub(crate) const CLAIM_MS: i64 = 30_000;

/// What the driver's room has to be told of a match.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) enum ToDriver {
    Offer,
    Confirmed,
    Claim,
    Withdraw(Reason),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Offer {
    pub proposal: Proposal,
    /// The driver's room has it, so both see it.
    pub proposed: bool,
    pub confirmed: bool,
    /// The driver's record that says so.
    pub driver_confirmed: Option<Answered>,
}

/// The one match whose driver is being asked for, now that both want it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Claiming {
    pub match_id: String,
    pub until: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Search {
    #[serde(with = "place")]
    pub from: Position,
    pub passenger: Party,
    pub pickup: Point,
    pub target: Option<Point>,
    #[serde(default)]
    pub since: i64,
    pub until: i64,
    pub radius_mm: i64,
    pub offers_at_once: usize,
    /// The record since which squares are asked who is near, and when that was.
    #[serde(with = "place")]
    pub asking: Position,
    pub asking_at: i64,
    /// So many were asked; the next match's name is made of it.
    pub asked: u32,
    pub offers: BTreeMap<String, Offer>,
    /// Drivers who were asked, and when they may be again.
    pub tried: BTreeMap<String, i64>,
    pub claiming: Option<Claiming>,
}

impl Search {
    /// Whether a driver more may be asked now.
    pub(crate) fn wants_more(&self) -> bool {
        self.claiming.is_none()
            && self.offers.len() < self.offers_at_once
            && self.tried.len() + self.offers_at_once <= TRIED_MAX
    }

    fn ask(&mut self, record: &Record) {
        (self.asking, self.asking_at) = (record.position, record.at.0);
    }
}

/// A match that is over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Over {
    match_id: String,
    /// There was a ride, which tells its driver all there is to tell.
    was_ridden: bool,
}

/// ```text
///  searching            accepted
/// ───────────▶ search ────────────▶ trip ───▶ over, by the ride's word
///                │ search_over, no_driver_found
///                ▼
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Passenger {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    pub search: Option<Search>,
    /// Until then nobody is asked.
    #[serde(default)]
    pub pauses_until: i64,
    /// The square that does not know yet that the search is over.
    #[serde(default)]
    pub leaving: Leaving,
    pub trips: Trips,
    pub untold: Telling<ToDriver>,
    over: VecDeque<Over>,
    #[serde(with = "place")]
    pub newest: Position,
}

impl Half for Passenger {
    const SIDE: Side = Side::Passenger;
    type Offer = Offer;

    fn trip(&self) -> Option<&Trip> {
        self.trips.current.as_ref()
    }

    fn offer(&self, match_id: &str) -> Option<&Offer> {
        self.search.as_ref()?.offers.get(match_id)
    }

    fn is_over(&self, match_id: &str) -> bool {
        self.over.iter().any(|over| over.match_id == match_id)
    }
}

impl Passenger {
    pub(crate) fn new(room: &RoomId) -> Passenger {
        Passenger {
            room: room.clone(),
            search: None,
            pauses_until: 0,
            leaving: Leaving::default(),
            trips: Trips::default(),
            untold: Telling::default(),
            over: VecDeque::new(),
            newest: Position::default(),
        }
    }

    pub(crate) fn id(&self) -> &str {
        self.room.name().strip_prefix("passenger:").unwrap_or_default()
    }

    pub(crate) fn was_ridden(&self, match_id: &str) -> bool {
        self.over.iter().any(|over| over.was_ridden && over.match_id == match_id)
    }

    pub(crate) fn is_claiming(&self, match_id: &str) -> bool {
        let claiming = self.search.as_ref().and_then(|search| search.claiming.as_ref());
        claiming.is_some_and(|claiming| claiming.match_id == match_id)
    }

    fn square(&self) -> Option<Cell> {
        self.search.as_ref().map(|search| search.pickup.cell())
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        let before = self.square();
        let applied = self.fold(record);
        self.leaving.moved(before, self.square(), record.position);
        applied
    }

    fn fold(&mut self, record: &Record) -> Applied {
        self.newest = record.position;
        if record.kind == SENT
            && let Some(answered) = read::<Answered>(&record.body)
        {
            self.untold.settle(&answered);
            self.leaving.settle(&answered);
        }
        if let Some((applied, ended)) = self.trips.apply(record) {
            if let Some(trip) = ended {
                let was_ridden = trip.stands.is_some_and(|stands| !stands.lost);
                self.end(trip.proposal.match_id, was_ridden);
            }
            return applied;
        }
        let done = match &*record.kind {
            kinds::SEARCHING => self.searching(record),
            kinds::ASKED => self.asked(record),
            kinds::PROPOSED | kinds::CONFIRMED | kinds::DRIVER_CONFIRMED => self.moved(record),
            kinds::ACCEPTED => read::<kinds::Accepted>(&record.body).map(|body| {
                self.untold.settle(&body.answers);
                self.search = None;
                self.trips.current = Some(Trip::accepted(body.proposal, record.position, body.terms));
            }),
            kinds::WITHDRAWN => self.withdrawn(record),
            kinds::SEARCH_OVER | kinds::NO_DRIVER => {
                if self.search.take().is_some_and(|search| search.asked > 0) {
                    self.pauses_until = record.at.0.saturating_add(PAUSE_MS);
                }
                Some(())
            }
            _ => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn searching(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Searching = read(&record.body)?;
        self.search = Some(Search {
            from: record.position,
            passenger: body.passenger,
            pickup: body.pickup,
            target: body.target,
            since: record.at.0,
            until: body.until,
            radius_mm: body.radius_mm,
            offers_at_once: body.offers_at_once,
            asking: record.position,
            asking_at: record.at.0,
            asked: 0,
            offers: BTreeMap::new(),
            tried: BTreeMap::new(),
            claiming: None,
        });
        Some(())
    }

    fn asked(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Asked = read(&record.body)?;
        let Some(search) = &mut self.search else { return Some(()) };
        search.ask(record);
        for proposal in body.proposals {
            search.asked += 1;
            search.tried.insert(proposal.driver.id.clone(), i64::MAX);
            self.untold.say(record.position, &proposal, ToDriver::Offer);
            let id = proposal.match_id.clone();
            let offer = Offer { proposal, proposed: false, confirmed: false, driver_confirmed: None };
            search.offers.insert(id, offer);
        }
        Some(())
    }

    fn moved(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Matched = read(&record.body)?;
        if let Some(answered) = &body.answers {
            self.untold.settle(answered);
        }
        let id = &body.proposal.match_id;
        let offer = self.search.as_mut().and_then(|search| search.offers.get_mut(id));
        let Some(offer) = offer else { return Some(()) };
        match &*record.kind {
            kinds::PROPOSED => offer.proposed = true,
            kinds::CONFIRMED => {
                offer.confirmed = true;
                self.untold.say(record.position, &body.proposal, ToDriver::Confirmed);
            }
            _ => offer.driver_confirmed = body.heard,
        }
        self.claim_next(record);
        Some(())
    }

    /// Only what both have said yes to is claimed, one match after another.
    fn claim_next(&mut self, record: &Record) {
        let Some(search) = self.search.as_mut().filter(|search| search.claiming.is_none()) else { return };
        let wanted = search.offers.values().find(|offer| offer.confirmed && offer.driver_confirmed.is_some());
        let Some(proposal) = wanted.map(|offer| offer.proposal.clone()) else { return };
        self.untold.say(record.position, &proposal, ToDriver::Claim);
        let until = record.at.0.saturating_add(CLAIM_MS);
        search.claiming = Some(Claiming { match_id: proposal.match_id, until });
    }

    fn withdrawn(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Withdrawn = read(&record.body)?;
        if let Some(answered) = &body.answers {
            self.untold.settle(answered);
        }
        if body.tell {
            self.untold.say(record.position, &body.proposal, ToDriver::Withdraw(body.reason));
        }
        let id = body.proposal.match_id;
        if let Some(search) = &mut self.search {
            search.offers.remove(&id);
            search.claiming.take_if(|claiming| claiming.match_id == id);
            let again = body.reason.asked_again_after_ms().map(|ms| record.at.0.saturating_add(ms));
            search.tried.insert(body.proposal.driver.id, again.unwrap_or(i64::MAX));
            search.ask(record);
        }
        self.end(id, false);
        self.claim_next(record);
        Some(())
    }

    fn end(&mut self, match_id: String, was_ridden: bool) {
        if !self.is_over(&match_id) {
            self.over.push_back(Over { match_id, was_ridden });
        }
        while self.over.len() > OVER_MAX {
            self.over.pop_front();
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        assert!(self.search.is_none() || self.trip().is_none(), "looks for a driver and has one: {self:?}");
        if let Some(search) = &self.search {
            assert!(search.offers.len() <= search.offers_at_once && search.tried.len() <= TRIED_MAX);
        }
        assert!(self.over.len() <= OVER_MAX);
    }
}
