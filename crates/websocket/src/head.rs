//! The head of one frame: its rules are checked here, in the order of its bytes and as early as they allow,
//! so that the same bytes meet the same end however the network cut them. Never looks at a payload.

use crate::Violation;
use crate::deflate::{self, Window};
use crate::frame::CONTROL_BYTES_MAX;

/// Two bytes, a length of eight, a mask of four.
pub(crate) const HEAD_BYTES_MAX: usize = 14;
/// The first reserved bit: RFC 7692 gives it a meaning.
pub(crate) const RSV1: u8 = 0x40;

/// Which end of the connection decodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Reads a client's frames, which must be masked.
    Server,
    /// Reads a server's frames, which must not be.
    Client,
}

/// What the handshake agreed on about the first reserved bit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Compression {
    #[default]
    Off,
    /// permessage-deflate (RFC 7692), each message by itself. What we send fits this window; what we read may
    /// need any.
    Deflate(Window),
}

/// How much of an unfinished message a connection may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Payload bytes of one message, over all its fragments. Checked on what a head announces, before it
    /// arrives; of a compressed message also while it is inflated.
    pub message_bytes_max: u32,
    /// Frames of one message, empty ones included: a fragment costs work even if it carries nothing.
    pub fragments_max: u32,
}

/// What holds for every frame of a connection.
pub(crate) struct Rules {
    pub role: Role,
    pub compression: Compression,
    pub limits: Limits,
}

/// The message whose continuation is awaited.
#[derive(Clone, Copy)]
pub(crate) struct Open {
    pub coding: Coding,
    pub bytes: usize,
    pub fragments: u32,
}

#[derive(Clone, Copy, Debug)]
pub(crate) struct Head {
    pub meaning: Meaning,
    pub last: bool,
    /// Zero where there is none.
    pub mask: [u8; 4],
    pub payload_bytes: usize,
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Meaning {
    Start(Kind, Coding),
    Continue,
    Control(Control),
}

#[derive(Clone, Copy, Debug)]
pub(crate) enum Kind {
    Text,
    Binary,
}

/// What the bytes of a message's payload are.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Coding {
    Plain,
    Deflated,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Control {
    Close,
    Ping,
    Pong,
}

impl Limits {
    /// Of a message as it travels.
    pub(crate) fn payload_bytes_max(&self, coding: Coding) -> u64 {
        match coding {
            Coding::Plain => u64::from(self.message_bytes_max),
            Coding::Deflated => deflate::packed_bytes_max(self.message_bytes_max),
        }
    }
}

impl Rules {
    /// The head at the start of `bytes` and the bytes it takes, or `None` as long as it is incomplete.
    #[inline]
    pub(crate) fn parse(&self, open: Option<Open>, bytes: &[u8]) -> Result<Option<(Head, usize)>, Violation> {
        let Some(&first) = bytes.first() else { return Ok(None) };
        let last = first & 0x80 != 0;
        let meaning = self.meaning(open, first, last)?;

        let Some(&second) = bytes.get(1) else { return Ok(None) };
        let masked = second & 0x80 != 0;
        match (self.role, masked) {
            (Role::Server, false) => return Err(Violation::MaskMissing),
            (Role::Client, true) => return Err(Violation::MaskForbidden),
            (Role::Server, true) | (Role::Client, false) => {}
        }
        let short = second & 0x7F;
        match meaning {
            Meaning::Control(_) if usize::from(short) > CONTROL_BYTES_MAX => {
                return Err(Violation::ControlTooLong);
            }
            Meaning::Control(Control::Close) if short == 1 => return Err(Violation::ClosePayloadOfOneByte),
            Meaning::Control(_) | Meaning::Start(..) | Meaning::Continue => {}
        }

        let Some((length, mask_start)) = length(short, bytes)? else { return Ok(None) };
        let payload_bytes = self.within_limit(open, meaning, length)?;
        if !masked {
            return Ok(Some((Head { meaning, last, mask: [0; 4], payload_bytes }, mask_start)));
        }
        let Some(&mask) = bytes[mask_start..].first_chunk() else { return Ok(None) };
        Ok(Some((Head { meaning, last, mask, payload_bytes }, mask_start + 4)))
    }

    #[inline]
    fn meaning(&self, open: Option<Open>, first: u8, last: bool) -> Result<Meaning, Violation> {
        let opcode = first & 0x0F;
        let coding = match (first & 0x70, self.compression) {
            (0, _) => Coding::Plain,
            // The first frame says it for its message; continuations and control frames have nothing to say.
            (RSV1, Compression::Deflate(_)) if matches!(opcode, 0x1 | 0x2) => Coding::Deflated,
            _ => return Err(Violation::ReservedBits),
        };
        let meaning = match opcode {
            0x0 => Meaning::Continue,
            0x1 => Meaning::Start(Kind::Text, coding),
            0x2 => Meaning::Start(Kind::Binary, coding),
            0x8 => Meaning::Control(Control::Close),
            0x9 => Meaning::Control(Control::Ping),
            0xA => Meaning::Control(Control::Pong),
            _ => return Err(Violation::UnknownOpcode),
        };
        match (meaning, open) {
            (Meaning::Control(_), _) if !last => Err(Violation::ControlFragmented),
            (Meaning::Continue, None) => Err(Violation::ContinuationWithoutStart),
            (Meaning::Continue, Some(open)) if open.fragments >= self.limits.fragments_max => {
                Err(Violation::TooManyFragments)
            }
            (Meaning::Start(..), Some(_)) => Err(Violation::StartWithinMessage),
            (Meaning::Control(_), _) | (Meaning::Continue, Some(_)) | (Meaning::Start(..), None) => {
                Ok(meaning)
            }
        }
    }

    #[inline]
    fn within_limit(&self, open: Option<Open>, meaning: Meaning, length: u64) -> Result<usize, Violation> {
        let (message_bytes, coding) = match (meaning, open) {
            (Meaning::Control(_), _) => (0, Coding::Plain),
            // Cannot overflow: the length has no top bit, and what is held fits the limit.
            (Meaning::Continue, Some(open)) => (open.bytes as u64 + length, open.coding),
            (Meaning::Continue, None) => (length, Coding::Plain),
            (Meaning::Start(_, coding), _) => (length, coding),
        };
        if message_bytes > self.limits.payload_bytes_max(coding) {
            return Err(Violation::MessageTooBig);
        }
        usize::try_from(length).map_err(|_| Violation::MessageTooBig)
    }
}

/// The length and where it ends, or `None` if it has not arrived.
#[inline]
fn length(short: u8, bytes: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let (length, end, shorter_max) = match short {
        126 => match bytes[2..].first_chunk() {
            Some(&wide) => (u64::from(u16::from_be_bytes(wide)), 4, 125),
            None => return Ok(None),
        },
        127 => match bytes[2..].first_chunk() {
            Some(&wide) => (u64::from_be_bytes(wide), 10, 0xFFFF),
            None => return Ok(None),
        },
        short => return Ok(Some((u64::from(short), 2))),
    };
    if length <= shorter_max {
        return Err(Violation::LengthNotShortest);
    }
    if length > u64::MAX >> 1 {
        return Err(Violation::LengthTopBit);
    }
    Ok(Some((length, end)))
}
