//! A ride's state, and the fold: from the match to the payment, and what both sides have still to be told. Total; it reads nothing but
//! records.

use std::collections::{BTreeMap, VecDeque};

use app::Applied;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use vocabulary::{Position, Record, RoomId};

use super::records::{self as kinds};
use super::told;
use crate::geo::{Cell, Point};
use crate::leaving::Leaving;
use crate::meter::{Meter, Seen, Spot};
use crate::money::{self, Bill};
use crate::proposal::Proposal;
use crate::rules::Terms;
use crate::standing::Side;
use crate::telling::Answered;
use crate::trip::{Begins, Stands, Status, Told};
use crate::wire::{nowhere, place, read};

/// Words that a side's own room has not heard: a ride has seven, and a payment may be refused now and then.
pub(crate) const WORDS_MAX: usize = 16;
/// Who believes to be on a ride that there is not: its two people.
const VOID_MAX: usize = 2;
/// A day's points of a phone that speaks every two seconds.
pub(crate) const POINTS_MAX: u32 = 43_200;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum PaymentStatus {
    Pending,
    /// It can be tried again.
    Rejected,
    Processed,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Payment {
    pub bill: Bill,
    pub status: PaymentStatus,
    pub qr_code_url: Option<String>,
    pub created_at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ended {
    pub by: String,
    pub reason: Option<String>,
    pub at: i64,
}

/// What happened, and how the ride stood when it had: each side hears of all, in this order.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Word {
    #[serde(with = "place")]
    pub position: Position,
    pub number: u32,
    pub told: Told,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Course {
    pub proposal: Proposal,
    pub terms: Terms,
    pub status: Status,
    pub meter: Meter,
    /// Where the driver was when that was written down last, and when we heard of it.
    at_pickup: Option<(Spot, i64)>,
    pub created_at: i64,
    pub updated_at: i64,
    pub started_at: Option<i64>,
    pub arrived_at: Option<i64>,
    pub ended: Option<Ended>,
    pub payment: Option<Payment>,
    driver_untold: VecDeque<Word>,
    passenger_untold: VecDeque<Word>,
    /// The newest record that changed how it stands.
    #[serde(with = "place")]
    pub changed: Position,
}

/// ```text
///  began            pickup            started            arrived            paid
/// ───────▶ Arriving ───────▶ Pickup ───────▶ Ongoing ───────▶ Arrived ───────▶ Completed
///             │  └─────────────┼──────────────▲ │
///             └────────────────┴────────────────┴──▶ Cancelled, with or without something to pay
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Ride {
    #[serde(skip, default = "nowhere")]
    pub room: RoomId,
    /// None: no match has come to it.
    pub course: Option<Box<Course>>,
    /// Rooms whose people believe to be on it, and are not; they have still to be told. It never begins once there was one.
    pub void: BTreeMap<String, Answered>,
    pub is_void: bool,
    /// The square that does not know yet that the ride is in it no more.
    #[serde(default)]
    pub leaving: Leaving,
    #[serde(with = "place")]
    pub newest: Position,
}

impl Ride {
    pub(crate) fn new(room: &RoomId) -> Ride {
        let (void, leaving, newest) = (BTreeMap::new(), Leaving::default(), Position::default());
        Ride { room: room.clone(), course: None, void, is_void: false, leaving, newest }
    }

    pub(crate) fn id(&self) -> &str {
        self.room.name().strip_prefix("ride:").unwrap_or_default()
    }

    fn square(&self) -> Option<Cell> {
        let course = self.course.as_ref().filter(|course| !course.status.is_over())?;
        Some(course.driver_at().cell())
    }

    pub(crate) fn apply(&mut self, record: &Record) -> Applied {
        let before = self.square();
        let applied = self.fold(record);
        self.leaving.moved(before, self.square(), record.position);
        applied
    }

    fn fold(&mut self, record: &Record) -> Applied {
        self.newest = record.position;
        if record.kind == kinds::TOLD
            && let Some(kinds::Heard { answered }) = read(&record.body)
        {
            self.void.retain(|_, word| *word != answered);
            self.leaving.settle(&answered);
        }
        let done = match (&*record.kind, &mut self.course) {
            (kinds::BEGAN, None) => read::<Begins>(&record.body).map(|body| {
                self.course = Some(Course::begun(body, record).into());
            }),
            (kinds::BEGAN, Some(_)) => Some(()),
            (kinds::VOID, _) => read::<kinds::Void>(&record.body).map(|body| {
                self.is_void |= self.course.is_none();
                // What is on its way already says the same.
                self.void.entry(body.room).or_insert(Answered { position: record.position, number: 0 });
                while self.void.len() > VOID_MAX {
                    self.void.pop_first();
                }
            }),
            (kinds::TOLD, None) => Some(()),
            (_, Some(course)) => course.apply(record),
            (_, None) => None,
        };
        if done.is_some() { Applied::Done } else { Applied::Unknown }
    }
}

impl Course {
    fn begun(body: Begins, record: &Record) -> Course {
        let mut course = Course {
            proposal: body.proposal,
            terms: body.terms,
            status: Status::Arriving,
            meter: Meter::default(),
            at_pickup: None,
            created_at: record.at.0,
            updated_at: record.at.0,
            started_at: None,
            arrived_at: None,
            ended: None,
            payment: None,
            driver_untold: VecDeque::new(),
            passenger_untold: VecDeque::new(),
            changed: record.position,
        };
        course.tell(record, "ride_pickup", &Side::BOTH, told::ride(&course));
        course
    }

    pub(crate) fn party(&self, side: Side) -> &str {
        &self.proposal.party(side).id
    }

    /// Where the driver was when that was written down last, since the match.
    pub(crate) fn spot(&self) -> Option<Spot> {
        self.meter.seen.or(self.at_pickup.map(|(spot, _)| spot))
    }

    pub(crate) fn driver_at(&self) -> Point {
        self.spot().map_or(self.proposal.driver_at, |spot| spot.point)
    }

    /// Where the driver was before the match, and when that was heard.
    pub(crate) fn driver_before(&self) -> Seen {
        let Proposal { driver_at: point, driver_heard: at, .. } = self.proposal;
        Seen { spot: Spot { point, at }, heard: at }
    }

    pub(crate) fn at_pickup(&self) -> Option<Seen> {
        self.at_pickup.map(|(spot, heard)| Seen { spot, heard })
    }

    /// What it comes to so far, if nothing is adjusted.
    pub(crate) fn fare(&self) -> i64 {
        money::fare(self.meter.millimetres, self.terms.rate_per_km)
    }

    pub(crate) fn untold(&self, side: Side) -> &VecDeque<Word> {
        match side {
            Side::Driver => &self.driver_untold,
            Side::Passenger => &self.passenger_untold,
        }
    }

    fn apply(&mut self, record: &Record) -> Option<()> {
        match &*record.kind {
            kinds::POINT => {
                let body: kinds::Passed = read(&record.body)?;
                self.meter.take(body.spot, body.verdict);
                return Some(());
            }
            kinds::TOLD => {
                let kinds::Heard { answered } = read(&record.body)?;
                for untold in [&mut self.driver_untold, &mut self.passenger_untold] {
                    untold
                        .retain(|word| (word.position, word.number) != (answered.position, answered.number));
                }
                return Some(());
            }
            _ => {}
        }
        let before = (self.updated_at, self.changed);
        (self.updated_at, self.changed) = (record.at.0, record.position);
        let happened = self.happens(record);
        if happened.is_none() {
            // Of a newer build: nothing is known of it, and nothing has changed.
            (self.updated_at, self.changed) = before;
        }
        happened
    }

    fn happens(&mut self, record: &Record) -> Option<()> {
        match &*record.kind {
            kinds::PICKUP => {
                let body: kinds::AtPickup = read(&record.body)?;
                self.at_pickup = Some((body.spot, body.heard.unwrap_or(record.at.0)));
                self.status = Status::Pickup;
                self.tell(record, "ride_pickup", &Side::BOTH, told::ride(self));
            }
            kinds::STARTED => {
                let body: kinds::Started = read(&record.body)?;
                self.meter = Meter::from(body.driver);
                (self.status, self.started_at) = (Status::Ongoing, Some(record.at.0));
                self.tell(record, "ride_started", &Side::BOTH, told::ride(self));
            }
            kinds::ARRIVED => self.arrived(record)?,
            kinds::CANCELLED => self.cancelled(record)?,
            kinds::PAYMENT => self.paid(record)?,
            _ => return None,
        }
        Some(())
    }

    fn owes(&mut self, record: &Record, due: kinds::Due) {
        let kinds::Due { bill, qr_code_url } = due;
        let status = if bill.adjusted == 0 { PaymentStatus::Processed } else { PaymentStatus::Pending };
        let created_at = record.at.0;
        self.payment = Some(Payment { bill, status, qr_code_url, created_at });
    }

    fn is_paid(&self) -> bool {
        self.payment.as_ref().is_none_or(|payment| payment.status == PaymentStatus::Processed)
    }

    fn arrived(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Arrived = read(&record.body)?;
        (self.status, self.arrived_at) = (Status::Arrived, Some(record.at.0));
        self.ended = Some(Ended { by: body.by, reason: body.reason, at: record.at.0 });
        self.owes(record, body.due);
        self.tell(record, "ride_arrived", &Side::BOTH, told::ride(self));
        match self.is_paid() {
            true => self.complete(record),
            false => self.ask_for_payment(record),
        }
        Some(())
    }

    fn cancelled(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Cancelled = read(&record.body)?;
        self.status = Status::Cancelled;
        self.ended = Some(Ended { by: body.by, reason: body.reason, at: record.at.0 });
        if let Some(due) = body.due {
            self.owes(record, due);
        }
        self.tell(record, "ride_cancelled", &Side::BOTH, told::ride(self));
        if !self.is_paid() {
            self.ask_for_payment(record);
        }
        Some(())
    }

    fn paid(&mut self, record: &Record) -> Option<()> {
        let body: kinds::Paid = read(&record.body)?;
        let payment = self.payment.as_mut()?;
        payment.status = if body.accepted { PaymentStatus::Processed } else { PaymentStatus::Rejected };
        self.tell(record, "payment_processed", &Side::BOTH, told::payment(self));
        if body.accepted && self.status == Status::Arrived {
            self.complete(record);
        }
        Some(())
    }

    fn complete(&mut self, record: &Record) {
        self.status = Status::Completed;
        self.tell(record, "ride_completed", &Side::BOTH, told::receipt(self));
    }

    fn ask_for_payment(&mut self, record: &Record) {
        self.tell(record, "payment_request", &[Side::Passenger], told::payment_request(self));
    }

    /// As a person's own room keeps it.
    pub(crate) fn stands(&self) -> Stands {
        Stands {
            ride_id: self.proposal.match_id.clone(),
            status: self.status,
            owes: !self.is_paid(),
            spot: self.spot(),
            as_of: self.changed,
            lost: false,
            ride: told::ride(self),
        }
    }

    fn tell(&mut self, record: &Record, event: &str, sides: &[Side], payload: Value) {
        let told = Told { event: event.to_owned(), payload, stands: self.stands() };
        for side in sides {
            // Two sides and a few words of one record.
            let (untold, base) = match side {
                Side::Driver => (&mut self.driver_untold, 0),
                Side::Passenger => (&mut self.passenger_untold, 100),
            };
            let of_record = untold.iter().filter(|word| word.position == record.position);
            let number = base + of_record.map(|word| word.number % 100 + 1).max().unwrap_or(0);
            untold.push_back(Word { position: record.position, number, told: told.clone() });
        }
    }

    #[cfg(test)]
    pub(crate) fn check_bounds(&self) {
        // Two of the last record may stand behind what was the maximum before it.
        assert!(Side::BOTH.into_iter().all(|side| self.untold(side).len() <= WORDS_MAX + 2));
        assert!(self.meter.points <= POINTS_MAX);
        if let Some(Payment { bill, .. }) = &self.payment {
            assert_eq!(bill.adjusted, bill.fee + bill.payout, "money is lost: {bill:?}");
        }
    }
}
