//! What a ride has both people's rooms told, what those tell it, and what they answer.

use app::{Action, Decision, Room, Step};
use serde::Deserialize;
use vocabulary::{Code, Now, Payload, Refusal, RoomId, StepId};

use super::records::{self as kinds};
use super::state::{Course, Ride};
use super::{Asking, no_ride};
use crate::meter::Spot;
use crate::rules::Rules;
use crate::standing::Side;
use crate::telling::Answered;
use crate::trip::Begins;
use crate::wire::{read, written};

/// To each side one word after the other: none is left out, none overtakes another.
pub(crate) fn steps(ride: &Ride) -> Vec<Step> {
    let Some(course) = &ride.course else { return Vec::new() };
    let words = Side::BOTH.into_iter().filter_map(|side| {
        let word = course.untold(side).front()?;
        let room = RoomId::new(ride.room.app(), &side.room(course.party(side)));
        let (position, number) = (word.position, word.number);
        Some(Step { position, number, room, kind: "ride".into(), payload: written(&word.told) })
    });
    words.collect()
}

pub(super) fn answered(ride: &Ride, step: &StepId, result: &Result<Payload, Refusal>) -> Decision {
    let Some(course) = &ride.course else { return Decision::nothing() };
    let is_front = Side::BOTH.into_iter().any(|side| {
        let front = course.untold(side).front();
        front.is_some_and(|word| (word.position, word.number) == (step.position, step.number))
    });
    match result {
        Err(refusal) if !refusal.code.is_clients_fault() => Decision::nothing(),
        _ if is_front => {
            let body = kinds::Heard { answered: Answered::of(step) };
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
    let course = ride.course.as_ref().ok_or_else(no_ride)?;
    let side = side_of(course, step)?;
    let room = Room { id: room.id, state: ride, presence: room.presence, soft: room.soft, subject: None };
    let asking = Asking { rules, now, room, course };
    match action.kind {
        "fixes" => {
            let spots: Vec<Spot> = read(action.payload).ok_or_else(unread)?;
            Ok(asking.passes(side, &spots))
        }
        "cancel" => {
            let Wish { reason } = read(action.payload).ok_or_else(unread)?;
            asking.cancels(Some(side), reason)
        }
        kind => Err(Refusal::new(Code::UnknownType, format!("a ride takes no {kind} from a room"))),
    }
}

/// Only the room of the passenger whom the match is of, and once.
fn begun(ride: &Ride, step: &StepId, begins: &Begins, body: &Payload) -> Result<Decision, Refusal> {
    let proposal = &begins.proposal;
    let is_theirs = Side::Passenger.room(&proposal.passenger.id) == step.saga.name();
    if !is_theirs || proposal.match_id != ride.id() {
        return Err(Refusal::unauthorized());
    }
    match &ride.course {
        None => Ok(Decision::record(kinds::BEGAN, body.clone())),
        Some(course) if course.proposal == *proposal => Ok(Decision::nothing()),
        Some(_) => Err(Refusal::new(Code::App("EXISTS"), "the ride is another's")),
    }
}
