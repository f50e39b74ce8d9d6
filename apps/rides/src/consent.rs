//! What each of the two says of a match and of the ride that came of it, the same on both sides: yes, no, and no further. What a
//! room writes down for it is its own affair.

use app::{Decision, Draft, Fields};
use vocabulary::{Now, Refusal};

use crate::content::{self, invalid};
use crate::proposal::{MatchStatus, Proposal};
use crate::standing::Side;
use crate::trip::Trip;
use crate::wire::written;

/// A match that waits for a word.
pub(crate) trait Offered {
    fn proposal(&self) -> &Proposal;
    /// By whose room it is.
    fn is_confirmed(&self) -> bool;
    fn confirmed(&self) -> Draft;
    fn rejected(&self) -> Draft;
}

/// One of the two, as their own room knows them.
pub(crate) trait Half {
    const SIDE: Side;
    type Offer: Offered;

    fn trip(&self) -> Option<&Trip>;
    fn offer(&self, match_id: &str) -> Option<&Self::Offer>;
    /// Known by its name, and no more than that.
    fn is_over(&self, match_id: &str) -> bool;
}

enum Known<'a, Offer> {
    Offer(&'a Offer),
    Made(&'a Trip),
}

/// What is known of a match by its name. Of one that is none of this person's nothing is said.
fn known<'a, H: Half>(half: &'a H, fields: &Fields<'_>) -> Result<Known<'a, H::Offer>, Refusal> {
    let id = content::required(fields, "match_id")?;
    if let Some(trip) = half.trip().filter(|trip| trip.is(&id)) {
        return Ok(Known::Made(trip));
    }
    match half.offer(&id) {
        Some(offer) => Ok(Known::Offer(offer)),
        None if half.is_over(&id) => Err(invalid("match_id is of a match that is over")),
        None => Err(Refusal::unauthorized()),
    }
}

fn rejected(offer: &impl Offered) -> Decision {
    let reply = written(&offer.proposal().told(MatchStatus::Rejected));
    Decision::records(vec![offer.rejected()]).with_reply(reply)
}

/// `match_confirm`.
pub(crate) fn confirm<H: Half>(half: &H, now: Now, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let known = known(half, fields)?;
    match (known, content::accepted(fields)?) {
        (Known::Made(trip), true) => Ok(Decision::reply(written(&trip.proposal.told(MatchStatus::Accepted)))),
        (Known::Made(_), false) => Err(invalid("accepted: the match is made; ride_cancel ends the ride")),
        (Known::Offer(offer), false) => Ok(rejected(offer)),
        (Known::Offer(offer), true) => {
            let proposal = offer.proposal();
            let reply = written(&proposal.told(MatchStatus::confirmed_by(H::SIDE)));
            if offer.is_confirmed() {
                return Ok(Decision::reply(reply));
            }
            if now.wall.0 > proposal.until {
                return Err(invalid("match_id is of a match that has expired"));
            }
            Ok(Decision::records(vec![offer.confirmed()]).with_reply(reply))
        }
    }
}

/// `match_cancel`.
pub(crate) fn cancel_match(half: &impl Half, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    match known(half, fields)? {
        Known::Made(trip) => Ok(trip.cancelled(content::reason(fields)?)),
        Known::Offer(offer) => Ok(rejected(offer)),
    }
}

/// `ride_cancel`.
pub(crate) fn cancel_ride(half: &impl Half, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let id = content::required(fields, "ride_id")?;
    match half.trip().filter(|trip| trip.is(&id)) {
        Some(trip) => Ok(trip.cancelled(content::reason(fields)?)),
        None if half.is_over(&id) => Err(invalid("ride_id is of a ride that is over")),
        None => Err(Refusal::unauthorized()),
    }
}
