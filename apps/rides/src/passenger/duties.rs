//! What a passenger's room does by itself: an offer that nobody agrees to ends, and so does a search that finds nobody. Nothing here is
//! set: all is read off the state.

use app::{Decision, Draft, Duty};
use vocabulary::{Now, Payload, Wall};

use super::records::{self as kinds};
use super::state::Passenger;
use super::{all_withdrawn, withdrawn};
use crate::proposal::Reason;
use crate::wire::written;

const EXPIRE: &str = "expire/";
const NO_DRIVER: &str = "no_driver";

/// Each with when it is due. While a driver is being claimed nothing else is: the answer is a moment away, or never comes.
fn all_due(passenger: &Passenger) -> Vec<(i64, String)> {
    let Some(search) = &passenger.search else { return Vec::new() };
    if let Some(claiming) = &search.claiming {
        return vec![(claiming.until, format!("{EXPIRE}{}", claiming.match_id))];
    }
    let expires = |id: &String, until: i64| (until.saturating_add(1), format!("{EXPIRE}{id}"));
    let offers = search.offers.iter().map(|(id, offer)| expires(id, offer.proposal.until));
    offers.chain([(search.until, NO_DRIVER.to_owned())]).collect()
}

pub(crate) fn due(passenger: &Passenger) -> Option<(Wall, Duty)> {
    let (at, name) = all_due(passenger).into_iter().min()?;
    Some((Wall(at), Duty { name: name.into(), payload: Payload::new() }))
}

/// On the newest state: what is not due there any more comes to nothing.
pub(super) fn decide(now: Now, passenger: &Passenger, name: &str) -> Decision {
    let is_due = |(at, due): &(i64, String)| due == name && *at <= now.wall.0;
    let Some(search) = passenger.search.as_ref().filter(|_| all_due(passenger).iter().any(is_due)) else {
        return Decision::nothing();
    };
    if name == NO_DRIVER {
        let mut records = all_withdrawn(search, None, Reason::SearchOver);
        let body = written(&serde_json::Map::new());
        records.push(Draft::new(kinds::NO_DRIVER, body));
        return Decision::records(records);
    }
    let offer = name.strip_prefix(EXPIRE).and_then(|id| search.offers.get(id));
    Decision::records(offer.map(|offer| withdrawn(offer, Reason::Timeout, true, None)).into_iter().collect())
}
