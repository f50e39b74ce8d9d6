//! Texts with fields of a message in them, `chat:{room_id}`: read once from the configuration, filled for each message. It knows no
//! room and no broker.

use serde_json::Value;

use crate::names::{Poison, poison, text};

/// What a template is filled with.
pub struct Fields<'a> {
    pub value: &'a Value,
    /// What brokers have beside a message's value, by its name: it, or why it is not there. `None`: a field of the value is meant.
    pub around: Around<'a>,
}

type Around<'a> = &'a dyn Fn(&str) -> Option<Result<String, String>>;

impl<'a> Fields<'a> {
    pub fn of(value: &'a Value) -> Fields<'a> {
        Fields { value, around: &|_| None }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Template {
    written: String,
    pieces: Vec<Piece>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Piece {
    Text(String),
    Field(String, Vec<String>),
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
            let path = path(field);
            if field.contains('{') || path.iter().any(String::is_empty) {
                return None;
            }
            pieces.push(Piece::Field(field.to_owned(), path));
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

    pub fn fill(&self, fields: &Fields<'_>) -> Result<String, Poison> {
        let mut filled = String::with_capacity(self.written.len() + 32);
        for piece in &self.pieces {
            let (name, path) = match piece {
                Piece::Text(text) => {
                    filled.push_str(text);
                    continue;
                }
                Piece::Field(name, path) => (name, path),
            };
            match (fields.around)(name) {
                Some(Ok(text)) => filled.push_str(&text),
                Some(Err(why)) => return poison(format!("{:?} {why}", self.written)),
                None => match text(field(fields.value, path)) {
                    Some(text) => filled.push_str(&text),
                    None => {
                        return poison(format!(
                            "`{name}` must be a text that is not empty, or a whole number"
                        ));
                    }
                },
            }
        }
        Ok(filled)
    }

    /// The same where nothing may stand: None if a field is not there, or null.
    pub fn fill_if_there(&self, fields: &Fields<'_>) -> Result<Option<String>, Poison> {
        let is_there = |piece: &Piece| match piece {
            Piece::Text(_) => true,
            Piece::Field(name, path) => match (fields.around)(name) {
                Some(around) => around.is_ok(),
                None => field(fields.value, path).is_some_and(|field| !field.is_null()),
            },
        };
        if self.pieces.iter().all(is_there) { self.fill(fields).map(Some) } else { Ok(None) }
    }
}

/// As a field's name is written: with dots for those within others.
pub fn path(written: &str) -> Vec<String> {
    written.split('.').map(str::to_owned).collect()
}

pub fn field<'a>(value: &'a Value, path: &[String]) -> Option<&'a Value> {
    path.iter().try_fold(value, |value, name| value.get(name))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
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
            let fields =
                Fields { value: &value, around: &|name| (name == "@key").then(|| Ok("k".to_owned())) };
            match (template.fill(&fields), filled) {
                (Ok(text), Ok(expected)) => assert_eq!(text, expected, "{written}"),
                (Err(Poison(says)), Err(field)) => assert!(says.contains(field), "{written}: {says}"),
                (got, _) => panic!("{written}: {got:?}"),
            }
        }
        let of = |written: &str| Template::read(written).expect(written);
        let keyless =
            Fields { value: &value, around: &|name| (name == "@key").then(|| Err("wants a key".to_owned())) };
        assert_eq!(of("{@key}").fill(&keyless), Err(Poison("\"{@key}\" wants a key".to_owned())));
        assert_eq!(of("{@key}").fill_if_there(&keyless), Ok(None));
        let fields = Fields::of(&value);
        assert_eq!(of("{null}").fill_if_there(&fields), Ok(None));
        assert_eq!(of("{room}").fill_if_there(&fields), Ok(Some("lobby".to_owned())));
        assert!(of("{empty}").fill_if_there(&fields).is_err());
    }

    #[test]
    fn braces_that_do_not_fit_are_refused() {
        for written in ["{", "}", "a}b", "{}", "{a", "{a..b}", "{a{b}}", "{.a}"] {
            assert_eq!(Template::read(written), None, "{written}");
        }
        assert_eq!(Template::read("chat:{a}").expect("it reads").beginning(), "chat:");
    }

    proptest! {
        /// Whatever stands between fields stays, and each field is where its name was.
        #[test]
        fn what_is_filled_is_what_is_written_with_each_field_in_its_place(
            pieces in proptest::collection::vec(("[^{}]{0,6}", "[a-z]{1,3}"), 0..6), end in "[^{}]{0,6}",
        ) {
            let written: String = pieces.iter().map(|(text, name)| format!("{text}{{{name}}}")).collect();
            let template = Template::read(&format!("{written}{end}")).expect("its braces fit");
            let value: Value = pieces.iter().map(|(_, name)| (name.clone(), json!(format!("<{name}>")))).collect();
            let expected: String = pieces.iter().map(|(text, name)| format!("{text}<{name}>")).collect();
            prop_assert_eq!(template.fill(&Fields::of(&value)), Ok(format!("{expected}{end}")));
        }

        /// Nobody's configuration brings it down, and what it reads it fills or says why.
        #[test]
        fn whatever_is_written_is_read_or_refused(written in "[a-z{}.@: ]{0,24}") {
            if let Some(template) = Template::read(&written) {
                let value = json!({"a": "b"});
                let filled = template.fill(&Fields::of(&value)).unwrap_or_default();
                prop_assert_eq!(filled.find(['{', '}']), None);
            }
        }
    }
}
