//! What was said in a session, to be kept: as JSON, or as a page that prints and that a customer may be handed: the staff's notes
//! stand on it only for whoever asks for them, and as what they are.

use std::fmt::Write;

use axum::extract::State;
use axum::http::HeaderMap;
use serde_json::{Value, json};

use super::bodies::Pairs;
use super::visitors::with_more;
use super::{Answer, Shared, ok};
use crate::answers::Fault;
use crate::asked::{self, Asked, Id};
use crate::printed::{self, escaped};

const STYLE: &str = "body{font:16px/1.5 system-ui,sans-serif;max-width:42rem;margin:2rem auto;padding:0 1rem;color:#1c1a17;background:#fff}\
    h1{font-size:1.4rem}dl{display:grid;grid-template-columns:max-content 1fr;gap:.2rem 1rem}dt{color:#5c564c}dd{margin:0}\
    ol{list-style:none;padding:0}li{padding:.6rem 0;border-top:1px solid #ddd6c8;break-inside:avoid}\
    time,.who{color:#5c564c;font-size:.85rem}p{margin:.2rem 0;white-space:pre-wrap;overflow-wrap:anywhere}\
    .note{background:#fbf3d9;padding-left:.6rem}";
/// As the session's room calls them.
const NOTE: &str = "note_added";

pub(super) async fn of_session(State(livechat): Shared, id: Id, headers: HeaderMap, asked: Asked) -> Answer {
    let user = livechat.user(&headers)?;
    let id = asked::id(id)?;
    let pairs = Pairs::of(asked)?;
    let with_notes = match pairs.one("notes")? {
        None | Some("0") => false,
        Some("1") => true,
        Some(other) => {
            return Err(Fault::field("notes", format!("notes must be 0 or 1, got {other:?}")).into());
        }
    };
    let room = livechat.session(&id, &user)?;
    let session = livechat.ask(&user, &room, "get_session").await?;
    let (mut messages, more) = livechat.past(&user, &id, pairs.position("before")?).await?;
    match pairs.one("format")? {
        None | Some("json") => {
            let mut told = json!({"session": session, "messages": messages});
            with_more(&mut told, more);
            ok("Transcript", told)
        }
        Some("html") => {
            messages.retain(|message| with_notes || message["type"] != NOTE);
            Ok(printed::page(page(&session, &messages, more.is_some())))
        }
        Some(other) => {
            Err(Fault::field("format", format!("format must be json or html, got {other:?}")).into())
        }
    }
}

fn page(session: &Value, messages: &[Value], more: bool) -> String {
    let text = |value: &Value| escaped(value.as_str().unwrap_or_default());
    let topic = text(&session["topic"]);
    let title = if topic.is_empty() { "Transcript".to_owned() } else { topic };
    let mut page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
         <title>{title}</title><style>{STYLE}</style><h1>{title}</h1><dl>"
    );
    let facts = [
        ("Session", &session["session_id"]),
        ("Status", &session["status"]),
        ("Department", &session["department"]),
        ("Customer", &session["customer"]["name"]),
        ("Agent", &session["agent"]["name"]),
        ("Started", &session["started_at"]),
        ("Closed", &session["closed_at"]),
    ];
    for (name, value) in facts.into_iter().filter(|(_, value)| value.is_string()) {
        let _ = write!(page, "<dt>{name}</dt><dd>{}</dd>", text(value));
    }
    page.push_str("</dl>");
    if more {
        page.push_str("<p>Only the newest messages are on this page.</p>");
    }
    page.push_str("<ol>");
    for message in messages {
        let who = match message["sender_name"].as_str() {
            Some(name) => escaped(name),
            None => text(&message["sender_type"]),
        };
        let said = message["message"].as_str().or(message["note"].as_str()).unwrap_or_default();
        let is_note = message["type"] == NOTE;
        let (item, what) =
            if is_note { ("<li class=\"note\">", "<strong>Private note</strong> ") } else { ("<li>", "") };
        let _ = write!(
            page,
            "{item}{what}<span class=\"who\">{who}</span> <time>{}</time><p>{}</p>",
            text(&message["created_at"]),
            escaped(said)
        );
        for file in message["attachments"].as_array().into_iter().flatten() {
            let name = file["name"].as_str().or(file["url"].as_str()).unwrap_or_default();
            let _ = write!(page, "<p>\u{1f4ce} {}</p>", escaped(name));
        }
        page.push_str("</li>");
    }
    page.push_str("</ol></html>");
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_said_is_text_on_the_page() {
        let session = json!({"session_id": "s", "topic": "<b>", "customer": {"id": "c", "name": "A & B"}});
        let said =
            json!({"message": "<script>1</script>\n\"x\"", "sender_type": "customer", "sender_name": "'A'"});
        let page = page(&session, &[said], false);
        for there in [
            "<h1>&lt;b&gt;</h1>",
            "A &amp; B",
            "&lt;script&gt;1&lt;/script&gt;\n&quot;x&quot;",
            "&#39;A&#39;",
        ] {
            assert!(page.contains(there), "{there} in {page}");
        }
        assert!(!page.contains("<script"));
    }
}
