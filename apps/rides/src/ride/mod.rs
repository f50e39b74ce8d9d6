//! A ride, `rides:ride:{id}`: what became of a match that both wanted, metre by metre, until it is paid. It begins by its passenger's
//! room alone, and tells both people's rooms all that happens, in order.

mod records;
mod state;
mod steps;
mod told;

use std::sync::Arc;
use std::time::Duration;

use app::{Action, Decision, Fields, Room, SoftDraft, wrong};
use serde::Serialize;
use vocabulary::{Caller, Class, Code, Now, Refusal};

use crate::content::{self, invalid};
use crate::meter::{Seen, Verdict};
use crate::money::{self, BASIS_POINTS};
use crate::rules::Rules;
use crate::standing::{Side, Who, is_operator};
use crate::trip::{NOT_FOUND, Status};
use crate::wire::{read, written};
use records::{self as kinds};
use state::{Course, POINTS_MAX, PaymentStatus, WORDS_MAX};

pub(crate) use state::Ride;
pub(crate) use steps::steps;
pub(crate) use told::{glimpse, shown, view};

pub(crate) fn no_ride() -> Refusal {
    Refusal::new(NOT_FOUND, "no such ride: a match that both confirm has one")
}

/// Which of the two somebody is. `None`: a back end, for both.
pub(crate) fn side(course: &Course, who: Who<'_>) -> Result<Option<Side>, Refusal> {
    let (side, id) = match who {
        Who::Backend => return Ok(None),
        Who::Driver(person) => (Side::Driver, &person.id),
        Who::Passenger(person) => (Side::Passenger, &person.id),
    };
    if course.party(side) == id.as_str() { Ok(Some(side)) } else { Err(Refusal::unauthorized()) }
}

pub(crate) fn exists(ride: &Ride) -> Result<(), Refusal> {
    if ride.course.is_some() { Ok(()) } else { Err(no_ride()) }
}

pub(crate) fn enter(ride: &Ride, caller: &Caller) -> Result<(), Refusal> {
    let course = ride.course.as_ref().ok_or_else(no_ride)?;
    side(course, Who::of(caller)).map(|_| ())
}

pub(crate) fn decide(
    rules: &Rules,
    now: Now,
    room: Room<'_, Ride>,
    caller: &Caller,
    action: Action<'_>,
) -> Result<Decision, Refusal> {
    let ride = room.state;
    match caller {
        Caller::Outcome { step, result } => return Ok(steps::answered(ride, step, result)),
        Caller::Duty { .. } => return Ok(Decision::nothing()),
        Caller::Step(step) => return steps::heard(rules, now, &room, step, action),
        _ => {}
    }
    let course = ride.course.as_ref().ok_or_else(no_ride)?;
    if action.kind == "get_state" && (is_operator(caller) || caller.user().is_none()) {
        return Ok(Asking { rules, now, room, course }.watched());
    }
    let side = side(course, Who::of(caller))?;
    let fields = Fields::of(action.payload)?;
    if let Some(id) = fields.text("ride_id")?.filter(|id| **id != *ride.id()) {
        return Err(wrong("ride_id", "the ride of this room", &id));
    }
    let asking = Asking { rules, now, room, course };
    let only = |needed: Side| match side {
        Some(side) if side != needed => Err(Refusal::unauthorized()),
        _ => Ok(()),
    };
    match action.kind {
        "get_state" => Ok(Decision::reply(view(ride))),
        "location_update" => {
            let spot = content::spot(now, &fields)?;
            Ok(asking.passes(side.unwrap_or(Side::Driver), &[Seen { spot, heard: now.wall.0 }]))
        }
        "pickup_arrived" => only(Side::Driver).and_then(|()| asking.picks_up()),
        "ride_start" | "ride_started" => only(Side::Driver).and_then(|()| asking.starts()),
        "ride_arrived" => only(Side::Driver).and_then(|()| asking.arrives(content::factor(&fields)?)),
        "payment_process" | "payment_processed" => only(Side::Passenger).and_then(|()| asking.pays(&fields)),
        "ride_cancel" => asking.cancels(side, content::reason(&fields)?),
        kind => Err(Refusal::new(
            Code::UnknownType,
            format!(
                "unknown message type: {kind} (a ride knows location_update, pickup_arrived, ride_start, ride_arrived, payment_process, ride_cancel and get_state)"
            ),
        )),
    }
}

struct Asking<'a> {
    rules: &'a Rules,
    now: Now,
    room: Room<'a, Ride>,
    course: &'a Course,
}

fn over() -> Refusal {
    invalid("ride_id is of a ride that is over")
}

fn metres(millimetres: i64) -> i64 {
    (millimetres + 500) / 1_000
}

impl Asking<'_> {
    fn as_it_stands(&self) -> Decision {
        Decision::reply(view(self.room.state))
    }

    fn watched(&self) -> Decision {
        let before = matches!(self.course.status, Status::Arriving | Status::Pickup);
        let seen = if before { self.seen(Side::Driver) } else { None };
        let driver = seen.map(|seen| seen.spot).or(self.course.spot());
        let passenger = self.seen(Side::Passenger).map(|seen| seen.spot);
        Decision::reply(told::watched(self.course, driver, passenger))
    }

    fn recorded<T: Serialize>(&self, kind: &'static str, body: &T) -> Result<Decision, Refusal> {
        if Side::BOTH.into_iter().any(|side| self.course.untold(side).len() >= WORDS_MAX) {
            return Err(Refusal::busy(5_000));
        }
        Ok(Decision::record(kind, written(body)))
    }

    fn is_fresh(&self, seen: &Seen) -> bool {
        self.now.wall.0.saturating_sub(seen.heard) <= self.course.terms.fresh_ms
    }

    /// Before the ride where somebody is is a soft value; in it each of the driver's points is a record, judged once.
    fn passes(&self, side: Side, points: &[Seen]) -> Decision {
        let Some(last) = points.last() else { return Decision::nothing() };
        match (self.course.status, side) {
            (Status::Arriving | Status::Pickup, _) if self.is_fresh(last) => {
                let fresh = u64::try_from(self.course.terms.fresh_ms).unwrap_or_default();
                let time_to_live = Duration::from_millis(fresh);
                let (key, class) = (Arc::from(side.name()), Class::Latest(0));
                let soft = SoftDraft { key, value: Some(written(last)), time_to_live, class };
                let pickup = self.course.proposal.pickup;
                let is_there = last.spot.point.millimetres_to(pickup) <= self.course.terms.gate_mm;
                let has_come = side == Side::Driver && self.course.status == Status::Arriving && is_there;
                let body = kinds::AtPickup { spot: last.spot, heard: Some(last.heard) };
                let come = has_come.then(|| self.recorded(kinds::PICKUP, &body).ok()).flatten();
                Decision { soft: vec![soft], ..come.unwrap_or_default() }
            }
            (Status::Ongoing, Side::Driver) => {
                let mut meter = self.course.meter.clone();
                // Where it began was said at most so long before.
                let begun = self.course.started_at.unwrap_or(self.now.wall.0);
                let passed = self.now.wall.0.saturating_sub(begun).max(0);
                let most_ms = passed.saturating_add(self.course.terms.fresh_ms);
                let mut decision = Decision::nothing();
                for Seen { spot, .. } in points {
                    if meter.points >= POINTS_MAX {
                        break;
                    }
                    let verdict: Verdict = meter.judge(self.course.terms.scale, *spot, most_ms);
                    meter.take(*spot, verdict);
                    let body = kinds::Passed { spot: *spot, verdict };
                    decision.records.extend(Decision::record(kinds::POINT, written(&body)).records);
                }
                decision
            }
            // What comes behind the end was on its way, and what comes late before the beginning says of nobody where they are.
            _ => Decision::nothing(),
        }
    }

    /// The last that is known of somebody, if it says anything of where they are now.
    fn seen(&self, side: Side) -> Option<Seen> {
        let soft = self.room.soft.get(side.name()).and_then(read::<Seen>);
        let (kept, before) = match side {
            Side::Driver => (self.course.at_pickup(), Some(self.course.driver_before())),
            Side::Passenger => (None, None),
        };
        let newest = soft.into_iter().chain(kept).max_by_key(|seen| seen.heard).or(before);
        newest.filter(|seen| self.is_fresh(seen))
    }

    fn driver_seen(&self) -> Result<Seen, Refusal> {
        self.seen(Side::Driver).ok_or_else(|| {
            let seconds = self.course.terms.fresh_ms / 1_000;
            invalid(format!(
                "no position of the driver is known from the last {seconds} s: location_update comes first"
            ))
        })
    }

    fn within_gate(&self, apart_mm: i64, of: &str) -> Result<(), Refusal> {
        let gate = self.course.terms.gate_mm;
        if apart_mm <= gate {
            return Ok(());
        }
        let (apart, gate) = (metres(apart_mm), metres(gate));
        Err(invalid(format!("the driver is {apart} m from {of}, and must be within {gate} m: come closer")))
    }

    fn picks_up(&self) -> Result<Decision, Refusal> {
        match self.course.status {
            Status::Arriving => {
                let Seen { spot, heard } = self.driver_seen()?;
                let pickup = self.course.proposal.pickup;
                let point = self.seen(Side::Passenger).map_or(pickup, |seen| seen.spot.point);
                let apart = spot.point.millimetres_to(point).min(spot.point.millimetres_to(pickup));
                self.within_gate(apart, "the pick-up")?;
                self.recorded(kinds::PICKUP, &kinds::AtPickup { spot, heard: Some(heard) })
            }
            Status::Pickup | Status::Ongoing => Ok(self.as_it_stands()),
            Status::Arrived | Status::Completed | Status::Cancelled => Err(over()),
        }
    }

    /// By what both phones said of themselves, whatever this one's message says.
    fn starts(&self) -> Result<Decision, Refusal> {
        match self.course.status {
            Status::Arriving | Status::Pickup => {
                let driver = self.driver_seen()?.spot;
                let pickup = self.course.proposal.pickup;
                let passenger = self.seen(Side::Passenger).map_or(pickup, |seen| seen.spot.point);
                let apart_mm = driver.point.millimetres_to(passenger);
                self.within_gate(apart_mm, "the passenger")?;
                self.recorded(kinds::STARTED, &kinds::Started { driver, apart_mm })
            }
            Status::Ongoing => Ok(self.as_it_stands()),
            Status::Arrived | Status::Completed | Status::Cancelled => Err(over()),
        }
    }

    fn due(&self, amount: i64, factor: i64) -> kinds::Due {
        let bill = money::bill(amount, factor, self.course.terms.fee);
        let qr_code_url = self.rules.payment_url.as_ref().map(|url| {
            let (id, passenger) = (&self.course.proposal.match_id, &self.course.proposal.passenger.id);
            let mark = if url.contains('?') { '&' } else { '?' };
            format!("{url}{mark}ride_id={id}&amount={}&passenger_id={passenger}", bill.adjusted)
        });
        kinds::Due { bill, qr_code_url }
    }

    fn arrives(&self, factor: i64) -> Result<Decision, Refusal> {
        match self.course.status {
            Status::Ongoing => {
                let due = self.due(self.course.fare(), factor);
                self.recorded(kinds::ARRIVED, &kinds::Arrived { by: "driver".into(), reason: None, due })
            }
            Status::Arriving | Status::Pickup => {
                Err(invalid("ride_id is of a ride that has not started: ride_start comes first"))
            }
            Status::Arrived | Status::Completed => Ok(self.as_it_stands()),
            Status::Cancelled => Err(over()),
        }
    }

    fn pays(&self, fields: &Fields<'_>) -> Result<Decision, Refusal> {
        let accepted = content::said_accepted(fields)?
            .ok_or_else(|| invalid("status is required: ACCEPTED or REJECTED"))?;
        let Some(payment) = &self.course.payment else {
            return Err(invalid("ride_id is of a ride for which nothing is to be paid"));
        };
        if payment.status == PaymentStatus::Processed {
            return Ok(self.as_it_stands());
        }
        let must = payment.bill.adjusted;
        let total = fields.raw("total_cost").ok_or_else(|| invalid("total_cost is required"))?.get();
        if total.parse() != Ok(must) {
            return Err(wrong("total_cost", &must.to_string(), total));
        }
        self.recorded(kinds::PAYMENT, &kinds::Paid { accepted })
    }

    /// Whoever ends it before it began pays nothing, but a passenger whom the driver has come for. A passenger who gets off on the way pays
    /// for the way.
    fn cancels(&self, side: Option<Side>, reason: Option<String>) -> Result<Decision, Refusal> {
        let by = side.map_or("system", Side::name).to_owned();
        let status = self.course.status;
        if status.is_over() {
            return Err(over());
        }
        let is_passenger = side == Some(Side::Passenger);
        if status == Status::Ongoing && is_passenger {
            let due = self.due(self.course.fare(), BASIS_POINTS);
            return self.recorded(kinds::ARRIVED, &kinds::Arrived { by, reason, due });
        }
        let fee = self.course.terms.cancellation_fee;
        let due = (status == Status::Pickup && is_passenger && fee > 0).then(|| self.due(fee, BASIS_POINTS));
        self.recorded(kinds::CANCELLED, &kinds::Cancelled { by, reason, due })
    }
}
