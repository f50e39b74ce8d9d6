//! Who has still to be told of the session, and what: its department, and the inboxes of its customer and its agents. Each is
//! told how things are, not how they came to be, so of each there is one open step, the newest. It changes no session.

use app::{Decision, Step};
use serde::{Deserialize, Serialize};
use serde_json::json;
use vocabulary::{Payload, Position, Refusal, RoomId, StepId, Touched, UserId};

use super::records::{self as kinds, TOLD, TRANSFERRED};
use super::stage::Stage;
use super::state::Session;
use crate::rules::clipped;
use crate::wire::{place, written};
use crate::{Authority, Rules};

/// Rooms that have not answered yet. Above it nothing is decided that another one would have to be told of: a session changes
/// hands that fast only where nobody carries its steps.
pub(crate) const UNTOLD_MAX: usize = 32;
/// As inboxes hold it.
const TITLE_CHARS_MAX: usize = 100;
/// What a department's board shows of a topic, and of a name.
const LABEL_CHARS_MAX: usize = 60;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
enum Target {
    Person(String),
    Department(String),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct Open {
    to: Target,
    #[serde(with = "place")]
    position: Position,
    number: u32,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Telling(Vec<Open>);

impl Telling {
    fn tell(&mut self, position: Position, to: Target) {
        if self.0.iter().any(|open| open.position == position && open.to == to) {
            return;
        }
        let number = self.0.iter().filter(|open| open.position == position).map(|open| open.number + 1).max();
        self.0.retain(|open| open.to != to);
        self.0.push(Open { to, position, number: number.unwrap_or(0) });
    }

    pub(crate) fn tell_person(&mut self, position: Position, id: &str) {
        self.tell(position, Target::Person(id.to_owned()));
    }

    pub(crate) fn tell_department(&mut self, position: Position, name: &str) {
        self.tell(position, Target::Department(name.to_owned()));
    }

    pub(crate) fn settle_department(&mut self, name: &str) {
        self.0.retain(|open| !matches!(&open.to, Target::Department(department) if department == name));
    }

    pub(crate) fn settle(&mut self, position: Position, number: u32) {
        self.0.retain(|open| (open.position, open.number) != (position, number));
    }

    fn find(&self, step: &StepId) -> Option<&Open> {
        self.0.iter().find(|open| (open.position, open.number) == (step.position, step.number))
    }

    pub(crate) fn is_full(&self) -> bool {
        self.0.len() >= UNTOLD_MAX
    }
}

pub(crate) fn department_room(app: &str, department: &str) -> RoomId {
    RoomId::new(app, &format!("dept:{department}"))
}

pub(crate) fn steps(rules: &Rules, session: &Session) -> Vec<Step> {
    let step = session.untold.0.iter().filter_map(|open| {
        let (room, kind, payload) = match &open.to {
            Target::Person(id) => to_person(session, id),
            Target::Department(_) if rules.authority == Authority::Fleet => return None,
            Target::Department(name) => to_department(session, name)?,
        };
        Some(Step { position: open.position, number: open.number, room, kind: kind.into(), payload })
    });
    step.collect()
}

fn to_person(session: &Session, id: &str) -> (RoomId, &'static str, Payload) {
    let room_id = session.room.as_str();
    let role = match (&session.customer, session.agent()) {
        (Some(customer), _) if customer.id == id => Some("customer"),
        (_, Some(agent)) if agent.id == id => Some("agent"),
        _ => None,
    };
    let (kind, payload) = match role {
        Some(role) => {
            let title = clipped(&session.topic, TITLE_CHARS_MAX);
            let told = json!({"room_id": room_id, "title": title, "role": role, "access": session.status()});
            ("channel_changed", told)
        }
        None => ("channel_removed", json!({"room_id": room_id})),
    };
    (UserId::new(id).inbox(), kind, payload.to_string().into())
}

fn to_department(session: &Session, name: &str) -> Option<(RoomId, &'static str, Payload)> {
    let is_here = session.department.as_deref() == Some(name);
    let (kind, payload) = match &session.stage {
        Stage::Waiting { head, wished, avoid } if is_here => {
            let customer = session.customer.as_ref()?;
            let waits = json!({
                "from": session.from.to_string(), "priority": session.priority, "since": session.since,
                "head": head, "wished": wished, "avoid": avoid, "customer_id": customer.id,
                "name": clipped(&customer.name, LABEL_CHARS_MAX),
                "topic": clipped(&session.topic, LABEL_CHARS_MAX),
            });
            ("session_waits", waits)
        }
        Stage::Closed { .. } if is_here => {
            let rating = session.rated.as_ref().map(|rated| rated.rating);
            let first = session.first_response_ms;
            ("session_over", json!({"moved": false, "first_response_ms": first, "rating": rating}))
        }
        // An assignment settles what the department was to be told.
        _ if is_here => return None,
        _ => ("session_over", json!({"moved": true})),
    };
    Some((department_room(session.room.app(), name), kind, payload.to_string().into()))
}

/// What another room answered closes the step, be it a refusal: it would be refused for ever. What is no answer, or a fault of
/// ours, leaves it open; so does a department that no configuration has, unless there is another for the session.
pub(crate) fn settled(
    rules: &Rules,
    session: &Session,
    step: &StepId,
    result: &Result<Payload, Refusal>,
) -> Decision {
    let Some(open) = session.untold.find(step) else { return Decision::nothing() };
    let body = kinds::Told { position: step.position.to_string(), number: step.number };
    let told = Decision::record(TOLD, written(&body));
    match (result, &open.to) {
        (Ok(_), _) => told,
        (Err(refusal), _) if !refusal.code.is_clients_fault() => Decision::nothing(),
        (Err(_), Target::Department(name)) => {
            let waits = matches!(session.stage, Stage::Waiting { .. });
            if !waits || session.department.as_deref() != Some(name) {
                return told;
            }
            match rules.departments.first() {
                Some(first) if first.name != *name && !session.untold.is_full() => {
                    let reason = "department_gone".into();
                    let body = kinds::Transferred { department: first.name.clone(), agent_id: None, reason };
                    Decision::record(TRANSFERRED, written(&body)).touching(Touched::Everybody)
                }
                _ => Decision::nothing(),
            }
        }
        (Err(_), Target::Person(_)) => told,
    }
}
