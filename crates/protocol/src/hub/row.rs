//! A message as hub clients have it, with `text`, `url` and `fileName`, and as a log has it, with `content`: other protocols show the
//! same log. Nothing else is translated here.

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{Payload, Position, Shown, Wall};

use super::tell;
use crate::json::Object;
use crate::reading::{self, Text};

#[derive(Deserialize)]
struct Said<'a> {
    #[serde(borrow, default)]
    text: Option<Text<'a>>,
    #[serde(borrow, default)]
    url: Option<Text<'a>>,
    #[serde(borrow, default, rename = "fileName")]
    file_name: Option<Text<'a>>,
    #[serde(borrow, default)]
    reply_to_id: Option<Text<'a>>,
}

/// The payload of a message. A file that comes without a word is shown to others by its name; the empty `text` beside it says
/// that nobody wrote that.
pub(super) fn stored(data: &str) -> Result<Payload, &'static str> {
    let wanted = "data must hold texts in text, url, fileName and reply_to_id, as far as it has them";
    let said: Said<'_> = reading::object(data).ok_or(wanted)?;
    let filled = |text: &'_ Option<Text<'_>>| text.as_deref().is_some_and(|text| !text.is_empty());
    let content = [&said.text, &said.file_name, &said.url].into_iter().find(|text| filled(text));
    let content = content.and_then(Option::as_deref);
    if !filled(&said.text) && !filled(&said.url) {
        return Err("text or url is required");
    }
    let mut out = Vec::new();
    let mut object = Object::begin(&mut out);
    object.text("content", content.unwrap_or_default());
    if !filled(&said.text) {
        object.text("text", "");
    }
    object.text_if("url", said.url.as_deref());
    object.text_if("fileName", said.file_name.as_deref());
    object.text_if("reply_to", said.reply_to_id.as_deref());
    object.end();
    Ok(out.into())
}

/// What anybody may have stored, by whatever protocol: a field that is no text counts as none.
#[derive(Default, Deserialize)]
struct Kept<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
    #[serde(borrow, default)]
    text: Option<&'a RawValue>,
    #[serde(borrow, default)]
    url: Option<&'a RawValue>,
    #[serde(borrow, default, rename = "fileName")]
    file_name: Option<&'a RawValue>,
    #[serde(borrow, default)]
    reply_to: Option<&'a RawValue>,
    /// Of a change: of which message.
    #[serde(borrow, default)]
    message_id: Option<&'a RawValue>,
    /// The server's own: edits, reactions, that it was deleted.
    #[serde(borrow, default)]
    changes: Option<&'a RawValue>,
}

/// A payload in which a field of ours stands twice has none of the others.
#[derive(Default, Deserialize)]
struct Content<'a> {
    #[serde(borrow, default)]
    content: Option<&'a RawValue>,
}

fn kept(payload: &str) -> Kept<'_> {
    reading::object::<Kept<'_>>(payload).unwrap_or_else(|| {
        let Content { content } = reading::object(payload).unwrap_or_default();
        Kept { content, ..Kept::default() }
    })
}

fn text(raw: Option<&RawValue>) -> Option<&str> {
    raw.map(RawValue::get).filter(|raw| raw.starts_with('"'))
}

/// The fields of a message that a payload holds.
pub(super) fn write_said(data: &mut Object<'_>, payload: &Payload) {
    let kept = kept(std::str::from_utf8(payload).unwrap_or_default());
    let unsaid = text(kept.text) == Some("\"\"");
    let said = if unsaid { None } else { text(kept.content) };
    let message = text(kept.message_id);
    for (key, value) in [
        ("message_id", message),
        ("text", Some(said.unwrap_or("\"\""))),
        ("url", text(kept.url)),
        ("fileName", text(kept.file_name)),
        ("reply_to_id", text(kept.reply_to)),
        ("changes", kept.changes.map(RawValue::get)),
    ] {
        if let Some(value) = value {
            data.key(key).extend_from_slice(value.as_bytes());
        }
    }
}

/// The stored row: the same on the socket, live and on resume.
pub(super) fn write(data: &mut Object<'_>, room: &str, shown: &Shown, position: Position, at: Wall) {
    data.message_id("id", position);
    data.text("channel_id", room);
    if let Some(sender) = &shown.sender {
        data.text("sender_id", sender.id.as_str());
    }
    write_said(data, &shown.payload);
    data.number("created_at", tell::seconds(at));
    if let Some(sender) = &shown.sender {
        tell::person(data, "sender", sender);
    }
}
