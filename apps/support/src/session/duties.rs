//! What a session does by itself, and what its department asks of it. Timers are read off the state; every word of a department
//! says which waiting it answers, so that one that comes late changes nothing.

use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Duty, Fields, Room, SoftDraft};
use serde_json::json;
use vocabulary::{Class, Code, Now, Payload, Position, Refusal, RoomId, Touched, Wall};

use super::content::party;
use super::records::{self as kinds, Sender};
use super::stage::{Stage, Turn};
use super::state::Session;
use super::telling::department_room;
use crate::wire::written;
use crate::{Authority, Rules};

/// A queue may stand still for long; its department says the places again before these end.
const PLACE: Duration = Duration::from_secs(3600);
/// A department that was restored from an older past does not know who waits.
const ASK_AGAIN_MS: i64 = 10 * 60_000;

/// Whoever is to be told answers within seconds, and so does a log that is followed.
const FULL_MS: u32 = 1_000;

pub(crate) const REQUEUE: &str = "requeue";
const WARN: &str = "warn";
const CLOSE_SILENT: &str = "close_silent";
const CLOSE_ABANDONED: &str = "close_abandoned";
const ASK_AGAIN: &str = "ask_again";

/// Each with when it is due; what is due first is done first.
fn all_due(rules: &Rules, now: Now, room: &Room<'_, Session>) -> Vec<(i64, &'static str)> {
    let session = room.state;
    if rules.authority == Authority::Fleet || session.untold.is_full() {
        return Vec::new();
    }
    let gone = || {
        let customer = session.customer.as_ref()?;
        let since = room.presence.gone_since(&crate::user(&customer.id))?;
        let gone_ms = i64::try_from(now.tick.since(since).as_millis()).unwrap_or(i64::MAX);
        let last_seen = now.wall.0.saturating_sub(gone_ms).max(session.customer_at);
        Some((last_seen.saturating_add(rules.abandoned_ms), CLOSE_ABANDONED))
    };
    match &session.stage {
        Stage::Unborn | Stage::Closed { .. } => Vec::new(),
        Stage::Waiting { .. } => {
            let again = (session.told_at.saturating_add(ASK_AGAIN_MS), ASK_AGAIN);
            gone().into_iter().chain([again]).collect()
        }
        Stage::Active { away: true, .. } if session.turn == Turn::Staff => vec![(0, REQUEUE)],
        Stage::Active { away: true, .. } => gone().into_iter().collect(),
        Stage::Active { .. } if session.turn == Turn::Staff => Vec::new(),
        Stage::Active { .. } => match session.closes_at {
            Some(at) => vec![(at, CLOSE_SILENT)],
            None => {
                let quiet = rules.silence_ms.saturating_sub(rules.warning_ms);
                let last = session.staff_at.max(session.customer_at);
                vec![(last.saturating_add(quiet), WARN)]
            }
        },
    }
}

pub(crate) fn due(rules: &Rules, now: Now, room: &Room<'_, Session>) -> Option<(Wall, Duty)> {
    let (at, name) = all_due(rules, now, room).into_iter().min()?;
    Some((Wall(at), Duty { name: name.into(), payload: Payload::new() }))
}

/// On the newest state: what is not due there any more comes to nothing.
pub(crate) fn decide(rules: &Rules, now: Now, room: &Room<'_, Session>, name: &str) -> Decision {
    let due = all_due(rules, now, room);
    let Some((_, name)) = due.into_iter().find(|(at, due)| *due == name && *at <= now.wall.0) else {
        return Decision::nothing();
    };
    match name {
        REQUEUE => requeued(rules),
        WARN => {
            let closes_at = now.wall.0.saturating_add(rules.warning_ms);
            let mut decision = Decision::record(kinds::WARNED, written(&kinds::Warned { closes_at }));
            decision.records.extend(system_message(&rules.warning_text).records);
            decision
        }
        ASK_AGAIN => Decision::record(kinds::ASKED_AGAIN, written(&json!({}))),
        _ => {
            let reason = if name == CLOSE_SILENT { "customer_silent" } else { "abandoned" };
            let body = kinds::Closed { reason: reason.into(), by: "system".into() };
            Decision::record(kinds::CLOSED, written(&body))
        }
    }
}

fn system_message(text: &str) -> Decision {
    let said = kinds::Message {
        message: text.to_owned(),
        message_type: "system".into(),
        sender_type: Sender::System,
        sender_id: None,
        attachments: Vec::new(),
        id: None,
    };
    Decision::record(kinds::MESSAGE, written(&said))
}

/// Back to the head of the queue, and the customer is told why.
fn requeued(rules: &Rules) -> Decision {
    let body = kinds::Reason { reason: "agent_lost".into() };
    let mut decision = Decision::record(kinds::REQUEUED, written(&body)).touching(Touched::Everybody);
    decision.records.extend(system_message(&rules.agent_lost_text).records);
    decision
}

/// A department's step.
pub(crate) fn asked_by_room(
    rules: &Rules,
    session: &Session,
    saga: &RoomId,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    super::ours(rules)?;
    // This node has not seen yet what the department answers: it is asked again, and knows it then.
    let fields = Fields::of(action.payload)?;
    if fields.message("from")?.is_some_and(|from| from > session.newest) {
        return Err(Refusal::busy(FULL_MS));
    }
    let ours = session.department.as_ref().map(|name| department_room(session.room.app(), name));
    if ours.as_ref() != Some(saga) {
        return Err(late());
    }
    match action.kind {
        "assign" => assigned(session, &fields),
        "agent_lost" | "agent_back" => Ok(agent_moved(rules, session, action.kind, &fields)?),
        "queue_position" => place(session, &fields),
        kind => Err(Refusal::new(Code::UnknownType, format!("a session takes no {kind} from a room"))),
    }
}

fn late() -> Refusal {
    Refusal::new(Code::App("TOO_LATE"), "the session waits there no more")
}

fn at(fields: &Fields<'_>, name: &str) -> Result<Position, Refusal> {
    fields.message(name)?.ok_or_else(late)
}

/// The department decides to whom it goes, as long as it speaks of this waiting.
fn assigned(session: &Session, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let (from, given) = (at(fields, "from")?, at(fields, "given")?);
    if from != session.from || session.is_closed() {
        return Err(late());
    }
    if given <= session.given {
        return Ok(Decision::nothing());
    }
    // It is asked again.
    if session.untold.is_full() {
        return Err(Refusal::busy(FULL_MS));
    }
    let agent = party(fields, "agent_id", "agent_name")?.ok_or_else(late)?;
    if session.customer.as_ref().is_some_and(|customer| customer.id == agent.id) {
        return Err(late());
    }
    let how = fields.text("how")?.unwrap_or_default().into_owned();
    let body = kinds::Assigned { agent, how, given: given.to_string() };
    let decision = Decision::record(kinds::ASSIGNED, written(&body)).touching(Touched::Everybody);
    // Nobody waits any more.
    let soft =
        SoftDraft { key: Arc::from("queue"), value: None, time_to_live: PLACE, class: Class::Latest(0) };
    Ok(Decision { soft: vec![soft], ..decision })
}

fn agent_moved(
    rules: &Rules,
    session: &Session,
    kind: &str,
    fields: &Fields<'_>,
) -> Result<Decision, Refusal> {
    let agent = fields.user("agent_id")?;
    let is_theirs = session.agent().is_some_and(|own| own.id == agent.as_str());
    let nothing = written(&json!({}));
    Ok(match (&session.stage, kind) {
        (Stage::Active { away, .. }, "agent_lost") if is_theirs => match session.turn {
            Turn::Staff => requeued(rules),
            Turn::Customer if !away => Decision::record(kinds::AGENT_LEFT, nothing),
            Turn::Customer => Decision::nothing(),
        },
        (Stage::Active { away: true, .. }, "agent_back") if is_theirs => {
            Decision::record(kinds::AGENT_BACK, nothing)
        }
        _ => Decision::nothing(),
    })
}

fn place(session: &Session, fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let from = at(fields, "from")?;
    let place = fields.number("position", 1..=1_000_000)?.ok_or_else(late)?;
    if from != session.from || !matches!(session.stage, Stage::Waiting { .. }) {
        return Ok(Decision::nothing());
    }
    // Of this waiting: what is kept of another one is no place any more.
    let value = Some(json!({"queue_position": place, "from": from.to_string()}).to_string().into());
    Ok(Decision::soft(SoftDraft {
        key: Arc::from("queue"),
        value,
        time_to_live: PLACE,
        class: Class::Latest(0),
    }))
}
