//! What livechat clients send, as far as it is read here: which session is meant. The rest is passed on to the session's room, which
//! judges it. Fields that nobody knows are passed over, as they always were.

use axum::body::Bytes;
use axum::extract::rejection::{BytesRejection, PathRejection, QueryRejection};
use axum::extract::{Path, Query};
use serde_json::{Map, Value};
use vocabulary::{Position, lower_uuid};

use super::BODY_BYTES_MAX;
use crate::answers::Fault;

pub(super) type Body = Result<Bytes, BytesRejection>;
pub(super) type Id = Result<Path<String>, PathRejection>;
pub(super) type Asked = Result<Query<Vec<(String, String)>>, QueryRejection>;

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

pub(super) fn id(id: Id) -> Result<String, Fault> {
    id.map(|Path(id)| id).map_err(|error| Fault::field("id", error.body_text()))
}

pub(super) struct Fields(Map<String, Value>);

pub(super) fn read(body: Body) -> Result<Fields, Fault> {
    let body = body.map_err(|error| Fault::unread(&error, BODY_BYTES_MAX))?;
    match serde_json::from_slice(&body) {
        Ok(Value::Object(fields)) => Ok(Fields(fields)),
        Ok(_) => Err(Fault::body("the body must be a JSON object")),
        Err(error) => Err(Fault::body(error.to_string())),
    }
}

/// Where nothing has to be said, no body is one without fields.
pub(super) fn read_if_any(body: Body) -> Result<Fields, Fault> {
    match body {
        Ok(body) if body.trim_ascii().is_empty() => Ok(Fields(Map::new())),
        body => read(body),
    }
}

impl Fields {
    pub(super) fn text(&self, name: &str) -> Result<Option<&str>, Fault> {
        match self.0.get(name) {
            None | Some(Value::Null) => Ok(None),
            Some(Value::String(text)) => Ok(Some(text)),
            Some(_) => Err(Fault::field(name, format!("{name} must be a text"))),
        }
    }

    pub(super) fn required(&self, name: &str) -> Result<&str, Fault> {
        let said = self.text(name)?.filter(|text| !text.is_empty());
        said.ok_or_else(|| Fault::field(name, format!("{name} is required")))
    }

    pub(super) fn session_id(&self) -> Result<String, Fault> {
        session_id(self.required("session_id")?)
    }

    /// These, under the names that rooms know, as far as they were said.
    pub(super) fn passed_on(&self, names: &[(&str, &str)]) -> Value {
        let said = names.iter().filter_map(|(theirs, ours)| {
            let value = self.0.get(*theirs).filter(|value| !value.is_null())?;
            Some(((*ours).to_owned(), value.clone()))
        });
        said.collect::<Map<_, _>>().into()
    }
}

/// The query, in which each name stands once.
pub(super) struct Pairs(Vec<(String, String)>);

impl Pairs {
    pub(super) fn of(asked: Asked) -> Result<Pairs, Fault> {
        asked.map(|Query(pairs)| Pairs(pairs)).map_err(|error| Fault::query(&error))
    }

    pub(super) fn one(&self, name: &str) -> Result<Option<&str>, Fault> {
        let mut said = self.0.iter().filter(|(key, _)| key == name).map(|(_, value)| value.as_str());
        match (said.next(), said.next()) {
            (said, None) => Ok(said.filter(|said| !said.is_empty())),
            (_, Some(_)) => Err(Fault::field(name, format!("{name} is there more than once: say it once"))),
        }
    }

    /// The id of a message.
    pub(super) fn position(&self, name: &str) -> Result<Option<Position>, Fault> {
        let position = |said: &str| {
            said.parse()
                .map_err(|_| Fault::field(name, format!("{name} must be the id of a message, got {said:?}")))
        };
        self.one(name)?.map(position).transpose()
    }

    pub(super) fn number(&self, name: &str, otherwise: usize, most: usize) -> Result<usize, Fault> {
        let Some(said) = self.one(name)? else { return Ok(otherwise) };
        match said.parse() {
            Ok(number) if number <= most => Ok(number),
            _ => Err(Fault::field(name, format!("{name} must be a whole number up to {most}, got {said:?}"))),
        }
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
