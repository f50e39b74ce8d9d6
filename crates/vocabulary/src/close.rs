//! The one table of close codes: number, words, and what the client should do next.

use crate::ConnectionId;

/// What a client should do after a close.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Comeback {
    /// Reconnect with the usual back-off, or with the delay that the reason names.
    Yes,
    /// Reconnect with a new token.
    WithNewToken,
    No,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum CloseReason {
    /// The client closed; its code is echoed.
    Echo(u16),
    GoingAway,
    Protocol,
    InvalidData,
    Policy,
    TooBig,
    InternalError,
    TokenExpired,
    AuthTimeout,
    TooSlow,
    /// The node drains; come back after this many milliseconds.
    Draining(u32),
    RateLimit(u32),
    BadMessage,
    Forbidden,
    Replaced,
}

impl CloseReason {
    /// One of each, for tables and generated copies.
    pub const ALL: [CloseReason; 14] = [
        CloseReason::GoingAway,
        CloseReason::Protocol,
        CloseReason::InvalidData,
        CloseReason::Policy,
        CloseReason::TooBig,
        CloseReason::InternalError,
        CloseReason::TokenExpired,
        CloseReason::AuthTimeout,
        CloseReason::TooSlow,
        CloseReason::Draining(0),
        CloseReason::RateLimit(0),
        CloseReason::BadMessage,
        CloseReason::Forbidden,
        CloseReason::Replaced,
    ];

    /// What an operator may end a connection with: come back in a moment, or with a new token, or not.
    pub const BY_OPERATORS: [CloseReason; 4] =
        [CloseReason::Draining(0), CloseReason::GoingAway, CloseReason::TokenExpired, CloseReason::Forbidden];

    pub fn by_operator(code: u16) -> Option<CloseReason> {
        CloseReason::BY_OPERATORS.into_iter().find(|reason| reason.code() == code)
    }

    /// Those who are sent away in one moment do not come back in one.
    pub fn draining(who: ConnectionId) -> CloseReason {
        CloseReason::Draining(CloseReason::spread(who, 1000))
    }

    /// A moment below `ms`, which for neighbours is another one.
    pub fn spread(who: ConnectionId, ms: u32) -> u32 {
        who.slot.wrapping_mul(2_654_435_761) % ms.max(1)
    }

    pub fn code(self) -> u16 {
        match self {
            CloseReason::Echo(code) => code,
            CloseReason::GoingAway => 1001,
            CloseReason::Protocol => 1002,
            CloseReason::InvalidData => 1007,
            CloseReason::Policy => 1008,
            CloseReason::TooBig => 1009,
            CloseReason::InternalError => 1011,
            CloseReason::TokenExpired => 4401,
            CloseReason::AuthTimeout => 4408,
            CloseReason::TooSlow => 4410,
            CloseReason::Draining(_) => 4412,
            CloseReason::RateLimit(_) => 4429,
            CloseReason::BadMessage => 4500,
            CloseReason::Forbidden => 4503,
            CloseReason::Replaced => 4509,
        }
    }

    /// The words in the close frame; a delay stands behind them as `retry after N ms`.
    pub fn words(self) -> &'static str {
        match self {
            CloseReason::Echo(_) => "",
            CloseReason::GoingAway => "going away",
            CloseReason::Protocol => "protocol error",
            CloseReason::InvalidData => "invalid utf-8 or compressed data",
            CloseReason::Policy => "policy violation",
            CloseReason::TooBig => "message too big",
            CloseReason::InternalError => "internal error",
            CloseReason::TokenExpired => "token expired",
            CloseReason::AuthTimeout => "authentication timeout",
            CloseReason::TooSlow => "too slow",
            CloseReason::Draining(_) => "draining",
            CloseReason::RateLimit(_) => "rate limit",
            CloseReason::BadMessage => "bad message",
            CloseReason::Forbidden => "forbidden",
            CloseReason::Replaced => "replaced by a newer connection",
        }
    }

    /// With the wait, if there is one.
    pub fn told(self) -> String {
        match self.retry_after_ms() {
            Some(ms) => format!("{}, retry after {ms} ms", self.words()),
            None => self.words().to_owned(),
        }
    }

    pub fn retry_after_ms(self) -> Option<u32> {
        match self {
            CloseReason::Draining(ms) | CloseReason::RateLimit(ms) => Some(ms),
            _ => None,
        }
    }

    pub fn comeback(self) -> Comeback {
        match self {
            CloseReason::TokenExpired => Comeback::WithNewToken,
            CloseReason::Protocol
            | CloseReason::InvalidData
            | CloseReason::Policy
            | CloseReason::TooBig
            | CloseReason::BadMessage
            | CloseReason::Forbidden
            | CloseReason::Replaced => Comeback::No,
            CloseReason::Echo(_)
            | CloseReason::GoingAway
            | CloseReason::InternalError
            | CloseReason::AuthTimeout
            | CloseReason::TooSlow
            | CloseReason::Draining(_)
            | CloseReason::RateLimit(_) => Comeback::Yes,
        }
    }
}
