//! What livechat clients send, as far as it is read here: which session is meant. The rest is passed on to the session's room, which
//! judges it. Fields that nobody knows are passed over, as they always were.

use std::ops::RangeInclusive;

use vocabulary::{Position, lower_uuid};

use crate::answers::Fault;
use crate::asked::{self, Asked};
pub(super) use crate::body::{Body, Fields, read, read_if_any};

/// As the server writes it.
pub(super) fn session_id(written: &str) -> Result<String, Fault> {
    lower_uuid(written).ok_or_else(|| Fault::field("session_id", "session_id must be a UUID"))
}

/// A new one, version 4.
pub(super) fn new_session_id() -> Result<String, Fault> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes).map_err(|_| Fault::unexpected())?;
    bytes[6] = (bytes[6] & 0x0f) | 0x40;
    bytes[8] = (bytes[8] & 0x3f) | 0x80;
    let hex: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    let part = |from: usize, to: usize| hex.get(from..to).unwrap_or_default();
    Ok([part(0, 8), part(8, 12), part(12, 16), part(16, 20), part(20, 32)].join("-"))
}

impl Fields {
    pub(super) fn session_id(&self) -> Result<String, Fault> {
        session_id(&self.required("session_id")?)
    }
}

/// The query, in which each name stands once.
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn of(asked: Asked) -> Result<Pairs, Fault> {
        asked::pairs(asked).map(Pairs)
    }

    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Fault> {
        Ok(asked::one(&self.0, name)?.filter(|said| !said.is_empty()))
    }

    /// The id of a message.
    pub(super) fn position(&self, name: &str) -> Result<Option<Position>, Fault> {
        let position = |said: &str| {
            said.parse()
                .map_err(|_| Fault::field(name, format!("{name} must be the id of a message, got {said:?}")))
        };
        self.one(name)?.map(position).transpose()
    }

    pub(super) fn number(
        &self,
        name: &str,
        otherwise: usize,
        range: RangeInclusive<usize>,
    ) -> Result<usize, Fault> {
        let Some(said) = self.one(name)? else { return Ok(otherwise) };
        let number = said.parse().ok().filter(|number| range.contains(number));
        let (first, last) = (range.start(), range.end());
        number.ok_or_else(|| Fault::field(name, format!("{name} must be {first} to {last}, got {said:?}")))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_session_has_the_shape_of_one() {
        let (one, other) = (new_session_id().expect("drawn"), new_session_id().expect("drawn"));
        assert_eq!(session_id(&one).expect("a UUID"), one);
        assert_eq!((one.as_bytes()[14], one != other), (b'4', true));
        assert!(matches!(one.as_bytes()[19], b'8' | b'9' | b'a' | b'b'));
    }
}
