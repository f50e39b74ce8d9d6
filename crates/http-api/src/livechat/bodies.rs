//! What livechat clients send, as far as it is read here: which session is meant. The rest is passed on to the session's room, which
//! judges it. Fields that nobody knows are passed over, as they always were.

use std::collections::BTreeMap;
use std::fmt;
use std::ops::RangeInclusive;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use vocabulary::{Payload, Position, lower_uuid};

use super::BODY_BYTES_MAX;
use crate::answers::Fault;
use crate::asked::{self, Asked};

pub(super) type Body = Result<Bytes, BytesRejection>;

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

/// In the order in which they were written, each once: who reads this first and who reads it last would otherwise read two things.
pub(super) struct Fields(Vec<(String, Box<RawValue>)>);

impl<'de> Deserialize<'de> for Fields {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields, D::Error> {
        struct Written;

        impl<'de> Visitor<'de> for Written {
            type Value = Fields;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a JSON object")
            }

            fn visit_map<M: MapAccess<'de>>(self, mut map: M) -> Result<Fields, M::Error> {
                let mut fields = Vec::new();
                while let Some(field) = map.next_entry()? {
                    fields.push(field);
                }
                Ok(Fields(fields))
            }
        }

        deserializer.deserialize_map(Written)
    }
}

pub(super) fn read(body: Body) -> Result<Fields, Fault> {
    let body = body.map_err(|error| Fault::unread(&error, BODY_BYTES_MAX))?;
    if body.trim_ascii_start().first() != Some(&b'{') {
        return Err(Fault::body("the body must be a JSON object"));
    }
    let fields: Fields = serde_json::from_slice(&body).map_err(|error| Fault::body(error.to_string()))?;
    let mut names: Vec<&str> = fields.0.iter().map(|(name, _)| &**name).collect();
    names.sort_unstable();
    match names.windows(2).find(|pair| pair[0] == pair[1]) {
        Some(twice) => Err(asked::not_once(twice[0])),
        None => Ok(fields),
    }
}

/// Where nothing has to be said, no body is one without fields.
pub(super) fn read_if_any(body: Body) -> Result<Fields, Fault> {
    match body {
        Ok(body) if body.trim_ascii().is_empty() => Ok(Fields(Vec::new())),
        body => read(body),
    }
}

impl Fields {
    /// One that is `null` is absent.
    fn raw(&self, name: &str) -> Option<&RawValue> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        (value.get() != "null").then_some(&**value)
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        let text = |value: &RawValue| {
            serde_json::from_str(value.get())
                .map_err(|_| Fault::field(name, format!("{name} must be a text")))
        };
        self.raw(name).map(text).transpose()
    }

    fn required(&self, name: &str) -> Result<String, Fault> {
        let said = self.text(name)?.filter(|text| !text.is_empty());
        said.ok_or_else(|| Fault::field(name, format!("{name} is required")))
    }

    pub(super) fn session_id(&self) -> Result<String, Fault> {
        session_id(&self.required("session_id")?)
    }

    /// These, under the names that rooms know, as far as they were said, and as they were written.
    pub(super) fn passed_on(&self, names: &[(&str, &str)]) -> Payload {
        let said = names.iter().filter_map(|(theirs, ours)| Some((*ours, self.raw(theirs)?)));
        let said: BTreeMap<&str, &RawValue> = said.collect();
        // Texts and JSON that was read: nothing that could not be written.
        serde_json::to_string(&said).unwrap_or_default().into()
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
