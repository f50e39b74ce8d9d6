//! Decides what becomes of a session: start, hand over, end, begin anew, and what is known of its customer. It changes nothing.

use std::borrow::Cow;

use app::{Decision, Fields, wrong};
use serde_json::json;
use vocabulary::{Code, Refusal, Touched, UserId};

use super::content::{contact, is_email, party};
use super::records::{
    self as kinds, CLOSED, CONTACT_SET, PRIORITY_SET, RATED, REOPENED, STARTED, STILL_HERE, TRANSFERRED,
    USER_LINKED,
};
use super::stage::Stage;
use super::state::Session;
use super::{Asking, Part};
use crate::Rules;
use crate::standing::{Role, Who, forbidden};
use crate::wire::{Party, Priority, written};

const TOPIC_CHARS_MAX: usize = 200;
const REASON_CHARS_MAX: usize = 200;
const FEEDBACK_CHARS_MAX: usize = 1_000;

fn priority(fields: &Fields<'_>) -> Result<Option<Priority>, Refusal> {
    let Some(name) = fields.text("priority")? else { return Ok(None) };
    Priority::of(&name).map(Some).ok_or_else(|| wrong("priority", Priority::NAMES, &name))
}

fn reason(fields: &Fields<'_>, otherwise: &str) -> Result<String, Refusal> {
    let reason = fields.short_text("reason", REASON_CHARS_MAX)?.filter(|reason| !reason.trim().is_empty());
    Ok(reason.map_or_else(|| otherwise.to_owned(), Cow::into_owned))
}

/// Nobody else's word may be in flight: a session that its department and its people have not heard of for long is not moved on.
pub(super) fn untold(session: &Session) -> Result<(), Refusal> {
    match session.untold.is_full() {
        true => Err(Refusal::busy(5_000)),
        false => Ok(()),
    }
}

/// The first makes the session; another of the same customer is answered with what stands.
pub(crate) fn start(
    rules: &Rules,
    session: &Session,
    who: &Who<'_>,
    fields: &Fields<'_>,
) -> Result<Decision, Refusal> {
    let customer = match who.role {
        Role::Backend => party(fields, "customer_id", "customer_name")?.ok_or_else(|| {
            Refusal::new(Code::InvalidPayload, "customer_id is required: for whom the session is")
        })?,
        _ => Party::of(who.person.ok_or_else(|| forbidden("only users and keys start sessions"))?),
    };
    let topic = fields.short_text("topic", TOPIC_CHARS_MAX)?.unwrap_or_default().into_owned();
    // Who is in more of a hurry than others, others say.
    let most = if who.is_staff() || who.role == Role::Backend { Priority::Urgent } else { Priority::Normal };
    let priority = priority(fields)?.unwrap_or_default().min(most);
    let department = rules.department_or_first(fields.text("department")?.as_deref())?.name.clone();
    if !session.is_unborn() {
        return match &session.customer {
            Some(stands) if stands.id == customer.id => {
                Ok(Decision::reply(started(session).to_string().into()))
            }
            _ => {
                Err(Refusal::new(Code::App("EXISTS"), "this session is another's: start one of another name"))
            }
        };
    }
    let reply = json!({
        "session_id": session.room.name(), "status": "waiting", "department": department,
        "priority": priority, "topic": topic, "requires_contact": true,
    });
    let touched = Touched::Everybody;
    let body = kinds::Started { customer, department, priority, topic };
    Ok(Decision::record(STARTED, written(&body)).touching(touched).with_reply(reply.to_string().into()))
}

fn started(session: &Session) -> serde_json::Value {
    json!({
        "session_id": session.room.name(), "status": session.status(), "department": session.department,
        "priority": session.priority, "topic": session.topic, "requires_contact": session.contact.is_none(),
    })
}

impl Asking<'_> {
    pub(super) fn steers(&self, kind: &str, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        match kind {
            "set_contact" => {
                if self.part == Part::Staff {
                    self.needs(Part::Agent, "set the contact")?;
                }
                Ok(self.acked(Decision::record(CONTACT_SET, written(&contact(fields)?))))
            }
            "link_user" => self.link(fields),
            "assign" => self.assign(fields),
            "transfer" => self.transfer(fields),
            "close" => self.close(fields),
            "rate" => self.rate(fields),
            "reopen" => self.reopen(),
            "still_here" => self.still_here(),
            "set_priority" => self.set_priority(fields),
            _ => self.escalate(fields),
        }
    }

    /// Of what its author does not see again: an answer of its own, so that nobody takes it for a message that was sent.
    fn acked(&self, decision: Decision) -> Decision {
        decision.with_reply(json!({"session_id": self.state().room.name()}).to_string().into())
    }

    /// Who was a guest is known now. Only a back end can tell.
    fn link(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.needs(Part::Backend, "link users")?;
        untold(self.state())?;
        let missing = || Refusal::new(Code::InvalidPayload, "user_id is required: who the customer is");
        let customer = party(fields, "user_id", "name")?.ok_or_else(missing)?;
        let email = fields.short_text("email", 200)?.map(Cow::into_owned);
        if let Some(email) = email.as_deref().filter(|email| !is_email(email)) {
            return Err(wrong("email", "an e-mail address", email));
        }
        if self.state().customer.as_ref() == Some(&customer) {
            return Ok(Decision::nothing());
        }
        if self.state().promised().is_some_and(|agent| agent.id == customer.id) {
            return Err(wrong("user_id", "somebody else than the session's agent", &customer.id));
        }
        let body = kinds::Linked { customer, email };
        Ok(Decision::record(USER_LINKED, written(&body)).touching(Touched::Everybody))
    }

    /// To one agent of its department, or to oneself.
    fn assign(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.needs(Part::Staff, "assign sessions")?;
        let agent = match (fields.text("agent_id")?, self.who.id()) {
            (None, Some(own)) if self.part != Part::Backend => own.clone(),
            _ => fields.user("agent_id")?,
        };
        if !self.who.is(&agent) {
            self.needs(Part::Lead, "assign sessions to others")?;
        }
        // One of those who want it has it, as by `pick`: a colleague's is not for the taking.
        if let Some(other) = self.state().promised().filter(|other| other.id != agent.as_str())
            && self.part < Part::Lead
        {
            return Err(Refusal::new(Code::App("TAKEN"), format!("session was given to {}", other.name)));
        }
        let department = self.state().department.clone();
        let department = self.rules.department_or_first(department.as_deref())?.name.clone();
        self.hand_over(department, Some(agent), reason(fields, "assigned")?)
    }

    fn transfer(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.needs(Part::Agent, "transfer a session")?;
        let agent = match fields.has("agent_id") {
            true => Some(fields.user("agent_id")?),
            false => None,
        };
        let department = match (fields.text("department")?, &agent) {
            (Some(name), _) => self.rules.department_or_first(Some(&*name))?.name.clone(),
            (None, Some(_)) => {
                self.rules.department_or_first(self.state().department.as_deref())?.name.clone()
            }
            (None, None) => {
                let text = "department is required, or agent_id: where the session is to go";
                return Err(Refusal::new(Code::InvalidPayload, text));
            }
        };
        self.hand_over(department, agent, reason(fields, "transferred")?)
    }

    fn hand_over(
        &self,
        department: String,
        agent: Option<UserId>,
        reason: String,
    ) -> Result<Decision, Refusal> {
        let session = self.state();
        if session.is_closed() {
            return Err(super::saying::is_over());
        }
        untold(session)?;
        let id = agent.as_ref().map(UserId::as_str);
        let same = session.department.as_ref() == Some(&department);
        if same && id.is_some() && session.agent().map(|agent| agent.id.as_str()) == id && !session.is_away()
        {
            return Err(Refusal::new(Code::App("TAKEN"), "the session is with that agent already"));
        }
        if same && id.is_none() {
            return Err(wrong("department", "another department, or name an agent_id", &department));
        }
        if id.is_some() && session.customer.as_ref().map(|customer| customer.id.as_str()) == id {
            return Err(wrong("agent_id", "somebody else than the customer", id.unwrap_or_default()));
        }
        if session.customer.is_none() {
            return Err(forbidden("nobody knows the customer of this session yet: link_user names them"));
        }
        let body = kinds::Transferred { department, agent_id: agent.map(|id| id.to_string()), reason };
        Ok(Decision::record(TRANSFERRED, written(&body)).touching(Touched::Everybody))
    }

    fn close(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        if self.part == Part::Staff {
            self.needs(Part::Agent, "close a session")?;
        }
        let session = self.state();
        if session.is_closed() {
            return Err(Refusal::new(Code::App("SESSION_CLOSED"), "Session is already closed"));
        }
        untold(session)?;
        let by = match self.part {
            Part::Customer => "customer",
            Part::Staff | Part::Agent | Part::Lead => "agent",
            Part::Backend => "backend",
        };
        let rated = rating(fields)?;
        let body = kinds::Closed { reason: reason(fields, "resolved")?, by: by.into() };
        let mut decision = Decision::record(CLOSED, written(&body));
        if let Some(rated) = rated {
            self.for_customer("rate a session")?;
            decision.records.extend(Decision::record(RATED, written(&rated)).records);
        }
        Ok(decision)
    }

    fn rate(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.for_customer("rate a session")?;
        let missing = || Refusal::new(Code::InvalidPayload, "rating is required: 1 to 5");
        let rated = rating(fields)?.ok_or_else(missing)?;
        if !self.state().is_closed() {
            return Err(forbidden("a session is rated when it is over: close takes a rating, too"));
        }
        if self.state().rated.as_ref() == Some(&rated) {
            return Ok(Decision::nothing());
        }
        Ok(self.acked(Decision::record(RATED, written(&rated))))
    }

    pub(super) fn may_reopen(&self) -> bool {
        match self.state().stage {
            Stage::Closed { at, .. } => self.now.wall.0 < at.saturating_add(self.rules.reopen_ms),
            _ => false,
        }
    }

    fn reopen(&self) -> Result<Decision, Refusal> {
        let session = self.state();
        if !session.is_closed() {
            return Err(forbidden("the session is open"));
        }
        untold(session)?;
        match self.part {
            Part::Customer if !self.may_reopen() => {
                let hours = self.rules.reopen_ms / 3_600_000;
                return Err(Refusal::new(
                    Code::App("SESSION_CLOSED"),
                    format!("Session is closed: it could be reopened for {hours} h, start another one"),
                ));
            }
            Part::Customer | Part::Lead | Part::Backend => {}
            Part::Staff | Part::Agent => {
                return Err(forbidden("only the customer, a supervisor or an admin may reopen a session"));
            }
        }
        if session.customer.is_none() || session.department.is_none() {
            return Err(forbidden("this session was never in a queue: start another one"));
        }
        Ok(Decision::record(REOPENED, written(&json!({}))))
    }

    /// The answer to a warning, by who has nothing else to say.
    fn still_here(&self) -> Result<Decision, Refusal> {
        self.for_customer("say so")?;
        match self.state().closes_at {
            Some(_) => Ok(Decision::record(STILL_HERE, written(&json!({})))),
            None => Ok(Decision::nothing()),
        }
    }

    fn set_priority(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.needs(Part::Staff, "set the priority")?;
        let missing =
            || Refusal::new(Code::InvalidPayload, format!("priority is required: {}", Priority::NAMES));
        let priority = priority(fields)?.ok_or_else(missing)?;
        if self.state().is_closed() {
            return Err(super::saying::is_over());
        }
        if priority == self.state().priority {
            return Ok(Decision::nothing());
        }
        Ok(Decision::record(PRIORITY_SET, written(&kinds::PrioritySet { priority })))
    }

    /// From whoever answers before people do to people: into the queue, if it is in none.
    fn escalate(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        self.for_customer("ask for a person")?;
        let accepts = fields.truth("accept")?.unwrap_or(true);
        let told = |escalated: bool, message: &str| json!({"escalated": escalated, "message": message});
        let nothing = |escalated, message| Ok(Decision::reply(told(escalated, message).to_string().into()));
        if !accepts {
            return nothing(false, "You stay in this chat.");
        }
        match &self.state().stage {
            Stage::Active { agent: None, .. } => {}
            Stage::Active { .. } => return nothing(true, "You are talking to a person."),
            Stage::Waiting { .. } => return nothing(true, "You are in the queue."),
            Stage::Closed { .. } | Stage::Unborn => return Err(super::saying::is_over()),
        }
        let department = self.rules.department_or_first(self.state().department.as_deref())?.name.clone();
        if self.state().customer.is_some() {
            let body = kinds::Transferred { department, agent_id: None, reason: "escalation".into() };
            let message = "You are in the queue.";
            let decision = Decision::record(TRANSFERRED, written(&body)).touching(Touched::Everybody);
            return Ok(decision.with_reply(told(true, message).to_string().into()));
        }
        // The token was made for this room, so whoever bears it is the customer; now the session knows, too.
        let customer =
            Party::of(self.who.person.ok_or_else(|| forbidden("only the customer may ask for a person"))?);
        let linked = kinds::Linked { customer, email: None };
        let mut decision = Decision::record(USER_LINKED, written(&linked));
        let body = kinds::Transferred { department, agent_id: None, reason: "escalation".into() };
        decision.records.extend(Decision::record(TRANSFERRED, written(&body)).records);
        Ok(decision
            .touching(Touched::Everybody)
            .with_reply(told(true, "You are in the queue.").to_string().into()))
    }
}

fn rating(fields: &Fields<'_>) -> Result<Option<kinds::Rated>, Refusal> {
    let feedback = fields.short_text("feedback", FEEDBACK_CHARS_MAX)?.map(Cow::into_owned);
    let Some(rating) = fields.number("rating", 1..=5)? else {
        return match feedback {
            Some(_) => Err(Refusal::new(Code::InvalidPayload, "rating is required beside feedback: 1 to 5")),
            None => Ok(None),
        };
    };
    Ok(Some(kinds::Rated { rating: u8::try_from(rating).unwrap_or(5), feedback }))
}
