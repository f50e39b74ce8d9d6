//! What livechat clients are told: `type`, `success`, `data`, and `error` where something failed. What an app shows of itself goes
//! out under its own name, with the session and the time beside it.

use serde::de::IgnoredAny;
use serde::{Deserialize, Deserializer};
use vocabulary::{CUSTOMER, PageEntry, Payload, Person, Position, Refusal, Shown, User, Wall};

use crate::Item;
use crate::json::{self, Object};
use crate::reading;

pub(super) fn write(item: &Item<'_>, out: &mut Vec<u8>) -> bool {
    match *item {
        Item::Record { room, shown, position, at } => {
            frame(out, shown.kind, |data| write_shown(data, room, shown, position, at));
        }
        Item::Soft { room, shown, at } if shown.kind == "user_typing" => {
            frame(out, "typing_indicator", |data| write_typing(data, room, shown, at));
        }
        Item::Soft { room, shown, at } => frame(out, shown.kind, |data| {
            if !said(&shown.payload).session_id.0 {
                data.text("session_id", room);
            }
            data.time("timestamp", at);
            data.splice(&shown.payload);
        }),
        Item::Ack { id, position, at, reply, shown, .. } => {
            // Of what was sent before, and of what only the fleet's back end will show, there is nothing at hand.
            let is_message = shown.is_none_or(|shown| shown.kind == "new_message");
            let kind = if is_message && reply.is_none() { "message_sent" } else { "ack" };
            frame(out, kind, |data| {
                data.message_id("message_id", position);
                data.time("timestamp", at);
                data.text_if("id", id);
                data.position("position", position);
                if let Some(reply) = reply {
                    data.raw("reply", reply);
                }
            });
        }
        Item::Done { id, at, reply, .. } => frame(out, "ack", |data| {
            data.time("timestamp", at);
            data.text_if("id", id);
            if let Some(reply) = reply {
                data.raw("reply", reply);
            }
        }),
        Item::Opened { user, room, at, .. } => frame(out, "connection_established", |data| {
            write_whose(data, room.unwrap_or(""), user, at);
            data.text("message", "Connected to session");
        }),
        Item::Members { asked: Some(user), room, id, present, at, .. } => {
            frame(out, "session_joined", |data| {
                write_whose(data, room, user, at);
                data.text_if("id", id);
                if let Some(present) = present {
                    data.raw("connection_status", present);
                }
            })
        }
        // Whoever came and went is told with the list of all.
        Item::Members { asked: None, .. }
        | Item::Online { .. }
        | Item::Offline { .. }
        | Item::Left { .. } => {
            return false;
        }
        Item::Joined { room, about, present, position, at, .. } => {
            frame(out, "connection_status_update", |data| {
                write_present(data, room, present, at, None);
                if let Some(about) = about {
                    data.raw("session", about);
                }
                if let Some(position) = position {
                    data.position("position", position);
                }
            });
        }
        Item::Came { room, person, present, at } => {
            frame(out, "connection_status_update", |data| {
                write_present(data, room, present, at, Some(("user_connected", person)));
            });
        }
        Item::Went { room, person, present, at } => {
            frame(out, "connection_status_update", |data| {
                write_present(data, room, present, at, Some(("user_disconnected", person)));
            });
        }
        Item::Resumed { room, upto, at } => write_verdict(out, "session_resumed", room, None, upto, at),
        Item::Gap { room, view, upto, at } => write_verdict(out, "session_gap", room, Some(view), upto, at),
        Item::Reset { room, view, upto, at } => {
            write_verdict(out, "session_reset", room, Some(view), upto, at);
        }
        Item::History { room, id, entries, upto, next, at } => frame(out, "history", |data| {
            data.text("session_id", room);
            data.text_if("id", id);
            json::list(data.key("messages"), entries, |out, entry| write_entry(out, room, entry));
            data.position("upto", upto);
            data.truth("more", next.is_some());
            if let Some(next) = next {
                data.position("next", next);
            }
            data.time("timestamp", at);
        }),
        Item::Refused { id, refusal, at, .. } => write_refusal(out, id, refusal, at),
        Item::Pong { id, at } => frame(out, "pong", |data| {
            data.time("timestamp", at);
            data.text_if("id", id);
        }),
        Item::Known { id, person, expires, at } => frame(out, "refreshed", |data| {
            data.text("user_id", person.id.as_str());
            data.time("expires", expires);
            data.time("timestamp", at);
            data.text_if("id", id);
        }),
        Item::Expiring { expires, at } => frame(out, "token_expiring", |data| {
            data.time("expires", expires);
            data.time("timestamp", at);
        }),
        Item::Announced { payload, position, at } => frame(out, "announcement", |data| {
            data.message_id("message_id", position);
            data.time("timestamp", at);
            data.raw("announcement", payload);
        }),
    }
    true
}

fn frame(out: &mut Vec<u8>, kind: &str, write: impl FnOnce(&mut Object<'_>)) {
    let mut frame = Object::begin(out);
    frame.text("type", kind);
    frame.truth("success", true);
    let mut data = Object::begin(frame.key("data"));
    write(&mut data);
    data.end();
    frame.end();
}

fn write_refusal(out: &mut Vec<u8>, id: Option<&str>, refusal: &Refusal, at: Wall) {
    let mut frame = Object::begin(out);
    frame.text("type", "error");
    frame.truth("success", false);
    frame.text("error", &refusal.text);
    let mut data = Object::begin(frame.key("data"));
    data.text("code", crate::rooms::code(refusal.code));
    if let Some(millis) = refusal.retry_after_ms {
        data.number("retry_after_ms", u64::from(millis));
    }
    if let Some(reference) = &refusal.reference {
        data.text("ref", &reference.to_string());
    }
    data.text_if("id", id);
    data.time("timestamp", at);
    data.end();
    frame.end();
}

/// What the app's own words may say already.
#[derive(Default, Deserialize)]
struct Said<'a> {
    #[serde(default)]
    session_id: Has,
    #[serde(default)]
    sender_id: Has,
    #[serde(default)]
    message_id: Has,
    /// Somebody's in their company, say: then it is not the log's.
    #[serde(default)]
    position: Has,
    /// The fleet's back end has ids of its own for its messages.
    #[serde(borrow, default)]
    event_id: Option<reading::Text<'a>>,
    #[serde(borrow, default)]
    sender_type: Option<reading::Text<'a>>,
    #[serde(default, alias = "typing")]
    is_typing: bool,
}

/// Whether a field is there, `null` or not.
#[derive(Default)]
struct Has(bool);

impl<'de> Deserialize<'de> for Has {
    fn deserialize<D: Deserializer<'de>>(value: D) -> Result<Has, D::Error> {
        IgnoredAny::deserialize(value).map(|_| Has(true))
    }
}

fn said(payload: &Payload) -> Said<'_> {
    std::str::from_utf8(payload).ok().and_then(reading::object).unwrap_or_default()
}

fn write_shown(data: &mut Object<'_>, room: &str, shown: &Shown, position: Position, at: Wall) {
    let said = said(&shown.payload);
    let is_said = matches!(shown.kind, "new_message" | "note_added");
    if is_said && !said.message_id.0 {
        match said.event_id.as_deref() {
            Some(id) => data.text("message_id", id),
            None => data.message_id("message_id", position),
        }
    }
    if !said.session_id.0 {
        data.text("session_id", room);
    }
    match &shown.sender {
        Some(sender) => {
            if !said.sender_id.0 {
                data.text("sender_id", sender.id.as_str());
            }
            data.text("sender_name", &sender.name);
        }
        None if is_said && !said.sender_id.0 => data.key("sender_id").extend_from_slice(b"null"),
        None => {}
    }
    data.splice(&shown.payload);
    data.time("timestamp", at);
    if !said.position.0 {
        data.position("position", position);
    }
}

fn write_entry(out: &mut Vec<u8>, room: &str, entry: &PageEntry) {
    let mut object = Object::begin(out);
    if let Some(shown) = &entry.shown {
        object.text("type", shown.kind);
        write_shown(&mut object, room, shown, entry.position, entry.at);
    }
    object.end();
}

fn write_typing(data: &mut Object<'_>, room: &str, shown: &Shown, at: Wall) {
    let said = said(&shown.payload);
    data.text("session_id", room);
    if let Some(sender) = &shown.sender {
        data.text("user_id", sender.id.as_str());
    }
    data.text("sender_type", said.sender_type.as_deref().unwrap_or(CUSTOMER));
    data.truth("is_typing", said.is_typing);
    data.time("timestamp", at);
}

fn write_whose(data: &mut Object<'_>, room: &str, user: &User, at: Wall) {
    data.text("session_id", room);
    data.text("user_id", user.person.id.as_str());
    data.text("user_type", user.side());
    data.time("timestamp", at);
}

fn write_present(
    data: &mut Object<'_>,
    room: &str,
    present: Option<&Payload>,
    at: Wall,
    event: Option<(&str, &Person)>,
) {
    data.text("session_id", room);
    match present {
        Some(present) => data.raw("connection_status", present),
        None => data.key("connection_status").extend_from_slice(b"{}"),
    }
    if let Some((kind, person)) = event {
        data.text("event_type", kind);
        data.text("event_user_id", person.id.as_str());
    }
    data.time("timestamp", at);
}

fn write_verdict(
    out: &mut Vec<u8>,
    kind: &str,
    room: &str,
    view: Option<&Payload>,
    upto: Position,
    at: Wall,
) {
    frame(out, kind, |data| {
        data.text("session_id", room);
        if let Some(view) = view {
            data.raw("view", view);
        }
        data.position("upto", upto);
        data.time("timestamp", at);
    });
}
