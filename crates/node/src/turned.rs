//! Whoever is not let in: the one answer they get, and a word for the log. Who that is, the gate decides.

use identity::Unverified;
use shard::Opening;
use vocabulary::ConnectionId;
use websocket::handshake::{Refusal, refusal_in_words, refusal_of_field, refusal_response};

use crate::gate::Words;

/// Why a connection is not let in: the answer to send, and a word for the log.
pub(crate) struct Turned {
    pub response: Vec<u8>,
    pub status: u16,
    pub why: String,
    /// Its token names a key that a newer set of keys may have.
    pub unknown_key: bool,
}

impl Turned {
    /// A page of this origin may read why.
    pub(crate) fn shared_with(mut self, origin: &str) -> Turned {
        let first = self.response.windows(2).position(|bytes| bytes == b"\r\n").map_or(0, |at| at + 2);
        let fields = format!("Access-Control-Allow-Origin: {origin}\r\nVary: Origin\r\n");
        self.response.splice(first..first, fields.into_bytes());
        self
    }
}

impl Turned {
    /// To a client for which any status is the end: what will pass is a stream that says when to come back.
    pub(crate) fn for_stream(self, id: ConnectionId, opening: &Opening) -> Turned {
        if !opening.takes_events_alone || !matches!(self.status, 429 | 503) {
            return self;
        }
        Turned { response: opening.later(id), ..self }
    }
}

impl From<Refusal> for Turned {
    fn from(refusal: Refusal) -> Turned {
        let (status, why) = (refusal.status(), refusal.words().to_owned());
        Turned { response: refusal.response(), status, why, unknown_key: false }
    }
}

pub(crate) fn too_many_of_address() -> Turned {
    turned(429, "too many connections from your address", "too many of its address")
}

pub(crate) fn too_many_pages() -> Turned {
    turned(429, "too many requests at a time from your address", "too many pages of its address")
}

/// One answer, and the end of the connection. Where it says to come back, it says when.
pub(crate) fn turned(status: u16, words: &'static str, why: &str) -> Turned {
    let fields: &[(&str, &str)] = if matches!(status, 429 | 503) { &[("Retry-After", "5")] } else { &[] };
    let response = refusal_response(status, fields, words);
    Turned { response, status, why: why.to_owned(), unknown_key: false }
}

pub(crate) fn of_field(words: &'static str, field: &str) -> Turned {
    let response = refusal_of_field(400, words, field);
    Turned { response, status: 400, why: words.to_owned(), unknown_key: false }
}

/// `words`: as the mount's clients know them.
pub(crate) fn required(words: &Words, why: &str) -> Turned {
    let turned = turned(401, words.unproven, why);
    match words.unproven_body {
        Some(body) => Turned { response: refusal_in_words(401, &[], body), ..turned },
        None => turned,
    }
}

pub(crate) fn unauthenticated(words: &Words, error: &Unverified) -> Turned {
    Turned { unknown_key: *error == Unverified::UnknownKey, ..required(words, &error.to_string()) }
}

pub(crate) fn malformed(words: &'static str) -> Turned {
    turned(400, words, words)
}
