//! The ride that somebody is on, as their own room knows it: what the ride's room told last, their wish to end it, where they were. The
//! same for both sides. The truth about a ride is in its own room.

use std::collections::VecDeque;

use app::{Applied, Decision, Step};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use vocabulary::{Class, Code, Now, Payload, Position, Record, Refusal, RoomId, Shown, StepId};

use crate::fixes::Fixes;
use crate::meter::Spot;
use crate::proposal::{MatchStatus, Proposal};
use crate::rules::Terms;
use crate::standing::Side;
use crate::telling::{Answered, sent};
use crate::wire::{place, read, written};

/// What the ride's room says. Shown under the name of what happened.
pub(crate) const RIDE: &str = "ride";
/// Somebody wants it to end.
pub(crate) const CANCELLING: &str = "cancelling";
/// Where somebody was, on its way to the ride. Shown to nobody.
pub(crate) const FIX: &str = "fix";
/// Another room has answered. Shown to nobody.
pub(crate) const SENT: &str = "sent";
/// A ride has spoken that is none of this person's, or was so long ago that it is forgotten. Shown to nobody; it proves that this node knew
/// the newest when it said so.
pub(crate) const PASSED_OVER: &str = "passed_over";

/// Numbers of steps, beside the small ones of what matches' rooms are told.
pub(crate) const FIXES: u32 = 1 << 16;
pub(crate) const CANCEL: u32 = FIXES + 1;
pub(crate) const BEGIN: u32 = FIXES + 2;
pub(crate) const IS_MATCHED: u32 = FIXES + 3;
pub(crate) const HERE: u32 = FIXES + 4;
pub(crate) const LEFT: u32 = FIXES + 5;
pub(crate) const NEARBY: u32 = FIXES + 6;

/// Rides that are over and not paid, as one's own room lists them; each can be paid by its name for ever.
const UNPAID_MAX: usize = 10;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub(crate) enum Status {
    Arriving,
    Pickup,
    Ongoing,
    Arrived,
    Completed,
    Cancelled,
}

impl Status {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Status::Arriving => "ARRIVING",
            Status::Pickup => "PICKUP",
            Status::Ongoing => "ONGOING",
            Status::Arrived => "ARRIVED",
            Status::Completed => "COMPLETED",
            Status::Cancelled => "CANCELLED",
        }
    }

    /// Nobody is held by it any more, paid or not.
    pub(crate) fn is_over(self) -> bool {
        matches!(self, Status::Arrived | Status::Completed | Status::Cancelled)
    }
}

/// What happens in a ride, in the words that both sides are told.
pub(crate) const EVENTS: [&str; 7] = [
    "ride_pickup",
    "ride_started",
    "ride_arrived",
    "payment_request",
    "payment_processed",
    "ride_completed",
    "ride_cancelled",
];

/// The ride's word, and how it stands since.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Stands {
    pub ride_id: String,
    pub status: Status,
    /// Something is to be paid, and is not.
    pub owes: bool,
    /// Where the driver was last.
    pub spot: Option<Spot>,
    /// The ride's record since which it is so.
    #[serde(with = "place")]
    pub as_of: Position,
    /// There is no such ride: nobody else is told by it.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub lost: bool,
    pub ride: Value,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Told {
    pub event: String,
    pub payload: Value,
    pub stands: Stands,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Cancel {
    #[serde(with = "place")]
    pub position: Position,
    pub reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Cancelling {
    pub reason: Option<String>,
}

#[derive(Serialize, Deserialize)]
pub(crate) struct Fix {
    pub spot: Spot,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct ClaimedBy {
    #[serde(with = "place")]
    pub position: Position,
    pub at: i64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trip {
    pub proposal: Proposal,
    /// The record by which it began here.
    #[serde(with = "place")]
    pub since: Position,
    /// By which the ride is to go; of the passenger's room, which has the ride begun.
    pub terms: Option<Terms>,
    /// Of the driver's room: the passenger's record by which the driver was claimed, and when that was heard.
    pub claimed_by: Option<ClaimedBy>,
    /// None: the ride's room has not spoken yet.
    pub stands: Option<Stands>,
    cancel: Option<Cancel>,
    fixes: Fixes,
}

impl Trip {
    /// Of a passenger, whose room has the ride begun.
    pub(crate) fn accepted(proposal: Proposal, since: Position, terms: Terms) -> Trip {
        let (stands, cancel, fixes) = (None, None, Fixes::default());
        Trip { proposal, since, terms: Some(terms), claimed_by: None, stands, cancel, fixes }
    }

    /// Of a driver.
    pub(crate) fn claimed(proposal: Proposal, since: Position, claimed_by: ClaimedBy) -> Trip {
        let (stands, cancel, fixes) = (None, None, Fixes::default());
        Trip { proposal, since, terms: None, claimed_by: Some(claimed_by), stands, cancel, fixes }
    }

    pub(crate) fn id(&self) -> &str {
        &self.proposal.match_id
    }

    pub(crate) fn is(&self, id: &str) -> bool {
        self.id() == id
    }

    /// As the person's own `state` has it.
    pub(crate) fn told(&self) -> Value {
        match &self.stands {
            Some(stands) => stands.ride.clone(),
            None => {
                let mut told = self.proposal.told(MatchStatus::Accepted);
                (told["ride_id"], told["status"]) = (self.id().into(), "MATCHED".into());
                told
            }
        }
    }

    /// A second wish adds nothing to the first.
    pub(crate) fn cancelled(&self, reason: Option<String>) -> Decision {
        match self.cancel {
            Some(_) => Decision::nothing(),
            None => Decision::record(CANCELLING, written(&Cancelling { reason })),
        }
    }

    /// Where both are is of interest until the ride begins; then it is the driver's points that are measured.
    pub(crate) fn is_ongoing(&self) -> bool {
        self.stands.as_ref().is_some_and(|stands| stands.status == Status::Ongoing)
    }

    /// A point that belongs to the ride.
    pub(crate) fn passed(&self, now: Now, spot: Spot) -> Decision {
        match self.fixes.wants(now.wall, spot) {
            true => Decision::record(FIX, written(&Fix { spot })),
            false => Decision::nothing(),
        }
    }

    /// What waits goes, if the ride has spoken.
    fn send_fixes(&mut self, position: Position) {
        self.fixes.send(position, self.stands.as_ref().map(|stands| stands.as_of));
    }

    pub(crate) fn steps(&self, app: &str, side: Side) -> Vec<Step> {
        let room = RoomId::new(app, &format!("ride:{}", self.id()));
        let step = |position, number, kind: &'static str, payload| Step {
            position,
            number,
            room: room.clone(),
            kind: kind.into(),
            payload,
        };
        let begin = self.terms.filter(|_| self.stands.is_none()).map(|terms| {
            let begins = written(&Begins { proposal: self.proposal.clone(), terms });
            step(self.since, BEGIN, "begin", begins)
        });
        let cancel = self.cancel.as_ref().map(|cancel| {
            let wish = json!({"by": side.name(), "reason": cancel.reason});
            step(cancel.position, CANCEL, "cancel", written(&wish))
        });
        let fixes = self.fixes.step();
        let fixes = fixes.map(|(position, passes)| step(position, FIXES, "fixes", written(&passes)));
        begin.into_iter().chain(cancel).chain(fixes).collect()
    }

    /// What the ride's room answered to one of these steps; `None`: the step is none of them.
    pub(crate) fn answered(&self, step: &StepId, result: &Result<Payload, Refusal>) -> Option<Decision> {
        let is_cancel = step.number == CANCEL && self.cancel.as_ref()?.position == step.position;
        let is_fixes = step.number == FIXES && self.fixes.is_sending(step.position);
        if step.number == BEGIN && step.position == self.since {
            // Until the ride speaks for itself it is begun again and again, should its log have lost its beginning.
            return Some(Decision::nothing());
        }
        if let Some(said) = result.as_ref().ok().filter(|said| is_cancel && read::<Told>(said).is_some()) {
            // The ride is over and had said so: this room has lost that, and is told it once more.
            let mut decision = Decision::record(SENT, written(&Answered::of(step)));
            decision.records.extend(Decision::record(RIDE, said.clone()).records);
            return Some(decision);
        }
        if !is_cancel && !is_fixes {
            return None;
        }
        Some(sent(step, result))
    }

    fn sent(&mut self, record: &Record, answered: &Answered) {
        if answered.number == CANCEL && self.cancel.as_ref().map(|it| it.position) == Some(answered.position)
        {
            self.cancel = None;
        }
        if answered.number == FIXES && self.fixes.is_sending(answered.position) {
            self.fixes.sent();
            self.send_fixes(record.position);
        }
    }
}

pub(crate) const NOT_FOUND: Code = Code::App("NOT_FOUND");

/// What a passenger's room has a ride begin with.
#[derive(Serialize, Deserialize)]
pub(crate) struct Begins {
    pub proposal: Proposal,
    pub terms: Terms,
}

/// The ride one is on, and those that are to be paid.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Trips {
    pub current: Option<Trip>,
    /// The newest last.
    unpaid: VecDeque<Stands>,
}

impl Trips {
    /// What there is of a ride, if it is one of these.
    pub(crate) fn has(&self, ride_id: &str) -> bool {
        self.current.as_ref().is_some_and(|trip| trip.is(ride_id))
            || self.unpaid.iter().any(|stands| stands.ride_id == ride_id)
    }

    pub(crate) fn payment(&self) -> Value {
        self.unpaid.back().map_or(Value::Null, |stands| stands.ride["payment"].clone())
    }

    /// A word of a ride's room, by its step. `was`: of rides that one was on there is something to be told, too.
    pub(crate) fn hears(
        &self,
        step: &StepId,
        payload: &Payload,
        was: impl Fn(&str) -> bool,
    ) -> Result<Decision, Refusal> {
        let told: Told =
            read(payload).ok_or_else(|| Refusal::new(Code::InvalidPayload, "a ride says how it stands"))?;
        match step.saga.name().strip_prefix("ride:") {
            // That there is no such ride is news to who believes to be on it, and was told to who believes so no more.
            Some(id) if id == told.stands.ride_id && (self.has(id) || !told.stands.lost && was(id)) => {
                Ok(Decision::record(RIDE, payload.clone()))
            }
            Some(id) if id == told.stands.ride_id => {
                let said = json!({"ride_id": id, "event": told.event});
                Ok(Decision::record(PASSED_OVER, written(&said)))
            }
            _ => Err(Refusal::unauthorized()),
        }
    }

    /// Records that are the same in both kinds of rooms. `None`: it is none of them. The trip that it ended, if it did.
    pub(crate) fn apply(&mut self, record: &Record) -> Option<(Applied, Option<Trip>)> {
        let done = match &*record.kind {
            RIDE => read::<Told>(&record.body).map(|told| self.told(record.position, told.stands)),
            CANCELLING => read::<Cancelling>(&record.body).map(|body| {
                if let Some(trip) = &mut self.current {
                    trip.cancel = Some(Cancel { position: record.position, reason: body.reason });
                }
                None
            }),
            FIX => read::<Fix>(&record.body).map(|body| {
                if let Some(trip) = &mut self.current {
                    trip.fixes.take(record, body.spot);
                    trip.send_fixes(record.position);
                }
                None
            }),
            SENT => read::<Answered>(&record.body).map(|answered| {
                if let Some(trip) = &mut self.current {
                    trip.sent(record, &answered);
                }
                None
            }),
            PASSED_OVER => Some(None),
            _ => return None,
        };
        Some(match done {
            Some(ended) => (Applied::Done, ended),
            None => (Applied::Unknown, None),
        })
    }

    fn told(&mut self, position: Position, stands: Stands) -> Option<Trip> {
        let is_over = stands.status.is_over();
        self.unpaid.retain(|known| known.ride_id != stands.ride_id);
        if is_over && stands.owes {
            self.unpaid.push_back(stands.clone());
            while self.unpaid.len() > UNPAID_MAX {
                self.unpaid.pop_front();
            }
        }
        if let Some(trip) = self.current.as_mut().filter(|trip| trip.is(&stands.ride_id)) {
            trip.stands = Some(stands);
            trip.send_fixes(position);
            if is_over {
                return self.current.take();
            }
        }
        None
    }
}

pub(crate) fn shown(record: &Record) -> Option<Shown> {
    let body: Told = (record.kind == RIDE).then(|| read(&record.body)).flatten()?;
    let kind = EVENTS.into_iter().find(|event| *event == body.event)?;
    let payload = body.payload.to_string().into();
    Some(Shown { kind, payload, sender: None, class: Class::Record, lasting: true })
}
