//! Who is asked next: of all the drivers that the squares around know, those who are nearest and were not asked already. What the
//! squares said are soft values of this room until all have spoken; it changes nothing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use app::{Decision, Room, SoftDraft, Step};
use vocabulary::{Class, Now, Payload, Position, StepId};

use super::records::{self as kinds};
use super::state::{Passenger, Search};
use crate::area::{self, NEAREST_MIN, Near, WhoIsNear};
use crate::geo::Cell;
use crate::proposal::Proposal;
use crate::rules::Rules;
use crate::trip::NEARBY;
use crate::wire::{read, uuid, written};

/// Two rounds of asking: what a square said is what it would say again.
const SAID: Duration = Duration::from_secs(12);
/// A square that says nothing for so long is not waited for.
const PATIENCE_MS: i64 = 8_000;

/// Asked again every five seconds, as long as there is place for one more: so drivers who come or come nearer are found.
pub(super) fn steps(passenger: &Passenger) -> Vec<Step> {
    let Some(search) = wanting(passenger) else { return Vec::new() };
    let many = NEAREST_MIN.saturating_add(search.tried.len());
    let payload = written(&WhoIsNear { point: search.pickup, radius_mm: search.radius_mm, many });
    let step = |(number, cell): (u32, Cell)| Step {
        position: search.asking,
        number: NEARBY + number,
        room: area::room(passenger.room.app(), &cell.name()),
        kind: area::NEARBY.into(),
        payload: payload.clone(),
    };
    (0..).zip(search.pickup.cells_within(search.radius_mm)).map(step).collect()
}

fn wanting(passenger: &Passenger) -> Option<&Search> {
    let has_place = |search: &&Search| passenger.untold.room() >= search.offers_at_once;
    passenger.search.as_ref().filter(|search| search.wants_more()).filter(has_place)
}

/// By the record since which is asked: an answer to an older question is another one's.
fn key(asking: Position, number: u32) -> Arc<str> {
    Arc::from(format!("near/{asking}/{number}"))
}

/// What a square answered.
pub(super) fn answered(
    rules: &Rules,
    now: Now,
    room: &Room<'_, Passenger>,
    step: &StepId,
    said: &Payload,
) -> Decision {
    let Some(search) = wanting(room.state).filter(|search| search.asking == step.position) else {
        return Decision::nothing();
    };
    let own = key(search.asking, step.number);
    let mut near: BTreeMap<String, Near> = BTreeMap::new();
    let (mut spoken, cells) = (0, search.pickup.cells_within(search.radius_mm).len());
    for number in (NEARBY..).take(cells) {
        let key = key(search.asking, number);
        let said = if key == own { Some(said) } else { room.soft.get(&key) };
        spoken += usize::from(said.is_some());
        for found in said.and_then(read::<Vec<Near>>).unwrap_or_default() {
            // In two squares at once is whoever has just left one of them.
            let known = near.get(&found.driver.id).map_or(i64::MAX, |known| known.distance_mm);
            if found.distance_mm < known {
                near.insert(found.driver.id.clone(), found);
            }
        }
    }
    let soft = SoftDraft { key: own, value: Some(said.clone()), time_to_live: SAID, class: Class::Latest(0) };
    let said = Decision::soft(soft);
    let waited = now.wall.0.saturating_sub(search.asking_at);
    let pauses = now.wall.0 < room.state.pauses_until;
    if pauses || spoken < cells && waited < PATIENCE_MS {
        return said;
    }
    let proposals = nearest(rules, now, room, search, near.into_values().collect());
    if proposals.is_empty() {
        return said;
    }
    Decision::record(kinds::ASKED, written(&kinds::Asked { proposals }))
}

fn nearest(
    rules: &Rules,
    now: Now,
    room: &Room<'_, Passenger>,
    search: &Search,
    mut near: Vec<Near>,
) -> Vec<Proposal> {
    let may_be = |found: &Near| {
        let is_asked = search.offers.values().any(|offer| offer.proposal.driver.id == found.driver.id);
        let again_at = search.tried.get(&found.driver.id).copied().unwrap_or(i64::MIN);
        !is_asked && again_at <= now.wall.0 && found.driver.id != search.passenger.id
    };
    near.retain(may_be);
    // Before those who let it pass once those come who were not asked: or a few phones in pockets keep all others from it.
    let rank = |found: &Near| search.tried.contains_key(&found.driver.id);
    near.sort_by(|a, b| (rank(a), a.distance_mm, &a.driver.id).cmp(&(rank(b), b.distance_mm, &b.driver.id)));
    let until = now.wall.0.saturating_add(rules.offer_ms);
    let places = search.offers_at_once - search.offers.len();
    let proposal = |(number, found): (u32, Near)| Proposal {
        match_id: uuid(room.id, search.from, number),
        passenger: search.passenger.clone(),
        driver: found.driver,
        vehicle: found.vehicle,
        pickup: search.pickup,
        target: search.target,
        driver_at: found.point,
        driver_heard: found.at,
        distance_mm: found.distance_mm,
        until,
    };
    (search.asked..).zip(near.into_iter().take(places)).map(proposal).collect()
}
