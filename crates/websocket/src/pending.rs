//! What a connection keeps between two feeds: part of a head, part of a payload, fragments of a message. It
//! grows with the bytes that arrive, never with a length that was announced, and is freed as a whole.

use crate::body::Body;
use crate::decoder::take;
use crate::head::{Coding, Control, HEAD_BYTES_MAX, Head, Kind, Limits, Meaning, Open, Rules};
use crate::{Violation, mask};

#[derive(Default)]
pub(crate) struct Pending {
    message: Option<Message>,
    frame: Frame,
}

struct Message {
    kind: Kind,
    coding: Coding,
    fragments: u32,
    /// As it travels: of a compressed message nothing is inflated before its end, so that an inflater belongs
    /// to nobody in between.
    body: Body,
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
    Message(Kind, Coding, Vec<u8>),
    Control(Control, Vec<u8>),
}

impl Pending {
    pub(crate) fn is_empty(&self) -> bool {
        self.message.is_none() && matches!(self.frame, Frame::Between)
    }

    pub(crate) fn open(&self) -> Option<Open> {
        self.message.as_ref().map(|message| Open {
            coding: message.coding,
            bytes: message.body.bytes().len(),
            fragments: message.fragments,
        })
    }

    pub(crate) fn held_bytes(&self) -> usize {
        let frame = match &self.frame {
            Frame::Control(_, _, bytes) => bytes.len(),
            Frame::Between | Frame::Head { .. } | Frame::Data(_) => 0,
        };
        frame + self.message.as_ref().map_or(0, |message| message.body.bytes().len())
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
            Meaning::Start(kind, coding) => {
                let body = match coding {
                    Coding::Plain => Body::new(kind),
                    Coding::Deflated => Body::new(Kind::Binary),
                };
                self.message = Some(Message { kind, coding, fragments: 1, body });
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
    pub(crate) fn payload(&mut self, bytes: &mut [u8], limits: &Limits) -> Result<Arrived, Violation> {
        match std::mem::take(&mut self.frame) {
            Frame::Data(mut progress) => {
                progress.unmask(bytes);
                if let Some(message) = &mut self.message {
                    message.body.append(bytes, limits.payload_bytes_max(message.coding) as usize)?;
                }
                if progress.missing > 0 {
                    self.frame = Frame::Data(progress);
                    return Ok(Arrived::Part);
                }
                if !progress.last {
                    return Ok(Arrived::Fragment);
                }
                Ok(match self.message.take() {
                    Some(message) => {
                        Arrived::Message(message.kind, message.coding, message.body.into_bytes())
                    }
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
