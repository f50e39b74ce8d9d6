//! What people were told by their own rooms, wherever and how often they joined them: each thing once, at one place, and to both of a
//! ride the same money.

use std::collections::BTreeMap;

use serde_json::Value;

/// Of one ride each of these is told once. A pick-up is told twice, and a payment as often as it is tried.
const ONCE: [&str; 4] = ["ride_started", "ride_arrived", "ride_completed", "ride_cancelled"];

/// Of one person.
#[derive(Debug, Default)]
pub(super) struct Hearing {
    /// By the place in the log.
    at: BTreeMap<(String, u64), String>,
    once: BTreeMap<(String, String), u64>,
    /// By ride: what the passenger pays, what is kept of it, and what the driver is paid.
    pub money: BTreeMap<String, [i64; 3]>,
}

fn amounts(payment: &Value) -> Option<[i64; 3]> {
    let amount = |name: &str| payment[name].as_i64();
    Some([amount("adjusted_cost")?, amount("admin_fee")?, amount("driver_payout")?])
}

impl Hearing {
    /// A frame of one's own room. Acks and answers say nothing new.
    pub(super) fn hears(&mut self, frame: &Value) -> Result<(), String> {
        let kind = frame["type"].as_str().unwrap_or_default();
        let (payload, position) = (&frame["payload"], &frame["position"]);
        let is_news = kind.starts_with("ride_") || kind.starts_with("match_") || kind.starts_with("payment_");
        let (Some(epoch), Some(offset), true) =
            (position["epoch"].as_str(), position["offset"].as_u64(), is_news)
        else {
            return Ok(());
        };
        let said = format!("{kind} {payload}");
        let before = self.at.insert((epoch.to_owned(), offset), said.clone());
        if let Some(before) = before.filter(|before| *before != said) {
            return Err(format!("{said} stands where {before} stood, at {position}"));
        }
        let ride = payload["ride_id"].as_str().or(payload["ride"]["ride_id"].as_str()).unwrap_or_default();
        if ONCE.contains(&kind) {
            let known = self.once.insert((kind.to_owned(), ride.to_owned()), offset);
            if known.is_some_and(|known| known != offset) {
                return Err(format!("{kind} of {ride} was told at {known:?} and at {offset}"));
            }
        }
        let payment = match kind {
            "payment_processed" => payload,
            "ride_completed" => &payload["payment"],
            _ => return Ok(()),
        };
        let Some(told) = amounts(payment) else {
            return Err(format!("a payment without amounts: {payload}"));
        };
        if told[0] != told[1] + told[2] {
            return Err(format!("{ride} costs {told:?}: the fee and the payout are not what is paid"));
        }
        match self.money.insert(ride.to_owned(), told) {
            Some(before) if before != told => Err(format!("{ride} costs {told:?}, and cost {before:?}")),
            _ => Ok(()),
        }
    }

    /// The two of a ride were told the same.
    pub(super) fn agrees_with(&self, other: &Hearing) -> Result<(), String> {
        let both = self.money.iter().filter_map(|(ride, told)| Some((ride, told, other.money.get(ride)?)));
        match both.into_iter().find(|(_, told, theirs)| told != theirs) {
            Some((ride, told, theirs)) => {
                Err(format!("one is told that {ride} costs {told:?}, the other {theirs:?}"))
            }
            None => Ok(()),
        }
    }
}
