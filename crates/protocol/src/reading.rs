//! Reading JSON more strictly than its grammar asks: what one client sends is passed on to others, and all of them must
//! be able to read it.

use std::borrow::Cow;
use std::fmt;
use std::ops::Deref;
use std::sync::Arc;

use serde::Deserialize;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;
use vocabulary::{Epoch, Payload, Position};

/// Half of what the strictest common readers follow; the other half is for the frames around a payload.
const DEPTH_MAX: u8 = 64;

/// A client's own ids are kept in the room for a day, so they are bounded.
const ID_BYTES_MAX: usize = 128;
/// Numbers beyond this are not exact in the clients' own arithmetic.
const OFFSET_MAX: u64 = 1 << 53;

/// Text that is read where it stands, unless it has escapes. (An optional `Cow` is copied each time.)
#[derive(Deserialize)]
#[serde(transparent)]
pub(crate) struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'a> Text<'a> {
    pub(crate) fn into_cow(self) -> Cow<'a, str> {
        self.0
    }
}

impl Deref for Text<'_> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.0
    }
}

/// An object. A derived reader would also fill its fields from a list, in an order that nobody wrote down.
pub(crate) fn object<'a, T: Deserialize<'a>>(text: &'a str) -> Option<T> {
    if !text.trim_ascii_start().starts_with('{') {
        return None;
    }
    serde_json::from_str(text).ok()
}

/// Whether readers that are stricter than the grammar take it too: no half of a surrogate pair, no number beyond a
/// double, no bottomless nesting.
pub fn is_readable(json: &str) -> bool {
    Readable { depth: DEPTH_MAX }.deserialize(&mut serde_json::Deserializer::from_str(json)).is_ok()
}

/// A client's JSON in one line. Inside a text a line break is escaped, so what stands bare is white space.
pub fn one_line(json: &str) -> Payload {
    // Without a way out of the loop, so that it looks at many bytes at a time.
    if !json.bytes().fold(false, |found, byte| found | matches!(byte, b'\n' | b'\r')) {
        return Payload::copy_from_slice(json.as_bytes());
    }
    let space = |byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte };
    json.bytes().map(space).collect()
}

#[derive(Deserialize)]
struct WirePosition<'a> {
    #[serde(borrow)]
    epoch: Text<'a>,
    offset: u64,
}

/// Where a client was, or what is wrong with how it says so. An epoch that we never wrote is one that never was: the room
/// answers it with a reset.
pub(crate) fn position(raw: &RawValue) -> Result<Position, &'static str> {
    let Some(position) = object::<WirePosition<'_>>(raw.get()) else {
        return Err(" must be a position, an object with epoch and offset");
    };
    if position.offset >= OFFSET_MAX {
        return Err(".offset must be below 2^53");
    }
    Ok(Position { epoch: position.epoch.parse().unwrap_or(Epoch(0)), offset: position.offset })
}

/// A client's own id for what it asks, which the answer will have. An empty one is none.
pub(crate) fn own_id(written: Option<&str>) -> Result<Option<Arc<str>>, &'static str> {
    match written {
        Some(id) if id.len() > ID_BYTES_MAX => Err("id must be at most 128 bytes"),
        Some(id) if !id.is_empty() => Ok(Some(id.into())),
        _ => Ok(None),
    }
}

/// Answers repeat what a client wrote, but not at any length.
pub(crate) fn clip(text: &str) -> Cow<'_, str> {
    match text.char_indices().nth(64) {
        None => text.into(),
        Some((end, _)) => format!("{}…", &text[..end]).into(),
    }
}

/// Reads everything and keeps nothing.
#[derive(Clone, Copy)]
struct Readable {
    depth: u8,
}

impl Readable {
    fn inside<E: Error>(self) -> Result<Readable, E> {
        let depth = self.depth.checked_sub(1).ok_or_else(|| E::custom("nested too deeply"))?;
        Ok(Readable { depth })
    }
}

impl<'de> DeserializeSeed<'de> for Readable {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<(), D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Readable {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while list.next_element_seed(inside)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<(), A::Error> {
        let inside = self.inside()?;
        while map.next_entry_seed(inside, inside)?.is_some() {}
        Ok(())
    }
}
