//! What a ride writes into its log, and reads from it.

use serde::{Deserialize, Serialize};

use crate::meter::{Spot, Verdict};
use crate::money::Bill;
use crate::telling::Answered;

/// Its body is what the passenger's room says (`trip::Begins`).
pub(crate) const BEGAN: &str = "began";
pub(crate) const PICKUP: &str = "pickup";
pub(crate) const STARTED: &str = "started";
pub(crate) const POINT: &str = "point";
pub(crate) const ARRIVED: &str = "arrived";
pub(crate) const PAYMENT: &str = "payment";
pub(crate) const CANCELLED: &str = "cancelled";
/// Somebody wants a ride to end that there is not: nobody is held by it, and it never begins.
pub(crate) const VOID: &str = "void";
/// One side's own room has heard the oldest word that it had not. Shown to nobody.
pub(crate) const TOLD: &str = "told";

#[derive(Serialize, Deserialize)]
pub(crate) struct AtPickup {
    pub spot: Spot,
    /// When that was heard, if not with this record.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub heard: Option<i64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Started {
    pub driver: Spot,
    pub apart_mm: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Passed {
    pub spot: Spot,
    pub verdict: Verdict,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Due {
    pub bill: Bill,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub qr_code_url: Option<String>,
}

/// `by`: who said so.
#[derive(Serialize, Deserialize)]
pub(crate) struct Arrived {
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    pub due: Due,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Paid {
    pub accepted: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Cancelled {
    pub by: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// What it costs, if anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Due>,
}

/// `room`: whose wish it was.
#[derive(Serialize, Deserialize)]
pub(crate) struct Void {
    pub room: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Heard {
    pub answered: Answered,
}
