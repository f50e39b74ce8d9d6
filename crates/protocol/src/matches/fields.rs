//! The fields of a message as old pages of live scoring write them: beside `type`, or in `data`, or some here and some there. It
//! refuses what is said twice and differently, and reads no meaning into any field.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::fmt;

use serde::Deserialize;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;
use vocabulary::Payload;

use crate::json;
use crate::reading::{self, Text, clip};

/// Each by its name, once. In an order that is not the sender's, because an object has none.
#[derive(Default)]
struct Named<'a>(BTreeMap<Cow<'a, str>, &'a RawValue>);

#[derive(Default)]
pub(super) struct Fields<'a> {
    kind: Option<&'a RawValue>,
    id: Option<&'a RawValue>,
    data: Option<&'a RawValue>,
    rest: Named<'a>,
}

impl<'a> Fields<'a> {
    /// None: no object, or a field stands in it twice.
    pub(super) fn read(text: &'a str) -> Option<Fields<'a>> {
        let mut rest: Named<'a> = reading::object(text)?;
        let mut take = |name| rest.0.remove(name).filter(|value| value.get() != "null");
        let (kind, id, data) = (take("type"), take("id"), take("data"));
        Some(Fields { kind, id, data, rest })
    }

    /// What stands in `data` is as good as what stands beside it.
    pub(super) fn merge(&mut self) -> Result<(), String> {
        let Some(data) = self.data.take() else { return Ok(()) };
        let inner = reading::object::<Named<'a>>(data.get()).ok_or_else(|| {
            format!("data must be an object whose fields each stand once, got {}", clip(data.get()))
        })?;
        for (name, value) in inner.0 {
            match self.rest.0.entry(name) {
                Entry::Vacant(place) => {
                    place.insert(value);
                }
                Entry::Occupied(place) if place.get().get() == value.get() => {}
                Entry::Occupied(place) => {
                    return Err(format!("{} stands beside data and in it, and differs", clip(place.key())));
                }
            }
        }
        Ok(())
    }

    /// The message's `type`, or what stands there instead of a text.
    pub(super) fn kind(&self) -> Result<Option<Cow<'a, str>>, &'a str> {
        self.kind.map(|kind| text(kind).ok_or(kind.get())).transpose()
    }

    /// The message's `id`.
    pub(super) fn id(&self) -> Result<Option<Cow<'a, str>>, String> {
        self.id.map(|id| text(id).ok_or_else(|| not_text("id", id))).transpose()
    }

    /// Whether the field stands there at all, be it as `null`.
    pub(super) fn has(&self, name: &str) -> bool {
        self.rest.0.contains_key(name)
    }

    /// A field that is `null` is one that is absent.
    pub(super) fn raw(&self, name: &str) -> Option<&'a RawValue> {
        self.rest.0.get(name).copied().filter(|value| value.get() != "null")
    }

    pub(super) fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, String> {
        self.raw(name).map(|value| text(value).ok_or_else(|| not_text(name, value))).transpose()
    }

    /// An object of all but `without`, and of `with`, which wins.
    pub(super) fn written(&self, without: &str, with: &[(&str, String)]) -> Payload {
        let rest = self.rest.0.iter().map(|(name, value)| (&**name, value.get()));
        let is_other = |(name, _): &(&str, &str)| *name != without && with.iter().all(|(it, _)| it != name);
        let all = rest.filter(is_other).chain(with.iter().map(|(name, value)| (*name, value.as_str())));
        object(all)
    }

    /// An object of one field, where it is there.
    pub(super) fn written_of(&self, name: &str) -> Payload {
        object(self.raw(name).map(|value| (name, value.get())).into_iter())
    }
}

fn object<'a>(fields: impl Iterator<Item = (&'a str, &'a str)>) -> Payload {
    let mut out = b"{".to_vec();
    for (index, (name, value)) in fields.enumerate() {
        if index > 0 {
            out.push(b',');
        }
        json::string(&mut out, name);
        out.push(b':');
        out.extend_from_slice(&reading::one_line(value));
    }
    out.push(b'}');
    out.into()
}

fn text(value: &RawValue) -> Option<Cow<'_, str>> {
    serde_json::from_str::<Text<'_>>(value.get()).ok().map(Text::into_cow)
}

fn not_text(name: &str, value: &RawValue) -> String {
    format!("{name} must be a text, got {}", clip(value.get()))
}

impl<'de: 'a, 'a> Deserialize<'de> for Named<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Named<'a>, D::Error> {
        struct Once;
        impl<'de> Visitor<'de> for Once {
            type Value = BTreeMap<Cow<'de, str>, &'de RawValue>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields = BTreeMap::new();
                while let Some((name, value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if fields.insert(name.into_cow(), value).is_some() {
                        return Err(A::Error::custom("a field stands twice"));
                    }
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(Once).map(Named)
    }
}
