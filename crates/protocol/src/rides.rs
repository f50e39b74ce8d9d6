//! The protocol of ride hailing clients: `{type, data}` one way and the other, `event` and `payload` understood as well. A connection is
//! in its user's own room, a driver's or a passenger's, so that no message has to name one. docs/rides-ws.md is its page; what clients
//! are told is written in `tell`. It matches nobody and counts no money, and does not know who may say what.

mod tell;
#[cfg(test)]
mod tests;

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{Asked, Code, Payload, Refusal, Request, RoomId, Tag, Unproven, User, Verb, lower_uuid};

use crate::reading::{self, Text, clip};
use crate::{Item, Lead, Misheard, Names, Protocol};

#[derive(Clone, Copy, Debug, Default)]
pub struct RideProtocol;

const INVALID_FORMAT: &str =
    "invalid message format: a message is a JSON object with type and data, each of which stands once";
const WITHOUT_TYPE: &str = r#"type is required, as in {"type":"beacon_update","data":{"is_active":true}}"#;

/// Rooms of rides, by the beginning of their names.
const RIDE: &str = "ride:";

/// In whose room a word is said.
#[derive(Clone, Copy)]
enum Place {
    /// The driver's, also by whoever is none: the room refuses them.
    Driver,
    /// The passenger's, in the same way.
    Passenger,
    Own,
    /// The ride's that it names.
    Ride,
    /// The ride's if it names one, else one's own.
    RideIfNamed,
}

/// As clients write them, as the app does, and where.
const WORDS: [(&str, &str, Place); 13] = [
    ("beacon_update", "beacon_update", Place::Driver),
    ("finder_update", "finder_update", Place::Passenger),
    ("location_update", "location_update", Place::RideIfNamed),
    ("match_confirm", "match_confirm", Place::Own),
    ("match_cancel", "match_cancel", Place::Own),
    ("ride_cancel", "ride_cancel", Place::Own),
    ("get_state", "get_state", Place::Own),
    ("pickup_arrived", "pickup_arrived", Place::Ride),
    ("ride_start", "ride_start", Place::Ride),
    ("ride_started", "ride_start", Place::Ride),
    ("ride_arrived", "ride_arrived", Place::Ride),
    ("payment_process", "payment_process", Place::Ride),
    ("payment_processed", "payment_process", Place::Ride),
];

#[derive(Deserialize)]
struct Frame<'a> {
    #[serde(borrow, default, rename = "type")]
    kind: Option<Text<'a>>,
    /// Older clients' word for `type`.
    #[serde(borrow, default)]
    event: Option<Text<'a>>,
    #[serde(borrow, default)]
    id: Option<Text<'a>>,
    #[serde(borrow, default)]
    data: Option<&'a RawValue>,
    /// Another word for `data`.
    #[serde(borrow, default)]
    payload: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OfRide<'a> {
    #[serde(borrow, default)]
    ride_id: Option<&'a RawValue>,
}

#[derive(Deserialize)]
struct OfToken<'a> {
    #[serde(borrow)]
    token: Text<'a>,
}

/// One frame being understood: what an answer needs is known before what is asked.
struct Hearing<'a> {
    own: &'a RoomId,
    names: &'a Names<'a>,
    data: &'a str,
    id: Option<Arc<str>>,
}

impl Protocol for RideProtocol {
    fn decode(&self, names: &Names<'_>, text: &str) -> Result<Request, Misheard> {
        let misheard = |id: &Option<Arc<str>>, code, text: Cow<'static, str>| Misheard {
            tag: Tag { id: id.clone(), full_name: false },
            room: None,
            refusal: Refusal::new(code, text),
        };
        let Some(frame) = reading::object::<Frame<'_>>(text) else {
            return Err(misheard(&None, Code::InvalidFormat, INVALID_FORMAT.into()));
        };
        let id = reading::own_id(frame.id.as_deref());
        let id = id.map_err(|text| misheard(&None, Code::InvalidPayload, text.into()))?;
        let unreadable = |text: Cow<'static, str>| misheard(&id, Code::InvalidFormat, text);
        let kind = either(frame.kind.as_deref(), frame.event.as_deref());
        let kind = kind.map_err(|()| unreadable("type and event stand there both, and differ".into()))?;
        let data = either(frame.data.map(RawValue::get), frame.payload.map(RawValue::get));
        let data = data.map_err(|()| unreadable("data and payload stand there both, and differ".into()))?;
        let kind = kind.filter(|kind| !kind.is_empty()).ok_or_else(|| unreadable(WITHOUT_TYPE.into()))?;
        let data = data.unwrap_or("{}");
        if !data.starts_with('{') {
            return Err(unreadable(format!("data must be an object, got {}", clip(data)).into()));
        }
        if !reading::is_readable(data) {
            return Err(unreadable(INVALID_FORMAT.into()));
        }
        let Some(own) = names.own else {
            let text = "this path gives a connection no room of its own";
            return Err(misheard(&id, Code::MissingRoom, text.into()));
        };
        Hearing { own, names, data, id }.request(kind)
    }

    fn encode(&self, _reader: Option<&User>, item: &Item<'_>, out: &mut Vec<u8>) -> bool {
        tell::write(item, out)
    }

    fn leads(&self, reader: &User, item: &Item<'_>) -> Option<Lead> {
        // Drivers know where they are.
        if reader.role.as_deref() == Some("driver") { None } else { tell::leads(item) }
    }
}

/// What stands under either of two names; under both only if it is the same.
fn either<'a>(one: Option<&'a str>, other: Option<&'a str>) -> Result<Option<&'a str>, ()> {
    match (one, other) {
        (Some(one), Some(other)) if one != other => Err(()),
        _ => Ok(one.or(other)),
    }
}

impl Hearing<'_> {
    fn request(&self, kind: &str) -> Result<Request, Misheard> {
        match kind {
            "ping" => return Ok(Request::Ping(self.tag())),
            "refresh" => return self.refresh(),
            _ => {}
        }
        let known = WORDS.iter().find(|(written, _, _)| *written == kind);
        let known =
            known.and_then(|(_, name, place)| Some(((self.names.word)(self.own.app(), name)?, *place)));
        let Some((word, place)) = known else {
            let text = format!("unknown message type: {}", clip(kind));
            return Err(self.misheard(Code::UnknownType, text));
        };
        let room = self.room(place)?;
        let payload: Payload = reading::one_line(self.data);
        let verb = Verb::Act { kind: word.name.into(), payload, standing: word.standing };
        Ok(Request::Room(Asked { tag: self.tag(), room, verb }))
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

    fn room(&self, place: Place) -> Result<RoomId, Misheard> {
        match place {
            Place::Own => Ok(self.own.clone()),
            Place::Driver => Ok(self.of_person("driver")),
            Place::Passenger => Ok(self.of_person("passenger")),
            Place::Ride => self.ride()?.ok_or_else(|| self.invalid("ride_id is required: the id of a ride")),
            Place::RideIfNamed => Ok(self.ride()?.unwrap_or_else(|| self.own.clone())),
        }
    }

    /// The sender's room in this role, whether it is theirs or not.
    fn of_person(&self, side: &str) -> RoomId {
        let name = self.own.name();
        let id = name.split_once(':').map_or(name, |(_, id)| id);
        RoomId::new(self.own.app(), &format!("{side}:{id}"))
    }

    /// An empty id names none.
    fn ride(&self) -> Result<Option<RoomId>, Misheard> {
        let refused = |got: &str| {
            let text = format!("ride_id must be a UUID in lower case, as a ride says it, got {}", clip(got));
            self.invalid(text)
        };
        let Some(OfRide { ride_id }) = reading::object::<OfRide<'_>>(self.data) else {
            return Err(self.misheard(Code::InvalidFormat, INVALID_FORMAT));
        };
        let Some(raw) = ride_id.filter(|raw| raw.get() != "null") else { return Ok(None) };
        let written: Text<'_> = serde_json::from_str(raw.get()).map_err(|_| refused(raw.get()))?;
        if written.is_empty() {
            return Ok(None);
        }
        match lower_uuid(&written) {
            Some(id) if id == *written => Ok(Some(RoomId::new(self.own.app(), &format!("{RIDE}{id}")))),
            _ => Err(refused(raw.get())),
        }
    }

    fn refresh(&self) -> Result<Request, Misheard> {
        match reading::object::<OfToken<'_>>(self.data) {
            Some(OfToken { token }) if !token.is_empty() => {
                Ok(Request::Identify(self.tag(), Unproven((&*token).into())))
            }
            Some(_) | None => Err(self.invalid("token is required")),
        }
    }
}
