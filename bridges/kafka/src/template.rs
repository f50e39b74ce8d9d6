//! Texts with fields of a record in them, `chat:{room_id}`: read once from the configuration, filled for each record. It knows no
//! room and no topic.

use serde_json::Value;

use crate::said::{Poison, poison, text};

/// Written for the record's key, which is no field of its value.
const KEY: &str = "@key";

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(Vec<String>),
    Key,
}

impl Template {
    /// None: a brace without its other, or nothing between the two.
    pub fn read(written: &str) -> Option<Template> {
        let (mut pieces, mut rest) = (Vec::new(), written);
        while !rest.is_empty() {
            let (before, behind) = rest.split_once('{').map_or((rest, None), |(a, b)| (a, Some(b)));
            if before.contains('}') {
                return None;
            }
            if !before.is_empty() {
                pieces.push(Piece::Text(before.to_owned()));
            }
            let Some(behind) = behind else { break };
            let (field, behind) = behind.split_once('}')?;
            let path: Vec<String> = field.split('.').map(str::to_owned).collect();
            if field.contains('{') || path.iter().any(String::is_empty) {
                return None;
            }
            pieces.push(if field == KEY { Piece::Key } else { Piece::Field(path) });
            rest = behind;
        }
        Some(Template { written: written.to_owned(), pieces })
    }

    /// What it begins with, whatever the record says.
    pub fn beginning(&self) -> &str {
        match self.pieces.first() {
            Some(Piece::Text(text)) => text,
            _ => "",
        }
    }

    pub(crate) fn fill(&self, key: Option<&str>, value: &Value) -> Result<String, Poison> {
        let mut filled = String::with_capacity(self.written.len() + 32);
        for piece in &self.pieces {
            match piece {
                Piece::Text(text) => filled.push_str(text),
                Piece::Key => match key.filter(|key| !key.is_empty()) {
                    Some(key) => filled.push_str(key),
                    None => {
                        return poison(format!("{:?} wants a key, and the record has none", self.written));
                    }
                },
                Piece::Field(path) => match text(field(value, path)) {
                    Some(text) => filled.push_str(&text),
                    None => {
                        let path = path.join(".");
                        return poison(format!(
                            "`{path}` must be a text that is not empty, or a whole number"
                        ));
                    }
                },
            }
        }
        Ok(filled)
    }

    /// The same where nothing may stand: None if a field is not there, or null.
    pub(crate) fn fill_if_there(&self, key: Option<&str>, value: &Value) -> Result<Option<String>, Poison> {
        let is_there = |piece: &Piece| match piece {
            Piece::Text(_) => true,
            Piece::Key => key.is_some_and(|key| !key.is_empty()),
            Piece::Field(path) => field(value, path).is_some_and(|field| !field.is_null()),
        };
        if self.pieces.iter().all(is_there) { self.fill(key, value).map(Some) } else { Ok(None) }
    }
}

pub(crate) fn field<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn fields_and_the_key_are_filled_in_and_what_is_not_there_is_said() {
        let value = json!({ "room": "lobby", "data": { "kind": "say", "n": 7 }, "empty": "", "null": null });
        for (written, filled) in [
            ("chat:{room}", Ok("chat:lobby")),
            ("{data.kind}-{data.n}", Ok("say-7")),
            ("{@key}", Ok("k")),
            ("plain", Ok("plain")),
            ("", Ok("")),
            ("{empty}", Err("`empty`")),
            ("{data}", Err("`data`")),
            ("{data.no.way}", Err("`data.no.way`")),
        ] {
            let template = Template::read(written).expect(written);
            match (template.fill(Some("k"), &value), filled) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{written}"),
                (Err(Poison(says)), Err(field)) => assert!(says.contains(field), "{written}: {says}"),
                (got, _) => panic!("{written}: {got:?}"),
            }
        }
        let of = |written: &str| Template::read(written).expect(written);
        assert!(of("{@key}").fill(None, &value).is_err());
        assert_eq!(of("{null}").fill_if_there(None, &value), Ok(None));
        assert_eq!(of("{room}").fill_if_there(None, &value), Ok(Some("lobby".to_owned())));
        assert!(of("{empty}").fill_if_there(None, &value).is_err());
    }

    #[test]
    fn braces_that_do_not_fit_are_refused() {
        for written in ["{", "}", "a}b", "{}", "{a", "{a..b}", "{a{b}}", "{.a}"] {
            assert_eq!(Template::read(written), None, "{written}");
        }
        assert_eq!(Template::read("chat:{a}").expect("it reads").beginning(), "chat:");
    }
}
