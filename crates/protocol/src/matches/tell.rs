//! What live scoring's old clients are told. They take whatever has `data` for the state of their match, and whatever has `error`
//! for a refusal, so nothing else has a field of these names.

use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::value::RawValue;
use vocabulary::{Code, Payload, Position, Refusal, Shown};

use super::MatchProtocol;
use crate::Item;
use crate::json::Object;
use crate::reading;

/// A whole state to begin from; after a change it goes out under the app's own name.
const BEGINNING: &str = "initialState";
const NOT_INITIALIZED: &str = "Match not initialized";

/// What the app tells whoever joins.
#[derive(Deserialize)]
struct About<'a> {
    #[serde(borrow, default)]
    role: Option<reading::Text<'a>>,
    #[serde(borrow, default)]
    mode: Option<reading::Text<'a>>,
    /// None: there is no match yet.
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

/// What an answer of the app's is, where nothing was recorded.
#[derive(Default, Deserialize)]
struct Answer {
    #[serde(default)]
    error: Option<IgnoredAny>,
    /// States have it, and nothing else.
    #[serde(default, rename = "playerStats")]
    player_stats: Option<IgnoredAny>,
}

pub(super) fn write(side: MatchProtocol, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
    match *item {
        Item::Record { shown, position, .. } => frame(out, |frame| write_shown(frame, shown, Some(position))),
        Item::Soft { shown, .. } => frame(out, |frame| write_shown(frame, shown, None)),
        // The author's copy of what everybody is told.
        Item::Ack { id, position, reply, shown: Some(shown), .. } => frame(out, |frame| {
            write_shown(frame, shown, Some(position));
            write_answer(frame, id, reply);
        }),
        // There is nothing to see of it, and whoever gave it no name does not wait.
        Item::Ack { id: None, .. } | Item::Done { id: None, reply: None, .. } => return false,
        Item::Ack { id, position, reply, shown: None, .. } => frame(out, |frame| {
            frame.text("type", "ack");
            write_answer(frame, id, reply);
            frame.position("position", position);
        }),
        Item::Done { id, reply, .. } => frame(out, |frame| write_done(frame, id, reply)),
        Item::Joined { room, about, position, .. } => {
            return write_joined(side, out, (room, about, position));
        }
        Item::Resumed { room, upto, .. } => frame(out, |frame| {
            frame.text("type", "resumed");
            frame.text("matchId", room);
            frame.position("position", upto);
        }),
        Item::Gap { view, upto, .. } | Item::Reset { view, upto, .. } => {
            // Of no match there is no state: the join's answer has said so.
            if &**view == b"{}" {
                return false;
            }
            frame(out, |frame| {
                frame.text("type", BEGINNING);
                frame.raw("data", view);
                frame.position("position", upto);
            });
        }
        Item::Refused { room, id, refusal, .. } => {
            frame(out, |frame| write_refusal(frame, room, id, refusal))
        }
        Item::Pong { id, .. } => frame(out, |frame| {
            frame.text("type", "pong");
            frame.text_if("actionId", id);
        }),
        Item::Known { id, person, expires, .. } => frame(out, |frame| {
            frame.text("type", "refreshed");
            frame.text("userId", person.id.as_str());
            frame.time("expires", expires);
            frame.text_if("actionId", id);
        }),
        Item::Expiring { expires, .. } => frame(out, |frame| {
            frame.text("type", "token_expiring");
            frame.time("expires", expires);
        }),
        Item::Announced { payload, position, .. } => frame(out, |frame| {
            frame.text("type", "announcement");
            frame.raw("announcement", payload);
            frame.position("position", position);
        }),
        // Who watches a match is nobody's news, and its past is in its state.
        Item::Opened { .. }
        | Item::Left { .. }
        | Item::Came { .. }
        | Item::Went { .. }
        | Item::Online { .. }
        | Item::Offline { .. }
        | Item::Members { .. }
        | Item::History { .. } => return false,
    }
    true
}

fn frame(out: &mut Vec<u8>, write: impl FnOnce(&mut Object<'_>)) {
    let mut frame = Object::begin(out);
    write(&mut frame);
    frame.end();
}

fn write_shown(frame: &mut Object<'_>, shown: &Shown, position: Option<Position>) {
    frame.text("type", shown.kind);
    frame.raw("data", &shown.payload);
    if let Some(position) = position {
        frame.position("position", position);
    }
}

/// Nobody reads it who gave no name to what it answers.
fn write_answer(frame: &mut Object<'_>, id: Option<&str>, reply: Option<&Payload>) {
    if let Some(id) = id {
        frame.text("actionId", id);
        if let Some(reply) = reply {
            frame.splice(reply);
        }
    }
}

/// Nothing was recorded: the raid was taken, or how it stands was asked for, or it had been done before.
fn write_done(frame: &mut Object<'_>, id: Option<&str>, reply: Option<&Payload>) {
    let read = reply.and_then(|reply| std::str::from_utf8(reply).ok());
    let is = read.and_then(reading::object::<Answer>).unwrap_or_default();
    match reply {
        Some(state) if is.player_stats.is_some() => {
            frame.text("type", BEGINNING);
            frame.raw("data", state);
            frame.text_if("actionId", id);
        }
        Some(refusal) if is.error.is_some() => {
            frame.splice(refusal);
            frame.text_if("actionId", id);
        }
        _ => {
            frame.text("type", "ack");
            frame.text_if("actionId", id);
            if let Some(reply) = reply {
                frame.splice(reply);
            }
        }
    }
}

/// Where a match stands, to whoever has come into it.
fn write_joined(
    side: MatchProtocol,
    out: &mut Vec<u8>,
    (room, about, position): (&str, Option<&Payload>, Option<Position>),
) -> bool {
    let read = about.and_then(|about| std::str::from_utf8(about).ok());
    let about = read.and_then(reading::object::<About<'_>>);
    let state = about.as_ref().and_then(|about| about.data);
    match (state, position, side) {
        // Who comes back is told what was missed, or with it how it stands.
        (Some(_), None, _) => return false,
        (Some(state), Some(position), _) => frame(out, |frame| {
            frame.text("type", BEGINNING);
            frame.key("data").extend_from_slice(state.get().as_bytes());
            frame.position("position", position);
            if let Some(about) = &about {
                frame.text_if("role", about.role.as_deref());
                frame.text_if("mode", about.mode.as_deref());
            }
        }),
        (None, _, MatchProtocol::Scorers) => frame(out, |frame| {
            frame.text("type", "requestInit");
            frame.text("matchId", room);
        }),
        (None, _, MatchProtocol::Viewers) => frame(out, |frame| {
            let refusal = Refusal::new(Code::App("NOT_INITIALIZED"), NOT_INITIALIZED);
            write_refusal(frame, Some(room), None, &refusal);
        }),
    }
    true
}

fn write_refusal(frame: &mut Object<'_>, room: Option<&str>, id: Option<&str>, refusal: &Refusal) {
    if refusal.code == Code::MissingRoom {
        frame.text("type", "requestJoin");
        return frame.text_if("actionId", id);
    }
    frame.text("error", &refusal.text);
    frame.text("code", crate::rooms::code(refusal.code));
    frame.text_if("matchId", room);
    frame.text_if("actionId", id);
    if let Some(millis) = refusal.retry_after_ms {
        frame.number("retry_after_ms", u64::from(millis));
    }
    if let Some(reference) = &refusal.reference {
        frame.text("ref", &reference.to_string());
    }
}
