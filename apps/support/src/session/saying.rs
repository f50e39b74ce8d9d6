//! Decides what is said in a session: messages, typing, read marks, notes; and what a broker says of one. It changes nothing.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Fields, SoftDraft, wrong};
use serde_json::json;
use vocabulary::{Class, Code, EVENT_ID_BYTES_MAX, Payload, Refusal, Touched, is_event_id, lower_uuid};

use super::content::{By, message, party};
use super::course::untold;
use super::records::{self as kinds, MESSAGE, NOTE, READ, REQUESTED, Sender, Side, UPDATED};
use super::state::Session;
use super::{Asking, Part};
use crate::rules::is_department_name;
use crate::standing::forbidden;
use crate::wire::{Priority, written};
use crate::{Authority, Rules};

/// A typing value ends by itself; clients repeat it while somebody types.
const TYPING: Duration = Duration::from_secs(5);
const NOTE_CHARS_MAX: usize = 2_000;
const TOPIC_CHARS_MAX: usize = 200;

pub(crate) fn is_over() -> Refusal {
    Refusal::new(Code::App("SESSION_CLOSED"), "Session is closed")
}

impl Asking<'_> {
    pub(super) fn says(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        match kind {
            "send_message" => self.send(fields),
            "typing" => self.types(true, fields),
            "stop_typing" => self.types(false, fields),
            "mark_read" => self.reads(fields),
            _ => self.notes(fields),
        }
    }

    fn open(&self) -> Result<(), Refusal> {
        if !self.state().is_closed() || self.rules.authority == Authority::Fleet {
            return Ok(());
        }
        match self.part {
            Part::Customer if self.may_reopen() => {
                Err(Refusal::new(Code::App("SESSION_CLOSED"), "Session is closed: reopen opens it again"))
            }
            _ => Err(is_over()),
        }
    }

    /// Whose words they are. A back end says whose they are; others say only their own.
    fn sender(&self, fields: &Fields<'_>) -> Result<(Sender, Option<String>), Refusal> {
        let own = self.who.id().map(|id| id.as_str().to_owned());
        match self.part {
            Part::Customer => Ok((Sender::Customer, own)),
            Part::Agent | Part::Lead => Ok((Sender::Agent, own)),
            Part::Staff => Err(forbidden(
                "only the session's agent speaks to the customer: pick or assign it, or add_note",
            )),
            Part::Backend => {
                let sender_type = match fields.text("sender_type")? {
                    None => Sender::System,
                    Some(name) => sender_of(&name)?,
                };
                Ok((sender_type, party(fields, "sender_id", "sender_name")?.map(|sender| sender.id)))
            }
        }
    }

    fn send(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        if self.state().is_unborn() && self.rules.authority == Authority::Kulkul {
            return Err(super::no_session());
        }
        let (sender_type, sender_id) = self.sender(fields)?;
        let by = if self.part == Part::Backend { By::Backend } else { By::Client };
        let said = message(fields, &self.rules.attachments, sender_type, by)?;
        self.open()?;
        let said = kinds::Message { sender_id, ..said };
        let kind = match self.rules.authority {
            Authority::Kulkul => MESSAGE,
            Authority::Fleet => REQUESTED,
        };
        Ok(Decision::record(kind, written(&said)))
    }

    fn types(&self, types: bool, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let Some(person) = self.who.person.filter(|_| self.part != Part::Backend) else {
            return Err(forbidden("only a user types"));
        };
        let off = fields.truth("is_typing")? == Some(false);
        let user_type = if self.part == Part::Customer { "customer" } else { "agent" };
        // Who writes a note is no news to the customer.
        let among_staff = self.part == Part::Staff;
        let value = json!({"name": &*person.name, "user_type": user_type, "staff": among_staff});
        let value = (types && !off && !self.state().is_closed()).then_some(value);
        Ok(typing(person.id.as_str(), value.map(|value| value.to_string().into())))
    }

    fn reads(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let upto = match fields.position("upto")? {
            Some(upto) => upto,
            None => fields.message("message_id")?.ok_or_else(|| {
                Refusal::new(Code::InvalidPayload, "upto is required: the position that was read")
            })?,
        };
        let own_agent = self.state().agent().is_some_and(|agent| self.who.is(&crate::user(&agent.id)));
        let (user_type, mark) = match self.part {
            Part::Customer => (Side::Customer, self.state().read_by_customer),
            _ if own_agent => (Side::Agent, self.state().read_by_agent),
            _ => return Err(forbidden("only the customer and the session's agent mark what is read")),
        };
        if !self.state().may_be_read(upto) {
            return Err(wrong("upto", "a position in this session", &upto.to_string()));
        }
        if upto <= mark {
            return Ok(Decision::nothing());
        }
        let body = kinds::Read { user_type, upto: upto.to_string() };
        Ok(Decision::record(READ, written(&body)))
    }

    fn notes(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.needs(Part::Staff, "add notes")?;
        let note = fields.short_text("note", NOTE_CHARS_MAX)?.filter(|note| !note.trim().is_empty());
        let missing = || Refusal::new(Code::InvalidPayload, "note is required: what the staff is to know");
        let note = note.map(Cow::into_owned).ok_or_else(missing)?;
        Ok(Decision::record(NOTE, written(&kinds::Note { note })))
    }
}

fn sender_of(name: &str) -> Result<Sender, Refusal> {
    Sender::of(name).ok_or_else(|| wrong("sender_type", "customer, agent, system or ai", name))
}

fn typing(user: &str, value: Option<Payload>) -> Decision {
    let key: Arc<str> = format!("typing/{user}").into();
    Decision::soft(SoftDraft { key, value, time_to_live: TYPING, class: Class::Signal })
}

/// What a broker says: it speaks for the team's own back end, and names whom it speaks of.
pub(crate) fn heard(rules: &Rules, session: &Session, action: Action<'_>) -> Result<Decision, Refusal> {
    let fields = Fields::of(action.payload)?;
    let named = fields.text("session_id")?;
    if named.as_deref().is_some_and(|named| lower_uuid(named).as_deref() != Some(session.room.name())) {
        return Err(wrong(
            "session_id",
            &format!("{:?}, as the room's name", session.room.name()),
            &named.unwrap_or_default(),
        ));
    }
    match action.kind {
        "message" => {
            if session.is_closed() && rules.authority == Authority::Kulkul {
                return Err(is_over());
            }
            let sender_type = sender_of(&fields.required_text("sender_type", "who speaks")?)?;
            let said = message(&fields, &rules.attachments, sender_type, By::Backend)?;
            let sender_id = party(&fields, "sender_id", "sender_name")?.map(|sender| sender.id);
            let id = fields.text("id")?.map(Cow::into_owned);
            if let Some(id) = id.as_deref().filter(|id| !is_event_id(id)) {
                let must = format!("1 to {EVENT_ID_BYTES_MAX} bytes without control characters");
                return Err(wrong("id", &must, &format!("{id:?}")));
            }
            Ok(Decision::record(MESSAGE, written(&kinds::Message { sender_id, id, ..said })))
        }
        "typing" => {
            let user = fields.user("user_id")?;
            let user_type = fields.required_text("user_type", "customer or agent")?;
            let user_type = if user_type == "customer" { "customer" } else { "agent" };
            let off = fields.truth("is_typing")? == Some(false);
            let value = json!({"name": user.as_str(), "user_type": user_type, "staff": false});
            Ok(typing(user.as_str(), (!off).then(|| value.to_string().into())))
        }
        "session_update" if rules.authority == Authority::Fleet => {
            untold(session)?;
            updated(&fields)
        }
        "session_update" => Err(forbidden(
            "this server decides what sessions are: support.authority = \"fleet\" leaves it to the broker",
        )),
        kind => Err(Refusal::new(
            Code::UnknownType,
            format!("a session takes message, typing and session_update from a broker, got {kind}"),
        )),
    }
}

fn updated(fields: &Fields<'_>) -> Result<Decision, Refusal> {
    let status = match fields.text("status")?.as_deref() {
        None => None,
        Some(known @ ("waiting" | "active" | "closed")) => Some(known.to_owned()),
        Some("queued") => Some("waiting".into()),
        Some(other) => return Err(wrong("status", "waiting, queued, active or closed", other)),
    };
    let priority = match fields.text("priority")? {
        None => None,
        Some(name) => Some(Priority::of(&name).ok_or_else(|| wrong("priority", Priority::NAMES, &name))?),
    };
    let department = fields.text("department")?.map(Cow::into_owned);
    if let Some(name) = department.as_deref().filter(|name| !is_department_name(name)) {
        return Err(wrong("department", "1 to 40 of A-Z a-z 0-9 _ -", name));
    }
    let body = kinds::Updated {
        status,
        customer: party(fields, "customer_id", "customer_name")?,
        agent: party(fields, "agent_id", "agent_name")?,
        department,
        priority,
        topic: fields.short_text("topic", TOPIC_CHARS_MAX)?.map(Cow::into_owned),
    };
    // Who may be here may have changed with it.
    Ok(Decision::record(UPDATED, written(&body)).touching(Touched::Everybody))
}
