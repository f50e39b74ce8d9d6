//! What a peer can do wrong in frames, and what it is told. Never says anything about the handshake or the
//! app.

use std::fmt;

/// A broken rule of RFC 6455 or RFC 7692, or a limit. The connection ends with [`Violation::close_code`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Violation {
    ReservedBits,
    UnknownOpcode,
    MaskMissing,
    MaskForbidden,
    LengthNotShortest,
    LengthTopBit,
    ControlFragmented,
    ControlTooLong,
    ContinuationWithoutStart,
    StartWithinMessage,
    ClosePayloadOfOneByte,
    CloseCodeForbidden,
    InvalidUtf8,
    InvalidDeflate,
    MessageTooBig,
    TooManyFragments,
}

impl Violation {
    /// The code for the close frame that answers it (RFC 6455, 7.4.1).
    pub fn close_code(self) -> u16 {
        match self {
            Violation::InvalidUtf8 | Violation::InvalidDeflate => 1007,
            Violation::MessageTooBig | Violation::TooManyFragments => 1009,
            Violation::ReservedBits
            | Violation::UnknownOpcode
            | Violation::MaskMissing
            | Violation::MaskForbidden
            | Violation::LengthNotShortest
            | Violation::LengthTopBit
            | Violation::ControlFragmented
            | Violation::ControlTooLong
            | Violation::ContinuationWithoutStart
            | Violation::StartWithinMessage
            | Violation::ClosePayloadOfOneByte
            | Violation::CloseCodeForbidden => 1002,
        }
    }

    /// The words for its reason; short enough for a close frame.
    pub fn words(self) -> &'static str {
        match self {
            Violation::ReservedBits => "reserved bits are set",
            Violation::UnknownOpcode => "unknown opcode",
            Violation::MaskMissing => "a client's frame must be masked",
            Violation::MaskForbidden => "a server's frame must not be masked",
            Violation::LengthNotShortest => "length is not in its shortest form",
            Violation::LengthTopBit => "top bit of the length is set",
            Violation::ControlFragmented => "control frame is fragmented",
            Violation::ControlTooLong => "control frame is longer than 125 bytes",
            Violation::ContinuationWithoutStart => "continuation of no message",
            Violation::StartWithinMessage => "new message before the end of the last",
            Violation::ClosePayloadOfOneByte => "close payload of one byte",
            Violation::CloseCodeForbidden => "close code must not be sent",
            Violation::InvalidUtf8 => "invalid UTF-8",
            Violation::InvalidDeflate => "invalid compressed data",
            Violation::MessageTooBig => "message too big",
            Violation::TooManyFragments => "too many fragments",
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(self.words())
    }
}

impl std::error::Error for Violation {}
