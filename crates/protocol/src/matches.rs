//! The protocol of live scoring's old clients: `{raidType, …}` and `{type, data}` one way, whole states the other. A connection is in
//! one match, which its first message names, or its path. docs/matches.md is its page; how fields are read stands in `fields`, what
//! clients are told is written in `tell`. It keeps no score, and does not know what an action is worth.

mod fields;
mod tell;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use vocabulary::{Asked, Code, Payload, Refusal, Request, RoomId, Tag, Unproven, User, Verb};

use crate::reading::{self, clip};
use crate::{Item, Misheard, Names, Protocol};
use fields::Fields;

/// The two sides of a match: who scores, and who watches and says nothing of it, whatever their token allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MatchProtocol {
    Scorers,
    Viewers,
}

const INVALID_FORMAT: &str =
    "invalid message format: a message is a JSON object whose fields each stand once";
const VIEWERS_WATCH: &str = "viewers watch; score at /ws/scorer with a token that says so";
const UNDERSTOOD: &str = "understood are join, ping, refresh, initialState, raid (or a raidType without a type), lobbyTouch, \
                          undo, endMatch, and whatever else a scorer may say";
/// The room of that name is the list of matches.
const LIST: &str = "list";
/// What a match remembers of what was said by a name.
const ACTION_ID_BYTES_MAX: usize = 64;
/// Pages of this protocol know raids alone: nobody says the clock, the halves and the toss of their matches. So the rules are those
/// that get on without.
const PROFILE: &str = "\"raidx\"";

/// One message being understood: what an answer needs is known before what is asked.
struct Hearing<'a> {
    side: MatchProtocol,
    names: &'a Names<'a>,
    fields: Fields<'a>,
    id: Option<Arc<str>>,
}

impl Protocol for MatchProtocol {
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard> {
        let read = Fields::read(text).filter(|_| reading::is_readable(text));
        let is_read = read.is_some();
        let mut hearing = Hearing { side: *self, names, fields: read.unwrap_or_default(), id: None };
        if !is_read {
            return Err(hearing.misheard(Code::InvalidFormat, INVALID_FORMAT));
        }
        let merged = hearing.fields.merge();
        let id = hearing.own_id();
        hearing.id = id.clone().unwrap_or_default();
        let kind = hearing.fields.kind();
        if kind.as_ref().is_ok_and(|kind| kind.as_deref() == Some("ping")) {
            return Ok(Request::Ping(hearing.tag()));
        }
        id.and(merged).map_err(|text| hearing.invalid(text))?;
        match kind {
            Ok(Some(kind)) => match &*kind {
                "refresh" => hearing.refresh(),
                "join" => hearing.join().map(Request::Room),
                kind => hearing.word(kind).map(Request::Room),
            },
            Ok(None) if hearing.fields.has("raidType") => hearing.word("raid").map(Request::Room),
            Ok(None) => Err(hearing.unknown(format!("neither type nor raidType: {UNDERSTOOD}"))),
            Err(written) => Err(hearing.invalid(format!("type must be a text, got {}", clip(written)))),
        }
    }

    fn encode(&self, _reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        tell::write(*self, item, out)
    }
}

/// `lobby_touch`, whether it is written so or `lobbyTouch`.
fn snake(kind: &str) -> String {
    let mut name = String::with_capacity(kind.len());
    for letter in kind.chars() {
        if letter.is_ascii_uppercase() {
            name.push('_');
        }
        name.push(letter.to_ascii_lowercase());
    }
    name
}

impl Hearing<'_> {
    fn tag(&self) -> Tag {
        Tag { id: self.id.clone(), full_name: false }
    }

    fn misheard(&self, code: Code, text: impl Into<Cow<'static, str>>) -> Misheard {
        let room = self.names.own.map(|own| own.name().to_owned());
        Misheard { tag: self.tag(), room, refusal: Refusal::new(code, text) }
    }

    fn invalid(&self, text: impl Into<Cow<'static, str>>) -> Misheard {
        self.misheard(Code::InvalidPayload, text)
    }

    /// Before it is in a match, a client is told that alone.
    fn unknown(&self, text: String) -> Misheard {
        match self.names.own {
            Some(_) => self.misheard(Code::UnknownType, text),
            None => self.nowhere(),
        }
    }

    fn nowhere(&self) -> Misheard {
        self.misheard(Code::MissingRoom, "join a match first")
    }

    fn text(&self, name: &str) -> Result<Option<Cow<'_, str>>, Misheard> {
        self.fields.text(name).map_err(|text| self.invalid(text))
    }

    /// The client's own name for what it says. `id` is another word for it.
    fn own_id(&self) -> Result<Option<Arc<str>>, String> {
        let id = match self.fields.text("actionId")? {
            Some(id) => Some(id),
            None => self.fields.id()?,
        };
        match id {
            Some(id) if id.len() > ACTION_ID_BYTES_MAX => {
                Err(format!("actionId must be at most {ACTION_ID_BYTES_MAX} bytes, got {}", id.len()))
            }
            Some(id) if !id.is_empty() => Ok(Some((&*id).into())),
            _ => Ok(None),
        }
    }

    fn refresh(&self) -> Result<Request, Misheard> {
        match self.text("token")? {
            Some(token) if !token.is_empty() => Ok(Request::Identify(self.tag(), Unproven((&*token).into()))),
            Some(_) | None => Err(self.invalid("token is required")),
        }
    }

    fn join(&self) -> Result<Asked, Misheard> {
        let room = match (self.text("matchId")?, self.names.own) {
            (Some(written), own) => {
                let room = self.named(&written)?;
                if let Some(own) = own.filter(|own| **own != room) {
                    let text = format!(
                        "a connection is in one match, and this one is in {}: join {} by another",
                        own.name(),
                        room.name()
                    );
                    return Err(self.misheard(Code::TooManyRooms, text));
                }
                room
            }
            (None, Some(own)) => own.clone(),
            (None, None) => {
                return Err(
                    self.invalid(r#"matchId is required, as in {"type":"join","matchId":"m-abc123"}"#)
                );
            }
        };
        // Who is told whole states has missed nothing with the next one.
        let is_delta = self.fields.text("mode").is_ok_and(|mode| mode.as_deref() == Some("delta"));
        let since = self.fields.raw("since").filter(|_| is_delta).map(reading::position).transpose();
        let since = since.map_err(|error| self.invalid(format!("since{error}")))?;
        let verb = Verb::Join { since, payload: self.fields.written_of("mode") };
        Ok(Asked { tag: self.tag(), room, verb })
    }

    /// The match of this name.
    fn named(&self, written: &str) -> Result<RoomId, Misheard> {
        let refused = |why: &str| self.invalid(format!("matchId {why}, got {:?}", clip(written)));
        let (room, _) = self.names.room(written).map_err(|error| refused(&error.to_string()))?;
        match room.name() {
            LIST => Err(refused("must name a match, and this is the list of them")),
            _ if room.app() != self.names.app => Err(refused("must name a match")),
            _ => Ok(room),
        }
    }

    /// Whatever a scorer says of a match, under the app's own name for it.
    fn word(&self, kind: &str) -> Result<Asked, Misheard> {
        let Some(room) = self.names.own else { return Err(self.nowhere()) };
        if self.side == MatchProtocol::Viewers {
            return Err(self.misheard(Code::Forbidden, VIEWERS_WATCH));
        }
        let name = if kind == "end" { "end_match".to_owned() } else { snake(kind) };
        let Some(word) = (self.names.word)(room.app(), &name) else {
            return Err(self.unknown(format!("unknown message type: {} ({UNDERSTOOD})", clip(kind))));
        };
        // Who names another match than the one that it is in would score in the wrong one.
        if let Some(written) = self.text("matchId")?
            && self.named(&written)? != *room
        {
            let text = format!("matchId is {:?}, and this connection is in {}", clip(&written), room.name());
            return Err(self.invalid(text));
        }
        let verb =
            Verb::Act { kind: word.name.into(), payload: self.payload(word.name), standing: word.standing };
        Ok(Asked { tag: self.tag(), room: room.clone(), verb })
    }

    fn payload(&self, word: &str) -> Payload {
        let mut with = Vec::new();
        if let Some(id) = &self.id {
            let mut quoted = Vec::new();
            crate::json::string(&mut quoted, id);
            with.push(("actionId", String::from_utf8_lossy(&quoted).into_owned()));
        }
        if word == "initial_state" && self.fields.raw("profile").is_none() {
            with.push(("profile", PROFILE.to_owned()));
        }
        self.fields.written("matchId", &with)
    }
}
