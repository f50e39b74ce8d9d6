//! A session's state, and the fold: how each record changes it. Total; it reads nothing but records.

use app::Applied;
use serde::{Deserialize, Serialize};
use vocabulary::{Position, Record, RoomId};

use super::records::{self as kinds, Contact, Rated, Sender, Side};
use super::said::Said;
use super::stage::{Stage, Turn};
use super::telling::Telling;
use crate::wire::{Party, Priority, place, read};

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    pub stage: Stage,
    /// None: a broker's message began it, and nobody queued it.
    pub department: Option<String>,
    pub priority: Priority,
    pub topic: String,
    pub customer: Option<Party>,
    pub contact: Option<Contact>,
    pub started_at: i64,
    /// Since when the customer waits, however often the session changed hands: its place in the queue.
    pub since: i64,
    /// The record by which it came to wait the last time. An assignment answers this one and no other.
    #[serde(with = "place")]
    pub from: Position,
    /// The newest of the department's records by which it was given.
    #[serde(with = "place")]
    pub given: Position,
    pub first_response_ms: Option<i64>,
    pub rated: Option<Rated>,
    pub turn: Turn,
    pub customer_at: i64,
    pub staff_at: i64,
    /// When it ends if the customer says nothing; they were told.
    pub closes_at: Option<i64>,
    #[serde(with = "place")]
    pub read_by_customer: Position,
    #[serde(with = "place")]
    pub read_by_agent: Position,
    pub said: Said,
    pub untold: Telling,
    /// When the department was last told.
    pub told_at: i64,
    #[serde(with = "place")]
    pub newest: Position,
    /// The newest record that clients see as a change of the session.
    #[serde(with = "place")]
    pub updated: Position,
}

fn nowhere() -> RoomId {
    RoomId::new("support", "")
}

impl Session {
    pub(crate) fn new(room: &RoomId) -> Session {
        Session {
            room: room.clone(),
            stage: Stage::Unborn,
            department: None,
            priority: Priority::default(),
            topic: String::new(),
            customer: None,
            contact: None,
            started_at: 0,
            since: 0,
            from: Position::default(),
            given: Position::default(),
            first_response_ms: None,
            rated: None,
            turn: Turn::default(),
            customer_at: 0,
            staff_at: 0,
            closes_at: None,
            read_by_customer: Position::default(),
            read_by_agent: Position::default(),
            said: Said::default(),
            untold: Telling::default(),
            told_at: 0,
            newest: Position::default(),
            updated: Position::default(),
        }
    }

    pub(crate) fn is_unborn(&self) -> bool {
        self.stage == Stage::Unborn
    }

    /// A place that there was: in this epoch, or among what is known of the ones before it.
    pub(crate) fn may_be_read(&self, upto: Position) -> bool {
        let known = || self.said.messages.iter().map(|kept| kept.position);
        upto <= self.newest
            && (upto.epoch == self.newest.epoch
                || known().any(|place| place.epoch == upto.epoch && upto <= place))
    }

    pub(crate) fn is_closed(&self) -> bool {
        matches!(self.stage, Stage::Closed { .. })
    }

    pub(crate) fn status(&self) -> &'static str {
        match self.stage {
            Stage::Unborn | Stage::Waiting { .. } => "waiting",
            Stage::Active { .. } => "active",
            Stage::Closed { .. } => "closed",
        }
    }

    /// Whose it is, or was when it ended.
    pub(crate) fn agent(&self) -> Option<&Party> {
        match &self.stage {
            Stage::Active { agent, .. } | Stage::Closed { agent, .. } => agent.as_ref(),
            Stage::Unborn | Stage::Waiting { .. } => None,
        }
    }

    /// Whose it is, or is to be, unless they have left it.
    pub(crate) fn promised(&self) -> Option<Party> {
        match &self.stage {
            Stage::Active { agent, away: false } => agent.clone(),
            Stage::Waiting { wished: Some(id), .. } => Some(Party { id: id.clone(), name: id.clone() }),
            _ => None,
        }
    }

    pub(crate) fn is_away(&self) -> bool {
        matches!(self.stage, Stage::Active { away: true, .. })
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        self.newest = record.position;
        let done = match &*record.kind {
            kinds::MESSAGE => self.message(record),
            kinds::NOTE => read::<kinds::Note>(&record.body).map(|_| self.said.note(record)),
            kinds::READ => self.read(record),
            kinds::REQUESTED => Some(()),
            kinds::TOLD => self.told(record),
            kinds::ASKED_AGAIN => {
                self.tell_department(record);
                Some(())
            }
            kinds::CONTACT_SET => read(&record.body).map(|contact| self.contact = Some(contact)),
            kinds::WARNED => read(&record.body).map(|warned: kinds::Warned| {
                self.closes_at = Some(warned.closes_at);
                self.updated = record.position;
            }),
            kinds::STILL_HERE => {
                (self.closes_at, self.customer_at) = (None, record.at.0);
                self.updated = record.position;
                Some(())
            }
            kinds::STARTED | kinds::USER_LINKED | kinds::RATED | kinds::PRIORITY_SET | kinds::UPDATED => {
                self.changed(record)
            }
            kinds::ASSIGNED
            | kinds::REQUEUED
            | kinds::AGENT_LEFT
            | kinds::AGENT_BACK
            | kinds::TRANSFERRED
            | kinds::CLOSED
            | kinds::REOPENED => self.moved(record),
            _ => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }

    fn message(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Message = read(&record.body)?;
        let at = record.at.0;
        if self.is_unborn() {
            (self.started_at, self.since) = (at, at);
            (self.customer_at, self.staff_at) = (at, at);
            self.stage = Stage::Active { agent: None, away: false };
        }
        match body.sender_type {
            Sender::Customer => {
                (self.turn, self.customer_at, self.closes_at) = (Turn::Staff, at, None);
            }
            Sender::Agent | Sender::Ai => {
                (self.turn, self.staff_at, self.closes_at) = (Turn::Customer, at, None);
            }
            Sender::System => {}
        }
        if body.sender_type == Sender::Agent && self.first_response_ms.is_none() {
            self.first_response_ms = Some(at - self.started_at);
        }
        self.said.keep(record);
        Some(())
    }

    fn read(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Read = read(&record.body)?;
        let upto: Position = body.upto.parse().ok()?;
        let mark = match body.user_type {
            Side::Customer => &mut self.read_by_customer,
            Side::Agent => &mut self.read_by_agent,
        };
        *mark = upto.max(*mark);
        Some(())
    }

    fn changed(&mut self, record: &Record) -> Option<()> {
        match &*record.kind {
            kinds::STARTED => {
                let body: kinds::Started = read(&record.body)?;
                if !self.is_unborn() {
                    return Some(());
                }
                let at = record.at.0;
                (self.started_at, self.since) = (at, at);
                (self.customer_at, self.staff_at) = (at, at);
                (self.priority, self.topic) = (body.priority, body.topic);
                self.tell_person(record, &body.customer.id);
                self.customer = Some(body.customer);
                self.department = Some(body.department);
                self.wait(record, false, None, None);
            }
            kinds::USER_LINKED => {
                let body: kinds::Linked = read(&record.body)?;
                for id in [self.customer.as_ref(), Some(&body.customer)].into_iter().flatten() {
                    self.untold.tell_person(record.position, &id.id);
                }
                self.customer = Some(body.customer);
                self.tell_if_waiting(record);
            }
            kinds::RATED => {
                self.rated = Some(read(&record.body)?);
                self.tell_department(record);
                return Some(());
            }
            kinds::PRIORITY_SET => {
                self.priority = read::<kinds::PrioritySet>(&record.body)?.priority;
                self.tell_if_waiting(record);
            }
            _ => self.updated_elsewhere(record)?,
        }
        self.updated = record.position;
        Some(())
    }

    /// The back end that decides here has spoken.
    fn updated_elsewhere(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Updated = read(&record.body)?;
        let at = record.at.0;
        if self.is_unborn() {
            (self.started_at, self.since) = (at, at);
            self.stage = Stage::Active { agent: None, away: false };
        }
        let before = [self.customer.clone(), self.agent().cloned()];
        if let Some(customer) = body.customer {
            self.customer = Some(customer);
        }
        (self.department, self.priority) =
            (body.department.or(self.department.take()), body.priority.unwrap_or(self.priority));
        self.topic = body.topic.unwrap_or(std::mem::take(&mut self.topic));
        let agent = body.agent.or_else(|| self.agent().cloned());
        self.stage = match body.status.as_deref().unwrap_or(self.status()) {
            "waiting" => Stage::Waiting { head: false, wished: None, avoid: None },
            "closed" => Stage::Closed { at, reason: "closed".into(), by: "backend".into(), agent },
            _ => Stage::Active { agent, away: false },
        };
        let now = [self.customer.clone(), self.agent().cloned()];
        for person in before.into_iter().chain(now).flatten() {
            self.tell_person(record, &person.id);
        }
        Some(())
    }

    /// What changes whose the session is.
    fn moved(&mut self, record: &Record) -> Option<()> {
        let agent = self.agent().cloned();
        let changed = match &*record.kind {
            kinds::ASSIGNED => self.assigned(record)?,
            kinds::REQUEUED => match self.stage {
                Stage::Active { .. } => {
                    self.wait(record, true, None, None);
                    true
                }
                _ => false,
            },
            kinds::AGENT_LEFT | kinds::AGENT_BACK => {
                if let Stage::Active { away, .. } = &mut self.stage {
                    *away = record.kind == kinds::AGENT_LEFT;
                }
                // Silence is reckoned anew from where somebody is there to be answered.
                (self.closes_at, self.staff_at) = (None, self.staff_at.max(record.at.0));
                self.updated = record.position;
                return Some(());
            }
            kinds::TRANSFERRED => {
                let body: kinds::Transferred = read(&record.body)?;
                if let Some(before) = self.department.replace(body.department) {
                    self.untold.tell_department(record.position, &before);
                }
                // To somebody: in front, should they have no place. To a department: with the time that was waited already.
                let avoid = agent.as_ref().map(|agent| agent.id.clone());
                self.wait(record, body.agent_id.is_some(), body.agent_id, avoid);
                true
            }
            kinds::CLOSED => {
                let body: kinds::Closed = read(&record.body)?;
                if !self.is_closed() {
                    let (reason, by, agent) = (body.reason, body.by, self.agent().cloned());
                    self.stage = Stage::Closed { at: record.at.0, reason, by, agent };
                    self.closes_at = None;
                    self.tell_department(record);
                }
                true
            }
            _ => {
                (self.since, self.customer_at, self.turn) = (record.at.0, record.at.0, Turn::Staff);
                self.wait(record, false, None, None);
                true
            }
        };
        if changed {
            self.updated = record.position;
            let both = [self.customer.clone(), agent, self.agent().cloned()];
            for person in both.into_iter().flatten() {
                self.tell_person(record, &person.id);
            }
        }
        Some(())
    }

    fn assigned(&mut self, record: &Record) -> Option<bool> {
        let body: kinds::Assigned = read(&record.body)?;
        if self.is_closed() {
            return Some(false);
        }
        self.given = body.given.parse().ok()?;
        self.staff_at = self.staff_at.max(record.at.0);
        self.closes_at = None;
        self.stage = Stage::Active { agent: Some(body.agent), away: false };
        // The department knows that it waited.
        if let Some(department) = &self.department {
            self.untold.settle_department(department);
        }
        Some(true)
    }

    fn wait(&mut self, record: &Record, head: bool, wished: Option<String>, avoid: Option<String>) {
        self.stage = Stage::Waiting { head, wished, avoid };
        (self.from, self.closes_at) = (record.position, None);
        // Of another department's records: places of two rooms compare to nothing.
        self.given = Position::default();
        self.tell_department(record);
    }

    fn tell_if_waiting(&mut self, record: &Record) {
        if matches!(self.stage, Stage::Waiting { .. }) {
            self.tell_department(record);
        }
    }

    fn tell_department(&mut self, record: &Record) {
        self.told_at = record.at.0;
        if let Some(department) = &self.department {
            self.untold.tell_department(record.position, department);
        }
    }

    fn tell_person(&mut self, record: &Record, id: &str) {
        self.untold.tell_person(record.position, id);
    }

    fn told(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Told = read(&record.body)?;
        self.untold.settle(body.position.parse().ok()?, body.number);
        Some(())
    }
}
