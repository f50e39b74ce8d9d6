//! Who gets whom: the one place where sessions are given to agents. A plan is made of the state and of who is here, and nothing
//! else; whoever decides with it is guarded, so no two plans are carried out on one state.

use app::{Decision, Draft, Presence};
use serde::Deserialize;
use vocabulary::{Now, Position, Record, Touched};

use super::records::{self as kinds, GIVEN, LEFT, Status, WAITS};
use super::state::{Agent, Department};
use crate::rules::{Choice, DepartmentRule};
use crate::wire::{read, written};
use crate::{Rules, user};

/// Which session a record is of.
#[derive(Deserialize)]
struct Of {
    session: String,
}

/// In one decision; what is left is given by the next, at once.
const GIVEN_AT_A_TIME: usize = 32;

/// An agent with a free place.
struct Free<'a> {
    id: &'a str,
    load: usize,
    /// Whoever was given something in this plan comes after all who were not.
    last: (usize, Position),
}

/// Whether sessions may be given to the agent now.
pub(crate) fn is_on_duty(rules: &Rules, now: Now, presence: Presence<'_>, id: &str, agent: &Agent) -> bool {
    let heard_of = !agent.desk && now.wall.0 < agent.seen.saturating_add(rules.agent_unseen_ms);
    agent.status == Status::Online && (heard_of || presence.is_here(&user(id)))
}

fn free<'a>(
    rules: &Rules,
    rule: &DepartmentRule,
    now: Now,
    department: &'a Department,
    presence: Presence<'_>,
) -> Vec<Free<'a>> {
    let (cap, loads) = (rule.sessions_max as usize, department.loads());
    let on_duty = department.agents.iter().filter(|(id, agent)| is_on_duty(rules, now, presence, id, agent));
    let load = |id: &String| loads.get(id.as_str()).copied().unwrap_or(0);
    let all = on_duty.map(|(id, agent)| Free { id, load: load(id), last: (0, agent.last) });
    all.filter(|free| free.load < cap).collect()
}

pub(crate) fn plan(
    rules: &Rules,
    rule: &DepartmentRule,
    now: Now,
    department: &Department,
    presence: Presence<'_>,
) -> Vec<kinds::Given> {
    let cap = rule.sessions_max as usize;
    let mut free = free(rules, rule, now, department, presence);
    if free.is_empty() {
        return Vec::new();
    }
    let mut plan = Vec::new();
    for (session, entry) in department.queue() {
        if free.is_empty() || plan.len() >= GIVEN_AT_A_TIME {
            break;
        }
        let wished = free.iter().position(|free| entry.wished.as_deref() == Some(free.id));
        let may = |free: &Free<'_>| free.id != entry.customer_id && entry.avoid.as_deref() != Some(free.id);
        let best = || {
            let able = free.iter().enumerate().filter(|(_, free)| may(free));
            let next = able.min_by_key(|(_, free)| match rule.choice {
                Choice::LeastLoaded => (free.load, free.last, free.id),
                Choice::RoundRobin => (0, free.last, free.id),
            });
            next.map(|(at, _)| at)
        };
        let Some(at) = wished.or_else(best) else { continue };
        let how = if wished.is_some() { "transfer" } else { "auto" };
        plan.push(kinds::Given {
            session: session.to_owned(),
            agent_id: free[at].id.to_owned(),
            how: how.into(),
        });
        (free[at].load, free[at].last) = (free[at].load + 1, (plan.len(), Position::default()));
        if free[at].load >= cap {
            free.remove(at);
        }
    }
    plan
}

/// A decision, and all that is to be given once it holds: the two are stored together, so nobody waits in between.
pub(crate) fn with_giving(
    rules: &Rules,
    rule: &DepartmentRule,
    now: Now,
    department: &Department,
    presence: Presence<'_>,
    mut decision: Decision,
) -> Decision {
    // One more who waits, and one less, change nothing where nobody has a free place: no need to look further.
    let frees = |draft: &Draft| {
        let is_somebodys = |of: Of| department.sessions.get(&of.session).is_some_and(|entry| !entry.waits());
        !matches!(draft.kind, WAITS | LEFT) || read::<Of>(&draft.body).is_none_or(is_somebodys)
    };
    if !decision.records.iter().any(frees) && free(rules, rule, now, department, presence).is_empty() {
        return decision;
    }
    let mut then = department.clone();
    for draft in &decision.records {
        let position = Position { offset: then.newest.offset + 1, ..then.newest };
        let _ = then.apply(&Record {
            position,
            at: now.wall,
            kind: draft.kind.into(),
            author: None,
            touches: Touched::NOBODY,
            body: draft.body.clone(),
        });
    }
    let given = plan(rules, rule, now, &then, presence);
    decision.records.extend(given.iter().map(given_draft));
    decision
}

pub(crate) fn given_draft(given: &kinds::Given) -> Draft {
    Draft::new(GIVEN, written(given))
}
