//! A square of the map, `rides:area:{cell}`: which drivers are in it just now. It has no records: drivers' rooms say again and again
//! where theirs is, as soft values, and passengers' rooms ask who is near. What it knows may be old; an offer to a driver who is gone or taken is
//! refused by that driver's own room.

use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Room, SoftDraft};
use serde::{Deserialize, Serialize};
use vocabulary::{Caller, Class, Code, Refusal};

use crate::geo::{Cell, Point};
use crate::standing::Side;
use crate::wire::{Party, read, written};

/// A driver is in the pool as long as somebody says so: rooms repeat it every five seconds.
const HERE: Duration = Duration::from_secs(30);
/// Of one square's drivers those who are nearest: as many as may be asked at a time, and for each who was asked already one more...
pub(crate) const NEAREST_MIN: usize = 20;
/// ...up to what an answer of some ten thousand bytes has place for.
pub(crate) const NEAREST_MAX: usize = 100;

/// What a driver's room says.
#[derive(Serialize, Deserialize)]
pub(crate) struct IsHere {
    pub name: String,
    #[serde(flatten)]
    pub point: Point,
    /// When the driver said so.
    #[serde(default)]
    pub at: i64,
}

/// What a passenger's room asks.
#[derive(Serialize, Deserialize)]
pub(crate) struct WhoIsNear {
    #[serde(flatten)]
    pub point: Point,
    pub radius_mm: i64,
    #[serde(default)]
    pub many: usize,
}

/// A driver in reach.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Near {
    pub distance_mm: i64,
    pub driver: Party,
    #[serde(flatten)]
    pub point: Point,
    #[serde(default)]
    pub at: i64,
}

pub(crate) fn is_area(name: &str) -> bool {
    Cell::of_name(name).is_some()
}

pub(crate) fn decide<S>(
    room: &Room<'_, S>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let Caller::Step(step) = caller else { return Err(Refusal::unauthorized()) };
    let unread = || Refusal::new(Code::InvalidPayload, "an area hears drivers and passengers as they speak");
    match action.kind {
        "here" => {
            let id = step.saga.name().strip_prefix("driver:").ok_or_else(Refusal::unauthorized)?;
            let here: IsHere = read(action.payload).ok_or_else(unread)?;
            Ok(Decision::soft(SoftDraft {
                key: Arc::from(Side::Driver.room(id)),
                value: Some(written(&here)),
                time_to_live: HERE,
                class: Class::Latest(0),
            }))
        }
        "nearby" => {
            let asked: WhoIsNear = read(action.payload).ok_or_else(unread)?;
            let near = room.soft.iter().filter_map(|(key, value)| {
                let (id, here) = (key.strip_prefix("driver:")?, read::<IsHere>(value)?);
                let distance_mm = asked.point.millimetres_to(here.point);
                let driver = Party { id: id.to_owned(), name: here.name };
                let near = Near { distance_mm, driver, point: here.point, at: here.at };
                (distance_mm <= asked.radius_mm).then_some(near)
            });
            let mut near: Vec<Near> = near.collect();
            near.sort_by(|a, b| (a.distance_mm, &a.driver.id).cmp(&(b.distance_mm, &b.driver.id)));
            near.truncate(asked.many.clamp(NEAREST_MIN, NEAREST_MAX));
            Ok(Decision::reply(written(&near)))
        }
        kind => Err(Refusal::new(Code::UnknownType, format!("an area takes no {kind}"))),
    }
}
