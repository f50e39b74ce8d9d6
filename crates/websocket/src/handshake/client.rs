//! The client's half of the handshake, for whoever plays a client: simulator, bench, tests. Never follows a
//! redirect.

use super::{HEAD_BYTES_MAX, Key};

const EXTENSIONS: &str = "sec-websocket-extensions";

/// What a client asks for. `fields` go into the head as they are; extensions are offered with one.
#[derive(Clone, Copy)]
pub struct Ask<'a> {
    pub host: &'a str,
    /// Path and query.
    pub target: &'a str,
    pub key: Key,
    pub protocols: &'a [&'a str],
    pub fields: &'a [(&'a str, &'a str)],
}

/// What a server said to it.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer<'a> {
    Incomplete,
    /// Frames begin after the head. Whether the extensions are what was offered is for who offered them to see.
    Accepted {
        protocol: Option<&'a str>,
        extensions: Option<&'a str>,
        head_bytes: usize,
    },
    Refused {
        status: u16,
    },
    /// No answer to this request, or none in HTTP.
    Broken(&'static str),
}

impl Ask<'_> {
    pub fn request(&self) -> Vec<u8> {
        let mut out = format!(
            "GET {} HTTP/1.1\r\nHost: {}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
             Sec-WebSocket-Version: {}\r\nSec-WebSocket-Key: {}\r\n",
            self.target,
            self.host,
            super::VERSION,
            self.key.as_str()
        );
        let mut push = |name: &str, value: &str| {
            out.push_str(name);
            out.push_str(": ");
            out.push_str(value);
            out.push_str("\r\n");
        };
        if !self.protocols.is_empty() {
            push("Sec-WebSocket-Protocol", &self.protocols.join(", "));
        }
        for (name, value) in self.fields {
            push(name, value);
        }
        out.push_str("\r\n");
        out.into_bytes()
    }

    /// `received` is everything since the request was sent.
    pub fn check<'a>(&self, received: &'a [u8]) -> Answer<'a> {
        let mut storage = [httparse::EMPTY_HEADER; super::FIELDS_MAX];
        let mut parsed = httparse::Response::new(&mut storage);
        let head_bytes = match parsed.parse(received) {
            Ok(httparse::Status::Complete(end)) => end,
            Ok(httparse::Status::Partial) if received.len() < HEAD_BYTES_MAX => return Answer::Incomplete,
            Ok(httparse::Status::Partial) => return Answer::Broken("the head has no end"),
            Err(_) => return Answer::Broken("not HTTP"),
        };
        match parsed.code {
            Some(101) => {}
            Some(status) => return Answer::Refused { status },
            None => return Answer::Broken("no status"),
        }
        let one = |name: &str| {
            let mut values = parsed.headers.iter().filter(|field| field.name.eq_ignore_ascii_case(name));
            match (values.next(), values.next()) {
                (Some(field), None) => str::from_utf8(field.value).ok(),
                _ => None,
            }
        };
        let has = |name: &str, word: &str| one(name).is_some_and(|value| value.eq_ignore_ascii_case(word));
        if !has("upgrade", "websocket") || !has("connection", "upgrade") {
            return Answer::Broken("switches to no WebSocket");
        }
        if one("sec-websocket-accept") != Some(self.key.accept().as_str()) {
            return Answer::Broken("answers another key");
        }
        let extensions = parsed.headers.iter().any(|field| field.name.eq_ignore_ascii_case(EXTENSIONS));
        let offered = self.fields.iter().any(|(name, _)| name.eq_ignore_ascii_case(EXTENSIONS));
        if extensions && !offered {
            return Answer::Broken("extension that was not offered");
        }
        let protocol = one("sec-websocket-protocol");
        if protocol.is_some_and(|protocol| !self.protocols.contains(&protocol)) {
            return Answer::Broken("protocol that was not offered");
        }
        Answer::Accepted { protocol, extensions: one(EXTENSIONS), head_bytes }
    }
}
