//! What hub clients are told, in their types. It decides nothing: what has no word here is not told.

use serde::Deserialize;
use vocabulary::{Code, ConnectionId, Payload, Person, Position, Refusal, Shown, UserId, Wall};

use super::row;
use crate::Item;
use crate::json::{self, Object};
use crate::reading;

/// What an envelope says besides its type and data.
struct Envelope<'a> {
    id: Id<'a>,
    /// Whose it is: the author's, or that of the one who reads it.
    user: Option<&'a UserId>,
    at: Wall,
    position: Option<Position>,
}

/// Every envelope has an id.
enum Id<'a> {
    Clients(&'a str),
    Records(Position),
    /// Of what is neither stored nor an answer: made of what it tells, and not unique.
    Made(&'static str),
}

impl<'a> Id<'a> {
    fn of(id: Option<&'a str>, otherwise: &'static str) -> Id<'a> {
        id.map_or(Id::Made(otherwise), Id::Clients)
    }
}

impl Envelope<'_> {
    fn write(&self, out: &mut Vec<u8>, kind: &str, data: impl FnOnce(&mut Object<'_>)) -> bool {
        self.write_raw(out, kind, |out| {
            let mut object = Object::begin(out);
            data(&mut object);
            object.end();
        })
    }

    fn write_raw(&self, out: &mut Vec<u8>, kind: &str, data: impl FnOnce(&mut Vec<u8>)) -> bool {
        let mut object = Object::begin(out);
        match &self.id {
            Id::Clients(id) => object.text("id", id),
            Id::Records(position) => object.message_id("id", *position),
            Id::Made(what) => {
                let user = self.user.map_or("", UserId::as_str);
                object.text("id", &format!("{what}-{user}-{}", self.at.0));
            }
        }
        object.text("type", kind);
        data(object.key("data"));
        object.number("timestamp", seconds(self.at));
        object.text("user_id", self.user.map_or("", UserId::as_str));
        if let Some(position) = self.position {
            object.position("position", position);
        }
        object.end();
        true
    }
}

pub(super) fn seconds(at: Wall) -> u64 {
    u64::try_from(at.0.div_euclid(1000)).unwrap_or(0)
}

pub(super) fn person(object: &mut Object<'_>, key: &'static str, person: &Person) {
    write_person(object.key(key), person);
}

fn write_person(out: &mut Vec<u8>, person: &Person) {
    let mut object = Object::begin(out);
    object.text("id", person.id.as_str());
    object.text("username", &person.name);
    object.end();
}

pub(super) fn write(reader: Option<&UserId>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
    let answer = |id, what, at| Envelope { id: Id::of(id, what), user: reader, at, position: None };
    match *item {
        Item::Record { room, shown, position, at } => {
            let user = shown.sender.as_ref().map(|sender| &sender.id);
            let envelope = Envelope { id: Id::Records(position), user, at, position: Some(position) };
            write_record(&envelope, room, shown, out)
        }
        Item::Soft { room, shown, at } => {
            let user = shown.sender.as_ref().map(|sender| &sender.id);
            let envelope = Envelope { id: Id::Made("soft"), user, at, position: None };
            write_soft(&envelope, room, shown, out)
        }
        Item::Announced { payload, position, at } => {
            let envelope = Envelope { id: Id::Records(position), user: None, at, position: None };
            envelope.write_raw(out, "user.notification", |out| write_payload(out, payload))
        }
        Item::Ack { room, id, position, at, shown, .. } => {
            let id = id.map_or(Id::Records(position), Id::Clients);
            let envelope = Envelope { id, user: reader, at, position: Some(position) };
            envelope.write(out, "channel.message", |data| match shown {
                Some(shown) => row::write(data, room, shown, position, at),
                // Sent again and stored before, or passed: what it said, the sender knows.
                None => {
                    data.message_id("id", position);
                    data.text("channel_id", room);
                    data.number("created_at", seconds(at));
                }
            })
        }
        Item::Done { room, id, at, .. } => {
            answer(id, "done", at).write(out, "ack", |data| data.text("channel_id", room))
        }
        Item::Left { room, id, at } => answer(id, "leave", at).write(out, "channel.leave", |data| {
            data.text("channel_id", room);
            data.text("status", "left");
        }),
        Item::Refused { room, id, refusal, at } => {
            answer(id, "error", at).write(out, "error", |data| write_refusal(data, room, refusal))
        }
        // The inbox, which a connection is in by itself.
        Item::Joined { room, id: None, .. } if room.starts_with("user:") => false,
        Item::Joined { room, id, users, count, about, position, at, .. } => {
            let envelope = Envelope { position, ..answer(id, "join", at) };
            envelope.write(out, "channel.join", |data| {
                data.text("channel_id", room);
                data.text("status", "joined");
                data.number("count", u64::from(count));
                json::list(data.key("users"), users, write_person);
                if let Some(about) = about {
                    data.raw("about", about);
                }
            })
        }
        Item::Resumed { room, upto, at } => {
            let envelope = Envelope { position: Some(upto), ..answer(None, "resumed", at) };
            envelope.write(out, "channel.resumed", |data| data.text("channel_id", room))
        }
        Item::Gap { room, view, upto, at } => {
            let envelope = Envelope { position: Some(upto), ..answer(None, "gap", at) };
            envelope.write(out, "channel.gap", |data| write_view(data, room, view))
        }
        Item::Reset { room, view, upto, at } => {
            let envelope = Envelope { position: Some(upto), ..answer(None, "reset", at) };
            envelope.write(out, "channel.reset", |data| write_view(data, room, view))
        }
        Item::Came { room, person, at, .. } => write_member("channel.member.join", room, person, at, out),
        Item::Went { room, person, at, .. } => write_member("channel.member.leave", room, person, at, out),
        Item::Online { person, at } => write_status("online", person, at, out),
        Item::Offline { person, at } => write_status("offline", person, at, out),
        Item::Members { room, id, users, count, at, .. } => {
            answer(id, "members", at).write(out, "channel.members", |data| {
                data.text("channel_id", room);
                data.number("count", u64::from(count));
                json::list(data.key("users"), users, write_person);
            })
        }
        Item::Opened { client, at, .. } => {
            answer(None, "connect", at).write(out, "connection.connect", |data| {
                write_client(data.key("client_id"), client);
                data.text("status", "connected");
            })
        }
        Item::Pong { id, at } => answer(id, "pong", at).write(out, "connection.pong", |data| {
            data.text("ping_id", id.unwrap_or_default());
        }),
        Item::Known { id, person: who, expires, at } => {
            answer(id, "refreshed", at).write(out, "connection.refreshed", |data| {
                person(data, "user", who);
                data.number("expires", seconds(expires));
            })
        }
        Item::Expiring { expires, at } => {
            answer(None, "expiring", at).write(out, "connection.token_expiring", |data| {
                data.number("expires", seconds(expires));
            })
        }
        // Nothing here asks for it: the past is had by HTTP.
        Item::History { .. } => false,
    }
}

fn write_record(envelope: &Envelope<'_>, room: &str, shown: &Shown, out: &mut Vec<u8>) -> bool {
    let position = envelope.position.unwrap_or_default();
    let kind = match shown.kind {
        "new_message" => {
            return envelope.write(out, "channel.message", |data| {
                row::write(data, room, shown, position, envelope.at);
            });
        }
        "message_edited" => {
            return envelope.write(out, "channel.message.edited", |data| {
                data.text("channel_id", room);
                row::write_said(data, &shown.payload);
            });
        }
        "notification" => {
            return envelope.write_raw(out, "user.notification", |out| write_payload(out, &shown.payload));
        }
        "message_deleted" => "channel.message.deleted",
        "reaction_added" => "channel.reaction.added",
        "reaction_removed" => "channel.reaction.removed",
        "room_changed" => "channel.changed",
        "room_deleted" => "channel.deleted",
        "member_added" => "channel.member.added",
        "member_removed" => "channel.member.removed",
        "member_muted" => "channel.member.muted",
        "member_unmuted" => "channel.member.unmuted",
        "member_kicked" => "channel.member.kicked",
        "member_banned" => "channel.member.banned",
        "member_unbanned" => "channel.member.unbanned",
        "role_changed" => "channel.role.changed",
        "user_erased" => "channel.user.erased",
        "read_marked" => "user.read_marked",
        "channel_changed" => "user.channel.changed",
        "channel_removed" => "user.channel.removed",
        _ => "channel.event",
    };
    envelope.write(out, kind, |data| {
        data.text("channel_id", room);
        data.text("event", shown.kind);
        write_payload(data.key("payload"), &shown.payload);
    })
}

#[derive(Default, Deserialize)]
struct Typing {
    #[serde(default)]
    typing: bool,
}

fn write_soft(envelope: &Envelope<'_>, room: &str, shown: &Shown, out: &mut Vec<u8>) -> bool {
    if shown.kind != "user_typing" {
        return false;
    }
    let said = std::str::from_utf8(&shown.payload).ok().and_then(reading::object);
    let Typing { typing } = said.unwrap_or_default();
    let kind = if typing { "channel.typing" } else { "channel.stop_typing" };
    envelope.write(out, kind, |data| {
        data.text("channel_id", room);
        data.truth("is_typing", typing);
        if let Some(sender) = &shown.sender {
            data.text("user_id", sender.id.as_str());
            data.text("username", &sender.name);
        }
    })
}

fn write_payload(out: &mut Vec<u8>, payload: &Payload) {
    let payload: &[u8] = if payload.is_empty() { b"{}" } else { payload };
    out.extend_from_slice(payload);
}

fn write_view(data: &mut Object<'_>, room: &str, view: &Payload) {
    data.text("channel_id", room);
    data.raw("view", view);
}

fn write_member(kind: &str, room: &str, person: &Person, at: Wall, out: &mut Vec<u8>) -> bool {
    let envelope = Envelope { id: Id::Made("member"), user: Some(&person.id), at, position: None };
    envelope.write(out, kind, |data| {
        data.text("channel_id", room);
        data.text("user_id", person.id.as_str());
        data.text("username", &person.name);
    })
}

fn write_status(status: &str, person: &Person, at: Wall, out: &mut Vec<u8>) -> bool {
    let envelope = Envelope { id: Id::Made("status"), user: Some(&person.id), at, position: None };
    envelope.write(out, "user.status", |data| {
        data.text("status", status);
        data.number("last_seen", seconds(at));
        data.text("user_id", person.id.as_str());
        data.text("username", &person.name);
    })
}

/// Told apart from every other connection of this node that is open or was.
fn write_client(out: &mut Vec<u8>, client: ConnectionId) {
    let text = format!("\"{}-{}-{}\"", client.shard.0, client.slot, client.generation);
    out.extend_from_slice(text.as_bytes());
}

fn write_refusal(data: &mut Object<'_>, room: Option<&str>, refusal: &Refusal) {
    data.text("code", code(refusal.code));
    let text = match refusal.code {
        Code::NotInRoom => "You are not in this channel",
        _ => &refusal.text,
    };
    data.text("message", text);
    let reference = refusal.reference.as_ref().map(ToString::to_string);
    if room.is_none() && refusal.retry_after_ms.is_none() && reference.is_none() {
        return;
    }
    let mut details = Object::begin(data.key("details"));
    details.text_if("channel_id", room);
    if let Some(millis) = refusal.retry_after_ms {
        details.number("retry_after_ms", u64::from(millis));
    }
    details.text_if("ref", reference.as_deref());
    details.end();
}

fn code(code: Code) -> &'static str {
    match code {
        Code::InvalidFormat => "INVALID_MESSAGE",
        Code::UnknownType => "UNKNOWN_MESSAGE_TYPE",
        Code::MissingRoom => "INVALID_CHANNEL_ID",
        Code::NotInRoom => "NOT_IN_CHANNEL",
        Code::InvalidPayload => "INVALID_DATA",
        Code::TooManyRooms => "JOIN_FAILED",
        Code::RateLimit => "RATE_LIMITED",
        Code::Busy => "SAVE_FAILED",
        Code::Unconfirmed => "PUBLISH_FAILED",
        Code::Forbidden => "PERMISSION_DENIED",
        Code::Unauthorized => "PERMISSION_ERROR",
        Code::Internal => "ERROR",
        Code::App(code) => code,
    }
}
