//! What is told of a ride: to both sides by their own rooms, to brokers, and to whoever is in its room. The one place where a ride is put
//! into words.

use app::SoftChange;
use serde_json::{Value, json};
use vocabulary::{Audience, Class, Payload, Position, Record, Shown, Wall};

use super::records::{self as kinds};
use super::state::{Course, PaymentStatus, Ride};
use crate::OUTWARD;
use crate::meter::{Seen, Spot, Verdict};
use crate::trip::{Stands, Status, Told};
use crate::wire::{read, told_metres, told_point, written};

/// Of a ride's frames the newest of these is enough for who reads slowly.
const POSITION: Class = Class::Latest(1);

pub(crate) fn ride(course: &Course) -> Value {
    let proposal = &course.proposal;
    let total = course.payment.as_ref().map_or_else(|| course.fare(), |payment| payment.bill.adjusted);
    let mut told = json!({
        "ride_id": proposal.match_id, "match_id": proposal.match_id,
        "driver_id": proposal.driver.id, "driver_name": proposal.driver.name,
        "passenger_id": proposal.passenger.id, "passenger_name": proposal.passenger.name,
        "status": course.status.name(), "total_cost": total,
        "distance_m": told_metres(course.meter.millimetres),
        "location": told_point(proposal.pickup), "target_location": proposal.target.map(told_point),
        "created_at": Wall(course.created_at).to_string(), "updated_at": Wall(course.updated_at).to_string(),
        "payment": payment(course),
    });
    if let Some(vehicle) = &proposal.vehicle {
        told["vehicle"] = vehicle.told();
    }
    let times = [("started_at", course.started_at), ("arrived_at", course.arrived_at)];
    for (name, at) in times {
        if let Some(at) = at {
            told[name] = Wall(at).to_string().into();
        }
    }
    if let Some(ended) = &course.ended {
        told["ended_by"] = ended.by.as_str().into();
        told["reason"] = json!(ended.reason);
        told["ended_at"] = Wall(ended.at).to_string().into();
    }
    if course.status == Status::Cancelled {
        told["cancellation_fee"] = course.payment.as_ref().map_or(0, |payment| payment.bill.adjusted).into();
    }
    if course.meter.dropped() > 0 {
        let meter = &course.meter;
        told["dropped_points"] = json!({"duplicate": meter.duplicates, "out_of_order": meter.out_of_order,
            "jitter": meter.jitter, "jump": meter.jumps});
    }
    told
}

/// `null` while nothing is to be paid.
pub(crate) fn payment(course: &Course) -> Value {
    let Some(payment) = &course.payment else { return Value::Null };
    let status = match payment.status {
        PaymentStatus::Pending => "PENDING",
        PaymentStatus::Rejected => "REJECTED",
        PaymentStatus::Processed => "PROCESSED",
    };
    json!({
        // One payment for a ride, however often it is tried.
        "payment_id": course.proposal.match_id, "ride_id": course.proposal.match_id,
        "fare": payment.bill.fare, "adjustment_factor": payment.bill.factor as f64 / 10_000.0,
        "adjusted_cost": payment.bill.adjusted, "admin_fee": payment.bill.fee,
        "driver_payout": payment.bill.payout, "status": status,
        "created_at": Wall(payment.created_at).to_string(),
    })
}

pub(crate) fn payment_request(course: &Course) -> Value {
    let payment = course.payment.as_ref();
    json!({
        "ride_id": course.proposal.match_id, "passenger_id": course.proposal.passenger.id,
        "total_cost": payment.map(|payment| payment.bill.adjusted),
        "qr_code_url": payment.and_then(|payment| payment.qr_code_url.as_deref()),
    })
}

pub(crate) fn receipt(course: &Course) -> Value {
    json!({"ride": ride(course), "payment": payment(course)})
}

/// To whoever was told how it ended, and wants to end it all the same: their room has lost the end of its log.
pub(crate) fn ended(course: &Course) -> Told {
    let (event, payload) = match course.status {
        Status::Completed => ("ride_completed", receipt(course)),
        Status::Cancelled => ("ride_cancelled", ride(course)),
        Status::Arriving | Status::Pickup | Status::Ongoing | Status::Arrived => {
            ("ride_arrived", ride(course))
        }
    };
    Told { event: event.to_owned(), payload, stands: course.stands() }
}

/// To whoever believes to be on a ride that there is not.
pub(crate) fn lost(ride: &Ride, as_of: Position) -> Told {
    let (ride_id, status) = (ride.id().to_owned(), Status::Cancelled);
    let lost = json!({"ride_id": ride_id, "match_id": ride_id, "status": status.name(), "ended_by": "system",
        "reason": "lost", "cancellation_fee": 0, "payment": null});
    let stands = Stands { ride_id, status, owes: false, spot: None, as_of, lost: true, ride: lost.clone() };
    Told { event: "ride_cancelled".to_owned(), payload: lost, stands }
}

fn place(spot: Spot) -> Value {
    let mut told = told_point(spot.point);
    told["timestamp"] = Wall(spot.at).to_string().into();
    told
}

fn position(ride: &Ride, spot: Spot) -> Value {
    let mut told = place(spot);
    told["ride_id"] = ride.id().into();
    told
}

/// For those who look after all, and back ends: with where both were last, as far as that says anything.
pub(crate) fn watched(course: &Course, driver: Option<Spot>, passenger: Option<Spot>) -> Payload {
    let mut told = ride(course);
    told["driver_location"] = driver.map_or_else(|| told_point(course.driver_at()), place);
    told["passenger_location"] = passenger.map_or(Value::Null, place);
    written(&told)
}

pub(crate) fn shown(ride: &Ride, record: &Record, audience: Audience) -> Option<Shown> {
    let course = ride.course.as_ref()?;
    let told = |kind, payload: Value, class, lasting| {
        let (sender, payload) = (record.author.clone(), payload.to_string().into());
        Some(Shown { kind, payload, sender, class, lasting })
    };
    match &*record.kind {
        kinds::POINT => {
            let body: kinds::Passed = read(&record.body)?;
            if audience == OUTWARD || !matches!(body.verdict, Verdict::Counted(_) | Verdict::Jitter) {
                return None;
            }
            let mut here = position(ride, body.spot);
            here["distance_m"] = told_metres(course.meter.millimetres);
            here["total_cost"] = course.fare().into();
            told("driver_location", here, POSITION, false)
        }
        kinds::TOLD | kinds::VOID => None,
        // Its members see how it stands, whatever brought it there; what happened their own rooms tell.
        _ if audience != OUTWARD => (record.position == course.changed)
            .then(|| self::ride(course))
            .and_then(|ride| told("state", ride, Class::Record, false)),
        kinds::BEGAN | kinds::PICKUP => told("ride_pickup", self::ride(course), Class::Record, true),
        kinds::STARTED => told("ride_started", self::ride(course), Class::Record, true),
        kinds::ARRIVED => {
            let body: kinds::Arrived = read(&record.body)?;
            match body.due.bill.adjusted {
                0 => told("ride_completed", receipt(course), Class::Record, true),
                _ => told("ride_arrived", self::ride(course), Class::Record, true),
            }
        }
        kinds::CANCELLED => told("ride_cancelled", self::ride(course), Class::Record, true),
        // A broker may be told of it when the ride stands otherwise: what it was says the record.
        kinds::PAYMENT => {
            let kinds::Paid { accepted } = read(&record.body)?;
            if accepted && course.status == Status::Completed {
                return told("ride_completed", receipt(course), Class::Record, true);
            }
            let mut paid = payment(course);
            paid["status"] = if accepted { "PROCESSED" } else { "REJECTED" }.into();
            told("payment_processed", paid, Class::Record, true)
        }
        _ => None,
    }
}

/// Where the driver is while they come.
pub(crate) fn glimpse(ride: &Ride, change: &SoftChange<'_>) -> Option<Shown> {
    let course = ride.course.as_ref().filter(|_| change.key == "driver")?;
    let seen: Seen = read(change.value?)?;
    let mut here = position(ride, seen.spot);
    here["distance_to_pickup_m"] = told_metres(seen.spot.point.millimetres_to(course.proposal.pickup));
    let payload = here.to_string().into();
    Some(Shown { kind: "driver_location", payload, sender: None, class: POSITION, lasting: false })
}

pub(crate) fn view(ride: &Ride) -> Payload {
    written(&ride.course.as_ref().map_or(Value::Null, |course| self::ride(course)))
}
