//! Received bytes to events. Payloads are unmasked where they lie, in the caller's scratch buffer, and events
//! borrow from it, but for a message that was compressed; only what is unfinished at the end of a feed moves to [`Pending`]. Never answers: pongs,
//! the closing handshake and timeouts are the caller's.
//!
//! ```text
//!   ┌─ whole frames: no allocation
//!   ▼  │
//! Open(None) ──── part of a frame, a fragment ───▶ Open(Some) ──── the rest ───▶ Open(None)
//!   └───────────── a close frame, a violation ────────┴──────▶ Ended: takes nothing more
//! ```

use std::borrow::Cow;
use std::mem;

use crate::deflate::Inflater;
use crate::head::{Coding, Control, Head, Kind, Meaning, Rules};
use crate::pending::{Arrived, Pending};
use crate::{Compression, Limits, Role, Violation, mask};

/// One connection's receiving side.
pub struct Decoder {
    state: State,
    rules: Rules,
}

enum State {
    /// With what is unfinished; boxed, because nearly all connections are nearly always between messages.
    Open(Option<Box<Pending>>),
    Ended,
}

/// What a peer said. Borrowed from the scratch buffer if it arrived in one piece and plain, else owned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Event<'a> {
    Text(Cow<'a, str>),
    Binary(Cow<'a, [u8]>),
    Ping(Cow<'a, [u8]>),
    Pong(Cow<'a, [u8]>),
    /// The last event. `None` if the frame was empty, which a peer may send but must not be sent as a code.
    Close(Option<Close<'a>>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Close<'a> {
    pub code: u16,
    pub reason: Cow<'a, str>,
}

/// The events in the bytes of one read. After a close frame or a violation it yields nothing more, and
/// neither does any later feed.
#[must_use = "bytes that are not decoded are lost, and so is the place in the stream"]
pub struct Feed<'a> {
    decoder: &'a mut Decoder,
    inflater: &'a mut Inflater,
    rest: &'a mut [u8],
}

impl Decoder {
    pub fn new(role: Role, limits: Limits, compression: Compression) -> Decoder {
        Decoder { state: State::Open(None), rules: Rules { role, compression, limits } }
    }

    /// Takes what was read, in the order in which it was. The bytes are overwritten. The inflater is any: no
    /// message leaves anything in it for the next.
    pub fn feed<'a>(&'a mut self, inflater: &'a mut Inflater, scratch: &'a mut [u8]) -> Feed<'a> {
        Feed { decoder: self, inflater, rest: scratch }
    }

    /// Takes nothing more, and gives back what it has of a message that is not whole.
    pub fn end(&mut self) {
        self.state = State::Ended;
    }

    /// After a close frame, a violation, or a feed that was not read to its end.
    pub fn is_ended(&self) -> bool {
        matches!(self.state, State::Ended)
    }

    /// The payload bytes held for an unfinished message or frame; `None` between messages. A message that
    /// stays unfinished for too long is the caller's to cut.
    pub fn unfinished(&self) -> Option<usize> {
        match &self.state {
            State::Open(kept) => kept.as_ref().map(|pending| pending.held_bytes()),
            State::Ended => None,
        }
    }
}

impl<'a> Iterator for Feed<'a> {
    type Item = Result<Event<'a>, Violation>;

    #[inline]
    fn next(&mut self) -> Option<Self::Item> {
        let event = self.step().transpose()?;
        if matches!(event, Ok(Event::Close(_)) | Err(_)) {
            self.decoder.state = State::Ended;
        }
        Some(event)
    }
}

impl Drop for Feed<'_> {
    /// Whoever stops in the middle has lost the place in the stream; better no more events than wrong ones.
    fn drop(&mut self) {
        if !self.rest.is_empty() {
            self.decoder.state = State::Ended;
        }
    }
}

impl<'a> Feed<'a> {
    #[inline]
    fn step(&mut self) -> Result<Option<Event<'a>>, Violation> {
        let rules = &self.decoder.rules;
        let State::Open(kept) = &mut self.decoder.state else {
            self.rest = &mut [];
            return Ok(None);
        };
        loop {
            if let Some(pending) = kept
                && let Some(missing) = pending.missing()
            {
                let payload = take(&mut self.rest, missing);
                let arrived = pending.payload(payload, &rules.limits)?;
                settle(kept);
                match arrived {
                    Arrived::Part => return Ok(None),
                    Arrived::Fragment => {}
                    Arrived::Message(kind, Coding::Plain, payload) => {
                        return message(kind, payload.into()).map(Some);
                    }
                    Arrived::Message(kind, Coding::Deflated, payload) => {
                        let payload =
                            self.inflater.inflate(kind, &payload, rules.limits.message_bytes_max)?;
                        return message(kind, payload.into()).map(Some);
                    }
                    Arrived::Control(sort, payload) => return control(sort, payload.into()).map(Some),
                }
            }
            let Some(head) = next_head(kept, rules, &mut self.rest)? else { return Ok(None) };
            let is_whole = head.payload_bytes <= self.rest.len();
            match head.meaning {
                Meaning::Start(kind, Coding::Plain) if is_whole && head.last => {
                    return message(kind, whole(&head, &mut self.rest)).map(Some);
                }
                Meaning::Start(kind, Coding::Deflated) if is_whole && head.last => {
                    let packed = whole(&head, &mut self.rest);
                    let payload = self.inflater.inflate(kind, &packed, rules.limits.message_bytes_max)?;
                    return message(kind, payload.into()).map(Some);
                }
                Meaning::Control(sort) if is_whole => {
                    return control(sort, whole(&head, &mut self.rest)).map(Some);
                }
                Meaning::Start(..) | Meaning::Continue | Meaning::Control(_) => {
                    kept.get_or_insert_default().begin(&head);
                }
            }
        }
    }
}

/// The next frame's head, if all of it has arrived. What there is of it otherwise is kept.
#[inline]
fn next_head(
    kept: &mut Option<Box<Pending>>,
    rules: &Rules,
    rest: &mut &mut [u8],
) -> Result<Option<Head>, Violation> {
    if rest.is_empty() {
        return Ok(None);
    }
    if let Some(pending) = kept
        && pending.is_in_head()
    {
        let head = pending.resume_head(rules, rest)?;
        settle(kept);
        return Ok(head);
    }
    let open = kept.as_ref().and_then(|pending| pending.open());
    match rules.parse(open, rest)? {
        Some((head, bytes)) => {
            take(rest, bytes);
            Ok(Some(head))
        }
        None => {
            let part: &mut [u8] = mem::take(rest);
            kept.get_or_insert_default().keep_head(part);
            Ok(None)
        }
    }
}

/// Frees what was kept as soon as it holds nothing.
fn settle(kept: &mut Option<Box<Pending>>) {
    if kept.as_ref().is_some_and(|pending| pending.is_empty()) {
        *kept = None;
    }
}

/// A payload that has arrived in full, unmasked in the scratch buffer.
#[inline]
fn whole<'a>(head: &Head, rest: &mut &'a mut [u8]) -> Cow<'a, [u8]> {
    let payload = take(rest, head.payload_bytes);
    mask::apply(head.mask, payload);
    Cow::Borrowed(payload)
}

/// Up to so many bytes off the front.
#[inline]
pub(crate) fn take<'a>(rest: &mut &'a mut [u8], bytes: usize) -> &'a mut [u8] {
    let all = mem::take(rest);
    let (taken, left) = all.split_at_mut(bytes.min(all.len()));
    *rest = left;
    taken
}

#[inline]
fn message(kind: Kind, payload: Cow<'_, [u8]>) -> Result<Event<'_>, Violation> {
    match kind {
        Kind::Text => text(payload).map(Event::Text),
        Kind::Binary => Ok(Event::Binary(payload)),
    }
}

fn control(sort: Control, payload: Cow<'_, [u8]>) -> Result<Event<'_>, Violation> {
    match sort {
        Control::Ping => Ok(Event::Ping(payload)),
        Control::Pong => Ok(Event::Pong(payload)),
        Control::Close => close(payload).map(Event::Close),
    }
}

fn close(mut payload: Cow<'_, [u8]>) -> Result<Option<Close<'_>>, Violation> {
    // One byte alone was refused with the head.
    let Some(&code) = payload.first_chunk() else { return Ok(None) };
    let code = u16::from_be_bytes(code);
    if !may_be_sent(code) {
        return Err(Violation::CloseCodeForbidden);
    }
    let reason = match &mut payload {
        Cow::Borrowed(bytes) => Cow::Borrowed(&bytes[2..]),
        Cow::Owned(bytes) => Cow::Owned(bytes.split_off(2)),
    };
    Ok(Some(Close { code, reason: text(reason)? }))
}

/// RFC 6455, 7.4 and the IANA registry: 1004, 1005, 1006 and 1015 are words for what happened, not to be
/// sent; the rest below 3000 belongs to the protocol; 3000 to 4999 to libraries and apps.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}

#[inline]
fn text(payload: Cow<'_, [u8]>) -> Result<Cow<'_, str>, Violation> {
    match payload {
        Cow::Borrowed(bytes) => str::from_utf8(bytes).map(Cow::Borrowed).map_err(|_| Violation::InvalidUtf8),
        Cow::Owned(bytes) => String::from_utf8(bytes).map(Cow::Owned).map_err(|_| Violation::InvalidUtf8),
    }
}
