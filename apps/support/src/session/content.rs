//! What may stand in what is said: texts, attachments, contacts, each with its bounds. It knows no session.

use std::borrow::Cow;

use app::{Fields, wrong};
use serde_json::value::RawValue;
use vocabulary::{Code, Refusal, check_user};

use super::records::{Attachment, Contact, Message, Sender};
use crate::rules::AttachmentRules;
use crate::wire::{NAME_CHARS_MAX, Party};

pub(crate) const MESSAGE_CHARS_MAX: usize = 4_000;
const ATTACHMENTS_MAX: usize = 10;
const URL_CHARS_MAX: usize = 1_000;
const FILE_NAME_CHARS_MAX: usize = 200;
/// Numbers beyond it are not whole in JavaScript.
const SIZE_MAX: u64 = 1 << 53;
const CONTACT_CHARS_MAX: usize = 200;
const TYPES: &str = "text, image, file or system";

/// Of a message by whom: clients say less of themselves than back ends say of others.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum By {
    Client,
    Backend,
}

/// `message`, or `content` as other rooms call it; with attachments it may be absent.
pub(crate) fn message(
    fields: &Fields<'_>,
    rules: &AttachmentRules,
    sender_type: Sender,
    by: By,
) -> Result<Message, Refusal> {
    let message = match fields.short_text("message", MESSAGE_CHARS_MAX)? {
        Some(message) => message,
        None => fields.short_text("content", MESSAGE_CHARS_MAX)?.unwrap_or_default(),
    };
    let attachments = attachments(fields, rules, by)?;
    if message.trim().is_empty() && attachments.is_empty() {
        return Err(Refusal::new(Code::InvalidPayload, "message is required: the text to send"));
    }
    let message_type = match fields.text("message_type")?.as_deref() {
        Some(known @ ("text" | "image" | "file")) => known.to_owned(),
        Some("system") if by == By::Backend => "system".into(),
        Some("system") => return Err(wrong("message_type", "text, image or file", "system")),
        Some(other) => return Err(wrong("message_type", TYPES, other)),
        None => match (sender_type, attachments.first().and_then(|file| file.media_type.as_deref())) {
            (Sender::System, _) => "system".into(),
            (_, Some(media)) if media.starts_with("image/") => "image".into(),
            (_, _) if !attachments.is_empty() => "file".into(),
            _ => "text".into(),
        },
    };
    Ok(Message {
        message: message.into_owned(),
        message_type,
        sender_type,
        sender_id: None,
        attachments,
        id: None,
    })
}

fn attachments(fields: &Fields<'_>, rules: &AttachmentRules, by: By) -> Result<Vec<Attachment>, Refusal> {
    match by {
        By::Client => {
            let items = fields.list("attachments", ATTACHMENTS_MAX)?;
            items.into_iter().map(|item| attachment(item, rules)).collect()
        }
        By::Backend => {
            let items = fields.list("attachments", usize::MAX)?;
            Ok(items.into_iter().filter_map(their_attachment).take(ATTACHMENTS_MAX).collect())
        }
    }
}

/// What the team's own back end attaches is its own affair, and no reason to lose what it says: what may not be opened here keeps
/// its name alone, and what has none is left out.
fn their_attachment(item: &RawValue) -> Option<Attachment> {
    let fields = Fields::of_item("attachments", "url", item).ok()?;
    let text = |name: &str| fields.text(name).ok().flatten();
    let called = |text: Cow<'_, str>| {
        let name: String = text.chars().filter(|c| !c.is_control()).take(FILE_NAME_CHARS_MAX).collect();
        Some(name).filter(|name| !name.trim().is_empty())
    };
    let url = text("url").filter(|url| is_url(url) && url.chars().count() <= URL_CHARS_MAX);
    let name = text("name").and_then(called);
    let name = name.or_else(|| text("url").filter(|_| url.is_none()).and_then(called));
    let media_type = fields.short_text("type", CONTACT_CHARS_MAX).ok().flatten();
    let size = fields.number("size", 0..=SIZE_MAX).ok().flatten();
    let (url, media_type) = (url.map(Cow::into_owned), media_type.map(Cow::into_owned));
    (url.is_some() || name.is_some()).then_some(Attachment { url, name, media_type, size })
}

fn attachment(item: &RawValue, rules: &AttachmentRules) -> Result<Attachment, Refusal> {
    let fields = Fields::of_item("attachments", "url", item)?;
    let url = fields.short_text("url", URL_CHARS_MAX)?.unwrap_or_default();
    if !is_url(&url) {
        let must = "an https address, or a path of this site that begins with a single /";
        return Err(wrong("attachments.url", must, &format!("{url:?}")));
    }
    let name = fields.short_text("name", FILE_NAME_CHARS_MAX)?.map(Cow::into_owned);
    let media_type = fields.short_text("type", CONTACT_CHARS_MAX)?.map(Cow::into_owned);
    let size = fields.number("size", 0..=SIZE_MAX)?;
    let media = media_type.as_deref().unwrap_or_default();
    if !rules.allow(media) {
        let must = format!("one of {} (support.attachment_types)", rules.types.join(", "));
        return Err(wrong("attachments.type", &must, &format!("{media:?}")));
    }
    match size {
        Some(size) if size <= rules.bytes_max => {}
        size => {
            let must = format!("at most {} bytes (support.attachment_bytes_max)", rules.bytes_max);
            let got = size.map_or("none".into(), |size| size.to_string());
            return Err(wrong("attachments.size", &must, &got));
        }
    }
    Ok(Attachment { url: Some(url.into_owned()), name, media_type, size })
}

/// What a browser may be given to open: nothing that runs, and nothing of another site that looks like one of ours.
fn is_url(url: &str) -> bool {
    let clean =
        !url.contains(|c: char| c.is_whitespace() || c.is_control() || matches!(c, '\\' | '"' | '<' | '>'));
    let path = url.starts_with('/') && !url.starts_with("//");
    clean && (path || url.strip_prefix("https://").is_some_and(|rest| !rest.is_empty()))
}

pub(crate) fn contact(fields: &Fields<'_>) -> Result<Contact, Refusal> {
    let text = |name: &str| Ok(fields.short_text(name, CONTACT_CHARS_MAX)?.map(Cow::into_owned));
    let required = |name: &str, what: &str| {
        fields.required_text(name, what)?;
        let text: Option<String> = text(name)?;
        text.filter(|text| !text.trim().is_empty())
            .ok_or_else(|| Refusal::new(Code::InvalidPayload, format!("{name} is required: {what}")))
    };
    let contact_email = required("contact_email", "where the customer is reached")?;
    if !is_email(&contact_email) {
        return Err(wrong("contact_email", "an e-mail address", &format!("{contact_email:?}")));
    }
    Ok(Contact {
        contact_name: required("contact_name", "the customer's name")?,
        contact_email,
        contact_phone: text("contact_phone")?,
        position: text("position")?,
        company_name: text("company_name")?,
    })
}

/// Something, one `@`, and something with a dot inside: what is wrong beyond that, the first mail tells.
pub(crate) fn is_email(text: &str) -> bool {
    let Some((name, domain)) = text.split_once('@') else { return false };
    let clean = !text.contains(|c: char| c.is_whitespace() || c.is_control());
    let dotted = domain.split('.').count() > 1 && domain.split('.').all(|part| !part.is_empty());
    clean && !name.is_empty() && dotted && !domain.contains('@')
}

/// A person by these two fields.
pub(crate) fn party(fields: &Fields<'_>, id: &str, name: &str) -> Result<Option<Party>, Refusal> {
    let Some(user) = fields.text(id)? else { return Ok(None) };
    if let Err(error) = check_user(&user) {
        return Err(Refusal::new(Code::InvalidPayload, format!("{id} {error}, got {} bytes", user.len())));
    }
    let shown = fields.short_text(name, NAME_CHARS_MAX)?.map(Cow::into_owned);
    Ok(Some(Party { name: shown.unwrap_or_else(|| user.to_string()), id: user.into_owned() }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_attached_runs_nothing() {
        for (url, may) in [
            ("https://files.example/a.png", true),
            ("/api/files/7", true),
            ("//evil.example/a.png", false),
            ("http://files.example/a.png", false),
            ("javascript:alert(1)", false),
            ("data:text/html,x", false),
            ("https://", false),
            ("/a b", false),
            ("/\\evil.example", false),
            ("", false),
        ] {
            assert_eq!(is_url(url), may, "{url}");
        }
    }

    #[test]
    fn an_address_has_a_name_and_a_domain() {
        for (text, is) in [
            ("a@b.c", true),
            ("a.b+c@d.example", true),
            ("a@b", false),
            ("@b.c", false),
            ("a@b..c", false),
            ("a b@c.d", false),
            ("a@b@c.d", false),
            ("", false),
        ] {
            assert_eq!(is_email(text), is, "{text}");
        }
    }
}
