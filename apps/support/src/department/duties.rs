//! What a department does by itself: agents who are gone, places in the queue, and what presence alone brings; and what it has
//! sessions told. Nothing here is set: all is read off the state.

use app::{Decision, Duty, Presence, Room, Step};
use serde_json::json;
use vocabulary::{Now, Payload, Refusal, RoomId, StepId, Wall};

use super::entry::{Stand, Word};
use super::giving::{plan, with_giving};
use super::records::{self as kinds, Status};
use super::state::{Department, PLACES_MAX};
use crate::rules::DepartmentRule;
use crate::wire::written;
use crate::{Authority, Rules, user};

/// Places in the queue move with every session; customers hear of theirs no more often.
const PLACES_MS: i64 = 5_000;
/// A place that stands still is said again before it is forgotten.
const PLACE_AGAIN_MS: i64 = 30 * 60_000;
/// Steps that are sent at a time; the rest follows as these are answered.
const STEPS_AT_A_TIME: usize = 256;

const GIVE: &str = "give";
const PLACES: &str = "places";
const LOST: &str = "lost/";

/// When an agent who is not here, or not heard of, counts as gone.
fn lost_at(rules: &Rules, now: Now, presence: Presence<'_>, id: &str, desk: bool, seen: i64) -> Option<i64> {
    let gone = presence.gone_since(&user(id))?;
    let gone_ms = i64::try_from(now.tick.since(gone).as_millis()).unwrap_or(i64::MAX);
    let gone_at = now.wall.0.saturating_sub(gone_ms).saturating_add(rules.agent_gone_ms);
    // Who works by HTTP may have been here, too.
    let unseen_at = seen.saturating_add(rules.agent_unseen_ms);
    Some(if desk { gone_at } else { gone_at.max(unseen_at) })
}

/// Of the first in the queue those whose place is another than they were told, or was told long ago.
fn moved_places(department: &Department, now: i64) -> Vec<(String, u32)> {
    let places = (1u32..).zip(department.queue()).take(PLACES_MAX);
    let untold = places.filter(|(place, (session, _))| match department.places.get(*session) {
        Some((told, at)) => told != place || now.saturating_sub(*at) >= PLACE_AGAIN_MS,
        None => true,
    });
    untold.map(|(place, (session, _))| (session.to_owned(), place)).collect()
}

pub(crate) fn due(rules: &Rules, now: Now, room: &Room<'_, Department>) -> Option<(Wall, Duty)> {
    let department = room.state;
    let rule = rules.department(department.name()).filter(|_| rules.authority == Authority::Kulkul)?;
    let on_duty = department.agents.iter().filter(|(_, agent)| agent.status != Status::Offline);
    let lost = on_duty.filter_map(|(id, agent)| {
        let at = lost_at(rules, now, room.presence, id, agent.desk, agent.seen)?;
        Some((at, format!("{LOST}{id}")))
    });
    let gives = !plan(rules, rule, now, department, room.presence).is_empty();
    let gives = gives.then(|| (0, GIVE.to_owned()));
    let told = department.queue().into_iter().take(PLACES_MAX);
    let aged = told
        .filter_map(|(session, _)| department.places.get(session))
        .map(|(_, at)| at + PLACE_AGAIN_MS)
        .min();
    let moved = department.telling.is_some() || !moved_places(department, now.wall.0).is_empty();
    let places = if moved { Some(department.told_at.saturating_add(PLACES_MS)) } else { aged };
    let places = places.map(|at| (at, PLACES.to_owned()));
    let (at, name) = lost.chain(gives).chain(places).min()?;
    Some((Wall(at), Duty { name: name.into(), payload: Payload::new() }))
}

pub(crate) fn decide(
    rules: &Rules,
    rule: &DepartmentRule,
    now: Now,
    room: &Room<'_, Department>,
    name: &str,
) -> Decision {
    let (department, presence) = (room.state, room.presence);
    let give = |decision| with_giving(rules, rule, now, department, presence, decision);
    if name == GIVE {
        return give(Decision::nothing());
    }
    if name == PLACES {
        let places = moved_places(department, now.wall.0);
        if places.is_empty() && department.telling.is_none() {
            return Decision::nothing();
        }
        return Decision::record(kinds::PLACES, written(&kinds::Places { places }));
    }
    let Some(id) = name.strip_prefix(LOST) else { return Decision::nothing() };
    let Some(agent) = department.agents.get(id) else { return Decision::nothing() };
    let at = lost_at(rules, now, presence, id, agent.desk, agent.seen);
    if agent.status == Status::Offline || at.is_none_or(|at| at > now.wall.0) {
        return Decision::nothing();
    }
    give(Decision::record(kinds::AGENT_LOST, written(&kinds::Lost { agent_id: id.to_owned() })))
}

pub(crate) fn steps(rules: &Rules, department: &Department) -> Vec<Step> {
    if rules.authority == Authority::Fleet {
        return Vec::new();
    }
    let to = |session: &str| RoomId::new(department.room.app(), session);
    let words = department.sessions.iter().filter_map(|(session, entry)| {
        let Stand::Given { agent, how, given, tells, .. } = &entry.stand else { return None };
        let (position, number) = tells.open?;
        let name = department.agents.get(agent).map_or(agent.as_str(), |agent| &agent.name);
        let (kind, payload) = match tells.what {
            Word::Assign => (
                "assign",
                json!({"from": entry.from.to_string(), "given": given.to_string(), "agent_id": agent,
                    "agent_name": name, "how": how}),
            ),
            Word::Lost => ("agent_lost", json!({"agent_id": agent})),
            Word::Back => ("agent_back", json!({"agent_id": agent})),
        };
        let payload = payload.to_string().into();
        Some(Step { position: position.0, number, room: to(session), kind: kind.into(), payload })
    });
    let places = department.telling.iter().flat_map(|(position, places)| {
        (0u32..).zip(places).filter_map(|(number, (session, place))| {
            let entry = department.sessions.get(session).filter(|entry| entry.waits())?;
            let payload = json!({"from": entry.from.to_string(), "position": place}).to_string().into();
            Some(Step {
                position: position.0,
                number,
                room: to(session),
                kind: "queue_position".into(),
                payload,
            })
        })
    });
    words.chain(places).take(STEPS_AT_A_TIME).collect()
}

/// What a session answered. One that would not be given to anybody waits here no more: what it is instead, it tells by itself.
pub(crate) fn answered(
    department: &Department,
    step: &StepId,
    result: &Result<Payload, Refusal>,
) -> Decision {
    let is_open = |(session, _): &(&String, _)| department.is_open(session, step.position, step.number);
    let Some((session, entry)) = department.sessions.iter().find(is_open) else { return Decision::nothing() };
    let (session, position, number) = (session.clone(), step.position.to_string(), step.number);
    let is_assignment = matches!(&entry.stand, Stand::Given { tells, .. } if tells.what == Word::Assign);
    match result {
        Err(refusal) if !refusal.code.is_clients_fault() => Decision::nothing(),
        Err(_) if is_assignment => {
            let body = kinds::Released { session, position, number };
            Decision::record(kinds::RELEASED, written(&body))
        }
        Ok(_) | Err(_) => {
            let body = kinds::Answered { session, position, number };
            Decision::record(kinds::ANSWERED, written(&body))
        }
    }
}
