//! Why a request was not done, and who is to blame. A refusal is a value; it ends in one place, where a protocol words
//! it.

use std::borrow::Cow;

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
}

impl Refusal {
    pub fn new(code: Code, text: impl Into<Cow<'static, str>>) -> Refusal {
        Refusal { code, text: text.into(), retry_after_ms: None }
    }

    pub fn busy(retry_after_ms: u32) -> Refusal {
        Refusal {
            code: Code::Busy,
            text: "the server is busy, nothing was stored".into(),
            retry_after_ms: Some(retry_after_ms),
        }
    }

    pub fn unconfirmed() -> Refusal {
        Refusal::new(
            Code::Unconfirmed,
            "the message was sent but its storing is not confirmed; resend the same id",
        )
    }

    pub fn not_in_room() -> Refusal {
        Refusal::new(Code::NotInRoom, "you must join the room first")
    }

    pub fn rate_limit(retry_after_ms: u32) -> Refusal {
        Refusal {
            code: Code::RateLimit,
            text: "too many messages, slow down".into(),
            retry_after_ms: Some(retry_after_ms),
        }
    }
}
