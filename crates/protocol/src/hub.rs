//! The protocol of hub clients: `{id, type, data, timestamp, user_id}`, with times in whole seconds. docs/hub.md is its page. What
//! it is told is written in `tell`; what its messages look like in a log, which speaks of `content`, in `row`.

mod row;
mod tell;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{Asked, Code, Refusal, Request, RoomId, Tag, Unproven, User, Verb, Word};

use crate::reading::{self, Text, clip};
use crate::{Item, Misheard, Names, Protocol};

const INVALID_MESSAGE: &str = "invalid message format";

#[derive(Clone, Copy, Debug, Default)]
pub struct HubProtocol;

/// What a client says of the time and of itself is not read: the server knows both.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OfChannel<'a> {
    #[serde(borrow, default)]
    channel_id: Option<&'a RawValue>,
    #[serde(borrow, default)]
    since: Option<&'a RawValue>,
    #[serde(default)]
    is_typing: Option<bool>,
}

#[derive(Deserialize)]
struct OfToken<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// One frame being understood: what an answer needs is known before what is asked.
struct Hearing<'a> {
    names: &'a Names<'a>,
    frame: Frame<'a>,
    id: Option<Arc<str>>,
}

impl Protocol for HubProtocol {
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard> {
        let Some(frame) = reading::object::<Frame<'_>>(text) else {
            let refusal = Refusal::new(Code::InvalidFormat, INVALID_MESSAGE);
            return Err(Misheard { tag: Tag::default(), room: None, refusal });
        };
        let id = reading::own_id(frame.id.as_deref());
        let hearing = Hearing { names, frame, id: id.clone().unwrap_or_default() };
        id.map_err(|text| hearing.invalid(text))?;
        if !hearing.frame.data.is_none_or(|data| reading::is_readable(data.get())) {
            return Err(hearing.misheard(Code::InvalidFormat, INVALID_MESSAGE));
        }
        let asked = match hearing.kind() {
            "connection.ping" => return Ok(Request::Ping(hearing.tag(false))),
            "connection.refresh" => return hearing.refresh(),
            "channel.join" => hearing.join(),
            "channel.leave" => hearing.channel().map(|(_, room)| hearing.asked(room, Verb::Leave)),
            "channel.message" => hearing.message(),
            "channel.typing" => hearing.typing(|data| data.is_typing.unwrap_or(true)),
            "channel.stop_typing" => hearing.typing(|_| false),
            kind => {
                let text = format!("unknown message type: {}", clip(kind));
                Err(hearing.misheard(Code::UnknownType, text))
            }
        };
        asked.map(Request::Room)
    }

    fn encode(&self, reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        tell::write(reader.map(|user| &user.person.id), item, out)
    }
}

impl<'a> Hearing<'a> {
    fn kind(&self) -> &str {
        self.frame.kind.as_deref().unwrap_or("")
    }

    fn tag(&self, full_name: bool) -> Tag {
        Tag { id: self.id.clone(), full_name }
    }

    fn misheard(&self, code: Code, text: impl Into<Cow<'static, str>>) -> Misheard {
        Misheard { tag: self.tag(false), room: None, refusal: Refusal::new(code, text) }
    }

    fn invalid(&self, text: impl Into<Cow<'static, str>>) -> Misheard {
        self.misheard(Code::InvalidPayload, text)
    }

    fn asked(&self, (room, full_name): (RoomId, bool), verb: Verb) -> Asked {
        Asked { tag: self.tag(full_name), room, verb }
    }

    fn data(&self) -> &'a str {
        self.frame.data.map_or("null", RawValue::get)
    }

    /// A channel's id is a room's name. Old clients have numbers, and write them as such or as texts.
    fn channel(&self) -> Result<(OfChannel<'a>, (RoomId, bool)), Misheard> {
        let data: OfChannel<'a> = reading::object(self.data())
            .ok_or_else(|| self.invalid("data must be an object with channel_id"))?;
        let missing = || self.misheard(Code::MissingRoom, "channel_id is required");
        let raw = data.channel_id.map(RawValue::get).ok_or_else(missing)?;
        let text = serde_json::from_str::<Text<'_>>(raw).ok();
        let number = || Some(raw).filter(|raw| raw.bytes().all(|byte| byte.is_ascii_digit()));
        let written = text
            .as_deref()
            .or_else(number)
            .ok_or_else(|| self.misheard(Code::MissingRoom, "channel_id must be a text or a whole number"))?;
        match self.names.room(written) {
            Ok(room) => Ok((data, room)),
            Err(_) if written.is_empty() => Err(missing()),
            Err(error) => {
                let text = format!("channel_id {error}, got {:?}", clip(written));
                Err(self.misheard(Code::MissingRoom, text))
            }
        }
    }

    fn join(&self) -> Result<Asked, Misheard> {
        let (data, room) = self.channel()?;
        let since = data.since.map(reading::position).transpose();
        let since = since.map_err(|error| self.invalid(format!("since{error}")))?;
        Ok(self.asked(room, Verb::Join { since, payload: reading::one_line(self.data()) }))
    }

    fn message(&self) -> Result<Asked, Misheard> {
        let (_, room) = self.channel()?;
        let payload = row::stored(self.data()).map_err(|text| self.invalid(text))?;
        let Word { name, standing } = Word::of_members("send_message");
        Ok(self.asked(room, Verb::Act { kind: name.into(), payload, standing }))
    }

    fn typing(&self, is_typing: impl FnOnce(&OfChannel<'_>) -> bool) -> Result<Asked, Misheard> {
        let (data, room) = self.channel()?;
        let name = if is_typing(&data) { "typing" } else { "stop_typing" };
        let Word { name, standing } = Word::of_members(name);
        let payload = vocabulary::Payload::new();
        Ok(self.asked(room, Verb::Act { kind: name.into(), payload, standing }))
    }

    fn refresh(&self) -> Result<Request, Misheard> {
        match reading::object::<OfToken<'_>>(self.data()) {
            Some(OfToken { token }) if !token.is_empty() => {
                Ok(Request::Identify(self.tag(false), Unproven((&*token).into())))
            }
            Some(_) | None => Err(self.invalid("token is required")),
        }
    }
}
