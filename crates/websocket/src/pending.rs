//! What a connection keeps between two feeds: part of a head, part of a payload, fragments of a message. It
//! grows with the bytes that arrive, never with a length that was announced, and is freed as a whole.

use crate::decoder::take;
use crate::head::{Control, HEAD_BYTES_MAX, Head, Kind, Meaning, Open, Rules};
use crate::{Violation, mask};

#[derive(Default)]
pub(crate) struct Pending {
    message: Option<Message>,
    frame: Frame,
}

struct Message {
    kind: Kind,
    fragments: u32,
    bytes: Vec<u8>,
    /// How much of a text is known to be UTF-8; up to three bytes of an unfinished character follow.
    utf8_bytes: usize,
}

#[derive(Default)]
enum Frame {
    #[default]
    Between,
    Head {
        bytes: [u8; HEAD_BYTES_MAX],
        length: usize,
    },
    /// Of the message that is open.
    Data(Progress),
    /// May stand between the fragments of a message.
    Control(Control, Progress, Vec<u8>),
}

struct Progress {
    missing: usize,
    mask: [u8; 4],
    last: bool,
}

/// What some bytes of a payload amount to.
pub(crate) enum Arrived {
    /// Some of a frame.
    Part,
    /// The end of a frame, but not of its message.
    Fragment,
    Message(Kind, Vec<u8>),
    Control(Control, Vec<u8>),
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_none() && matches!(self.frame, Frame::Between)
    }

    pub(crate) fn open(&self) -> Option<Open> {
        self.message.as_ref().map(|message| Open { bytes: message.bytes.len(), fragments: message.fragments })
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let frame = match &self.frame {
            Frame::Control(_, _, bytes) => bytes.len(),
            Frame::Between | Frame::Head { .. } | Frame::Data(_) => 0,
        };
        frame + self.message.as_ref().map_or(0, |message| message.bytes.len())
    }

    pub(crate) fn is_in_head(&self) -> bool {
        matches!(self.frame, Frame::Head { .. })
    }

    /// How much of a frame's payload has not arrived, if its head has.
    pub(crate) fn missing(&self) -> Option<usize> {
        match &self.frame {
            Frame::Data(progress) | Frame::Control(_, progress, _) => Some(progress.missing),
            Frame::Between | Frame::Head { .. } => None,
        }
    }

    /// The start of a head, which is shorter than any whole one.
    pub(crate) fn keep_head(&mut self, part: &[u8]) {
        let mut bytes = [0; HEAD_BYTES_MAX];
        bytes[..part.len()].copy_from_slice(part);
        self.frame = Frame::Head { bytes, length: part.len() };
    }

    /// Byte by byte, because the head says how long it is, and at most 13 are missing.
    pub(crate) fn resume_head(
        &mut self,
        rules: &Rules,
        rest: &mut &mut [u8],
    ) -> Result<Option<Head>, Violation> {
        let open = self.open();
        let Frame::Head { bytes, length } = &mut self.frame else { return Ok(None) };
        while let [byte] = take(rest, 1) {
            bytes[*length] = *byte;
            *length += 1;
            if let Some((head, _)) = rules.parse(open, &bytes[..*length])? {
                self.frame = Frame::Between;
                return Ok(Some(head));
            }
        }
        Ok(None)
    }

    pub(crate) fn begin(&mut self, head: &Head) {
        let progress = Progress { missing: head.payload_bytes, mask: head.mask, last: head.last };
        self.frame = match head.meaning {
            Meaning::Control(sort) => Frame::Control(sort, progress, Vec::new()),
            Meaning::Start(kind) => {
                self.message = Some(Message { kind, fragments: 1, bytes: Vec::new(), utf8_bytes: 0 });
                Frame::Data(progress)
            }
            Meaning::Continue => {
                if let Some(message) = &mut self.message {
                    message.fragments += 1;
                }
                Frame::Data(progress)
            }
        };
    }

    /// The next bytes of a payload, at most as many as are missing.
    pub(crate) fn payload(&mut self, bytes: &mut [u8], bytes_max: u32) -> Result<Arrived, Violation> {
        match std::mem::take(&mut self.frame) {
            Frame::Data(mut progress) => {
                progress.unmask(bytes);
                if let Some(message) = &mut self.message {
                    message.append(bytes, bytes_max as usize)?;
                }
                if progress.missing > 0 {
                    self.frame = Frame::Data(progress);
                    return Ok(Arrived::Part);
                }
                if !progress.last {
                    return Ok(Arrived::Fragment);
                }
                Ok(match self.message.take() {
                    Some(message) => Arrived::Message(message.kind, message.bytes),
                    None => Arrived::Fragment,
                })
            }
            Frame::Control(sort, mut progress, mut held) => {
                progress.unmask(bytes);
                held.extend_from_slice(bytes);
                if progress.missing > 0 {
                    self.frame = Frame::Control(sort, progress, held);
                    return Ok(Arrived::Part);
                }
                Ok(Arrived::Control(sort, held))
            }
            other @ (Frame::Between | Frame::Head { .. }) => {
                self.frame = other;
                Ok(Arrived::Part)
            }
        }
    }
}

impl Progress {
    fn unmask(&mut self, bytes: &mut [u8]) {
        mask::apply(self.mask, bytes);
        self.mask = mask::advanced(self.mask, bytes.len());
        self.missing -= bytes.len();
    }
}

impl Message {
    /// Doubles as a vector does, but never past the limit: that is the memory a connection may cost.
    fn append(&mut self, bytes: &[u8], bytes_max: usize) -> Result<(), Violation> {
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() {
            let wanted = needed.max(self.bytes.capacity() * 2).min(bytes_max.max(needed));
            self.bytes.reserve_exact(wanted - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
        match self.kind {
            Kind::Text => self.check_utf8(),
            Kind::Binary => Ok(()),
        }
    }

    /// Of new bytes only, so that a message in many pieces costs no more than in one, and fails at the first
    /// bad byte.
    fn check_utf8(&mut self) -> Result<(), Violation> {
        match str::from_utf8(&self.bytes[self.utf8_bytes..]) {
            Ok(_) => self.utf8_bytes = self.bytes.len(),
            Err(error) if error.error_len().is_none() => self.utf8_bytes += error.valid_up_to(),
            Err(_) => return Err(Violation::InvalidUtf8),
        }
        Ok(())
    }
}
