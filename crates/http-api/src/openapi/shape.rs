//! How a type looks in JSON, as a JSON Schema of it. Of our own types `shape!` writes it, and the compiler sees to it that no field is
//! left out and none has another type than the document says.

use std::collections::BTreeMap;

use serde_json::value::RawValue;
use serde_json::{Value, json};

/// The schemas that have a name, each once.
#[derive(Default)]
pub(crate) struct Book(pub BTreeMap<&'static str, Value>);

pub(crate) trait Shape {
    fn shape(book: &mut Book) -> Value;

    /// Whether it may be absent.
    const OPTIONAL: bool = false;
}

pub(crate) type ShapeOf = fn(&mut Book) -> Value;

impl Book {
    /// A reference to it; it is written down the first time.
    pub(crate) fn named(&mut self, name: &'static str, write: impl FnOnce(&mut Book) -> Value) -> Value {
        if !self.0.contains_key(name) {
            // It may hold itself.
            self.0.insert(name, Value::Null);
            let written = write(self);
            self.0.insert(name, written);
        }
        json!({ "$ref": format!("#/components/schemas/{name}") })
    }
}

macro_rules! plain {
    ($($ty:ty => $schema:tt),+ $(,)?) => {
        $(impl Shape for $ty {
            fn shape(_book: &mut Book) -> Value {
                json!($schema)
            }
        })+
    };
}

plain! {
    String => { "type": "string" },
    &str => { "type": "string" },
    bool => { "type": "boolean" },
    u16 => { "type": "integer", "minimum": 0 },
    u32 => { "type": "integer", "minimum": 0 },
    u64 => { "type": "integer", "minimum": 0 },
    // Whatever JSON there is.
    Value => {},
    Box<RawValue> => {},
    &RawValue => {},
}

impl<T: Shape> Shape for Option<T> {
    const OPTIONAL: bool = true;

    fn shape(book: &mut Book) -> Value {
        match T::shape(book) {
            Value::Object(all) if all.is_empty() => json!({}),
            Value::Object(mut plain)
                if plain.get("type").is_some_and(Value::is_string) && !plain.contains_key("enum") =>
            {
                let kind = plain.remove("type").unwrap_or_default();
                plain.insert("type".to_owned(), json!([kind, "null"]));
                Value::Object(plain)
            }
            other => json!({ "anyOf": [other, { "type": "null" }] }),
        }
    }
}

impl<T: Shape> Shape for Vec<T> {
    fn shape(book: &mut Book) -> Value {
        json!({ "type": "array", "items": T::shape(book) })
    }
}

/// What stands under a name, with a word about it.
pub(crate) fn described(mut schema: Value, says: &str) -> Value {
    if let Some(schema) = schema.as_object_mut() {
        schema.insert("description".to_owned(), says.into());
    }
    schema
}

/// What a text is to look like, besides.
pub(crate) fn bound(schema: &mut Value, more: fn() -> Value) {
    let (Some(schema), Value::Object(more)) = (schema.as_object_mut(), more()) else { return };
    schema.extend(more);
}

/// A room's full name.
pub(crate) fn room() -> Value {
    json!({ "pattern": "^[^:]+:[^:]" })
}

/// A user's id.
pub(crate) fn user() -> Value {
    json!({ "minLength": 1, "maxLength": 128, "pattern": "^[^\\x00-\\x1f\\x7f-\\x9f]+$" })
}

/// A connection's.
pub(crate) fn connection() -> Value {
    json!({ "pattern": "^[0-9a-f]{1,16}-[0-9]{1,4}-[0-9]{1,9}-[0-9]{1,9}$" })
}

/// `shape!(Type as "Name": "what it is" { field: its type => "what that is", kind as "type": …, field = false: … })`; `& bounds` behind
/// a field says what its texts look like.
macro_rules! shape {
    ($ty:ident $(<$life:lifetime>)? as $name:literal : $says:literal {
        $($field:ident $(as $wire:literal)? $(= $default:literal)? : $inner:ty => $doc:literal $(& $more:expr)?),+ $(,)?
    }) => {
        impl $crate::openapi::shape::Shape for $ty $(<$life>)? {
            fn shape(book: &mut $crate::openapi::shape::Book) -> serde_json::Value {
                use $crate::openapi::shape::{Shape, described};
                // Every field, each of the type that is told.
                fn _all(whole: &$ty $(<$life>)?) {
                    let $ty { $($field: _),+ } = whole;
                    $(let _: &$inner = &whole.$field;)+
                }
                book.named($name, |book| {
                    let mut properties = serde_json::Map::new();
                    let mut required: Vec<&str> = Vec::new();
                    $(
                        let name = [$($wire,)? stringify!($field)][0];
                        properties.insert(name.to_owned(), described(<$inner as Shape>::shape(book), $doc));
                        $($crate::openapi::shape::bound(&mut properties[name], $more);)?
                        $(properties[name]["default"] = $default.into();)?
                        if !<$inner as Shape>::OPTIONAL && properties[name].get("default").is_none() {
                            required.push(name);
                        }
                    )+
                    let mut whole = serde_json::json!({
                        "type": "object", "description": $says, "properties": properties,
                        "additionalProperties": false,
                    });
                    if !required.is_empty() {
                        whole["required"] = required.into();
                    }
                    whole
                })
            }
        }
    };
}

/// `words!(Type { Variant = "word" })`: an enum of words, written and read alike.
macro_rules! words {
    ($(#[$meta:meta])* $vis:vis enum $ty:ident { $($variant:ident = $word:literal),+ $(,)? }) => {
        $(#[$meta])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
        $vis enum $ty { $(#[serde(rename = $word)] $variant),+ }

        impl $crate::openapi::shape::Shape for $ty {
            fn shape(_book: &mut $crate::openapi::shape::Book) -> serde_json::Value {
                serde_json::json!({ "type": "string", "enum": [$($word),+] })
            }
        }
    };
}

pub(crate) use {shape, words};
