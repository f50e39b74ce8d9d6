//! A match of one driver and one passenger, while it is one: who they are, where, and until when it may be agreed to. It is the same in
//! both their rooms.

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::Wall;

use crate::geo::Point;
use crate::standing::Side;
use crate::vehicle::Vehicle;
use crate::wire::{Party, told_metres, told_point};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Proposal {
    /// Also the name of the ride that comes of it: a match has one.
    pub match_id: String,
    pub passenger: Party,
    pub driver: Party,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub vehicle: Option<Vehicle>,
    pub pickup: Point,
    pub target: Option<Point>,
    /// Where the driver was, when that was said, and how far from the pick-up it is.
    pub driver_at: Point,
    #[serde(default)]
    pub driver_heard: i64,
    pub distance_mm: i64,
    pub until: i64,
}

/// Why a match came to nothing, as `match_rejected` says it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reason {
    DriverRejected,
    PassengerRejected,
    /// The passenger looks for nobody any more.
    PassengerCancelled,
    /// Nobody agreed in time.
    Timeout,
    /// Another passenger has the driver.
    DriverTaken,
    /// Another driver has the passenger.
    PassengerTaken,
    DriverOffline,
    /// The driver was not there to be asked.
    DriverUnavailable,
    /// All the time for searching is over.
    SearchOver,
    /// One of the two rooms knows it no more.
    Lost,
}

impl Reason {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Reason::DriverRejected => "driver_rejected",
            Reason::PassengerRejected => "passenger_rejected",
            Reason::PassengerCancelled => "passenger_cancelled",
            Reason::Timeout => "timeout",
            Reason::DriverTaken => "driver_taken",
            Reason::PassengerTaken => "passenger_taken",
            Reason::DriverOffline => "driver_offline",
            Reason::DriverUnavailable => "driver_unavailable",
            Reason::SearchOver => "search_over",
            Reason::Lost => "lost",
        }
    }

    /// When the same driver may be asked again for the same passenger, if ever.
    pub(crate) fn asked_again_after_ms(self) -> Option<i64> {
        match self {
            Reason::DriverRejected | Reason::PassengerRejected | Reason::PassengerCancelled => None,
            Reason::Timeout => Some(60_000),
            Reason::DriverTaken
            | Reason::PassengerTaken
            | Reason::DriverOffline
            | Reason::DriverUnavailable
            | Reason::SearchOver
            | Reason::Lost => Some(15_000),
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum MatchStatus {
    Pending,
    DriverConfirmed,
    PassengerConfirmed,
    Accepted,
    Rejected,
}

impl MatchStatus {
    pub(crate) fn confirmed_by(side: Side) -> MatchStatus {
        match side {
            Side::Driver => MatchStatus::DriverConfirmed,
            Side::Passenger => MatchStatus::PassengerConfirmed,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            MatchStatus::Pending => "PENDING",
            MatchStatus::DriverConfirmed => "DRIVER_CONFIRMED",
            MatchStatus::PassengerConfirmed => "PASSENGER_CONFIRMED",
            MatchStatus::Accepted => "ACCEPTED",
            MatchStatus::Rejected => "REJECTED",
        }
    }
}

impl Proposal {
    pub(crate) fn party(&self, side: Side) -> &Party {
        match side {
            Side::Driver => &self.driver,
            Side::Passenger => &self.passenger,
        }
    }

    /// As clients read it.
    pub(crate) fn told(&self, status: MatchStatus) -> Value {
        let mut told = json!({
            "match_id": self.match_id,
            "passenger_id": self.passenger.id, "passenger_name": self.passenger.name,
            "driver_id": self.driver.id, "driver_name": self.driver.name,
            "location": told_point(self.pickup), "target_location": self.target.map(told_point),
            "driver_location": told_point(self.driver_at), "distance_m": told_metres(self.distance_mm),
            "match_status": status.name(), "expires_at": Wall(self.until).to_string(),
        });
        if let Some(vehicle) = &self.vehicle {
            told["vehicle"] = vehicle.told();
        }
        told
    }
}
