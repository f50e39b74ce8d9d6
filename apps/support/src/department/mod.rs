//! A department, `support:dept:{name}`: the one place where sessions are given to agents, so that one sequencer sees to it that
//! nobody has a session twice and nobody has too many. It speaks to sessions by steps, and hears of them by theirs.

mod duties;
mod entry;
mod giving;
mod records;
mod room;
mod state;
mod told;

use std::borrow::Cow;

use app::{Action, Decision, Fields, Room, wrong};
use vocabulary::{Caller, Code, Now, Position, Refusal, StepId};

use crate::rules::DepartmentRule;
use crate::session::session_of;
use crate::standing::{Role, Who, forbidden};
use crate::wire::{NAME_CHARS_MAX, Party, Priority, written};
use crate::{Rules, session, user};
use entry::Stand;
use giving::with_giving;
use records::{self as kinds, Status};

pub(crate) use duties::{due, steps};
#[cfg(test)]
pub(crate) use giving::plan;
pub(crate) use state::Department;
pub(crate) use told::{shown, view};

/// What is beyond a department's bounds comes again by itself.
const FULL_MS: u32 = 30_000;
/// An agent who is heard of more often is not written down more often.
const SEEN_MS: i64 = 60_000;

struct Asking<'a> {
    rules: &'a Rules,
    rule: &'a DepartmentRule,
    now: Now,
    room: Room<'a, Department>,
    who: Who<'a>,
    /// Over a connection.
    desk: bool,
}

fn not_found(text: impl Into<String>) -> Refusal {
    Refusal::new(Code::App("NOT_FOUND"), text.into())
}

/// The staff of a department that there is.
pub(crate) fn enter(rules: &Rules, department: &Department, who: &Who<'_>) -> Result<(), Refusal> {
    session::ours(rules)?;
    rules.department(department.name()).ok_or_else(|| rules.no_department(department.name()))?;
    match who.serves(department.name()) {
        true => Ok(()),
        false => Err(forbidden("a department is open to its own staff: the token names others, or none")),
    }
}

pub(crate) fn decide(
    rules: &Rules,
    now: Now,
    room: Room<'_, Department>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let department = room.state;
    if let Caller::Outcome { step, result } = caller {
        return Ok(duties::answered(department, step, result));
    }
    session::ours(rules)?;
    let rule = rules.department(department.name()).ok_or_else(|| rules.no_department(department.name()))?;
    match caller {
        Caller::Duty { name, .. } => return Ok(duties::decide(rules, rule, now, &room, name)),
        Caller::Source { .. } => {
            return Err(forbidden("a broker speaks to sessions: support:{uuid}, not to departments"));
        }
        _ => {}
    }
    let who = Who::of(caller);
    enter(rules, department, &who)?;
    let fields = Fields::of(action.payload)?;
    let desk = matches!(caller, Caller::Connection { .. });
    let asking = Asking { rules, rule, now, room, who, desk };
    if let Caller::Step(step) = caller {
        return asking.told_by_session(step, action.kind, &fields);
    }
    match action.kind {
        "set_status" | "heartbeat" => asking.status(action.kind, &fields),
        "pick" => asking.pick(&fields),
        "assign" => asking.assign(&fields),
        "get_department" => Ok(Decision::reply(told::view(rules, department))),
        "get_agent" => asking.told_of(&fields),
        "get_queue" => Ok(Decision::reply(told::queue(department))),
        kind => Err(Refusal::new(
            Code::UnknownType,
            format!(
                "unknown message type: {kind} (a department knows set_status, heartbeat, pick, assign, get_department, get_agent and get_queue)"
            ),
        )),
    }
}

impl Asking<'_> {
    fn state(&self) -> &Department {
        self.room.state
    }

    fn then_give(&self, decision: Decision) -> Decision {
        with_giving(self.rules, self.rule, self.now, self.state(), self.room.presence, decision)
    }

    /// A session speaks of itself alone, and always of how things are. What comes behind something newer changes nothing.
    fn told_by_session(&self, step: &StepId, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let session =
            session_of(&step.saga).ok_or_else(|| forbidden("only sessions wait in a department"))?;
        let known = self.state().sessions.get(session);
        let newest = known.map(|entry| entry.as_of).max(self.state().gone_as_of(session));
        let is_late = |as_of: Position| newest.is_some_and(|newest| as_of < newest);
        if is_late(step.position) {
            return Ok(Decision::nothing());
        }
        let as_of = step.position.to_string();
        match kind {
            "session_waits" => {
                let waits = waits(session, as_of, fields)?;
                if newest == Some(step.position) {
                    return Ok(Decision::nothing());
                }
                if self.state().has_too_many(&waits) {
                    let text = format!("{} sessions of this customer wait already", room::WAITING_OF_ONE_MAX);
                    return Err(Refusal { text: text.into(), ..Refusal::busy(FULL_MS) });
                }
                if !self.state().has_place_for(&waits) {
                    let text = format!(
                        "department {} holds as many sessions as it can ({} or {} KiB): serve some of them",
                        self.rule.name,
                        room::SESSIONS_MAX,
                        room::SESSIONS_BYTES_MAX >> 10,
                    );
                    let busy = Refusal::busy(FULL_MS);
                    return Err(Refusal { text: text.into(), ..busy });
                }
                Ok(self.then_give(Decision::record(kinds::WAITS, written(&waits))))
            }
            "session_over" => {
                let left = kinds::Left {
                    session: session.to_owned(),
                    as_of,
                    moved: fields.raw("moved").is_some_and(|raw| raw.get() == "true"),
                    first_response_ms: fields
                        .number("first_response_ms", 0..=u64::MAX >> 1)?
                        .map(|ms| ms as i64),
                    rating: fields.number("rating", 1..=5)?.map(|rating| rating as u8),
                };
                if known.is_none() && newest == Some(step.position) {
                    return Ok(Decision::nothing());
                }
                Ok(self.then_give(Decision::record(kinds::LEFT, written(&left))))
            }
            kind => Err(Refusal::new(Code::UnknownType, format!("a department takes no {kind} from a room"))),
        }
    }

    /// Who it is about: the caller, or for a back end the one that it names.
    fn agent(&self, fields: &Fields<'_>) -> Result<Party, Refusal> {
        match self.who.person.filter(|_| self.who.role != Role::Backend) {
            Some(person) => Ok(Party::of(person)),
            None => {
                let id = fields.user("agent_id")?.to_string();
                let known = self.state().agents.get(&id).map(|agent| agent.name.clone());
                let name = fields.short_text("agent_name", NAME_CHARS_MAX)?.map(Cow::into_owned).or(known);
                Ok(Party { name: name.unwrap_or_else(|| id.clone()), id })
            }
        }
    }

    /// One agent: a board has as many as fit into it.
    fn told_of(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let id = fields.user("agent_id")?;
        let told = told::of_agent(self.state(), id.as_str());
        told.map(Decision::reply).ok_or_else(|| {
            let id = crate::rules::clipped(id.as_str(), 40);
            not_found(format!("department {} knows no agent {id:?}", self.rule.name))
        })
    }

    /// `heartbeat` without a status: as before; who was lost is back.
    fn status(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let mut agent = self.agent(fields)?;
        let known = self.state().agents.get(&agent.id);
        let status = match fields.text("status")? {
            Some(name) => Status::of(&name).ok_or_else(|| wrong("status", Status::NAMES, &name))?,
            None if kind == "heartbeat" => {
                known.map_or(Status::Online, |known| known.before.unwrap_or(known.status))
            }
            None => {
                let text = format!("status is required: {}", Status::NAMES);
                return Err(Refusal::new(Code::InvalidPayload, text));
            }
        };
        let fits = self.state().place_for_agent(&agent.id, &agent.name).is_some();
        if let Some(known) = known.filter(|_| !fits) {
            agent.name = known.name.clone();
        } else if !fits {
            let text = format!(
                "department {} knows as many agents on duty as it can ({} or {} KiB): some must go off duty first",
                self.rule.name,
                room::AGENTS_MAX,
                room::AGENTS_BYTES_MAX >> 10,
            );
            return Err(Refusal { text: text.into(), ..Refusal::busy(FULL_MS) });
        }
        // Who is not in the room has no desk that could close.
        let has_one = self.desk || known.is_some_and(|known| known.desk);
        let desk = has_one && self.room.presence.is_here(&user(&agent.id));
        let changes = known.is_none_or(|known| {
            (known.status, known.desk, &known.name) != (status, desk, &agent.name) || known.before.is_some()
        });
        let decision = match known {
            _ if changes => {
                let body = kinds::AgentStatus { agent, status, desk };
                Decision::record(kinds::AGENT_STATUS, written(&body))
            }
            Some(known) if !desk && self.now.wall.0.saturating_sub(known.seen) >= SEEN_MS => {
                Decision::record(kinds::SEEN, written(&kinds::Lost { agent_id: agent.id }))
            }
            _ => Decision::nothing(),
        };
        Ok(self.then_give(decision))
    }

    fn session_id<'a>(&self, fields: &Fields<'a>) -> Result<Cow<'a, str>, Refusal> {
        fields.required_text("session_id", "the session's name")
    }

    /// One of those who want the same session gets it: the others decide again, and see whose it is.
    fn pick(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let session = self.session_id(fields)?;
        let agent = self.agent(fields)?;
        let entry = self.state().sessions.get(&*session).ok_or_else(|| no_session(&session))?;
        if let Stand::Given { agent, .. } = &entry.stand {
            let name = self.state().agents.get(agent).map_or(agent.as_str(), |agent| &agent.name);
            return Err(Refusal::new(Code::App("TAKEN"), format!("session was given to {name}")));
        }
        self.may_have(&agent.id, &entry.customer_id)?;
        self.give(&session, agent.id, "pick")
    }

    fn assign(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        if self.who.role < Role::Supervisor {
            return Err(forbidden("only a supervisor or an admin assigns sessions: pick takes one"));
        }
        let session = self.session_id(fields)?;
        let agent = fields.user("agent_id")?;
        let entry = self.state().sessions.get(&*session).ok_or_else(|| no_session(&session))?;
        if entry.agent() == Some(agent.as_str()) {
            return Err(Refusal::new(Code::App("TAKEN"), "the session is with that agent already"));
        }
        self.may_have(agent.as_str(), &entry.customer_id)?;
        self.give(&session, agent.to_string(), "admin")
    }

    /// On duty, be it busy; below the cap; and not the customer.
    fn may_have(&self, agent: &str, customer: &str) -> Result<(), Refusal> {
        let known = self.state().agents.get(agent).filter(|known| known.status != Status::Offline);
        if known.is_none() {
            return Err(forbidden("the agent is not on duty here: set_status comes first"));
        }
        if agent == customer {
            return Err(forbidden("the agent is this session's customer"));
        }
        match self.state().load(agent) {
            load if load < self.rule.sessions_max as usize => Ok(()),
            load => Err(Refusal::new(
                Code::App("AT_CAPACITY"),
                format!(
                    "the agent has {load} sessions here, and may have {}: close one first",
                    self.rule.sessions_max
                ),
            )),
        }
    }

    fn give(&self, session: &str, agent_id: String, how: &str) -> Result<Decision, Refusal> {
        let given = kinds::Given { session: session.to_owned(), agent_id, how: how.into() };
        let records = vec![giving::given_draft(&given)];
        Ok(self.then_give(Decision { records, ..Decision::nothing() }))
    }
}

fn no_session(session: &str) -> Refusal {
    let session = crate::rules::clipped(session, 40);
    not_found(format!("no session {session:?} waits here, or is anybody's"))
}

fn waits(session: &str, as_of: String, fields: &Fields<'_>) -> Result<kinds::Waits, Refusal> {
    let text = |name: &str| Ok(fields.text(name)?.unwrap_or_default().into_owned());
    let from = fields.message("from")?.ok_or_else(|| not_found("from is required"))?;
    Ok(kinds::Waits {
        session: session.to_owned(),
        from: from.to_string(),
        as_of,
        priority: Priority::of(&fields.text("priority")?.unwrap_or_default()).unwrap_or_default(),
        since: fields.number("since", 0..=u64::MAX >> 1)?.unwrap_or(0) as i64,
        head: fields.raw("head").is_some_and(|raw| raw.get() == "true"),
        wished: fields.text("wished")?.map(Cow::into_owned),
        avoid: fields.text("avoid")?.map(Cow::into_owned),
        customer_id: text("customer_id")?,
        name: text("name")?,
        topic: text("topic")?,
    })
}
