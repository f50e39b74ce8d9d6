//! What an app may ask for: records, soft values, a reply, a duty, a step.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use vocabulary::{Class, Payload, Position, RoomId, Touched};

/// What `decide` wants to happen. The records of one decision are stored together or not at all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decision {
    pub records: Vec<Draft>,
    pub soft: Vec<SoftDraft>,
    /// Sent to the caller with the ack, or alone if nothing is recorded.
    pub reply: Option<Payload>,
    /// Nothing is decided with it on the same state: what follows must see what it records.
    pub alone: bool,
    /// Something is to be done from now on, or at another time: of an app that has duties only sometimes, the steward is to look.
    pub wakes: bool,
}

/// A record before it has a place and a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Draft {
    pub kind: &'static str,
    pub body: Payload,
    /// Whose membership this record may change.
    pub touches: Touched,
}

/// A soft value to publish; `value: None` ends it early.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SoftDraft {
    pub key: Arc<str>,
    pub value: Option<Payload>,
    pub time_to_live: Duration,
    pub class: Class,
}

/// What must be done at a time, once. It comes back to `decide` as `Caller::Duty`, with this name and payload.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Duty {
    pub name: Arc<str>,
    pub payload: Payload,
}

/// An open step of a saga: a command for another room, named by the record that opened it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The record that opened the step, as `apply` saw it, and which of its steps this is. Epoch and all: after a loss
    /// offsets begin at 1 again, and the app's state holds open steps of both epochs.
    pub position: Position,
    pub number: u32,
    pub room: RoomId,
    pub kind: Cow<'static, str>,
    pub payload: Payload,
}

/// An erasure: of which records, the app says of each; and by which duty the steward says that it is done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sweep {
    /// The record that began it. None after it is erased.
    pub upto: Position,
    pub then: Duty,
}

impl Draft {
    /// Nobody's membership is another with it.
    pub fn new(kind: &'static str, body: Payload) -> Draft {
        Draft { kind, body, touches: Touched::NOBODY }
    }
}

impl Decision {
    pub fn nothing() -> Decision {
        Decision::default()
    }

    pub fn record(kind: &'static str, body: Payload) -> Decision {
        Decision::records(vec![Draft::new(kind, body)])
    }

    pub fn records(records: Vec<Draft>) -> Decision {
        Decision { records, ..Decision::default() }
    }

    pub fn soft(draft: SoftDraft) -> Decision {
        Decision { soft: vec![draft], ..Decision::default() }
    }

    /// A reply, and nothing is recorded.
    pub fn reply(reply: Payload) -> Decision {
        Decision::nothing().with_reply(reply)
    }

    /// The membership of these may be another with it.
    #[must_use]
    pub fn touching(mut self, touched: Touched) -> Decision {
        if let Some(draft) = self.records.last_mut() {
            draft.touches = touched;
        }
        self
    }

    #[must_use]
    pub fn with_reply(mut self, reply: Payload) -> Decision {
        self.reply = Some(reply);
        self
    }
}
