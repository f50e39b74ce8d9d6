//! The payload of one message as it grows, in as much memory as has arrived. A text that can no longer become UTF-8
//! fails at its first impossible byte.

use crate::Violation;
use crate::head::Kind;

pub(crate) struct Body {
    kind: Kind,
    bytes: Vec<u8>,
    /// How much of a text is known to be UTF-8; up to three bytes of an unfinished character follow.
    utf8_bytes: usize,
}

impl Body {
    pub(crate) fn new(kind: Kind) -> Body {
        Body { kind, bytes: Vec::new(), utf8_bytes: 0 }
    }

    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }

    /// Doubles as a vector does, but never past the limit: that is the memory a connection may cost.
    pub(crate) fn append(&mut self, bytes: &[u8], bytes_max: usize) -> Result<(), Violation> {
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
