//! What a passenger's room writes into its log, and reads from it, beside what it has in common with a driver's (`trip`).

use serde::{Deserialize, Serialize};

use crate::geo::Point;
use crate::proposal::{Proposal, Reason};
use crate::rules::Terms;
use crate::telling::Answered;
use crate::wire::Party;

pub(crate) const SEARCHING: &str = "searching";
/// Drivers are asked whether they can be asked. Shown to nobody: those who cannot are no news.
pub(crate) const ASKED: &str = "asked";
pub(crate) const PROPOSED: &str = "proposed";
pub(crate) const CONFIRMED: &str = "confirmed";
pub(crate) const DRIVER_CONFIRMED: &str = "driver_confirmed";
/// Both want it, and the driver's room has given the driver.
pub(crate) const ACCEPTED: &str = "accepted";
pub(crate) const WITHDRAWN: &str = "withdrawn";
pub(crate) const SEARCH_OVER: &str = "search_over";
pub(crate) const NO_DRIVER: &str = "no_driver_found";

#[derive(Serialize, Deserialize)]
pub(crate) struct Searching {
    pub passenger: Party,
    pub pickup: Point,
    pub target: Option<Point>,
    pub until: i64,
    pub radius_mm: i64,
    pub offers_at_once: usize,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Asked {
    pub proposals: Vec<Proposal>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Matched {
    pub proposal: Proposal,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answered>,
    /// The driver's own record of their yes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<Answered>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Accepted {
    pub proposal: Proposal,
    pub terms: Terms,
    pub answers: Answered,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Withdrawn {
    pub proposal: Proposal,
    pub reason: Reason,
    /// The driver's room does not know it yet.
    pub tell: bool,
    /// The passenger never saw it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub unseen: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub answers: Option<Answered>,
}
