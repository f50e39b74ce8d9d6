//! How the bytes of a connection are framed: as a WebSocket's messages, or as a stream of server-sent events behind an ordinary HTTP
//! answer (WHATWG HTML, 9.2). What only one of the two has, stands with it. It sends nothing and decides nothing.

use std::time::Duration;

use session::Rate;
use vocabulary::{CloseReason, Code, ConnectionId, Now, Refusal, Tick};
use websocket::handshake::refusal_in_words;
use websocket::{Compression, Decoder};

use crate::limits::Limits;
use crate::outbox::Frame;

/// Connections of the same framing share their frames.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Framing {
    WebSocket(Compression),
    Events,
}

/// What a request asked for, and how far it has been answered.
#[derive(Clone, Debug)]
pub enum Greeted {
    /// The upgrade is done; what the handshake agreed on.
    WebSocket(Compression),
    /// Not answered yet: what its room says comes first.
    Events(Opening),
}

/// What the answer to a request for events must have.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Opening {
    /// A page that was let in, which its browser is to be told.
    pub origin: Option<Box<str>>,
    /// Its client takes nothing but a stream, as browsers' `EventSource` says: any other answer is the end for it, also one that will
    /// pass.
    pub takes_events_alone: bool,
}

pub(crate) enum Wire {
    WebSocket(WebSocket),
    Events(Stream),
}

pub(crate) struct WebSocket {
    pub compression: Compression,
    pub heard: Tick,
    /// Since when a message of the peer's is unfinished. Boxed, because hardly ever one is.
    pub begun: Option<Box<Tick>>,
    pub control: Rate,
    pub decoder: Decoder,
}

pub(crate) struct Stream {
    /// Until it is answered.
    opening: Option<Box<Opening>>,
    /// Bytes behind the head, of which none is read.
    unread: usize,
}

/// A client of events has nothing to say; what some send by mistake, an empty line or two, is let pass.
const UNREAD_BYTES_MAX: usize = 1024;

/// Who is cut off together does not come back together: this, and up to as much again.
const COME_BACK_MS: u32 = 1_000;

/// Who is turned away for what will pass.
const AWAY_MS: u32 = 5_000;

/// What keeps proxies from taking the stream for dead: a comment, which no client is told of.
const ALIVE: &[u8] = b":\n\n";

impl Wire {
    pub(crate) fn framing(&self) -> Framing {
        match self {
            Wire::WebSocket(socket) => Framing::WebSocket(socket.compression),
            Wire::Events(_) => Framing::Events,
        }
    }

    /// What it has of a message that is not whole.
    pub(crate) fn begun_bytes(&self) -> usize {
        match self {
            Wire::WebSocket(socket) => socket.decoder.unfinished().unwrap_or(0),
            Wire::Events(_) => 0,
        }
    }

    pub(crate) fn is_stream(&self) -> bool {
        matches!(self, Wire::Events(_))
    }

    /// What the head of a stream that has none yet must have. Whoever takes it sends one.
    pub(crate) fn opens(&mut self) -> Option<Box<Opening>> {
        match self {
            Wire::WebSocket(_) => None,
            Wire::Events(stream) => stream.opening.take(),
        }
    }

    /// A stream whose head is not sent: nothing may be said before that.
    pub(crate) fn is_opening(&self) -> bool {
        matches!(self, Wire::Events(Stream { opening: Some(_), .. }))
    }

    pub(crate) fn sign_of_life(&self) -> Frame {
        match self {
            Wire::WebSocket(_) => websocket::frame::ping(&[]).into(),
            Wire::Events(_) => ALIVE.into(),
        }
    }
}

impl WebSocket {
    pub(crate) fn new(now: Now, compression: Compression, decoder: Decoder) -> WebSocket {
        WebSocket { compression, heard: now.tick, begun: None, control: Rate::default(), decoder }
    }

    /// False: more pings and pongs than anybody needs.
    pub(crate) fn counts_control(&mut self, now: Now, limits: &Limits) -> bool {
        let spacing = Duration::from_secs(1) / limits.control_frames_per_second.max(1);
        self.control.take(now.tick, spacing, limits.control_frames_per_second).is_ok()
    }
}

impl Stream {
    pub(crate) fn new(opening: Opening) -> Stream {
        Stream { opening: Some(Box::new(opening)), unread: 0 }
    }

    /// False: it says more than anybody does by mistake.
    pub(crate) fn passes_over(&mut self, bytes: usize) -> bool {
        self.unread = self.unread.saturating_add(bytes);
        self.unread <= UNREAD_BYTES_MAX
    }
}

impl Opening {
    /// The head of the stream, and how long to wait after it has ended. Nothing says where it ends but the end of the connection, so
    /// that every version of HTTP and every proxy passes it on as it comes.
    pub(crate) fn begins(&self, id: ConnectionId) -> Frame {
        self.begins_later(id, 0)
    }

    /// A stream of nothing but that: when to come back.
    pub fn later(&self, id: ConnectionId) -> Vec<u8> {
        self.begins_later(id, AWAY_MS).to_vec()
    }

    fn begins_later(&self, id: ConnectionId, wait: u32) -> Frame {
        let mut out = String::with_capacity(320);
        out.push_str("HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nCache-Control: no-store\r\n");
        out.push_str("X-Accel-Buffering: no\r\nConnection: close\r\n");
        for (name, value) in self.shared() {
            out.push_str(&format!("{name}: {value}\r\n"));
        }
        out.push_str("\r\n");
        out.push_str(&come_back(wait.saturating_add(COME_BACK_MS + CloseReason::spread(id, COME_BACK_MS))));
        out.into_bytes().into()
    }

    /// There is no stream: an ordinary answer that says why, in the words of the mount's protocol.
    pub(crate) fn refuses(&self, id: ConnectionId, refusal: &Refusal, words: &str) -> Frame {
        let status = status(refusal.code);
        if self.takes_events_alone && matches!(status, 429 | 503) {
            return self.begins_later(id, refusal.retry_after_ms.unwrap_or(AWAY_MS));
        }
        let wait = refusal.retry_after_ms.map(|wait| wait.div_ceil(1000).max(1).to_string());
        let wait = wait.or_else(|| matches!(status, 429 | 503).then(|| "5".to_owned()));
        let mut fields = self.shared();
        fields.push(("Cache-Control", "no-store"));
        fields.extend(wait.as_deref().map(|wait| ("Retry-After", wait)));
        refusal_in_words(status, &fields, words).into()
    }

    fn shared(&self) -> Vec<(&'static str, &str)> {
        let origin = self.origin.as_deref();
        origin
            .map_or_else(Vec::new, |origin| vec![("Access-Control-Allow-Origin", origin), ("Vary", "Origin")])
    }
}

/// After the stream has ended.
fn come_back(after_ms: u32) -> String {
    format!("retry: {after_ms}\n\n")
}

/// The last of a stream: when to come back, where that is not as always. Browsers ask again and again after as long as this, and never
/// wait longer, so that it is never a moment.
pub(crate) fn last_word(reason: CloseReason) -> Option<Frame> {
    reason.retry_after_ms().map(|wait| come_back(COME_BACK_MS.saturating_add(wait)).into_bytes().into())
}

/// Why a stream ends that is not to be asked for again as it was.
pub(crate) fn told_of(reason: CloseReason) -> Option<Refusal> {
    let code = match reason {
        CloseReason::TokenExpired => Code::Unauthorized,
        CloseReason::Policy | CloseReason::Replaced => Code::Forbidden,
        _ => return None,
    };
    Some(Refusal::new(code, reason.words()))
}

/// In HTTP's numbers.
fn status(code: Code) -> u16 {
    match code {
        Code::Unauthorized => 401,
        Code::Forbidden | Code::NotInRoom | Code::TooManyRooms => 403,
        Code::App("NOT_INITIALIZED" | "NOT_FOUND") => 404,
        Code::App(_) => 409,
        Code::RateLimit => 429,
        Code::Busy | Code::Unconfirmed => 503,
        Code::Internal => 500,
        Code::InvalidFormat | Code::UnknownType | Code::MissingRoom | Code::InvalidPayload => 400,
    }
}
