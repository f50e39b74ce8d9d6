//! What a department writes into its log, and reads from it.

use serde::{Deserialize, Serialize};

use crate::wire::{Party, Priority};

pub(crate) const WAITS: &str = "waits";
pub(crate) const LEFT: &str = "left";
pub(crate) const GIVEN: &str = "given";
/// The session would not have it: it waits here no more.
pub(crate) const RELEASED: &str = "released";
pub(crate) const AGENT_STATUS: &str = "agent_status";
/// The desk is closed for too long, or nobody has heard of the agent.
pub(crate) const AGENT_LOST: &str = "agent_lost";
/// An agent without a desk was heard of. Shown to nobody.
pub(crate) const SEEN: &str = "seen";
/// Sessions are told their places. Shown to nobody.
pub(crate) const PLACES: &str = "places";
/// A session has answered. Shown to nobody.
pub(crate) const ANSWERED: &str = "answered";

/// `from`: the session's record by which it came to wait; `as_of`: the one that told of it.
#[derive(Serialize, Deserialize)]
pub(crate) struct Waits {
    pub session: String,
    pub from: String,
    pub as_of: String,
    pub priority: Priority,
    pub since: i64,
    pub head: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub wished: Option<String>,
    /// Who handed it on: it does not come back to them by itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub avoid: Option<String>,
    pub customer_id: String,
    pub name: String,
    pub topic: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Left {
    pub session: String,
    pub as_of: String,
    pub moved: bool,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first_response_ms: Option<i64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rating: Option<u8>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Given {
    pub session: String,
    pub agent_id: String,
    pub how: String,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Released {
    pub session: String,
    pub position: String,
    pub number: u32,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Status {
    Online,
    Busy,
    Away,
    #[default]
    Offline,
}

impl Status {
    pub(crate) const NAMES: &str = "online, busy, away or offline";

    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Online => "online",
            Status::Busy => "busy",
            Status::Away => "away",
            Status::Offline => "offline",
        }
    }

    pub(crate) fn of(name: &str) -> Option<Status> {
        [Status::Online, Status::Busy, Status::Away, Status::Offline]
            .into_iter()
            .find(|status| status.name() == name)
    }
}

/// `desk`: said over a connection, whose end is the end of the desk; else by somebody who is heard of from time to time.
#[derive(Serialize, Deserialize)]
pub(crate) struct AgentStatus {
    pub agent: Party,
    pub status: Status,
    pub desk: bool,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Lost {
    pub agent_id: String,
}

/// Sessions and their places, of those whose place is another than they were told.
#[derive(Serialize, Deserialize)]
pub(crate) struct Places {
    pub places: Vec<(String, u32)>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Answered {
    pub session: String,
    pub position: String,
    pub number: u32,
}
