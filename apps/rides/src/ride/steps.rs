//! What a ride has both people's rooms told, what those tell it, and what they answer.

use app::{Action, Decision, Room, Step};
use serde::Deserialize;
use vocabulary::{Code, Now, Payload, Refusal, RoomId, StepId};

use super::records::{self as kinds};
use super::state::{Course, Ride};
use super::{Asking, no_ride, told};
use crate::area::{self, IsRiding};
use crate::driver::BEHIND_MS;
use crate::fixes::Passes;
use crate::rules::Rules;
use crate::standing::Side;
use crate::telling::Answered;
use crate::trip::{Begins, HERE};
use crate::wire::{read, written};

/// To each side one word after the other: none is left out, none overtakes another.
pub(crate) fn steps(ride: &Ride) -> Vec<Step> {
    let void = ride.void.iter().map(|(name, word)| Step {
        position: word.position,
        number: word.number,
        room: RoomId::new(ride.room.app(), name),
        kind: "ride".into(),
        payload: written(&told::lost(ride, word.position)),
    });
    let void = void.chain(ride.leaving.step(ride.room.app()));
    let Some(course) = &ride.course else { return void.collect() };
    let words = Side::BOTH.into_iter().filter_map(|side| {
        let word = course.untold(side).front()?;
        let room = RoomId::new(ride.room.app(), &side.room(course.party(side)));
        let (position, number) = (word.position, word.number);
        Some(Step { position, number, room, kind: "ride".into(), payload: written(&word.told) })
    });
    void.chain(words).chain(riding(ride, course)).collect()
}

/// For those who look after all: never settled, as long as the ride is on.
fn riding(ride: &Ride, course: &Course) -> Option<Step> {
    if course.status.is_over() {
        return None;
    }
    let (proposal, point) = (&course.proposal, course.driver_at());
    let riding = IsRiding {
        status: course.status,
        driver: proposal.driver.clone(),
        passenger: proposal.passenger.clone(),
        vehicle: proposal.vehicle.clone(),
        pickup: proposal.pickup,
        target: proposal.target,
        point,
        since: course.created_at,
    };
    Some(Step {
        position: course.changed,
        number: HERE,
        room: area::room(ride.room.app(), &point.cell().name()),
        kind: area::RIDING.into(),
        payload: written(&riding),
    })
}

pub(super) fn answered(ride: &Ride, step: &StepId, result: &Result<Payload, Refusal>) -> Decision {
    let answered = Answered::of(step);
    let course = ride.course.iter().flat_map(|course| Side::BOTH.map(|side| course.untold(side).front()));
    let is_front = course.flatten().any(|word| (word.position, word.number) == (step.position, step.number))
        || ride.void.values().any(|word| *word == answered)
        || ride.leaving.is(step);
    match result {
        Err(refusal) if !refusal.code.is_clients_fault() => Decision::nothing(),
        _ if is_front => {
            let body = kinds::Heard { answered };
            Decision::record(kinds::TOLD, written(&body))
        }
        _ => Decision::nothing(),
    }
}

/// Whose room a step comes from, of the two.
fn side_of(course: &Course, step: &StepId) -> Result<Side, Refusal> {
    let is = |side: &Side| side.room(course.party(*side)) == step.saga.name();
    Side::BOTH.into_iter().find(is).ok_or_else(Refusal::unauthorized)
}

#[derive(Deserialize)]
struct Wish {
    reason: Option<String>,
}

pub(super) fn heard(
    rules: &Rules,
    now: Now,
    room: &Room<'_, Ride>,
    step: &StepId,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let ride = room.state;
    let unread = || Refusal::new(Code::InvalidPayload, "a ride hears people's rooms as they speak");
    if action.kind == "begin" {
        let begins: Begins = read(action.payload).ok_or_else(unread)?;
        return begun(ride, step, &begins, action.payload);
    }
    let side = ride.course.as_ref().map(|course| side_of(course, step));
    let (Some(course), Some(Ok(side))) = (&ride.course, side) else {
        return if action.kind == "cancel" { Ok(void_for(step)) } else { Err(no_ride()) };
    };
    let room = Room { id: room.id, state: ride, presence: room.presence, soft: room.soft, subject: None };
    let asking = Asking { rules, now, room, course };
    match action.kind {
        "fixes" => {
            let Passes { as_of, points } = read(action.payload).ok_or_else(unread)?;
            if ride.newest < as_of {
                return Err(Refusal::busy(BEHIND_MS));
            }
            Ok(asking.passes(side, &points))
        }
        "cancel" if course.status.is_over() && course.untold(side).is_empty() => {
            Ok(Decision::reply(written(&told::ended(course))))
        }
        "cancel" => {
            let Wish { reason } = read(action.payload).ok_or_else(unread)?;
            asking.cancels(Some(side), reason)
        }
        kind => Err(Refusal::new(Code::UnknownType, format!("a ride takes no {kind} from a room"))),
    }
}

/// Whose room it is is told that there is no such ride. As a record, so that a node that is behind cannot say so.
fn void_for(step: &StepId) -> Decision {
    let body = kinds::Void { room: step.saga.name().to_owned() };
    Decision::record(kinds::VOID, written(&body))
}

/// Only the room of the passenger whom the match is of, and once.
fn begun(ride: &Ride, step: &StepId, begins: &Begins, body: &Payload) -> Result<Decision, Refusal> {
    let proposal = &begins.proposal;
    let is_theirs = Side::Passenger.room(&proposal.passenger.id) == step.saga.name();
    if !is_theirs || proposal.match_id != ride.id() {
        return Err(Refusal::unauthorized());
    }
    match &ride.course {
        // The other one ended it before it began: who waits for it is not left waiting.
        None if ride.is_void => Ok(void_for(step)),
        None => Ok(Decision::record(kinds::BEGAN, body.clone())),
        Some(course) if course.proposal == *proposal => Ok(Decision::nothing()),
        Some(_) => Err(Refusal::new(Code::App("EXISTS"), "the ride is another's")),
    }
}
