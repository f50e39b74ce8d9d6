//! What a driver's room writes into its log, and reads from it, beside what it has in common with a passenger's (`trip`).

use serde::{Deserialize, Serialize};

use crate::meter::Spot;
use crate::proposal::{Proposal, Reason};
use crate::telling::Answered;
use crate::trip::ClaimedBy;
use crate::vehicle::Vehicle;

pub(crate) const BEACON: &str = "beacon";
pub(crate) const REGISTERED: &str = "registered";
/// The driver is elsewhere. Shown to nobody.
pub(crate) const MOVED: &str = "moved";
/// The connection has been gone for too long, and is back. Shown to nobody.
pub(crate) const GONE: &str = "gone";
pub(crate) const BACK: &str = "back";
pub(crate) const PROPOSED: &str = "proposed";
pub(crate) const CONFIRMED: &str = "confirmed";
pub(crate) const PASSENGER_CONFIRMED: &str = "passenger_confirmed";
/// Both want it, and the driver has no other.
pub(crate) const CLAIMED: &str = "claimed";
pub(crate) const WITHDRAWN: &str = "withdrawn";

#[derive(Serialize, Deserialize)]
pub(crate) struct Beacon {
    pub is_active: bool,
    pub name: String,
    pub spot: Option<Spot>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Registered {
    pub vehicle: Vehicle,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Moved {
    pub spot: Spot,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Matched {
    pub proposal: Proposal,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Claimed {
    pub proposal: Proposal,
    pub by: ClaimedBy,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Withdrawn {
    pub proposal: Proposal,
    pub reason: Reason,
    /// The passenger's room does not know it yet.
    pub tell: bool,
    /// The driver never saw it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answered>,
}
