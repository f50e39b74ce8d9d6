//! What a client's payload says, field by field. What is wrong is named: the field, what it must be, what was given. It
//! knows no app's words.

use std::borrow::Cow;
use std::fmt;
use std::ops::RangeInclusive;

use serde::Deserialize;
use serde::de::{Deserializer, MapAccess, Visitor};
use serde_json::value::RawValue;
use vocabulary::{Code, Epoch, Payload, Position, Refusal, UserId, check_user};

/// An object's fields in the order in which they were written.
#[derive(Debug)]
pub struct Fields<'a>(Vec<(Cow<'a, str>, &'a RawValue)>);

/// Of what was given, a refusal repeats the beginning: enough to find it, too little to fill a log.
const REPEATED_CHARS: usize = 60;

/// `slow_mode_seconds must be 0 to 21600, got 90000`.
pub fn wrong(field: &str, must: &str, got: &str) -> Refusal {
    let mut given: String = got.chars().take(REPEATED_CHARS).collect();
    if given.len() < got.len() {
        given.push('…');
    }
    Refusal::new(Code::InvalidPayload, format!("{field} must be {must}, got {given}"))
}

/// What a text takes as JSON, at most: what apps save is bounded in bytes.
pub fn quoted(text: &str) -> usize {
    let escaped = |byte: u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    2 + text.bytes().map(escaped).sum::<usize>()
}

impl<'a> Fields<'a> {
    /// No payload at all is one without fields.
    pub fn of(payload: &'a Payload) -> Result<Fields<'a>, Refusal> {
        match payload.trim_ascii() {
            b"" | b"null" => Ok(Fields(Vec::new())),
            text => Fields::read("payload", text),
        }
    }

    fn read(field: &str, text: &'a [u8]) -> Result<Fields<'a>, Refusal> {
        serde_json::from_slice::<Fields<'a>>(text).map_err(|_| {
            wrong(field, "an object whose fields each stand once", &String::from_utf8_lossy(text))
        })
    }

    /// Whether the field stands there at all, be it as `null`.
    pub fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(field, _)| field == name)
    }

    /// A field that is `null` is one that is absent.
    pub fn raw(&self, name: &str) -> Option<&'a RawValue> {
        let (_, value) = self.0.iter().find(|(field, _)| field == name)?;
        (value.get() != "null").then_some(*value)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &'a RawValue)> {
        self.0.iter().map(|(field, value)| (&**field, *value))
    }

    pub fn text(&self, name: &str) -> Result<Option<Cow<'a, str>>, Refusal> {
        let text = |value: &'a RawValue| match serde_json::from_str::<Text<'a>>(value.get()) {
            Ok(text) => Ok(text.0),
            Err(_) => Err(wrong(name, "a text", value.get())),
        };
        self.raw(name).map(text).transpose()
    }

    /// `what`: what the field is for, so that a refusal says it.
    pub fn required_text(&self, name: &str, what: &str) -> Result<Cow<'a, str>, Refusal> {
        self.text(name)?
            .ok_or_else(|| Refusal::new(Code::InvalidPayload, format!("{name} is required: {what}")))
    }

    /// A text on a line or several, without other control characters, of at most so many characters. However its lines ended, they
    /// end in one way.
    pub fn short_text(&self, name: &str, chars_max: usize) -> Result<Option<Cow<'a, str>>, Refusal> {
        let Some(mut text) = self.text(name)? else { return Ok(None) };
        if text.contains('\r') {
            text = text.replace("\r\n", "\n").replace('\r', "\n").into();
        }
        if text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
            return Err(wrong(name, "a text without control characters", &format!("{text:?}")));
        }
        match text.chars().count() {
            chars if chars > chars_max => {
                Err(wrong(name, &format!("at most {chars_max} characters"), &format!("{chars}")))
            }
            _ => Ok(Some(text)),
        }
    }

    pub fn number(&self, name: &str, range: RangeInclusive<u64>) -> Result<Option<u64>, Refusal> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        match serde_json::from_str::<u64>(value.get()) {
            Ok(number) if range.contains(&number) => Ok(Some(number)),
            _ => Err(wrong(name, &format!("{} to {}", range.start(), range.end()), value.get())),
        }
    }

    pub fn truth(&self, name: &str) -> Result<Option<bool>, Refusal> {
        let truth = |value: &RawValue| match value.get() {
            "true" => Ok(true),
            "false" => Ok(false),
            other => Err(wrong(name, "true or false", other)),
        };
        self.raw(name).map(truth).transpose()
    }

    /// Whom it is about.
    pub fn user(&self, name: &str) -> Result<UserId, Refusal> {
        let id = self.required_text(name, "the id of a user")?;
        checked_user(name, &id)
    }

    /// A message's own name, as `new_message` and acks give it.
    pub fn message(&self, name: &str) -> Result<Option<Position>, Refusal> {
        let Some(text) = self.text(name)? else { return Ok(None) };
        match text.parse() {
            Ok(position) => Ok(Some(position)),
            Err(_) => Err(wrong(name, "the id of a message", &format!("{text:?}"))),
        }
    }

    /// A place in a room as frames give it: `{"epoch":"1a2b3c4d5","offset":17}`.
    pub fn position(&self, name: &str) -> Result<Option<Position>, Refusal> {
        let Some(value) = self.raw(name) else { return Ok(None) };
        let must = || wrong(name, "a position {\"epoch\",\"offset\"} as frames give it", value.get());
        let inner = Fields::read(name, value.get().as_bytes()).map_err(|_| must())?;
        let epoch: Option<Epoch> = inner.text("epoch").map_err(|_| must())?.and_then(|text| {
            let epoch: Epoch = text.parse().ok()?;
            (epoch.to_string() == *text).then_some(epoch)
        });
        let offset = inner.number("offset", 0..=(1 << 53)).map_err(|_| must())?;
        match (epoch, offset) {
            (Some(epoch), Some(offset)) => Ok(Some(Position { epoch, offset })),
            _ => Err(must()),
        }
    }

    /// The fields of each object in a list, or the texts in it.
    pub fn list(&self, name: &str, items_max: usize) -> Result<Vec<&'a RawValue>, Refusal> {
        let Some(value) = self.raw(name) else { return Ok(Vec::new()) };
        let items: Vec<&'a RawValue> =
            serde_json::from_str(value.get()).map_err(|_| wrong(name, "a list", value.get()))?;
        match items.len() {
            many if many > items_max => {
                Err(wrong(name, &format!("a list of at most {items_max}"), &format!("{many}")))
            }
            _ => Ok(items),
        }
    }

    /// An item of a list: an object, or a text that stands for one with this field alone.
    pub fn of_item(name: &str, sole: &'static str, item: &'a RawValue) -> Result<Fields<'a>, Refusal> {
        if item.get().starts_with('"') {
            return Ok(Fields(vec![(sole.into(), item)]));
        }
        Fields::read(name, item.get().as_bytes())
    }
}

fn checked_user(name: &str, id: &str) -> Result<UserId, Refusal> {
    match check_user(id) {
        Ok(()) => Ok(UserId::new(id)),
        Err(error) => {
            Err(Refusal::new(Code::InvalidPayload, format!("{name} {error}, got {} bytes", id.len())))
        }
    }
}

/// Read where it stands, unless it has escapes.
#[derive(Deserialize)]
#[serde(transparent)]
struct Text<'a>(#[serde(borrow)] Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for Fields<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Fields<'a>, D::Error> {
        struct InOrder;
        impl<'de> Visitor<'de> for InOrder {
            type Value = Vec<(Cow<'de, str>, &'de RawValue)>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut fields: Self::Value = Vec::new();
                // A set beside a long list, so that a payload of thousands of fields costs no more than its length.
                let mut seen = std::collections::BTreeSet::new();
                while let Some((Text(name), value)) = map.next_entry::<Text<'de>, &'de RawValue>()? {
                    if !seen.insert(name.clone()) {
                        return Err(serde::de::Error::custom("a field stands twice"));
                    }
                    fields.push((name, value));
                }
                Ok(fields)
            }
        }
        deserializer.deserialize_map(InOrder).map(Fields)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked<T>(payload: &str, read: impl FnOnce(&Fields<'_>) -> Result<T, Refusal>) -> Result<T, String> {
        let payload = Payload::copy_from_slice(payload.as_bytes());
        Fields::of(&payload).and_then(|fields| read(&fields)).map_err(|refusal| refusal.text.into_owned())
    }

    #[test]
    fn what_is_no_object_or_says_a_field_twice_is_refused() {
        for (payload, ok) in [
            ("", true),
            ("null", true),
            (" {} ", true),
            (r#"{"a":1,"b":[]}"#, true),
            (r#"{"a":1,"\u0061":2}"#, false),
            ("[]", false),
            ("7", false),
            (r#"{"a":1"#, false),
        ] {
            assert_eq!(asked(payload, |_| Ok(())).is_ok(), ok, "{payload}");
        }
    }

    #[test]
    fn a_refusal_names_the_field_what_it_must_be_and_what_was_given() {
        let seconds = |fields: &Fields<'_>| fields.number("seconds", 0..=21_600);
        assert_eq!(asked(r#"{"seconds":60}"#, seconds), Ok(Some(60)));
        assert_eq!(asked(r#"{"seconds":null}"#, seconds), Ok(None));
        for (payload, says) in [
            (r#"{"seconds":90000}"#, "seconds must be 0 to 21600, got 90000"),
            (r#"{"seconds":"1"}"#, "seconds must be 0 to 21600, got \"1\""),
            (r#"{"seconds":-1}"#, "seconds must be 0 to 21600, got -1"),
            (r#"{"seconds":1.5}"#, "seconds must be 0 to 21600, got 1.5"),
        ] {
            assert_eq!(asked(payload, seconds), Err(says.into()), "{payload}");
        }
        let title = |fields: &Fields<'_>| fields.short_text("title", 3).map(|title| title.map(String::from));
        assert_eq!(asked(r#"{"title":"a\nb"}"#, title), Ok(Some("a\nb".into())));
        assert_eq!(
            asked(r#"{"title":"abcd"}"#, title),
            Err("title must be at most 3 characters, got 4".into())
        );
        assert!(asked(r#"{"title":"\u0007"}"#, title).is_err());
        assert!(asked(r#"{"title":7}"#, title).is_err());
    }

    #[test]
    fn places_and_names_of_messages_are_read_as_frames_write_them() {
        let upto = |fields: &Fields<'_>| fields.position("upto");
        let there = Position { epoch: Epoch::new(1, 7), offset: 17 };
        assert_eq!(asked(r#"{"upto":{"epoch":"100000007","offset":17}}"#, upto), Ok(Some(there)));
        for payload in [
            r#"{"upto":{"epoch":"100000007"}}"#,
            r#"{"upto":{"epoch":"X","offset":1}}"#,
            r#"{"upto":{"epoch":"+1","offset":1}}"#,
            r#"{"upto":{"epoch":"1","offset":-1}}"#,
            r#"{"upto":"100000007-17"}"#,
        ] {
            assert!(asked(payload, upto).is_err(), "{payload}");
        }
        let message = |fields: &Fields<'_>| fields.message("message_id");
        assert_eq!(asked(r#"{"message_id":"100000007-17"}"#, message), Ok(Some(there)));
        assert!(asked(r#"{"message_id":"17"}"#, message).is_err());
    }
}
