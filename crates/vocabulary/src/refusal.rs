//! Why a request was not done, and who is to blame. A refusal is a value; it ends in one place, where a protocol words
//! it.

use std::borrow::Cow;

use crate::{Reference, RoomId};

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Code {
    InvalidFormat,
    UnknownType,
    MissingRoom,
    NotInRoom,
    InvalidPayload,
    TooManyRooms,
    RateLimit,
    /// Not stored, try again.
    Busy,
    /// Sent to the engine and unanswered: resend the same id to learn.
    Unconfirmed,
    Forbidden,
    /// Who asks has not proven who it is.
    Unauthorized,
    /// Our fault. The peer learns only a reference that stands in the log.
    Internal,
    /// A code of the app's own.
    App(&'static str),
}

impl Code {
    /// Whether the sender could have known better; our own troubles are not held against it.
    pub fn is_clients_fault(self) -> bool {
        !matches!(self, Code::Busy | Code::Unconfirmed | Code::Internal)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    pub code: Code,
    pub text: Cow<'static, str>,
    pub retry_after_ms: Option<u32>,
    /// Under which our log says what happened. Boxed, because most refusals have none and all travel.
    pub reference: Option<Box<Reference>>,
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, text: text.into(), retry_after_ms: None, reference: None }
    }

    pub fn no_app(room: &RoomId) -> Refusal {
        Refusal::new(Code::InvalidPayload, format!("no app serves the room {room}"))
    }

    pub fn busy(retry_after_ms: u32) -> Refusal {
        Refusal {
            retry_after_ms: Some(retry_after_ms),
            ..Refusal::new(Code::Busy, "the server is busy, nothing was stored")
        }
    }

    pub fn unconfirmed() -> Refusal {
        Refusal::new(
            Code::Unconfirmed,
            "the message was sent but its storing is not confirmed; resend the same id",
        )
    }

    /// All that a peer learns of a fault of ours.
    pub fn internal(reference: Reference) -> Refusal {
        Refusal {
            reference: Some(Box::new(reference)),
            ..Refusal::new(Code::Internal, "Internal server error")
        }
    }

    pub fn unauthorized() -> Refusal {
        Refusal::new(Code::Unauthorized, "Authentication required")
    }

    pub fn not_in_room() -> Refusal {
        Refusal::new(Code::NotInRoom, "you must join the room first")
    }

    pub fn rate_limit(retry_after_ms: u32) -> Refusal {
        Refusal {
            retry_after_ms: Some(retry_after_ms),
            ..Refusal::new(Code::RateLimit, "too many messages, slow down")
        }
    }
}
