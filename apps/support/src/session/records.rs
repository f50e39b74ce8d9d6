//! What a session writes into its log, and reads from it.

use serde::{Deserialize, Serialize};

use crate::wire::{Party, Priority};

pub(crate) const STARTED: &str = "started";
pub(crate) const CONTACT_SET: &str = "contact_set";
pub(crate) const USER_LINKED: &str = "user_linked";
pub(crate) const MESSAGE: &str = "message";
/// A client's words on their way to the back end that decides here. Shown to nobody here, and to brokers.
pub(crate) const REQUESTED: &str = "requested";
pub(crate) const NOTE: &str = "note";
pub(crate) const READ: &str = "read";
pub(crate) const ASSIGNED: &str = "assigned";
pub(crate) const REQUEUED: &str = "requeued";
/// The agent has left, and nothing is owed to the customer: the session stays theirs for now.
pub(crate) const AGENT_LEFT: &str = "agent_left";
pub(crate) const AGENT_BACK: &str = "agent_back";
pub(crate) const TRANSFERRED: &str = "transferred";
pub(crate) const WARNED: &str = "warned";
pub(crate) const STILL_HERE: &str = "still_here";
pub(crate) const CLOSED: &str = "closed";
pub(crate) const RATED: &str = "rated";
pub(crate) const REOPENED: &str = "reopened";
pub(crate) const PRIORITY_SET: &str = "priority_set";
/// What the back end that decides here says the session is.
pub(crate) const UPDATED: &str = "session_updated";
/// The department is told again that the session waits, should it have lost it. Shown to nobody.
pub(crate) const ASKED_AGAIN: &str = "asked_again";
/// Another room has answered. Shown to nobody.
pub(crate) const TOLD: &str = "told";

#[derive(Serialize, Deserialize)]
pub(crate) struct Started {
    pub customer: Party,
    pub department: String,
    pub priority: Priority,
    pub topic: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Contact {
    pub contact_name: String,
    pub contact_email: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contact_phone: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub company_name: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Linked {
    pub customer: Party,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Sender {
    Customer,
    Agent,
    System,
    Ai,
}

impl Sender {
    pub(crate) fn of(name: &str) -> Option<Sender> {
        match name {
            "customer" => Some(Sender::Customer),
            "agent" => Some(Sender::Agent),
            "system" => Some(Sender::System),
            "ai" => Some(Sender::Ai),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Attachment {
    /// None: its name is all that may be shown of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    #[serde(default, rename = "type", skip_serializing_if = "Option::is_none")]
    pub media_type: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Message {
    pub message: String,
    pub message_type: String,
    pub sender_type: Sender,
    #[serde(default)]
    pub sender_id: Option<String>,
    #[serde(default)]
    pub attachments: Vec<Attachment>,
    /// Of a broker's message: its own name there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Note {
    pub note: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Side {
    Customer,
    Agent,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Read {
    pub user_type: Side,
    pub upto: String,
}

/// `given`: the department's record by which it was given.
#[derive(Serialize, Deserialize)]
pub(crate) struct Assigned {
    pub agent: Party,
    pub how: String,
    pub given: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Reason {
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Transferred {
    pub department: String,
    /// To this agent, if there is a place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent_id: Option<String>,
    pub reason: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Warned {
    pub closes_at: i64,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Closed {
    pub reason: String,
    pub by: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Rated {
    pub rating: u8,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub feedback: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct PrioritySet {
    pub priority: Priority,
}

/// Of the fleet's own back end; what is absent stays as it is.
#[derive(Debug, Default, Serialize, Deserialize)]
pub(crate) struct Updated {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub status: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub customer: Option<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub agent: Option<Party>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub department: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub priority: Option<Priority>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub topic: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Told {
    pub position: String,
    pub number: u32,
}
