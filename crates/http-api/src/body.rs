//! The body of a user's call: an object of fields, each once, of which most are passed on to a room as they were written. Fields that
//! nobody knows are passed over.

use std::collections::BTreeMap;
use std::fmt;

use axum::body::Bytes;
use axum::extract::rejection::BytesRejection;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
use vocabulary::Payload;

use crate::answers::Fault;
use crate::asked;
use crate::places::BODY_BYTES_MAX;

pub(crate) type Body = Result<Bytes, BytesRejection>;

/// In the order in which they were written, each once: who reads this first and who reads it last would otherwise read two things.
pub(crate) struct Fields(Vec<(String, Box<RawValue>)>);

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

#[derive(Serialize)]
#[serde(untagged)]
enum Written<'a> {
    Json(&'a RawValue),
    Text(&'a str),
    Truth(bool),
}

/// These fields, as far as they were said and as they were written, and that something is on or off, which the call says.
pub(crate) fn switched(said: Option<&Fields>, names: &[&str], is_active: bool) -> Payload {
    let said = names.iter().filter_map(|name| Some((*name, Written::Json(said?.raw(name)?))));
    let all: BTreeMap<&str, Written<'_>> = said.chain([("is_active", Written::Truth(is_active))]).collect();
    serde_json::to_string(&all).unwrap_or_default().into()
}

pub(crate) fn read(body: Body) -> Result<Fields, Fault> {
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
pub(crate) fn read_if_any(body: Body) -> Result<Fields, Fault> {
    match body {
        Ok(body) if body.trim_ascii().is_empty() => Ok(Fields(Vec::new())),
        body => read(body),
    }
}

impl Fields {
    /// One that is `null` is absent.
    pub(crate) fn raw(&self, name: &str) -> Option<&RawValue> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        (value.get() != "null").then_some(&**value)
    }

    pub(crate) fn text(&self, name: &str) -> Result<Option<String>, Fault> {
        let text = |value: &RawValue| {
            serde_json::from_str(value.get())
                .map_err(|_| Fault::field(name, format!("{name} must be a text")))
        };
        self.raw(name).map(text).transpose()
    }

    pub(crate) fn required(&self, name: &str) -> Result<String, Fault> {
        let said = self.text(name)?.filter(|text| !text.is_empty());
        said.ok_or_else(|| Fault::field(name, format!("{name} is required")))
    }

    /// All but these, as they were written, and others beside them.
    pub(crate) fn all_but(&self, without: &[&str], with: &[(&str, &str)]) -> Payload {
        let rest = self.0.iter().filter(|(name, _)| without.iter().all(|it| it != name));
        let mut all: BTreeMap<&str, Written<'_>> =
            rest.map(|(name, value)| (&**name, Written::Json(value))).collect();
        all.extend(with.iter().map(|(name, text)| (*name, Written::Text(text))));
        serde_json::to_string(&all).unwrap_or_default().into()
    }

    /// These, under the names that rooms know, as far as they were said, and as they were written.
    pub(crate) fn passed_on(&self, names: &[(&str, &str)]) -> Payload {
        let said = names.iter().filter_map(|(theirs, ours)| Some((*ours, self.raw(theirs)?)));
        let said: BTreeMap<&str, &RawValue> = said.collect();
        // Texts and JSON that was read: nothing that could not be written.
        serde_json::to_string(&said).unwrap_or_default().into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_switch_is_said_with_is_passed_on_as_it_was_written() {
        let deep = format!(r#"{{"location":{}{},"other":1}}"#, "[".repeat(1000), "]".repeat(1000));
        let passed = |body: &str| {
            let fields = read(Ok(Bytes::copy_from_slice(body.as_bytes()))).ok();
            let names = ["latitude", "location"];
            String::from_utf8_lossy(&switched(fields.as_ref(), &names, true)).into_owned()
        };
        assert_eq!(
            passed(r#"{"latitude":1e999,"is_active":false}"#),
            r#"{"is_active":true,"latitude":1e999}"#
        );
        assert_eq!(passed(&deep), format!(r#"{{"is_active":true,{}}}"#, &deep[1..deep.len() - 11]));
        assert_eq!(passed("nothing"), r#"{"is_active":true}"#);
    }
}
