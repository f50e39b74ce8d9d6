//! What is told of a session: records as its customer, its staff and brokers see them, the whole of it to who joins, asks, or
//! has missed too much. The one way out; what only the staff may know passes here and nowhere else.

use std::collections::BTreeMap;

use app::{Presence, SoftChange};
use serde_json::{Map, Value, json};
use vocabulary::{Audience, Class, Payload, Person, Position, Record, Shown, UserId, Wall};

use super::records::{self as kinds};
use super::said::Kept;
use super::stage::Stage;
use super::state::Session;
use super::{Asking, Part};
use crate::wire::{position, read};
use crate::{Authority, CUSTOMER, OUTWARD, Rules, STAFF};

/// A view goes out in one frame.
const VIEW_BYTES_MAX: usize = 64 << 10;

/// What a message says. The sender stands beside it.
fn message(body: &kinds::Message) -> Value {
    let mut told = json!({
        "message": body.message, "message_type": body.message_type, "sender_type": body.sender_type,
        "sender_id": body.sender_id, "attachments": body.attachments,
    });
    if let Some(id) = &body.id {
        told["event_id"] = id.as_str().into();
    }
    told
}

/// How the session stands: what `session_update` tells.
fn update(session: &Session, audience: Audience) -> Value {
    let mut told = json!({
        "session_id": session.room.name(), "status": session.status(),
        "department": session.department, "priority": session.priority,
    });
    if let Some(agent) = session.agent() {
        told["agent"] = json!({"id": agent.id, "name": agent.name});
    }
    if let Some(closes_at) = session.closes_at {
        told["closes_at"] = Wall(closes_at).to_string().into();
    }
    if audience == STAFF && session.is_away() {
        told["agent_away"] = true.into();
    }
    told
}

pub(crate) fn shown(session: &Session, record: &Record, audience: Audience) -> Option<Shown> {
    let told = |kind, payload: Value, lasting| {
        let (sender, payload) = (record.author.clone(), payload.to_string().into());
        Some(Shown { kind, payload, sender, class: Class::Record, lasting })
    };
    match &*record.kind {
        kinds::MESSAGE => told("new_message", message(&read(&record.body)?), true),
        kinds::REQUESTED if audience == OUTWARD => {
            told("message_requested", message(&read(&record.body)?), true)
        }
        kinds::NOTE if audience == STAFF => {
            told("note_added", json!({"note": read::<kinds::Note>(&record.body)?.note}), true)
        }
        kinds::READ => {
            let body: kinds::Read = read(&record.body)?;
            let user_id = record.author.as_ref().map(|author| author.id.as_str());
            let upto: Position = body.upto.parse().ok()?;
            let read = json!({"user_type": body.user_type, "user_id": user_id, "message_id": body.upto,
                "upto": position(upto)});
            told("message_read", read, false)
        }
        kinds::CONTACT_SET if audience == STAFF => {
            told("contact_set", serde_json::to_value(read::<kinds::Contact>(&record.body)?).ok()?, false)
        }
        kinds::RATED if audience == STAFF => {
            let mut rated = serde_json::to_value(read::<kinds::Rated>(&record.body)?).ok()?;
            rated["session_id"] = session.room.name().into();
            told("session_rated", rated, false)
        }
        kinds::CLOSED => {
            let body: kinds::Closed = read(&record.body)?;
            let closed = json!({"session_id": session.room.name(), "reason": body.reason, "by": body.by,
                "closed_at": record.at.to_string()});
            told("session_closed", closed, false)
        }
        kinds::AGENT_LEFT | kinds::AGENT_BACK if audience != STAFF => {
            let agent =
                session.agent().filter(|_| audience == CUSTOMER && record.position == session.updated)?;
            let status = if session.is_away() { "away" } else { "online" };
            told("agent_status", json!({"agent_id": agent.id, "name": agent.name, "status": status}), false)
        }
        // Of changes only the one that holds is told: who was away needs no more.
        kinds::STARTED
        | kinds::USER_LINKED
        | kinds::ASSIGNED
        | kinds::REQUEUED
        | kinds::AGENT_LEFT
        | kinds::AGENT_BACK
        | kinds::TRANSFERRED
        | kinds::WARNED
        | kinds::STILL_HERE
        | kinds::REOPENED
        | kinds::PRIORITY_SET
        | kinds::UPDATED
            if record.position == session.updated =>
        {
            let mut update = update(session, audience);
            if record.kind == kinds::TRANSFERRED && audience == STAFF {
                let body: kinds::Transferred = read(&record.body)?;
                update["reason"] = body.reason.into();
                if let Some(agent) = body.agent_id {
                    update["wished_agent"] = agent.into();
                }
            }
            if record.kind == kinds::ASSIGNED && audience == STAFF {
                update["how"] = read::<kinds::Assigned>(&record.body)?.how.into();
            }
            told("session_update", update, false)
        }
        _ => None,
    }
}

pub(crate) fn glimpse(session: &Session, change: &SoftChange<'_>, audience: Audience) -> Option<Shown> {
    let field = |name: &str| -> Option<Value> {
        let value: Value = serde_json::from_slice(change.value.or(change.before)?).ok()?;
        value.get(name).cloned()
    };
    if change.key == "queue" {
        // Its end is told by whatever ends the waiting.
        let mut update = update(session, audience);
        update["queue_position"] = place_in_queue(session, change.value?)?;
        let payload = update.to_string().into();
        return Some(Shown {
            kind: "session_update",
            payload,
            sender: None,
            class: change.class,
            lasting: false,
        });
    }
    let id = UserId::new(change.key.strip_prefix("typing/")?);
    if audience != STAFF && field("staff")? == Value::Bool(true) {
        return None;
    }
    let (name, user_type) = (field("name")?, field("user_type")?);
    let payload = json!({
        "user_id": id.as_str(), "sender_type": user_type, "is_typing": change.value.is_some(),
    });
    Some(Shown {
        kind: "user_typing",
        payload: payload.to_string().into(),
        sender: Some(Person { id, name: name.as_str()?.into() }),
        class: Class::Signal,
        lasting: false,
    })
}

/// As long as it is that of the waiting that goes on.
fn place_in_queue(session: &Session, value: &[u8]) -> Option<Value> {
    let mut value: Value = serde_json::from_slice(value).ok()?;
    let waits = matches!(session.stage, Stage::Waiting { .. });
    (waits && value["from"] == session.from.to_string()).then(|| value["queue_position"].take())
}

/// What holds, besides what was said.
fn whole(session: &Session, audience: Audience) -> Value {
    let mut told = update(session, audience);
    told["topic"] = session.topic.as_str().into();
    told["messages"] = session.said.count.into();
    told["customer"] = session.customer.as_ref().map_or(Value::Null, |customer| json!(customer));
    if session.started_at > 0 {
        told["started_at"] = Wall(session.started_at).to_string().into();
    }
    let marks = [("read_by_customer", session.read_by_customer), ("read_by_agent", session.read_by_agent)];
    for (name, mark) in marks.into_iter().filter(|(_, mark)| *mark > Position::default()) {
        told[name] = position(mark);
    }
    if let Stage::Closed { at, reason, by, .. } = &session.stage {
        told["closed_at"] = Wall(*at).to_string().into();
        (told["reason"], told["by"]) = (reason.as_str().into(), by.as_str().into());
    }
    if audience == STAFF {
        told["contact"] = json!(session.contact);
        told["first_response_ms"] = json!(session.first_response_ms);
        told["rated"] = json!(session.rated);
    }
    told
}

pub(crate) fn about(rules: &Rules, session: &Session, part: Part, audience: Audience) -> Value {
    let mut about = whole(session, audience);
    about["role"] = match part {
        Part::Customer => "customer",
        Part::Staff => "staff",
        Part::Agent => "agent",
        Part::Lead => "supervisor",
        Part::Backend => "backend",
    }
    .into();
    about["requires_contact"] = (session.contact.is_none() && rules.authority == Authority::Kulkul).into();
    about
}

impl Asking<'_> {
    fn audience(&self) -> Audience {
        if self.part == Part::Customer { CUSTOMER } else { STAFF }
    }
}

/// Who is there, as livechat clients read it.
pub(crate) fn present(session: &Session, presence: Presence<'_>) -> Payload {
    let customer = session.customer.as_ref().map(|customer| customer.id.as_str());
    let agent = session.agent().map(|agent| agent.id.as_str());
    let (mut users, mut customers) = (Map::new(), 0);
    for here in presence.listed() {
        let id = Some(here.id.as_str());
        // Nobody knows yet whose a session is that a broker began.
        let is_customer = if customer.is_some() { customer == id } else { agent != id };
        customers += usize::from(is_customer);
        let user_type = if is_customer { "customer" } else { "agent" };
        let told =
            json!({"user_id": here.id.as_str(), "user_type": user_type, "joined_at": here.since.to_string()});
        users.insert(here.id.as_str().to_owned(), told);
    }
    let agents = users.len() - customers;
    json!({
        "users": users, "customer_connected": customers > 0, "agent_connected": agents > 0,
        "total_customer": customers, "total_agent": agents,
    })
    .to_string()
    .into()
}

/// With the place in the queue, which is known while the department says it.
pub(super) fn session(rules: &Rules, asking: &Asking<'_>) -> Payload {
    let mut about = about(rules, asking.state(), asking.part, asking.audience());
    let place = asking.room.soft.get("queue").and_then(|value| place_in_queue(asking.state(), value));
    if let Some(place) = place {
        about["queue_position"] = place;
    }
    about.to_string().into()
}

pub(super) fn transcript(asking: &Asking<'_>) -> Payload {
    view(asking.state(), asking.audience())
}

fn entry(kept: &Kept, kind: &str) -> Option<Value> {
    let body: Value = match kind {
        "note_added" => serde_json::from_slice(&kept.body).ok()?,
        _ => message(&read(&kept.body)?),
    };
    let mut told = Map::new();
    told.insert("type".into(), kind.into());
    told.insert("id".into(), kept.position.to_string().into());
    told.insert("payload".into(), body);
    told.insert("sender".into(), json!(kept.author));
    told.insert("timestamp".into(), Wall(kept.at).to_string().into());
    told.insert("position".into(), position(kept.position));
    Some(told.into())
}

/// The newest messages that fit, and for the staff the notes between them.
pub(crate) fn view(session: &Session, audience: Audience) -> Payload {
    let mut entries: BTreeMap<Position, Value> = BTreeMap::new();
    for kept in &session.said.messages {
        entries.extend(entry(kept, "new_message").map(|entry| (kept.position, entry)));
    }
    if audience == STAFF {
        for kept in &session.said.notes {
            entries.extend(entry(kept, "note_added").map(|entry| (kept.position, entry)));
        }
    }
    let (mut bytes, mut fitting) = (0, Vec::new());
    for entry in entries.into_values().rev() {
        bytes += entry.to_string().len();
        if bytes > VIEW_BYTES_MAX {
            break;
        }
        fitting.push(entry);
    }
    fitting.reverse();
    json!({"messages": fitting, "about": whole(session, audience)}).to_string().into()
}
