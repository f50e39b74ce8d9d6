//! What is agreed on of the extensions a client offers (RFC 6455, 9.1; RFC 7692, 5 and 7.1). An offer that is not
//! understood to its last parameter is declined, and the handshake goes on without it; nothing here is an error.

use std::fmt;

use super::is_token_byte;
use crate::{Compression, Window};

/// permessage-deflate as it will be spoken; as text, the value of the answer's header. Never with context takeover: what
/// a connection would remember for it costs more than all else of an idle one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Agreed {
    server_window: Option<Window>,
    client_window_bits: Option<u8>,
}

/// A parameter and its value, unquoted.
type Parameter<'a> = (&'a [u8], Option<&'a [u8]>);

impl Agreed {
    /// The first offer that can be met, of several header lines in their order.
    pub fn on(lines: &[&[u8]]) -> Option<Agreed> {
        lines.iter().find_map(|line| {
            // A line that breaks the grammar is taken for none: where its offers begin and end is anybody's guess.
            let offers = Offers(line).read()?;
            offers.iter().find_map(|(name, parameters)| {
                if *name == b"permessage-deflate" { Agreed::with(parameters) } else { None }
            })
        })
    }

    pub fn compression(self) -> Compression {
        Compression::Deflate(self.server_window.unwrap_or(Window::MAX))
    }

    fn with(parameters: &[Parameter<'_>]) -> Option<Agreed> {
        let mut agreed = Agreed { server_window: None, client_window_bits: None };
        for (index, (name, value)) in parameters.iter().enumerate() {
            if parameters[..index].iter().any(|(before, _)| before == name) {
                return None;
            }
            match (*name, *value) {
                // Both are answered whether they are asked for or not.
                (b"server_no_context_takeover" | b"client_no_context_takeover", None) => {}
                (b"server_max_window_bits", Some(value)) => {
                    agreed.server_window = Some(Window::from_bits(bits(value)?)?);
                }
                // Says only that we may name a window; ours reads any.
                (b"client_max_window_bits", None) => {}
                (b"client_max_window_bits", Some(value)) => agreed.client_window_bits = Some(bits(value)?),
                _ => return None,
            }
        }
        Some(agreed)
    }
}

impl fmt::Display for Agreed {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("permessage-deflate; server_no_context_takeover; client_no_context_takeover")?;
        if let Some(window) = self.server_window {
            write!(formatter, "; server_max_window_bits={}", window.bits())?;
        }
        if let Some(bits) = self.client_window_bits {
            write!(formatter, "; client_max_window_bits={bits}")?;
        }
        Ok(())
    }
}

/// RFC 7692, 7.1.2: 8 to 15, without leading zeros.
fn bits(value: &[u8]) -> Option<u8> {
    match value {
        [digit @ b'8'..=b'9'] => Some(digit - b'0'),
        [b'1', digit @ b'0'..=b'5'] => Some(10 + digit - b'0'),
        _ => None,
    }
}

/// What is left of a header line, read from its front in one go.
struct Offers<'a>(&'a [u8]);

impl<'a> Offers<'a> {
    fn read(mut self) -> Option<Vec<(&'a [u8], Vec<Parameter<'a>>)>> {
        let mut offers = Vec::new();
        loop {
            // HTTP allows a list's elements to be empty.
            while self.takes(b',') {}
            if self.0.is_empty() {
                return Some(offers);
            }
            let name = self.token()?;
            let mut parameters = Vec::new();
            while self.takes(b';') {
                let name = self.token()?;
                let value = if self.takes(b'=') { Some(self.value()?) } else { None };
                parameters.push((name, value));
            }
            offers.push((name, parameters));
            if !self.0.is_empty() && !self.takes(b',') {
                return None;
            }
        }
    }

    /// The byte, and the blanks around it.
    fn takes(&mut self, byte: u8) -> bool {
        self.0 = self.0.trim_ascii_start();
        let Some(rest) = self.0.strip_prefix(&[byte]) else { return false };
        self.0 = rest.trim_ascii_start();
        true
    }

    fn token(&mut self) -> Option<&'a [u8]> {
        let end = self.0.iter().position(|byte| !is_token_byte(*byte)).unwrap_or(self.0.len());
        let (token, rest) = self.0.split_at(end);
        self.0 = rest;
        (!token.is_empty()).then_some(token)
    }

    /// A token, in quotes or not. What would need an escape is no token.
    fn value(&mut self) -> Option<&'a [u8]> {
        let Some(quoted) = self.0.strip_prefix(b"\"") else { return self.token() };
        self.0 = quoted;
        let value = self.token()?;
        self.0 = self.0.strip_prefix(b"\"")?;
        Some(value)
    }
}
