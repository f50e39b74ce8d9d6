//! What a client may say in a message: checked field by field; everything that chat does not know passes as it is.

use app::{Fields, wrong};
use serde_json::Value;
use vocabulary::{Code, Payload, Position, Refusal};

/// What people write by hand; longer texts are files.
pub(crate) const CONTENT_CHARS_MAX: usize = 4_000;
/// Emoji of several parts fit, and short words.
const REACTION_BYTES_MAX: usize = 32;

/// `content` is required text; whatever else the client says with it is stored and delivered unchanged.
pub(crate) fn check_message(payload: &Payload) -> Result<(), Refusal> {
    // A list would do for a lenient reader, field by field, and is no message.
    if payload.trim_ascii_start().first() != Some(&b'{') {
        let says = "payload must be an object with a text in content";
        return Err(Refusal::new(Code::InvalidPayload, says));
    }
    check_fields(&Fields::of(payload)?)
}

fn check_fields(fields: &Fields<'_>) -> Result<(), Refusal> {
    let content = fields.required_text("content", "the text of the message")?;
    if content.is_empty() {
        return Err(Refusal::new(Code::InvalidPayload, "content must not be empty"));
    }
    // Bytes are counted by themselves; characters are only where there could be too many.
    if content.len() > CONTENT_CHARS_MAX {
        match content.chars().count() {
            chars if chars > CONTENT_CHARS_MAX => {
                let must = format!("at most {CONTENT_CHARS_MAX} characters");
                return Err(wrong("content", &must, &chars.to_string()));
            }
            _ => {}
        }
    }
    if fields.has("changes") {
        let says = "changes is the server's own field: leave it out, or give yours another name";
        return Err(Refusal::new(Code::InvalidPayload, says));
    }
    Ok(())
}

/// Which message an edit, a deletion or a reaction is about.
pub(crate) fn about_message(fields: &Fields<'_>) -> Result<Position, Refusal> {
    let missing = || Refusal::new(Code::InvalidPayload, "message_id is required: the id of the message");
    fields.message("message_id")?.ok_or_else(missing)
}

/// The message as it is to stand from now on: what was given, without its name.
pub(crate) fn edited(fields: &Fields<'_>) -> Result<Payload, Refusal> {
    check_fields(fields)?;
    let mut payload = Vec::with_capacity(256);
    for (name, value) in fields.iter().filter(|(name, _)| *name != "message_id") {
        payload.push(if payload.is_empty() { b'{' } else { b',' });
        payload.extend_from_slice(Value::from(name).to_string().as_bytes());
        payload.push(b':');
        payload.extend_from_slice(value.get().as_bytes());
    }
    payload.push(b'}');
    Ok(payload.into())
}

pub(crate) fn reaction(fields: &Fields<'_>) -> Result<String, Refusal> {
    let reaction = fields.required_text("reaction", "one emoji or a short word")?;
    let fits = (1..=REACTION_BYTES_MAX).contains(&reaction.len()) && !reaction.chars().any(char::is_control);
    match fits {
        true => Ok(reaction.into_owned()),
        false => Err(wrong(
            "reaction",
            "1 to 32 bytes of text without control characters",
            &format!("{reaction:?}"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_is_required_text_and_the_rest_is_free() {
        let most = format!(r#"{{"content":"{}"}}"#, "é".repeat(CONTENT_CHARS_MAX));
        let more = format!(r#"{{"content":"{}"}}"#, "é".repeat(CONTENT_CHARS_MAX + 1));
        for (payload, ok) in [
            (r#"{"content":"hi"}"#, true),
            (r#"{"content":"hi","reply_to":"100000007-1","mood":{"a":[1]}}"#, true),
            (r#"{"content":"hi","reply_to":null}"#, true),
            (r#"{"content":"hi","reply_to":"x"}"#, true),
            (r#"{"content":"hi","changes":{}}"#, false),
            (r#"{"content":"hi","changes":null}"#, false),
            (r#"{"content":"hi","content":"ho"}"#, false),
            (r#"{"content":""}"#, false),
            (r#"{"content":7}"#, false),
            (r#"{"text":"hi"}"#, false),
            (&most, true),
            (&more, false),
            ("", false),
            ("null", false),
            (r#"["hi"]"#, false),
            (r#""hi""#, false),
        ] {
            let payload = Payload::copy_from_slice(payload.as_bytes());
            assert_eq!(check_message(&payload).is_ok(), ok, "{payload:?}");
        }
    }

    #[test]
    fn an_edit_is_the_message_anew_without_its_name() {
        let given = Payload::from_static(br#"{"content":"new","message_id":"100000007-1","a\"b":[1, 2]}"#);
        let fields = Fields::of(&given);
        let payload = fields.and_then(|fields| edited(&fields));
        assert_eq!(payload, Ok(Payload::from_static(br#"{"content":"new","a\"b":[1, 2]}"#)));
    }

    #[test]
    fn a_reaction_is_short_and_visible() {
        for (given, ok) in
            [("👍", true), ("👨‍👩‍👧‍👦", true), ("", false), ("a\\nb", false), (&"x".repeat(33), false)]
        {
            let payload = Payload::from(format!(r#"{{"reaction":"{given}"}}"#));
            let read = Fields::of(&payload).and_then(|fields| reaction(&fields));
            assert_eq!(read.is_ok(), ok, "{given}");
        }
    }
}
