//! What a department's staff see: its board, whole and as it changes. Nobody else sees anything of it.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use vocabulary::{Audience, Class, Payload, Record, Shown, Wall};

use super::entry::{Entry, Stand};
use super::records::{self as kinds, Status};
use super::state::Department;
use crate::wire::read;
use crate::{Rules, STAFF};

/// A board goes out in one frame; each list has a share of it, with its true length beside.
const WAITING_BYTES_MAX: usize = 24 << 10;
const ACTIVE_BYTES_MAX: usize = 20 << 10;
const AGENTS_BYTES_MAX: usize = 16 << 10;

fn waiting(department: &Department) -> usize {
    department.sessions.values().filter(|entry| entry.waits()).count()
}

fn entry(session: &str, entry: &Entry) -> Value {
    let mut told = json!({
        "session_id": session, "priority": entry.priority, "since": Wall(entry.since).to_string(),
        "name": entry.name, "topic": entry.topic,
    });
    if entry.head {
        told["head"] = true.into();
    }
    if let Some(wished) = &entry.wished {
        told["wished_agent"] = wished.as_str().into();
    }
    told
}

fn agent(department: &Department, id: &str) -> Option<Value> {
    let agent = department.agents.get(id)?;
    Some(json!({
        "agent_id": id, "name": agent.name, "status": agent.status.name(), "load": department.load(id),
    }))
}

/// One agent, whether or not the board has a place for them.
pub(crate) fn of_agent(department: &Department, id: &str) -> Option<Payload> {
    agent(department, id).map(|told| told.to_string().into())
}

fn named(department: &Department, id: &str) -> Value {
    let name = department.agents.get(id).map_or(id, |agent| &agent.name);
    json!({"id": id, "name": name})
}

pub(crate) fn shown(department: &Department, record: &Record, audience: Audience) -> Option<Shown> {
    if audience != STAFF {
        return None;
    }
    let waiting = waiting(department);
    let (kind, payload) = match &*record.kind {
        kinds::WAITS => {
            let body: kinds::Waits = read(&record.body)?;
            let session = department.sessions.get(&body.session).map(|known| entry(&body.session, known))?;
            ("queue_changed", json!({"session": session, "waiting": waiting}))
        }
        kinds::GIVEN => {
            let body: kinds::Given = read(&record.body)?;
            let agent = named(department, &body.agent_id);
            let given =
                json!({"session_id": body.session, "agent": agent, "how": body.how, "waiting": waiting});
            ("session_given", given)
        }
        kinds::LEFT | kinds::RELEASED => {
            let body: Value = read(&record.body)?;
            ("session_left", json!({"session_id": body["session"], "waiting": waiting}))
        }
        kinds::AGENT_STATUS => {
            let body: kinds::AgentStatus = read(&record.body)?;
            ("agent_status", agent(department, &body.agent.id)?)
        }
        kinds::AGENT_LOST => {
            let body: kinds::Lost = read(&record.body)?;
            ("agent_status", agent(department, &body.agent_id)?)
        }
        _ => return None,
    };
    let payload = payload.to_string().into();
    Some(Shown { kind, payload, sender: record.author.clone(), class: Class::Record, lasting: false })
}

/// As many as fit.
fn fitting(items: impl Iterator<Item = Value>, bytes_max: usize) -> Vec<Value> {
    let mut bytes = 0;
    let fits = |item: &Value| {
        bytes += item.to_string().len() + 1;
        bytes <= bytes_max
    };
    items.take_while(fits).collect()
}

/// In order, with their places.
fn places(department: &Department) -> Vec<Value> {
    let place = |(place, (session, known)): (usize, (&str, &Entry))| {
        let mut told = entry(session, known);
        told["queue_position"] = place.into();
        told
    };
    let queue = department.queue();
    fitting((1..).zip(queue).map(place), WAITING_BYTES_MAX)
}

pub(crate) fn queue(department: &Department) -> Payload {
    json!({"waiting": places(department), "waiting_count": waiting(department)}).to_string().into()
}

fn mean(values: impl Iterator<Item = i64>) -> Option<i64> {
    let (sum, count) =
        values.fold((0i64, 0i64), |(sum, count), value| (sum.saturating_add(value), count + 1));
    (count > 0).then(|| sum / count)
}

pub(crate) fn view(rules: &Rules, department: &Department) -> Payload {
    let active = department.sessions.iter().filter_map(|(session, known)| match &known.stand {
        Stand::Given { agent, how, at, .. } => {
            let mut told = entry(session, known);
            told["agent"] = named(department, agent);
            (told["how"], told["given_at"]) = (how.as_str().into(), Wall(*at).to_string().into());
            Some(told)
        }
        Stand::Waiting => None,
    });
    // Of a list that is cut, those who are there are what is looked for.
    let (there, away): (Vec<_>, Vec<_>) =
        department.agents.iter().partition(|(_, agent)| agent.status != Status::Offline);
    let agents = there.iter().chain(&away).filter_map(|(id, _)| agent(department, id));
    let by_status: BTreeMap<&str, usize> = [Status::Online, Status::Busy, Status::Away, Status::Offline]
        .into_iter()
        .map(|status| (status.name(), department.agents.values().filter(|it| it.status == status).count()))
        .collect();
    let figures = &department.figures;
    let rule = rules.department(department.name());
    let board = json!({
        "department": department.name(),
        "title": rule.map(|rule| &rule.title),
        "sessions_max": rule.map(|rule| rule.sessions_max),
        "agent_gone_ms": rules.agent_gone_ms,
        "waiting": places(department),
        "waiting_count": waiting(department),
        "active": fitting(active, ACTIVE_BYTES_MAX),
        "active_count": department.sessions.len() - waiting(department),
        "agents": fitting(agents, AGENTS_BYTES_MAX),
        "agents_count": department.agents.len(),
        "by_status": by_status,
        "figures": {
            "closed": figures.len(),
            "first_response_ms": mean(figures.iter().filter_map(|figure| figure.first_response_ms)),
            "rating_hundredths": mean(figures.iter().filter_map(|figure| figure.rating).map(|rating| 100 * i64::from(rating))),
        },
    });
    board.to_string().into()
}
