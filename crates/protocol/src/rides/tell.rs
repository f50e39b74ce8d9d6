//! What ride hailing clients are told: `type` and `data`, and the `id` of what is answered. Their own room tells all that happens to
//! them; of a ride's room they hear where the driver is, because the rest of it they have been told.

use serde::Deserialize;
use serde_json::value::RawValue;
use vocabulary::{Code, Payload, Refusal, Shown, lower_uuid};

use super::RIDE;
use crate::json::Object;
use crate::reading::{self, Text};
use crate::{Item, Lead};

const DRIVER_LOCATION: &str = "driver_location";
static NOTHING: Payload = Payload::from_static(b"{}");

pub(super) fn write(item: &Item<'_>, out: &mut Vec<u8>) -> bool {
    match *item {
        Item::Record { room, shown, .. } | Item::Soft { room, shown, .. } => {
            return write_shown(out, room, None, shown);
        }
        // The author's copy of what everybody is told; what a ride's room shows is no answer.
        Item::Ack { room, id, shown: Some(shown), .. } if !is_ride(room) => {
            return write_shown(out, room, id, shown);
        }
        Item::Ack { room, id, reply, .. } | Item::Done { room, id, reply, .. } => {
            return write_answer(out, room, id, reply);
        }
        Item::Joined { room, about, .. } if !is_ride(room) => {
            frame(out, "state", None, about.unwrap_or(&NOTHING));
        }
        Item::Gap { room, view, .. } | Item::Reset { room, view, .. } if !is_ride(room) => {
            frame(out, "state", None, view);
        }
        Item::Refused { id, refusal, .. } => write_refusal(out, id, refusal),
        Item::Pong { id, .. } => frame(out, "pong", id, &NOTHING),
        Item::Known { id, person, expires, .. } => whole(out, "refreshed", id, |data| {
            data.text("user_id", person.id.as_str());
            data.time("expires", expires);
        }),
        // They are alone in their room, and whoever returns is told how things stand. Of what is said to everybody, and of a token's
        // end, these clients know no word.
        Item::Joined { .. }
        | Item::Gap { .. }
        | Item::Reset { .. }
        | Item::Resumed { .. }
        | Item::Opened { .. }
        | Item::Left { .. }
        | Item::Came { .. }
        | Item::Went { .. }
        | Item::Online { .. }
        | Item::Offline { .. }
        | Item::Members { .. }
        | Item::History { .. }
        | Item::Announced { .. }
        | Item::Expiring { .. } => return false,
    }
    true
}

fn is_ride(room: &str) -> bool {
    room.starts_with(RIDE)
}

fn frame(out: &mut Vec<u8>, kind: &str, id: Option<&str>, data: &Payload) {
    let mut frame = Object::begin(out);
    frame.text("type", kind);
    frame.text_if("id", id);
    frame.raw("data", data);
    frame.end();
}

fn whole(out: &mut Vec<u8>, kind: &str, id: Option<&str>, write: impl FnOnce(&mut Object<'_>)) {
    let mut frame = Object::begin(out);
    frame.text("type", kind);
    frame.text_if("id", id);
    let mut data = Object::begin(frame.key("data"));
    write(&mut data);
    data.end();
    frame.end();
}

fn write_shown(out: &mut Vec<u8>, room: &str, id: Option<&str>, shown: &Shown) -> bool {
    if is_ride(room) && shown.kind != DRIVER_LOCATION {
        return false;
    }
    frame(out, shown.kind, id, &shown.payload);
    true
}

/// By what an answer of the app's has, it is known for what it is.
#[derive(Default, Deserialize)]
struct Answer<'a> {
    #[serde(borrow, default)]
    is_active: Option<&'a RawValue>,
    #[serde(borrow, default)]
    match_status: Option<Text<'a>>,
    #[serde(borrow, default)]
    offers: Option<&'a RawValue>,
    /// Of a ride.
    #[serde(borrow, default)]
    status: Option<Text<'a>>,
    #[serde(borrow, default)]
    payment: Option<&'a RawValue>,
}

/// What stands already is answered under the name of what brought it there; who named what they said is answered in any case.
fn write_answer(out: &mut Vec<u8>, room: &str, id: Option<&str>, reply: Option<&Payload>) -> bool {
    let Some(reply) = reply else {
        if id.is_some() {
            frame(out, "ack", id, &NOTHING);
        }
        return id.is_some();
    };
    let read = std::str::from_utf8(reply).ok().and_then(reading::object::<Answer<'_>>).unwrap_or_default();
    let kind = match (read.match_status.as_deref(), read.status.as_deref().filter(|_| is_ride(room))) {
        _ if read.offers.is_some() => "state",
        _ if read.is_active.is_some() && room.starts_with("passenger:") => "finder_update",
        _ if read.is_active.is_some() => "beacon_update",
        (Some("REJECTED"), _) => "match_rejected",
        (Some(_), _) => "match_confirm",
        (None, Some("ARRIVING" | "PICKUP")) => "ride_pickup",
        (None, Some("ONGOING")) => "ride_started",
        (None, Some("ARRIVED")) => "ride_arrived",
        (None, Some("CANCELLED")) => "ride_cancelled",
        (None, Some("COMPLETED")) => {
            whole(out, "ride_completed", id, |receipt| {
                receipt.raw("ride", reply);
                let payment = read.payment.map_or("null", RawValue::get);
                receipt.key("payment").extend_from_slice(payment.as_bytes());
            });
            return true;
        }
        (None, _) => "ack",
    };
    frame(out, kind, id, reply);
    true
}

/// By who is to blame: a client's fault shows its text, a fault of ours that it is one, and of who may do what nothing is said.
fn write_refusal(out: &mut Vec<u8>, id: Option<&str>, refusal: &Refusal) {
    let (code, message) = match refusal.code {
        Code::InvalidFormat | Code::UnknownType => ("INVALID_FORMAT", &*refusal.text),
        Code::RateLimit | Code::Busy => ("RATE_LIMIT", &*refusal.text),
        Code::Unauthorized | Code::Forbidden => ("UNAUTHORIZED", "Authentication required"),
        Code::Internal | Code::Unconfirmed => ("INTERNAL_ERROR", "Internal server error"),
        Code::MissingRoom | Code::NotInRoom | Code::InvalidPayload | Code::TooManyRooms | Code::App(_) => {
            ("VALIDATION_FAILED", &*refusal.text)
        }
    };
    whole(out, "error", id, |data| {
        data.text("code", code);
        data.text("message", message);
        if let Some(millis) = refusal.retry_after_ms {
            data.number("retry_after_ms", u64::from(millis));
        }
        // It may be stored: the same id again tells.
        if refusal.code == Code::Unconfirmed {
            data.truth("unconfirmed", true);
        }
        if let Some(reference) = &refusal.reference {
            data.text("ref", &reference.to_string());
        }
    });
}

#[derive(Deserialize)]
struct Of<'a> {
    #[serde(borrow, default)]
    ride_id: Option<Text<'a>>,
    /// Of a receipt, and of a state, where it is null while there is none.
    #[serde(borrow, default)]
    ride: Option<&'a RawValue>,
}

fn of(payload: &Payload) -> Option<Of<'_>> {
    reading::object(std::str::from_utf8(payload).ok()?)
}

/// As rides are named, however a back end writes it. What is no ride's name leads nowhere.
fn room(ride_id: &Text<'_>) -> Option<String> {
    lower_uuid(ride_id).map(|id| format!("{RIDE}{id}"))
}

/// Into the ride that begins or goes on, and out of it when nobody drives any more.
pub(super) fn leads(item: &Item<'_>) -> Option<Lead> {
    match *item {
        Item::Joined { room, about: Some(state), .. }
        | Item::Gap { room, view: state, .. }
        | Item::Reset { room, view: state, .. }
            if !is_ride(room) =>
        {
            let ride = of(state)?.ride.map(|ride| reading::object::<Of<'_>>(ride.get()));
            let room = ride.flatten().and_then(|ride| self::room(&ride.ride_id?));
            Some(room.map_or(Lead::OutOfAll, Lead::Into))
        }
        Item::Record { room, shown, .. } if !is_ride(room) => {
            let named = || self::room(&of(&shown.payload)?.ride_id?);
            match shown.kind {
                "ride_pickup" | "ride_started" => named().map(Lead::Into),
                "ride_arrived" | "ride_cancelled" => named().map(Lead::OutOf),
                "ride_completed" => {
                    let ride = of(&shown.payload)?.ride?;
                    let id = reading::object::<Of<'_>>(ride.get())?.ride_id?;
                    self::room(&id).map(Lead::OutOf)
                }
                _ => None,
            }
        }
        _ => None,
    }
}
