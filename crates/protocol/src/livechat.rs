//! The protocol of livechat clients: `{type, session_id, user_id, user_type, data, timestamp}` one way, `{type, success, data, error}`
//! the other. A connection is in one session, the one that its path names, so that no message has to name it. docs/livechat.md is
//! its page; what clients are told is written in `tell`.

mod tell;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{
    Asked, Code, HistoryFrom, Payload, Refusal, Request, RoomId, Tag, Unproven, User, Verb, Word,
};

use crate::reading::{self, Text, clip};
use crate::{Item, Misheard, Names, Protocol};

const INVALID_MESSAGE: &str = "Invalid message format";
const HISTORY_DEFAULT: u32 = 50;

#[derive(Clone, Copy, Debug, Default)]
pub struct LivechatProtocol;

/// What a client says of its session, of itself and of the time is not read: path and token have said it.
#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
}

#[derive(Default, Deserialize)]
struct OfTyping {
    #[serde(default)]
    is_typing: Option<bool>,
}

#[derive(Deserialize)]
struct OfPast<'a> {
    #[serde(borrow, default)]
    before: Option<&'a RawValue>,
    #[serde(default)]
    limit: Option<u32>,
}

#[derive(Deserialize)]
struct OfToken<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// One frame being understood: what an answer needs is known before what is asked.
struct Hearing<'a> {
    room: &'a RoomId,
    names: &'a Names<'a>,
    frame: Frame<'a>,
    id: Option<Arc<str>>,
}

impl Protocol for LivechatProtocol {
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard> {
        let misheard = |code, text: &'static str| {
            Err(Misheard { tag: Tag::default(), room: None, refusal: Refusal::new(code, text) })
        };
        let Some(frame) = reading::object::<Frame<'_>>(text) else {
            return misheard(Code::InvalidFormat, INVALID_MESSAGE);
        };
        let Some(room) = names.own else {
            return misheard(Code::MissingRoom, "this path names no session");
        };
        let id = reading::own_id(frame.id.as_deref());
        let hearing = Hearing { room, names, frame, id: id.clone().unwrap_or_default() };
        id.map_err(|text| hearing.invalid(text))?;
        if !hearing.frame.data.is_none_or(|data| reading::is_readable(data.get())) {
            return Err(hearing.misheard(Code::InvalidFormat, INVALID_MESSAGE));
        }
        let asked = match hearing.kind() {
            "ping" => return Ok(Request::Ping(hearing.tag())),
            "refresh" => return hearing.refresh(),
            // It has joined by its path; this asks whether it has.
            "join_session" => hearing.asked(Verb::Members),
            "typing_start" | "agent_typing" => hearing.typing(hearing.is_typing()),
            "typing_stop" => hearing.typing(false),
            "get_history" => hearing.history()?,
            kind => match (names.word)(room.app(), kind) {
                Some(word) => hearing.act(word, reading::one_line(hearing.data())),
                None => {
                    let text = format!("Unknown message type: {}", clip(kind));
                    return Err(hearing.misheard(Code::UnknownType, text));
                }
            },
        };
        Ok(Request::Room(asked))
    }

    fn encode(&self, _reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        tell::write(item, out)
    }
}

impl Hearing<'_> {
    fn kind(&self) -> &str {
        self.frame.kind.as_deref().unwrap_or("")
    }

    fn data(&self) -> &str {
        self.frame.data.map_or("{}", RawValue::get)
    }

    fn tag(&self) -> Tag {
        Tag { id: self.id.clone(), full_name: false }
    }

    fn misheard(&self, code: Code, text: impl Into<Cow<'static, str>>) -> Misheard {
        Misheard { tag: self.tag(), room: None, refusal: Refusal::new(code, text) }
    }

    fn invalid(&self, text: impl Into<Cow<'static, str>>) -> Misheard {
        self.misheard(Code::InvalidPayload, text)
    }

    fn asked(&self, verb: Verb) -> Asked {
        Asked { tag: self.tag(), room: self.room.clone(), verb }
    }

    fn act(&self, word: Word, payload: Payload) -> Asked {
        self.asked(Verb::Act { kind: word.name.into(), payload, standing: word.standing })
    }

    /// Agents' clients say both with one type; without a word it is on.
    fn is_typing(&self) -> bool {
        reading::object::<OfTyping>(self.data()).unwrap_or_default().is_typing.unwrap_or(true)
    }

    fn typing(&self, is_typing: bool) -> Asked {
        let name = if is_typing { "typing" } else { "stop_typing" };
        let word = (self.names.word)(self.room.app(), name).unwrap_or(Word::of_members(name));
        self.act(word, Payload::from_static(b"{}"))
    }

    fn history(&self) -> Result<Asked, Misheard> {
        let wanted =
            || self.invalid("data must be an object with limit, a whole number, and before, a position");
        let data = reading::object::<OfPast<'_>>(self.data()).ok_or_else(wanted)?;
        let from = match data.before.map(reading::position).transpose() {
            Ok(before) => before.map_or(HistoryFrom::Latest, HistoryFrom::Before),
            Err(error) => return Err(self.invalid(format!("before{error}"))),
        };
        let limit = data.limit.unwrap_or(HISTORY_DEFAULT);
        if limit == 0 {
            return Err(self.invalid("limit must be at least 1"));
        }
        Ok(self.asked(Verb::History { limit, from }))
    }

    fn refresh(&self) -> Result<Request, Misheard> {
        match reading::object::<OfToken<'_>>(self.data()) {
            Some(OfToken { token }) if !token.is_empty() => {
                Ok(Request::Identify(self.tag(), Unproven((&*token).into())))
            }
            Some(_) | None => Err(self.invalid("token is required")),
        }
    }
}
